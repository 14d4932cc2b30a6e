//! What a server makes of a text when it proposes it.

use super::bounds;
use super::ids::{AccountId, ClientId};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What a server made of a text when it was proposed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Added {
    /// The account of each handle that the text names: the first [`MENTIONED`](bounds::MENTIONED) of what is stored, without
    /// what is no account.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "first_mentions")]
    pub mentions: BTreeMap<String, AccountId>,
    /// It names everybody, and its author may.
    #[serde(default, skip_serializing_if = "is_false")]
    pub all: bool,
    /// Of an edit: the quote of its message, whose own draft may be erased. In a message it means nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<ClientId>,
    /// Of an edit, as `quote`: when its imported message was written, in milliseconds since 1970, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<i64>,
}

impl Added {
    /// Handles and accounts that count.
    pub fn people(&self) -> impl Iterator<Item = (&String, &AccountId)> {
        self.mentions.iter().take(bounds::MENTIONED)
    }

    /// The account of a handle that the text names.
    pub fn account(&self, handle: &str) -> Option<AccountId> {
        self.people().find(|(named, _)| *named == handle).map(|(_, account)| *account)
    }
}

fn is_false(on: &bool) -> bool {
    !on
}

fn first_mentions<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, AccountId>, D::Error> {
    struct First;
    impl<'de> Visitor<'de> for First {
        type Value = BTreeMap<String, AccountId>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("accounts by handle")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut mentions = BTreeMap::new();
            for _ in 0..bounds::MENTIONED {
                let Some((handle, account)) = map.next_entry::<String, serde_json::Value>()? else { break };
                if let Some(account) = account.as_str().and_then(|account| account.parse().ok()) {
                    mentions.insert(handle, account);
                }
            }
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(mentions)
        }
    }
    deserializer.deserialize_map(First)
}
