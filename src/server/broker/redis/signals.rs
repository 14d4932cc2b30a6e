//! Signals between servers over one channel. Two logs never hear each other: the channel bears the link of the
//! log's first entry, since channels do not know of key prefixes and database numbers.

use super::connect::Backoff;
use super::entries;
use super::tail::Shared;
use crate::protocol::{Format, Presence};
use crate::server::broker::{BrokerError, Signal};
use crate::server::peers::Announcement;
use crate::server::presence::Told;
use ::redis::cmd;
use futures::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, MissedTickBehavior};

/// How a server finds out that signals do not reach it any more.
#[derive(Debug, Clone, Copy)]
pub struct SignalTimes {
    /// It sends its heartbeat so often, to itself too; a connection without a word for so long is asked whether it lives.
    pub beat: Duration,
    /// A signal to itself that is not back after so long is lost, and others may be: the connection is made anew.
    pub echo: Duration,
}

/// A connection that delivers nothing is found within 15 seconds.
pub const SIGNAL_TIMES: SignalTimes =
    SignalTimes { beat: Duration::from_secs(5), echo: Duration::from_secs(10) };

/// A signal is sent again so often if the store does not take it.
const TRIES: u32 = 3;

fn text(me: &str, signal: &Signal) -> Option<String> {
    match signal {
        Signal::Register { account, key } => Some(format!("{me} register {account} {key}")),
        Signal::Logins { account } => Some(format!("{me} logins {account}")),
        Signal::Typing { room, lane, account, seq, ttl_ms } => {
            Some(format!("{me} typing {account} {room} {seq} {ttl_ms} {lane}"))
        }
        Signal::Presence(Told { round, total, ttl_ms, people, .. }) => {
            let total = total.map_or("-".to_owned(), |total| total.to_string());
            let mut text = format!("{me} presence {ttl_ms} {round} {total}");
            for (account, is) in people {
                let is = match is {
                    Presence::Offline => '-',
                    Presence::Away => 'a',
                    Presence::Online | Presence::DoNotDisturb | Presence::Other => 'o',
                };
                text.extend([' ', is]);
                text.push_str(account.as_str());
            }
            Some(text)
        }
        Signal::Heartbeat { .. } | Signal::OwnHeartbeat | Signal::Lost | Signal::Deaf => None,
    }
}

fn presence<'a>(node: &str, mut words: impl Iterator<Item = &'a str>) -> Option<Told> {
    let (ttl_ms, round) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let total = match words.next()? {
        "-" => None,
        total => Some(total.parse().ok()?),
    };
    let person = |word: &str| {
        let is = match word.get(..1)? {
            "o" => Presence::Online,
            "a" => Presence::Away,
            _ => Presence::Offline,
        };
        Some((word.get(1..)?.parse().ok()?, is))
    };
    Some(Told { node: node.to_owned(), round, total, ttl_ms, people: words.filter_map(person).collect() })
}

/// The heartbeat of this server. Servers of 0.1.0 take it for a signal of a later version; later words are ignored.
fn beat(me: &str, newest: Format) -> String {
    format!("{me} beat {} {}", newest.number(), env!("CARGO_PKG_VERSION"))
}

fn heartbeat<'a>(node: &str, mut words: impl Iterator<Item = &'a str>) -> Signal {
    let format = words.next().and_then(|format| format.parse().ok());
    let announced = format.zip(words.next());
    let announced = announced.map(|(format, version)| Announcement { format, version: version.to_owned() });
    Signal::Heartbeat { node: node.to_owned(), announced }
}

/// A signal of another server; `None` for our own and for those of later versions.
fn parse(me: &str, text: &str) -> Option<Signal> {
    let mut words = text.split(' ');
    let node = words.next().filter(|node| *node != me)?;
    let kind = words.next()?;
    if kind == "presence" {
        return presence(node, words).map(Signal::Presence);
    }
    if kind == "beat" {
        return Some(heartbeat(node, words));
    }
    let account = words.next()?.parse().ok()?;
    match kind {
        "typing" => {
            let (room, seq) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            let ttl_ms = words.next()?.parse().ok()?;
            // Servers before threads name no lane.
            let lane = words.next().unwrap_or("0").parse().ok()?;
            Some(Signal::Typing { room, lane, account, seq, ttl_ms })
        }
        "register" => Some(Signal::Register { account, key: words.next()?.to_owned() }),
        "logins" => Some(Signal::Logins { account }),
        _ => None,
    }
}

async fn channel(shared: &Shared) -> Result<String, BrokerError> {
    let mut changes = shared.changes();
    loop {
        changes.borrow_and_update();
        if shared.end().g > 0
            && let Some(link) = entries::link_at(&shared.line, &shared.keys, 1).await?
        {
            return Ok(shared.line.connector.settings.key(&format!("signals:{link}")));
        }
        if changes.changed().await.is_err() {
            return Err(BrokerError::Refused("The log has been closed.".into()));
        }
    }
}

/// Sends what comes from this server.
pub async fn send(shared: Arc<Shared>, me: String, mut out: mpsc::Receiver<Signal>) {
    while let Some(signal) = out.recv().await {
        let Some(text) = text(&me, &signal) else { continue };
        let mut backoff = Backoff::new();
        for _ in 0..TRIES {
            let sent = match channel(&shared).await {
                Ok(channel) => shared.line.write::<i64>(cmd("PUBLISH").arg(channel).arg(&text)).await,
                Err(fault) => Err(fault),
            };
            match sent {
                Ok(_) => break,
                Err(fault) => {
                    tracing::warn!(%fault, "a signal could not be sent");
                    tokio::time::sleep(backoff.next()).await;
                }
            }
        }
    }
}

/// Hears what other servers send, and tells them the name of this one and the newest format that it reads.
pub async fn hear(
    shared: Arc<Shared>,
    me: (String, Format),
    heard: broadcast::Sender<Signal>,
    times: SignalTimes,
) {
    let mut backoff = Backoff::new();
    loop {
        let why = match hear_once(&shared, (&me.0, me.1), &heard, &mut backoff, times).await {
            Err(why) => why,
            Ok(never) => match never {},
        };
        tracing::warn!(why, "signals of other servers cannot be heard");
        let _ = heard.send(Signal::Deaf);
        tokio::time::sleep(backoff.next()).await;
    }
}

async fn hear_once(
    shared: &Shared,
    (me, newest): (&str, Format),
    heard: &broadcast::Sender<Signal>,
    backoff: &mut Backoff,
    times: SignalTimes,
) -> Result<std::convert::Infallible, String> {
    let channel = channel(shared).await.map_err(|fault| fault.to_string())?;
    let connector = &shared.line.connector;
    let (mut sink, mut messages) = connector.listen().await?.split();
    sink.subscribe(&channel).await.map_err(|fault| connector.words(&fault))?;
    // Something may have been said while nobody listened.
    let _ = heard.send(Signal::Lost);
    let own_beat = beat(me, newest);
    let mut beat = tokio::time::interval(times.beat);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut silent, mut beat_sent) = (false, None::<Instant>);
    loop {
        tokio::select! {
            message = messages.next() => {
                let message = message.ok_or("the store closed the connection")?;
                silent = false;
                let text: String = message.get_payload().unwrap_or_default();
                if text == own_beat {
                    beat_sent = None;
                    // Only now it is known to deliver.
                    *backoff = Backoff::new();
                    let _ = heard.send(Signal::OwnHeartbeat);
                } else if let Some(signal) = parse(me, &text) {
                    let _ = heard.send(signal);
                }
            }
            _ = beat.tick() => {
                if beat_sent.is_some_and(|sent| sent.elapsed() >= times.echo) {
                    return Err("the store takes signals and does not deliver them".into());
                }
                if silent {
                    let ping = tokio::time::timeout(times.beat, sink.ping::<::redis::Value>()).await;
                    ping.map_err(|_| "the store does not answer")?.map_err(|fault| connector.words(&fault))?;
                }
                silent = true;
                let sent_at = Instant::now();
                // A heartbeat that was not sent proves nothing.
                if shared.line.write::<i64>(cmd("PUBLISH").arg(&channel).arg(&own_beat)).await.is_ok() {
                    beat_sent.get_or_insert(sent_at);
                }
            }
        }
    }
}
