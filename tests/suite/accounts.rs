//! One's own account: a new password, signing out everywhere, asking whether a login is good, signing in by script.

use crate::support::server::{TestClient, TestServer};
use crate::support::set_up;
use beck::server::hashing::Whose;
use beck::server::passwords::Changed;
use futures::future::join_all;
use serde_json::{Value, json};
use tempfile::tempdir;

const OLD: &str = "a long password";
const NEW: &str = "another long password";

async fn sign_in(server: &TestServer, password: &str) -> (u16, String, String) {
    server.form("/sign-in", "", &[("handle", "olive"), ("password", password)]).await
}

/// What the probe says of a login; it never has a body and is never kept.
async fn probe(server: &TestServer, cookie: &str) -> u16 {
    let asked = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let asked = asked.get(format!("{}/api/v1/login", server.base)).header("cookie", cookie);
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let status = answer.status().as_u16();
    assert!(answer.bytes().await.unwrap().is_empty());
    status
}

async fn is_served(client: &mut TestClient) {
    client.send(json!({ "t": "people", "ids": [] })).await;
    client.until("people").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_all_logins_but_the_own() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let (own, general) = server.set_up().await;
    let guest = server.sign_up(&own, &general, "guest").await;
    let (_, other, _) = sign_in(&server, OLD).await;
    let mut own_socket = TestClient::connect(&server, &own).await;
    let mut other_socket = TestClient::connect(&server, &other).await;
    let mut guest_socket = TestClient::connect(&server, &guest).await;

    for (current, new) in [("not my password", NEW), (OLD, "short"), ("", ""), (OLD, "")] {
        let fields = [("current", current), ("new", new)];
        let refused = server.post("/account/password", &own, &fields, &[]).await;
        assert_eq!(refused.status(), 422, "{current:?} to {new:?}");
        assert!(!refused.text().await.unwrap().contains("not my password"));
    }
    assert_eq!(server.form("/account/password", "", &[("current", OLD), ("new", NEW)]).await.2, "/sign-in");
    is_served(&mut other_socket).await;

    let (status, done, location) =
        server.form("/account/password", &own, &[("current", OLD), ("new", NEW)]).await;
    assert_eq!((status, location.as_str()), (303, "/account"));
    let said = "Password changed. Your other devices were signed out.";
    let told = |cookie: &str| format!("{own}; {cookie}");
    for (path, cookie, says) in [
        ("/account", told(&done), true),
        ("/account", own.clone(), false),
        ("/account?done=password", own.clone(), false),
        ("/account", told("done=dishes"), false),
        ("/rooms", told(&done), false),
    ] {
        let (status, _, page) = server.page(path, &cookie).await;
        assert_eq!((status, page.contains(said)), (200, says), "{path} {cookie}");
    }
    assert_eq!(other_socket.close_code().await, Some(4001));
    is_served(&mut own_socket).await;
    is_served(&mut guest_socket).await;
    assert_eq!((probe(&server, &own).await, probe(&server, &other).await), (204, 401));
    assert_eq!(sign_in(&server, OLD).await.0, 422);
    let (status, again, _) = sign_in(&server, NEW).await;
    assert_eq!((status, probe(&server, &again).await), (303, 204));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_current_password_cannot_be_guessed_at_will() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let (own, room) = server.set_up().await;
    let guest = server.sign_up(&own, &room, "guest").await;
    let guess = [("current", "a guess of many"), ("new", NEW)];
    // All at once, since one more is allowed every ten seconds.
    let guesses = join_all((0..30).map(|_| server.form("/account/password", &own, &guess))).await;
    let let_in = guesses.iter().filter(|(status, ..)| *status == 422).count();
    let refused = guesses.iter().filter(|(status, ..)| *status == 429).count();
    assert!((10..20).contains(&let_in) && let_in + refused == 30, "{let_in} let in, {refused} refused");
    let fields = [("current", OLD), ("new", NEW)];
    assert_eq!(server.form("/account/password", &own, &fields).await.0, 429, "right, but too many before");
    assert_eq!(server.form("/account/password", &guest, &guess).await.0, 422, "others are counted apart");
    // The door is another matter: it counts by itself.
    assert_eq!(sign_in(&server, OLD).await.0, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_before_a_new_password_is_good_for_nothing_after_it() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let own = here.node.sign_in(here.owner).await.unwrap();
    let link = here.node.enter_token(here.owner).await.unwrap();
    assert_eq!(here.node.enters_as(&link).await.unwrap(), Some(here.owner));
    // Somebody with the old password stands in the door while it is changed.
    let checked = here.node.check_password(Whose::Known, "olive", OLD).await.unwrap().unwrap();
    let change = |current, new| here.node.change_password((here.owner, &own), current, new);
    let (first, second) = tokio::join!(change(OLD, NEW), change(OLD, "a third long password"));
    let mut both = [first.unwrap(), second.unwrap()];
    both.sort_by_key(|changed| *changed == Changed::Overtaken);
    assert_eq!(both, [Changed::Done, Changed::Overtaken], "one of two at once");
    let late = here.node.begin(checked).await.unwrap();
    assert_eq!(here.node.account_of(&late).await, None);
    assert_eq!(here.node.enter(&link).await.unwrap(), None);
    assert_eq!(here.node.enters_as(&link).await.unwrap(), None);
    let again = here.node.sign_in(here.owner).await.unwrap();
    assert_eq!(here.node.account_of(&again).await, Some(here.owner));
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_everywhere_ends_every_login_of_the_account_alone() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let (own, general) = server.set_up().await;
    let guest = server.sign_up(&own, &general, "guest").await;
    let (_, other, _) = sign_in(&server, OLD).await;
    let mut sockets = [TestClient::connect(&server, &own).await, TestClient::connect(&server, &other).await];
    let mut guest_socket = TestClient::connect(&server, &guest).await;
    let (status, cookie, location) = server.form("/sign-out-everywhere", &own, &[]).await;
    assert_eq!((status, location.as_str()), (303, "/sign-in"));
    assert!(cookie.starts_with("beck_login_") && cookie.ends_with('='), "{cookie}");
    for socket in &mut sockets {
        assert_eq!(socket.close_code().await, Some(4001));
    }
    is_served(&mut guest_socket).await;
    assert_eq!((probe(&server, &own).await, probe(&server, &other).await), (401, 401));
    assert_eq!(probe(&server, &guest).await, 204);
    assert_eq!(server.form("/sign-out-everywhere", &own, &[]).await.2, "/sign-in");
    let (status, again, _) = sign_in(&server, OLD).await;
    assert_eq!((status, probe(&server, &again).await), (303, 204));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_can_ask_whether_its_login_is_good() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    assert_eq!(probe(&server, "").await, 401, "before the first run");
    let (cookie, _) = server.set_up().await;
    assert_eq!(probe(&server, &cookie).await, 204);
    let unknown = format!("beck_login={}", "a".repeat(64));
    for cookie in ["", "beck_login=", "beck_login=x", &unknown, &format!("{cookie}x")] {
        assert_eq!(probe(&server, cookie).await, 401, "{cookie}");
    }
    server.form("/sign-out", &cookie, &[]).await;
    assert_eq!(probe(&server, &cookie).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_signs_in_and_gets_an_answer_that_it_can_read() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    server.set_up().await;
    let json = [("accept", "application/json")];
    let fields = [("handle", "Olive "), ("password", OLD)];
    let done = server.post("/sign-in", "", &fields, &json).await;
    assert_eq!(done.status(), 204);
    let cookie = done.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    assert_eq!(probe(&server, cookie.split(';').next().unwrap()).await, 204);
    assert!(done.bytes().await.unwrap().is_empty());

    let refused = async |handle: &str| {
        let fields = [("handle", handle), ("password", "not my password")];
        let answer = server.post("/sign-in", "", &fields, &json).await;
        assert!(answer.headers().get("set-cookie").is_none());
        assert_eq!(answer.headers()["content-type"], "application/json");
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        (status, body["message"].as_str().unwrap().to_owned())
    };
    let wrong = "That handle and password do not belong together.";
    assert_eq!(refused("olive").await, (401, wrong.to_owned()));
    assert_eq!(refused("").await, (401, wrong.to_owned()));
    let mut said = refused("nobody").await;
    // On a slow machine more than ten are let through, since each takes its time.
    for _ in 0..60 {
        if said.0 != 401 {
            break;
        }
        said = refused("nobody").await;
    }
    assert!(said.0 == 429 && said.1.starts_with("Too many tries. Try again in "), "{said:?}");

    let evil = [json[0], ("origin", "http://evil.example")];
    let forged = reqwest::Client::new().post(format!("{}/sign-in", server.base));
    let forged = evil.iter().fold(forged, |request, (name, value)| request.header(*name, *value));
    assert_eq!(forged.send().await.unwrap().status(), 403);
    // A browser's own form is answered as ever.
    let browser = [("accept", "text/html,application/xhtml+xml,application/json;q=0.9")];
    assert_eq!(server.post("/sign-in", "", &fields, &browser).await.status(), 303);
}
