//! The key store: the keys of those whose payloads are encrypted, in a file of its own.
//!
//! The file stands outside the log's directory and outside its backups: to destroy a key
//! there is to erase what it encrypts everywhere. `docs/erasure.md` says what that reaches
//! and what it does not.

mod file;
#[cfg(test)]
mod tests;
mod wrapping;

use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::cipher;
use crate::disk::{self, Disk, DiskFile, Open, RealDisk, parent};
use crate::error::{Error, Result};
use crate::event::limits::SUBJECT_LEN_MAX;
use crate::format::LogId;
use crate::format::key_store::{Header, SubjectKeys};
use crate::random;
use crate::ranked::{Mutex, MutexGuard, Rank, RwLock, WriteGuard};
use crate::time::{Clock, SystemClock, Timestamp};
use file::StoreFile;

pub use crate::cipher::Identifier;
pub use crate::format::encrypted::KeyId;
pub use wrapping::WrappingKey;

/// An open key store. Cheap to clone; all clones are the same store.
///
/// All keys are held in memory: about 250 bytes a subject and its name. A new subject's
/// keys are on the disk before anything is encrypted with them, which costs two syncs; for
/// a subject that is known the disk is not touched.
///
/// One store is of one log: a certificate of erasure stands in the log that was asked.
///
/// ```
/// use bulla::{Actor, Attribution, Event, KeyStore, Log, PayloadState, Resource, WrappingKey};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let store = KeyStore::create(&dir.path().join("audit.keys"), &WrappingKey::generate()?)?;
/// let log = Log::options().key_store(store).create(dir.path().join("audit"))?;
/// let event = Event::new(Actor::new("user", "alice"), "profile.edit", Resource::kind_only("profile"))
///     .ip("203.0.113.9")
///     .subject("user:alice");
/// let seq = log.append(&event)?.seq;
/// assert_eq!(log.snapshot().get(seq)?.event.ip.as_deref(), Some("203.0.113.9"));
///
/// log.retention().erase("user:alice", &Attribution::by("dpo@example.com").because("request 17"))?;
/// let record = log.snapshot().get(seq)?;
/// assert_eq!(record.payload, PayloadState::Erased);
/// assert_eq!(record.event.ip, None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct KeyStore {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    store_id: [u8; 16],
    /// Locked before `file`.
    log_id: Mutex<Bound>,
    /// Locked before `keys`. `None` in a store that was opened for reading.
    file: Mutex<Option<StoreFile>>,
    keys: RwLock<Keys>,
    /// Held for as long as the store is open for writing.
    _lock: Option<Arc<dyn DiskFile>>,
}

/// Whose store it is.
struct Bound {
    log_id: Option<LogId>,
    /// A log was opened with it since it was opened.
    in_use: bool,
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyStore({})", self.shared.path.display())
    }
}

/// What a store says of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredSubject {
    /// Its name.
    pub subject: String,
    /// Names its key in records.
    pub key_id: KeyId,
    /// When its keys were drawn.
    pub created_at: Timestamp,
}

/// The keys by whose they are, and by the names that records know them by.
#[derive(Default)]
struct Keys {
    by_subject: HashSet<BySubject>,
    by_id: HashMap<KeyId, Arc<SubjectKeys>>,
}

/// Looked up by the subject's name, which is held once.
struct BySubject(Arc<SubjectKeys>);

impl Borrow<str> for BySubject {
    fn borrow(&self) -> &str {
        &self.0.subject
    }
}

impl Hash for BySubject {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.subject.as_str().hash(state);
    }
}

impl PartialEq for BySubject {
    fn eq(&self, other: &Self) -> bool {
        self.0.subject == other.0.subject
    }
}

impl Eq for BySubject {}

impl Keys {
    fn of_subject(&self, subject: &str) -> Option<Arc<SubjectKeys>> {
        self.by_subject.get(subject).map(|found| Arc::clone(&found.0))
    }

    /// Whether neither its subject nor its id was there.
    fn insert(&mut self, keys: SubjectKeys) -> bool {
        let keys = Arc::new(keys);
        self.by_id.insert(keys.key_id, Arc::clone(&keys)).is_none()
            && self.by_subject.insert(BySubject(keys))
    }

    fn remove(&mut self, id: KeyId) {
        if let Some(keys) = self.by_id.remove(&id) {
            self.by_subject.remove(keys.subject.as_str());
        }
    }
}

impl KeyStore {
    /// Makes a new store, readable by its owner alone.
    ///
    /// # Errors
    /// The file exists; it would stand inside a log; I/O.
    pub fn create(path: &Path, wrapping_key: &WrappingKey) -> Result<Self> {
        KeyStore::create_on(Arc::new(RealDisk), path, wrapping_key)
    }

    /// The same, on another disk.
    ///
    /// # Errors
    /// As [`KeyStore::create`].
    pub fn create_on(disk: Arc<dyn Disk>, path: &Path, wrapping_key: &WrappingKey) -> Result<Self> {
        refuse_inside_log(&*disk, path)?;
        let lock = take_lock(&*disk, path)?;
        let store_id = random::random_16()?;
        let (entries_key, check) = cipher::entries_key(wrapping_key.bytes(), &store_id);
        let header = Header { store_id, created_at: SystemClock::new().now(), check, log_id: None };
        let file = StoreFile::create(disk, path, header, entries_key)?;
        KeyStore::assemble(path, file, Vec::new(), Some(lock))
    }

    /// Opens a store for writing; creates none.
    ///
    /// # Errors
    /// `KeyStore`: the wrapping key is another one; the store stands inside a log; another
    /// process has it open for writing. `Corrupt`, `Unsupported`; I/O.
    pub fn open(path: &Path, wrapping_key: &WrappingKey) -> Result<Self> {
        KeyStore::open_on(Arc::new(RealDisk), path, wrapping_key)
    }

    /// The same, on another disk.
    ///
    /// # Errors
    /// As [`KeyStore::open`].
    pub fn open_on(disk: Arc<dyn Disk>, path: &Path, wrapping_key: &WrappingKey) -> Result<Self> {
        refuse_inside_log(&*disk, path)?;
        check_there(&*disk, path)?;
        let lock = take_lock(&*disk, path)?;
        let (file, keys) = StoreFile::open(disk, path, wrapping_key, Open::ReadWrite)?;
        KeyStore::assemble(path, file, keys, Some(lock))
    }

    /// Opens a store for reading, also while another process writes it. It has the keys of
    /// this moment and draws none.
    ///
    /// # Errors
    /// As [`KeyStore::open`], but for the other process.
    pub fn open_read_only(path: &Path, wrapping_key: &WrappingKey) -> Result<Self> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        refuse_inside_log(&*disk, path)?;
        check_there(&*disk, path)?;
        let (file, keys) = StoreFile::open(disk, path, wrapping_key, Open::Read)?;
        KeyStore::assemble(path, file, keys, None)
    }

    fn assemble(
        path: &Path,
        file: StoreFile,
        read: Vec<SubjectKeys>,
        lock: Option<Arc<dyn DiskFile>>,
    ) -> Result<Self> {
        let mut keys = Keys::default();
        for subject in read {
            let id = subject.key_id;
            if !keys.insert(subject) {
                let found = format!("the key {id}, or its subject, twice");
                return Err(Error::corrupt(path, 0, "each key and subject once", found));
            }
        }
        let store_id = file.header.store_id;
        let log_id =
            Mutex::new(Rank::KeyStoreLog, Bound { log_id: file.header.log_id, in_use: false });
        let file = Mutex::new(Rank::KeyStoreFile, lock.is_some().then_some(file));
        let (path, keys) = (path.to_owned(), RwLock::new(Rank::KeyStoreKeys, keys));
        Ok(KeyStore {
            shared: Arc::new(Shared { path, store_id, log_id, file, keys, _lock: lock }),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Random; tells stores apart.
    pub fn store_id(&self) -> [u8; 16] {
        self.shared.store_id
    }

    /// Whose keys it holds, by name.
    pub fn subjects(&self) -> Vec<StoredSubject> {
        let keys = self.shared.keys.read();
        let mut subjects: Vec<_> = keys.by_id.values().map(|keys| stored(keys)).collect();
        subjects.sort_unstable_by(|a, b| a.subject.cmp(&b.subject));
        subjects
    }

    /// What it says of a subject; `None` if it has no keys of it.
    pub fn subject(&self, subject: &str) -> Option<StoredSubject> {
        self.shared.keys.read().of_subject(subject).map(|keys| stored(&keys))
    }

    /// The alias under which an identifier was recorded, to query by; `None` if there are no
    /// keys of the subject `KIND:ID`: it was never recorded under an alias, or it was erased.
    pub fn alias(&self, which: Identifier, kind: &str, id: &str) -> Option<String> {
        let keys = self.shared.keys.read().of_subject(&subject_of(kind, id))?;
        Some(cipher::alias(&keys.alias_key, which, kind, id))
    }

    /// The aliases under which an identifier of this kind, or of any, was recorded, each with
    /// its kind.
    pub fn aliases(
        &self,
        which: Identifier,
        kind: Option<&str>,
        id: &str,
    ) -> Vec<(String, String)> {
        let named = |kind: &str| Some((kind.to_owned(), self.alias(which, kind, id)?));
        match kind {
            Some(kind) => named(kind).into_iter().collect(),
            None => {
                let subjects = self.subjects();
                let kinds = subjects
                    .iter()
                    .filter_map(|stored| stored.subject.strip_suffix(id)?.strip_suffix(':'));
                kinds.filter_map(named).collect()
            }
        }
    }

    /// All aliases that its keys make.
    pub(crate) fn all_aliases(&self) -> BTreeSet<String> {
        let mut aliases = BTreeSet::new();
        for stored in self.subjects() {
            // Both the type and the id may have a colon.
            for (at, colon) in stored.subject.match_indices(':') {
                let (kind, id) = (&stored.subject[..at], &stored.subject[at + colon.len()..]);
                for which in [Identifier::Actor, Identifier::Resource] {
                    aliases.extend(self.alias(which, kind, id));
                }
            }
        }
        aliases
    }

    /// Encrypts the store under another wrapping key. Nothing else changes; the old one
    /// opens it no longer, but opens old copies of the file.
    ///
    /// # Errors
    /// The store was opened for reading; I/O: open it again, with the one or the other.
    pub fn rewrap(&self, wrapping_key: &WrappingKey) -> Result<()> {
        let mut file = self.shared.file.lock();
        let file = self.writable(&mut file)?;
        let keys = self.shared.keys.read();
        file.replace(keys.by_id.values().map(|keys| &**keys), Some(wrapping_key))
    }

    /// The log whose store it is: that of the first log that was opened with it.
    pub fn log_id(&self) -> Option<LogId> {
        self.shared.log_id.lock().log_id
    }

    /// Makes it the store of a log, for good, unless it has no keys yet. What is erased for
    /// one log would be gone from another one, without that one's holds and certificates.
    ///
    /// # Errors
    /// `KeyStore` if it is the store of another log; I/O.
    pub(crate) fn bind(&self, log_id: LogId) -> Result<()> {
        let mut bound = self.shared.log_id.lock();
        let mut file = self.shared.file.lock();
        let keys = self.shared.keys.read();
        if bound.in_use || !keys.by_id.is_empty() {
            self.check_of(bound.log_id, log_id)?;
        }
        // One that is only read is bound by whoever opens it for writing.
        if let Some(file) = file.as_mut().filter(|_| bound.log_id != Some(log_id)) {
            file.bind(log_id, keys.by_id.values().map(|keys| &**keys))?;
        }
        *bound = Bound { log_id: Some(log_id), in_use: true };
        Ok(())
    }

    /// Refuses a store with the keys of another log: it has none of this one's.
    ///
    /// # Errors
    /// `KeyStore` if it is one.
    pub(crate) fn check_is_of(&self, log_id: LogId) -> Result<()> {
        let bound = self.shared.log_id.lock();
        if self.shared.keys.read().by_id.is_empty() {
            return Ok(());
        }
        self.check_of(bound.log_id, log_id)
    }

    fn check_of(&self, bound: Option<LogId>, log_id: LogId) -> Result<()> {
        match bound.filter(|of| *of != log_id) {
            None => Ok(()),
            Some(of) => Err(self.error(format!(
                "expected the key store of log {log_id}, found that of log {of}: each log has a \
                 store of its own"
            ))),
        }
    }

    /// The keys of a subject, if there are any.
    pub(crate) fn known(&self, subject: &str) -> Option<Arc<SubjectKeys>> {
        self.shared.keys.read().of_subject(subject)
    }

    /// The keys of a subject that is new, drawn and durable.
    pub(crate) fn draw(&self, subject: &str) -> Result<Arc<SubjectKeys>> {
        self.prepare([subject].into_iter())?;
        self.known(subject).ok_or_else(|| {
            self.error(format!("the keys of {subject:?} were destroyed at this moment: try again"))
        })
    }

    /// Draws the keys of those subjects that have none, all at once.
    pub(crate) fn prepare<'s>(&self, subjects: impl Iterator<Item = &'s str>) -> Result<()> {
        let mut unknown: Vec<&str> = {
            let keys = self.shared.keys.read();
            subjects.filter(|subject| !keys.by_subject.contains(*subject)).collect()
        };
        if unknown.is_empty() {
            return Ok(());
        }
        unknown.sort_unstable();
        unknown.dedup();
        let mut file = self.shared.file.lock();
        let file = self.writable(&mut file)?;
        let mut drawn = Vec::new();
        for subject in unknown {
            // Another thread may have been quicker.
            if !self.shared.keys.read().by_subject.contains(subject) {
                drawn.push(draw(subject)?);
            }
        }
        file.add(&drawn)?;
        let mut keys = self.shared.keys.write();
        for subject in drawn {
            keys.insert(subject);
        }
        Ok(())
    }

    /// The key that a record names.
    pub(crate) fn key(&self, id: KeyId) -> Option<Arc<SubjectKeys>> {
        self.shared.keys.read().by_id.get(&id).map(Arc::clone)
    }

    /// Takes the store to destroy the keys of a subject: nobody encrypts or decrypts until
    /// that is done or given up.
    pub(crate) fn erasing(&self) -> Result<Erasing<'_>> {
        let mut file = self.shared.file.lock();
        self.writable(&mut file)?.check_whole()?;
        let keys = self.shared.keys.write();
        Ok(Erasing { file, keys })
    }

    /// Replaces the file if it still has keys that were destroyed when there was no space.
    ///
    /// # Errors
    /// `DiskFull` (there is none yet), I/O.
    pub(crate) fn finish_destroying(&self) -> Result<()> {
        let mut file = self.shared.file.lock();
        let keys = self.shared.keys.read();
        match file.as_mut().filter(|file| file.has_destroyed()) {
            Some(file) => file.replace(keys.by_id.values().map(|keys| &**keys), None),
            None => Ok(()),
        }
    }

    fn writable<'f>(&self, file: &'f mut Option<StoreFile>) -> Result<&'f mut StoreFile> {
        file.as_mut()
            .ok_or_else(|| self.error("it was opened for reading: open it for writing".to_owned()))
    }

    pub(crate) fn error(&self, reason: String) -> Error {
        Error::KeyStore { path: self.shared.path.clone(), reason }
    }
}

/// The store while keys of it are destroyed.
pub(crate) struct Erasing<'s> {
    file: MutexGuard<'s, Option<StoreFile>>,
    keys: WriteGuard<'s, Keys>,
}

impl Erasing<'_> {
    /// Destroys these keys, in memory and in the file. Those that are not there are
    /// destroyed already.
    pub(crate) fn destroy(mut self, ids: &[KeyId]) -> Result<()> {
        if !ids.iter().any(|id| self.keys.by_id.contains_key(id)) {
            return Ok(());
        }
        ids.iter().for_each(|id| self.keys.remove(*id));
        let Erasing { file, keys } = &mut self;
        match &mut **file {
            Some(file) => file.destroy(keys.by_id.values().map(|keys| &**keys)),
            None => Ok(()),
        }
    }
}

/// The subject that an actor or a resource is: `TYPE:ID`.
pub(crate) fn subject_of(kind: &str, id: &str) -> String {
    format!("{kind}:{id}")
}

fn stored(keys: &SubjectKeys) -> StoredSubject {
    let SubjectKeys { subject, key_id, created_at, .. } = keys;
    StoredSubject { subject: subject.clone(), key_id: *key_id, created_at: *created_at }
}

fn draw(subject: &str) -> Result<SubjectKeys> {
    if !(1..=SUBJECT_LEN_MAX).contains(&subject.len()) {
        let found = subject.len();
        let reason = format!("expected 1 to {SUBJECT_LEN_MAX} bytes, found {found}");
        return Err(Error::InvalidOption { name: "subject", reason });
    }
    let mut random = Zeroizing::new([0; 80]);
    random::fill(&mut *random)?;
    Ok(cipher::new_keys(subject, &random, SystemClock::new().now()))
}

fn check_there(disk: &dyn Disk, path: &Path) -> Result<()> {
    match disk.exists(path).map_err(Error::io("look for", path))? {
        true => Ok(()),
        false => {
            let reason = "there is none: make one with `bulla keystore create`, or correct the \
                          path"
                .to_owned();
            Err(Error::KeyStore { path: path.to_owned(), reason })
        }
    }
}

/// Two processes that write would lose each other's keys.
fn take_lock(disk: &dyn Disk, path: &Path) -> Result<Arc<dyn DiskFile>> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let opened = disk::open_lock_file(disk, &name, Open::CreateNewPrivate);
    let lock = opened.map_err(Error::io("open", &name))?;
    match lock.try_lock().map_err(Error::io("lock", &name))? {
        true => Ok(lock),
        false => {
            let reason =
                "another process has it open for writing: stop that one, or do it there".to_owned();
            Err(Error::KeyStore { path: path.to_owned(), reason })
        }
    }
}

/// A store inside a log's directory would be in every backup of the log, and from a backup
/// a destroyed key comes back.
fn refuse_inside_log(disk: &dyn Disk, path: &Path) -> Result<()> {
    // A link may lead into one.
    let real = match disk.exists(path).map_err(Error::io("look for", path))? {
        true => disk.real_path(path),
        false => disk.real_path(parent(path)).map(|dir| dir.join("store")),
    };
    let real = real.map_err(Error::io("look for", path))?;
    for dir in real.ancestors().skip(1) {
        let has = |name: &str| {
            let path = dir.join(name);
            disk.exists(&path).map_err(Error::io("look for", &path))
        };
        let is_log = has("catalog")? && has("segments")?;
        let is_vault = has("control")? && has("logs")?;
        if is_log || is_vault {
            let what = if is_log { "log" } else { "vault" };
            let reason = format!(
                "it would stand inside the {what} {}, and so in its backups, from which a destroyed \
                 key would come back: keep it elsewhere",
                dir.display()
            );
            return Err(Error::KeyStore { path: path.to_owned(), reason });
        }
    }
    Ok(())
}
