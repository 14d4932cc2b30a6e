//! The window: what it is made with, and what the main thread does between drawings.

use super::desk::Desk;
use super::place::Place;
use super::wish::{ToDo, Wishes};
use crate::ui::{SCRIPTS, STYLES, dom};
use dioxus::desktop::tao::event::{Event, WindowEvent};
use dioxus::desktop::tao::event_loop::EventLoopBuilder;
use dioxus::desktop::tao::window::Window;
use dioxus::desktop::{Config, WindowBuilder};
use dioxus::prelude::*;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

const STYLE: Asset = asset!("/assets/css/desktop.css");
const SCRIPT: Asset = asset!("/assets/desktop.js");
const ICON: &[u8] = include_bytes!("../../../icons/128.png");
/// The page has what the app brings, and the socket that Dioxus draws through, on whichever port. Its loader is written
/// into the page, and evaluates what Rust wants done; desktop.js forbids the former once that has run.
const POLICY: &str = "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self'; \
    font-src 'self'; img-src 'self'; connect-src 'self' ws://127.0.0.1:*; form-action 'none'; base-uri 'none'";
/// --bg of the two themes, until the page has drawn it.
const LIGHT: (u8, u8, u8, u8) = (247, 247, 246, 255);
const DARK: (u8, u8, u8, u8) = (24, 26, 27, 255);

pub fn config(folder: &Path, wishes: Arc<Wishes>, desk: Arc<Desk>) -> Config {
    let kept = Place::kept(folder);
    let mut window = WindowBuilder::new().with_title("Beck").with_inner_size(kept.size());
    window = window.with_maximized(kept.maximized);
    if let Some(position) = kept.position() {
        window = window.with_position(position);
    }
    let events = EventLoopBuilder::with_user_event().build();
    // The loop's own event cannot be named, and only an event wakes the loop: one that it sent itself is kept for that.
    let (proxy, own) = (events.create_proxy(), Arc::new(Mutex::new(None)));
    let known = own.clone();
    wishes.wake_by(move || {
        if let Some(event) = known.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            let _ = proxy.send_event(event);
        }
    });
    let made = Rc::new(RefCell::new(None));
    let (here, folder, mut place) = (made.clone(), folder.to_owned(), kept);
    let data = folder.join("page");
    let mut config = Config::new()
        .with_event_loop(events)
        .with_window(window)
        .with_menu(None)
        .with_data_directory(data)
        .with_custom_head(head())
        .with_background_color(if dom::theme() == "dark" { DARK } else { LIGHT })
        .with_on_window(move |window, _| *made.borrow_mut() = Some(window))
        .with_custom_event_handler(move |event, _| {
            let window = here.borrow();
            match event {
                Event::UserEvent(seen) => {
                    let mut own = own.lock().unwrap_or_else(PoisonError::into_inner);
                    if own.is_none() && format!("{seen:?}").starts_with("Poll") {
                        *own = Some(seen.clone());
                    }
                }
                Event::WindowEvent { event: WindowEvent::Focused(focused), .. } => desk.focus(*focused),
                Event::WindowEvent { event: WindowEvent::Moved(_) | WindowEvent::Resized(_), .. } => {
                    window.iter().for_each(|window| place.follow(window));
                }
                Event::LoopDestroyed => end(&place, &folder, &desk),
                _ => {}
            }
            let ToDo { title, show, quit } = wishes.take();
            if let Some(window) = &*window {
                title.iter().for_each(|title| window.set_title(title));
                if show {
                    come_forward(window);
                }
            }
            if quit {
                end(&place, &folder, &desk);
                std::process::exit(0);
            }
        });
    if !cfg!(debug_assertions) {
        config = config.with_disable_context_menu(true);
    }
    if let Ok(icon) = dioxus::desktop::icon_from_memory(ICON) {
        config = config.with_icon(icon);
    }
    config
}

fn come_forward(window: &Window) {
    window.set_visible(true);
    window.set_minimized(false);
    window.set_focus();
}

/// Everything is in its file when this returns.
fn end(place: &Place, folder: &Path, desk: &Desk) {
    place.keep(folder);
    desk.stop();
}

fn head() -> String {
    let mut head = format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">");
    head += "<title>Beck</title><meta name=\"color-scheme\" content=\"light dark\">";
    for style in STYLES.iter().chain([&STYLE]) {
        head += &format!("<link rel=\"stylesheet\" href=\"{style}\">");
    }
    // In their order, and before the app asks anything of them.
    for script in SCRIPTS.iter().chain([&SCRIPT]) {
        head += &format!("<script src=\"{script}\"></script>");
    }
    head
}
