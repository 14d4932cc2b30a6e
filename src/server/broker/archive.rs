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
use super::{Entry, Head, InForce};
use crate::protocol;
use crate::protocol::frame::Role;
use crate::protocol::{AccountId, Format, NewerFormat};
use crate::server::fold::WorkspaceBody;

/// What entries say that go one by one from the first to the last, held against each other.
#[derive(Debug)]
pub struct Contents {
    /// The newest format that is taken.
    newest: Format,
    pub end: Head,
    pub workspace: Option<WorkspaceBody>,
    in_force: InForce,
    pub erased: u64,
    /// Those that entries make, also those that the fold refuses.
    pub accounts: Vec<AccountId>,
    /// The handle of the first owner.
    pub owner: Option<String>,
    /// The last entry has its text: a log never ends in an erased one.
    pub ends_whole: bool,
}

impl Contents {
    /// Of a log that has no format newer than this one.
    pub fn up_to(newest: Format) -> Contents {
        Contents {
            newest,
            end: Head::default(),
            workspace: None,
            in_force: InForce::default(),
            erased: 0,
            accounts: Vec::new(),
            owner: None,
            ends_whole: false,
        }
    }

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
        if self.in_force.lacks_body(header, entry.body.as_deref()) {
            return Err(format!("has no body of entry {g}, which is never erased: it is damaged"));
        }
        self.in_force.take(header, entry.body.as_deref());
        match &header.kind {
            protocol::Kind::Workspace if g == 1 => self.workspace = parse(entry),
            protocol::Kind::Account => {
                let target = header.target.as_ref().and_then(|target| target.as_str().parse().ok());
                self.accounts.push(target.unwrap_or(header.author));
                let owner = parse(entry).filter(|body: &Owner| body.role == Role::Owner);
                self.owner = self.owner.take().or(owner.map(|body| body.handle));
            }
            _ => {}
        }
        if self.workspace.is_none() {
            return Err("is not the beginning of a workspace".into());
        }
        if let Err(NewerFormat { number, newest }) = Format::read(self.format(), self.newest) {
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

    /// The number of the log's format.
    pub fn format(&self) -> u32 {
        self.in_force.number()
    }
}

/// As much of the body of an `account` entry as every format has.
#[derive(serde::Deserialize)]
struct Owner {
    handle: String,
    #[serde(default)]
    role: Role,
}

fn parse<T: serde::de::DeserializeOwned>(entry: &Entry) -> Option<T> {
    serde_json::from_str(entry.json()?).ok()
}
