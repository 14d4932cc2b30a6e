//! The exact bytes of the bodies that decisions of format 5 read.

use super::forms::{Elements, message_id};
use beck::protocol::{ClientId, RoomId};
use std::ops::RangeInclusive;

/// The bytes that are still to be read. Each reader gives `None` if they are not exactly what it reads.
pub struct Bytes<'a>(&'a str);

impl<'a> Bytes<'a> {
    /// What stands behind a salt of 16 characters.
    pub fn salted(body: Option<&'a str>) -> Option<Bytes<'a>> {
        let (salt, rest) = body?.split_at_checked(16)?;
        salt.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')).then_some(Bytes(rest))
    }

    fn eat(&mut self, literal: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(literal)?;
        Some(())
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }

    pub fn only(&mut self, literal: &str) -> Option<()> {
        self.eat(literal)?;
        self.end()
    }

    /// A text in quotes, as its only form writes it.
    fn text(&mut self) -> Option<String> {
        self.eat("\"")?;
        let mut text = String::new();
        loop {
            let c = self.0.chars().next()?;
            self.0 = &self.0[c.len_utf8()..];
            text.push(match c {
                '"' => return Some(text),
                '\\' => self.escaped()?,
                '\0'..='\x1f' => return None,
                c => c,
            });
        }
    }

    fn escaped(&mut self) -> Option<char> {
        let short =
            [('"', '"'), ('\\', '\\'), ('b', '\x08'), ('t', '\t'), ('n', '\n'), ('f', '\x0c'), ('r', '\r')];
        let c = self.0.chars().next()?;
        self.0 = &self.0[c.len_utf8()..];
        if let Some((_, meant)) = short.iter().find(|(written, _)| *written == c) {
            return Some(*meant);
        }
        let digits = self.0.strip_prefix("00")?.get(..2).filter(|_| c == 'u')?;
        let meant = char::from(u8::from_str_radix(digits, 16).ok().filter(|meant| *meant < 0x20)?);
        let is_short = short.iter().any(|(_, other)| *other == meant);
        (digits == format!("{:02x}", meant as u32) && !is_short).then_some(())?;
        self.0 = &self.0[4..];
        Some(meant)
    }

    fn text_of(&mut self, bytes: RangeInclusive<usize>) -> Option<String> {
        self.text().filter(|text| bytes.contains(&text.len()))
    }

    /// A whole number from 1, in decimal, without sign or leading zero.
    fn number(&mut self) -> Option<u64> {
        let digits = self.0.len() - self.0.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        (!number.starts_with('0')).then_some(())?;
        number.parse().ok()
    }

    /// At least one and at most `most` elements in brackets.
    fn list<T: PartialEq>(
        &mut self,
        most: usize,
        element: impl Fn(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.eat("[")?;
        let mut list = Vec::new();
        loop {
            let next = element(self)?;
            (!list.contains(&next) && list.len() < most).then_some(())?;
            list.push(next);
            if self.eat(",").is_none() {
                self.eat("]")?;
                return Some(list);
            }
        }
    }

    fn ids(&mut self) -> Option<Vec<ClientId>> {
        self.list(100, |bytes| message_id(Some(&bytes.text()?)))
    }

    pub fn flag_value(&mut self) -> Option<bool> {
        self.eat(r#"{"value":"#)?;
        let on = self.eat("true").is_some();
        if !on {
            self.eat("false")?;
        }
        self.only("}").map(|()| on)
    }

    pub fn format(&mut self) -> Option<u32> {
        let number = self.number()?;
        self.end()?;
        number.try_into().ok()
    }

    pub fn workspace(&mut self) -> Option<(String, u64)> {
        self.eat(r#"{"id":"#)?;
        let id = self.text()?;
        self.eat(r#","name":"#)?;
        self.text()?;
        self.eat(r#","format":"#)?;
        let format = self.number()?;
        self.only("}").map(|()| (id, format))
    }

    /// Handle, and whether it is an owner's.
    pub fn account(&mut self) -> Option<(String, bool)> {
        let old = self.eat(r#"{"name":"#).is_some();
        if old {
            self.text()?;
            self.eat(r#","handle":"#)?;
        } else {
            self.eat(r#"{"handle":"#)?;
        }
        let handle = self.text().filter(|handle| is_handle(handle))?;
        let owner = self.eat(r#","role":"owner""#).is_some();
        if old && !owner {
            self.eat(r#","role":"member""#)?;
        }
        if !old && self.eat(r#","rooms":"#).is_some() {
            self.list(100, |bytes| bytes.text()?.parse::<RoomId>().ok())?;
        }
        if !old && self.eat(r#","invitation":""#).is_some() {
            let (digits, rest) = self.0.split_at_checked(64)?;
            digits.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')).then_some(())?;
            self.0 = rest;
            self.eat("\"")?;
        }
        self.only("}").map(|()| (handle, owner))
    }

    /// The key of the room's name. Rooms of the old form have the lower case of the name.
    pub fn room(&mut self) -> Option<String> {
        self.eat(r#"{"kind":"open","name":"#)?;
        let name = self.text_of(1..=256)?;
        let key = if self.eat(r#","topic":"#).is_some() {
            self.text()?;
            name.to_lowercase()
        } else {
            self.eat(r#","key":"#)?;
            self.text_of(1..=256)?
        };
        self.only("}").map(|()| key)
    }

    pub fn room_name(&mut self) -> Option<String> {
        self.eat(r#"{"value":"#)?;
        let name = self.text_of(1..=256)?;
        let key = match self.eat(r#","key":"#) {
            Some(()) => self.text_of(1..=256)?,
            None => name.to_lowercase(),
        };
        self.only("}").map(|()| key)
    }

    /// The list of an `erase` with this number.
    pub fn erase(&mut self, g: u64) -> Option<Elements> {
        let list = if self.eat(r#"{"messages":"#).is_some() {
            Elements::Messages(self.ids()?)
        } else if self.eat(r#"{"earlier":"#).is_some() {
            Elements::Earlier(self.ids()?)
        } else {
            self.eat(r#"{"entries":"#)?;
            let numbers = self.list(1_000, Bytes::number)?;
            let rising = numbers.is_sorted() && numbers.iter().all(|number| *number < g);
            rising.then_some(Elements::Entries(numbers))?
        };
        self.eat(r#","reason":"#)?;
        let reason = self.text()?;
        let reasons = ["deleted", "replaced", "refused", "rule", "account", "operator"];
        reasons.contains(&reason.as_str()).then_some(())?;
        self.only("}").map(|()| list)
    }
}

/// Letters and digits with `.`, `_` and `-` between them.
fn is_handle(handle: &str) -> bool {
    let fits = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9');
    let bytes = handle.as_bytes();
    (2..=24).contains(&bytes.len())
        && bytes.iter().all(|c| fits(*c) || b"._-".contains(c))
        && fits(bytes[0])
        && fits(bytes[bytes.len() - 1])
        && handle != "room"
}
