//! `beck serve`.

use super::Ended;
use crate::protocol::Format;
use crate::server::broker::Broker;
use crate::server::broker::embedded::{Embedded, LOG_FILE, check_moves, lock_folder};
use crate::server::broker::redis::Redis;
use crate::server::config::Config;
use crate::server::node::{Node, Readiness, missing_log};
use crate::server::readiness::{Unready, UnreadyState};
use crate::server::{accounts, addresses, allocator, first_run, router, serve};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// A process of which a part has ended serves so long with a red /readyz before it drains and exits.
const BROKEN_GRACE: Duration = Duration::from_secs(2);
/// A stop waits so long for the log to be closed. Without it nothing is lost: log.sqlite-wal has the rest.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

pub fn run(config: Config) -> Ended {
    async move {
        let listener = TcpListener::bind(config.address).await.map_err(|fault| match fault.kind() {
            std::io::ErrorKind::AddrInUse => format!(
                "port {} is taken. Stop what uses it, or choose another: PORT={} beck",
                config.address.port(),
                config.address.port().wrapping_add(1).max(1024)
            ),
            _ => format!("{} cannot be listened on: {fault}", config.address),
        })?;
        let address = listener.local_addr().map_err(|fault| fault.to_string())?;
        // A folder has one process, also where the log is elsewhere: the state is in it.
        let (broker, _lock): (Arc<dyn Broker>, _) = match &config.redis {
            Some(settings) => {
                let lock = lock_folder(&config.data_dir).map_err(|fault| fault.to_string())?;
                (Arc::new(Redis::open_up_to(settings, config.newest_format).await?), Some(lock))
            }
            None => {
                let folder = &config.data_dir;
                // Opening it would make an empty one.
                if !folder.join(LOG_FILE).exists()
                    && check_moves(folder).is_ok()
                    && let Some(fault) = missing_log(folder)
                {
                    return Err(fault.to_string());
                }
                (Arc::new(Embedded::open(folder).map_err(|fault| fault.to_string())?), None)
            }
        };
        let folder = std::path::absolute(&config.data_dir).unwrap_or_else(|_| config.data_dir.clone());
        let node = Node::start(config, broker).await.map_err(|fault| fault.to_string())?;
        let rise = node.prepare_rise().await;
        #[cfg(unix)]
        let _admin = crate::server::admin::socket::serve(&node, &node.config.data_dir).inspect_err(|fault| {
            tracing::warn!(%fault, "commands of the administrator cannot reach this server: stop it for them");
        });
        let public = public_folder();
        if public.is_none() {
            say_fault!("Pages have no assets: build with script/serve, or set DIOXUS_PUBLIC_PATH.");
        }
        let app = router::router(node.clone(), public.as_deref());
        let durability = node.broker.durability();
        let shown = node.config.public_url.as_ref().map(|url| url.as_str().to_owned());
        let host = if address.ip().is_unspecified() { "127.0.0.1".into() } else { address.ip().to_string() };
        let shown = shown.unwrap_or_else(|| format!("http://{host}:{}", address.port()));
        // Before anybody is told that it serves: from here on a stop drains.
        let stop = stop_signal();
        say!("Beck is ready: {shown} (data: {}; {})", folder.display(), durability.words);
        if let Some(warning) = durability.warning {
            say!("Warning: {warning}");
        }
        for warning in node.warnings() {
            say!("Warning: {warning}");
        }
        node.rise_at_start(rise, |line| say!("{line}")).await;
        let newest = node.config.newest_format;
        if newest != Format::NEWEST {
            say!(
                "Warning: BECK_NEWEST_FORMAT is set, which is for tests: this server reads formats up to {}.",
                newest.number()
            );
        }
        for line in addresses::start_lines(&node.config, address, std::io::stdout().is_terminal()) {
            say!("{line}");
        }
        if accounts::needs_setup(&node) && first_run::is_public(&node.config) {
            node.print_setup_code().await.map_err(|fault| fault.to_string())?;
        }
        if let Readiness::Unready(why) = node.readiness() {
            say!("Not ready: {why}");
        }
        node.watch_task("memory", allocator::give_back());
        // A part that ended makes /readyz red at once; the process follows when balancers have had time to see it.
        let (report, ended) = tokio::sync::oneshot::channel();
        let watched = node.clone();
        let stop = async move {
            let broken = async {
                let part = watched.wait_part_ended().await;
                tracing::error!(part, "A part of the server has ended: the process exits.");
                tokio::time::sleep(BROKEN_GRACE).await;
                part
            };
            tokio::select! {
                () = stop => {}
                part = broken => drop(report.send(part)),
            }
        };
        serve::serve(node.clone(), app, listener, stop).await;
        match tokio::time::timeout(CLOSE_TIMEOUT, node.broker.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => tracing::warn!(%fault, "the log was not closed: keep log.sqlite-wal with log.sqlite"),
            Err(_) => tracing::warn!("the log was not closed in time: keep log.sqlite-wal with log.sqlite"),
        }
        if let Ok(part) = ended.await {
            return Err(Unready::new(UnreadyState::TaskEnded, part).to_string());
        }
        say!("Beck has stopped.");
        Ok(())
    }
    .boxed()
}

/// Where the bundle's files are: beside the executable, or where DIOXUS_PUBLIC_PATH says.
pub fn public_folder() -> Option<PathBuf> {
    let set = std::env::var_os("DIOXUS_PUBLIC_PATH").map(PathBuf::from);
    let beside = || Some(std::env::current_exe().ok()?.parent()?.join("public"));
    set.or_else(beside).filter(|folder| folder.is_dir())
}

/// Listens at once, not only when it is polled.
fn stop_signal() -> impl Future<Output = ()> {
    let mut stops: Vec<BoxFuture<'static, ()>> = Vec::new();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
            if let Ok(mut stop) = signal(kind) {
                let stopped = async move {
                    let _ = stop.recv().await;
                };
                stops.push(stopped.boxed());
            }
        }
    }
    if stops.is_empty() {
        let stopped = async {
            let _ = tokio::signal::ctrl_c().await;
        };
        stops.push(stopped.boxed());
    }
    async move {
        let _ = futures::future::select_all(stops).await;
    }
}
