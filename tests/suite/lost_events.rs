//! A running server whose log loses many entries at once: what it had of them is written out piece by piece, before
//! anything is dropped.

use crate::support::awaited::until;
use crate::support::set_up_on;
use crate::support::swapped::{Swapped, replica};
use beck::protocol::{AccountId, ClientId, Kind, MessageBody, RoomId};
use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Broker, Proposal};
use beck::server::fold::{Fold, LostBatch};
use beck::server::node::Readiness;
use beck::server::readiness::Unready;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use tempfile::tempdir;

/// Several batches, and a part of one.
const LOST: usize = 3 * LostBatch::MOST + 7;

async fn write(log: &dyn Broker, (by, room): (AccountId, RoomId), n: usize) -> Vec<String> {
    let ids: Vec<_> = (0..n).map(|_| ClientId::random()).collect();
    let message = |id: &ClientId| {
        let body = MessageBody { text: format!("text of {id}"), quote: None, said: None };
        Proposal::new(by, *id, Kind::Message, &body).room(room)
    };
    log.append(ids.iter().map(message).collect()).await.unwrap();
    ids.iter().map(ClientId::to_string).collect()
}

fn lines(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("lost.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_writes_all_lost_events_before_it_drops_them() {
    let (folder, first, second) = (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
    let log = Swapped::new(Arc::new(Embedded::open(first.path()).unwrap()));
    let here = set_up_on(folder.path(), log.clone()).await;
    let place = (here.owner, here.general);
    write(log.as_ref(), place, 20).await;
    let stale = replica(first.path(), second.path());
    let lost = write(log.as_ref(), place, LOST).await;
    let head = log.head().await.unwrap().unwrap();
    here.node.wait_folded(head.g).await;

    // A folder in place of the file: it cannot be written, so nothing may be dropped.
    std::fs::create_dir(folder.path().join("lost.jsonl")).unwrap();
    log.swap(stale.clone());
    let says_so = |why: &Unready| why.to_string().contains("nothing was deleted");
    until(
        "the server says that it cannot keep what is lost",
        || matches!(here.node.readiness(), Readiness::Unready(why) if says_so(&why)),
    )
    .await;
    assert_eq!(
        here.node.state.read_anything(|state| state.folded()).unwrap().0,
        head.g,
        "nothing was dropped"
    );
    std::fs::remove_dir(folder.path().join("lost.jsonl")).unwrap();

    // The replica is written to meanwhile, and one draft that was lost is sent again.
    let again = lost[LOST / 2].parse::<ClientId>().unwrap();
    let body = MessageBody { text: format!("text of {again}"), quote: None, said: None };
    let again = Proposal::new(place.0, again, Kind::Message, &body).room(place.1);
    let g = stale.append(vec![again]).await.unwrap();
    until("the server has folded the replica", || {
        here.node.readiness() == Readiness::Ready && here.node.folded() == g
    })
    .await;
    let kept = lines(folder.path());
    let ids: Vec<_> = kept.iter().map(|line| line["header"]["id"].as_str().unwrap().to_owned()).collect();
    let mut expected = lost.clone();
    expected.remove(LOST / 2);
    assert_eq!(ids, expected, "each lost event once, the oldest first");
    for line in &kept {
        assert_eq!(line["body"]["text"], format!("text of {}", line["header"]["id"].as_str().unwrap()));
    }
    assert!(here.node.lost_entries().concat().contains(&format!(" {} ", LOST - 1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_held_in_batches_of_a_bounded_size() {
    let (folder, place) = (tempdir().unwrap(), tempdir().unwrap());
    let log = Arc::new(Embedded::open(place.path()).unwrap());
    let here = set_up_on(folder.path(), log.clone()).await;
    write(log.as_ref(), (here.owner, here.general), LOST).await;
    let entries = here.log().await;
    let elsewhere = tempdir().unwrap();
    let (_, mut fold) = Fold::open(elsewhere.path(), |_, _| true).unwrap();
    for some in entries.chunks(100) {
        fold.fold(some).unwrap();
    }
    let (mut after, mut sizes, mut numbers) = (0, Vec::new(), Vec::new());
    loop {
        let batch = fold.events().after(after).unwrap();
        let Some(last) = batch.last() else { break };
        after = last;
        sizes.push(batch.entries().len());
        numbers.extend(batch.entries().iter().map(|entry| entry.header.g));
    }
    assert!(sizes.len() > 3 && sizes.iter().all(|size| *size <= 512), "{sizes:?}");
    let of_room = entries.iter().filter(|entry| entry.header.room.is_some()).map(|entry| entry.header.g);
    assert_eq!(numbers, of_room.collect::<Vec<_>>());
    let many = entries.into_iter().map(|entry| Ok::<_, ()>(entry.into()));
    assert_eq!(LostBatch::take(many).unwrap().entries().len(), 512);
}
