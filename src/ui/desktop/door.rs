//! Adding a server: its address, then the way in.

use super::Shown;
use super::desk::Desk;
use crate::client::platform::native::address::{self, Found};
use crate::client::platform::native::server::Server;
use crate::ui::components::Mark;
use crate::ui::dom;
use dioxus::prelude::*;
use std::sync::Arc;

#[component]
pub fn Door(shown: Signal<Shown>) -> Element {
    let desk = use_context::<Arc<Desk>>();
    let mut found = use_signal(|| None::<Found>);
    let mut fault = use_signal(|| None::<String>);
    let mut busy = use_signal(|| false);
    let check = move |event: FormEvent| {
        event.prevent_default();
        let typed = dom::field(&event, "address");
        spawn(async move {
            busy.set(true);
            fault.set(None);
            match address::check(&typed).await {
                Ok(server) if server.needs_setup => {
                    fault.set(Some(format!(
                        "Nobody has set up {} yet. Open it in a browser first.",
                        server.base
                    )));
                }
                Ok(server) => found.set(Some(server)),
                Err(wrong) => fault.set(Some(wrong.to_string())),
            }
            busy.set(false);
        });
    };
    let enter = move |event: FormEvent| {
        event.prevent_default();
        let Some(server) = found() else { return };
        let said = ["name", "handle", "password"].map(|name| dom::field(&event, name));
        let desk = desk.clone();
        spawn(async move {
            busy.set(true);
            fault.set(None);
            let [name, handle, password] = &said;
            let entered = match &server.invitation {
                Some(invitation) => {
                    let fields = [("name", name.as_str()), ("handle", handle), ("password", password)];
                    Server::join(&server.base, invitation, &fields).await
                }
                None => Server::sign_in(&server.base, handle, password).await,
            };
            let entered = match entered {
                Ok(server) => desk.signed_in(server).await,
                Err(fault) => Err(fault.to_string()),
            };
            match entered {
                Ok(key) => {
                    let n = shown.peek().next() + 1;
                    return shown.set(Shown::Login { key, n, path: None });
                }
                Err(why) => fault.set(Some(why)),
            }
            busy.set(false);
        });
    };
    let (title, lead) = match found() {
        None => ("Your server".to_owned(), "Beck talks to the server of your team.".to_owned()),
        Some(server) => (server.workspace.clone(), server.base.clone()),
    };
    rsx! {
        div { class: "app door",
            main { class: "page narrow",
                header { class: "page-head",
                    Mark {}
                    h1 { "{title}" }
                    p { "{lead}" }
                }
                if let Some(server) = found() {
                    form { class: "form", onsubmit: enter,
                        Fault { fault }
                        if server.invitation.is_some() {
                            Field { name: "name", label: "Your name", kind: "text" }
                        }
                        Field { name: "handle", label: "Handle", kind: "text" }
                        if server.invitation.is_some() {
                            p { class: "note", "Name and handle stay in the log for ever." }
                        }
                        Field { name: "password", label: "Password", kind: "password" }
                        button { class: "button wide", r#type: "submit", disabled: busy(),
                            if server.invitation.is_some() { "Join" } else { "Sign in" }
                        }
                        button { class: "link", r#type: "button", onclick: move |_| { found.set(None); fault.set(None); }, "Another server" }
                    }
                } else {
                    form { class: "form", onsubmit: check,
                        Fault { fault }
                        Field { name: "address", label: "Address or invitation", kind: "text" }
                        button { class: "button wide", r#type: "submit", disabled: busy(),
                            if busy() { "Looking for it" } else { "Go on" }
                        }
                        p { class: "note", "As your team gave it to you, like chat.example.org, or the link of an invitation." }
                    }
                }
            }
        }
    }
}

#[component]
fn Fault(fault: Signal<Option<String>>) -> Element {
    rsx! {
        if let Some(fault) = fault() {
            p { class: "error boxed", role: "alert", "{fault}" }
        }
    }
}

#[component]
fn Field(name: String, label: String, kind: String) -> Element {
    rsx! {
        div { class: "field-group",
            label { r#for: "{name}", "{label}" }
            input {
                class: "field",
                id: "{name}",
                name: "{name}",
                r#type: "{kind}",
                autocomplete: "off",
                autocapitalize: "none",
                spellcheck: "false",
                required: true,
                autofocus: name != "password" && name != "handle",
            }
        }
    }
}
