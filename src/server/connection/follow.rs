//! Opening rooms, and whether a client's position lies on this log.

use super::heed::refused;
use super::{Connection, End, OpenRoom};
use crate::protocol::frame::ResetReason;
use crate::protocol::{CloseCode, Position, RoomId, ServerFrame, WorkspaceId, bounds};
use crate::server::access::Action;
use crate::server::error::AppError;
use crate::server::state::{Member, ReadError};
use std::collections::BTreeMap;

/// A client that a server cannot serve yet comes back after so long.
const BEHIND_MS: u32 = 1_000;

impl Connection {
    /// First subscribe, resume and reset are this one path.
    pub(super) async fn subscribe(&mut self, id: RoomId, since: Option<Position>) -> Result<(), End> {
        self.close_room(id);
        if self.open.len() >= bounds::OPEN_ROOMS {
            let fault = AppError::TooManyRooms;
            return self.send(&refused(None, None, &fault)).await;
        }
        // Another server may have made the room just now.
        let can = || self.node.directory().can(self.me, Action::Read, id);
        let Ok(allowed) = self.node.sure(|can| !can, can).await else {
            return self.send_elsewhere().await;
        };
        // The hub makes no room for an account that may not read it.
        if !allowed {
            return self.send_not_found(id).await;
        }
        // Listen first, then ask once more: a removal is seen by one of the two.
        let room = self.node.hub.open(id, &self.mailbox);
        self.mailbox.begin(id);
        let epoch = self.node.epoch();
        let place = || {
            self.node.state.enter((self.me, id), |member| {
                let head = member.head();
                let ahead = since.is_some_and(|since| Some(since.epoch) == epoch && since.seq > head.seq);
                let reason = match since {
                    Some(since) => cannot_resume(member, since, epoch)?,
                    None => None,
                };
                Ok((head, reason, member.subscribe(), ahead))
            })
        };
        // It may have been served by another server that has read on further. Only who has read to the end may say that
        // what somebody holds is not in the log.
        let Ok(found) = self.node.sure(|found| matches!(found, Ok((.., true))), place).await else {
            self.node.hub.close(id, &self.mailbox);
            return self.send_elsewhere().await;
        };
        let (Ok((head, reason, subscription, _)), Some(epoch)) = (found, epoch) else {
            self.node.hub.close(id, &self.mailbox);
            return self.send_not_found(id).await;
        };
        let head = Position { epoch, seq: head.seq, chain: head.chain };
        if let Some(why) = reason {
            self.node.hub.close(id, &self.mailbox);
            return self.send(&ServerFrame::Reset { room: id, why, head }).await;
        }
        let since = since.unwrap_or(head);
        room.stands_at(head.seq);
        self.open.insert(id, OpenRoom { subscription, room, cursor: since.seq });
        self.send(&ServerFrame::Subscribed { room: id, since, head }).await
    }

    async fn send_not_found(&mut self, room: RoomId) -> Result<(), End> {
        let mut frame = refused(None, None, &AppError::NotFound);
        if let ServerFrame::Error { message, .. } = &mut frame {
            *message = format!("{message} ({room})");
        }
        self.send(&ServerFrame::Left { room }).await?;
        self.send(&frame).await
    }

    /// This server has not read far enough to tell, and cannot read on now.
    async fn send_elsewhere(&mut self) -> Result<(), End> {
        self.send(&ServerFrame::Moving { after_ms: BEHIND_MS }).await?;
        Err(End::Close(CloseCode::Moving))
    }

    /// The client's positions must lie on this log.
    pub(super) async fn compare(&mut self, positions: BTreeMap<RoomId, Position>) -> Result<(), End> {
        let epoch = self.node.epoch();
        for (room, position) in positions {
            let Some(open) = self.open.get(&room) else { continue };
            let compared = self.node.state.position_of(&open.subscription, position.seq);
            let (Ok((head, chain)), Some(epoch)) = (compared, epoch) else { continue };
            if position.epoch != epoch || chain != Some(position.chain) {
                self.close_room(room);
                let head = Position { epoch, seq: head.seq, chain: head.chain };
                let why = ResetReason::Rewritten;
                self.send(&ServerFrame::Reset { room, why, head }).await?;
            }
        }
        Ok(())
    }
}

fn cannot_resume(
    member: &Member<'_>,
    since: Position,
    epoch: Option<WorkspaceId>,
) -> Result<Option<ResetReason>, ReadError> {
    if epoch != Some(since.epoch) {
        return Ok(Some(ResetReason::Epoch));
    }
    // What comes before it is not sent: the room is loaded anew.
    if !member.stay().floor.shows(since.seq.saturating_add(1)) {
        return Ok(Some(ResetReason::Far));
    }
    if member.chain_at(since.seq)? != Some(since.chain) {
        return Ok(Some(ResetReason::Rewritten));
    }
    Ok((member.head().seq - since.seq > bounds::RESUME_EVENTS).then_some(ResetReason::Far))
}
