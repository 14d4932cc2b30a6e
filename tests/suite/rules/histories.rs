//! Random histories: the fold decides as the interpreter does, whatever the size of its batches, and also after texts
//! were erased. BECK_HISTORIES sets the number of histories, BECK_SEED the seed of the first.

use super::interpreter::Decided;
use super::maker::{Maker, history};
use super::written::{ZERO, then};
use super::{decided, interpreted};
use crate::support::seed;
use crate::support::tables::tables;
use beck::protocol::{ClientId, RoomId};
use beck::server::broker::Entry;
use beck::server::fold::{Fold, Folded};
use beck::server::state::STATE_FILE;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tempfile::{TempDir, tempdir};

const HISTORIES: u64 = 12;
const ENTRIES: usize = 400;

fn count() -> u64 {
    std::env::var("BECK_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(HISTORIES)
}

fn histories() -> impl Iterator<Item = (u64, Maker)> {
    let first = seed();
    (0..count()).map(move |n| first.wrapping_add(n)).map(|seed| (seed, history(seed, ENTRIES)))
}

fn open(folder: &TempDir) -> Fold {
    Fold::open(folder.path(), |_, _| true).unwrap().1
}

/// Folds entries in batches of random sizes.
pub fn fold(fold: &mut Fold, mut entries: &[Entry], dice: &mut StdRng) -> Vec<Folded> {
    let mut all = Vec::new();
    while !entries.is_empty() {
        let (now, later) = entries.split_at(dice.random_range(1..=entries.len().min(60)));
        all.extend(fold.fold(now).unwrap());
        entries = later;
    }
    all
}

pub fn assert_same(now: &[Decided], then: &[Decided], log: &[Entry], of: &str) {
    for ((now, then), entry) in now.iter().zip(then).zip(log) {
        assert_eq!(now, then, "{of}: {:?} {:?}", entry.header, entry.body);
    }
    assert_eq!(now.len(), then.len(), "{of}");
}

#[test]
fn the_fold_decides_every_entry_as_the_interpreter_does() {
    let (mut refused, mut accepted, mut placed) = (BTreeSet::new(), BTreeSet::new(), [0; 3]);
    for (seed, made) in histories() {
        let folder = tempdir().unwrap();
        let folded = open(&folder).fold(&made.log).unwrap();
        let now: Vec<_> = folded.iter().map(decided).collect();
        assert_same(&now, &made.decided, &made.log, &format!("seed {seed}"));
        let mut chains: HashMap<RoomId, String> = HashMap::new();
        for (room, event) in folded.iter().filter_map(|folded| folded.event.as_ref()) {
            let chain = chains.entry(*room).or_insert(ZERO.to_owned());
            *chain = then(chain, &event.header);
            assert_eq!(event.chain.to_string(), *chain, "seed {seed}: {:?}", event.header);
        }
        for (entry, decided) in made.log.iter().zip(&made.decided) {
            let kind = entry.header.kind.as_str().to_owned();
            match &decided.outcome {
                Ok(_) => accepted.insert(kind),
                Err(why) => refused.insert((kind, why.clone())),
            };
            let places = decided.event.as_ref().map(|event| (event.lane > 0, event.also.is_some()));
            placed[0] += usize::from(places.is_some_and(|(answers, _)| answers));
            placed[1] += usize::from(places.is_some_and(|(_, also)| also));
            placed[2] += usize::from(decided.event.is_none() && decided.outcome.is_ok());
        }
    }
    if count() < HISTORIES {
        return;
    }
    // Together the histories reach every refusal, every kind and every sort of place.
    let refusals: BTreeSet<_> = refused.iter().map(|(_, why)| why.as_str()).collect();
    assert_eq!(refusals.len(), 9, "{refused:?}");
    assert!(refused.len() >= 35, "{} refusals of a kind: {refused:?}", refused.len());
    assert_eq!(accepted.len(), 14, "{accepted:?}");
    assert!(placed.iter().all(|times| *times > 0), "{placed:?}");
}

#[test]
fn batches_restarts_and_a_lost_state_file_change_nothing() {
    for (seed, made) in histories() {
        let mut dice = StdRng::seed_from_u64(seed);
        let (whole, batches, restarted, lost) =
            (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
        let once = open(&whole).fold(&made.log).unwrap();
        let once: Vec<_> = once.iter().map(decided).collect();
        let middle = dice.random_range(1..made.log.len());
        let (before, after) = made.log.split_at(middle);

        let now = fold(&mut open(&batches), &made.log, &mut dice);
        let now: Vec<_> = now.iter().map(decided).collect();
        assert_same(&now, &once, &made.log, &format!("batches, seed {seed}"));

        let mut now = fold(&mut open(&restarted), before, &mut dice);
        let mut again = open(&restarted);
        assert_eq!(again.folded(), (middle as u64, before[middle - 1].link), "seed {seed}");
        now.extend(fold(&mut again, after, &mut dice));
        let now: Vec<_> = now.iter().map(decided).collect();
        assert_same(&now, &once, &made.log, &format!("restarted, seed {seed}"));

        fold(&mut open(&lost), before, &mut dice);
        std::fs::remove_file(lost.path().join(STATE_FILE)).unwrap();
        let mut afresh = open(&lost);
        assert_eq!(afresh.folded().0, 0, "seed {seed}");
        let now = fold(&mut afresh, &made.log, &mut dice);
        let now: Vec<_> = now.iter().map(decided).collect();
        assert_same(&now, &once, &made.log, &format!("state lost, seed {seed}"));

        drop((again, afresh));
        let expected = tables(whole.path());
        for (folder, how) in [(&batches, "batches"), (&restarted, "restarted"), (&lost, "state lost")] {
            for (table, rows) in tables(folder.path()) {
                assert_eq!(rows, expected[&table], "table {table}, {how}, seed {seed}");
            }
        }
    }
}

/// The messages that are deleted at the end of a log, each with the entries that hold its text: the message, its edits,
/// its restores, and every other entry with the `client_id` of one of these.
fn texts_of_deleted(log: &[Entry], decided: &[Decided], made: &Maker) -> BTreeMap<ClientId, Vec<u64>> {
    let mut texts = BTreeMap::new();
    for message in &made.oracle.messages {
        let mut deleted = false;
        let mut ids = vec![message.id];
        for (entry, decided) in log.iter().zip(decided) {
            let header = &entry.header;
            let target =
                header.target.as_ref().is_some_and(|target| target.as_str() == message.id.to_string());
            if header.kind.as_str() != "act" || !target || decided.event.is_none() {
                continue;
            }
            let restores = entry.json().is_some_and(|json| json.contains("\"restored\""));
            match header.slot.as_ref().map(|slot| slot.as_str()) {
                Some("text") => ids.push(header.client_id),
                Some("deleted") => {
                    deleted = entry.json() == Some("{\"value\":true}");
                    if restores {
                        ids.push(header.client_id);
                    }
                }
                _ => {}
            }
        }
        let entries = log.iter().filter(|entry| ids.contains(&entry.header.client_id));
        let numbers: Vec<_> = entries.map(|entry| entry.header.g).collect();
        if deleted {
            texts.insert(message.id, numbers);
        }
    }
    texts
}

/// Formats 1 to 4 lose one decision with a text: whether a later entry with the same author and id was another draft.
/// Without the text that entry has the outcome of the first one.
fn is_forgotten(log: &[Entry], at: usize, (now, then): (&Decided, &Decided), full: &[Decided]) -> bool {
    let header = &log[at].header;
    let first = log.iter().position(|entry| entry.header.client_id == header.client_id).unwrap();
    let one_author = log[first].header.author == header.author;
    let erased = log[first].body.is_none() || log[at].body.is_none();
    let was_other = then.outcome == Err("other_draft".into()) && now.outcome == full[first].outcome;
    first < at && one_author && erased && was_other && now.event.is_none()
}

#[test]
fn erasing_texts_changes_no_decision_except_other_draft() {
    let (mut erased, mut forgotten) = (0, 0);
    for (seed, made) in histories() {
        let mut dice = StdRng::seed_from_u64(seed);
        let mut log = made.log.clone();
        // A server erases several times. Each time the newest entry of the log keeps its body.
        let mut moments: Vec<_> = (0..6).map(|_| dice.random_range(1..=log.len())).collect();
        moments.sort();
        for moment in moments {
            let texts = texts_of_deleted(&made.log[..moment], &made.decided, &made);
            let folder = tempdir().unwrap();
            let (state, mut fold) = Fold::open(folder.path(), |_, _| true).unwrap();
            fold.fold(&made.log[..moment]).unwrap();
            for (id, mut numbers) in texts {
                let (row, mut listed) = state
                    .read_anything(|state| Ok((state.row(id)?.unwrap().1, state.entries_of_message(id)?)))
                    .unwrap();
                assert!(row.deleted.is_some(), "seed {seed}: {id} as of {moment}");
                numbers.sort();
                listed.sort();
                assert_eq!(listed, numbers, "seed {seed}: texts of {id} as of {moment}");
                if !numbers.contains(&(moment as u64)) && dice.random_bool(0.7) {
                    for g in numbers {
                        erased += usize::from(log[g as usize - 1].body.take().is_some());
                    }
                }
            }
        }
        let folder = tempdir().unwrap();
        let now: Vec<_> = open(&folder).fold(&log).unwrap().iter().map(decided).collect();
        assert_same(&now, &interpreted(&log), &log, &format!("erased, seed {seed}"));
        for at in 0..log.len() {
            let (now, then) = (&now[at], &made.decided[at]);
            if now != then {
                let entry = &log[at];
                let known = is_forgotten(&log, at, (now, then), &made.decided);
                assert!(known, "seed {seed}: {now:?} was {then:?}: {:?} {:?}", entry.header, entry.body);
                forgotten += 1;
            }
        }
    }
    println!("{erased} bodies erased, {forgotten} other drafts forgotten");
    assert!(erased > 50 || count() < HISTORIES, "only {erased} bodies were erased");
}
