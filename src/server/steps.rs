//! Operations of several entries. Each step has an id that follows from that of the first entry, so that any server can
//! go on with an operation, and no step is stored twice.

use crate::protocol::ClientId;
use sha2::{Digest, Sha256};

/// What is missing of an operation is proposed for so long after its first entry, in milliseconds.
pub const FINISH_MS: i64 = 24 * 60 * 60 * 1000;
/// Of the first run, which begins with the workspace: the step that makes its owner.
pub const OWNER: u32 = 1;
/// Of a sign-up: the step that sets the name.
pub const NAME: u32 = 1;
/// Of a sign-up: the step that joins the first of the rooms.
pub const FIRST_JOIN: u32 = 2;

/// The `client_id` of a step of an operation, which begins with the entry `id`.
///
/// A client may propose under any id, also under one that it can compute. So `id` must be random, and no reader may see it
/// before the steps are stored.
pub fn step(id: ClientId, n: u32) -> ClientId {
    let hash = Sha256::digest(format!("beck step {id} {n}"));
    let mut bytes = *id.as_bytes();
    bytes[6..].copy_from_slice(&hash[..10]);
    // Version 7, variant 10.
    bytes[6] = bytes[6] & 0x0f | 0x70;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    ClientId::from_bytes(bytes)
}
