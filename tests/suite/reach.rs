//! The address that the desktop app is given: each thing that can be wrong with it is told as what it is.

use crate::support::server::TestServer;
use beck::client::platform::native::address::{Found, Wrong, check};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use tempfile::tempdir;

/// Answers every request by what the function makes of its head; gives host and port.
fn plant(answer: impl Fn(&str) -> Option<String> + Send + 'static) -> String {
    plant_line(move |mut line| {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && line.read(&mut byte).is_ok_and(|read| read == 1) {
            head.push(byte[0]);
        }
        if let Some(answer) = answer(&String::from_utf8_lossy(&head)) {
            let _ = line.write_all(answer.as_bytes());
        }
    })
}

fn plant_line(serve: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || listener.incoming().flatten().for_each(serve));
    host
}

fn http(status: &str, body: &str) -> Option<String> {
    Some(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()))
}

fn said(protocol: u32) -> String {
    format!(r#"{{"beck":"7.8.9","protocol":{protocol},"workspace":"W","needs_setup":false}}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_found_by_host_by_url_and_by_invitation() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let first = check(server.host()).await.unwrap();
    assert!(first.needs_setup && first.workspace.is_empty());
    let (cookie, room) = server.set_up().await;
    let token = server.join_token(&cookie, &room).await;
    let found = |invitation| Found {
        base: server.base.clone(),
        workspace: "Test Place".into(),
        needs_setup: false,
        invitation,
    };
    assert_eq!(check(server.host()).await, Ok(found(None)));
    assert_eq!(check(&format!(" {}/r/{room} ", server.base)).await, Ok(found(None)));
    assert_eq!(check(&format!("{}/join/{token}", server.base)).await, Ok(found(Some(token))));

    let base = server.base.clone();
    let leads = plant(move |_| {
        Some(format!("HTTP/1.1 308 x\r\nlocation: {base}/api/v1/server\r\ncontent-length: 0\r\n\r\n"))
    });
    assert_eq!(check(&leads).await, Ok(found(None)), "as from http to https");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_address_is_told_without_asking_anybody() {
    for typed in ["", "  ", "ftp://chat.example.org", "two words", "https://", "http://me:secret@127.0.0.1"] {
        assert_eq!(check(typed).await, Err(Wrong::NoAddress), "{typed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_told_apart_from_a_name_that_is_none() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    assert!(matches!(check(&free).await, Err(Wrong::NoAnswer(at, _)) if at.ends_with(&free)));
    let wrong = check("no-such-host.invalid").await.unwrap_err();
    assert_eq!(wrong, Wrong::NoSuchName("no-such-host.invalid".into()));
    // Nothing is tried in the clear that was not asked for.
    let wrong = check(&format!("https://{free}")).await.unwrap_err().to_string();
    assert!(wrong.starts_with("Nothing answers"), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn something_else_that_answers_is_not_taken_for_beck() {
    for planted in [
        plant(|_| http("200 OK", "<html>a page</html>")),
        plant(|_| http("404 Not Found", "nothing here")),
        plant(|_| http("200 OK", r#"{"name":"another thing"}"#)),
        plant(|_| http("500 Internal Server Error", &said(1))),
        plant(|_| Some("SSH-2.0-something\r\n".into())),
        plant(|_| http("308 Permanent Redirect\r\nlocation: /api/v1/server", "")),
    ] {
        let wrong = check(&planted).await;
        assert!(matches!(wrong, Err(Wrong::NotBeck(..))), "{wrong:?}");
    }
    let reading = plant(|_| http("503 Service Unavailable", "Beck is reading its log: 1 of 2 entries."));
    assert!(matches!(check(&reading).await, Err(Wrong::Starting(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_another_time_is_told_with_its_version() {
    let older = plant(|_| http("200 OK", &said(0)));
    let wrong = check(&older).await.unwrap_err();
    assert_eq!(wrong, Wrong::TooOld(format!("http://{older}"), "7.8.9".into()));
    let newer = plant(|_| http("200 OK", &said(99)));
    let wrong = check(&newer).await.unwrap_err();
    assert_eq!(wrong, Wrong::TooNew(format!("http://{newer}"), "7.8.9".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_passes_no_upgrade_on_is_found_before_anybody_signs_in() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    server.set_up().await;
    let host = server.host().to_owned();
    // It passes requests on and drops what it does not know, as proxies do that speak HTTP/1.0 to the server.
    let strips = plant(move |head| {
        let mut behind = TcpStream::connect(&host).ok()?;
        let kept = head.lines().filter(|line| {
            let name = line.split(':').next().unwrap_or("").to_lowercase();
            !matches!(name.as_str(), "upgrade" | "connection") && !line.is_empty()
        });
        let kept: Vec<_> = kept.collect();
        behind.write_all(format!("{}\r\nconnection: close\r\n\r\n", kept.join("\r\n")).as_bytes()).ok()?;
        let mut answer = String::new();
        behind.read_to_string(&mut answer).ok()?;
        Some(answer)
    });
    let wrong = check(&strips).await;
    assert!(matches!(&wrong, Err(Wrong::NoUpgrade(_, why)) if why.contains("400")), "{wrong:?}");
    assert!(wrong.unwrap_err().to_string().contains("Upgrade and Connection"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_is_refused_and_so_is_plain_http_under_https() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let host = plant_line(move |line| {
        let Ok(tls) = rustls::ServerConnection::new(config.clone()) else { return };
        let mut tls = rustls::StreamOwned::new(tls, line);
        let _ = tls.read(&mut [0; 1024]);
        let _ = tls.write_all(http("200 OK", &said(1)).unwrap().as_bytes());
    });
    let wrong = check(&format!("https://{host}")).await;
    assert!(matches!(&wrong, Err(Wrong::Certificate(at, _)) if at.ends_with(&host)), "{wrong:?}");
    // As web servers do, it does not wait for the end of what it cannot read.
    let plain = plant_line(|mut line| {
        let _ = line.read(&mut [0; 1024]);
        let _ = line.write_all(http("400 Bad Request", "").unwrap().as_bytes());
    });
    let wrong = check(&format!("https://{plain}")).await.unwrap_err();
    assert!(matches!(&wrong, Wrong::NotBeck(_, why) if why.contains("http://")), "{wrong:?}");
}
