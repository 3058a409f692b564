//! The options of a log.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::directory::LogDir;
use crate::disk::{Disk, RealDisk};
use crate::error::{Error, Result};
use crate::format::LogId;
use crate::hash::HashAlgorithm;
use crate::keystore::KeyStore;
use crate::redact::Redactor;
use crate::retention::Attribution;
use crate::time::{Clock, SystemClock};

/// When a record is acknowledged, and so what a power failure may take.
///
/// What a dying process alone takes is the same at every level: nothing that was
/// acknowledged. See `docs/durability.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// When it is on the disk: a power failure takes nothing (the default).
    #[default]
    Sync,
    /// When the operating system has it; it is synced at least this often. A power
    /// failure may take the last records, up to that much time and one sync.
    Interval(Duration),
    /// When the operating system has it; synced only when a segment is sealed, a
    /// checkpoint signed, or the log closed. A power failure may take all since.
    Os,
}

/// Who prepares space, seals segments and writes marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Housekeeping {
    /// One background thread, shared by all logs of the process (the default).
    #[default]
    Background,
    /// Whoever appends: deterministic, for tests and for hosts without threads.
    Inline,
}

/// Who is the subject of an event that names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SubjectRule {
    /// Nobody: its payload is stored as it is (the default).
    #[default]
    None,
    /// Its actor, as `TYPE:ID`.
    Actor,
}

/// That a log may be opened with less than what is on record.
#[derive(Clone, Debug)]
pub(crate) enum Waiver {
    /// This once.
    Once(Attribution),
    /// From here on.
    ForGood(Attribution),
}

/// Options of a log; chained, like `std::fs::OpenOptions`.
///
/// ```
/// use bulla::{HashAlgorithm, Log};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("audit");
/// let log = Log::options()
///     .origin("example.com/audit")
///     .hash(HashAlgorithm::Sha256)
///     .segment_bytes(16 << 20)
///     .create(&path)?;
/// assert_eq!(log.origin(), "example.com/audit");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct LogOptions {
    pub(crate) origin: Option<String>,
    pub(crate) algorithm: HashAlgorithm,
    pub(crate) segment_bytes: u64,
    pub(crate) segment_age: Duration,
    pub(crate) durability: Durability,
    pub(crate) housekeeping: Housekeeping,
    pub(crate) frame_align: u32,
    pub(crate) mmap: bool,
    pub(crate) immutable: bool,
    pub(crate) queue_bytes: usize,
    pub(crate) clock_tolerance: Duration,
    pub(crate) redactor: Option<Redactor>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) key_store: Option<KeyStore>,
    pub(crate) subject_rule: SubjectRule,
    pub(crate) alias_actors: bool,
    pub(crate) alias_resources: Vec<String>,
    pub(crate) waiver: Option<Waiver>,
    pub(crate) takes_events: bool,
    pub(crate) once_age: Duration,
    pub(crate) once_ids: u64,
}

/// Most event ids that a window may hold.
const ONCE_IDS_MAX: u64 = 1 << 30;

impl LogOptions {
    /// The directory of the log at this path.
    pub(crate) fn dir(&self, path: &Path, log_id: LogId) -> LogDir {
        LogDir::new(Arc::clone(&self.disk), Arc::clone(&self.clock), path, log_id)
    }

    /// The defaults: durable, SHA-256, segments of 64 MiB or a day.
    pub fn new() -> Self {
        LogOptions {
            origin: None,
            algorithm: HashAlgorithm::default(),
            segment_bytes: 64 << 20,
            segment_age: Duration::from_secs(24 * 3600),
            durability: Durability::default(),
            housekeeping: Housekeeping::default(),
            frame_align: 1,
            mmap: true,
            immutable: false,
            queue_bytes: 8 << 20,
            clock_tolerance: Duration::from_secs(5),
            redactor: None,
            clock: Arc::new(SystemClock::new()),
            disk: Arc::new(RealDisk),
            key_store: None,
            subject_rule: SubjectRule::None,
            alias_actors: false,
            alias_resources: Vec::new(),
            waiver: None,
            takes_events: true,
            once_age: Duration::from_secs(24 * 3600),
            once_ids: 1_000_000,
        }
    }

    /// The log's public name, the first line of its checkpoints: no spaces, no `+`, best
    /// a URL without a scheme. Fixed at creation. Default: `bulla.local/` and the name
    /// of the directory.
    pub fn origin(mut self, origin: &str) -> Self {
        self.origin = Some(origin.to_owned());
        self
    }

    /// The hash of the tree. Fixed at creation. Default: SHA-256.
    pub fn hash(mut self, algorithm: HashAlgorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// A segment is sealed at this size: 64 KiB to 1 GiB. Default: 64 MiB. One frame
    /// may exceed it.
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes;
        self
    }

    /// A segment is sealed at this age, from a second on, less up to a tenth that depends
    /// on the log's identity. Default: a day.
    pub fn segment_age(mut self, age: Duration) -> Self {
        self.segment_age = age;
        self
    }

    /// When a record is acknowledged. Default: when it is on the disk.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Who does the background work. Default: a background thread.
    pub fn housekeeping(mut self, housekeeping: Housekeeping) -> Self {
        self.housekeeping = housekeeping;
        self
    }

    /// Frames start at multiples of 1, 512 or 4096 bytes. With 512 or 4096 no write touches
    /// a sector that holds an acknowledged frame. Default: 1.
    pub fn frame_align(mut self, bytes: u32) -> Self {
        self.frame_align = bytes;
        self
    }

    /// Whether sealed segments are read through memory maps. Default: yes. A map of a file
    /// that somebody truncates kills the process with SIGBUS.
    pub fn mmap(mut self, mmap: bool) -> Self {
        self.mmap = mmap;
        self
    }

    /// Whether sealed segments are given the operating system's immutable attribute (Linux),
    /// besides being made read-only. Not even root changes or removes such a file without
    /// taking the attribute away first; a drop does. Where it is not permitted the log goes on
    /// without, and [`Snapshot::stats`](crate::Snapshot::stats) says so. Default: only if the retention policy is in
    /// compliance mode.
    pub fn immutable(mut self, immutable: bool) -> Self {
        self.immutable = immutable;
        self
    }

    /// How far the wall clock may step back, or forward against the monotonic clock, before
    /// a segment is rotated and the step recorded. Default: 5 s.
    pub fn clock_tolerance(mut self, tolerance: Duration) -> Self {
        self.clock_tolerance = tolerance;
        self
    }

    /// How long [`Log::append_once`](crate::Log::append_once) knows an event by its id: as long as its record is at most
    /// so much older than the newest one, by the log's clock. Default: 24 h.
    pub fn once_age(mut self, age: Duration) -> Self {
        self.once_age = age;
        self
    }

    /// Among how many of the newest records [`Log::append_once`](crate::Log::append_once) looks for an id: 1 to 2³⁰. Each
    /// takes up to 16 bytes of memory, from the first use on; that use reads the records of the
    /// window. Default: 1,000,000.
    pub fn once_ids(mut self, ids: u64) -> Self {
        self.once_ids = ids;
        self
    }

    /// Bytes of events that may wait for the commit in flight. Default: 8 MiB.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
        self
    }

    /// What is taken out of every event before anything of it is hashed or written; in
    /// the thread that appends, before it waits for others. Default: nothing, because a
    /// service decides what is in its events, and a log that changes them unasked is no
    /// evidence. The command line redacts by default: what it imports, others wrote.
    ///
    /// ```
    /// use bulla::redact::{Redactor, card_numbers};
    /// use bulla::{Actor, Event, Log, Resource};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("audit");
    /// let redactor = Redactor::standard().pattern("card_numbers", card_numbers());
    /// let log = Log::options().redactor(redactor).create(&path)?;
    /// let event = Event::new(Actor::new("user", "al"), "user.create", Resource::new("user", "7"))
    ///     .new_values(serde_json::json!({"name": "Al", "password": "hunter2"}));
    /// let seq = log.append(&event)?.seq;
    /// let record = log.snapshot().get(seq)?;
    /// let redacted = record.event.redacted.ok_or("nothing was redacted")?;
    /// assert_eq!(redacted.paths, ["new_values/password"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn redactor(mut self, redactor: Redactor) -> Self {
        self.redactor = Some(redactor);
        self
    }

    /// Where the log gets its time from. Default: the system.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Where the log lives. Default: the file system.
    pub fn disk(mut self, disk: Arc<dyn Disk>) -> Self {
        self.disk = disk;
        self
    }

    /// The keys of this log's subjects: what is appended with a subject is encrypted, and
    /// what is encrypted can be read and erased. Default: none.
    pub fn key_store(mut self, store: KeyStore) -> Self {
        self.key_store = Some(store);
        self
    }

    /// Who is the subject of an event that names none. Default: nobody. Needs a key store.
    pub fn subject_rule(mut self, rule: SubjectRule) -> Self {
        self.subject_rule = rule;
        self
    }

    /// Whether `actor.id` and `on_behalf_of.id` are recorded as aliases, which are tied to the
    /// actor only by the keys of the subject `TYPE:ID`. Default: it is recorded as it is, and then goes only
    /// when its record expires. Needs a key store.
    pub fn alias_actors(mut self, alias: bool) -> Self {
        self.alias_actors = alias;
        self
    }

    /// The types of resources whose id is recorded as an alias, likewise: of the main one and of
    /// targets.
    /// Default: none. Needs a key store.
    pub fn alias_resources<K: Into<String>>(mut self, kinds: impl IntoIterator<Item = K>) -> Self {
        self.alias_resources = kinds.into_iter().map(Into::into).collect();
        self
    }

    /// Opens the log this once although its events are protected by more than these options have: a
    /// key store, a rule, or aliases are on record, and missing here. What is appended may be stored
    /// in plain text. The opening is put on record, with who asked and why, and the next one without
    /// is refused again. Default: it is refused.
    ///
    /// ```
    /// use bulla::{Attribution, Error, KeyStore, Log, WrappingKey};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("audit");
    /// let store = KeyStore::create(&dir.path().join("audit.keys"), &WrappingKey::generate()?)?;
    /// Log::options().key_store(store).create(&path)?.close()?;
    /// assert!(matches!(Log::open(&path), Err(Error::Unprotected { .. })));
    /// let asked = Attribution::by("carol").because("the store is in repair");
    /// let log = Log::options().allow_plaintext(&asked).open(&path)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn allow_plaintext(mut self, asked: &Attribution) -> Self {
        self.waiver = Some(Waiver::Once(asked.clone()));
        self
    }

    /// Makes the key store, the rule and the aliases of these options those of the log from here on,
    /// also if they are fewer, or others. Put on record, with who asked and why. More of them than
    /// before need no such word. Default: fewer are refused.
    pub fn change_protection(mut self, asked: &Attribution) -> Self {
        self.waiver = Some(Waiver::ForGood(asked.clone()));
        self
    }

    /// Opens the log for everything but events: to sign, seal, archive, expire and erase. That takes
    /// no key store and no rule. Default: events are taken.
    pub fn without_events(mut self) -> Self {
        self.takes_events = false;
        self
    }

    /// Refuses values that are out of their range.
    pub(crate) fn check_ranges(&self) -> Result<()> {
        let refuse = |name, reason: String| Err(Error::InvalidOption { name, reason });
        let (low, high) = (64 << 10, 1 << 30);
        if !(low..=high).contains(&self.segment_bytes) {
            let found = self.segment_bytes;
            return refuse("segment_bytes", format!("expected {low} to {high}, found {found}"));
        }
        if ![1, 512, 4096].contains(&self.frame_align) {
            let found = self.frame_align;
            return refuse("frame_align", format!("expected 1, 512 or 4096, found {found}"));
        }
        if self.segment_age < Duration::from_secs(1) {
            return refuse(
                "segment_age",
                format!("expected 1 s or more, found {:?}", self.segment_age),
            );
        }
        if !(1..=ONCE_IDS_MAX).contains(&self.once_ids) {
            let found = self.once_ids;
            return refuse("once_ids", format!("expected 1 to {ONCE_IDS_MAX}, found {found}"));
        }
        Ok(())
    }
}

impl Default for LogOptions {
    fn default() -> Self {
        LogOptions::new()
    }
}
