//! Which bodies can be erased.

use super::entry::{Kind, Token};

/// Whether the body of an entry goes when the text of a message is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erasable {
    /// It stays in the log for ever.
    Never,
    /// The body of a restore, which carries the text. The body of a deletion stays.
    IfRestore,
    Always,
}

/// Whether the body of an accepted entry can be erased. What repeats one under the same `client_id` is erased with it.
///
/// An entry whose body can be erased is decided by its header, and by earlier entries that stay, once it is accepted.
pub fn erasable(kind: &Kind, slot: Option<&Token>) -> Erasable {
    match (kind, slot.map(Token::as_str)) {
        (Kind::Message, _) | (Kind::Act, Some("text")) => Erasable::Always,
        (Kind::Act, Some("deleted")) => Erasable::IfRestore,
        _ => Erasable::Never,
    }
}
