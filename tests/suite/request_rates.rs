//! How many forms and completions one account may send, and how many requests one address.

use crate::support::furnish;
use crate::support::server::TestServer;
use beck::protocol::AccountId;
use beck::server::request_rates::RequestRates;
use tempfile::tempdir;

/// Sends it, again where the connection was lost: on a busy machine one of a thousand waits so long for its first byte that
/// the server closes it.
async fn status(request: reqwest::RequestBuilder) -> u16 {
    for _ in 0..5 {
        if let Ok(answer) = request.try_clone().unwrap().send().await {
            return answer.status().as_u16();
        }
    }
    panic!("never answered: {request:?}")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_sends_too_many_forms_or_completions_is_refused_and_others_are_not() {
    let folder = tempdir().unwrap();
    let place = furnish(folder.path(), 2).await;
    let server = TestServer::start(folder.path());
    let [(_, one), (_, other)] = place.people.as_slice() else { panic!() };
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let form = async |cookie: &str| {
        let request = client.post(format!("{}/r/bbbbbbbbbb/leave", server.base)).header("cookie", cookie);
        status(request.header("origin", &server.base)).await
    };
    let names = async |cookie: &str| {
        status(client.get(format!("{}/api/v1/names?at=p", server.base)).header("cookie", cookie)).await
    };
    for _ in 0..25 {
        assert_eq!((form(one).await, names(one).await), (404, 200), "what a person does is not too much");
    }
    let forms = futures::future::join_all((0..900).map(|_| form(one))).await;
    assert!(forms.contains(&429), "{forms:?}");
    let asked = futures::future::join_all((0..300).map(|_| names(one))).await;
    assert!(asked.contains(&429), "{asked:?}");
    assert_eq!((form(other).await, names(other).await), (404, 200));
    // In words, for people and for scripts.
    let mut refused = None;
    for _ in 0..50 {
        let asked = (0..400).map(|_| {
            let request = client.post(format!("{}/r/bbbbbbbbbb/leave", server.base)).header("cookie", one);
            request.header("origin", &server.base).header("accept", "application/json").send()
        });
        let mut answers = futures::future::join_all(asked).await.into_iter().filter_map(Result::ok);
        refused = answers.find(|answer| answer.status() == 429);
        if refused.is_some() {
            break;
        }
    }
    let refused = refused.expect("an account has no bound");
    assert!(refused.text().await.unwrap().contains("\"message\":\"Too many requests. "));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_sends_too_much_is_refused_unless_it_may_be_a_proxys() {
    let folder = tempdir().unwrap();
    let settings = [("TRUSTED_PROXIES", "127.0.0.0/8,10.0.0.0/8")];
    let (server, _) = TestServer::start_set(folder.path(), &settings);
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let post = async |from: &str| {
        let request = client.post(format!("{}/sign-out", server.base)).header("origin", &server.base);
        let request = if from.is_empty() { request } else { request.header("x-forwarded-for", from) };
        status(request).await
    };
    let many = futures::future::join_all((0..900).map(|_| post("203.0.113.9"))).await;
    assert!(many.contains(&429) && many.contains(&303), "{many:?}");
    assert_eq!(post("203.0.113.10").await, 303);
    let proxy = futures::future::join_all((0..900).map(|_| post(""))).await;
    assert!(!proxy.contains(&429), "one that does not say whose request it passes on");
    let outer = futures::future::join_all((0..900).map(|_| post("10.0.0.1"))).await;
    assert!(!outer.contains(&429), "one before the first");
    let look = async || {
        let request =
            client.get(format!("{}/healthz", server.base)).header("x-forwarded-for", "203.0.113.11");
        status(request).await
    };
    let looks = futures::future::join_all((0..900).map(|_| look())).await;
    assert!(!looks.contains(&429), "what changes nothing");
    // Without a proxy that is trusted, this machine's own address may be that of one.
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let post = async || {
        let request = client.post(format!("{}/sign-out", server.base)).header("origin", &server.base);
        request.send().await.unwrap().status().as_u16()
    };
    let near = futures::future::join_all((0..900).map(|_| post())).await;
    assert!(!near.contains(&429), "this machine");
}

#[test]
fn rates_are_by_account_and_by_network_and_come_back_with_time() {
    let rates = RequestRates::default();
    let (one, other) = (AccountId::random(), AccountId::random());
    let burst = |take: &dyn Fn(u64) -> bool, now: u64| (0..10_000).take_while(|_| take(now)).count();
    assert_eq!(burst(&|now| rates.form(one, now), 0), 300);
    assert_eq!(burst(&|now| rates.form(other, now), 0), 300);
    assert_eq!(burst(&|now| rates.form(one, now), 5_000), 150, "thirty a second");
    assert_eq!(burst(&|now| rates.names(one, now), 0), 30);
    assert_eq!(burst(&|now| rates.names(one, now), 1_000), 10, "ten a second");
    let by = |address: &str| {
        let address = address.parse().unwrap();
        burst(&|now| rates.address(address, now), 0)
    };
    assert_eq!((by("203.0.113.9"), by("203.0.113.9"), by("::ffff:203.0.113.9")), (300, 0, 0));
    assert_eq!((by("2001:db8::1"), by("2001:db8::2"), by("2001:db8:0:1::1")), (300, 0, 300), "a /64 is one");
}
