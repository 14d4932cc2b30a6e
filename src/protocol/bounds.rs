//! Limits, and the one place where what people type is made fit to be stored.

use std::fmt;

/// Bytes of one frame or message, either way.
pub const FRAME_BYTES: usize = 64 * 1024;
/// Bytes of one message's text; leaves room for escapes within a frame.
pub const TEXT_BYTES: usize = 24 * 1024;
/// Characters of a person's, room's or workspace's name.
pub const NAME_CHARS: std::ops::RangeInclusive<usize> = 2..=32;
/// Characters of a handle.
pub const HANDLE_CHARS: std::ops::RangeInclusive<usize> = 2..=24;
/// Characters of a room's topic.
pub const TOPIC_CHARS: usize = 160;
/// Characters of a password, counted by Unicode scalar values.
pub const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 10..=256;
/// Rows of one page.
pub const PAGE_ROWS: usize = 100;
/// Rows of the page that the server renders.
pub const FIRST_PAGE_ROWS: usize = 50;
/// Missed events that a subscriber is sent; beyond that it loads a fresh window.
pub const RESUME_EVENTS: u64 = 1_000;
/// Events that one `events` frame carries at most.
pub const FETCHED_AT_ONCE: u64 = 500;
/// Headers that one `headers` frame carries at most.
pub const HEADERS_AT_ONCE: u64 = 1_000;
/// Events that any statement reads at most.
pub const EVENTS_AT_ONCE: u32 = 1_000;
/// Sockets that one account may have open at once on one server.
pub const SOCKETS_PER_ACCOUNT: usize = 32;
/// Rooms that one connection may have open at once.
pub const OPEN_ROOMS: usize = 32;
/// Both sides send something at least this often, in milliseconds.
pub const HEARTBEAT_MS: u32 = 25_000;
/// Read pointers that one frame raises at most.
pub const RAISE_AT_ONCE: usize = 500;
/// People that one text can mention.
pub const MENTIONED: usize = 50;
/// Mentions of one page of them.
pub const MENTIONS: usize = 30;
/// Mentions that are looked through for one page of them, newest first: those of rooms and threads that the account
/// does not follow are passed over.
pub const MENTIONS_WITHIN: u32 = 10_000;
/// Threads of a room, the newest ones, that are looked through for those which an account follows.
pub const FOLLOWED_WITHIN: u32 = 50_000;
/// Threads of a room that one list names.
pub const THREADS: usize = 100;
/// Unread answers of a room, given at once.
pub const ANSWERS: usize = 50;
/// Events that are looked through for them.
pub const ANSWERS_WITHIN: u64 = 10_000;
/// An unread count is exact up to here.
pub const UNREAD_EXACT: u32 = 99;
/// People whose presence one connection looks at.
pub const WATCHED: usize = 200;
/// Members that one list names.
pub const MEMBERS: usize = 200;
/// People that are said to type at once.
pub const TYPING: usize = 4;
/// People who are told to be typing in threads of a room.
pub const TYPING_ANSWERS: usize = 20;
/// Characters of what one says of oneself.
pub const STATUS_CHARS: usize = 80;
/// Texts of one message that its history shows.
pub const VERSIONS: usize = 50;
/// A deleted message can be restored for so long: milliseconds.
pub const RESTORE_MS: i64 = 24 * 60 * 60 * 1000;
/// Different emoji that a message can have as reactions.
pub const REACTIONS: usize = 20;
/// Different emoji that one person can react with to a message.
pub const REACTIONS_EACH: usize = 10;
/// Acts on one message, the newest ones, that are looked through for its texts.
pub const HISTORY_WITHIN: u32 = 10_000;
/// Bytes of one reaction's emoji.
pub const EMOJI_BYTES: usize = 32;

/// What is wrong with a text that a person typed; says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("Write something first.")]
    Empty,
    #[error("That is too long: {limit} at most.")]
    Long { limit: Limit },
    #[error("That is too short: {at_least} characters at least.")]
    Short { at_least: usize },
    #[error("That has a character that cannot be shown. Remove it and try again.")]
    Control,
    #[error("React with one emoji.")]
    Emoji,
    #[error("Use only a to z, 0 to 9, dot, dash and underscore, and begin and end with a letter or digit.")]
    Handle,
    #[error("That handle names everybody in a room. Choose another one.")]
    Reserved,
    #[error("A message can mention {MENTIONED} people. This one mentions {people}. Use @room for everybody.")]
    Mentions { people: usize },
}

/// A limit with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Characters(usize),
    Bytes(usize),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Characters(n) => write!(f, "{n} characters"),
            Limit::Bytes(n) => write!(f, "{} KB", n / 1024),
        }
    }
}

/// A reaction: one emoji, and nothing that could pass for words.
pub fn emoji(text: &str) -> Result<&str, Unfit> {
    let picture = |c: char| {
        matches!(c, '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{2194}'..='\u{21ff}'
            | '\u{231a}'..='\u{23ff}' | '\u{25aa}'..='\u{27bf}' | '\u{2934}'..='\u{2935}' | '\u{2b05}'..='\u{2b55}'
            | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}' | '\u{1f000}'..='\u{1faff}')
    };
    // Joiner, emoji presentation, and the tags of flags: they only stand after a picture.
    let binds = |c: char| matches!(c, '\u{200d}' | '\u{fe0f}' | '\u{e0020}'..='\u{e007f}');
    let keycap = matches!(text.strip_suffix("\u{fe0f}\u{20e3}"), Some(key) if key.len() == 1 && "0123456789#*".contains(key));
    let pictures = text.chars().next().is_some_and(picture) && text.chars().all(|c| picture(c) || binds(c));
    if text.len() <= EMOJI_BYTES && (keycap || pictures) { Ok(text) } else { Err(Unfit::Emoji) }
}

/// Directional overrides and isolates, and characters that show nothing: with them one name could pass for another.
fn misleads(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Whether a character that shows nothing itself changes how its neighbours are shown.
fn is_used(before: Option<char>, c: char, after: Option<char>) -> bool {
    let joined = |c: Option<char>| c.is_some_and(|c| c >= '\u{600}' && (c == '\u{FE0F}' || !misleads(c)));
    match (before, c) {
        // Joiners: of several emoji, and of letters in scripts that join them.
        (_, '\u{200C}' | '\u{200D}') => joined(before) && joined(after),
        // The emoji form of a sign, of a key.
        (Some('0'..='9' | '#' | '*'), '\u{FE0F}') => after == Some('\u{20E3}'),
        (Some(sign), '\u{FE0F}') => matches!(sign, '©' | '®' | '\u{2000}'..) && !misleads(sign),
        // The region of a flag, in tags that follow a black flag.
        (
            Some('\u{1F3F4}' | '\u{E0030}'..='\u{E0039}' | '\u{E0061}'..='\u{E007A}'),
            '\u{E0020}'..='\u{E007F}',
        ) => true,
        // Forms of a letter: Mongolian, Chinese and Japanese.
        (Some('\u{1820}'..='\u{18AA}'), '\u{180B}'..='\u{180D}' | '\u{180F}') => true,
        (
            Some('\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}'),
            '\u{E0100}'..='\u{E01EF}',
        ) => true,
        _ => false,
    }
}

/// A message's text: line ends become `\n`, white space at the end goes, other control characters are refused.
pub fn message_text(typed: &str) -> Result<String, Unfit> {
    if typed.len() > TEXT_BYTES {
        return Err(Unfit::Long { limit: Limit::Bytes(TEXT_BYTES) });
    }
    let text = typed.replace("\r\n", "\n").replace('\r', "\n");
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        return Err(Unfit::Control);
    }
    let text = text.trim_end().trim_start_matches('\n');
    if text.chars().all(|c| c.is_whitespace() || misleads(c)) {
        return Err(Unfit::Empty);
    }
    Ok(text.to_owned())
}

/// One line: runs of white space become one space, and what is not seen is refused. It may be empty.
pub fn one_line(typed: &str) -> Result<String, Unfit> {
    let text = typed.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c.is_control() || misleads(c) && !is_used(before, c, rest.peek().copied()) {
            return Err(Unfit::Control);
        }
        before = Some(c);
    }
    Ok(text)
}

fn line(typed: &str, at_least: usize, at_most: usize) -> Result<String, Unfit> {
    let text = one_line(typed)?;
    match text.chars().count() {
        0 if at_least > 0 => Err(Unfit::Empty),
        n if n < at_least => Err(Unfit::Short { at_least }),
        n if n > at_most => Err(Unfit::Long { limit: Limit::Characters(at_most) }),
        _ => Ok(text),
    }
}

/// A shown name of a person, room or workspace: one line, runs of white space become one space.
pub fn name(typed: &str) -> Result<String, Unfit> {
    line(typed, *NAME_CHARS.start(), *NAME_CHARS.end())
}

/// A room's topic; may be empty.
pub fn topic(typed: &str) -> Result<String, Unfit> {
    line(typed, 0, TOPIC_CHARS)
}

/// What one says of oneself; may be empty.
pub fn status(typed: &str) -> Result<String, Unfit> {
    line(typed, 0, STATUS_CHARS)
}

/// The handle that names everybody in the room; no account can have it.
pub const ROOM_HANDLE: &str = "room";

/// A handle: `a-z 0-9 . _ -`, capitals become small letters, a leading `@` goes.
pub fn handle(typed: &str) -> Result<String, Unfit> {
    let text = typed.trim().trim_start_matches('@').to_ascii_lowercase();
    match text.chars().count() {
        0 => return Err(Unfit::Empty),
        n if n < *HANDLE_CHARS.start() => return Err(Unfit::Short { at_least: *HANDLE_CHARS.start() }),
        n if n > *HANDLE_CHARS.end() => {
            return Err(Unfit::Long { limit: Limit::Characters(*HANDLE_CHARS.end()) });
        }
        _ => {}
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if text == ROOM_HANDLE {
        return Err(Unfit::Reserved);
    }
    // What ends a sentence cannot end a handle: a text would not tell whether it belongs to it.
    let fits = text.starts_with(plain)
        && text.ends_with(plain)
        && text.chars().all(|c| plain(c) || matches!(c, '.' | '_' | '-'));
    if fits { Ok(text) } else { Err(Unfit::Handle) }
}

/// A password: any characters, 10 to 256 of them.
pub fn password(typed: &str) -> Result<&str, Unfit> {
    match typed.chars().count() {
        n if n < *PASSWORD_CHARS.start() => Err(Unfit::Short { at_least: *PASSWORD_CHARS.start() }),
        n if n > *PASSWORD_CHARS.end() => {
            Err(Unfit::Long { limit: Limit::Characters(*PASSWORD_CHARS.end()) })
        }
        _ => Ok(typed),
    }
}
