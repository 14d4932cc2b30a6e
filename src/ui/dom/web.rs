//! Calls window.beck, and hands its events to the engine.

use crate::client::Input;
use crate::client::engine::Intents;
use wasm_bindgen::prelude::*;

mod script {
    use wasm_bindgen::prelude::*;

    #[wasm_bindgen]
    extern "C" {
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn attach(callback: &Closure<dyn FnMut(String, String)>);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn live();
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn composer_text() -> Option<String>;
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn composer_set(text: &str, force: bool);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn composer_focus();
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn to_bottom();
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn title(text: &str);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn copy(text: &str);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn set_theme(theme: &str);
        #[wasm_bindgen(js_namespace = ["window", "beck"])]
        pub fn panic();
    }
}

/// Events of the page become inputs of the engine. They go through its channel: no signal is written here.
pub fn attach(intents: Intents) {
    let callback = Closure::new(move |kind: String, text: String| {
        let input = match kind.as_str() {
            "older" => Input::Older,
            "newer" => Input::Newer,
            "wake" => Input::Wake,
            "visible" => match text.parse() {
                Ok(ordinal) => Input::Seen(ordinal),
                Err(_) => return,
            },
            _ => return,
        };
        intents.send(input);
    });
    script::attach(&callback);
    // The page holds it for as long as it lives.
    callback.forget();
}

pub fn live() {
    script::live();
}

pub fn composer_text() -> String {
    script::composer_text().unwrap_or_default()
}

pub fn composer_set(text: &str) {
    script::composer_set(text, true);
}

pub fn composer_focus() {
    script::composer_focus();
}

pub fn to_bottom() {
    script::to_bottom();
}

pub fn title(text: &str) {
    script::title(text);
}

pub fn copy(text: &str) {
    script::copy(text);
}

pub fn set_theme(theme: &str) {
    script::set_theme(theme);
}

/// One polite line for a screen reader, outside the list.
pub fn announce(text: &str) {
    let region = web_sys::window()
        .and_then(|window| window.document())
        .and_then(|document| document.query_selector(".live-region").ok().flatten());
    if let Some(region) = region {
        region.set_text_content(Some(text));
    }
}

/// After a panic Rust is gone: the script shows the bar that offers to reload.
pub fn on_panic() {
    std::panic::set_hook(Box::new(|info| {
        web_sys::console::error_1(&info.to_string().into());
        script::panic();
    }));
}
