//! Texts that a client lets go: what was erased, what a reset does not bring again, and what never reaches its disk.

use super::{Client, Log, naming, sent};
use beck::client::platform::native::disk::{Disk, Shown};
use beck::client::{Effect, Input, Lane};
use beck::protocol::frame::{ActDraft, Draft, ResetReason, Version};
use beck::protocol::{
    ActValue, Added, Badge, ClientFrame, ClientId, Mention, Mentions, Outcome, Page, Quote, RoomId, Row,
    ServerFrame, Thread,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use tempfile::tempdir;

fn quote_of(row: &Row) -> Quote {
    Quote { author: row.author, lane: 0, ordinal: row.ordinal, text: row.text.clone() }
}

/// Gives the client a message in every place where its text can be.
fn spread(client: &mut Client, log: &Log, id: ClientId) {
    let room = client.room;
    let row = log.rows.iter().find(|row| row.id == id).unwrap().clone();
    let req = |effects: &[Effect]| match sent(effects).first() {
        Some(ClientFrame::Pins { req, .. } | ClientFrame::History { req, .. }) => *req,
        other => panic!("{other:?}"),
    };
    let req_of_pins = req(&client.give(Input::Pins));
    client.give(Input::Frame(ServerFrame::Pins { req: req_of_pins, room, rows: vec![row.clone()] }));
    let versions = vec![Version { at: 1, text: "an earlier text".into(), added: None }];
    let req_of_history = req(&client.give(Input::History(id)));
    client.give(Input::Frame(ServerFrame::History { req: req_of_history, room, versions }));
    let thread = Thread { lane: row.seq, root: row.clone(), follows: true, badge: Badge::default() };
    client.give(Input::Threads);
    client.give(Input::Frame(ServerFrame::Threads { room, threads: vec![thread.clone()] }));
    let effects = client.give(Input::LookAtThread(Some((row.seq, None))));
    for frame in sent(&effects) {
        match frame {
            ClientFrame::Thread { req, .. } => {
                let (req, thread) = (*req, thread.clone());
                client.give(Input::Frame(ServerFrame::Thread { req, room, thread }));
            }
            ClientFrame::Page { req, lane, .. } => {
                let (req, lane, as_of) = (*req, *lane, log.position());
                let page = Page { room, lane, as_of, head: 0, rows: Vec::new(), quotes: BTreeMap::new() };
                client.give(Input::Frame(ServerFrame::Page { req, page }));
            }
            _ => {}
        }
    }
    client.session.mentions = Some(Mentions { mentions: vec![Mention { g: 11, room, row }], more: false });
}

/// Whether any of these words is anywhere in the session.
fn holds(client: &Client, words: &str) -> bool {
    format!("{:?}", client.session).contains(words)
}

#[test]
fn an_erase_takes_a_text_away_from_every_place_with_its_salt_and_added_part() {
    let mut log = Log::new();
    let id = log.message("a text of others", naming(&[("bo", log.bo)]));
    let salt = log.row(id).proof.clone().unwrap().salt;
    let answer = log.message("an answer with a quote", Added::default());
    log.row(answer).quote = Some(id);
    let mut client = log.client(5);
    let mut page = log.page();
    page.quotes.insert(id, quote_of(&log.rows[0]));
    client.session.timelines.insert(client.room, beck::timeline::Timeline::from_page(&page));
    spread(&mut client, &log, id);
    assert!(holds(&client, "a text of others") && holds(&client, &salt) && holds(&client, "an earlier text"));
    // It was not shown as deleted here: whatever was missed, the erase alone takes all away.
    let event = log.erase("messages", &[id]);
    client.event(&event);
    for words in ["a text of others", &salt, "an earlier text"] {
        assert!(!holds(&client, words), "{words}");
    }
    assert_eq!(client.row(id).added, None);
    assert_eq!(client.row(answer).text.as_deref(), Some("an answer with a quote"));
    assert_eq!(client.session.pins[&client.room], []);
}

#[test]
fn a_deletion_takes_the_earlier_texts_and_the_mention_away() {
    let mut log = Log::new();
    let id = log.message("a text of others", naming(&[("bo", log.bo)]));
    let mut client = log.client(5);
    spread(&mut client, &log, id);
    assert!(holds(&client, "an earlier text"));
    let event = log.delete(log.bo, id);
    client.event(&event);
    assert!(!holds(&client, "an earlier text"));
    assert_eq!(client.session.mentions.map(|held| held.mentions.len()), Some(0));
}

#[test]
fn an_erase_of_earlier_texts_leaves_the_one_that_stands() {
    let mut log = Log::new();
    let id = log.message("the first text", Added::default());
    log.edit(id, "the second text", Added::default());
    let mut client = log.client(5);
    spread(&mut client, &log, id);
    let event = log.erase("earlier", &[id]);
    client.event(&event);
    assert!(holds(&client, "the second text") && !holds(&client, "an earlier text"));
    assert_eq!(client.row(id).proof, log.row(id).proof);
}

/// A quote that stands in the added part of the text that is left stays; one that stood in a text that is gone goes.
#[test]
fn an_erase_of_earlier_texts_takes_the_quotes_that_stood_in_them() {
    let mut log = Log::new();
    let quoted = log.message("quoted", Added::default());
    let said = Some(7);
    let carried = Added { quote: Some(quoted), said, ..Added::default() };
    let table = [
        (None, false, (None, None)),
        (Some(carried), false, (Some(quoted), said)),
        (None, true, (None, None)),
    ];
    for (added, whole, left) in table {
        let mut log = Log { events: log.events.clone(), rows: log.rows.clone(), ..Log::new() };
        let id = log.message("the first text", Added::default());
        log.edit(id, "the second text", Added::default());
        let row = log.row(id);
        (row.quote, row.said, row.added) = (Some(quoted), said, added.clone());
        let mut client = log.client(5);
        spread(&mut client, &log, id);
        let event = log.erase(if whole { "messages" } else { "earlier" }, &[id]);
        client.event(&event);
        let row = client.row(id);
        assert_eq!((row.quote, row.said), left);
        assert_eq!(row.text.is_some(), !whole);
        let open = client.session.shown_at(Lane { room: client.room, lane: row.seq }, 0).unwrap();
        assert_eq!((open.quote, open.said), left, "the root of a thread");
        if !whole {
            assert_eq!(client.session.pins[&client.room][0].quote, left.0);
        }
    }
}

/// Without an added part it was not known whether the text that stands has a quote: a restore says it.
#[test]
fn a_restored_edit_gives_its_quote_back() {
    let mut log = Log::new();
    let id = log.message("the first text", Added::default());
    let carried = Added { quote: Some(id), said: Some(7), ..Added::default() };
    let edit = log.edit(id, "the second text", carried.clone());
    log.delete(log.bo, id);
    let mut client = log.client(5);
    assert_eq!(client.row(id).quote, None);
    let restored = ActValue::Restored { restored: "the second text".into() };
    log.act_deleted(log.bo, id, false, Some(restored));
    let event = Arc::make_mut(log.events.last_mut().unwrap());
    (event.added, event.restores) = (Some(carried), Some(edit.seq));
    client.event(&log.events.last().unwrap().clone());
    assert_eq!((client.row(id).quote, client.row(id).said), (Some(id), Some(7)));
}

/// A room whose rows are let go gets no events any more.
#[test]
fn the_pins_of_a_room_that_is_let_go_are_let_go() {
    let mut log = Log::new();
    let id = log.message("a text of others", Added::default());
    let mut client = log.client(5);
    spread(&mut client, &log, id);
    // Which room goes is not said.
    for _ in 0..12 {
        let room = RoomId::random();
        client.give(Input::Look { room, at: None });
        client.session.timelines.insert(room, beck::timeline::Timeline::from_page(&log.page()));
        client.session.pins.insert(room, log.rows.clone());
    }
    assert!(client.session.timelines.len() < 12);
    assert!(client.session.pins.keys().all(|room| client.session.timelines.contains_key(room)));
}

#[test]
fn what_was_sent_here_and_stored_goes_with_its_erased_message() {
    let mut log = Log::new();
    let mut client = log.client(5);
    let (id, room) = (ClientId::random(), client.room);
    let text = "my own text".to_owned();
    client.give(Input::Write(Draft { id, room, thread: None, quote: None, text, named: Default::default() }));
    let outcome = Outcome::Stored { g: 9, seq: Some(1), ordinal: Some(1) };
    client.give(Input::Frame(ServerFrame::Ack { id, outcome }));
    let edit = ClientId::random();
    let value = ActValue::Text("my own text, edited".into());
    let act = ActDraft { id: edit, room, target: id, slot: "text".into(), value, named: Default::default() };
    client.give(Input::Act(act));
    client.give(Input::Frame(ServerFrame::Ack { id: edit, outcome }));
    assert!(client.session.outbox.get(id).is_some() && client.session.outbox.get(edit).is_some());
    let event = log.erase("messages", &[id]);
    let effects = client.event(&event);
    for draft in [id, edit] {
        assert!(effects.contains(&Effect::Forget(draft)));
        assert!(client.session.outbox.get(draft).is_none());
    }
}

#[test]
fn after_a_reset_no_text_of_the_room_stays_that_is_not_loaded_again() {
    for why in [ResetReason::Far, ResetReason::Rewritten] {
        let mut log = Log::new();
        let id = log.message("a text of others", Added::default());
        let salt = log.row(id).proof.clone().unwrap().salt;
        let mut client = log.client(5);
        spread(&mut client, &log, id);
        let elsewhere = Mention { g: 12, room: RoomId::random(), row: Arc::new(log.row(id).clone()) };
        let elsewhere = Mention {
            row: Arc::new(Row { text: Some("elsewhere".into()), proof: None, ..(*elsewhere.row).clone() }),
            ..elsewhere
        };
        client.session.mentions.as_mut().unwrap().mentions.push(elsewhere);
        let room = client.room;
        let head = log.position();
        let effects = client.give(Input::Frame(ServerFrame::Reset { room, why, head }));
        let mut asked = Vec::new();
        for frame in sent(&effects) {
            if let ClientFrame::Page { req, lane, .. } = frame {
                let page = Page {
                    room,
                    lane: *lane,
                    as_of: head,
                    head: 0,
                    rows: Vec::new(),
                    quotes: BTreeMap::new(),
                };
                asked.extend(client.give(Input::Frame(ServerFrame::Page { req: *req, page })));
            }
        }
        for words in ["a text of others", salt.as_str(), "an earlier text"] {
            assert!(!holds(&client, words), "{why:?}: {words}");
        }
        assert!(holds(&client, "elsewhere"), "{why:?}: other rooms keep theirs");
        // What is on the screen is asked for again.
        let asked = sent(&asked);
        assert!(asked.iter().any(|frame| matches!(frame, ClientFrame::Pins { .. })));
        assert!(asked.iter().any(|frame| matches!(frame, ClientFrame::Thread { .. })));
        // The thread's root comes again, whatever its version was in the log before.
        let Some(ClientFrame::Thread { req, .. }) =
            asked.iter().find(|frame| matches!(frame, ClientFrame::Thread { .. })).copied()
        else {
            continue;
        };
        let root = Arc::new(Row { version: 1, text: Some("again".into()), ..log.row(id).clone() });
        let lane = root.seq;
        let thread = Thread { lane, root, follows: true, badge: Badge::default() };
        client.give(Input::Frame(ServerFrame::Thread { req: *req, room, thread }));
        let shown = client.session.shown_at(Lane { room, lane }, 0).unwrap();
        assert_eq!(shown.text.as_deref(), Some("again"));
    }
}

#[test]
fn no_salt_reaches_the_disk() {
    let folder = tempdir().unwrap();
    let mut log = Log::new();
    let id = log.message("kept here", naming(&[("bo", log.bo)]));
    log.edit(id, "kept here, edited", naming(&[("bo", log.bo)]));
    let client = log.client(5);
    let first = crate::support::boot(log.me, log.room, None);
    let disk = Disk::open(folder.path()).unwrap();
    disk.take(|| Shown::of(&client.session, &first)).unwrap();
    let file = std::fs::read(folder.path().join("kept.sqlite")).unwrap();
    let has = |words: &str| file.windows(words.len()).any(|part| part == words.as_bytes());
    assert!(has("kept here, edited") && has("mentions"));
    for row in &log.rows {
        assert!(!has(&row.proof.as_ref().unwrap().salt));
    }
    // What comes back is the text without what would prove it; the server's row of the same version is better.
    let (boot, _) = disk.shown().unwrap();
    let kept = boot.page.unwrap();
    assert_eq!((kept.rows[0].text.as_deref(), &kept.rows[0].proof), (Some("kept here, edited"), &None));
    let mut timeline = beck::timeline::Timeline::from_page(&kept);
    timeline.take_page(&log.page());
    assert_eq!(timeline.row(id).unwrap().proof, log.row(id).proof);
}
