//! Setting the policy, placing and releasing holds: each a record of the catalog, in force
//! once it is durable there, whoever wrote it.

use crate::catalog::asked::{because, check_asked, check_text};
use crate::catalog::{Catalog, CatalogTransaction};
use crate::engine::core::Core;
use crate::error::{Error, Result};
use crate::format::catalog_body::{CatalogBody, HoldPlaced, HoldReleased, RecordedAttribution};
use crate::retention::{Attribution, Hold, Policy};
use crate::time::Timestamp;

impl Core {
    /// Binds what was recorded to the main log, so that a catalog of before is refused from now
    /// on. It is in force without; should this fail, the next checkpoint or drop does it.
    pub(crate) fn bind_catalog(&self) {
        let _ = self.append_anchor();
    }
}

pub(crate) fn set_policy(
    catalog: &mut Catalog,
    policy: &Policy,
    asked: &Attribution,
    now: Timestamp,
) -> Result<()> {
    check_asked(asked)?;
    let body = policy.to_body(now);
    catalog.transact(|catalog| {
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

pub(crate) fn place_hold(
    catalog: &mut Catalog,
    hold: &Hold,
    asked: &Attribution,
    now: Timestamp,
) -> Result<()> {
    check_asked(asked)?;
    hold.check().map_err(|error| Error::Retention { reason: error.to_string() })?;
    check_text("custodian", hold.custodian.as_deref())?;
    let scope = hold.scope.to_bytes();
    catalog.transact(|catalog| {
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
        let because =
            RecordedAttribution { custodian: hold.custodian.as_deref(), ..because(asked) };
        catalog.append(&CatalogBody::HoldPlaced(body), &because)
    })
}

pub(crate) fn release_hold(
    catalog: &mut Catalog,
    case: &str,
    asked: &Attribution,
    now: Timestamp,
) -> Result<()> {
    check_asked(asked)?;
    catalog.transact(|catalog| {
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

fn append(
    catalog: &mut CatalogTransaction<'_>,
    body: &CatalogBody<'_>,
    asked: &Attribution,
) -> Result<()> {
    catalog.append(body, &because(asked))
}
