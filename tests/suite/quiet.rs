//! Quiet hours: what they cover, the form that sets them, and how all devices of one account hear of it.

use crate::support::server::{TestClient, TestServer};
use beck::protocol::Quiet;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tempfile::tempdir;

#[test]
fn quiet_hours_may_pass_midnight_and_go_by_the_wall_clock_of_the_device() {
    const MINUTE: i64 = 60_000;
    let at = |hours: i64, minutes: i64| (hours * 60 + minutes) * MINUTE;
    let night = Quiet { on: true, from: 22 * 60, to: 7 * 60 };
    let noon = Quiet { on: true, from: 12 * 60, to: 13 * 60 };
    for (quiet, moment, zone, covered) in [
        (night, at(21, 59), 0, false),
        (night, at(22, 0), 0, true),
        (night, at(23, 59), 0, true),
        (night, at(24, 0), 0, true),
        (night, at(6, 59), 0, true),
        (night, at(7, 0), 0, false),
        (Quiet { on: false, ..night }, at(23, 0), 0, false),
        (noon, at(12, 0), 0, true),
        (noon, at(12, 0) + MINUTE - 1, 0, true),
        (noon, at(13, 0), 0, false),
        (noon, at(11, 59), 0, false),
        // 06:30 UTC is 12:00 in Kolkata, and 22:30 of the day before in Los Angeles.
        (noon, at(6, 30), 330, true),
        (noon, at(6, 29), 330, false),
        (night, at(6, 30), -480, true),
        (night, at(5, 59), -480, false),
        // Before 1970.
        (night, -MINUTE, 0, true),
    ] {
        assert_eq!(quiet.covers(moment, zone), covered, "{quiet:?} {moment} {zone}");
    }
    let mut numbers = BTreeSet::new();
    for from in (0..1_440).step_by(7) {
        for to in (0..1_440).step_by(11).filter(|to| *to != from) {
            for on in [false, true] {
                let quiet = Quiet::new(on, from, to).unwrap();
                assert_eq!(Quiet::of_number(quiet.number()), quiet);
                assert!(numbers.insert(quiet.number()));
            }
        }
    }
    assert_eq!(
        Quiet { on: true, from: 3, to: 5 }.number(),
        1 + 3 * 2 + 5 * 4_096,
        "as it stands in the register"
    );
    assert_eq!(Quiet::new(true, 60, 60), None);
    assert_eq!(Quiet::new(true, 1_440, 60), None);
    // What no version of ours has written.
    assert_eq!(Quiet::of_number(u64::MAX), Quiet::default());
    assert_eq!(Quiet::of_number(0), Quiet::default());
    assert!(!Quiet::default().on);
}

/// The next one that is told.
async fn told(client: &mut TestClient) -> Value {
    let frame = tokio::time::timeout(Duration::from_secs(20), client.until("quiet")).await;
    let mut frame = frame.expect("it is never told");
    frame.as_object_mut().unwrap().remove("t");
    frame
}

/// A new connection, and what it is told first.
async fn connect(server: &TestServer, cookie: &str) -> (TestClient, Vec<Value>) {
    let mut client = TestClient::upgrade(server.host(), cookie).await;
    client.send(json!({ "t": "hello", "version": 1 })).await;
    let mut frames = Vec::new();
    while frames.last().is_none_or(|frame: &Value| frame["t"] != "welcome") {
        frames.push(client.next().await.unwrap());
    }
    (client, frames)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_sets_them_for_all_tabs_of_one_account_alone_and_says_what_is_wrong() {
    let folder = tempdir().unwrap();
    let mut server = TestServer::start(folder.path());
    let (owner, general) = server.set_up().await;
    let guest = server.sign_up(&owner, &general, "guest").await;
    let (mut one, first) = connect(&server, &owner).await;
    assert_eq!(first[1], json!({ "t": "quiet", "on": false, "from": 1320, "to": 420 }), "proposed, and off");
    let me = json!({ "id": first[2]["me"]["id"], "is": "offline", "status": {} });
    assert_eq!(first[0], json!({ "t": "presence", "people": [me] }));
    let mut two = TestClient::connect(&server, &owner).await;
    let mut theirs = TestClient::connect(&server, &guest).await;

    let set =
        |on: &'static str, from: &'static str, to: &'static str| [("on", on), ("from", from), ("to", to)];
    let (status, done, location) =
        server.form("/account/quiet", &owner, &set("1", "23:15", "06:05:00")).await;
    assert_eq!((status, location.as_str()), (303, "/account"));
    let hours = json!({ "on": true, "from": 1395, "to": 365 });
    assert_eq!((told(&mut one).await, told(&mut two).await), (hours.clone(), hours.clone()));
    let (_, _, page) = server.page("/account", &format!("{owner}; {done}")).await;
    assert!(page.contains("Quiet hours saved."));
    for shown in [r#"value="23:15""#, r#"value="06:05""#, "checked=true"] {
        assert!(page.contains(shown), "{shown}");
    }

    let mut refused = 0;
    for (from, to, says) in [
        ("22:00", "22:00", "Quiet hours: they end when they begin. Choose two times."),
        ("24:00", "07:00", "Quiet hours: write both times as 22:00."),
        ("22:00", "", "Quiet hours: write both times as 22:00."),
        ("22:60", "07:00", "Quiet hours: write both times as 22:00."),
        ("+2:00", "07:00", "Quiet hours: write both times as 22:00."),
        ("ten", "seven", "Quiet hours: write both times as 22:00."),
    ] {
        let answer = server.post("/account/quiet", &owner, &set("1", from, to), &[]).await;
        assert_eq!(answer.status(), 422, "{from} {to}");
        let page = answer.text().await.unwrap();
        assert!(page.contains(says), "{from} {to}");
        assert!(page.contains(&format!("value=\"{from}\"")), "{from} stays in the form");
        refused += 1;
    }
    assert_eq!(refused, 6);
    assert_eq!(server.form("/account/quiet", "", &set("", "1:00", "2:00")).await.2, "/sign-in");

    // Off again, and the hours are kept; nobody else has heard of any of it, and a new server knows.
    let off = json!({ "on": false, "from": 1395, "to": 365 });
    assert_eq!(server.form("/account/quiet", &owner, &set("", "23:15", "06:05")).await.0, 303);
    assert_eq!((told(&mut one).await, told(&mut two).await), (off.clone(), off.clone()));
    theirs.send(json!({ "t": "beat" })).await;
    theirs.send(json!({ "t": "people", "ids": [] })).await;
    loop {
        let frame = theirs.next().await.unwrap();
        assert_ne!(frame["t"], "quiet");
        if frame["t"] == "people" {
            break;
        }
    }
    server.kill();
    let server = TestServer::start(folder.path());
    let fields = [("text", ""), ("for", ""), ("do_not_disturb", "1")];
    assert_eq!(server.form("/account/status", &owner, &fields).await.0, 303);
    let (_, first) = connect(&server, &owner).await;
    assert_eq!(first[1], json!({ "t": "quiet", "on": false, "from": 1395, "to": 365 }));
    assert_eq!(
        first[0]["people"][0]["status"],
        json!({ "do_not_disturb": true }),
        "known before anything else"
    );
}
