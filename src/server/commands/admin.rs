//! `beck admin`: what the administrator of the machine may do, while Beck runs and while it is stopped.

use super::Ended;
use crate::server::admin::{Answer, Ask, carry_out};
use crate::server::broker::SharedBroker;
use crate::server::broker::embedded::{Embedded, FolderLock, LOG_FILE, OpenError, lock_folder};
use crate::server::broker::redis::Redis;
use crate::server::config::Config;
use crate::server::node::Node;
use futures::FutureExt;
use std::path::Path;
use std::sync::Arc;

/// Reads the words after `admin`.
pub fn parse(words: &[&str]) -> Result<Ask, String> {
    match words {
        ["list"] => Ok(Ask::List),
        ["reset-password", handle] => Ok(Ask::ResetPassword((*handle).to_owned())),
        ["make-owner", handle] => Ok(Ask::MakeOwner((*handle).to_owned())),
        _ => {
            Err("write beck admin list, beck admin reset-password HANDLE or beck admin make-owner HANDLE"
                .into())
        }
    }
}

pub fn run(config: Config, ask: Ask) -> Ended {
    async move {
        let lines = match open(&config).await? {
            Some((log, _lock)) => alone(config, log, &ask).await,
            None => of_server(&config.data_dir, &ask).await,
        }?;
        for line in lines {
            say!("{line}");
        }
        Ok(())
    }
    .boxed()
}

/// The log, unless a server is at work on the folder.
async fn open(config: &Config) -> Result<Option<(SharedBroker, Option<FolderLock>)>, String> {
    let folder = &config.data_dir;
    if let Some(settings) = &config.redis {
        return match lock_folder(folder) {
            Ok(lock) => {
                let log = Redis::open_up_to(settings, config.newest_format).await?;
                Ok(Some((Arc::new(log), Some(lock))))
            }
            Err(OpenError::Locked(_)) => Ok(None),
            Err(fault) => Err(fault.to_string()),
        };
    }
    if !folder.join(LOG_FILE).is_file() {
        return Err(format!("there is no {LOG_FILE} in the folder {}: see DATA_DIR", folder.display()));
    }
    match Embedded::open(folder) {
        Ok(log) => Ok(Some((Arc::new(log), None))),
        Err(OpenError::Locked(_)) => Ok(None),
        Err(fault) => Err(fault.to_string()),
    }
}

async fn alone(config: Config, log: SharedBroker, ask: &Ask) -> Answer {
    let node = Node::start(config, log).await.map_err(|fault| fault.to_string())?;
    node.read_whole_log().await.map_err(|fault| fault.to_string())?;
    carry_out(&node, ask).await
}

#[cfg(unix)]
async fn of_server(folder: &Path, ask: &Ask) -> Answer {
    crate::server::admin::socket::ask(folder, ask).await
}

#[cfg(not(unix))]
async fn of_server(folder: &Path, _ask: &Ask) -> Answer {
    Err(format!("the data folder {} is in use by another Beck: stop it and run this again", folder.display()))
}
