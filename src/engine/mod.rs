//! An open log at work: what its verbs do, and what its housekeeper does.
//!
//! - `core`: what the parts of an open log share; `commits`: its writer behind group commit; `ticket`;
//!   `closing`;
//! - `upkeep`: what the housekeeper does for it; `indexes`: index files, written and rebuilt;
//!   `immutable`: what the operating system protects;
//! - `sign`, `signer`, `keys`: checkpoints, and changes of keys;
//! - `once`: events that are appended once, by their id;
//! - `retain`: policy, legal holds, expiry; `erase`;
//! - `archiving`, `restoring`: segments to an archive, and back.

pub(crate) mod archiving;
pub(crate) mod closing;
pub(crate) mod commits;
pub(crate) mod core;
pub(crate) mod erase;
pub(crate) mod immutable;
pub(crate) mod indexes;
pub(crate) mod keys;
pub(crate) mod once;
pub(crate) mod restoring;
pub(crate) mod retain;
pub(crate) mod sign;
pub(crate) mod signer;
pub(crate) mod ticket;
pub(crate) mod upkeep;
