//! Retention: the policy, legal holds, expiry, and what was said of what went.
//!
//! - `record`: setting the policy, placing and releasing holds; `recorded`: reading them;
//! - `admin`: both, beside a service that has the log open;
//! - `aliases`: holds on people who are recorded under an alias;
//! - `pins`: which segments a hold pins, by the indexes; `scan`: the same, by the records;
//! - `expire`: the transaction that deletes, `now`: by which time, `seals`: which times of seals
//!   keep segments longer; `settle`: what a crash left of one.

mod admin;
mod aliases;
mod expire;
mod expiry;
mod handle;
mod now;
mod pins;
mod record;
pub(super) mod recorded;
pub(super) mod scan;
mod seals;
pub(super) mod settle;

pub use admin::LogAdmin;
pub use expiry::{ExpireOptions, Expiry};
pub use handle::Retention;
pub use pins::Pinned;
pub use recorded::{RecordedHold, RecordedPolicy, Release};
