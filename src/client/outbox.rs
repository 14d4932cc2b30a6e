//! What was written here and has no outcome yet, and for an hour what has one. Pure; the session drives it.
//!
//! Within a lane of a room drafts go out one by one, in the order of writing. Which tab of a browser sends does not matter for
//! what is stored: a draft keeps its id, and the log takes an id once.

use crate::protocol::frame::{ActDraft, Answer, Draft};
use crate::protocol::{AccountId, ActValue, ClientId, RoomId, Slot};
use crate::timeline::EchoState;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

/// A draft that waited longer is sent only after its author was asked, in milliseconds.
pub const ASK_AFTER_MS: i64 = 10 * 60 * 1000;
/// An acknowledged draft is kept so long, in milliseconds: a log that lost it may show up.
pub const KEEP_STORED_MS: i64 = 60 * 60 * 1000;

/// Acknowledged drafts whose outcome is looked up at once.
const LOOKED_UP_AT_ONCE: usize = 20;

/// What is proposed: a message, or an act on one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, try_from = "ReadProposed")]
pub enum Proposed {
    Message(Draft),
    Act(ActDraft),
}

/// A [`Proposed`] as it is read, with the fields of both kinds: serde would read it into a buffer first, which takes
/// decoders of its own.
#[derive(Deserialize)]
struct ReadProposed {
    id: ClientId,
    room: RoomId,
    thread: Option<Answer>,
    quote: Option<ClientId>,
    text: Option<String>,
    target: Option<ClientId>,
    slot: Option<String>,
    value: Option<serde_json::Value>,
    #[serde(default)]
    named: BTreeMap<String, AccountId>,
}

impl TryFrom<ReadProposed> for Proposed {
    type Error = &'static str;

    fn try_from(read: ReadProposed) -> Result<Proposed, &'static str> {
        let ReadProposed { id, room, thread, quote, text, target, slot, value, named } = read;
        let value = value.as_ref().and_then(ActValue::of);
        match (text, target, slot, value) {
            (Some(text), ..) => Ok(Proposed::Message(Draft { id, room, thread, quote, text, named })),
            (None, Some(target), Some(slot), Some(value)) => {
                Ok(Proposed::Act(ActDraft { id, room, target, slot, value, named }))
            }
            _ => Err("this is neither a message nor an act"),
        }
    }
}

impl Proposed {
    pub fn id(&self) -> ClientId {
        match self {
            Proposed::Message(draft) => draft.id,
            Proposed::Act(act) => act.id,
        }
    }

    pub fn room(&self) -> RoomId {
        match self {
            Proposed::Message(draft) => draft.room,
            Proposed::Act(act) => act.room,
        }
    }

    /// Whether it takes a deletion back.
    pub fn restores(&self) -> bool {
        let Proposed::Act(act) = self else { return false };
        act.slot == Slot::Deleted.to_string() && act.value != ActValue::On(true)
    }

    /// The text that would be lost with it.
    pub fn text(&self) -> Option<&str> {
        match self {
            Proposed::Message(draft) => Some(&draft.text),
            Proposed::Act(act) => match &act.value {
                ActValue::Text(text) => Some(text),
                _ => None,
            },
        }
    }
}

/// A draft as it is kept over reloads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub draft: Proposed,
    /// When it was written, by this device's clock.
    pub at: i64,
    /// It was sent at least once: it may be stored, and only an entry can take it back.
    #[serde(default)]
    pub tried: bool,
    #[serde(default)]
    pub state: KeptState,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case", try_from = "ReadState")]
pub enum KeptState {
    #[default]
    Waiting,
    /// It waited too long: its outcome is looked up.
    Asking,
    /// It is not stored: its author is asked.
    Question,
    /// It was acknowledged, and the log no longer has it: its author is asked.
    Lost,
    /// Not carried out, and why; a retry without a change is of no use.
    NotSent { why: String },
    /// To be taken back by the entry `void`; then it goes into the composer, or away.
    TakingBack { void: ClientId, edit: bool },
    /// Acknowledged; when, by this device's clock.
    Stored { seq: u64, at: i64 },
}

/// A [`KeptState`] as it is read: the fields of all kinds, since serde's decoder of an enum with a tag is several times as
/// large.
#[derive(Deserialize)]
struct ReadState {
    is: String,
    why: Option<String>,
    void: Option<ClientId>,
    edit: Option<bool>,
    seq: Option<u64>,
    at: Option<i64>,
}

impl TryFrom<ReadState> for KeptState {
    type Error = &'static str;

    fn try_from(ReadState { is, why, void, edit, seq, at }: ReadState) -> Result<KeptState, &'static str> {
        let state = match is.as_str() {
            "waiting" => Some(KeptState::Waiting),
            "asking" => Some(KeptState::Asking),
            "question" => Some(KeptState::Question),
            "lost" => Some(KeptState::Lost),
            "not_sent" => why.map(|why| KeptState::NotSent { why }),
            "taking_back" => void.zip(edit).map(|(void, edit)| KeptState::TakingBack { void, edit }),
            "stored" => seq.zip(at).map(|(seq, at)| KeptState::Stored { seq, at }),
            _ => None,
        };
        state.ok_or("this is no state of a draft")
    }
}

impl Kept {
    pub fn new(draft: Proposed, at: i64) -> Kept {
        Kept { draft, at, tried: false, state: KeptState::Waiting }
    }

    pub fn id(&self) -> ClientId {
        self.draft.id()
    }

    pub fn room(&self) -> RoomId {
        self.draft.room()
    }

    /// The message that it is, or changes.
    pub fn message(&self) -> ClientId {
        match &self.draft {
            Proposed::Message(draft) => draft.id,
            Proposed::Act(act) => act.target,
        }
    }

    pub fn is_stored(&self) -> bool {
        matches!(self.state, KeptState::Stored { .. })
    }

    /// How it is shown; `None` once it is acknowledged.
    pub fn shown(&self, sending: bool) -> Option<EchoState> {
        Some(match &self.state {
            KeptState::Waiting if sending => EchoState::Sending,
            KeptState::Waiting | KeptState::Asking => EchoState::Waiting,
            KeptState::Question => EchoState::Question,
            KeptState::Lost => EchoState::Lost,
            KeptState::NotSent { why } => EchoState::Failed { why: why.clone() },
            KeptState::TakingBack { .. } => EchoState::TakingBack,
            KeptState::Stored { .. } => return None,
        })
    }
}

/// What goes out next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Out {
    Propose(Proposed),
    /// What became of it?
    Outcome(ClientId),
    Void {
        void: ClientId,
        target: ClientId,
    },
}

/// Who waits for whom: messages of a lane keep their order, and so do the values of one slot. Acts on other messages
/// are no part of either: nobody's reaction waits for a message that was not sent.
fn line(draft: &Proposed) -> (RoomId, Option<(ClientId, String)>) {
    match draft {
        Proposed::Message(draft) => (draft.room, draft.thread.map(|answer| (answer.to, String::new()))),
        Proposed::Act(act) => (act.room, Some((act.target, act.slot.clone()))),
    }
}

#[derive(Debug, Clone, Default)]
pub struct Outbox {
    entries: Vec<Kept>,
    /// Drafts whose frame is under way on this connection.
    under_way: HashSet<ClientId>,
    /// Old drafts whose author said: send it.
    confirmed: HashSet<ClientId>,
    /// Acknowledged drafts that the log may have lost: their outcome is looked up until there is one.
    doubted: HashSet<ClientId>,
}

impl Outbox {
    pub fn get(&self, id: ClientId) -> Option<&Kept> {
        self.entries.iter().find(|kept| kept.id() == id)
    }

    pub fn in_room(&self, room: RoomId) -> impl Iterator<Item = &Kept> {
        self.entries.iter().filter(move |kept| kept.room() == room)
    }

    /// Drafts that have no outcome.
    pub fn waiting(&self) -> usize {
        self.entries.iter().filter(|kept| !kept.is_stored()).count()
    }

    pub fn is_under_way(&self, id: ClientId) -> bool {
        self.under_way.contains(&id)
    }

    /// Adds a draft, or takes what another tab knows of it. The order is that of writing.
    pub fn put(&mut self, kept: Kept) {
        if let Some(mine) = self.entries.iter_mut().find(|mine| mine.id() == kept.id()) {
            *mine = kept;
            return;
        }
        let key = (kept.at, kept.id());
        let at = self.entries.iter().rposition(|other| (other.at, other.id()) <= key).map_or(0, |at| at + 1);
        self.entries.insert(at, kept);
    }

    pub fn remove(&mut self, id: ClientId) -> Option<Kept> {
        self.under_way.remove(&id);
        self.confirmed.remove(&id);
        self.doubted.remove(&id);
        let at = self.entries.iter().position(|kept| kept.id() == id)?;
        Some(self.entries.remove(at))
    }

    /// Changes a draft; gives it as it is to be kept.
    pub fn set(&mut self, id: ClientId, state: KeptState) -> Option<Kept> {
        let kept = self.entries.iter_mut().find(|kept| kept.id() == id)?;
        kept.state = state;
        Some(kept.clone())
    }

    /// The draft that an entry would take back.
    pub fn taken_back_by(&self, void: ClientId) -> Option<&Kept> {
        let by =
            |kept: &&Kept| matches!(kept.state, KeptState::TakingBack { void: mine, .. } if mine == void);
        self.entries.iter().find(by)
    }

    /// Its author wants it sent although it is old.
    pub fn confirm(&mut self, id: ClientId) -> Option<Kept> {
        self.confirmed.insert(id);
        self.set(id, KeptState::Waiting)
    }

    /// The answer to a frame about this draft has come.
    pub fn answered(&mut self, id: ClientId) {
        self.under_way.remove(&id);
    }

    /// Its outcome is known, or that there is none.
    pub fn settled(&mut self, id: ClientId) {
        self.doubted.remove(&id);
    }

    /// A connection begins: a log that was rewritten meanwhile lacks the newest acknowledged draft, if any.
    pub fn doubt_newest(&mut self) {
        let at = |kept: &Kept| match kept.state {
            KeptState::Stored { at, .. } => Some((at, kept.id())),
            _ => None,
        };
        self.doubted.extend(self.entries.iter().filter_map(at).max().map(|(_, id)| id));
    }

    /// The log was rewritten: any acknowledged draft may be gone.
    pub fn doubt_all(&mut self) {
        self.doubted.extend(self.entries.iter().filter(|kept| kept.is_stored()).map(Kept::id));
    }

    /// The connection ended: what was under way may be stored or not, and is sent again under the same id.
    pub fn cut(&mut self) -> Vec<ClientId> {
        self.under_way.drain().collect()
    }

    /// An act of this slot of this message that was never sent, or in vain: a later one takes its place.
    pub fn unsent_act(&self, target: ClientId, slot: &str) -> Option<ClientId> {
        let unsent = |kept: &&Kept| {
            let unsent = match kept.state {
                KeptState::Waiting => !kept.tried,
                KeptState::NotSent { .. } => true,
                _ => false,
            };
            unsent && matches!(&kept.draft, Proposed::Act(act) if act.target == target && act.slot == slot)
        };
        self.entries.iter().find(unsent).map(Kept::id)
    }

    /// What goes out now: for each lane the first message without an outcome, for each slot of a message the first such
    /// act, unless its frame is under way or it waits for its author; and what is to be looked up. Also gives the drafts
    /// that changed by it and are to be kept.
    pub fn next(&mut self, now: i64) -> (Vec<Out>, Vec<Kept>) {
        let (mut out, mut changed) = (Vec::new(), Vec::new());
        let mut lines = HashSet::new();
        let looked_up = self.doubted.intersection(&self.under_way).count();
        let doubted =
            self.entries.iter().filter(|kept| kept.is_stored() && self.doubted.contains(&kept.id()));
        let doubted = doubted.map(Kept::id).filter(|id| !self.under_way.contains(id));
        let doubted: Vec<_> = doubted.take(LOOKED_UP_AT_ONCE.saturating_sub(looked_up)).collect();
        self.under_way.extend(&doubted);
        out.extend(doubted.into_iter().map(Out::Outcome));
        for kept in &mut self.entries {
            let id = kept.id();
            // What the log has lost had its turn: nothing waits behind it while its author decides.
            let waits = !kept.is_stored() && kept.state != KeptState::Lost;
            if !waits || !lines.insert(line(&kept.draft)) || self.under_way.contains(&id) {
                continue;
            }
            let message = matches!(kept.draft, Proposed::Message(_));
            let old = message && now.saturating_sub(kept.at) > ASK_AFTER_MS && !self.confirmed.contains(&id);
            let next = match &kept.state {
                KeptState::Waiting if old => {
                    kept.state = KeptState::Asking;
                    changed.push(kept.clone());
                    Out::Outcome(id)
                }
                KeptState::Waiting => {
                    if !kept.tried {
                        kept.tried = true;
                        changed.push(kept.clone());
                    }
                    Out::Propose(kept.draft.clone())
                }
                KeptState::Asking => Out::Outcome(id),
                KeptState::TakingBack { void, .. } => Out::Void { void: *void, target: id },
                _ => continue,
            };
            self.under_way.insert(id);
            out.push(next);
        }
        (out, changed)
    }

    /// Drops acknowledged drafts that were kept long enough.
    pub fn purge(&mut self, now: i64) -> Vec<ClientId> {
        let old = |kept: &Kept| matches!(kept.state, KeptState::Stored { at, .. } if now.saturating_sub(at) > KEEP_STORED_MS);
        let ids: Vec<_> = self.entries.iter().filter(|kept| old(kept)).map(Kept::id).collect();
        self.entries.retain(|kept| !old(kept));
        for id in &ids {
            self.doubted.remove(id);
            self.under_way.remove(id);
        }
        ids
    }
}
