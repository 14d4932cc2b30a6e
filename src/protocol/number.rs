//! Numbers of frames: whole, and never above what the state file and the stores can keep.

use serde::{Deserialize, Deserializer, de::Error};

/// The largest number that a client's frame may carry: SQLite and Redis keep signed 64-bit integers, and a larger
/// one would turn negative there.
pub const LARGEST: u64 = i64::MAX as u64;

/// Reads a number up to [`LARGEST`]. For `deserialize_with` on every number of a client's frame.
pub fn bounded<'de, D: Deserializer<'de>, T: TryFrom<u64>>(deserializer: D) -> Result<T, D::Error> {
    let number = u64::deserialize(deserializer)?;
    let fits = (number <= LARGEST).then(|| T::try_from(number).ok()).flatten();
    fits.ok_or_else(|| D::Error::custom(format_args!("{number} is too large: a number is at most {LARGEST}")))
}

/// As [`bounded`], for a number that may be absent or null.
pub fn bounded_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    struct Bounded(u64);
    impl<'de> Deserialize<'de> for Bounded {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            bounded(deserializer).map(Bounded)
        }
    }
    Ok(Option::<Bounded>::deserialize(deserializer)?.map(|number| number.0))
}
