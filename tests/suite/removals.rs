//! What removes bodies from a log that is another one meanwhile.

use crate::support::awaited::until;
use crate::support::pass_on::pass_on;
use crate::support::swapped::{Swapped, replica};
use crate::support::{config, read_all, room_proposal, set_up_with};
use beck::protocol::change::Act;
use beck::protocol::{AccountId, Change, ClientId, Format};
use beck::server::broker::embedded::{Embedded, LogCopy};
use beck::server::broker::{Broker, BrokerError, Content, Entry, Head, NotErased, Proposal, SharedBroker};
use beck::server::erased_entries;
use beck::server::now_ms;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::tempdir;

/// A log in whose place another one comes just before bodies are removed from it.
struct Failover {
    log: Arc<Swapped>,
    next: Mutex<Option<SharedBroker>>,
    removed: AtomicBool,
}

impl Broker for Failover {
    pass_on!(create append follow read head secret registers signals durability);

    fn erase(&self, entries: Vec<Head>) -> BoxFuture<'_, Result<NotErased, BrokerError>> {
        async move {
            if let Some(next) = self.next.lock().unwrap().take() {
                self.log.swap(next);
            }
            let left = self.log.erase(entries).await;
            self.removed.store(true, Ordering::SeqCst);
            left
        }
        .boxed()
    }
}

fn bodies(entries: &[Entry]) -> Vec<bool> {
    entries.iter().map(|entry| entry.body.is_some()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_took_the_number_of_an_erased_one_keeps_its_text() {
    let (folder, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
    let ahead = Arc::new(AtomicI64::new(-60 * 3_600_000));
    let clock = ahead.clone();
    let first = Embedded::open_with_clock(folder.path(), move || now_ms() + clock.load(Ordering::SeqCst));
    let swapped = Swapped::new(Arc::new(first.unwrap()));
    let log = Arc::new(Failover { log: swapped, next: Mutex::default(), removed: AtomicBool::new(false) });
    let mut config = config(folder.path());
    config.newest_format = Format::Five;
    let here = set_up_with(config, log.clone()).await;
    // The replica has none of what follows, and other entries in its place.
    let other = replica(folder.path(), elsewhere.path());
    let erased = ClientId::random();
    here.post(here.owner, erased, "a text that is erased").await;
    let change = Change::Act { room: here.general, message: erased, act: Act::Delete };
    let delete = Proposal::of(Format::Five, here.owner, ClientId::random(), &change, Content::None).unwrap();
    let deleted = log.append(vec![delete]).await.unwrap();
    here.node.wait_folded(deleted).await;
    other.append((0..8).map(|n| room_proposal(here.owner, &format!("other {n}"))).collect()).await.unwrap();
    let entry = here.log().await.into_iter().find(|entry| entry.header.client_id == erased).unwrap().head();
    let before = read_all(other.as_ref()).await;
    assert!(before.len() as u64 > entry.g && before[entry.g as usize - 1].link != entry.link);

    *log.next.lock().unwrap() = Some(other.clone());
    ahead.store(0, Ordering::SeqCst);
    assert_eq!(here.node.erase_due(now_ms()).await.unwrap(), 1);
    until("bodies were removed", || log.removed.load(Ordering::SeqCst)).await;
    let after = read_all(other.as_ref()).await;
    assert_eq!(bodies(&after), bodies(&before), "entry {} of another log lost its text", entry.g);
    assert_eq!(erased_entries::read(folder.path()).unwrap(), [entry]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_keeps_the_text_of_an_entry_with_another_link() {
    let (folder, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
    let log = Embedded::open(elsewhere.path()).unwrap();
    let by = AccountId::random();
    log.create(crate::conformance::workspace()).await.unwrap();
    log.append((0..5).map(|n| room_proposal(by, &n.to_string())).collect()).await.unwrap();
    let entries = read_all(&log).await;
    let copy = LogCopy::open(folder.path()).unwrap();
    copy.take(&entries).unwrap();
    let other = Head { g: 3, link: entries[3].link };
    assert_eq!(copy.erase(&[entries[1].head(), other, entries[4].head()]).unwrap(), [3]);
    assert!(copy.erase(&[entries[1].head(), entries[2].head()]).unwrap().is_empty());
    let after = copy.entries(0, 10).unwrap();
    assert_eq!(bodies(&after), [true, false, false, true, false, true]);
}
