//! What a person is doing with messages: which one has the actions, what is open, what is edited or answered.

use crate::client::engine::Intents;
use crate::client::{Input, Lane, Session};
use crate::protocol::{AccountId, ActDraft, ActValue, ClientId, RoomAct, RoomId, Row, Slot};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a row is on the page: its lane, 0 for that of the room, and its ordinal there, 0 for the root of a thread.
pub type Spot = (u64, u64);

/// What the page tells: pointers, keys and fingers on messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gesture {
    /// This row is under the pointer or has the focus; none is.
    Active(Option<Spot>),
    /// A menu is wanted: right button, long press, or its key.
    Menu(Spot),
    Pick(Spot),
    Reply(Spot),
    /// Its thread is wanted.
    Thread(Spot),
    Edit(Spot),
    Delete(Spot),
    /// The newest own message of a lane is to be edited.
    EditLast(u64),
    /// Whatever is open is to close.
    Close,
    /// A dialog is wanted, or was closed.
    Dialog(Option<Dialog>),
    /// The looked-at room is to be read, or all are.
    Read,
    ReadAll,
}

/// What stands over the whole page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialog {
    /// The way to rooms, people and commands.
    Switcher,
    /// What the keys do.
    Keys,
}

/// What is open over the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    Menu(Spot),
    /// Somebody else's message: one is asked before it goes.
    Confirm(Spot),
    Picker(Spot),
    /// Whether one was notified of it.
    Why(Spot),
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Acting {
    pub active: Option<Spot>,
    pub open: Option<Open>,
    pub dialog: Option<Dialog>,
    /// A message, the lane in which its box stands, and the text that it begins with.
    pub editing: Option<(ClientId, u64, String)>,
    /// The message whose earlier texts are shown.
    pub history: Option<ClientId>,
    /// The message that the composer of its lane answers.
    pub reply: Option<(Lane, ClientId)>,
    /// The thread that is to be opened.
    pub thread: Option<Lane>,
}

/// Where a row is in the list of a lane: a row of the room in that of a thread is the thread's root.
pub fn spot_of(row: &Row, at: Lane) -> Spot {
    (at.lane, if row.lane == at.lane { row.ordinal } else { 0 })
}

/// An act of this person on a message.
pub fn act(room: RoomId, target: ClientId, slot: Slot, value: ActValue) -> Input {
    Input::Act(ActDraft {
        id: ClientId::random(),
        room,
        target,
        slot: slot.to_string(),
        value,
        named: Default::default(),
    })
}

/// An edit: the new text, and the accounts of handles that were completed in it.
pub fn write(room: RoomId, target: ClientId, text: String, named: BTreeMap<String, AccountId>) -> Input {
    let (id, slot) = (ClientId::random(), Slot::Text.to_string());
    Input::Act(ActDraft { id, room, target, slot, value: ActValue::Text(text), named })
}

/// Puts the own reaction on a message, or takes it off.
pub fn react(session: &Session, lane: Lane, row: &Row, emoji: &str) -> Input {
    let me = session.me.id;
    // As it is now: the row that was drawn may be a click behind.
    let now = session.shown(lane, row.id);
    let reactions = now.as_ref().map_or(&row.reactions, |now| &now.reactions);
    let on = !reactions.get(emoji).is_some_and(|who| who.contains(&me));
    act(lane.room, row.id, Slot::React { emoji: emoji.to_owned(), account: me }, ActValue::On(on))
}

impl Acting {
    /// Takes a gesture; what it asks for that is not open to this person does nothing.
    pub fn take(&mut self, gesture: Gesture, session: &Session, intents: &Intents) {
        match gesture {
            Gesture::Dialog(dialog) => self.dialog = dialog,
            Gesture::ReadAll => intents.send(Input::MarkAllRead),
            _ => {}
        }
        let Some(room) = session.looking_at else { return };
        let needs = match gesture {
            Gesture::Pick(_) => Some(RoomAct::React),
            Gesture::Reply(_) => Some(RoomAct::Reply),
            Gesture::Edit(_) | Gesture::EditLast(_) => Some(RoomAct::Edit),
            _ => None,
        };
        if needs.is_some_and(|act| !session.may(room, act)) {
            return;
        }
        let at = |lane| Lane { room, lane };
        let row = |(lane, ordinal)| session.shown_at(at(lane), ordinal);
        let standing = |spot| row(spot).filter(|row: &Arc<Row>| row.text.is_some());
        match gesture {
            Gesture::Active(active) => self.active = active,
            Gesture::Menu(spot) => self.open = standing(spot).map(|_| Open::Menu(spot)),
            Gesture::Pick(spot) => self.open = standing(spot).map(|_| Open::Picker(spot)),
            Gesture::Reply(spot) => {
                if let Some(row) = standing(spot) {
                    self.reply(at(spot.0), row.id);
                }
            }
            Gesture::Thread(spot) => {
                // A thread that nobody can begin any more is not opened.
                let can_begin = session.may(room, RoomAct::Reply);
                let opens = |row: &Arc<Row>| {
                    spot.0 == 0 && (can_begin || row.answers.is_some() || row.also.is_some())
                };
                if let Some(row) = row(spot).filter(opens) {
                    self.open_thread(room, &row);
                }
            }
            Gesture::Edit(spot) => {
                if let Some(row) = standing(spot) {
                    self.edit(&row, spot.0, session);
                }
            }
            Gesture::EditLast(lane) => {
                let own = |row: &&Arc<Row>| row.author == session.me.id && row.text.is_some();
                let timeline = session.timeline(at(lane));
                if let Some((timeline, row)) = timeline.and_then(|t| Some((t, t.rows().rev().find(own)?))) {
                    self.edit(&timeline.shown(row), lane, session);
                }
            }
            Gesture::Delete(spot) => {
                if let Some(row) = standing(spot) {
                    self.delete(&row, at(spot.0), session, intents);
                }
            }
            Gesture::Read => intents.send(Input::MarkRead(room)),
            Gesture::Dialog(_) | Gesture::ReadAll => {}
            Gesture::Close => {
                // One at a time, the uppermost first.
                if self.open.take().is_none() && self.editing.take().is_none() {
                    self.reply = None;
                }
            }
        }
    }

    pub fn reply(&mut self, at: Lane, row: ClientId) {
        (self.open, self.editing, self.reply) = (None, None, Some((at, row)));
        super::dom::composer_focus(at.lane);
    }

    /// The thread under a message of the room, or the one that it answers in.
    pub fn open_thread(&mut self, room: RoomId, row: &Row) {
        let lane = row.also.map_or(row.seq, |also| also.lane);
        (self.open, self.thread) = (None, Some(Lane { room, lane }));
    }

    pub fn edit(&mut self, row: &Row, lane: u64, session: &Session) {
        if row.author == session.me.id
            && let Some(text) = &row.text
        {
            (self.open, self.editing) = (None, Some((row.id, lane, text.clone())));
        }
    }

    /// An own message goes at once and can be brought back; the owner is asked before another's goes.
    pub fn delete(&mut self, row: &Row, at: Lane, session: &Session, intents: &Intents) {
        let own = row.author == session.me.id;
        if !session.may(at.room, if own { RoomAct::Delete } else { RoomAct::DeleteOthers }) {
            return;
        }
        let asked = Open::Confirm(spot_of(row, at));
        if !own && self.open != Some(asked) {
            self.open = Some(asked);
            return;
        }
        self.open = None;
        intents.send(act(at.room, row.id, Slot::Deleted, ActValue::On(true)));
    }
}
