//! Opening rooms, and whether a client's position lies on this log.

use super::heed::refused;
use super::{Connection, End, OpenRoom};
use crate::protocol::frame::ResetReason;
use crate::protocol::{Position, RoomId, ServerFrame, WorkspaceId, bounds};
use crate::server::directory::Action;
use crate::server::rooms::RoomError;
use crate::server::state::{ReadError, Reader, RoomHead};
use std::collections::BTreeMap;

impl Connection {
    /// First subscribe, resume and reset are this one path.
    pub(super) async fn subscribe(&mut self, id: RoomId, since: Option<Position>) -> Result<(), End> {
        self.close_room(id);
        if self.open.len() >= bounds::OPEN_ROOMS {
            let fault = RoomError::Unavailable("Too many rooms are open. Close one first.".into());
            return self.send(&refused(None, None, &fault)).await;
        }
        // Listen first, then ask: a removal is seen by one of the two.
        let room = self.node.hub.room(id);
        room.open(&self.mailbox);
        self.mailbox.begin(id);
        let allowed = self.node.can(self.me, Action::Read, id).await;
        let epoch = self.node.epoch();
        let place = self.node.state.read(|state| {
            let head = state.room_head(id)?;
            let reason = match since {
                Some(since) => cannot_resume(state, &head, since, epoch)?,
                None => None,
            };
            Ok((head, reason))
        });
        let (Ok((head, reason)), Some(epoch), true) = (place, epoch, allowed) else {
            room.close(&self.mailbox);
            let mut frame = refused(None, None, &RoomError::NotFound);
            if let ServerFrame::Error { message, .. } = &mut frame {
                *message = format!("{message} ({id})");
            }
            self.send(&ServerFrame::Left { room: id }).await?;
            return self.send(&frame).await;
        };
        let head = Position { epoch, seq: head.seq, chain: head.chain };
        if let Some(why) = reason {
            room.close(&self.mailbox);
            return self.send(&ServerFrame::Reset { room: id, why, head }).await;
        }
        let since = since.unwrap_or(head);
        self.open.insert(id, OpenRoom { room, cursor: since.seq });
        self.send(&ServerFrame::Subscribed { room: id, since, head }).await
    }

    /// The client's positions must lie on this log.
    pub(super) async fn compare(&mut self, positions: BTreeMap<RoomId, Position>) -> Result<(), End> {
        let epoch = self.node.epoch();
        for (room, position) in positions {
            if !self.open.contains_key(&room) {
                continue;
            }
            let compared = self.node.state.read(|state| {
                let head = state.room_head(room)?;
                Ok((head, position.epoch, state.chain_at(&head, position.seq)?))
            });
            let (Ok((head, theirs, chain)), Some(epoch)) = (compared, epoch) else { continue };
            if theirs != epoch || chain != Some(position.chain) {
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
    state: &Reader<'_>,
    head: &RoomHead,
    since: Position,
    epoch: Option<WorkspaceId>,
) -> Result<Option<ResetReason>, ReadError> {
    if epoch != Some(since.epoch) {
        return Ok(Some(ResetReason::Epoch));
    }
    if state.chain_at(head, since.seq)? != Some(since.chain) {
        return Ok(Some(ResetReason::Rewritten));
    }
    Ok((head.seq - since.seq > bounds::RESUME_EVENTS).then_some(ResetReason::Far))
}
