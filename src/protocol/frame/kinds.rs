//! The kinds of frames that a client sends, by their names on the wire.

use super::ClientFrame;

/// Makes the list and the name of each kind from the same lines: a kind that is missing here does not compile.
macro_rules! kinds {
    ($($kind:ident $name:literal)*) => {
        impl ClientFrame {
            /// Every kind, as `t` names it.
            pub const KINDS: &'static [&'static str] = &[$($name),*];

            /// The kind of this frame, as `t` names it.
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
