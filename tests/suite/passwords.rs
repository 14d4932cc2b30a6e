//! Passwords: how they are hashed, which spellings are one password, and what a change leaves behind that fails.

use crate::support::awaited::{unlocked, until};
use crate::support::pass_on::pass_on;
use crate::support::{config, set_up};
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Broker, BrokerError, Secret, SecretOp};
use beck::server::hashing::{Hashing, Memory, NotHashed, Whose};
use beck::server::node::Node;
use beck::server::throttle::Site;
use futures::FutureExt;
use futures::future::BoxFuture;
use sha2::{Digest, Sha256};
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use tempfile::tempdir;

fn by_the_crate(argon2: &Argon2<'_>, password: &str) -> String {
    let salt = SaltString::encode_b64(b"sixteen letters!").unwrap();
    argon2.hash_password(password.as_bytes(), &salt).unwrap().to_string()
}

#[test]
fn hashes_in_used_memory_are_those_of_the_crate_also_with_other_parameters() {
    let mut memory = Memory::default();
    for password in ["a long password", "another long password", ""] {
        let hash = memory.hash(password).unwrap();
        let parsed = PasswordHash::new(&hash).unwrap();
        assert!(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok(), "{hash}");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(memory.hash(password), Some(hash));
    }
    let other =
        |algorithm, m, t, p| Argon2::new(algorithm, Version::V0x13, Params::new(m, t, p, Some(24)).unwrap());
    for argon2 in
        [Argon2::default(), other(Algorithm::Argon2i, 64, 3, 2), other(Algorithm::Argon2id, 30_000, 1, 1)]
    {
        let hash = by_the_crate(&argon2, "a long password");
        assert_eq!(memory.matches("a long password", &hash), Some(true), "{hash}");
        assert_eq!(memory.matches("a long passwore", &hash), Some(false), "{hash}");
    }
    for hash in [
        "",
        "x",
        "$argon2id$v=19$m=19456,t=2,p=1",
        "$scrypt$ln=1$YWFhYWFhYWE$YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE",
    ] {
        assert_eq!(memory.matches("", hash), None, "{hash}");
    }
}

/// A stranger of this IPv6 /48, in this /64 of it.
fn stranger(site: u16, block: u16) -> Whose {
    Whose::Stranger(Site::of(Ipv6Addr::new(0x2001, 0xdb8, site, block, 0, 0, 0, 1).into()))
}

/// Hashes hold both permits until the end of the test.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_of_one_site_do_not_fill_the_queue_and_those_of_all_leave_room_for_people_who_are_known() {
    let hashing = Arc::new(Hashing::default());
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = Arc::new(std::sync::Mutex::new(held));
    let running = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::new();
    let mut start = |whose| {
        let (hashing, held, running) = (hashing.clone(), held.clone(), running.clone());
        tasks.push(tokio::spawn(async move {
            hashing
                .run(whose, move |_| {
                    running.fetch_add(1, Ordering::SeqCst);
                    let _ = held.lock().unwrap().recv();
                })
                .await
        }));
    };
    for _ in 0..2 {
        start(stranger(0, 0));
    }
    until("two run", || running.load(Ordering::SeqCst) == 2).await;
    // Each of them in a /64 of its own.
    let mut waiting = 0;
    for site in 0..4 {
        for block in 0..64 {
            start(stranger(site, block));
            waiting += 1;
            until("it waits", || hashing.waiting() == waiting).await;
        }
        let refused = hashing.run(stranger(site, 64), |_| ()).now_or_never();
        assert_eq!(refused, Some(Err(NotHashed::Busy)), "{site}");
        assert_eq!(hashing.waiting(), waiting);
    }
    assert_eq!(hashing.run(stranger(4, 0), |_| ()).await, Err(NotHashed::Busy));
    for n in 257..=384 {
        start(Whose::Known);
        until("it waits", || hashing.waiting() == n).await;
    }
    assert_eq!(hashing.run(Whose::Known, |_| ()).await, Err(NotHashed::Busy));
    // Whoever goes away leaves the queue; a hash that runs keeps its permit.
    tasks[0].abort();
    tasks[200].abort();
    until("one less waits", || hashing.waiting() == 383).await;
    assert_eq!(running.load(Ordering::SeqCst), 2);
    drop(release);
    let mut done = 0;
    for task in tasks {
        done += usize::from(task.await.is_ok_and(|hashed| hashed == Ok(())));
    }
    assert_eq!((done, hashing.waiting()), (384, 0));
    assert_eq!(hashing.run(stranger(0, 0), |_| ()).await, Ok(()));
}

const COMPOSED: &str = "\u{fc}ber den Wolken";
const DECOMPOSED: &str = "u\u{308}ber den Wolken";

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_one_in_every_form_that_a_keyboard_gives_it() {
    let folder = tempdir().unwrap();
    let here = set_up(folder.path()).await;
    let lets_in = async |password: &str| {
        here.node.check_password(Whose::Known, "olive", password).await.unwrap().is_some()
    };
    for set in [COMPOSED, DECOMPOSED] {
        here.node.set_password(here.owner, set).await.unwrap();
        assert!(lets_in(COMPOSED).await && lets_in(DECOMPOSED).await, "{set:?}");
        assert!(!lets_in("uber den Wolken").await);
    }
    // Wide letters of an input method, and a ligature.
    here.node.set_password(here.owner, "\u{ff50}assword o\u{fb03}ce").await.unwrap();
    assert!(lets_in("password office").await);

    // As an earlier release has hashed it: as it was typed.
    let key = format!("password:{}", here.owner);
    for typed in [DECOMPOSED, COMPOSED] {
        let hash = by_the_crate(&Argon2::default(), typed);
        let Secret { version, .. } = here.log.secret(key.clone(), SecretOp::Get).await.unwrap().unwrap();
        let value = serde_json::json!({ "hash": hash, "generation": 0 }).to_string();
        let op = SecretOp::Put { value, if_version: version, expires: None };
        here.log.secret(key.clone(), op).await.unwrap();
        assert!(lets_in(typed).await, "{typed:?}");
    }
}

const NOTHING: u8 = 0;
/// The write of the next password is refused.
const REFUSE: u8 = 1;
/// As before, and nothing is written after it.
const REFUSE_ALL: u8 = 2;

/// A store that does not take the next password.
struct NoPassword {
    log: Embedded,
    plan: AtomicU8,
    refused: AtomicU64,
}

impl Broker for NoPassword {
    fn secret(&self, key: String, op: SecretOp) -> BoxFuture<'_, Result<Option<Secret>, BrokerError>> {
        let plan = self.plan.load(Ordering::SeqCst);
        let is_password = key.starts_with("password:");
        let counts = self.refused.load(Ordering::SeqCst) > 0;
        let writes = !matches!(op, SecretOp::Get);
        if writes && plan != NOTHING && (is_password || counts && plan == REFUSE_ALL) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return async { Err(BrokerError::Refused("the store is full".into())) }.boxed();
        }
        self.log.secret(key, op)
    }

    pass_on!(create append read erase registers signals durability follow head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_password_that_fails_leaves_no_login_that_outlives_signing_out_everywhere() {
    for plan in [REFUSE, REFUSE_ALL] {
        let folder = tempdir().unwrap();
        let here = set_up(folder.path()).await;
        let owner = here.owner;
        drop(here);
        let log = unlocked(folder.path()).await;
        let store = NoPassword { log, plan: AtomicU8::new(NOTHING), refused: AtomicU64::new(0) };
        let store = Arc::new(store);
        let node = Node::start(config(folder.path()), store.clone()).await.unwrap();
        let own = node.sign_in(owner).await.unwrap();
        let key = format!("login:{}", hex::encode(Sha256::digest(&own)));
        let generation = async || {
            let login = store.log.secret(key.clone(), SecretOp::Get).await.unwrap().unwrap().value;
            serde_json::from_str::<serde_json::Value>(&login).unwrap()["generation"].as_u64().unwrap()
        };
        let before = generation().await;
        store.plan.store(plan, Ordering::SeqCst);
        let changed = node.change_password((owner, &own), "a long password", "another long password").await;
        assert!(changed.is_err(), "{changed:?}");
        assert!(store.refused.load(Ordering::SeqCst) > 0, "nothing was refused");
        assert_eq!(
            node.account_of(&own).await,
            Some(owner),
            "the password is the old one, and so is the login"
        );
        if plan == REFUSE {
            assert_eq!(generation().await, before, "the login is not left a generation ahead");
        }
        store.plan.store(NOTHING, Ordering::SeqCst);
        node.sign_out_everywhere(owner).await.unwrap();
        assert_eq!(node.account_of(&own).await, None);
    }
}
