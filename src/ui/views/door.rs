//! Pages for those who are not signed in: first run, sign in, join. Plain forms; no script is needed.

use crate::api::{DEAD_ENTER_LINK, DEAD_JOIN_LINK};
use crate::ui::components::{FOR_EVER, Mark, for_ever_before_five, name_lengths};
use crate::ui::route::Route;
use crate::ui::store::use_store;
use dioxus::prelude::*;

const HANDLE_NOTE: &str =
    "For @mentions: a to z, 0 to 9, dot, dash, underscore. It stays in the log for ever.";

#[component]
fn Door(title: String, lead: String, children: Element) -> Element {
    rsx! {
        div { class: "app door",
            main { class: "page narrow",
                header { class: "page-head",
                    Mark {}
                    h1 { "{title}" }
                    p { "{lead}" }
                }
                {children}
            }
        }
    }
}

#[component]
fn NoticeLine() -> Element {
    let store = use_store();
    rsx! {
        if let Some(notice) = &store.boot.notice {
            p { class: "error boxed", role: "alert", "{notice.text}" }
        }
    }
}

/// Carries the page that a person came for through the form.
#[component]
fn Next() -> Element {
    let next = use_store().boot.next.clone();
    rsx! {
        if !next.is_empty() {
            input { r#type: "hidden", name: "next", value: "{next}" }
        }
    }
}

/// A labelled input that keeps what was typed when its form comes back.
#[component]
fn Field(
    name: String,
    label: String,
    #[props(default = "text".to_owned())] kind: String,
    autocomplete: String,
    #[props(default)] note: String,
    #[props(default)] minlength: u32,
    maxlength: u32,
    #[props(default)] focus: bool,
    /// Where the person goes on who was not let in, whatever the reason.
    #[props(default)]
    again: bool,
) -> Element {
    let store = use_store();
    let notice = store.boot.notice.as_ref();
    let value = notice.map(|notice| notice.field(&name)).unwrap_or_default();
    // What a form says of a field begins with its label: there the person goes on.
    let wrong = notice.is_some_and(|notice| again || notice.is_about(&label));
    let plain = name == "handle" || name == "code";
    rsx! {
        div { class: "field-group",
            label { r#for: "{name}", "{label}" }
            input {
                class: "field",
                id: "{name}",
                name: "{name}",
                r#type: "{kind}",
                autocomplete: "{autocomplete}",
                autocapitalize: if plain { "none" } else { "sentences" },
                spellcheck: if plain { "false" } else { "true" },
                minlength: "{minlength}",
                maxlength: "{maxlength}",
                autofocus: wrong || focus && notice.is_none(),
                "aria-invalid": wrong.then_some("true"),
                required: true,
                value: "{value}",
                "aria-describedby": "{name}-hint",
            }
            p { class: "note", id: "{name}-hint", "{note}" }
        }
    }
}

#[component]
pub fn SetUp() -> Element {
    let store = use_store();
    rsx! {
        Door { title: "A place for your team", lead: "Three things, and you are in.",
            form { class: "steps", method: "post", action: "/setup",
                NoticeLine {}
                fieldset { class: "step",
                    legend { "Workspace" }
                    Field { name: "workspace", label: "Name of your team", autocomplete: "organization", note: FOR_EVER, minlength: 2, maxlength: 32, focus: true }
                }
                fieldset { class: "step",
                    legend { "You" }
                    div { class: "pair",
                        Field { name: "name", label: "Your name", autocomplete: "name", note: for_ever_before_five(store.boot.format), minlength: name_lengths(store.boot.format).0, maxlength: name_lengths(store.boot.format).1 }
                        Field { name: "handle", label: "Handle", autocomplete: "username", note: HANDLE_NOTE, minlength: 2, maxlength: 25 }
                    }
                }
                fieldset { class: "step",
                    legend { "Sign-in" }
                    Field { name: "password", label: "Password", kind: "password", autocomplete: "new-password", note: "10 characters at least.", minlength: 10, maxlength: 256 }
                    if store.boot.asks_code {
                        Field { name: "code", label: "One-time code", autocomplete: "one-time-code", note: "Beck printed it where it runs: see its terminal, docker logs or journalctl.", maxlength: 64 }
                    }
                }
                button { class: "button wide", r#type: "submit", "Open the workspace" }
            }
        }
    }
}

#[component]
pub fn SignIn() -> Element {
    let store = use_store();
    let again = store.boot.notice.as_ref().is_some_and(|notice| notice.form == "/sign-in");
    rsx! {
        Door { title: store.boot.workspace.clone(), lead: "Sign in to go on.",
            form { class: "form", method: "post", action: "/sign-in",
                NoticeLine {}
                Next {}
                Field { name: "handle", label: "Handle", autocomplete: "username", maxlength: 25 }
                Field { name: "password", label: "Password", kind: "password", autocomplete: "current-password", maxlength: 256, again }
                button { class: "button wide", r#type: "submit", "Sign in" }
                p { class: "note", "New here? Ask someone inside for a link." }
            }
        }
    }
}

#[component]
pub fn Join(token: String) -> Element {
    let store = use_store();
    let title = format!("Join {}", store.boot.workspace);
    if store.boot.dead_link {
        let lead = store.boot.notice.as_ref().map_or(DEAD_JOIN_LINK, |notice| notice.text.as_str());
        return rsx! {
            Door { title, lead,
                Link { class: "button wide", to: Route::SignIn {}, "Sign in" }
            }
        };
    }
    rsx! {
        Door { title, lead: "Someone inside sent you this link.",
            form { class: "form", method: "post", action: "/join/{token}",
                NoticeLine {}
                Next {}
                Field { name: "name", label: "Your name", autocomplete: "name", note: for_ever_before_five(store.boot.format), minlength: name_lengths(store.boot.format).0, maxlength: name_lengths(store.boot.format).1 }
                Field { name: "handle", label: "Handle", autocomplete: "username", note: HANDLE_NOTE, minlength: 2, maxlength: 25 }
                Field { name: "password", label: "Password", kind: "password", autocomplete: "new-password", note: "10 characters at least.", minlength: 10, maxlength: 256 }
                button { class: "button wide", r#type: "submit", "Join" }
                p { class: "note",
                    "Been here before? "
                    if store.boot.next.is_empty() {
                        Link { to: Route::SignIn {}, "Sign in" }
                    } else {
                        a { href: "/sign-in?next={store.boot.next}", "Sign in" }
                    }
                }
            }
        }
    }
}

/// The page of a link that signs its holder in. Only the button does: a link alone could be put into any page.
#[component]
pub fn Enter(token: String) -> Element {
    let store = use_store();
    let title = store.boot.workspace.clone();
    let Some(person) = &store.boot.enters_as else {
        return rsx! {
            Door { title, lead: DEAD_ENTER_LINK,
                Link { class: "button wide", to: Route::SignIn {}, "Sign in with a password" }
            }
        };
    };
    let name = person.name.clone();
    rsx! {
        Door { title, lead: "This link works once.",
            form { class: "form", method: "post", action: "/enter/{token}",
                button { class: "button wide", r#type: "submit", "Sign in as {name}" }
            }
        }
    }
}
