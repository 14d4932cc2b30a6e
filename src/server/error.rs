//! Why a use case failed: one type, with its HTTP status, its code in a frame, and its sentence.

use super::access::Denied;
use super::auth::TooMany;
use super::broker::{BrokerError, Unwritable};
use super::counted::counted;
use super::readiness::Unready;
use super::state::ReadError;
use crate::protocol::bounds::{REACTIONS, REACTIONS_EACH, Unfit};
use crate::protocol::{ErrorCode, Refusal};
use axum::http::StatusCode;
use std::fmt;

/// Why a use case failed. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error("{0}")]
    Unfit(#[from] Unfit),
    /// What was typed into a field of a form.
    #[error("{0}: {1}")]
    Field(Field, Unfit),
    #[error("That handle is taken. Choose another one.")]
    HandleTaken,
    #[error("That handle and password do not belong together.")]
    WrongPassword,
    #[error("Nobody has the handle @{0}.")]
    UnknownHandle(String),
    #[error("Another room has its name now. Archive that one first.")]
    NameTaken,
    #[error("The room “{0}” has this name, or one that looks the same. Choose another one.")]
    RoomNameTaken(String),
    #[error(transparent)]
    Restore(#[from] RestoreError),
    #[error(transparent)]
    Reaction(#[from] ReactionError),
    #[error("Too many rooms are open. Close one first.")]
    TooManyRooms,
    /// The fold refused it, and no variant here says why in more detail.
    #[error("{0}")]
    Refused(Refusal),
    /// The account lacks the permission; the sentence says what is missing.
    #[error("{0}")]
    Forbidden(&'static str),
    /// No such thing, or not theirs to see: one answer.
    #[error("{}", Refusal::NotFound.sentence())]
    NotFound,
    #[error("Too many tries. Try again in {}.", counted(.0.seconds, "second", "seconds"))]
    TooMany(TooMany),
    #[error("The server has not caught up yet. Try again.")]
    Behind,
    /// The entry may be stored: the same proposal may be sent again.
    #[error("The server cannot tell yet whether this was stored.")]
    Unknown,
    /// Nothing can be written.
    #[error("{}", .0.for_people())]
    Unready(Unready),
    #[error("The server cannot answer now: deleted messages are being erased. Try again in a moment.")]
    Erasing,
    #[error("The server cannot answer now: {0}")]
    State(ReadError),
    #[error("{}", broker_words(.0))]
    Log(BrokerError),
}

/// A field of a form, by the label that people see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Workspace,
    Name,
    Handle,
    Password,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Workspace => "Name of your team",
            Field::Name => "Your name",
            Field::Handle => "Handle",
            Field::Password => "Password",
        })
    }
}

/// Why a message is not restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    #[error("This message was deleted more than 24 hours ago and can no longer be restored.")]
    TooLate,
    #[error("A message can only be restored with the text it had.")]
    OtherText,
    #[error("Deleted before the server was updated. It can't be restored.")]
    BeforeUpdate,
    #[error("Deleted by the administrator. It can't be restored.")]
    ByOperator,
    #[error("Deleted more than 24 hours ago. It can't be restored.")]
    DayOver,
}

/// Why a reaction is not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReactionError {
    #[error("This message has {REACTIONS} different reactions, which is the limit. Use one of those.")]
    Full,
    #[error(
        "You have {REACTIONS_EACH} different reactions on this message, which is the limit. Remove one first."
    )]
    FullOfYours,
}

/// The fault of a log that cannot be asked; where it is and what it answered is nothing for strangers.
fn broker_words(fault: &BrokerError) -> String {
    match fault {
        BrokerError::Unready(_) => fault.for_people(),
        fault => format!("The server cannot answer now: {fault}"),
    }
}

impl AppError {
    pub fn code(&self) -> ErrorCode {
        match self {
            AppError::Unfit(_)
            | AppError::Field(..)
            | AppError::HandleTaken
            | AppError::WrongPassword
            | AppError::UnknownHandle(_)
            | AppError::NameTaken
            | AppError::RoomNameTaken(_)
            | AppError::Restore(_)
            | AppError::Reaction(_)
            | AppError::TooManyRooms
            | AppError::Refused(_) => ErrorCode::Unfit,
            AppError::Forbidden(_) => ErrorCode::Forbidden,
            AppError::NotFound => ErrorCode::NotFound,
            AppError::TooMany(_) => ErrorCode::Throttled,
            AppError::Behind => ErrorCode::Behind,
            AppError::Unknown => ErrorCode::Unknown,
            AppError::Unready(_) | AppError::Erasing | AppError::State(_) | AppError::Log(_) => {
                ErrorCode::Unavailable
            }
        }
    }

    pub fn status(&self) -> StatusCode {
        status_of(self.code())
    }

    /// Seconds until another try makes sense, where that is known.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            AppError::TooMany(wait) => Some(wait.seconds),
            _ => None,
        }
    }
}

/// The HTTP status of an answer with this code.
pub fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::BadFrame => StatusCode::BAD_REQUEST,
        ErrorCode::SignedOut => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden => StatusCode::FORBIDDEN,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::Unfit => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorCode::Throttled => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Unavailable | ErrorCode::Unknown | ErrorCode::Behind => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Other => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A decision of the fold.
impl From<Refusal> for AppError {
    fn from(why: Refusal) -> Self {
        match why {
            Refusal::NotFound => AppError::NotFound,
            Refusal::NotAllowed => AppError::Forbidden(why.sentence()),
            why => AppError::Refused(why),
        }
    }
}

/// What is said before a proposal; see [`access::can`](super::access::can).
impl From<Denied> for AppError {
    fn from(denied: Denied) -> Self {
        match denied.code {
            Refusal::NotAllowed => AppError::Forbidden(denied.why),
            code => code.into(),
        }
    }
}

impl From<ReadError> for AppError {
    fn from(fault: ReadError) -> Self {
        match fault {
            ReadError::NotFound => AppError::NotFound,
            fault => AppError::State(fault),
        }
    }
}

/// A change that no entry can hold.
impl From<Unwritable> for AppError {
    fn from(_: Unwritable) -> Self {
        AppError::Refused(Refusal::Malformed)
    }
}

impl From<BrokerError> for AppError {
    fn from(fault: BrokerError) -> Self {
        AppError::Log(fault)
    }
}

impl From<TooMany> for AppError {
    fn from(wait: TooMany) -> Self {
        AppError::TooMany(wait)
    }
}
