//! The engine as every client of ours has it, with nothing drawn.

use super::boot;
use beck::client::engine;
use beck::client::platform::native::NativeDevice;
use beck::client::{Input, Session};
use beck::protocol::frame::Draft;
use beck::protocol::{AccountId, ClientId, RoomId};
use futures::channel::mpsc::{UnboundedSender, unbounded};
use std::sync::{Arc, Mutex, MutexGuard};

pub struct Engine {
    session: Arc<Mutex<Session>>,
    intents: UnboundedSender<Input>,
}

impl Engine {
    /// Connects to `host` and looks at a room.
    pub fn start(host: &str, account: AccountId, cookie: &str, room: RoomId) -> Engine {
        let session = Session::from_boot(&boot(account, room, None)).unwrap();
        let session = Arc::new(Mutex::new(session));
        let headers = vec![("origin", format!("http://{host}")), ("cookie", cookie.to_owned())];
        let device = NativeDevice::new(format!("ws://{host}/ws"), headers);
        let (intents, receive) = unbounded();
        let shared = session.clone();
        tokio::spawn(async move {
            engine::run(device, move |change| change(&mut shared.lock().unwrap()), receive).await;
        });
        let engine = Engine { session, intents };
        engine.intend(Input::Look { room, at: None });
        engine
    }

    pub fn intend(&self, input: Input) {
        self.intents.unbounded_send(input).unwrap();
    }

    pub fn write(&self, id: ClientId, room: RoomId, text: String) {
        self.intend(Input::Write(Draft {
            id,
            room,
            thread: None,
            quote: None,
            text,
            named: Default::default(),
        }));
    }

    pub fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap()
    }

    /// Nothing of what was written here is under way or goes out next: a draft without an outcome waits for its author, or
    /// stands behind one that does.
    pub fn has_sent(&self) -> bool {
        let session = self.session();
        // No draft is old at that time.
        let (next, _) = session.outbox.clone().next(0);
        next.is_empty()
            && session.rooms.iter().all(|room| {
                session.outbox.in_room(room.id).all(|kept| !session.outbox.is_under_way(kept.id()))
            })
    }

    /// Where it stands, and how many of its drafts have no outcome.
    pub fn place(&self) -> (u64, String, usize) {
        let session = self.session();
        let cursor = session.current().map(|timeline| timeline.cursor());
        let (seq, chain) = cursor.map_or((0, String::new()), |cursor| (cursor.seq, cursor.chain.to_string()));
        (seq, chain, session.waiting())
    }
}
