//! Records the statements that readers of the state file run, in order.

use beck::server::node::Node;
use rusqlite::trace::TraceEvent;
use std::cell::RefCell;

thread_local! {
    static RUN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Starts recording. The server must run on the test's thread.
pub fn begin(node: &Node) {
    node.state.trace_readers(|event| {
        if let TraceEvent::Stmt(_, sql) = event {
            let words: Vec<_> = sql.split_whitespace().collect();
            RUN.with_borrow_mut(|run| run.push(words.join(" ")));
        }
    });
}

/// The statements since the last call.
pub fn take() -> Vec<String> {
    RUN.take()
}
