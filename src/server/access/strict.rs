//! The gate from format 5 on: see [`can`](super::can). The order of the reasons is that of docs/architecture.md, "The
//! order of refusals".

use super::{Action, Actor, Denied, Facts, Rules, UndoTime};
use crate::protocol::Refusal;

pub(super) fn can(rules: &Rules, facts: &Facts, action: Action) -> Result<(), Denied> {
    let Facts { actor, known, owner, own, deleted, target, .. } = *facts;
    let operator = actor == Actor::Operator;
    let require = |fact: bool, code| if fact { Ok(()) } else { Err(Denied::new(action, code)) };
    let permitted = |fact| require(fact, Refusal::NotAllowed);
    // What needs no room.
    match action {
        Action::SetUp => return permitted(actor == Actor::Visitor && !facts.has_owner),
        Action::SetRole | Action::NameWorkspace | Action::RaiseFormat | Action::Erase => {
            return permitted(operator);
        }
        Action::MakeRoom => return permitted(known || operator),
        Action::EditProfile | Action::EndLogins => return permitted(operator || known && own),
        Action::TakeBack => return permitted(known && own),
        // The operator writes for somebody, or not at all.
        Action::Post | Action::Reply | Action::Edit if operator => return permitted(false),
        _ => {}
    }
    // Whoever has left may still delete and restore what they wrote.
    let on_deleted = matches!(action, Action::Delete | Action::Restore);
    let sees = |room: &super::RoomFacts| operator || room.member || room.open && known || on_deleted && own;
    let Some(room) = facts.room.filter(sees) else {
        return Err(Denied::new(action, Refusal::NotFound));
    };
    let inside = room.member || operator;
    match action {
        Action::See => return Ok(()),
        Action::Join | Action::Invite => {
            // Before a proposal whoever is outside is told the same as of a room that is not there.
            require(inside || action == Action::Join || !rules.proposing, Refusal::NotFound)?;
            require(target.known, Refusal::NotFound)?;
            require(!target.member, Refusal::Taken)?;
            if action == Action::Join {
                return Ok(());
            }
            require(!room.archived, Refusal::Archived)?;
            return permitted(inside);
        }
        Action::Archive => return permitted(room.maker || owner || operator),
        Action::Rename | Action::SetTopic => {
            require(inside || !rules.proposing, Refusal::NotFound)?;
            require(!room.archived, Refusal::Archived)?;
            return permitted(inside);
        }
        _ => require(inside || on_deleted && own, Refusal::NotFound)?,
    }
    match action {
        Action::Remove => {
            require(target.member, Refusal::NotFound)?;
            permitted(owner || operator)
        }
        Action::Post | Action::Reply => require(!room.archived, Refusal::Archived),
        Action::PostFor => {
            require(!room.archived, Refusal::Archived)?;
            permitted(operator)?;
            require(target.known, Refusal::NotFound)
        }
        Action::React | Action::Pin | Action::Edit | Action::Delete | Action::Restore => {
            require(!room.archived || on_deleted, Refusal::Archived)?;
            require(!facts.message_is_unknown, Refusal::TargetGone)?;
            permitted(match action {
                Action::Edit => own,
                Action::Delete => own || owner && room.member || operator,
                Action::React => own || operator,
                _ => true,
            })?;
            require(!deleted || on_deleted, Refusal::TargetGone)?;
            if action != Action::Restore {
                return Ok(());
            }
            require(deleted, Refusal::TargetGone)?;
            if !facts.deleted_by_actor {
                let why =
                    "Only whoever deleted a message can restore it, and only if nobody else deleted it too.";
                return Err(Denied { why, ..Denied::new(action, Refusal::NotAllowed) });
            }
            match facts.undo {
                Some(UndoTime { at, until }) if until.is_none_or(|until| at >= until) => {
                    Err(Denied { until, ..Denied::new(action, Refusal::TooLate) })
                }
                _ => Ok(()),
            }
        }
        Action::Leave => require(room.member, Refusal::NotFound),
        // Read.
        _ => Ok(()),
    }
}
