//! Faults between the public address and the server.

use super::{Said, bundle, doctor, free_port, port_of, private_folder};
use crate::support::planted::{Plan, PlantedProxy};
use crate::support::server::TestServer;
use rcgen::{CertificateParams, KeyPair};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

/// A server behind a proxy.
struct Behind {
    _server: TestServer,
    proxy: PlantedProxy,
    address: String,
    folder: TempDir,
    aside: TempDir,
    port: String,
}

impl Behind {
    async fn start(tls: Option<TlsAcceptor>, settings: &[(&str, &str)]) -> Behind {
        let https = tls.is_some();
        let proxy = PlantedProxy::start(tls).await;
        let address = match https {
            true => format!("https://localhost:{}", proxy.addr.port()),
            false => format!("http://{}", proxy.addr),
        };
        let folder = private_folder();
        // What is set twice is what is set last.
        let port = free_port();
        let mut set = vec![("PORT", port.as_str()), ("TRUSTED_PROXIES", "127.0.0.2")];
        set.push(("PUBLIC_URL", address.as_str()));
        set.extend(settings);
        let (server, _) = TestServer::start_set(folder.path(), &set);
        Behind { _server: server, proxy, address, folder, aside: private_folder(), port }
    }

    fn server(&self) -> Option<SocketAddr> {
        Some(format!("127.0.0.1:{}", self.port).parse().unwrap())
    }

    fn look(&self, plan: Plan, words: &[&str], settings: &[(&str, &str)]) -> Said {
        self.proxy.plan(plan);
        let before = self.proxy.requests();
        let words: Vec<_> = [self.address.as_str()].iter().chain(words).copied().collect();
        let said = self.at(&words, settings);
        assert!(self.proxy.requests() > before, "the proxy was not asked");
        said
    }

    fn at(&self, words: &[&str], settings: &[(&str, &str)]) -> Said {
        let bundle = bundle(self.aside.path());
        let mut set = vec![
            ("DATA_DIR", self.folder.path().to_str().unwrap()),
            ("PORT", self.port.as_str()),
            ("DIOXUS_PUBLIC_PATH", bundle.to_str().unwrap()),
        ];
        set.extend(settings);
        doctor(words, &set)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_proxy_has_no_fault_and_each_bad_one_exactly_its_own() {
    let here = Behind::start(None, &[]).await;
    let good = || Plan { server: here.server(), ..Plan::default() };
    let quick = ["--idle", "1"];

    let said = here.look(good(), &quick, &[]);
    said.only(&[], &["a silent socket is open after 1 s", "Beck sees 127.0.0.1"]);
    let names = [
        "settings",
        "folder",
        "space",
        "disk",
        "lock",
        "log",
        "assets",
        "server",
        "address",
        "upgrade",
        "origin",
        "idle",
        "forwarded",
        "https",
    ];
    assert_eq!(said.names, names, "{}", said.text);

    let said = here.look(Plan { drop_upgrade: true, ..good() }, &quick, &[]);
    said.only(&["fault upgrade"], &["docs/proxy.md"]);
    let origin = vec![("origin", "http://inside:8080".to_owned())];
    let said = here.look(Plan { writes: origin, ..good() }, &quick, &[]);
    said.only(&["fault origin"], &["http://inside:8080", "PUBLIC_URL"]);
    let said = here.look(Plan { idle: Some(Duration::from_secs(1)), ..good() }, &["--idle", "4"], &[]);
    said.only(&["fault idle"], &["60 s or more"]);
    assert!(here.proxy.cut() > 0, "the proxy cut nothing");
    let said = here.look(Plan { forwards: false, ..good() }, &quick, &[]);
    said.only(&["warning forwarded"], &["let it set X-Forwarded-For"]);
    let said = here.look(Plan { forwards: false, believes: true, ..good() }, &quick, &[]);
    said.only(&["fault forwarded"], &["what anybody writes"]);

    let own = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
    let said = here.look(Plan { answers_sockets: Some(own), ..good() }, &quick, &[]);
    said.only(&["fault upgrade"], &["answers /ws itself (status 404)"]);
    let mute = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    let said = here.look(Plan { answers_sockets: Some(mute), ..good() }, &quick, &[]);
    said.only(&["fault upgrade"], &["opens and carries nothing"]);
    let said = here.look(Plan { answers_sockets: Some("nonsense"), ..good() }, &quick, &[]);
    said.only(&["fault upgrade"], &["at /ws: see the proxy's log"]);

    // Nothing of the workspace's is seen by who has no token, and the header alone opens nothing.
    let token = "0".repeat(64);
    let client = reqwest::Client::new();
    let asked = client.get(format!("http://127.0.0.1:{}/ws", here.port)).header("x-beck-probe", token);
    assert_eq!(asked.send().await.unwrap().status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_does_not_lead_to_beck_is_said() {
    let here = Behind::start(None, &[]).await;
    let answers = |answers| Plan { answers: Some(answers), ..Plan::default() };
    let page = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    let away = "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n";
    let moved =
        "HTTP/1.1 301 Moved\r\nlocation: https://chat.example.org/healthz\r\ncontent-length: 0\r\n\r\n";
    here.look(answers(page), &[], &[]).only(&["fault address"], &["is no Beck"]);
    here.look(answers(away), &[], &[]).only(&["fault address"], &["cannot reach Beck"]);
    here.look(answers(moved), &[], &[]).only(&["fault address"], &["leads to https://chat.example.org"]);
    here.look(answers("nonsense"), &[], &[]).only(&["fault address"], &["no answer that can be read"]);
    here.look(Plan::default(), &[], &[]).only(&["fault address"], &["does not answer"]);
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    here.at(&[&nowhere], &[]).only(&["fault address"], &["nothing listens"]);
    here.at(&["ftp://chat.example.org"], &[]).only(&["fault address"], &["is no address"]);
    let plain = format!("https://127.0.0.1:{}", here.port);
    here.at(&[&plain], &[]).only(&["fault address"], &["does not speak TLS"]);
    // Another Beck than ours.
    let other = Behind::start(None, &[]).await;
    let plan = Plan { server: other.server(), ..Plan::default() };
    here.look(plan, &["--idle", "1"], &[]).only(&["fault address"], &["leads to another Beck"]);
    // Ours, without a proxy.
    let direct = TestServer::start(here.aside.path());
    let set = [("PORT", port_of(&direct)), ("DATA_DIR", here.aside.path().to_str().unwrap())];
    let said = here.at(&[direct.base.as_str(), "--idle", "1"], &set);
    said.only(&[], &["nothing stands between: Beck sees 127.0.0.1"]);
    // Another address of this machine than its loopback, by http.
    let open = direct.base.replace("127.0.0.1", "0.0.0.0");
    let said = here.at(&[open.as_str(), "--idle", "1"], &set);
    said.only(&["warning https"], &["can be read on their way"]);
    // From where neither a Beck nor its store can be asked.
    let elsewhere = private_folder();
    let set = [("DATA_DIR", elsewhere.path().to_str().unwrap())];
    let said = here.at(&[direct.base.as_str(), "--idle", "1"], &set);
    said.only(&["warning proxy"], &["no Beck is at work on the data folder"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_do_not_fit_the_proxy_are_said() {
    // The proxy is not trusted.
    let here = Behind::start(None, &[("TRUSTED_PROXIES", "10.0.0.0/8")]).await;
    let plan = Plan { server: here.server(), ..Plan::default() };
    let said = here.look(plan, &["--idle", "1"], &[]);
    said.only(&["warning forwarded"], &["set TRUSTED_PROXIES=127.0.0.2"]);
    // No PUBLIC_URL, and a proxy that writes another Host.
    let here = Behind::start(None, &[("PUBLIC_URL", "")]).await;
    let good = Plan { server: here.server(), ..Plan::default() };
    here.look(good.clone(), &["--idle", "1"], &[]).only(&[], &[]);
    let writes = vec![("host", format!("127.0.0.1:{}", here.port))];
    let said = here.look(Plan { writes, ..good }, &["--idle", "1"], &[]);
    said.only(&["fault origin"], &["Behind a proxy set PUBLIC_URL"]);
    // https is set, and http is looked at.
    let proxy = PlantedProxy::start(None).await;
    let address = format!("http://{}", proxy.addr);
    let set = [("PUBLIC_URL", "https://chat.example.org"), ("ALLOWED_ORIGINS", address.as_str())];
    let here = Behind { proxy, address: address.clone(), ..Behind::start(None, &set).await };
    let plan = Plan { server: here.server(), ..Plan::default() };
    here.look(plan, &["--idle", "1"], &[]).only(&["fault https"], &["open the https address"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_and_secure_cookies_are_looked_at() {
    let aside = private_folder();
    let key = KeyPair::generate().unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let tls_until = |year: i32, pem: &Path| {
        let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(year, 1, 1);
        let certificate = parameters.self_signed(&key).unwrap();
        std::fs::write(pem, certificate.pem()).unwrap();
        let chain = vec![certificate.der().clone()];
        let private = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let tls = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, private);
        TlsAcceptor::from(Arc::new(tls.unwrap()))
    };
    let pem: PathBuf = aside.path().join("authority.pem");
    let tls = tls_until(4000, &pem);
    let known = [("SSL_CERT_FILE", pem.to_str().unwrap())];

    let here = Behind::start(Some(tls.clone()), &[]).await;
    let good = || Plan { server: here.server(), ..Plan::default() };
    here.look(good(), &["--idle", "1"], &known).only(&[], &["the login cookie is Secure"]);
    let said = here.at(&[&here.address], &[]);
    said.only(&["fault address"], &["signed by nobody whom this machine knows"]);
    let other = here.address.replace("localhost", "127.0.0.1");
    here.at(&[&other], &known).only(&["fault address"], &["is for another name"]);
    let ended: PathBuf = aside.path().join("ended.pem");
    let late = Behind::start(Some(tls_until(2001, &ended)), &[]).await;
    let said = late.at(&[&late.address], &[("SSL_CERT_FILE", ended.to_str().unwrap())]);
    said.only(&["fault address"], &["has ended: renew it"]);

    let proxy = PlantedProxy::start(Some(tls)).await;
    let address = format!("https://localhost:{}", proxy.addr.port());
    let set = [("PUBLIC_URL", "http://chat.example.org"), ("ALLOWED_ORIGINS", address.as_str())];
    let here = Behind { proxy, address: address.clone(), ..Behind::start(None, &set).await };
    let plan = Plan { server: here.server(), ..Plan::default() };
    let said = here.look(plan, &["--idle", "1"], &known);
    said.only(&["warning https"], &[&format!("set PUBLIC_URL={address}")]);
}
