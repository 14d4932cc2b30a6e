//! The desktop's window: scripts are evaluated there and what they tell comes back through a channel. What somebody typed
//! comes with the event of its form. A server that renders calls none of it.

use super::Used;
use super::said::{gesture_of, input_of};
use crate::client::engine::Intents;
use crate::ui::acting::{Gesture, Spot};
use dioxus::html::FormValue;
use dioxus::prelude::*;
use futures::channel::mpsc::UnboundedSender;
use serde_json::{Value, json};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the client runs in, in words. A page that a server renders is a browser's.
pub const HERE: &str = if cfg!(feature = "server") { "browser" } else { "app" };
pub const NOT_KEPT: &str = if cfg!(feature = "server") {
    "This browser keeps nothing: what waits is kept only in this tab."
} else {
    "The disk takes nothing: what waits is kept only until you quit."
};
/// Signing out leaves what waits where it is. The app takes away all that it kept.
pub const KEPT_SIGNED_OUT: bool = cfg!(feature = "server");

/// The way that a plain link or a form leads, and how often one did.
static LED: GlobalSignal<(u32, String)> = Signal::global(Default::default);
const RECENT_USES: usize = 16;

type Keep = Box<dyn Fn(&str, &[Vec<String>; 2]) + Send>;

/// What a browser would keep: the theme, and what was used here, the last one first.
#[derive(Default)]
struct Kept {
    theme: String,
    used: [Vec<String>; 2],
    keep: Option<Keep>,
}

static KEPT: Mutex<Kept> =
    Mutex::new(Kept { theme: String::new(), used: [Vec::new(), Vec::new()], keep: None });

fn kept() -> MutexGuard<'static, Kept> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins with what an earlier run kept; `keep` is told of every change.
pub fn remember(
    theme: &str,
    used: [Vec<String>; 2],
    keep: impl Fn(&str, &[Vec<String>; 2]) + Send + 'static,
) {
    *kept() = Kept { theme: theme.to_owned(), used, keep: Some(Box::new(keep)) };
}

fn change_kept(change: impl FnOnce(&mut Kept)) {
    let mut kept = kept();
    change(&mut kept);
    if let Some(keep) = &kept.keep {
        keep(&kept.theme, &kept.used);
    }
}

/// The theme that was chosen here.
pub fn theme() -> String {
    kept().theme.clone()
}

/// Follows links and forms, from within the router.
pub fn use_led() {
    let seen = use_hook(|| LED.peek().0);
    use_effect(move || {
        let (count, path) = LED();
        if count > seen {
            navigator().push(path);
        }
    });
}

fn call(name: &str, arguments: Value) {
    document::eval(&format!("window.beck.{name}(...{arguments});"));
}

/// What was typed into a field of a form.
pub fn field(event: &FormEvent, name: &str) -> String {
    match event.get_first(name) {
        Some(FormValue::Text(text)) => text,
        _ => String::new(),
    }
}

/// What the page tells. Whether somebody looks at it is known better by its window, which tells it while it is hidden,
/// too.
pub fn attach(intents: Intents, gestures: UnboundedSender<Gesture>) {
    spawn(async move {
        let listen =
            "window.beck.attach((kind, text) => dioxus.send([kind, text])); await new Promise(() => {});";
        let mut said = document::eval(listen);
        while let Ok((kind, text)) = said.recv::<(String, String)>().await {
            if kind == "go" {
                LED.with_mut(|(count, path)| (*count, *path) = (*count + 1, text));
            } else if kind == "attending" {
            } else if let Some(input) = input_of(&kind, &text) {
                intents.send(input);
            } else if let Some(gesture) = gesture_of(&kind, &text) {
                let _ = gestures.unbounded_send(gesture);
            }
        }
    });
}

pub fn place(active: Option<Spot>) {
    call("place", json!([active.is_some()]));
}
pub fn opened(open: bool) {
    call("opened", json!([open]));
}
pub fn edit_begin(text: &str) {
    call("edit_begin", json!([text]));
}
pub fn edit_text(event: &FormEvent) -> String {
    field(event, "text")
}
pub fn composer_focus(lane: u64) {
    call("composer_focus", json!([lane]));
}
pub fn copy_link(path: &str) {
    call("copy_link", json!([path]));
}
pub fn dialog(open: bool) {
    call("dialog", json!([open]));
}
pub fn insert(text: &str) {
    call("insert", json!([text]));
}
pub fn used(list: Used, what: &str) {
    change_kept(|kept| {
        let list = &mut kept.used[list as usize];
        list.retain(|other| other != what);
        list.insert(0, what.to_owned());
        list.truncate(RECENT_USES);
    });
}
pub fn recent(list: Used) -> Vec<String> {
    kept().used[list as usize].clone()
}
pub fn live() {
    call("live", json!([]));
}
pub fn address(_: &str) {}
pub fn composer_text(event: &FormEvent) -> String {
    field(event, "text")
}
pub fn composer_named(event: &FormEvent) -> String {
    field(event, "named")
}
pub fn edit_named(event: &FormEvent) -> String {
    field(event, "named")
}
pub fn composer_empty(lane: u64) {
    call("composer_empty", json!([lane]));
}
pub fn offer(lane: &str, text: &str) {
    call("offer", json!([lane, text]));
}
pub fn compose(lane: &str, text: &str) {
    call("compose", json!([lane, text]));
}
pub fn to_ordinal(lane: u64, ordinal: u64) {
    call("to_ordinal", json!([lane, ordinal]));
}
pub fn to_bottom(lane: u64) {
    call("to_bottom", json!([lane]));
}
pub fn title(text: &str) {
    call("title", json!([text]));
}
pub fn copy(text: &str) {
    call("copy", json!([text]));
}
pub fn ask_to_notify() {}
pub fn set_theme(theme: &str) {
    call("set_theme", json!([theme]));
    change_kept(|kept| kept.theme = theme.to_owned());
}
pub fn announce(text: &str) {
    call("announce", json!([text]));
}
