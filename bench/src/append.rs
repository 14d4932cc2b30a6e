//! Closed loop: every client posts into its own room, waits until the post is acknowledged, and posts again. So the rate
//! is what the server stores durably with that many posts on their way.

use crate::clients::{self, Clients};
use crate::clock::{MILLISECOND, Nanos, SECOND, nanos};
use crate::process::usage;
use crate::report::{Delays, per};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A client that got an answer other than "stored" waits so long.
const AFTER_COMPLAINT: Nanos = SECOND;

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    clients: clients::Options,
    /// Posts per second of one client at most. Beck allows an account 30 frames a second
    #[arg(long, default_value_t = 25.0)]
    rate_per_client: f64,
    /// Length of each text
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=16_384))]
    bytes: u32,
    /// Seconds of posts before the measurement
    #[arg(long, default_value_t = 2.0)]
    warm: f64,
    /// Seconds of the measurement
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
}

pub fn run(options: Options) -> Result<Value> {
    if !(options.rate_per_client > 0.0 && options.rate_per_client <= 1_000_000.0)
        || nanos(options.seconds) == 0
    {
        bail!("--rate-per-client must be more than 0, and --seconds too");
    }
    let servers = &options.clients.server_pid;
    let store = &options.clients.store_pid;
    let (mut clients, _) = Clients::open(&options.clients)?;
    let gap = nanos(1.0 / options.rate_per_client);
    let start = clients.clock.now();
    let end = start + nanos(options.warm) + nanos(options.seconds);
    let text = "x".repeat(options.bytes as usize);
    let mut sent_at = vec![0; clients.count()];
    // Spread over one gap, so that they do not come in step.
    let spread = |client: usize| start + gap * client as Nanos / clients.count() as Nanos;
    let mut due: BinaryHeap<_> =
        (0..clients.count()).map(|client| Reverse((spread(client), client))).collect();
    let (mut number, mut stored, mut first) = (0, 0_u64, None);
    let mut delays = Delays::new()?;
    loop {
        let now = clients.clock.now();
        if first.is_none() && now >= start + nanos(options.warm) {
            first = Some((now, usage(servers)?, usage(store)?));
        }
        if now >= end {
            break;
        }
        while let Some(&Reverse((at, client))) = due.peek()
            && at <= now
        {
            due.pop();
            sent_at[client] = clients.clock.now();
            let frame = clients.protocol.post(clients.room(client), number, &text);
            number += 1;
            clients.send(client, &frame);
        }
        let next = due.peek().map_or(Nanos::MAX, |&Reverse((at, _))| at);
        let wait = next.min(end).saturating_sub(clients.clock.now()).min(5 * MILLISECOND);
        let measured = first.is_some();
        clients.run(wait, &mut |received| {
            let (client, at) = (received.client, received.at);
            if received.protocol.is_stored(received.payload) {
                stored += u64::from(measured);
                if measured {
                    delays.record(at.saturating_sub(sent_at[client]));
                }
                due.push(Reverse(((sent_at[client] + gap).max(at), client)));
                return true;
            }
            if received.protocol.complaint(received.payload).is_some() {
                due.push(Reverse((at + AFTER_COMPLAINT, client)));
            }
            false
        })?;
    }
    let Some((from, cpu_from, store_from)) = first else { bail!("nothing was measured") };
    let seconds = (clients.clock.now() - from) as f64 / 1e9;
    let (cpu_to, store_to) = (usage(servers)?, usage(store)?);
    let cpu = cpu_to.cpu.saturating_sub(cpu_from.cpu).as_secs_f64();
    let store = store_to.cpu.saturating_sub(store_from.cpu).as_secs_f64();
    Ok(json!({
        "clients": clients.count(),
        "closed": clients.closed,
        "complaints": clients.complaints,
        "first_fault": clients.first_fault,
        "seconds": seconds,
        "stored": stored,
        "stored_per_second": stored as f64 / seconds,
        "limit_per_second": options.rate_per_client * clients.count() as f64,
        "server_cores": cpu / seconds,
        "store_cores": store / seconds,
        "server_cpu_us_per_post": per(cpu * 1e6, stored),
        "store_cpu_us_per_post": per(store * 1e6, stored),
        "delay_ms": delays.report(),
        "resident_kb_after": cpu_to.resident,
        "generator_cores": usage(&[std::process::id()])?.cpu.as_secs_f64() / (clients.clock.now() as f64 / 1e9),
    }))
}
