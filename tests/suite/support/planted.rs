//! A proxy set up wrongly: it takes headers away, writes others, cuts what is silent, or answers by itself. What it did
//! is counted.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// What is wrong with it; the default is nothing.
#[derive(Clone)]
pub struct Plan {
    pub server: Option<SocketAddr>,
    pub drop_upgrade: bool,
    /// Headers that it writes in place of what came.
    pub writes: Vec<(&'static str, String)>,
    /// Says whose request it passes on.
    pub forwards: bool,
    /// Passes on what it was told of that.
    pub believes: bool,
    /// Cuts what is silent for so long.
    pub idle: Option<Duration>,
    /// Answers this and asks nobody; with nothing, it never answers.
    pub answers: Option<&'static str>,
    /// Answers this to requests of `/ws`.
    pub answers_sockets: Option<&'static str>,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            server: None,
            drop_upgrade: false,
            writes: Vec::new(),
            forwards: true,
            believes: false,
            idle: None,
            answers: None,
            answers_sockets: None,
        }
    }
}

pub struct PlantedProxy {
    pub addr: SocketAddr,
    plan: Arc<Mutex<Plan>>,
    /// Requests that passed, or were answered.
    requests: Arc<AtomicU64>,
    cut: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl PlantedProxy {
    pub async fn start(tls: Option<TlsAcceptor>) -> PlantedProxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let plan = Arc::new(Mutex::new(Plan::default()));
        let (requests, cut) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (shared, counts) = (plan.clone(), (requests.clone(), cut.clone()));
        let accepting = tokio::spawn(async move {
            let mut lines = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (plan, tls, counts) = (shared.lock().unwrap().clone(), tls.clone(), counts.clone());
                lines.spawn(async move {
                    match tls {
                        Some(tls) => {
                            if let Ok(client) = tls.accept(client).await {
                                carry(client, plan, counts).await;
                            }
                        }
                        None => carry(client, plan, counts).await,
                    }
                });
            }
        });
        PlantedProxy { addr, plan, requests, cut, accepting }
    }

    pub fn plan(&self, plan: Plan) {
        *self.plan.lock().unwrap() = plan;
    }

    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    pub fn cut(&self) -> u64 {
        self.cut.load(Ordering::SeqCst)
    }
}

impl Drop for PlantedProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    plan: Plan,
    (requests, cut): (Arc<AtomicU64>, Arc<AtomicU64>),
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match client.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    requests.fetch_add(1, Ordering::SeqCst);
    if let Some(answer) = plan.answers_sockets.filter(|_| head.starts_with(b"GET /ws ")) {
        let _ = client.write_all(answer.as_bytes()).await;
        let _ = client.shutdown().await;
        return;
    }
    let Some(server) = plan.server else {
        let Some(answer) = plan.answers else { return std::future::pending().await };
        let _ = client.write_all(answer.as_bytes()).await;
        let _ = client.shutdown().await;
        return;
    };
    // From another address than the one that asks, as in a network.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), 0))).unwrap();
    let Ok(mut server) = socket.connect(server).await else { return };
    let head = rewritten(&String::from_utf8(head).unwrap(), &plan);
    let _ = server.write_all(head.as_bytes()).await;
    let (mut up, mut down) = (vec![0; 8192], vec![0; 8192]);
    loop {
        let silent = tokio::time::sleep(plan.idle.unwrap_or(Duration::from_secs(3600)));
        let done = tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(n) if n > 0 => server.write_all(&up[..n]).await.is_err(),
                _ => true,
            },
            read = server.read(&mut down) => match read {
                Ok(n) if n > 0 => client.write_all(&down[..n]).await.is_err(),
                _ => true,
            },
            () = silent => {
                cut.fetch_add(1, Ordering::SeqCst);
                true
            }
        };
        if done {
            let _ = client.shutdown().await;
            return;
        }
    }
}

fn rewritten(head: &str, plan: &Plan) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in head.lines().filter(|line| !line.is_empty()) {
        let name = line.split(':').next().unwrap().to_ascii_lowercase();
        let dropped = plan.drop_upgrade && matches!(name.as_str(), "upgrade" | "connection")
            || plan.writes.iter().any(|(written, _)| *written == name)
            || name == "x-forwarded-for" && !plan.believes;
        if !dropped {
            lines.push(line.to_owned());
        }
    }
    lines.extend(plan.writes.iter().map(|(name, value)| format!("{name}: {value}")));
    if plan.forwards {
        lines.push("x-forwarded-for: 127.0.0.1".to_owned());
    }
    lines.join("\r\n") + "\r\n\r\n"
}
