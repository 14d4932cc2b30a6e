//! A client for one request, as a browser's would reach the server; what goes wrong is said in words.

use super::report::Report;
use crate::server::config::Config;
use axum::body::Body;
use axum::http::{Request, Response, Uri};
use futures::future::BoxFuture;
use hyper_util::rt::TokioIo;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_BYTES: usize = 64 * 1024;

pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Scheme, host and port of an address that people type.
#[derive(Debug, Clone)]
pub struct Place {
    pub https: bool,
    pub host: String,
    pub port: u16,
}

impl Place {
    pub fn parse(text: &str) -> Option<Place> {
        let text = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let uri: Uri = text.trim_end_matches('/').parse().ok()?;
        let https = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let bare = uri.path() == "/" && uri.query().is_none();
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        bare.then(|| Place { https, host: uri.host().unwrap_or_default().to_ascii_lowercase(), port })
    }

    pub fn authority(&self) -> String {
        match (self.https, self.port) {
            (true, 443) | (false, 80) => self.host.clone(),
            _ => format!("{}:{}", self.host, self.port),
        }
    }

    pub fn origin(&self) -> String {
        format!("{}://{}", if self.https { "https" } else { "http" }, self.authority())
    }

    /// Whether nobody else's network lies between.
    pub fn is_loopback(&self) -> bool {
        let host = self.host.trim_matches(['[', ']']);
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

/// A connection, and where it began here.
pub async fn connect(to: &Place) -> Result<(Box<dyn Stream>, SocketAddr), String> {
    let origin = to.origin();
    let host = to.host.trim_matches(['[', ']']);
    let connecting = TcpStream::connect((host, to.port));
    let socket = match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(fault)) if fault.kind() == std::io::ErrorKind::ConnectionRefused => {
            return Err(format!("nothing listens at {origin}: start the proxy, or correct the address"));
        }
        Ok(Err(fault)) => {
            return Err(format!(
                "{origin} cannot be reached ({fault}): see whether its name leads to this machine"
            ));
        }
        Err(_) => return Err(format!("{origin} does not answer: see whether a firewall stands between")),
    };
    let local = socket.local_addr().map_err(|fault| fault.to_string())?;
    if !to.https {
        return Ok((Box::new(socket), local));
    }
    // Another part of the program may have chosen already; both have what TLS needs.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut roots = rustls::RootCertStore::empty();
    for root in rustls_native_certs::load_native_certs().certs {
        let _ = roots.add(root);
    }
    let tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from(host.to_owned());
    let name = name.map_err(|_| format!("{host} cannot be the name in a certificate"))?;
    let connecting = tokio_rustls::TlsConnector::from(Arc::new(tls)).connect(name, socket);
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok(stream)) => Ok((Box::new(stream), local)),
        Ok(Err(fault)) => Err(certificate(&origin, &fault.to_string())),
        Err(_) => Err(format!("{origin} does not answer with TLS: see whether it is http://")),
    }
}

fn certificate(origin: &str, fault: &str) -> String {
    let has = |part: &str| fault.contains(part);
    if has("UnknownIssuer") || has("CaUsedAsEndEntity") {
        format!(
            "the certificate of {origin} is signed by nobody whom this machine knows: get one from an authority, such as Let's Encrypt, and let the proxy send the whole chain"
        )
    } else if has("Expired") || has("expired") {
        format!("the certificate of {origin} has ended: renew it")
    } else if has("NotValidForName") || has("not valid for name") {
        format!("the certificate of {origin} is for another name: get one for this name")
    } else if has("InvalidContentType") || has("corrupt message") || has("eof") {
        format!("{origin} does not speak TLS: use http://, or set up the proxy for https")
    } else {
        format!("{origin} cannot be reached with TLS ({fault})")
    }
}

/// Sends a request over a connection; what it becomes, if it is no answer, is another stream.
pub async fn send(
    stream: Box<dyn Stream>,
    request: Request<Body>,
) -> Result<Response<hyper::body::Incoming>, String> {
    let asked = async move {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection.with_upgrades());
        sender.send_request(request).await
    };
    match tokio::time::timeout(ANSWER_TIMEOUT, asked).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(fault)) => Err(format!("gives no answer that can be read ({fault})")),
        Err(_) => Err("takes the request and does not answer".into()),
    }
}

pub async fn text(response: Response<hyper::body::Incoming>) -> String {
    let read = axum::body::to_bytes(Body::new(response.into_body()), ANSWER_BYTES);
    let bytes = tokio::time::timeout(ANSWER_TIMEOUT, read).await;
    bytes.map_or_else(
        |_| String::new(),
        |bytes| String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned(),
    )
}

/// A plain request of a page.
pub fn get(to: &Place, path: &str) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = path.parse().unwrap_or_default();
    if let Ok(host) = to.authority().parse() {
        request.headers_mut().insert(axum::http::header::HOST, host);
    }
    request
}

/// The status and the text of /readyz, or why there was no answer.
type Answer = Result<(u16, String), String>;

fn place_of(config: &Config) -> Place {
    let ip = config.address.ip();
    let ip = if ip.is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { ip };
    let host = if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
    Place { https: false, host, port: config.address.port() }
}

/// Asks the server of these settings whether it is ready.
pub async fn ask_server(config: &Config) -> Answer {
    let here = place_of(config);
    let asked: BoxFuture<'_, Answer> = Box::pin(async {
        let response = send(connect(&here).await?.0, get(&here, "/readyz")).await?;
        Ok((response.status().as_u16(), text(response).await))
    });
    asked.await
}

/// Whether what answered is a Beck.
pub fn is_a_beck(answer: &Answer) -> bool {
    matches!(answer, Ok((200 | 503, _)))
}

/// Says whether the server of these settings is ready.
pub fn look_at_server(config: &Config, answer: Answer, at_work: bool, report: &mut Report) {
    let origin = place_of(config).origin();
    match answer {
        Ok((200, _)) => report.ok("server", format!("it is ready at {origin}")),
        Ok((503, why)) => {
            report.fault("server", format!("it is not ready at {origin}: {}", why.trim_end_matches('.')));
        }
        Ok((status, _)) => {
            report.fault("server", format!("what listens at {origin} is no Beck (status {status}): set PORT"));
        }
        Err(why) if at_work => report.fault(
            "server",
            format!("a Beck is at work on the data folder, but not at {origin} ({why}): run this with its IP and PORT"),
        ),
        Err(_) => report.ok("server", format!("none runs at {origin}")),
    }
}
