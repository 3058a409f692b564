//! Directory entries: as they are now, as the device holds them, and the changes
//! between the two.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path};

use super::prng::Prng;

/// Identifies a file or a directory for good, whatever it is called.
pub(super) type NodeId = u64;

/// The directory that is always there.
const ROOT: NodeId = 0;

/// A name in a directory.
pub(super) type Entry = (NodeId, String);

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    File(NodeId),
    Dir(NodeId),
}

type Image = BTreeMap<Entry, Target>;

/// One change of names: `removed` goes and `added` comes, both or neither.
#[derive(Clone, Debug)]
struct Change {
    removed: Option<Entry>,
    added: Option<Entry>,
    target: Target,
    /// A failed sync forgot it: no later sync stores it.
    lost: bool,
}

impl Change {
    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.removed.iter().chain(&self.added)
    }

    fn touches(&self, dir: NodeId) -> bool {
        self.entries().any(|entry| entry.0 == dir)
    }

    /// Applies it, unless what it builds on is not there.
    fn apply(&self, image: &mut Image) {
        match (&self.removed, &self.added) {
            (Some(from), _) if image.get(from) != Some(&self.target) => return,
            (None, Some(to)) if image.contains_key(to) => return,
            _ => {}
        }
        self.removed.as_ref().map(|from| image.remove(from));
        self.added.as_ref().map(|to| image.insert(to.clone(), self.target));
    }
}

/// All names of the disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    current: Image,
    durable: Image,
    /// Changes that no sync has stored, in order.
    pending: Vec<Change>,
}

impl Names {
    pub(super) fn get(&self, path: &Path) -> io::Result<Target> {
        let mut at = Target::Dir(ROOT);
        for name in components(path)? {
            at = match at {
                Target::Dir(dir) => {
                    *self.current.get(&(dir, name)).ok_or(io::ErrorKind::NotFound)?
                }
                Target::File(_) => return Err(io::ErrorKind::NotADirectory.into()),
            };
        }
        Ok(at)
    }

    pub(super) fn file(&self, path: &Path) -> io::Result<NodeId> {
        match self.get(path)? {
            Target::File(id) => Ok(id),
            Target::Dir(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    pub(super) fn dir(&self, path: &Path) -> io::Result<NodeId> {
        match self.get(path)? {
            Target::Dir(id) => Ok(id),
            Target::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// The entry that the path names; its directory must be there.
    fn entry(&self, path: &Path) -> io::Result<Entry> {
        let mut names = components(path)?;
        let name = names.pop().ok_or(io::ErrorKind::InvalidInput)?;
        Ok((self.dir(&names.iter().collect::<std::path::PathBuf>())?, name))
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let dir = self.dir(path)?;
        let entries = self.current.range((dir, String::new())..(dir + 1, String::new()));
        Ok(entries.map(|((_, name), _)| name.clone()).collect())
    }

    pub(super) fn add(&mut self, path: &Path, target: Target) -> io::Result<()> {
        let entry = self.entry(path)?;
        if self.current.contains_key(&entry) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.change(None, Some(entry), target);
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let target = Target::File(self.file(path)?);
        let entry = self.entry(path)?;
        self.change(Some(entry), None, target);
        Ok(())
    }

    pub(super) fn remove_dir(&mut self, path: &Path) -> io::Result<()> {
        let target = Target::Dir(self.dir(path)?);
        if !self.list(path)?.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let entry = self.entry(path)?;
        self.change(Some(entry), None, target);
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let target = self.get(from)?;
        let (from, to) = (self.entry(from)?, self.entry(to)?);
        if let (Target::File(_), Some(Target::Dir(_))) | (Target::Dir(_), Some(_)) =
            (target, self.current.get(&to))
        {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if from != to {
            self.change(Some(from), Some(to), target);
        }
        Ok(())
    }

    fn change(&mut self, removed: Option<Entry>, added: Option<Entry>, target: Target) {
        let change = Change { removed, added, target, lost: false };
        change.apply(&mut self.current);
        self.pending.push(change);
    }

    /// Makes the entries of a directory durable, and with them what they build on
    /// elsewhere. What builds on a change that was lost is lost with it; a name that is
    /// given anew since is stored anew, and its lost change is past.
    pub(super) fn sync(&mut self, dir: NodeId) {
        let chosen = self.needed_for(dir);
        let pending = std::mem::take(&mut self.pending);
        for (change, chosen) in pending.into_iter().zip(chosen) {
            let lost = change.lost || self.builds_on_lost(&change);
            if chosen && !lost {
                self.pending.retain(|past| !past.lost || past.added != change.added);
                if let (None, Some(made)) = (&change.removed, &change.added) {
                    // What had the name before is gone, even if its removal was lost.
                    self.durable.remove(made);
                    self.pending.retain(|past| !past.lost || past.removed.as_ref() != Some(made));
                }
                change.apply(&mut self.durable);
            } else {
                self.pending.push(Change { lost, ..change });
            }
        }
    }

    /// Whether a lost change put there what this one moves or removes.
    fn builds_on_lost(&self, change: &Change) -> bool {
        let gave = |past: &Change| past.added == change.removed && past.target == change.target;
        change.removed.is_some() && self.pending.iter().any(|past| past.lost && gave(past))
    }

    /// For each pending change, whether syncing the directory must store it.
    fn needed_for(&self, dir: NodeId) -> Vec<bool> {
        let mut needed: BTreeSet<&Entry> = BTreeSet::new();
        let mut chosen: Vec<bool> = Vec::with_capacity(self.pending.len());
        for change in self.pending.iter().rev() {
            let wanted =
                change.touches(dir) || change.entries().any(|entry| needed.contains(entry));
            if wanted {
                needed.extend(change.entries());
            }
            chosen.push(wanted);
        }
        chosen.reverse();
        chosen
    }

    /// A directory sync that failed without storing anything.
    pub(super) fn fail_sync(&mut self, dir: NodeId) {
        for change in self.pending.iter_mut().filter(|change| change.touches(dir)) {
            change.lost = true;
        }
    }

    /// The power goes: each change that was not synced happened or did not.
    pub(super) fn crash(&mut self, prng: &mut Prng) {
        let pattern = prng.below(4);
        for change in std::mem::take(&mut self.pending) {
            let happened = match pattern {
                0 => false,
                1 => true,
                _ => prng.coin(),
            };
            if happened {
                change.apply(&mut self.durable);
            }
        }
        let reachable = reachable_dirs(&self.durable);
        self.durable.retain(|(dir, _), _| reachable.contains(dir));
        self.current = self.durable.clone();
    }

    /// Files that have a name now.
    pub(super) fn named(&self) -> BTreeSet<NodeId> {
        self.current.values().filter_map(file_id).collect()
    }

    /// Files that have a name now, or may have one again after a crash.
    pub(super) fn nameable(&self) -> BTreeSet<NodeId> {
        let mut all = self.named();
        all.extend(self.durable.values().filter_map(file_id));
        all.extend(self.pending.iter().filter_map(|change| file_id(&change.target)));
        all
    }
}

fn file_id(target: &Target) -> Option<NodeId> {
    match target {
        Target::File(id) => Some(*id),
        Target::Dir(_) => None,
    }
}

fn reachable_dirs(image: &Image) -> BTreeSet<NodeId> {
    let (mut reached, mut next) = (BTreeSet::from([ROOT]), vec![ROOT]);
    while let Some(dir) = next.pop() {
        for target in image.range((dir, String::new())..(dir + 1, String::new())).map(|(_, t)| t) {
            if let Target::Dir(id) = target
                && reached.insert(*id)
            {
                next.push(*id);
            }
        }
    }
    reached
}

/// The names on the way from the root, which `/`, `.` and the empty path stand for.
fn components(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => {
                names.push(name.to_str().ok_or(io::ErrorKind::InvalidInput)?.to_owned());
            }
            Component::ParentDir => drop(names.pop()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Ok(names)
}
