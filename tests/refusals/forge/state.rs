//! What is in force, by the table “State” of docs/format.md; nothing is refused here.

use std::collections::BTreeMap;

use super::bytes::{as_text, as_uint, some, text, uint};
use super::hashes::{Algorithm, Hash};
use super::segment::Record;

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) entries: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl State {
    pub(crate) fn root(&self) -> Hash {
        Algorithm::Sha256.root(&self.leaves())
    }

    pub(crate) fn leaves(&self) -> Vec<Hash> {
        let leaf = |(key, value): (&Vec<u8>, &Vec<u8>)| {
            let key_len = u32::try_from(key.len()).unwrap().to_le_bytes();
            Algorithm::Sha256.leaf(&[b"bulla/state/v1\0", &key_len, key, value])
        };
        self.entries.iter().map(leaf).collect()
    }

    fn set(&mut self, key: impl AsRef<[u8]>, value: Vec<u8>) {
        self.entries.insert(key.as_ref().to_vec(), value);
    }

    /// Sets the last byte of a segment's entry by what it was.
    fn status(&mut self, ordinal: u64, next: impl FnOnce(u8) -> u8) {
        let entry = self.entries.get_mut(ordinal_key("segment", ordinal).as_bytes());
        if let Some(status) = entry.and_then(|value| value.last_mut()) {
            *status = next(*status);
        }
    }

    /// Applies the record with this Seq.
    pub(crate) fn apply(&mut self, seq: u64, record: &Record) {
        let value = record.state_value();
        let ordinal = || as_uint(record.field("ordinal"));
        let hold = || [b"hold/", as_text(record.field("case"))].concat();
        match record.kind() {
            16 => self.set("log", value),
            17 => self.set(ordinal_key("segment", ordinal()), value),
            19 => self.set([b"key/", as_text(record.field("vkey"))].concat(), value),
            23 => self.change_keys(record),
            32 => self.set(hold(), value),
            33 => {
                self.entries.remove(&hold());
            }
            34 => self.set("policy", [uint(seq), value].concat()),
            35 => {
                self.status(ordinal(), |status| if status == 3 { 4 } else { 1 });
                self.set(ordinal_key("drop", ordinal()), uint(seq));
            }
            36 => self.status(ordinal(), |_| 2),
            37 => self.set(ordinal_key("archive", ordinal()), value),
            38 => self.status(ordinal(), |_| 3),
            39 => self.erase(record),
            40 => {
                self.status(ordinal(), |status| if status == 4 { 3 } else { 0 });
                self.entries.remove(ordinal_key("drop", ordinal()).as_bytes());
            }
            41 if record.field("exception") == [0] => self.set("protection", value),
            _ => {}
        }
    }

    fn change_keys(&mut self, record: &Record) {
        let field = |name| record.field(name).to_vec();
        let names_recovery = record.field("change") == [2];
        let before = self.entries.get(&b"keys"[..]).map(|keys| recovery_of(keys));
        let recovery = match before {
            _ if names_recovery => field("introduced"),
            Some(before) => before,
            None => text(""),
        };
        let signer = if names_recovery { "key" } else { "introduced" };
        let fields =
            [field("number"), field("statement"), field("origin"), field(signer), recovery];
        self.set("keys", fields.concat());
        if !names_recovery {
            let introduced = record.field("introduced");
            self.set([b"key/", as_text(introduced)].concat(), introduced.to_vec());
        }
    }

    fn erase(&mut self, record: &Record) {
        let (ids, at) = (record.field("key_ids"), record.field("erased_at").to_vec());
        let (_, first) = super::bytes::take_uint(ids);
        for id in ids[first..].chunks_exact(16) {
            let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
            self.set(format!("erased/{id}"), at.clone());
        }
    }
}

/// The last field of the entry `keys`.
fn recovery_of(keys: &[u8]) -> Vec<u8> {
    let mut at = super::bytes::take_uint(keys).1 + 32;
    for _ in 0..2 {
        let (len, prefix) = super::bytes::take_uint(&keys[at..]);
        at += prefix + usize::try_from(len).unwrap();
    }
    keys[at..].to_vec()
}

pub(crate) fn ordinal_key(of: &str, ordinal: u64) -> String {
    format!("{of}/{ordinal:016x}")
}

/// `option (text, bytes32)`: where a copy of a segment is.
pub(crate) fn archived(location: &str, digest: Hash) -> Vec<u8> {
    some([text(location), digest.to_vec()].concat())
}
