//! At which `format` entries a fold stops: at those that it would accept, and cannot read.

use crate::support::{config, read_all};
use beck::protocol::{AccountId, ClientId, Format, Kind, NewerFormat, WorkspaceId};
use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Broker, Proposal};
use beck::server::fold::{Fold, FoldError};
use serde_json::json;
use tempfile::tempdir;

/// Folds a log of a format with a room and one more entry; gives whether it stopped there.
async fn stops(first: Format, by_operator: bool, duplicate: bool, body: &str) -> bool {
    let (folder, state) = (tempdir().unwrap(), tempdir().unwrap());
    let log = Embedded::open(folder.path()).unwrap();
    let id = WorkspaceId::random();
    let operator: AccountId = id.as_str().parse().unwrap();
    let begin = json!({ "id": id, "name": "W", "format": first.number() });
    let begin = Proposal::new(operator, ClientId::random(), Kind::Workspace, &begin);
    let begin = Proposal {
        // The fields of a strict format have their order.
        body: format!("0123456789abcdef{{\"id\":\"{id}\",\"name\":\"W\",\"format\":{}}}", first.number()),
        ..begin
    };
    log.create(begin).await.unwrap();
    let known = ClientId::random();
    let logins = Proposal::new(AccountId::random(), known, Kind::Logins, &());
    let by = if by_operator { operator } else { AccountId::random() };
    let id = if duplicate { known } else { ClientId::random() };
    let raise = Proposal::new(by, id, Kind::Format, &());
    let raise = Proposal { body: format!("0123456789abcdef{body}"), ..raise };
    let after = Proposal::new(AccountId::random(), ClientId::random(), Kind::Logins, &());
    log.append(vec![logins, raise, after]).await.unwrap();
    let entries = read_all(&log).await;
    let newest = config(state.path()).newest_format.max(Format::Five);
    let (_state, mut fold) = Fold::open_up_to(state.path(), |_, _| true, newest).unwrap();
    match fold.fold(&entries) {
        Ok(folded) => {
            assert_eq!(folded.len(), 4);
            false
        }
        Err(FoldError::Format(NewerFormat { number: 9, newest: Format::Five })) => {
            assert_eq!(fold.folded().0, 0, "nothing of the batch is kept");
            true
        }
        Err(fault) => panic!("{fault}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fold_stops_only_at_a_format_entry_that_it_would_accept() {
    // Formats 1 to 4 take it from anybody, in any form that gives a number.
    for format in [Format::One, Format::Four] {
        assert!(stops(format, true, false, "9").await);
        assert!(stops(format, false, false, "9").await);
        assert!(stops(format, false, false, " 9").await);
        assert!(!stops(format, true, true, "9").await, "a duplicate has the outcome of the first");
        assert!(!stops(format, true, false, "\"9\"").await);
    }
    assert!(stops(Format::Five, true, false, "9").await);
    assert!(!stops(Format::Five, false, false, "9").await, "not allowed");
    assert!(!stops(Format::Five, true, false, " 9").await, "malformed");
    assert!(!stops(Format::Five, true, false, "09").await, "malformed");
    assert!(!stops(Format::Five, true, true, "9").await, "a duplicate");
    assert!(!stops(Format::Five, true, false, "5").await, "in force already");
}
