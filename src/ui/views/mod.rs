//! One view per route.

mod account;
mod door;
mod inside;
mod room;
mod rooms;
mod unread;

pub use account::Account;
pub use door::{Enter, Join, SetUp, SignIn};
pub use room::RoomPage;
pub use rooms::Rooms;
pub use unread::{Unread, UnreadBefore};

use crate::ui::components::Mark;
use crate::ui::store::{use_notice, use_store};
use dioxus::prelude::*;
use inside::Unsent;

/// The server leads `/` to where one belongs; this shows when a client comes here by itself.
#[component]
pub fn Home() -> Element {
    let store = use_store();
    if store.session.is_some() {
        rsx! { Rooms {} }
    } else {
        rsx! { SignIn {} }
    }
}

#[component]
pub fn NotFound(rest: Vec<String>) -> Element {
    let _ = rest;
    rsx! { Nothing {} }
}

/// No such page, or not yours: one answer.
#[component]
pub fn Nothing() -> Element {
    let refused = use_notice().filter(|notice| !notice.done);
    rsx! {
        div { class: "app door",
            main { class: "page narrow",
                header { class: "page-head",
                    Mark {}
                    h1 { "Nothing here" }
                    p { "This page does not exist, or it is not yours to see." }
                }
                if let Some(notice) = refused {
                    p { class: "error boxed", role: "alert", "{notice.text}" }
                    Unsent { text: notice.unsent() }
                }
                p { class: "actions-row centred",
                    a { class: "button", href: "/", "Go to your rooms" }
                }
            }
        }
    }
}
