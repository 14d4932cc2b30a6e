//! The way to rooms, people and commands, by typing a part of their names. Which line is chosen, assets/around.js
//! knows.

use super::{Avatar, icon};
use crate::client::{Input, Session};
use crate::protocol::RoomAct;
use crate::protocol::frame::{Person, RoomInfo, RoomKind};
use crate::text::matching::distance;
use crate::ui::acting::Dialog;
use crate::ui::dom::{self, Used};
use crate::ui::route::Route;
use crate::ui::store::{Store, use_store};
use dioxus::prelude::*;

/// Lines that are shown.
const SHOWN: usize = 12;

#[derive(Clone)]
enum Choice {
    Room(RoomInfo),
    Person(Person),
    Command(Command),
}

#[derive(Clone, Copy, PartialEq)]
enum Command {
    Unread,
    Rooms,
    ReadAll,
    Keys,
    Account,
    Light,
    Dark,
    System,
}

const COMMANDS: [(Command, &str); 8] = [
    (Command::Unread, "Unread and mentions"),
    (Command::Rooms, "All rooms, and make one"),
    (Command::ReadAll, "Mark all as read"),
    (Command::Keys, "Keyboard"),
    (Command::Account, "Account and password"),
    (Command::Light, "Look: light"),
    (Command::Dark, "Look: dark"),
    (Command::System, "Look: as the system"),
];

impl Choice {
    fn key(&self) -> String {
        match self {
            Choice::Room(room) => room.id.to_string(),
            Choice::Person(person) => person.id.to_string(),
            Choice::Command(command) => (*command as u8).to_string(),
        }
    }

    fn name(&self) -> String {
        match self {
            Choice::Room(room) => room.name.clone(),
            Choice::Person(person) => format!("{} {}", person.name, person.handle),
            Choice::Command(command) => {
                let words = COMMANDS.iter().find(|(of, _)| of == command);
                words.map(|(_, words)| (*words).to_owned()).unwrap_or_default()
            }
        }
    }

    fn shown(&self) -> String {
        match self {
            Choice::Person(person) => person.name.clone(),
            other => other.name(),
        }
    }

    fn aside(&self, session: &Session) -> String {
        match self {
            Choice::Person(person) => format!("mention @{}", person.handle),
            Choice::Room(room) => {
                let badge = session.badge(room);
                match room {
                    room if !room.joined => "not joined",
                    room if session.typed.contains_key(&room.id.into()) => "draft",
                    _ if badge.all_mentions() > 0 => "names you",
                    _ if badge.all_unread() > 0 && !badge.wanted.muted => "unread",
                    _ => "",
                }
                .to_owned()
            }
            Choice::Command(_) => String::new(),
        }
    }

    fn picture(&self) -> Element {
        match self {
            Choice::Person(person) => {
                rsx! { Avatar { id: person.id, name: person.name.clone(), small: true } }
            }
            Choice::Room(room) if room.kind == RoomKind::Open => icon("hash", 16),
            Choice::Room(_) => icon("lock", 16),
            Choice::Command(Command::Unread) => icon("inbox", 16),
            Choice::Command(Command::Rooms) => icon("plus", 16),
            Choice::Command(Command::ReadAll) => icon("check-check", 16),
            Choice::Command(Command::Keys) => icon("keyboard", 16),
            Choice::Command(Command::Account) => icon("user", 16),
            Choice::Command(_) => icon("sun-moon", 16),
        }
    }

    fn carry_out(&self, store: &Store) {
        let mut acting = store.acting;
        acting.write().dialog = None;
        let route = match self {
            Choice::Room(room) => Route::room(room.id),
            Choice::Person(person) => return dom::insert(&format!("@{} ", person.handle)),
            Choice::Command(Command::Unread) => Route::Unread {},
            Choice::Command(Command::Rooms) => Route::Rooms {},
            Choice::Command(Command::Account) => Route::Account {},
            Choice::Command(Command::ReadAll) => return store.intents.send(Input::MarkAllRead),
            Choice::Command(Command::Keys) => {
                acting.write().dialog = Some(Dialog::Keys);
                return;
            }
            Choice::Command(Command::Light) => return dom::set_theme("light"),
            Choice::Command(Command::Dark) => return dom::set_theme("dark"),
            Choice::Command(Command::System) => return dom::set_theme("system"),
        };
        navigator().push(route);
    }
}

/// What fits the query, the nearest first. Without one: rooms, those that name me, then those looked at last.
fn choices(session: &Session, query: &str, visited: &[String]) -> Vec<Choice> {
    let blank = query.trim().is_empty();
    // People can be named where one can write.
    let writes = session.looking_at.is_some_and(|room| session.may(room, RoomAct::Post));
    let mut all = Vec::new();
    for room in session.rooms.iter().filter(|room| !room.archived && Some(room.id) != session.looking_at) {
        if room.joined || !blank {
            all.push(Choice::Room(room.clone()));
        }
    }
    if !blank {
        let people = session.people.values().filter(|person| writes && person.id != session.me.id);
        all.extend(people.cloned().map(Choice::Person));
        all.extend(COMMANDS.iter().map(|(command, _)| Choice::Command(*command)));
    }
    // How far off, what comes first among equals, and where it stands in `all`.
    let mut order: Vec<u64> = Vec::new();
    for (index, choice) in all.iter().enumerate() {
        let Some(distance) = distance(query, &choice.name()) else { continue };
        let (stranger, place) = match choice {
            Choice::Room(room) => {
                let badge = session.badge(room);
                let visit = visited.iter().position(|id| *id == room.id.as_str()).unwrap_or(visited.len());
                let unread = badge.all_unread() > 0 && !badge.wanted.muted;
                (
                    !room.joined,
                    if blank && badge.all_mentions() > 0 { 0 } else { 1 + 2 * visit + usize::from(!unread) },
                )
            }
            _ => (true, 255),
        };
        let far = 2 * u64::from(distance) + u64::from(stranger);
        order.push(far << 40 | (place as u64) << 32 | index as u64);
    }
    order.sort_unstable();
    order.iter().take(SHOWN).map(|key| all[*key as u32 as usize].clone()).collect()
}

#[component]
pub fn Switcher(session: Signal<Session>) -> Element {
    let store = use_store();
    let mut query = use_signal(String::new);
    let visited = use_hook(|| dom::recent(Used::Rooms));
    let found = choices(&session.read(), &query.read(), &visited);
    let nothing = found.is_empty();
    use_effect(move || {
        query.read();
        dom::dialog(true);
    });
    rsx! {
        dialog { class: "dialog switcher", "aria-label": "Go to",
            div { class: "switcher-head",
                {icon("search", 18)}
                input {
                    class: "switcher-field",
                    r#type: "text",
                    role: "combobox",
                    autofocus: true,
                    autocomplete: "off",
                    spellcheck: "false",
                    enterkeyhint: "go",
                    maxlength: "80",
                    placeholder: "A room, a person, or what to do",
                    "aria-label": "A room, a person, or what to do",
                    "aria-expanded": "true",
                    "aria-controls": "go-list",
                    oninput: move |event| query.set(event.value()),
                }
                button { class: "icon-button", r#type: "button", "aria-label": "Close", "data-closes": "1", {icon("x", 18)} }
            }
            ul { class: "switcher-list", id: "go-list", role: "listbox", "data-query": "{query}", "aria-label": "What fits",
                for (index , choice) in found.into_iter().enumerate() {
                    li {
                        key: "{choice.key()}",
                        class: "switcher-line",
                        id: "go-{index}",
                        role: "option",
                        onclick: {
                            let (store, choice) = (store.clone(), choice.clone());
                            move |_| choice.carry_out(&store)
                        },
                        {choice.picture()}
                        span { class: "label", "{choice.shown()}" }
                        span { class: "switcher-aside", "{choice.aside(&session.read())}" }
                    }
                }
            }
            p { class: "switcher-none", role: "status",
                if nothing {
                    if query.read().is_empty() { "There is no other room yet. Type what to do." } else { "Nothing is called that. Part of a name is enough." }
                }
            }
        }
    }
}
