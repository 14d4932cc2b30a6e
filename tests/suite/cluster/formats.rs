//! Servers announce which format of the log they read, and `beck format` says what was heard.

use super::signals::Two;
use crate::support::awaited::until;
use crate::support::redis::{RedisServer, Store};
use crate::support::{config_of, read_all};
use beck::protocol::{AccountId, ClientId, Format, Kind, WorkspaceId};
use beck::server::admin::{Answer, Ask, carry_out};
use beck::server::broker::redis::Redis;
use beck::server::broker::{Broker, Proposal};
use beck::server::fold::WorkspaceBody;
use beck::server::node::Node;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::tempdir;

const NEWEST: u32 = Format::NEWEST.number();
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Name, format and version of each server that a node has heard.
fn heard(node: &Node) -> Vec<(String, u32, Option<String>)> {
    let heard = node.peers.heard(Instant::now());
    heard.peers.into_iter().map(|(name, peer)| (name, peer.format, peer.version)).collect()
}

fn has(node: &Node, name: &str, format: u32, version: Option<&str>) -> bool {
    heard(node).contains(&(name.to_owned(), format, version.map(str::to_owned)))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_server_announces_its_format_and_one_that_does_not_reads_4() {
    let here = Two::start("allchannels").await;
    for node in &here.nodes {
        until("the other server's announcement", || {
            let heard = heard(node);
            heard.len() == 1 && heard[0].1 == NEWEST && heard[0].2.as_deref() == Some(VERSION)
        })
        .await;
    }
    // As version 0.1.0 tells of its people at each heartbeat, and as later ones did that announce nothing.
    here.say("aaa0 presence 62500 3 0").await;
    here.say("aaa1 beat").await;
    here.say("aaa2 beat 5 0.2.0 and what a later version adds").await;
    here.say("aaa3 beat five 0.2.0").await;
    here.say("aaa4 beat 5").await;
    here.say(&format!("aaa5 beat 6 {}", "9".repeat(60_000))).await;
    here.say(&format!("aaa6{} beat 6 0.2.0", "x".repeat(60_000))).await;
    here.say("aaa7 what-nobody-knows 1 2 3").await;
    // What was announced counts for as long as nothing else is.
    here.say("aaa2 presence 62500 3 0").await;
    here.say("aaa8 beat 4 0.1.1").await;
    here.say("aaa8 beat 7 0.3.0").await;
    for node in &here.nodes {
        until("the last one is heard", || has(node, "aaa8", 7, Some("0.3.0"))).await;
        let mut expected =
            vec![("aaa0", 4, None), ("aaa1", 4, None), ("aaa2", 5, Some("0.2.0")), ("aaa3", 4, None)];
        expected.extend([("aaa4", 4, None), ("aaa5", 6, None), ("aaa8", 7, Some("0.3.0"))]);
        for (name, format, version) in &expected {
            assert!(has(node, name, *format, *version), "{name}: {:?}", heard(node));
        }
        assert_eq!(heard(node).len(), expected.len() + 1, "{:?}", heard(node));

        let said = carry_out(node, &Ask::Format).await.unwrap();
        assert_eq!(said[0], format!("The log has format {NEWEST}."));
        assert_eq!(said[1], format!("This Beck, version {VERSION}, reads formats up to {NEWEST}."));
        assert_eq!(said[2], "8 other servers were heard in the last 10 minutes:");
        for (name, format, version) in &expected {
            let line = said.iter().find(|line| line.starts_with(&format!("  {name}: ")));
            let line = line.unwrap_or_else(|| panic!("{name} is not in {said:?}"));
            assert!(line.contains(&format!("reads formats up to {format}, ")), "{line}");
            assert!(
                line.contains(
                    &version.map_or("announces none".into(), |version| format!("version {version};"))
                ),
                "{line}"
            );
        }
        assert!(said.last().unwrap().contains("there is nothing to do"), "{said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hears_no_signals_does_not_say_that_there_are_no_others() {
    let here = Two::deaf().await;
    let said = carry_out(&here.nodes[0], &Ask::Format).await.unwrap_err();
    assert!(said.contains("the signals of other servers cannot be heard"), "{said}");
    assert_eq!(here.nodes[0].peers.heard(Instant::now()).since, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_read_the_newest_format_keeps_the_log_from_being_raised() {
    let store = RedisServer::start(Store::Redis);
    let log = Redis::open(&store.settings()).await.unwrap();
    let id = WorkspaceId::random();
    let first = WorkspaceBody { id, name: "Here".into(), format: 2 };
    log.create(Proposal::new(AccountId::random(), ClientId::random(), Kind::Workspace, &first))
        .await
        .unwrap();
    let folder = tempdir().unwrap();
    let mut config = config_of(folder.path(), Format::Four);
    (config.redis, config.heartbeat) = (Some(store.settings()), Duration::from_millis(200));
    let node = Node::start(config, Arc::new(Redis::open(&store.settings()).await.unwrap())).await.unwrap();
    let entries = async || read_all(&log).await;
    let channel = format!("{{beck}}:signals:{}", entries().await[0].link);
    let say = |text: &str| store.command(&["PUBLISH", &channel, text]);
    until("the server listens", || node.peers.heard(Instant::now()).since.is_some()).await;
    let ask = async |ask: Ask| -> Answer { carry_out(&node, &ask).await };

    say("bcd12345678 beat 3 0.0.9");
    say("bcd87654321 presence 62500 3 0");
    until("both are heard", || {
        has(&node, "bcd12345678", 3, Some("0.0.9")) && has(&node, "bcd87654321", 4, None)
    })
    .await;
    let said = ask(Ask::RaiseFormat).await.unwrap_err();
    assert!(said.contains("these servers cannot read format 4: bcd12345 (format 3). Update them"), "{said}");
    let said = ask(Ask::Format).await.unwrap();
    assert!(said[0].contains("format 2"), "{said:?}");
    assert!(said.last().unwrap().starts_with("The log cannot be raised: these servers"), "{said:?}");
    assert_eq!((entries().await.len(), node.directory().format()), (1, Format::Two), "nothing was written");

    say("bcd12345678 beat 4 0.1.0");
    until("it was updated", || has(&node, "bcd12345678", 4, Some("0.1.0"))).await;
    let said = ask(Ask::Format).await.unwrap();
    assert_eq!(
        said.last().unwrap(),
        "The log can be raised to format 4: make a backup, then run beck format raise."
    );
    assert_eq!(
        ask(Ask::RaiseFormat).await.unwrap(),
        [
            "The log has format 4 now; it had 2. A version of Beck that cannot read format 4 can no longer open it."
        ]
    );
    let entries = entries().await;
    let raised = &entries[1];
    assert_eq!((entries.len(), &raised.header.kind, raised.json()), (2, &Kind::Format, Some("4")));
    assert_eq!(raised.header.author.as_str(), id.as_str(), "by the workspace itself");
    assert_eq!(node.directory().format(), Format::Four);
    let said = ask(Ask::RaiseFormat).await.unwrap().concat();
    assert!(said.contains("there is nothing to do"), "{said}");
}
