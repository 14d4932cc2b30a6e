//! What the pages for those who are signed in share.

use crate::client::{Input, Session};
use crate::protocol::RoomId;
use crate::ui::acting::Dialog;
use crate::ui::components::icon;
use crate::ui::components::{Keyboard, MarkedBar, OfferNotices, Sidebar, Switcher};
use crate::ui::dom;
use crate::ui::route::Route;
use crate::ui::store::{use_notice, use_store};
use dioxus::prelude::*;

/// The frame: rooms at the left, the page, and what a screen reader is told.
#[component]
pub fn Inside(
    session: Signal<Session>,
    current: Option<RoomId>,
    /// A small screen shows the list of rooms too.
    #[props(default)]
    show_list: bool,
    children: Element,
) -> Element {
    // A clicked notification leads to its message.
    let opened = use_memo(move || session.read().notices.opened);
    let seen = use_hook(|| (*opened.peek()).map(|(.., count)| count));
    use_effect(move || {
        if let Some((at, ordinal, count)) = opened()
            && seen != Some(count)
        {
            navigator().push(Route::row(at.room, at.lane, ordinal));
        }
    });
    dom::use_led();
    let acting = use_store().acting;
    let dialog = use_memo(move || acting.read().dialog);
    rsx! {
        div { class: if show_list { "app show-list" } else { "app" },
            Sidebar { session, current }
            {children}
            MarkedBar { session }
            match dialog() {
                Some(Dialog::Switcher) => rsx! { Switcher { session } },
                Some(Dialog::Keys) => rsx! { Keyboard {} },
                None => rsx! {},
            }
            div { class: "live-region hidden", "aria-live": "polite" }
        }
    }
}

/// A page that is no room: its head, and what became of the form that led to it.
#[component]
pub fn Page(
    session: Signal<Session>,
    title: String,
    lead: String,
    class: String,
    #[props(default)] show_list: bool,
    children: Element,
) -> Element {
    let intents = use_store().intents;
    let notice = use_notice();
    let head = title.clone();
    use_effect(move || {
        intents.send(Input::LookAway);
        dom::title(&head);
    });
    rsx! {
        Inside { session, current: None::<RoomId>, show_list,
            main { class: "page {class}", id: "main", tabindex: "-1",
                header { class: "rooms-head",
                    if !show_list {
                        Link { class: "icon-button back", to: Route::Rooms {}, "aria-label": "All rooms",
                            {icon("chevron-left", 18)}
                        }
                    }
                    h1 { "{title}" }
                    p { "{lead}" }
                }
                if let Some(notice) = &notice {
                    if notice.done {
                        p { class: "done boxed", role: "status", "{notice.text}" }
                    } else {
                        p { class: "error boxed", role: "alert", "{notice.text}" }
                        Unsent { text: notice.unsent() }
                    }
                }
                OfferNotices { session }
                {children}
            }
        }
    }
}

/// What was written for a room, on a page without a composer that could hold it.
#[component]
pub fn Unsent(text: String) -> Element {
    rsx! {
        if !text.is_empty() {
            p { class: "field unsent-text", role: "group", "aria-label": "What you wrote", "{text}" }
        }
    }
}
