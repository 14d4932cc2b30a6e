//! The list `earlier`: the texts of messages that an edit replaced.

use super::log::{ANN, BOB, DAY, Log, OTHER_ROOM, ROOM, Words, id};

fn edit(log: &mut Log, id: &str, text: &str) -> u64 {
    let edit = log.act(ANN, id, "text", &format!(r#""{text}""#));
    log.accept(edit)
}

#[test]
fn texts_that_an_edit_replaced_a_day_ago_go_and_the_one_that_stands_stays() {
    let mut log = Log::new();
    let message = log.message(ANN, "one");
    let first = message.id.clone();
    let one = log.accept(message);
    let at = log.now;
    let two = edit(&mut log, &first, "two");
    log.now = at + DAY / 2;
    let three = edit(&mut log, &first, "three");
    let four = edit(&mut log, &first, "four");
    assert_eq!(log.history(&first), ["one", "two", "three", "four"]);
    log.now = at + DAY - 1;
    let early = log.erase_earlier(&[&first]);
    log.refuse(early, "target_gone");
    assert_eq!(log.now, at + DAY);
    let erase = log.erase_earlier(&[&first]);
    let g = log.takes(erase, &[one]);
    let event = log.of(g).event.clone().unwrap().1;
    assert_eq!((event.erased.len(), event.lane, event.ordinal), (1, 0, None));
    assert_eq!(event.erased[0].to_string(), first);
    assert_eq!(log.history(&first), ["two", "three", "four"]);
    let again = log.erase_earlier(&[&first]);
    log.refuse(again, "target_gone");
    log.now += DAY;
    let erase = log.erase_earlier(&[&first]);
    log.takes(erase, &[two, three]);
    assert_eq!(log.history(&first), ["four"]);
    assert_eq!(log.row(&first).text.as_deref(), Some("four"));
    // The message is not erased: another edit, a deletion and a restore go on.
    let five = edit(&mut log, &first, "five");
    for value in ["true", "false", "true"] {
        let act = log.act(ANN, &first, "deleted", value);
        log.accept(act);
    }
    log.now += DAY;
    let erase = log.erase_earlier(&[&first]);
    log.takes(erase, &[four]);
    let erase = log.erase_messages(&[&first]);
    log.takes(erase, &[five]);
    let erase = log.erase_earlier(&[&first]);
    log.refuse(erase, "target_gone");
    log.check();
}

#[test]
fn duplicates_go_with_their_text_also_those_that_came_after_the_edit() {
    let mut log = Log::new();
    let message = log.message(ANN, "one");
    let (first, again, by_another) = (message.id.clone(), message.clone(), message.clone().by(BOB));
    let other_kind = log.raw(ANN, "join", "null").room(ROOM).target(ANN).id(&first);
    let one = log.accept(message);
    let edit = log.act(ANN, &first, "text", r#""two""#);
    let edit_again = edit.clone();
    log.accept(edit);
    log.accept(edit_again);
    let (again, by_another) = (log.accept(again), log.refuse(by_another, "other_draft"));
    log.refuse(other_kind, "other_draft");
    log.now += DAY;
    let erase = log.erase_earlier(&[&first]);
    log.takes(erase, &[one, again, by_another]);
    log.check();
}

/// A body that went by its number is no text any more, and one that comes later is.
#[test]
fn what_is_left_is_counted_by_bodies() {
    let mut log = Log::new();
    let message = log.message(ANN, "one");
    let (first, again, late) = (message.id.clone(), message.clone(), message.clone());
    let one = log.accept(message);
    let again = log.accept(again);
    edit(&mut log, &first, "two");
    log.now += DAY;
    let by_number = log.erase_entries(&[again]);
    log.takes(by_number, &[again]);
    let erase = log.erase_earlier(&[&first]);
    log.takes(erase, &[one]);
    let late = log.accept(late);
    let erase = log.erase_earlier(&[&first]);
    log.takes(erase, &[late]);
    let erase = log.erase_earlier(&[&first]);
    log.refuse(erase, "target_gone");
    log.check();
}

#[test]
fn only_an_edit_replaces_a_text() {
    let mut log = Log::new();
    let message = log.message(ANN, "one");
    let first = message.id.clone();
    let one = log.accept(message);
    for value in ["true", r#"{"restored":"one"}"#] {
        let act = log.act(ANN, &first, "deleted", value);
        log.accept(act);
    }
    let restored = log.entries.len() as u64;
    log.now += DAY;
    let erase = log.erase_earlier(&[&first]);
    log.refuse(erase, "target_gone");
    edit(&mut log, &first, "two");
    log.now += DAY;
    let erase = log.erase_earlier(&[&first]);
    log.takes(erase, &[one, restored]);
    log.check();
}

#[test]
fn an_edit_that_was_refused_replaces_nothing_and_other_rooms_do_not_qualify() {
    let mut log = Log::new();
    let message = log.message(ANN, "one");
    let first = message.id.clone();
    log.accept(message);
    let refused = log.act(BOB, &first, "text", r#""mine""#);
    log.refuse(refused, "not_allowed");
    let message = log.message(ANN, "elsewhere").room(OTHER_ROOM);
    let other = message.id.clone();
    log.accept(message);
    let edited = log.act(ANN, &other, "text", r#""moved""#).room(OTHER_ROOM);
    log.accept(edited);
    log.now += DAY;
    let erase = log.erase_earlier(&[&first, &other, &id(7)]);
    log.refuse(erase, "target_gone");
    log.check();
}

#[test]
fn a_deleted_message_loses_its_earlier_texts_too_and_is_restored_with_the_one_that_stood() {
    let mut log = Log::new();
    let message = log.message(ANN, "one");
    let first = message.id.clone();
    let one = log.accept(message);
    edit(&mut log, &first, "two");
    log.now += DAY;
    let delete = log.act(ANN, &first, "deleted", "true");
    log.accept(delete);
    let erase = log.erase_earlier(&[&first]);
    log.takes(erase, &[one]);
    let restore = log.act(ANN, &first, "deleted", "false");
    log.accept(restore);
    assert_eq!(log.row(&first).text.as_deref(), Some("two"));
    log.check();
}

#[test]
fn a_quote_goes_with_the_text_that_it_stood_in() {
    let mut log = Log::new();
    let quoted = log.message(ANN, "quoted");
    let quoted_id = quoted.id.clone();
    log.accept(quoted);
    let draft = format!(r#"{{"text":"one","quote":"{quoted_id}"}}"#);
    let message = log.raw(ANN, "message", &draft).room(ROOM);
    let first = message.id.clone();
    let one = log.accept(message);
    edit(&mut log, &first, "two");
    assert_eq!(log.row(&first).quote.unwrap().to_string(), quoted_id);
    log.now += DAY;
    let erase = log.erase_earlier(&[&first]);
    log.takes(erase, &[one]);
    assert_eq!(log.row(&first).quote, None);
    assert_eq!(log.row(&first).text.as_deref(), Some("two"));
    log.check();
}

/// Which message quotes what, and what an edit of the new and of the old form makes of it, as the texts under it go.
#[test]
fn a_quote_stays_with_an_edit_that_carries_it() {
    let quoting = |log: &mut Log, draft: &str| {
        let words = log.raw(ANN, "message", draft).room(ROOM);
        let id = words.id.clone();
        (id, log.accept(words))
    };
    let edit_with = |log: &mut Log, id: &str, text: &str, added: &str| {
        let draft = format!("{{\"value\":\"{text}\"}}");
        let words = log.act(ANN, id, "text", "").stored(&format!("{:032x}{draft}\n{added}", 7));
        log.accept(words)
    };
    let says = |log: &Log, id: &str| {
        let row = log.row(id);
        (row.quote.map(|quote| quote.to_string()), row.said)
    };
    let mut log = Log::new();
    let (quoted, other) = (id(1), id(2));
    let both = |quoted: &str, said: i64| (Some(quoted.to_owned()), Some(said));
    let draft = format!(r#"{{"text":"one","quote":"{quoted}","said":5}}"#);

    let (kept, one) = quoting(&mut log, &draft);
    let two = edit_with(&mut log, &kept, "two", &format!(r#"{{"quote":"{quoted}","said":5}}"#));
    log.now += DAY;
    let erase = log.erase_earlier(&[&kept]);
    log.takes(erase, &[one]);
    assert_eq!(says(&log, &kept), both(&quoted, 5));
    // Deleted and restored it is what it was.
    for value in ["true", "false"] {
        let act = log.act(ANN, &kept, "deleted", value);
        log.accept(act);
        assert_eq!(says(&log, &kept), both(&quoted, 5));
    }

    // One of the old form on top takes it along when the texts under it go, and not before.
    edit(&mut log, &kept, "three");
    assert_eq!(says(&log, &kept), both(&quoted, 5));
    log.now += DAY;
    let erase = log.erase_earlier(&[&kept]);
    log.takes(erase, &[two]);
    assert_eq!(says(&log, &kept), (None, None));

    // What an edit says goes before what the message says, also that there is none.
    let (changed, _) = quoting(&mut log, &draft);
    edit_with(&mut log, &changed, "two", &format!(r#"{{"all":true,"quote":"{other}","said":6}}"#));
    assert_eq!(says(&log, &changed), both(&other, 6));
    edit_with(&mut log, &changed, "three", "{}");
    assert_eq!(says(&log, &changed), (None, None));
    // In a message's own added part the words mean nothing.
    let words = log.raw(ANN, "message", "").room(ROOM);
    let plain = words.id.clone();
    let added = format!(r#"{{"quote":"{other}","said":6}}"#);
    let one = log.accept(words.stored(&format!("{:032x}{{\"text\":\"one\"}}\n{added}", 7)));
    assert_eq!(says(&log, &plain), (None, None));
    for value in ["true", "false"] {
        let act = log.act(ANN, &plain, "deleted", value);
        log.accept(act);
        assert_eq!(says(&log, &plain), (None, None));
    }
    edit(&mut log, &plain, "two");
    log.now += DAY;
    let erase = log.erase_earlier(&[&plain]);
    log.takes(erase, &[one]);
    log.check();
}

/// A message or an edit whose text is Bob's mention with `added`, where the log stores that with a text.
fn with_added(words: Words, draft: &str) -> Words {
    let mentions = if draft.contains("@bob") { r#"{"mentions":{"bob":"cccccccccc"}}"# } else { "{}" };
    words.stored(&format!("{:032x}{draft}\n{mentions}", 7))
}

/// Who was named only in texts that are gone does not follow the thread for them, and what is left names as if the
/// others had never been.
#[test]
fn followers_come_from_the_texts_that_are_left() {
    for (format, added) in [(4, false), (5, false), (5, true)] {
        let mut log = if format == 5 { Log::new() } else { Log::of_earlier(4) };
        let message = |log: &mut Log, text: &str| {
            let words = log.message(ANN, text);
            let draft = format!(r#"{{"text":"{text}"}}"#);
            if added { with_added(words, &draft) } else { words }
        };
        let edit = |log: &mut Log, id: &str, text: &str| {
            let words = log.act(ANN, id, "text", &format!(r#""{text}""#));
            let draft = format!(r#"{{"value":"{text}"}}"#);
            let words = if added { with_added(words, &draft) } else { words };
            log.accept(words);
        };
        let mut gone = Vec::new();
        // One root is edited after the first answer, one before it, and one names Bob in an edit alone.
        for (root_texts, before_answer) in
            [(["@bob root", "root"], false), (["@bob root", "root"], true), (["root", "@bob root"], true)]
        {
            let root = message(&mut log, root_texts[0]);
            let root_id = root.id.clone();
            gone.push((root_id.clone(), log.accept(root)));
            if before_answer {
                edit(&mut log, &root_id, root_texts[1]);
            }
            let in_reply = [
                ["@bob one", "two", "three"],
                ["@bob one", "@bob two", "three"],
                ["@bob one", "@bob two", "@bob three"],
                ["one", "@bob two", "@bob three"],
                ["one", "two", "@bob three"],
                ["@bob one", "two", "@bob three"],
                ["one", "two", "@carol three"],
            ];
            for texts in in_reply {
                let reply = message(&mut log, texts[0]).target(&root_id);
                let id = reply.id.clone();
                let reply = log.accept(reply);
                edit(&mut log, &id, texts[1]);
                let edited = log.entries.len() as u64;
                edit(&mut log, &id, texts[2]);
                gone.extend([(id.clone(), reply), (id.clone(), edited)]);
                if format == 4 {
                    for value in ["true", r#"{"restored":"@bob again"}"#] {
                        let act = log.act(ANN, &id, "deleted", value);
                        log.accept(act);
                    }
                }
            }
            if !before_answer {
                edit(&mut log, &root_id, root_texts[1]);
            }
        }
        // Handles that nobody had when they were written name nobody later either.
        let carol = match format {
            5 => log.raw("dddddddddd", "account", r#"{"handle":"carol"}"#),
            _ => log.raw("dddddddddd", "account", r#"{"name":"Carol","handle":"carol","role":"member"}"#),
        };
        log.accept(carol.target("dddddddddd"));
        if format == 4 {
            log.rise_to(5);
        }
        log.now += DAY;
        let mut ids: Vec<&str> = gone.iter().map(|(id, _)| id.as_str()).collect();
        ids.dedup();
        let numbers: Vec<u64> = gone.iter().map(|(_, g)| *g).collect();
        let erase = log.erase_earlier(&ids);
        log.takes(erase, &numbers);
        log.check();
    }
}
