//! Reading that leaves a trace: who read what of a log, and why.
//!
//! An [`AccessLog`] is a log that takes *access events*. What is read through
//! [`AccessLog::reading`] appends one to it: an action `log.query`, `log.get`, `log.export` or
//! `log.prove`, by the accessor, on the log that is read.
//!
//! **Nothing is given out before its access event is durable**, and an event that cannot be
//! appended refuses the read. A single record, a count or a proof has one event, with the
//! outcome. An answer that is given record by record has two with one correlation id: one
//! before the first record, with the question, and one when the answer has ended or is let go,
//! with the number of records that were given. If the second is missing, the process died
//! meanwhile, or the access log could not take it: the first one stands for the whole answer.
//!
//! Keep access events in a log of their own that expires, never in the log that is read: it
//! would grow by being read.

mod log;
mod reading;
mod trail;

pub use log::{AccessLog, AccessSink, Accessor};
pub(crate) use reading::shown;
pub use reading::{Readable, Reading};
pub use trail::Traced;
pub(crate) use trail::{Access, Trail, question};
