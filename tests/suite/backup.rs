//! `beck backup` while servers are at work, and `beck restore` of it: whole or not at all.

use crate::moving::of_store;
use crate::servers::refusal;
use crate::support::awaited::unlocked;
use crate::support::command::{Running, refused};
use crate::support::furnished::{Furnished, furnish_of};
use crate::support::redis::{RedisServer, Store};
use crate::support::server::{TestClient, TestServer};
use crate::support::{assert_linked, config, read_all};
use beck::protocol::{AccountId, ClientId, Format, Pointer};
use beck::server::broker::archive::{Archive, Kind};
use beck::server::broker::embedded::{Embedded, LiveFolder, OpenError};
use beck::server::broker::moving::{Beside, KeptSecret, LiveLog, Moved, Side};
use beck::server::broker::{Entry, Head};
use beck::server::commands::backup::write;
use beck::server::node::Node;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::{TempDir, tempdir};

/// A furnished workspace in a folder, or in a store.
pub struct Origin {
    pub folder: TempDir,
    pub store: Option<RedisServer>,
    pub place: Furnished,
}

impl Origin {
    pub async fn new(store: Option<Store>) -> Origin {
        Origin::of(Format::NEWEST, store).await
    }

    /// With a log of this format.
    pub async fn of(format: Format, store: Option<Store>) -> Origin {
        let folder = tempdir().unwrap();
        let place = furnish_of(folder.path(), 3_000, format).await;
        let store = store.map(RedisServer::start);
        if let Some(store) = &store {
            let words = ["migrate", "--from", folder.path().to_str().unwrap(), "--to", "redis"];
            let (done, said) = Running::start(&words, &[("REDIS_URL", &store.url())]).end();
            assert!(done, "{said}");
        }
        Origin { folder, store, place }
    }

    /// The settings of a command on it.
    pub fn set(&self) -> Vec<(String, String)> {
        set(self.folder.path(), self.store.as_ref())
    }
}

pub fn set(folder: &Path, store: Option<&RedisServer>) -> Vec<(String, String)> {
    let mut set = vec![("DATA_DIR".to_owned(), folder.to_str().unwrap().to_owned())];
    set.extend(store.map(|store| ("REDIS_URL".to_owned(), store.url())));
    set
}

pub fn run(words: &[&str], set: &[(String, String)]) -> Running {
    let set: Vec<_> = set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Running::start(words, &set)
}

pub fn refuses(words: &[&str], set: &[(String, String)]) -> String {
    let set: Vec<_> = set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    refused(words, &set)
}

/// Every entry of a folder or a store that no server is on.
pub async fn entries_of(folder: &Path, store: Option<&RedisServer>) -> Vec<Entry> {
    let entries = match store {
        Some(store) => of_store(store).await,
        None => read_all(&unlocked(folder).await).await,
    };
    assert_linked(&entries);
    entries
}

/// Names of files in a folder that begin so.
pub fn files(folder: &Path, begin: &str) -> Vec<PathBuf> {
    let all = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    all.filter(|path| name(path).starts_with(begin)).collect()
}

fn serve(folder: &Path, set: &[(String, String)]) -> TestServer {
    let set: Vec<_> = set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    TestServer::start_set(folder, &set).0
}

async fn backed_up_and_restored(from: Option<Store>, to: Option<Store>) {
    let origin = Origin::new(from).await;
    let files = tempdir().unwrap();
    let file = files.path().join("beck.jsonl");
    let path = file.to_str().unwrap();
    let mut server = serve(origin.folder.path(), &origin.set());
    // Somebody writes all the time.
    let mut client = TestClient::connect(&server, &origin.place.cookie).await;
    let room = origin.place.room.clone();
    let acked = Arc::new(AtomicU64::new(0));
    let (count, writing) = (acked.clone(), room.clone());
    let writer = tokio::spawn(async move {
        loop {
            client.post(&writing, &ClientId::random().to_string(), "written meanwhile").await;
            if client.next().await.is_none() {
                return;
            }
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    while acked.load(Ordering::SeqCst) < 5 {
        tokio::task::yield_now().await;
    }
    let before = acked.load(Ordering::SeqCst);
    let (done, said) = tokio::task::block_in_place(|| run(&["backup", path], &origin.set()).end());
    assert!(done && said.contains("passwords: 2, read pointers: "), "{said}");
    let during = acked.load(Ordering::SeqCst) - before;
    println!("{during} frames came while the backup was written");
    assert!(during > 0, "nothing was written meanwhile");
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).unwrap());
        assert_eq!(mode & 0o777, 0o600);
    }
    let text = std::fs::read_to_string(&file).unwrap();
    let token = origin.place.cookie.split('=').nth(1).unwrap();
    assert!(
        !text.contains(token) && !text.contains("\"key\":\"login:") && !text.contains("\"key\":\"join\"")
    );
    assert!(text.contains("$argon2id$"));
    let why = refuses(&["backup", path], &origin.set());
    assert!(why.contains("is there already: nothing is overwritten"), "{why}");
    server.kill();
    writer.await.unwrap();
    // A log whose server was killed is backed up too.
    let (done, said) = run(&["backup", files.path().to_str().unwrap()], &origin.set()).end();
    assert!(done, "{said}");
    let all = entries_of(origin.folder.path(), origin.store.as_ref()).await;
    let last = self::files(files.path(), "beck-backup-");
    assert_eq!(last.len(), 1);
    assert_eq!(Archive::open(&last[0], Kind::Backup).unwrap().contents().end.g, all.len() as u64);

    let target = tempdir().unwrap();
    let store = to.map(RedisServer::start);
    let set = set(target.path(), store.as_ref());
    let (done, said) = run(&["restore", path], &set).end();
    assert!(done && said.contains("Restored ") && said.contains("Everyone signs in again"), "{said}");
    let found = entries_of(target.path(), store.as_ref()).await;
    assert!(found.len() as u64 > origin.place.entries.len() as u64 + before / 2);
    assert!(found == all[..found.len()], "what was restored is a beginning of the log");
    let why = refuses(&["restore", path], &set);
    assert!(why.contains("has a log already"), "{why}");

    let server = serve(target.path(), &set);
    assert_eq!(
        server.page(&format!("/r/{room}"), &origin.place.cookie).await.1,
        format!("/sign-in?next=/r/{room}")
    );
    for handle in ["olive", "guest"] {
        let fields = [("handle", handle), ("password", "a long password")];
        let (status, cookie, _) = server.form("/sign-in", "", &fields).await;
        assert_eq!(status, 303, "{handle} is let in");
        let (_, _, page) = server.page(&format!("/r/{room}"), &cookie).await;
        assert!(page.contains("written meanwhile"));
    }
    drop(server);
    // What stands beside the log: of the same accounts, and nothing that lets a device in.
    if store.is_none() {
        drop(unlocked(target.path()).await);
        let beside = LiveFolder::open(target.path()).unwrap().beside().await.unwrap();
        let guest = Pointer { generation: 2, ordinal: 321 };
        assert!(beside.pointers.values().any(|pointer| *pointer == guest), "{:?}", beside.pointers);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_backed_up_while_it_is_written_and_restored_into_a_folder() {
    backed_up_and_restored(None, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_is_backed_up_while_it_is_written_and_restored_into_another() {
    backed_up_and_restored(Some(Store::Redis), Some(Store::Redis)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_valkey_is_backed_up_while_it_is_written_and_restored_into_a_folder() {
    backed_up_and_restored(Some(Store::Valkey), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_restored_into_a_valkey() {
    backed_up_and_restored(None, Some(Store::Valkey)).await;
}

async fn killed(kind: Option<Store>) {
    let origin = Origin::new(None).await;
    let files = tempdir().unwrap();
    let file = files.path().join("beck.jsonl");
    let path = file.to_str().unwrap();
    let (mut kills, mut broken_parts) = (0, 0);
    for lines in [2, 3, 4, 6, 8, 10, 12, 14] {
        let killed = run(&["backup", path], &origin.set()).kill_after(lines);
        if file.exists() {
            assert!(Archive::open(&file, Kind::Backup).is_ok(), "what has the name is whole");
            break;
        }
        let now = self::files(files.path(), "beck.jsonl.part-");
        // Of all of them: one that was killed with all on the disk and no name yet is whole.
        let whole =
            |part: &PathBuf| Archive::open(part, Kind::Backup).ok().map(|found| found.contents().end.g);
        let broken: Vec<_> =
            now.iter().filter(|part| whole(part) != Some(origin.place.entries.len() as u64)).collect();
        kills += usize::from(killed && broken.len() > broken_parts);
        broken_parts = broken.len();
        for part in broken {
            let why = refuses(&["restore", part.to_str().unwrap()], &set(&files.path().join("no"), None));
            assert!(why.contains("Nothing was written") || why.contains("is empty"), "{why}");
        }
    }
    println!("{kills} kills in the middle of a backup");
    assert!(kills >= 3, "only {kills} kills in the middle of the backup");
    assert!(!files.path().join("no/log.sqlite").exists());
    if !file.exists() {
        let (done, said) = run(&["backup", path], &origin.set()).end();
        assert!(done, "{said}");
    }

    let target = tempdir().unwrap();
    let store = kind.map(RedisServer::start);
    let set = set(target.path(), store.as_ref());
    let is_there = |key: &str, name: &str| match &store {
        Some(store) => store.command(&["EXISTS", key]) == ":1\r\n",
        None => target.path().join(name).exists(),
    };
    let pairs: Vec<_> = set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut kills = 0;
    for lines in [2, 3, 4, 6, 8, 11, 14, 17, 20, 24] {
        let killed = run(&["restore", path], &set).kill_after(lines);
        match (is_there("{beck}:mark", "unfinished.sqlite"), is_there("{beck}:log", "log.sqlite")) {
            (_, true) => break,
            (false, false) => continue,
            (true, false) => kills += usize::from(killed),
        }
        let why = refusal(&target, &pairs);
        assert!(why.contains("is not finished: run the same command again"), "{why}");
        assert!(!target.path().join("workspace").exists(), "no server took it for its workspace");
    }
    println!("{kills} kills in the middle of a restore");
    assert!(kills >= 3, "only {kills} kills in the middle of the restore");
    if !is_there("{beck}:log", "log.sqlite") {
        let (done, said) = run(&["restore", path], &set).end();
        assert!(done && said.contains("Going on with"), "{said}");
    }
    assert!(entries_of(target.path(), store.as_ref()).await == origin.place.entries);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_or_a_restore_into_a_folder_that_is_killed_leaves_nothing_that_is_taken_for_whole() {
    killed(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_into_redis_that_is_killed_leaves_nothing_that_is_taken_for_whole() {
    killed(Some(Store::Redis)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_into_valkey_that_is_killed_leaves_nothing_that_is_taken_for_whole() {
    killed(Some(Store::Valkey)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_goes_only_where_nothing_is() {
    let origin = Origin::new(None).await;
    let files = tempdir().unwrap();
    let file = files.path().join("beck.jsonl");
    let path = file.to_str().unwrap();
    let (done, said) = run(&["backup", path], &origin.set()).end();
    assert!(done, "{said}");
    let written = std::fs::read(&file).unwrap();
    let nowhere = files.path().join("none/beck.jsonl");
    let why = refuses(&["backup", nowhere.to_str().unwrap()], &origin.set());
    assert!(why.contains("there is no folder"), "{why}");
    let empty = tempdir().unwrap();
    let why = refuses(&["backup", path], &set(empty.path(), None));
    assert!(why.contains("there is no log.sqlite"), "{why}");
    for words in [&["backup"][..], &["restore", "a", "b"], &["export"], &["import", "--help"]] {
        let why = refuses(words, &set(empty.path(), None));
        assert!(why.contains("FILE"), "{why}");
    }
    // A folder with a log, of a server or not.
    let why = refuses(&["restore", path], &origin.set());
    assert!(why.contains("has a log already"), "{why}");
    // One that belongs to another workspace.
    std::fs::write(empty.path().join("workspace"), "bbbbbbbbbb\n").unwrap();
    let why = refuses(&["restore", path], &set(empty.path(), None));
    assert!(why.contains("belongs to another workspace (bbbbbbbbbb)"), "{why}");
    std::fs::remove_file(empty.path().join("workspace")).unwrap();
    // The rest of a log that is gone would become a part of the new one.
    std::fs::write(empty.path().join("log.sqlite-wal"), "rest").unwrap();
    let why = refuses(&["restore", path], &set(empty.path(), None));
    assert!(why.contains("has log.sqlite-wal of a log that is gone"), "{why}");
    std::fs::remove_file(empty.path().join("log.sqlite-wal")).unwrap();
    // A folder that a server is on which waits for its first account: not while it runs.
    let mut server = TestServer::start(empty.path());
    let why = refuses(&["restore", path], &set(empty.path(), None));
    assert!(why.contains("is in use by another Beck"), "{why}");
    server.kill();
    let (done, said) = run(&["restore", path], &set(empty.path(), None)).end();
    assert!(done, "{said}");
    assert!(entries_of(empty.path(), None).await == origin.place.entries);
    let export = files.path().join("export.jsonl");
    let (done, said) = run(&["export", export.to_str().unwrap()], &origin.set()).end();
    assert!(done, "{said}");
    let why = refuses(&["restore", export.to_str().unwrap()], &set(&files.path().join("new"), None));
    assert!(why.contains("use beck import"), "{why}");
    assert_eq!(std::fs::read(&file).unwrap(), written);
    drop(Node::start(config(empty.path()), Arc::new(Embedded::open(empty.path()).unwrap())).await.unwrap());
}

/// A log whose last entry was erased after it was counted: by then another one followed.
struct Erased {
    log: LiveFolder,
    counted: u64,
    asked: AtomicU64,
}

impl Side for Erased {
    fn name(&self) -> String {
        self.log.name()
    }

    fn head(&self) -> BoxFuture<'_, Moved<Option<Head>>> {
        async {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let entry = self.log.read(self.counted, 1).await?.remove(0);
            Ok(Some(Head { g: self.counted, link: entry.link }))
        }
        .boxed()
    }

    fn read(&self, from: u64, limit: usize) -> BoxFuture<'_, Moved<Vec<Entry>>> {
        self.log.read(from, limit)
    }

    fn beside(&self) -> BoxFuture<'_, Moved<Beside>> {
        self.log.beside()
    }
}

impl LiveLog for Erased {
    fn pointers<'a>(
        &'a self,
        accounts: &'a [AccountId],
    ) -> BoxFuture<'a, Moved<BTreeMap<(AccountId, String), Pointer>>> {
        self.log.pointers(accounts)
    }

    fn secrets<'a>(&'a self, names: &'a [String]) -> BoxFuture<'a, Moved<BTreeMap<String, KeptSecret>>> {
        self.log.secrets(names)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_never_ends_in_an_erased_entry() {
    let origin = Origin::new(None).await;
    let erased = origin.place.entries.iter().find(|entry| entry.body.is_none()).unwrap().header.g;
    let files = tempdir().unwrap();
    let log = LiveFolder::open(origin.folder.path()).unwrap();
    let log = Erased { log, counted: erased, asked: AtomicU64::new(0) };
    let (path, manifest) = write(&log, Kind::Backup, files.path(), Format::NEWEST).await.unwrap();
    assert!(manifest.entries > erased && log.asked.load(Ordering::SeqCst) > 0);
    let archive = Archive::open(&path, Kind::Backup).unwrap();
    assert_eq!(archive.contents().end.g, manifest.entries);
    let last = archive.read(manifest.entries, 1).await.unwrap().remove(0);
    assert!(last.body.is_some());
    assert!(matches!(Embedded::open(origin.folder.path()), Ok(_) | Err(OpenError::Locked(_))));
}
