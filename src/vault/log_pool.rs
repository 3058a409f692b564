//! The logs of a vault, of which only some are open at a time.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::control::Added;
use super::options::VaultOptions;
use super::runs;
use crate::disk::DiskFile;
use crate::error::{Error, Result};
use crate::log::Log;
use crate::merkle::TreeHead;
use crate::proof::VAULT_LOGS_MAX;
use crate::time::Timestamp;

/// All logs of a vault.
pub(super) struct LogPool {
    pub(super) options: VaultOptions,
    logs_dir: PathBuf,
    state: Mutex<State>,
    /// A log was let go, opened or closed.
    changed: Condvar,
    /// The vault's LOCK, held for as long as any of its logs can be open.
    lock: Arc<dyn DiskFile>,
}

#[derive(Default)]
struct State {
    slots: BTreeMap<Arc<str>, PoolEntry>,
    /// Logs that are open, being opened or being closed.
    open: usize,
    /// Counts uses, to tell which log was used last.
    tick: u64,
    closed: bool,
}

struct PoolEntry {
    added: Added,
    place: LogState,
    /// Guards there are.
    uses: usize,
    /// The tick of the last use.
    used: u64,
    /// Close it when it is let go.
    discard: bool,
    /// What it was like when it was closed.
    seen: Option<ClosedSummary>,
    /// When it was last opened or closed, by the monotonic clock.
    looked_at: Option<Duration>,
}

enum LogState {
    Closed,
    /// Being opened or closed.
    Busy,
    Open(Log),
}

/// A log as it was when it was closed: it cannot have changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClosedSummary {
    pub(super) head: TreeHead,
    /// Smallest and largest `recorded_at`; `None`: it is empty.
    pub(super) recorded: Option<(Timestamp, Timestamp)>,
}

/// A log of a vault, in use. While there is one, the log is not closed for another: let go
/// of it soon. A [`Log`] that was cloned out of it is closed all the same.
pub struct VaultLog {
    shelf: Arc<LogPool>,
    name: Arc<str>,
    log: Log,
}

impl fmt::Debug for VaultLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VaultLog({})", self.name)
    }
}

impl VaultLog {
    /// Its name in the vault.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Deref for VaultLog {
    type Target = Log;

    fn deref(&self) -> &Log {
        &self.log
    }
}

impl Drop for VaultLog {
    fn drop(&mut self) {
        self.shelf.release(&self.name);
    }
}

impl LogPool {
    pub(super) fn new(options: VaultOptions, dir: &Path, lock: Arc<dyn DiskFile>) -> Arc<Self> {
        let logs_dir = dir.join(super::name::LOGS);
        let (state, changed) = (Mutex::default(), Condvar::new());
        Arc::new(LogPool { options, logs_dir, state, changed, lock })
    }

    /// Where the files of a log are.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.logs_dir.join(name)
    }

    /// Makes a log known.
    pub(super) fn add(&self, name: &str, added: Added) -> Result<()> {
        let mut state = self.state.lock();
        if state.slots.len() >= VAULT_LOGS_MAX {
            return Err(too_many());
        }
        let slot = PoolEntry {
            added,
            place: LogState::Closed,
            uses: 0,
            used: 0,
            discard: false,
            seen: None,
            looked_at: None,
        };
        state.slots.insert(name.into(), slot);
        Ok(())
    }

    /// What is known of a log; `None` if there is no such log.
    pub(super) fn added(&self, name: &str) -> Option<Added> {
        self.state.lock().slots.get(name).map(|slot| slot.added.clone())
    }

    pub(super) fn len(&self) -> usize {
        self.state.lock().slots.len()
    }

    /// All logs, by name.
    pub(super) fn all(&self) -> Vec<(Arc<str>, Added)> {
        let state = self.state.lock();
        state.slots.iter().map(|(name, slot)| (Arc::clone(name), slot.added.clone())).collect()
    }

    /// What a closed log is like, if it was open before.
    pub(super) fn seen(&self, name: &str) -> Option<ClosedSummary> {
        let state = self.state.lock();
        let slot = state.slots.get(name)?;
        slot.seen.filter(|_| matches!(slot.place, LogState::Closed))
    }

    /// The closed logs that nobody has looked at for so long.
    pub(super) fn overdue(&self, now: Duration, after: Duration) -> Vec<Arc<str>> {
        let state = self.state.lock();
        let overdue = |slot: &PoolEntry| {
            let since = slot.looked_at.map(|at| now.saturating_sub(at));
            matches!(slot.place, LogState::Closed) && since.is_none_or(|since| since >= after)
        };
        let mut names: Vec<_> = state.slots.iter().filter(|(_, slot)| overdue(slot)).collect();
        names.sort_by_key(|(_, slot)| slot.looked_at);
        names.into_iter().map(|(name, _)| Arc::clone(name)).collect()
    }

    /// A log to use; it is opened if it is closed.
    ///
    /// # Errors
    /// There is no such log; `TooManyOpenLogs`; what opening it says.
    pub(super) fn acquire(self: &Arc<Self>, name: &str) -> Result<VaultLog> {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return Err(Error::Closed);
            }
            let (open, max) = (state.open, self.options.max_open_logs);
            state.tick += 1;
            let tick = state.tick;
            let Some((name, _)) = state.slots.get_key_value(name) else {
                return Err(no_such_log(name));
            };
            let name = Arc::clone(name);
            let Some(slot) = state.slots.get_mut(&name) else { return Err(no_such_log(&name)) };
            match &slot.place {
                LogState::Open(log) => {
                    (slot.uses, slot.used) = (slot.uses + 1, tick);
                    return Ok(VaultLog { shelf: Arc::clone(self), log: log.clone(), name });
                }
                LogState::Closed if open < max => {
                    slot.place = LogState::Busy;
                    state.open += 1;
                    drop(state);
                    self.open(&name)?;
                    state = self.state.lock();
                }
                LogState::Closed => state = self.make_room(state)?,
                LogState::Busy => self.wait(&mut state)?,
            }
        }
    }

    /// Opens a log whose place is `Busy`.
    fn open(&self, name: &Arc<str>) -> Result<()> {
        let mut settle = Settle { shelf: self, name, place: LogState::Closed, seen: None };
        let log = self.options.of_log(name)?.open(self.path(name))?;
        let said = |log_id, algorithm| format!("log {log_id}, {algorithm}");
        let expected = self.added(name).map(|added| said(added.log_id, added.algorithm));
        let found = said(log.log_id(), log.algorithm());
        if expected.as_ref() != Some(&found) {
            let what = format!("log {name:?} of the vault");
            return Err(Error::tampered(what, expected.unwrap_or_default(), found));
        }
        settle.place = LogState::Open(log);
        Ok(())
    }

    /// Closes the log that was not used for the longest time, or waits for one to be let go.
    fn make_room<'a>(&'a self, mut state: MutexGuard<'a, State>) -> Result<MutexGuard<'a, State>> {
        let idle = |slot: &PoolEntry| slot.uses == 0 && matches!(slot.place, LogState::Open(_));
        let oldest = state.slots.iter().filter(|(_, slot)| idle(slot));
        let oldest = oldest.min_by_key(|(_, slot)| slot.used).map(|(name, _)| Arc::clone(name));
        match oldest {
            Some(name) => {
                let log = state.take(&name);
                drop(state);
                self.close_log(&name, log);
                Ok(self.state.lock())
            }
            None => {
                self.wait(&mut state)?;
                Ok(state)
            }
        }
    }

    /// Closes a log whose place is `Busy`. What was acknowledged is safe whatever it says.
    fn close_log(&self, name: &Arc<str>, log: Option<Log>) {
        let mut settle = Settle { shelf: self, name, place: LogState::Closed, seen: None };
        if let Some(log) = log {
            let closed = log.close();
            settle.seen = closed.and_then(|()| look_back(&log)).ok();
        }
    }

    fn wait(&self, state: &mut MutexGuard<'_, State>) -> Result<()> {
        if self.changed.wait_for(state, self.options.acquire_timeout).timed_out() {
            return Err(Error::TooManyOpenLogs { max: self.options.max_open_logs });
        }
        Ok(())
    }

    fn release(&self, name: &Arc<str>) {
        let mut state = self.state.lock();
        let Some(slot) = state.slots.get_mut(name) else { return };
        slot.uses = slot.uses.saturating_sub(1);
        if slot.uses == 0 && slot.discard {
            slot.discard = false;
            let log = state.take(name);
            drop(state);
            self.close_log(name, log);
        }
        self.changed.notify_all();
    }

    /// Has a log closed as soon as nobody uses it: it took its last append, and is read anew
    /// when it is opened again.
    pub(super) fn discard(&self, name: &str) {
        if let Some(slot) = self.state.lock().slots.get_mut(name) {
            slot.discard = true;
        }
    }

    /// Has a log closed before all others when there is need.
    pub(super) fn leave_first(&self, name: &str) {
        if let Some(slot) = self.state.lock().slots.get_mut(name) {
            slot.used = 0;
        }
    }

    /// Closes all logs, also those in use, and gives up the lock of the vault.
    pub(super) fn close(&self) -> Result<()> {
        let mut state = self.state.lock();
        state.closed = true;
        let mut result = Ok(());
        loop {
            let next = state.slots.iter().find(|(_, slot)| !matches!(slot.place, LogState::Closed));
            let Some(name) = next.map(|(name, _)| Arc::clone(name)) else { break };
            match state.take(&name) {
                Some(log) => {
                    drop(state);
                    let closed = log.close();
                    drop(Settle { shelf: self, name: &name, place: LogState::Closed, seen: None });
                    result = result.and(closed);
                    state = self.state.lock();
                }
                None => self.wait(&mut state)?,
            }
        }
        drop(state);
        let unlocked = self.lock.unlock().map_err(Error::io("unlock", &self.logs_dir));
        result.and(unlocked)
    }
}

impl State {
    /// Takes an open log out, to be closed; its place is `Busy` then.
    fn take(&mut self, name: &str) -> Option<Log> {
        let slot = self.slots.get_mut(name)?;
        match std::mem::replace(&mut slot.place, LogState::Busy) {
            LogState::Open(log) => Some(log),
            other => {
                slot.place = other;
                None
            }
        }
    }
}

/// Puts a busy log where it belongs, also when opening it panics.
struct Settle<'a> {
    shelf: &'a LogPool,
    name: &'a Arc<str>,
    place: LogState,
    seen: Option<ClosedSummary>,
}

impl Drop for Settle<'_> {
    fn drop(&mut self) {
        let now = self.shelf.options.log.clock.monotonic();
        let place = std::mem::replace(&mut self.place, LogState::Closed);
        let mut state = self.shelf.state.lock();
        if matches!(place, LogState::Closed) {
            state.open = state.open.saturating_sub(1);
        }
        if let Some(slot) = state.slots.get_mut(self.name) {
            (slot.place, slot.seen, slot.looked_at) = (place, self.seen, Some(now));
        }
        self.shelf.changed.notify_all();
    }
}

fn look_back(log: &Log) -> Result<ClosedSummary> {
    let recorded = runs::of(log)?.into_iter().map(|run| run.recorded);
    let recorded = recorded.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    Ok(ClosedSummary { head: log.snapshot().head()?, recorded })
}

pub(super) fn no_such_log(name: &str) -> Error {
    let shown: String = name.chars().take(80).collect();
    let reason = format!("there is no log {shown:?} in this vault: add it");
    Error::InvalidOption { name: "log", reason }
}

pub(super) fn too_many() -> Error {
    let reason = format!(
        "this vault has {VAULT_LOGS_MAX} logs, and one checkpoint covers no more: open another vault"
    );
    Error::InvalidOption { name: "log", reason }
}
