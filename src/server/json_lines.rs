//! Files of the data folder with one JSON object a line, of which some lines lose their text.

use super::private_files::{self, sync_folder_of};
use std::fs::{File, remove_file, rename};
use std::io::{BufRead, BufReader, BufWriter, ErrorKind, Result, Write};
use std::path::Path;

/// Writes the lines that `without_text` gives in place of others, in one step: whoever reads the file has all of it as
/// it was, or all as it is. Gives how many; a file without any is not written. No file has none.
pub fn replace_lines(path: &Path, mut without_text: impl FnMut(&[u8]) -> Option<String>) -> Result<u64> {
    let open = || match File::open(path) {
        Ok(file) => Ok(Some(BufReader::new(file))),
        Err(fault) if fault.kind() == ErrorKind::NotFound => Ok(None),
        Err(fault) => Err(fault),
    };
    let Some(first) = open()? else { return Ok(0) };
    let mut any = false;
    for line in first.split(b'\n') {
        any |= without_text(&line?).is_some();
    }
    let Some(lines) = open()?.filter(|_| any) else { return Ok(0) };
    let new = path.with_extension("new");
    let written = (|| {
        let mut file = BufWriter::new(private_files::write(&new, b"")?);
        let mut replaced = 0;
        for line in lines.split(b'\n') {
            let line = line?;
            match without_text(&line) {
                Some(other) => {
                    file.write_all(other.as_bytes())?;
                    replaced += 1;
                }
                None => file.write_all(&line)?,
            }
            file.write_all(b"\n")?;
        }
        file.into_inner().map_err(|fault| fault.into_error())?.sync_all()?;
        rename(&new, path)?;
        sync_folder_of(path)?;
        Ok(replaced)
    })();
    if written.is_err() {
        let _ = remove_file(&new);
    }
    written
}
