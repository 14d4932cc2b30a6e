//! Parts of views: props in, events out.

mod avatar;
mod composer;
mod message;
mod sidebar;
mod timeline;

pub use avatar::Avatar;
pub use composer::Composer;
pub use message::{EchoRow, MessageRow, SharedRow};
pub use sidebar::Sidebar;
pub use timeline::TimelineList;

use dioxus::prelude::*;

/// The mark: two waves.
#[component]
pub fn Mark() -> Element {
    rsx! {
        svg { class: "mark", view_box: "0 0 20 12", width: "22", height: "14", "aria-hidden": "true",
            path { d: "M1 4.2c3-3.4 6-3.4 9 0s6 3.4 9 0" }
            path { class: "lower", d: "M1 9.2c3-3.4 6-3.4 9 0s6 3.4 9 0" }
        }
    }
}
