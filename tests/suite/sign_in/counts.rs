//! Which tries count, and which do not.

use super::{Behind, Inside, PASSWORD, person};
use beck::server::auth::{Auth, SignInTry};
use beck::server::broker::SecretOp;
use std::net::IpAddr;

fn address(n: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, n])
}

#[test]
fn sign_ins_that_were_no_guess_use_no_try_up_and_give_none_beyond_the_burst() {
    let auth = Auth::default();
    for known_browser in [None, Some("this one")] {
        let attempt = SignInTry { address: address(1), handle: "olive", known_browser };
        for n in 0..100 {
            let admission = auth.try_sign_in(attempt, 0).unwrap();
            assert!(!admission.is_delayed(), "{known_browser:?} {n}");
            auth.give_back_sign_in(attempt, &admission, 0);
        }
        let guesses = (0..100).filter(|_| auth.try_sign_in(attempt, 0).is_ok()).count();
        assert_eq!(guesses, 10, "{known_browser:?}");
    }
}

#[test]
fn accounts_that_are_made_from_one_address_have_an_end() {
    let auth = Auth::default();
    let made = |n: u8| (0..500).filter(|_| auth.try_join(address(n), 0).is_ok()).count();
    assert_eq!((made(1), made(1), made(2)), (150, 0, 150));
    auth.give_back_join(address(1), 0);
    assert_eq!(made(1), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn right_passwords_and_forms_to_join_that_made_no_account_count_nowhere() {
    let here = Behind::start().await;
    for n in 0..15 {
        let done = here.sign_in("203.0.113.1", "olive", PASSWORD, "").await;
        assert_eq!(done.outcome(), (303, "/"), "sign-in {n}");
    }
    let path = format!("/join/{}", here.server.join_token(&here.owner, &here.room).await);
    let client = reqwest::Client::new();
    for n in 0..220 {
        let request = client.post(format!("{}{path}", here.server.base)).header("origin", &here.server.base);
        let request = request.header("x-forwarded-for", "203.0.113.1");
        let unfit = request.form(&[("name", "zoe"), ("handle", "zoe"), ("password", "short")]);
        assert_eq!(unfit.send().await.unwrap().status(), 422, "form {n}");
    }
    assert_eq!(here.post("203.0.113.1", &path, "", &person("zoe")).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_could_not_be_checked_counts_nowhere() {
    let here = Inside::start().await;
    here.log.secret(format!("password:{}", here.owner), SecretOp::Delete).await.unwrap();
    for n in 0..15 {
        let fields = [("handle", "olive"), ("password", PASSWORD)];
        let answer = here.post("/sign-in", &[("origin", &here.base)], &fields).await;
        assert_eq!(answer.status, 503, "{n}: {}", answer.text);
    }
}
