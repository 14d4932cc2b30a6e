//! What people see: routes, views, components. Props in, intents out; nothing here touches a socket.

pub mod acting;
pub mod components;
#[cfg(all(not(feature = "server"), not(target_arch = "wasm32")))]
mod desktop;
pub mod dom;
pub mod route;
pub mod store;
pub mod views;

use crate::api;
use dioxus::prelude::*;
use route::Route;

/// Starts the client.
#[cfg(not(feature = "server"))]
pub fn launch() {
    #[cfg(target_arch = "wasm32")]
    {
        dom::write_to_console();
        dom::on_panic();
    }
    #[cfg(target_arch = "wasm32")]
    dioxus::launch(App);
    #[cfg(not(target_arch = "wasm32"))]
    desktop::launch();
}

const STYLES: [Asset; 20] = [
    asset!("/assets/css/fonts.css"),
    asset!("/assets/css/base.css"),
    asset!("/assets/css/layout.css"),
    asset!("/assets/css/avatar.css"),
    asset!("/assets/css/sidebar.css"),
    asset!("/assets/css/room.css"),
    asset!("/assets/css/chip.css"),
    asset!("/assets/css/timeline.css"),
    asset!("/assets/css/row.css"),
    asset!("/assets/css/text.css"),
    asset!("/assets/css/acts.css"),
    asset!("/assets/css/composer.css"),
    asset!("/assets/css/write.css"),
    asset!("/assets/css/card.css"),
    asset!("/assets/css/form.css"),
    asset!("/assets/css/bar.css"),
    asset!("/assets/css/unread.css"),
    asset!("/assets/css/presence.css"),
    asset!("/assets/css/around.css"),
    asset!("/assets/css/thread.css"),
];
// In this order: an open list of completions takes Enter before it sends.
const SCRIPTS: [Asset; 7] = [
    asset!("/assets/write.js"),
    asset!("/assets/dom.js"),
    asset!("/assets/list.js"),
    asset!("/assets/page.js"),
    asset!("/assets/acts.js"),
    asset!("/assets/around.js"),
    asset!("/assets/device.js"),
];

/// The root: one loader, then every view reads the store.
#[component]
pub fn App() -> Element {
    rsx! {
        for style in STYLES {
            document::Stylesheet { href: style }
        }
        // Not deferred: they must be there before the module that calls them.
        for script in SCRIPTS {
            document::Script { src: script }
        }
        Loaded {}
    }
}

#[cfg(not(target_arch = "wasm32"))]
use api::boot;

/// In the browser the data of a page is in the page: without a way to ask for it the client is a tenth smaller.
#[cfg(target_arch = "wasm32")]
async fn boot() -> Result<api::BootJson, dioxus::CapturedError> {
    Err(dioxus::CapturedError::from_display("The page came without its data. Load it again."))
}

#[component]
fn Loaded() -> Element {
    let boot = use_loader(boot)?;
    let boot = boot.peek().read()?;
    store::provide(&boot);
    rsx! {
        div {
            class: "root",
            "data-theme": "{boot.theme}",
            Router::<Route> {}
        }
    }
}
