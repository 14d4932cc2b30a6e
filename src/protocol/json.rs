//! Reading JSON with one decoder.
//!
//! serde compiles a decoder of a type for each format that the type is read from. A [`ServerFrame`](super::ServerFrame)
//! is told apart by a tag, and so all that it holds is read from serde's buffer. What else the client reads goes the
//! same way: the decoders of CBOR, of JSON and of the buffer were a tenth of the client.

use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize)]
#[serde(tag = "t")]
enum Buffered<T> {
    #[serde(rename = "")]
    It { it: T },
}

pub fn read<T: DeserializeOwned>(json: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(&format!(r#"{{"t":"","it":{json}}}"#)).map(|Buffered::It { it }| it)
}
