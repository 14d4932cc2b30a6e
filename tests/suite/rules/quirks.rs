//! Folds the log of tests/data/corpus/quirks.txt and compares every outcome with the recorded one.

use super::interpreter::Decided;
use super::written::{Words, client_id, write};
use super::{decided, interpreted};
use beck::server::broker::Entry;
use beck::server::fold::Fold;
use std::collections::{BTreeSet, HashMap};
use tempfile::tempdir;

/// The log, and for each entry its line in the file and its recorded outcome.
struct Quirks {
    log: Vec<Entry>,
    lines: Vec<String>,
    outcomes: Vec<String>,
}

/// Replaces `#n` by a `client_id` and a name by its id, also after the last colon of a reaction.
fn resolve(word: &str, names: &HashMap<String, String>) -> String {
    if let Some(n) = word.strip_prefix('#').and_then(|n| n.parse().ok()) {
        return client_id(n).to_string();
    }
    match word.rsplit_once(':') {
        Some((before, name)) if before.starts_with("react:") => format!("{before}:{}", resolve(name, names)),
        _ => names.get(word).cloned().unwrap_or(word.to_owned()),
    }
}

/// Takes the first word and the space after it.
pub(super) fn word<'a>(rest: &mut &'a str) -> &'a str {
    let (word, behind) = rest.split_once(' ').unwrap_or((rest, ""));
    *rest = behind;
    word
}

fn quirks() -> Quirks {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/corpus/quirks.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let mut names = HashMap::new();
    let mut quirks = Quirks { log: Vec::new(), lines: Vec::new(), outcomes: Vec::new() };
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut rest = line;
        let first = word(&mut rest);
        match first {
            "let" => {
                let mut words = rest.split_whitespace();
                names.insert(words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
            }
            "=" => quirks.outcomes.push(rest.to_owned()),
            _ => {
                let (kind, id) = (word(&mut rest), resolve(word(&mut rest), &names));
                let author = names[first].parse().unwrap();
                let mut words = Words::new(author, id.parse().unwrap(), kind, String::new());
                loop {
                    let before = rest;
                    match word(&mut rest) {
                        "in" => words.room = Some(names[word(&mut rest)].parse().unwrap()),
                        "to" => words.target = Some(resolve(word(&mut rest), &names)),
                        "slot" => words.slot = Some(resolve(word(&mut rest), &names)),
                        _ => {
                            rest = before;
                            break;
                        }
                    }
                }
                let salt = format!("{:016x}", quirks.log.len() + 1);
                let erased = rest.strip_prefix("erased:");
                words.body = match (rest.strip_prefix("raw:"), erased.unwrap_or(rest)) {
                    (Some(raw), _) => raw.to_owned(),
                    (None, "") => format!("{salt}null"),
                    (None, json) => format!("{salt}{json}"),
                };
                write(&mut quirks.log, &words);
                let entry = quirks.log.last_mut().unwrap();
                entry.body = entry.body.take().filter(|_| erased.is_none());
                quirks.lines.push(line.to_owned());
            }
        }
    }
    assert_eq!(quirks.outcomes.len(), quirks.log.len(), "every entry needs an outcome below it");
    quirks
}

/// A decision in the words of the file.
pub(super) fn written(g: u64, decided: &Decided) -> String {
    let (first, seq, ordinal) = match &decided.outcome {
        Err(why) => return format!("refused {why}"),
        Ok(stored) => *stored,
    };
    let mut text = "stored".to_owned();
    if first != g {
        text += &format!(" as entry {first}");
    }
    for (name, number) in [("seq", seq), ("ordinal", ordinal)] {
        if let Some(number) = number {
            text += &format!(" {name} {number}");
        }
    }
    if let Some(event) = &decided.event {
        if event.lane > 0 {
            text += &format!(" lane {}", event.lane);
        }
        if let Some((lane, ordinal)) = event.also {
            text += &format!(" also lane {lane} ordinal {ordinal}");
        }
    }
    text
}

fn assert_recorded(quirks: &Quirks, decided: &[Decided], by: &str) {
    let mut wrong = Vec::new();
    for (at, then) in quirks.outcomes.iter().enumerate() {
        let now = written(at as u64 + 1, &decided[at]);
        if now != *then {
            wrong.push(format!("{}\n= {now}\n  and not: {then}", quirks.lines[at]));
        }
    }
    assert!(wrong.is_empty(), "{by} differs from the recorded outcomes:\n{}", wrong.join("\n"));
}

#[test]
fn the_fold_decides_the_handwritten_log_as_recorded() {
    let quirks = quirks();
    let folder = tempdir().unwrap();
    let (_, mut fold) = Fold::open(folder.path(), |_, _| true).unwrap();
    let decided: Vec<_> = fold.fold(&quirks.log).unwrap().iter().map(decided).collect();
    assert_recorded(&quirks, &decided, "the fold");
}

#[test]
fn the_interpreter_decides_the_handwritten_log_as_recorded() {
    let quirks = quirks();
    assert_recorded(&quirks, &interpreted(&quirks.log), "the interpreter");
}

#[test]
fn the_handwritten_log_has_every_refusal_of_every_kind() {
    let quirks = quirks();
    let refused = quirks.log.iter().zip(&quirks.outcomes).filter_map(|(entry, outcome)| {
        outcome.strip_prefix("refused ").map(|why| (entry.header.kind.as_str(), why))
    });
    let refused: BTreeSet<_> = refused.collect();
    let all = [
        ("workspace", "taken"),
        ("account", "malformed taken not_allowed"),
        ("account.set", "malformed not_found not_allowed"),
        ("room", "malformed not_allowed taken"),
        ("room.set", "malformed not_found not_allowed taken"),
        ("join", "malformed not_found not_allowed taken"),
        ("leave", "malformed not_found not_allowed"),
        ("message", "malformed not_found archived target_gone void other_draft"),
        ("act", "malformed not_found archived target_gone not_allowed void"),
        ("void", "malformed not_allowed too_late other_draft"),
        ("logins", "malformed not_allowed"),
    ];
    for (kind, refusals) in all {
        for why in refusals.split(' ') {
            assert!(refused.contains(&(kind, why)), "no {kind} is refused {why}: {refused:?}");
        }
    }
}
