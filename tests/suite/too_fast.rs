//! A form of a browser without a script that comes too fast: its page is shown again, with what was typed.

use crate::support::furnish;
use crate::support::server::TestServer;
use beck::protocol::ClientId;
use futures::future::join_all;
use reqwest::Client;
use reqwest::redirect::Policy;
use tempfile::tempdir;

const TYPED: &str = "typed with care";
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9";
const SCRIPT: &str = "application/json";

/// Who sends a form, and from where: no address is that of a proxy which says nothing of it.
#[derive(Clone, Copy)]
struct Sender<'a> {
    server: &'a TestServer,
    cookie: &'a str,
    from: Option<&'a str>,
    accept: &'a str,
    referer: Option<&'a str>,
}

struct Refused {
    kind: String,
    text: String,
}

impl Sender<'_> {
    fn post(&self, client: &Client, path: &str, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let base = &self.server.base;
        let mut request = client.post(format!("{base}{path}")).header("origin", base).form(fields);
        request = request.header("cookie", self.cookie).header("accept", self.accept);
        if let Some(from) = self.from {
            request = request.header("x-forwarded-for", from);
        }
        if let Some(referer) = self.referer {
            request = request.header("referer", format!("{base}{referer}"));
        }
        request
    }

    /// Sends what uses up a rate, and then this form until it is refused for that.
    async fn refused(&self, flood: &Flood<'_>, path: &str, fields: &[(&str, &str)]) -> Refused {
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        for _ in 0..50 {
            join_all((0..400).map(|_| flood.sender.post(&client, flood.path, &[]).send())).await;
            for answer in join_all((0..10).map(|_| self.post(&client, path, fields).send())).await {
                let answer = answer.unwrap();
                let header = |name: &str| {
                    let value = answer.headers().get(name).map(|value| value.to_str().unwrap());
                    value.unwrap_or_default().to_owned()
                };
                let (status, retry_after, kind) =
                    (answer.status(), header("retry-after"), header("content-type"));
                let text = answer.text().await.unwrap();
                if status == 429 && text.contains("Too many requests. Wait a moment and try again.") {
                    assert_eq!(retry_after, flood.retry_after, "{path}");
                    return Refused { kind, text };
                }
            }
        }
        panic!("{path} has no rate");
    }
}

/// Requests that change nothing and use up the rate of an account or an address.
struct Flood<'a> {
    sender: Sender<'a>,
    path: &'a str,
    /// What those have to wait who are refused for it.
    retry_after: &'a str,
}

/// Whether a box to write in holds the text. The data of the page has it elsewhere too.
fn in_composer(page: &str) -> bool {
    let boxes = page.split("<textarea").skip(1).filter_map(|rest| rest.split("</textarea>").next());
    boxes.into_iter().any(|written| written.contains(TYPED))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_comes_too_fast_is_shown_again_with_what_was_typed() {
    let folder = tempdir().unwrap();
    let place = furnish(folder.path(), 3).await;
    let (server, _) = TestServer::start_set(folder.path(), &[("TRUSTED_PROXIES", "127.0.0.1")]);
    let [(_, owner), (_, one), (_, other)] = place.people.as_slice() else { panic!() };
    let room = format!("/r/{}", place.general);
    let post = format!("{room}/post");
    let browser = |cookie, from| Sender { server: &server, cookie, from, accept: BROWSER, referer: None };
    let script = |cookie, from| Sender { accept: SCRIPT, ..browser(cookie, from) };

    let near = Some("203.0.113.9");
    let by_account = Flood { sender: script(one, None), path: "/r/bbbbbbbbbb/leave", retry_after: "2" };
    let by_address = Flood { sender: script("", near), path: "/sign-out", retry_after: "10" };
    // None of them is carried out, also when it is let through: what a page shows of them was in the form.
    let message = [("text", TYPED)];
    let quiet = [("on", "1"), ("from", "21:17"), ("to", "21:17")];
    let secret = [("current", "a secret of mine"), ("new", "another secret")];
    for (sender, flood) in [(browser(one, None), &by_account), (browser(other, near), &by_address)] {
        for (path, fields, shown) in [
            (post.as_str(), &message[..], in_composer as fn(&str) -> bool),
            ("/account/quiet", &quiet, |text| text.contains("value=\"21:17\"")),
            ("/account/password", &secret, |text| text.contains("Change the password")),
        ] {
            let Refused { kind, text } = sender.refused(flood, path, fields).await;
            assert!(kind.starts_with("text/html") && shown(&text), "{path}: {kind} {text}");
            assert!(!text.contains("secret of mine") && !text.contains("another secret"), "{text}");
        }
        // A script is told in words.
        let refused = Sender { accept: SCRIPT, ..sender }.refused(flood, &post, &message).await;
        assert_eq!(refused.kind, "application/json");
        assert!(refused.text.starts_with("{\"message\":"), "{}", refused.text);
    }

    // The page is the one that the form was on; where that is not said, the text is shown in the room.
    let root = ClientId::random().to_string();
    assert_eq!(server.form(&post, owner, &[("client_id", &root), ("text", "the root")]).await.0, 303);
    let first = [("client_id", &*ClientId::random().to_string()), ("to", &root), ("text", "an answer")];
    let (status, _, thread) = server.form(&post, owner, &first).await;
    assert!(status == 303 && thread.contains("/thread/"), "{status} {thread}");
    let answer = [("to", root.as_str()), ("text", TYPED)];
    for referer in [Some(thread.as_str()), None] {
        let sender = Sender { referer, ..browser(one, None) };
        let text = sender.refused(&by_account, &post, &answer).await.text;
        assert!(in_composer(&text), "{referer:?} {text}");
        assert_eq!(text.contains("id=\"answer\""), referer.is_some(), "{text}");
    }

    // Strangers too.
    let (stranger, fields) = (browser("", near), [("handle", "olive"), ("password", TYPED)]);
    let text = stranger.refused(&by_address, "/sign-in", &fields).await.text;
    assert!(text.contains("value=\"olive\"") && !text.contains(TYPED), "{text}");
}
