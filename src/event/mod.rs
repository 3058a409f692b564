//! Events (what a caller gives) and records (what the log has sealed).
//!
//! All fields of an event stand in one table, [`fields`], which drives the limits in [`limits`],
//! the JSON shape in [`json`], and what redaction looks at.

mod builder;
mod entity;
pub mod fields;
mod id;
pub mod json;
mod json_text;
pub mod limits;
mod maxima;
mod members;
mod outcome;
mod record;
mod target;
mod trace;

pub use entity::{Actor, Resource};
pub use id::{EventId, ParseEventIdError};
pub use json_text::Json;
pub use limits::InvalidEvent;
pub use members::{Event, Redacted};
pub use outcome::{Outcome, ParseOutcomeError};
pub use record::{Anchor, PayloadState, Record, RecordKind};
pub use target::{ActorRef, Target, TargetRef};
pub use trace::{ParseTraceError, SpanId, TraceId};
