//! Appending: what the caller's thread does before the commit.

use std::borrow::Cow;

use crate::engine::core::Core;
use crate::engine::ticket::{Queued, Ticket};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::log::handle::Log;
use crate::ranked::ReadGuard;
use crate::time::Timestamp;
use crate::write::encode::{self, check_frame, with_scratch};
use crate::write::group_commit::Committed;
use crate::write::protect;
use crate::write::receipt::{BatchReceipt, Receipt};

impl Log {
    /// Appends an event. When it returns, the record survives power loss (at the default
    /// durability) and shows in queries.
    ///
    /// Callers of many threads share commits. An idle log commits in the caller's thread.
    ///
    /// # Errors
    /// `Invalid` names the field that breaks a limit. `InvalidOption`: the event names a
    /// subject, and the log was opened without a key store. `DiskFull`: nothing was written, try
    /// again. `Poisoned`: an earlier write failed, reopen the log. `Closed`.
    pub fn append(&self, event: &Event) -> Result<Receipt> {
        with_scratch(|scratch| {
            let now = self.core().shared.options.clock.now();
            let event = self.redacted(event);
            let _encrypting = self.core().encrypting();
            self.core().encode(&event, now, scratch)?;
            check_frame(scratch)?;
            self.core().commit(scratch).map(Receipt::from)
        })
    }

    /// Appends events as one frame: all of them or, after a crash, none.
    ///
    /// # Errors
    /// As [`Log::append`]; `InvalidBatch` if there are none or they take more than 16 MiB
    /// together. An invalid event refuses the whole batch.
    pub fn append_batch(&self, events: &[Event]) -> Result<BatchReceipt> {
        with_scratch(|scratch| {
            let now = self.core().shared.options.clock.now();
            let _encrypting = self.core().encrypting();
            self.core().check_takes_events()?;
            protect::prepare(&self.core().shared.options, events.iter())?;
            for event in events {
                self.core().encode(&self.redacted(event), now, scratch)?;
                check_frame(scratch)?;
            }
            check_frame(scratch)?;
            let Committed { first, recorded_at, .. } = self.core().commit(scratch)?;
            Ok(BatchReceipt { first, count: events.len() as u64, recorded_at })
        })
    }

    /// Queues an event without waiting: the ticket can be waited on, or awaited on any
    /// runtime. The event is committed also if the ticket is dropped.
    ///
    /// # Errors
    /// `Busy` if too much is queued already; else as [`Log::append`].
    pub fn enqueue(&self, event: &Event) -> Result<Ticket> {
        with_scratch(|scratch| {
            let now = self.core().shared.options.clock.now();
            let event = self.redacted(event);
            let _encrypting = self.core().encrypting();
            self.core().encode(&event, now, scratch)?;
            check_frame(scratch)?;
            let pending = self.core().enqueue(scratch)?;
            Ok(Ticket { queued: Queued::Always(pending) })
        })
    }

    /// The event without what this log does not keep.
    pub(crate) fn redacted<'e>(&self, event: &'e Event) -> Cow<'e, Event> {
        match &self.core().shared.options.redactor {
            Some(redactor) => redactor.apply(event),
            None => Cow::Borrowed(event),
        }
    }
}

impl Core {
    /// Held from when an event is encrypted until it is in the log, or queued: an erasure must
    /// see all that its key encrypts.
    pub(crate) fn encrypting(&self) -> Option<ReadGuard<'_, ()>> {
        // Fair: an append waits for an erasure that waits already. Appends that overlap would
        // else keep it out for as long as they come.
        self.shared.options.key_store.as_ref().map(|_| self.encrypting.read())
    }

    /// Encodes an event, encrypted if it has a subject.
    pub(crate) fn encode(
        &self,
        event: &Event,
        now: Timestamp,
        into: &mut encode::Encoded,
    ) -> Result<()> {
        self.check_takes_events()?;
        let protection = protect::Protection::of(&self.shared.options, event)?;
        into.push(event, now, self.shared.dir.log_id(), &protection)
    }

    pub(crate) fn check_takes_events(&self) -> Result<()> {
        if self.shared.options.takes_events {
            return Ok(());
        }
        let reason = "expected a log that takes events, found one that was opened without them: \
                      open it to append";
        Err(Error::InvalidOption { name: "without_events", reason: reason.to_owned() })
    }
}
