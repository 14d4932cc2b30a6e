//! What happens to a session, and what it asks its driver to do.

use crate::client::Lane;
use crate::client::outbox::Kept;
use crate::protocol::frame::{ActDraft, Draft};
use crate::protocol::{ClientFrame, ClientId, RoomId, ServerFrame, Wanted};
use std::collections::HashMap;

/// What a request outside the socket found, after the socket could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// The server answers and knows the login: something on the way lets no socket through.
    SignedIn,
    SignedOut,
    Unreachable,
}

/// Whether this browser may notify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// It was not asked yet.
    Ask,
    Granted,
    Denied,
    /// It cannot, or it is not known yet.
    Unsupported,
}

/// A notification of one message, or of several whose last one it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub at: Lane,
    pub ordinal: u64,
    pub title: String,
    pub body: String,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// A connection is being made.
    Connecting,
    /// The socket is open.
    Opened,
    Frame(ServerFrame),
    /// The socket is closed, or could not be opened.
    Closed(Option<u16>),
    Probed(Probe),
    /// The person signed in again in place.
    SignedIn,
    /// Some seconds have passed.
    Tick,
    /// The machine woke, the network came back, or the page is seen again.
    Wake,
    /// Whether somebody is looking: the page is visible and has the focus.
    Attending(bool),
    /// A room is looked at: its newest rows, or one of them.
    Look {
        room: RoomId,
        at: Option<u64>,
    },
    /// A thread of the looked-at room stands beside it, at one of its answers; none does.
    LookAtThread(Option<(u64, Option<u64>)>),
    /// Nothing is looked at.
    LookAway,
    /// The list of what names me is looked at.
    LookAtMentions,
    /// What stands below the loaded part of that list.
    OlderMentions,
    /// Written and sent by the person.
    Write(Draft),
    /// Done to a message by the person.
    Act(ActDraft),
    /// Text that stands in the composer of a lane and was not sent.
    Typed(Lane, String),
    /// What earlier pages and other tabs left in the outbox.
    Restore(Vec<Kept>),
    /// Drafts of the composers.
    Drafts(HashMap<Lane, String>),
    /// Another tab added a draft to the outbox, or changed it.
    Shared(Kept),
    /// Another tab took a draft out of the outbox.
    Gone(ClientId),
    /// This tab sends for its browser, or no longer does.
    Sender(bool),
    /// A draft could not be kept over reloads.
    NotKept,
    /// A draft without an outcome goes back into the composer; `void` is the id of the entry that takes it back.
    Edit {
        id: ClientId,
        void: ClientId,
    },
    /// The same, and away.
    Discard {
        id: ClientId,
        void: ClientId,
    },
    /// An old or lost draft is to be sent all the same.
    SendNow(ClientId),
    /// In a lane of the looked-at room, 0 or that of the thread beside it: what stands above.
    Older(u64),
    Newer(u64),
    /// Back to the newest rows of a lane.
    Newest(u64),
    /// To one row of a lane.
    GoTo(u64, u64),
    /// Whether the newest row of a lane is in view.
    Pinned(u64, bool),
    /// This ordinal of a lane was seen.
    Seen(u64, u64),
    /// To follow the thread that stands beside the room, or not.
    Follow(bool),
    /// The threads of the looked-at room that one follows.
    Threads,
    /// The line above what is new is on the screen, or stands above it.
    NewLine {
        above: bool,
    },
    /// What one wants to hear of a room.
    Want(RoomId, Wanted),
    /// Where this device is now, in minutes east of UTC.
    Zone(i32),
    /// Whether this browser may notify.
    Permission(Permission),
    /// Nobody wants to be asked again whether this browser may notify.
    NeverAsk,
    /// A notification was clicked.
    Open {
        at: Lane,
        ordinal: u64,
    },
    /// What stands from this ordinal of a lane on is to be unread.
    MarkUnread(u64, u64),
    /// All that is known of a room is to be read.
    MarkRead(RoomId),
    MarkAllRead,
    /// Takes the last of these marks back.
    UndoMark,
    /// The last mark stands.
    DropUndo,
    /// The list of this room's people is open; none is.
    ListPeople(Option<RoomId>),
    /// What one says of oneself, for so long.
    Say {
        text: String,
        do_not_disturb: bool,
        for_ms: Option<u64>,
    },
    /// Recompute every link of the looked-at room.
    Check,
    /// The texts that a message of the looked-at room had.
    History(ClientId),
    /// The pinned messages of the looked-at room.
    Pins,
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// The driver spreads it: half of the time is certain, half is chance.
    Connect {
        after_ms: u32,
    },
    Send(ClientFrame),
    Disconnect,
    /// Ask outside the socket who one is; answered by [`Input::Probed`].
    Probe,
    /// Keep a draft over reloads.
    Keep(Kept),
    Forget(ClientId),
    /// Keep what stands in a composer; nothing, if empty.
    KeepTyped(Lane, String),
    /// Put a text into the composer, unless something stands there.
    Offer(Lane, String),
    /// Put a text into the composer, before what stands there.
    Compose(Lane, String),
    /// Say in the title and the favicon how much waits: mentions, and rooms with something unread.
    Total {
        mentions: u32,
        rooms: u32,
    },
    Notify(Notice),
    /// Close what was notified of a lane up to an ordinal: it was read, here or elsewhere.
    CloseNotices {
        at: Lane,
        to: u64,
    },
    /// Keep that nobody wants to be asked about notifications.
    NeverAsk,
    /// Bring a row of a lane into view.
    Show(u64, u64),
    /// Say a foreign message to a screen reader.
    Announce(String),
}
