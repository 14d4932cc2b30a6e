//! A TCP proxy that does to connections what networks do: it closes them, lets them freeze without a word, delays,
//! writes byte by byte, and loses answers whose work was done. Each fault is counted, and what the server said is kept.
//! Before several servers it gives each connection to one of them by chance, to another where that one is gone.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Faults that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub connections: u64,
    /// Connections that were closed, those among them whose answer was lost too.
    pub cut: u64,
    /// Connections that were frozen.
    pub frozen: u64,
    /// Pieces that came later than they could.
    pub delayed: u64,
    /// Writes of one byte.
    pub single_bytes: u64,
    /// Answers that the server gave and no client got.
    pub lost: u64,
}

/// What is done to one connection.
#[derive(Debug, Clone, Copy, Default)]
struct Mode {
    cut: bool,
    frozen: bool,
    single_bytes: bool,
    delay: Duration,
    lose: bool,
}

/// One connection from a client to the server.
struct Line {
    mode: watch::Sender<Mode>,
    dice: Mutex<StdRng>,
    open: watch::Sender<bool>,
    frames: Mutex<Vec<String>>,
    /// The server that has it, and the cookies of its first request.
    ends: Mutex<(Option<SocketAddr>, Option<String>)>,
}

struct Shared {
    servers: Mutex<Vec<SocketAddr>>,
    dice: Mutex<StdRng>,
    lines: Mutex<Vec<Arc<Line>>>,
    losing: watch::Sender<bool>,
    lost: Mutex<Vec<String>>,
    counts: Mutex<Counts>,
}

/// The proxy; its drop closes every connection.
pub struct CuttingProxy {
    shared: Arc<Shared>,
    addr: SocketAddr,
    accepting: JoinHandle<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

impl CuttingProxy {
    /// Listens on a free loopback port. The same seed picks the same connections.
    pub async fn start(server: &str, seed: u64) -> CuttingProxy {
        println!("proxy: seed {seed}");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            servers: Mutex::new(vec![server.parse().unwrap()]),
            dice: Mutex::new(StdRng::seed_from_u64(seed)),
            lines: Mutex::default(),
            losing: watch::Sender::new(false),
            lost: Mutex::default(),
            counts: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(shared.clone(), listener, seed));
        CuttingProxy { shared, addr, accepting }
    }

    /// Host and port for clients.
    pub fn addr(&self) -> String {
        self.addr.to_string()
    }

    /// New connections go to another server: the old one was started anew.
    pub fn aim(&self, server: &str) {
        self.aim_at([server]);
    }

    /// New connections go to one of these servers.
    pub fn aim_at<'a>(&self, servers: impl IntoIterator<Item = &'a str>) {
        *lock(&self.shared.servers) = servers.into_iter().map(|server| server.parse().unwrap()).collect();
    }

    /// How often somebody, told by his cookie, came back to another server than the one he had before.
    pub fn moves(&self) -> u64 {
        let mut last = HashMap::new();
        let mut moves = 0;
        for line in lock(&self.shared.lines).iter() {
            if let (Some(server), Some(who)) = &*lock(&line.ends) {
                let before = last.insert(who.clone(), *server);
                moves += u64::from(before.is_some_and(|before| before != *server));
            }
        }
        moves
    }

    /// Changes some of the connections that are open and not cut already; gives how many.
    fn some(&self, p: f64, change: impl Fn(&mut Mode)) -> u64 {
        let mut changed = 0;
        let there = |line: &&Arc<Line>| *line.open.borrow() && !line.mode.borrow().cut;
        for line in lock(&self.shared.lines).iter().filter(there) {
            if lock(&self.shared.dice).random_bool(p) {
                line.mode.send_modify(&change);
                changed += 1;
            }
        }
        changed
    }

    /// Closes each open connection with probability `p`; gives how many.
    pub fn cut_some(&self, p: f64) -> u64 {
        let cut = self.some(p, |mode| mode.cut = true);
        lock(&self.shared.counts).cut += cut;
        cut
    }

    /// Lets each open connection with probability `p` carry nothing more, without closing it.
    pub fn freeze_some(&self, p: f64) -> u64 {
        let frozen = self.some(p, |mode| mode.frozen = true);
        lock(&self.shared.counts).frozen += frozen;
        frozen
    }

    /// Delays each piece of some connections, both ways, by up to `most`.
    pub fn delay_some(&self, p: f64, most: Duration) -> u64 {
        self.some(p, |mode| mode.delay = most)
    }

    /// Writes each byte of some connections by itself, both ways.
    pub fn dribble_some(&self, p: f64) -> u64 {
        self.some(p, |mode| mode.single_bytes = true)
    }

    /// From now on the server's answers to proposals and forms are lost, each with its connection.
    pub fn lose_replies(&self) {
        self.shared.losing.send_replace(true);
        self.some(1.0, |mode| mode.lose = true);
    }

    /// From now on everything flows; what is frozen goes on where it stood.
    pub fn mend(&self) {
        self.shared.losing.send_replace(false);
        for line in lock(&self.shared.lines).iter() {
            line.mode.send_modify(|mode| *mode = Mode { cut: mode.cut, ..Mode::default() });
        }
    }

    pub fn counts(&self) -> Counts {
        *lock(&self.shared.counts)
    }

    /// The text frames that the server sent and that were passed on, by connection in the order of arrival.
    pub fn frames(&self) -> Vec<Vec<String>> {
        lock(&self.shared.lines).iter().map(|line| lock(&line.frames).clone()).collect()
    }

    /// The lost answers: frames, or whole pieces of plain HTTP.
    pub fn lost(&self) -> Vec<String> {
        lock(&self.shared.lost).clone()
    }
}

impl Drop for CuttingProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener, seed: u64) {
    let mut lines = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let number = {
            let mut counts = lock(&shared.counts);
            counts.connections += 1;
            counts.connections
        };
        let line = Arc::new(Line {
            mode: watch::Sender::new(Mode { lose: *shared.losing.borrow(), ..Mode::default() }),
            dice: Mutex::new(StdRng::seed_from_u64(seed ^ (number << 32))),
            open: watch::Sender::new(true),
            frames: Mutex::default(),
            ends: Mutex::default(),
        });
        lock(&shared.lines).push(line.clone());
        lines.spawn(carry(shared.clone(), line, client));
        while lines.try_join_next().is_some() {}
    }
}

async fn carry(shared: Arc<Shared>, line: Arc<Line>, client: TcpStream) {
    let mut servers = lock(&shared.servers).clone();
    servers.shuffle(&mut *lock(&line.dice));
    let mut server = None;
    for address in servers {
        if let Ok(found) = TcpStream::connect(address).await {
            lock(&line.ends).0 = Some(address);
            server = Some(found);
            break;
        }
    }
    if let Some(server) = server {
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let up = pass(&shared, &line, from_client, to_server, None);
        let down = pass(&shared, &line, from_server, to_client, Some(Decoder::default()));
        let mut mode = line.mode.subscribe();
        tokio::select! {
            _ = async { tokio::join!(up, down) } => {}
            () = until(&mut mode, |mode| mode.cut) => {}
        }
    }
    line.open.send_replace(false);
}

async fn until(mode: &mut watch::Receiver<Mode>, holds: impl FnMut(&Mode) -> bool) {
    let _ = mode.wait_for(holds).await;
}

/// Carries one direction to its end; `decoder` is there on the way to the client.
async fn pass(
    shared: &Shared,
    line: &Line,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut decoder: Option<Decoder>,
) {
    let mut mode = line.mode.subscribe();
    let mut bytes = vec![0; 16 * 1024];
    loop {
        until(&mut mode, |mode| !mode.frozen).await;
        let read = tokio::select! {
            read = from.read(&mut bytes) => read.unwrap_or(0),
            () = until(&mut mode, |mode| mode.frozen) => continue,
        };
        if decoder.is_none() && lock(&line.ends).1.is_none() {
            let head = String::from_utf8_lossy(&bytes[..read]).into_owned();
            let cookie = head.lines().find_map(|line| line.strip_prefix("cookie: "));
            lock(&line.ends).1 = cookie.map(str::to_owned);
        }
        let pieces = match &mut decoder {
            None => vec![Piece { raw: bytes[..read].to_vec(), text: None, answer: false }],
            Some(decoder) if read == 0 => decoder.rest(),
            Some(decoder) => decoder.take(&bytes[..read]),
        };
        for piece in pieces {
            if piece.answer && mode.borrow().lose {
                let text = piece.text.unwrap_or_else(|| String::from_utf8_lossy(&piece.raw).into_owned());
                lock(&shared.lost).push(text);
                let mut counts = lock(&shared.counts);
                counts.lost += 1;
                counts.cut += 1;
                line.mode.send_modify(|mode| mode.cut = true);
                return;
            }
            if write(shared, line, &mut mode, &mut to, &piece.raw).await.is_err() {
                return;
            }
            lock(&line.frames).extend(piece.text);
        }
        if read == 0 {
            let _ = to.shutdown().await;
            return;
        }
    }
}

async fn write(
    shared: &Shared,
    line: &Line,
    mode: &mut watch::Receiver<Mode>,
    to: &mut OwnedWriteHalf,
    raw: &[u8],
) -> std::io::Result<()> {
    let delay = mode.borrow().delay;
    if !delay.is_zero() && !raw.is_empty() {
        let wait = lock(&line.dice).random_range(Duration::ZERO..=delay);
        lock(&shared.counts).delayed += 1;
        tokio::time::sleep(wait).await;
    }
    let size = if mode.borrow().single_bytes { 1 } else { raw.len().max(1) };
    for part in raw.chunks(size) {
        until(mode, |mode| !mode.frozen).await;
        if size == 1 {
            lock(&shared.counts).single_bytes += 1;
        }
        to.write_all(part).await?;
    }
    Ok(())
}

/// Bytes that are passed on together.
#[derive(Debug, PartialEq, Eq)]
struct Piece {
    raw: Vec<u8>,
    /// The text message that ends here.
    text: Option<String>,
    /// The answer to a proposal or a form.
    answer: bool,
}

/// Cuts what a server sends into its head, WebSocket frames and messages. RFC 6455, written a second time.
#[derive(Default)]
struct Decoder {
    held: Vec<u8>,
    form: Form,
    message: Vec<u8>,
    is_text: bool,
}

#[derive(Default, PartialEq)]
enum Form {
    #[default]
    Head,
    Plain,
    Frames,
}

impl Decoder {
    fn take(&mut self, bytes: &[u8]) -> Vec<Piece> {
        self.held.extend_from_slice(bytes);
        let mut pieces = Vec::new();
        while let Some(length) = self.length() {
            let raw: Vec<u8> = self.held.drain(..length).collect();
            let (text, answer) = match self.form {
                Form::Plain => (None, true),
                Form::Head => {
                    let upgraded = raw.starts_with(b"HTTP/1.1 101");
                    self.form = if upgraded { Form::Frames } else { Form::Plain };
                    (None, !upgraded)
                }
                Form::Frames => {
                    let text = self.message(&raw);
                    let kinds = [r#"{"t":"ack""#, r#"{"t":"error""#];
                    let answer = text.as_ref().is_some_and(|text| kinds.iter().any(|k| text.starts_with(k)));
                    (text, answer)
                }
            };
            pieces.push(Piece { raw, text, answer });
        }
        pieces
    }

    /// At the end: what is no whole frame goes on too, as it does in a network.
    fn rest(&mut self) -> Vec<Piece> {
        vec![Piece { raw: std::mem::take(&mut self.held), text: None, answer: false }]
    }

    /// Bytes of the first whole piece, if it is there.
    fn length(&self) -> Option<usize> {
        let held = &self.held;
        match self.form {
            Form::Plain => (!held.is_empty()).then_some(held.len()),
            Form::Head => held.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4),
            Form::Frames => {
                let short = held.get(1)? & 0x7f;
                let (head, length) = match short {
                    126 => (4, u64::from(u16::from_be_bytes(held.get(2..4)?.try_into().unwrap()))),
                    127 => (10, u64::from_be_bytes(held.get(2..10)?.try_into().unwrap())),
                    short => (2, u64::from(short)),
                };
                let whole = head + usize::try_from(length).unwrap();
                (held.len() >= whole).then_some(whole)
            }
        }
    }

    /// The text message that ends with this frame.
    fn message(&mut self, frame: &[u8]) -> Option<String> {
        assert_eq!((frame[0] & 0x70, frame[1] & 0x80), (0, 0), "a server neither extends nor masks frames");
        let head = match frame[1] {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        match frame[0] & 0x0f {
            // Pings and closes come between the fragments of a message.
            8.. => return None,
            0 => {}
            code => {
                self.is_text = code == 1;
                self.message.clear();
            }
        }
        self.message.extend_from_slice(&frame[head..]);
        let whole = frame[0] & 0x80 != 0;
        (whole && self.is_text).then(|| String::from_utf8(std::mem::take(&mut self.message)).unwrap())
    }
}

#[test]
fn server_frames_are_put_together_however_they_are_cut() {
    let long = "x".repeat(70_000);
    let mut stream = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n".to_vec();
    let mut frame = |first: u8, text: &str| {
        stream.push(first);
        match text.len() {
            n @ 0..126 => stream.push(n as u8),
            n @ 126..65_536 => stream.extend([&[126], &(n as u16).to_be_bytes()[..]].concat()),
            n => stream.extend([&[127], &(n as u64).to_be_bytes()[..]].concat()),
        }
        stream.extend(text.as_bytes());
    };
    frame(0x81, r#"{"t":"ack"}"#);
    frame(0x01, "one ");
    frame(0x89, "ping");
    frame(0x00, "two ");
    frame(0x80, "three");
    frame(0x82, "binary");
    frame(0x81, &long[..300]);
    frame(0x81, &long);
    frame(0x88, "\u{3}\u{e8}");
    let expected = [r#"{"t":"ack"}"#, "one two three", &long[..300], &long];
    for size in [1, 2, 3, 7, 64, 1_000, stream.len()] {
        let mut decoder = Decoder::default();
        let pieces: Vec<_> = stream.chunks(size).flat_map(|chunk| decoder.take(chunk)).collect();
        let texts: Vec<_> = pieces.iter().filter_map(|piece| piece.text.as_deref()).collect();
        assert_eq!(texts, expected, "in pieces of {size}");
        assert_eq!(pieces.iter().filter(|piece| piece.answer).count(), 1);
        let raw: Vec<_> = pieces.iter().flat_map(|piece| piece.raw.clone()).collect();
        assert!(raw == stream && decoder.held.is_empty(), "every byte is passed on");
    }
    let mut plain = Decoder::default();
    let pieces = plain.take(b"HTTP/1.1 303 See Other\r\n\r\nbody");
    assert!(pieces.len() == 2 && pieces.iter().all(|piece| piece.answer));
}
