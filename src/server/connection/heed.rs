//! What comes in: each frame is answered in its turn.

use super::{Connection, End};
use crate::protocol::frame::{ActDraft, Draft};
use crate::protocol::{
    AccountId, ClientFrame, ClientId, CloseCode, ErrorCode, Event, Mentions, Outcome, Presence, Raise,
    RoomId, ServerFrame, bounds,
};
use crate::server::access::Action;
use crate::server::accounts;
use crate::server::error::AppError;
use crate::server::node::Node;
use crate::server::rooms;
use crate::server::throttle::Rate;
use crate::server::{threads, unread};
use futures::FutureExt;
use std::sync::Arc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Error, Message};

pub(super) const FRAME_RATE: Rate = Rate { burst: 120.0, per_second: 30.0 };
/// Bytes that a message may take on the wire: much more than it may hold, and less than a flood of fragments.
pub(super) const WIRE_BYTES: u64 = 2 * bounds::FRAME_BYTES as u64;

const AGAIN: &str = "Try again in a moment.";

impl Connection {
    pub(super) async fn heed(&mut self, message: Option<Result<Message, Error>>) -> Result<(), End> {
        let message = match message {
            Some(Ok(message)) => message,
            // Too large, not UTF-8, or against the WebSocket protocol.
            Some(Err(_)) => return Err(End::Close(CloseCode::BadFrame)),
            None => return Err(End::Gone),
        };
        self.progress.heard(WIRE_BYTES);
        let now = self.node.uptime_ms();
        let allowed = self.rate.take(FRAME_RATE, now);
        if !allowed && !self.slips.throttled(now) {
            return Err(End::Close(CloseCode::Throttled));
        }
        match message {
            Message::Text(text) if allowed => {
                self.heard = Instant::now();
                self.heed_text(&text).await
            }
            Message::Text(text) => {
                let message = format!("Too many frames at once. {AGAIN}");
                self.send(&error_frame(&text, ErrorCode::Throttled, message)).await
            }
            Message::Binary(_) => Err(End::Close(CloseCode::BadFrame)),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(()),
            Message::Close(_) => Err(End::Gone),
        }
    }

    async fn heed_text(&mut self, text: &str) -> Result<(), End> {
        if self.mailbox.held() {
            self.look().await?;
        }
        let frame = match serde_json::from_str::<ClientFrame>(text) {
            Ok(frame) => frame,
            Err(fault) => {
                if !self.slips.unreadable(self.node.uptime_ms()) {
                    return Err(End::Close(CloseCode::BadFrame));
                }
                let message = format!("This frame cannot be read: {fault}");
                return self.send(&error_frame(text, ErrorCode::BadFrame, message)).await;
            }
        };
        let (node, me) = (self.node.clone(), self.me);
        if let Some(room) = asks_of(&frame)
            && !node.directory().can(me, Action::Read, room)
            && !self.slips.unknown_room(node.uptime_ms())
        {
            let message = format!("Too many requests about rooms that you are not in ({room}). {AGAIN}");
            return self.send(&error_frame(text, ErrorCode::Throttled, message)).await;
        }
        match frame {
            ClientFrame::Hello { .. } | ClientFrame::Unknown => Ok(()),
            ClientFrame::Subscribe { room, since } => self.subscribe(room, since).await,
            ClientFrame::Unsubscribe { room } => {
                self.close_room(room);
                Ok(())
            }
            ClientFrame::Post(draft) => {
                let id = draft.id;
                let posted = rooms::propose_post(&node, me, draft).await;
                self.answer_with(id, async move { posted?.await });
                Ok(())
            }
            ClientFrame::Act(act) => {
                let id = act.id;
                let acted = rooms::propose_act(&node, me, act).await;
                self.answer_with(id, async move { acted?.await });
                Ok(())
            }
            ClientFrame::Void { id, target } => {
                self.answer_with(id, async move { rooms::void(&node, me, id, target).await });
                Ok(())
            }
            ClientFrame::Outcome { id } => {
                let known = || {
                    let known = node.state.draft(id)?;
                    let mine = known.filter(|known| known.author == me);
                    mine.map(|known| known.outcome).ok_or(AppError::NotFound)
                };
                self.send(&answer(id, sure(&node, known).await)).await
            }
            ClientFrame::Page { req, room, lane, at, limit, at_least } => {
                let page = || rooms::page(&node, me, (room, lane), at, limit, at_least);
                let frame = match sure(&node, page).await {
                    Ok(page) => ServerFrame::Page { req, page },
                    Err(fault) => refused(None, Some(req), &fault),
                };
                self.send(&frame).await
            }
            ClientFrame::Fetch { req, room, after, to } => {
                let to = to.min(after.saturating_add(bounds::FETCHED_AT_ONCE));
                let fetched = || events(&node, me, room, (after, to));
                let frame = match sure(&node, fetched).await {
                    Ok(events) => ServerFrame::Events { req, room, events },
                    Err(fault) => refused(None, Some(req), &fault),
                };
                self.send(&frame).await
            }
            ClientFrame::Headers { req, room, after, to } => {
                let to = to.min(after.saturating_add(bounds::HEADERS_AT_ONCE));
                let fetched = || events(&node, me, room, (after, to));
                let frame = match sure(&node, fetched).await {
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
            ClientFrame::People { ids, handles } => {
                let directory = self.node.directory();
                let see = |id| Some(directory.see_person(me, id)?.to_person());
                let people = ids.into_iter().take(100).filter_map(see);
                let named = handles.iter().take(100).filter_map(|handle| directory.by_handle(handle));
                let people = people.chain(named.filter_map(|account| see(account.id))).collect();
                self.send(&ServerFrame::People { people }).await
            }
            ClientFrame::Want { room, wanted } => {
                match unread::want(&self.node, self.me, room, wanted).await {
                    Ok(()) => Ok(()),
                    Err(fault) => self.send(&refused(None, None, &fault)).await,
                }
            }
            ClientFrame::Follow { room, lane, follow } => {
                match threads::follow(&node, me, (room, lane), follow).await {
                    Ok(()) => self.tell_threads(room).await,
                    Err(fault) => self.send(&refused(None, None, &fault)).await,
                }
            }
            ClientFrame::Thread { req, room, lane } => {
                let frame = match threads::thread(&node, me, (room, lane)).await {
                    Ok(thread) => ServerFrame::Thread { req, room, thread },
                    Err(fault) => refused(None, Some(req), &fault),
                };
                self.send(&frame).await
            }
            ClientFrame::Threads { room } => self.tell_threads(room).await,
            ClientFrame::Answers { req, room, after } => {
                let frame = match threads::answers(&node, me, room, after).await {
                    Ok(rows) => ServerFrame::Answers { req, room, rows },
                    Err(fault) => refused(None, Some(req), &fault),
                };
                self.send(&frame).await
            }
            ClientFrame::Mentions { req, before } => {
                let frame = match unread::mentions(&self.node, self.me, before).await {
                    Ok(Mentions { mentions, more }) => ServerFrame::Mentions { req, mentions, more },
                    Err(fault) => refused(None, Some(req), &fault),
                };
                self.send(&frame).await
            }
            ClientFrame::Watch { people } => self.watch_people(people).await,
            ClientFrame::Active { on } => {
                self.attend(Some(if on { Presence::Online } else { Presence::Away }));
                Ok(())
            }
            ClientFrame::Typing { room, lane, on } => {
                self.type_in(room, lane, on);
                Ok(())
            }
            ClientFrame::Status { text, do_not_disturb, for_ms } => {
                match accounts::set_status(&node, me, &text, do_not_disturb, for_ms).await {
                    Ok(()) => Ok(()),
                    Err(fault) => self.send(&refused(None, None, &fault)).await,
                }
            }
            ClientFrame::Members { req, room } => self.send_members(req, room).await,
            ClientFrame::Read(raise) => self.raise(vec![raise]).await,
            ClientFrame::ReadAll { raise } => self.raise(raise).await,
            ClientFrame::Beat { positions } => self.compare(positions).await,
        }
    }

    async fn tell_threads(&mut self, room: RoomId) -> Result<(), End> {
        let frame = match threads::threads(&self.node, self.me, room).await {
            Ok(threads) => ServerFrame::Threads { room, threads },
            Err(fault) => refused(None, None, &fault),
        };
        self.send(&frame).await
    }

    async fn raise(&mut self, raise: Vec<Raise>) -> Result<(), End> {
        match unread::raise(&self.node, self.me, raise).await {
            Ok(()) => Ok(()),
            Err(fault) => self.send(&refused(None, None, &fault)).await,
        }
    }

    /// Answers a proposal in its turn; a fold that cannot go on leaves the outcome unknown.
    fn answer_with(
        &mut self,
        id: ClientId,
        proposed: impl Future<Output = Result<Outcome, AppError>> + Send + 'static,
    ) {
        let answered = tokio::time::timeout(self.timeouts.outcome, proposed);
        let answered = answered.map(move |done| answer(id, done.unwrap_or(Err(AppError::Unknown))));
        self.answers.push_back(answered.boxed());
    }
}

/// The room of a frame for which the log is asked where it ends if the account is not in the room.
fn asks_of(frame: &ClientFrame) -> Option<RoomId> {
    match frame {
        ClientFrame::Subscribe { room, .. }
        | ClientFrame::Page { room, .. }
        | ClientFrame::Fetch { room, .. }
        | ClientFrame::Headers { room, .. }
        | ClientFrame::Post(Draft { room, .. })
        | ClientFrame::Act(ActDraft { room, .. }) => Some(*room),
        _ => None,
    }
}

/// "Not found" and "behind" are answers of a node that has caught up.
async fn sure<T>(node: &Node, ask: impl Fn() -> Result<T, AppError>) -> Result<T, AppError> {
    let no = |answer: &Result<T, AppError>| matches!(answer, Err(AppError::NotFound | AppError::Behind));
    node.sure(no, ask).await?
}

fn events(
    node: &Node,
    me: AccountId,
    room: RoomId,
    (after, to): (u64, u64),
) -> Result<Vec<Arc<Event>>, AppError> {
    Ok(node.state.enter((me, room), |member| member.events(after, to))?)
}

fn answer(id: ClientId, done: Result<Outcome, AppError>) -> ServerFrame {
    match done {
        Ok(outcome) => ServerFrame::Ack { id, outcome },
        Err(fault) => refused(Some(id), None, &fault),
    }
}

pub(super) fn refused(id: Option<ClientId>, req: Option<u64>, fault: &AppError) -> ServerFrame {
    ServerFrame::Error { id, req, code: fault.code(), message: fault.to_string() }
}

/// An error that names what it is about, as far as a frame that cannot be read tells.
fn error_frame(text: &str, code: ErrorCode, message: String) -> ServerFrame {
    let frame: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let id = frame.get("id").and_then(|id| id.as_str()).and_then(|id| id.parse().ok());
    let req = frame.get("req").and_then(serde_json::Value::as_u64);
    ServerFrame::Error { id, req, code, message }
}
