//! Each state of unreadiness has one sentence, and /readyz, the log, `beck doctor` and the manual agree on it.

use crate::doctor::doctor;
use crate::support::awaited::{unlocked, until};
use crate::support::pass_on::{follow_until_fault, pass_on};
use crate::support::{config, set_up};
use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Broker, BrokerError, Entry, Head};
use beck::server::node::{LOG_PAUSE, Node, Readiness, StateLine, StateLog};
use beck::server::readiness::{Unready, UnreadyState};
use beck::server::router;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::tempdir;
use tokio::sync::Notify;

/// A log that answers its followers with a state.
struct InState {
    log: Embedded,
    state: Mutex<Option<UnreadyState>>,
    changed: Notify,
}

impl InState {
    fn fault(&self) -> Option<BrokerError> {
        self.state.lock().unwrap().map(|state| BrokerError::unready(state, "what is known of this case"))
    }

    fn set(&self, state: Option<UnreadyState>) {
        *self.state.lock().unwrap() = state;
        self.changed.notify_waiters();
    }
}

impl Broker for InState {
    fn follow(&self, after: Head, limit: usize) -> BoxFuture<'_, Result<Vec<Entry>, BrokerError>> {
        follow_until_fault(&self.log, (after, limit), &self.changed, || self.fault()).boxed()
    }

    pass_on!(create append read erase secret registers signals durability head);
}

#[tokio::test(flavor = "multi_thread")]
async fn readyz_doctor_log_and_manual_have_the_same_sentence_for_every_state() {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let manual = std::fs::read_to_string(manual).unwrap();
    let folder = tempdir().unwrap();
    drop(set_up(folder.path()).await);
    let log = unlocked(folder.path()).await;
    let broker = Arc::new(InState { log, state: Mutex::default(), changed: Notify::new() });
    let node = Node::start(config(folder.path()), broker.clone()).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let app = router::router(node.clone(), None);
    let serving =
        tokio::spawn(beck::server::serve::serve(node.clone(), app, listener, std::future::pending()));
    let beside = tempdir().unwrap();
    let settings = [("DATA_DIR", beside.path().to_str().unwrap()), ("PORT", port.as_str())];

    let (mut codes, mut sentences) = (HashSet::new(), HashSet::new());
    for state in UnreadyState::ALL {
        let (code, sentence) = (state.code(), state.sentence());
        assert!(codes.insert(code) && sentences.insert(sentence), "{code} is there twice");
        assert!(code.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{code}");
        // A cause and a remedy.
        assert!(sentence.ends_with('.') && sentence.matches(['.', ';']).count() >= 2, "{sentence}");

        broker.set(Some(state));
        until(
            "the node is in the state",
            || matches!(node.readiness(), Readiness::Unready(Unready { state: now, .. }) if now == state),
        )
        .await;
        let answer = reqwest::get(format!("http://127.0.0.1:{port}/readyz")).await.unwrap();
        assert_eq!(answer.status(), 503, "{code}");
        let body = answer.text().await.unwrap();
        assert!(body.starts_with(sentence), "{body}");
        assert!(body.contains("Details: what is known of this case."), "{body}");
        assert!(body.ends_with(&format!("See docs/operations.md#{code}.")), "{body}");

        let said = doctor(&[], &settings);
        assert!(said.text.contains(sentence), "{sentence} is not in: {}", said.text);
        assert_eq!(said.bad.iter().filter(|bad| *bad == "fault server").count(), 1, "{}", said.text);

        let line = StateLog::default().next(Instant::now(), &node.readiness());
        let Some(StateLine::Unready(logged)) = line else { panic!("{code} is not logged") };
        assert_eq!(logged.to_string(), body);

        let (_, section) = manual.split_once(&format!("\n### {code}\n")).unwrap_or_else(|| {
            panic!("docs/operations.md has no heading {code}");
        });
        let section = section.split("\n#").next().unwrap();
        let section = section.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(section.starts_with(sentence), "{code}: {section}");

        let people = Unready::new(state, "10.0.0.7:6379").for_people();
        assert!(people.starts_with("Nothing can be saved right now: "), "{people}");
        assert!(!people.contains("10.0.0.7") && !people.contains("docs/"), "{people}");

        broker.set(None);
        until("the node is ready again", || node.readiness() == Readiness::Ready).await;
    }
    let headings = manual.split_once("\n## When a server is not ready\n").unwrap().1;
    let headings = headings.split("\n## ").next().unwrap();
    let headings: HashSet<_> = headings.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert_eq!(headings, codes, "the manual has no state that does not exist");
    serving.abort();
}

#[test]
fn a_state_is_logged_once_a_minute_while_it_lasts_and_its_end_once() {
    let unready = |state| Readiness::Unready(Unready::new(state, ""));
    let (full, away) = (unready(UnreadyState::StoreFull), unready(UnreadyState::StoreUnreachable));
    let mut log = StateLog::default();
    let start = Instant::now();
    let mut lines = Vec::new();
    // Ten minutes of a state, looked at twice a second.
    for tick in 0..1_200 {
        lines.extend(log.next(start + tick * Duration::from_millis(500), &full));
    }
    assert_eq!(lines.len(), 10);
    assert!(
        lines
            .iter()
            .all(|line| matches!(line, StateLine::Unready(why) if why.state == UnreadyState::StoreFull))
    );
    let mut now = start + Duration::from_secs(600);
    // Another state at once; and two states in turn are no more lines than each has alone.
    let mut turns = Vec::new();
    for tick in 0..120 {
        turns.extend(log.next(now, if tick % 2 == 0 { &away } else { &full }));
        now += Duration::from_millis(500);
    }
    assert_eq!(turns.len(), 2, "{turns:?}");
    assert_eq!(log.next(now, &Readiness::Ready), Some(StateLine::ReadyAgain));
    assert_eq!(log.next(now, &Readiness::Ready), None);
    // A state that comes and goes is not logged more often, and nor is its end.
    let mut flaps = Vec::new();
    for _ in 0..20 {
        flaps.extend(log.next(now, &away));
        flaps.extend(log.next(now, &Readiness::Ready));
        now += Duration::from_secs(1);
    }
    assert!(flaps.len() <= 2, "{flaps:?}");
    now += LOG_PAUSE;
    assert!(matches!(log.next(now, &away), Some(StateLine::Unready(_))));
    assert_eq!(log.next(now, &Readiness::Starting { folded: 1, head: 2 }), None);
}
