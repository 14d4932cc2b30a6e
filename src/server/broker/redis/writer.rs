//! The task that appends: one script call for each entry, and all calls that wait go out in one pipeline.
//!
//! Each call of a pipeline but the first is tied to the one before it (see append.lua), so that what is stored of a
//! pipeline is a beginning of it. Where the store answers with an error, the calls behind it are refused too.

use super::script::APPEND;
use super::tail::Shared;
use crate::server::broker::waiting::{Place, bytes_of};
use crate::server::broker::{BrokerError, Head, Proposal};
use crate::server::now_ms;
use ::redis::{Cmd, ErrorKind, RedisError};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Entries of one pipeline.
const PIPELINE_ENTRIES: usize = 256;
/// Bytes of bodies of one pipeline.
const PIPELINE_BYTES: usize = 1024 * 1024;
/// Rounds that may store nothing: the script is loaded, the node of a cluster that has the keys is asked, or the clocks
/// are compared.
const IDLE_ROUNDS: u32 = 8;

/// One append, and who waits for it.
pub struct Append {
    pub create: bool,
    pub batch: Vec<Proposal>,
    /// Told the number of the first entry, and where the log ended after the last.
    pub reply: oneshot::Sender<Result<(u64, Head), BrokerError>>,
    /// Its room among what waits.
    pub _place: Place,
}

pub async fn run(shared: Arc<Shared>, mut waiting: mpsc::UnboundedReceiver<Append>) {
    let mut queue = VecDeque::new();
    loop {
        if queue.is_empty() {
            match waiting.recv().await {
                Some(append) => queue.push_back(append),
                None => return,
            }
        }
        while queue.len() < PIPELINE_ENTRIES
            && let Ok(append) = waiting.try_recv()
        {
            queue.push_back(append);
        }
        let appends = take_pipeline(&mut queue);
        carry_out(&shared, appends).await;
    }
}

/// What goes into the next pipeline: a log is made alone, and no batch is split.
fn take_pipeline(queue: &mut VecDeque<Append>) -> Vec<Append> {
    let mut taken: Vec<Append> = Vec::new();
    let (mut entries, mut bytes) = (0, 0);
    while let Some(next) = queue.front() {
        entries += next.batch.len();
        bytes += bytes_of(&next.batch);
        let alone = next.create || taken.first().is_some_and(|first| first.create);
        if !taken.is_empty() && (alone || entries > PIPELINE_ENTRIES || bytes > PIPELINE_BYTES) {
            break;
        }
        taken.extend(queue.pop_front());
    }
    taken
}

async fn carry_out(shared: &Shared, appends: Vec<Append>) {
    let create = appends.first().is_some_and(|first| first.create);
    let proposals: Vec<&Proposal> = appends.iter().flat_map(|append| &append.batch).collect();
    let (stored, fault) = store(shared, create, &proposals).await;
    let fault = fault.unwrap_or_else(|| BrokerError::Refused("An append of nothing stores nothing.".into()));
    let mut from = 0;
    for Append { batch, reply, .. } in appends {
        let entries = stored.get(from..from + batch.len()).unwrap_or_default();
        let done = entries.first().zip(entries.last()).map(|(first, last)| (first.g, *last));
        let done = done.ok_or_else(|| match &fault {
            BrokerError::Refused(_) | BrokerError::Unready(_) if stored.len() > from => {
                BrokerError::Unknown(format!("only the first entries of a batch were stored: {fault}"))
            }
            fault => fault.clone(),
        });
        let _ = reply.send(done);
        from += batch.len();
    }
}

/// Stores proposals in this order. Gives where each one stands that was stored, and what stopped it at the first that
/// was not.
async fn store(shared: &Shared, create: bool, proposals: &[&Proposal]) -> (Vec<Head>, Option<BrokerError>) {
    let mut stored: Vec<Head> = Vec::with_capacity(proposals.len());
    let mut idle = 0;
    while stored.len() < proposals.len() {
        let before = stored.len();
        let answers = match shared.line.ask_all(calls(shared, create, &proposals[before..])).await {
            Ok(answers) => answers,
            Err(fault) => return (stored, Some(shared.line.broker_error(fault))),
        };
        let fault = take_answers(answers, &mut stored);
        idle = if stored.len() > before { 0 } else { idle + 1 };
        let Some(fault) = fault else { continue };
        // Nothing behind the fault is stored, by the tie. What can be mended is, and the rest goes out again.
        let mended = match fault.code() {
            _ if idle >= IDLE_ROUNDS => false,
            Some("NOSCRIPT") => match APPEND.load(&shared.line).await {
                Ok(()) => true,
                Err(fault) => return (stored, Some(shared.line.broker_error(fault))),
            },
            // The call may have waited for long. The time alone tells whether the clocks differ.
            Some("BECKCLOCK") => match shared.compare_clocks().await {
                Ok(()) => true,
                Err(fault) => return (stored, Some(fault)),
            },
            // Many entries of other servers came between, or the line has learned the right node.
            Some("BECKORDER" | "MOVED") => true,
            _ => false,
        };
        if !mended {
            return (stored, Some(shared.line.broker_error(Ok(fault))));
        }
    }
    (stored, None)
}

fn calls(shared: &Shared, create: bool, proposals: &[&Proposal]) -> Vec<Cmd> {
    let known = if create { Head::default() } else { shared.end() };
    let mut link = known.link.to_string();
    let mut before = String::new();
    let call = |proposal: &&Proposal| {
        let mut call = APPEND.call(&[&shared.keys.log, &shared.keys.erased, &shared.keys.mark]);
        // The header's text without number and time, which the script puts before it. It ends in the salted digest, of
        // which a half is enough to know the entry by.
        let header = proposal.header(0, 0);
        call.arg(if create { "create" } else { "append" }).arg(known.g).arg(&link).arg(&before);
        call.arg(now_ms()).arg(header.rest()).arg(&proposal.body);
        let since = proposal.since.unwrap_or_default();
        call.arg(since.g).arg(since.link.to_string());
        before = header.digest.to_string().split_off(16);
        link.clear();
        call
    };
    proposals.iter().map(call).collect()
}

/// Takes the answers up to the first error, and gives that.
fn take_answers(
    answers: Vec<Result<(String, String), RedisError>>,
    stored: &mut Vec<Head>,
) -> Option<RedisError> {
    let unknown = |what: &'static str| RedisError::from((ErrorKind::UnexpectedReturnType, what));
    let mut answers = answers.into_iter();
    while let Some(answer) = answers.next() {
        match answer {
            Ok((g, link)) => match (g.parse(), link.parse()) {
                (Ok(g), Ok(link)) => stored.push(Head { g, link }),
                _ => return Some(unknown("the store answered an append with something else")),
            },
            // The same proposal twice can be a tie to the wrong one of the two.
            Err(_) if answers.any(|later| later.is_ok()) => {
                return Some(unknown("an entry behind one that failed may be stored"));
            }
            Err(fault) => return Some(fault),
        }
    }
    None
}
