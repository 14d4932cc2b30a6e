//! A server as a process, with its log lines and its start lines kept.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::NamedTempFile;

pub struct LoggedServer {
    child: Child,
    pub base: String,
    log: NamedTempFile,
}

impl LoggedServer {
    /// Starts a server under this umask, and waits until it says where it listens; fails with what it logged.
    pub fn start(folder: &Path, umask: &str) -> Result<LoggedServer, String> {
        Self::start_with(folder, umask, &[])
    }

    /// As [`LoggedServer::start`], with more settings.
    pub fn start_with(folder: &Path, umask: &str, settings: &[(&str, &str)]) -> Result<LoggedServer, String> {
        let log = NamedTempFile::new().unwrap();
        let script = format!("umask {umask} && exec \"$0\" serve");
        let mut child = Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_beck")])
            .env_clear()
            .env("DATA_DIR", folder)
            .env("PORT", "0")
            .env("LOG", "warn")
            .env("DIOXUS_PUBLIC_PATH", folder.join("no-bundle"))
            .envs(settings.iter().copied())
            .current_dir(std::env::temp_dir())
            .stdout(Stdio::piped())
            .stderr(log.reopen().unwrap())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let ready = lines.by_ref().find_map(|line| line.strip_prefix("Beck is ready: ").map(str::to_owned));
        let Some(ready) = ready else {
            child.wait().unwrap();
            return Err(std::fs::read_to_string(log.path()).unwrap());
        };
        std::thread::spawn(move || lines.for_each(drop));
        let base = ready.split(' ').next().unwrap().to_owned();
        Ok(LoggedServer { child, base, log })
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }

    /// Status and body of /readyz.
    pub async fn readyz(&self) -> (u16, String) {
        let response = reqwest::get(format!("{}/readyz", self.base)).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Stops it with SIGTERM; gives what it has logged.
    pub fn stop(mut self) -> String {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{}", self.log());
        self.log()
    }
}

impl Drop for LoggedServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
