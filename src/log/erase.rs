//! Erasing a subject: the certificate first, then its keys.

use crate::error::{Error, Result};
use crate::format::catalog_body::{Because, CatalogBody, Erased};
use crate::format::encrypted::KeyId;
use crate::keystore::KeyStore;
use crate::log::Log;
use crate::log::core::{CatalogState, Core};
use crate::seq::{Seq, TreeSize};
use crate::time::Timestamp;

/// What was erased: as the catalog has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErasureCertificate {
    /// Its position in the catalog.
    pub catalog_seq: Seq,
    /// When it was asked for.
    pub erased_at: Timestamp,
    /// The keys that were destroyed: what they encrypt is erased.
    pub key_ids: Vec<KeyId>,
    /// Records of the log that were looked through.
    pub size: TreeSize,
    /// How many of those are encrypted with one of the keys.
    pub records: u64,
}

impl Log {
    /// Erases what was encrypted for a subject: records in the catalog that it is erased,
    /// who asked and why, and then destroys its keys. The records stay, with their
    /// envelopes, hashes and proofs; their payloads read as
    /// [`Erased`](crate::PayloadState::Erased). Aliases of the subject are tied to it no
    /// longer. If it appears again, it is given new keys.
    ///
    /// All records are read, to count them. What this reaches, and what it does not, is in
    /// `docs/erasure.md`.
    ///
    /// # Errors
    /// `InvalidOption`: the log was opened without a key store. `KeyStore`: it has no keys
    /// of this subject, or was opened for reading. `CatalogDamaged`, damage, `DiskFull`, I/O.
    /// Once the certificate is in the catalog, the erasure is finished when the log is
    /// opened with its store, whatever happened after.
    pub fn erase(
        &self,
        subject: &str,
        who: Option<&str>,
        why: Option<&str>,
    ) -> Result<ErasureCertificate> {
        let core = self.core();
        let store = core.options.key_store.as_ref().ok_or_else(|| Error::InvalidOption {
            name: "key_store",
            reason: "expected the key store of this log, found none: open the log with it"
                .to_owned(),
        })?;
        let id = key_of(store, subject)?;
        let (size, records) = self.count_encrypted(&[id])?;
        let mut catalog = core.catalog.lock();
        let catalog = catalog.good()?;
        // Another thread may have been quicker, and the subject have come back since.
        let found = key_of(store, subject)?;
        if found != id {
            let reason = format!("{subject:?} was erased at this moment by somebody else");
            return Err(store.error(reason));
        }
        core.refuse_held(&[id.0])?;
        let erasing = store.erasing()?;
        let erased_at = core.options.clock.now();
        let body = CatalogBody::Erased(Erased {
            erased_at: erased_at.as_nanos(),
            key_ids: vec![id.0],
            size: size.get(),
            records,
        });
        if let Err(error) = catalog.append(&body, &Because { who, why }) {
            if matches!(error, Error::Io { .. }) {
                core.poison(&error.to_string());
            }
            return Err(error);
        }
        core.view.opener().note_erased(catalog.state());
        let catalog_seq = Seq::new(catalog.size().get().saturating_sub(1));
        erasing.destroy(&[id])?;
        Ok(ErasureCertificate { catalog_seq, erased_at, key_ids: vec![id], size, records })
    }

    /// How many records are encrypted with one of these keys, and of how many.
    fn count_encrypted(&self, ids: &[KeyId]) -> Result<(TreeSize, u64)> {
        let (snapshot, mut count) = (self.snapshot(), 0);
        let mut next = Seq::new(0);
        while snapshot.size().covers(next) {
            let mut cursor = snapshot.view().cursor(snapshot.entries(), next, snapshot.size())?;
            while let Some((_, record)) = cursor.next_record()? {
                let named = record.encrypted().is_some_and(|found| ids.contains(&found.key_id));
                count += u64::from(named);
            }
            if cursor.next_seq() <= next {
                break; // a cursor moves on; should one not, the walk ends
            }
            next = cursor.next_seq();
        }
        Ok((snapshot.size(), count))
    }
}

fn key_of(store: &KeyStore, subject: &str) -> Result<KeyId> {
    let stored = store.subject(subject).map(|stored| stored.key_id);
    stored.ok_or_else(|| {
        store.error(format!(
            "expected keys of {subject:?}, found none: nothing was encrypted for it, or it was \
             erased before (`bulla history` shows the certificates)"
        ))
    })
}

impl Core {
    /// Refuses to erase what a hold pins: called with the catalog locked, so that no hold
    /// is placed between this and the certificate.
    ///
    /// There are no holds in this version of the format, so nothing is refused. Once there
    /// are, this scans the records that are encrypted with one of these keys against those
    /// in force, and answers with the hold that matches.
    #[allow(clippy::unnecessary_wraps, clippy::unused_self)]
    pub(crate) fn refuse_held(&self, _key_ids: &[[u8; 16]]) -> Result<()> {
        Ok(())
    }
}

/// Finishes what a crash interrupted between the certificate and the keys, and lets a store
/// that was restored from a copy forget what was erased since.
pub(super) fn finish(store: Option<&KeyStore>, catalog: &CatalogState) -> Result<()> {
    let (Some(store), CatalogState::Good(catalog)) = (store, catalog) else { return Ok(()) };
    let erased: Vec<KeyId> =
        catalog.state().erased_keys().filter(|id| store.key(*id).is_some()).collect();
    match erased.is_empty() {
        true => Ok(()),
        false => store.erasing()?.destroy(&erased),
    }
}
