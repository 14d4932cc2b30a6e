//! What strangers who sign in with wrong passwords make of the server's memory.

use crate::support::resident;
use crate::support::server::TestServer;
use std::time::{Duration, Instant};
use tempfile::tempdir;

const MB: u64 = 1024 * 1024;
const TRIES: usize = 200;
/// As far as memory may need to settle; what counts is the end.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_wrong_passwords_take_the_memory_of_two_and_give_it_back() {
    let folder = tempdir().unwrap();
    let (server, _) = TestServer::start_set(folder.path(), &[("TRUSTED_PROXIES", "127.0.0.1")]);
    server.set_up().await;
    let idle = settled(&server, u64::MAX).await;
    if idle == 0 {
        println!("this system does not tell the memory of a process");
        return;
    }
    let client = reqwest::Client::new();
    // From as many addresses, so that no throttle stands before the hash.
    let tries = futures::future::join_all((0..TRIES).map(|n| {
        let (handle, from) = (format!("nobody{n}"), format!("203.0.113.{n}"));
        let request = client.post(format!("{}/sign-in", server.base)).header("origin", &server.base);
        let request = request.header("accept", "application/json").header("x-forwarded-for", from);
        let request = request.form(&[("handle", handle.as_str()), ("password", "a guess of many")]);
        async move { request.send().await.unwrap().status().as_u16() }
    }));
    let mut peak = 0;
    let watched = async {
        loop {
            peak = peak.max(resident(server.pid()));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let statuses = tokio::select! {
        statuses = tries => statuses,
        () = watched => Vec::new(),
    };
    let hashed = statuses.iter().filter(|status| **status == 401).count();
    assert!(hashed >= 130, "{hashed} of {TRIES} were hashed: {statuses:?}");
    let after = settled(&server, idle + 12 * MB).await;
    println!("idle {} MB, peak {} MB, settled {} MB", idle / MB, peak / MB, after / MB);
    assert!(peak >= idle + 15 * MB, "a hash takes 19 MiB: they were not seen");
    assert!(peak <= idle + 60 * MB, "{} MB more at the peak", (peak - idle) / MB);
    assert!(after <= idle + 12 * MB, "{} MB more for good", (after - idle) / MB);
}

/// The memory of the server once it is below the limit, or has had its time.
async fn settled(server: &TestServer, limit: u64) -> u64 {
    let until = Instant::now() + SETTLED_WITHIN;
    loop {
        let now = resident(server.pid());
        if now <= limit || Instant::now() > until {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
