//! Many people behind one address: a school, an office, or a proxy that is not named. Wrong tries of some slow the
//! others down and do not keep them out.

use crate::support::{TestNode, set_up};
use beck::server::auth::{Admission, SignInTry};
use beck::server::{router, serve};
use reqwest::redirect::Policy;
use std::net::{IpAddr, Ipv4Addr};
use tempfile::{TempDir, tempdir};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A server in this process, and who tries to sign in from this machine's address.
struct Shared {
    node: TestNode,
    base: String,
    _folder: TempDir,
}

struct Answer {
    status: u16,
    retry_after: Option<String>,
    /// By which the browser is known later.
    known: Option<String>,
    text: String,
}

impl Shared {
    async fn start() -> Shared {
        let folder = tempdir().unwrap();
        let node = set_up(folder.path()).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app = router::router(node.node.clone(), None);
        tokio::spawn(serve::serve(node.node.clone(), app, listener, std::future::pending()));
        Shared { node, base, _folder: folder }
    }

    /// A try that does not end: its password is never checked.
    fn attempt(&self, n: usize) -> Option<Admission> {
        let handle = format!("nobody{n}");
        let attempt = SignInTry { address: HERE, handle: &handle, known_browser: None };
        self.node.node.auth.try_sign_in(attempt, self.node.node.uptime_ms()).ok()
    }

    async fn sign_in(&self, password: &str, cookie: &str) -> Answer {
        let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        let request = client.post(format!("{}/sign-in", self.base)).header("origin", &self.base);
        let request = request.header("cookie", cookie).form(&[("handle", "olive"), ("password", password)]);
        let answer = request.send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let cookies = answer.headers().get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
        let known = cookies.filter_map(|cookie| cookie.split(';').next());
        let known = known.map(str::to_owned).find(|cookie| cookie.starts_with("beck_known"));
        let (status, retry_after) = (answer.status().as_u16(), header("retry-after"));
        Answer { status, retry_after, known, text: answer.text().await.unwrap() }
    }
}

const PASSWORD: &str = "a long password";

#[tokio::test(flavor = "multi_thread")]
async fn a_right_password_gets_in_behind_an_address_whose_tries_are_used_up() {
    let here = Shared::start().await;
    let _quick: Vec<_> = (0..50).map(|n| here.attempt(n).unwrap()).collect();
    // Without a known browser, and as often as it likes.
    for n in 0..3 {
        let answer = here.sign_in(PASSWORD, "").await;
        assert_eq!(answer.status, 303, "{n}: {}", answer.text);
    }
    assert_eq!(here.sign_in("not my password", "").await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_behind_one_address_are_few_and_a_known_browser_needs_no_place() {
    let here = Shared::start().await;
    let known = here.sign_in(PASSWORD, "").await.known.unwrap();
    // All that an address may do at once, and no more of it ends than the test says.
    let mut waiting: Vec<_> =
        (0..1_000).map_while(|n| here.attempt(n)).filter(Admission::is_delayed).collect();
    assert_eq!(waiting.len(), 8);
    // The address gets a token of its own each five seconds, so that a single try proves little.
    let mut refused = 0;
    for _ in 0..5 {
        let answer = here.sign_in(PASSWORD, "").await;
        if answer.status == 429 {
            assert_eq!(answer.retry_after.as_deref(), Some("2"));
            assert!(answer.text.contains("Too many tries. Try again in 2 seconds."), "{}", answer.text);
            assert!(
                answer.text.contains("value=\"olive\"") && !answer.text.contains(PASSWORD),
                "{}",
                answer.text
            );
            refused += 1;
        }
    }
    assert!(refused >= 3, "{refused} of 5");
    assert_eq!(here.sign_in(PASSWORD, &known).await.status, 303);
    waiting.pop();
    assert_eq!(here.sign_in(PASSWORD, "").await.status, 303, "a place is free");
}
