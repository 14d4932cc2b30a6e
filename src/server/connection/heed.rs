//! What comes in: each frame is answered in its turn.

use super::{Connection, End};
use crate::protocol::{
    ClientFrame, ClientId, CloseCode, ErrorCode, Event, Outcome, RoomId, ServerFrame, bounds,
};
use crate::server::broker::Pointer;
use crate::server::directory::Action;
use crate::server::node::ProposeError;
use crate::server::rooms::{self, RoomError};
use crate::server::throttle::Rate;
use axum::extract::ws::Message;
use futures::FutureExt;
use std::sync::Arc;
use tokio::time::Instant;

pub(super) const FRAME_RATE: Rate = Rate { burst: 120.0, per_second: 30.0 };
/// Frames above the rate that are answered with an error before the socket is closed.
const FRAMES_OVER: u32 = 200;
/// Frames that cannot be read before the socket is closed.
const BAD_FRAMES: u32 = 10;

impl Connection {
    pub(super) async fn heed(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        let message = match message {
            Some(Ok(message)) => message,
            // Too large, not UTF-8, or against the WebSocket protocol.
            Some(Err(_)) => return Err(End::Close(CloseCode::BadFrame)),
            None => return Err(End::Gone),
        };
        let allowed = self.rate.take(FRAME_RATE, self.node.uptime_ms());
        if !allowed {
            self.over += 1;
            if self.over > FRAMES_OVER {
                return Err(End::Close(CloseCode::Throttled));
            }
        }
        match message {
            Message::Text(text) if allowed => {
                self.heard = Instant::now();
                self.heed_text(&text).await
            }
            Message::Text(text) => {
                let message = "Too many at once. Try again in a moment.".to_owned();
                self.send(&error_frame(&text, ErrorCode::Throttled, message)).await
            }
            Message::Binary(_) => Err(End::Close(CloseCode::BadFrame)),
            Message::Ping(_) | Message::Pong(_) => Ok(()),
            Message::Close(_) => Err(End::Gone),
        }
    }

    async fn heed_text(&mut self, text: &str) -> Result<(), End> {
        let frame = match serde_json::from_str::<ClientFrame>(text) {
            Ok(frame) => frame,
            Err(fault) => {
                self.bad += 1;
                if self.bad > BAD_FRAMES {
                    return Err(End::Close(CloseCode::BadFrame));
                }
                let message = format!("This frame cannot be read: {fault}");
                return self.send(&error_frame(text, ErrorCode::BadFrame, message)).await;
            }
        };
        match frame {
            ClientFrame::Hello { .. } | ClientFrame::Unknown => Ok(()),
            ClientFrame::Subscribe { room, since } => self.subscribe(room, since).await,
            ClientFrame::Unsubscribe { room } => {
                self.close_room(room);
                Ok(())
            }
            ClientFrame::Post(draft) => {
                let id = draft.id;
                let posted = rooms::post(&self.node, self.me, draft);
                self.answer_with(id, posted);
                Ok(())
            }
            ClientFrame::Act(act) => {
                let id = act.id;
                let acted = rooms::act(&self.node, self.me, act);
                self.answer_with(id, acted);
                Ok(())
            }
            ClientFrame::Void { id, target } => {
                let (node, me) = (self.node.clone(), self.me);
                self.answer_with(id, async move { rooms::void(&node, me, id, target).await });
                Ok(())
            }
            ClientFrame::Outcome { id } => {
                let known = self.node.state.read(|state| state.draft(id));
                let known = known.map_err(RoomError::from).and_then(|known| {
                    let mine = known.filter(|known| known.author == self.me);
                    mine.map(|known| known.outcome).ok_or(RoomError::NotFound)
                });
                self.send(&answer(id, known)).await
            }
            ClientFrame::Page { req, room, lane, at, limit, at_least } => {
                let frame = match rooms::page(&self.node, self.me, (room, lane), at, limit, at_least) {
                    Ok(page) => ServerFrame::Page { req, page },
                    Err(fault) => refused(None, Some(req), &fault),
                };
                self.send(&frame).await
            }
            ClientFrame::Fetch { req, room, after, to } => {
                let frame = match self.events(room, after, to.min(after.saturating_add(500))) {
                    Ok(events) => ServerFrame::Events { req, room, events },
                    Err(fault) => refused(None, Some(req), &fault),
                };
                self.send(&frame).await
            }
            ClientFrame::Headers { req, room, after, to } => {
                let to = to.min(after.saturating_add(bounds::HEADERS_AT_ONCE));
                let frame = match self.events(room, after, to) {
                    Ok(events) => {
                        let headers =
                            events.into_iter().map(|event| (event.header.clone(), event.chain)).collect();
                        ServerFrame::Headers { req, room, headers }
                    }
                    Err(fault) => refused(None, Some(req), &fault),
                };
                self.send(&frame).await
            }
            ClientFrame::History { req, room, target } => {
                let frame = match rooms::history(&self.node, self.me, room, target) {
                    Ok(versions) => ServerFrame::History { req, room, versions },
                    Err(fault) => refused(None, Some(req), &fault),
                };
                self.send(&frame).await
            }
            ClientFrame::Pins { req, room } => {
                let frame = match rooms::pins(&self.node, self.me, room) {
                    Ok(rows) => ServerFrame::Pins { req, room, rows },
                    Err(fault) => refused(None, Some(req), &fault),
                };
                self.send(&frame).await
            }
            ClientFrame::People { ids } => {
                let directory = self.node.directory();
                let people = ids.into_iter().take(100).filter_map(|id| directory.person(id)).collect();
                self.send(&ServerFrame::People { people }).await
            }
            ClientFrame::Read { room, lane, generation, ordinal } => {
                let pointer = Pointer { generation, ordinal };
                match rooms::read(&self.node, self.me, room, lane, pointer).await {
                    Ok(()) => Ok(()),
                    Err(fault) => self.send(&refused(None, None, &fault)).await,
                }
            }
            ClientFrame::Beat { positions } => self.compare(positions).await,
        }
    }

    /// Answers a proposal in its turn; a fold that cannot go on leaves the outcome unknown.
    fn answer_with(
        &mut self,
        id: ClientId,
        proposed: impl Future<Output = Result<Outcome, RoomError>> + Send + 'static,
    ) {
        let answered = tokio::time::timeout(self.timeouts.outcome, proposed);
        let answered =
            answered.map(move |done| answer(id, done.unwrap_or(Err(ProposeError::Unknown.into()))));
        self.answers.push_back(answered.boxed());
    }

    fn events(&self, room: RoomId, after: u64, to: u64) -> Result<Vec<Arc<Event>>, RoomError> {
        if !self.node.directory().can(self.me, Action::Read, room) {
            return Err(RoomError::NotFound);
        }
        Ok(self.node.state.read(|state| {
            let head = state.room_head(room)?;
            state.events(&head, after, to)
        })?)
    }
}

fn answer(id: ClientId, done: Result<Outcome, RoomError>) -> ServerFrame {
    match done {
        Ok(outcome) => ServerFrame::Ack { id, outcome },
        Err(fault) => refused(Some(id), None, &fault),
    }
}

pub(super) fn refused(id: Option<ClientId>, req: Option<u64>, fault: &RoomError) -> ServerFrame {
    ServerFrame::Error { id, req, code: fault.code(), message: fault.to_string() }
}

/// An error that names what it is about, as far as a frame that cannot be read tells.
fn error_frame(text: &str, code: ErrorCode, message: String) -> ServerFrame {
    let frame: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let id = frame.get("id").and_then(|id| id.as_str()).and_then(|id| id.parse().ok());
    let req = frame.get("req").and_then(serde_json::Value::as_u64);
    ServerFrame::Error { id, req, code, message }
}
