//! Open loop: posts leave on a fixed schedule, whether or not the server keeps up, and each delivery is timed from the
//! moment its post was due. So a server that stalls cannot hide it by slowing the sender down.

use crate::clients::{self, Clients, Received};
use crate::clock::{MILLISECOND, Nanos, SECOND, nanos};
use crate::process::usage;
use crate::report::{Delays, per};
use anyhow::{Result, bail};
use clap::Args;
use memchr::memmem;
use serde_json::{Value, json};

/// Each text begins with `$$`, 16 hex digits of the time it was due, and 2 of the sender's server.
const MARKER: &[u8] = b"$$";
const MARKER_BYTES: usize = 20;
/// What is delivered later than so long after the last post counts as lost.
const GRACE: Nanos = 5 * SECOND;

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    clients: clients::Options,
    /// Of each room's members, how many post, in turn
    #[arg(long, default_value_t = 1)]
    senders: u32,
    /// Posts per second over all rooms; 0: none, the clients are idle
    #[arg(long, default_value_t = 0.0)]
    rate: f64,
    /// Length of each text
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(MARKER_BYTES as i64..=16_384))]
    bytes: u32,
    /// Seconds of silence once all clients are ready; the memory is read at their end
    #[arg(long, default_value_t = 2.0)]
    settle: f64,
    /// Seconds of posts before the measurement
    #[arg(long, default_value_t = 2.0)]
    warm: f64,
    /// Seconds of the measurement
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
}

struct Deliveries {
    /// Those that arrive in this window count for the CPU time per delivery.
    window: std::ops::Range<Nanos>,
    /// Of posts that were due in the window: those delivered so far, at any time.
    delivered: u64,
    arrived: u64,
    delays: Delays,
    /// Of those whose sender is at another server.
    delays_across: Delays,
}

pub fn run(options: Options) -> Result<Value> {
    if !(options.rate >= 0.0 && options.rate <= 1_000_000.0) || nanos(options.seconds) == 0 {
        bail!("--rate must be from 0 to 1,000,000, and --seconds more than 0");
    }
    if options.senders == 0 || options.senders > options.clients.members {
        bail!("--senders must be from 1 to --members");
    }
    let servers = &options.clients.server_pid;
    let before = usage(servers)?;
    let (mut clients, ready_after) = Clients::open(&options.clients)?;
    let settled = clients.clock.now() + nanos(options.settle);
    while clients.clock.now() < settled {
        clients.run(settled - clients.clock.now(), &mut |_| false)?;
    }
    let idle = usage(servers)?;

    let start = clients.clock.now();
    let window = start + nanos(options.warm)..start + nanos(options.warm) + nanos(options.seconds);
    let mut seen = Deliveries {
        window: window.clone(),
        delivered: 0,
        arrived: 0,
        delays: Delays::new()?,
        delays_across: Delays::new()?,
    };
    let mut schedule = Schedule::new(&options, start);
    let (mut first, mut last, mut store_first, mut store_last) = (None, None, None, None);
    let mut posts = 0;
    loop {
        let now = clients.clock.now();
        if first.is_none() && now >= window.start {
            first = Some((now, usage(servers)?));
            store_first = Some(usage(&options.clients.store_pid)?);
            seen.window.start = now;
        }
        if last.is_none() && now >= window.end {
            last = Some((now, usage(servers)?));
            store_last = Some(usage(&options.clients.store_pid)?);
            seen.window.end = now;
        }
        let expected = posts * u64::from(options.clients.members);
        if last.is_some() && (seen.delivered >= expected || now > window.end + GRACE) {
            break;
        }
        // At most so many at once, so that a late start does not keep the deliveries waiting.
        for _ in 0..1_000 {
            let Some(due) = schedule.next_before(now.min(window.end)) else { break };
            posts += u64::from(due >= seen.window.start);
            schedule.post(&mut clients, due);
        }
        let wait = schedule.next.saturating_sub(clients.clock.now());
        let wait = if options.rate > 0.0 && last.is_none() { wait } else { 5 * MILLISECOND };
        clients.run(wait, &mut |received| seen.take(&received))?;
    }

    let (Some((from, cpu_from)), Some((to, cpu_to))) = (first, last) else { bail!("nothing was measured") };
    let seconds = (to - from) as f64 / 1e9;
    let cpu = (cpu_to.cpu - cpu_from.cpu).as_secs_f64();
    let store =
        store_last.unwrap_or_default().cpu.saturating_sub(store_first.unwrap_or_default().cpu).as_secs_f64();
    let expected = posts * u64::from(options.clients.members);
    Ok(json!({
        "clients": clients.count(),
        "closed": clients.closed,
        "complaints": clients.complaints,
        "first_fault": clients.first_fault,
        "ready_seconds": ready_after as f64 / 1e9,
        "seconds": seconds,
        "posts": posts,
        "deliveries_per_second": seen.arrived as f64 / seconds,
        "lost": expected.saturating_sub(seen.delivered),
        "server_cores": cpu / seconds,
        "store_cores": store / seconds,
        "server_cpu_us_per_delivery": per(cpu * 1e6, seen.arrived),
        "store_cpu_us_per_post": per(store * 1e6, posts),
        "server_cpu_us_per_second_and_client": cpu * 1e6 / seconds / clients.count() as f64,
        "delay_ms": seen.delays.report(),
        "delay_ms_across_servers": seen.delays_across.report(),
        "resident_kb_before": before.resident,
        "resident_kb_per_client": idle.resident.saturating_sub(before.resident) as f64 / clients.count() as f64,
        "resident_kb_after": cpu_to.resident,
        "generator_cores": usage(&[std::process::id()])?.cpu.as_secs_f64() / (clients.clock.now() as f64 / 1e9),
    }))
}

/// When the next post is due, and whose it is: rooms in turn, and in each room its senders in turn.
struct Schedule {
    next: Nanos,
    start: Nanos,
    number: u64,
    rate: f64,
    senders: usize,
    bytes: usize,
}

impl Schedule {
    fn new(options: &Options, start: Nanos) -> Self {
        let next = if options.rate > 0.0 { start } else { Nanos::MAX };
        let (senders, bytes) = (options.senders as usize, options.bytes as usize);
        Self { next, start, number: 0, rate: options.rate, senders, bytes }
    }

    fn next_before(&self, end: Nanos) -> Option<Nanos> {
        (self.next < end).then_some(self.next)
    }

    fn post(&mut self, clients: &mut Clients, due: Nanos) {
        let turn = self.number as usize;
        let room = turn % clients.rooms;
        let client = room + turn / clients.rooms % self.senders * clients.rooms;
        let mut text = format!("$${due:016x}{:02x}", clients.server(client));
        text.extend(std::iter::repeat_n('x', self.bytes - MARKER_BYTES));
        let frame = clients.protocol.post(room, self.number, &text);
        clients.send(client, &frame);
        self.number += 1;
        self.next = self.start + nanos(self.number as f64 / self.rate);
    }
}

impl Deliveries {
    /// Counts the deliveries of a frame, which may be several; false if there is none.
    fn take(&mut self, received: &Received) -> bool {
        let mut found = false;
        for at in memmem::find_iter(received.payload, MARKER) {
            let Some((due, from)) = received.payload.get(at + 2..at + MARKER_BYTES).and_then(read_marker)
            else {
                continue;
            };
            found = true;
            self.arrived += u64::from(self.window.contains(&received.at));
            if due < self.window.start || due >= self.window.end {
                continue;
            }
            self.delivered += 1;
            let delay = received.at.saturating_sub(due);
            self.delays.record(delay);
            if from != received.server {
                self.delays_across.record(delay);
            }
        }
        found
    }
}

fn read_marker(digits: &[u8]) -> Option<(Nanos, usize)> {
    let digits = std::str::from_utf8(digits).ok()?;
    let (due, server) = digits.split_at_checked(16)?;
    Some((Nanos::from_str_radix(due, 16).ok()?, usize::from_str_radix(server, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Protocol;

    #[test]
    fn each_marker_of_a_frame_is_one_delivery_and_only_those_of_other_servers_are_across() {
        let mut seen = Deliveries {
            window: 10..1_000_000,
            delivered: 0,
            arrived: 0,
            delays: Delays::new().expect("histogram"),
            delays_across: Delays::new().expect("histogram"),
        };
        let text = format!("[\"$${:016x}00x\",\"$${:016x}01x\",\"$${:016x}01\",\"$$zz\"]", 100, 200, 5);
        let received =
            |payload| Received { client: 0, server: 0, at: 5_000, payload, protocol: &Protocol::Raw };
        assert!(seen.take(&received(text.as_bytes())));
        assert_eq!((seen.arrived, seen.delivered), (3, 2), "the third was due before the window");
        assert!(seen.delays_across.report().is_object());
        assert!(!seen.take(&received(br#"{"t":"badge"}"#.as_slice())));
    }
}
