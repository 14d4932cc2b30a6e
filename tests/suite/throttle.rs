//! Throttles: what they let through, what they keep, and who counts as one client. Time is a parameter.

use beck::server::auth::{Auth, SignInTry, TooMany};
use beck::server::throttle::{AddressBlock, Places, Rate, Site, Throttle};
use std::net::IpAddr;
use std::sync::Arc;

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
    // Nothing is given back above the burst, and a clock that goes back refills nothing.
    throttle.give_back("c", 8_000);
    assert_eq!((0..9).filter(|_| throttle.take("c", 8_000).is_ok()).count(), 3);
    assert!(throttle.take("c", 0).is_err() && throttle.take("c", 8_000).is_err());
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
fn addresses_of_one_site_are_one_network() {
    let of = |text: &str| Site::of(text.parse().unwrap());
    assert_eq!(of("2001:db8:1::1"), of("2001:db8:1:ffff::1"));
    assert_ne!(of("2001:db8:1::1"), of("2001:db8:2::1"));
    assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
}

#[test]
fn a_key_has_its_places_and_nothing_is_kept_of_it_once_all_are_free() {
    let places = Arc::new(Places::default());
    let mut held: Vec<_> = (0..3).filter_map(|_| places.take("a", 2)).collect();
    assert_eq!(held.len(), 2);
    assert!(places.take("b", 2).is_some(), "another key");
    assert_eq!(places.keys(), 1);
    held.pop();
    held.extend(places.take("a", 2));
    assert!(held.len() == 2 && places.take("a", 2).is_none());
    drop(held);
    assert_eq!(places.keys(), 0);
}

#[test]
fn tries_of_many_addresses_on_one_handle_are_delayed_and_never_refused() {
    let auth = Auth::default();
    let admitted: Vec<_> = (0..60).map(|n| auth.try_sign_in(stranger(n, "olive"), 0).unwrap()).collect();
    let delayed: Vec<_> = admitted.iter().map(|admission| admission.is_delayed()).collect();
    assert_eq!(delayed, (0..60).map(|n| n >= 20).collect::<Vec<_>>());
    assert!(!auth.try_sign_in(stranger(60, "bo"), 0).unwrap().is_delayed());
}

#[test]
fn tries_of_one_address_block_are_delayed_beyond_fifty_and_eight_wait_at_once() {
    let auth = Auth::default();
    let handles: Vec<_> = (0..200).map(|n| format!("nobody{n}")).collect();
    for handle in &handles {
        let attempt = stranger(1, handle);
        let admission = auth.try_sign_in(attempt, 0).unwrap();
        assert!(!admission.is_delayed(), "a school signs in behind one address");
        auth.give_back_sign_in(attempt, &admission, 0);
    }
    let tries: Vec<_> = handles.iter().map(|handle| auth.try_sign_in(stranger(1, handle), 0)).collect();
    let is_delayed: Vec<_> = tries.iter().flatten().map(|admission| admission.is_delayed()).collect();
    assert_eq!(is_delayed, [vec![false; 50], vec![true; 8]].concat());
    let refused: Vec<_> = tries.iter().filter_map(|tried| tried.as_ref().err()).collect();
    assert_eq!(refused, vec![&TooMany { seconds: 2 }; 142]);
    assert!(!auth.try_sign_in(stranger(2, "nobody"), 0).unwrap().is_delayed(), "another address");
    // Whoever goes on leaves a place to the next one.
    let mut waiting: Vec<_> =
        tries.into_iter().flatten().filter(|admission| admission.is_delayed()).collect();
    for n in 0..20 {
        waiting.remove(0);
        waiting.push(auth.try_sign_in(stranger(1, &handles[150 + n]), 0).unwrap());
    }
    assert!(auth.try_sign_in(stranger(1, "somebody"), 0).is_err());
}

#[test]
fn a_try_that_was_no_guess_gives_back_the_tokens_that_it_took_and_no_more() {
    let auth = Auth::default();
    let handles: Vec<_> = (0..300).map(|n| format!("nobody{n}")).collect();
    let _quick: Vec<_> =
        handles[..50].iter().map(|handle| auth.try_sign_in(stranger(1, handle), 0)).collect();
    // A right password that had to wait has taken no token of its address.
    for handle in &handles[50..100] {
        let admission = auth.try_sign_in(stranger(1, handle), 0).unwrap();
        auth.give_back_sign_in(stranger(1, handle), &admission, 0);
        assert!(admission.is_delayed());
    }
    // One that finds no place to wait has taken none of its handle.
    let waiting: Vec<_> =
        (0..8).map(|n| auth.try_sign_in(stranger(1, &handles[100 + n]), 0).unwrap()).collect();
    let refused = (0..100).filter(|_| auth.try_sign_in(stranger(1, "olive"), 0).is_err()).count();
    assert_eq!(refused, 100);
    drop(waiting);
    let tries = (0..30).filter(|_| auth.try_sign_in(stranger(1, "olive"), 0).is_ok()).count();
    assert_eq!(tries, 10, "guesses of one account's password from one address");
}

#[test]
fn one_time_codes_are_tried_ten_times_from_an_address_block_and_then_slowly() {
    let auth = Auth::default();
    let address = |n: u8| IpAddr::from([192, 0, 2, n]);
    let tries = |n: u8, now: u64| (0..100).filter(|_| auth.wrong_setup_code(address(n), now).is_ok()).count();
    assert_eq!((tries(1, 0), tries(1, 0), tries(2, 0)), (10, 0, 10));
    assert_eq!((tries(1, 29_000), tries(1, 31_000), tries(1, 32_000)), (0, 1, 0));
}
