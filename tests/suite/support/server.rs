//! A real `beck` process on a free loopback port, and a client that speaks raw JSON to it.

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tokio_tungstenite::tungstenite::{Error, Message, client::IntoClientRequest};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub struct TestServer {
    child: Child,
    pub base: String,
}

impl TestServer {
    /// Starts a server on a folder; waits for its line.
    pub fn start(folder: &Path) -> TestServer {
        Self::start_with_public(folder, &folder.join("no-bundle"))
    }

    /// As [`TestServer::start`], with a folder of files that it serves beside its pages.
    pub fn start_with_public(folder: &Path, public: &Path) -> TestServer {
        Self::launch(folder, public, &[]).0
    }

    /// As [`TestServer::start`], with more settings; gives the line that says where it listens.
    pub fn start_set(folder: &Path, settings: &[(&str, &str)]) -> (TestServer, String) {
        Self::launch(folder, &folder.join("no-bundle"), settings)
    }

    /// As [`TestServer::start`], for a process that may have so many descriptors open, and no more.
    pub fn start_with_descriptors(folder: &Path, descriptors: u32) -> TestServer {
        let mut command = Command::new("sh");
        let limited = format!("ulimit -n {descriptors} && exec \"$0\"");
        command.args(["-c", &limited, env!("CARGO_BIN_EXE_beck")]);
        Self::launch_by(command, folder, &folder.join("no-bundle"), &[]).0
    }

    fn launch(folder: &Path, public: &Path, settings: &[(&str, &str)]) -> (TestServer, String) {
        Self::launch_by(Command::new(env!("CARGO_BIN_EXE_beck")), folder, public, settings)
    }

    fn launch_by(
        mut command: Command,
        folder: &Path,
        public: &Path,
        settings: &[(&str, &str)],
    ) -> (TestServer, String) {
        let mut child = command
            .env_clear()
            .env("DATA_DIR", folder)
            .env("PORT", "0")
            .env("LOG", "error")
            .env("DIOXUS_PUBLIC_PATH", public)
            .envs(settings.iter().copied())
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.next().unwrap().unwrap();
        let base = ready.strip_prefix("Beck is ready: ").unwrap().split(' ').next().unwrap().to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        (TestServer { child, base }, ready)
    }

    /// SIGKILL: nothing is flushed, nobody is told.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM: the server is asked to go.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Sends it a signal, by its name for kill(1).
    pub fn signal(&self, name: &str) {
        let told = Command::new("kill").args([name, &self.pid().to_string()]).status().unwrap();
        assert!(told.success());
    }

    /// Waits until the process has ended; gives its exit code, none if a signal ended it.
    pub fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    pub fn host(&self) -> &str {
        self.base.strip_prefix("http://").unwrap()
    }

    /// Posts a form as one of the server's own pages does, with these headers more.
    pub async fn post(
        &self,
        path: &str,
        cookie: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> reqwest::Response {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let body: Vec<_> = fields.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect();
        let mut request = client
            .post(format!("{}{path}", self.base))
            .header("origin", &self.base)
            .header("cookie", cookie)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.join("&"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    /// Posts a form as one of the server's own pages does; gives status, login cookie and location.
    pub async fn form(&self, path: &str, cookie: &str, fields: &[(&str, &str)]) -> (u16, String, String) {
        form_at(&self.base, path, cookie, fields).await.unwrap()
    }

    /// A page as somebody sees it: status, location, text.
    pub async fn page(&self, path: &str, cookie: &str) -> (u16, String, String) {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let request = client.get(format!("{}{path}", self.base)).header("cookie", cookie);
        let response = request.send().await.unwrap();
        let location =
            response.headers().get("location").map_or("", |value| value.to_str().unwrap()).to_owned();
        (response.status().as_u16(), location, response.text().await.unwrap())
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

    /// Signs somebody up by the join link, which the only member's page of a room shows; gives the cookie.
    pub async fn sign_up(&self, member: &str, room: &str, handle: &str) -> String {
        self.sign_up_by(&self.join_token(member, room).await, handle).await
    }

    /// What the join link ends with.
    pub async fn join_token(&self, member: &str, room: &str) -> String {
        let (_, _, page) = self.page(&format!("/r/{room}"), member).await;
        page.split("/join/").nth(1).unwrap()[..64].to_owned()
    }

    /// Signs somebody up; gives the cookie.
    pub async fn sign_up_by(&self, token: &str, handle: &str) -> String {
        let fields = [("name", handle), ("handle", handle), ("password", "a long password")];
        let (status, cookie, _) = self.form(&format!("/join/{token}"), "", &fields).await;
        assert_eq!(status, 303, "{handle} is in");
        cookie
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As [`TestServer::form`], by way of another address; fails where no answer comes.
pub async fn form_at(
    base: &str,
    path: &str,
    cookie: &str,
    fields: &[(&str, &str)],
) -> reqwest::Result<(u16, String, String)> {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let body: Vec<_> = fields.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect();
    let response = client
        .post(format!("{base}{path}"))
        .header("origin", base)
        .header("cookie", cookie)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.join("&"))
        .send()
        .await?;
    let header = |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap());
    let cookie = header("set-cookie").split(';').next().unwrap().to_owned();
    Ok((response.status().as_u16(), cookie, header("location").to_owned()))
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// A socket that speaks the protocol as JSON, without our types.
pub struct TestClient {
    socket: WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>,
    /// The close code that came, once [`TestClient::next`] gave none.
    pub closed: Option<u16>,
}

impl TestClient {
    pub async fn connect(server: &TestServer, cookie: &str) -> TestClient {
        TestClient::connect_at(server.host(), cookie).await
    }

    /// As [`TestClient::connect`], by way of another address.
    pub async fn connect_at(host: &str, cookie: &str) -> TestClient {
        let mut client = TestClient::upgrade(host, cookie).await;
        client.send(json!({ "t": "hello", "version": 1 })).await;
        assert_eq!(client.until("welcome").await["version"], 1);
        client
    }

    /// A socket on which nothing was said yet.
    pub async fn upgrade(host: &str, cookie: &str) -> TestClient {
        TestClient::try_upgrade(host, cookie).await.unwrap()
    }

    /// As [`TestClient::upgrade`]; fails with the status and the `Retry-After` that the upgrade is refused with.
    pub async fn try_upgrade(host: &str, cookie: &str) -> Result<TestClient, (u16, Option<String>)> {
        let mut request = format!("ws://{host}/ws").into_client_request().unwrap();
        request.headers_mut().insert("origin", format!("http://{host}").parse().unwrap());
        request.headers_mut().insert("cookie", cookie.parse().unwrap());
        match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => Ok(TestClient { socket, closed: None }),
            Err(Error::Http(answer)) => {
                let retry = answer.headers().get("retry-after");
                let retry = retry.map(|value| value.to_str().unwrap().to_owned());
                Err((answer.status().as_u16(), retry))
            }
            Err(fault) => panic!("{fault}"),
        }
    }

    /// As [`TestClient::connect_at`], of a client that leaves as much as it can with the server; and its port.
    pub async fn connect_with_little_room(host: &str, cookie: &str) -> (TestClient, u16) {
        let mut request = format!("ws://{host}/ws").into_client_request().unwrap();
        request.headers_mut().insert("origin", format!("http://{host}").parse().unwrap());
        request.headers_mut().insert("cookie", cookie.parse().unwrap());
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4 * 1024).unwrap();
        let stream = socket.connect(host.parse().unwrap()).await.unwrap();
        let port = stream.local_addr().unwrap().port();
        let connected = tokio_tungstenite::client_async(request, MaybeTlsStream::Plain(stream)).await;
        let mut client = TestClient { socket: connected.unwrap().0, closed: None };
        client.send(json!({ "t": "hello", "version": 1 })).await;
        client.until("welcome").await;
        (client, port)
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
                Some(Ok(Message::Close(frame))) => {
                    self.closed = frame.map(|frame| frame.code.into());
                    // The answer to the close: the server waits for it.
                    let _ = self.socket.flush().await;
                    return None;
                }
                Some(Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The close code that the server ends with, whatever it says before.
    pub async fn close_code(&mut self) -> Option<u16> {
        Some(self.close_frame().await?.0)
    }

    /// As [`TestClient::close_code`], with the reason.
    pub async fn close_frame(&mut self) -> Option<(u16, String)> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Close(frame))) => {
                    return frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                }
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

    /// Every row of a room, page by page: seq by id, each once.
    pub async fn all_rows(&mut self, room: &impl serde::Serialize, limit: u32) -> HashMap<String, u64> {
        let mut seen = HashMap::new();
        let mut after = 0;
        loop {
            let at = json!({ "after": after });
            self.send(json!({ "t": "page", "req": 1, "room": room, "at": at, "limit": limit })).await;
            let page = self.until("page").await;
            let rows = page["page"]["rows"].as_array().unwrap();
            let Some(last) = rows.last() else { return seen };
            after = last["ordinal"].as_u64().unwrap();
            for row in rows {
                let before = seen.insert(row["id"].as_str().unwrap().into(), row["seq"].as_u64().unwrap());
                assert_eq!(before, None, "a message is shown twice");
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
