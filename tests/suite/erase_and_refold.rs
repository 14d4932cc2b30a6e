//! Erasing texts changes no decision: a fold of the log without them decides as the one that still had them.
//!
//! One exception is left in formats 1 to 4. Whether a repeated draft was the same as the first is decided by their
//! texts. Once the text of one of the two is erased, a repeated draft by the same author has the first's outcome, also
//! where it was refused as another draft before.

use crate::support::corpus::{Maker, token};
use beck::protocol::{ClientId, Hash, Kind, Outcome, Place, Refusal, RoomId};
use beck::server::broker::Entry;
use beck::server::fold::{Fold, Folded};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use tempfile::tempdir;

/// All that is decided of an entry.
#[derive(Debug, Clone, PartialEq)]
struct Decided {
    outcome: Outcome,
    event: Option<EventPlace>,
}

#[derive(Debug, Clone, PartialEq)]
struct EventPlace {
    room: RoomId,
    seq: u64,
    chain: Hash,
    lane: u64,
    ordinal: Option<u64>,
    also: Option<Place>,
}

impl Decided {
    fn of(folded: &Folded) -> Decided {
        let event = folded.event.as_ref().map(|(room, event)| EventPlace {
            room: *room,
            seq: event.seq,
            chain: event.chain,
            lane: event.lane,
            ordinal: event.ordinal,
            also: event.also,
        });
        Decided { outcome: folded.outcome, event }
    }
}

fn fold_afresh(entries: &[Entry]) -> Vec<Decided> {
    let folder = tempdir().unwrap();
    let (_, mut fold) = Fold::open(folder.path(), |_, _| true).unwrap();
    entries
        .chunks(100)
        .flat_map(|batch| fold.fold(batch).unwrap())
        .map(|folded| Decided::of(&folded))
        .collect()
}

fn header_slot(entry: &Entry) -> Option<&str> {
    entry.header.slot.as_ref().map(|slot| slot.as_str())
}

/// The bodies that a server may erase, by hand: texts of messages, of edits and of restores.
fn holds_text(entry: &Entry) -> bool {
    let value = entry.json().and_then(|json| serde_json::from_str::<Value>(json).ok()).unwrap_or_default();
    match (&entry.header.kind, header_slot(entry)) {
        (Kind::Message, _) | (Kind::Act, Some("text")) => true,
        (Kind::Act, Some("deleted")) => value["value"]["restored"].is_string(),
        _ => false,
    }
}

/// Erases as a server does: all that is due, or a message that the administrator names. The log keeps its newest body.
fn erase_some(maker: &mut Maker) {
    let mut due = if maker.dice.percent(20) {
        maker.fold.texts_due(i64::MAX, 32).unwrap()
    } else {
        let Some((id, ..)) = maker.any_message() else { return };
        maker.fold.texts_of_deleted(id).map(|numbers| vec![(id, numbers)]).unwrap_or_default()
    };
    let newest = maker.fold.folded().0;
    due.retain(|(_, numbers)| !numbers.contains(&newest));
    due.iter().for_each(|(_, numbers)| maker.erase_bodies(numbers));
    maker.fold.erase(&due).unwrap();
}

/// Somebody deletes a message and restores it, most of the time its author, and may delete it again.
fn delete_and_restore(maker: &mut Maker) {
    let Some((id, room, author)) = maker.any_message() else { return };
    let restored = json!({ "value": { "restored": "what it said" } });
    for (body, percent) in [(json!({ "value": true }), 100), (restored, 90), (json!({ "value": true }), 70)] {
        if !maker.dice.percent(percent) {
            continue;
        }
        let by = if maker.dice.percent(90) { author } else { maker.owner };
        let mut act = maker.proposal(by, Kind::Act, &body);
        (act.room, act.target, act.slot) = (Some(room), Some(token(id)), Some(token("deleted")));
        maker.put(act);
    }
}

/// A history with erasing in between. Most of what is written are acts and repeated drafts.
fn history(format: u32, seed: u64) -> Maker {
    let folder = tempdir().unwrap();
    let mut maker = Maker::begin(folder.path(), format, seed);
    for step in 1..=format {
        maker.rise_to(step);
        for _ in 0..60 / format {
            maker.some_entries(8);
            for _ in 0..2 {
                maker.act();
                maker.double();
                delete_and_restore(&mut maker);
                erase_some(&mut maker);
            }
        }
    }
    maker
}

/// Compares the decisions of a log and of the same log without some bodies; gives how many repeated drafts count as
/// the first one since then.
fn assert_same(before: &[Decided], after: &[Decided], entries: &[Entry]) -> usize {
    assert_eq!((before.len(), after.len()), (entries.len(), entries.len()));
    let mut first_of: HashMap<ClientId, usize> = HashMap::new();
    let mut taken = 0;
    for (at, entry) in entries.iter().enumerate() {
        let first = *first_of.entry(entry.header.client_id).or_insert(at);
        let is_repeated = first != at && entries[first].header.author == entry.header.author;
        let erased = entry.body.is_none() || entries[first].body.is_none();
        let g = entry.header.g;
        if is_repeated && erased && before[at] != after[at] {
            let other = Outcome::Refused { why: Refusal::OtherDraft };
            assert_eq!(before[at], Decided { outcome: other, event: None }, "entry {g}");
            assert_eq!(after[at], Decided { outcome: before[first].outcome, event: None }, "entry {g}");
            taken += 1;
        } else {
            assert_eq!(before[at], after[at], "entry {g}: {:?}", entry.header);
        }
    }
    taken
}

#[test]
fn erased_texts_change_no_decision_but_whether_a_draft_was_repeated() {
    let (mut erased, mut taken, mut of_kind) = (0, 0, BTreeMap::<String, usize>::new());
    for (format, seed) in (1..=4).flat_map(|format| (0..2).map(move |seed| (format, seed))) {
        let Maker { log: now, written, folded, .. } = history(format, seed);
        let whole = fold_afresh(&written);
        for (entry, then) in now.iter().zip(&written).filter(|(now, _)| now.body.is_none()) {
            let first = now.iter().find(|first| first.header.client_id == entry.header.client_id).unwrap();
            let repeats = first.header.g != entry.header.g && first.body.is_none();
            assert!(holds_text(then) || repeats, "the body of {:?} was erased", entry.header);
            let slot = header_slot(entry).filter(|_| entry.header.kind == Kind::Act);
            let of =
                [Some(entry.header.kind.as_str()), slot].into_iter().flatten().collect::<Vec<_>>().join(" ");
            *of_kind.entry(of).or_insert(0) += 1;
            erased += 1;
        }
        let live: Vec<_> = folded.iter().map(Decided::of).collect();
        taken += assert_same(&whole, &live, &now);
        taken += assert_same(&whole, &fold_afresh(&now), &now);

        // A server that was killed has erased only some of these.
        let mut some = written.clone();
        for (at, entry) in some.iter_mut().enumerate().filter(|(at, _)| now[*at].body.is_none()) {
            entry.body = entry.body.take().filter(|_| at % 2 == seed as usize % 2);
        }
        taken += assert_same(&whole, &fold_afresh(&some), &some);
    }
    println!("{erased} bodies were erased, {taken} repeated drafts taken for the first: {of_kind:?}");
    for of in ["message", "act text", "act deleted"] {
        assert!(of_kind.get(of).is_some_and(|count| *count > 30), "few of {of}: {of_kind:?}");
    }
    assert!(taken > 20, "only {taken} repeated drafts were taken for the first");
}

/// Only a restore carries text. A deletion says that it deletes, whatever else stands in its body.
#[test]
fn a_deletion_is_not_erased_for_the_words_in_its_body() {
    let folder = tempdir().unwrap();
    let mut maker = Maker::begin(folder.path(), 4, 7);
    let (owner, room) = (maker.owner, maker.general);
    let mut message = maker.proposal(owner, Kind::Message, &json!({ "text": "first" }));
    message.room = Some(room);
    let id = message.client_id;
    maker.put(message);
    for body in [
        json!({ "value": true, "restored": "no text" }),
        json!({ "value": { "restored": "first" } }),
        json!({ "value": true, "restored": "no text" }),
    ] {
        let mut act = maker.proposal(owner, Kind::Act, &body);
        (act.room, act.target, act.slot) = (Some(room), Some(token(id)), Some(token("deleted")));
        maker.put(act);
    }
    let newest = maker.fold.folded().0;
    let numbers = maker.fold.texts_of_deleted(id).unwrap();
    assert_eq!(numbers, [newest - 3, newest - 1], "the message and the restore");
}
