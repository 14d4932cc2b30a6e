//! Behind a proxy: whose address counts.

use crate::support::logged::LoggedServer;
use crate::support::server::TestServer;
use axum::http::HeaderMap;
use beck::server::proxies::{Network, client};
use tempfile::tempdir;

/// The status of a try to sign in to one account.
async fn attempt(server: &TestServer, forwarded: &str) -> u16 {
    let fields = [("handle", "nobody"), ("password", "a long password")];
    let headers = [("accept", "application/json"), ("x-forwarded-for", forwarded)];
    server.post("/sign-in", "", &fields, &headers).await.status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_to_sign_in_are_counted_by_the_address_that_a_trusted_proxy_names() {
    for (trusted, other) in [("127.0.0.0/8, ::1", 401), ("", 429), ("10.0.0.0/8", 429)] {
        let folder = tempdir().unwrap();
        let (server, _) = TestServer::start_set(folder.path(), &[("TRUSTED_PROXIES", trusted)]);
        server.set_up().await;
        let mut n = 0;
        // What somebody writes into the header stands before what the proxy adds.
        while attempt(&server, &format!("203.0.113.{n}, 198.51.100.7")).await == 401 {
            n += 1;
            assert!(n < 60, "tries of one address have an end");
        }
        assert!(n >= 10, "{n}");
        // One more may be let in while this test is slow, and not three.
        for (address, expected) in [("198.51.100.8", other), ("198.51.100.7", 429)] {
            let mut found = 0;
            for _ in 0..3 {
                found = attempt(&server, address).await;
                if found == expected {
                    break;
                }
            }
            assert_eq!(found, expected, "{trusted} {address}");
        }
    }
}

#[test]
fn the_last_address_that_is_no_proxys_asks() {
    let trusted: Vec<Network> =
        ["10.0.0.0/8", "127.0.0.1", "fd00::/8"].map(|text| text.parse().unwrap()).to_vec();
    let cases = [
        ("127.0.0.1", vec![], "127.0.0.1"),
        ("127.0.0.1", vec!["203.0.113.9"], "203.0.113.9"),
        ("127.0.0.2", vec!["203.0.113.9"], "127.0.0.2"),
        ("::ffff:10.1.2.3", vec!["203.0.113.9"], "203.0.113.9"),
        ("10.1.2.3", vec!["1.1.1.1, 203.0.113.9, 10.9.9.9"], "203.0.113.9"),
        ("10.1.2.3", vec!["1.1.1.1", "203.0.113.9", "10.9.9.9"], "203.0.113.9"),
        ("fd00::1", vec!["2001:db8::5"], "2001:db8::5"),
        ("10.1.2.3", vec!["203.0.113.9:4711"], "203.0.113.9"),
        ("10.1.2.3", vec!["203.0.113.9, nonsense"], "10.1.2.3"),
        ("10.1.2.3", vec!["203.0.113.9, "], "10.1.2.3"),
    ];
    for (peer, lines, asks) in cases {
        let mut headers = HeaderMap::new();
        for line in &lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let found = client(&trusted, peer.parse().unwrap(), &headers);
        assert_eq!(found.to_string(), asks, "{peer} {lines:?}");
    }
    for bad in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "host", "10.0.0.0/-1"] {
        assert!(bad.parse::<Network>().is_err(), "{bad}");
    }
    assert!("0.0.0.0/0".parse::<Network>().is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_not_named_is_said_once_with_what_to_set() {
    let named = [("TRUSTED_PROXIES", "127.0.0.1")];
    for (header, settings, lines) in [
        ("x-forwarded-for", &[][..], 1),
        ("forwarded", &[], 1),
        ("x-forwarded-for", &named, 0),
        ("x-other", &[], 0),
    ] {
        let folder = tempdir().unwrap();
        let server = LoggedServer::start_with(folder.path(), "077", settings).unwrap();
        let client = reqwest::Client::new();
        for _ in 0..3 {
            let request = client.get(format!("{}/setup", server.base)).header(header, "for=203.0.113.9");
            assert_eq!(request.send().await.unwrap().status(), 200);
        }
        let log = server.stop();
        assert_eq!(
            log.matches("set TRUSTED_PROXIES=127.0.0.1,").count(),
            lines,
            "{header} {settings:?}: {log}"
        );
    }
}
