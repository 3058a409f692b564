//! Group commit: callers queue, the first one leads.
//!
//! A caller whose events find no commit in flight leads one at once, in its own thread.
//! Those who come while it is in flight queue up; when it is done, the first of them
//! is woken to lead the next, before the others of the finished group are told. There is
//! no timer: the sync in flight is the batch window. A leader that was woken gathers for
//! a moment, at most [`GATHER_MAX`], while callers of the last commit are still on their
//! way back, and stops doing so when they do not come.
//!
//! # Invariants
//!
//! 1. At most one thread leads. `leading` is true from the moment one is chosen until `hand_on` finds
//!    nobody to lead next; it is never false between two leaders.
//! 2. Events are committed in the order in which they were queued: a caller leads alone only if nothing
//!    is queued.
//! 3. A queued group has somebody who will take it: the leader that was woken, the committer that was
//!    notified, or the present leader, which looks for one of them when it is done.
//! 4. A caller gets its result exactly once, after the commit ended, and after leadership was handed on.
//! 5. After a failure other than `DiskFull` nothing more is committed: `poisoned` is set before
//!    leadership is handed on, and what is queued then fails.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::format::frame;
use crate::hash::Hash;
use crate::ranked::{Condvar, Mutex, Rank};
use crate::seq::Seq;
use crate::time::Timestamp;
use crate::write::encode::Encoded;

/// Longest time a leader waits for more callers.
const GATHER_MAX: Duration = Duration::from_micros(120);

/// What one commit gave its records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Committed {
    pub(crate) first: Seq,
    pub(crate) recorded_at: Timestamp,
    /// Leaf hash of the first record.
    pub(crate) leaf: Hash,
}

/// What groups are committed to.
pub(crate) trait Sink {
    /// Commits a group, in the leader's thread, for one leader at a time.
    ///
    /// # Errors
    /// `DiskFull`: nothing happened, and it can be tried again. Any other: nothing more may be
    /// committed.
    fn commit(&self, group: &mut Encoded) -> Result<Committed>;

    /// Called in the leader's thread after the callers of a commit were told how it ended.
    fn after_commit(&self);

    /// Called when nothing more will be committed, and why.
    fn ended(&self, error: Error);
}

/// What callers share. Its lock is held for as long as a copy of the event takes.
#[derive(Debug)]
pub(crate) struct GroupCommit {
    /// Bytes of bodies that a group may have.
    limit: usize,
    state: Mutex<QueueState>,
    /// Signalled when there is room again.
    room: Condvar,
    /// Signalled when the gathering leader has enough.
    gathered: Condvar,
    /// Signalled when tickets need somebody to lead.
    tickets: Condvar,
}

#[derive(Debug, Default)]
pub(crate) struct QueueState {
    /// Somebody leads, or was told to.
    leading: bool,
    open: Group,
    /// A used group, kept for its buffers.
    spare: Option<Group>,
    /// Entries at which a gathering leader goes on; 0: nobody gathers.
    gather_until: usize,
    /// Commits to go without gathering, since the last attempts were in vain.
    gather_pause: u32,
    gather_backoff: u32,
    blocked: usize,
    pub(crate) committer: bool,
    pub(crate) closed: bool,
    pub(crate) poisoned: Option<String>,
}

/// Events of several callers that will be one frame.
#[derive(Debug, Default)]
struct Group {
    encoded: Encoded,
    waiters: Vec<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    slot: Arc<Slot>,
    /// Index of its first record in the group.
    first: usize,
    ticket: bool,
}

/// Where one caller waits.
#[derive(Debug)]
pub(crate) struct Slot {
    state: Mutex<SlotState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct SlotState {
    lead: bool,
    done: Option<Result<Committed>>,
    waker: Option<Waker>,
}

impl GroupCommit {
    /// With groups of at most so many bytes; one caller's events may exceed it.
    pub(crate) fn new(limit: usize) -> Self {
        GroupCommit {
            limit: limit.min(usize::try_from(frame::MAX_BODY_LEN).unwrap_or(usize::MAX)),
            state: Mutex::new(Rank::Queue, QueueState::default()),
            room: Condvar::new(),
            gathered: Condvar::new(),
            tickets: Condvar::new(),
        }
    }
}

impl Default for Slot {
    fn default() -> Self {
        Slot { state: Mutex::new(Rank::Slot, SlotState::default()), changed: Condvar::new() }
    }
}

impl Slot {
    /// Waits until the commit is done (`Some`) or this caller shall lead (`None`).
    fn wait(&self) -> Option<Result<Committed>> {
        let mut state = self.state.lock();
        loop {
            if let Some(done) = state.done.take() {
                return Some(done);
            }
            if std::mem::take(&mut state.lead) {
                return None;
            }
            self.changed.wait(&mut state);
        }
    }

    fn lead(&self) {
        self.state.lock().lead = true;
        self.changed.notify_one();
    }

    fn finish(&self, result: Result<Committed>) {
        let mut state = self.state.lock();
        state.done = Some(result);
        let waker = state.waker.take();
        drop(state);
        self.changed.notify_all();
        if let Some(waker) = waker {
            // A waker is the caller's code: its panic must not take the commit along.
            let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
        }
    }
}

/// A queued event. Dropping it does not take the event back.
#[derive(Debug)]
pub(crate) struct Pending {
    slot: Arc<Slot>,
}

impl Pending {
    pub(crate) fn wait(self) -> Result<Committed> {
        loop {
            if let Some(done) = self.slot.wait() {
                return done;
            }
        }
    }

    pub(crate) fn poll(&self, context: &mut Context<'_>) -> Poll<Result<Committed>> {
        let mut state = self.slot.state.lock();
        if let Some(done) = state.done.take() {
            return Poll::Ready(done);
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(context.waker()),
            None => state.waker = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

impl QueueState {
    fn check(&self) -> Result<()> {
        if let Some(cause) = &self.poisoned {
            return Err(Error::Poisoned { cause: cause.clone() });
        }
        if self.closed { Err(Error::Closed) } else { Ok(()) }
    }

    fn fits(&self, encoded: &Encoded, limit: usize) -> bool {
        self.open.encoded.is_empty() || self.open.encoded.body_len() + encoded.body_len() <= limit
    }

    fn push(&mut self, encoded: &Encoded, ticket: bool) -> Arc<Slot> {
        let slot = Arc::new(Slot::default());
        let group = &mut self.open;
        if group.encoded.is_empty() {
            group.encoded.clear();
        }
        let first = group.encoded.records.len();
        group.encoded.append(encoded);
        group.waiters.push(Waiter { slot: Arc::clone(&slot), first, ticket });
        slot
    }

    fn take_open(&mut self) -> Group {
        let spare = self.spare.take().unwrap_or_default();
        std::mem::replace(&mut self.open, spare)
    }
}

impl GroupCommit {
    /// Commits what a caller encoded, and waits for it.
    pub(crate) fn commit(&self, sink: &impl Sink, encoded: &mut Encoded) -> Result<Committed> {
        let mut state = self.state.lock();
        loop {
            state.check()?;
            if state.fits(encoded, self.limit) {
                break;
            }
            // `hand_on` notifies after each commit that left somebody blocked: a commit empties the
            // group that had no room, and one is in flight or about to be led (invariant 3).
            state.blocked += 1;
            self.room.wait(&mut state);
            state.blocked -= 1;
        }
        if !state.leading && state.open.encoded.is_empty() {
            state.leading = true;
            drop(state);
            return self.lead_alone(sink, encoded);
        }
        let slot = state.push(encoded, false);
        self.wake_gatherer(&state);
        drop(state);
        match slot.wait() {
            Some(done) => done,
            None => self.lead_next(sink, &slot),
        }
    }

    /// Queues what a caller encoded. `start_committer` starts a thread that calls
    /// [`run_committer`](Self::run_committer); it is called if there is none.
    pub(crate) fn enqueue(
        &self,
        sink: &impl Sink,
        encoded: &Encoded,
        start_committer: impl FnOnce() -> Result<()>,
    ) -> Result<Pending> {
        let mut state = self.state.lock();
        state.check()?;
        if !state.fits(encoded, self.limit) {
            return Err(Error::Busy);
        }
        let slot = state.push(encoded, true);
        self.wake_gatherer(&state);
        // Whoever leads now hands tickets on to the committer: it must be there.
        if !state.leading || !state.committer {
            self.call_committer(sink, &mut state, start_committer);
        }
        Ok(Pending { slot })
    }

    fn wake_gatherer(&self, state: &QueueState) {
        if state.gather_until != 0 && state.open.waiters.len() >= state.gather_until {
            self.gathered.notify_one();
        }
    }

    fn call_committer(
        &self,
        sink: &impl Sink,
        state: &mut QueueState,
        start: impl FnOnce() -> Result<()>,
    ) {
        if state.committer {
            self.tickets.notify_one();
            return;
        }
        match start() {
            Ok(()) => state.committer = true,
            Err(error) => {
                self.poison_locked(state, &error.to_string());
                sink.ended(error);
            }
        }
    }

    /// The committer's loop: leads for tickets, until there were none for `idle`.
    pub(crate) fn run_committer(&self, sink: &impl Sink, idle: Duration) {
        let mut state = self.state.lock();
        loop {
            if !state.leading && !state.open.waiters.is_empty() {
                state.leading = true;
                let group = state.take_open();
                drop(state);
                self.lead_group(sink, group);
                state = self.state.lock();
                continue;
            }
            // Not only after waiting: the call to end may have come while it led.
            let over = state.closed || state.poisoned.is_some();
            let timed_out = !over && self.tickets.wait_for(&mut state, idle);
            let nothing = state.open.waiters.is_empty();
            if nothing && (over || timed_out) {
                state.committer = false;
                return;
            }
            if over {
                self.tickets.wait_for(&mut state, idle);
            }
        }
    }

    fn lead_alone(&self, sink: &impl Sink, encoded: &mut Encoded) -> Result<Committed> {
        let mut result = Err(Error::Poisoned { cause: "the leader of a commit panicked".into() });
        self.lead(sink, encoded, 1, |done, _| result = done);
        result
    }

    fn lead_next(&self, sink: &impl Sink, own: &Slot) -> Result<Committed> {
        let group = self.gather();
        self.lead_group(sink, group);
        // Its own result was set among the others'.
        own.wait().unwrap_or(Err(Error::Closed))
    }

    /// Takes the open group, after a moment if callers are expected back.
    fn gather(&self) -> Group {
        let mut state = self.state.lock();
        let wanted = state.gather_until;
        if wanted > state.open.waiters.len() {
            // A sync costs more than this wait, and the callers of the last commit are about to append
            // again: one group for all of them costs one sync less.
            let timed_out = self.gathered.wait_for(&mut state, GATHER_MAX);
            if timed_out && state.open.waiters.len() * 4 < wanted * 3 {
                state.gather_backoff = (state.gather_backoff * 2).clamp(1, 64);
                state.gather_pause = state.gather_backoff;
            } else {
                state.gather_backoff = 0;
            }
        }
        state.gather_until = 0;
        state.take_open()
    }

    fn lead_group(&self, sink: &impl Sink, mut group: Group) {
        let count = group.waiters.len();
        let waiters = std::mem::take(&mut group.waiters);
        let guard = WakeAll { waiters };
        self.lead(sink, &mut group.encoded, count, |done, encoded| {
            guard.finish(done, &encoded.leaves);
        });
        group.encoded.clear();
        let mut state = self.state.lock();
        if state.spare.is_none() {
            state.spare = Some(group);
        }
    }

    /// Commits a group, hands leadership on, and only then tells the group.
    fn lead(
        &self,
        sink: &impl Sink,
        encoded: &mut Encoded,
        count: usize,
        tell: impl FnOnce(Result<Committed>, &Encoded),
    ) {
        // A panic in the sink leaves unknown what is on disk, and nobody leading: the log ends.
        let mut guard = PoisonOnPanic { commits: self, sink, armed: true };
        let result = sink.commit(encoded);
        guard.armed = false;
        match &result {
            Ok(_) | Err(Error::DiskFull { .. }) => {}
            Err(error) => self.poison(sink, &error.to_string()),
        }
        // First the next leader, then the callers: its commit starts while they are being woken.
        self.hand_on(count);
        tell(result, encoded);
        sink.after_commit();
    }

    /// The first of those who wait leads next.
    fn hand_on(&self, finished: usize) {
        let mut state = self.state.lock();
        if state.blocked > 0 {
            self.room.notify_all();
        }
        // Not the holder of a ticket: it may not be waiting, or wait in a future that nobody polls.
        let next = state.open.waiters.iter().find(|waiter| !waiter.ticket);
        match next.map(|waiter| Arc::clone(&waiter.slot)) {
            Some(slot) => {
                state.plan_gathering(finished);
                drop(state);
                slot.lead();
            }
            None => {
                state.leading = false;
                if !state.open.waiters.is_empty() {
                    self.tickets.notify_one();
                }
            }
        }
    }

    /// Latches the log after a failure, and tells everybody who waits.
    pub(crate) fn poison(&self, sink: &impl Sink, cause: &str) {
        self.poison_locked(&mut self.state.lock(), cause);
        sink.ended(Error::Poisoned { cause: cause.to_owned() });
    }

    fn poison_locked(&self, state: &mut QueueState, cause: &str) {
        if state.poisoned.is_none() {
            state.poisoned = Some(cause.to_owned());
        }
        let group = std::mem::take(&mut state.open);
        self.room.notify_all();
        self.gathered.notify_all();
        self.tickets.notify_all();
        for waiter in group.waiters {
            waiter.slot.finish(Err(Error::Poisoned { cause: cause.to_owned() }));
        }
    }

    /// Refuses new appends from now on; those that are queued are still committed.
    pub(crate) fn refuse_appends(&self) -> bool {
        let mut state = self.state.lock();
        let first = !std::mem::replace(&mut state.closed, true);
        self.room.notify_all();
        self.tickets.notify_all();
        first
    }

    /// Waits until what was queued is committed.
    pub(crate) fn wait_until_idle(&self) {
        let mut state = self.state.lock();
        while !state.is_idle() && state.poisoned.is_none() {
            // Looked at again every 50 ms, because the last commit that leaves the queue idle notifies
            // only those who were blocked before it ended.
            state.blocked += 1;
            self.room.wait_for(&mut state, Duration::from_millis(50));
            state.blocked -= 1;
        }
    }

    /// The first failure, if there was one.
    pub(crate) fn poisoned(&self) -> Option<String> {
        self.state.lock().poisoned.clone()
    }
}

impl QueueState {
    /// Those who were just served are on their way back: wait for as many as that.
    fn plan_gathering(&mut self, finished: usize) {
        if self.gather_pause > 0 {
            self.gather_pause -= 1;
            self.gather_until = 0;
            return;
        }
        let waiting = self.open.waiters.len();
        self.gather_until = if finished + waiting > 2 { waiting + finished } else { 0 };
    }

    /// Whether nothing is queued and nobody leads.
    fn is_idle(&self) -> bool {
        !self.leading && self.open.waiters.is_empty()
    }
}

/// The waiters of a group: each gets its own answer, also if the leader panics.
struct WakeAll {
    waiters: Vec<Waiter>,
}

impl WakeAll {
    fn finish(mut self, done: Result<Committed>, leaves: &[Hash]) {
        for waiter in self.waiters.drain(..) {
            let own = done.clone().map(|committed| Committed {
                first: committed.first.checked_add(waiter.first as u64).unwrap_or(committed.first),
                leaf: leaves.get(waiter.first).copied().unwrap_or(committed.leaf),
                ..committed
            });
            waiter.slot.finish(own);
        }
    }
}

impl Drop for WakeAll {
    fn drop(&mut self) {
        for waiter in self.waiters.drain(..) {
            let cause = "the leader of a commit panicked".to_owned();
            waiter.slot.finish(Err(Error::Poisoned { cause }));
        }
    }
}

/// Poisons the log if the leader unwinds.
struct PoisonOnPanic<'a, S: Sink> {
    commits: &'a GroupCommit,
    sink: &'a S,
    armed: bool,
}

impl<S: Sink> Drop for PoisonOnPanic<'_, S> {
    fn drop(&mut self) {
        if self.armed {
            self.commits.poison(self.sink, "the leader of a commit panicked");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)] // tests
mod tests;
