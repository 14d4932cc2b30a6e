//! A real `beck` process on a free loopback port, and a client that speaks raw JSON to it.

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub struct TestServer {
    child: Child,
    pub base: String,
}

impl TestServer {
    /// Starts a server on a folder; waits for its line.
    pub fn start(folder: &Path) -> TestServer {
        let mut child = Command::new(env!("CARGO_BIN_EXE_beck"))
            .env_clear()
            .env("DATA_DIR", folder)
            .env("PORT", "0")
            .env("LOG", "error")
            .env("DIOXUS_PUBLIC_PATH", folder.join("no-bundle"))
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.next().unwrap().unwrap();
        let base = ready.strip_prefix("Beck is ready: ").unwrap().split(' ').next().unwrap().to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        TestServer { child, base }
    }

    /// SIGKILL: nothing is flushed, nobody is told.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn host(&self) -> &str {
        self.base.strip_prefix("http://").unwrap()
    }

    /// Posts a form as one of the server's own pages does; gives status, login cookie and location.
    pub async fn form(&self, path: &str, cookie: &str, fields: &[(&str, &str)]) -> (u16, String, String) {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let body: Vec<_> = fields.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect();
        let response = client
            .post(format!("{}{path}", self.base))
            .header("origin", &self.base)
            .header("cookie", cookie)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.join("&"))
            .send()
            .await
            .unwrap();
        let header = |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap());
        let cookie = header("set-cookie").split(';').next().unwrap().to_owned();
        (response.status().as_u16(), cookie, header("location").to_owned())
    }

    /// The first run; gives the owner's cookie and the id of General.
    pub async fn set_up(&self) -> (String, String) {
        let fields = [
            ("workspace", "Test Place"),
            ("name", "Olive Owner"),
            ("handle", "olive"),
            ("password", "a long password"),
        ];
        let (status, cookie, location) = self.form("/setup", "", &fields).await;
        assert_eq!(status, 303, "the first run is answered with the room");
        (cookie, location.strip_prefix("/r/").unwrap().to_owned())
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// A socket that speaks the protocol as JSON, without our types.
pub struct TestClient {
    socket: WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>,
}

impl TestClient {
    pub async fn connect(server: &TestServer, cookie: &str) -> TestClient {
        let mut request = format!("ws://{}/ws", server.host()).into_client_request().unwrap();
        request.headers_mut().insert("origin", server.base.parse().unwrap());
        request.headers_mut().insert("cookie", cookie.parse().unwrap());
        let (socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        let mut client = TestClient { socket };
        client.send(json!({ "t": "hello", "version": 1 })).await;
        assert_eq!(client.until("welcome").await["version"], 1);
        client
    }

    pub async fn send(&mut self, frame: Value) {
        self.send_raw(Message::text(frame.to_string())).await;
    }

    /// Errors are left for the next read to see.
    pub async fn send_raw(&mut self, message: Message) {
        let _ = self.socket.send(message).await;
    }

    /// The next frame; `None` once the socket is closed.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The close code that the server ends with, whatever it says before.
    pub async fn close_code(&mut self) -> Option<u16> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                _ => return None,
            }
        }
    }

    /// Reads until a frame of this kind.
    pub async fn until(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await.unwrap_or_else(|| panic!("closed before {kind}"));
            if frame["t"] == kind {
                return frame;
            }
        }
    }

    pub async fn post(&mut self, room: &str, id: &str, text: &str) {
        self.send(json!({ "t": "post", "id": id, "room": room, "text": text })).await;
    }
}

/// Bytes on the wire without any library: for requests that libraries refuse to make.
pub fn raw_request(server: &TestServer, bytes: &[u8]) -> String {
    use std::io::Write;
    let mut socket = std::net::TcpStream::connect(server.host()).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let _ = socket.write_all(bytes);
    let mut answer = Vec::new();
    let _ = socket.take(64 * 1024).read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}
