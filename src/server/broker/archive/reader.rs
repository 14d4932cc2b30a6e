//! Reads an archive: all of it is looked at before anything is taken from it.

use super::Contents;
use super::line::{AnyBegin, Begin, EntryLine, Kind, LINE_BYTES, Line, Manifest, VERSION};
use crate::protocol::{Format, Hash};
use crate::server::broker::moving::{Beside, KeptSecret, Moved, Side};
use crate::server::broker::{Entry, Head, Pointer};
use crate::server::remedy::with_remedy;
use futures::FutureExt;
use futures::future::BoxFuture;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The place of each so many-th entry is known.
const STEP: u64 = 100;

/// An archive that is whole.
pub struct Archive {
    path: PathBuf,
    contents: Contents,
    beside: Beside,
    places: Vec<u64>,
    file: Mutex<BufReader<File>>,
}

/// What to do about a file that is no good.
const TAKE_ANOTHER: &str = "Nothing was written. Take another copy of the file, or make a new one";

struct Reading {
    lines: BufReader<File>,
    shown: String,
    /// The last line that was read, and where it began.
    number: u64,
    begin: u64,
    end: u64,
    text: String,
}

impl Reading {
    fn fault(&self, what: &str) -> String {
        format!("line {} of {} {what}. {TAKE_ANOTHER}", self.number, self.shown)
    }

    /// The next line; `false` at the end.
    fn next(&mut self) -> Moved<bool> {
        self.number += 1;
        self.begin = self.end;
        self.text.clear();
        let mut bytes = std::mem::take(&mut self.text).into_bytes();
        let read = (&mut self.lines).take(LINE_BYTES).read_until(b'\n', &mut bytes);
        let read = read.map_err(|fault| format!("{} cannot be read: {fault}", self.shown))?;
        self.end += read as u64;
        if read == 0 {
            return Ok(false);
        }
        if bytes.pop() != Some(b'\n') {
            return Err(if read as u64 == LINE_BYTES {
                self.fault("is too long: it is damaged")
            } else {
                self.fault("ends in the middle: the file is cut off, or was never finished")
            });
        }
        self.text = String::from_utf8(bytes).map_err(|_| self.fault("is no text: it is damaged"))?;
        Ok(true)
    }

    fn parse(&self) -> Moved<Line> {
        serde_json::from_str(&self.text).map_err(|_| self.fault("cannot be read: it is damaged"))
    }

    fn first(&mut self, wanted: Kind) -> Moved<Begin> {
        let foreign = format!("{} is no backup or export of Beck. {TAKE_ANOTHER}", self.shown);
        if !self.next().map_err(|_| foreign.clone())? {
            return Err(format!("{} is empty. {TAKE_ANOTHER}", self.shown));
        }
        let any: AnyBegin = serde_json::from_str(&self.text).map_err(|_| foreign.clone())?;
        let version = any.beck.version;
        if version > VERSION {
            return Err(format!(
                "line 1 of {} says that it is of form {version}; this version reads form {VERSION}. Nothing was written. Use a newer Beck",
                self.shown
            ));
        }
        let Line::Beck(begin) = self.parse()? else { return Err(foreign) };
        match (begin.archive, wanted) {
            (Kind::Backup, Kind::Export) => {
                Err(format!("{} is a backup: use beck restore {}", self.shown, self.shown))
            }
            (Kind::Export, Kind::Backup) => {
                Err(format!("{} is an export, without passwords: use beck import {}", self.shown, self.shown))
            }
            _ => Ok(begin),
        }
    }
}

impl Archive {
    /// Reads all of it: each line, number, link and text, and what they come to.
    pub fn open(path: &Path, kind: Kind) -> Moved<Archive> {
        Self::open_up_to(path, kind, Format::NEWEST)
    }

    /// As [`Archive::open`], of a log that has no format newer than this one.
    pub fn open_up_to(path: &Path, kind: Kind, newest: Format) -> Moved<Archive> {
        let shown = path.display().to_string();
        let cannot = |fault: std::io::Error| format!("{shown} cannot be read: {}", with_remedy(&fault));
        if path.is_dir() {
            return Err(format!("{shown} is a folder: name the file in it"));
        }
        let lines = BufReader::with_capacity(64 * 1024, File::open(path).map_err(cannot)?);
        let mut reading =
            Reading { lines, shown: shown.clone(), number: 0, begin: 0, end: 0, text: String::new() };
        let begin = reading.first(kind)?;
        let mut sum = Sha256::new();
        let (mut contents, mut beside, mut places) = (Contents::up_to(newest), Beside::default(), Vec::new());
        let mut first_link = Hash::ZERO;
        let (mut began_beside, mut pointers, mut secrets) = (false, 0, 0);
        let manifest = loop {
            sum.update(&reading.text);
            sum.update(b"\n");
            if !reading.next()? {
                return Err(reading
                    .fault("is missing: the file is cut off, or was never finished. The last line begins with {\"end\""));
            }
            match reading.parse()? {
                Line::Entry(EntryLine { header, link, body }) if !began_beside => {
                    let entry = Entry { header, link, body };
                    contents.take(&entry).map_err(|what| reading.fault(&what))?;
                    if contents.end.g == 1 {
                        first_link = link;
                    }
                    if contents.end.g % STEP == 1 {
                        places.push(reading.begin);
                    }
                }
                Line::Pointer(line) if secrets == 0 => {
                    began_beside = true;
                    pointers += 1;
                    let pointer = Pointer { generation: line.generation, ordinal: line.ordinal };
                    beside.pointers.insert((line.account.to_string(), line.key), pointer);
                }
                Line::Secret(line) if begin.archive == Kind::Backup => {
                    began_beside = true;
                    secrets += 1;
                    let secret = KeptSecret { value: line.value, version: line.version, expires: None };
                    beside.secrets.insert(line.key, secret);
                }
                Line::End(manifest) => break manifest,
                _ => return Err(reading.fault("does not belong there: lines are in another order")),
            }
        };
        let sum: String = sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let found = Manifest {
            workspace: contents.workspace.as_ref().map_or(begin.workspace, |workspace| workspace.id),
            format: contents.format(),
            entries: contents.end.g,
            erased: contents.erased,
            pointers,
            secrets,
            first_link,
            last_link: contents.end.link,
            sha256: sum,
        };
        if found != manifest || found.workspace != begin.workspace || !contents.ends_whole {
            return Err(reading.fault("does not fit the lines before it: some are missing, or were changed"));
        }
        if reading.next()? {
            return Err(reading.fault("comes after the end: the file was written into"));
        }
        let file = Mutex::new(reading.lines);
        Ok(Archive { path: path.to_owned(), contents, beside, places, file })
    }

    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    fn entries(&self, from: u64, limit: usize) -> Moved<Vec<Entry>> {
        let from = from.max(1);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = self.places.get(((from - 1) / STEP) as usize) else { return Ok(Vec::new()) };
        let changed = || format!("{} was changed meanwhile: run this again", self.path.display());
        file.seek(SeekFrom::Start(*place)).map_err(|_| changed())?;
        let mut entries = Vec::new();
        let mut text = String::new();
        while entries.len() < limit {
            text.clear();
            (&mut *file).take(LINE_BYTES).read_line(&mut text).map_err(|_| changed())?;
            match serde_json::from_str(&text).map_err(|_| changed())? {
                Line::Entry(EntryLine { header, link, body }) => {
                    if header.g >= from {
                        entries.push(Entry { header, link, body });
                    }
                }
                _ => break,
            }
        }
        Ok(entries)
    }
}

impl Side for Archive {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn head(&self) -> BoxFuture<'_, Moved<Option<Head>>> {
        async { Ok(Some(self.contents.end)) }.boxed()
    }

    fn read(&self, from: u64, limit: usize) -> BoxFuture<'_, Moved<Vec<Entry>>> {
        async move { self.entries(from, limit) }.boxed()
    }

    fn beside(&self) -> BoxFuture<'_, Moved<Beside>> {
        async { Ok(self.beside.clone()) }.boxed()
    }
}
