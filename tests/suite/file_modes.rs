//! Every file of the data folder is for its owner alone, whatever the umask and the folder's own mode.
#![cfg(unix)]

use crate::support::command::Running;
use crate::support::logged::LoggedServer;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::form_at;
use std::collections::BTreeMap;
use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::tempdir;

fn open_folder() -> tempfile::TempDir {
    let folder = tempdir().unwrap();
    set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

/// The modes of all files of a folder, by name.
fn modes(folder: &Path) -> BTreeMap<String, u32> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let mode = |file: &std::fs::DirEntry| file.metadata().unwrap().permissions().mode() & 0o777;
    files.map(|file| (file.file_name().into_string().unwrap(), mode(&file))).collect()
}

/// Its owner alone may read this file, if it is there.
pub fn assert_private_file(path: &Path) {
    let mode = std::fs::metadata(path).map(|meta| meta.permissions().mode() & 0o777);
    assert!(mode.as_ref().is_ok_and(|mode| *mode == 0o600) || mode.is_err(), "{path:?}: {mode:?}");
}

fn assert_private(folder: &Path, names: &[&str]) {
    let modes = modes(folder);
    for name in names {
        assert!(modes.contains_key(*name), "{name} is not in {modes:?}");
    }
    let wide: Vec<_> = modes
        .iter()
        .filter(|(_, mode)| **mode != 0o600)
        .map(|(name, mode)| format!("{name} {mode:o}"))
        .collect();
    assert!(wide.is_empty(), "{wide:?}");
}

async fn set_up(server: &LoggedServer) {
    let fields = [
        ("workspace", "Test Place"),
        ("name", "Olive Owner"),
        ("handle", "olive"),
        ("password", "a long password"),
    ];
    assert_eq!(form_at(&server.base, "/setup", "", &fields).await.unwrap().0, 303);
}

const RUNNING: [&str; 9] = [
    "admin.sock",
    "lock",
    "log.sqlite",
    "log.sqlite-shm",
    "log.sqlite-wal",
    "state.sqlite",
    "state.sqlite-shm",
    "state.sqlite-wal",
    "workspace",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_file_of_a_folder_that_others_can_enter_is_private() {
    let folder = open_folder();
    let server = LoggedServer::start(folder.path(), "022").unwrap();
    set_up(&server).await;
    assert_private(folder.path(), &RUNNING);
    server.stop();
    assert_private(folder.path(), &["log.sqlite", "state.sqlite", "workspace", "lock"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_beside_a_store_is_private() {
    let store = RedisServer::start(Store::Redis);
    let folder = open_folder();
    let url = store.url();
    let server = LoggedServer::start_with(folder.path(), "022", &[("REDIS_URL", url.as_str())]).unwrap();
    set_up(&server).await;
    assert_private(folder.path(), &["copy.sqlite", "copy.sqlite-wal", "state.sqlite", "workspace", "lock"]);
    server.stop();
    assert_private(folder.path(), &["copy.sqlite", "state.sqlite", "workspace"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_an_earlier_version_left_open_are_made_private_and_doctor_names_them_before() {
    let folder = open_folder();
    let server = LoggedServer::start(folder.path(), "022").unwrap();
    set_up(&server).await;
    server.stop();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("lost.jsonl"), "{}\n").unwrap();
    std::fs::write(path("log-cut-9.jsonl"), "{}\n").unwrap();
    std::fs::write(path("notes.txt"), "not Beck's").unwrap();
    for name in modes(folder.path()).keys() {
        set_permissions(path(name), Permissions::from_mode(0o644)).unwrap();
    }
    let shown = folder.path().to_str().unwrap();
    let settings = [("DATA_DIR", shown), ("PORT", "0")];
    let (_, said) = Running::start(&["doctor"], &settings).end();
    for name in ["log.sqlite", "state.sqlite", "lost.jsonl"] {
        assert!(said.lines().any(|line| line.contains(name) && line.contains("chmod")), "{name}: {said}");
    }
    let server = LoggedServer::start(folder.path(), "022").unwrap();
    // What is not Beck's is left as it is.
    assert_eq!(modes(folder.path())["notes.txt"], 0o644);
    std::fs::remove_file(path("notes.txt")).unwrap();
    assert_private(folder.path(), &RUNNING);
    assert_private(folder.path(), &["lost.jsonl", "log-cut-9.jsonl"]);
    server.stop();
    let (_, said) = Running::start(&["doctor"], &settings).end();
    assert!(!said.lines().any(|line| line.contains("log.sqlite") && line.contains("chmod")), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_log_is_private_on_both_sides() {
    let folder = open_folder();
    let server = LoggedServer::start(folder.path(), "022").unwrap();
    set_up(&server).await;
    server.stop();
    let target = open_folder();
    let backup = tempdir().unwrap();
    let file = backup.path().join("copy.beck");
    let (from, to) = (folder.path().to_str().unwrap(), target.path().to_str().unwrap());
    let file = file.to_str().unwrap();
    let run = |words: &[&str], data: &str| {
        let script = "umask 022 && exec \"$0\" \"$@\"";
        let done = std::process::Command::new("sh")
            .args(["-c", script, env!("CARGO_BIN_EXE_beck")])
            .args(words)
            .env_clear()
            .env("DATA_DIR", data)
            .current_dir(backup.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    run(&["backup", file], from);
    run(&["restore", file], to);
    assert_private(target.path(), &["log.sqlite", "lock"]);
    assert_private(backup.path(), &["copy.beck"]);
}
