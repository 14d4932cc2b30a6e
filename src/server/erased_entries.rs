//! What a server was told to erase, without text: the number and link of each entry, in a file of the data folder. A log
//! that comes back from an old backup does not know what was erased since; this file does.
//!
//! One line for each entry. Lines are only added and flushed; one that a crash cut off is taken away, and one that stands
//! twice goes when the file is opened.

use super::broker::Head;
use super::private_files::{self, sync_folder_of};
use std::fs::{File, rename};
use std::io::{BufRead, BufReader, BufWriter, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The file in the data folder.
pub const ERASED_FILE: &str = "erased";

/// The file, open to add to it.
pub struct ErasedEntries {
    path: PathBuf,
    file: Mutex<Option<File>>,
}

impl ErasedEntries {
    pub fn open(folder: &Path) -> Result<ErasedEntries> {
        let path = folder.join(ERASED_FILE);
        let (entries, as_it_was) = read_file(&path)?;
        if !as_it_was {
            write_anew(&path, &entries)?;
        }
        Ok(ErasedEntries { path, file: Mutex::default() })
    }

    /// Adds entries, flushed.
    pub fn add(&self, entries: &[Head]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut open = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if open.is_none() {
            let file = private_files::options().create(true).append(true).open(&self.path)?;
            sync_folder_of(&self.path)?;
            *open = Some(file);
        }
        let Some(file) = open.as_mut() else { return Ok(()) };
        let added = file.write_all(lines(entries).as_bytes()).and_then(|()| file.sync_data());
        if added.is_err() {
            // A line may be there in part. The next call opens the file again, behind its last whole line.
            *open = None;
            let (entries, as_it_was) = read_file(&self.path)?;
            if !as_it_was {
                write_anew(&self.path, &entries)?;
            }
        }
        added
    }

    /// All of them, by number.
    pub fn all(&self) -> Result<Vec<Head>> {
        Ok(read_file(&self.path)?.0)
    }
}

/// What a server of this data folder was told to erase, by number.
pub fn read(folder: &Path) -> Result<Vec<Head>> {
    Ok(read_file(&folder.join(ERASED_FILE))?.0)
}

fn lines(entries: &[Head]) -> String {
    entries.iter().map(|Head { g, link }| format!("{g} {link}\n")).collect()
}

/// The entries of a file, by number, each once; and whether the file has nothing else.
fn read_file(path: &Path) -> Result<(Vec<Head>, bool)> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok((Vec::new(), true)),
        Err(fault) => return Err(fault),
    };
    let (mut entries, mut lines) = (Vec::new(), 0);
    let (mut reader, mut line) = (BufReader::new(file), Vec::new());
    while reader.read_until(b'\n', &mut line)? > 0 {
        lines += 1;
        entries.extend(line.strip_suffix(b"\n").and_then(parse));
        line.clear();
    }
    entries.sort_unstable_by_key(|entry: &Head| (entry.g, entry.link));
    entries.dedup();
    let as_it_was = entries.len() == lines;
    Ok((entries, as_it_was))
}

fn parse(line: &[u8]) -> Option<Head> {
    let (g, link) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    Some(Head { g: g.parse().ok()?, link: link.parse().ok()? })
}

fn write_anew(path: &Path, entries: &[Head]) -> Result<()> {
    let new = path.with_extension("new");
    let mut file = BufWriter::new(private_files::write(&new, b"")?);
    entries.chunks(512).try_for_each(|some| file.write_all(lines(some).as_bytes()))?;
    file.into_inner().map_err(|fault| fault.into_error())?.sync_all()?;
    rename(&new, path)?;
    sync_folder_of(path)
}
