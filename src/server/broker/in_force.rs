//! Which format of the log decides each entry, from the headers and the bodies that are never erased: for tools that read
//! a log without folding it.

use crate::protocol::change::Unreadable;
use crate::protocol::stored::SALT;
use crate::protocol::{Change, Format, Header, Kind, WorkspaceId};

/// The format in force behind the entries that it was given, from the first one on.
#[derive(Debug, Clone, Default)]
pub struct InForce {
    workspace: Option<WorkspaceId>,
    number: u32,
}

/// As much of the body of the first entry as this needs.
#[derive(serde::Deserialize)]
struct Workspace {
    id: WorkspaceId,
    format: u32,
}

impl InForce {
    /// The number of the format; 0 before the first entry.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Takes the next entry.
    pub fn take(&mut self, header: &Header, body: Option<&str>) {
        match header.kind {
            Kind::Workspace if header.g == 1 => {
                if let Some(Workspace { id, format }) = parse(body) {
                    (self.workspace, self.number) = (Some(id), format);
                }
            }
            // A duplicate counts here too; no server writes one with another number.
            Kind::Format if self.is_strict() => {
                let operator = self.workspace.is_some_and(|workspace| workspace.operator() == header.author);
                if let (true, Ok(Change::Format { number })) = (operator, Change::read(header, body)) {
                    self.number = self.number.max(number);
                }
            }
            Kind::Format => self.number = self.number.max(parse(body).unwrap_or(0)),
            _ => {}
        }
    }

    /// Whether the next entry lacks a body that is never erased: the log is damaged. What formats 1 to 4 decide can be
    /// decided without one.
    pub fn lacks_body(&self, header: &Header, body: Option<&str>) -> bool {
        self.is_strict() && Change::read(header, body) == Err(Unreadable::Absent)
    }

    fn is_strict(&self) -> bool {
        self.number >= Format::Five.number()
    }
}

/// As formats 1 to 4 read a body.
fn parse<T: serde::de::DeserializeOwned>(body: Option<&str>) -> Option<T> {
    serde_json::from_str(body?.get(SALT..)?).ok()
}
