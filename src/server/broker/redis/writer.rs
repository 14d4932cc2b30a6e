//! The task that appends: takes what waits together into one script call, one call after the other.

use super::script::APPEND;
use super::tail::Shared;
use crate::server::broker::{BrokerError, Head, Proposal};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Appends that may wait for the writer; beyond it callers wait.
pub const WAITING_APPENDS: usize = 4_096;
/// Entries of one call. A call blocks the store while it runs: a millisecond or two.
const CALL_ENTRIES: usize = 256;
/// Bytes of bodies of one call.
const CALL_BYTES: usize = 1024 * 1024;

/// One append, and who waits for it.
pub struct Append {
    pub create: bool,
    pub batch: Vec<Proposal>,
    /// Told the number of the first entry, and where the log ended after the last.
    pub reply: oneshot::Sender<Result<(u64, Head), BrokerError>>,
}

impl Append {
    fn bytes(&self) -> usize {
        self.batch.iter().map(|proposal| proposal.body.len()).sum()
    }
}

pub async fn run(shared: Arc<Shared>, mut waiting: mpsc::Receiver<Append>) {
    let mut queue = VecDeque::new();
    loop {
        if queue.is_empty() {
            match waiting.recv().await {
                Some(append) => queue.push_back(append),
                None => return,
            }
        }
        while queue.len() < CALL_ENTRIES
            && let Ok(append) = waiting.try_recv()
        {
            queue.push_back(append);
        }
        let call = take_call(&mut queue);
        carry_out(&shared, call).await;
    }
}

/// What goes into the next call: a log is made alone, and no batch is split.
fn take_call(queue: &mut VecDeque<Append>) -> Vec<Append> {
    let mut call: Vec<Append> = Vec::new();
    let (mut entries, mut bytes) = (0, 0);
    while let Some(next) = queue.front() {
        entries += next.batch.len();
        bytes += next.bytes();
        let alone = next.create || call.first().is_some_and(|first| first.create);
        if !call.is_empty() && (alone || entries > CALL_ENTRIES || bytes > CALL_BYTES) {
            break;
        }
        call.extend(queue.pop_front());
    }
    call
}

async fn carry_out(shared: &Shared, appends: Vec<Append>) {
    let create = appends.first().is_some_and(|first| first.create);
    let known = if create { Head::default() } else { shared.end() };
    let mut call = APPEND.call(&[&shared.keys.log, &shared.keys.erased, &shared.keys.mark]);
    call.arg(if create { "create" } else { "append" }).arg(known.g).arg(known.link.to_string());
    for proposal in appends.iter().flat_map(|append| &append.batch) {
        // The header's text without number and time, which the script puts before it.
        call.arg(proposal.header(0, 0).rest()).arg(&proposal.body);
    }
    let done = APPEND.run::<(String, String, String)>(&shared.line, &call).await;
    let done = match done {
        Ok((first, last, link)) => match (first.parse::<u64>(), last.parse(), link.parse()) {
            (Ok(first), Ok(g), Ok(link)) => Ok((first, Head { g, link })),
            _ => Err(BrokerError::Unknown("the store answered an append with something else".into())),
        },
        Err(fault) => Err(shared.line.broker_error(fault)),
    };
    let mut first = done.as_ref().map_or(0, |(first, _)| *first);
    for append in appends {
        let count = append.batch.len() as u64;
        let _ = append.reply.send(done.clone().map(|(_, head)| (first, head)));
        first += count;
    }
}
