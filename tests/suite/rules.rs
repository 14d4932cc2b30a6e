//! The rules of the log in formats 1 to 4: the decision about every entry, and the bytes of the log.
//!
//! The oracle is [`interpreter`], a short program that reads a log without SQL and without the fold. The tests compare
//! both over random histories, the recorded logs of tests/data/corpus and a handwritten log.

mod bodies;
mod bytes;
mod five;
mod histories;
mod interpreter;
mod lists;
mod maker;
mod quirks;
mod recorded;
mod written;

use beck::protocol::Outcome;
use beck::server::broker::Entry;
use beck::server::fold::Folded;
use interpreter::{Decided, Placed};
use lists::Interpreter;

/// A decision of the fold in the interpreter's form.
fn decided(folded: &Folded) -> Decided {
    let outcome = match folded.outcome {
        Outcome::Stored { g, seq, ordinal } => Ok((g, seq, ordinal)),
        Outcome::Refused { why } => Err(serde_json::to_value(why).unwrap().as_str().unwrap().to_owned()),
    };
    let event = folded.event.as_ref().map(|(room, event)| Placed {
        room: *room,
        seq: event.seq,
        lane: event.lane,
        ordinal: event.ordinal,
        also: event.also.map(|also| (also.lane, also.ordinal)),
    });
    Decided { outcome, event }
}

/// The interpreter's decisions about a whole log.
fn interpreted(entries: &[Entry]) -> Vec<Decided> {
    let mut interpreter = Interpreter::default();
    entries.iter().map(|entry| interpreter.read(&entry.header, entry.body.as_deref())).collect()
}
