//! Strangers whose passwords wait to be hashed keep nobody out who was signed in with the browser before.

use super::{Inside, PASSWORD};
use crate::support::awaited::awaited;
use beck::server::hashing::Whose;
use beck::server::throttle::Site;
use std::net::Ipv6Addr;
use std::time::Duration;
use tokio::task::JoinSet;

/// Each of another site.
fn stranger(n: u16) -> Whose {
    Whose::Stranger(Site::of(Ipv6Addr::new(0x2001, 0xdb8, n, 0, 0, 0, 0, 1).into()))
}

#[test]
fn a_known_browser_has_a_place_where_strangers_have_none_whether_its_password_is_right_or_wrong() {
    // One thread hashes, and the test keeps it.
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.max_blocking_threads(1).enable_all().build().unwrap().block_on(async {
        let here = Inside::start().await;
        let sign_in = async |password: &str, cookie: &str| {
            let headers = [("origin", here.base.as_str()), ("cookie", cookie)];
            here.post("/sign-in", &headers, &[("handle", "olive"), ("password", password)]).await
        };
        let first = sign_in(PASSWORD, "").await;
        assert_eq!(first.outcome(), (303, "/"));
        let known = first.cookie("beck_known");

        let (release, held) = std::sync::mpsc::channel::<()>();
        let keeps = tokio::task::spawn_blocking(move || held.recv().is_err());
        let mut strangers = JoinSet::new();
        let filled = async {
            for n in 0.. {
                let node = here.node.clone();
                strangers.spawn(async move {
                    node.check_password(stranger(n), "nobody", "a guess of many").await
                });
                tokio::time::sleep(Duration::from_millis(1)).await;
                if let Some(done) = strangers.try_join_next() {
                    return done.unwrap().unwrap_err();
                }
            }
            unreachable!()
        };
        let why = awaited("no more strangers may wait", filled).await.to_string();
        assert!(why.contains("too many passwords"), "{why}");

        let both = async { futures::join!(sign_in(PASSWORD, known), sign_in("a guess of many", known)) };
        let mut both = std::pin::pin!(both);
        let mut refused = 0;
        while refused < 20 {
            tokio::select! {
                (right, wrong) = &mut both => {
                    panic!("answered with {} and {} before any hash was made", right.status, wrong.status)
                }
                stranger = sign_in(PASSWORD, "") => {
                    assert_eq!(stranger.status, 503, "{}", stranger.text);
                    assert!(stranger.text.contains("too many passwords"), "{}", stranger.text);
                    refused += 1;
                }
            }
        }
        drop(strangers);
        drop(release);
        let (right, wrong) = awaited("both are answered", both).await;
        assert_eq!(right.outcome(), (303, "/"), "{}", right.text);
        assert_eq!(wrong.status, 422, "{}", wrong.text);
        assert!(keeps.await.unwrap());
    });
}
