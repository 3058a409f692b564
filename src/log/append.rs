//! Appending: what the caller's thread does before the commit.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::{Error, Result};
use crate::event::Event;
use crate::hash::Hash;
use crate::log::commit::Committed;
use crate::log::commit::Pending;
use crate::log::core::Core;
use crate::log::encode::{self, check_frame, with_scratch};
use crate::log::handle::Log;
use crate::log::protect;
use crate::ranked::ReadGuard;
use crate::seq::Seq;
use crate::time::Timestamp;

/// What an append gives: where the record stands, and its leaf in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// Its position in the log.
    pub seq: Seq,
    /// When the log took it, by the log's clock.
    pub recorded_at: Timestamp,
    /// Its leaf hash: keep it, and no later log can deny the record.
    pub leaf_hash: Hash,
}

/// What a batch gives: its records stand at `first` and after, without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchReceipt {
    /// Position of the first record.
    pub first: Seq,
    /// Number of records.
    pub count: u64,
    /// When the log took them.
    pub recorded_at: Timestamp,
}

impl From<Committed> for Receipt {
    fn from(committed: Committed) -> Self {
        let Committed { first, recorded_at, leaf } = committed;
        Receipt { seq: first, recorded_at, leaf_hash: leaf }
    }
}

/// A queued event; see [`Log::enqueue`] and [`Log::enqueue_once`].
#[derive(Debug)]
pub struct Ticket {
    queued: Queued,
}

#[derive(Debug)]
enum Queued {
    Always(Pending),
    Once(once::OnceTicket),
}

impl Ticket {
    /// Waits, blocking the thread, until the event is committed.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn wait(self) -> Result<Receipt> {
        match self.queued {
            Queued::Always(pending) => pending.wait().map(Receipt::from),
            Queued::Once(ticket) => ticket.wait(),
        }
    }
}

impl Future for Ticket {
    type Output = Result<Receipt>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().queued {
            Queued::Always(pending) => pending.poll(context).map_ok(Receipt::from),
            Queued::Once(ticket) => ticket.poll(context),
        }
    }
}

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
            let now = self.core().options.clock.now();
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
            let now = self.core().options.clock.now();
            let _encrypting = self.core().encrypting();
            self.core().check_takes_events()?;
            protect::prepare(&self.core().options, events.iter())?;
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
            let now = self.core().options.clock.now();
            let event = self.redacted(event);
            let _encrypting = self.core().encrypting();
            self.core().encode(&event, now, scratch)?;
            check_frame(scratch)?;
            let pending = self.core().enqueue(scratch)?;
            Ok(Ticket { queued: Queued::Always(pending) })
        })
    }

    /// The event without what this log does not keep.
    fn redacted<'e>(&self, event: &'e Event) -> Cow<'e, Event> {
        match &self.core().options.redactor {
            Some(redactor) => redactor.apply(event),
            None => Cow::Borrowed(event),
        }
    }
}

impl Core {
    /// Held from when an event is encrypted until it is in the log, or queued: an erasure must
    /// see all that its key encrypts.
    fn encrypting(&self) -> Option<ReadGuard<'_, ()>> {
        // Fair: an append waits for an erasure that waits already. Appends that overlap would
        // else keep it out for as long as they come.
        self.options.key_store.as_ref().map(|_| self.encrypting.read())
    }

    /// Encodes an event, encrypted if it has a subject.
    fn encode(&self, event: &Event, now: Timestamp, into: &mut encode::Encoded) -> Result<()> {
        self.check_takes_events()?;
        let protection = protect::Protection::of(&self.options, event)?;
        into.push(event, now, self.dir.log_id(), &protection)
    }

    fn check_takes_events(&self) -> Result<()> {
        if self.options.takes_events {
            return Ok(());
        }
        let reason = "expected a log that takes events, found one that was opened without them: \
                      open it to append";
        Err(Error::InvalidOption { name: "without_events", reason: reason.to_owned() })
    }
}
