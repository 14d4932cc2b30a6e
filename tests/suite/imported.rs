//! A message that the administrator imported, on the page: when it was written, and that it was imported.

use crate::support::awaited::unlocked;
use crate::support::read_all;
use crate::support::server::TestServer;
use beck::protocol::{ClientId, Kind, WorkspaceId};
use beck::server::broker::{Broker, Proposal};
use tempfile::tempdir;

/// 14 July 2017, 02:40:00 UTC.
const WRITTEN: i64 = 1_500_000_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_message_shows_when_it_was_written_and_that_it_was_imported() {
    let folder = tempdir().unwrap();
    let five = [("BECK_NEWEST_FORMAT", "5")];
    let (mut server, _) = TestServer::start_set(folder.path(), &five);
    let (owner, room) = server.set_up().await;
    server.terminate();
    server.wait();
    {
        let log = unlocked(folder.path()).await;
        let entries = read_all(&log).await;
        let first = |kind: Kind| entries.iter().find(|entry| entry.header.kind == kind).unwrap();
        let operator =
            first(Kind::Workspace).body.as_deref().and_then(|body| body.split('"').nth(3)).unwrap();
        let operator: WorkspaceId = operator.parse().unwrap();
        let olive = first(Kind::Account).header.target.clone().unwrap();
        for (n, written) in [(1, WRITTEN), (2, WRITTEN + 60_000), (3, WRITTEN + 86_400_000), (4, i64::MAX)] {
            let message = Proposal::new(operator.operator(), ClientId::random(), Kind::Message, &());
            let slot = format!("for:{}", olive.as_str()).parse().unwrap();
            let mut message = message.room(room.parse().unwrap()).slot(slot);
            message.body = format!("{n:032x}{{\"text\":\"import {n}\",\"said\":{written}}}\n{{}}");
            log.append(vec![message]).await.unwrap();
        }
    }
    let (server, _) = TestServer::start_set(folder.path(), &five);
    let (status, _, page) = server.page(&format!("/r/{room}"), &owner).await;
    assert_eq!(status, 200);
    let row = |n: u32| {
        let text = page.find(&format!("import {n}")).unwrap();
        &page[page[..text].rfind("<li").unwrap()..text]
    };
    // The second one stands in the group of the first, a minute later. A time that no calendar has is not shown.
    assert!(row(1).contains("Olive Owner") && row(1).contains(">14 Jul 2017, 02:40<"), "{}", row(1));
    assert!(row(1).contains(">Imported<") && row(1).contains("2017-07-14T02:40:00Z"), "{}", row(1));
    assert!(row(1).contains("by the administrator."), "{}", row(1));
    assert!(row(2).contains(">02:41<") && !row(2).contains(">Imported<"), "{}", row(2));
    assert!(row(2).contains("Written 14 Jul 2017, 02:41. Imported "), "{}", row(2));
    assert!(row(3).contains(">15 Jul 2017, 02:40<") && row(3).contains(">Imported<"), "{}", row(3));
    assert!(row(4).contains(">Imported<") && !row(4).contains("2017"), "{}", row(4));
}
