//! Throttles: what they let through, what they keep, and who counts as one client. Time is a parameter.

use beck::server::auth::{Auth, SignInTry};
use beck::server::throttle::{AddressBlock, Rate, Throttle};
use std::net::IpAddr;
use std::time::Duration;

const RATE: Rate = Rate { burst: 3.0, per_second: 0.125 };

#[test]
fn a_key_has_its_burst_then_one_more_each_time_that_it_refills() {
    let mut throttle = Throttle::new(RATE, 100);
    assert!((0..3).all(|_| throttle.take("a", 0).is_ok()));
    assert_eq!(throttle.take("a", 0), Err(8_000));
    assert_eq!(throttle.take("a", 7_000), Err(1_000));
    assert_eq!(throttle.take("b", 7_000), Ok(()));
    assert_eq!(throttle.take("a", 8_000), Ok(()));
    assert!(throttle.take("a", 8_000).is_err());
    throttle.give_back("a", 8_000);
    assert_eq!(throttle.take("a", 8_000), Ok(()));
}

#[test]
fn what_a_key_used_up_is_remembered_while_others_come_and_until_it_has_refilled() {
    let mut throttle = Throttle::new(RATE, 1_000);
    while throttle.take("a", 0).is_ok() {}
    // The young map becomes the old one at 24 s.
    assert_eq!((0..3).filter(|_| throttle.take("a", 16_000).is_ok()).count(), 2);
    for n in 0..400 {
        assert_eq!(throttle.take(n, 24_000), Ok(()));
    }
    assert_eq!((0..3).filter(|_| throttle.take("a", 24_000).is_ok()).count(), 1);
}

#[test]
fn a_hundred_thousand_long_keys_take_little_memory_and_refuse_nobody_else() {
    let limit = 50_000;
    let mut throttle = Throttle::new(RATE, limit);
    let mut key = vec![b'x'; 100 * 1024];
    let mut most = (0, 0);
    for n in 0..100_000_u32 {
        key[..4].copy_from_slice(&n.to_le_bytes());
        // All of them long would take minutes to hash in a build for tests.
        let length = if n % 100 == 0 { key.len() } else { 100 };
        assert_eq!(throttle.take(&key[..length], 0), Ok(()), "key {n}");
        most = (most.0.max(throttle.buckets()), most.1.max(throttle.bytes()));
    }
    assert!(most.0 <= limit + 1, "{} buckets", most.0);
    assert!(most.1 <= 4 * 1024 * 1024, "{} bytes", most.1);
    // After the time in which they refill they are forgotten.
    for now in [25_000, 50_000] {
        assert_eq!(throttle.take("a", now), Ok(()));
    }
    assert_eq!(throttle.buckets(), 1);
}

#[test]
fn addresses_of_one_subscriber_are_one_client() {
    let of = |text: &str| AddressBlock::of(text.parse().unwrap());
    assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
    assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
}

fn stranger(n: u32, handle: &str) -> SignInTry<'_> {
    SignInTry {
        address: IpAddr::from(((0x2001_0db8_u128 << 96) | (u128::from(n) << 64)).to_be_bytes()),
        handle,
        known_browser: None,
    }
}

#[test]
fn tries_of_many_addresses_on_one_handle_are_delayed_and_never_refused() {
    let auth = Auth::default();
    let delays: Vec<_> = (0..60).map(|n| auth.try_sign_in(stranger(n, "olive"), 0).unwrap()).collect();
    assert!(delays[..20].iter().all(Duration::is_zero));
    assert!(
        delays[20..].iter().all(|delay| !delay.is_zero() && *delay <= Duration::from_secs(2)),
        "{delays:?}"
    );
    assert_eq!(auth.try_sign_in(stranger(60, "bo"), 0), Ok(Duration::ZERO));
}

#[test]
fn tries_of_one_address_block_have_an_end_whatever_the_handle_and_right_ones_do_not_count() {
    let auth = Auth::default();
    let handles: Vec<_> = (0..200).map(|n| format!("nobody{n}")).collect();
    for handle in &handles {
        let attempt = stranger(1, handle);
        assert!(auth.try_sign_in(attempt, 0).is_ok(), "a school signs in behind one address");
        auth.give_back_sign_in(attempt, 0);
    }
    let let_in = handles.iter().filter(|handle| auth.try_sign_in(stranger(1, handle), 0).is_ok()).count();
    assert_eq!(let_in, 50);
    assert!(auth.try_sign_in(stranger(2, "nobody"), 0).is_ok());
}

#[test]
fn one_time_codes_are_tried_ten_times_from_an_address_block_and_then_slowly() {
    let auth = Auth::default();
    let address = |n: u8| IpAddr::from([192, 0, 2, n]);
    let tries = |n: u8, now: u64| (0..100).filter(|_| auth.wrong_setup_code(address(n), now).is_ok()).count();
    assert_eq!((tries(1, 0), tries(1, 0), tries(2, 0)), (10, 0, 10));
    assert_eq!((tries(1, 29_000), tries(1, 31_000), tries(1, 32_000)), (0, 1, 0));
}
