//! The socket in the data folder by which the administrator's commands reach the server that is at work on it. The
//! system lets nobody else in than who may write to the folder's files: the server's own user.

use super::{Answer, Ask, carry_out};
use crate::server::node::Node;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

const SOCKET_FILE: &str = "admin.sock";
const ASK_BYTES: u64 = 4 * 1024;
const ASK_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Answers until it is dropped, which takes the socket away: a folder that is copied has none.
pub struct AdminSocket {
    path: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The caller holds the folder's lock until after what is given back is dropped.
pub fn serve(node: &Arc<Node>, folder: &Path) -> std::io::Result<AdminSocket> {
    let (path, unready) = (folder.join(SOCKET_FILE), folder.join("admin.sock.new"));
    let _ = std::fs::remove_file(&unready);
    let listener = UnixListener::bind(&unready)?;
    // Its own rights before anybody knows its name.
    std::fs::set_permissions(&unready, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&unready, &path)?;
    Ok(AdminSocket { path, task: node.watch_task("admin-socket", listen(Arc::downgrade(node), listener)) })
}

/// One after the other: there are few.
async fn listen(node: Weak<Node>, listener: UnixListener) {
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Some(node) = node.upgrade() else { return };
        if let Err(fault) = answer(&node, socket).await {
            tracing::warn!(%fault, "a command of the administrator got no answer");
        }
    }
}

async fn answer(node: &Arc<Node>, socket: UnixStream) -> std::io::Result<()> {
    let (from, mut to) = socket.into_split();
    let mut line = String::new();
    let mut from = BufReader::new(from.take(ASK_BYTES));
    tokio::time::timeout(ASK_TIMEOUT, from.read_line(&mut line)).await??;
    let answer: Answer = match serde_json::from_str::<Ask>(&line) {
        Ok(ask) => carry_out(node, &ask).await,
        Err(_) => Err("the running Beck does not know this command: it is of another version".into()),
    };
    to.write_all(format!("{}\n", serde_json::json!(answer)).as_bytes()).await
}

/// Asks the server that has the folder.
pub async fn ask(folder: &Path, ask: &Ask) -> Answer {
    let shown = folder.display();
    let asked = async {
        let socket = UnixStream::connect(folder.join(SOCKET_FILE)).await?;
        let (mut from, mut to) = socket.into_split();
        to.write_all(format!("{}\n", serde_json::json!(ask)).as_bytes()).await?;
        let mut answer = String::new();
        from.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    match tokio::time::timeout(ANSWER_TIMEOUT, asked).await {
        Ok(Ok(answer)) => serde_json::from_str(&answer).unwrap_or_else(|_| {
            Err(format!("the Beck that is at work on {shown} broke off: see its log, and run this again"))
        }),
        Ok(Err(fault)) => Err(format!(
            "the data folder {shown} is in use by another Beck, which cannot be asked ({fault}): run this as its user, or stop it and run this again"
        )),
        Err(_) => {
            Err(format!("the Beck that is at work on {shown} does not answer: stop it and run this again"))
        }
    }
}
