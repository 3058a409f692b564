//! The verbs of [`Log`] that append an event once.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::engine::once::claim::Claimed;
use crate::engine::ticket::{Queued, Ticket};
use crate::error::{Error, Result};
use crate::event::{Event, EventId};
use crate::format::body::{Envelope, Payload};
use crate::log::handle::Log;
use crate::write::receipt::Receipt;

/// What one event of [`Log::append_batch_once`] became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OnceReceipt {
    /// The receipt of its record.
    pub receipt: Receipt,
    /// Whether it was appended now; if not, the log had it, or the batch has it twice.
    pub is_new: bool,
}

impl Log {
    /// Appends an event unless the log has it: a record with the same id ([`Event::id`]) among the
    /// newest [`once_ids`](crate::LogOptions::once_ids), recorded at most
    /// [`once_age`](crate::LogOptions::once_age) before the newest. Then it gives that record's
    /// receipt. So a caller that does not know whether an append succeeded can repeat it, also
    /// after a crash, and of several threads with one id one appends and all get its receipt.
    /// Of more than eight records with one id, which only [`Log::append`] makes, the newest eight are
    /// compared.
    ///
    /// The first use after opening reads the records of the window.
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
