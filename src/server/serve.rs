//! The serve loop: accepts, limits, drains.

mod limits;
mod progress;

pub use limits::{Connections, HttpSlot, Limits, SocketPlace};
pub use progress::Progress;

use super::node::Node;
use axum::Router;
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use progress::Noting;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::TaskTracker;

/// A request's head must be here after so long.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a request's head; more is answered with 431.
const HEAD_BYTES: usize = 16 * 1024;
const HEADERS: usize = 64;
/// A connection on which nothing has come is closed after so long of draining.
const FIRST_TIMEOUT: Duration = Duration::from_millis(500);
/// What is still open after so long of draining is cut.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(8);

/// Serves until `stop` ends, then drains: no new connections, sockets say goodbye, requests finish.
pub async fn serve(node: Arc<Node>, app: Router, listener: TcpListener, stop: impl Future<Output = ()>) {
    let connections = Connections::new(Limits::of_process(), node.config.trusted_proxies.clone());
    serve_within(connections, node, app, listener, stop).await;
}

/// As [`serve`], with limits of its own.
pub async fn serve_within(
    connections: Arc<Connections>,
    node: Arc<Node>,
    app: Router,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) {
    let tasks = TaskTracker::new();
    tokio::pin!(stop);
    // Accepted, and without a place when the stop came: served like those whom the system has let in.
    let mut waiting = None;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((socket, from)) => {
                let progress = Progress::begin();
                let place = tokio::select! {
                    biased;
                    place = connections.admit(from, &progress) => place,
                    () = &mut stop => {
                        waiting = Some((socket, from));
                        break;
                    }
                };
                drop(tasks.spawn(connection(node.clone(), app.clone(), (socket, from), progress, place)));
            }
            // Out of file descriptors, most likely: wait until some are free.
            Err(fault) => {
                tracing::warn!(%fault, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    for (socket, from) in waiting.into_iter().chain(let_in(listener)) {
        let progress = Progress::begin();
        let place = (None, connections.slot(from, &progress));
        drop(tasks.spawn(connection(node.clone(), app.clone(), (socket, from), progress, place)));
    }
    node.draining.cancel();
    tasks.close();
    let all = async {
        tasks.wait().await;
        // A request that became a socket has ended, the socket has not.
        while node.hub.connections() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    if tokio::time::timeout(DRAIN_TIMEOUT, all).await.is_err() {
        let open = tasks.len() + node.hub.connections();
        tracing::warn!(open, "connections were cut at the end of the drain");
    }
}

/// Whom the system has let in already, and nobody after them: closed with the listener they would be cut off with a
/// request on its way.
fn let_in(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let Ok(listener) = listener.into_std() else { return Vec::new() };
    let accepted = std::iter::from_fn(|| listener.accept().ok());
    let ready = accepted.filter_map(|(socket, from)| {
        socket.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(socket).ok()?, from))
    });
    ready.collect()
}

async fn connection(
    node: Arc<Node>,
    app: Router,
    (socket, from): (TcpStream, SocketAddr),
    progress: Progress,
    (permit, slot): (Option<OwnedSemaphorePermit>, HttpSlot),
) {
    let _ = socket.set_nodelay(true);
    let app = app
        .layer(axum::Extension(ConnectInfo(from)))
        .layer(axum::Extension(progress.clone()))
        .layer(axum::Extension(slot.connections().clone()));
    let socket = Noting { socket, progress: progress.clone(), _permit: permit };
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(socket), TowerToHyperService::new(app))
        .with_upgrades();
    tokio::pin!(connection);
    tokio::select! {
        // Errors of one connection are its peer's affair.
        _ = &mut connection => {}
        // It makes room for another one.
        () = slot.cut.cancelled() => {}
        () = slot.idle(&progress) => {}
        () = node.draining.cancelled() => {
            // hyper closes a connection of which it has read nothing, also if a request is on its way.
            let first = async {
                while !progress.has_read() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::select! {
                _ = &mut connection => return,
                _ = tokio::time::timeout(FIRST_TIMEOUT, first) => {}
            }
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
