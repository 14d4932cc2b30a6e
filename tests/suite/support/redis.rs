//! A Redis or Valkey server of one test, on a free loopback port, that flushes each write to disk.

use beck::server::broker::redis::RedisSettings;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    Redis,
    Valkey,
}

impl Store {
    /// The program: named by the environment, on the path, or where script/setup puts it.
    fn program(self) -> PathBuf {
        let (variable, name) = match self {
            Store::Redis => ("BECK_REDIS_SERVER", "redis-server"),
            Store::Valkey => ("BECK_VALKEY_SERVER", "valkey-server"),
        };
        if let Some(set) = std::env::var_os(variable) {
            return set.into();
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        let tools = PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/beck");
        for entry in std::fs::read_dir(tools).into_iter().flatten().flatten() {
            folders.push(entry.path().join("bin"));
        }
        let found = folders.into_iter().map(|folder| folder.join(name)).find(|program| program.is_file());
        found.unwrap_or_else(|| {
            panic!("there is no {name}: run script/setup stores, or name one in {variable}")
        })
    }
}

/// The server; its drop ends the process.
pub struct RedisServer {
    store: Store,
    folder: TempDir,
    arguments: Vec<String>,
    child: Option<Child>,
    pub port: u16,
}

impl RedisServer {
    pub fn start(store: Store) -> RedisServer {
        Self::start_with(store, &["--appendonly", "yes", "--appendfsync", "always"])
    }

    pub fn start_with(store: Store, arguments: &[&str]) -> RedisServer {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(store, folder, arguments)
    }

    /// As [`RedisServer::start_with`], in a folder that holds what the arguments name.
    pub fn start_in(store: Store, folder: TempDir, arguments: &[&str]) -> RedisServer {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let mut server = RedisServer { store, folder, arguments, child: None, port: 0 };
        // Between finding a free port and using it another may take it.
        for _ in 0..5 {
            server.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if server.launch() {
                return server;
            }
        }
        panic!("no store could be started");
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn launch(&mut self) -> bool {
        let mut child = Command::new(self.store.program())
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--daemonize",
                "no",
            ])
            .arg("--dir")
            .arg(self.folder.path())
            .args(&self.arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let ready = lines.any(|line| line.contains("eady to accept connections"));
        std::thread::spawn(move || lines.for_each(drop));
        if !ready {
            let _ = child.wait();
            return false;
        }
        self.child = Some(child);
        true
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts it again, with what is on its disk.
    pub fn restart(&mut self) {
        self.kill();
        assert!(self.launch(), "the store starts again");
    }

    /// Puts another folder's files in place of its own; only while it is dead.
    pub fn restore(&self, copy: &Path) {
        assert!(self.child.is_none());
        let own = self.folder.path().join("appendonlydir");
        std::fs::remove_dir_all(&own).unwrap();
        std::fs::create_dir(&own).unwrap();
        for file in std::fs::read_dir(copy.join("appendonlydir")).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), own.join(file.file_name())).unwrap();
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Sends it a signal, by its name for kill(1).
    pub fn signal(&self, name: &str) {
        let told = Command::new("kill").args([name, &self.pid().to_string()]).status().unwrap();
        assert!(told.success());
    }

    pub fn settings(&self) -> RedisSettings {
        RedisSettings::at("127.0.0.1", self.port)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// One command by a second client: words in, the raw answer out.
    pub fn command(&self, words: &[&str]) -> String {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut bytes = format!("*{}\r\n", words.len());
        for word in words {
            bytes.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        bytes.push_str("*1\r\n$4\r\nQUIT\r\n");
        socket.write_all(bytes.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        answer.strip_suffix("+OK\r\n").unwrap_or(&answer).to_owned()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
