//! What the kernel says of a server's process.

use anyhow::{Context as _, Result};
use std::fs;
use std::time::Duration;

/// CPU time and memory of some processes together.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub cpu: Duration,
    /// Resident set in KiB.
    pub resident: u64,
}

pub fn usage(pids: &[u32]) -> Result<Usage> {
    let mut sum = Usage::default();
    for &pid in pids {
        let read = |file| {
            let path = format!("/proc/{pid}/{file}");
            fs::read_to_string(&path).with_context(|| format!("the server has ended: {path} cannot be read"))
        };
        sum.cpu += cpu(&read("stat")?).with_context(|| format!("/proc/{pid}/stat has another form"))?;
        sum.resident +=
            resident(&read("status")?).with_context(|| format!("/proc/{pid}/status has no VmRSS"))?;
    }
    Ok(sum)
}

/// User and system time. The name in parentheses may hold spaces, so fields are counted from its end.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

fn resident(status: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 0 0 0 250 150 0 0 20 0 4 0 1 2 3";
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        assert_eq!(cpu(stat), Some(Duration::from_secs_f64(400.0 / ticks)));
    }

    #[test]
    fn own_memory_is_read() {
        assert!(usage(&[std::process::id()]).expect("own process").resident > 0);
    }
}
