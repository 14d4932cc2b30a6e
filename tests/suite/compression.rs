//! Pages and JSON travel compressed; what would be harmed by it, or gains nothing, travels as it is.

use crate::support::server::TestServer;
use beck::protocol::ClientId;
use reqwest::{Client, Method, Response};
use std::fs;
use tempfile::tempdir;

/// A client that does not unpack what it gets.
fn client() -> Client {
    let redirect = reqwest::redirect::Policy::none();
    Client::builder().no_brotli().no_gzip().redirect(redirect).build().unwrap()
}

async fn ask(method: Method, server: &TestServer, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = client().request(method, format!("{}{path}", server.base));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_the_same_page_compressed() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let (cookie, room) = server.set_up().await;
    server.sign_up(&cookie, &room, "guest").await;
    let path = format!("/r/{room}");
    for n in 0..20 {
        let text = format!("message {n}: the failover drill went through on the second node");
        let fields = [("client_id", ClientId::random().to_string()), ("text", text)];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        assert_eq!(server.form(&format!("{path}/post"), &cookie, &fields).await.0, 303);
    }
    let plain = ask(Method::GET, &server, &path, &[("cookie", &cookie)]).await;
    assert_eq!(header(&plain, "content-encoding"), "");
    let plain = plain.text().await.unwrap();
    assert!(plain.contains("message 19:") && plain.contains("</html>"));
    for accepted in ["br", "gzip"] {
        let headers = [("cookie", cookie.as_str()), ("accept-encoding", accepted)];
        let packed = ask(Method::GET, &server, &path, &headers).await;
        assert_eq!(header(&packed, "content-encoding"), accepted);
        assert!(header(&packed, "vary").contains("accept-encoding"));
        let packed = packed.bytes().await.unwrap().len();
        assert!(packed * 3 < plain.len(), "{accepted}: {packed} of {} bytes", plain.len());

        let only = Client::builder();
        let only = if accepted == "br" { only.no_gzip() } else { only.no_brotli() }.build().unwrap();
        let whole =
            only.get(format!("{}{path}", server.base)).header("cookie", &cookie).send().await.unwrap();
        let policy = header(&whole, "content-security-policy");
        let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
        let whole = whole.text().await.unwrap();
        assert!(whole.contains("message 0:") && whole.ends_with("</html>"));
        assert!(whole.contains(&format!("<script nonce=\"{nonce}\">")) && !whole.contains("<script>"));
        assert!(whole.len().abs_diff(plain.len()) < 300, "{} and {} bytes", whole.len(), plain.len());
    }
    for n in 0..8 {
        let name = format!("Room number {n}");
        assert_eq!(server.form("/rooms", &cookie, &[("name", &name)]).await.0, 303);
    }
    let headers = [("cookie", cookie.as_str()), ("accept-encoding", "br")];
    let boot = ask(Method::GET, &server, "/api/v1/boot", &headers).await;
    assert_eq!(header(&boot, "content-type"), "application/json");
    assert_eq!(header(&boot, "content-encoding"), "br");
    let head = ask(Method::HEAD, &server, &path, &headers).await;
    assert_eq!((head.status().as_u16(), header(&head, "content-encoding")), (200, String::new()));
    assert!(head.bytes().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_with_a_secret_or_with_what_was_typed_stays_as_it_is() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let (cookie, room) = server.set_up().await;
    let headers = [("cookie", cookie.as_str()), ("accept-encoding", "br, gzip")];
    let path = format!("/r/{room}");
    let page = ask(Method::GET, &server, &path, &headers).await;
    assert_eq!(header(&page, "content-encoding"), "");
    assert!(page.text().await.unwrap().contains("/join/"), "this page shows the join link");
    server.sign_up(&cookie, &room, "guest").await;
    assert_eq!(header(&ask(Method::GET, &server, &path, &headers).await, "content-encoding"), "br");

    let fields = [("text", "Repeated")];
    let echo = server.post(&format!("{path}/post"), &cookie, &fields, &headers[1..]).await;
    assert_eq!((echo.status().as_u16(), header(&echo, "content-encoding")), (422, String::new()));
    assert!(echo.text().await.unwrap().contains("Repeated"));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_short_answers_are_left_alone() {
    let folder = tempdir().unwrap();
    let public = folder.path().join("public");
    fs::create_dir(&public).unwrap();
    fs::write(public.join("index.html"), include_str!("../../index.html")).unwrap();
    let style = "body { margin: 0 }\n".repeat(500);
    fs::write(public.join("plain.css"), &style).unwrap();
    fs::write(public.join("packed.css"), &style).unwrap();
    fs::write(public.join("packed.css.br"), "not really Brotli, but sent as it is").unwrap();
    let server = TestServer::start_with_public(folder.path(), &public);
    let all = ("accept-encoding", "br, gzip");

    let plain = ask(Method::GET, &server, "/plain.css", &[all]).await;
    assert_eq!(header(&plain, "content-encoding"), "");
    assert_eq!(plain.text().await.unwrap(), style);
    let packed = ask(Method::GET, &server, "/packed.css", &[all]).await;
    assert_eq!(header(&packed, "content-encoding"), "br");
    assert_eq!(packed.text().await.unwrap(), "not really Brotli, but sent as it is");
    let part = ask(Method::GET, &server, "/plain.css", &[all, ("range", "bytes=5-9")]).await;
    assert_eq!((part.status().as_u16(), header(&part, "content-encoding")), (206, String::new()));
    assert_eq!(part.bytes().await.unwrap(), style[5..10]);
    let short = ask(Method::GET, &server, "/healthz", &[all]).await;
    assert_eq!(
        (header(&short, "content-encoding"), header(&short, "content-length")),
        (String::new(), "2".into())
    );
}
