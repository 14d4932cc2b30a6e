//! WebSocket frames (RFC 6455), as far as a client of text messages needs them.

use std::borrow::Cow;

/// The bit of a frame that ends a message.
const FINAL: u8 = 0x80;
const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// Appends one frame to `out`. The mask is zero, so the payload travels as it is: a real mask would cost this program
/// time and the server exactly as much.
pub fn encode(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    out.push(0x80 | kind);
    match payload.len() {
        length @ 0..126 => out.push(0x80 | length as u8),
        length @ 126..0x1_0000 => {
            out.push(0x80 | 126);
            out.extend((length as u16).to_be_bytes());
        }
        length => {
            out.push(0x80 | 127);
            out.extend((length as u64).to_be_bytes());
        }
    }
    out.extend([0; 4]);
    out.extend(payload);
}

/// The first message of what a server sent: its kind, its payload, and the bytes of it all with the headers. `None` while
/// part of it is missing. A message in fragments is joined; control frames between them are left out.
pub fn message(bytes: &[u8]) -> Option<(u8, Cow<'_, [u8]>, usize)> {
    let (kind, payload, mut used) = decode(bytes)?;
    let mut last = bytes[0] & FINAL != 0;
    let mut payload = Cow::Borrowed(payload);
    while !last {
        let rest = &bytes[used..];
        let (kind, more, length) = decode(rest)?;
        if kind == CONTINUATION {
            payload.to_mut().extend(more);
            last = rest[0] & FINAL != 0;
        }
        used += length;
    }
    Some((kind, payload, used))
}

/// The first frame: its kind, its payload, and the bytes of both with the header.
fn decode(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (length, start) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?), 10),
        length => (u64::from(length), 2),
    };
    let end = usize::try_from(length).ok()?.checked_add(start)?;
    Some((first & 0x0f, bytes.get(start..end)?, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server would send for what a client sends: the mask of zeros is taken away.
    fn unmasked(payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        encode(&mut frame, TEXT, payload);
        frame[1] &= 0x7f;
        let mask = frame.len() - payload.len() - 4;
        frame.drain(mask..mask + 4);
        frame
    }

    #[test]
    fn frames_of_every_length_class_are_read_back_once_they_are_whole() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
            let payload = vec![b'a'; length];
            let frame = unmasked(&payload);
            assert_eq!(message(&frame), Some((TEXT, payload.as_slice().into(), frame.len())));
            assert_eq!(message(&frame[..frame.len() - 1]), None);
        }
    }

    #[test]
    fn fragments_are_joined_once_the_last_is_here() {
        let mut bytes = Vec::new();
        for (kind, payload) in
            [(TEXT, "one "), (0x80 | PING, "ping"), (CONTINUATION, "two "), (FINAL, "three")]
        {
            let mut frame = unmasked(payload.as_bytes());
            frame[0] = kind;
            bytes.extend(frame);
        }
        let next = unmasked(b"next");
        let length = bytes.len();
        for cut in 0..length {
            assert_eq!(message(&bytes[..cut]), None, "{cut}");
        }
        bytes.extend(next);
        assert_eq!(message(&bytes), Some((TEXT, b"one two three".as_slice().into(), length)));
    }
}
