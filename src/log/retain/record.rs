//! Setting the policy, placing and releasing holds: each a record of the catalog, in force
//! once it is durable there, whoever wrote it.

use crate::catalog::asked::{because, check_asked, check_text};
use crate::catalog::{Catalog, Exclusive};
use crate::error::{Error, Result};
use crate::format::catalog_body::{Because, CatalogBody, HoldPlaced, HoldReleased};
use crate::log::core::Core;
use crate::log::handle::Log;
use crate::retention::{Asked, Hold, Policy};
use crate::time::Timestamp;

impl Log {
    /// Sets the retention policy, from now on: what a seal fixed before is not shortened.
    ///
    /// # Errors
    /// `Retention` if the policy in force is in compliance mode and the new one is looser;
    /// `CatalogDamaged`, `DiskFull`, I/O.
    pub fn set_policy(&self, policy: &Policy, asked: &Asked) -> Result<()> {
        let core = self.core();
        set_policy(core.catalog.lock().good()?, policy, asked, core.options.clock.now())?;
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
    pub fn place_hold(&self, hold: &Hold, asked: &Asked) -> Result<()> {
        let core = self.core();
        place_hold(core.catalog.lock().good()?, hold, asked, core.options.clock.now())?;
        core.bind_catalog();
        Ok(())
    }

    /// Releases the hold of a case. That it was placed stays on record.
    ///
    /// # Errors
    /// `Retention` if no hold of this case is in force; `CatalogDamaged`, `DiskFull`, I/O.
    pub fn release_hold(&self, case: &str, asked: &Asked) -> Result<()> {
        let core = self.core();
        release_hold(core.catalog.lock().good()?, case, asked, core.options.clock.now())?;
        core.bind_catalog();
        Ok(())
    }
}

impl Core {
    /// Binds what was recorded to the main log, so that a catalog of before is refused from now
    /// on. It is in force without; should this fail, the next checkpoint or drop does it.
    pub(in crate::log) fn bind_catalog(&self) {
        let _ = self.append_anchor();
    }
}

pub(super) fn set_policy(
    catalog: &mut Catalog,
    policy: &Policy,
    asked: &Asked,
    now: Timestamp,
) -> Result<()> {
    check_asked(asked)?;
    let body = policy.to_body(now);
    catalog.exclusively(|catalog| {
        if let Some(before) = catalog.state().policy() {
            before.policy.check_successor(&body).map_err(|looser| Error::Retention {
                reason: format!(
                    "the policy is in compliance mode and can only be made stricter: {looser}"
                ),
            })?;
        }
        append(catalog, &CatalogBody::PolicySet(body), asked)
    })
}

pub(super) fn place_hold(
    catalog: &mut Catalog,
    hold: &Hold,
    asked: &Asked,
    now: Timestamp,
) -> Result<()> {
    check_asked(asked)?;
    hold.check().map_err(|error| Error::Retention { reason: error.to_string() })?;
    check_text("custodian", hold.custodian.as_deref())?;
    let scope = hold.scope.to_bytes();
    catalog.exclusively(|catalog| {
        if catalog.state().holds().any(|placed| placed.case == hold.case) {
            let case = &hold.case;
            return Err(Error::Retention {
                reason: format!(
                    "a hold of case {case:?} is in force already: give this one another case id, \
                     or release that one first"
                ),
            });
        }
        let body = HoldPlaced {
            case: &hold.case,
            scope: &scope,
            placed_at: now.as_nanos(),
            review_by: hold.review_by.map(Timestamp::as_nanos),
        };
        let because = Because { custodian: hold.custodian.as_deref(), ..because(asked) };
        catalog.append(&CatalogBody::HoldPlaced(body), &because)
    })
}

pub(super) fn release_hold(
    catalog: &mut Catalog,
    case: &str,
    asked: &Asked,
    now: Timestamp,
) -> Result<()> {
    check_asked(asked)?;
    catalog.exclusively(|catalog| {
        if !catalog.state().holds().any(|placed| placed.case == case) {
            let known: Vec<&str> = catalog.state().holds().map(|placed| placed.case).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(Error::Retention {
                reason: format!("no hold of case {case:?} is in force; in force: {known}"),
            });
        }
        let body = HoldReleased { case, released_at: now.as_nanos() };
        append(catalog, &CatalogBody::HoldReleased(body), asked)
    })
}

fn append(catalog: &mut Exclusive<'_>, body: &CatalogBody<'_>, asked: &Asked) -> Result<()> {
    catalog.append(body, &because(asked))
}
