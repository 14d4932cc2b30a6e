//! What is checked of an act before it is proposed: the permission, restores and reactions. The fold takes more, since it
//! must decide old logs as before.

use super::access::{Action, Actor, Facts};
use super::error::{AppError, ReactionError, RestoreError};
use super::fold::Rules;
use super::node::Node;
use super::now_ms;
use super::state::{Checks, ReadError};
use crate::protocol::bounds::{self, REACTIONS, REACTIONS_EACH, RESTORE_MS, Unfit};
use crate::protocol::{AccountId, ClientId, Refusal, RoomId, Row};
use unicode_segmentation::UnicodeSegmentation;

/// What a check says, if the state can be read.
type Answer = Result<Result<(), AppError>, ReadError>;

/// An act that is about to be proposed.
#[derive(Clone, Copy)]
pub struct Checked {
    pub id: ClientId,
    pub by: AccountId,
    pub room: RoomId,
    pub target: ClientId,
}

impl Checked {
    /// The message, if there is something to check: the fold answers for a message that is not there, and a draft
    /// that is known is answered as before.
    fn row(&self, state: &Checks<'_>) -> Result<Option<Row>, ReadError> {
        if state.draft(self.id)?.is_some_and(|known| known.author == self.by) {
            return Ok(None);
        }
        state.message(self.room, self.target)
    }

    /// Asks the gate about this message, and where it says yes, `check`: of what is folded here, and before a "no" of what
    /// the log has. What the gate refuses for a reason that may be over soon, like an archived room, is for the fold, and
    /// nothing more is checked: the answer could tell what the account may not know.
    async fn ask(
        &self,
        node: &Node,
        action: Action,
        about: impl Fn(Facts) -> Facts,
        check: impl Fn(&Checks<'_>, Row) -> Answer,
    ) -> Result<(), AppError> {
        let ask = || {
            node.state.check(|state| {
                let Some(row) = self.row(state)? else { return Ok(Ok(())) };
                let directory = node.directory();
                let facts = Facts::of(&directory, Actor::Account(self.by)).in_room(&directory, self.room);
                let mut facts = about(facts.row(&row));
                if row.deleted.is_some() {
                    facts = facts.deletion(state.undo(self.target)?.as_ref(), node.log_now_ms());
                }
                match directory.permits(&facts, action) {
                    Ok(()) => check(state, row),
                    Err(denied) if denied.is_lasting() => Ok(Err(denied.into())),
                    Err(_) => Ok(Ok(())),
                }
            })
        };
        node.sure(|answer| !matches!(answer, Ok(Ok(()))), ask).await??
    }

    /// An edit or a deletion.
    pub async fn permit(&self, node: &Node, action: Action) -> Result<(), AppError> {
        self.ask(node, action, |facts| facts, |_, _| Ok(Ok(()))).await
    }

    /// From format 5 on: only whoever made the deletion takes it back, and only within a day.
    pub async fn restore(&self, node: &Node) -> Result<(), AppError> {
        let ask = || {
            node.state.check(|state| {
                let Some(row) = self.row(state)? else { return Ok(Ok(())) };
                let undo = state.undo(self.target)?;
                let deletion = undo.map(|undo| undo.deletion);
                let directory = node.directory();
                let facts = Facts::of(&directory, Actor::Account(self.by)).in_room(&directory, self.room);
                let facts = facts.row(&row).deletion(undo.as_ref(), node.log_now_ms());
                let Err(denied) = directory.permits(&facts, Action::Restore) else { return Ok(Ok(())) };
                Ok(Err(match (denied.code, deletion) {
                    (Refusal::NotAllowed, Some(deletion)) if deletion.by_operator => {
                        RestoreError::ByOperator.into()
                    }
                    (Refusal::TooLate, Some(deletion)) => {
                        let strict = Rules::of(state.format_of(deletion.g)?).strict.is_some();
                        if strict { RestoreError::DayOver.into() } else { RestoreError::BeforeUpdate.into() }
                    }
                    _ if denied.is_lasting() => denied.into(),
                    // For the fold.
                    _ => return Ok(Ok(())),
                }))
            })
        };
        node.sure(|answer| !matches!(answer, Ok(Ok(()))), ask).await??
    }

    /// In formats 1 to 4: only the text that stood comes back, and only by the author who deleted it.
    pub async fn restore_with(&self, node: &Node, restored: &str) -> Result<(), AppError> {
        let check = |state: &Checks<'_>, _: Row| -> Answer {
            // Asked of the first of several deletions: from that one on the time until it is erased counts.
            let at = state.deleted_at(self.target)?;
            let text = state.last_text(self.target)?;
            Ok(match (at, text) {
                (Some(at), Some(_)) if now_ms() > at.saturating_add(RESTORE_MS) => {
                    Err(RestoreError::TooLate.into())
                }
                (Some(_), Some(text)) if text == restored => Ok(()),
                (Some(_), Some(_)) => Err(RestoreError::OtherText.into()),
                _ => Err(RestoreError::TooLate.into()),
            })
        };
        self.ask(node, Action::Restore, |facts| facts, check).await
    }

    /// Two people who react at the same time may get a message past its limit by one.
    pub async fn react(&self, node: &Node, emoji: &str, account: AccountId) -> Result<(), AppError> {
        one_emoji(emoji)?;
        let check = |_: &Checks<'_>, row: Row| -> Answer {
            let mine = row.reactions.values().filter(|accounts| accounts.contains(&self.by)).count();
            Ok(match row.reactions.get(emoji) {
                Some(accounts) if accounts.contains(&self.by) => Ok(()),
                None if row.reactions.len() >= REACTIONS => Err(ReactionError::Full.into()),
                _ if mine >= REACTIONS_EACH => Err(ReactionError::FullOfYours.into()),
                _ => Ok(()),
            })
        };
        self.ask(node, Action::React, |facts| facts.of_account(account), check).await
    }

    /// The own one can always be taken back: also where a reaction would not be taken any more.
    pub async fn take_back(&self, node: &Node, emoji: &str, account: AccountId) -> Result<(), AppError> {
        let check = |_: &Checks<'_>, row: Row| -> Answer {
            Ok(if row.reactions.contains_key(emoji) { Ok(()) } else { one_emoji(emoji).map_err(Into::into) })
        };
        self.ask(node, Action::React, |facts| facts.of_account(account), check).await
    }
}

/// One emoji: one character as people count them, made of what emoji are made of.
fn one_emoji(text: &str) -> Result<(), Unfit> {
    let letter = |c: char| ('\u{1f1e6}'..='\u{1f1ff}').contains(&c);
    let letters = text.chars().filter(|c| letter(*c)).count();
    // A letter of a flag, or a skin tone, is no emoji by itself.
    let part = letters > 0 && (letters != 2 || text.chars().count() != 2)
        || text.starts_with(|c: char| ('\u{1f3fb}'..='\u{1f3ff}').contains(&c));
    if part || text.graphemes(true).count() != 1 {
        return Err(Unfit::Emoji);
    }
    bounds::emoji(text).map(drop)
}
