//! docs/permissions.md, as the gate answers.

use super::About::{self, *};
use super::{Place, is_of_room, place};
use beck::protocol::Format;
use beck::protocol::frame::RoomKind;
use beck::server::access::Action::{self, *};
use beck::server::access::{Actor, Rules, can};
use beck::server::fold;
use std::fmt::Write as _;

const LINES: [(&str, Action, About); 30] = [
    ("Set up the workspace, while it has no owner", SetUp, FirstRun),
    ("Make somebody an owner", SetRole, Others),
    ("Change their own name and status", EditProfile, Own),
    ("Change somebody else's name and status", EditProfile, Others),
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
    ("Erase texts of deleted messages for ever", Erase, Nothing),
    ("Import a message in somebody's name", PostFor, Member),
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

Every part of Beck that decides, offers or shows something asks one function, `can` in `src/server/access.rs`. A test
prints this page from its answers, so the page says what the server does.

Who asks:
- A **visitor** is not signed in.
- A **member** is in the room. **Not in the room** is whoever never joined it, has left, or was removed.
- The **maker** of a room made it. An **owner** owns the workspace. **Outside** means that they are not in the room.
- The **operator** runs the server: whoever can read its data folder or its store, and uses `beck admin`.

What Beck answers:
- **yes**: they may, also in an archived room. **open**: they may, but not in an archived room.
- **no**: Beck says that they may not (`forbidden`).
- **hidden**: Beck answers as if there were no such room (`not_found`).
- **gone**: the message is deleted. **in it**: they are in the room already.
";

/// Formats 1 to 4 know nothing of an operator who acts in rooms.
const STRICT_BEGIN: &str = "\
- **–**: only somebody with an account does this.
";

const KINDS: &str = "
Rooms of the kinds `private` and `direct` are hidden from everybody who is not in them. No client makes such rooms yet.

";

const END: &str = "
In logs of format 1 every member of a room can archive it, and an archived room cannot be joined. The fold of formats 1
to 4 takes a few entries that no server of this version proposes: a new name or topic of an archived room, and an
author's restore of a message that somebody else deleted.
";

const STRICT_END: &str = "
## Deleting and restoring

- Whoever deleted a message can restore it within 24 hours, if nobody else deleted it too. So an owner can take back that
  they deleted somebody's message, and the author cannot.
- Whoever has left a room can still delete, and restore, what they wrote there.
- What the operator deleted (`beck admin delete`) nobody can restore.

## Logs of earlier formats

The table is that of [format 5](operations.md#formats-of-the-log). In formats 1 to 4 the operator only makes owners, an
archived room takes no deletion and no restore, whoever has left a room deletes nothing in it, and only authors restore
messages. In format 1 every member of a room can archive it, and an archived room cannot be joined. The fold of formats 1
to 4 takes a few entries that no server of this version proposes: a new name or topic of an archived room, and an
author's restore of a message that somebody else deleted.
";

fn is_strict() -> bool {
    fold::Rules::of(Format::NEWEST).strict.is_some()
}

fn word(open: &Place, archived: &Place, (action, about): (Action, About), column: usize) -> &'static str {
    let ask = |place: &Place| {
        let facts = place.facts(place.actors[column], about);
        super::letter(can(&Rules::to_propose(Format::NEWEST), &facts, action).map_err(|denied| denied.code))
    };
    match (ask(open), ask(archived)) {
        ('y', 'y') => "yes",
        ('y', _) => "open",
        ('f', _) => "no",
        // The operator sees every room.
        ('n', _) if is_strict() && open.actors[column] == Actor::Operator => "–",
        ('n', _) => "hidden",
        ('g', _) => "gone",
        ('t', _) => "in it",
        other => panic!("{action:?} {about:?}: no word for {other:?}"),
    }
}

fn page() -> String {
    let strict = is_strict();
    let mut page = [BEGIN, if strict { STRICT_BEGIN } else { "" }, KINDS].concat();
    let places = |archived| [true, false].map(|maker_in| place(RoomKind::Open, archived, maker_in));
    let (open, archived) = (places(false), places(true));
    let heads: Vec<_> = ACTORS.iter().map(|(name, _)| *name).collect();
    writeln!(page, "| | {} |\n|---|{}", heads.join(" | "), "---|".repeat(ACTORS.len())).unwrap();
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
