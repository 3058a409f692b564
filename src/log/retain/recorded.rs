//! Reading what the catalog says of policy, holds and drops.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::directory::LogDir;
use crate::error::{Error, Result};
use crate::format::catalog_body::{Because, CatalogBody, HoldPlaced, Sealed, status};
use crate::format::record::CheckedRecord;
use crate::hash::Hash;
use crate::keystore::KeyStore;
use crate::log::retain::{RecordedHold, RecordedPolicy, Release, aliases};
use crate::log::{Log, LogReader};
use crate::retention::{DropCertificate, Hold, HoldScope, Policy};
use crate::seq::Seq;
use crate::time::Timestamp;
use crate::tree::Certificates;

impl Log {
    /// The retention policy in force; `None`: nothing expires.
    ///
    /// # Errors
    /// `CatalogDamaged`, I/O.
    pub fn policy(&self) -> Result<Option<RecordedPolicy>> {
        self.with_catalog(policy)
    }

    /// The holds in force, in the order they were placed, also those that another process
    /// placed.
    ///
    /// # Errors
    /// `CatalogDamaged`, I/O.
    pub fn holds(&self) -> Result<Vec<RecordedHold>> {
        self.with_catalog(holds_in_force)
    }

    /// All holds that were ever placed, with who released them.
    ///
    /// # Errors
    /// `CatalogDamaged`, I/O.
    pub fn hold_history(&self) -> Result<Vec<RecordedHold>> {
        self.with_catalog(hold_history)
    }

    /// The certificates of the segments that are gone, or were and came back.
    ///
    /// # Errors
    /// `CatalogDamaged`, I/O.
    pub fn drop_certificates(&self) -> Result<Vec<DropCertificate>> {
        self.with_catalog(|catalog| certificates(catalog, |found| found != status::LIVE))
    }
}

impl LogReader {
    /// As [`Log::policy`].
    ///
    /// # Errors
    /// As [`Log::policy`].
    pub fn policy(&self) -> Result<Option<RecordedPolicy>> {
        self.with_catalog(policy)
    }

    /// As [`Log::holds`].
    ///
    /// # Errors
    /// As [`Log::holds`].
    pub fn holds(&self) -> Result<Vec<RecordedHold>> {
        self.with_catalog(holds_in_force)
    }

    /// As [`Log::hold_history`].
    ///
    /// # Errors
    /// As [`Log::hold_history`].
    pub fn hold_history(&self) -> Result<Vec<RecordedHold>> {
        self.with_catalog(hold_history)
    }

    /// As [`Log::drop_certificates`].
    ///
    /// # Errors
    /// As [`Log::drop_certificates`].
    pub fn drop_certificates(&self) -> Result<Vec<DropCertificate>> {
        self.with_catalog(|catalog| certificates(catalog, |found| found != status::LIVE))
    }
}

pub(super) fn policy(catalog: &Catalog) -> Result<Option<RecordedPolicy>> {
    let Some(in_force) = catalog.state().policy() else { return Ok(None) };
    let catalog_seq = Seq::new(in_force.seq);
    let (who, why) = catalog.with_record(catalog_seq, |record| {
        let because = Because::decode(record.head.kind, record.payload()).unwrap_or_default();
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

pub(super) fn holds_in_force(catalog: &Catalog) -> Result<Vec<RecordedHold>> {
    let mut holds = hold_history(catalog)?;
    holds.retain(|hold| hold.released.is_none());
    Ok(holds)
}

pub(super) fn hold_history(catalog: &Catalog) -> Result<Vec<RecordedHold>> {
    let mut holds = Vec::new();
    catalog.each_record(|record| note(&mut holds, record))?;
    Ok(holds)
}

/// Takes a record of the catalog into the list of holds.
fn note(holds: &mut Vec<RecordedHold>, record: &CheckedRecord<'_>) {
    let Ok((_, body)) = CatalogBody::decode(record.head.kind, record.envelope) else { return };
    let because = Because::decode(record.head.kind, record.payload()).unwrap_or_default();
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
pub(in crate::log) fn unreadable(body: &HoldPlaced<'_>) -> Option<String> {
    let read = HoldScope::from_bytes(body.scope);
    read.and_then(|scope| Hold::new(body.case, scope).check()).err().map(|error| error.to_string())
}

/// The holds in force, by the state alone: without who and why, with the aliases that a key
/// store has of those they name. What deletes needs all of them.
///
/// # Errors
/// `Retention` if one cannot be read, with the way forward.
pub(in crate::log) fn scopes(catalog: &Catalog, store: Option<&KeyStore>) -> Result<Vec<Hold>> {
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

/// The certificates of segments with a status, ascending by segment.
fn certificates(catalog: &Catalog, of: impl Fn(u8) -> bool) -> Result<Vec<DropCertificate>> {
    let dropped = catalog.state().segments().filter(|sealed| of(sealed.status));
    let at: Vec<Seq> =
        dropped.filter_map(|sealed| catalog.state().certificate_of(sealed.ordinal)).collect();
    at.into_iter().map(|seq| certificate_at(catalog, seq)).collect()
}

/// The certificate that was written last.
pub(super) fn newest_certificate(catalog: &Catalog) -> Result<Option<DropCertificate>> {
    let newest = catalog.state().newest_certificate();
    newest.map(|seq| certificate_at(catalog, seq)).transpose()
}

/// The certificate that a record of the catalog is.
pub(in crate::log) fn certificate_at(catalog: &Catalog, seq: Seq) -> Result<DropCertificate> {
    let read = catalog.with_record(seq, |record| {
        let because = Because::decode(record.head.kind, record.payload()).unwrap_or_default();
        match CatalogBody::decode(record.head.kind, record.envelope) {
            Ok((_, CatalogBody::DropBegun(body))) => {
                let at = (record.head.seq, record.head.recorded_at);
                Some(DropCertificate::of(&body, at, (because.who, because.why)))
            }
            _ => None,
        }
    })?;
    let what = format!("catalog record {seq}, which the state names");
    read.ok_or_else(|| Error::tampered(what, "a drop certificate", "another record"))
}

/// The certificate by which a segment is going, or gone: without one nothing of it is deleted, and
/// nothing leads across its gap.
///
/// # Errors
/// `Tampered` if there is none, or it is another segment's; damage, I/O.
pub(in crate::log) fn certificate_for(
    catalog: &Catalog,
    sealed: &Sealed,
) -> Result<DropCertificate> {
    let missing = || {
        let what = format!("segment {} of status {}", sealed.ordinal, sealed.status);
        Error::tampered(what, "a drop certificate in the catalog", "none")
    };
    let seq = catalog.state().certificate_of(sealed.ordinal).ok_or_else(missing)?;
    let certificate = certificate_at(catalog, seq)?;
    check_speaks_of(&certificate, sealed)?;
    Ok(certificate)
}

/// The certificate must speak of the segment that was sealed.
fn check_speaks_of(certificate: &DropCertificate, sealed: &Sealed) -> Result<()> {
    let (start, end) = (certificate.start.size.get(), certificate.end);
    let said = (certificate.ordinal, start, end.size.get(), end.root);
    let size = sealed.first.saturating_add(sealed.count);
    let fits = said == (sealed.ordinal, sealed.first, size, Hash::from_bytes(sealed.end_root));
    if fits && sealed.count > 0 {
        return Ok(());
    }
    let what = format!("the drop certificate of segment {}", sealed.ordinal);
    let root = Hash::from_bytes(sealed.end_root);
    let expected = format!("records {} to {size} and root {root}, as it was sealed", sealed.first);
    let found = format!("segment {}, records {start} to {}, root {}", said.0, said.2, said.3);
    Err(Error::tampered(what, expected, found))
}

/// The certificates of a log, for a tree whose files lost what they had of dropped records. The
/// catalog is opened for it: it may be in use by whoever asks the tree.
#[derive(Debug)]
struct OfCatalog {
    dir: LogDir,
}

pub(in crate::log) fn certified(dir: &LogDir) -> Arc<dyn Certificates> {
    Arc::new(OfCatalog { dir: dir.clone() })
}

impl Certificates for OfCatalog {
    fn all(&self) -> Result<Vec<DropCertificate>> {
        let (disk, clock) = (self.dir.shared_disk(), self.dir.shared_clock());
        let catalog = Catalog::open_read_only(disk, &self.dir.catalog(), self.dir.log_id(), clock);
        let catalog = catalog.map_err(|error| match error {
            Error::Corrupt { .. } | Error::NotALog { .. } => {
                let reason = format!(
                    "the hashes of dropped records in `tree/` were lost, and only their drop \
                     certificates have what a proof needs of them: {error}"
                );
                Error::CatalogDamaged { reason }
            }
            error => error,
        })?;
        // What was restored has its records: no hash of theirs is lost for good.
        certificates(&catalog, |found| !status::is_readable(found))
    }
}
