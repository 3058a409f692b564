//! Retention: the policy, legal holds, expiry, and what was said of what went.
//!
//! - `record`: setting the policy, placing and releasing holds;
//! - `pins`: which segments a hold pins, by the indexes; `scan`: the same, by the records;
//! - `expire`: the transaction that deletes, `now`: by which time, `seals`: which times of seals
//!   keep segments longer; `settle`: what a crash left of one.

pub(crate) mod expire;
pub(crate) mod expiry;
pub(crate) mod now;
pub(crate) mod pins;
pub(crate) mod record;
pub(crate) mod scan;
pub(crate) mod seals;
pub(crate) mod settle;

pub use expiry::{ExpireOptions, Expiry};
pub use pins::HeldSegments;
