//! Random histories of format 5, and of logs that rise to it: the fold decides as the interpreter does, whatever the size
//! of its batches, and also without the bodies that can be erased. BECK_HISTORIES sets the number of histories,
//! BECK_SEED the seed of the first.

use super::super::decided;
use super::super::histories::{assert_same, fold};
use super::super::written::{ZERO, then};
use super::interpreted;
use super::lists::refusing_lines;
use super::maker::{Maker, history};
use crate::support::seed;
use crate::support::tables::tables;
use beck::protocol::{Format, RoomId};
use beck::server::fold::Fold;
use beck::server::state::STATE_FILE;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use tempfile::{TempDir, tempdir};

const HISTORIES: u64 = 16;
const ENTRIES: usize = 500;

fn count() -> u64 {
    std::env::var("BECK_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(HISTORIES)
}

fn histories() -> impl Iterator<Item = (u64, Maker)> {
    let first = seed();
    (0..count()).map(move |n| first.wrapping_add(n)).map(|seed| (seed, history(seed, ENTRIES)))
}

fn open(folder: &TempDir) -> Fold {
    Fold::open_up_to(folder.path(), |_, _| true, Format::Five).unwrap().1
}

/// What the histories reach together, by the interpreter's own decisions.
#[test]
fn the_histories_reach_every_rule() {
    let (mut refused, mut accepted, mut stops) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut taken, mut named, mut rises) = (0, 0, 0);
    for (_, made) in histories() {
        for (entry, decided) in made.log.iter().zip(&made.decided).skip(made.rise) {
            let kind = entry.header.kind.as_str().to_owned();
            match &decided.outcome {
                Ok(_) => accepted.insert(kind),
                Err(why) => refused.insert(format!("{kind} {why}")),
            };
        }
        taken += made.oracle.erased.len();
        named += made.named.iter().filter(|named| !named.is_empty()).count();
        rises += usize::from(made.rise > 0);
        stops.extend(made.stops.iter().map(|(_, entry)| entry.header.kind.as_str().to_owned()));
    }
    if count() < HISTORIES {
        return;
    }
    let all = [
        ("workspace", "taken"),
        ("format", "malformed not_allowed"),
        ("account", "malformed taken not_allowed"),
        ("account.set", "malformed not_found not_allowed"),
        ("workspace.set", "malformed not_allowed"),
        ("logins", "malformed not_found not_allowed"),
        ("void", "malformed not_allowed too_late"),
        ("room", "malformed not_allowed taken"),
        ("room.set", "malformed not_found archived not_allowed taken"),
        ("join", "malformed not_found taken archived not_allowed"),
        ("leave", "malformed not_found not_allowed"),
        ("message", "malformed not_found archived not_allowed target_gone void other_draft"),
        ("act", "malformed not_found archived target_gone not_allowed too_late other_draft"),
        ("erase", "malformed not_found not_allowed target_gone other_draft"),
    ];
    for (kind, refusals) in all {
        for why in refusals.split(' ') {
            assert!(refused.contains(&format!("{kind} {why}")), "no {kind} is refused {why}: {refused:?}");
        }
        assert!(kind == "workspace" || accepted.contains(kind), "no {kind} is accepted");
    }
    assert!(accepted.contains("poll"), "no unknown kind is accepted");
    assert!(stops.contains("format") && stops.len() > 3, "{stops:?}");
    assert!(taken > 100 && named > 20 && rises > 2, "{taken} bodies, {named} events, {rises} logs that rise");

    // Each line of the rules that can refuse has refused.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/rules/five");
    for file in ["interpreter.rs", "erase.rs"] {
        let (text, reached) = (std::fs::read_to_string(folder.join(file)).unwrap(), refusing_lines(file));
        for (at, line) in text.lines().enumerate().filter(|(_, line)| line.contains("require(")) {
            assert!(reached.contains(&(at as u32 + 1)), "{file}:{}: never refuses: {}", at + 1, line.trim());
        }
    }
}

#[test]
fn the_fold_decides_every_entry_as_the_interpreter_does() {
    for (seed, made) in histories() {
        let folder = tempdir().unwrap();
        let folded = open(&folder).fold(&made.log).unwrap();
        let now: Vec<_> = folded.iter().map(decided).collect();
        assert_same(&now, &made.decided, &made.log, &format!("seed {seed}"));
        let mut chains: HashMap<RoomId, String> = HashMap::new();
        for (folded, named) in folded.iter().zip(&made.named) {
            let Some((room, event)) = &folded.event else { continue };
            let chain = chains.entry(*room).or_insert(ZERO.to_owned());
            *chain = then(chain, &event.header);
            assert_eq!(event.chain.to_string(), *chain, "seed {seed}: {:?}", event.header);
            assert_eq!(event.erased, *named, "seed {seed}: {:?}", event.header);
        }
    }
}

#[test]
fn the_fold_stops_at_what_a_log_of_format_5_may_not_have() {
    for (seed, made) in histories() {
        for (at, entry) in made.stops.iter().take(4) {
            let folder = tempdir().unwrap();
            let mut fold = open(&folder);
            fold.fold(&made.log[..*at]).unwrap();
            let stopped = fold.fold(std::slice::from_ref(entry));
            assert!(stopped.is_err(), "seed {seed}: {:?} {:?}", entry.header, entry.body);
            assert_eq!(fold.folded().0, *at as u64);
        }
    }
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

/// The numbers of the entries whose bodies may be erased without changing a decision: of those that format 5 decides
/// every erasable one. A log that rises keeps the bodies of its earlier part.
fn erasable(made: &Maker) -> Vec<usize> {
    let past = made.oracle.past.iter().filter(|past| past.format >= 5 && past.erasable);
    past.map(|past| past.header.g as usize).collect()
}

#[test]
fn the_rules_read_no_erasable_body() {
    for (seed, made) in histories() {
        let mut log = made.log.clone();
        erasable(&made).into_iter().for_each(|g| log[g - 1].body = None);
        assert_same(&interpreted(&log), &made.decided, &log, &format!("seed {seed}"));
    }
}

#[test]
fn a_log_without_its_erasable_bodies_is_decided_alike() {
    let mut erased = 0;
    for (seed, made) in histories() {
        let mut dice = StdRng::seed_from_u64(seed);
        for share in [0.3, 1.0] {
            let mut log = made.log.clone();
            for g in erasable(&made) {
                if dice.random_bool(share) {
                    erased += usize::from(log[g - 1].body.take().is_some());
                }
            }
            let folder = tempdir().unwrap();
            let now = fold(&mut open(&folder), &log, &mut dice);
            let now: Vec<_> = now.iter().map(decided).collect();
            assert_same(&now, &made.decided, &log, &format!("erased, seed {seed}"));
        }
    }
    assert!(erased > 500 || count() < HISTORIES, "only {erased} bodies were erased");
}

/// Three servers: one folded the texts and then the `erase`, one removed the bodies after each `erase` and started
/// again, and one folds the log without them.
#[test]
fn what_is_erased_leaves_the_same_tables_everywhere() {
    for (seed, made) in histories() {
        let mut without = made.log.clone();
        made.oracle.erased.iter().for_each(|g| without[*g as usize - 1].body = None);
        let mut dice = StdRng::seed_from_u64(seed);
        let (had, restarted, afresh) = (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
        let now = fold(&mut open(&had), &made.log, &mut dice);
        let now: Vec<_> = now.iter().map(decided).collect();
        let middle = dice.random_range(1..made.log.len());
        fold(&mut open(&restarted), &made.log[..middle], &mut dice);
        fold(&mut open(&restarted), &without[middle..], &mut dice);
        let then = fold(&mut open(&afresh), &without, &mut dice);
        let then: Vec<_> = then.iter().map(decided).collect();
        // The exception of formats 1 to 4: which draft was another one is lost with the text.
        assert_same(&now[made.rise..], &then[made.rise..], &made.log[made.rise..], &format!("seed {seed}"));
        let expected = tables(had.path());
        for (folder, how) in [(&restarted, "restarted"), (&afresh, "afresh")] {
            for (table, rows) in tables(folder.path()) {
                assert_eq!(rows, expected[&table], "table {table}, {how}, seed {seed}");
            }
        }
    }
}
