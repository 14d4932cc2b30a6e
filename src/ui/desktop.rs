//! The app with a window of its own.

mod desk;
mod door;
mod inside;
mod keyring;
mod notes;
mod only;
mod pass;
mod place;
mod prefs;
mod window;
mod wish;

use super::components::icon;
use super::dom;
use crate::client::Lane;
use desk::Desk;
use dioxus::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;
use wish::Wishes;

/// What the window shows.
#[derive(Debug, Clone, PartialEq)]
enum Shown {
    /// A login, and how often another thing was asked of it: a new token is a new engine, a message another place.
    Login { key: String, n: u32, path: Option<String> },
    /// Somebody adds a server.
    Door,
}

impl Shown {
    fn login(key: String) -> Shown {
        Shown::Login { key, n: 0, path: None }
    }

    fn key(&self) -> Option<&str> {
        match self {
            Shown::Login { key, .. } => Some(key),
            Shown::Door => None,
        }
    }

    /// As often as before, and once more.
    fn next(&self) -> u32 {
        match self {
            Shown::Login { n, .. } => n + 1,
            Shown::Door => 0,
        }
    }
}

pub fn launch() {
    let folder =
        directories::ProjectDirs::from("chat", "beck", "Beck").map(|dirs| dirs.data_dir().to_owned());
    let Some(folder) = folder else { return eprintln!("Beck: there is no home folder to keep anything in.") };
    let unusable = |fault: std::io::Error| eprintln!("Beck: {} cannot be used: {fault}.", folder.display());
    let wishes = Arc::new(Wishes::default());
    let _only = match only::claim(&folder, wishes.clone()) {
        Ok(Some(only)) => only,
        // The other one shows itself.
        Ok(None) => return,
        Err(fault) => return unusable(fault),
    };
    let desk = match Desk::open(folder.clone(), wishes.clone()) {
        Ok(desk) => Arc::new(desk),
        Err(fault) => return unusable(fault),
    };
    prefs::remember(&folder);
    let config = window::config(&folder, wishes, desk.clone());
    dioxus::LaunchBuilder::desktop().with_cfg(config).with_context(desk).launch(Desktop);
}

#[component]
fn Desktop() -> Element {
    let desk = use_context::<Arc<Desk>>();
    let last = desk.last();
    let shown = use_signal(|| last.map_or(Shown::Door, Shown::login));
    let current = use_memo(move || shown.read().key().map(str::to_owned));
    pass::use_files();
    pass::use_requests(current, shown);
    let looking = desk.clone();
    use_effect(move || looking.look_at(current().as_deref()));
    let counts = use_wishes(shown);
    #[cfg(unix)]
    use_hook(|| drop(tokio::spawn(end_with(desk.wishes.clone()))));
    rsx! {
        div { class: "root", "data-theme": dom::theme(),
            Servers { shown, counts }
            match shown() {
                Shown::Login { key, n, path } => rsx! {
                    inside::Login { key: "{key} {n}", login: key, path }
                },
                Shown::Door => rsx! { door::Door { shown } },
            }
        }
    }
}

/// The servers that one is signed in at, and the way to another one.
#[component]
fn Servers(mut shown: Signal<Shown>, counts: Signal<HashMap<String, (u32, u32)>>) -> Element {
    let desk = use_context::<Arc<Desk>>();
    let current = shown.read().key().map(str::to_owned);
    let logins = desk.logins();
    if logins.is_empty() {
        return rsx! {};
    }
    rsx! {
        nav { class: "servers", "aria-label": "Servers",
            for (key , workspace , base) in logins.into_iter().map(|login| (login.key(), login.workspace, login.base)) {
                button {
                    key: "{key}",
                    class: "server",
                    "aria-pressed": if current.as_ref() == Some(&key) { "true" } else { "false" },
                    title: "{base}",
                    onclick: {
                        let key = key.clone();
                        move |_| shown.set(Shown::login(key.clone()))
                    },
                    span { class: "label", "{workspace}" }
                    match counts.read().get(&key).copied() {
                        Some((0, 1..)) => rsx! { span { class: "dot", role: "img", "aria-label": "unread" } },
                        Some((mentions @ 1.., _)) => rsx! { span { class: "count", "{mentions}" } },
                        _ => rsx! {},
                    }
                }
            }
            button {
                class: "server",
                title: "Add a server",
                "aria-label": "Add a server",
                "aria-pressed": if current.is_none() { "true" } else { "false" },
                onclick: move |_| shown.set(Shown::Door),
                {icon("plus", 16)}
            }
        }
    }
}

/// Goes to a message whose notification was clicked, and gives what waits at each server.
fn use_wishes(mut shown: Signal<Shown>) -> Signal<HashMap<String, (u32, u32)>> {
    let desk = use_context::<Arc<Desk>>();
    let mut counts = use_signal(|| desk.wishes.counts());
    use_future(move || {
        let wishes = desk.wishes.clone();
        async move {
            let mut changes = wishes.changes();
            changes.mark_changed();
            while changes.changed().await.is_ok() {
                let now = wishes.counts();
                if *counts.peek() != now {
                    counts.set(now);
                }
                if let Some((key, Lane { room, lane }, ordinal)) = wishes.opened() {
                    let n = shown.peek().next();
                    let thread = if lane == 0 { String::new() } else { format!("thread/{lane}/") };
                    shown.set(Shown::Login { key, n, path: Some(format!("/r/{room}/{thread}{ordinal}")) });
                }
            }
        }
    });
    counts
}

/// Whoever ends the session of the desktop, or the app from a shell, ends it well.
#[cfg(unix)]
async fn end_with(wishes: Arc<Wishes>) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut told) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = told.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    wishes.quit();
}
