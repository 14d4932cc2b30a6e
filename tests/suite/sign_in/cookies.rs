//! Names of cookies where browsers keep one jar for several workspaces, or the workspace is not read yet.

use super::{Behind, PASSWORD};
use crate::support::config;
use axum::http::{HeaderMap, header};
use beck::server::auth;
use beck::server::broker::embedded::Embedded;
use beck::server::node::Node;
use std::sync::Arc;
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_known_to_two_workspaces_of_one_host() {
    let (one, other) = (Behind::start().await, Behind::start().await);
    let mut jar = Vec::new();
    for here in [&one, &other] {
        let known = here.sign_in("203.0.113.2", "olive", PASSWORD, "").await.cookie("beck_known").to_owned();
        // A cookie of the same name takes the place of the one before it.
        let name = known.split('=').next().unwrap().to_owned() + "=";
        jar.retain(|cookie: &String| !cookie.starts_with(&name));
        jar.push(known);
    }
    let jar = jar.join("; ");
    for here in [&one, &other] {
        here.too_many(async |_| here.sign_in("203.0.113.1", "olive", "a guess of many", "").await).await;
        assert_eq!(here.sign_in("203.0.113.1", "olive", PASSWORD, &jar).await.outcome(), (303, "/"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_not_read_of_its_workspace_finds_the_cookie_of_a_login() {
    let folder = tempdir().unwrap();
    let log = Arc::new(Embedded::open(folder.path()).unwrap());
    let node = Node::start(config(folder.path()), log).await.unwrap();
    assert!(node.epoch().is_none());
    let token = "a".repeat(64);
    for (name, found) in [
        ("beck_login_0123abcd", true),
        ("beck_login", true),
        ("beck_loginx", false),
        ("beck_known_0123abcd", false),
    ] {
        let cookie = format!("{name}={token}").parse().unwrap();
        let headers = HeaderMap::from_iter([(header::COOKIE, cookie)]);
        assert_eq!(auth::token(&headers, &node), found.then_some(token.as_str()), "{name}");
    }
}
