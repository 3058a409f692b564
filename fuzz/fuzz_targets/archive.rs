//! Law: whatever stands in an archived folder, reading it panics and allocates without bound
//! never, whether or not its manifest vouches for it; a folder with other bytes than the log
//! archived is never clean under the log's key; and a manifest that parses is written back as
//! the same bytes.
//!
//! The input is taken as a manifest, and as a list of changes: which file, where (two bytes),
//! and what to invert.
#![no_main]

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bulla::archive::{self, DirectoryStore, Manifest, VerifyArchiveOptions};
use bulla::disk::replace_file;
use bulla::disk::sim::SimDisk;
use bulla::hash::{tag, tagged};
use bulla::retention::Attribution;
use bulla::{Actor, Event, Housekeeping, Log, Resource, Signer, Trust};
use libfuzzer_sys::fuzz_target;

const MANIFEST: &str = "MANIFEST.json";

/// The files of a good folder, its manifest last, and the key of its log.
struct Good {
    folder: String,
    files: Vec<(String, Vec<u8>)>,
    trust: Trust,
}

fn good() -> &'static Good {
    static GOOD: OnceLock<Good> = OnceLock::new();
    GOOD.get_or_init(|| {
        let disk = SimDisk::new(1);
        let options = Log::options().disk(Arc::new(disk.clone()));
        let options = options.housekeeping(Housekeeping::Inline).origin("example.com/audit");
        let log = options.create("/log").unwrap();
        for n in 0..9 {
            let actor = Actor::new("user", format!("u{}", n % 3));
            log.append(&Event::new(actor, "doc.read", Resource::new("doc", "1"))).unwrap();
        }
        log.rotate().unwrap();
        let key = Path::new("/key");
        let signer =
            Signer::generate_on(Arc::new(disk.clone()), key, "example.com/audit", log.algorithm());
        let signer = signer.unwrap();
        log.checkpoint(&signer).unwrap();
        let store = store(&disk);
        let folder = log.archive().copy(1, &store, &Attribution::by("fuzz")).unwrap().folder;
        let manifest = archive::manifest(&store, &folder).unwrap();
        let names = manifest.files.iter().map(|file| file.name.as_str()).chain([MANIFEST]);
        let read = |name: &str| disk.read_file(&path(&folder, name)).unwrap();
        let files = names.map(|name| (name.to_owned(), read(name))).collect();
        let trust = Trust::in_keys([signer.verifying_key().clone()]);
        Good { folder, files, trust }
    })
}

fn store(disk: &SimDisk) -> DirectoryStore {
    DirectoryStore::open_or_create_on(Arc::new(disk.clone()), Path::new("/archive")).unwrap()
}

fn path(folder: &str, name: &str) -> PathBuf {
    Path::new("/archive").join(folder).join(name)
}

/// Applies the changes; whether anything is different.
fn alter(files: &mut [(String, Vec<u8>)], changes: &[u8]) -> bool {
    let before = files.to_vec();
    for change in changes.chunks_exact(4) {
        let at = usize::from(change[0]) % files.len();
        let bytes = &mut files[at].1;
        let offset = usize::from(u16::from_le_bytes([change[1], change[2]])) % bytes.len();
        bytes[offset] ^= change[3];
    }
    before != *files
}

/// Makes the manifest vouch for the files as they are.
fn vouch(files: &mut [(String, Vec<u8>)]) {
    let Some(((_, manifest), others)) = files.split_last_mut() else { return };
    let Ok(mut vouching) = Manifest::parse(manifest) else { return };
    for listed in &mut vouching.files {
        if let Some((_, bytes)) = others.iter().find(|(name, _)| *name == listed.name) {
            listed.blake3 = tagged(tag::ARCHIVE_FILE, &[bytes]);
        }
    }
    *manifest = vouching.to_bytes().unwrap();
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(manifest) = Manifest::parse(bytes) {
        assert_eq!(manifest.to_bytes().unwrap(), bytes);
    }
    let good = good();
    let Some((mode, changes)) = bytes.split_first() else { return };
    let mut files = good.files.clone();
    let is_other = alter(&mut files, changes);
    if mode % 2 == 1 {
        vouch(&mut files);
    }
    let disk = SimDisk::new(1);
    let store = store(&disk);
    let mut at = PathBuf::from("/archive");
    for name in good.folder.split('/') {
        at.push(name);
        bulla::disk::Disk::create_dir(&disk, &at).unwrap();
    }
    for (name, bytes) in &files {
        replace_file(&disk, &path(&good.folder, name), bytes).unwrap();
    }
    let options = VerifyArchiveOptions::new().trust(good.trust.clone());
    let clean =
        archive::verify(&store, &good.folder, &options).is_ok_and(|report| report.is_clean());
    assert_eq!(clean, !is_other);
});
