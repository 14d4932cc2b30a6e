//! What a person is doing with messages: which one has the actions, what is open, what is edited or answered.

use crate::client::engine::Intents;
use crate::client::{Input, Session};
use crate::protocol::{ActDraft, ActValue, ClientId, RoomId, Row, Slot};
use std::collections::HashMap;
use std::sync::Arc;

/// What the page tells: pointers, keys and fingers on messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gesture {
    /// This row is under the pointer or has the focus; none is.
    Active(Option<u64>),
    /// A menu is wanted: right button, long press, or its key.
    Menu(u64),
    Pick(u64),
    Reply(u64),
    Edit(u64),
    Delete(u64),
    /// The newest own message is to be edited.
    EditLast,
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
    Menu(u64),
    /// Somebody else's message: one is asked before it goes.
    Confirm(u64),
    Picker(u64),
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Acting {
    pub active: Option<u64>,
    pub open: Option<Open>,
    pub dialog: Option<Dialog>,
    /// A message and the text that its box begins with.
    pub editing: Option<(ClientId, String)>,
    /// The message whose earlier texts are shown.
    pub history: Option<ClientId>,
    /// The message that the composer of its room answers.
    pub reply: Option<(RoomId, ClientId)>,
    /// Own messages that were deleted on this page, with their texts: they can be brought back.
    pub deleted: HashMap<ClientId, String>,
}

/// An act of this person on a message.
pub fn act(room: RoomId, target: ClientId, slot: Slot, value: ActValue) -> Input {
    Input::Act(ActDraft { id: ClientId::random(), room, target, slot: slot.to_string(), value })
}

/// Puts the own reaction on a message, or takes it off.
pub fn react(session: &Session, room: RoomId, row: &Row, emoji: &str) -> Input {
    let me = session.me.id;
    // As it is now: the row that was drawn may be a click behind.
    let timeline = session.timelines.get(&room);
    let now = timeline.and_then(|timeline| Some(timeline.shown(timeline.row(row.id)?)));
    let reactions = now.as_ref().map_or(&row.reactions, |now| &now.reactions);
    let on = !reactions.get(emoji).is_some_and(|who| who.contains(&me));
    act(room, row.id, Slot::React { emoji: emoji.to_owned(), account: me }, ActValue::On(on))
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
        if session.is_archived(room)
            && !matches!(gesture, Gesture::Active(_) | Gesture::Menu(_) | Gesture::Close)
        {
            return;
        }
        let row = |ordinal| Some(session.current()?.shown(session.current()?.row_at(ordinal)?));
        let standing = |ordinal| row(ordinal).filter(|row: &Arc<Row>| row.text.is_some());
        match gesture {
            Gesture::Active(active) => self.active = active,
            Gesture::Menu(ordinal) => self.open = standing(ordinal).map(|_| Open::Menu(ordinal)),
            Gesture::Pick(ordinal) => self.open = standing(ordinal).map(|_| Open::Picker(ordinal)),
            Gesture::Reply(ordinal) => {
                if let Some(row) = standing(ordinal) {
                    self.reply(room, row.id);
                }
            }
            Gesture::Edit(ordinal) => {
                if let Some(row) = standing(ordinal) {
                    self.edit(&row, session);
                }
            }
            Gesture::EditLast => {
                let own = |row: &&Arc<Row>| row.author == session.me.id && row.text.is_some();
                if let Some(row) = session.current().and_then(|timeline| timeline.rows().rev().find(own)) {
                    let row = session.current().map(|timeline| timeline.shown(row));
                    row.into_iter().for_each(|row| self.edit(&row, session));
                }
            }
            Gesture::Delete(ordinal) => {
                if let Some(row) = standing(ordinal) {
                    self.delete(&row, room, session, intents);
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

    pub fn reply(&mut self, room: RoomId, row: ClientId) {
        (self.open, self.editing, self.reply) = (None, None, Some((room, row)));
        super::dom::composer_focus();
    }

    pub fn edit(&mut self, row: &Row, session: &Session) {
        if row.author == session.me.id
            && let Some(text) = &row.text
        {
            (self.open, self.editing) = (None, Some((row.id, text.clone())));
        }
    }

    /// An own message goes at once and can be brought back; the owner is asked before another's goes.
    pub fn delete(&mut self, row: &Row, room: RoomId, session: &Session, intents: &Intents) {
        let own = row.author == session.me.id;
        if !own && session.me.role != crate::protocol::frame::Role::Owner {
            return;
        }
        if !own && self.open != Some(Open::Confirm(row.ordinal)) {
            self.open = Some(Open::Confirm(row.ordinal));
            return;
        }
        self.open = None;
        if let Some(text) = row.text.clone().filter(|_| own) {
            self.deleted.insert(row.id, text);
        }
        intents.send(act(room, row.id, Slot::Deleted, ActValue::On(true)));
    }
}
