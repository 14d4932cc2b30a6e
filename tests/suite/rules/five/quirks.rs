//! Reads the log of tests/data/corpus/quirks-5.txt and compares every outcome with the recorded one.

use super::super::decided;
use super::super::interpreter::Decided;
use super::super::quirks::{word, written};
use super::super::written::{BEGIN, Words, client_id, write_at};
use super::forms::is_never_erased;
use super::lists::Interpreter;
use beck::protocol::Format;
use beck::server::broker::Entry;
use beck::server::fold::Fold;
use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use tempfile::tempdir;

/// An entry, its line in the file, and its recorded outcome. One that stops the fold is not in the log.
struct Quirk {
    entry: Entry,
    line: String,
    outcome: String,
}

#[derive(Default)]
struct Reader {
    names: HashMap<String, String>,
    log: Vec<Entry>,
    quirks: Vec<Quirk>,
    at: i64,
    /// Entries have the form that servers write in format 5.
    risen: bool,
}

fn path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/corpus/quirks-5.txt")
}

fn quirks() -> Vec<Quirk> {
    let text = std::fs::read_to_string(path()).unwrap();
    let mut reader = Reader { at: BEGIN, ..Reader::default() };
    let mut pending: Option<(Entry, String)> = None;
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let whole = reader.expand(line);
        let mut rest = whole.as_str();
        match word(&mut rest) {
            "let" => {
                let mut words = rest.split_whitespace();
                reader.names.insert(words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
            }
            "wait" => reader.at += rest.parse::<i64>().unwrap(),
            "=" => {
                let (entry, line) = pending.take().unwrap_or_else(|| panic!("no entry before: {line}"));
                if rest == "stops" {
                    reader.log.pop();
                }
                reader.quirks.push(Quirk { entry, line, outcome: rest.to_owned() });
            }
            author => {
                assert!(pending.is_none(), "every entry needs an outcome below it: {line}");
                let entry = reader.entry(author, rest);
                pending = Some((entry, line.to_owned()));
            }
        }
    }
    reader.quirks
}

impl Reader {
    fn entry(&mut self, author: &str, mut rest: &str) -> Entry {
        let (kind, id) = (word(&mut rest), self.resolve(word(&mut rest)));
        let author = self.names[author].parse().unwrap();
        let mut words = Words::new(author, id.parse().unwrap(), kind, String::new());
        loop {
            let before = rest;
            match word(&mut rest) {
                "in" => words.room = Some(self.names[word(&mut rest)].parse().unwrap()),
                "to" => words.target = Some(self.resolve(word(&mut rest))),
                "slot" => words.slot = Some(self.resolve(word(&mut rest))),
                _ => {
                    rest = before;
                    break;
                }
            }
        }
        let salt = format!("{:016x}", self.log.len() + 1);
        let (old, erased) = (rest.strip_prefix("old:"), rest.strip_prefix("erased:"));
        let slot = words.slot.as_deref().unwrap_or("");
        let stays = is_never_erased(kind, slot) || (kind, slot) == ("act", "deleted") || !self.risen;
        self.risen |= kind == "format" && rest.ends_with('5');
        let json = if rest.is_empty() { "null" } else { rest };
        words.body = match (rest.strip_prefix("raw:"), old) {
            (Some(raw), _) => raw.replace('␊', "\n"),
            (None, Some(json)) => format!("{salt}{json}"),
            (None, None) if stays => format!("{salt}{json}"),
            (None, None) => format!("{salt}{salt}{json}\n{{}}"),
        };
        write_at(&mut self.log, &words, self.at);
        self.at += 1_000;
        let entry = self.log.last_mut().unwrap();
        entry.body = entry.body.take().filter(|_| erased.is_none());
        entry.clone()
    }

    /// Replaces `#n` by a `client_id` and a name by its id, also behind `react:…:` and `for:`.
    fn resolve(&self, word: &str) -> String {
        if let Some(n) = word.strip_prefix('#').and_then(|n| n.parse().ok()) {
            return client_id(n).to_string();
        }
        match word.rsplit_once(':') {
            Some((before, name)) if before.starts_with("react:") || before.ends_with("for") => {
                format!("{before}:{}", self.resolve(name))
            }
            _ => self.names.get(word).cloned().unwrap_or(word.to_owned()),
        }
    }

    /// Replaces what stands in `<<` and `>>`, and ids in quotes.
    fn expand(&self, line: &str) -> String {
        let mut text = String::new();
        let mut rest = line;
        while let Some((before, (inside, behind))) =
            rest.split_once("<<").and_then(|(before, rest)| Some((before, rest.split_once(">>")?)))
        {
            text += before;
            rest = behind;
            let words: Vec<_> = inside.split(' ').collect();
            let number = |at: usize| words[at].parse::<usize>().unwrap();
            match words[0] {
                "own" => write!(text, "{}", self.log.len() + 1).unwrap(),
                "below" => text += &numbers(1, self.log.len()),
                "ids" => {
                    let ids = (0..number(1)).map(|n| format!("\"{}\"", client_id(900_000 + n as u64)));
                    text += &ids.collect::<Vec<_>>().join(",");
                }
                "rooms" => {
                    let letters = b"bcdfghjklmnpqrstvwxz";
                    let room = |n: usize| {
                        let (high, low) = (char::from(letters[n / 20]), char::from(letters[n % 20]));
                        format!("\"xxxxxxxx{high}{low}\"")
                    };
                    text += &(0..number(1)).map(room).collect::<Vec<_>>().join(",");
                }
                // The number of the first entry with an id, or of a later one.
                "g" => {
                    let id = client_id(number(1) as u64);
                    let nth = if words.len() > 2 { number(2) } else { 1 };
                    let mut entries = self.log.iter().filter(|entry| entry.header.client_id == id);
                    write!(text, "{}", entries.nth(nth - 1).unwrap().header.g).unwrap();
                }
                _ => text += &words[1].repeat(number(0)),
            }
        }
        text += rest;
        while let Some((before, (n, behind))) =
            text.split_once("\"#").and_then(|(before, rest)| Some((before, rest.split_once('"')?)))
        {
            text = format!("{before}\"{}\"{behind}", client_id(n.parse().unwrap()));
        }
        text
    }
}

fn numbers(first: usize, last: usize) -> String {
    (first..=last).map(|n| n.to_string()).collect::<Vec<_>>().join(",")
}

/// Compares, and gives all differences at once.
fn assert_recorded(quirks: &[Quirk], now: Vec<String>, by: &str) {
    assert_eq!(now.len(), quirks.len());
    let differs = |(quirk, now): (&Quirk, &String)| {
        let line = &quirk.line;
        (*now != quirk.outcome).then(|| format!("{line}\n= {now}\n  and not: {}", quirk.outcome))
    };
    let wrong: Vec<_> = quirks.iter().zip(&now).filter_map(differs).collect();
    assert!(wrong.is_empty(), "{by} differs from the recorded outcomes:\n{}", wrong.join("\n"));
}

#[test]
fn the_interpreter_decides_the_handwritten_log_as_recorded() {
    let quirks = quirks();
    let mut interpreter = Interpreter::default();
    let decide = |quirk: &Quirk| match interpreter.read(&quirk.entry.header, quirk.entry.body.as_deref()) {
        Ok(decided) => outcome(quirk, &decided),
        Err(_) => "stops".to_owned(),
    };
    let now = quirks.iter().map(decide).collect();
    assert_recorded(&quirks, now, "the interpreter");
}

#[test]
fn the_fold_decides_the_handwritten_log_as_recorded() {
    let quirks = quirks();
    let folder = tempdir().unwrap();
    let (_, mut fold) = Fold::open_up_to(folder.path(), |_, _| true, Format::Five).unwrap();
    let decide = |quirk: &Quirk| match fold.fold(std::slice::from_ref(&quirk.entry)) {
        Ok(folded) => outcome(quirk, &decided(&folded[0])),
        Err(_) => "stops".to_owned(),
    };
    let now = quirks.iter().map(decide).collect();
    assert_recorded(&quirks, now, "the fold");
}

fn outcome(quirk: &Quirk, decided: &Decided) -> String {
    written(quirk.entry.header.g, decided)
}

/// The bound of the longest list: entries that change nothing, and an `erase` of a thousand of them, then of one more.
fn thousand(entries: usize) -> (Vec<Entry>, String) {
    let (operator, mut log) = ("bcdfghjklm".parse().unwrap(), Vec::new());
    let mut put = |kind: &str, body: String, at: i64| {
        let words =
            Words::new(operator, client_id(log.len() as u64 + 1), kind, format!("0123456789abcdef{body}"));
        write_at(&mut log, &words, at);
    };
    put("workspace", r#"{"id":"bcdfghjklm","name":"Thousand","format":5}"#.into(), BEGIN);
    (0..1_001).for_each(|_| put("message", "{}".into(), BEGIN));
    put(
        "erase",
        format!("{{\"entries\":[{}],\"reason\":\"refused\"}}", numbers(2, 1 + entries)),
        BEGIN + 86_400_000,
    );
    (log, if entries > 1_000 { "refused malformed" } else { "stored" }.into())
}

#[test]
fn an_erase_lists_a_thousand_entries_at_most() {
    for entries in [1_000, 1_001] {
        let (log, outcome) = thousand(entries);
        let mut interpreter = Interpreter::default();
        let now =
            log.iter().map(|entry| interpreter.read(&entry.header, entry.body.as_deref()).unwrap()).last();
        assert_eq!(written(log.len() as u64, &now.unwrap()), outcome);
        let folder = tempdir().unwrap();
        let (_, mut fold) = Fold::open_up_to(folder.path(), |_, _| true, Format::Five).unwrap();
        let now = decided(fold.fold(&log).unwrap().last().unwrap());
        assert_eq!(written(log.len() as u64, &now), outcome);
    }
}

#[test]
fn a_first_entry_of_format_5_has_one_form() {
    let right = r#"0123456789abcdef{"id":"bcdfghjklm","name":"First","format":5}"#;
    let mut first = Words::new("bcdfghjklm".parse().unwrap(), client_id(1), "workspace", right.into());
    let mut cases = vec![(true, first.clone())];
    let bodies = [
        r#"0123456789abcdef{"id":"bcdfghjklm","name":"First","format":5,"more":1}"#,
        r#"0123456789abcdef{"id":"bcdfghjklm","format":5,"name":"First"}"#,
        r#"0123456789abcdef {"id":"bcdfghjklm","name":"First","format":5}"#,
        r#"0123456789abcdeF{"id":"bcdfghjklm","name":"First","format":5}"#,
        r#"0123456789abcdef{"id":"bcdfghjklm","name":"First","format":6}"#,
        r#"0123456789abcdef{"id":"cdfghjklmn","name":"First","format":5}"#,
    ];
    cases.extend(bodies.map(|body| (false, Words { body: body.into(), ..first.clone() })));
    cases.push((false, Words { author: "cdfghjklmn".parse().unwrap(), ..first.clone() }));
    cases.push((false, Words { kind: "room".into(), ..first.clone() }));
    first.slot = Some("name".into());
    cases.push((false, first));
    for (starts, words) in cases {
        let mut log = Vec::new();
        write_at(&mut log, &words, BEGIN);
        let mut interpreter = Interpreter::default();
        assert_eq!(interpreter.read(&log[0].header, log[0].body.as_deref()).is_ok(), starts, "{words:?}");
        let folder = tempdir().unwrap();
        let (_, mut fold) = Fold::open_up_to(folder.path(), |_, _| true, Format::Five).unwrap();
        assert_eq!(fold.fold(&log).is_ok(), starts, "{words:?}");
    }
}
