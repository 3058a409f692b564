//! What opening a log finds, and what it finishes.
//!
//! - `main_log`: reads the segments from the newest mark on, and finds the durable end;
//! - `settle`: compares what was found with the catalog and with what was signed, and clears away what a
//!   crash left;
//! - `protection`: what the options must match;
//! - `recovery`: what was found, for the caller.

pub(crate) mod main_log;
pub(crate) mod protection;
pub(crate) mod recovery;
pub(crate) mod settle;
