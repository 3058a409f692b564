//! What a deep verification asks of single records of the catalog: what opening does not need,
//! and what only records of both streams together tell.

use std::collections::BTreeMap;
use std::path::Path;

use super::doubtful::Doubtful;
use super::report::Place;
use crate::checkpoint::{VerifyingKey, checkpoint_of};
use crate::format::Stream;
use crate::format::catalog_body::{
    CatalogBody, HeadSigned, HoldPlaced, KeyAdded, KeysChanged, Quarantined,
};
use crate::read::recorded;
use crate::seq::Seq;

/// Something in a record that no log writes, or that this version does not know.
pub(super) struct Oddity {
    what: &'static str,
    expected: String,
    found: String,
    is_warning: bool,
}

impl Oddity {
    fn finding(what: &'static str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Oddity { what, expected: expected.into(), found: found.into(), is_warning: false }
    }

    /// Takes it into the list where it belongs.
    pub(super) fn report(self, (path, place): (&Path, Place), doubtful: &mut Doubtful) {
        let Oddity { what, expected, found, is_warning } = self;
        if is_warning {
            doubtful.warning(path, place, what, expected, found);
        } else {
            doubtful.finding(path, place, what, expected, found);
        }
    }
}

/// What the records so far say of keys, seals and drops.
#[derive(Default)]
pub(super) struct KnownRecords {
    /// The keys that may have signed a head by now.
    pub(super) keys: Vec<VerifyingKey>,
    /// The log's public names, the present one last.
    pub(super) origins: Vec<String>,
    /// Where the seal of each segment is recorded.
    pub(super) sealed: BTreeMap<u64, Seq>,
    pub(super) drops: Vec<Drop>,
}

/// A drop: where its certificate and its end are recorded.
pub(super) struct Drop {
    pub(super) ordinal: u64,
    pub(super) begun: Seq,
    pub(super) done: Option<Seq>,
}

impl KnownRecords {
    /// Takes in the next record, and says what is odd in it.
    pub(super) fn check(&mut self, seq: Seq, body: &CatalogBody<'_>, odd: &mut impl FnMut(Oddity)) {
        let found = match body {
            CatalogBody::Created(created) => {
                self.origins.push(created.origin.to_owned());
                None
            }
            CatalogBody::HeadSigned(head) => self.check_head(head),
            CatalogBody::KeyAdded(added) => self.add_key(added),
            CatalogBody::KeysChanged(changed) => {
                self.change_keys(changed);
                None
            }
            CatalogBody::Quarantined(bytes) => check_set_aside(bytes),
            CatalogBody::HoldPlaced(hold) => check_hold(hold),
            CatalogBody::Unknown(unknown) => Some(Oddity {
                what: "record kind",
                expected: "a kind that this version knows".to_owned(),
                found: format!("kind {}: written by a newer version, and kept", unknown.kind),
                is_warning: true,
            }),
            body => {
                self.note_segment(seq, body);
                None
            }
        };
        found.into_iter().for_each(odd);
    }

    fn note_segment(&mut self, seq: Seq, body: &CatalogBody<'_>) {
        match body {
            CatalogBody::Sealed(sealed) => {
                self.sealed.insert(sealed.ordinal, seq);
            }
            CatalogBody::DropStarted(drop) => {
                self.drops.push(Drop { ordinal: drop.ordinal, begun: seq, done: None });
            }
            CatalogBody::DropCompleted(done) => {
                let mut drops = self.drops.iter_mut().rev();
                if let Some(drop) = drops.find(|drop| drop.ordinal == done.ordinal) {
                    drop.done = Some(seq);
                }
            }
            CatalogBody::DropAborted(undone) => {
                self.drops.retain(|drop| drop.ordinal != undone.ordinal || drop.done.is_some());
            }
            _ => {}
        }
    }

    fn add_key(&mut self, added: &KeyAdded<'_>) -> Option<Oddity> {
        let what = "key added";
        let key: VerifyingKey = match added.vkey.parse() {
            Ok(key) => key,
            Err(error) => {
                return Some(Oddity::finding(what, "a verifier key", format!("{error}")));
            }
        };
        let name = key.name().to_string();
        self.keys.push(key);
        let own = self.origins.contains(&name);
        (!own).then(|| Oddity::finding(what, self.expected_origin(), format!("a key of {name:?}")))
    }

    fn change_keys(&mut self, changed: &KeysChanged<'_>) {
        if changed.change != KeysChanged::RECOVERY {
            self.keys.extend(changed.introduced.parse::<VerifyingKey>().ok());
        }
        self.origins.push(changed.origin.to_owned());
    }

    /// A head is signed by a key that was added before, and its record says what its note says.
    fn check_head(&self, head: &HeadSigned<'_>) -> Option<Oddity> {
        let what = "head signed";
        let note = match checkpoint_of(head) {
            Ok(note) => note,
            Err(error) => return Some(Oddity::finding(what, "a checkpoint", error.to_string())),
        };
        let said = note.dangerously_unverified();
        if self.origins.last().is_none_or(|origin| origin != said.origin()) {
            let found = format!("one of {:?}", said.origin());
            return Some(Oddity::finding(what, self.expected_origin(), found));
        }
        // Whether the signature is right is looked at where the note is published: each verification
        // reads every head that was ever signed, in both copies.
        let signatures = note.note().signatures();
        let by_known = signatures.iter().any(|signature| {
            let mut keys = self.keys.iter();
            keys.any(|key| *key.name() == signature.name && key.id() == signature.id)
        });
        let found = || {
            let by = signatures.iter().map(|by| format!("{} (key id {})", by.name, by.id));
            by.collect::<Vec<_>>().join(", ")
        };
        let expected = "a signature by a key that was added before";
        (!by_known).then(|| Oddity::finding(what, expected, format!("only those by {}", found())))
    }

    fn expected_origin(&self) -> String {
        format!("one of {:?}, as the log is called", self.origins.last().map_or("", String::as_str))
    }
}

/// A hold whose case or scope cannot be read pins nobody knows what.
fn check_hold(hold: &HoldPlaced<'_>) -> Option<Oddity> {
    let error = recorded::unreadable(hold)?;
    let expected = format!("hold {:?} with a case and a scope that can be read", hold.case);
    Some(Oddity::finding("hold placed", expected, error))
}

fn check_set_aside(bytes: &Quarantined<'_>) -> Option<Oddity> {
    let what = "bytes set aside";
    if Stream::from_code(bytes.stream).is_none() {
        return Some(Oddity::finding(what, "stream 1 or 2", bytes.stream.to_string()));
    }
    let plain = !bytes.file.is_empty()
        && !bytes.file.starts_with('.')
        && !bytes.file.contains(['/', '\\', '\0']);
    (!plain).then(|| {
        Oddity::finding(what, "the name of a file in `quarantine/`", format!("{:?}", bytes.file))
    })
}
