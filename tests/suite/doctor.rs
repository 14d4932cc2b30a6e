//! `beck doctor` finds each planted fault, and nothing else.

mod address;
mod here;
mod store;

use crate::support::command::Running;
use crate::support::server::TestServer;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What the doctor said that is not well, as "fault upgrade"; and all of it.
pub struct Said {
    pub bad: Vec<String>,
    pub names: Vec<String>,
    pub text: String,
}

/// Runs it; its exit code must fit what it says.
pub fn doctor(words: &[&str], set: &[(&str, &str)]) -> Said {
    let words: Vec<_> = ["doctor"].iter().chain(words).copied().collect();
    let (done, text) = tokio::task::block_in_place(|| Running::start(&words, set).end());
    let lines = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (level, name) = (words.next()?, words.next()?);
        matches!(level, "ok" | "warning" | "fault").then(|| (level.to_owned(), name.to_owned()))
    });
    let lines: Vec<_> = lines.collect();
    let bad: Vec<_> = lines
        .iter()
        .filter(|(level, _)| level != "ok")
        .map(|(level, name)| format!("{level} {name}"))
        .collect();
    assert_eq!(done, !bad.iter().any(|bad| bad.starts_with("fault")), "{text}");
    assert!(text.contains("Faults: "), "{text}");
    Said { bad, names: lines.into_iter().map(|(_, name)| name).collect(), text }
}

impl Said {
    /// Exactly this was found, in words that hold these.
    pub fn only(&self, bad: &[&str], says: &[&str]) {
        assert_eq!(self.bad, bad, "{}", self.text);
        for says in says {
            assert!(self.text.contains(says), "{says:?} is not in: {}", self.text);
        }
    }
}

/// A folder that looks like a bundle.
pub fn bundle(beside: &Path) -> PathBuf {
    let bundle = beside.join("bundle");
    std::fs::create_dir_all(bundle.join("wasm")).unwrap();
    std::fs::write(bundle.join("wasm/beck.wasm"), "").unwrap();
    bundle
}

/// A port that nothing listens on.
pub fn free_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

/// Where a server without a PUBLIC_URL listens.
pub fn port_of(server: &TestServer) -> &str {
    server.base.rsplit(':').next().unwrap()
}

/// A folder that others have no way into.
pub fn private_folder() -> TempDir {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir().unwrap()
}
