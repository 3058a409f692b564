//! Opening payloads: as they stand, decrypted, or not at all.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use zeroize::Zeroizing;

use crate::cipher;
use crate::event::PayloadState;
use crate::format::LogId;
use crate::format::catalog_body::StateMap;
use crate::format::encrypted::KeyId;
use crate::format::record::{CheckedRecord, SALT_LEN};
use crate::keystore::KeyStore;
use crate::ranked::{Rank, RwLock};

/// What opens the payloads of a log: its keys, and which of them were erased.
#[derive(Debug)]
pub(crate) struct PayloadReader {
    log_id: LogId,
    store: Option<KeyStore>,
    /// As the catalog has it. Replaced whole; grows only.
    erased: RwLock<Arc<HashSet<KeyId>>>,
    /// Whether an encrypted payload was met: without a store, only then it matters which keys
    /// were erased.
    met: AtomicBool,
}

/// A payload, or why there is none.
#[derive(Debug)]
pub(crate) enum PayloadAccess<'a> {
    /// Salt and payload as they are stored.
    Plain(&'a [u8]),
    /// Salt and payload, which are what the record commits to.
    Decrypted(Zeroizing<Vec<u8>>),
    Sealed,
    Erased,
}

impl PayloadAccess<'_> {
    pub(crate) fn state(&self) -> PayloadState {
        match self {
            PayloadAccess::Plain(_) => PayloadState::Plain,
            PayloadAccess::Decrypted(_) => PayloadState::Decrypted,
            PayloadAccess::Sealed => PayloadState::Sealed,
            PayloadAccess::Erased => PayloadState::Erased,
        }
    }

    /// The payload without its salt.
    pub(crate) fn payload(&self) -> Option<&[u8]> {
        let salted: &[u8] = match self {
            PayloadAccess::Plain(salted) => salted,
            PayloadAccess::Decrypted(salted) => salted,
            PayloadAccess::Sealed | PayloadAccess::Erased => return None,
        };
        Some(salted.get(SALT_LEN..).unwrap_or_default())
    }
}

impl PayloadReader {
    pub(crate) fn new(log_id: LogId, store: Option<KeyStore>) -> Self {
        let erased = RwLock::new(Rank::Erased, Arc::default());
        PayloadReader { log_id, store, erased, met: AtomicBool::new(false) }
    }

    /// Opens a record's payload. An error says what was found in place of one.
    pub(crate) fn open<'a>(
        &self,
        record: &CheckedRecord<'a>,
    ) -> std::result::Result<PayloadAccess<'a>, String> {
        let Some(stored) = record.encrypted() else {
            return Ok(PayloadAccess::Plain(record.stored_payload));
        };
        self.met.store(true, Ordering::Relaxed);
        // Asked first: a key that was erased opens nothing, wherever a copy turned up.
        if self.erased.read().contains(&stored.key_id) {
            return Ok(PayloadAccess::Erased);
        }
        let Some(keys) = self.store.as_ref().and_then(|store| store.key(stored.key_id)) else {
            return Ok(PayloadAccess::Sealed);
        };
        cipher::decrypt_payload(&keys.payload_key, self.log_id, record.envelope, &stored)
            .map(PayloadAccess::Decrypted)
            .map_err(|error| error.to_string())
    }

    /// Whether this opens what a key encrypts, or would if it had not been erased.
    pub(crate) fn knows(&self, key: KeyId) -> bool {
        // An erasure takes the key store's lock first: this one is not held when that is taken.
        let is_erased = self.erased.read().contains(&key);
        is_erased || self.store.as_ref().is_some_and(|store| store.key(key).is_some())
    }

    /// Takes from the state which keys were erased.
    pub(crate) fn note_erased(&self, state: &StateMap) {
        let mut erased = self.erased.write();
        let new: Vec<KeyId> = state.erased_keys().filter(|key| !erased.contains(key)).collect();
        // Most often there is none, and then nothing is copied.
        if !new.is_empty() {
            *erased = Arc::new(erased.iter().copied().chain(new).collect());
        }
    }

    /// Whether which keys were erased matters to who reads: there are keys that could open
    /// what was erased since they were read, or a payload that does not say why it is sealed.
    pub(crate) fn asks_for_erased(&self) -> bool {
        self.store.is_some() || self.met.load(Ordering::Relaxed)
    }
}
