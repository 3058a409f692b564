//! Erasing a subject: the certificate first, then its keys.

use crate::catalog::CatalogTransaction;
use crate::catalog::asked;
use crate::engine::core::Core;
use crate::engine::retain::scan;
use crate::error::{Error, Result};
use crate::format::catalog_body::{CatalogBody, Erased};
use crate::format::encrypted::KeyId;
use crate::format::record::CheckedRecord;
use crate::keystore::KeyStore;
use crate::read::catalog_state::CatalogState;
use crate::read::entry::SegmentEntry;
use crate::read::recorded;
use crate::read::records::SegmentSnapshot;
use crate::retention::{Attribution, Hold};
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
    /// How many are encrypted with keys that are not in this key store, and were not erased. If the
    /// log had another store before, payloads of the subject may be among them: what it encrypted is
    /// erased when the log is opened with it (`without_events`). Not in the catalog.
    pub of_other_keys: u64,
}

/// Records that were looked through, and what was found.
struct Counted {
    size: TreeSize,
    records: u64,
    of_other_keys: u64,
}

impl Core {
    /// As [`Retention::erase`](crate::log::Retention::erase).
    pub(crate) fn erase(&self, subject: &str, asked: &Attribution) -> Result<ErasureCertificate> {
        asked::check_asked(asked)?;
        let store = self.shared.options.key_store.as_ref().ok_or_else(|| Error::InvalidOption {
            name: "key_store",
            reason: "expected the key store of this log, found none: open the log with it"
                .to_owned(),
        })?;
        let id = key_of(store, subject)?;
        // Nobody encrypts from here on, and what was encrypted and queued is in the log.
        let _nobody = self.encrypting.write();
        self.commits.wait_until_idle();
        let Counted { size, records, of_other_keys } = self.count_encrypted(id)?;
        let mut catalog = self.shared.catalog.lock();
        let (erasing, catalog_seq, erased_at) = catalog.good()?.transact(|catalog| {
            // Another thread may have been quicker, and the subject have come back since.
            catalog.check_whole()?;
            if key_of(store, subject)? != id {
                let reason = format!("{subject:?} was erased at this moment by somebody else");
                return Err(store.error(reason));
            }
            self.refuse_held(catalog, id)?;
            let erasing = store.erasing()?;
            let (seq, erased_at) =
                (catalog.catalog().size().next_seq(), self.shared.options.clock.now());
            let body = CatalogBody::Erased(Erased {
                erased_at: erased_at.as_nanos(),
                key_ids: vec![id.0],
                size: size.get(),
                records,
            });
            catalog.append(&body, &asked::because(asked))?;
            self.view.payload_reader().note_erased(catalog.state());
            Ok((erasing, seq, erased_at))
        })?;
        drop(catalog);
        erasing.destroy(&[id])?;
        self.bind_catalog();
        let key_ids = vec![id];
        Ok(ErasureCertificate { catalog_seq, erased_at, key_ids, size, records, of_other_keys })
    }
}

impl Core {
    /// How many records are encrypted with a key, and with keys that are not at hand.
    fn count_encrypted(&self, key: KeyId) -> Result<Counted> {
        let (snapshot, opener) = (self.view.snapshot(), self.view.payload_reader());
        let (size, mut records, mut of_other_keys) = (snapshot.size(), 0, 0);
        for entry in snapshot.entries() {
            let counted = each_encrypted(&snapshot, entry, |found, _| {
                records += u64::from(found == key);
                of_other_keys += u64::from(!opener.knows(found));
                Ok(())
            });
            match counted {
                // Nobody counts on what is being dropped.
                Err(Error::Corrupt { .. } | Error::Tampered { .. }) if entry.is_gone() => {}
                counted => counted?,
            }
        }
        Ok(Counted { size, records, of_other_keys })
    }

    /// Refuses to erase what a hold pins: called with the catalog locked, so that no hold is
    /// placed between this and the certificate.
    fn refuse_held(&self, catalog: &CatalogTransaction<'_>, key: KeyId) -> Result<()> {
        let holds = recorded::scopes(catalog.catalog(), self.shared.options.key_store.as_ref())?;
        let snapshot = self.view.snapshot();
        for entry in snapshot.entries() {
            let times = entry.sealed.as_ref().map(|sealed| sealed.times);
            let may_pin = |hold: &Hold| times.is_none_or(|times| hold.scope.may_pin(times));
            if holds.iter().any(may_pin) {
                each_encrypted(&snapshot, entry, |found, record| {
                    if found != key {
                        return Ok(());
                    }
                    scan::check_holds(record, &holds, "the subject's payloads")
                })?;
            }
        }
        Ok(())
    }
}

/// Gives the records of a segment that are encrypted, with their keys.
fn each_encrypted(
    snapshot: &SegmentSnapshot,
    entry: &SegmentEntry,
    mut each: impl FnMut(KeyId, &CheckedRecord<'_>) -> Result<()>,
) -> Result<()> {
    let Some(mut cursor) = snapshot.cursor_over(entry)? else { return Ok(()) };
    while let Some((_, record)) = cursor.next_record()? {
        if let Some(encrypted) = record.encrypted() {
            each(encrypted.key_id, &record)?;
        }
    }
    Ok(())
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

/// Finishes what a crash interrupted between the certificate and the keys, and lets a store
/// that was restored from a copy forget what was erased since.
pub(crate) fn finish(store: Option<&KeyStore>, catalog: &mut CatalogState) -> Result<()> {
    let (Some(store), CatalogState::Good(catalog)) = (store, catalog) else { return Ok(()) };
    let erased: Vec<KeyId> =
        catalog.state().erased_keys().filter(|id| store.key(*id).is_some()).collect();
    if erased.is_empty() {
        return Ok(());
    }
    // No key is destroyed on the word of a snapshot.
    catalog.make_sure()?;
    store.erasing()?.destroy(&erased)
}
