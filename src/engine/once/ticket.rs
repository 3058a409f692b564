//! Appending events whose ids are claimed, and the tickets of those that are queued.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::claim::{self, Waiter};
use super::content;
use crate::engine::core::Core;
use crate::error::{Error, Result};
use crate::event::limits::Problem;
use crate::event::{Event, EventId, InvalidEvent};
use crate::merkle::NodeId;
use crate::seq::Seq;
use crate::write::encode::{check_frame, with_scratch};
use crate::write::group_commit::{Committed, Pending};
use crate::write::protect;
use crate::write::receipt::Receipt;

const NO_ID: &str = "an event that is appended once is found again by it: give it one (`Event::id`), \
                     or append it with `append`";

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

impl Core {
    /// The id of an event that the log can take.
    pub(crate) fn id_to_append(&self, event: &Event) -> Result<EventId> {
        self.check_takes_events()?;
        event.validate()?;
        let missing = InvalidEvent { field: "id", problem: Problem::Missing { advice: NO_ID } };
        Ok(event.id.ok_or(missing)?)
    }

    /// The receipt of the event, if the log has it. Its id is claimed.
    pub(crate) fn find(&self, event: &Event, id: EventId) -> Result<Option<Receipt>> {
        self.view.watch().check()?;
        let candidates = self.once.known.candidates(&self.view, &self.shared.options, id)?;
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
    pub(crate) fn append_claimed(&self, events: &[&Event], ids: &[EventId]) -> Result<Committed> {
        let committed = with_scratch(|scratch| {
            let now = self.shared.options.clock.now();
            let _encrypting = self.encrypting();
            protect::prepare(&self.shared.options, events.iter().copied())?;
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
    pub(crate) fn receipts(
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
    pub(crate) fn start_once(self: &Arc<Self>, event: Cow<'_, Event>) -> Result<OnceTicket> {
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

    pub(crate) fn enqueue_claimed(self: &Arc<Self>, event: &Event) -> Result<Pending> {
        with_scratch(|scratch| {
            let now = self.shared.options.clock.now();
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
