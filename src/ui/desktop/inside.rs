//! One login in the window: its engine's session, drawn.

use super::desk::{Desk, Engine};
use crate::api::Boot;
use crate::client::platform::native;
use crate::client::{Effect, Session};
use crate::ui::route::Route;
use crate::ui::{dom, store};
use dioxus::history::{History, MemoryHistory};
use dioxus::prelude::*;
use futures::StreamExt as _;
use futures::channel::mpsc::Receiver;
use std::rc::Rc;
use std::sync::{Arc, PoisonError};

#[component]
pub fn Login(login: String, path: Option<String>) -> Element {
    let desk = use_context::<Arc<Desk>>();
    match use_hook(|| desk.engine(&login)) {
        Ok(engine) => rsx! { Inside { engine: Same(engine), path } },
        Err(why) => rsx! {
            div { class: "app door",
                main { class: "page narrow",
                    p { class: "error boxed", role: "alert", "{why}" }
                }
            }
        },
    }
}

#[derive(Clone)]
struct Same(Arc<Engine>);

impl PartialEq for Same {
    fn eq(&self, other: &Same) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Where one begins: where one was, or the newest room.
fn first_path(session: &Session) -> String {
    let mine = || session.rooms.iter().filter(|room| room.joined && !room.archived);
    let first = || mine().find(|room| room.name == "General").or_else(|| mine().next()).map(|room| room.id);
    match session.looking_at.or_else(first) {
        Some(room) => format!("/r/{room}"),
        None => "/rooms".to_owned(),
    }
}

#[component]
fn Inside(engine: Same, path: Option<String>) -> Element {
    let engine = engine.0;
    use_context_provider(|| engine.clone());
    use_context_provider(|| engine.running.clone());
    use_context_provider(|| {
        let path = path.unwrap_or_else(|| first_path(&engine.running.session()));
        Rc::new(MemoryHistory::with_initial_path(path)) as Rc<dyn History>
    });
    let boot =
        use_hook(|| Boot { zone: native::zone(), theme: dom::theme(), ..engine.running.boot().clone() });
    store::provide(&boot);
    let here = engine.clone();
    use_future(move || {
        let effects = here.effects.lock().unwrap_or_else(PoisonError::into_inner).take();
        let here = here.clone();
        async move {
            document::eval(&format!("window.beck.server = {};", serde_json::json!(here.login.base)));
            let Some(effects) = effects else { return };
            let mut effects = Borrowed { effects: Some(effects), engine: here };
            while let Some(effect) = effects.next().await {
                carry_out(effect);
            }
        }
    });
    rsx! {
        Router::<Route> {}
    }
}

/// The effects of an engine, given back when another one is shown.
struct Borrowed {
    effects: Option<Receiver<Effect>>,
    engine: Arc<Engine>,
}

impl Borrowed {
    async fn next(&mut self) -> Option<Effect> {
        self.effects.as_mut()?.next().await
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        *self.engine.effects.lock().unwrap_or_else(PoisonError::into_inner) = self.effects.take();
    }
}

fn carry_out(effect: Effect) {
    match effect {
        Effect::Offer(lane, text) => dom::offer(&lane.to_string(), &text),
        Effect::Compose(lane, text) => dom::compose(&lane.to_string(), &text),
        Effect::Announce(text) => dom::announce(&text),
        Effect::Show(lane, ordinal) => dom::to_ordinal(lane, ordinal),
        _ => {}
    }
}
