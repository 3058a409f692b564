//! The records of the catalog, for people.

use crate::format::catalog_body::{Because, CatalogBody};
use crate::format::record;
use crate::hash::{Hash, HashAlgorithm};
use crate::time::Timestamp;

/// A record of the catalog, for people.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// Its position in the catalog.
    pub seq: crate::seq::Seq,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// What happened, e.g. `segment sealed`.
    pub what: String,
    /// The particulars.
    pub detail: String,
    /// Who asked, if that was given.
    pub who: Option<String>,
    /// Why, if that was given.
    pub why: Option<String>,
    /// Root of the state after it.
    pub state_root: Hash,
}

impl HistoryEntry {
    pub(super) fn of(record: &record::CheckedRecord<'_>) -> Self {
        let decoded = CatalogBody::decode(record.head.kind, record.envelope);
        let because = Because::decode(record.payload()).unwrap_or_default();
        let (state_root, body) = decoded.unwrap_or((Hash::ZERO, None));
        let (what, detail) = describe(record.head.kind, body.as_ref());
        HistoryEntry {
            seq: record.head.seq,
            recorded_at: record.head.recorded_at,
            what: what.to_owned(),
            detail,
            who: because.who.map(str::to_owned),
            why: because.why.map(str::to_owned),
            state_root,
        }
    }
}

fn describe(kind: u8, body: Option<&CatalogBody<'_>>) -> (&'static str, String) {
    match body {
        Some(CatalogBody::Created(b)) => {
            let hash = HashAlgorithm::from_code(b.hash_algorithm).map_or("?", |hash| hash.name());
            ("log created", format!("origin {}, hash {hash}", b.origin))
        }
        Some(CatalogBody::Sealed(b)) => {
            let last = b.first.saturating_add(b.count).saturating_sub(1);
            ("segment sealed", format!("segment {}, records {} to {last}", b.ordinal, b.first))
        }
        Some(CatalogBody::HeadSigned(b)) => {
            ("head signed", format!("size {}, root {}", b.size, Hash::from_bytes(b.root)))
        }
        Some(CatalogBody::KeyAdded(b)) => ("key added", b.vkey.to_owned()),
        Some(CatalogBody::Quarantined(b)) => {
            let (len, at) = (b.len, b.offset);
            let detail =
                format!("{len} bytes at {at} of segment {}: {} ({})", b.ordinal, b.file, b.reason);
            ("bytes set aside", detail)
        }
        Some(CatalogBody::ClockStepped(b)) => {
            let time = Timestamp::from_nanos;
            ("clock stepped", format!("from {} to {}", time(b.expected), time(b.found)))
        }
        None => ("unknown", format!("record kind {kind}, written by a newer version")),
    }
}
