//! Threads and tasks that must not end: where one panics, the server is not ready, names it, and exits.

use crate::support::awaited::until;
use crate::support::redis::{RedisServer, Store};
use crate::support::set_up;
use axum::body::Body;
use axum::http::Request;
use beck::protocol::ClientId;
use beck::protocol::ErrorCode;
use beck::protocol::frame::Draft;
use beck::server::node::Readiness;
use beck::server::readiness::UnreadyState;
use beck::server::{rooms, router, watch};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::{TempDir, tempdir};
use tower::ServiceExt;

/// A process that has not ended after so long never will.
const HANG: Duration = Duration::from_secs(60);
const NODE_PARTS: [&str; 10] = [
    "fold",
    "signals",
    "presence",
    "erasures",
    "erase",
    "sign-ups",
    "write-probe",
    "state-log",
    "admin-socket",
    "memory",
];
const FOLDER_PARTS: [&str; 2] = ["log-writer", "earlier-log"];
const STORE_PARTS: [&str; 6] =
    ["redis-tail", "redis-writer", "redis-signals-out", "redis-signals-in", "copy", "rise"];

struct Planted {
    part: &'static str,
    child: Child,
    _folder: TempDir,
}

impl Drop for Planted {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(part: &'static str, settings: &[(&str, &str)]) -> Planted {
    let folder = tempdir().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_beck"))
        .env_clear()
        .env("DATA_DIR", folder.path())
        .env("PORT", "0")
        .env("LOG", "off")
        .env(watch::PLANT, part)
        .envs(settings.iter().copied())
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    Planted { part, child, _folder: folder }
}

/// Exit code and what it said; none if it did not end.
fn end(planted: &mut Planted, began: Instant) -> Option<(Option<i32>, String)> {
    while planted.child.try_wait().unwrap().is_none() {
        if began.elapsed() > HANG {
            planted.child.kill().unwrap();
            planted.child.wait().unwrap();
            return None;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut said = String::new();
    planted.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    Some((planted.child.wait().unwrap().code(), said))
}

#[test]
fn a_part_that_panics_ends_the_process_with_an_exit_code_and_its_name() {
    let store = RedisServer::start(Store::Redis);
    let url = store.url();
    let redis = [("REDIS_URL", url.as_str())];
    let mut planted: Vec<_> = NODE_PARTS.iter().chain(&FOLDER_PARTS).map(|part| serve(part, &[])).collect();
    planted.extend(STORE_PARTS.iter().map(|part| serve(part, &redis)));
    let began = Instant::now();
    let mut ended = 0;
    for planted in &mut planted {
        let part = planted.part;
        let (code, said) =
            end(planted, began).unwrap_or_else(|| panic!("{part} panicked and the process goes on"));
        assert_eq!(code, Some(1), "{part}: {said}");
        assert!(said.contains(UnreadyState::TaskEnded.sentence()), "{part}: {said}");
        assert!(said.contains(&format!("{part} panicked: planted by a test")), "{part}: {said}");
        ended += 1;
    }
    assert_eq!(ended, NODE_PARTS.len() + FOLDER_PARTS.len() + STORE_PARTS.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fold_that_panics_makes_readyz_red_with_its_name_and_posts_are_refused() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let readyz = async || {
        let request = Request::get("/readyz").body(Body::empty()).unwrap();
        let response = router::router(here.node.clone(), None).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    };
    assert_eq!(readyz().await, (200, "ready".to_owned()));
    here.node.plant_fold_panic();
    until("the node is unready", || matches!(here.node.readiness(), Readiness::Unready(_))).await;
    let (status, body) = readyz().await;
    assert_eq!(status, 503);
    assert!(body.starts_with(UnreadyState::TaskEnded.sentence()), "{body}");
    assert!(body.contains("fold panicked"), "{body}");
    let part = here.node.wait_part_ended().await;
    assert!(part.starts_with("fold"), "{part}");
    // Nothing is stored that would get no outcome, and nobody is told what may be out of date.
    let draft = Draft {
        id: ClientId::random(),
        room: here.general,
        thread: None,
        quote: None,
        text: "no".into(),
        named: Default::default(),
    };
    let refused = rooms::post(&here.node, here.owner, draft).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::Unavailable, "{refused}");
    let length = here.log().await.len();
    here.log.append(vec![crate::support::room_proposal(here.owner, "unfolded")]).await.unwrap();
    assert_eq!(here.log().await.len(), length + 1);
    assert!(here.node.sure(|_| true, || ()).await.is_err(), "a fold that has ended is not up to date");
}

/// Calls that start a thread or task beside watch.rs, and why each may end by itself.
const UNWATCHED: [(&str, &str); 4] = [
    ("messages.rs", "one restore, which ends with its outcome"),
    ("hub.rs", "ends by itself when somebody stops typing"),
    ("socket.rs", "one socket, which ends with its peer"),
    ("commands/doctor/client.rs", "one connection of a command that ends soon"),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_thread_and_task_of_the_server_is_watched() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut unwatched = Vec::new();
    let mut watched = 0;
    for path in files {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
            let bare = ["tokio::spawn(", "task::spawn(", "thread::spawn(", "thread::Builder"];
            if name != "watch.rs" && bare.iter().any(|bare| line.contains(bare)) {
                unwatched.push(name.clone());
            }
            let calls = ["watch.task(", "watch.thread(", "watch_task("];
            watched += usize::from(calls.iter().any(|call| line.contains(call)));
        }
    }
    unwatched.sort();
    let mut allowed: Vec<_> = UNWATCHED.iter().map(|(name, _)| (*name).to_owned()).collect();
    allowed.sort();
    assert_eq!(unwatched, allowed, "start it with watch.rs, or give a reason here");
    assert!(watched > 10, "only {watched} are watched");
}
