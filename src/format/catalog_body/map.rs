//! What is in force: the map that the records of the catalog add up to.

use super::codec::{borrow, decode};
use super::entries::Entries;
use super::kinds::{Created, KeysInForce, Sealed};
use super::latest::Latest;
use super::retention::{Archived, HoldPlaced, PolicyInForce};
use crate::hash::{Hash, HashAlgorithm};
use crate::seq::Seq;

/// What is in force: a sorted map whose Merkle root each catalog record carries.
///
/// Keys are text: `log`, `keys`, `policy`, `protection`, `key/` ‖ vkey, `hold/` ‖ case, `erased/` ‖ key id, and, with the
/// ordinal as 16 hexadecimal digits, `segment/`, `archive/` and `drop/`; values are the bodies
/// of the records that made them so. See `docs/format.md`, “State”.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateMap {
    pub(super) entries: Entries,
    /// Derived from the entries.
    pub(super) latest: Latest,
}

/// The entries that a record sets, with their values; `None`: the entry goes. Given by
/// [`StateMap::changes`], and again by [`StateMap::change`], which takes them back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Changes(pub(super) Vec<(String, Option<Vec<u8>>)>);

impl Changes {
    pub(super) fn one(key: String, value: Vec<u8>) -> Self {
        Changes(vec![(key, Some(value))])
    }
}

const STATE_TAG: &[u8] = b"bulla/state/v1\0";

impl StateMap {
    /// Sets entries, and gives the changes that make the state what it was before.
    pub fn change(&mut self, changes: Changes) -> Changes {
        let set = |(key, value): (String, Option<Vec<u8>>)| {
            if let Some(ordinal) = ordinal_of_segment(&key) {
                self.latest.set(ordinal, value.as_deref());
            }
            let before = self.entries.set(&key, value);
            (key, before)
        };
        let mut before: Vec<(String, Option<Vec<u8>>)> = changes.0.into_iter().map(set).collect();
        before.reverse();
        Changes(before)
    }

    /// A sealed segment, whatever became of it.
    pub fn segment(&self, ordinal: u64) -> Option<Sealed> {
        self.entries.get(&segment_key(ordinal)).and_then(|value| decode(value).ok())
    }

    /// The retention policy; `None`: nothing expires.
    pub fn policy(&self) -> Option<PolicyInForce<'_>> {
        self.entries.get(POLICY).and_then(|value| borrow(value).ok())
    }

    /// The holds in force, by case.
    pub fn holds(&self) -> impl Iterator<Item = HoldPlaced<'_>> + '_ {
        self.entries
            .range("hold/".."hold0") // '0' follows '/'
            .filter_map(|(_, value)| borrow(value).ok())
    }

    /// The catalog record with the certificate by which a segment was dropped.
    pub fn certificate_of(&self, ordinal: u64) -> Option<Seq> {
        let value = self.entries.get(&ordinal_key("drop", ordinal))?;
        decode::<u64>(value).ok().map(Seq::new)
    }

    /// The catalog record with the certificate that was written last, of those in force.
    pub fn newest_certificate(&self) -> Option<Seq> {
        let drops = self.entries.range("drop/".."drop0"); // '0' follows '/'
        drops.filter_map(|(_, value)| decode::<u64>(value).ok()).max().map(Seq::new)
    }

    /// Where the newest archived copy of a segment is.
    pub fn archived(&self, ordinal: u64) -> Option<Archived<'_>> {
        self.entries.get(&ordinal_key("archive", ordinal)).and_then(|value| borrow(value).ok())
    }

    /// A map of these entries.
    pub fn from_entries(entries: impl Iterator<Item = (String, Vec<u8>)>) -> Self {
        let entries: Entries = entries.collect();
        let mut latest = Latest::default();
        for (key, value) in entries.range(SEGMENTS) {
            if let Some(ordinal) = ordinal_of_segment(key) {
                latest.set(ordinal, Some(value));
            }
        }
        StateMap { entries, latest }
    }

    /// Root of the RFC 6962 SHA-256 tree over the entries in key order; a leaf is
    /// tag ‖ length of key (u32) ‖ key ‖ value.
    pub fn root(&self) -> Hash {
        self.entries.root(StateMap::leaf)
    }

    /// The leaf of an entry in the tree of the state.
    pub fn leaf(key: &str, value: &[u8]) -> Hash {
        let key_len = u32::try_from(key.len()).unwrap_or(u32::MAX).to_le_bytes();
        HashAlgorithm::Sha256.leaf(&[STATE_TAG, &key_len, key.as_bytes(), value])
    }

    /// All entries, ascending by key.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.entries.iter()
    }

    /// The sealed segments in force, by ordinal.
    pub fn segments(&self) -> impl Iterator<Item = Sealed> + '_ {
        self.entries.range(SEGMENTS).filter_map(|(_, value)| decode(value).ok())
    }

    /// The newest sealed segment in force.
    pub fn last_segment(&self) -> Option<Sealed> {
        self.entries.range(SEGMENTS).next_back().and_then(|(_, value)| decode(value).ok())
    }

    /// Verifier keys that have signed heads of this log, as text.
    pub fn keys(&self) -> impl Iterator<Item = &str> + '_ {
        let keys = self.entries.range("key/".."key0"); // '0' follows '/'
        keys.filter_map(|(key, _)| key.strip_prefix("key/"))
    }

    /// What the statements about keys add up to; `None` if there was none.
    pub fn keys_in_force(&self) -> Option<KeysInForce<'_>> {
        self.entries.get(KEYS).and_then(|value| borrow(value).ok())
    }

    /// The log's public name: that of its creation, or of a successor.
    pub fn origin(&self) -> Option<&str> {
        let in_force = self.keys_in_force().map(|keys| keys.origin);
        in_force.or_else(|| self.created().map(|created| created.origin))
    }

    /// Whether the log has, or had, this public name.
    pub fn had_origin(&self, name: &str) -> bool {
        let named = |vkey: &str| vkey.split('+').next() == Some(name);
        self.created().is_some_and(|created| created.origin == name) || self.keys().any(named)
    }

    /// The record of the log's creation.
    pub fn created(&self) -> Option<Created<'_>> {
        self.entries.get("log").and_then(|value| borrow(value).ok())
    }
}

/// The entry of what the statements about keys add up to.
pub(super) const KEYS: &str = "keys";
/// The entry of the retention policy.
pub(super) const POLICY: &str = "policy";
/// The entries of sealed segments; '0' follows '/'.
pub(super) const SEGMENTS: std::ops::Range<&str> = "segment/".."segment0";

pub(super) fn hold_key(case: &str) -> String {
    format!("hold/{case}")
}

pub(super) fn ordinal_key(of: &str, ordinal: u64) -> String {
    format!("{of}/{ordinal:016x}")
}

pub(super) fn key_entry(vkey: &str) -> String {
    format!("key/{vkey}")
}

pub(super) fn segment_key(ordinal: u64) -> String {
    ordinal_key("segment", ordinal)
}

/// The ordinal in the key of a sealed segment.
pub(super) fn ordinal_of_segment(key: &str) -> Option<u64> {
    u64::from_str_radix(key.strip_prefix("segment/")?, 16).ok()
}

impl StateMap {
    /// The latest time that was recorded in the log up to the end of a segment, dropped ones
    /// included: the creation of the log, or a record. How long the segment is kept counts from
    /// it. In nanoseconds since 1970; `None`: the state has no time that is so old.
    pub fn latest_time(&self, ordinal: u64) -> Option<i64> {
        let created = self.created().map(|created| created.created_at);
        created.max(self.latest.up_to(ordinal))
    }

    /// As [`StateMap::latest_time`], before a segment.
    pub fn latest_time_before(&self, ordinal: u64) -> Option<i64> {
        ordinal.checked_sub(1).and_then(|before| self.latest_time(before))
    }

    /// The time of the newest record of each segment behind this one.
    pub fn newest_times_behind(&self, ordinal: u64) -> impl Iterator<Item = i64> {
        self.latest.behind(ordinal)
    }
}
