//! [`Retention`]: what may go, what must stay, and who decided that.

use crate::engine::erase::ErasureCertificate;
use crate::engine::retain::expiry::{ExpireOptions, Expiry};
use crate::engine::retain::record;
use crate::error::Result;
use crate::log::handle::Log;
use crate::retention::{Attribution, Hold, Policy};

/// Decides what of a log may go and what must stay. What is in force:
/// [`CatalogView`](crate::log::CatalogView); what would go now:
/// [`Snapshot::plan_expiry`](crate::Snapshot::plan_expiry).
///
/// Every change is a record of the catalog, durable when the call returns, with who asked and why.
#[derive(Clone, Copy, Debug)]
pub struct Retention<'a> {
    log: &'a Log,
}

impl<'a> Retention<'a> {
    pub(crate) fn new(log: &'a Log) -> Self {
        Retention { log }
    }

    /// Sets the retention policy, from now on: what a seal fixed before is not shortened.
    ///
    /// # Errors
    /// `Retention` if the policy in force is in compliance mode and the new one is looser;
    /// `CatalogDamaged`, `DiskFull`, I/O.
    pub fn set_policy(&self, policy: &Policy, asked: &Attribution) -> Result<()> {
        let core = self.log.core();
        record::set_policy(
            core.shared.catalog.lock().good()?,
            policy,
            asked,
            core.shared.options.clock.now(),
        )?;
        core.bind_catalog();
        if policy.compliance {
            core.protect_all();
        }
        Ok(())
    }

    /// Places a legal hold. When this returns it is in force: no segment with a record that it
    /// matches is dropped until it is released.
    ///
    /// In a log that was opened with its key store a hold also holds what those that it names did
    /// under their aliases. Who expires without the store does not see that: for them, name the
    /// aliases too ([`KeyStore::aliases`](crate::KeyStore::aliases)).
    ///
    /// # Errors
    /// `Retention` if a hold of this case is in force, or it cannot be recorded;
    /// `CatalogDamaged`, `DiskFull`, I/O.
    pub fn place_hold(&self, hold: &Hold, asked: &Attribution) -> Result<()> {
        let core = self.log.core();
        record::place_hold(
            core.shared.catalog.lock().good()?,
            hold,
            asked,
            core.shared.options.clock.now(),
        )?;
        core.bind_catalog();
        Ok(())
    }

    /// Releases the hold of a case. That it was placed stays on record.
    ///
    /// # Errors
    /// `Retention` if no hold of this case is in force; `CatalogDamaged`, `DiskFull`, I/O.
    pub fn release_hold(&self, case: &str, asked: &Attribution) -> Result<()> {
        let core = self.log.core();
        record::release_hold(
            core.shared.catalog.lock().good()?,
            case,
            asked,
            core.shared.options.clock.now(),
        )?;
        core.bind_catalog();
        Ok(())
    }

    /// Drops the segments whose time is over and that no hold pins, the oldest first.
    ///
    /// With an archive, a copy of each one is made there first, read back and verified. Each one
    /// leaves a certificate in the catalog. What cannot go now stays, and the answer
    /// says why; the others go all the same.
    ///
    /// # Errors
    /// `ClockAhead`, `CatalogDamaged`, `DiskFull`, I/O: nothing went, but for a drop that had
    /// its certificate: the next opening or expiry finishes it or calls it off. After something
    /// has gone the error is in [`Expiry::stopped`].
    pub fn expire(&self, options: &ExpireOptions, asked: &Attribution) -> Result<Expiry> {
        self.log.core().expire(options, asked)
    }

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
    /// `Held` if a hold matches a record that would be erased: nothing was done then. Once the
    /// certificate is in the catalog, the erasure is finished when the log is
    /// opened with its store, whatever happened after.
    pub fn erase(&self, subject: &str, asked: &Attribution) -> Result<ErasureCertificate> {
        self.log.core().erase(subject, asked)
    }
}
