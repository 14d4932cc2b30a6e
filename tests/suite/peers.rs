//! What is remembered of other servers, and `beck format` on a folder.

use crate::backup::{refuses, run, set};
use crate::embedded::first_version;
use crate::support::awaited::{closed, unlocked};
use crate::support::server::TestServer;
use crate::support::{assert_linked, read_all, set_up};
use beck::protocol::{ClientId, Format, Kind};
use beck::server::broker::embedded::earlier_logs;
use beck::server::broker::{Broker, Entry, Proposal};
use beck::server::peers::{Announcement, FORGOTTEN_AFTER, MOST_PEERS, Peers, UNANNOUNCED_FORMAT};
use std::time::{Duration, Instant};
use tempfile::tempdir;

const NEWEST: u32 = Format::NEWEST.number();

fn announces(format: u32, version: &str) -> Option<Announcement> {
    Some(Announcement { format, version: version.to_owned() })
}

#[test]
fn a_server_that_is_silent_for_ten_minutes_is_forgotten() {
    let (peers, start) = (Peers::default(), Instant::now());
    let names = |now: Instant| peers.heard(now).peers.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    peers.hear("a", announces(5, "0.2.0"), start);
    peers.hear("b", None, start);
    let moment = Duration::from_millis(1);
    peers.hear("b", None, start + FORGOTTEN_AFTER - moment);
    assert_eq!(names(start + FORGOTTEN_AFTER - moment), ["a", "b"]);
    assert_eq!(names(start + FORGOTTEN_AFTER), ["b"]);
    // One that comes back has to announce itself again.
    peers.hear("a", None, start + FORGOTTEN_AFTER);
    let heard = peers.heard(start + FORGOTTEN_AFTER);
    assert_eq!((heard.peers[0].1.format, &heard.peers[0].1.version), (UNANNOUNCED_FORMAT, &None));
    assert_eq!(names(start + FORGOTTEN_AFTER * 3), Vec::<String>::new());
}

#[test]
fn however_many_servers_a_store_tells_of_some_are_kept_and_the_rest_is_said() {
    let (peers, start) = (Peers::default(), Instant::now());
    for n in 0..MOST_PEERS {
        peers.hear(&format!("first{n}"), announces(4, "0.1.0"), start);
    }
    assert!(!peers.heard(start).more);
    let later = start + FORGOTTEN_AFTER / 2;
    for n in 0..10_000 {
        peers.hear(&format!("flood{n}"), announces(9, &"9".repeat(n)), later);
    }
    for n in 0..MOST_PEERS / 2 {
        peers.hear(&format!("first{n}"), announces(5, "0.2.0"), later);
    }
    let heard = peers.heard(later);
    assert_eq!((heard.peers.len(), heard.more), (MOST_PEERS, true));
    assert!(heard.peers.iter().all(|(name, _)| name.starts_with("first")));
    assert_eq!(heard.peers.iter().filter(|(_, peer)| peer.format == 5).count(), MOST_PEERS / 2);
    // Those who are silent make place.
    let heard = peers.heard(start + FORGOTTEN_AFTER);
    assert_eq!((heard.peers.len(), heard.more), (MOST_PEERS / 2, true));
    peers.hear("late", None, start + FORGOTTEN_AFTER);
    assert_eq!(peers.heard(start + FORGOTTEN_AFTER).peers.len(), MOST_PEERS / 2 + 1);
    assert_eq!(peers.heard(later + FORGOTTEN_AFTER * 2), Default::default());

    // What no server is called, and versions that are none.
    let names = ["", "a b", "a\n", "\u{1b}[31m", "ä", &"a".repeat(65)];
    for name in names {
        peers.hear(name, None, start);
    }
    assert_eq!(peers.heard(start), Default::default());
    for (name, version) in [("a", "1".repeat(33)), ("b", "\u{1b}[31m".into()), ("c", "1 2".into())] {
        peers.hear(name, announces(5, &version), start);
    }
    let heard = peers.heard(start).peers;
    assert!(heard.len() == 3 && heard.iter().all(|(_, peer)| peer.version.is_none() && peer.format == 5));
}

#[test]
fn signals_are_heard_without_a_break_since_the_first_heartbeat_after_the_last_break() {
    let (peers, start) = (Peers::default(), Instant::now());
    let (second, third) = (start + Duration::from_secs(1), start + Duration::from_secs(2));
    assert_eq!(peers.heard(start).since, None);
    peers.listening(start);
    peers.listening(second);
    assert_eq!(peers.heard(second).since, Some(start));
    peers.interrupted();
    assert_eq!(peers.heard(second).since, None);
    peers.listening(third);
    assert_eq!(peers.heard(third).since, Some(third));
}

#[test]
fn all_servers_read_a_format_only_if_signals_came_long_enough_and_none_was_missed() {
    let (peers, start) = (Peers::default(), Instant::now());
    let long = FORGOTTEN_AFTER;
    let all_read = |now: Instant| peers.heard(now).all_read(5, now, long);
    assert!(!all_read(start + long), "no signals are heard");
    peers.listening(start);
    assert!(!all_read(start + long - Duration::from_millis(1)));
    assert!(all_read(start + long), "it is the only server");
    // One that reads the format, one that does not until it is updated, and one that is forgotten.
    let second = start + Duration::from_secs(1);
    peers.hear("a", announces(5, "0.2.0"), second);
    assert!(all_read(start + long));
    peers.hear("b", None, second);
    assert!(!all_read(start + long));
    peers.hear("b", announces(4, "0.2.0"), second);
    assert!(!all_read(start + long));
    peers.hear("b", announces(6, "0.3.0"), second);
    assert!(all_read(start + long));
    peers.hear("c", announces(4, "0.2.0"), second);
    assert!(!all_read(second + long - Duration::from_millis(1)));
    assert!(all_read(second + long));
    // A break: servers may have come meanwhile.
    peers.interrupted();
    assert!(!all_read(second + long));
    peers.listening(second + long);
    assert!(!all_read(second + long * 2 - Duration::from_millis(1)));
    assert!(all_read(second + long * 2));
    // One that there was no place for.
    for n in 0..=MOST_PEERS {
        peers.hear(&format!("more{n}"), announces(5, "0.2.0"), second + long * 2);
    }
    assert!(!all_read(second + long * 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_the_newest_format_has_nothing_to_raise_while_beck_runs_and_while_it_is_stopped() {
    let folder = tempdir().unwrap();
    let settings = set(folder.path(), None);
    let why = refuses(&["format"], &settings);
    assert!(why.contains("there is no log.sqlite"), "{why}");
    let mut server = TestServer::start(folder.path());
    let unused = refuses(&["format"], &settings);
    assert!(unused.contains("there is no workspace yet"), "{unused}");
    server.set_up().await;
    for runs in [true, false] {
        let (done, said) = run(&["format"], &settings).end();
        let expected = format!(
            "The log has format {NEWEST}.\nThis Beck, version {}, reads formats up to {NEWEST}.\nThe log has the newest format that this version of Beck reads: there is nothing to do.",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!((done, said), (true, expected), "{runs}");
        let (done, said) = run(&["format", "raise"], &settings).end();
        assert!(done && said.ends_with("there is nothing to do."), "{said}");
        if runs {
            server.terminate();
            assert_eq!(server.wait(), Some(0));
        }
    }
    let log = unlocked(folder.path()).await;
    assert!(read_all(&log).await.iter().all(|entry| entry.header.kind != Kind::Format));
    assert!(refuses(&["format", "lower"], &settings).contains("write beck format or beck format raise"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_log_is_raised_by_the_command_once_and_stays_whole() {
    for newest in [4, 5] {
        an_older_log_is_raised_to(newest).await;
    }
}

async fn an_older_log_is_raised_to(newest: u32) {
    let folder = tempdir().unwrap();
    drop(first_version(folder.path()).await);
    closed(folder.path()).await;
    let mut settings = set(folder.path(), None);
    settings.push(("BECK_NEWEST_FORMAT".to_owned(), newest.to_string()));
    let (done, said) = run(&["format"], &settings).end();
    let can = format!("can be raised to format {newest}");
    assert!(done && said.contains("The log has format 1.") && said.contains(&can), "{said}");
    let before = read_all(&unlocked(folder.path()).await).await;
    assert!(before.iter().all(|entry| entry.header.kind != Kind::Format), "asking writes nothing");
    let (done, said) = run(&["format", "raise"], &settings).end();
    let raised = format!(
        "The log has format {newest} now; it had 1. A version of Beck that cannot read format {newest} can no longer open it."
    );
    // Every version reads format 4: only for a newer one the log is copied.
    let copies = earlier_logs(folder.path());
    let copied = copies.iter().map(|copy| {
        format!("A copy of the log from before is {}. It is deleted after 7 days.", copy.display())
    });
    let lines: Vec<_> = std::iter::once(raised).chain(copied).collect();
    assert_eq!((done, said), (true, lines.join("\n")));
    assert_eq!(copies.len(), usize::from(newest > UNANNOUNCED_FORMAT));
    let (done, said) = run(&["format", "raise"], &settings).end();
    assert!(done && said.contains("there is nothing to do"), "{said}");
    let after = read_all(&unlocked(folder.path()).await).await;
    assert_linked(&after);
    // What is due is erased at once where the log has format 5: of messages that were deleted or edited long ago.
    let links = |entries: &[Entry]| entries.iter().map(|entry| entry.link).collect::<Vec<_>>();
    assert_eq!(links(&after[..before.len()]), links(&before));
    let (erases, others): (Vec<_>, Vec<_>) =
        after[before.len()..].iter().partition(|entry| entry.header.kind == Kind::Erase);
    assert_eq!((others.len(), erases.is_empty() || newest > 4), (1, true));
    assert_eq!(after[before.len()].json(), Some(newest.to_string().as_str()));
    let (done, said) = run(&["verify", "--fold"], &settings).end();
    assert!(done, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_this_version_cannot_read_is_named_as_such() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let (operator, newer) = (here.node.epoch().unwrap().operator(), NEWEST + 1);
    drop(here);
    let log = unlocked(folder.path()).await;
    log.append(vec![Proposal::new(operator, ClientId::random(), Kind::Format, &newer)]).await.unwrap();
    drop(log);
    closed(folder.path()).await;
    let settings = set(folder.path(), None);
    let why = refuses(&["format"], &settings);
    assert!(
        why.contains(&format!("the log is of format {newer}")) && why.contains("Install that version"),
        "{why}"
    );
    let server = TestServer::start(folder.path());
    assert_eq!(refuses(&["format", "raise"], &settings), why);
    drop(server);
}
