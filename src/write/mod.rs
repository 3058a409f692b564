//! Writing records: from an event to bytes that are durable.
//!
//! - `protect`: encryption and aliases; `encode`: events as bytes;
//! - `group_commit`: who commits for whom; it knows no log; `receipt`: what a caller is given;
//! - `writer`: what the leader of a commit does; it owns what it uses;
//! - `housekeeper`: the background thread of all logs.

pub(crate) mod encode;
pub(crate) mod group_commit;
pub(crate) mod housekeeper;
pub(crate) mod protect;
pub(crate) mod receipt;
pub(crate) mod writer;
