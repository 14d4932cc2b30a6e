//! A form that fails for now says so by its status: whoever sends it may send it again as it is.

use crate::support::awaited::awaited;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::TestServer;
use beck::protocol::ClientId;
use std::time::Duration;
use tempfile::tempdir;

/// Where it goes, whose cookie goes with it, its fields.
type Form<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_away_forms_are_503_and_the_same_forms_are_done_once_it_is_back() {
    let mut store = RedisServer::start(Store::Redis);
    let folder = tempdir().unwrap();
    let (server, _) = TestServer::start_set(folder.path(), &[("REDIS_URL", &store.url())]);
    let (owner, room) = server.set_up().await;
    let join = format!("/join/{}", server.join_token(&owner, &room).await);
    let room_path = format!("/r/{room}");
    let (post, want) = (format!("/r/{room}/post"), format!("/r/{room}/want"));
    let (id, late) = (ClientId::random().to_string(), ClientId::random().to_string());
    let password = ("password", "a long password");
    let forms: [Form; 8] = [
        ("/sign-in", "", &[("handle", "olive"), password]),
        (&join, "", &[("name", "Nils"), ("handle", "nils"), password]),
        ("/rooms", &owner, &[("name", "Kitchen"), ("topic", "")]),
        (&post, &owner, &[("client_id", &id), ("text", "said")]),
        (&want, &owner, &[("level", "all")]),
        ("/account/status", &owner, &[("text", "Away")]),
        ("/account/quiet", &owner, &[("on", "1"), ("from", "22:00"), ("to", "07:00")]),
        ("/account/password", &owner, &[("current", "a long password"), ("new", "another password")]),
    ];
    let unfit: [Form; 3] = [
        // No longer her password.
        ("/sign-in", "", &[("handle", "olive"), password]),
        ("/rooms", &owner, &[("name", ""), ("topic", "")]),
        (&post, &owner, &[("client_id", &late), ("text", " ")]),
    ];
    store.kill();
    for (path, cookie, fields) in forms {
        assert_eq!(server.form(path, cookie, fields).await.0, 503, "{path} {fields:?}");
    }
    // Nobody is taken for signed out, and the way in is open.
    for (path, cookie, status) in
        [(room_path.as_str(), owner.as_str(), 503), ("/api/v1/boot", &owner, 503), ("/sign-in", "", 200)]
    {
        let (answered, to, text) = server.page(path, cookie).await;
        assert_eq!((answered, to.as_str()), (status, ""), "{path} {text}");
    }
    store.restart();
    let ready = async {
        while server.page("/readyz", "").await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    awaited("the server is ready", ready).await;
    for (path, cookie, fields) in forms {
        assert_eq!(server.form(path, cookie, fields).await.0, 303, "{path} {fields:?}");
    }
    for (path, cookie, fields) in unfit {
        assert_eq!(server.form(path, cookie, fields).await.0, 422, "{path} {fields:?}");
    }
}
