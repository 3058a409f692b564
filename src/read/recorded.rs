//! Reading what the catalog says of policy, holds and drops.

use crate::catalog::Catalog;
use crate::error::{Error, Result};
use crate::format::catalog_body::{CatalogBody, HoldPlaced, RecordedAttribution};
use crate::format::record::CheckedRecord;
use crate::keystore::KeyStore;
use crate::read::aliases;
use crate::retention::{Hold, HoldScope, Policy};
use crate::seq::Seq;
use crate::time::Timestamp;

/// The policy in force, and who set it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedPolicy {
    /// The policy.
    pub policy: Policy,
    /// The catalog record that set it.
    pub catalog_seq: Seq,
    /// When, by the log's clock.
    pub set_at: Timestamp,
    /// Who asked; `None`: not said, or erased.
    pub who: Option<String>,
    /// Why.
    pub why: Option<String>,
}

/// A hold that was placed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedHold {
    /// The hold.
    pub hold: Hold,
    /// Why its case or scope cannot be read, if so: then `hold` says that it pins everything, and
    /// nothing is dropped until it is released.
    pub unreadable: Option<String>,
    /// The catalog record that placed it.
    pub catalog_seq: Seq,
    /// When, by the log's clock.
    pub placed_at: Timestamp,
    /// Who asked; `None`: not said, or erased.
    pub who: Option<String>,
    /// Why.
    pub why: Option<String>,
    /// Who ended it; `None`: it is in force.
    pub released: Option<Release>,
}

/// The end of a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Release {
    /// When, by the log's clock.
    pub at: Timestamp,
    /// Who asked.
    pub who: Option<String>,
    /// Why.
    pub why: Option<String>,
}

pub(crate) fn policy(catalog: &Catalog) -> Result<Option<RecordedPolicy>> {
    let Some(in_force) = catalog.state().policy() else { return Ok(None) };
    let catalog_seq = Seq::new(in_force.seq);
    let (who, why) = catalog.with_record(catalog_seq, |record| {
        let because =
            RecordedAttribution::decode(record.head.kind, record.payload()).unwrap_or_default();
        (because.who.map(str::to_owned), because.why.map(str::to_owned))
    })?;
    Ok(Some(RecordedPolicy {
        policy: Policy::from_body(&in_force.policy),
        catalog_seq,
        set_at: Timestamp::from_nanos(in_force.policy.set_at),
        who,
        why,
    }))
}

pub(crate) fn holds_in_force(catalog: &Catalog) -> Result<Vec<RecordedHold>> {
    let mut holds = hold_history(catalog)?;
    holds.retain(|hold| hold.released.is_none());
    Ok(holds)
}

pub(crate) fn hold_history(catalog: &Catalog) -> Result<Vec<RecordedHold>> {
    let mut holds = Vec::new();
    catalog.each_record(|record| note(&mut holds, record))?;
    Ok(holds)
}

/// Takes a record of the catalog into the list of holds.
fn note(holds: &mut Vec<RecordedHold>, record: &CheckedRecord<'_>) {
    let Ok((_, body)) = CatalogBody::decode(record.head.kind, record.envelope) else { return };
    let because =
        RecordedAttribution::decode(record.head.kind, record.payload()).unwrap_or_default();
    let (who, why) = (because.who.map(str::to_owned), because.why.map(str::to_owned));
    match body {
        CatalogBody::HoldPlaced(body) => holds.push(RecordedHold {
            hold: shown_hold(&body, because.custodian),
            unreadable: unreadable(&body),
            catalog_seq: record.head.seq,
            placed_at: Timestamp::from_nanos(body.placed_at),
            who,
            why,
            released: None,
        }),
        CatalogBody::HoldReleased(body) => {
            let released = Release { at: Timestamp::from_nanos(body.released_at), who, why };
            let placed = holds.iter_mut().rev().find(|placed| placed.hold.case == body.case);
            if let Some(placed) = placed {
                placed.released = Some(released);
            }
        }
        _ => {}
    }
}

/// The hold that a record placed. One that cannot be read is shown as a hold on everything.
fn shown_hold(body: &HoldPlaced<'_>, custodian: Option<&str>) -> Hold {
    let mut hold = Hold::new(body.case, HoldScope::from_bytes(body.scope).unwrap_or_default());
    hold.custodian = custodian.map(str::to_owned);
    hold.review_by = body.review_by.map(Timestamp::from_nanos);
    hold
}

/// Why it cannot be told what a hold pins, or for which case; `None` if it can.
pub(crate) fn unreadable(body: &HoldPlaced<'_>) -> Option<String> {
    let read = HoldScope::from_bytes(body.scope);
    read.and_then(|scope| Hold::new(body.case, scope).check()).err().map(|error| error.to_string())
}

/// The holds in force, by the state alone: without who and why, with the aliases that a key
/// store has of those they name. What deletes needs all of them.
///
/// # Errors
/// `Retention` if one cannot be read, with the way forward.
pub(crate) fn scopes(catalog: &Catalog, store: Option<&KeyStore>) -> Result<Vec<Hold>> {
    let readable = |body: HoldPlaced<'_>| match unreadable(&body) {
        None => Ok(aliases::resolved(&shown_hold(&body, None), store)),
        Some(error) => Err(Error::Retention {
            reason: format!(
                "expected holds that can be read, found the hold of case {:?}: {error}; nothing is \
                 dropped or erased while it is in force: release it (`bulla hold release`), and \
                 place it again as it was meant",
                body.case
            ),
        }),
    };
    catalog.state().holds().map(readable).collect()
}
