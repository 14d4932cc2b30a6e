//! What a connection is forgiven: slips that are rare never close it, as many in a short time do.

use beck::server::connection::Slips;

const MINUTE: u64 = 60_000;
const WEEK: u64 = 7 * 24 * 60 * MINUTE;

#[test]
fn rare_slips_never_close_a_connection_however_long_it_lives() {
    let mut slips = Slips::new(0);
    let mut counted = 0;
    for minute in (0..20 * WEEK).step_by(10 * MINUTE as usize) {
        assert!(
            slips.unreadable(minute) && slips.throttled(minute) && slips.unknown_room(minute),
            "{minute}"
        );
        counted += 1;
    }
    assert!(counted > 20_000);
}

#[test]
fn a_burst_closes_it_also_after_weeks_without_one() {
    for began in [0, 20 * WEEK] {
        let mut slips = Slips::new(0);
        assert_eq!((0..1_000).take_while(|_| slips.unreadable(began)).count(), 10);
        assert_eq!((0..1_000).take_while(|_| slips.throttled(began)).count(), 200);
        assert_eq!((0..1_000).take_while(|_| slips.unknown_room(began)).count(), 30);
        // A clock that stands or goes back forgives nothing.
        assert!(!slips.unreadable(began) && !slips.throttled(began.saturating_sub(WEEK)));
    }
    // A flood that never ends comes to its end, however slow.
    let mut slips = Slips::new(0);
    assert!((0..100_000_u64).any(|n| !slips.throttled(n * 33)), "30 a second are a flood");
}
