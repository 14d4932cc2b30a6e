//! The ways in: links to join and to sign in, throttles, cookies, and where one comes out.

mod cookies;
mod counts;
mod links;
mod prolonging;
mod queue;

use crate::support::server::{TestClient, TestServer};
use crate::support::set_up;
use beck::protocol::{AccountId, RoomId};
use beck::server::broker::SecretOp;
use beck::server::config::Config;
use beck::server::node::Node;
use beck::server::{router, serve};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tempfile::{TempDir, tempdir};

const PASSWORD: &str = "a long password";
const TOO_MANY: &str = "Too many tries. Try again in ";

struct Answer {
    status: u16,
    location: String,
    /// `name=value` of each cookie that is set.
    cookies: Vec<String>,
    retry_after: Option<u64>,
    text: String,
}

impl Answer {
    fn cookie(&self, name: &str) -> &str {
        self.cookies.iter().find(|cookie| cookie.starts_with(name)).unwrap()
    }

    fn outcome(&self) -> (u16, &str) {
        (self.status, &self.location)
    }
}

/// One request with exactly these headers. With fields it is a form.
async fn ask(base: &str, path: &str, headers: &[(&str, &str)], fields: Option<&[(&str, &str)]>) -> Answer {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let url = format!("{base}{path}");
    let mut request = match fields {
        Some(fields) => client.post(url).form(fields),
        None => client.get(url),
    };
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let cookies = answer.headers().get_all("set-cookie").iter();
    let cookies =
        cookies.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned()).collect();
    Answer {
        status: answer.status().as_u16(),
        location: header("location").unwrap_or_default(),
        cookies,
        retry_after: header("retry-after").map(|seconds| seconds.parse().unwrap()),
        text: answer.text().await.unwrap(),
    }
}

/// A server behind a proxy that names who asks.
struct Behind {
    server: TestServer,
    _folder: TempDir,
    owner: String,
    room: String,
}

impl Behind {
    async fn start() -> Behind {
        let folder = tempdir().unwrap();
        let (server, _) = TestServer::start_set(folder.path(), &[("TRUSTED_PROXIES", "127.0.0.1")]);
        let (owner, room) = server.set_up().await;
        Behind { server, _folder: folder, owner, room }
    }

    async fn post(&self, from: &str, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Answer {
        let base = &self.server.base;
        let headers = [("origin", base.as_str()), ("x-forwarded-for", from), ("cookie", cookie)];
        ask(base, path, &headers, Some(fields)).await
    }

    async fn sign_in(&self, from: &str, handle: &str, password: &str, cookie: &str) -> Answer {
        self.post(from, "/sign-in", cookie, &[("handle", handle), ("password", password)]).await
    }

    /// Tries until it is too often; gives how many tries there were.
    async fn too_many(&self, try_one: impl AsyncFn(usize) -> Answer) -> usize {
        for n in 0..80 {
            let answer = try_one(n).await;
            if answer.status == 429 {
                let seconds = answer.retry_after.unwrap();
                assert!((1..=60).contains(&seconds), "{seconds}");
                assert!(answer.text.contains(&format!("{TOO_MANY}{seconds} second")), "{}", answer.text);
                return n;
            }
            assert_eq!(answer.status, 422, "{}", answer.text);
        }
        panic!("the tries have no end");
    }
}

fn person(handle: &str) -> [(&str, &str); 3] {
    [("name", handle), ("handle", handle), ("password", PASSWORD)]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_people_behind_one_address_join_with_the_link() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let (owner, room) = server.set_up().await;
    let link = server.join_token(&owner, &room).await;
    let path = format!("/join/{link}");
    // One client: to make a hundred takes longer than the server waits for a request.
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let all = (0..100).map(|n| {
        let request = client.post(format!("{}{path}", server.base)).header("origin", &server.base);
        let request = request.form(&person(&format!("person{n}")));
        async move { request.send().await.unwrap().status().as_u16() }
    });
    let joined = futures::future::join_all(all).await;
    assert_eq!(joined.iter().filter(|status| **status == 303).count(), 100, "{joined:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_links_are_throttled_by_address_and_keep_nobody_out() {
    let here = Behind::start().await;
    let link = here.server.join_token(&here.owner, &here.room).await;
    let wrong = format!("/join/{}", "0".repeat(64));
    let tries = here.too_many(async |_| here.post("203.0.113.1", &wrong, "", &person("zoe")).await).await;
    assert!((20..40).contains(&tries), "{tries}");
    let refused = here.post("203.0.113.1", "/join/x", "", &person("zoe")).await;
    assert_eq!(refused.status, 429);
    assert!(refused.text.contains(TOO_MANY) && !refused.text.contains(PASSWORD), "{}", refused.text);
    assert_eq!(here.post("203.0.113.2", &wrong, "", &person("yan")).await.status, 422);
    // Whoever has the link gets in, even behind the same address.
    let right = format!("/join/{link}");
    for (from, handle) in [("203.0.113.1", "one"), ("203.0.113.2", "two")] {
        assert_eq!(here.post(from, &right, "", &person(handle)).await.outcome(), (303, "/"), "{from}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_who_tries_a_known_handle_keeps_its_owner_out_nowhere() {
    let here = Behind::start().await;
    let spelled = ["olive", "@olive", "@@olive", " Olive ", "OLIVE", "@@@@OLive"];
    let guess = async |n: usize| here.sign_in("203.0.113.1", spelled[n % 6], "a guess of many", "").await;
    let tries = here.too_many(guess).await;
    assert!((10..20).contains(&tries), "{tries} tries: each spelling is the same handle");
    let refused = here.sign_in("203.0.113.1", "@olive", PASSWORD, "").await;
    assert_eq!((refused.status, refused.cookies.len()), (429, 0), "right, but too many before");
    assert!(refused.text.contains("value=\"@olive\""), "what was typed is kept");

    let owner = here.sign_in("203.0.113.2", "olive", PASSWORD, "").await;
    assert_eq!(owner.outcome(), (303, "/"), "from elsewhere");
    // Behind the stranger's own address the browser is known that was here before, and no other.
    let known = owner.cookie("beck_known");
    let (name, value) = known.split_once('=').unwrap();
    let parts: Vec<_> = value.split('.').collect();
    let changed = |n: usize, to: &str| {
        let mut parts = parts.clone();
        parts[n] = to;
        format!("{name}={}", parts.join("."))
    };
    let (zeros, short) = ("0".repeat(64), "0".repeat(32));
    let other = AccountId::random().to_string();
    for forged in
        [changed(0, &other), changed(1, &short), changed(2, &zeros), changed(2, ""), format!("{name}=..")]
    {
        assert_eq!(here.sign_in("203.0.113.1", "olive", PASSWORD, &forged).await.status, 429, "{forged}");
    }
    let again = here.sign_in("203.0.113.1", "olive", PASSWORD, known).await;
    assert_eq!(again.outcome(), (303, "/"));
    assert_eq!(again.cookie("beck_known"), known);
    // It is no way around the throttle for whoever takes it.
    let tries =
        here.too_many(async |_| here.sign_in("203.0.113.9", "olive", "a guess of many", known).await).await;
    assert!((10..20).contains(&tries), "{tries}");
    assert_eq!(here.sign_in("203.0.113.9", "olive", PASSWORD, "").await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_of_one_account_makes_no_browser_known_to_another() {
    let here = Behind::start().await;
    let link = here.server.join_token(&here.owner, &here.room).await;
    let bo = here.post("203.0.113.5", &format!("/join/{link}"), "", &person("bo")).await;
    let known = bo.cookie("beck_known");
    here.too_many(async |_| here.sign_in("203.0.113.5", "olive", "a guess of many", known).await).await;
    assert_eq!(here.sign_in("203.0.113.5", "olive", PASSWORD, known).await.status, 429);
    assert_eq!(here.sign_in("203.0.113.5", "bo", PASSWORD, known).await.status, 303);
}

/// A server in this process.
struct Inside {
    node: Arc<Node>,
    owner: AccountId,
    room: RoomId,
    base: String,
    log: beck::server::broker::SharedBroker,
    folder: TempDir,
}

impl Inside {
    async fn start() -> Inside {
        Inside::start_at("").await
    }

    /// Under this `PUBLIC_URL`, if it is not empty.
    async fn start_at(public: &str) -> Inside {
        let folder = tempdir().unwrap();
        let here = set_up(folder.path()).await;
        let (owner, room, log) = (here.owner, here.general, here.log.clone());
        let node = if public.is_empty() {
            here.node
        } else {
            let data = folder.path().join("public");
            std::fs::create_dir(&data).unwrap();
            let settings = HashMap::from([("DATA_DIR", data.to_str().unwrap()), ("PUBLIC_URL", public)]);
            let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
            Node::start(Config::from_settings(&settings.collect()).unwrap(), log.clone()).await.unwrap()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app = router::router(node.clone(), None);
        tokio::spawn(serve::serve(node.clone(), app, listener, std::future::pending()));
        Inside { node, owner, room, base, log, folder }
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        ask(&self.base, path, headers, None).await
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Answer {
        ask(&self.base, path, headers, Some(fields)).await
    }

    fn host(&self) -> &str {
        self.base.strip_prefix("http://").unwrap()
    }

    /// When a login ends, in milliseconds since 1970.
    fn ends(&self, token: &str) -> i64 {
        let log = rusqlite::Connection::open(self.folder.path().join("log.sqlite")).unwrap();
        let key = format!("login:{}", hex::encode(Sha256::digest(token)));
        log.query_row("SELECT expires FROM secrets WHERE key = ?1", [key], |row| row.get(0)).unwrap()
    }

    /// A login as an earlier release has written it, which ends soon.
    async fn old_login(&self, token: &str, ends: i64) {
        let key = format!("login:{}", hex::encode(Sha256::digest(token)));
        let value = serde_json::json!({ "account": self.owner, "generation": 0 }).to_string();
        let op = SecretOp::Put { value, if_version: 0, expires: Some(ends) };
        self.log.secret(key, op).await.unwrap();
    }

    /// The first line of the answer to a request for a socket.
    async fn upgrade(&self, headers: &str) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut socket = tokio::net::TcpStream::connect(self.host()).await.unwrap();
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: {}\r\n{headers}Connection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            self.host()
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut head = vec![0; 256];
        let read = socket.read(&mut head).await.unwrap();
        String::from_utf8_lossy(&head[..read]).lines().next().unwrap().to_owned()
    }
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[tokio::test(flavor = "multi_thread")]
async fn a_link_signs_in_by_its_button_and_once() {
    let here = Inside::start().await;
    let link = here.node.enter_token(here.owner).await.unwrap();
    let path = format!("/enter/{link}");
    let origin = [("origin", here.base.as_str())];
    for _ in 0..3 {
        let page = here.get(&path, &[]).await;
        assert_eq!((page.status, page.cookies.len()), (200, 0), "to look at it signs nobody in");
        assert!(page.text.contains("Sign in as Olive Owner") && page.text.contains(&path), "{}", page.text);
    }
    assert_eq!(here.post(&path, &[("origin", "http://evil.example")], &[]).await.status, 403);
    assert_eq!(here.post(&path, &[], &[]).await.status, 403);
    let all = futures::future::join_all((0..10).map(|_| here.post(&path, &origin, &[]))).await;
    let (done, refused): (Vec<_>, Vec<_>) = all.iter().partition(|answer| answer.status == 303);
    assert_eq!((done.len(), refused.len()), (1, 9), "one use");
    assert!(refused.iter().all(|answer| answer.status == 422 && answer.cookies.is_empty()));
    assert!(refused[0].text.contains("This link was used"), "{}", refused[0].text);
    let cookie = done[0].cookie("beck_login");
    assert_eq!(here.get("/rooms", &[("cookie", cookie)]).await.status, 200);
    for used in [path, format!("/enter/{}", "0".repeat(64))] {
        let page = here.get(&used, &[]).await;
        assert!(page.status == 410 && page.text.contains("This link was used already"), "{}", page.text);
        assert!(
            page.text.contains("href=\"/sign-in\"") && !page.text.contains("Olive Owner"),
            "{}",
            page.text
        );
    }
    // A link to join is for many.
    let join = here.node.join_token().await.unwrap();
    for handle in ["one", "two"] {
        assert_eq!(here.post(&format!("/join/{join}"), &origin, &person(handle)).await.status, 303);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_authorization_header_hides_no_cookie_and_lets_no_other_site_in() {
    let here = Inside::start().await;
    let token = here.node.sign_in(here.owner).await.unwrap();
    let cookie = format!("beck_login={token}");
    let foreign =
        ["Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "Basic YWRtaW46YWRtaW4=", "Bearer ", "Bearer x", "x"];
    let mut checked = 0;
    for line in foreign {
        let both = [("cookie", cookie.as_str()), ("authorization", line)];
        assert_eq!(here.get("/rooms", &both).await.status, 200, "{line}");
        assert_eq!(here.get("/api/v1/login", &both).await.status, 204, "{line}");
        let form = format!("/r/{}/leave", here.room);
        for origin in [None, Some("http://evil.example"), Some("null")] {
            let mut headers = both.to_vec();
            headers.extend(origin.map(|origin| ("origin", origin)));
            assert_eq!(here.post(&form, &headers, &[]).await.status, 403, "{line} {origin:?}");
            let origin = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
            let lines = format!("{origin}Cookie: {cookie}\r\nAuthorization: {line}\r\n");
            let answer = here.upgrade(&lines).await;
            assert!(answer.contains(" 403 "), "{lines}: {answer}");
            checked += 1;
        }
        let own = format!("Origin: {}\r\nCookie: {cookie}\r\nAuthorization: {line}\r\n", here.base);
        assert!(here.upgrade(&own).await.contains(" 101 "), "{line}");
    }
    assert_eq!(checked, 15);
    // A bearer of ours needs no Origin; an unknown one is asked instead of the cookie.
    assert!(here.upgrade(&format!("Authorization: Bearer {token}\r\n")).await.contains(" 101 "));
    let unknown = format!("Authorization: Bearer {}\r\nCookie: {cookie}\r\n", "0".repeat(64));
    assert!(here.upgrade(&unknown).await.contains(" 401 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workspaces_on_one_host_do_not_sign_each_other_out() {
    let folders = [tempdir().unwrap(), tempdir().unwrap()];
    let servers = folders.each_ref().map(|folder| TestServer::start(folder.path()));
    let (one, room) = servers[0].set_up().await;
    let (other, other_room) = servers[1].set_up().await;
    // A browser keeps one jar for both ports.
    let name = |cookie: &str| cookie.split('=').next().unwrap().to_owned();
    assert_ne!(name(&one), name(&other), "one would take the place of the other");
    let jar = format!("{one}; {other}");
    assert_eq!(servers[0].page(&format!("/r/{room}"), &jar).await.0, 200);
    assert_eq!(servers[1].page(&format!("/r/{other_room}"), &jar).await.0, 200);
    assert_eq!(servers[1].form("/sign-out", &jar, &[]).await.1, format!("{}=", name(&other)));
    assert_eq!(servers[0].page(&format!("/r/{room}"), &jar).await.0, 200);
    TestClient::connect(&servers[0], &jar).await;
}

/// What a browser keeps of the cookies of one host, by name.
#[derive(Default)]
struct Jar(BTreeMap<String, String>);

impl Jar {
    fn line(&self) -> String {
        let pairs = self.0.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    async fn ask(&mut self, base: &str, path: &str, fields: Option<&[(&str, &str)]>) -> Answer {
        let line = self.line();
        let answer = ask(base, path, &[("origin", base), ("cookie", &line)], fields).await;
        for cookie in &answer.cookies {
            let (name, value) = cookie.split_once('=').unwrap();
            match value {
                "" => self.0.remove(name),
                value => self.0.insert(name.to_owned(), value.to_owned()),
            };
        }
        answer
    }

    /// The end of the names of the workspaces that have a login in it.
    fn logins(&self) -> Vec<&str> {
        self.0.keys().filter_map(|name| name.strip_prefix("beck_login")).collect()
    }
}

/// Where pages of a workspace lead: nowhere else, or to its sign-in.
async fn is_signed_in(jar: &mut Jar, base: &str) -> bool {
    let kept = jar.0.clone();
    let page = jar.ask(base, "/account", None).await;
    assert_eq!(jar.0, kept, "a page sets no cookie that is there");
    match page.outcome() {
        (200, _) => true,
        (303, "/sign-in?next=/account") => false,
        other => panic!("{other:?}"),
    }
}

const OLIVE: [(&str, &str); 2] = [("handle", "olive"), ("password", PASSWORD)];

#[tokio::test(flavor = "multi_thread")]
async fn two_workspaces_on_one_host_share_the_old_name_of_the_login_and_no_login() {
    let here = [Inside::start().await, Inside::start().await];
    let [one, other] = here.each_ref().map(|here| here.base.as_str());
    let ends = here.each_ref().map(|here| format!("_{}", &here.node.epoch().unwrap().as_str()[..8]));
    let mut both = ["", &ends[0], &ends[1]];
    both.sort();
    let mut jar = Jar::default();
    for base in [one, other] {
        assert_eq!(jar.ask(base, "/sign-in", Some(&OLIVE)).await.outcome(), (303, "/"));
    }
    assert_eq!(jar.logins(), both);
    assert!(is_signed_in(&mut jar, one).await && is_signed_in(&mut jar, other).await);
    // The old name has the login of the other one, who keeps it.
    assert_eq!(jar.ask(one, "/sign-out", Some(&[])).await.status, 303);
    assert_eq!(jar.logins(), ["", ends[1].as_str()]);
    assert!(!is_signed_in(&mut jar, one).await && is_signed_in(&mut jar, other).await);
    // Each sign-in takes the old name, and whoever has it takes it away.
    assert_eq!(jar.ask(one, "/sign-in", Some(&OLIVE)).await.status, 303);
    assert_eq!(jar.logins(), both);
    assert_eq!(jar.ask(other, "/sign-out", Some(&[])).await.status, 303);
    assert_eq!(jar.logins(), ["", ends[0].as_str()]);
    assert!(is_signed_in(&mut jar, one).await && !is_signed_in(&mut jar, other).await);
    assert_eq!(jar.ask(one, "/sign-out-everywhere", Some(&[])).await.status, 303);
    assert!(jar.logins().is_empty());
}

/// What the desktop app of 0.1.0 takes for the token, from the lines `Set-Cookie` of an answer.
fn token_for_0_1_0(cookies: &[String]) -> Option<&str> {
    cookies.iter().find_map(|cookie| cookie.split_once("beck_login=")?.1.split(';').next())
}

type Fields<'a> = &'a [(&'a str, &'a str)];

#[tokio::test(flavor = "multi_thread")]
async fn servers_and_apps_of_0_1_0_find_a_login_under_the_name_that_they_know() {
    for (public, name) in [("", "beck_login"), ("https://chat.example.org", "__Host-beck_login")] {
        let here = Inside::start_at(public).await;
        let (join, enter) =
            (here.node.join_token().await.unwrap(), here.node.enter_token(here.owner).await.unwrap());
        let base = here.base.as_str();
        let origin = if public.is_empty() { base } else { public };
        let json = ("accept", "application/json");
        let (join, enter) = (format!("/join/{join}"), format!("/enter/{enter}"));
        let ways: [(&str, Fields, u16); 4] = [
            ("/sign-in", &OLIVE, 204),
            ("/sign-in", &OLIVE, 303),
            (&join, &person("zoe"), 303),
            (&enter, &[], 303),
        ];
        for (path, fields, status) in ways {
            let headers = [("origin", origin), json];
            let headers = if status == 204 { &headers[..] } else { &headers[..1] };
            let answer = ask(base, path, headers, Some(fields)).await;
            assert_eq!(answer.status, status, "{path} {}", answer.text);
            let token = token_for_0_1_0(&answer.cookies).unwrap();
            let bearer = format!("Bearer {token}");
            let known = ask(base, "/api/v1/login", &[("authorization", &bearer)], None).await;
            assert_eq!(known.status, 204, "{path}");
            // Servers of 0.1.0 read this name, and releases from now on the one of the workspace.
            let names: Vec<_> = answer.cookies.iter().filter(|cookie| cookie.ends_with(token)).collect();
            let names: Vec<_> = names.iter().map(|cookie| cookie.split('=').next().unwrap()).collect();
            assert_eq!(names.len(), 2, "{names:?}");
            assert!(names[0].starts_with(&format!("{name}_")) && names[1] == name, "{names:?}");
            // What is there is not sent again, and signing out ends both.
            let jar = names.iter().map(|name| format!("{name}={token}")).collect::<Vec<_>>().join("; ");
            let headers = [("origin", origin), ("cookie", jar.as_str())];
            let page = ask(base, "/account", &headers, None).await;
            assert_eq!((page.status, page.cookies.len()), (200, 0), "{path}");
            let out = ask(base, "/sign-out", &headers, Some(&[])).await;
            assert_eq!(out.cookies, names.iter().map(|name| format!("{name}=")).collect::<Vec<_>>());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_with_the_name_of_earlier_releases_is_good_and_gets_its_new_name() {
    let here = Inside::start().await;
    let token = here.node.sign_in(here.owner).await.unwrap();
    let old = format!("beck_login={token}");
    let page = here.get("/rooms", &[("cookie", &old)]).await;
    assert_eq!(page.status, 200);
    let workspace = here.node.epoch().unwrap();
    let new = format!("beck_login_{}={token}", &workspace.as_str()[..8]);
    assert_eq!(page.cookies, std::slice::from_ref(&new));
    let both = format!("{old}; {new}");
    for jar in [&new, &both] {
        let page = here.get("/rooms", &[("cookie", jar)]).await;
        assert_eq!((page.status, page.cookies.len()), (200, 0), "once is enough");
    }
    // What another workspace has put under the old name stays there.
    let foreign = format!("beck_login={}; {new}", "0".repeat(64));
    assert_eq!(here.get("/rooms", &[("cookie", &foreign)]).await.status, 200);
    let origin = ("origin", here.base.as_str());
    let out = here.post("/sign-out", &[origin, ("cookie", &foreign)], &[]).await;
    let new_name = new.split('=').next().unwrap();
    assert_eq!(out.cookies, [format!("{new_name}=")]);
    let out = here.post("/sign-out", &[origin, ("cookie", &both)], &[]).await;
    assert_eq!(out.cookies, [format!("{new_name}="), "beck_login=".to_owned()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn use_prolongs_a_login_at_most_once_a_day() {
    let here = Inside::start().await;
    let workspace = here.node.epoch().unwrap();
    let name = format!("beck_login_{}", &workspace.as_str()[..8]);
    let now = beck::server::now_ms();
    let soon = now + 60 * 60 * 1000;

    let by_cookie = "c".repeat(64);
    here.old_login(&by_cookie, soon).await;
    let cookie = format!("{name}={by_cookie}");
    let page = here.get("/rooms", &[("cookie", &cookie)]).await;
    assert_eq!(
        (page.status, &page.cookies),
        (200, &vec![cookie.clone()]),
        "the browser keeps it for longer too"
    );
    let ends = here.ends(&by_cookie);
    assert!(ends >= now + 90 * DAY_MS, "it ends in {} days", (ends - now) / DAY_MS);
    for path in ["/rooms", "/account"] {
        let page = here.get(path, &[("cookie", &cookie)]).await;
        assert_eq!((page.status, page.cookies.len(), here.ends(&by_cookie)), (200, 0, ends));
    }

    // A bearer has no cookie; a socket or any request is a use.
    let by_bearer = "b".repeat(64);
    here.old_login(&by_bearer, soon).await;
    let bearer = format!("Bearer {by_bearer}");
    let asked = here.get("/api/v1/login", &[("authorization", &bearer)]).await;
    assert_eq!((asked.status, asked.cookies.len()), (204, 0));
    let ends = here.ends(&by_bearer);
    assert!(ends >= now + 90 * DAY_MS, "it ends in {} days", (ends - now) / DAY_MS);
    assert!(here.upgrade(&format!("Authorization: {bearer}\r\n")).await.contains(" 101 "));
    assert_eq!(here.ends(&by_bearer), ends);

    // One that a socket has prolonged gets its cookie with the next page all the same.
    let by_socket = "d".repeat(64);
    here.old_login(&by_socket, soon).await;
    let cookie = format!("{name}={by_socket}");
    let lines = format!("Origin: {}\r\nCookie: {cookie}\r\n", here.base);
    assert!(here.upgrade(&lines).await.contains(" 101 "));
    assert!(here.ends(&by_socket) >= now + 90 * DAY_MS);
    assert_eq!(here.get("/rooms", &[("cookie", &cookie)]).await.cookies, std::slice::from_ref(&cookie));

    // A login that was signed out is not brought back by a use at the same moment.
    let ended = "e".repeat(64);
    here.old_login(&ended, soon).await;
    let cookie = format!("{name}={ended}");
    let headers = [("cookie", cookie.as_str())];
    let uses = futures::future::join_all((0..8).map(|_| here.get("/rooms", &headers)));
    let (_, out) = tokio::join!(uses, here.node.sign_out(&ended));
    out.unwrap();
    assert_eq!(here.node.account_of(&ended).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_leads_back_to_the_page_that_was_asked_for() {
    let here = Inside::start().await;
    let (room, origin) = (here.room, ("origin", here.base.as_str()));
    let ended = format!("beck_login={}", "0".repeat(64));
    let join = format!("/join/{}", here.node.join_token().await.unwrap());
    let mut tried = 0;
    for path in [
        format!("/r/{room}/12"),
        format!("/r/{room}/thread/3/4"),
        "/unread/before/7".into(),
        "/account".into(),
    ] {
        for cookie in ["", &ended] {
            let asked = here.get(&path, &[("cookie", cookie)]).await;
            assert_eq!(asked.outcome(), (303, format!("/sign-in?next={path}").as_str()));
        }
        let page = here.get(&format!("/sign-in?next={path}"), &[]).await;
        let field = format!("value=\"{path}\"");
        assert!(page.status == 200 && page.text.contains(&field), "{}", page.text);
        let fields = |password| [("handle", "olive"), ("password", password), ("next", path.as_str())];
        let wrong = here.post("/sign-in", &[origin], &fields("not my password")).await;
        assert!(wrong.status == 422 && wrong.text.contains(&field), "{}", wrong.text);
        let done = here.post("/sign-in", &[origin], &fields(PASSWORD)).await;
        assert_eq!(done.outcome(), (303, path.as_str()));
        // Whoever is signed in already goes on at once.
        let cookie = done.cookie("beck_login");
        let asked = here.get(&format!("/sign-in?next={path}"), &[("cookie", cookie)]).await;
        assert_eq!(asked.outcome(), (303, path.as_str()));

        let page = here.get(&format!("{join}?next={path}"), &[]).await;
        assert!(page.status == 200 && page.text.contains(&field), "{}", page.text);
        let handle = format!("person{tried}");
        let fields = [("name", "Zoe"), ("handle", &handle), ("password", PASSWORD), ("next", path.as_str())];
        assert_eq!(here.post(&join, &[origin], &fields).await.outcome(), (303, path.as_str()));
        tried += 1;
    }
    // A form whose login has ended: back to the page that it was on.
    let referer = format!("{}/r/{room}", here.base);
    for (referer, to) in [
        (referer.as_str(), format!("/sign-in?next=/r/{room}")),
        ("http://evil.example/rooms", "/sign-in".into()),
    ] {
        let headers = [origin, ("cookie", ended.as_str()), ("referer", referer)];
        assert_eq!(here.post(&format!("/r/{room}/leave"), &headers, &[]).await.outcome(), (303, to.as_str()));
    }
    assert_eq!(tried, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_link_leads_out_of_the_workspace_by_way_of_the_sign_in() {
    let here = Inside::start().await;
    let origin = ("origin", here.base.as_str());
    let token = here.node.sign_in(here.owner).await.unwrap();
    let cookie = format!("beck_login={token}");
    let long = format!("/r/{}", "x".repeat(5_000));
    let hostile = [
        "//evil.example",
        "///evil.example/r/x",
        "/\\evil.example",
        "\\\\evil.example",
        "/r/\\evil.example",
        "https://evil.example",
        "https:/evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "evil.example",
        "/r//evil.example",
        "/r//evil",
        "/r/..//evil.example",
        "/r/../../evil",
        "/\t/evil.example",
        "/r/\r\nset-cookie:x=y",
        "/r/\0",
        "/r/ü",
        "/r/%2f%2fevil.example",
        "/r/x?next=//evil.example",
        "/r/x#//evil.example",
        "/r/@evil.example",
        "/r/x:y",
        "/sign-in",
        "/setup",
        "/enter/x",
        "/join/x",
        "/api/v1/boot",
        "/ws",
        "/sign-out",
        " /rooms",
        "/rooms ",
        "",
        long.as_str(),
    ];
    for next in hostile {
        let fields = [("handle", "olive"), ("password", PASSWORD), ("next", next)];
        let done = here.post("/sign-in", &[origin], &fields).await;
        assert_eq!(done.outcome(), (303, "/"), "{next:?}");
        let encoded: String = next.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let as_it_is = next.chars().all(|c| c.is_ascii_graphic() && c != '#' && c != '\\');
        for query in [Some(encoded), as_it_is.then(|| next.to_owned())]
            .into_iter()
            .flatten()
            .filter(|q| q.len() < 4_000)
        {
            let page = here.get(&format!("/sign-in?next={query}"), &[]).await;
            assert_eq!(page.status, 200, "{query}");
            assert!(!page.text.contains("name=\"next\""), "{query}: {}", page.text);
            let asked = here.get(&format!("/sign-in?next={query}"), &[("cookie", &cookie)]).await;
            assert_eq!(asked.outcome(), (303, format!("/r/{}", here.room).as_str()), "{query}");
        }
    }
}
