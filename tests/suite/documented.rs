//! The bytes that docs/protocol.md shows are those that this version writes.

use crate::support::log_reader::digest_of;
use beck::protocol::Added;
use beck::protocol::stored::{MessageDraft, Stored};
use std::path::Path;

#[test]
fn the_protocol_shows_a_body_as_it_is_stored_with_its_digest() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/protocol.md");
    let page = std::fs::read_to_string(page).unwrap();
    let shown = page.lines().find(|line| line.starts_with("    ") && line.contains("␊{")).unwrap();
    let shown = shown.trim().replace('␊', "\n");
    let digest = page.split("Its digest is `").nth(1).unwrap().split('`').next().unwrap();
    assert_eq!(digest_of(&shown), digest);

    let draft = MessageDraft { text: "ship it @ann", quote: None, said: None };
    let mentions = [("ann".to_owned(), "bcdfghjklm".parse().unwrap())].into();
    let added = Added { mentions, ..Added::default() };
    let (draft, added) = (serde_json::to_string(&draft).unwrap(), serde_json::to_string(&added).unwrap());
    let written = Stored { salt: "9f3a77c1004be2d8c07d55e21b90aa34", draft: &draft, added: Some(&added) };
    assert_eq!(written.join(), shown);
    assert_eq!(Stored::erasable(&shown), Some(written));
}
