//! What is stored and what is on the wire: plain data, shared by every side.
//!
//! Nothing here touches a clock, a socket or a store. `docs/protocol.md` says the same in words.

pub mod added;
pub mod bounds;
pub mod change;
pub mod entry;
pub mod erasable;
pub mod error;
pub mod event;
pub mod format;
pub mod frame;
pub mod ids;
pub mod json;
pub mod may;
pub mod number;
pub mod position;
pub mod presence;
pub mod quiet;
pub mod stored;
pub mod unread;

pub use added::Added;
pub use change::Change;
pub use entry::{Digest, Header, Kind, Slot, Token};
pub use erasable::{Erasable, erasable};
pub use error::{CloseCode, ErrorCode, Refusal};
pub use event::{
    ActBody, ActValue, Answers, Event, EventBody, MessageBody, Page, PageAt, Place, Proof, ProofForm, Quote,
    Row, Tombstone,
};
pub use format::{Format, NewerFormat};
pub use frame::{ActDraft, ClientFrame, Outcome, ServerFrame};
pub use ids::{AccountId, ClientId, RoomId, WorkspaceId};
pub use may::{May, RoomAct};
pub use position::{Hash, Position};
pub use presence::{OwnStatus, Presence, Seen};
pub use quiet::Quiet;
pub use stored::Stored;
pub use unread::{Badge, Level, Mention, Mentions, Pointer, Raise, Thread, Wanted};

/// The version that both sides name in the first frame; it rises when an old client could misread a new server.
pub const PROTOCOL_VERSION: u32 = 1;
