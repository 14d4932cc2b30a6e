//! One's own account: password, logins.

use super::SignIn;
use super::inside::Page;
use crate::client::Session;
use crate::ui::components::NoticeSettings;
use crate::ui::store::{use_refused, use_store};
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
    let me = session.read().me.clone();
    let refused = use_refused(&["/account/password"]);
    let wrong_new = refused.as_ref().is_some_and(|notice| notice.is_about("New password"));
    let wrong = refused.as_ref().is_some_and(|notice| notice.is_about("Current password"));
    rsx! {
        Page { session, class: "account", title: "Account", lead: "{me.name}, @{me.handle}",
            section { class: "new-room", "aria-labelledby": "password-head",
                h2 { id: "password-head", "Password" }
                form { class: "form", method: "post", action: "/account/password",
                    input { r#type: "hidden", name: "handle", autocomplete: "username", value: "{me.handle}" }
                    div { class: "field-group",
                        label { r#for: "current", "Current password" }
                        input { class: "field", id: "current", name: "current", r#type: "password", autocomplete: "current-password", maxlength: "256", required: true, autofocus: refused.is_some() && !wrong_new, "aria-invalid": wrong.then_some("true") }
                    }
                    div { class: "field-group",
                        label { r#for: "new", "New password" }
                        input { class: "field", id: "new", name: "new", r#type: "password", autocomplete: "new-password", minlength: "10", maxlength: "256", required: true, autofocus: wrong_new, "aria-invalid": wrong_new.then_some("true"), "aria-describedby": "new-hint" }
                        p { class: "note", id: "new-hint", "10 characters at least. Your other devices are signed out." }
                    }
                    button { class: "button plain", r#type: "submit", "Change the password" }
                }
            }
            section { class: "new-room", "aria-labelledby": "logins-head",
                h2 { id: "logins-head", "Logins" }
                form { class: "form", method: "post", action: "/sign-out-everywhere",
                    p { class: "note", "If you signed in somewhere and left it open: this ends every login of yours, this one too." }
                    button { class: "button plain", r#type: "submit", "Sign out everywhere" }
                }
            }
            // Last: what it says depends on the browser, and nothing below it may move.
            NoticeSettings { session }
        }
    }
}
