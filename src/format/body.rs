//! The bodies of records: envelope, payload and anchor, as bincode 2 writes them
//! in its standard configuration.
//!
//! This module and its parts are the only ones that name `bincode`.
//! `docs/format.md` spells the bytes out, so the format does not need that crate.
//! Each body is a struct whose fields stand in the order of the bytes; encoder and
//! decoder are derived from it.
//!
//! Decoding allocates no more than the bytes at hand deserve, and checks all that
//! the types promise. Only the strict functions also refuse integers written
//! longer than necessary, so that one body has one spelling.

mod added;
mod anchor;
mod codec;
mod convert;
mod error;
mod fields;
mod parts;
mod schema;
mod wire;

pub use added::{Since3, TargetList};
pub use anchor::{ANCHOR_LEN_MAX, decode_anchor, decode_anchor_strict, encode_anchor};
pub use codec::{
    Lengths, decode_envelope, decode_envelope_strict, decode_payload, decode_payload_strict,
    encode_event, encode_event_as, id_of,
};
pub use convert::to_event;
pub use error::{Body, BodyError};
pub use fields::{Aliases, JsonText, Names, Redaction, Tags};
pub use parts::{Envelope, Payload, Pseudonyms};
pub use schema::{
    ENVELOPE_LEN_MAX, PAYLOAD_LEN_MAX, SALT_LEN, SCHEMA, SCHEMA_ADDED, SCHEMA_REDACTED, schema_of,
};

#[cfg(test)]
mod tests;
