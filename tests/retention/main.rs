//! Retention, holds, archives, erasure and redaction: deleted by policy, never under a hold, on record.

mod archive;
mod erasure;
mod expiry;
mod gaps;
mod misuse;
mod redaction;
mod years;

#[path = "../support/mod.rs"]
mod support;
