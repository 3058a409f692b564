//! The engine: an open log, one verb a file.
//!
//! - `options`: create and open; `open`, `recover`, `settle`: how that is done;
//! - `commit`: group commit, `writer`: what its leader does, `encode`: what callers do;
//! - `upkeep`: what happens in the background;
//! - `once`: events that are appended once, by their id;
//! - `subscribe`, `watch`: records as they come;
//! - `search`: queries; `indexes`: their files, opened and made anew;
//! - `view`, `read`: what readers see; `follow`: readers in other processes; `unknown`: what they
//!   cannot tell;
//! - `sign`, `cosign`, `prove`: checkpoints and proofs; `tiles`: the form that others read;
//! - `archiving`, `restoring`: segments to an archive, and back;
//! - `retain`: policy, legal holds, expiry;
//! - `protect`: encryption and aliases; `protection`: what of them is on record; `opener`: reading
//!   what is encrypted; `erase`;
//! - `verify`: re-reads everything;
//! - `stats`: what there is.

mod archiving;
mod commit;
mod core;
mod cosign;
mod encode;
mod erase;
mod follow;
mod immutable;
mod indexes;
mod keys;
mod once;
mod open;
mod opener;
mod options;
mod protect;
mod protection;
mod prove;
mod read;
mod recover;
mod recovery;
mod restoring;
mod retain;
mod search;
mod settle;
mod sign;
mod signer;
mod stats;
mod subscribe;
mod tiles;
mod unknown;
mod upkeep;
mod verify;
mod view;
mod watch;
mod writer;

use std::borrow::Cow;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::error::{Error, Result};
use crate::event::{Event, Record};
use crate::format::LogId;
use crate::hash::{Hash, HashAlgorithm};
use crate::query::Query;
use crate::ranked::ReadGuard;
use crate::seq::{Seq, TreeSize};
use crate::time::Timestamp;
use commit::Pending;
use core::{CatalogState, Core};
use encode::{check_frame, with_scratch};
use upkeep::unless_full;
use writer::Committed;

pub use crate::directory::quarantine::SetAside;
pub use archiving::ArchivedCopy;
pub use erase::ErasureCertificate;
pub use follow::LogReader;
pub use once::OnceReceipt;
pub use options::{Durability, Housekeeping, LogOptions};
pub use protect::SubjectRule;
pub use protection::RecordedProtection;
pub use prove::Disclosure;
pub use read::{Records, Snapshot};
pub use recovery::Recovery;
pub use restoring::Restoration;
pub use retain::{ExpireOptions, Expiry, LogAdmin, Pinned, RecordedHold, RecordedPolicy, Release};
pub use search::{CancelToken, Explain, Group, GroupBy, Matches, RecordView, Seen, Step};
pub use signer::{Signer, SignerError, generate_recovery_key, load_recovery_key};
pub use stats::{SegmentInfo, SegmentStatus, Stats};
pub use subscribe::Subscription;
pub use tiles::TileReader;
pub use verify::{Finding, Gap, GapVerdict, NotRead, Progress, Report, VerifyOptions, verify};

/// An open log. Cheap to clone; all clones are the same log, from any thread.
///
/// The log is closed by [`Log::close`], or when the last clone is dropped.
///
/// ```
/// use bulla::{Actor, Event, Log, Outcome, Resource};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let log = Log::create(dir.path().join("audit"))?;
/// let event = Event::new(Actor::new("user", "alice"), "invoice.delete", Resource::new("invoice", "42"))
///     .outcome(Outcome::Denied)
///     .ip("203.0.113.9");
/// let receipt = log.append(&event)?; // durable when it returns
/// assert_eq!(log.get(receipt.seq)?.event.actor.id, "alice");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Log {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    core: Arc<Core>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Nobody is left to tell; what was acknowledged is safe in any case.
        let _ = self.core.close();
    }
}

/// What an append gives: where the record stands, and its leaf in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// Its position in the log.
    pub seq: Seq,
    /// When the log took it, by the log's clock.
    pub recorded_at: Timestamp,
    /// Its leaf hash: keep it, and no later log can deny the record.
    pub leaf_hash: Hash,
}

/// What a batch gives: its records stand at `first` and after, without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchReceipt {
    /// Position of the first record.
    pub first: Seq,
    /// Number of records.
    pub count: u64,
    /// When the log took them.
    pub recorded_at: Timestamp,
}

impl From<Committed> for Receipt {
    fn from(committed: Committed) -> Self {
        let Committed { first, recorded_at, leaf } = committed;
        Receipt { seq: first, recorded_at, leaf_hash: leaf }
    }
}

/// A queued event; see [`Log::enqueue`] and [`Log::enqueue_once`].
#[derive(Debug)]
pub struct Ticket {
    queued: Queued,
}

#[derive(Debug)]
enum Queued {
    Always(Pending),
    Once(once::OnceTicket),
}

impl Ticket {
    /// Waits, blocking the thread, until the event is committed.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn wait(self) -> Result<Receipt> {
        match self.queued {
            Queued::Always(pending) => pending.wait().map(Receipt::from),
            Queued::Once(ticket) => ticket.wait(),
        }
    }
}

impl Future for Ticket {
    type Output = Result<Receipt>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().queued {
            Queued::Always(pending) => pending.poll(context).map_ok(Receipt::from),
            Queued::Once(ticket) => ticket.poll(context),
        }
    }
}

impl Log {
    fn new(core: Arc<Core>) -> Self {
        Log { handle: Arc::new(Handle { core }) }
    }

    fn core(&self) -> &Arc<Core> {
        &self.handle.core
    }

    /// Options to create or open a log with.
    pub fn options() -> LogOptions {
        LogOptions::new()
    }

    /// Creates a log with default options; see [`LogOptions::create`].
    ///
    /// # Errors
    /// `Exists` if there is one; I/O.
    pub fn create(path: impl AsRef<Path>) -> Result<Log> {
        LogOptions::new().create(path)
    }

    /// Opens a log with default options; see [`LogOptions::open`].
    ///
    /// # Errors
    /// `NotALog` if there is none, `Locked`, `Corrupt`, `Tampered`, `Unsupported`; I/O.
    pub fn open(path: impl AsRef<Path>) -> Result<Log> {
        LogOptions::new().open(path)
    }

    /// Opens the log at this path, or creates it.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Log> {
        LogOptions::new().open_or_create(path)
    }

    /// Opens a log for reading, also while another process writes it.
    ///
    /// # Errors
    /// As [`Log::open`], but never `Locked`.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<LogReader> {
        LogOptions::new().open_read_only(path)
    }

    /// Appends an event. When it returns, the record survives power loss (at the default
    /// durability) and shows in queries.
    ///
    /// Callers of many threads share commits. An idle log commits in the caller's thread.
    ///
    /// # Errors
    /// `Invalid` names the field that breaks a limit. `InvalidOption`: the event names a
    /// subject, and the log was opened without a key store. `DiskFull`: nothing was written, try
    /// again. `Poisoned`: an earlier write failed, reopen the log. `Closed`.
    pub fn append(&self, event: &Event) -> Result<Receipt> {
        with_scratch(|scratch| {
            let now = self.core().options.clock.now();
            let event = self.redacted(event);
            let _encrypting = self.core().encrypting();
            self.core().encode(&event, now, scratch)?;
            check_frame(scratch)?;
            self.core().commit(scratch).map(Receipt::from)
        })
    }

    /// Appends events as one frame: all of them or, after a crash, none.
    ///
    /// # Errors
    /// As [`Log::append`]; `InvalidBatch` if there are none or they take more than 16 MiB
    /// together. An invalid event refuses the whole batch.
    pub fn append_batch(&self, events: &[Event]) -> Result<BatchReceipt> {
        with_scratch(|scratch| {
            let now = self.core().options.clock.now();
            let _encrypting = self.core().encrypting();
            self.core().check_takes_events()?;
            protect::prepare(&self.core().options, events.iter())?;
            for event in events {
                self.core().encode(&self.redacted(event), now, scratch)?;
                check_frame(scratch)?;
            }
            check_frame(scratch)?;
            let Committed { first, recorded_at, .. } = self.core().commit(scratch)?;
            Ok(BatchReceipt { first, count: events.len() as u64, recorded_at })
        })
    }

    /// Queues an event without waiting: the ticket can be waited on, or awaited on any
    /// runtime. The event is committed also if the ticket is dropped.
    ///
    /// # Errors
    /// `Busy` if too much is queued already; else as [`Log::append`].
    pub fn enqueue(&self, event: &Event) -> Result<Ticket> {
        with_scratch(|scratch| {
            let now = self.core().options.clock.now();
            let event = self.redacted(event);
            let _encrypting = self.core().encrypting();
            self.core().encode(&event, now, scratch)?;
            check_frame(scratch)?;
            let pending = self.core().enqueue(scratch)?;
            Ok(Ticket { queued: Queued::Always(pending) })
        })
    }

    /// The event without what this log does not keep.
    fn redacted<'e>(&self, event: &'e Event) -> Cow<'e, Event> {
        match &self.core().options.redactor {
            Some(redactor) => redactor.apply(event),
            None => Cow::Borrowed(event),
        }
    }

    /// Makes all that was appended durable, whatever the durability level.
    ///
    /// # Errors
    /// I/O: the log is poisoned then.
    pub fn sync(&self) -> Result<()> {
        self.core().with_writer(|core, writer| writer.sync(core))
    }

    /// Ends the active segment, unless it is empty. It is sealed before this returns.
    ///
    /// # Errors
    /// `DiskFull`, or `Io` if its records cannot be read now: the segment is ended, and sealed
    /// later (try again). Any other I/O error poisons the log.
    pub fn rotate(&self) -> Result<()> {
        self.core().with_writer(|core, writer| match &writer.active {
            Some(active) if active.count() > 0 => writer.retire(core),
            _ => Ok(()),
        })?;
        self.core().keep_up_and_seal()
    }

    /// The log as it is now, to read from.
    pub fn snapshot(&self) -> Snapshot {
        self.core().view.snapshot(Some(Arc::clone(&self.core().tree)))
    }

    /// The record with this Seq.
    ///
    /// # Errors
    /// `NotWritten` beyond the end; `Corrupt` if it is damaged; I/O.
    pub fn get(&self, seq: Seq) -> Result<Record> {
        self.snapshot().get(seq)
    }

    /// The records that a query asks for, as of now.
    ///
    /// # Errors
    /// A cursor that belongs to another query.
    pub fn query(&self, query: &Query) -> Result<Matches> {
        self.snapshot().query(query)
    }

    /// Number of records.
    pub fn size(&self) -> TreeSize {
        self.core().view.size()
    }

    /// The log's public name.
    pub fn origin(&self) -> &str {
        &self.core().origin
    }

    /// The log's identity, drawn when it was created.
    pub fn log_id(&self) -> LogId {
        self.core().dir.log_id()
    }

    /// The hash of its tree.
    pub fn algorithm(&self) -> HashAlgorithm {
        self.core().algorithm
    }

    /// What opening it found.
    pub fn recovery(&self) -> &Recovery {
        &self.core().recovery
    }

    /// The records of the log's own log, oldest first.
    ///
    /// # Errors
    /// `CatalogDamaged`, I/O.
    pub fn history(&self) -> Result<Vec<crate::catalog::HistoryEntry>> {
        self.core().catalog.lock().good()?.history()
    }

    /// Closes the log for all its clones: commits what is queued, seals what is full, and
    /// leaves a mark, so that the next opening is quick. Where the disk has no space for the last
    /// two, the next opening does them.
    ///
    /// # Errors
    /// I/O. What was acknowledged is safe in any case.
    pub fn close(&self) -> Result<()> {
        self.core().close()
    }
}

impl Core {
    /// Held from when an event is encrypted until it is in the log, or queued: an erasure must
    /// see all that its key encrypts.
    fn encrypting(&self) -> Option<ReadGuard<'_, ()>> {
        // Fair: an append waits for an erasure that waits already. Appends that overlap would
        // else keep it out for as long as they come.
        self.options.key_store.as_ref().map(|_| self.encrypting.read())
    }

    /// Encodes an event, encrypted if it has a subject.
    fn encode(&self, event: &Event, now: Timestamp, into: &mut encode::Encoded) -> Result<()> {
        self.check_takes_events()?;
        let protection = protect::Protection::of(&self.options, event)?;
        into.push(event, now, self.dir.log_id(), &protection)
    }

    fn check_takes_events(&self) -> Result<()> {
        if self.options.takes_events {
            return Ok(());
        }
        let reason = "expected a log that takes events, found one that was opened without them: \
                      open it to append";
        Err(Error::InvalidOption { name: "without_events", reason: reason.to_owned() })
    }

    fn check_poisoned(&self) -> Result<()> {
        match self.poisoned() {
            Some(cause) => Err(Error::Poisoned { cause }),
            None => Ok(()),
        }
    }

    /// Does something with the writer alone; a failure poisons the log.
    fn with_writer<T>(
        &self,
        act: impl FnOnce(&Core, &mut writer::Writer) -> Result<T>,
    ) -> Result<T> {
        self.check_poisoned()?;
        let mut writer = self.writer.lock();
        // Another process, or another handle of this one, may be writing by now.
        if writer.closed {
            return Err(Error::Closed);
        }
        let done = act(self, &mut writer);
        drop(writer);
        match done {
            Err(error) if !matches!(error, Error::DiskFull { .. }) => {
                self.poison(&error.to_string());
                Err(error)
            }
            done => done,
        }
    }

    fn close(&self) -> Result<()> {
        if !self.refuse_appends() {
            return Ok(());
        }
        self.wait_until_idle();
        let committer = self.committer.lock().take();
        // Closed in a waker, the committer is this thread: it ends by itself.
        let this = std::thread::current().id();
        if let Some(committer) = committer.filter(|committer| committer.thread().id() != this) {
            let _ = committer.join();
        }
        if self.options.housekeeping == Housekeeping::Background {
            upkeep::unregister(self);
        }
        let _signed = self.signing.lock();
        let left = self.leave_clean();
        // Nobody is busy with the files, and nobody will be.
        let _kept_up = self.upkeep.lock();
        self.writer.lock().closed = true;
        self.view.watch().end(Error::Closed);
        let unlocked = self.lock.unlock().map_err(Error::io("unlock", self.dir.path()));
        left.and(unlocked)
    }

    fn leave_clean(&self) -> Result<()> {
        self.check_poisoned()?;
        unless_full(self.keep_up())?;
        self.check_poisoned()?;
        self.with_writer(|core, writer| writer.sync(core))?;
        // The rest only spares the next opening some work.
        unless_full(self.with_writer(|core, writer| writer.watermark(core)))?;
        unless_full(self.write_mark(&mut self.upkeep.lock()))?;
        match &mut *self.catalog.lock() {
            CatalogState::Good(catalog) => {
                unless_full(catalog.exclusively(|catalog| catalog.write_snapshot()))
            }
            CatalogState::Damaged(_) => Ok(()),
        }
    }
}
