//! A place where a workspace is kept, on each backend there is.

use super::awaited::unlocked;
use super::redis::{RedisServer, Store};
use super::{TestNode, config};
use beck::server::broker::SharedBroker;
use beck::server::broker::redis::{Redis, RedisSettings};
use beck::server::node::Node;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

pub struct Backend {
    folder: TempDir,
    pub store: Option<RedisServer>,
    /// Where the store is, if not at its own port without rights.
    settings: Option<RedisSettings>,
}

impl Backend {
    pub fn embedded() -> Backend {
        Backend { folder: tempfile::tempdir().unwrap(), store: None, settings: None }
    }

    pub fn redis() -> Backend {
        Backend { store: Some(RedisServer::start(Store::Redis)), ..Backend::embedded() }
    }

    pub fn valkey() -> Backend {
        Backend { store: Some(RedisServer::start(Store::Valkey)), ..Backend::embedded() }
    }

    /// Over TLS, as the user who has the documented rights.
    pub fn tls() -> Backend {
        let (store, settings) = crate::store::with_tls_and_few_rights();
        Backend { store: Some(store), settings: Some(settings), ..Backend::embedded() }
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The log; a folder's last node may take a moment to end.
    pub async fn log(&self) -> SharedBroker {
        if let Some(store) = &self.store {
            let settings = self.settings.clone().unwrap_or_else(|| store.settings());
            return Arc::new(Redis::open(&settings).await.unwrap());
        }
        Arc::new(unlocked(self.folder.path()).await)
    }

    /// A second reader of the log where there can be one, the same one else.
    pub async fn log_beside(&self, log: &SharedBroker) -> SharedBroker {
        if self.store.is_some() { self.log().await } else { log.clone() }
    }

    pub async fn node(&self) -> Arc<Node> {
        Node::start(config(self.folder.path()), self.log().await).await.unwrap()
    }

    /// A node with a workspace, an owner and room General.
    pub async fn set_up(&self) -> TestNode {
        super::set_up_on(self.folder.path(), self.log().await).await
    }

    /// Loses the whole log, and nothing else.
    pub fn lose_log(&self) {
        if let Some(store) = &self.store {
            assert_eq!(store.command(&["FLUSHALL"]), "+OK\r\n");
        }
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(self.folder.path().join(format!("log.sqlite{ending}")));
        }
    }
}

/// Makes a test of each named function for one backend, in a module of its name.
macro_rules! on_backend {
    ($backend:ident { $($name:ident)* }) => {
        mod $backend {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(&crate::support::backend::Backend::$backend()).await })*
        }
    };
}
pub(crate) use on_backend;

/// Makes a test of each named function for each backend.
macro_rules! on_every_backend {
    ($($name:ident)*) => {
        crate::support::backend::on_backend! { embedded { $($name)* } }
        crate::support::backend::on_backend! { redis { $($name)* } }
        crate::support::backend::on_backend! { tls { $($name)* } }
        crate::support::backend::on_backend! { valkey { $($name)* } }
    };
}
pub(crate) use on_every_backend;
