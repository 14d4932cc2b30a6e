//! When the people of the demo wrote: a few lines at a stretch, mostly at work, over the last month.

use super::Dice;

pub const MINUTE: i64 = 60_000;
pub const DAY: i64 = 24 * 60 * MINUTE;
/// How far back the first message may lie.
pub const MONTH: i64 = 30 * DAY;

/// Of a hundred stretches that could begin at this time (UTC), so many do.
fn busy(at: i64) -> usize {
    let at_work = match at.rem_euclid(DAY) / (60 * MINUTE) {
        8..=11 | 13..=16 => 100,
        7 | 12 | 17 => 40,
        6 | 18..=21 => 10,
        _ => 1,
    };
    // The first day of 1970 was a Thursday.
    let weekend = matches!((at.div_euclid(DAY) + 4).rem_euclid(7), 0 | 6);
    if weekend { at_work / 10 } else { at_work }
}

/// The times of a room's messages, rising, from a month before `now` on; the last one is `newest`.
pub fn of_room(dice: &mut Dice, messages: usize, now: i64, newest: i64) -> Vec<i64> {
    let mut times = Vec::with_capacity(messages);
    let mut begin = newest;
    while times.len() < messages {
        let pauses = (1..messages - times.len()).take(dice.next(7)).map(|_| 4_000 + dice.next(80_000) as i64);
        let pauses: Vec<_> = pauses.collect();
        let mut at = begin.min(newest - pauses.iter().sum::<i64>());
        times.push(at);
        for pause in pauses {
            at += pause;
            times.push(at);
        }
        begin = loop {
            let at = now - MONTH + (dice.next((MONTH / MINUTE) as usize) as i64) * MINUTE;
            let at = at + dice.next(MINUTE as usize) as i64;
            if dice.next(100) < busy(at) {
                break at;
            }
        };
    }
    times.sort_unstable();
    times
}
