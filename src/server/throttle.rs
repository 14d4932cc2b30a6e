//! Token buckets. Time is a parameter: milliseconds of any clock that only goes forward.

use std::collections::HashMap;
use std::hash::Hash;

/// How much at once, and how much per second after that.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    pub burst: f64,
    pub per_second: f64,
}

#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    tokens: f64,
    at: u64,
}

impl Bucket {
    pub fn full(rate: Rate, now: u64) -> Self {
        Self { tokens: rate.burst, at: now }
    }

    /// Takes one token if there is one.
    pub fn take(&mut self, rate: Rate, now: u64) -> bool {
        let passed = now.saturating_sub(self.at) as f64 / 1000.0;
        self.tokens = (self.tokens + passed * rate.per_second).min(rate.burst);
        self.at = self.at.max(now);
        let some = self.tokens >= 1.0;
        if some {
            self.tokens -= 1.0;
        }
        some
    }
}

/// One bucket per key. Memory is bounded: full buckets are forgotten, and beyond the limit all are refused.
#[derive(Debug)]
pub struct Throttle<K> {
    rate: Rate,
    limit: usize,
    buckets: HashMap<K, Bucket>,
}

impl<K: Hash + Eq> Throttle<K> {
    pub fn new(rate: Rate, limit: usize) -> Self {
        Self { rate, limit, buckets: HashMap::new() }
    }

    pub fn take(&mut self, key: K, now: u64) -> bool {
        let rate = self.rate;
        if self.buckets.len() >= self.limit && !self.buckets.contains_key(&key) {
            let refill = rate.burst / rate.per_second * 1000.0;
            self.buckets.retain(|_, bucket| (now.saturating_sub(bucket.at) as f64) < refill);
            if self.buckets.len() >= self.limit {
                return false;
            }
        }
        self.buckets.entry(key).or_insert_with(|| Bucket::full(rate, now)).take(rate, now)
    }
}
