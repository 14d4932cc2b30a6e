//! Entries as the store keeps them: a stream of what has a body, a hash of the headers of what was erased.

use super::connect::Line;
use super::settings::RedisSettings;
use crate::protocol::{Hash, Header};
use crate::server::broker::{BrokerError, Entry, Head};
use ::redis::{Cmd, cmd};

/// An entry of a stream: its id, then names and values in turn.
pub type StreamEntry = (String, Vec<String>);
/// What XREAD answers: nothing, or the entries of the one stream.
pub type StreamReply = Option<Vec<(String, Vec<StreamEntry>)>>;

/// The keys of a log.
#[derive(Clone)]
pub struct Keys {
    pub log: String,
    pub erased: String,
    /// Says that the log is being moved here, or was moved away.
    pub mark: String,
}

impl Keys {
    pub fn of(settings: &RedisSettings) -> Keys {
        Keys { log: settings.key("log"), erased: settings.key("erased"), mark: settings.key("mark") }
    }

    /// Those of a log that is being moved here, until it is whole.
    pub fn unfinished(settings: &RedisSettings) -> Keys {
        let (log, erased) = (settings.key("unfinished:log"), settings.key("unfinished:erased"));
        Keys { log, erased, ..Keys::of(settings) }
    }

    pub fn range(&self, from: u64, limit: usize) -> Cmd {
        let mut range = cmd("XRANGE");
        range.arg(&self.log).arg(format!("{from}-0")).arg("+").arg("COUNT").arg(limit);
        range
    }

    pub fn last(&self) -> Cmd {
        let mut last = cmd("XREVRANGE");
        last.arg(&self.log).arg("+").arg("-").arg("COUNT").arg(1);
        last
    }

    pub fn erased(&self, numbers: impl Iterator<Item = u64>) -> Cmd {
        let mut get = cmd("HMGET");
        get.arg(&self.erased).arg(numbers.collect::<Vec<_>>());
        get
    }
}

fn broken(g: &str) -> BrokerError {
    BrokerError::Refused(format!("Entry {g} of the log cannot be read. Restore the store from a copy."))
}

/// An entry with its body.
pub fn parse((id, fields): StreamEntry) -> Result<Entry, BrokerError> {
    let parsed = || {
        let g = id.strip_suffix("-0")?.parse().ok()?;
        let [at_name, at, link_name, link, rest_name, rest, body_name, body] = fields.as_slice() else {
            return None;
        };
        let names = [at_name, link_name, rest_name, body_name];
        let header = Header::parse(g, at.parse().ok()?, rest)?;
        (names == ["at", "link", "rest", "body"]).then_some(Entry {
            header,
            body: Some(body.clone()),
            link: link.parse().ok()?,
        })
    };
    parsed().ok_or_else(|| broken(&id))
}

/// An erased entry from its header: `at link rest`.
fn parse_erased(g: u64, text: &str) -> Result<Entry, BrokerError> {
    let parsed = || {
        let (at, text) = text.split_once(' ')?;
        let (link, rest) = text.split_once(' ')?;
        let header = Header::parse(g, at.parse().ok()?, rest)?;
        Some(Entry { header, body: None, link: link.parse().ok()? })
    };
    parsed().ok_or_else(|| broken(&g.to_string()))
}

/// The end of a log from its last entry.
pub fn head_of(last: Vec<StreamEntry>) -> Result<Option<Head>, BrokerError> {
    let Some(last) = last.into_iter().next() else { return Ok(None) };
    let entry = parse(last)?;
    Ok(Some(Head { g: entry.header.g, link: entry.link }))
}

/// Up to `limit` entries from a number on, erased ones among them; none after the end.
pub async fn read(line: &Line, keys: &Keys, from: u64, limit: usize) -> Result<Vec<Entry>, BrokerError> {
    let found: Vec<StreamEntry> = line.read(&keys.range(from, limit)).await?;
    let found = found.into_iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    with_erased(line, keys, from, limit, found).await
}

/// Puts the erased entries where numbers are missing. An entry of the stream counts over its erased header: an erasure
/// that was cut off leaves both.
pub async fn with_erased(
    line: &Line,
    keys: &Keys,
    from: u64,
    limit: usize,
    found: Vec<Entry>,
) -> Result<Vec<Entry>, BrokerError> {
    let mut whole: Vec<Entry> = Vec::with_capacity(found.len());
    for entry in found {
        let next = from + whole.len() as u64;
        let to = entry.header.g.min(from + limit as u64);
        if next < to {
            let headers: Vec<Option<String>> = line.read(&keys.erased(next..to)).await?;
            for (g, header) in (next..to).zip(headers) {
                let Some(header) = header else {
                    return Err(BrokerError::Rewritten(format!(
                        "entry {g} is missing in the log of the store: it was evicted or removed. Restore a copy"
                    )));
                };
                whole.push(parse_erased(g, &header)?);
            }
        }
        if whole.len() >= limit {
            break;
        }
        whole.push(entry);
    }
    Ok(whole)
}

/// How many entries the store has, erased ones among them; never too few for what the log had when this was
/// called. An entry whose erasure was cut off counts twice until it is erased again.
pub async fn count(line: &Line, keys: &Keys) -> Result<u64, BrokerError> {
    // In this order: what is erased between the two is counted twice, not left out.
    let log: u64 = line.read(cmd("XLEN").arg(&keys.log)).await?;
    let erased: u64 = line.read(cmd("HLEN").arg(&keys.erased)).await?;
    Ok(log + erased)
}

/// The link that the store has at a number now; `None` if there is no such entry.
pub async fn link_at(line: &Line, keys: &Keys, g: u64) -> Result<Option<Hash>, BrokerError> {
    let mut range = cmd("XRANGE");
    range.arg(&keys.log).arg(format!("{g}-0")).arg(format!("{g}-0"));
    let found: Vec<StreamEntry> = line.read(&range).await?;
    if let Some(entry) = found.into_iter().next() {
        return Ok(Some(parse(entry)?.link));
    }
    let headers: Vec<Option<String>> = line.read(&keys.erased(std::iter::once(g))).await?;
    match headers.into_iter().next().flatten() {
        Some(header) => Ok(Some(parse_erased(g, &header)?.link)),
        None => Ok(None),
    }
}
