//! The files of a log and of what is kept beside it: `audit/…` is the log, `key` its key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bulla::disk::Disk;
use bulla::disk::sim::SimDisk;

use super::bytes::{Sets, finish};
use super::document;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Files(pub(crate) BTreeMap<String, Vec<u8>>);

impl Files {
    /// All files of a disk.
    pub(crate) fn of(disk: &SimDisk) -> Self {
        let files = crate::support::files_below(disk, Path::new("/")).into_iter();
        let name = |path: PathBuf| path.to_str().unwrap().trim_start_matches('/').to_owned();
        Files(files.map(|(path, bytes)| (name(path), bytes)).collect())
    }

    /// Puts them on a disk of its own.
    pub(crate) fn disk(&self) -> SimDisk {
        let disk = SimDisk::new(1);
        for (name, bytes) in &self.0 {
            let path = Path::new("/").join(name);
            make_dirs(&disk, path.parent().unwrap());
            disk.write_file(&path, bytes).unwrap();
        }
        disk
    }

    pub(crate) fn get(&self, name: &str) -> &[u8] {
        self.0.get(name).unwrap_or_else(|| panic!("no file {name}"))
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> &mut Vec<u8> {
        self.0.get_mut(name).unwrap_or_else(|| panic!("no file {name}"))
    }

    pub(crate) fn put(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.insert(name.into(), bytes.into());
    }

    pub(crate) fn remove(&mut self, name: &str) -> Vec<u8> {
        self.0.remove(name).unwrap_or_else(|| panic!("no file {name}"))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Names that begin so.
    pub(crate) fn below(&self, prefix: &str) -> impl Iterator<Item = &str> {
        let prefix = prefix.to_owned();
        self.0.keys().map(String::as_str).filter(move |name| name.starts_with(&prefix))
    }

    /// With another beginning of the names that begin so.
    pub(crate) fn renamed(&self, from: &str, to: &str) -> Self {
        let name = |name: &String| match name.strip_prefix(from) {
            Some(rest) => format!("{to}{rest}"),
            None => name.clone(),
        };
        Files(self.0.iter().map(|(file, bytes)| (name(file), bytes.clone())).collect())
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|name, _| keep(name));
    }

    /// Sets fields of a fixed-width structure with a CRC at its end, and its CRC.
    pub(crate) fn set(&mut self, name: &str, structure: &str, offset: usize, sets: &Sets) {
        let len = document::len(structure);
        finish(structure, &mut self.get_mut(name)[offset..offset + len], sets);
    }
}

fn make_dirs(disk: &SimDisk, dir: &Path) {
    if dir == Path::new("/") || disk.exists(dir).unwrap() {
        return;
    }
    make_dirs(disk, dir.parent().unwrap());
    disk.create_dir(dir).unwrap();
    disk.sync_dir(dir.parent().unwrap()).unwrap();
}
