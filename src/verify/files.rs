//! Every other file of the directory: what is published, derived or set aside, and what is
//! none of the log's.

use std::path::{Path, PathBuf};

use super::report::NOWHERE;
use super::settled;
use super::verifier::{Verifier, durable_size};
use crate::directory::checkpoints;
use crate::directory::quarantine::digest_of;
use crate::disk::{self, Open};
use crate::error::{Error, Result};
use crate::format::lock::{self, LockFile};
use crate::format::names;
use crate::tree;

/// Bytes of one file in the quarantine, at most.
const ASIDE_MAX: u64 = 64 << 20;

impl Verifier<'_> {
    pub(super) fn other_files(&mut self) -> Result<()> {
        self.hash_file_ends()?;
        self.lock_files()?;
        self.quarantine()?;
        self.unknown_files()
    }

    /// Hash files that begin wrong, or go on behind the last record.
    fn hash_file_ends(&mut self) -> Result<()> {
        for bad in self.stored.files.bad_headers(self.dir.log_id()) {
            let place = (None, Some(0), None);
            self.finding(&bad.path, place, "hash file header", bad.expected, bad.found);
        }
        let mut surplus = Vec::new();
        for _ in 0..self.options.readings() {
            // A writer may have gone on since.
            let durable = durable_size(&self.dir);
            let marks = settled::marks(&self.dir, self.options)?;
            let marked = marks.newest().map(|mark| mark.frontier.size());
            let size = self.frontier.size().max(durable).max(marked.unwrap_or_default());
            surplus = if self.tree_lost { Vec::new() } else { self.stored.files.surplus(size)? };
            if surplus.is_empty() {
                break;
            }
            self.options.wait_for_writer();
        }
        for (path, offset, len) in surplus {
            let found = format!("{} bytes", len.saturating_sub(offset));
            let place = (None, Some(offset), None);
            self.warning(&path, place, "behind the last hash", "nothing", found);
        }
        Ok(())
    }

    fn lock_files(&mut self) -> Result<()> {
        let path = self.dir.lock_file();
        let mut odd = None;
        for _ in 0..self.options.readings() {
            odd = self.odd_lock(&path)?;
            if odd.is_none() {
                break;
            }
            self.options.wait_for_writer();
        }
        if let Some(found) = odd {
            self.warning(&path, NOWHERE, "lock file", "what the last writer told", found);
        }
        let path = self.dir.catalog().join(names::LOCK);
        let disk = &self.options.disk;
        let found = match disk.exists(&path).map_err(Error::io("look for", &path))? {
            false => Some("no file".to_owned()),
            true => {
                let file = disk.open(&path, Open::Read).map_err(Error::io("open", &path))?;
                let len = file.len().map_err(Error::io("stat", &path))?;
                (len > 0).then(|| format!("{len} bytes"))
            }
        };
        if let Some(found) = found {
            self.warning(&path, NOWHERE, "lock file", "an empty file", found);
        }
        Ok(())
    }

    fn odd_lock(&self, path: &Path) -> Result<Option<String>> {
        let disk = &self.options.disk;
        if !disk.exists(path).map_err(Error::io("look for", path))? {
            return Ok(Some("no file".to_owned()));
        }
        let bytes = match disk::read_file(&**disk, path, 4096) {
            Ok(bytes) => bytes,
            Err(error) => return Ok(Some(error.to_string())),
        };
        let Some(whole) = bytes.first_chunk::<{ lock::LEN }>().filter(|whole| whole[..] == bytes)
        else {
            // Nothing was told yet.
            return Ok((!bytes.is_empty()).then(|| format!("{} bytes", bytes.len())));
        };
        Ok(match LockFile::decode(whole) {
            Ok(lock) if lock.log_id == self.dir.log_id() => None,
            Ok(lock) => Some(format!("that of log {}", lock.log_id)),
            Err(error) => Some(error.to_string()),
        })
    }

    /// What recovery set aside is what the catalog recorded of it.
    fn quarantine(&mut self) -> Result<()> {
        let dir = self.dir.quarantine();
        let disk = self.dir.shared_disk();
        let recorded = self.catalog.as_ref().map(|catalog| catalog.facts.set_aside.clone());
        for kept in recorded.iter().flatten() {
            let path = dir.join(&kept.file);
            let (what, expected) = ("bytes set aside", format!("{} bytes", kept.len));
            let read = disk::read_file(&*disk, &path, ASIDE_MAX);
            let found = match read {
                Err(error) => Some((expected, error.to_string())),
                // What was larger is kept in parts.
                Ok(bytes) if (bytes.len() as u64) < kept.len.min(ASIDE_MAX / 2) => {
                    Some((expected, format!("{} bytes", bytes.len())))
                }
                Ok(bytes) if bytes.len() as u64 > kept.len => {
                    Some((expected, format!("{} bytes", bytes.len())))
                }
                Ok(bytes) => kept.digest.and_then(|digest| {
                    let found = digest_of(&bytes);
                    (found != digest).then(|| (format!("BLAKE3 {digest}"), found.to_string()))
                }),
            };
            if let Some((expected, found)) = found {
                self.finding(&path, NOWHERE, what, expected, found);
            }
        }
        if !disk.exists(&dir).map_err(Error::io("look for", &dir))? {
            return Ok(());
        }
        for name in disk.list(&dir).map_err(Error::io("list", &dir))? {
            let mut kept = recorded.iter().flatten();
            let part = |file: &String| {
                let rest = name.strip_prefix(file.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('+'))
            };
            if !kept.any(|kept| part(&kept.file)) {
                let expected = "a record of it in the catalog";
                self.warning(&dir.join(name), NOWHERE, "bytes set aside", expected, "none");
            }
        }
        Ok(())
    }

    /// Files that no part of the log reads. A writer makes temporary ones: what is there
    /// for a while is none of them.
    fn unknown_files(&mut self) -> Result<()> {
        let mut unknown = self.unknown_now()?;
        for _ in 1..self.options.readings() {
            if unknown.is_empty() {
                return Ok(());
            }
            self.options.wait_for_writer();
            let now = self.unknown_now()?;
            unknown.retain(|path| now.contains(path));
        }
        for path in unknown {
            self.warning(&path, NOWHERE, "file", "a file of the log", "one that is not");
        }
        Ok(())
    }

    fn unknown_now(&self) -> Result<Vec<PathBuf>> {
        let dir = &self.dir;
        let (catalog, tree) = (dir.catalog(), dir.tree());
        let [copy_a, copy_b] = names::CATALOG_COPIES.map(|copy| catalog.join(copy));
        let published = checkpoints::list(dir)?;
        let is_published = |name: &str| published.iter().any(|(_, path)| path.ends_with(name));
        let is_level = |name: &str| {
            names::parse_tree_level(name)
                .is_some_and(|level| level < 64 && level.is_multiple_of(tree::STORED_EVERY))
        };
        let is_segment = |name: &str| names::parse_segment(name).is_some();
        let with_index = |name: &str| is_segment(name) || names::parse_index(name).is_some();
        let in_log = |name: &str| name == names::LOCK || names::DIRECTORIES.contains(&name);
        let in_catalog = |name: &str| {
            [names::LOCK, names::TREE, names::SNAPSHOT].contains(&name)
                || names::CATALOG_COPIES.contains(&name)
        };
        let in_tree = |name: &str| name == names::MARK || is_level(name);
        type IsKnown<'a> = &'a dyn Fn(&str) -> bool;
        let places: [(PathBuf, IsKnown<'_>); 8] = [
            (dir.path().to_owned(), &in_log),
            (dir.segments(), &with_index),
            (tree, &in_tree),
            (dir.checkpoints(), &is_published),
            (copy_a, &is_segment),
            (copy_b, &is_segment),
            (catalog.join(names::TREE), &is_level),
            (catalog, &in_catalog),
        ];
        let (disk, mut unknown) = (&self.options.disk, Vec::new());
        for (place, known) in places {
            if !disk.exists(&place).map_err(Error::io("look for", &place))? {
                continue;
            }
            let names = disk.list(&place).map_err(Error::io("list", &place))?;
            unknown.extend(names.iter().filter(|name| !known(name)).map(|name| place.join(name)));
        }
        Ok(unknown)
    }
}
