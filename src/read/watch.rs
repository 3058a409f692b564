//! Waking those who wait for new records, at no cost to a commit when nobody does.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::task::Waker;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::ranked::{Condvar, Mutex, Rank};
use crate::seq::TreeSize;

/// The published size of a log, and who waits for it to grow.
#[derive(Debug)]
pub(crate) struct Watch {
    size: AtomicU64,
    /// Set by who is about to wait, cleared by who wakes.
    waiting: AtomicBool,
    state: Mutex<State>,
    grown: Condvar,
    numbers: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// Of each subscription that waits as a task, the newest.
    wakers: HashMap<u64, Waker>,
    /// Why the size will not grow any more.
    ended: Option<Error>,
}

/// Who waits, and how long.
pub(crate) enum Wait<'a> {
    /// The thread, at most so long.
    For(Duration),
    /// The thread, however long it takes.
    Forever,
    /// A task of the subscription with this number: it is woken later.
    Wake(u64, &'a Waker),
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// The size is above what it was.
    Grown,
    /// It is not yet.
    NotYet,
    /// It is not, and the time is up.
    TimedOut,
}

impl Default for Watch {
    fn default() -> Self {
        Watch {
            size: AtomicU64::new(0),
            waiting: AtomicBool::new(false),
            state: Mutex::new(Rank::Watch, State::default()),
            grown: Condvar::new(),
            numbers: AtomicU64::new(0),
        }
    }
}

impl Watch {
    pub(crate) fn size(&self) -> TreeSize {
        TreeSize::new(self.size.load(Ordering::Acquire))
    }

    /// Publishes a size. [`Watch::notify`] follows, once nothing is locked: what it wakes is
    /// the caller's code.
    pub(crate) fn publish(&self, size: TreeSize) {
        self.size.store(size.get(), Ordering::Release);
    }

    /// Wakes who waits for the published size.
    pub(crate) fn notify(&self) {
        // Who set `waiting` before this sees the size, or is seen here.
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) {
            self.wake(None);
        }
    }

    /// The size will not grow any more. The first reason counts.
    pub(crate) fn end(&self, why: Error) {
        self.wake(Some(why));
    }

    fn wake(&self, ended: Option<Error>) {
        let mut state = self.state.lock();
        if state.ended.is_none() {
            state.ended = ended;
        }
        self.waiting.store(false, Ordering::Relaxed);
        let wakers = std::mem::take(&mut state.wakers);
        self.grown.notify_all();
        drop(state);
        wakers.into_values().for_each(Waker::wake);
    }

    /// Whether the log still takes events.
    ///
    /// # Errors
    /// Why it does not: `Closed`, `Poisoned`.
    pub(crate) fn check(&self) -> Result<()> {
        match &self.state.lock().ended {
            Some(why) => Err(why.clone()),
            None => Ok(()),
        }
    }

    /// A number for a subscription.
    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Wakes a subscription no more.
    pub(crate) fn forget(&self, number: u64) {
        self.state.lock().wakers.remove(&number);
    }

    /// Waits until the size is above this one. A task that is not to wait
    /// longer is woken when it is worth another look.
    ///
    /// # Errors
    /// Why it will never be.
    pub(crate) fn wait_above(&self, size: TreeSize, wait: &Wait<'_>) -> Result<Waited> {
        let mut state = self.state.lock();
        self.waiting.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.size() > size {
            return Ok(Waited::Grown);
        }
        if let Some(why) = &state.ended {
            return Err(why.clone());
        }
        let mut timed_out = false;
        match wait {
            Wait::For(time) => timed_out = self.grown.wait_for(&mut state, *time),
            Wait::Forever => self.grown.wait(&mut state),
            Wait::Wake(number, waker) => drop(state.wakers.insert(*number, (*waker).clone())),
        }
        Ok(match self.size() > size {
            true => Waited::Grown,
            false if timed_out => Waited::TimedOut,
            false => Waited::NotYet,
        })
    }
}
