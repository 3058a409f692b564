//! What a record of the catalog changes of what is in force.

use super::body::CatalogBody;
use super::codec::encode;
use super::erased::erase;
use super::kinds::{KeyAdded, KeysChanged, KeysInForce, Sealed};
use super::map::{Changes, KEYS, POLICY, StateMap, hold_key, key_entry, ordinal_key, segment_key};
use super::protection;
use super::retention::{
    DropAborted, DropStarted, HoldPlaced, PolicyInForce, PolicySet, Restored, status,
};
use super::rules::contradicts;
use crate::format::FormatError;
use crate::seq::Seq;

impl StateMap {
    /// Applies the record with this Seq: each kind sets the entries it is about.
    ///
    /// # Errors
    /// As [`StateMap::changes`]; nothing is changed then.
    pub fn apply(&mut self, seq: Seq, body: &CatalogBody<'_>) -> Result<(), FormatError> {
        let _before = self.change(self.changes(seq, body)?);
        Ok(())
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
            CatalogBody::DropStarted(drop) => return self.begin_drop(seq, drop),
            CatalogBody::DropCompleted(done) => {
                return self.end_drop(done.ordinal, |_| status::DROPPED);
            }
            CatalogBody::DropAborted(undone) => return self.undo_drop(undone),
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

    fn begin_drop(&self, seq: Seq, drop: &DropStarted<'_>) -> Result<Changes, FormatError> {
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

    fn undo_drop(&self, undone: &DropAborted<'_>) -> Result<Changes, FormatError> {
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
}

/// What gives a sealed segment another status.
fn with_status(sealed: Sealed, status: u8) -> Result<Changes, FormatError> {
    let sealed = Sealed { status, ..sealed };
    Ok(Changes::one(segment_key(sealed.ordinal), encode(&sealed)?))
}
