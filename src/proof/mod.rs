//! Proofs in the form in which they leave the log: one self-contained text that
//! shows, offline and to a stranger, that a record is in the log.
//!
//! # The text
//!
//! For a SHA-256 log it is c2sp.org/tlog-proof@v1, in a file `*.tlog-proof`, which
//! other tools read. For a BLAKE3 log the same lines stand under a first line of
//! their own, in a file `*.bulla-proof`, so that no tool takes it for the former.
//!
//! ```text
//! c2sp.org/tlog-proof@v1          or bulla.dev/blake3-proof@v1
//! extra BASE64                    optional: opaque, not authenticated
//! index 73894                     the record's Seq
//! gSKyXoYZUgZ6jduWYrkDOARin…      the hashes, leaf's sibling first
//!
//! example.com/audit               the signed checkpoint, verbatim
//! …
//! ```

mod disclosed;
mod inclusion;
#[cfg(test)]
mod tests;
mod text;

pub use disclosed::{Disclosure, VerifiedRecord, VerifyRecordError, disclose};
pub use inclusion::{InclusionProof, TlogProof, VerifiedInclusion, VerifyProofError};
pub use text::{PROOF_HASHES_MAX, PROOF_LEN_MAX, ParseProofError};
