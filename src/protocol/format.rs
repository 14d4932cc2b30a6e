//! Formats of the log: what its entries mean.

/// A format of the log. The one in force where an entry stands decides it; a `format` entry raises it for those that
/// follow. An older version would decide them otherwise, so it stops at that entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    One,
    Two,
    Three,
    Four,
    Five,
}

/// The log's format is newer than [`Format::NEWEST`]: this version cannot decide its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the log is of format {number}; this version reads format {newest}", newest = .newest.number())]
pub struct NewerFormat {
    pub number: u32,
    pub newest: Format,
}

impl Format {
    /// The newest format that this version reads, and the one in which it begins a log. Tests start servers that read an
    /// earlier one, as earlier versions do.
    pub const NEWEST: Format = Format::Five;

    /// Every format that this version has rules for, in order.
    pub const KNOWN: [Format; 5] = [Format::One, Format::Two, Format::Three, Format::Four, Format::Five];

    /// The number in the log.
    pub const fn number(self) -> u32 {
        match self {
            Format::One => 1,
            Format::Two => 2,
            Format::Three => 3,
            Format::Four => 4,
            Format::Five => 5,
        }
    }

    /// The format with this number, if `newest` or an earlier one has it. 0, which no release has written, is format 1.
    pub fn read(number: u32, newest: Format) -> Result<Format, NewerFormat> {
        let known = Format::KNOWN.get(number.saturating_sub(1) as usize).copied();
        known.filter(|format| *format <= newest).ok_or(NewerFormat { number, newest })
    }
}

impl TryFrom<u32> for Format {
    type Error = NewerFormat;

    /// As [`Format::read`], of a version that reads [`Format::NEWEST`].
    fn try_from(number: u32) -> Result<Format, NewerFormat> {
        Format::read(number, Format::NEWEST)
    }
}
