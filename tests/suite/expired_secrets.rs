//! Secrets that have ended leave the file.

use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Broker, SecretOp};
use rusqlite::Connection;
use std::path::Path;
use tempfile::tempdir;

fn keys(folder: &Path) -> Vec<String> {
    let db = Connection::open(folder.join("log.sqlite")).unwrap();
    let mut select = db.prepare("SELECT key FROM secrets ORDER BY key").unwrap();
    select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_secrets_are_swept_at_the_start_and_others_stay() {
    let folder = tempdir().unwrap();
    let log = Embedded::open(folder.path()).unwrap();
    let put = |expires| SecretOp::Put { value: "v".into(), if_version: 0, expires };
    let later = i64::MAX / 2;
    let mut calls = Vec::new();
    // More than one sweep takes.
    for n in 0..1_300 {
        calls.push(log.secret(format!("expired:{n}"), put(Some(1 + n))));
    }
    calls.push(log.secret("later".into(), put(Some(later))));
    calls.push(log.secret("never".into(), put(None)));
    for call in calls {
        call.await.unwrap();
    }
    drop(log);
    let log = Embedded::open(folder.path()).unwrap();
    let mut left = keys(folder.path()).len();
    for _ in 0..600 {
        if left == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        left = keys(folder.path()).len();
    }
    assert_eq!(keys(folder.path()), ["later", "never"]);
    for key in ["later", "never"] {
        assert_eq!(log.secret(key.into(), SecretOp::Get).await.unwrap().unwrap().value, "v");
    }
    assert_eq!(log.secret("expired:7".into(), SecretOp::Get).await.unwrap(), None);
}
