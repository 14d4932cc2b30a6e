//! The servers that this computer is signed in at: a private file; the tokens lie in the system's keyring, if it has one.

use super::server::Server;
use crate::api::Boot;
use crate::protocol::AccountId;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Where tokens lie safer than in a file. A fault counts as not having it.
pub trait Keyring: Send {
    fn put(&self, key: &str, token: &str) -> bool;
    fn get(&self, key: &str) -> Option<String>;
    fn forget(&self, key: &str);
}

/// One login at one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Scheme, host and port, without a slash at the end.
    pub base: String,
    pub account: AccountId,
    pub workspace: String,
    /// Only where the keyring did not take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl Login {
    /// Its name in the keyring, and of its folder.
    pub fn key(&self) -> String {
        let place: String =
            self.base.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        format!("{place}-{}", self.account)
    }
}

pub struct Logins {
    folder: PathBuf,
    keyring: Box<dyn Keyring>,
    logins: Vec<Login>,
}

impl Logins {
    /// What the folder holds; nothing, if there is no such file. One that cannot be read is set aside.
    pub fn open(folder: &Path, keyring: Box<dyn Keyring>) -> std::io::Result<Logins> {
        super::disk::private_folder(folder)?;
        let path = folder.join("logins.json");
        let logins = match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).or_else(|_| {
                let aside = folder.join(format!("damaged-{}.json", super::now_ms()));
                fs::rename(&path, aside).map(|()| Vec::new())
            })?,
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(fault) => return Err(fault),
        };
        Ok(Logins { folder: folder.to_owned(), keyring, logins })
    }

    /// The one that was used last comes first.
    pub fn list(&self) -> &[Login] {
        &self.logins
    }

    /// Where what is kept of a login lies.
    pub fn folder(&self, login: &Login) -> PathBuf {
        self.folder.join(login.key())
    }

    /// Its server with its token; without a good one the engine finds the login ended, and one signs in again.
    pub fn server(&self, login: &Login) -> Option<Server> {
        let token = login.token.clone().or_else(|| self.keyring.get(&login.key())).unwrap_or_default();
        Server::new(&login.base, &token).ok()
    }

    /// Adds a login, or gives one its new token.
    pub fn put(&mut self, server: &Server, boot: &Boot) -> std::io::Result<Login> {
        let Some(me) = &boot.me else { return Err(std::io::Error::other("nobody is signed in")) };
        let (base, account, workspace) = (server.base().to_owned(), me.id, boot.workspace.clone());
        let mut login = Login { base, account, workspace, token: None };
        if !self.keyring.put(&login.key(), server.token()) {
            login.token = Some(server.token().to_owned());
        }
        self.logins.retain(|other| other.key() != login.key());
        self.logins.insert(0, login.clone());
        self.write()?;
        Ok(login)
    }

    /// Comes first from now on.
    pub fn used(&mut self, login: &Login) -> std::io::Result<()> {
        let Some(at) = self.logins.iter().position(|other| other.key() == login.key()) else { return Ok(()) };
        self.logins[..=at].rotate_right(1);
        self.write()
    }

    /// Takes a login away with all that was kept of it. Its engine must have stopped.
    pub fn remove(&mut self, login: &Login) -> std::io::Result<()> {
        self.keyring.forget(&login.key());
        self.logins.retain(|other| other.key() != login.key());
        self.write()?;
        match fs::remove_dir_all(self.folder(login)) {
            Err(fault) if fault.kind() != std::io::ErrorKind::NotFound => Err(fault),
            _ => Ok(()),
        }
    }

    fn write(&self) -> std::io::Result<()> {
        let (path, new) = (self.folder.join("logins.json"), self.folder.join("logins.json.new"));
        let _ = fs::remove_file(&new);
        let mut file = super::disk::private_file(&new)?;
        file.write_all(serde_json::to_string_pretty(&self.logins)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(new, path)
    }
}
