//! Waiting for what must come, however slow the machine is.

use beck::server::broker::embedded::{Embedded, OpenError, lock_folder};
use std::path::Path;
use std::time::Duration;

/// Ends a hang, and says nothing about time.
pub const HANG: Duration = Duration::from_secs(120);

/// Waits for it; what never comes ends the test, with its name.
pub async fn awaited<T>(what: &str, it: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, it).await.unwrap_or_else(|_| panic!("never: {what}"))
}

/// As [`awaited`], for what is so at some time.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    awaited(what, wait).await;
}

/// Waits until all that a dropped node had open in its folder is closed, so that its files may be copied or harmed: SQLite
/// removes the write-ahead log of a file with its last connection.
pub async fn closed(folder: &Path) {
    until("the folder's files are closed", || {
        let names = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
        let open = names.filter(|name| name.to_string_lossy().ends_with("-wal")).count();
        open == 0 && lock_folder(folder).is_ok()
    })
    .await;
}

/// The log of a folder whose node was just dropped: its threads may take a moment to end.
pub async fn unlocked(folder: &Path) -> Embedded {
    let mut log = None;
    until("the folder's lock is free", || {
        match Embedded::open(folder) {
            Ok(opened) => log = Some(opened),
            Err(OpenError::Locked(_)) => {}
            Err(fault) => panic!("{fault}"),
        }
        log.is_some()
    })
    .await;
    log.unwrap()
}
