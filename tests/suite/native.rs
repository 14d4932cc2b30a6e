//! The native client as the desktop app has it, its engine on a thread of its own and its file on the disk, with no
//! window: against a real server, through the proxy that cuts.

use crate::support::awaited::until;
use crate::support::native::{App, holds_bytes};
use crate::support::proxy::CuttingProxy;
use crate::support::server::{TestClient, TestServer};
use crate::support::{furnish, seed};
use beck::client::platform::native::disk::{Disk, DiskFault};
use beck::client::platform::native::logins::{Keyring, Logins};
use beck::client::platform::native::running::Running;
use beck::client::platform::native::server::{Fault, Server};
use beck::client::{Effect, Input, Lane, Probe, Status};
use beck::protocol::{ActDraft, ActValue, ClientId, Slot};
use serde_json::json;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tempfile::{TempDir, tempdir};

/// A server behind a proxy, and two people: the first one writes in a browser, the second one has the app.
struct Here {
    data: TempDir,
    disk: TempDir,
    server: TestServer,
    proxy: CuttingProxy,
    place: crate::support::Place,
}

impl Here {
    async fn new() -> Here {
        let (data, disk) = (tempdir().unwrap(), tempdir().unwrap());
        let place = furnish(data.path(), 2).await;
        let server = TestServer::start(data.path());
        let proxy = CuttingProxy::start(server.host(), seed()).await;
        Here { data, disk, server, proxy, place }
    }

    fn token(&self) -> &str {
        self.place.people[1].1.strip_prefix("beck_login=").unwrap()
    }

    /// Starts the app on what its folder holds, or on what the server says.
    async fn app(&self) -> App {
        App::start(&format!("http://{}", self.proxy.addr()), self.token(), self.disk.path()).await
    }

    /// The app, live in General.
    async fn live_app(&self) -> App {
        let app = self.app().await;
        app.look(self.place.general);
        app.until_live().await;
        app.until(|session| session.current().is_some()).await;
        app
    }

    async fn other(&self) -> TestClient {
        TestClient::connect(&self.server, &self.place.people[0].1).await
    }

    /// Somebody else writes; gives the id.
    async fn said(&self, text: &str) -> String {
        let (mut other, id) = (self.other().await, ClientId::random().to_string());
        other.post(self.place.general.as_str(), &id, text).await;
        assert_eq!(other.until("ack").await["outcome"]["is"], "stored");
        id
    }

    /// Somebody deletes; gives whether it is stored.
    async fn deletes(&self, who: usize, target: &str) {
        let mut by = TestClient::connect(&self.server, &self.place.people[who].1).await;
        let act = json!({ "t": "act", "id": ClientId::random(), "room": self.place.general, "target": target, "slot": "deleted", "value": true });
        by.send(act).await;
        assert_eq!(by.until("ack").await["outcome"]["is"], "stored");
    }

    /// The texts of the room as the server has them, in their order.
    async fn texts(&self) -> Vec<String> {
        let mut reader = self.other().await;
        let page = json!({ "t": "page", "req": 1, "room": self.place.general, "at": "newest", "limit": 100 });
        reader.send(page).await;
        let page = reader.until("page").await;
        let rows = page["page"]["rows"].as_array().unwrap();
        rows.iter().map(|row| row["text"].as_str().unwrap_or("-").to_owned()).collect()
    }

    async fn stop_server(&mut self) {
        self.server.kill();
    }

    async fn start_server(&mut self) {
        self.server = TestServer::start(self.data.path());
        self.proxy.aim(self.server.host());
    }

    fn on_disk(&self, text: &str) -> bool {
        holds_bytes(self.disk.path(), text)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_sends_through_cuts_and_lost_answers_are_stored_once_in_order() {
    let here = Here::new().await;
    let app = here.live_app().await;
    here.proxy.lose_replies();
    app.write("one");
    // The answer is lost with its connection, and the message is in the log: it is sent again under its id.
    until("the answer is lost", || here.proxy.counts().lost > 0).await;
    app.write("two");
    app.write("three");
    here.proxy.mend();
    // The connection that comes after the lost answer is cut too.
    until("a connection is cut", || here.proxy.cut_some(1.0) > 0).await;
    app.until(|session| session.waiting() == 0 && session.status == Status::Live).await;
    assert_eq!(here.texts().await, ["one", "two", "three"]);
    app.until(|session| session.current().is_some_and(|timeline| timeline.rows().len() == 3)).await;
    let counts = here.proxy.counts();
    assert!(counts.lost > 0 && counts.cut > counts.lost, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_outbox_and_what_stood_in_composers_survive_a_restart_without_a_server() {
    let mut here = Here::new().await;
    let app = here.live_app().await;
    here.stop_server().await;
    app.until(|session| session.status == Status::Offline).await;
    for text in ["first", "second", "third"] {
        app.write(text);
    }
    app.intend(Input::Typed(here.place.general.into(), "half a thou".into()));
    app.until(|session| session.waiting() == 3 && session.typed.len() == 1).await;
    app.stop();

    let app = here.app().await;
    app.until(|session| session.waiting() == 3).await;
    assert_eq!(app.session().typed[&here.place.general.into()], "half a thou");
    assert!(app.told(|effect| matches!(effect, Effect::Offer(_, text) if text == "half a thou")).await);
    let echoes = app.session().current().unwrap().echoes().len();
    assert_eq!(echoes, 3, "what waits is shown");
    here.start_server().await;
    app.until(|session| session.waiting() == 0).await;
    assert_eq!(here.texts().await, ["first", "second", "third"]);
    app.stop();
    // Nothing goes out twice.
    let app = here.live_app().await;
    app.until(|session| session.current().is_some_and(|timeline| timeline.rows().len() == 3)).await;
    assert_eq!(here.texts().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_is_waited_for_and_what_it_said_meanwhile_is_caught_up() {
    let mut here = Here::new().await;
    let app = here.live_app().await;
    here.said("before").await;
    app.until(|session| session.current().unwrap().head() == 1).await;
    here.stop_server().await;
    app.until(|session| session.status == Status::Offline).await;
    app.write("from the app");
    here.start_server().await;
    here.said("after").await;
    app.until(|session| session.current().unwrap().rows().len() == 3 && session.waiting() == 0).await;
    let mut texts = here.texts().await;
    texts[1..].sort();
    assert_eq!(texts, ["before", "after", "from the app"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_opens_with_its_rows_and_rooms_while_the_server_is_away() {
    let mut here = Here::new().await;
    let app = here.live_app().await;
    for n in 0..5 {
        here.said(&format!("said {n}")).await;
    }
    app.until(|session| session.current().unwrap().rows().len() == 5).await;
    let (cursor, people) = {
        let session = app.session();
        (session.current().unwrap().cursor(), session.people.len())
    };
    app.stop();
    here.stop_server().await;

    let app = here.app().await;
    {
        let session = app.session();
        assert_ne!(session.status, Status::Live);
        let timeline = session.current().expect("the room that was looked at");
        let texts: Vec<_> = timeline.rows().filter_map(|row| row.text.clone()).collect();
        assert_eq!(texts, ["said 0", "said 1", "said 2", "said 3", "said 4"]);
        assert_eq!((timeline.cursor(), session.people.len()), (cursor, people));
        assert_eq!(session.rooms[0].name, "General");
        assert_eq!(session.workspace, "Test Place");
    }
    here.start_server().await;
    here.said("said 5").await;
    app.until(|session| session.current().unwrap().rows().len() == 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_removal_takes_away_is_gone_from_the_disk() {
    // Told at once, or found out at the next start.
    for away in [false, true] {
        let here = Here::new().await;
        let app = here.live_app().await;
        here.said("confidential-marker").await;
        app.write("own-words-marker");
        app.until(|session| session.current().unwrap().rows().len() == 2 && session.waiting() == 0).await;
        app.until_true(|| here.on_disk("confidential-marker") && here.on_disk("own-words-marker")).await;
        let app = if away {
            app.stop();
            None
        } else {
            Some(app)
        };
        let leave = format!("/r/{}/leave", here.place.general);
        assert_eq!(here.server.form(&leave, &here.place.people[1].1, &[]).await.0, 303);
        let app = match app {
            Some(app) => app,
            None => here.app().await,
        };
        app.until(|session| session.timelines.is_empty() && session.status == Status::Live).await;
        app.until_true(|| !here.on_disk("confidential-marker") && !here.on_disk("own-words-marker")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_erased_is_gone_from_the_disk_in_rooms_that_nobody_looks_at_too() {
    for away in [false, true] {
        let here = Here::new().await;
        let app = here.live_app().await;
        let foreign = here.said("foreign-marker").await;
        here.said("staying-marker").await;
        let own = app.write("own-marker").to_string();
        app.until(|session| session.current().unwrap().rows().len() == 3 && session.waiting() == 0).await;
        app.until_true(|| {
            ["foreign-marker", "staying-marker", "own-marker"].iter().all(|text| here.on_disk(text))
        })
        .await;
        app.intend(Input::LookAway);
        app.until(|session| session.looking_at.is_none()).await;
        let app = if away {
            app.stop();
            None
        } else {
            Some(app)
        };
        here.deletes(0, &foreign).await;
        here.deletes(0, &own).await;
        let app = match app {
            Some(app) => app,
            None => here.app().await,
        };
        app.until_true(|| !here.on_disk("foreign-marker") && !here.on_disk("own-marker")).await;
        assert!(here.on_disk("staying-marker"));
        assert!(app.session().looking_at.is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_message_that_is_deleted_here_is_gone_from_outbox_and_rows() {
    let here = Here::new().await;
    let app = here.live_app().await;
    let target = app.write("regretted-marker");
    app.until(|session| session.waiting() == 0 && session.current().unwrap().rows().len() == 1).await;
    app.until_true(|| here.on_disk("regretted-marker")).await;
    let (id, room) = (ClientId::random(), here.place.general);
    let slot = Slot::Deleted.to_string();
    app.intend(Input::Act(ActDraft {
        id,
        room,
        target,
        slot,
        value: ActValue::On(true),
        named: Default::default(),
    }));
    app.until_true(|| !here.on_disk("regretted-marker")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_ended_takes_the_rows_and_leaves_what_was_written() {
    let here = Here::new().await;
    let app = here.live_app().await;
    here.said("confidential-marker").await;
    app.until_true(|| here.on_disk("confidential-marker")).await;
    app.stop();
    let status = here.server.form("/sign-out-everywhere", &here.place.people[1].1, &[]).await.0;
    assert_eq!(status, 303);

    let app = here.app().await;
    app.write("waiting-marker");
    app.until(|session| session.status == Status::SignedOut).await;
    app.until_true(|| !here.on_disk("confidential-marker")).await;
    assert!(here.on_disk("waiting-marker"));
    app.stop();
    let app = here.app().await;
    assert_eq!(app.session().me.id, here.place.people[1].0);
    app.until(|session| session.waiting() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bearer_token_opens_what_the_cookie_opens() {
    let here = Here::new().await;
    let server = Server::sign_in(&here.server.base, "olive", "a long password").await.unwrap();
    assert_eq!(server.token().len(), 64);
    let boot = server.boot().await.unwrap();
    assert_eq!((boot.me.unwrap().handle.as_str(), boot.rooms.len()), ("olive", 1));
    assert_eq!(server.probe().await, Probe::SignedIn);
    server.sign_out().await.unwrap();
    assert_eq!(server.probe().await, Probe::SignedOut);
    assert!(matches!(server.boot().await, Err(Fault::SignedOut(_))));
    let Err(Fault::SignedOut(why)) = Server::sign_in(&here.server.base, "olive", "not it at all").await
    else {
        panic!("a wrong password signs in");
    };
    assert!(why.contains("password"), "{why}");
    let nobody = Server::new("http://127.0.0.1:1", "").unwrap();
    assert_eq!(nobody.probe().await, Probe::Unreachable);
    assert!(matches!(nobody.boot().await, Err(Fault::Other(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_and_requests_of_the_page_are_passed_on_with_the_login_and_refusals_come_in_words() {
    let here = Here::new().await;
    let server = Server::sign_in(&here.server.base, "olive", "a long password").await.unwrap();
    let headers = [Some("application/json"), Some("application/x-www-form-urlencoded")];
    let tea = || server.pass(reqwest::Method::POST, "/rooms", headers, b"name=Tea&topic=".to_vec());
    let made = tea().await.unwrap();
    assert_eq!(made.status, 303);
    assert!(made.location.unwrap().starts_with("/r/"));
    let again = tea().await.unwrap();
    assert_eq!((again.status, again.kind.as_deref()), (422, Some("application/json")));
    let said: serde_json::Value = serde_json::from_slice(&again.body).unwrap();
    assert!(said["message"].as_str().unwrap().contains("The room “Tea” has this name"), "{said}");

    let names = format!("/api/v1/names?room={}&at=", here.place.general);
    let get = |server: Server, path: String| async move {
        server.pass(reqwest::Method::GET, &path, [None, None], Vec::new()).await.unwrap().status
    };
    assert_eq!(get(server.clone(), names.clone()).await, 200);
    let stranger = Server::new(&here.server.base, &"0".repeat(64)).unwrap();
    assert_eq!(get(stranger, names).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_that_were_made_while_it_was_away_are_listed() {
    let here = Here::new().await;
    let app = here.live_app().await;
    let listed = |session: &beck::client::Session| {
        session.rooms.iter().map(|room| (room.name.clone(), room.joined)).collect::<Vec<_>>()
    };
    assert_eq!(listed(&app.session()), [("General".to_owned(), true)]);
    app.stop();
    let owner = &here.place.people[0].1;
    assert_eq!(here.server.form("/rooms", owner, &[("name", "Tea"), ("topic", "")]).await.0, 303);
    let app = here.app().await;
    app.until(|session| listed(session).contains(&("Tea".to_owned(), false))).await;
    assert!(listed(&app.session()).contains(&("General".to_owned(), true)));
    app.until_true(|| here.on_disk("Tea")).await;
}

fn rights(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn the_file_is_its_owners_alone_is_open_once_and_a_damaged_one_is_set_aside() {
    let folder = tempdir().unwrap();
    let folder = folder.path().join("beck").join("login");
    let disk = Disk::open(&folder).unwrap();
    assert_eq!((rights(&folder), rights(&folder.join("kept.sqlite"))), (0o700, 0o600));
    assert!(matches!(Disk::open(&folder), Err(DiskFault::InUse(_))));
    let room = Lane::from(beck::protocol::RoomId::random());
    assert!(disk.keep_typed(room, "kept"));
    drop(disk);
    let disk = Disk::open(&folder).unwrap();
    assert_eq!(disk.written().0[&room], "kept");
    drop(disk);

    std::fs::write(folder.join("kept.sqlite"), "no database at all".repeat(100)).unwrap();
    let disk = Disk::open(&folder).unwrap();
    assert!(disk.written().0.is_empty() && disk.keep_typed(room, "again"));
    let names =
        || std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names().filter(|name| name.starts_with("damaged-")).count(), 1);
}

/// A keyring in memory, or none.
#[derive(Clone, Default)]
struct Ring(Option<Arc<Mutex<HashMap<String, String>>>>);

impl Keyring for Ring {
    fn put(&self, key: &str, token: &str) -> bool {
        self.0.as_ref().is_some_and(|ring| {
            ring.lock().unwrap().insert(key.into(), token.into());
            true
        })
    }

    fn get(&self, key: &str) -> Option<String> {
        self.0.as_ref()?.lock().unwrap().get(key).cloned()
    }

    fn forget(&self, key: &str) {
        self.0.iter().for_each(|ring| drop(ring.lock().unwrap().remove(key)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_lies_in_the_keyring_else_in_a_private_file_and_goes_with_all_that_was_kept() {
    let here = Here::new().await;
    let server = Server::sign_in(&here.server.base, "olive", "a long password").await.unwrap();
    let boot = server.boot().await.unwrap();
    for ring in [Ring(Some(Arc::default())), Ring(None)] {
        let folder = tempdir().unwrap();
        let open = || Logins::open(folder.path(), Box::new(ring.clone())).unwrap();
        let mut logins = open();
        assert!(logins.list().is_empty());
        let login = logins.put(&server, &boot).unwrap();
        assert_eq!(rights(&folder.path().join("logins.json")), 0o600);
        assert_eq!(holds_bytes(folder.path(), server.token()), ring.0.is_none());

        let mut logins = open();
        assert_eq!(logins.list(), std::slice::from_ref(&login));
        assert_eq!((login.workspace.as_str(), login.account), ("Test Place", here.place.people[0].0));
        let again = logins.server(&login).unwrap();
        assert_eq!(again.probe().await, Probe::SignedIn);
        // Another server comes first once it is used, and signing in again makes no second login.
        let other = Server::new("http://127.0.0.1:1", &"f".repeat(64)).unwrap();
        let other = logins.put(&other, &boot).unwrap();
        assert_eq!(open().list(), [other.clone(), login.clone()]);
        logins.used(&login).unwrap();
        logins.put(&server, &boot).unwrap();
        assert_eq!(open().list(), [login.clone(), other.clone()]);

        let running = Running::start(again, &logins.folder(&login), Some(boot.clone()), |_| {}).unwrap();
        drop(running);
        assert!(logins.folder(&login).join("kept.sqlite").exists());
        logins.remove(&login).unwrap();
        assert!(!logins.folder(&login).exists());
        assert_eq!(open().list(), [other]);
        assert!(!holds_bytes(folder.path(), server.token()) && ring.get(&login.key()).is_none());
    }
}
