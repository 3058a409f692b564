//! The thread that looks after all logs of the process.

use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, ptr};

use crate::ranked::{Condvar, Mutex, Rank};

/// The housekeeper looks at least this often.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What the housekeeping thread looks after.
pub(crate) trait Tended: Send + Sync {
    /// Does what is due. A failure is the log's own to keep and report.
    fn tend(&self);
}

/// Whether there is something to do for the housekeeper of a log.
#[derive(Debug)]
pub(crate) struct Nudge {
    wanted: AtomicBool,
    background: bool,
}

impl Nudge {
    /// There is something to do from the start. With `background`, the housekeeping thread is woken
    /// when there is more; without, the thread that appends looks by itself.
    pub(crate) fn new(background: bool) -> Self {
        Nudge { wanted: AtomicBool::new(true), background }
    }

    /// There is something to do.
    pub(crate) fn needed(&self) {
        // Woken once for all that came up since the last round.
        if !self.wanted.swap(true, Ordering::AcqRel) && self.background {
            HOUSEKEEPER.nudge();
        }
    }

    /// A round begins: what comes up from here on is for the next one.
    pub(crate) fn begin_round(&self) {
        self.wanted.store(false, Ordering::Release);
    }
}

/// The thread that all logs of the process share.
struct Housekeeper {
    state: Mutex<HousekeeperState>,
    changed: Condvar,
}

struct HousekeeperState {
    logs: Vec<Weak<dyn Tended>>,
    thread: Option<JoinHandle<()>>,
    /// Grows when a thread is told to end, so that it does not mistake the logs of its
    /// successor for its own.
    generation: u64,
    nudged: bool,
}

static HOUSEKEEPER: Housekeeper = Housekeeper {
    state: Mutex::new(
        Rank::Housekeeper,
        HousekeeperState { logs: Vec::new(), thread: None, generation: 0, nudged: false },
    ),
    changed: Condvar::new(),
};

impl Housekeeper {
    fn nudge(&self) {
        self.state.lock().nudged = true;
        self.changed.notify_one();
    }

    fn run(&self, generation: u64) {
        loop {
            let logs = {
                let mut state = self.state.lock();
                if !std::mem::take(&mut state.nudged) {
                    self.changed.wait_for(&mut state, LOOK_EVERY);
                    state.nudged = false;
                }
                if state.generation != generation {
                    return;
                }
                state.logs.retain(|log| log.strong_count() > 0);
                state.logs.clone()
            };
            for log in logs.iter().filter_map(Weak::upgrade) {
                log.tend();
            }
        }
    }
}

/// Registers a log with the housekeeping thread, which is started for the first one.
///
/// # Errors
/// The operating system starts no thread.
pub(crate) fn register(log: Weak<dyn Tended>) -> io::Result<()> {
    let mut state = HOUSEKEEPER.state.lock();
    state.logs.push(log);
    if state.thread.is_none() {
        let generation = state.generation;
        let thread = std::thread::Builder::new()
            .name("bulla-housekeeper".to_owned())
            .spawn(move || HOUSEKEEPER.run(generation))?;
        state.thread = Some(thread);
    }
    Ok(())
}

/// Ends the care for a log; the thread of the last one is joined.
pub(crate) fn unregister(log: &dyn Tended) {
    let mut state = HOUSEKEEPER.state.lock();
    state.logs.retain(|other| !ptr::addr_eq(other.as_ptr(), log) && other.strong_count() > 0);
    if !state.logs.is_empty() {
        return;
    }
    state.generation += 1;
    state.nudged = true;
    HOUSEKEEPER.changed.notify_all();
    let thread = state.thread.take();
    drop(state);
    if let Some(thread) =
        thread.filter(|thread| thread.thread().id() != std::thread::current().id())
    {
        let _ = thread.join();
    }
}
