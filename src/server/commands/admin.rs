//! `beck admin`: what the administrator of the machine may do, while Beck runs and while it is stopped.

use super::Ended;
use crate::protocol::ClientId;
use crate::server::admin::{Answer, Ask, carry_out};
use crate::server::broker::SharedBroker;
use crate::server::broker::embedded::{Embedded, FolderLock, LOG_FILE, OpenError, lock_folder};
use crate::server::broker::redis::Redis;
use crate::server::config::Config;
use crate::server::node::Node;
use futures::FutureExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the command does.
pub enum Task {
    /// One question, and its answer.
    Ask(Ask),
    /// Shows a message, asks unless that is said to be done, and deletes it.
    Delete { message: String, confirmed: bool },
}

/// Reads the words after `admin`.
pub fn parse(words: &[&str]) -> Result<Task, String> {
    let ask = match words {
        ["list"] => Ask::List,
        ["reset-password", handle] => Ask::ResetPassword((*handle).to_owned()),
        ["make-owner", handle] => Ask::MakeOwner((*handle).to_owned()),
        ["delete", message, "--yes"] | ["delete", "--yes", message] => {
            return Ok(Task::Delete { message: (*message).to_owned(), confirmed: true });
        }
        ["delete", message] if *message != "--yes" => {
            return Ok(Task::Delete { message: (*message).to_owned(), confirmed: false });
        }
        _ => {
            return Err(
                "write beck admin list, beck admin reset-password HANDLE, beck admin make-owner HANDLE or beck admin delete LINK"
                    .into(),
            );
        }
    };
    Ok(Task::Ask(ask))
}

pub fn run(config: Config, task: Task) -> Ended {
    async move {
        let place = Place::open(config).await?;
        let ask = match task {
            Task::Ask(ask) => ask,
            Task::Delete { message, confirmed } => {
                let shown = place.ask(&Ask::ShowMessage(message)).await?;
                Ask::DeleteMessage(confirm(&shown, confirmed).await?)
            }
        };
        for line in place.ask(&ask).await? {
            say!("{line}");
        }
        Ok(())
    }
    .boxed()
}

/// Prints a message and asks whether it is to be deleted; gives its id.
async fn confirm(shown: &[String], confirmed: bool) -> Result<ClientId, String> {
    let (id, lines) = shown.split_first().ok_or("the running Beck answered nothing")?;
    let id = id.parse().map_err(|_| "the running Beck is of another version")?;
    for line in lines {
        say!("{line}");
    }
    if confirmed {
        return Ok(id);
    }
    say!("\nDelete this for everybody, for ever? yes or no:");
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).map(|_| answer)
    });
    let answer = answer.await.map_err(|fault| fault.to_string())?.map_err(|fault| fault.to_string())?;
    match answer.trim().to_lowercase().as_str() {
        "yes" | "y" => Ok(id),
        _ => Err("nothing was deleted".into()),
    }
}

/// Who answers.
enum Place {
    /// This process. The folder stays locked until after the node is dropped.
    Here { node: Arc<Node>, _lock: Option<FolderLock> },
    /// The server that is at work on this folder.
    Server(PathBuf),
}

impl Place {
    async fn open(config: Config) -> Result<Place, String> {
        let Some((log, lock)) = open(&config).await? else { return Ok(Place::Server(config.data_dir)) };
        let node = Node::start(config, log).await.map_err(|fault| fault.to_string())?;
        node.read_whole_log().await.map_err(|fault| fault.to_string())?;
        Ok(Place::Here { node, _lock: lock })
    }

    async fn ask(&self, ask: &Ask) -> Answer {
        match self {
            Place::Here { node, .. } => carry_out(node, ask).await,
            Place::Server(folder) => of_server(folder, ask).await,
        }
    }
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

#[cfg(unix)]
async fn of_server(folder: &Path, ask: &Ask) -> Answer {
    crate::server::admin::socket::ask(folder, ask).await
}

#[cfg(not(unix))]
async fn of_server(folder: &Path, _ask: &Ask) -> Answer {
    Err(format!("the data folder {} is in use by another Beck: stop it and run this again", folder.display()))
}
