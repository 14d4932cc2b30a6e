//! What an `erase` takes, by the rules of format 5. Each element is judged by the state before the entry.

use super::forms::{Elements, Erase};
use super::lists::{Interpreter, Past, require};

impl Interpreter {
    /// Takes the bodies of the elements that qualify. What happened at `due` or before is due.
    pub(super) fn erase(&mut self, erase: Erase, due: i64) -> Result<(), &'static str> {
        let (mut named, mut taken) = (Vec::new(), Vec::new());
        match &erase.list {
            Elements::Messages(ids) => {
                for message in ids.iter().filter_map(|id| self.message(erase.room?, *id)) {
                    let first_is_due = message.deletions.first().is_some_and(|first| first.at <= due);
                    let by_operator = message.deletions.iter().any(|deletion| self.is_operator(deletion.by));
                    if !message.erased && (first_is_due || by_operator) {
                        named.push(message.id);
                        taken.extend(self.bodies(message.texts.clone()));
                    }
                }
                let erased = self.messages.iter_mut().filter(|message| named.contains(&message.id));
                erased.for_each(|message| message.erased = true);
            }
            Elements::Earlier(ids) => {
                for message in ids.iter().filter_map(|id| self.message(erase.room?, *id)) {
                    let is_edit = |g: &&u64| self.past(**g).is("act", "text") && self.past(**g).at <= due;
                    let Some(newest) = message.texts.iter().rfind(is_edit) else { continue };
                    let earlier = message.texts.iter().filter(|g| *g < newest).copied();
                    let bodies = self.bodies(earlier.collect());
                    if !bodies.is_empty() {
                        named.push(message.id);
                        taken.extend(bodies);
                    }
                }
            }
            Elements::Entries(numbers) => {
                let gone = |g: &u64| self.erased.contains(g);
                let fits = numbers.iter().filter(|g| !gone(g) && self.qualifies(self.past(**g), due));
                taken.extend(fits);
            }
        }
        require(!named.is_empty() || !taken.is_empty(), "target_gone")?;
        self.erased.extend(taken);
        self.named = named;
        Ok(())
    }

    /// The numbers of these entries and of all their duplicates that hold a text, but for those that are erased.
    fn bodies(&self, texts: Vec<u64>) -> Vec<u64> {
        let ids: Vec<_> = texts.iter().map(|g| self.past(*g).header.client_id).collect();
        let copies = self.past.iter().filter(|past| past.holds_text && ids.contains(&past.header.client_id));
        copies.map(|past| past.header.g).filter(|g| !self.erased.contains(g)).collect()
    }

    /// Whether an entry that is named by its number loses its body.
    fn qualifies(&self, past: &Past, due: i64) -> bool {
        let mut later = self.past[past.header.g as usize..].iter().filter(|later| later.at <= due);
        let replaced = past.took_effect() && past.sets() && later.any(|later| later.sets_the_same(past));
        let why = past.refused.as_deref();
        if past.format >= 5 {
            return past.erasable && (replaced || past.at <= due && (why.is_some() || past.repeats));
        }
        // No other first entry is refused so than one under an id that a void had taken back.
        let repeats = past.repeats || matches!(why, Some("void" | "other_draft"));
        let unread = ["not_found", "archived", "not_allowed", "target_gone"];
        let goes = past.at <= due && (repeats || why.is_some_and(|why| unread.contains(&why)));
        match past.kind_and_slot() {
            ("message", _) | ("act", "text") => goes,
            ("account.set", "status") => goes || replaced,
            ("act", "deleted") => past.holds_text && past.at <= due && (repeats || why.is_some()),
            _ => false,
        }
    }
}
