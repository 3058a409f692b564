//! Ends tests that hang. No other test depends on how long something takes, or on which of its
//! threads is scheduled when: these limits are far longer than any busy machine needs.

#![allow(dead_code, unreachable_pub, clippy::expect_used)] // each test uses a part

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// After this long, a test that still waits has hung. A process that others kept from the processor
/// has needed more than ten minutes for what takes seconds alone.
pub const HUNG_AFTER: Duration = Duration::from_secs(40 * 60);

/// How long a test sleeps between two looks: a loop that only yields takes a processor from those
/// that it waits for.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// Waits for what other threads bring about. Combine it with a [`Watchdog`].
pub fn wait_until(met: impl Fn() -> bool) {
    while !met() {
        thread::sleep(LOOK_EVERY);
    }
}

/// How often a thread has done its work.
#[derive(Default)]
pub struct Turns(AtomicU64);

impl Turns {
    /// One more time.
    pub fn took(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// Counts as very many turns from when the guard is dropped: nothing waits for a thread that
    /// has ended.
    pub fn until_end(&self) -> LastTurn<'_> {
        LastTurn(self)
    }
}

/// See [`Turns::until_end`].
pub struct LastTurn<'a>(&'a Turns);

impl Drop for LastTurn<'_> {
    fn drop(&mut self) {
        self.0.0.store(u64::MAX / 2, Ordering::SeqCst);
    }
}

/// Sets a flag when it is dropped, so that the other threads of a scope end also when one panics.
pub struct EndOnDrop<'a>(pub &'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// What `act` gives; fails instead of hanging.
pub fn within<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, wait) = mpsc::channel();
    thread::spawn(move || done.send(act()));
    wait.recv_timeout(HUNG_AFTER).expect("ends, and does not hang or panic")
}

/// Ends the process if it is not dropped in time: for threads that may deadlock in a scope.
pub struct Watchdog {
    over: Option<Sender<()>>,
    watching: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Watches until it is dropped; `what` is said if that does not come.
    pub fn over(what: impl Into<String>) -> Self {
        let (over, wait) = mpsc::channel();
        let what = what.into();
        let watching = thread::spawn(move || {
            if wait.recv_timeout(HUNG_AFTER) == Err(RecvTimeoutError::Timeout) {
                // Not by `eprintln!`: what a test prints is kept until it ends, and this one aborts.
                let _ = writeln!(std::io::stderr(), "DEADLOCK: {what}");
                std::process::abort();
            }
        });
        Watchdog { over: Some(over), watching: Some(watching) }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.over.take());
        if let Some(watching) = self.watching.take() {
            let _ = watching.join();
        }
    }
}
