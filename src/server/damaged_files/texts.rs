//! Overwrites texts in a file of any form, wherever their bytes are.
//!
//! SQLite keeps a long text on several pages, which may lie anywhere. So a text is looked for in pieces, and each
//! piece that is found is overwritten.

use crate::server::broker::Entry;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::path::Path;

/// Bytes of a piece: long enough that no other text is likely to have the same.
const PIECE: usize = 32;
/// A piece begins so many bytes after the one before.
const STEP: usize = 16;
/// Bytes by which a piece is looked up.
const KEY: usize = 8;
/// Bytes of the file that are looked through at once.
const WINDOW: usize = 1024 * 1024;
/// Fields under which a text shorter than a piece is looked for: by itself it could be anything.
const FIELDS: [&str; 2] = ["text", "value"];

/// What is looked for.
struct Piece {
    bytes: Vec<u8>,
    /// How many bytes at its end, but for the quote, are text.
    text: usize,
    quoted: bool,
}

/// The pieces of texts, by their first bytes.
pub(super) struct Texts(HashMap<[u8; KEY], Vec<Piece>>);

impl Texts {
    /// The texts in the bodies of entries.
    pub(super) fn of(entries: &[Entry]) -> Texts {
        let mut texts = HashSet::new();
        for entry in entries {
            let Some(body) = &entry.body else { continue };
            let draft = body.find('{').and_then(|from| body[from..].split('\n').next());
            if let Some(draft) = draft.and_then(|draft| serde_json::from_str::<Value>(draft).ok()) {
                collect(&draft, &mut texts);
            }
        }
        let mut pieces = Texts(HashMap::new());
        for text in texts {
            pieces.add(text.as_bytes());
            // As it stands in JSON.
            let escaped = serde_json::to_string(&text).unwrap_or_default();
            let escaped = escaped.trim_matches('"');
            if escaped != text {
                pieces.add(escaped.as_bytes());
            }
        }
        pieces
    }

    fn add(&mut self, text: &[u8]) {
        if text.len() < PIECE {
            for field in FIELDS {
                let mut bytes = format!("\"{field}\":\"").into_bytes();
                bytes.extend_from_slice(text);
                bytes.push(b'"');
                self.put(Piece { bytes, text: text.len(), quoted: true });
            }
            return;
        }
        let last = text.len() - PIECE;
        for from in (0..last).step_by(STEP).chain([last]) {
            let bytes = text[from..from + PIECE].to_vec();
            self.put(Piece { bytes, text: PIECE, quoted: false });
        }
    }

    fn put(&mut self, piece: Piece) {
        if let Some(key) = piece.bytes.first_chunk() {
            self.0.entry(*key).or_default().push(piece);
        }
    }

    /// Puts spaces in place of what is found in a file. No file has nothing.
    pub(super) fn overwrite_in(&self, path: &Path) -> Result<()> {
        let mut file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(()),
            Err(fault) => return Err(fault),
        };
        // Each window begins so far before the end of the one before that no piece lies on both sides.
        let overlap = self.0.values().flatten().map(|piece| piece.bytes.len()).max().unwrap_or(0);
        let (mut window, mut at, mut any) = (vec![0; WINDOW + overlap], 0, false);
        loop {
            file.seek(SeekFrom::Start(at))?;
            let length = read_up_to(&mut file, &mut window)?;
            for (from, length) in self.found(&window[..length]) {
                file.seek(SeekFrom::Start(at + from as u64))?;
                file.write_all(&b" ".repeat(length))?;
                any = true;
            }
            if length < window.len() {
                break;
            }
            at += WINDOW as u64;
        }
        if any { file.sync_all() } else { Ok(()) }
    }

    /// Where texts are: first bytes and lengths.
    fn found(&self, bytes: &[u8]) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for (at, key) in bytes.windows(KEY).enumerate() {
            let Ok(key) = <[u8; KEY]>::try_from(key) else { continue };
            for piece in self.0.get(&key).into_iter().flatten() {
                if bytes[at..].starts_with(&piece.bytes) {
                    let end = at + piece.bytes.len() - usize::from(piece.quoted);
                    found.push((end - piece.text, piece.text));
                }
            }
        }
        found
    }
}

fn collect(value: &Value, texts: &mut HashSet<String>) {
    match value {
        Value::String(text) => drop(texts.insert(text.clone())),
        Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, texts)),
        _ => {}
    }
}

fn read_up_to(file: &mut impl Read, window: &mut [u8]) -> Result<usize> {
    let mut length = 0;
    while length < window.len() {
        match file.read(&mut window[length..])? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}
