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

mod claim;
mod content;
mod known;
mod window;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::error::{Error, Result};
use crate::event::limits::Problem;
use crate::event::{Event, EventId, InvalidEvent};
use crate::format::body::{Envelope, Payload};
use crate::log::commit::Pending;
use crate::log::core::Core;
use crate::log::encode::{check_frame, with_scratch};
use crate::log::writer::Committed;
use crate::log::{Log, Queued, Receipt, Ticket, protect};
use crate::merkle::NodeId;
use crate::seq::Seq;
use claim::{Claimed, Claims, Waiter};
use known::Known;

const NO_ID: &str = "an event that is appended once is found again by it: give it one (`Event::id`), \
                     or append it with `append`";

/// Which ids the newest records have, and which are on their way.
#[derive(Debug, Default)]
pub(crate) struct Once {
    claims: Arc<Claims>,
    known: Known,
}

/// What one event of [`Log::append_batch_once`] became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OnceReceipt {
    /// The receipt of its record.
    pub receipt: Receipt,
    /// Whether it was appended now; if not, the log had it, or the batch has it twice.
    pub is_new: bool,
}

/// An event that was queued, or found, or whose id is on its way.
#[derive(Debug)]
pub(crate) struct OnceTicket {
    state: State,
}

#[derive(Debug)]
enum State {
    Found(Receipt),
    Queued(Waiter),
    /// Another event with this id is on its way; then it is looked for again.
    After {
        waiter: Waiter,
        core: Arc<Core>,
        event: Box<Event>,
    },
}

impl Log {
    /// Appends an event unless the log has it: a record with the same id ([`Event::id`]) among the
    /// newest [`once_ids`](crate::LogOptions::once_ids), recorded at most
    /// [`once_age`](crate::LogOptions::once_age) before the newest. Then it gives that record's
    /// receipt. So a caller that does not know whether an append succeeded can repeat it, also
    /// after a crash, and of several threads with one id one appends and all get its receipt.
    ///
    /// The first use after opening reads the records of the window (about half a second for a
    /// million).
    ///
    /// The contents are compared as the log keeps them: after redaction, without a time that the
    /// event does not have, and without a payload that is encrypted and cannot be read, or was
    /// erased. An id whose record expired is free again. Events of [`Log::append`] are found too,
    /// once they are committed; `append` itself never looks.
    ///
    /// ```
    /// use bulla::{Actor, Event, Log, Resource};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// let log = Log::create(dir.path().join("audit"))?;
    /// let event = Event::new(Actor::new("user", "al"), "user.login", Resource::new("user", "7"))
    ///     .id("019a0000-0000-7000-8000-000000000000".parse()?);
    /// let first = log.append_once(&event)?;
    /// assert_eq!(log.append_once(&event)?, first);
    /// assert_eq!(log.size().get(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Log::append`]; `Invalid` if the event has no id; `Conflict` if the log has another
    /// event with it. Damage in a segment of the window, and I/O: whether the log has the event is
    /// unknown then, and it is not appended.
    pub fn append_once(&self, event: &Event) -> Result<Receipt> {
        let event = self.redacted(event);
        let core = self.core();
        let id = core.id_to_append(&event)?;
        let _claimed = core.once.claims.claim_in_turn(id);
        match core.find(&event, id)? {
            Some(receipt) => Ok(receipt),
            None => core.append_claimed(&[&event], &[id]).map(Receipt::from),
        }
    }

    /// Queues an event without waiting for its commit, unless the log has it; see
    /// [`Log::append_once`] and [`Log::enqueue`]. While another event with its id is on its way,
    /// the ticket waits for that one, and is looked at again when it is committed: then its
    /// content is compared, or it is queued, if the other one failed.
    ///
    /// Looking for the id may read records: the first use after opening reads those of the
    /// window, and a ticket that waits for another one reads its record when it is polled.
    ///
    /// # Errors
    /// As [`Log::append_once`], here or from the ticket; `Busy` if too much is queued already.
    pub fn enqueue_once(&self, event: &Event) -> Result<Ticket> {
        let event = self.redacted(event);
        let ticket = self.core().start_once(event)?;
        Ok(Ticket { queued: Queued::Once(ticket) })
    }

    /// Appends those events that the log does not have as one frame: all of them or, after a
    /// crash, none. Gives for each event, in their order, the receipt of its record. Two events of
    /// the batch with one id and the same content become one record.
    ///
    /// # Errors
    /// As [`Log::append_once`]; `InvalidBatch` if two events have one id and different contents,
    /// or those that are new take more than 16 MiB together, or there are none. A conflict or an
    /// invalid event refuses the whole batch.
    pub fn append_batch_once(&self, events: &[Event]) -> Result<Vec<OnceReceipt>> {
        let core = self.core();
        let events: Vec<Cow<'_, Event>> = events.iter().map(|event| self.redacted(event)).collect();
        let ids: Vec<EventId> =
            events.iter().map(|event| core.id_to_append(event)).collect::<Result<_>>()?;
        let first_of = first_of_each(&events, &ids)?;
        // In the order of the ids: two batches never wait for each other.
        let _claimed: Vec<Claimed> =
            first_of.keys().map(|id| core.once.claims.claim_in_turn(*id)).collect();
        let mut found = BTreeMap::new();
        let (mut new, mut new_ids) = (Vec::new(), Vec::new());
        for (event, id) in events.iter().zip(&ids) {
            if found.contains_key(id) {
                continue;
            }
            let receipt = core.find(event, *id)?;
            if receipt.is_none() {
                new.push(&**event);
                new_ids.push(*id);
            }
            found.insert(*id, receipt);
        }
        let mut appended = BTreeMap::new();
        if !new.is_empty() || events.is_empty() {
            let committed = core.append_claimed(&new, &new_ids)?;
            appended = core.receipts(&new_ids, &committed)?;
        }
        let given = ids.iter().enumerate().map(|(at, id)| {
            let old = found.get(id).copied().flatten();
            let receipt = old.or_else(|| appended.get(id).copied())?;
            let is_new = old.is_none() && first_of.get(id) == Some(&at);
            Some(OnceReceipt { receipt, is_new })
        });
        given.collect::<Option<_>>().ok_or(Error::Closed) // unreachable: each was found or appended
    }
}

impl Log {
    /// The receipt of an event, if the log has it; nothing is appended. See [`Log::append_once`].
    /// An event that is on its way is not there yet.
    ///
    /// # Errors
    /// `Invalid` if the event has no id or breaks a limit, `Conflict` if the log has another event
    /// with its id; damage in a segment of the window, I/O. `Poisoned`, `Closed`.
    pub fn find_once(&self, event: &Event) -> Result<Option<Receipt>> {
        let event = self.redacted(event);
        let id = self.core().id_to_append(&event)?;
        self.core().find(&event, id)
    }
}

impl Core {
    /// The id of an event that the log can take.
    fn id_to_append(&self, event: &Event) -> Result<EventId> {
        self.check_takes_events()?;
        event.validate()?;
        let missing = InvalidEvent { field: "id", problem: Problem::Missing { advice: NO_ID } };
        Ok(event.id.ok_or(missing)?)
    }

    /// The receipt of the event, if the log has it. Its id is claimed.
    fn find(&self, event: &Event, id: EventId) -> Result<Option<Receipt>> {
        self.view.watch().check()?;
        let candidates = self.once.known.candidates(&self.view, &self.options, id)?;
        let mut other = None;
        for seq in candidates.seqs.into_iter().map(Seq::new) {
            let compared = content::compare(self, &candidates.snapshot, seq, event)?;
            let in_window = |receipt: &Receipt| receipt.recorded_at >= candidates.not_before;
            let Some(compared) = compared.filter(|compared| in_window(&compared.receipt)) else {
                continue;
            };
            if compared.is_same {
                return Ok(Some(compared.receipt));
            }
            other = other.or(Some(seq));
        }
        match other {
            Some(seq) => Err(Error::Conflict { id, seq }),
            None => Ok(None),
        }
    }

    /// Appends events whose ids are claimed, as one frame.
    fn append_claimed(&self, events: &[&Event], ids: &[EventId]) -> Result<Committed> {
        let committed = with_scratch(|scratch| {
            let now = self.options.clock.now();
            let _encrypting = self.encrypting();
            protect::prepare(&self.options, events.iter().copied())?;
            for event in events {
                self.encode(event, now, scratch)?;
                check_frame(scratch)?;
            }
            check_frame(scratch)?;
            self.commit(scratch)
        })?;
        self.once.known.note(ids, &committed);
        Ok(committed)
    }

    /// The receipts of records that were committed together.
    fn receipts(
        &self,
        ids: &[EventId],
        committed: &Committed,
    ) -> Result<BTreeMap<EventId, Receipt>> {
        let recorded_at = committed.recorded_at;
        let receipt = |(id, seq): (&EventId, u64)| {
            let leaf_hash = self.tree.node(NodeId::leaf(seq))?;
            Ok((*id, Receipt { seq: Seq::new(seq), recorded_at, leaf_hash }))
        };
        ids.iter().zip(committed.first.get()..).map(receipt).collect()
    }

    /// Finds an event, or queues it, or waits for another one with its id.
    fn start_once(self: &Arc<Self>, event: Cow<'_, Event>) -> Result<OnceTicket> {
        let id = self.id_to_append(&event)?;
        let claimed = match self.once.claims.claim(id) {
            Ok(claimed) => claimed,
            Err(there) => {
                let (core, event) = (Arc::clone(self), Box::new(event.into_owned()));
                let waiter = Waiter::new(there);
                return Ok(OnceTicket { state: State::After { waiter, core, event } });
            }
        };
        if let Some(receipt) = self.find(&event, id)? {
            return Ok(OnceTicket { state: State::Found(receipt) });
        }
        let pending = self.enqueue_claimed(&event)?;
        let waiter = claimed.waiter();
        claim::end_when_committed(claimed, pending);
        Ok(OnceTicket { state: State::Queued(waiter) })
    }

    fn enqueue_claimed(self: &Arc<Self>, event: &Event) -> Result<Pending> {
        with_scratch(|scratch| {
            let now = self.options.clock.now();
            let _encrypting = self.encrypting();
            self.encode(event, now, scratch)?;
            check_frame(scratch)?;
            self.enqueue(scratch)
        })
    }
}

impl OnceTicket {
    /// Waits, blocking the thread, until the event is committed, by whomever.
    pub(crate) fn wait(mut self) -> Result<Receipt> {
        loop {
            match &self.state {
                State::Found(receipt) => return Ok(*receipt),
                State::Queued(waiter) => {
                    waiter.wait();
                    return committed(waiter);
                }
                State::After { waiter, core, event } => {
                    waiter.wait();
                    self = core.start_once(Cow::Borrowed(&**event))?;
                }
            }
        }
    }

    pub(crate) fn poll(&mut self, context: &Context<'_>) -> Poll<Result<Receipt>> {
        loop {
            match &self.state {
                State::Found(receipt) => return Poll::Ready(Ok(*receipt)),
                State::Queued(waiter) => return waiter.poll(context).map(|()| committed(waiter)),
                State::After { waiter, core, event } => {
                    if waiter.poll(context).is_pending() {
                        return Poll::Pending;
                    }
                    match core.start_once(Cow::Borrowed(&**event)) {
                        Ok(next) => *self = next,
                        Err(error) => return Poll::Ready(Err(error)),
                    }
                }
            }
        }
    }
}

fn committed(waiter: &Waiter) -> Result<Receipt> {
    // It is taken once: a ticket that is polled after it was ready is as one of a closed log.
    waiter.take_committed().unwrap_or(Err(Error::Closed)).map(Receipt::from)
}

/// Where in a batch each id stands first. Events that share one must have the same content.
fn first_of_each(events: &[Cow<'_, Event>], ids: &[EventId]) -> Result<BTreeMap<EventId, usize>> {
    let mut first_of = BTreeMap::new();
    for (at, id) in ids.iter().enumerate() {
        let first = *first_of.entry(*id).or_insert(at);
        if first < at && !is_same(&events[first], &events[at], *id) {
            let reason = format!(
                "expected the same content for the same id, found events {first} and {at} (from 0) \
                 with the id {id} and different contents: give them ids of their own"
            );
            return Err(Error::InvalidBatch { reason });
        }
    }
    Ok(first_of)
}

/// Whether two events of a batch have the same content. One without a time takes that of the
/// first.
fn is_same(first: &Event, then: &Event, id: EventId) -> bool {
    let any = crate::time::Timestamp::default();
    let same_time = then.occurred_at.is_none() || then.occurred_at == first.occurred_at;
    same_time
        && first.subject == then.subject
        && Envelope::of(first, id, any) == Envelope::of(then, id, any)
        && Payload::of(first) == Payload::of(then)
}
