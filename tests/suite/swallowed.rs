//! A connection for signals that answers and delivers nothing: the server finds it out by its own signal.

use crate::conformance::workspace;
use crate::support::awaited::{awaited, until};
use crate::support::redis::{RedisServer, Store};
use beck::protocol::{AccountId, Format};
use beck::server::broker::redis::{Redis, RedisSettings, SignalTimes};
use beck::server::broker::{Broker, Signal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::Receiver;

/// Before a store: it swallows the messages of channels on the connections that are open when it is told to, and passes
/// on everything else, answers to PING among it.
struct Relay {
    port: u16,
    open: Arc<AtomicU64>,
    /// Connections with a number up to this one are swallowed from.
    swallow: Arc<AtomicU64>,
    swallowed: Arc<AtomicU64>,
}

impl Relay {
    async fn start(store: u16) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let relay = Relay { port, open: Arc::default(), swallow: Arc::default(), swallowed: Arc::default() };
        let (open, swallow, swallowed) = (relay.open.clone(), relay.swallow.clone(), relay.swallowed.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = open.fetch_add(1, Ordering::SeqCst) + 1;
                let (swallow, swallowed) = (swallow.clone(), swallowed.clone());
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(("127.0.0.1", store)).await else { return };
                    let (mut from_client, mut to_client) = client.into_split();
                    let (mut from_server, mut to_server) = server.into_split();
                    let up = async { drop(tokio::io::copy(&mut from_client, &mut to_server).await) };
                    let down = async {
                        let mut bytes = vec![0; 64 * 1024];
                        loop {
                            let Ok(read @ 1..) = from_server.read(&mut bytes).await else { return };
                            let push = bytes[..read].starts_with(b"*3\r\n$7\r\nmessage\r\n");
                            if push && number <= swallow.load(Ordering::SeqCst) {
                                swallowed.fetch_add(1, Ordering::SeqCst);
                            } else if to_client.write_all(&bytes[..read]).await.is_err() {
                                return;
                            }
                        }
                    };
                    tokio::select! { () = up => {}, () = down => {} }
                });
            }
        });
        relay
    }

    /// From now on nothing that is published arrives on the connections that are open.
    fn swallow(&self) {
        self.swallow.store(self.open.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_delivers_no_signal_is_made_anew() {
    let store = RedisServer::start(Store::Redis);
    let relay = Relay::start(store.port).await;
    let times = SignalTimes { beat: Duration::from_millis(100), echo: Duration::from_millis(400) };
    let a =
        Redis::open_with(&RedisSettings::at("127.0.0.1", relay.port), Format::NEWEST, times).await.unwrap();
    let b = Redis::open(&store.settings()).await.unwrap();
    let mut heard = a.signals().subscribe();
    a.create(workspace()).await.unwrap();
    assert_eq!(awaited("a listens", heard.recv()).await.unwrap(), Signal::Lost);
    arrives(&b, &mut heard).await;
    relay.swallow();
    b.signals().send(Signal::Logins { account: AccountId::random() });
    until("a signal is swallowed", || relay.swallowed.load(Ordering::SeqCst) > 0).await;
    // It is made anew, and what may have been missed is said to be lost.
    let anew = async { while heard.recv().await.unwrap() != Signal::Lost {} };
    awaited("the connection is made anew", anew).await;
    arrives(&b, &mut heard).await;
    println!("{} swallowed", relay.swallowed.load(Ordering::SeqCst));
}

/// Sends one signal until it is heard: who has just begun may not listen or speak yet.
async fn arrives(from: &Redis, heard: &mut Receiver<Signal>) {
    let signal = Signal::Logins { account: AccountId::random() };
    let wait = async {
        loop {
            from.signals().send(signal.clone());
            let hear = async { while heard.recv().await.unwrap() != signal {} };
            if tokio::time::timeout(Duration::from_millis(300), hear).await.is_ok() {
                return;
            }
        }
    };
    awaited("a signal arrives", wait).await;
}
