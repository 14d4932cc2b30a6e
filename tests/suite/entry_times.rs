//! A clock was ahead once: times of entries stand still, and the server says until when.

use crate::doctor::doctor;
use crate::support::awaited::unlocked;
use crate::support::{config, set_up_with};
use beck::protocol::{ActDraft, ActValue, ClientId, Format};
use beck::server::broker::embedded::Embedded;
use beck::server::config::Config;
use beck::server::node::{Node, Readiness};
use beck::server::utc::utc;
use beck::server::{now_ms, rooms, router};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tempfile::tempdir;
use tower::ServiceExt;

#[test]
fn a_time_is_said_to_the_minute() {
    for (ms, said) in [
        (0, "1970-01-01 00:00 UTC"),
        (951_782_399_999, "2000-02-28 23:59 UTC"),
        (951_782_400_000, "2000-02-29 00:00 UTC"),
        (951_868_800_000, "2000-03-01 00:00 UTC"),
        (1_704_067_199_000, "2023-12-31 23:59 UTC"),
        (4_107_542_400_000, "2100-03-01 00:00 UTC"),
        (-1, "1969-12-31 23:59 UTC"),
    ] {
        assert_eq!(utc(ms), said, "{ms}");
    }
}

async fn readyz(node: &Arc<Node>) -> (u16, String) {
    let request = axum::http::Request::get("/readyz").body(axum::body::Body::empty()).unwrap();
    let answer = router::router(node.clone(), None).oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn times_that_stand_still_are_said_until_the_clock_has_passed_them() {
    for format in [Format::Four, Format::Five] {
        times_are_said(format).await;
    }
}

fn of_format(folder: &Path, format: Format) -> Config {
    let mut config = config(folder);
    config.newest_format = format;
    config
}

async fn times_are_said(format: Format) {
    let folder = tempdir().unwrap();
    let ahead = Arc::new(AtomicI64::new(0));
    let clock = ahead.clone();
    let log = Embedded::open_with_clock(folder.path(), move || now_ms() + clock.load(Ordering::SeqCst));
    let here = set_up_with(of_format(folder.path(), format), Arc::new(log.unwrap())).await;
    // So much is no fault.
    ahead.store(30_000, Ordering::SeqCst);
    here.post(here.owner, ClientId::random(), "half a minute ahead").await;
    assert_eq!((here.node.times_stand_until(), readyz(&here.node).await), (None, (200, "ready".into())));
    ahead.store(365 * 86_400_000, Ordering::SeqCst);
    here.post(here.owner, ClientId::random(), "a year ahead").await;
    ahead.store(0, Ordering::SeqCst);
    here.post(here.owner, ClientId::random(), "and it is right again").await;
    let until = here.log().await.last().unwrap().header.at;
    assert_eq!(here.node.times_stand_until(), Some(until));
    let says = async |node: &Arc<Node>| {
        assert_eq!(node.readiness(), Readiness::Ready, "people can go on");
        let (status, text) = readyz(node).await;
        assert_eq!(status, 200, "{text}");
        // Which of two clocks is wrong is not known here.
        assert!(text.contains("Warning: this machine's clock is 315"), "{text}");
        assert!(
            text.contains(" s behind the last entry of the log: set it by NTP. If it is right,"),
            "{text}"
        );
        assert!(text.contains("a clock was wrong") && text.contains(&utc(until)), "{text}");
        assert_eq!(text.contains("erased only after that"), format == Format::Five, "{text}");
    };
    says(&here.node).await;
    // A new start knows it from the log.
    drop(here);
    let node =
        Node::start(of_format(folder.path(), format), Arc::new(unlocked(folder.path()).await)).await.unwrap();
    assert_eq!(node.times_stand_until(), Some(until));
    says(&node).await;
    let settings =
        [("DATA_DIR", folder.path().to_str().unwrap()), ("PORT", "0"), ("BECK_NEWEST_FORMAT", "5")];
    let said = doctor(&[], &settings);
    let line = said.text.lines().find(|line| line.contains("clock") && line.contains("warning"));
    assert!(line.is_some_and(|line| line.contains(&utc(until))), "{}", said.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_erased_while_times_stand_still() {
    let folder = tempdir().unwrap();
    let ahead = Arc::new(AtomicI64::new(-3 * 86_400_000));
    let clock = ahead.clone();
    let log = Embedded::open_with_clock(folder.path(), move || now_ms() + clock.load(Ordering::SeqCst));
    let here = set_up_with(of_format(folder.path(), Format::Five), Arc::new(log.unwrap())).await;
    let id = ClientId::random();
    here.post(here.owner, id, "deleted three days ago").await;
    let (own, slot, value) = (ClientId::random(), "deleted".to_owned(), ActValue::On(true));
    let act = ActDraft { id: own, room: here.general, target: id, slot, value, named: Default::default() };
    rooms::act(&here.node, here.owner, act).await.unwrap();
    for offset in [365 * 86_400_000, 0] {
        ahead.store(offset, Ordering::SeqCst);
        here.post(here.owner, ClientId::random(), "another message").await;
        let why = here.node.erase_due(now_ms()).await.unwrap_err();
        assert!(why.contains("a clock was wrong"), "{why}");
        let entries = here.log().await;
        let deleted = entries.iter().find(|entry| entry.header.client_id == id).unwrap();
        assert!(deleted.body.is_some(), "it was erased");
    }
}
