//! [`Log`]: a handle of an open log.

use std::sync::Arc;

use crate::engine::core::Core;

/// An open log. Cheap to clone; all clones are the same log, from any thread.
///
/// The log is closed by [`Log::close`], or when the last clone is dropped.
///
/// ```
/// use bulla::{Actor, Event, Log, Outcome, Resource};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let log = Log::create(dir.path().join("audit"))?;
/// let event = Event::new(Actor::new("user", "alice"), "invoice.delete", Resource::new("invoice", "42"))
///     .outcome(Outcome::Denied)
///     .ip("203.0.113.9");
/// let receipt = log.append(&event)?; // durable when it returns
/// assert_eq!(log.snapshot().get(receipt.seq)?.event.actor.id, "alice");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Log {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    core: Arc<Core>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Nobody is left to tell; what was acknowledged is safe in any case.
        let _ = self.core.close();
    }
}

impl Log {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Log { handle: Arc::new(Handle { core }) }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.handle.core
    }
}
