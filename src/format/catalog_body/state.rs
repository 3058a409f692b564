//! What is in force: the map that the records of the catalog add up to.

use super::entries::Entries;
use super::erased::erase;
use super::latest::Latest;
use super::protection;
use super::retention::status;
use super::rules::contradicts;
use super::{
    Archived, CatalogBody, Created, DropBegun, DropUndone, HoldPlaced, KeyAdded, KeysChanged,
    KeysInForce, PolicyInForce, PolicySet, Restored, Sealed, borrow, decode, encode,
};
use crate::format::FormatError;
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
    fn one(key: String, value: Vec<u8>) -> Self {
        Changes(vec![(key, Some(value))])
    }
}

const STATE_TAG: &[u8] = b"bulla/state/v1\0";

impl StateMap {
    /// Applies the record with this Seq: each kind sets the entries it is about.
    ///
    /// # Errors
    /// As [`StateMap::changes`]; nothing is changed then.
    pub fn apply(&mut self, seq: Seq, body: &CatalogBody<'_>) -> Result<(), FormatError> {
        let _before = self.change(self.changes(seq, body)?);
        Ok(())
    }

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

    /// What the record with this Seq changes.
    ///
    /// # Errors
    /// A body that cannot be encoded, or that does not follow from what is in force: the
    /// release of a hold that is not, a drop of what is no live segment, a policy that a
    /// compliance mode forbids.
    pub fn changes(&self, seq: Seq, body: &CatalogBody<'_>) -> Result<Changes, FormatError> {
        let (key, value) = match body {
            CatalogBody::Created(created) => {
                self.check_created(created)?;
                ("log".to_owned(), encode(created)?)
            }
            CatalogBody::Sealed(sealed) => {
                self.check_sealed(sealed)?;
                (segment_key(sealed.ordinal), encode(sealed)?)
            }
            CatalogBody::KeyAdded(key) => (key_entry(key.vkey), encode(key)?),
            CatalogBody::KeysChanged(changed) => return self.change_keys(changed),
            CatalogBody::HoldPlaced(hold) => return self.place_hold(hold),
            CatalogBody::HoldReleased(released) => return self.release_hold(released.case),
            CatalogBody::PolicySet(policy) => return self.set_policy(seq, policy),
            CatalogBody::DropBegun(drop) => return self.begin_drop(seq, drop),
            CatalogBody::DropDone(done) => {
                return self.end_drop(done.ordinal, |_| status::DROPPED);
            }
            CatalogBody::DropUndone(undone) => return self.undo_drop(undone),
            CatalogBody::Archived(archived) => {
                self.check_archived(archived)?;
                (ordinal_key("archive", archived.ordinal), encode(archived)?)
            }
            CatalogBody::Restored(restored) => return self.restore(restored),
            CatalogBody::Erased(erased) => return erase(erased),
            CatalogBody::ProtectionSet(protection) => return protection::set(protection),
            CatalogBody::HeadSigned(_)
            | CatalogBody::Quarantined(_)
            | CatalogBody::ClockStepped(_)
            | CatalogBody::Unknown(_) => return Ok(Changes::default()),
        };
        Ok(Changes::one(key, value))
    }

    fn change_keys(&self, changed: &KeysChanged<'_>) -> Result<Changes, FormatError> {
        self.check_keys_changed(changed)?;
        let names_recovery = changed.change == KeysChanged::RECOVERY;
        let recovery = match self.keys_in_force() {
            _ if names_recovery => changed.introduced.to_owned(),
            Some(before) => before.recovery.to_owned(),
            None => String::new(),
        };
        let in_force = KeysInForce {
            number: changed.number,
            statement: changed.statement,
            origin: changed.origin,
            signer: if names_recovery { changed.key } else { changed.introduced },
            recovery: &recovery,
        };
        let mut changes = Changes::one(KEYS.to_owned(), encode(&in_force)?);
        if !names_recovery {
            let added = encode(&KeyAdded { vkey: changed.introduced })?;
            changes.0.push((key_entry(changed.introduced), Some(added)));
        }
        Ok(changes)
    }

    fn place_hold(&self, hold: &HoldPlaced<'_>) -> Result<Changes, FormatError> {
        let key = hold_key(hold.case);
        match self.entries.get(&key) {
            None => Ok(Changes::one(key, encode(hold)?)),
            Some(_) => Err(contradicts("a case without a hold in force", hold.case)),
        }
    }

    fn release_hold(&self, case: &str) -> Result<Changes, FormatError> {
        let key = hold_key(case);
        match self.entries.get(&key) {
            Some(_) => Ok(Changes(vec![(key, None)])),
            None => Err(contradicts("a case with a hold in force", case)),
        }
    }

    fn set_policy(&self, seq: Seq, policy: &PolicySet<'_>) -> Result<Changes, FormatError> {
        if let Some(before) = self.policy()
            && let Err(loosened) = before.policy.check_successor(policy)
        {
            return Err(contradicts(
                "a policy no looser than the one in compliance mode",
                loosened,
            ));
        }
        let in_force = PolicyInForce { seq: seq.get(), policy: policy.clone() };
        Ok(Changes::one(POLICY.to_owned(), encode(&in_force)?))
    }

    fn begin_drop(&self, seq: Seq, drop: &DropBegun<'_>) -> Result<Changes, FormatError> {
        let expected = "a drop of a segment as it was sealed";
        let Some(sealed) = self.segment(drop.ordinal) else {
            return Err(contradicts(expected, format!("segment {}", drop.ordinal)));
        };
        let same = (sealed.first, sealed.count, sealed.bytes, sealed.times)
            == (drop.first, drop.count, drop.bytes, drop.times)
            && (sealed.end_root, sealed.header, sealed.index_root)
                == (drop.end_root, drop.header, drop.index_root);
        if !same || !status::is_readable(sealed.status) {
            let found = format!("segment {} of status {}", drop.ordinal, sealed.status);
            return Err(contradicts(expected, found));
        }
        self.check_drop(&sealed, drop)?;
        let mut changes = with_status(sealed, status::begun(sealed.status))?;
        changes.0.push((ordinal_key("drop", drop.ordinal), Some(encode(&seq.get())?)));
        Ok(changes)
    }

    fn end_drop(&self, ordinal: u64, to: impl FnOnce(u8) -> u8) -> Result<Changes, FormatError> {
        match self.segment(ordinal).filter(|sealed| status::is_dropping(sealed.status)) {
            Some(sealed) => with_status(sealed, to(sealed.status)),
            None => Err(contradicts("the end of a drop that was begun", ordinal)),
        }
    }

    fn undo_drop(&self, undone: &DropUndone<'_>) -> Result<Changes, FormatError> {
        self.check_undone(undone)?;
        let mut changes = self.end_drop(undone.ordinal, status::called_off)?;
        changes.0.push((ordinal_key("drop", undone.ordinal), None));
        Ok(changes)
    }

    fn restore(&self, restored: &Restored<'_>) -> Result<Changes, FormatError> {
        match self.segment(restored.ordinal).filter(|sealed| sealed.status == status::DROPPED) {
            Some(sealed) => with_status(sealed, status::RESTORED),
            None => Err(contradicts("a dropped segment to restore", restored.ordinal)),
        }
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
const KEYS: &str = "keys";
/// The entry of the retention policy.
const POLICY: &str = "policy";
/// The entries of sealed segments; '0' follows '/'.
const SEGMENTS: std::ops::Range<&str> = "segment/".."segment0";

/// What gives a sealed segment another status.
fn with_status(sealed: Sealed, status: u8) -> Result<Changes, FormatError> {
    let sealed = Sealed { status, ..sealed };
    Ok(Changes::one(segment_key(sealed.ordinal), encode(&sealed)?))
}

fn hold_key(case: &str) -> String {
    format!("hold/{case}")
}

fn ordinal_key(of: &str, ordinal: u64) -> String {
    format!("{of}/{ordinal:016x}")
}

fn key_entry(vkey: &str) -> String {
    format!("key/{vkey}")
}

fn segment_key(ordinal: u64) -> String {
    ordinal_key("segment", ordinal)
}

/// The ordinal in the key of a sealed segment.
fn ordinal_of_segment(key: &str) -> Option<u64> {
    u64::from_str_radix(key.strip_prefix("segment/")?, 16).ok()
}
