//! A key store in parts.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};

use super::bytes::{Sets, finish, number, part, put};
use super::document;
use super::hashes::Hash;

const HEADER: &str = "Key store header";
const SLOT: &str = "Key store slot";
const ENTRY: &str = "Key store entry";
const KEYS: &str = "Subject keys";
const SLOTS: [usize; 2] = [4096, 8192];
const ENTRIES: usize = 12_288;
const TAG: usize = 16;

/// The keys of a subject, decrypted.
#[derive(Clone)]
pub(crate) struct Entry {
    /// Bytes of the name, if they are not as many as there are.
    pub(crate) len_of_name: Option<u64>,
    nonce: Vec<u8>,
    /// The fields of “Subject keys” and the name.
    pub(crate) plain: Vec<u8>,
    /// The store that it is bound to, if not this one.
    pub(crate) bound_to: Option<[u8; 16]>,
    /// Bits that are changed in its last byte.
    pub(crate) altered: u8,
}

/// A store: what follows from its parts is made when it is written.
pub(crate) struct Store {
    header: Vec<u8>,
    pub(crate) wrapping: [u8; 32],
    pub(crate) store_id: [u8; 16],
    pub(crate) sets: Sets,
    pub(crate) generation: u64,
    /// Where the slot stands, if not where its generation says.
    pub(crate) slot_at: Option<usize>,
    pub(crate) slot: Sets,
    pub(crate) entries: Vec<Entry>,
}

impl Entry {
    pub(crate) fn set(&mut self, field: &str, value: impl Into<super::bytes::Value>) {
        let len = document::len(KEYS);
        put(KEYS, &mut self.plain[..len], field, value);
    }

    pub(crate) fn name(&self) -> &[u8] {
        &self.plain[document::len(KEYS)..]
    }

    pub(crate) fn set_name(&mut self, name: &[u8]) {
        self.plain.truncate(document::len(KEYS));
        self.plain.extend_from_slice(name);
    }
}

fn keyed(key: &[u8; 32], tag: &str, store_id: &[u8; 16]) -> Hash {
    blake3::keyed_hash(key, &[tag.as_bytes(), &[0], store_id].concat()).into()
}

fn cipher(wrapping: &[u8; 32], store_id: &[u8; 16]) -> XChaCha20Poly1305 {
    let key = keyed(wrapping, "bulla/key-store-entries/v1", store_id);
    XChaCha20Poly1305::new(&key.into())
}

impl Store {
    pub(crate) fn read(bytes: &[u8], wrapping: [u8; 32]) -> Self {
        let header = bytes[..document::len(HEADER)].to_vec();
        let store_id: [u8; 16] = part(HEADER, &header, "store_id").try_into().unwrap();
        let generation = |at: &usize| {
            let slot = &bytes[*at..*at + document::len(SLOT)];
            number(SLOT, slot, "generation")
        };
        let newest = SLOTS.iter().map(generation).max().unwrap();
        let (mut at, mut entries) = (ENTRIES, Vec::new());
        while at < bytes.len() {
            let front = &bytes[at..at + document::len(ENTRY)];
            let name = usize::try_from(number(ENTRY, front, "len_of_name")).unwrap();
            let nonce = part(ENTRY, front, "nonce").to_vec();
            let from = at + front.len();
            let to = from + document::len(KEYS) + name;
            let mut plain = bytes[from..to].to_vec();
            let tag = bytes[to..to + TAG].try_into().unwrap();
            let nonced = XNonce::try_from(&nonce[..]).unwrap();
            let opened = cipher(&wrapping, &store_id).decrypt_inout_detached(
                &nonced,
                &store_id,
                plain.as_mut_slice().into(),
                &tag,
            );
            opened.unwrap();
            let (len_of_name, bound_to) = (None, None);
            entries.push(Entry { len_of_name, nonce, plain, bound_to, altered: 0 });
            at = to + TAG;
        }
        Store {
            header,
            wrapping,
            store_id,
            sets: Sets::new(),
            generation: newest,
            slot_at: None,
            slot: Sets::new(),
            entries,
        }
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut file = vec![0; ENTRIES];
        for entry in &self.entries {
            file.extend(self.entry(entry));
        }
        let mut header = self.header.clone();
        put(HEADER, &mut header, "store_id", self.store_id);
        let check = keyed(&self.wrapping, "bulla/key-store-check/v1", &self.store_id);
        put(HEADER, &mut header, "check", check);
        finish(HEADER, &mut header, &self.sets);
        file[..header.len()].copy_from_slice(&header);
        let mut slot = vec![0; document::len(SLOT)];
        put(SLOT, &mut slot, "magic", *b"BULLAKSL");
        put(SLOT, &mut slot, "generation", self.generation);
        put(SLOT, &mut slot, "store_id", self.store_id);
        put(SLOT, &mut slot, "entries_end", file.len() as u64);
        put(SLOT, &mut slot, "count", self.entries.len() as u64);
        finish(SLOT, &mut slot, &self.slot);
        let natural = usize::try_from(self.generation % 2).unwrap();
        let at = SLOTS[self.slot_at.unwrap_or(natural)];
        file[at..at + slot.len()].copy_from_slice(&slot);
        file
    }

    fn entry(&self, entry: &Entry) -> Vec<u8> {
        let mut front = vec![0; document::len(ENTRY)];
        let len = entry.len_of_name.unwrap_or(entry.name().len() as u64);
        put(ENTRY, &mut front, "len_of_name", len);
        put(ENTRY, &mut front, "nonce", entry.nonce.clone());
        let mut text = entry.plain.clone();
        let bound_to = entry.bound_to.unwrap_or(self.store_id);
        let nonce = XNonce::try_from(&entry.nonce[..]).unwrap();
        let tag = cipher(&self.wrapping, &self.store_id)
            .encrypt_inout_detached(&nonce, &bound_to, text.as_mut_slice().into())
            .unwrap();
        let mut written = [front, text, tag.to_vec()].concat();
        *written.last_mut().unwrap() ^= entry.altered;
        written
    }
}
