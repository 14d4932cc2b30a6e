//! Names of rooms as format 5 has them: what people may enter, the key that the log compares, and names that look the
//! same. The format does not say how a key is made, so this may change: what was written stays as it is.

use super::directory::{Directory, Room};
use crate::protocol::RoomId;
use crate::protocol::bounds::{self, Limit, NAME_CHARS, Unfit};
use crate::protocol::frame::RoomKind;
use unicode_normalization::UnicodeNormalization as _;
use unicode_security::confusable_detection::skeleton;
use unicode_segmentation::UnicodeSegmentation as _;

/// Bytes of a name and of a key that the log takes.
const BYTES: usize = 256;

const TOO_LONG: Unfit = Unfit::Long { limit: Limit::Characters(*NAME_CHARS.end()) };

/// A name of a room or a person: one line of 1 to 32 characters as people count them.
pub fn shown_name(typed: &str) -> Result<String, Unfit> {
    let name = bounds::one_line(typed)?;
    match name.graphemes(true).count() {
        0 => Err(Unfit::Empty),
        n if n > *NAME_CHARS.end() || name.len() > BYTES => Err(TOO_LONG),
        _ => Ok(name),
    }
}

/// A name as it is shown, with the key by which it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomName {
    pub name: String,
    pub key: String,
}

impl RoomName {
    /// Of what somebody typed: 1 to 32 characters as people count them.
    pub fn typed(typed: &str) -> Result<RoomName, Unfit> {
        let name = shown_name(typed)?;
        let key = key(&name);
        match key.len() {
            0 => Err(Unfit::Empty),
            length if length > BYTES => Err(TOO_LONG),
            _ => Ok(RoomName { name, key }),
        }
    }

    /// An open room that is not archived and whose name is taken for this one, whatever format it was made in. `but` is
    /// the room that is to have this name.
    pub fn taken_for<'a>(&self, directory: &'a Directory, but: RoomId) -> Option<&'a Room> {
        let looks = looks(&self.name);
        let mut others = directory
            .rooms
            .values()
            .map(AsRef::as_ref)
            .filter(|room| room.id != but && room.kind == RoomKind::Open && !room.archived);
        others.find(|room| {
            self.key == key(&room.name) || looks.iter().any(|look| self::looks(&room.name).contains(look))
        })
    }
}

/// What is left of a name when its case, its width and what is not seen do not count.
pub fn key(name: &str) -> String {
    let seen: String = name.nfkc().filter(|c| !is_ignorable(*c)).collect();
    let lower = seen.to_lowercase().replace('ς', "σ");
    let lower: String = lower.nfkc().collect();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How a name looks (Unicode UTS 39): as it is written, and in lower case, since an `I` looks like an `l` and an `i` does
/// not.
fn looks(name: &str) -> [String; 2] {
    let shown: String = name.nfkc().collect();
    let written: String = skeleton(&shown).collect();
    [key(&written), skeleton(&key(name)).collect()]
}

/// Variation selectors, and the other characters that Unicode ignores by default.
fn is_ignorable(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFF8}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}
