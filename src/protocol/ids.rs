//! Names of things: ten letters for what the workspace makes, a UUID v7 for what a client proposes.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Twenty consonants: no vowels, so that no id spells a word.
const ALPHABET: &[u8; 20] = b"bcdfghjklmnpqrstvwxz";
const LENGTH: usize = 10;

/// Why a text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is {0}")]
pub struct BadId(&'static str);

const BAD_LETTERS: BadId = BadId("10 letters of bcdfghjklmnpqrstvwxz");
const BAD_UUID: BadId = BadId("a UUID of version 7 in its 36-character form");

fn parse_letters(text: &str) -> Result<[u8; LENGTH], BadId> {
    let bytes: [u8; LENGTH] = text.as_bytes().try_into().map_err(|_| BAD_LETTERS)?;
    if bytes.iter().all(|byte| ALPHABET.contains(byte)) { Ok(bytes) } else { Err(BAD_LETTERS) }
}

fn random_letters() -> [u8; LENGTH] {
    let mut rest = Uuid::new_v4().as_u128();
    std::array::from_fn(|_| {
        let letter = ALPHABET[(rest % 20) as usize];
        rest /= 20;
        letter
    })
}

macro_rules! letters_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; LENGTH]);

        impl $name {
            /// A new id from the system's random source (43 bits).
            pub fn random() -> Self {
                Self(random_letters())
            }

            pub fn as_str(&self) -> &str {
                std::str::from_utf8(&self.0).unwrap_or("")
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                parse_letters(text).map(Self)
            }
        }

        text_form!($name);
    };
}

macro_rules! text_form {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str().as_ref())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str().as_ref())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str().as_ref())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

letters_id!(
    /// A workspace; also the epoch of every position in it.
    WorkspaceId
);
letters_id!(
    /// A room.
    RoomId
);
letters_id!(
    /// An account: a person who can sign in.
    AccountId
);

impl WorkspaceId {
    /// The operator: the workspace itself as the author of an entry.
    pub fn operator(self) -> AccountId {
        AccountId(self.0)
    }
}

/// The name that the proposer of an entry gives it before it is stored: a UUID v7, unique in the workspace.
///
/// A retry carries the same one, so that it can never be stored twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(Uuid);

impl ClientId {
    /// A new id from the clock and the system's random source.
    pub fn random() -> Self {
        Self(Uuid::now_v7())
    }

    /// For tests and generated data: a well-formed id that is a pure function of `n`.
    pub const fn from_number(n: u64) -> Self {
        Self(Uuid::from_u128(((n as u128) << 80) | (0x7 << 76) | (0x8 << 60) | n as u128))
    }

    pub fn as_str(&self) -> String {
        self.0.hyphenated().to_string()
    }

    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl FromStr for ClientId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        if text.len() != 36 {
            return Err(BAD_UUID);
        }
        let uuid = Uuid::try_parse(text).map_err(|_| BAD_UUID)?;
        if uuid.get_version_num() == 7 { Ok(Self(uuid)) } else { Err(BAD_UUID) }
    }
}

text_form!(ClientId);
