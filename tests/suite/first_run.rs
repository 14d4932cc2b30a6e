//! The one-time code of the first run, where the page can be reached from other machines.

use crate::support::redis::{RedisServer, Store};
use crate::support::server::{TestServer, form_at};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::tempdir;

/// Ends with the test, however that ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server that is bound to all addresses; its base on loopback and its code.
fn open_to_all(folder: &Path, url: &str) -> (Server, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_beck"))
        .env_clear()
        .envs([("IP", "0.0.0.0"), ("PORT", "0"), ("QR", "no"), ("LOG", "error"), ("REDIS_URL", url)])
        .env("DATA_DIR", folder)
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stdout = child.stdout.take().unwrap();
    let server = Server(child);
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let ready = lines.next().unwrap();
    let base = ready.strip_prefix("Beck is ready: ").unwrap().split(' ').next().unwrap().to_owned();
    let code = lines.find_map(|line| {
        line.strip_prefix("The first account needs this one-time code: ").map(str::to_owned)
    });
    std::thread::spawn(move || lines.for_each(drop));
    (server, base, code.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_of_one_store_ask_for_the_same_code_once() {
    let store = RedisServer::start(Store::Redis);
    let folders = [tempdir().unwrap(), tempdir().unwrap()];
    let (_first, _, code) = open_to_all(folders[0].path(), &store.url());
    let (_second, base, same) = open_to_all(folders[1].path(), &store.url());
    assert_eq!((code.len(), &code), (8, &same));
    let set_up = async |code: &str| {
        let fields = [
            ("workspace", "Here"),
            ("name", "Olive"),
            ("handle", "olive"),
            ("password", "a long password"),
            ("code", code),
        ];
        form_at(&base, "/setup", "", &fields).await.unwrap()
    };
    // Whichever of them is asked, behind a proxy.
    for wrong in ["", "00000000", &code[..7]] {
        assert_eq!(set_up(wrong).await.0, 422, "{wrong}");
    }
    assert_eq!(set_up(&code).await.0, 303);
    assert_eq!(store.command(&["EXISTS", "{beck}:secret:setup"]), ":0\r\n");
    assert_ne!(set_up(&code).await.0, 303);
    // On loopback none is asked for.
    let folder = tempdir().unwrap();
    TestServer::start(folder.path()).set_up().await;
}
