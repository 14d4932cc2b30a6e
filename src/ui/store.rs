//! The one UI state: the boot data, and the session that the engine alone writes.

use super::acting::Acting;
use crate::api::{Boot, Notice};
use crate::client::engine::Intents;
use crate::client::{Input, Session};
use dioxus::prelude::*;
use futures::StreamExt as _;
use futures::channel::mpsc;
use std::cell::Cell;
use std::rc::Rc;

/// What views read. The session is absent for one who is not signed in.
#[derive(Clone)]
pub struct Store {
    pub boot: Rc<Boot>,
    pub session: Option<Signal<Session>>,
    pub intents: Intents,
    pub acting: Signal<Acting>,
    /// What became of the form that led to the page, until a view shows it.
    notice: Rc<Cell<Option<Notice>>>,
    /// The same, until its form shows what was typed.
    refused: Rc<Cell<Option<Notice>>>,
}

/// Makes the store at the root, and starts the engine in the browser.
pub fn provide(boot: &Boot) {
    let (store, waiting) = use_hook(|| {
        let (send, receive) = mpsc::unbounded();
        let session = begun(boot).map(Signal::new);
        if let Some(notice) = &boot.notice {
            // Before the router looks at it. A reload then says nothing again, and sends no form again.
            super::dom::address(&notice.path);
        }
        let notice = Rc::new(Cell::new(boot.notice.clone()));
        let refused = Rc::new(Cell::new(boot.notice.clone().filter(|notice| !notice.done)));
        let acting = Signal::new(Acting::default());
        let boot = Rc::new(boot.clone());
        let store = Store { boot, session, intents: Intents(send), acting, notice, refused };
        (store, Rc::new(Cell::new(Some(receive))))
    });
    // They come while Rust may be at work: a task of ours takes them.
    let (gesture, gestures) = use_hook(|| {
        let (send, receive) = mpsc::unbounded();
        (send, Rc::new(Cell::new(Some(receive))))
    });
    use_context_provider(|| store.clone());
    let intents = store.intents.clone();
    // Neither runs on the server.
    use_effect(move || {
        super::dom::attach(intents.clone(), gesture.clone());
        super::dom::live();
    });
    let watched = store.clone();
    use_future(move || {
        let (mut acting, session, intents) = (watched.acting, watched.session, watched.intents.clone());
        let gestures = gestures.take();
        async move {
            let (Some(session), Some(mut gestures)) = (session, gestures) else { return };
            while let Some(gesture) = gestures.next().await {
                acting.write().take(gesture, &session.peek(), &intents);
            }
        }
    });
    use_future(move || {
        let (session, waiting, intents) = (store.session, waiting.take(), store.intents.clone());
        async move {
            if let (Some(session), Some(waiting)) = (session, waiting) {
                run(session, intents, waiting).await;
            }
        }
    });
}

#[cfg(target_arch = "wasm32")]
async fn run(mut session: Signal<Session>, intents: Intents, waiting: mpsc::UnboundedReceiver<Input>) {
    let account = session.peek().me.id.to_string();
    let device = crate::client::platform::web::WebDevice::new(account, intents);
    crate::client::engine::run(device, move |change| change(&mut session.write()), waiting).await;
}

#[cfg(target_arch = "wasm32")]
fn begun(boot: &Boot) -> Option<Session> {
    Session::from_boot(boot)
}

/// The desktop's engine runs on a thread of its own: its session is shown as it stands whenever the window draws.
#[cfg(not(target_arch = "wasm32"))]
type Engine = std::sync::Arc<crate::client::platform::native::running::Running>;

/// Where a server renders there is no engine.
#[cfg(not(target_arch = "wasm32"))]
fn begun(boot: &Boot) -> Option<Session> {
    match try_consume_context::<Engine>() {
        Some(engine) => Some(engine.session().clone()),
        None => Session::from_boot(boot),
    }
}

#[cfg(not(target_arch = "wasm32"))]
async fn run(mut session: Signal<Session>, _: Intents, mut waiting: mpsc::UnboundedReceiver<Input>) {
    let Some(engine) = try_consume_context::<Engine>() else { return };
    let mut changes = engine.changes();
    changes.mark_changed();
    loop {
        tokio::select! {
            input = waiting.next() => match input {
                Some(input) => engine.intents.send(input),
                None => return,
            },
            changed = changes.changed() => match changed {
                Ok(()) => {
                    let now = engine.session().clone();
                    session.set(now);
                }
                Err(_) => return,
            },
        }
    }
}

pub fn use_store() -> Store {
    use_context()
}

/// What became of the form that led to the page; the view that asks first has it to itself, so that what one goes
/// to from there does not say it again.
pub fn use_notice() -> Option<Notice> {
    let store = use_store();
    use_hook(|| store.notice.take())
}

/// Why the form that is sent to one of these addresses was refused, and what was typed in it; for the form that asks
/// first, so that it is as always when one comes back to it.
pub fn use_refused(forms: &[&str]) -> Option<Notice> {
    let store = use_store();
    use_hook(|| {
        let notice = store.refused.take()?;
        if forms.contains(&notice.form.as_str()) {
            return Some(notice);
        }
        store.refused.set(Some(notice));
        None
    })
}
