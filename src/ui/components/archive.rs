//! An archived room: what its menu and the place of its composer say.

use super::icon;
use crate::protocol::RoomAct;
use crate::protocol::frame::RoomInfo;
use dioxus::prelude::*;

/// Archives the room, or brings it back; a plain form, for those who may.
#[component]
pub fn ArchiveForm(room: RoomInfo, class: &'static str) -> Element {
    let (value, words) = if room.archived { ("", "Bring it back") } else { ("1", "Archive this room") };
    rsx! {
        if room.allows(RoomAct::Archive) {
            form { method: "post", action: "/r/{room.id}/archive",
                button { class, r#type: "submit", name: "archived", value,
                    {icon("archive", 16)}
                    "{words}"
                }
            }
        }
    }
}

/// Where one would write; `refused` says why a deletion or a restore was not carried out.
#[component]
pub fn ArchivedNote(room: RoomInfo, refused: Option<String>) -> Element {
    rsx! {
        div { class: "archived", id: "write", tabindex: "-1",
            p { "This room is archived: it can be read, and nobody writes in it." }
            p { class: "refused", role: "status",
                if let Some(refused) = refused {
                    "{refused}"
                }
            }
            ArchiveForm { room, class: "button plain small" }
        }
    }
}
