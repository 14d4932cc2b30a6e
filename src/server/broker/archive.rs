//! A workspace in one text file: a backup, with what people sign in with, or an export, without any secret.
//!
//! JSON lines: who wrote it, each entry of the log, what stands beside the log, and last the manifest. A file without its
//! last line is no archive. docs/operations.md has the form.

mod line;
mod reader;
mod writer;

pub use line::{Kind, Manifest};
pub use reader::Archive;
pub use writer::ArchiveWriter;

use super::moving::Moved;
use super::{Entry, Head};
use crate::protocol;
use crate::protocol::frame::Role;
use crate::protocol::{AccountId, Format, NewerFormat};
use crate::server::fold::{AccountBody, WorkspaceBody};

/// What entries say that go one by one from the first to the last, held against each other.
#[derive(Debug, Default)]
pub struct Contents {
    pub end: Head,
    pub workspace: Option<WorkspaceBody>,
    pub format: u32,
    pub erased: u64,
    /// Those that entries make, also those that the fold refuses.
    pub accounts: Vec<AccountId>,
    /// The handle of the first owner.
    pub owner: Option<String>,
    /// The last entry has its text: a log never ends in an erased one.
    pub ends_whole: bool,
}

impl Contents {
    /// Takes the next entry; what is wrong with it is a clause that follows a name of its place.
    pub fn take(&mut self, entry: &Entry) -> Moved<()> {
        let (g, header) = (self.end.g + 1, &entry.header);
        if header.g != g {
            return Err(format!(
                "has entry {} where entry {g} belongs: lines are missing or in another order",
                header.g
            ));
        }
        if entry.link != self.end.link.then(header) {
            return Err(format!("has an entry {g} that does not continue the one before it"));
        }
        if entry.body.as_ref().is_some_and(|body| super::digest(body) != header.digest) {
            return Err(format!("has another text of entry {g} than the one that was written"));
        }
        match &header.kind {
            protocol::Kind::Workspace if g == 1 => {
                self.workspace = parse(entry);
                self.format = self.workspace.as_ref().map_or(0, |workspace| workspace.format);
            }
            protocol::Kind::Format => self.format = self.format.max(parse(entry).unwrap_or(0)),
            protocol::Kind::Account => {
                self.accounts.push(header.author);
                let owner = parse(entry).filter(|body: &AccountBody| body.role == Role::Owner);
                self.owner = self.owner.take().or(owner.map(|body| body.handle));
            }
            _ => {}
        }
        if self.workspace.is_none() {
            return Err("is not the beginning of a workspace".into());
        }
        if let Err(NewerFormat { number, newest }) = Format::try_from(self.format) {
            return Err(format!(
                "has a log of format {number}; this version reads format {}: use a newer Beck",
                newest.number()
            ));
        }
        self.erased += u64::from(entry.body.is_none());
        self.ends_whole = entry.body.is_some();
        self.end = Head { g, link: entry.link };
        Ok(())
    }
}

fn parse<T: serde::de::DeserializeOwned>(entry: &Entry) -> Option<T> {
    serde_json::from_str(entry.json()?).ok()
}
