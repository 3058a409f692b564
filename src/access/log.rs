//! Who reads, and the log that takes access events.

use std::fmt;
use std::sync::Arc;

use crate::error::Result;
use crate::event::{Actor, Event};
use crate::format::LogId;
use crate::log::Log;

/// Who reads, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accessor {
    /// Who.
    pub who: Actor,
    /// Why, in words.
    pub why: String,
    /// Through which service or channel.
    pub source: Option<String>,
    /// From which network address.
    pub ip: Option<String>,
    /// By which request.
    pub request_id: Option<String>,
}

impl Accessor {
    /// Who, and why.
    pub fn new(who: Actor, why: impl Into<String>) -> Self {
        Accessor { who, why: why.into(), source: None, ip: None, request_id: None }
    }

    /// Sets which service or channel the reading comes through.
    #[must_use]
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Sets the network address of the accessor.
    #[must_use]
    pub fn ip(mut self, ip: impl Into<String>) -> Self {
        self.ip = Some(ip.into());
        self
    }

    /// Sets the request that caused the reading.
    #[must_use]
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }
}

/// What takes access events: a [`Log`], or a log of a vault.
pub trait AccessSink: Send + Sync {
    /// Appends an event; it is durable when this returns.
    ///
    /// # Errors
    /// As [`Log::append`]: nothing is read then.
    fn append(&self, event: &Event) -> Result<()>;
    /// The identity of the log that takes them.
    fn log_id(&self) -> LogId;
}

impl AccessSink for Log {
    fn append(&self, event: &Event) -> Result<()> {
        Log::append(self, event)?;
        self.sync()
    }

    fn log_id(&self) -> LogId {
        Log::log_id(self)
    }
}

/// A log that takes access events. Cheap to clone.
///
/// ```
/// use bulla::{AccessLog, Accessor, Actor, Event, Log, Query, Resource};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let log = Log::create(dir.path().join("audit"))?;
/// # log.append(&Event::new(Actor::new("user", "alice"), "x.y", Resource::kind_only("r")))?;
/// let access = AccessLog::new(Log::create(dir.path().join("access"))?);
/// let dana = Accessor::new(Actor::new("user", "dana"), "case 4711");
/// for record in access.reading(&log, &dana)?.query(&Query::new().actor("alice"))? {
///     println!("{}", record?.to_json());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AccessLog {
    pub(super) sink: Arc<dyn AccessSink>,
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessLog({})", self.sink.log_id())
    }
}

impl AccessLog {
    /// Access events go to this log.
    pub fn new(log: Log) -> Self {
        AccessLog::to(Arc::new(log))
    }

    /// Access events go there.
    pub fn to(sink: Arc<dyn AccessSink>) -> Self {
        AccessLog { sink }
    }

    /// The identity of the log that takes the events.
    pub fn log_id(&self) -> LogId {
        self.sink.log_id()
    }
}
