//! Messages that name me, in all my rooms: a list that is asked for page by page.

use super::rooms::said_of;
use super::window::Ask;
use super::{Effect, Session, Status};
use crate::protocol::{ClientFrame, Mentions};

impl Session {
    /// The list is looked at: its newest page, whatever was loaded before. It is kept up to date until a room is.
    pub(super) fn look_at_mentions(&mut self, out: &mut Vec<Effect>) {
        self.look_away(out);
        self.at_mentions = true;
        self.ask_mentions(None, out);
    }

    pub(super) fn older_mentions(&mut self, out: &mut Vec<Effect>) {
        let last = self.mentions.as_ref().filter(|held| held.more).and_then(|held| held.mentions.last());
        if let Some(before) = last.map(|last| last.g) {
            self.ask_mentions(Some(before), out);
        }
    }

    /// What is looked at may have changed, or was not answered.
    pub(super) fn refresh_mentions(&mut self, out: &mut Vec<Effect>) {
        if self.at_mentions {
            self.ask_mentions(None, out);
        }
    }

    fn ask_mentions(&mut self, before: Option<u64>, out: &mut Vec<Effect>) {
        if self.status != Status::Live || self.mentions_asked.is_some_and(|(_, asked)| asked == before) {
            return;
        }
        let req = self.next_req;
        self.next_req += 1;
        self.mentions_asked = Some((req, before));
        out.push(Effect::Send(ClientFrame::Mentions { req, before }));
    }

    pub(super) fn mentions_came(&mut self, req: u64, page: Mentions, out: &mut Vec<Effect>) {
        if let Some((lane, Ask::Edits(after))) = self.asks.remove(&req) {
            return self.edits_came(lane.room, after, &page, out);
        }
        let Some((_, before)) = self.mentions_asked.take_if(|(asked, _)| *asked == req) else { return };
        let rows: Vec<_> = page.mentions.iter().map(|mention| mention.row.clone()).collect();
        let held = self.mentions.get_or_insert_default();
        let oldest = page.mentions.last().map_or(0, |last| last.g);
        match before {
            Some(before) => {
                held.mentions.retain(|mention| mention.g >= before);
                held.mentions.extend(page.mentions);
                held.more = page.more;
            }
            // What is older than a newest page that is full stays as it is.
            None if page.more => {
                let older = std::mem::replace(&mut held.mentions, page.mentions);
                let more = held.more || older.is_empty();
                let before = held.mentions.len();
                held.mentions.extend(older.into_iter().filter(|mention| mention.g < oldest));
                held.more = more || held.mentions.len() == before;
            }
            None => *held = page,
        }
        self.introduce(rows.iter().map(|row| said_of(row)), out);
    }
}
