//! Calls window.beck, and hands its events to the engine.

use super::Used;
use super::said::{gesture_of, input_of};
use crate::client::engine::Intents;
use crate::ui::acting::{Gesture, Spot};
use dioxus::prelude::FormEvent;
use futures::channel::mpsc::UnboundedSender;
use wasm_bindgen::prelude::*;

/// What the client runs in, in words.
pub const HERE: &str = "browser";
pub const NOT_KEPT: &str = "This browser keeps nothing: what waits is kept only in this tab.";
/// Signing out leaves what waits where it is.
pub const KEPT_SIGNED_OUT: bool = true;

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
        pub fn composer_named() -> String;
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn edit_named() -> String;
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn composer_empty(lane: f64);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn offer(room: &str, text: &str);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn compose(room: &str, text: &str);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn to_ordinal(lane: f64, ordinal: f64);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn to_bottom(lane: f64);
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
        pub fn place(is: bool);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn opened(open: bool);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn edit_begin(text: &str);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn edit_text() -> String;
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn announce(text: &str);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn composer_focus(lane: f64);
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

/// Links and forms lead by themselves.
pub fn use_led() {}

pub fn live() {
    script::live();
}

/// Gives the page another address of the same server, without loading anything.
pub fn address(path: &str) {
    script::address(path);
}

pub fn composer_text(_: &FormEvent) -> String {
    script::composer_text().unwrap_or_default()
}

/// Whose handles were completed there.
pub fn composer_named(_: &FormEvent) -> String {
    script::composer_named()
}

pub fn edit_named(_: &FormEvent) -> String {
    script::edit_named()
}

pub fn composer_empty(lane: u64) {
    script::composer_empty(lane as f64);
}

/// Puts a kept text into a lane's composer, if that lane is open and nothing was typed.
pub fn offer(lane: &str, text: &str) {
    script::offer(lane, text);
}

/// Puts a text before what stands in a lane's composer, if that lane is open.
pub fn compose(lane: &str, text: &str) {
    script::compose(lane, text);
}

/// Brings a row of a lane into view, if it is there.
pub fn to_ordinal(lane: u64, ordinal: u64) {
    script::to_ordinal(lane as f64, ordinal as f64);
}

pub fn to_bottom(lane: u64) {
    script::to_bottom(lane as f64);
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
pub fn place(active: Option<Spot>) {
    script::place(active.is_some());
}

/// Something was drawn over the list, or is gone: it is placed and takes the focus, or gives it back.
pub fn opened(open: bool) {
    script::opened(open);
}

/// Fills the box in which a message is edited, and puts the caret at its end.
pub fn edit_begin(text: &str) {
    script::edit_begin(text);
}

pub fn edit_text(_: &FormEvent) -> String {
    script::edit_text()
}

pub fn composer_focus(lane: u64) {
    script::composer_focus(lane as f64);
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

/// A polite line for a screen reader, outside the list.
pub fn announce(text: &str) {
    script::announce(text);
}

/// After a panic Rust is gone: the script shows the bar that offers to reload.
pub fn on_panic() {
    std::panic::set_hook(Box::new(|info| {
        web_sys::console::error_1(&info.to_string().into());
        script::panic();
    }));
}
