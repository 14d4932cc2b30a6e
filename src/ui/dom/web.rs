//! Calls window.beck, and hands its events to the engine.

use super::Used;
use crate::client::Input;
use crate::client::engine::Intents;
use crate::ui::acting::{Dialog, Gesture};
use futures::channel::mpsc::UnboundedSender;
use wasm_bindgen::prelude::*;

/// Lines that stay in the live region.
const ANNOUNCED_LINES: u32 = 20;

mod script {
    use wasm_bindgen::prelude::*;

    #[wasm_bindgen]
    extern "C" {
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn attach(callback: &Closure<dyn FnMut(String, String)>);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn live();
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn address(path: &str);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn composer_text() -> Option<String>;
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn composer_set(text: &str, force: bool);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn offer(room: &str, text: &str);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn compose(room: &str, text: &str);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn to_ordinal(ordinal: f64) -> bool;
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn to_bottom();
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn title(text: &str);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn total(mentions: u32, rooms: u32);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn copy(text: &str);
        #[wasm_bindgen(js_namespace = ["window", "beckDevice"])]
        pub fn ask_to_notify();
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn set_theme(theme: &str);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn place(ordinal: f64);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn opened(open: bool);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn edit_begin(text: &str);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn edit_text() -> String;
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn composer_focus();
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn copy_link(path: &str);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn used(list: &str, what: &str);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn recent(list: &str) -> String;
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn dialog(open: bool);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn insert(text: &str);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn panic();
    }
}

/// Events of the page become inputs of the engine. They go through its channel: no signal is written here.
pub fn attach(intents: Intents, gestures: UnboundedSender<Gesture>) {
    let callback = Closure::new(move |kind: String, text: String| {
        if let Some(input) = input_of(&kind, &text) {
            intents.send(input);
        } else if let Some(gesture) = gesture_of(&kind, &text) {
            let _ = gestures.unbounded_send(gesture);
        }
    });
    script::attach(&callback);
    // The page holds it for as long as it lives.
    callback.forget();
}

fn gesture_of(kind: &str, text: &str) -> Option<Gesture> {
    let ordinal = text.parse().ok();
    Some(match kind {
        "active" => Gesture::Active(ordinal),
        "menu" => Gesture::Menu(ordinal?),
        "pick" => Gesture::Pick(ordinal?),
        "reply" => Gesture::Reply(ordinal?),
        "edit" => Gesture::Edit(ordinal?),
        "delete" => Gesture::Delete(ordinal?),
        "edit-last" => Gesture::EditLast,
        "close" => Gesture::Close,
        "dialog" => Gesture::Dialog(match text {
            "switcher" => Some(Dialog::Switcher),
            "keys" => Some(Dialog::Keys),
            _ => None,
        }),
        "read" => Gesture::Read,
        "read-all" => Gesture::ReadAll,
        _ => return None,
    })
}

fn input_of(kind: &str, text: &str) -> Option<Input> {
    Some(match kind {
        "older" => Input::Older,
        "newer" => Input::Newer,
        "wake" => Input::Wake,
        "pinned" => Input::Pinned(true),
        "unpinned" => Input::Pinned(false),
        "attending" => Input::Attending(!text.is_empty()),
        "new-above" => Input::NewLine { above: true },
        "new-seen" => Input::NewLine { above: false },
        "mark-unread" => Input::MarkUnread(text.parse().ok()?),
        "visible" => Input::Seen(text.parse().ok()?),
        "signed-in" => Input::SignedIn,
        "status" => {
            let (minutes, rest) = text.split_once('\n')?;
            let (busy, text) = rest.split_once('\n')?;
            let for_ms = minutes.parse::<u32>().ok().map(|minutes| u64::from(minutes) * 60_000);
            Input::Say { text: text.to_owned(), do_not_disturb: !busy.is_empty(), for_ms }
        }
        "input" => {
            let (room, text) = text.split_once('\n')?;
            Input::Typed(room.parse().ok()?, text.to_owned())
        }
        _ => return None,
    })
}

pub fn live() {
    script::live();
}

/// Gives the page another address of the same server, without loading anything.
pub fn address(path: &str) {
    script::address(path);
}

pub fn composer_text() -> String {
    script::composer_text().unwrap_or_default()
}

pub fn composer_set(text: &str) {
    script::composer_set(text, true);
}

/// Puts a kept text into a room's composer, if that room is open and nothing was typed.
pub fn offer(room: &str, text: &str) {
    script::offer(room, text);
}

/// Puts a text before what stands in a room's composer, if that room is open.
pub fn compose(room: &str, text: &str) {
    script::compose(room, text);
}

/// Brings a row into view, if it is there.
pub fn to_ordinal(ordinal: u64) {
    script::to_ordinal(ordinal as f64);
}

pub fn to_bottom() {
    script::to_bottom();
}

pub fn title(text: &str) {
    script::title(text);
}

/// Asks the person whether this browser may notify; only within a click.
pub fn ask_to_notify() {
    script::ask_to_notify();
}

/// How much waits, for the title and the favicon: mentions, and rooms with something unread.
pub fn total(mentions: u32, rooms: u32) {
    script::total(mentions, rooms);
}

pub fn copy(text: &str) {
    script::copy(text);
}

pub fn set_theme(theme: &str) {
    script::set_theme(theme);
}

/// Puts the bar of actions at a row, once it is drawn.
pub fn place(ordinal: Option<u64>) {
    script::place(ordinal.map_or(0.0, |ordinal| ordinal as f64));
}

/// Something was drawn over the list, or is gone: it is placed and takes the focus, or gives it back.
pub fn opened(open: bool) {
    script::opened(open);
}

/// Fills the box in which a message is edited, and puts the caret at its end.
pub fn edit_begin(text: &str) {
    script::edit_begin(text);
}

pub fn edit_text() -> String {
    script::edit_text()
}

pub fn composer_focus() {
    script::composer_focus();
}

/// Copies the whole address of a path of this server.
pub fn copy_link(path: &str) {
    script::copy_link(path);
}

/// Remembers that something was used, in this browser.
pub fn used(list: Used, what: &str) {
    script::used(list.name(), what);
}

/// Shows the dialog that was drawn, over everything, or takes it away.
pub fn dialog(open: bool) {
    script::dialog(open);
}

/// Writes at the caret of the composer, as if it were typed.
pub fn insert(text: &str) {
    script::insert(text);
}

/// What was used here, the last one first.
pub fn recent(list: Used) -> Vec<String> {
    script::recent(list.name()).split(' ').filter(|emoji| !emoji.is_empty()).map(str::to_owned).collect()
}

/// A polite line for a screen reader, outside the list. Lines that come together are all there to be read.
pub fn announce(text: &str) {
    let Some(document) = web_sys::window().and_then(|window| window.document()) else { return };
    let Some(region) = document.query_selector(".live-region").ok().flatten() else { return };
    let Ok(line) = document.create_element("p") else { return };
    line.set_text_content(Some(text));
    let _ = region.append_child(&line);
    while region.child_element_count() > ANNOUNCED_LINES {
        let Some(first) = region.first_element_child() else { break };
        first.remove();
    }
}

/// After a panic Rust is gone: the script shows the bar that offers to reload.
pub fn on_panic() {
    std::panic::set_hook(Box::new(|info| {
        web_sys::console::error_1(&info.to_string().into());
        script::panic();
    }));
}
