//! Token buckets, whose time is a parameter: milliseconds of any clock that only goes forward. Places that few may hold
//! at once. Who counts as one client.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

    /// Returns a token that was taken.
    pub fn give_back(&mut self, rate: Rate) {
        self.tokens = (self.tokens + 1.0).min(rate.burst);
    }

    /// Milliseconds until there is a token, as of the last call of [`Bucket::take`].
    pub fn wait_ms(&self, rate: Rate) -> u64 {
        ((1.0 - self.tokens).max(0.0) / rate.per_second * 1000.0).ceil() as u64
    }
}

/// One bucket per key. A key of any length is kept as a hash of eight bytes, seeded so that nobody can look for two
/// keys with one hash.
///
/// Memory is bounded. Buckets lie in two maps: the young map becomes the old one after the time in which a bucket fills
/// up, or when it holds half of the limit, and what is in the old map then is forgotten unless it was used since.
#[derive(Debug)]
pub struct Throttle {
    rate: Rate,
    limit: usize,
    seed: RandomState,
    young: HashMap<u64, Bucket>,
    old: HashMap<u64, Bucket>,
    turned: u64,
}

impl Throttle {
    pub fn new(rate: Rate, limit: usize) -> Self {
        let (young, old) = (HashMap::new(), HashMap::new());
        Self { rate, limit, seed: RandomState::new(), young, old, turned: 0 }
    }

    /// Takes a token of a key; if there is none, gives the milliseconds until there is one.
    pub fn take(&mut self, key: impl Hash, now: u64) -> Result<(), u64> {
        let rate = self.rate;
        let bucket = self.bucket(key, now);
        if bucket.take(rate, now) { Ok(()) } else { Err(bucket.wait_ms(rate)) }
    }

    pub fn give_back(&mut self, key: impl Hash, now: u64) {
        let rate = self.rate;
        self.bucket(key, now).give_back(rate);
    }

    /// How many buckets are kept.
    pub fn buckets(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// About how many bytes the buckets take.
    pub fn bytes(&self) -> usize {
        (self.young.capacity() + self.old.capacity()) * size_of::<(u64, Bucket)>()
    }

    fn bucket(&mut self, key: impl Hash, now: u64) -> &mut Bucket {
        let key = self.seed.hash_one(key);
        let filled_up_ms = (self.rate.burst / self.rate.per_second * 1000.0) as u64;
        if self.young.len() >= self.limit / 2 || now.saturating_sub(self.turned) >= filled_up_ms {
            self.old = std::mem::take(&mut self.young);
            self.turned = now;
        }
        let kept = self.old.remove(&key);
        let rate = self.rate;
        self.young.entry(key).or_insert_with(|| kept.unwrap_or_else(|| Bucket::full(rate, now)))
    }
}

/// The addresses that count as one client: an IPv4 address, or the /64 that an IPv6 subscriber gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressBlock {
    V4(u32),
    V6(u64),
}

impl AddressBlock {
    pub fn of(address: IpAddr) -> AddressBlock {
        match address.to_canonical() {
            IpAddr::V4(address) => AddressBlock::V4(address.to_bits()),
            IpAddr::V6(address) => AddressBlock::V6((address.to_bits() >> 64) as u64),
        }
    }
}

/// The network of a client, for what must stay bounded also where somebody has many address blocks: an IPv4 address, or
/// the /48 that an IPv6 site gets, which has 65,536 blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Site(AddressBlock);

impl Site {
    pub fn of(address: IpAddr) -> Site {
        Site(match AddressBlock::of(address) {
            AddressBlock::V6(block) => AddressBlock::V6(block & !0xffff),
            block => block,
        })
    }
}

/// Places by key. Nothing is kept of a key whose places are all free, so that memory is bounded by who holds one.
#[derive(Debug)]
pub struct Places<K> {
    held: Mutex<HashMap<K, usize>>,
}

/// Free again once it is dropped.
#[derive(Debug)]
pub struct Place<K: Copy + Eq + Hash> {
    places: Arc<Places<K>>,
    key: K,
}

impl<K> Default for Places<K> {
    fn default() -> Places<K> {
        Places { held: Mutex::default() }
    }
}

impl<K: Copy + Eq + Hash> Places<K> {
    /// A place of this key, unless `limit` of them are held.
    pub fn take(self: &Arc<Self>, key: K, limit: usize) -> Option<Place<K>> {
        let mut all = self.lock();
        let held = all.get(&key).copied().unwrap_or(0);
        if held >= limit {
            return None;
        }
        all.insert(key, held + 1);
        Some(Place { places: self.clone(), key })
    }

    /// How many places are held, of all keys together.
    pub fn held(&self) -> usize {
        self.lock().values().sum()
    }

    /// How many keys have a place that is held.
    pub fn keys(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut all = self.places.lock();
        match all.get_mut(&self.key) {
            Some(held) if *held > 1 => *held -= 1,
            _ => drop(all.remove(&self.key)),
        }
    }
}
