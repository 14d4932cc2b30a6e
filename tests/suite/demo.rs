//! The demo workspace: as much as it says, and with times that people could have written at.

use crate::support::server::TestServer;
use crate::support::{assert_linked, read_all};
use beck::protocol::{AccountId, Format, Hash, Kind, Outcome, RoomId};
use beck::server::broker::Entry;
use beck::server::broker::embedded::Embedded;
use beck::server::commands::demo;
use beck::server::fold::Fold;
use beck::server::now_ms;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::process::Command;
use tempfile::tempdir;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

fn fill(folder: &Path) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_beck"));
    command.arg("demo").env_clear().env("DATA_DIR", folder).current_dir(folder.parent().unwrap());
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_looks_as_if_people_had_worked_in_it_for_a_month() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let (done, said) = fill(&data);
    assert!(done, "{said}");
    assert_eq!(said.matches("/enter/").count(), 2, "{said}");
    let now = now_ms();
    let log = read_all(&Embedded::open(&data).unwrap()).await;
    assert_linked(&log);

    let of_kind = |kind: Kind| log.iter().filter(move |entry| entry.header.kind == kind);
    assert_eq!(of_kind(Kind::Account).count(), 6);
    assert_eq!(of_kind(Kind::Room).count(), 8);
    let mut rooms: HashMap<RoomId, Vec<&Entry>> = HashMap::new();
    // What has a target is an answer in a thread.
    for message in of_kind(Kind::Message).filter(|entry| entry.header.target.is_none()) {
        rooms.entry(message.header.room.unwrap()).or_default().push(message);
    }
    let mut counts: Vec<_> = rooms.values().map(Vec::len).collect();
    counts.sort_unstable();
    assert_eq!(counts, [200, 240, 300, 380, 460, 520, 900, 10_000]);
    let answers = of_kind(Kind::Message).filter(|entry| entry.header.target.is_some());
    assert!((30..300).contains(&answers.count()));

    let times: Vec<_> = log.iter().map(|entry| entry.header.at).collect();
    assert!(times.is_sorted());
    assert!(*times.last().unwrap() < now, "nothing is in the future");
    let messages: Vec<_> = of_kind(Kind::Message).map(|entry| entry.header.at).collect();
    let age = now - messages.last().unwrap();
    assert!((2 * MINUTE..10 * MINUTE).contains(&age), "the newest message is {} s old", age / 1000);
    let oldest = now - messages[0];
    assert!((27 * DAY..32 * DAY).contains(&oldest), "the oldest message is {} days old", oldest / DAY);

    // By day on working days, that is.
    let share = |fits: &dyn Fn(i64) -> bool| {
        messages.iter().filter(|at| fits(**at)).count() as f64 / messages.len() as f64
    };
    let at_work = share(&|at| (7 * 60 * MINUTE..18 * 60 * MINUTE).contains(&(at % DAY)));
    assert!((0.75..0.99).contains(&at_work), "{at_work} of all is written by day");
    let weekend = share(&|at| matches!((at / DAY + 4) % 7, 0 | 6));
    assert!((0.01..0.15).contains(&weekend), "{weekend} of all is written at weekends");

    for messages in rooms.values() {
        let days: HashSet<_> = messages.iter().map(|entry| entry.header.at / DAY).collect();
        assert!(days.len() >= 10, "a room has messages on {} days", days.len());
        let together = messages.windows(2).filter(|pair| {
            let pause = pair[1].header.at - pair[0].header.at;
            pair[0].header.author == pair[1].header.author && pause < 5 * MINUTE
        });
        assert!(together.count() * 3 > messages.len(), "a third continues what its author just said");
    }
    // Rooms are written in side by side, not one after the other.
    let rooms: Vec<_> = of_kind(Kind::Message).map(|entry| entry.header.room).collect();
    assert!(rooms.windows(2).filter(|pair| pair[0] != pair[1]).count() > 1_000);
}

#[test]
fn whenever_it_is_made_the_newest_three_of_incidents_are_by_others_than_those_who_sign_in() {
    let people = [(); 6].map(|()| AccountId::random());
    let now = now_ms();
    for hours in 0..40 {
        let log = demo::compose(&people, now + hours * 60 * MINUTE, Format::NEWEST).unwrap();
        let of_kind = |kind: Kind| log.iter().map(|(_, entry)| entry).filter(move |entry| entry.kind == kind);
        let mut rooms = of_kind(Kind::Room);
        let incidents = rooms.find(|entry| entry.body.contains("\"Incidents\"")).unwrap().room;
        let authors: Vec<_> = of_kind(Kind::Message)
            .filter(|entry| entry.room == incidents && entry.target.is_none())
            .map(|entry| entry.author)
            .collect();
        assert_eq!(authors.len(), 460);
        let newest = &authors[457..];
        assert!(
            newest.iter().all(|author| people[2..].contains(author)),
            "{hours} hours from now: {newest:?}"
        );
    }
}

#[test]
fn each_entry_is_accepted_in_every_format_that_a_server_begins_a_log_in() {
    let people = [(); 6].map(|()| AccountId::random());
    for format in [Format::Four, Format::Five] {
        let mut link = Hash::ZERO;
        let log = demo::compose(&people, now_ms(), format).unwrap();
        let entries: Vec<_> = (1..)
            .zip(log)
            .map(|(g, (at, proposal))| {
                let header = proposal.header(g, at);
                link = link.then(&header);
                Entry { header, body: Some(proposal.body), link }
            })
            .collect();
        let folder = tempdir().unwrap();
        let (_, mut fold) = Fold::open_up_to(folder.path(), |_, _| true, format).unwrap();
        for (entry, folded) in entries.iter().zip(fold.fold(&entries).unwrap()) {
            assert!(matches!(folded.outcome, Outcome::Stored { .. }), "{format:?} {entry:?} {folded:?}");
        }
        let directory = fold.directory();
        assert_eq!(directory.format(), format);
        let named = |handle: &str| directory.by_handle(handle).unwrap().name.clone();
        assert_eq!((named("lena"), named("misaki")), ("Lena Krüger".into(), "佐藤 美咲".into()));
        assert!(directory.rooms.values().any(|room| room.topic == "Lunch, coffee, the fridge"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_links_show_three_unread_messages_in_incidents() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let (done, said) = fill(&data);
    assert!(done, "{said}");
    let server = TestServer::start(&data);
    let tokens: Vec<_> = said.split("/enter/").skip(1).map(|rest| rest.lines().next().unwrap()).collect();
    for token in tokens {
        let path = format!("/enter/{token}");
        assert!(server.page(&path, "").await.2.contains("Sign in as "), "a page with a button");
        let (status, cookie, _) = server.form(&path, "", &[]).await;
        assert_eq!(status, 303);
        let (_, _, page) = server.page("/rooms", &cookie).await;
        // Said to a screen reader beside the number.
        let said = page.split('>').filter_map(|rest| rest.split('<').next());
        let unread: Vec<_> = said.filter(|said| said.ends_with(" unread")).collect();
        assert_eq!(unread, ["3 unread"]);
    }
}

#[test]
fn a_folder_that_holds_something_is_left_alone() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("letter"), "mine").unwrap();
    let (done, said) = fill(folder.path());
    assert!(!done && said.contains("is not empty. Set DATA_DIR"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
