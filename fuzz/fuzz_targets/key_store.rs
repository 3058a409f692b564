//! Law: whatever stands in a key store, opening it panics and allocates without bound never;
//! what opens gives the same subjects when it is opened again; and the parts of a store
//! and of an encrypted payload that decode are encoded as the same bytes.
#![no_main]

use std::path::Path;
use std::sync::Arc;

use bulla::internals::cipher;
use bulla::disk::sim::SimDisk;
use bulla::disk::{Disk, Open};
use bulla::internals::format::encrypted::{EncryptedPayload, front};
use bulla::internals::format::key_store::{ENTRIES_OFFSET, Entry, HEADER_LEN, Header, SubjectKeys};
use bulla::{Hash, KeyStore, Timestamp, WrappingKey};
use libfuzzer_sys::fuzz_target;

/// A store that the given bytes were written over, from behind its header on or from its
/// entries on.
fn store(bytes: &[u8]) -> Vec<u8> {
    let (_, check) = cipher::entries_key(&[7; 32], &[1; 16]);
    let header =
        Header { store_id: [1; 16], created_at: Timestamp::from_nanos(0), check, log_id: None };
    let mut file = header.encode().to_vec();
    file.resize(usize::try_from(ENTRIES_OFFSET).unwrap(), 0);
    match bytes.split_first() {
        Some((0, rest)) => file.extend_from_slice(rest),
        _ => {
            file.truncate(HEADER_LEN);
            file.extend_from_slice(bytes);
        }
    }
    file
}

fuzz_target!(|bytes: &[u8]| {
    if let Some(header) = bytes.first_chunk::<HEADER_LEN>() {
        let _ = Header::decode(header);
    }
    if let Some((entry, len)) = Entry::take(bytes) {
        let mut out = Vec::new();
        entry.append_to(&mut out);
        assert_eq!(out, bytes[..len]);
    }
    if let Some(keys) = SubjectKeys::decode(bytes) {
        assert_eq!(&**keys.encode(), bytes);
    }
    if let Some(parts) = EncryptedPayload::split(bytes) {
        let front = front(&parts.commitment, parts.key_id, &parts.nonce);
        assert_eq!([&front[..], parts.ciphertext, &parts.tag].concat(), bytes);
        assert_ne!(parts.digests().encrypted, Some(Hash::ZERO));
    }
    let disk = SimDisk::new(1);
    let path = Path::new("/keys");
    disk.open(path, Open::CreateNew).unwrap().write_at(&store(bytes), 0).unwrap();
    let open =
        || KeyStore::open_on(Arc::new(disk.clone()), path, &WrappingKey::from_bytes([7; 32]));
    if let Ok(opened) = open() {
        let subjects = opened.subjects();
        drop(opened);
        assert_eq!(open().unwrap().subjects(), subjects);
    }
});
