//! A workspace with some of everything: thousands of entries, erased ones, passwords, logins, pointers.

use super::awaited::unlocked;
use super::set_up;
use beck::protocol::{ActDraft, ActValue, ClientId, Kind, MessageBody, Pointer, Raise};
use beck::server::broker::embedded::FolderSource;
use beck::server::broker::moving::{Beside, Side};
use beck::server::broker::{Entry, Proposal};
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
    let here = set_up(folder).await;
    let guest = here.member("guest").await;
    let ids: Vec<_> = (0..messages).map(|_| ClientId::random()).collect();
    for (n, ids) in ids.chunks(500).enumerate() {
        let message = |(m, id): (usize, &ClientId)| {
            let body = MessageBody {
                text: format!("message {n} {m} \u{1f30a} {}", "x".repeat(m % 90)),
                quote: None,
                said: None,
            };
            let by = if m % 2 == 0 { here.owner } else { guest };
            Proposal::new(by, *id, Kind::Message, &body).room(here.general)
        };
        let first = here.log.append(ids.iter().enumerate().map(message).collect()).await.unwrap();
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
        here.node.erase(*id).await.unwrap();
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
