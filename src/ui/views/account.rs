//! One's own account: password, logins.

use super::SignIn;
use crate::client::{Input, Session};
use crate::ui::components::Sidebar;
use crate::ui::dom;
use crate::ui::store::use_store;
use dioxus::prelude::*;

#[component]
pub fn Account() -> Element {
    match use_store().session {
        Some(session) => rsx! { Settings { session } },
        None => rsx! { SignIn {} },
    }
}

#[component]
fn Settings(session: Signal<Session>) -> Element {
    let store = use_store();
    let intents = store.intents.clone();
    use_effect(move || {
        intents.send(Input::LookAway);
        dom::title("Account");
    });
    let notice = store.boot.notice.clone().filter(|notice| !notice.text.is_empty());
    let me = session.read().me.clone();
    rsx! {
        div { class: "app",
            Sidebar { session, current: None }
            main { class: "page account", id: "main", tabindex: "-1",
                header { class: "rooms-head",
                    h1 { "Account" }
                    p { "{me.name}, @{me.handle}" }
                }
                if let Some(notice) = &notice {
                    p { class: "error boxed", role: "alert", "{notice.text}" }
                }
                section { class: "new-room", "aria-labelledby": "password-head",
                    h2 { id: "password-head", "Password" }
                    form { class: "form", method: "post", action: "/account/password",
                        input { r#type: "hidden", name: "handle", autocomplete: "username", value: "{me.handle}" }
                        div { class: "field-group",
                            label { r#for: "current", "Current password" }
                            input { class: "field", id: "current", name: "current", r#type: "password", autocomplete: "current-password", maxlength: "256", required: true }
                        }
                        div { class: "field-group",
                            label { r#for: "new", "New password" }
                            input { class: "field", id: "new", name: "new", r#type: "password", autocomplete: "new-password", minlength: "10", maxlength: "256", required: true, "aria-describedby": "new-hint" }
                            p { class: "note", id: "new-hint", "10 characters at least. Your other browsers are signed out." }
                        }
                        button { class: "button", r#type: "submit", "Change the password" }
                    }
                }
                section { class: "new-room", "aria-labelledby": "logins-head",
                    h2 { id: "logins-head", "Logins" }
                    form { class: "form", method: "post", action: "/sign-out-everywhere",
                        p { class: "note", "If you signed in somewhere and left it open: this ends every login of yours, this one too." }
                        button { class: "button", r#type: "submit", "Sign out everywhere" }
                    }
                }
            }
            div { class: "live-region hidden", "aria-live": "polite" }
        }
    }
}
