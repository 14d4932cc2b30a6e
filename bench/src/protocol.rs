//! What a client says to each kind of server.

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use memchr::memmem;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Clone, Copy, ValueEnum)]
pub enum Kind {
    /// Every text frame is relayed to the room `?room=` of the address
    Raw,
    /// Socket.IO 4: an event `m` is relayed to the room `?room=` of the address
    SocketIo,
    /// Beck, with a workspace that bench/workspace.py made
    Beck,
}

#[derive(Args)]
pub struct Options {
    /// What the servers speak
    #[arg(long, value_enum)]
    pub protocol: Kind,
    /// Beck: ids of the rooms, one per line
    #[arg(long)]
    pub room_ids: Option<PathBuf>,
    /// Beck: login tokens, one per line; client i uses line i
    #[arg(long)]
    pub tokens: Option<PathBuf>,
}

pub enum Protocol {
    Raw,
    SocketIo,
    Beck { rooms: Vec<String>, tokens: Vec<String>, salt: u64 },
}

impl Protocol {
    /// Reads the files that Beck's clients need, for so many rooms and clients.
    pub fn load(options: &Options, rooms: usize, clients: usize) -> Result<Self> {
        Ok(match options.protocol {
            Kind::Raw => Self::Raw,
            Kind::SocketIo => Self::SocketIo,
            Kind::Beck => {
                let path = |path: &Option<PathBuf>, name| {
                    path.clone().with_context(|| format!("--protocol beck needs {name}"))
                };
                let rooms = lines(&path(&options.room_ids, "--room-ids")?, rooms)?;
                let tokens = lines(&path(&options.tokens, "--tokens")?, clients)?;
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Self::Beck {
                    rooms,
                    tokens,
                    salt: u64::from(std::process::id()) << 20 ^ now.as_nanos() as u64,
                }
            }
        })
    }

    /// The request that opens client `client`'s socket on `host`.
    pub fn upgrade(&self, client: usize, room: usize, host: &str) -> String {
        let (target, login) = match self {
            Self::Raw => (format!("/?room=r{room}"), String::new()),
            Self::SocketIo => (format!("/socket.io/?EIO=4&transport=websocket&room=r{room}"), String::new()),
            Self::Beck { tokens, .. } => {
                ("/ws".to_owned(), format!("Authorization: Bearer {}\r\n", tokens[client]))
            }
        };
        format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{login}\r\n"
        )
    }

    /// The frames that a client sends once its socket is open: for the given rooms.
    pub fn greeting(&self, of: impl Iterator<Item = usize>) -> Vec<String> {
        match self {
            Self::Raw => Vec::new(),
            Self::SocketIo => vec!["40".to_owned()],
            Self::Beck { rooms, .. } => {
                let subscribe = of.map(|room| format!(r#"{{"t":"subscribe","room":"{}"}}"#, rooms[room]));
                std::iter::once(r#"{"t":"hello","version":1}"#.to_owned()).chain(subscribe).collect()
            }
        }
    }

    /// How many answers a client needs before it is subscribed to this many rooms.
    pub fn answers_until_ready(&self, rooms: usize) -> usize {
        match self {
            Self::Raw => 0, // it is in its room with the upgrade
            Self::SocketIo => 1,
            Self::Beck { .. } => 1 + rooms,
        }
    }

    /// Whether a frame is one of these answers.
    pub fn is_answer(&self, payload: &[u8]) -> bool {
        match self {
            Self::Raw => false,
            Self::SocketIo => payload.starts_with(b"40"),
            Self::Beck { .. } => is_kind(payload, "welcome") || is_kind(payload, "subscribed"),
        }
    }

    /// A server's complaint about a frame, as text.
    pub fn complaint<'a>(&self, payload: &'a [u8]) -> Option<std::borrow::Cow<'a, str>> {
        let complains = match self {
            Self::Raw => false,
            Self::SocketIo => payload.starts_with(b"44"),
            Self::Beck { .. } => {
                is_kind(payload, "error") || is_kind(payload, "left") || is_kind(payload, "reset")
            }
        };
        complains.then(|| String::from_utf8_lossy(payload))
    }

    /// What keeps an otherwise silent socket open, to be sent at least every 20 s.
    pub fn heartbeat(&self) -> Option<&'static str> {
        matches!(self, Self::Beck { .. }).then_some(r#"{"t":"beat","positions":{}}"#)
    }

    /// What must be sent at once when this frame comes.
    pub fn reply(&self, payload: &[u8]) -> Option<&'static str> {
        (matches!(self, Self::SocketIo) && payload == b"2").then_some("3")
    }

    /// The frame that posts a text; `number` is another one for each post of a run.
    pub fn post(&self, room: usize, number: u64, text: &str) -> String {
        match self {
            Self::Raw => text.to_owned(),
            Self::SocketIo => format!(r#"42["m","{text}"]"#),
            Self::Beck { rooms, salt, .. } => {
                let id = client_id(*salt, number);
                format!(r#"{{"t":"post","id":"{id}","room":"{}","text":"{text}"}}"#, rooms[room])
            }
        }
    }

    /// Whether a frame acknowledges a stored post.
    pub fn is_stored(&self, payload: &[u8]) -> bool {
        matches!(self, Self::Beck { .. })
            && is_kind(payload, "ack")
            && memmem::find(payload, br#""is":"stored""#).is_some()
    }
}

/// Whether a frame of Beck is of this kind. `t` need not be the first field.
fn is_kind(payload: &[u8], kind: &str) -> bool {
    // Without a buffer of its own: this is asked of every frame.
    memmem::find_iter(payload, br#""t":""#).any(|at| {
        let rest = &payload[at + 5..];
        rest.starts_with(kind.as_bytes()) && rest.get(kind.len()) == Some(&b'"')
    })
}

/// A UUID of version 7, as Beck wants of its clients.
fn client_id(salt: u64, number: u64) -> String {
    let ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    let (high, low) = (ms >> 16 & 0xffff_ffff, ms & 0xffff);
    let (a, b) = (salt & 0xfff, salt >> 12 & 0xfff);
    format!("{high:08x}-{low:04x}-7{a:03x}-8{b:03x}-{number:012x}")
}

fn lines(path: &Path, at_least: usize) -> Result<Vec<String>> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.len() < at_least {
        bail!("{} has {} lines, and {at_least} are needed", path.display(), lines.len());
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_frame_is_its_whole_t() {
        assert!(is_kind(br#"{"t":"ack","id":"x"}"#, "ack"));
        assert!(is_kind(br#"{"id":"x","t":"ack"}"#, "ack"));
        assert!(!is_kind(br#"{"t":"acks"}"#, "ack"));
    }

    #[test]
    fn client_ids_are_uuids_of_version_7_and_differ() {
        let ids = [client_id(5, 1), client_id(5, 2), client_id(6, 1)];
        for id in &ids {
            assert_eq!((id.len(), &id[14..15], &id[19..20]), (36, "7", "8"));
        }
        assert!(ids[0] != ids[1] && ids[0] != ids[2]);
    }
}
