//! A proposal of a format is stored only in a log that has the format.

use crate::support::awaited::{closed, unlocked};
use crate::support::pass_on::pass_on;
use crate::support::{config, read_all};
use beck::protocol::{AccountId, Change, ClientId, Format, Outcome};
use beck::server::accounts;
use beck::server::admin::{Ask, carry_out};
use beck::server::broker::{Broker, BrokerError, Content, Head, Proposal, SharedBroker};
use beck::server::error::AppError;
use beck::server::node::Node;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::tempdir;

/// Notes which entry each append names, and leaves the outcome of the first one unknown.
struct Noting {
    log: SharedBroker,
    named: Arc<Mutex<Vec<Option<Head>>>>,
    lose_next: Arc<AtomicBool>,
}

impl Broker for Noting {
    pass_on!(create read erase secret registers signals durability follow head);

    fn append(&self, batch: Vec<Proposal>) -> BoxFuture<'static, Result<u64, BrokerError>> {
        self.named.lock().unwrap().extend(batch.iter().map(|proposal| proposal.since));
        if self.lose_next.swap(false, Ordering::SeqCst) {
            return async { Err(BrokerError::Unknown("lost".into())) }.boxed();
        }
        self.log.append(batch)
    }
}

async fn open(folder: &Path, newest: Format) -> (Arc<Node>, Arc<Mutex<Vec<Option<Head>>>>, Arc<AtomicBool>) {
    let mut config = config(folder);
    config.newest_format = newest;
    let (named, lose_next) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<AtomicBool>::default());
    let log = Arc::new(unlocked(folder).await);
    let log = Noting { log, named: named.clone(), lose_next: lose_next.clone() };
    (Node::start(config, Arc::new(log)).await.unwrap(), named, lose_next)
}

fn of_format_5(account: AccountId) -> Proposal {
    let change = Change::Logins { account };
    Proposal::of(Format::Five, account, ClientId::random(), &change, Content::None).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_append_of_a_proposal_names_the_entry_that_raised_the_log_to_its_format() {
    let folder = tempdir().unwrap();
    let (node, ..) = open(folder.path(), Format::Four).await;
    let new = accounts::NewAccount { name: "Olive Owner", handle: "olive", password: "a long password" };
    let (owner, _) = accounts::set_up(&node, "Test Place", new).await.unwrap();
    drop(node);
    closed(folder.path()).await;
    let (node, named, lose_next) = open(folder.path(), Format::Five).await;
    let entries = async || read_all(node.broker.as_ref()).await;
    let before = entries().await.len();

    // As where the log has lost the format under which this was made.
    let outcome = node.propose(of_format_5(owner)).await;
    assert!(matches!(outcome, Err(AppError::Log(BrokerError::Rewritten(_)))), "{outcome:?}");
    assert_eq!((entries().await.len(), named.lock().unwrap().len()), (before, 0), "nothing was stored");

    carry_out(&node, &Ask::RaiseFormat).await.unwrap();
    let raised = entries().await.pop().unwrap();
    let raised = Head { g: raised.header.g, link: raised.link };
    assert_eq!(node.directory().format_since(), raised);
    named.lock().unwrap().clear();
    lose_next.store(true, Ordering::SeqCst);
    let outcome = node.propose(of_format_5(owner)).await.unwrap();
    assert!(matches!(outcome, Outcome::Stored { .. }), "{outcome:?}");
    assert_eq!(*named.lock().unwrap(), [Some(raised); 2], "a repeat names it too");

    // The same from the state file.
    drop(node);
    closed(folder.path()).await;
    let (node, named, _) = open(folder.path(), Format::Five).await;
    node.propose(of_format_5(owner)).await.unwrap();
    assert_eq!(*named.lock().unwrap(), [Some(raised)]);
}
