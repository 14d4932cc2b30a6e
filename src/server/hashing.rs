//! Argon2 under bounds: few hashes run at once, each in memory that the next one takes over, and few wait.

use super::broker::BrokerError;
use super::throttle::{Places, Site};
use argon2::password_hash::{Output, ParamsString, PasswordHash, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;

/// Passwords that are hashed at the same time: each takes 19 MiB and a core.
const HASHES_AT_ONCE: usize = 2;
/// Hashes of strangers that may wait, of one site and of all. A site is an IPv4 address or an IPv6 /48. The throttle of
/// sign-ins lets one address have 50 at once and some that it delays, so that a school behind an IPv4 address or in one
/// IPv6 /64 does not reach 64. Whoever has a whole /48 fills a quarter of the queue, not all of it.
const WAITING_OF_SITE: usize = 64;
const WAITING_STRANGERS: usize = 4 * WAITING_OF_SITE;
/// Hashes that may wait in all: people who were here before get in while strangers fill their part. The last one waits
/// some seconds: two cores make 40 to 100 hashes a second.
const WAITING: usize = WAITING_STRANGERS + 128;

/// Whose password is to be hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Anybody who can reach the server, from this site.
    Stranger(Site),
    /// Somebody who is signed in, was signed in with this browser before, or has an invitation.
    Known,
}

/// Why a password was not hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotHashed {
    /// Too many wait.
    Busy,
    /// The thread that hashed it has failed.
    Failed,
}

impl From<NotHashed> for BrokerError {
    fn from(fault: NotHashed) -> BrokerError {
        BrokerError::Refused(
            match fault {
                NotHashed::Busy => {
                    "The server is checking too many passwords at once. Try again in a few seconds."
                }
                NotHashed::Failed => "The password could not be checked. See the log of the server.",
            }
            .into(),
        )
    }
}

pub struct Hashing {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// Those of them that are hashes of strangers.
    strangers: Arc<Places<Site>>,
    /// Memory that is not in use, kept only while hashes wait.
    free: Mutex<Vec<Memory>>,
}

/// The memory of one hash. What an earlier hash left in it does not matter: each first pass overwrites it.
#[derive(Default)]
pub struct Memory(Vec<Block>);

/// Counts as waiting until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Default for Hashing {
    fn default() -> Hashing {
        Hashing {
            permits: Arc::new(Semaphore::new(HASHES_AT_ONCE)),
            waiting: AtomicUsize::new(0),
            strangers: Arc::default(),
            free: Mutex::default(),
        }
    }
}

impl Hashing {
    /// Runs what hashes passwords, off the threads that serve.
    pub async fn run<T: Send + 'static>(
        self: &Arc<Hashing>,
        whose: Whose,
        what: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, NotHashed> {
        let (limit, site) = match whose {
            Whose::Known => (WAITING, None),
            Whose::Stranger(site) => (WAITING_STRANGERS, Some(site)),
        };
        let before = self.waiting.fetch_add(1, Ordering::AcqRel);
        let waiting = Waiting(&self.waiting);
        if before >= limit {
            return Err(NotHashed::Busy);
        }
        let place = match site {
            Some(site) => Some(self.strangers.take(site, WAITING_OF_SITE).ok_or(NotHashed::Busy)?),
            None => None,
        };
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| NotHashed::Failed)?;
        drop((waiting, place));
        let hashing = self.clone();
        // A client that goes away ends the request, not the hash: the permit goes with the hash.
        let hashed = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let mut memory = hashing.free().pop().unwrap_or_default();
            let done = what(&mut memory);
            if hashing.waiting.load(Ordering::Acquire) > 0 {
                hashing.free().push(memory);
            } else {
                hashing.free().clear();
            }
            done
        });
        hashed.await.map_err(|_| NotHashed::Failed)
    }

    /// How many hashes wait.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Memory>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn blocks(&mut self, params: &Params) -> &mut [Block] {
        self.0.resize(params.block_count(), Block::default());
        &mut self.0
    }

    /// The hash of a password with a new salt, as a PHC string.
    pub fn hash(&mut self, password: &str) -> Option<String> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).ok()?;
        let text = SaltString::encode_b64(&salt).ok()?;
        let argon2 = Argon2::default();
        let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
        let blocks = self.blocks(argon2.params());
        argon2.hash_password_into_with_memory(password.as_bytes(), &salt, &mut out, blocks).ok()?;
        let hash = PasswordHash {
            algorithm: Algorithm::default().ident(),
            version: Some(Version::default().into()),
            params: ParamsString::try_from(argon2.params()).ok()?,
            salt: Some(text.as_salt()),
            hash: Some(Output::new(&out).ok()?),
        };
        Some(hash.to_string())
    }

    /// Whether a password is the one of a PHC string. `None` if the string is none of Argon2.
    pub fn matches(&mut self, password: &str, phc: &str) -> Option<bool> {
        let hash = PasswordHash::new(phc).ok()?;
        let algorithm = Algorithm::try_from(hash.algorithm).ok()?;
        let version = hash.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
        let params = Params::try_from(&hash).ok()?;
        let mut salt = [0; 64];
        let salt = hash.salt?.decode_b64(&mut salt).ok()?;
        let expected = hash.hash?;
        let mut out = vec![0; expected.len()];
        let blocks = self.blocks(&params);
        let argon2 = Argon2::new(algorithm, version, params);
        argon2.hash_password_into_with_memory(password.as_bytes(), salt, &mut out, blocks).ok()?;
        Some(expected.as_bytes().ct_eq(&out).into())
    }
}
