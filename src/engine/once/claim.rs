//! Claims: event ids on their way into the log.
//!
//! # Invariants
//! - At most one caller at a time has the claim to an id, from before it looks for the id in the
//!   log until its event is published there, or refused. So two callers with one id never both
//!   find that the log does not have it.
//! - A claim is taken back before those who wait for it are woken: they then claim the id
//!   themselves, and find the record, or append in place of a caller that failed.
//! - No other lock is taken, and no waker woken, with a lock of this file held: a claim may be
//!   ended by a leader that holds the catalog, or the queue.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::error::Result;
use crate::event::EventId;
use crate::ranked::{Condvar, Mutex, Rank};
use crate::write::group_commit::{Committed, Pending};

/// The ids that are claimed.
#[derive(Debug)]
pub(crate) struct Claims {
    ids: Mutex<HashMap<EventId, Arc<Claim>>>,
}

/// One id on its way.
#[derive(Debug)]
pub(crate) struct Claim {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    has_ended: bool,
    /// For the ticket of the caller whose event was queued.
    committed: Option<Result<Committed>>,
    /// By the number of the one who waits.
    wakers: Vec<(u64, Waker)>,
    next_number: u64,
}

impl Default for Claims {
    fn default() -> Self {
        Claims { ids: Mutex::new(Rank::OnceClaims, HashMap::new()) }
    }
}

impl Claims {
    /// Claims an id; else gives the claim that there is, to wait for.
    pub(crate) fn claim(self: &Arc<Self>, id: EventId) -> Result<Claimed, Arc<Claim>> {
        let mut ids = self.ids.lock();
        if let Some(there) = ids.get(&id) {
            return Err(Arc::clone(there));
        }
        let claim = Arc::new(Claim {
            state: Mutex::new(Rank::OnceClaim, State::default()),
            ended: Condvar::new(),
        });
        ids.insert(id, Arc::clone(&claim));
        drop(ids);
        Ok(Claimed { claims: Arc::clone(self), id, claim })
    }

    /// Claims an id, after all who have it now.
    pub(crate) fn claim_in_turn(self: &Arc<Self>, id: EventId) -> Claimed {
        loop {
            match self.claim(id) {
                Ok(claimed) => return claimed,
                Err(there) => there.wait(),
            }
        }
    }
}

impl Claim {
    /// Waits, blocking the thread, until it has ended.
    fn wait(&self) {
        let mut state = self.state.lock();
        while !state.has_ended {
            self.ended.wait(&mut state);
        }
    }

    fn end(&self, committed: Option<Result<Committed>>) {
        let mut state = self.state.lock();
        if std::mem::replace(&mut state.has_ended, true) {
            return;
        }
        state.committed = committed;
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.ended.notify_all();
        for (_, waker) in wakers {
            // A waker is the caller's code: its panic must not take the others along.
            let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
        }
    }
}

/// The right to append an event with this id. Given up when it is dropped.
#[derive(Debug)]
pub(crate) struct Claimed {
    claims: Arc<Claims>,
    id: EventId,
    claim: Arc<Claim>,
}

impl Claimed {
    pub(crate) fn waiter(&self) -> Waiter {
        Waiter::new(Arc::clone(&self.claim))
    }

    fn end(&self, committed: Option<Result<Committed>>) {
        let mut ids = self.claims.ids.lock();
        let is_own = ids.get(&self.id).is_some_and(|there| Arc::ptr_eq(there, &self.claim));
        let taken_back = if is_own { ids.remove(&self.id) } else { None };
        drop(ids);
        drop(taken_back);
        self.claim.end(committed);
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        self.end(None);
    }
}

/// One who waits until a claim ends.
#[derive(Debug)]
pub(crate) struct Waiter {
    claim: Arc<Claim>,
    number: u64,
}

impl Waiter {
    pub(crate) fn new(claim: Arc<Claim>) -> Self {
        let mut state = claim.state.lock();
        let number = state.next_number;
        state.next_number += 1;
        drop(state);
        Waiter { claim, number }
    }

    /// Waits, blocking the thread.
    pub(crate) fn wait(&self) {
        self.claim.wait();
    }

    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.claim.state.lock();
        if state.has_ended {
            return Poll::Ready(());
        }
        match state.wakers.iter_mut().find(|(number, _)| *number == self.number) {
            Some((_, waker)) => waker.clone_from(context.waker()),
            None => state.wakers.push((self.number, context.waker().clone())),
        }
        Poll::Pending
    }

    /// How the commit of the event ended that was claimed for; once.
    pub(crate) fn take_committed(&self) -> Option<Result<Committed>> {
        self.claim.state.lock().committed.take()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut state = self.claim.state.lock();
        let at = state.wakers.iter().position(|(number, _)| *number == self.number);
        let waker = at.map(|at| state.wakers.swap_remove(at));
        drop(state);
        drop(waker); // the caller's code, too
    }
}

/// A claimed event in the queue: ends the claim when it is committed, whether or not anybody
/// waits for its ticket.
#[derive(Debug)]
struct Committing {
    claimed: Claimed,
    pending: Pending,
}

/// Has a claim end when the queued event is committed.
pub(crate) fn end_when_committed(claimed: Claimed, pending: Pending) {
    Arc::new(Committing { claimed, pending }).look();
}

impl Committing {
    fn look(self: &Arc<Self>) {
        // Held by the queue from here on, until it wakes it.
        let waker = Waker::from(Arc::clone(self));
        if let Poll::Ready(committed) = self.pending.poll(&mut Context::from_waker(&waker)) {
            self.claimed.end(Some(committed));
        }
    }
}

impl Wake for Committing {
    fn wake(self: Arc<Self>) {
        self.look();
    }
}
