//! From the outbox to an outcome.

use super::window::Ask;
use super::{Effect, Session, Status};
use crate::client::Lane;
use crate::client::outbox::{Kept, KeptState, Out, Proposed};
use crate::protocol::frame::{ActDraft, Draft};
use crate::protocol::{ClientFrame, ClientId, ErrorCode, Outcome, Refusal, RoomId, Slot};
use crate::timeline::{ActEcho, ActState, Echo};

impl Session {
    pub(super) fn write(&mut self, draft: Draft, out: &mut Vec<Effect>) {
        let at = self.lane_of(&draft).unwrap_or(draft.room.into());
        self.type_in(at, String::new(), out);
        // Whoever writes sees it, from wherever in the lane.
        if self.looking_at == Some(at.room) {
            self.want(at.lane, Ask::Jump, out);
        }
        self.propose(Proposed::Message(draft), out);
    }

    /// Changes a message. What it was to become before, and was never sent, is no longer wanted.
    pub(super) fn act(&mut self, act: ActDraft, out: &mut Vec<Effect>) {
        // From format 5 on a message can be deleted, and restored, there too.
        let deletes = act.slot == Slot::Deleted.to_string() && self.is_of_five();
        if self.is_archived(act.room) && !deletes {
            return;
        }
        self.keep_to_restore(&act);
        if let Some(unsent) = self.outbox.unsent_act(act.target, &act.slot) {
            self.drop_draft(unsent, out);
        }
        self.propose(Proposed::Act(act), out);
    }

    fn propose(&mut self, draft: Proposed, out: &mut Vec<Effect>) {
        self.notice = None;
        let kept = Kept::new(draft, self.now);
        out.push(Effect::Keep(kept.clone()));
        self.put(kept);
        self.send_outbox(out);
    }

    pub(super) fn type_in(&mut self, at: Lane, text: String, out: &mut Vec<Effect>) {
        let before = if text.is_empty() {
            self.typed.remove(&at).unwrap_or_default()
        } else {
            self.typed.insert(at, text.clone()).unwrap_or_default()
        };
        if before != text {
            self.say_typing(at, !text.is_empty(), out);
            out.push(Effect::KeepTyped(at, text));
        }
    }

    /// Takes a draft into the outbox and shows it.
    pub(super) fn put(&mut self, kept: Kept) {
        let (id, room) = (kept.id(), kept.room());
        self.outbox.put(kept);
        if let Some(kept) = self.outbox.get(id)
            && let KeptState::Stored { seq, .. } = kept.state
        {
            let outcome = Outcome::Stored { g: 0, seq: Some(seq), ordinal: None };
            self.timelines_of(room).for_each(|timeline| timeline.answered(id, outcome));
        }
        self.show_echo(id);
    }

    /// Brings a draft's line in its room up to date.
    pub(super) fn show_echo(&mut self, id: ClientId) {
        let Some(Kept { draft, at, state, .. }) = self.outbox.get(id) else { return };
        let (draft, at, state) = (draft.clone(), *at, state.clone());
        let shown = self.outbox.get(id).and_then(|kept| kept.shown(self.outbox.is_under_way(id)));
        match (draft, shown) {
            (Proposed::Message(draft), Some(state)) => self.show_draft(Echo { draft, at, state }),
            (Proposed::Message(_), None) => {}
            (Proposed::Act(act), _) => {
                let state = match state {
                    KeptState::Stored { seq, .. } => ActState::Stored { seq },
                    KeptState::NotSent { why } => ActState::Failed { why },
                    _ => ActState::Waiting,
                };
                let echo = ActEcho { act, by: self.me.id, at, state };
                self.timelines_of(echo.act.room).for_each(|timeline| timeline.echo_act(echo.clone()));
            }
        }
    }

    /// In the lanes where it is to stand. An answer that needs its author is also shown in the room while its thread is
    /// not open: nobody else would find it.
    fn show_draft(&mut self, echo: Echo) {
        let (room, id) = (echo.draft.room, echo.draft.id);
        let answer = echo.draft.thread;
        let open = self.thread.as_ref().filter(|open| open.at.room == room && answer.is_some());
        let here = open.is_some_and(|open| open.root().map(|root| root.id) == answer.map(|answer| answer.to));
        let in_room = answer.is_none_or(|answer| answer.also || (echo.needs_author() && !here));
        for timeline in self.timelines_of(room) {
            let stands = if timeline.lane() == 0 { in_room } else { here };
            if stands {
                timeline.echo(echo.clone());
                timeline.mark(id, echo.state.clone());
            } else {
                timeline.drop_echo(id);
            }
        }
    }

    pub(super) fn show_echoes(&mut self, room: RoomId) {
        let ids: Vec<_> = self.outbox.in_room(room).map(Kept::id).collect();
        ids.into_iter().for_each(|id| self.show_echo(id));
    }

    /// As [`Session::show_echoes`], where some may stand already: all of them in the order of writing.
    pub(super) fn order_echoes(&mut self, room: RoomId) {
        let waiting = self.outbox.in_room(room).filter(|kept| !kept.is_stored());
        let waiting: Vec<_> = waiting.map(Kept::id).collect();
        for timeline in self.timelines_of(room) {
            waiting.iter().for_each(|id| timeline.drop_echo(*id));
        }
        waiting.into_iter().for_each(|id| self.show_echo(id));
    }

    fn set(&mut self, id: ClientId, state: KeptState, out: &mut Vec<Effect>) {
        if let Some(kept) = self.outbox.set(id, state) {
            out.push(Effect::Keep(kept));
            self.show_echo(id);
        }
    }

    pub(super) fn send_outbox(&mut self, out: &mut Vec<Effect>) {
        if self.status != Status::Live || !self.sender {
            return;
        }
        let (next, changed) = self.outbox.next(self.now);
        out.extend(changed.into_iter().map(Effect::Keep));
        for next in next {
            let id = match &next {
                Out::Propose(draft) => draft.id(),
                Out::Outcome(id) | Out::Void { target: id, .. } => *id,
            };
            self.show_echo(id);
            out.push(Effect::Send(match next {
                Out::Propose(Proposed::Message(draft)) => ClientFrame::Post(draft),
                Out::Propose(Proposed::Act(act)) => ClientFrame::Act(act),
                Out::Outcome(id) => ClientFrame::Outcome { id },
                Out::Void { void, target } => ClientFrame::Void { id: void, target },
            }));
        }
    }

    /// An edit or a discard. What was never sent, or is known not to be stored, goes at once.
    pub(super) fn take_back(&mut self, id: ClientId, void: ClientId, edit: bool, out: &mut Vec<Effect>) {
        let Some(kept) = self.outbox.get(id) else { return };
        match kept.state {
            KeptState::Stored { .. } | KeptState::TakingBack { .. } => {}
            KeptState::NotSent { .. } | KeptState::Lost => self.taken_back(id, edit, out),
            _ if !kept.tried => self.taken_back(id, edit, out),
            _ => {
                self.outbox.answered(id);
                self.set(id, KeptState::TakingBack { void, edit }, out);
            }
        }
        self.send_outbox(out);
    }

    fn drop_draft(&mut self, id: ClientId, out: &mut Vec<Effect>) -> Option<Kept> {
        let kept = self.outbox.remove(id)?;
        self.drop_echoes(id);
        out.push(Effect::Forget(id));
        Some(kept)
    }

    pub(super) fn drop_echoes(&mut self, id: ClientId) {
        let thread = self.thread.as_mut().and_then(|open| open.timeline.as_mut());
        for timeline in self.timelines.values_mut().chain(thread) {
            timeline.drop_echo(id);
            timeline.drop_act(id);
        }
    }

    fn taken_back(&mut self, id: ClientId, edit: bool, out: &mut Vec<Effect>) {
        let Some(kept) = self.drop_draft(id, out) else { return };
        let Proposed::Message(draft) = kept.draft else { return };
        let at = self.lane_of(&draft).unwrap_or(draft.room.into());
        let text = draft.text;
        if edit && self.viewport(at).is_some() {
            out.push(Effect::Compose(at, text));
        } else if edit {
            // Its composer is not there: it stands in it when one comes back.
            let typed = self.typed.get(&at).map(|typed| format!("{text}\n{typed}"));
            self.type_in(at, typed.unwrap_or(text), out);
        }
    }

    pub(super) fn send_now(&mut self, id: ClientId, out: &mut Vec<Effect>) {
        if let Some(kept) = self.outbox.confirm(id) {
            out.push(Effect::Keep(kept));
            self.show_echo(id);
        }
        self.send_outbox(out);
    }

    pub(super) fn acked(&mut self, id: ClientId, outcome: Outcome, out: &mut Vec<Effect>) {
        if let Some(kept) = self.outbox.taken_back_by(id) {
            let (target, edit) = (kept.id(), matches!(kept.state, KeptState::TakingBack { edit: true, .. }));
            self.outbox.answered(target);
            match outcome {
                Outcome::Stored { .. } => self.taken_back(target, edit, out),
                // Too late: it is stored, and the lookup says where.
                Outcome::Refused { .. } => self.set(target, KeptState::Asking, out),
            }
            return self.send_outbox(out);
        }
        self.outbox.answered(id);
        self.outbox.settled(id);
        let Some(kept) = self.outbox.get(id) else { return };
        match (outcome, &kept.state) {
            (Outcome::Stored { .. }, KeptState::Stored { .. } | KeptState::TakingBack { .. }) => {}
            (Outcome::Stored { seq, .. }, _) => {
                let room = kept.room();
                self.set(id, KeptState::Stored { seq: seq.unwrap_or(0), at: self.now }, out);
                self.timelines_of(room).for_each(|timeline| timeline.answered(id, outcome));
            }
            // Another tab took it back.
            (Outcome::Refused { why: Refusal::Void }, _) => self.taken_back(id, false, out),
            (Outcome::Refused { why }, _) => match self.why_not_restored(&kept.draft, why) {
                Some(sentence) => {
                    self.drop_draft(id, out);
                    self.notice = Some(sentence.to_owned());
                }
                None => self.not_done(id, why.to_string(), format!("Not done: {why}"), out),
            },
        }
        self.send_outbox(out);
    }

    pub(super) fn send_failed(
        &mut self,
        id: ClientId,
        code: ErrorCode,
        message: String,
        out: &mut Vec<Effect>,
    ) {
        let id = self.outbox.taken_back_by(id).map_or(id, Kept::id);
        self.outbox.answered(id);
        let Some(kept) = self.outbox.get(id) else { return };
        let state = match (code, &kept.state) {
            (ErrorCode::NotFound, KeptState::Asking) => KeptState::Question,
            (ErrorCode::NotFound, KeptState::Stored { .. }) => {
                let (room, message) = (kept.room(), matches!(kept.draft, Proposed::Message(_)));
                // An act is harmless to do again; a message is asked about.
                self.set(id, if message { KeptState::Lost } else { KeptState::Waiting }, out);
                self.order_echoes(room);
                // Where one is gone others may be.
                self.outbox.settled(id);
                self.outbox.doubt_all();
                return self.send_outbox(out);
            }
            // The tick tries again.
            (code, _) if code.try_again() => return self.show_echo(id),
            (code, KeptState::Waiting) => {
                // The server has sentences of their own for restores.
                let whole = code == ErrorCode::Unfit && kept.draft.restores();
                let notice = if whole { message.clone() } else { format!("Not done: {message}") };
                return self.not_done(id, message, notice, out);
            }
            _ => return,
        };
        self.set(id, state, out);
    }

    /// What was not carried out: a text stays its author's; anything else is undone, and said.
    fn not_done(&mut self, id: ClientId, why: String, notice: String, out: &mut Vec<Effect>) {
        let Some(kept) = self.outbox.get(id) else { return };
        if kept.draft.text().is_some() {
            self.set(id, KeptState::NotSent { why }, out);
        } else {
            self.drop_draft(id, out);
            self.notice = Some(notice);
        }
        self.send_outbox(out);
    }

    pub(super) fn purge(&mut self, out: &mut Vec<Effect>) {
        out.extend(self.outbox.purge(self.now).into_iter().map(Effect::Forget));
    }
}
