//! A number and its word agree.

use crate::doctor::{doctor, private_folder};
use crate::support::awaited::closed;
use crate::support::set_up;
use crate::verify::verify;
use beck::server::broker::Broker;
use beck::server::broker::embedded::Embedded;

/// A number 1 before a word of more, or another number before a word of one.
fn wrong(text: &str) -> Vec<String> {
    const WORDS: [(&str, &str); 6] = [
        ("entry", "entries"),
        ("event", "events"),
        ("room", "rooms"),
        ("row", "rows"),
        ("table", "tables"),
        ("text", "texts"),
    ];
    let words: Vec<_> = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let pairs = words.windows(2).filter_map(|pair| Some((pair[0].parse::<u64>().ok()?, pair[1])));
    pairs
        .filter(|(n, word)| WORDS.iter().any(|(one, many)| word == if *n == 1 { many } else { one }))
        .map(|(n, word)| format!("{n} {word}"))
        .collect()
}

#[test]
fn a_wrong_number_is_found() {
    assert_eq!(wrong("62 events of 1 rooms; 0 texts, 2 entry"), ["1 rooms", "2 entry"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_and_doctor_say_numbers_with_the_right_word() {
    let folder = private_folder();
    let here = set_up(folder.path()).await;
    let first = here.log().await.remove(0);
    let proposal = beck::server::broker::Proposal {
        author: first.header.author,
        client_id: first.header.client_id,
        room: None,
        kind: first.header.kind.clone(),
        target: None,
        slot: None,
        body: first.body.unwrap(),
        form: beck::protocol::Format::One,
        since: None,
    };
    drop(here);
    closed(folder.path()).await;
    // A log of one entry, and the log of a workspace with one room.
    let one = private_folder();
    let log = Embedded::open(one.path()).unwrap();
    log.create(proposal).await.unwrap();
    drop(log);
    for (folder, has) in [(folder.path(), "of 1 room:"), (one.path(), "1 entry")] {
        let set = [("DATA_DIR", folder.to_str().unwrap()), ("PORT", "0")];
        let (verified, looked) = (verify(&["--fold"], &set).text, doctor(&[], &set).text);
        assert!(verified.contains(has), "{verified}");
        assert!(wrong(&verified).is_empty() && wrong(&looked).is_empty(), "{verified}\n{looked}");
    }
}
