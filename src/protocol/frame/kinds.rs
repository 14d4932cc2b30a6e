//! Names of client frames on the wire.

use super::ClientFrame;

/// Generates the list and the names from the same lines, so that a kind missing here fails to compile.
macro_rules! kinds {
    ($($kind:ident $name:literal)*) => {
        impl ClientFrame {
            /// The `t` of every kind.
            pub const KINDS: &'static [&'static str] = &[$($name),*];

            /// The `t` of this frame.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(ClientFrame::$kind { .. } => $name,)*
                }
            }
        }
    };
}

kinds! {
    Hello "hello"
    Subscribe "subscribe"
    Unsubscribe "unsubscribe"
    Post "post"
    Act "act"
    Void "void"
    Outcome "outcome"
    Page "page"
    Fetch "fetch"
    Headers "headers"
    History "history"
    Pins "pins"
    People "people"
    Read "read"
    ReadAll "read_all"
    Want "want"
    Follow "follow"
    Thread "thread"
    Threads "threads"
    Answers "answers"
    Mentions "mentions"
    Watch "watch"
    Active "active"
    Typing "typing"
    Status "status"
    Members "members"
    Beat "beat"
    Unknown "unknown"
}
