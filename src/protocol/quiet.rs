//! Hours of the day in which an account wants to be told nothing.

const DAY: u32 = 24 * 60;

/// Quiet hours, by the clock on the wall: each device goes by its own zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    pub on: bool,
    /// Minutes since midnight.
    pub from: u32,
    /// The first minute that is not quiet any more; before `from`: of the next day.
    pub to: u32,
}

impl Default for Quiet {
    /// What is proposed to one who never set them.
    fn default() -> Quiet {
        Quiet { on: false, from: 22 * 60, to: 7 * 60 }
    }
}

impl Quiet {
    /// None: these are no times of a day, or no time between two.
    pub fn new(on: bool, from: u32, to: u32) -> Option<Quiet> {
        (from < DAY && to < DAY && from != to).then_some(Quiet { on, from, to })
    }

    /// As the ordinal of a register.
    pub fn number(self) -> u64 {
        u64::from(self.on) + (u64::from(self.from) << 1) + (u64::from(self.to) << 12)
    }

    /// The inverse of [`Quiet::number`]; the default, if it is no number of such hours.
    pub fn of_number(number: u64) -> Quiet {
        let minute = |bits: u64| (bits & 0x7ff) as u32;
        Quiet::new(number & 1 > 0, minute(number >> 1), minute(number >> 12)).unwrap_or_default()
    }

    /// Whether a moment is within them: milliseconds since 1970, seen `zone` minutes east of UTC.
    pub fn covers(self, at: i64, zone: i32) -> bool {
        let minute = (at.div_euclid(60_000) + i64::from(zone)).rem_euclid(i64::from(DAY));
        let (from, to) = (i64::from(self.from), i64::from(self.to));
        let within = if from < to { (from..to).contains(&minute) } else { !(to..from).contains(&minute) };
        self.on && within
    }
}
