//! A server's copy of the log that cannot be read: it may have what the log has lost, so it is kept.

use crate::conformance::workspace;
use crate::support::{read_all, room_proposal};
use beck::protocol::AccountId;
use beck::server::broker::Broker;
use beck::server::broker::embedded::{COPY_FILE, Embedded, LogCopy};
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_cannot_be_read_is_set_aside_and_made_anew() {
    let (folder, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
    let log = Embedded::open(elsewhere.path()).unwrap();
    let by = AccountId::random();
    log.create(workspace()).await.unwrap();
    log.append((0..4).map(|n| room_proposal(by, &n.to_string())).collect()).await.unwrap();
    let entries = read_all(&log).await;
    let garbages = ["no database ".repeat(1_000), "not one either ".repeat(2_000), "nor this ".repeat(3_000)];
    for (n, garbage) in garbages.iter().enumerate() {
        let path = folder.path().join(COPY_FILE);
        for ending in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{ending}", path.display()));
        }
        std::fs::write(&path, garbage).unwrap();
        let copy = LogCopy::open(folder.path()).unwrap();
        assert_eq!(copy.head().g, 0);
        copy.take(&entries).unwrap();
        assert_eq!(copy.head().link, entries[4].link);
        drop(copy);
        assert_eq!(
            LogCopy::open(folder.path()).unwrap().head().g,
            5,
            "the new one is read at the next start"
        );
        let kept = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(kept("copy.sqlite.damaged"), garbages[0], "the first one is kept");
        if n > 0 {
            assert_eq!(kept("copy.sqlite.damaged-latest"), *garbage, "and the newest one");
        }
        let files = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name());
        let damaged = files.filter(|name| name.to_str().unwrap().contains("damaged")).count();
        assert_eq!(damaged, (n + 1).min(2), "no more than two");
    }
}
