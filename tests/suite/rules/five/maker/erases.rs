//! Entries that erase: all three lists, with elements that qualify and elements that do not.

use super::Maker;
use rand::Rng;

impl Maker {
    pub(super) fn erase(&mut self) {
        let (list, with_room) = match self.dice.random_range(0..3) {
            0 => (self.list("messages"), true),
            1 => (self.list("earlier"), true),
            _ => (self.numbers(), false),
        };
        let reason =
            self.one_of(&["deleted", "replaced", "refused", "rule", "account", "operator", "operator"]);
        let reason = if self.percent(2) { "because" } else { reason };
        let (operator, owner) = (self.operator(), self.owner());
        let by = if self.percent(94) { operator } else { owner };
        let (json, room) = (format!("{{{},\"reason\":\"{reason}\"}}", list.0), list.1);
        let body = self.kept(&json);
        let mut words = self.words(by, "erase", body);
        words.room = room.filter(|_| with_room);
        self.put(words);
    }

    /// Some messages of one room, mostly such that may qualify.
    fn list(&mut self, name: &str) -> (String, Option<beck::protocol::RoomId>) {
        let nowhere = if self.percent(70) { self.letters().parse().unwrap() } else { self.room() };
        let likely = |message: &&super::Message| match name {
            "messages" => !message.deletions.is_empty() && !message.erased,
            _ => message.texts.len() > 1,
        };
        let likely: Vec<_> = self.oracle.messages.iter().filter(likely).cloned().collect();
        let any = self.message();
        let first = if self.percent(80) { self.pick(&likely).or(any) } else { any };
        let room = first.as_ref().map_or(nowhere, |first| first.room);
        let mut ids: Vec<String> = first.iter().map(|first| first.id.to_string()).collect();
        for _ in 0..self.dice.random_range(0..4) {
            let other = self.pick(&likely).filter(|_| self.dice.random_bool(0.5)).or_else(|| self.message());
            ids.extend(other.map(|other| other.id.to_string()));
        }
        if self.percent(96) {
            ids.sort();
            ids.dedup();
        }
        if self.percent(3) {
            let more = self.dice.random_range(99..=101) - ids.len().min(4) as u64;
            ids.extend((0..more).map(|_| self.new_id().to_string()));
        }
        let room = if self.percent(5) { nowhere } else { room };
        let room = if self.percent(3) { None } else { Some(room) };
        let ids: Vec<_> = ids.iter().map(|id| format!("\"{id}\"")).collect();
        (format!("\"{name}\":[{}]", ids.join(",")), room)
    }

    /// Numbers of entries, mostly such that may qualify.
    fn numbers(&mut self) -> (String, Option<beck::protocol::RoomId>) {
        let due = self.at;
        let may = |past: &&super::super::lists::Past| {
            let setting = past.sets() && past.erasable;
            past.at <= due && (past.refused.is_some() || past.repeats || setting)
        };
        let likely: Vec<_> = self.oracle.past.iter().filter(may).map(|past| past.header.g).collect();
        let newest = self.log.len() as u64;
        let mut numbers = Vec::new();
        for _ in 0..self.dice.random_range(1..9) {
            let any = self.dice.random_range(1..=newest);
            let likely = self.pick(&likely).unwrap_or(any);
            numbers.push(if self.percent(75) { likely } else { any });
        }
        if self.percent(95) {
            numbers.sort();
            numbers.dedup();
        }
        if self.percent(2) {
            numbers.push(newest + 1);
        }
        let numbers: Vec<_> = numbers.iter().map(u64::to_string).collect();
        let room = self.room();
        (format!("\"entries\":[{}]", numbers.join(",")), Some(room).filter(|_| self.percent(2)))
    }
}
