//! Witnesses: who they are, what they are asked, and when they cosign.
//!
//! A witness remembers the largest head of a log that it has seen, and cosigns a new
//! one only if it extends that. So a log cannot show different histories to different
//! people without also deceiving its witnesses.
//!
//! - [`Policy`]: which logs and witnesses a verifier knows, and how many of the
//!   witnesses must have cosigned (c2sp.org/tlog-policy).
//! - [`AddCheckpoint`]: what a log sends to a witness (c2sp.org/tlog-witness).
//! - [`check`]: the witness's rule, as a function of what it remembers. No files, no
//!   clock: `bulla-witness` keeps the memory and serves it over HTTP.

mod policy;
mod policy_text;
mod quorum;
mod request;
mod rule;
#[cfg(test)]
mod tests;

pub use policy::{Group, Member, Policy, PolicyLog, PolicyName, Threshold, Witness};
pub use policy_text::{POLICY_ENTRIES_MAX, POLICY_LEN_MAX, PolicyError, PolicyProblem};
pub use quorum::Quorum;
pub use request::{AddCheckpoint, PROOF_HASHES_MAX, REQUEST_LEN_MAX, RequestError};
pub use rule::{Accepted, Refusal, check};
