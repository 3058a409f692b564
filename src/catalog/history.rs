//! The catalog as a history for people.

use super::load;
use super::store::Catalog;
use crate::disk::Open;
use crate::error::Result;
use crate::format::catalog_body::{CatalogBody, KeysChanged, ProtectionSet, RecordedAttribution};
use crate::format::encrypted::KeyId;
use crate::format::record;
use crate::hash::{Hash, HashAlgorithm};
use crate::retention::{HoldScope, Policy};
use crate::segment::bytes::SegmentFile;
use crate::segment::scan::Position;
use crate::seq::counted;
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

impl Catalog {
    /// All records of the catalog, oldest first.
    ///
    /// # Errors
    /// I/O, damage.
    pub fn history(&self) -> Result<Vec<HistoryEntry>> {
        let mut entries = Vec::new();
        self.each_record(|record| entries.push(HistoryEntry::of(record)))?;
        Ok(entries)
    }

    /// The statements about the log's keys, as signed notes, oldest first.
    ///
    /// # Errors
    /// I/O, damage.
    pub fn key_statements(&self) -> Result<Vec<String>> {
        let mut notes = Vec::new();
        self.each_record(|record| {
            let decoded = CatalogBody::decode(record.head.kind, record.envelope);
            if let Ok((_, CatalogBody::KeysChanged(changed))) = decoded {
                notes.push(changed.note.to_owned());
            }
        })?;
        Ok(notes)
    }

    /// Gives every record, oldest first.
    ///
    /// # Errors
    /// I/O, damage.
    pub(crate) fn each_record(
        &self,
        mut each: impl FnMut(&record::CheckedRecord<'_>),
    ) -> Result<()> {
        let dir = self.segment.path.parent().unwrap_or(&self.dir).to_owned();
        for ordinal in load::ordinals(&*self.disk, &dir)? {
            let path = crate::segment::path(&dir, ordinal);
            let Some(segment) = SegmentFile::open(&*self.disk, &path, Open::Read)? else {
                continue;
            };
            let start =
                Position { offset: segment.header.first_frame(), size: segment.header.first };
            crate::segment::recover::last(&segment, start, |_, _, record| each(&record))?;
        }
        Ok(())
    }
}

impl HistoryEntry {
    fn of(record: &record::CheckedRecord<'_>) -> Self {
        let decoded = CatalogBody::decode(record.head.kind, record.envelope);
        let because =
            RecordedAttribution::decode(record.head.kind, record.payload()).unwrap_or_default();
        let (state_root, body) = match decoded {
            Ok((root, body)) => (root, Some(body)),
            Err(_) => (Hash::ZERO, None),
        };
        let (what, detail) = match &body {
            Some(body) => describe(body),
            None => {
                let kind = record.head.kind;
                ("unknown", format!("record kind {kind}, written by a newer version"))
            }
        };
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

/// What a record of the catalog says, for people: what happened, and the particulars.
pub fn describe(body: &CatalogBody<'_>) -> (&'static str, String) {
    match body {
        CatalogBody::Created(b) => {
            let hash = HashAlgorithm::from_code(b.hash_algorithm).map_or("?", |hash| hash.name());
            ("log created", format!("origin {}, hash {hash}", b.origin))
        }
        CatalogBody::Sealed(b) => {
            let last = b.first.saturating_add(b.count).saturating_sub(1);
            ("segment sealed", format!("segment {}, records {} to {last}", b.ordinal, b.first))
        }
        CatalogBody::HeadSigned(b) => {
            ("head signed", format!("size {}, root {}", b.size, Hash::from_bytes(b.root)))
        }
        CatalogBody::KeyAdded(b) => ("key added", b.vkey.to_owned()),
        CatalogBody::KeysChanged(b) => keys_changed(b),
        CatalogBody::Quarantined(b) => {
            let (len, at) = (b.len, b.offset);
            let detail =
                format!("{len} bytes at {at} of segment {}: {} ({})", b.ordinal, b.file, b.reason);
            ("bytes set aside", detail)
        }
        CatalogBody::ClockStepped(b) => {
            let time = Timestamp::from_nanos;
            ("clock stepped", format!("from {} to {}", time(b.expected), time(b.found)))
        }
        CatalogBody::Erased(b) => {
            let keys: Vec<_> = b.key_ids.iter().map(|id| KeyId(*id).to_string()).collect();
            let (records, size) = (b.records, b.size);
            let keys = keys.join(", ");
            let first = counted(size, "record");
            ("subject erased", format!("keys {keys}: {records} of the first {first}"))
        }
        CatalogBody::ProtectionSet(b) => {
            let what = if b.exception { "protection waived" } else { "protection set" };
            (what, protection(b))
        }
        body => retention(body),
    }
}

/// How what is appended is protected, in words.
pub fn protection(set: &ProtectionSet) -> String {
    let Some(store_id) = set.store_id else { return "no key store, all in plain text".to_owned() };
    let subject = if set.subject_rule == ProtectionSet::RULE_ACTOR {
        "payloads encrypted for the subject or else the actor"
    } else {
        "payloads encrypted for the subject"
    };
    let mut words = format!("key store {}, {subject}", KeyId(store_id));
    if set.alias_actors {
        words.push_str(", actor ids as aliases");
    }
    if !set.alias_resources.is_empty() {
        words.push_str(", resource ids as aliases of the types ");
        words.push_str(&set.alias_resources.join(", "));
    }
    words
}

fn retention(body: &CatalogBody<'_>) -> (&'static str, String) {
    let time = Timestamp::from_nanos;
    match body {
        CatalogBody::HoldPlaced(b) => {
            let scope = HoldScope::from_bytes(b.scope);
            let scope = scope.map_or_else(|error| error.to_string(), |scope| scope.to_string());
            ("hold placed", format!("{}: {scope}", b.case))
        }
        CatalogBody::HoldReleased(b) => ("hold released", b.case.to_owned()),
        CatalogBody::PolicySet(b) => ("policy set", Policy::from_body(b).to_string()),
        CatalogBody::DropStarted(b) => {
            let last = b.first.saturating_add(b.count).saturating_sub(1);
            let detail = format!("segment {}, records {} to {last}", b.ordinal, b.first);
            ("drop certificate", format!("{detail}, kept until {}", time(b.keep_until)))
        }
        CatalogBody::DropCompleted(b) => ("segment dropped", format!("segment {}", b.ordinal)),
        CatalogBody::DropAborted(b) => {
            ("drop called off", format!("segment {}, held by {}", b.ordinal, b.case))
        }
        CatalogBody::Archived(b) => {
            ("segment archived", format!("segment {} to {}", b.ordinal, b.location))
        }
        CatalogBody::Restored(b) => {
            ("segment restored", format!("segment {} from {}", b.ordinal, b.location))
        }
        _ => ("unknown", format!("record kind {}", body.kind())),
    }
}

fn keys_changed(body: &KeysChanged<'_>) -> (&'static str, String) {
    let KeysChanged { key, introduced, number, .. } = body;
    let detail = |verb: &str| format!("statement {number}: {key} {verb} {introduced}");
    match body.change {
        1 => ("key rotated", detail("hands over to")),
        KeysChanged::RECOVERY => ("recovery key named", detail("names")),
        3 => ("key revoked", detail("is replaced by")),
        4 => ("origin retired", detail("is succeeded by")),
        _ => ("keys changed", detail("introduces")),
    }
}
