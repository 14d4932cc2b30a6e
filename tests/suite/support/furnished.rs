//! A workspace with some of everything: thousands of entries, erased ones, passwords, logins, pointers.

use super::awaited::unlocked;
use super::erasing::erase_message;
use super::{message, set_up_of};
use beck::protocol::{ActDraft, ActValue, ClientId, Format, Pointer, Raise};
use beck::server::broker::Entry;
use beck::server::broker::embedded::FolderSource;
use beck::server::broker::moving::{Beside, Side};
use beck::server::{rooms, unread};
use std::path::Path;

pub struct Furnished {
    pub entries: Vec<Entry>,
    pub beside: Beside,
    pub cookie: String,
    pub room: String,
    pub erased: usize,
}

/// Fills a folder with so many messages.
pub async fn furnish(folder: &Path, messages: usize) -> Furnished {
    furnish_of(folder, messages, Format::NEWEST).await
}

/// As [`furnish`], in a log of this format.
pub async fn furnish_of(folder: &Path, messages: usize, format: Format) -> Furnished {
    let here = set_up_of(folder, format).await;
    let guest = here.member("guest").await;
    let ids: Vec<_> = (0..messages).map(|_| ClientId::random()).collect();
    for (n, ids) in ids.chunks(500).enumerate() {
        let written = |(m, id): (usize, &ClientId)| {
            let text = format!("message {n} {m} \u{1f30a} {}", "x".repeat(m % 90));
            let by = if m % 2 == 0 { here.owner } else { guest };
            message(format, by, *id, here.general, &text)
        };
        let first = here.log.append(ids.iter().enumerate().map(written).collect()).await.unwrap();
        here.node.wait_folded(first + ids.len() as u64 - 1).await;
    }
    for id in &ids[700..705] {
        let (own, room, slot) = (ClientId::random(), here.general, "deleted".to_owned());
        let act = ActDraft {
            id: own,
            room,
            target: *id,
            slot,
            value: ActValue::On(true),
            named: Default::default(),
        };
        rooms::act(&here.node, here.owner, act).await.unwrap();
    }
    for id in &ids[700..704] {
        erase_message(&here.node, *id).await;
    }
    let pointer = Pointer { generation: 2, ordinal: 321 };
    let raised = vec![Raise { room: here.general, lane: 0, pointer }];
    unread::raise(&here.node, guest, raised).await.unwrap();
    here.node.join_token().await.unwrap();
    let cookie = format!("beck_login={}", here.node.sign_in(here.owner).await.unwrap());
    let entries = here.log().await;
    let erased = entries.iter().filter(|entry| entry.body.is_none()).count();
    let room = here.general.to_string();
    drop(here);
    drop(unlocked(folder).await);
    let beside = FolderSource::open(folder).unwrap().beside().await.unwrap();
    assert!(entries.len() > messages && erased == 4);
    assert!(beside.secrets.len() >= 4 && !beside.pointers.is_empty());
    Furnished { entries, beside, cookie, room, erased }
}
