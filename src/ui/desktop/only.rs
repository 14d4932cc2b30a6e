//! One app at a time for each person: a second one asks the first to show itself, and ends.

use super::wish::Wishes;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Held while this app runs.
pub struct Only {
    _lock: File,
}

/// `None`: another one runs, and was asked to show itself.
pub fn claim(folder: &Path, wishes: Arc<Wishes>) -> std::io::Result<Option<Only>> {
    fs::create_dir_all(folder)?;
    // Port and password of the one that runs; its owner alone can read it.
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut lock = options.open(folder.join("running"))?;
    if lock.try_lock().is_err() {
        let mut text = String::new();
        lock.read_to_string(&mut text)?;
        if let Some((port, word)) = text.split_once(' ')
            && let Ok(port) = port.parse::<u16>()
            && let Ok(mut other) = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        {
            other.write_all(word.as_bytes())?;
        }
        return Ok(None);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let word = uuid::Uuid::new_v4().to_string();
    lock.set_len(0)?;
    lock.write_all(format!("{} {word}", listener.local_addr()?.port()).as_bytes())?;
    std::thread::Builder::new().name("only".into()).spawn(move || {
        for other in listener.incoming().flatten() {
            let _ = other.set_read_timeout(Some(Duration::from_secs(2)));
            let mut said = String::new();
            let _ = other.take(word.len() as u64).read_to_string(&mut said);
            if said == word {
                wishes.show();
            }
        }
    })?;
    Ok(Some(Only { _lock: lock }))
}
