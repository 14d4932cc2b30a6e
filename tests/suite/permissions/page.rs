//! docs/permissions.md, as the gate answers.

use super::About::{self, *};
use super::{Place, is_of_room, place};
use beck::protocol::Format;
use beck::protocol::frame::RoomKind;
use beck::server::access::Action::{self, *};
use beck::server::access::{Rules, can};
use std::fmt::Write as _;

const LINES: [(&str, Action, About); 30] = [
    ("Set up the workspace, while it has no owner", SetUp, FirstRun),
    ("Make somebody an owner", SetRole, Others),
    ("Change their own name and status", EditProfile, Own),
    ("Change somebody else's", EditProfile, Others),
    ("Sign out on all their devices", EndLogins, Own),
    ("Take back their own draft that is not stored yet", TakeBack, Own),
    ("Make a room", MakeRoom, Nothing),
    ("See that a room is there", See, Nothing),
    ("Read a room", Read, Nothing),
    ("Join a room", Join, Nothing),
    ("Add somebody to a room", Invite, Newcomer),
    ("Leave a room", Leave, Nothing),
    ("Remove somebody from a room", Remove, Member),
    ("Post a message", Post, Nothing),
    ("Reply in a thread", Reply, OthersMessage),
    ("React to a message, and take the reaction back", React, Own),
    ("Take back somebody else's reaction", React, Others),
    ("Pin or unpin a message", Pin, OthersMessage),
    ("Edit their own message", Edit, OwnMessage),
    ("Edit somebody else's message", Edit, OthersMessage),
    ("Edit their own deleted message", Edit, OwnDeleted),
    ("Delete their own message", Delete, OwnMessage),
    ("Delete their own message again that somebody else deleted", Delete, OwnDeletedByOthers),
    ("Delete somebody else's message", Delete, OthersMessage),
    ("Restore their own message that they deleted", Restore, OwnDeleted),
    ("Restore their own message that somebody else deleted", Restore, OwnDeletedByOthers),
    ("Restore somebody else's message", Restore, OthersDeleted),
    ("Rename a room", Rename, Nothing),
    ("Change the topic of a room", SetTopic, Nothing),
    ("Archive a room, or bring it back", Archive, Nothing),
];

/// What nobody does before format 5.
const STRICT_LINES: [(&str, Action, About); 4] = [
    ("Rename the workspace", NameWorkspace, Nothing),
    ("Raise the format of the log", RaiseFormat, Nothing),
    ("Remove texts from the log for ever", Erase, Nothing),
    ("Post a message in somebody's name", PostFor, Member),
];

/// The actors of the page, by their columns in the table of the tests.
const ACTORS: [(&str, usize); 8] = [
    ("visitor", 7),
    ("not in the room", 5),
    ("member", 4),
    ("its maker", 2),
    ("its maker, outside", 3),
    ("owner", 0),
    ("owner, outside", 1),
    ("operator", 8),
];

const BEGIN: &str = "\
# Who may do what

Beck asks one function, `can` in `src/server/access.rs`: the fold when it decides an entry, the server before it proposes
one, and the pages for what they offer. A test prints this page from its answers.

- A **visitor** is not signed in. The **operator** can read the data folder or the store, and uses `beck admin`.
- An account is **not in the room** if it never joined, has left, or was removed.
- **yes**: also while the room is archived. **open**: only while it is not.
- **no**: the answer is `forbidden`. **hidden**: the answer is `not_found`, the same as for a room that does not exist.
- **gone**: the message is deleted. **in it**: they are in the room already.

Rooms of the kinds `private` and `direct` are hidden from everybody who is not in them. No client makes such rooms yet.

";

const END: &str = "
In logs of format 1 every member of a room can archive it, and an archived room cannot be joined. The fold of formats 1
to 4 takes a few entries that no server of this version proposes: a new name or topic of an archived room, and an
author's restore of a message that somebody else deleted.
";

const STRICT_END: &str = "
In logs of format 1 every member of a room can archive it, and an archived room cannot be joined. The fold of formats 1
to 4 takes a few entries that no server of this version proposes: a new name or topic of an archived room, and an
author's restore of a message that somebody else deleted. From format 5 on whoever has left a room may still delete what
they wrote there, and a message is restored by whoever deleted it, within 24 hours and if nobody else deleted it too.
";

fn word(open: &Place, archived: &Place, (action, about): (Action, About), column: usize) -> &'static str {
    let ask = |place: &Place| {
        let facts = place.facts(place.actors[column], about);
        super::letter(can(&Rules::to_propose(Format::NEWEST), &facts, action).map_err(|denied| denied.code))
    };
    match (ask(open), ask(archived)) {
        ('y', 'y') => "yes",
        ('y', _) => "open",
        ('f', _) => "no",
        ('n', _) => "hidden",
        ('g', _) => "gone",
        ('t', _) => "in it",
        other => panic!("{action:?} {about:?}: no word for {other:?}"),
    }
}

fn page() -> String {
    let mut page = BEGIN.to_owned();
    let places = |archived| [true, false].map(|maker_in| place(RoomKind::Open, archived, maker_in));
    let (open, archived) = (places(false), places(true));
    let heads: Vec<_> = ACTORS.iter().map(|(name, _)| *name).collect();
    writeln!(page, "| | {} |\n|---|{}", heads.join(" | "), "---|".repeat(ACTORS.len())).unwrap();
    let strict = beck::server::fold::Rules::of(Format::NEWEST).strict.is_some();
    let more = if strict { &STRICT_LINES[..] } else { &[] };
    for (what, action, about) in LINES.iter().chain(more).copied() {
        let words = ACTORS.map(|(_, column)| {
            let outside = usize::from(column == 3);
            word(&open[outside], &archived[outside], (action, about), column)
        });
        // Whoever makes no difference between rooms has one answer for all of them.
        assert!(is_of_room(action) || words.iter().all(|word| matches!(*word, "yes" | "no")));
        writeln!(page, "| {what} | {} |", words.join(" | ")).unwrap();
    }
    page + if strict { STRICT_END } else { END }
}

#[test]
fn the_page_of_permissions_is_what_the_gate_answers() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/permissions.md");
    let page = page();
    if std::env::var_os("BECK_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/permissions.md is not what the gate answers. Write it anew: \
         BECK_WRITE_DOCS=1 cargo suite permissions::page"
    );
}
