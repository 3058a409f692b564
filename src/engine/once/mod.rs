//! Events that are appended once, by their id.
//!
//! - `window`: which of the newest records may have an id; `known`: that of an open log, read from
//!   its segments;
//! - `claim`: ids on their way into the log;
//! - `content`: whether a record holds what a caller gave.
//!
//! Nothing of it is on disk: the records are, and what is known of them is read again when a log
//! that was opened is first asked (`docs/decisions/0020-the-window-of-ids-is-read-from-the-records.md`).
//! Group commit and the writer do not know of it. A record is known here when it is published,
//! which is after it became durable (at the default durability): so nobody is given the receipt of
//! an event that may be lost yet.

pub(crate) mod claim;
pub(crate) mod content;
pub(crate) mod ids;
pub(crate) mod known;
pub(crate) mod ticket;
pub(crate) mod window;
