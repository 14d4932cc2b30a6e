//! All clients of a run: they connect, say what their server wants to hear, and give what they receive to the workload.

use crate::clock::{Clock, MILLISECOND, Nanos, SECOND};
use crate::frame;
use crate::protocol::{self, Protocol};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};

/// Sockets that may be opening at once: fewer than a listener's usual backlog.
const OPENING: usize = 800;
/// All clients must be ready by then.
const READY_WITHIN: Nanos = 180 * SECOND;
/// A client that has said nothing for so long sends a heartbeat.
const HEARTBEAT: Nanos = 20 * SECOND;
/// The longest sleep of the event loop.
const LONGEST_WAIT: Nanos = 50 * MILLISECOND;
const TIMER: Token = Token(usize::MAX);

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    pub protocol: protocol::Options,
    /// Servers as address:port, with commas between; the members of each room are spread over them in turn
    #[arg(long, value_delimiter = ',', required = true)]
    pub to: Vec<SocketAddr>,
    /// Process ids of the servers, whose CPU time and memory are reported
    #[arg(long, value_delimiter = ',')]
    pub server_pid: Vec<u32>,
    /// Process id of the store behind them, reported by itself
    #[arg(long, value_delimiter = ',')]
    pub store_pid: Vec<u32>,
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rooms: u32,
    /// Clients of each room
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub members: u32,
    /// Rooms that each client subscribes to besides its own: those that follow it
    #[arg(long, default_value_t = 0)]
    pub more_rooms: u32,
    /// Do not subscribe at all
    #[arg(long)]
    pub no_subscriptions: bool,
}

pub struct Clients {
    pub clock: Clock,
    pub protocol: Protocol,
    pub rooms: usize,
    servers: usize,
    /// The first complaint of a server, or why the first socket closed.
    pub first_fault: Option<String>,
    pub complaints: usize,
    pub closed: usize,
    opening: usize,
    ready: usize,
    poll: Poll,
    list: Vec<Client>,
    buffer: Vec<u8>,
    heartbeats_at: Nanos,
}

struct Client {
    socket: TcpStream,
    state: State,
    /// Bytes of a frame, or of the answer to the upgrade, that is not whole yet.
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    answers: usize,
    spoke_at: Nanos,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Opening,
    Open,
    Ready,
    Closed,
}

/// What a workload is given of each frame that a ready client received.
pub struct Received<'a> {
    pub client: usize,
    /// The client's, as an index.
    pub server: usize,
    pub at: Nanos,
    pub payload: &'a [u8],
    pub protocol: &'a Protocol,
}

impl Clients {
    /// Opens all clients and waits until each is subscribed to its rooms. Returns the time that it took.
    pub fn open(options: &Options) -> Result<(Self, Nanos)> {
        let (rooms, members) = (options.rooms as usize, options.members as usize);
        let count = rooms * members;
        let poll = Poll::new().context("epoll")?;
        let mut all = Self {
            clock: Clock::start(poll.registry(), TIMER)?,
            protocol: Protocol::load(&options.protocol, rooms, count)?,
            rooms,
            servers: options.to.len(),
            first_fault: None,
            complaints: 0,
            closed: 0,
            opening: 0,
            ready: 0,
            poll,
            list: Vec::with_capacity(count),
            buffer: vec![0; 256 * 1024],
            heartbeats_at: 0,
        };
        let subscribe = if options.no_subscriptions { 0 } else { 1 + options.more_rooms as usize };
        let start = all.clock.now();
        while all.ready < count {
            while all.list.len() < count && all.opening < OPENING {
                all.connect(&options.to)?;
            }
            all.turn(10 * MILLISECOND, subscribe, &mut |_| true)?;
            if all.closed > 0 {
                bail!("{}", all.fault());
            }
            if all.clock.now() - start > READY_WITHIN {
                let (ready, fault) = (all.ready, all.fault());
                bail!(
                    "only {ready} of {count} clients were ready after {} s; {fault}",
                    READY_WITHIN / SECOND
                );
            }
        }
        let took = all.clock.now() - start;
        Ok((all, took))
    }

    pub fn count(&self) -> usize {
        self.list.len()
    }

    pub fn room(&self, client: usize) -> usize {
        client % self.rooms
    }

    /// Members of a room take the servers in turn, so each room spans all of them.
    pub fn server(&self, client: usize) -> usize {
        client / self.rooms % self.servers
    }

    /// Sends a text frame now, or as soon as the socket takes it. False if the client is closed.
    pub fn send(&mut self, client: usize, text: &str) -> bool {
        let now = self.clock.now();
        let client = &mut self.list[client];
        client.say(frame::TEXT, text.as_bytes(), now);
        client.state != State::Closed
    }

    /// Runs the event loop once, for at most `wait`. Calls `receive` for each frame, which says whether it was one of
    /// those that the workload waits for; complaints are looked for among the others.
    pub fn run(&mut self, wait: Nanos, receive: &mut impl FnMut(Received) -> bool) -> Result<()> {
        self.turn(wait, 0, receive)
    }

    fn fault(&self) -> String {
        self.first_fault.clone().unwrap_or_else(|| "the servers said nothing of why".to_owned())
    }

    /// Each client has a source address of its own, as people have: limits per address then count each by itself, and
    /// ports do not run out.
    fn connect(&mut self, servers: &[SocketAddr]) -> Result<()> {
        let index = self.list.len();
        let to = servers[self.server(index)];
        let [.., b, c, d] = (index as u32 + 2).to_be_bytes();
        let from = SocketAddr::from((Ipv4Addr::new(127, 1 + b, c, d), 0));
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).with_context(|| {
            format!("socket {index} (at most as many files as ulimit -n says can be open)")
        })?;
        socket.bind(&from.into()).with_context(|| format!("bind to {from}"))?;
        socket.set_nonblocking(true).context("set_nonblocking")?;
        socket.set_tcp_nodelay(true).context("set_tcp_nodelay")?;
        match socket.connect(&to.into()) {
            Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {
                return Err(error).with_context(|| format!("connect to {to}"));
            }
            _ => {}
        }
        let mut socket = TcpStream::from_std(socket.into());
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket, Token(index), interest).context("epoll_ctl")?;
        self.opening += 1;
        let request = self.protocol.upgrade(index, self.room(index), &to.to_string());
        self.list.push(Client {
            socket,
            state: State::Opening,
            incoming: Vec::new(),
            outgoing: request.into_bytes(),
            answers: 0,
            spoke_at: 0,
        });
        Ok(())
    }

    fn turn(
        &mut self,
        wait: Nanos,
        subscribe: usize,
        receive: &mut impl FnMut(Received) -> bool,
    ) -> Result<()> {
        self.clock.wake_after(wait.min(LONGEST_WAIT))?;
        let mut events = Events::with_capacity(1024);
        match self.poll.poll(&mut events, None) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error).context("epoll_wait"),
            _ => {}
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        for event in &events {
            let Token(index) = event.token();
            if event.token() == TIMER {
                continue;
            }
            if event.is_writable() {
                self.list[index].flush();
            }
            if event.is_readable() {
                self.read(index, &mut buffer, subscribe, receive);
            }
        }
        self.buffer = buffer;
        self.heartbeats();
        Ok(())
    }

    fn heartbeats(&mut self) {
        let now = self.clock.now();
        let Some(text) = self.protocol.heartbeat().filter(|_| now >= self.heartbeats_at) else { return };
        self.heartbeats_at = now + SECOND / 4;
        for client in &mut self.list {
            if client.state == State::Ready && now.saturating_sub(client.spoke_at) > HEARTBEAT {
                client.say(frame::TEXT, text.as_bytes(), now);
            }
        }
    }

    /// Reads what there is. A read that does not fill the buffer has emptied the socket (see epoll(7) on edge-triggered
    /// streams): the next bytes, or the end, are a new event.
    fn read(
        &mut self,
        index: usize,
        buffer: &mut [u8],
        subscribe: usize,
        receive: &mut impl FnMut(Received) -> bool,
    ) {
        loop {
            let count = match self.list[index].socket.read(buffer) {
                Ok(0) => return self.close(index, "the server closed the socket".to_owned()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => return self.close(index, error.to_string()),
            };
            let whole = count == buffer.len();
            let mut kept = std::mem::take(&mut self.list[index].incoming);
            if kept.is_empty() {
                let used = self.take(index, &buffer[..count], subscribe, receive);
                kept.extend(&buffer[used..count]);
            } else {
                kept.extend(&buffer[..count]);
                let used = self.take(index, &kept, subscribe, receive);
                kept.drain(..used);
            }
            self.list[index].incoming = kept;
            if !whole || self.list[index].state == State::Closed {
                return;
            }
        }
    }

    /// Takes all whole frames of `bytes`; gives how many bytes they were.
    fn take(
        &mut self,
        index: usize,
        bytes: &[u8],
        subscribe: usize,
        receive: &mut impl FnMut(Received) -> bool,
    ) -> usize {
        let mut used = 0;
        if self.list[index].state == State::Opening {
            let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return 0 };
            if !bytes.starts_with(b"HTTP/1.1 101") {
                let status =
                    String::from_utf8_lossy(bytes.split(|&byte| byte == b'\r').next().unwrap_or_default());
                self.close(index, format!("the upgrade was refused: {status}"));
                return bytes.len();
            }
            used = end + 4;
            self.greet(index, subscribe);
        }
        let at = self.clock.now();
        while let Some((kind, payload, length)) = frame::message(&bytes[used..]) {
            used += length;
            let payload = payload.as_ref();
            match kind {
                frame::PING => self.list[index].say(frame::PONG, payload, at),
                frame::CLOSE => {
                    let code = payload.get(..2).map_or(1005, |code| u16::from_be_bytes([code[0], code[1]]));
                    let reason = String::from_utf8_lossy(payload.get(2..).unwrap_or_default());
                    self.close(index, format!("the server closed the socket with {code} {reason}"));
                    return bytes.len();
                }
                _ => {}
            }
            if let Some(text) = self.protocol.reply(payload) {
                self.list[index].say(frame::TEXT, text.as_bytes(), at);
            }
            let (server, protocol) = (self.server(index), &self.protocol);
            let client = &mut self.list[index];
            if client.state == State::Ready
                && receive(Received { client: index, server, at, payload, protocol })
            {
                continue;
            }
            if let Some(complaint) = protocol.complaint(payload) {
                self.complaints += 1;
                self.first_fault.get_or_insert(format!("the server answered {complaint}"));
            }
            if client.state == State::Open && protocol.is_answer(payload) {
                client.answers += 1;
                if client.answers == protocol.answers_until_ready(subscribe) {
                    client.state = State::Ready;
                    self.ready += 1;
                }
            }
        }
        used
    }

    /// The socket is open: subscribe to the client's own room and those that follow it.
    fn greet(&mut self, index: usize, subscribe: usize) {
        let (room, rooms, now) = (self.room(index), self.rooms, self.clock.now());
        let greeting = self.protocol.greeting((0..subscribe).map(|more| (room + more) % rooms));
        let is_ready = self.protocol.answers_until_ready(subscribe) == 0;
        self.opening -= 1;
        self.ready += usize::from(is_ready);
        let client = &mut self.list[index];
        client.state = if is_ready { State::Ready } else { State::Open };
        for text in greeting {
            client.say(frame::TEXT, text.as_bytes(), now);
        }
    }

    fn close(&mut self, index: usize, why: String) {
        let state = std::mem::replace(&mut self.list[index].state, State::Closed);
        if state != State::Closed {
            self.opening -= usize::from(state == State::Opening);
            self.ready -= usize::from(state == State::Ready);
            self.closed += 1;
            self.first_fault.get_or_insert(format!("client {index}: {why}"));
        }
    }
}

impl Client {
    fn say(&mut self, kind: u8, payload: &[u8], now: Nanos) {
        if self.state != State::Closed {
            frame::encode(&mut self.outgoing, kind, payload);
            self.spoke_at = now;
            self.flush();
        }
    }

    /// Writes what the socket takes. A broken socket shows itself when it is read.
    fn flush(&mut self) {
        while !self.outgoing.is_empty() {
            match self.socket.write(&self.outgoing) {
                Ok(0) | Err(_) => return,
                Ok(count) => drop(self.outgoing.drain(..count)),
            }
        }
    }
}
