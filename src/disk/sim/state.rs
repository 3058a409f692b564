//! Everything a simulated disk remembers, and its operations.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::fault::{self, Extent, Fate, Schedule, Sort};
use super::names::{Names, NodeId, Target};
use super::node::{Node, SECTOR};
use super::prng::Prng;
use crate::disk::files::{Open, Protection};

/// How many operations the trace goes back.
const TRACE_LEN: usize = 1_000;
/// How many sectors of removed files may turn up as garbage.
const STALE_LEN: usize = 64;
/// Files are held in memory: larger ones are a mistake of the test.
const FILE_MAX: u64 = 1 << 30;

/// A file and who has it open.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) node: Node,
    handles: u64,
    /// The handle that holds the lock.
    pub(super) lock: Option<u64>,
    pub(super) protection: Protection,
}

impl Default for File {
    fn default() -> Self {
        File { node: Node::default(), handles: 0, lock: None, protection: Protection::None }
    }
}

#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) prng: Prng,
    /// Rises with every crash; handles of an older one are dead.
    pub(super) epoch: u64,
    pub(super) names: Names,
    pub(super) files: BTreeMap<NodeId, File>,
    /// The id of the next file, directory or handle; 0 is the root directory.
    next_id: u64,
    pub(super) schedule: Schedule,
    pub(super) capacity: u64,
    /// How many files may be open at a time.
    pub(super) open_limit: u64,
    pub(super) syncs: u64,
    pub(super) trace: VecDeque<String>,
    stale: Vec<Vec<u8>>,
}

/// What a handle knows of itself.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) id: u64,
    pub(super) epoch: u64,
    pub(super) node: NodeId,
    pub(super) writable: bool,
    pub(super) path: PathBuf,
}

impl State {
    pub(super) fn new(seed: u64) -> State {
        State {
            prng: Prng::new(seed),
            epoch: 0,
            names: Names::default(),
            files: BTreeMap::new(),
            next_id: 1,
            schedule: Schedule::default(),
            capacity: u64::MAX,
            open_limit: u64::MAX,
            syncs: 0,
            trace: VecDeque::new(),
            stale: Vec::new(),
        }
    }

    pub(super) fn fork(&self, seed: u64) -> State {
        let mut fork = State { prng: Prng::new(seed), ..self.clone() };
        fork.epoch += 1;
        fork.forget_handles();
        fork
    }

    pub(super) fn crash(&mut self) {
        self.note("crash".to_owned());
        self.epoch += 1;
        self.schedule.reset();
        self.names.crash(&mut self.prng);
        self.forget_handles();
        self.collect();
        for file in self.files.values_mut() {
            file.node.crash(&mut self.prng, &self.stale);
        }
    }

    fn forget_handles(&mut self) {
        for file in self.files.values_mut() {
            file.handles = 0;
            file.lock = None;
        }
    }

    /// Lets go of files that nobody can reach any more; their bytes may turn up as
    /// garbage elsewhere.
    fn collect(&mut self) {
        let nameable = self.names.nameable();
        self.files.retain(|id, file| {
            let kept = file.handles > 0 || nameable.contains(id);
            if !kept {
                self.stale.extend(file.node.leavings(STALE_LEN));
            }
            kept
        });
        let excess = self.stale.len().saturating_sub(STALE_LEN);
        self.stale.drain(..excess);
    }

    pub(super) fn note(&mut self, what: String) {
        if self.trace.len() == TRACE_LEN {
            self.trace.pop_front();
        }
        self.trace.push_back(format!("{} {what}", self.schedule.operations));
    }

    /// Space taken up by files that have a name or are open, in bytes.
    pub(super) fn used_bytes(&self) -> u64 {
        let named = self.names.named();
        let taken = self.files.iter().filter(|(id, file)| file.handles > 0 || named.contains(id));
        taken.map(|(_, file)| file.node.used_bytes()).sum()
    }

    fn room(&self) -> u64 {
        if self.capacity == u64::MAX {
            return u64::MAX; // spares the count
        }
        self.capacity.saturating_sub(self.used_bytes())
    }

    pub(super) fn running(&self) -> io::Result<()> {
        if self.schedule.stopped() { Err(fault::stopped()) } else { Ok(()) }
    }

    /// The file of a handle that is still alive.
    pub(super) fn file(&mut self, handle: &Handle) -> io::Result<&mut File> {
        if handle.epoch != self.epoch {
            return Err(fault::dead_handle());
        }
        self.running()?;
        self.files.get_mut(&handle.node).ok_or_else(fault::dead_handle)
    }

    fn file_to_write(&mut self, handle: &Handle) -> io::Result<&mut File> {
        let file = self.file(handle)?;
        if handle.writable { Ok(file) } else { Err(Errno::BADF.into()) }
    }

    /// Runs an operation that happens as a whole or not at all.
    fn whole<T>(
        &mut self,
        sort: Sort,
        label: String,
        act: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        self.running()?;
        let fate = self.schedule.next(sort);
        self.note(format!("{label}: {fate:?}"));
        match fate {
            Fate::Done => act(self),
            Fate::Fails(extent, error) => {
                let happens = match extent {
                    Extent::Everything => true,
                    Extent::Any => self.prng.coin(),
                    Extent::Nothing | Extent::SomeBytes => false,
                };
                if happens {
                    act(self)?;
                }
                Err(error)
            }
        }
    }

    pub(super) fn create_dir(&mut self, path: &Path) -> io::Result<()> {
        self.whole(Sort::Space, format!("create_dir {}", path.display()), |state| {
            let id = state.new_id();
            state.names.add(path, Target::Dir(id))
        })
    }

    pub(super) fn open(&mut self, path: &Path, how: Open) -> io::Result<Handle> {
        self.running()?;
        if self.open_files() >= self.open_limit {
            return Err(Errno::MFILE.into());
        }
        let node = match how {
            Open::Read => self.names.file(path)?,
            Open::ReadWrite => self.unprotected(path, Protection::ReadOnly, Errno::ACCESS)?,
            Open::CreateNew | Open::CreateNewPrivate => self.create_file(path)?,
        };
        let id = self.new_id();
        self.files.entry(node).or_default().handles += 1;
        let (epoch, writable) = (self.epoch, how != Open::Read);
        Ok(Handle { id, epoch, node, writable, path: path.to_owned() })
    }

    /// How many handles there are.
    pub(super) fn open_files(&self) -> u64 {
        self.files.values().map(|file| file.handles).sum()
    }

    fn create_file(&mut self, path: &Path) -> io::Result<NodeId> {
        self.whole(Sort::Space, format!("create {}", path.display()), |state| {
            let id = state.new_id();
            state.names.add(path, Target::File(id))?;
            state.files.insert(id, File::default());
            Ok(id)
        })
    }

    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// The file at a path, unless it is protected as much as this.
    fn unprotected(&self, path: &Path, than: Protection, error: Errno) -> io::Result<NodeId> {
        let id = self.names.file(path)?;
        let file = self.files.get(&id);
        if file.is_some_and(|file| file.protection >= than) { Err(error.into()) } else { Ok(id) }
    }

    /// Durable at once: nobody counts on it.
    pub(super) fn set_protection(&mut self, path: &Path, to: Protection) -> io::Result<()> {
        self.running()?;
        let id = self.names.file(path)?;
        self.files.entry(id).or_default().protection = to;
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let label = format!("rename {} {}", from.display(), to.display());
        self.whole(Sort::Space, label, |state| state.names.rename(from, to))
    }

    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        self.whole(Sort::Remove, format!("remove {}", path.display()), |state| {
            if state.names.file(path).is_ok() {
                state.unprotected(path, Protection::Immutable, Errno::PERM)?;
            }
            state.names.remove(path)
        })
    }

    pub(super) fn remove_dir(&mut self, path: &Path) -> io::Result<()> {
        let what = format!("remove_dir {}", path.display());
        self.whole(Sort::Remove, what, |state| state.names.remove_dir(path))
    }

    pub(super) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        self.running()?;
        let dir = self.names.dir(path)?;
        self.syncs += 1;
        let fate = self.schedule.next(Sort::Sync);
        self.note(format!("sync_dir {}: {fate:?}", path.display()));
        match self.sync_happens(&fate) {
            true => {
                self.names.sync(dir);
                self.collect();
            }
            false => self.names.fail_sync(dir),
        }
        reported(fate)
    }

    fn sync_happens(&mut self, fate: &Fate) -> bool {
        match fate {
            Fate::Done | Fate::Fails(Extent::Everything, _) => true,
            Fate::Fails(Extent::Any, _) => self.prng.coin(),
            Fate::Fails(Extent::Nothing | Extent::SomeBytes, _) => false,
        }
    }

    pub(super) fn sync_data(&mut self, handle: &Handle) -> io::Result<()> {
        self.file(handle)?;
        self.syncs += 1;
        let fate = self.schedule.next(Sort::Sync);
        self.note(format!("sync_data {}: {fate:?}", handle.path.display()));
        let happens = self.sync_happens(&fate);
        let node = &mut self.file_even_if_stopped(handle)?.node;
        if happens {
            node.sync()
        } else {
            node.fail_sync()
        }
        reported(fate)
    }

    /// The operation in which the machine stops still touches its file.
    fn file_even_if_stopped(&mut self, handle: &Handle) -> io::Result<&mut File> {
        self.files.get_mut(&handle.node).ok_or_else(fault::dead_handle)
    }

    pub(super) fn write(&mut self, handle: &Handle, bytes: &[u8], at: u64) -> io::Result<()> {
        self.file_to_write(handle)?;
        checked_end(at, bytes.len() as u64)?;
        let fate = self.schedule.next(Sort::Write);
        self.note(format!("write {} {at}+{}: {fate:?}", handle.path.display(), bytes.len()));
        let done = match &fate {
            Fate::Done | Fate::Fails(Extent::Everything, _) => bytes.len(),
            Fate::Fails(Extent::SomeBytes, _) => self.prng.below(bytes.len()),
            Fate::Fails(Extent::Any, _) => self.prng.below(bytes.len() + 1),
            Fate::Fails(Extent::Nothing, _) => 0,
        };
        let fitting = self.fitting(handle, done, at)?;
        self.file_even_if_stopped(handle)?.node.write(&bytes[..fitting], at);
        reported(fate)?;
        if fitting < done { Err(Errno::NOSPC.into()) } else { Ok(()) }
    }

    /// How many of `len` bytes at `at` the disk has room for.
    fn fitting(&mut self, handle: &Handle, len: usize, at: u64) -> io::Result<usize> {
        let room = self.room();
        let node = &self.file_even_if_stopped(handle)?.node;
        let fits = |len: u64| node.wanted_bytes(at..at + len) <= room;
        let mut len = len as u64;
        while !fits(len) {
            // Back to the sector boundary below; the first one that fits.
            len = ((at + len - 1) / SECTOR * SECTOR).saturating_sub(at);
        }
        Ok(usize::try_from(len).unwrap_or(usize::MAX))
    }

    pub(super) fn set_len(&mut self, handle: &Handle, len: u64) -> io::Result<()> {
        self.file_to_write(handle)?;
        checked_end(0, len)?;
        self.whole(Sort::Space, format!("set_len {} {len}", handle.path.display()), |state| {
            state.file_even_if_stopped(handle)?.node.resize(len);
            Ok(())
        })
    }

    pub(super) fn allocate(&mut self, handle: &Handle, at: u64, len: u64) -> io::Result<()> {
        self.file_to_write(handle)?;
        let range = at..checked_end(at, len)?;
        let label = format!("allocate {} {at}+{len}", handle.path.display());
        self.whole(Sort::Space, label, |state| {
            let room = state.room();
            let node = &mut state.file_even_if_stopped(handle)?.node;
            if node.wanted_bytes(range.clone()) > room {
                return Err(Errno::NOSPC.into());
            }
            node.reserve(range);
            Ok(())
        })
    }

    pub(super) fn drop_cache(&mut self, handle: &Handle, at: u64, len: u64) -> io::Result<()> {
        self.file(handle)?;
        let (prng, stale) = (&mut self.prng, &self.stale);
        if let Some(file) = self.files.get_mut(&handle.node) {
            file.node.drop_cache(at..at.saturating_add(len), prng, stale);
        }
        Ok(())
    }

    pub(super) fn close(&mut self, handle: &Handle) {
        if handle.epoch != self.epoch {
            return;
        }
        if let Some(file) = self.files.get_mut(&handle.node) {
            file.handles = file.handles.saturating_sub(1);
            file.lock = file.lock.filter(|holder| *holder != handle.id);
        }
    }

    /// Puts a file there from outside, durable at once, and its directory with it.
    pub(super) fn plant(&mut self, path: &Path, bytes: Vec<u8>) -> io::Result<()> {
        let id = match self.names.file(path) {
            Ok(id) => id,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let id = self.new_id();
                self.names.add(path, Target::File(id))?;
                id
            }
            Err(error) => return Err(error),
        };
        self.files.entry(id).or_default().node = Node::durable(bytes);
        let dir = self.names.dir(path.parent().unwrap_or(Path::new("")))?;
        self.names.sync(dir);
        Ok(())
    }
}

fn reported(fate: Fate) -> io::Result<()> {
    match fate {
        Fate::Done => Ok(()),
        Fate::Fails(_, error) => Err(error),
    }
}

fn checked_end(at: u64, len: u64) -> io::Result<u64> {
    let end = at.checked_add(len).filter(|end| *end <= FILE_MAX);
    end.ok_or_else(|| io::ErrorKind::FileTooLarge.into())
}
