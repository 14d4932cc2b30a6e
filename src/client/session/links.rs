//! What a recomputed chain says of the texts that are loaded: the bytes that each would be stored as, against the digest
//! in its header, and the later events that delete, restore, replace or erase it.

use super::texts::TextState;
use crate::protocol::stored::{MessageDraft, Stored, ValueDraft, deletes, digest};
use crate::protocol::{AccountId, ClientId, Digest, Event, EventBody, Header, Kind, Proof, ProofForm, Row};
use std::collections::HashSet;
use std::sync::Arc;

/// Events that are asked for at once to see what they deleted, restored or erased.
const EVENTS_AT_ONCE: u64 = 100;

/// An event of the recomputed chain that concerns texts of loaded messages.
#[derive(Debug, Clone, PartialEq)]
struct Link {
    seq: u64,
    digest: Digest,
    what: What,
}

#[derive(Debug, Clone, PartialEq)]
enum What {
    Message {
        id: ClientId,
        author: AccountId,
        imported: bool,
    },
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
    operator: Option<AccountId>,
    links: Vec<Link>,
    /// The seq of the newest header.
    to: u64,
    /// Bodies of events up to this seq were asked for.
    asked: u64,
    /// Seqs of events whose body does not give their digest.
    differ: Vec<u64>,
    /// The first event that is known to be of format 5: what comes after it is too.
    five: Option<u64>,
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
    /// `of_five` is the seq from which on events are known to be of format 5.
    pub(super) fn of(rows: &[Arc<Row>], operator: AccountId, of_five: Option<u64>) -> Links {
        let of = rows.iter().map(|row| row.id).collect();
        Links { of, operator: Some(operator), five: of_five, ..Links::default() }
    }

    /// Takes the next header of the chain.
    pub(super) fn take(&mut self, seq: u64, header: &Header) {
        self.to = seq;
        let by_operator = self.operator == Some(header.author);
        let written_for = header.written_for().filter(|_| by_operator);
        if written_for.is_some() || by_operator && header.kind == Kind::Erase {
            self.see_five(seq);
        }
        let slot = header.slot.as_ref().map(|slot| slot.as_str());
        let target = || header.target.as_ref()?.as_str().parse().ok();
        let (of, what) = match (&header.kind, slot) {
            (Kind::Message, _) => {
                let (id, author) = (header.client_id, written_for.unwrap_or(header.author));
                (Some(id), What::Message { id, author, imported: written_for.is_some() })
            }
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

    fn see_five(&mut self, seq: u64) {
        self.five = Some(self.five.map_or(seq, |five| five.min(seq)));
    }

    fn is_before_five(&self, seq: u64) -> bool {
        self.five.is_none_or(|five| seq < five)
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
            (What::Deletion(_, on), _) => *on = Some(deletes(&stored)),
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
        // No event of an earlier format comes with what its bytes are.
        let seq = link.seq;
        self.see_five(seq);
    }

    /// Seqs of events whose body does not give their digest.
    pub(super) fn differing(&self) -> &[u64] {
        &self.differ
    }

    /// Takes what the loaded texts show of the format of the log.
    pub(super) fn see_texts(&mut self, rows: &[Arc<Row>]) {
        for row in rows {
            if let (Some(text), Some(proof)) = (&row.text, &row.proof)
                && self.proves(row, text, proof) == Some(true)
            {
                self.see_five(proof.seq);
            }
        }
    }

    /// Whether a proof is that of the text: its header is of this message and has the digest of these bytes. `None` if the
    /// bytes are not known.
    fn proves(&self, row: &Row, text: &str, proof: &Proof) -> Option<bool> {
        let bytes = stored_bytes(row, text, proof)?;
        let is_of = |link: &Link| match (&link.what, proof.form) {
            (What::Message { id, .. }, None) | (What::Text(id), Some(ProofForm::Text)) => *id == row.id,
            _ => false,
        };
        let said = row
            .added
            .as_ref()
            .is_none_or(|added| proof.form.is_none() || (added.quote, added.said) == (row.quote, row.said));
        let link = self.links.iter().find(|link| link.seq == proof.seq && is_of(link));
        Some(said && link.is_some_and(|link| link.digest == digest(&bytes)))
    }

    pub(super) fn state_of(&self, row: &Row) -> TextState {
        let Some(text) = &row.text else { return self.absent(row) };
        if !self.of.contains(&row.id) || row.seq > self.to {
            return TextState::NotChecked;
        }
        let own = self.links.iter().find(|link| link.seq == row.seq).map(|link| &link.what);
        if !matches!(own, Some(What::Message { id, author, imported })
            if (*id, *author, *imported) == (row.id, row.author, row.imported))
        {
            return TextState::Differs(row.seq);
        }
        let Some(proof) = &row.proof else { return self.without_proof(row) };
        if proof.seq > self.to {
            return TextState::NotChecked;
        }
        match self.proves(row, text, proof) {
            None => TextState::NotChecked,
            Some(false) => TextState::Differs(proof.seq),
            Some(true) => self.stands(row, proof.seq),
        }
    }

    fn without_proof(&self, row: &Row) -> TextState {
        let edit = self.links.iter().rfind(|link| link.what == What::Text(row.id));
        let written = edit.map_or(row.seq, |edit| edit.seq);
        if row.added.is_some() || row.version > self.to {
            TextState::NotChecked
        } else if self.is_before_five(written) {
            TextState::Older
        } else {
            TextState::Unproven
        }
    }

    /// Of a text whose bytes are those of this event: whether no later one says otherwise.
    fn stands(&self, row: &Row, written: u64) -> TextState {
        let (mut replaced, mut deleted, mut unknown) = (None, None, false);
        for link in self.links.iter().filter(|link| link.seq > written) {
            match &link.what {
                What::Text(of) if *of == row.id => replaced = Some(link.seq),
                What::Deletion(of, on) if *of == row.id => match on {
                    Some(on) => deleted = on.then_some(link.seq),
                    None => unknown = true,
                },
                What::Erase(None) => unknown = true,
                What::Erase(Some(took)) if took.contains(&row.id) => replaced = Some(link.seq),
                _ => {}
            }
        }
        match replaced.or(deleted) {
            _ if unknown => TextState::NotChecked,
            Some(seq) => TextState::Differs(seq),
            None => TextState::Checked,
        }
    }

    /// Why a text is not here.
    fn absent(&self, row: &Row) -> TextState {
        let (mut deleted, mut erased) = (false, false);
        let (mut deletion_unknown, mut erase_unknown) = (false, false);
        for link in &self.links {
            match &link.what {
                What::Deletion(of, on) if *of == row.id => {
                    deletion_unknown = on.is_none();
                    deleted = *on != Some(false);
                }
                // Only what is deleted can be erased.
                What::Erase(Some(took)) if took.contains(&row.id) => erased |= deleted,
                What::Erase(None) => erase_unknown = true,
                _ => {}
            }
        }
        let unknown = deletion_unknown || erase_unknown;
        match self.of.contains(&row.id) {
            _ if erased => TextState::Erased,
            // What came since the check began may say why.
            true if row.version > self.to || unknown => TextState::NotChecked,
            true if deleted && row.deleted.is_some() => TextState::Deleted,
            true => TextState::Missing,
            false => TextState::NotChecked,
        }
    }
}
