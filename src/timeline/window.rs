//! The rows that are loaded: pages that join them, jumps, and what is let go.

use super::{Paged, Timeline};
use crate::protocol::{ClientId, Page, RoomId, Row};
use std::sync::Arc;

impl Timeline {
    /// Takes rows that were asked for. They join the window; a gap between them and it is a hole.
    pub fn take_page(&mut self, page: &Page) -> Paged {
        if page.as_of.epoch != self.cursor.epoch {
            return Paged::Rewritten;
        }
        if page.as_of.seq < self.cursor.seq {
            return Paged::Stale;
        }
        if page.as_of.seq == self.cursor.seq {
            if page.as_of.chain != self.cursor.chain {
                return Paged::Rewritten;
            }
        } else {
            let promised = self.promised.entry(page.as_of.seq).or_insert(page.as_of.chain);
            if *promised != page.as_of.chain {
                return Paged::Rewritten;
            }
        }
        self.take_rows(page);
        self.settle_echoes();
        Paged::Taken
    }

    /// The rows that are held as one page, to begin with again: the newest ones that have no hole between them.
    pub fn page(&self, room: RoomId) -> Page {
        let mut rows: Vec<_> = self.rows.values().rev().collect();
        let without_hole = rows.windows(2).position(|pair| pair[0].ordinal != pair[1].ordinal + 1);
        rows.truncate(without_hole.map_or(rows.len(), |at| at + 1));
        let rows: Vec<_> = rows.into_iter().rev().cloned().collect();
        let quoted = |id: &ClientId| rows.iter().any(|row| row.quote.as_ref() == Some(id));
        let quotes = self.quotes.iter().filter(|(id, _)| quoted(id));
        let quotes = quotes.map(|(id, quote)| (*id, quote.clone())).collect();
        Page { room, lane: self.lane, as_of: self.cursor, head: self.head, rows, quotes }
    }

    /// As [`Timeline::take_page`], but the window becomes just these rows (a jump).
    pub fn jump(&mut self, page: &Page) -> Paged {
        let rows = std::mem::take(&mut self.rows);
        let ordinals = std::mem::take(&mut self.ordinals);
        let paged = self.take_page(page);
        if paged != Paged::Taken {
            self.rows = rows;
            self.ordinals = ordinals;
        }
        paged
    }

    pub(super) fn take_rows(&mut self, page: &Page) {
        self.head = self.head.max(page.head);
        for (id, quote) in &page.quotes {
            self.quotes.insert(*id, quote.clone());
        }
        for row in &page.rows {
            // A page ahead of the cursor holds newer rows; a row that an event wrote since stays. Of one version the
            // server knows more: until when it can be restored, and what its text can be checked with.
            let until = |row: &Row| row.deleted.as_ref().and_then(|deleted| deleted.until);
            let says_more =
                |mine: &Row| mine.proof.is_none() && row.proof.is_some() || until(mine) != until(row);
            let newer = |mine: &Arc<Row>| {
                mine.version < row.version || mine.version == row.version && says_more(mine)
            };
            if self.rows.get(&row.ordinal).is_none_or(newer) {
                self.insert(row.clone());
                self.refresh_quote(row);
            }
        }
    }

    /// Keeps at most `limit` rows, dropping from the end that is not being looked at.
    pub fn trim(&mut self, limit: usize, keep_newest: bool) {
        while self.rows.len() > limit {
            let dropped = if keep_newest { self.rows.pop_first() } else { self.rows.pop_last() };
            if let Some((_, row)) = dropped {
                self.ordinals.remove(&row.id);
            }
        }
    }
}
