//! Whether the texts that are loaded here are those of the log: the bytes that each would be stored as, against the
//! digest in a header of the chain that this client has recomputed.

use super::Session;
use crate::protocol::stored::{MessageDraft, SALT, Stored, ValueDraft, digest};
use crate::protocol::{ClientId, Digest, Event, EventBody, Header, Kind, Proof, ProofForm, RoomId, Row};
use std::collections::HashSet;
use std::sync::Arc;

/// Events that are asked for at once to see what they deleted, restored or erased.
const EVENTS_AT_ONCE: u64 = 100;

/// What is known of the text of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextState {
    /// Its bytes give the digest that the chain has, and no later event of the chain says otherwise.
    Checked,
    /// Of a body as formats 1 to 4 have it.
    Older,
    /// It came after the check, or something that is needed for it is not known here.
    NotChecked,
    /// The event with this seq says otherwise.
    Differs(u64),
    /// It is absent, and an `erase` of the chain names its message.
    Erased,
    /// It is absent, and its message is deleted.
    Deleted,
    /// It is absent, and nothing says why.
    Missing,
}

/// How many of the loaded texts are in which state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    pub checked: usize,
    pub older: usize,
    pub not_checked: usize,
    pub differ: usize,
    pub erased: usize,
    pub deleted: usize,
    pub missing: usize,
}

impl Texts {
    /// Texts that are here, checked or not.
    pub fn here(&self) -> usize {
        self.checked + self.older + self.not_checked + self.differ
    }

    fn count(&mut self, state: TextState) {
        match state {
            TextState::Checked => self.checked += 1,
            TextState::Older => self.older += 1,
            TextState::NotChecked => self.not_checked += 1,
            TextState::Differs(_) => self.differ += 1,
            TextState::Erased => self.erased += 1,
            TextState::Deleted => self.deleted += 1,
            TextState::Missing => self.missing += 1,
        }
    }
}

/// An event of the recomputed chain that concerns texts of loaded messages.
#[derive(Debug, Clone, PartialEq)]
struct Link {
    seq: u64,
    digest: Digest,
    what: What,
}

#[derive(Debug, Clone, PartialEq)]
enum What {
    Message(ClientId),
    Text(ClientId),
    /// Whether it deletes is known once its body has given the digest.
    Deletion(ClientId, Option<bool>),
    /// As is what it names, and what of that it took.
    Erase(Option<Vec<ClientId>>),
}

/// What a recomputed chain says of the messages that were loaded when the check began.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Links {
    of: HashSet<ClientId>,
    links: Vec<Link>,
    /// The seq of the newest header.
    to: u64,
    /// Bodies of events up to this seq were asked for.
    asked: u64,
    /// Seqs of events whose body does not give their digest.
    differ: Vec<u64>,
}

/// Whether the body of an event gives the digest of its header; `None` if that cannot be told.
pub(super) fn fits(event: &Event) -> Option<bool> {
    Some(digest(&event.stored_bytes()?) == event.header.digest)
}

/// The bytes that the text of a row would be stored as; `None` for a form that is not known here.
fn stored_bytes(row: &Row, text: &str, proof: &Proof) -> Option<String> {
    let draft = match proof.form {
        None => serde_json::to_string(&MessageDraft { text, quote: row.quote, said: row.said }),
        Some(ProofForm::Text) => serde_json::to_string(&ValueDraft { value: text }),
        Some(ProofForm::Other) => return None,
    };
    // A salt ends before the first brace: with one in it, these bytes would be another text to every other reader.
    if proof.salt.contains('{') {
        return None;
    }
    let added = row.added.as_ref().map(serde_json::to_string).transpose().ok()?;
    Some(Stored { salt: &proof.salt, draft: &draft.ok()?, added: added.as_deref() }.join())
}

impl Links {
    pub(super) fn of(rows: &[Arc<Row>]) -> Links {
        Links { of: rows.iter().map(|row| row.id).collect(), ..Links::default() }
    }

    /// Takes the next header of the chain.
    pub(super) fn take(&mut self, seq: u64, header: &Header) {
        self.to = seq;
        let slot = header.slot.as_ref().map(|slot| slot.as_str());
        let target = || header.target.as_ref()?.as_str().parse().ok();
        let (of, what) = match (&header.kind, slot) {
            (Kind::Message, _) => (Some(header.client_id), What::Message(header.client_id)),
            (Kind::Act, Some("text" | "deleted")) => {
                let Some(target) = target() else { return };
                let text = slot == Some("text");
                (Some(target), if text { What::Text(target) } else { What::Deletion(target, None) })
            }
            (Kind::Erase, _) => (None, What::Erase(None)),
            _ => return,
        };
        // What stands before the first message that is loaded cannot name one.
        if of.map_or(!self.links.is_empty(), |of| self.of.contains(&of)) {
            self.links.push(Link { seq, digest: header.digest, what });
        }
    }

    /// Events whose bodies are needed: `after < seq <= to`.
    pub(super) fn next_events(&mut self) -> Option<(u64, u64)> {
        let needs = |link: &&Link| {
            link.seq > self.asked && matches!(link.what, What::Deletion(_, None) | What::Erase(None))
        };
        let mut needed = self.links.iter().filter(needs).map(|link| link.seq);
        let first = needed.next()?;
        let last = needed.take_while(|seq| *seq < first + EVENTS_AT_ONCE).last().unwrap_or(first);
        self.asked = last;
        Some((first - 1, last))
    }

    /// Takes the body of an event, if it gives the digest that the chain has.
    pub(super) fn see(&mut self, event: &Event) {
        let Some(link) = self.links.iter_mut().find(|link| link.seq == event.seq) else { return };
        let Some(stored) = event.stored_bytes() else { return };
        if digest(&stored) != link.digest {
            self.differ.push(link.seq);
            return;
        }
        match (&mut link.what, &event.body) {
            // Every other body restores.
            (What::Deletion(_, on), _) => *on = Some(stored.get(SALT..) == Some(r#"{"value":true}"#)),
            // Bytes that are given beside a body say nothing of it.
            (What::Erase(took), Some(EventBody::Other(body))) if event.stored.is_none() => {
                let named = body.get("messages").and_then(|named| named.as_array());
                let is_named = |id: &&ClientId| {
                    let id = id.as_str();
                    named.is_some_and(|named| named.iter().any(|named| named.as_str() == Some(&id)))
                };
                *took = Some(event.erased.iter().filter(is_named).copied().collect());
            }
            _ => {}
        }
    }

    pub(super) fn state_of(&self, row: &Row) -> TextState {
        let took = |link: &Link| matches!(&link.what, What::Erase(Some(took)) if took.contains(&row.id));
        let Some(text) = &row.text else {
            let deletion = |link: &Link| match link.what {
                What::Deletion(of, on) if of == row.id => Some(on),
                _ => None,
            };
            return match self.links.iter().rev().find_map(deletion) {
                _ if self.links.iter().any(took) => TextState::Erased,
                Some(Some(true)) if row.deleted.is_some() => TextState::Deleted,
                // An act that was not read may say why, or what came since the check began.
                Some(None) => TextState::NotChecked,
                _ if self.of.contains(&row.id) && row.version <= self.to => TextState::Missing,
                _ => TextState::NotChecked,
            };
        };
        let Some(proof) = &row.proof else {
            return if row.added.is_none() { TextState::Older } else { TextState::NotChecked };
        };
        let Some(bytes) = stored_bytes(row, text, proof) else { return TextState::NotChecked };
        if !self.of.contains(&row.id) || proof.seq > self.to {
            return TextState::NotChecked;
        }
        let written = self.links.iter().find(|link| link.seq == proof.seq);
        let is_of = |link: &&Link| match (&link.what, proof.form) {
            (What::Message(of), None) | (What::Text(of), Some(ProofForm::Text)) => *of == row.id,
            _ => false,
        };
        if written.filter(is_of).is_none_or(|link| link.digest != digest(&bytes)) {
            return TextState::Differs(proof.seq);
        }
        let (mut replaced, mut deleted, mut unknown) = (None, None, false);
        for link in self.links.iter().filter(|link| link.seq > proof.seq) {
            match &link.what {
                What::Text(of) if *of == row.id => replaced = Some(link.seq),
                What::Deletion(of, on) if *of == row.id => match on {
                    Some(on) => deleted = on.then_some(link.seq),
                    None => unknown = true,
                },
                What::Erase(None) => unknown = true,
                What::Erase(_) if took(link) => replaced = Some(link.seq),
                _ => {}
            }
        }
        match replaced.or(deleted) {
            _ if unknown => TextState::NotChecked,
            Some(seq) => TextState::Differs(seq),
            None => TextState::Checked,
        }
    }
}

impl Session {
    /// What is loaded of a room: in its own lane, and in the thread beside it.
    pub(super) fn loaded(&self, room: RoomId) -> Vec<Arc<Row>> {
        let open = self.thread.as_ref().filter(|open| open.at.room == room);
        let thread = open.and_then(|open| open.timeline.as_ref());
        let lanes = self.timelines.get(&room).into_iter().chain(thread);
        let mut rows: Vec<_> = lanes.flat_map(|timeline| timeline.rows()).cloned().collect();
        rows.extend(open.and_then(|open| open.root()).cloned());
        let mut seen = HashSet::new();
        rows.retain(|row| seen.insert(row.id));
        rows
    }

    /// What a finished check says of the texts that are loaded now.
    pub(super) fn count_texts(&mut self, room: RoomId, links: &Links) -> Texts {
        let mut texts = Texts::default();
        links.differ.iter().for_each(|seq| self.differs(room, *seq));
        for row in self.loaded(room) {
            let state = links.state_of(&row);
            texts.count(state);
            if let TextState::Differs(seq) = state {
                self.differs(room, seq);
            }
        }
        texts
    }

    /// The log does not have what came for this event.
    pub(super) fn differs(&mut self, room: RoomId, seq: u64) {
        if !self.differing.contains(&(room, seq)) {
            self.differing.push((room, seq));
        }
    }
}
