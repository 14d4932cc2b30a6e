//! Formats of the log: what its entries mean.

/// A format of the log. The one in force where an entry stands decides it; a `format` entry raises it for those that
/// follow. An older version would decide them otherwise, so it stops at that entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    One,
    Two,
    Three,
    Four,
}

/// The log's format is newer than [`Format::NEWEST`]: this version cannot decide its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the log is of format {0}; this version reads format {newest}", newest = Format::NEWEST.number())]
pub struct NewerFormat(pub u32);

impl Format {
    /// The newest format that this version reads, and the one in which it begins a log.
    pub const NEWEST: Format = Format::Four;

    /// The number in the log.
    pub const fn number(self) -> u32 {
        match self {
            Format::One => 1,
            Format::Two => 2,
            Format::Three => 3,
            Format::Four => 4,
        }
    }
}

impl TryFrom<u32> for Format {
    type Error = NewerFormat;

    /// The format with this number. 0, which no release has written, is format 1.
    fn try_from(number: u32) -> Result<Format, NewerFormat> {
        match number {
            0 | 1 => Ok(Format::One),
            2 => Ok(Format::Two),
            3 => Ok(Format::Three),
            4 => Ok(Format::Four),
            newer => Err(NewerFormat(newer)),
        }
    }
}
