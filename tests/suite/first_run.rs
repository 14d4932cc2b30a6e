//! The one-time code of the first run: who is asked for it, where it is found, and how often it may be tried.

use crate::support::config;
use crate::support::redis::{RedisServer, Store};
use crate::support::server::TestServer;
use axum::http::{HeaderMap, HeaderName, Uri};
use beck::server::config::Config;
use beck::server::first_run::is_local;
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tempfile::tempdir;

/// Ends with the test, however that ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const LINE: &str = "The first account needs this one-time code: ";

/// A server with these settings; its base on loopback, and what it prints after its first line.
fn start(folder: &Path, settings: &[(&str, &str)]) -> (Server, String, Receiver<String>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_beck"))
        .env_clear()
        .envs([("PORT", "0"), ("QR", "no"), ("LOG", "error")])
        .env("DATA_DIR", folder)
        .envs(settings.iter().copied())
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stdout = child.stdout.take().unwrap();
    let server = Server(child);
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let ready = lines.next().unwrap();
    let base = ready.strip_prefix("Beck is ready: ").unwrap().split(' ').next().unwrap().to_owned();
    let (send, printed) = channel();
    std::thread::spawn(move || lines.for_each(|line| drop(send.send(line))));
    (server, base, printed)
}

/// The next code that is printed.
fn code(printed: &Receiver<String>) -> String {
    loop {
        let line = printed.recv_timeout(Duration::from_secs(60)).expect("no code is printed");
        if let Some(code) = line.strip_prefix(LINE) {
            return code.to_owned();
        }
    }
}

/// Status and text of a request to the first run with these headers; with a code it is the form.
async fn set_up(base: &str, headers: &[(&str, &str)], code: Option<&str>) -> (u16, String) {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let url = format!("{base}/setup");
    let mut fields =
        vec![("workspace", "Here"), ("name", "Olive"), ("handle", "olive"), ("password", "a long password")];
    fields.extend(code.map(|code| ("code", code)));
    let mut request = match code {
        Some(_) => client.post(url).form(&fields).header("sec-fetch-site", "same-origin"),
        None => client.get(url),
    };
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

const FORWARDED: (&str, &str) = ("x-forwarded-for", "203.0.113.9");

#[tokio::test(flavor = "multi_thread")]
async fn servers_of_one_store_ask_for_the_same_code_once() {
    let store = RedisServer::start(Store::Redis);
    let folders = [tempdir().unwrap(), tempdir().unwrap()];
    let url = store.url();
    let settings = [("IP", "0.0.0.0"), ("REDIS_URL", url.as_str())];
    let (_first, _, printed) = start(folders[0].path(), &settings);
    let (_second, base, same) = start(folders[1].path(), &settings);
    let code = (code(&printed), code(&same));
    assert_eq!((code.0.len(), &code.0), (16, &code.1));
    // Whichever of them is asked, behind a proxy.
    for wrong in ["", "0000000000000000", &code.0[..15]] {
        assert_eq!(set_up(&base, &[FORWARDED], Some(wrong)).await.0, 422, "{wrong}");
    }
    assert_eq!(set_up(&base, &[FORWARDED], Some(&code.0)).await.0, 303);
    assert_eq!(store.command(&["EXISTS", "{beck}:secret:setup"]), ":0\r\n");
    assert_ne!(set_up(&base, &[FORWARDED], Some(&code.0)).await.0, 303);
    // From this machine itself none is asked for.
    let folder = tempdir().unwrap();
    TestServer::start(folder.path()).set_up().await;
}

#[test]
fn the_code_is_asked_for_unless_all_says_that_the_request_is_of_this_machine() {
    let folder = tempdir().unwrap();
    let here = config(folder.path());
    let set = |name: &str, value: &str| {
        let settings = HashMap::from([("DATA_DIR", folder.path().to_str().unwrap()), (name, value)]);
        let owned = settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Config::from_settings(&owned).unwrap()
    };
    let asks = |config: &Config, peer: &str, uri: &str, headers: &[(&str, &str)]| {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        !is_local(config, peer.parse().unwrap(), &uri.parse::<Uri>().unwrap(), &map)
    };
    let mut checked = 0;
    let peers = [
        ("127.0.0.1", false),
        ("127.3.2.1", false),
        ("::1", false),
        ("::ffff:127.0.0.1", false),
        ("192.0.2.1", true),
        ("::ffff:192.0.2.1", true),
        ("172.17.0.1", true),
        ("fe80::1", true),
    ];
    let hosts = [
        ("localhost", false),
        ("LocalHost:8080", false),
        ("127.0.0.1", false),
        ("127.0.0.1:8080", false),
        ("127.9.9.9:1", false),
        ("[::1]", false),
        ("[::1]:8080", false),
        ("[::ffff:127.0.0.1]:8080", false),
        // A name of another site that leads to this machine: DNS rebinding.
        ("evil.example", true),
        ("evil.example:8080", true),
        ("localhost.evil.example", true),
        ("127.0.0.1.evil.example", true),
        ("127.0.0.1@evil.example", true),
        ("evil.example@127.0.0.1", true),
        ("chat.example.org", true),
        ("192.0.2.1:8080", true),
        ("[2001:db8::1]", true),
        ("0.0.0.0:8080", true),
        ("", true),
        ("local host", true),
    ];
    let forwarded = [
        "x-forwarded-for",
        "X-Forwarded-Proto",
        "x-forwarded-host",
        "x-forwarded-port",
        "Forwarded",
        "Via",
        "X-Real-IP",
        "X-Client-IP",
    ];
    let configs = [
        (&here, false),
        (&set("IP", "0.0.0.0"), true),
        (&set("PUBLIC_URL", "https://chat.example.org"), true),
        (&set("PUBLIC_URL", "http://localhost:8080"), true),
    ];
    for (config, by_config) in configs {
        for (peer, by_peer) in peers {
            for (host, by_host) in hosts {
                let plain = by_config || by_peer || by_host;
                assert_eq!(asks(config, peer, "/setup", &[("host", host)]), plain, "{peer} {host:?}");
                for name in forwarded {
                    let headers = [("host", host), (name, "127.0.0.1")];
                    assert!(asks(config, peer, "/setup", &headers), "{peer} {host:?} {name}");
                    checked += 1;
                }
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 4 * 8 * 20 * 9);
    // Two hosts, none, and one in the address that is another.
    let (peer, host) = ("127.0.0.1", ("host", "localhost"));
    assert!(asks(&here, peer, "/setup", &[]));
    assert!(asks(&here, peer, "/setup", &[host, ("host", "evil.example")]));
    assert!(asks(&here, peer, "http://evil.example/setup", &[host]));
    assert!(!asks(&here, peer, "http://localhost/setup", &[host]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_loopback_asks_who_comes_by_a_proxy_and_prints_the_code_then_and_once() {
    let folder = tempdir().unwrap();
    let (_server, base, printed) = start(folder.path(), &[]);
    let field = "name=\"code\"";
    let (status, page) = set_up(&base, &[], None).await;
    assert!(status == 200 && !page.contains(field), "{page}");
    assert!(printed.try_recv().is_err(), "who comes from this machine needs no code");
    let rebound = ("host", "evil.example:8080");
    let real = ("x-real-ip", "203.0.113.9");
    for header in [FORWARDED, rebound, real] {
        let (status, page) = set_up(&base, &[header], None).await;
        assert!(status == 200 && page.contains(field), "{header:?} {page}");
        // Without the code nobody becomes the owner; the page says so and asks for it again.
        let (status, page) = set_up(&base, &[header], Some("")).await;
        assert!(
            status == 422 && page.contains(field) && page.contains("value=\"olive\""),
            "{header:?} {status} {page}"
        );
    }
    let code = code(&printed);
    assert!(printed.try_recv().is_err(), "once");
    // As people paste it: with spaces around, which the field has to hold, and in whatever case.
    let pasted = format!("   {}  ", code.to_uppercase());
    let (_, page) = set_up(&base, &[rebound], None).await;
    let input = page.split("<input").find(|input| input.contains(field)).unwrap();
    let most = input.split("maxlength=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    assert!(most.parse::<usize>().unwrap() >= pasted.len() + 16, "{input}");
    assert_eq!(set_up(&base, &[rebound], Some(&pasted)).await.0, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_from_this_machine_that_is_refused_is_shown_again_without_the_code() {
    let folder = tempdir().unwrap();
    let (_server, base, printed) = start(folder.path(), &[]);
    let fields = [("workspace", "Here"), ("name", "Olive"), ("handle", "olive"), ("password", "short")];
    let request = reqwest::Client::new().post(format!("{base}/setup")).form(&fields);
    let answer = request.header("sec-fetch-site", "same-origin").send().await.unwrap();
    let (status, page) = (answer.status().as_u16(), answer.text().await.unwrap());
    assert!(status == 422 && page.contains("value=\"olive\""), "{status} {page}");
    assert!(!page.contains("name=\"code\""), "{page}");
    assert!(printed.try_recv().is_err(), "who comes from this machine needs no code");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_without_an_address_is_asked_for_the_code() {
    let folder = tempdir().unwrap();
    let here = crate::support::set_up(folder.path()).await;
    assert!(here.node.asks_code(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_is_printed_at_the_start_where_people_come_from_elsewhere() {
    for settings in [("PUBLIC_URL", "https://chat.example.org"), ("IP", "0.0.0.0")] {
        let folder = tempdir().unwrap();
        let (_server, _, printed) = start(folder.path(), &[settings]);
        assert_eq!(code(&printed).len(), 16, "{settings:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_codes_are_throttled_by_address_and_a_stranger_does_not_close_the_first_run() {
    let folder = tempdir().unwrap();
    let (_server, base, printed) =
        start(folder.path(), &[("IP", "0.0.0.0"), ("TRUSTED_PROXIES", "127.0.0.1")]);
    let code = code(&printed);
    let (stranger, elsewhere) = (("x-forwarded-for", "2001:db8::1"), ("x-forwarded-for", "203.0.113.9"));
    let mut tries = 0;
    while set_up(&base, &[stranger], Some("0123456789abcdef")).await.0 == 422 {
        tries += 1;
        assert!(tries < 20, "the tries have no end");
    }
    assert!(tries >= 10, "{tries}");
    // Nor with another address of the same network; other networks go on.
    let neighbour = ("x-forwarded-for", "2001:db8::2:3");
    let (status, page) = set_up(&base, &[neighbour], Some("0123456789abcdef")).await;
    assert!(
        status == 429 && page.contains("Too many tries.") && page.contains("value=\"olive\""),
        "{status} {page}"
    );
    assert_eq!(set_up(&base, &[elsewhere], Some("0123456789abcdef")).await.0, 422);
    // The right code passes: behind a proxy the owner can have the stranger's address.
    assert_eq!(set_up(&base, &[neighbour], Some(&code)).await.0, 303);
}
