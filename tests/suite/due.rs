//! What a server proposes to erase in a log of format 5, over days that pass at once.

use crate::support::awaited::awaited;
use crate::support::paused::{Paused, paused};
use crate::support::{TestNode, config, read_all, set_up_with};
use beck::protocol::change::Act;
use beck::protocol::{ActDraft, ActValue, Added, Change, ClientId, Format, Kind, Outcome};
use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Content, Proposal};
use beck::server::{now_ms, rooms};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tempfile::{TempDir, tempdir};
use tokio::sync::Semaphore;

const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;

/// A server whose log has a clock of its own.
struct Here {
    here: TestNode,
    log: Arc<Paused>,
    /// How far the log's clock is ahead of this machine's.
    offset: Arc<AtomicI64>,
    _folder: TempDir,
}

impl Here {
    async fn at(hours: i64) -> Here {
        let (folder, offset) = (tempdir().unwrap(), Arc::new(AtomicI64::new(hours * HOUR)));
        let clock = offset.clone();
        let log = Embedded::open_with_clock(folder.path(), move || now_ms() + clock.load(Ordering::SeqCst));
        let log = paused(Arc::new(log.unwrap()));
        log.go_on.add_permits(1_000);
        let here = set_up_with(of_format_5(folder.path()), log.clone()).await;
        Here { here, log, offset, _folder: folder }
    }

    fn wait(&self, ms: i64) {
        self.offset.fetch_add(ms, Ordering::SeqCst);
    }

    fn now(&self) -> i64 {
        now_ms() + self.offset.load(Ordering::SeqCst)
    }

    async fn post(&self, text: &str) -> ClientId {
        let id = ClientId::random();
        self.here.post(self.here.owner, id, text).await;
        id
    }

    /// Writes an act as another server would.
    async fn act(&self, message: ClientId, act: Act, content: Content) -> Outcome {
        let change = Change::Act { room: self.here.general, message, act };
        let proposal =
            Proposal::of(Format::Five, self.here.owner, ClientId::random(), &change, content).unwrap();
        let g = self.log.log.append(vec![proposal]).await.unwrap();
        self.here.node.wait_folded(g).await;
        Outcome::Stored { g, seq: None, ordinal: None }
    }

    async fn edit(&self, message: ClientId, text: &str) {
        let content = Content::erasable(&json!({ "value": text }), &Added::default());
        self.act(message, Act::Edit, content).await;
    }

    /// Erases what is due at this time by the log's clock.
    async fn erase_due(&self) -> usize {
        let erased = self.here.node.erase_due(self.now()).await.unwrap();
        awaited("it is removed", self.here.node.wait_removed()).await;
        erased
    }

    /// Whether the log has a text.
    async fn has(&self, text: &str) -> bool {
        let entries = read_all(self.log.as_ref()).await;
        entries.iter().any(|entry| entry.body.as_ref().is_some_and(|body| body.contains(text)))
    }

    fn text(&self, id: ClientId) -> Option<String> {
        self.here.node.state.read_anything(|state| state.row(id)).unwrap().unwrap().1.text
    }
}

fn of_format_5(folder: &Path) -> beck::server::config::Config {
    let mut config = config(folder);
    config.newest_format = Format::Five;
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_again_and_again_keeps_no_text_that_an_edit_replaced() {
    let here = Here::at(-40).await;
    let id = here.post("the text of before").await;
    here.edit(id, "the text that stands").await;
    // Deleted whenever the server looks, and never for long.
    for hour in 0..30 {
        here.act(id, Act::Delete, Content::None).await;
        here.wait(MINUTE + 1_000);
        here.erase_due().await;
        assert_eq!(here.has("the text of before").await, hour < 24, "after {hour} hours");
        here.act(id, Act::Restore { with_text: false }, Content::None).await;
        here.wait(HOUR - MINUTE - 1_000);
    }
    assert_eq!(here.text(id).as_deref(), Some("the text that stands"));
    assert!(here.has("the text that stands").await);
}

/// Each message goes by one list: nothing is proposed that would be refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_deleted_for_long_goes_by_the_rule_for_messages_alone() {
    let here = Here::at(-60).await;
    let id = here.post("the text of before").await;
    here.edit(id, "the text after").await;
    here.act(id, Act::Delete, Content::None).await;
    here.wait(25 * HOUR);
    assert_eq!(here.erase_due().await, 1);
    assert!(!here.has("the text").await);
    here.wait(HOUR);
    assert_eq!(here.erase_due().await, 0);
    let entries = read_all(here.log.as_ref()).await;
    assert_eq!(entries.iter().filter(|entry| entry.header.kind == Kind::Erase).count(), 1);
}

/// The log orders an erasure and a restore that another server has taken meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn an_erase_entry_skips_what_was_restored_while_it_was_on_its_way() {
    let here = Here::at(-60).await;
    let (restored, erased) = (here.post("text that is back").await, here.post("text that goes").await);
    for id in [restored, erased] {
        here.act(id, Act::Delete, Content::None).await;
    }
    here.wait(24 * HOUR - MINUTE / 2);
    let (begun, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    *here.log.appending.lock().unwrap() = Some((begun.clone(), go_on.clone()));
    let (node, later) = (here.here.node.clone(), here.now() + 2 * MINUTE);
    let run = tokio::spawn(async move { node.erase_due(later).await });
    let _begun = awaited("the entry is on its way", begun.acquire()).await.unwrap();
    here.act(restored, Act::Restore { with_text: false }, Content::None).await;
    here.wait(2 * MINUTE);
    go_on.add_permits(1_000);
    run.await.unwrap().unwrap();
    awaited("it is removed", here.here.node.wait_removed()).await;
    assert_eq!(here.text(restored).as_deref(), Some("text that is back"));
    assert_eq!(here.text(erased), None);
    assert!(here.has("text that is back").await && !here.has("text that goes").await);
}

/// The log takes the removal of a body and does not answer: nobody else waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_hangs_holds_back_neither_a_restore_nor_a_post() {
    let here = Here::at(-60).await;
    here.log.go_on.forget_permits(1_000);
    let erased = here.post("text that goes").await;
    here.act(erased, Act::Delete, Content::None).await;
    here.offset.store(0, Ordering::SeqCst);
    let restored = here.post("text that is back").await;
    here.act(restored, Act::Delete, Content::None).await;
    let node = here.here.node.clone();
    assert_eq!(awaited("it is proposed", node.erase_due(now_ms())).await.unwrap(), 1);
    let _begun = awaited("a body is removed", here.log.begun.acquire()).await.unwrap();
    let (own, slot, room) = (ClientId::random(), "deleted".to_owned(), here.here.general);
    let value = ActValue::On(false);
    let act = ActDraft { id: own, room, target: restored, slot, value, named: Default::default() };
    let outcome = awaited("the restore is answered", rooms::act(&node, here.here.owner, act)).await.unwrap();
    assert!(matches!(outcome, Outcome::Stored { .. }), "{outcome:?}");
    awaited("a post is answered", here.post("another text")).await;
    assert_eq!((here.text(erased), here.text(restored).as_deref()), (None, Some("text that is back")));
    assert!(here.has("text that goes").await, "the log was told to remove it, and has not yet");
    here.log.go_on.add_permits(1_000);
    awaited("it is removed", node.wait_removed()).await;
    assert!(!here.has("text that goes").await);
}
