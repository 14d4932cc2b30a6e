//! Which bodies can be erased.

use super::entry::{Kind, Token};
use super::format::Format;

/// Whether the body of an entry can be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erasable {
    /// It stays in the log for ever.
    Never,
    /// The body of a restore, which carries the text. The body of a deletion stays.
    IfRestore,
    Always,
}

/// Whether the body of an entry that this format decides can be erased. What repeats an entry under the same `client_id`
/// is erased with it.
///
/// An entry whose body can be erased is decided by its header, and by earlier entries that stay. Formats 1 to 4 read the
/// body of one that they refuse, so there only that of an accepted entry is erased.
pub fn erasable(format: Format, kind: &Kind, slot: Option<&Token>) -> Erasable {
    match format {
        Format::One | Format::Two | Format::Three | Format::Four => texts_of_messages(kind, slot),
        Format::Five => all_but_decided_by(kind, slot),
    }
}

fn texts_of_messages(kind: &Kind, slot: Option<&Token>) -> Erasable {
    match (kind, slot.map(Token::as_str)) {
        (Kind::Message, _) | (Kind::Act, Some("text")) => Erasable::Always,
        (Kind::Act, Some("deleted")) => Erasable::IfRestore,
        _ => Erasable::Never,
    }
}

fn all_but_decided_by(kind: &Kind, slot: Option<&Token>) -> Erasable {
    match (kind, slot.map(Token::as_str)) {
        (
            Kind::Workspace
            | Kind::Format
            | Kind::Account
            | Kind::Room
            | Kind::Erase
            | Kind::Join
            | Kind::Leave
            | Kind::Void
            | Kind::Logins,
            _,
        )
        | (Kind::RoomSet, Some("name" | "archived"))
        | (Kind::AccountSet, Some("role"))
        | (Kind::Act, Some("pin")) => Erasable::Never,
        (Kind::Act, Some("deleted")) => Erasable::IfRestore,
        (Kind::Act, Some(slot)) if slot.starts_with("react:") => Erasable::Never,
        _ => Erasable::Always,
    }
}
