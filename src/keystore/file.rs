//! The file of a key store: reading it whole, adding entries, replacing it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::wrapping::WrappingKey;
use crate::cipher;
use crate::disk::{self, Disk, DiskFile, Open};
use crate::error::{Error, Result};
use crate::format::LogId;
use crate::format::key_store::{
    ENTRIES_OFFSET, Entry, FILE_LEN_MAX, HEADER_LEN, Header, SLOT_LEN, SLOT_OFFSETS, Slot,
    SubjectKeys,
};
use crate::random;

/// How often a store is read before reading fails, while another process keeps replacing it.
const ATTEMPTS_MAX: usize = 100;

/// An open store file, and where its entries end. Owned by whoever changes it.
#[derive(Debug)]
pub(super) struct StoreFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    pub(super) header: Header,
    entries_key: Zeroizing<[u8; 32]>,
    slot: Slot,
    /// Keys were destroyed that the file still has, because there was no space to replace it.
    has_destroyed: bool,
    /// After a failed write: what is on disk is unknown.
    broken: Option<String>,
}

impl StoreFile {
    /// Makes a new store without subjects.
    pub(super) fn create(
        disk: Arc<dyn Disk>,
        path: &Path,
        header: Header,
        entries_key: Zeroizing<[u8; 32]>,
    ) -> Result<Self> {
        if disk.exists(path).map_err(Error::io("look for", path))? {
            let reason = "there is one already: it is never overwritten".to_owned();
            return Err(Error::KeyStore { path: path.to_owned(), reason });
        }
        let (slot, bytes) = image(&header, 0, &entries_key, &[])?;
        let create =
            || disk::replace(&*disk, path, Open::CreateNewPrivate, |file| file.write_at(&bytes, 0));
        let file = in_doubt(&*disk, path, create).map_err(Error::io("create", path))?;
        let path = path.to_owned();
        let (has_destroyed, broken) = (false, None);
        Ok(StoreFile { disk, path, file, header, entries_key, slot, has_destroyed, broken })
    }

    /// Reads a store, and the keys in it.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        wrapping_key: &WrappingKey,
        how: Open,
    ) -> Result<(Self, Vec<SubjectKeys>)> {
        let (file, contents) = read(&*disk, path, wrapping_key, how)?;
        let Contents { header, entries_key, slot, keys, unsettled } = contents;
        let path = path.to_owned();
        let (has_destroyed, broken) = (false, None);
        let mut store =
            StoreFile { disk, path, file, header, entries_key, slot, has_destroyed, broken };
        if how == Open::ReadWrite && (unsettled || store.is_in_doubt()?) {
            store.replace(keys.iter(), None)?;
        }
        Ok((store, keys))
    }

    /// Adds subjects, durably.
    pub(super) fn add(&mut self, keys: &[SubjectKeys]) -> Result<()> {
        self.check_whole()?;
        let mut bytes = Vec::new();
        for keys in keys {
            append_entry(&self.header, &self.entries_key, keys, &mut bytes)?;
        }
        let entries_end = self.slot.entries_end + bytes.len() as u64;
        if entries_end > FILE_LEN_MAX {
            let reason = format!("expected at most {FILE_LEN_MAX} bytes: it is full");
            return Err(Error::KeyStore { path: self.path.clone(), reason });
        }
        let added = u32::try_from(keys.len()).unwrap_or(u32::MAX);
        let slot = Slot {
            generation: self.slot.generation + 1,
            entries_end,
            count: self.slot.count.saturating_add(added),
            ..self.slot
        };
        // The slot vouches for the entries, so they come first.
        let (file, path, end) = (Arc::clone(&self.file), self.path.clone(), self.slot.entries_end);
        let needed = bytes.len() as u64;
        let written = file.write_at(&bytes, end).map_err(Error::growing("write", &path, needed));
        self.undo_if_full(written, |_| Ok(()))?;
        self.settle(file.sync_data().map_err(Error::sync(&path)))?;
        let written = file.write_at(&slot.encode(), slot.offset());
        let written = written.map_err(Error::growing("write", &path, SLOT_LEN as u64));
        // A slot must be gone before the entries that it vouches for.
        self.undo_if_full(written, |file| {
            file.write_at(&[0; SLOT_LEN], slot.offset()).and_then(|()| file.sync_data())
        })?;
        self.settle(file.sync_data().map_err(Error::sync(&path)))?;
        self.slot = slot;
        Ok(())
    }

    /// After a write that found no space, makes the file what it was: `first`, then what stands
    /// behind the entries goes.
    fn undo_if_full(
        &mut self,
        written: Result<()>,
        first: impl FnOnce(&dyn DiskFile) -> io::Result<()>,
    ) -> Result<()> {
        let Err(full @ Error::DiskFull { .. }) = written else { return self.settle(written) };
        let undone = first(&*self.file).and_then(|()| self.file.set_len(self.slot.entries_end));
        self.settle(undone.map_err(Error::unknown_state("cut", &self.path)))?;
        Err(full)
    }

    /// Replaces the file by one with these subjects only, and overwrites what the old one
    /// held. With another wrapping key, if one is given.
    pub(super) fn replace<'k>(
        &mut self,
        keys: impl Iterator<Item = &'k SubjectKeys>,
        wrapping_key: Option<&WrappingKey>,
    ) -> Result<()> {
        self.put(keys.collect(), self.header, wrapping_key)
    }

    /// The same without keys that were destroyed. If there is no space for it, that is done later:
    /// see [`StoreFile::has_destroyed`].
    pub(super) fn destroy<'k>(
        &mut self,
        kept: impl Iterator<Item = &'k SubjectKeys>,
    ) -> Result<()> {
        self.has_destroyed = true;
        self.replace(kept, None)
    }

    /// Whether the file has keys that were destroyed.
    pub(super) fn has_destroyed(&self) -> bool {
        self.has_destroyed
    }

    /// Makes it the store of a log.
    pub(super) fn bind<'k>(
        &mut self,
        log_id: LogId,
        keys: impl Iterator<Item = &'k SubjectKeys>,
    ) -> Result<()> {
        let header = Header { log_id: Some(log_id), ..self.header };
        self.put(keys.collect(), header, None)
    }

    fn put(
        &mut self,
        keys: Vec<&SubjectKeys>,
        mut header: Header,
        wrapping_key: Option<&WrappingKey>,
    ) -> Result<()> {
        self.check_whole()?;
        let mut entries_key = self.entries_key.clone();
        if let Some(wrapping_key) = wrapping_key {
            (entries_key, header.check) =
                cipher::entries_key(wrapping_key.bytes(), &header.store_id);
        }
        let (slot, bytes) = image(&header, self.slot.generation, &entries_key, &keys)?;
        let file = self.put_bytes(&bytes, &slot)?;
        let old = std::mem::replace(&mut self.file, file);
        overwrite(&*old);
        (self.slot, self.header, self.entries_key) = (slot, header, entries_key);
        self.has_destroyed = false;
        Ok(())
    }

    fn put_bytes(&mut self, bytes: &[u8], slot: &Slot) -> Result<Arc<dyn DiskFile>> {
        let (disk, path) = (Arc::clone(&self.disk), self.path.clone());
        let beside = mark_in_doubt(&*disk, &path)
            .and_then(|()| disk::write_beside(&*disk, &path, Open::CreateNewPrivate, bytes));
        let needed = bytes.len() as u64;
        // Of this the store is not affected.
        let file = match beside.map_err(Error::growing("replace", &path, needed)) {
            Err(full @ Error::DiskFull { .. }) => return Err(full),
            file => self.settle(file)?,
        };
        let put = disk::put_in_place(&*disk, &path);
        match put.map_err(Error::growing("replace", &path, needed)) {
            // The old file stands: nothing was renamed.
            Err(full @ Error::DiskFull { .. }) if has_other_slot(&*disk, &path, slot) => {
                return Err(full);
            }
            Err(Error::DiskFull { .. }) => {
                let unknown = io::Error::other("no space, and the new file is in its place");
                self.settle(Err(Error::sync(&path)(unknown)))?;
            }
            put => self.settle(put)?,
        }
        let _ = disk.remove_file(&doubt(&path)); // else the store is replaced once more
        Ok(file)
    }

    fn is_in_doubt(&self) -> Result<bool> {
        let doubt = doubt(&self.path);
        self.disk.exists(&doubt).map_err(Error::io("look for", &doubt))
    }

    pub(super) fn check_whole(&self) -> Result<()> {
        match &self.broken {
            Some(cause) => {
                let reason = format!("an earlier write failed, open it again: {cause}");
                Err(Error::KeyStore { path: self.path.clone(), reason })
            }
            None => Ok(()),
        }
    }

    fn settle<T>(&mut self, done: Result<T>) -> Result<T> {
        if let Err(error) = &done {
            self.broken = Some(error.to_string());
        }
        done
    }
}

/// Whether the file in place is not the one with this slot.
fn has_other_slot(disk: &dyn Disk, path: &Path, slot: &Slot) -> bool {
    let mut found = [0; SLOT_LEN];
    let read = disk
        .open(path, Open::Read)
        .and_then(|file| disk::read_exact_at(&*file, &mut found, slot.offset()));
    read.is_ok() && found != slot.encode()
}

/// Gives the file a name, with an empty file beside it for as long as the name may not be
/// durable. Who opens a store that is in doubt replaces it: what is added to it must not go
/// with a name that a failed sync forgot, and no later sync need store that name. The empty
/// file itself needs no sync: without power, what is there afterwards is durable.
fn in_doubt<T>(
    disk: &dyn Disk,
    path: &Path,
    name: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    mark_in_doubt(disk, path)?;
    let named = name()?;
    let _ = disk.remove_file(&doubt(path)); // else the store is replaced once more
    Ok(named)
}

fn mark_in_doubt(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    let doubt = doubt(path);
    if !disk.exists(&doubt)? {
        disk.open(&doubt, Open::CreateNewPrivate)?;
    }
    Ok(())
}

fn doubt(path: &Path) -> PathBuf {
    let mut doubt = path.as_os_str().to_owned();
    doubt.push(".unsynced");
    PathBuf::from(doubt)
}

/// What the file held of keys is not left to whoever finds its blocks, as far as the disk
/// goes along. The file is replaced already: nothing depends on it.
fn overwrite(file: &dyn DiskFile) {
    let len = file.len().unwrap_or(0);
    let zeros = [0; 4096];
    let mut at = 0;
    while at < len {
        let part = usize::try_from(len - at).unwrap_or(zeros.len()).min(zeros.len());
        if file.write_at(&zeros[..part], at).is_err() {
            return;
        }
        at += part as u64;
    }
    let _ = file.sync_data();
}

/// The bytes of a whole file with these subjects.
fn image(
    header: &Header,
    generation: u64,
    entries_key: &[u8; 32],
    keys: &[&SubjectKeys],
) -> Result<(Slot, Vec<u8>)> {
    let start = usize::try_from(ENTRIES_OFFSET).unwrap_or(usize::MAX);
    let mut bytes = vec![0; start];
    for keys in keys {
        append_entry(header, entries_key, keys, &mut bytes)?;
    }
    let slot = Slot {
        generation: generation + 1,
        store_id: header.store_id,
        entries_end: bytes.len() as u64,
        count: u32::try_from(keys.len()).unwrap_or(u32::MAX),
    };
    let slot_at = usize::try_from(slot.offset()).unwrap_or(usize::MAX);
    bytes[..HEADER_LEN].copy_from_slice(&header.encode());
    bytes[slot_at..slot_at + SLOT_LEN].copy_from_slice(&slot.encode());
    Ok((slot, bytes))
}

fn append_entry(
    header: &Header,
    entries_key: &[u8; 32],
    keys: &SubjectKeys,
    out: &mut Vec<u8>,
) -> Result<()> {
    let mut nonce = [0; 24];
    random::fill(&mut nonce)?;
    cipher::encrypt_entry(entries_key, &header.store_id, nonce, keys, out).ok_or_else(|| {
        Error::InvalidOption { name: "subject", reason: "too long to be encrypted".to_owned() }
    })
}

/// What is in the file of a store.
struct Contents {
    header: Header,
    entries_key: Zeroizing<[u8; 32]>,
    slot: Slot,
    keys: Vec<SubjectKeys>,
    /// Whether bytes follow the entries, left by a write that did not complete. They may not be
    /// durable, and may hold a whole entry behind a torn one, which must not reappear later.
    unsettled: bool,
}

/// Reads the file until it is valid, or until two readings give the same bytes. Another process may
/// replace the file meanwhile, and then overwrites the old one, from its beginning, with zeros.
fn read(
    disk: &dyn Disk,
    path: &Path,
    wrapping_key: &WrappingKey,
    how: Open,
) -> Result<(Arc<dyn DiskFile>, Contents)> {
    let mut before = Vec::new();
    for _ in 0..ATTEMPTS_MAX {
        let file = disk.open(path, how).map_err(Error::io("open", path))?;
        let bytes = read_all(&*file, path)?;
        let contents = Contents::of(&bytes, path, wrapping_key);
        let settled = match &contents {
            Ok(_) => begins_so(&*file, &bytes),
            Err(_) => bytes == before,
        };
        if settled {
            return contents.map(|contents| (file, contents));
        }
        before = bytes;
    }
    let reason = "it was replaced again and again while it was read: try again".to_owned();
    Err(Error::KeyStore { path: path.to_owned(), reason })
}

/// Whether the file still begins with these bytes: then it was not overwritten while they were read.
fn begins_so(file: &dyn DiskFile, bytes: &[u8]) -> bool {
    let mut header = [0; HEADER_LEN];
    disk::read_exact_at(file, &mut header, 0).is_ok() && bytes.starts_with(&header)
}

impl Contents {
    fn of(bytes: &[u8], path: &Path, wrapping_key: &WrappingKey) -> Result<Self> {
        let header = read_header(bytes, path)?;
        let (entries_key, check) = cipher::entries_key(wrapping_key.bytes(), &header.store_id);
        if check != header.check {
            let reason = "the wrapping key is another one than the store was made with: give \
                          that one, or the one it was last rewrapped with"
                .to_owned();
            return Err(Error::KeyStore { path: path.to_owned(), reason });
        }
        let slot = read_slot(bytes, &header, path)?;
        let unsettled = bytes.len() as u64 > slot.entries_end;
        let (keys, slot) = read_entries(bytes, &header, &entries_key, slot, path)?;
        Ok(Contents { header, entries_key, slot, keys, unsettled })
    }
}

fn read_all(file: &dyn DiskFile, path: &Path) -> Result<Vec<u8>> {
    let len = file.len().map_err(Error::io("look at", path))?;
    if len > FILE_LEN_MAX {
        let expected = format!("at most {FILE_LEN_MAX} bytes");
        return Err(Error::corrupt(path, FILE_LEN_MAX, expected, format!("{len} bytes")));
    }
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    disk::read_exact_at(file, &mut bytes, 0).map_err(Error::io("read", path))?;
    Ok(bytes)
}

fn read_header(bytes: &[u8], path: &Path) -> Result<Header> {
    match bytes.first_chunk::<HEADER_LEN>() {
        Some(header) => Header::decode(header).map_err(Error::format(path, 0)),
        None => {
            let found = format!("{} bytes", bytes.len());
            Err(Error::corrupt(path, 0, "the header of a key store", found))
        }
    }
}

/// The newest good slot. No write leaves a file that ends before its entries begin: one that was
/// cut there may have lost the newer slot, and the older one would hide the subjects added since.
fn read_slot(bytes: &[u8], header: &Header, path: &Path) -> Result<Slot> {
    let len = bytes.len() as u64;
    if len < ENTRIES_OFFSET {
        let expected = format!("{ENTRIES_OFFSET} bytes or more, or the file was cut short");
        return Err(Error::corrupt(path, len, expected, format!("{len} bytes")));
    }
    let slots = SLOT_OFFSETS.iter().filter_map(|offset| {
        let rest = bytes.get(usize::try_from(*offset).ok()?..)?;
        let slot = Slot::decode(rest.first_chunk::<SLOT_LEN>()?, &header.store_id)?;
        (slot.offset() == *offset).then_some(slot)
    });
    slots.max_by_key(|slot| slot.generation).ok_or_else(|| {
        Error::corrupt(path, SLOT_OFFSETS[0], "a slot that says how far its entries go", "none")
    })
}

/// The keys, and the slot as it should be: entries behind it that are good count too.
fn read_entries(
    bytes: &[u8],
    header: &Header,
    entries_key: &[u8; 32],
    mut slot: Slot,
    path: &Path,
) -> Result<(Vec<SubjectKeys>, Slot)> {
    let mut at = ENTRIES_OFFSET;
    let mut keys: Vec<SubjectKeys> = Vec::new();
    if slot.entries_end < at {
        let expected = format!("an end of the entries from {at} on");
        return Err(Error::corrupt(path, slot.offset(), expected, slot.entries_end.to_string()));
    }
    loop {
        let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
        let read = Entry::take(rest).and_then(|(entry, len)| {
            let keys = cipher::decrypt_entry(entries_key, &header.store_id, &entry)?;
            Some((keys, len as u64))
        });
        match read {
            Some((subject, len)) if at + len <= slot.entries_end || at >= slot.entries_end => {
                keys.push(subject);
                at += len;
            }
            _ if at < slot.entries_end => {
                let expected = format!("an entry, up to offset {}", slot.entries_end);
                return Err(Error::corrupt(path, at, expected, "something else"));
            }
            _ => break,
        }
        if at == slot.entries_end && keys.len() as u64 != u64::from(slot.count) {
            return Err(miscounted(path, at, slot.count, keys.len()));
        }
    }
    if at < slot.entries_end || (keys.len() as u64) < u64::from(slot.count) {
        return Err(miscounted(path, at, slot.count, keys.len()));
    }
    slot.entries_end = at;
    slot.count = u32::try_from(keys.len()).unwrap_or(u32::MAX);
    Ok((keys, slot))
}

fn miscounted(path: &Path, at: u64, expected: u32, found: usize) -> Error {
    Error::corrupt(path, at, format!("{expected} entries"), format!("{found}"))
}
