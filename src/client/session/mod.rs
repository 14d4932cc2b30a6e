//! The sync state of one client: pure. [`Session::handle`] takes what happened and gives what to do.
//!
//! Guarantees: a room's cursor moves with its events only; a draft is sent until its outcome is known, always
//! under the same id, in order within its room; what cannot be continued is loaded again, and said.

mod check;
mod connection;
mod held;
mod input;
mod links;
mod mentions;
mod notices;
mod presence;
mod reading;
mod restoring;
mod rooms;
mod sending;
mod texts;
mod threads;
mod why;
mod window;

pub use check::{Check, CheckState};
pub use input::{Effect, Input, Notice, Permission, Probe};
pub use reading::{Marked, MarkedAs};
pub use texts::{TextState, Texts};
pub use threads::OpenThread;
pub use why::{Known, Why};

use super::Lane;
use super::outbox::Outbox;
use crate::api::Boot;
use crate::protocol::frame::{Person, Role, RoomInfo, Version};
use crate::protocol::{
    AccountId, ClientFrame, ClientId, Mentions, Pointer, Quiet, RoomAct, RoomId, Row, Seen, ServerFrame,
    Thread,
};
use crate::timeline::{Mark, Timeline};
use notices::Notices;
use reading::Entered;
use restoring::Undo;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use window::{Ask, Viewport};

/// Whether what is shown follows the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The first connection has not been made; what is shown came with the page.
    Starting,
    Live,
    /// Being connected again.
    Offline,
    /// The server said that it goes, and that it comes back.
    Moving,
    /// The account has as many connections as it may: one of them has to be closed.
    TooManySockets,
    /// The login ended: sign in again.
    SignedOut,
    /// The server is too new for this client: reload.
    TooOld,
}

#[derive(Debug, Clone)]
pub struct Session {
    pub me: Person,
    pub workspace: String,
    pub rooms: Vec<RoomInfo>,
    pub people: HashMap<AccountId, Person>,
    pub handles: HashMap<String, AccountId>,
    pub timelines: HashMap<RoomId, Timeline>,
    pub status: Status,
    /// When the connection was lost, by this device's clock.
    pub offline_since: Option<i64>,
    /// What the last request outside the socket found.
    pub probe: Option<Probe>,
    pub looking_at: Option<RoomId>,
    /// Lines between messages, by room.
    pub marks: HashMap<RoomId, Vec<Mark>>,
    pub outbox: Outbox,
    /// Texts that stand in composers.
    pub typed: HashMap<Lane, String>,
    /// Drafts are kept in this tab only: the browser keeps nothing, or has no room.
    pub not_kept: bool,
    /// The texts that a message had, as last asked for.
    pub history: Option<(ClientId, Vec<Version>)>,
    /// Pinned messages of the rooms that they were asked for, newest first.
    pub pins: HashMap<RoomId, Vec<Arc<Row>>>,
    /// The thread that stands beside the looked-at room.
    pub thread: Option<OpenThread>,
    /// The threads that I follow, of the rooms that they were asked for; the newest answer first.
    pub threads: HashMap<RoomId, Vec<Thread>>,
    /// Rooms that were marked as read, until it is known which of their threads are not.
    threads_to_read: HashSet<RoomId>,
    /// Who is in a room, of the rooms whose people were listed.
    pub members: HashMap<RoomId, Vec<Person>>,
    presence: HashMap<AccountId, Seen>,
    typing: HashMap<Lane, Vec<AccountId>>,
    /// The room whose people are listed now.
    listed: Option<RoomId>,
    /// Where and when it was told last that one types.
    typed_at: Option<(Lane, i64)>,
    unattended_since: Option<i64>,
    is_away: bool,
    /// What was not carried out, and why.
    pub notice: Option<String>,
    /// The format of the log, by its number, as the server said it last.
    format: u32,
    pub check: Option<Check>,
    /// What comes behind this seq of a room came when its log had format 5 already.
    of_five: HashMap<RoomId, u64>,
    /// Own messages that were deleted here.
    undo: Vec<Undo>,
    /// Rooms and seqs of the events that do not have the text or body that came for them.
    pub differing: Vec<(RoomId, u64)>,
    /// Messages that name me, as far as they are loaded.
    pub mentions: Option<Mentions>,
    /// The last mark, while it can be taken back.
    pub marked: Option<Marked>,
    /// Where each room stood when it was subscribed and how far it had to come, until it has.
    catching: HashMap<RoomId, (u64, u64)>,
    asks: BTreeMap<u64, (Lane, Ask)>,
    /// What is seen of the looked-at room.
    viewport: Viewport,
    next_req: u64,
    tries: u32,
    /// When the server said that it goes: milliseconds until it wants to be asked again.
    come_back: Option<u32>,
    heard_at: i64,
    /// An answer is awaited since then: the welcome of a new connection, or any after waking.
    awaits_since: Option<i64>,
    said_at: i64,
    now: i64,
    sender: bool,
    attending: bool,
    /// The newest ordinal of the looked-at room when nobody was looking any more.
    left_at: Option<u64>,
    /// The newest ordinal that was seen here, by room.
    seen: HashMap<RoomId, u64>,
    /// Read pointers that the server may not have got.
    unsaid: HashMap<Lane, Pointer>,
    /// The looked-at room was marked as unread: what is on the screen does not count as read until one comes back.
    held: Option<RoomId>,
    entered: Option<Entered>,
    pub notices: Notices,
    /// What the title and the favicon say.
    shown_total: (u32, u32),
    /// The list of mentions is looked at.
    at_mentions: bool,
    /// The page of mentions that is asked for: its request, and what it is before.
    mentions_asked: Option<(u64, Option<u64>)>,
    /// Handles that were asked for on this connection.
    asked_handles: HashSet<String>,
    lagging: HashSet<RoomId>,
    /// See [`Session::hold`].
    holds: bool,
}

impl Session {
    /// Begins with what the server put into the page; `None` for one who is not signed in.
    pub fn from_boot(boot: &Boot) -> Option<Session> {
        let me = boot.me.clone()?;
        let mut session = Session {
            me,
            workspace: boot.workspace.clone(),
            rooms: boot.rooms.clone(),
            people: HashMap::new(),
            handles: HashMap::new(),
            timelines: HashMap::new(),
            status: Status::Starting,
            offline_since: None,
            probe: None,
            looking_at: None,
            marks: HashMap::new(),
            outbox: Outbox::default(),
            typed: HashMap::new(),
            not_kept: false,
            history: None,
            pins: HashMap::new(),
            thread: None,
            threads: HashMap::new(),
            threads_to_read: HashSet::new(),
            members: HashMap::new(),
            presence: HashMap::new(),
            typing: HashMap::new(),
            listed: None,
            typed_at: None,
            unattended_since: None,
            is_away: false,
            notice: None,
            format: boot.format,
            check: None,
            of_five: HashMap::new(),
            undo: Vec::new(),
            differing: Vec::new(),
            mentions: boot.mentions.clone(),
            marked: None,
            catching: HashMap::new(),
            asks: BTreeMap::new(),
            viewport: Viewport::default(),
            next_req: 1,
            tries: 0,
            come_back: None,
            heard_at: 0,
            awaits_since: None,
            said_at: 0,
            now: 0,
            sender: true,
            attending: true,
            left_at: None,
            seen: HashMap::new(),
            unsaid: HashMap::new(),
            held: None,
            entered: None,
            notices: Notices::new(Quiet::of_number(boot.quiet), boot.zone),
            shown_total: (0, 0),
            at_mentions: boot.mentions.is_some(),
            mentions_asked: None,
            asked_handles: HashSet::new(),
            lagging: HashSet::new(),
            holds: false,
        };
        boot.people.iter().for_each(|person| session.know(person.clone()));
        session.seen_came(vec![boot.status.clone().of(session.me.id)]);
        if let Some(page) = &boot.page {
            session.timelines.insert(page.room, Timeline::from_page(page));
            session.looking_at = Some(page.room);
            session.mark_unread(page.room);
        }
        if let Some((thread, page)) = &boot.thread {
            session.thread = Some(OpenThread::of_page(thread, page));
        }
        Some(session)
    }

    pub(super) fn know(&mut self, person: Person) {
        self.handles.insert(person.handle.clone(), person.id);
        self.people.insert(person.id, person);
    }

    pub fn room(&self, id: RoomId) -> Option<&RoomInfo> {
        self.rooms.iter().find(|room| room.id == id)
    }

    /// Whether this person may do something in a room.
    pub fn may(&self, room: RoomId, act: RoomAct) -> bool {
        self.room(room).is_some_and(|room| match act {
            // A server that tells no set lets owners delete what they see.
            RoomAct::DeleteOthers if room.may.is_none() => {
                self.me.role == Role::Owner && room.allows(RoomAct::Delete)
            }
            act => room.allows(act),
        })
    }

    /// Whether nobody writes in a room any more.
    pub fn is_archived(&self, room: RoomId) -> bool {
        self.room(room).is_some_and(|room| room.archived)
    }

    /// The timeline of the room that is looked at.
    pub fn current(&self) -> Option<&Timeline> {
        self.timelines.get(&self.looking_at?)
    }

    /// Drafts that wait for an outcome.
    pub fn waiting(&self) -> usize {
        self.outbox.waiting()
    }

    /// Events taken of those that were missed, and how many these were, while a room catches up.
    pub fn catching_up(&self, room: RoomId) -> Option<(u64, u64)> {
        let (since, to) = *self.catching.get(&room)?;
        Some((self.timelines.get(&room)?.cursor().seq.saturating_sub(since), to - since))
    }

    /// Whether rows before the window are on their way; the same for rows after it.
    pub fn is_loading(&self, lane: Lane) -> (bool, bool) {
        let asked = |ask| self.asks.values().any(|asked| *asked == (lane, ask));
        (asked(Ask::Older), asked(Ask::Newer) || asked(Ask::Jump))
    }

    /// Messages that came below in a lane since its newest row went out of view.
    pub fn new_below(&self, lane: Lane) -> u64 {
        let unpinned_at = self.viewport(lane).and_then(|viewport| viewport.unpinned_at);
        match (unpinned_at, self.timeline(lane)) {
            (Some(at), Some(timeline)) => timeline.head().saturating_sub(at),
            _ => 0,
        }
    }

    /// Takes what happened at `now`: milliseconds since 1970 by this device's clock.
    pub fn handle(&mut self, input: Input, now: i64) -> Vec<Effect> {
        let mut out = Vec::new();
        self.now = now;
        match input {
            Input::Connecting => self.awaits_since = Some(now),
            Input::Opened => self.opened(&mut out),
            Input::Frame(frame) => {
                self.heard_at = now;
                // Before the welcome other frames do not count.
                if self.status == Status::Live || matches!(frame, ServerFrame::Welcome { .. }) {
                    self.awaits_since = None;
                }
                self.frame(frame, &mut out);
            }
            Input::Closed(code) => self.closed(code, &mut out),
            Input::Probed(probe) => self.probed(probe, &mut out),
            Input::SignedIn => self.signed_in(&mut out),
            Input::Tick => self.tick(&mut out),
            Input::Wake => self.wake(&mut out),
            Input::Attending(attending) => {
                self.attend(attending);
                self.look_whether_away(&mut out);
            }
            Input::ListPeople(room) => self.list_people(room, &mut out),
            Input::Say { text, do_not_disturb, for_ms } => {
                if self.status == Status::Live {
                    out.push(Effect::Send(ClientFrame::Status { text, do_not_disturb, for_ms }));
                }
            }
            Input::Look { room, at } => self.look(room, at, &mut out),
            Input::LookAtThread(at) => self.look_at_thread(at, &mut out),
            Input::LookAway => self.look_away(&mut out),
            Input::Write(draft) => self.write(draft, &mut out),
            Input::Act(act) => self.act(act, &mut out),
            Input::Typed(lane, text) => self.type_in(lane, text, &mut out),
            Input::Restore(kept) => {
                kept.into_iter().for_each(|kept| self.put(kept));
                self.purge(&mut out);
                self.send_outbox(&mut out);
            }
            Input::Drafts(typed) => {
                self.typed = typed;
                self.offer(&mut out);
            }
            Input::Shared(kept) => {
                self.put(kept);
                self.send_outbox(&mut out);
            }
            Input::Gone(id) => {
                self.outbox.remove(id);
                self.drop_echoes(id);
                self.send_outbox(&mut out);
            }
            Input::Sender(sender) => {
                self.sender = sender;
                self.send_outbox(&mut out);
            }
            Input::NotKept => self.not_kept = true,
            Input::Edit { id, void } => self.take_back(id, void, true, &mut out),
            Input::Discard { id, void } => self.take_back(id, void, false, &mut out),
            Input::SendNow(id) => self.send_now(id, &mut out),
            Input::Older(lane) => self.want(lane, Ask::Older, &mut out),
            Input::Newer(lane) => self.want(lane, Ask::Newer, &mut out),
            Input::Newest(lane) => self.want(lane, Ask::Jump, &mut out),
            Input::GoTo(lane, ordinal) => self.go_to(lane, ordinal, &mut out),
            Input::Pinned(lane, pinned) => self.pin(lane, pinned),
            Input::Seen(0, ordinal) => self.saw(ordinal, &mut out),
            Input::Seen(lane, ordinal) => self.saw_answer(lane, ordinal, &mut out),
            Input::Follow(on) => self.follow_thread(on, &mut out),
            Input::Threads => self.ask_threads(&mut out),
            Input::LookAtMentions => self.look_at_mentions(&mut out),
            Input::OlderMentions => self.older_mentions(&mut out),
            Input::Want(room, wanted) => self.want_of(room, wanted, &mut out),
            Input::Zone(zone) => self.notices.zone = zone,
            Input::Permission(permission) => self.notices.permission = permission,
            Input::NeverAsk => self.never_ask(&mut out),
            Input::Open { at, ordinal } => self.open(at, ordinal),
            Input::NewLine { above } => self.new_line(above),
            Input::MarkUnread(0, ordinal) => self.mark_unread_from(ordinal, &mut out),
            Input::MarkUnread(lane, ordinal) => self.mark_answers_unread(lane, ordinal, &mut out),
            Input::MarkRead(room) => self.mark_read(vec![room], &mut out),
            Input::MarkAllRead => {
                let rooms = self.rooms.iter().map(|room| room.id).collect();
                self.mark_read(rooms, &mut out);
            }
            Input::UndoMark => self.undo_mark(&mut out),
            Input::DropUndo => self.marked = None,
            Input::Check => self.begin_check(&mut out),
            Input::History(of) => self.ask_history(of, &mut out),
            Input::Pins => self.want(0, Ask::Pins, &mut out),
        }
        let total = self.total();
        if std::mem::replace(&mut self.shown_total, total) != total {
            out.push(Effect::Total { mentions: total.0, rooms: total.1 });
        }
        if out.iter().any(|effect| matches!(effect, Effect::Send(_))) {
            self.said_at = now;
        }
        out
    }

    fn put_mark(&mut self, room: RoomId, mark: Mark) {
        let marks = self.marks.entry(room).or_default();
        marks.retain(|other| std::mem::discriminant(&other.what) != std::mem::discriminant(&mark.what));
        marks.push(mark);
    }

    /// What was left in the composers of the looked-at room and of the thread beside it.
    fn offer(&self, out: &mut Vec<Effect>) {
        let lanes =
            self.looking_at.map(Lane::from).into_iter().chain(self.thread.as_ref().map(|open| open.at));
        let left = lanes.filter_map(|lane| Some((lane, self.typed.get(&lane)?.clone())));
        out.extend(left.map(|(lane, text)| Effect::Offer(lane, text)));
    }

    /// Nobody looks, or somebody looks again: what comes meanwhile gets a line above it.
    fn attend(&mut self, attending: bool) {
        self.attending = attending;
        self.unattended_since = if attending { None } else { self.unattended_since.or(Some(self.now)) };
        self.left_at = if attending { None } else { self.current().map(Timeline::head) };
    }
}
