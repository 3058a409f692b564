//! Waking those who wait for new records, at no cost to a commit when nobody does.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::task::Waker;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::error::{Error, Result};
use crate::seq::TreeSize;

/// The published size of a log, and who waits for it to grow.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    size: AtomicU64,
    /// Set by who is about to wait, cleared by who wakes.
    waiting: AtomicBool,
    state: Mutex<State>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct State {
    wakers: Vec<Waker>,
    /// Why the size will not grow any more.
    ended: Option<Error>,
}

/// Who waits, and how long.
pub(crate) enum Wait<'a> {
    /// The thread, at most so long.
    For(Duration),
    /// The thread, however long it takes.
    Forever,
    /// A task: it is woken later.
    Wake(&'a Waker),
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
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Waits until the size is above this one; whether it is. A task that is not to wait
    /// longer is woken when it is worth another look.
    ///
    /// # Errors
    /// Why it will never be.
    pub(crate) fn wait_above(&self, size: TreeSize, wait: &Wait<'_>) -> Result<bool> {
        let mut state = self.state.lock();
        self.waiting.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.size() > size {
            return Ok(true);
        }
        if let Some(why) = &state.ended {
            return Err(why.clone());
        }
        match wait {
            Wait::For(time) => {
                self.grown.wait_for(&mut state, *time);
            }
            Wait::Forever => self.grown.wait(&mut state),
            Wait::Wake(waker) => {
                if !state.wakers.iter().any(|known| known.will_wake(waker)) {
                    state.wakers.push((*waker).clone());
                }
            }
        }
        Ok(self.size() > size)
    }
}
