//! Bodies of catalog records, the state they add up to, and the snapshot of both.
//!
//! The envelope of a catalog record is its state root and its fields; the payload is
//! who asked and why, which can be erased without touching a proof.

mod erased;

use std::collections::BTreeMap;

use bincode::{BorrowDecode, Decode, Encode};

use super::FormatError;
use super::layout::{snapshot_header as s, trailing_crc};
use super::{FORMAT_VERSION, LogId, check_envelope};
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::Frontier;

pub use erased::Erased;

/// Largest snapshot body that is read, in bytes.
const MAX_SNAPSHOT: usize = 64 << 20;

fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<MAX_SNAPSHOT>()
}

/// Record kinds of the catalog. Those from 32 on change what is kept.
pub mod kind {
    /// The log was created.
    pub const CREATED: u8 = 16;
    /// A segment was sealed.
    pub const SEGMENT_SEALED: u8 = 17;
    /// A tree head was signed.
    pub const HEAD_SIGNED: u8 = 18;
    /// A signing key was seen for the first time.
    pub const KEY_ADDED: u8 = 19;
    /// Recovery set bytes aside.
    pub const QUARANTINED: u8 = 20;
    /// The wall clock jumped.
    pub const CLOCK_STEPPED: u8 = 21;
    /// The keys of the log changed.
    pub const KEYS_CHANGED: u8 = 23;
    /// Reserved: a damaged frame was stepped over.
    pub const MENDED: u8 = 22;
    /// Reserved: a legal hold was placed.
    pub const HOLD_PLACED: u8 = 32;
    /// Reserved: a legal hold was released.
    pub const HOLD_RELEASED: u8 = 33;
    /// Reserved: the retention policy was set.
    pub const POLICY_SET: u8 = 34;
    /// Reserved: a drop certificate.
    pub const DROP_BEGUN: u8 = 35;
    /// Reserved: the segment of a drop certificate is gone.
    pub const DROP_DONE: u8 = 36;
    /// Reserved: a segment was archived.
    pub const ARCHIVED: u8 = 37;
    /// Reserved: a segment was restored.
    pub const RESTORED: u8 = 38;
    /// A subject's keys are about to be destroyed.
    pub const ERASED: u8 = 39;
}

/// The log was created.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Created<'a> {
    /// The log's public name: the origin line of its checkpoints.
    pub origin: &'a str,
    /// Code of the main tree's hash.
    pub hash_algorithm: u8,
    /// When, in nanoseconds since 1970.
    pub created_at: i64,
}

/// A segment was sealed: also the value of its entry in the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Sealed {
    /// Its number.
    pub ordinal: u64,
    /// Records before it.
    pub first: u64,
    /// Records in it.
    pub count: u64,
    /// Size of the sealed file in bytes.
    pub bytes: u64,
    /// Smallest and largest `recorded_at`, then `occurred_at`, in nanoseconds.
    pub times: [i64; 4],
    /// Root of the main tree at its end.
    pub end_root: [u8; 32],
    /// Digest of its header.
    pub header: [u8; 32],
    /// Root of its logical index; zero: none.
    pub index_root: [u8; 32],
    /// Not to be dropped before; 0: no policy.
    pub keep_until: i64,
    /// 0 live; further values are reserved for archived and dropped.
    pub status: u8,
}

/// A head was signed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct HeadSigned<'a> {
    /// Records covered.
    pub size: u64,
    /// Root over them.
    pub root: [u8; 32],
    /// The signed note.
    pub note: &'a str,
}

/// A signing key was used for the first time.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct KeyAdded<'a> {
    /// The verifier key, as text.
    pub vkey: &'a str,
}

/// The keys of the log changed: the particulars of a signed statement, and itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct KeysChanged<'a> {
    /// 1 rotated, 2 a recovery key named, 3 revoked, 4 the origin retired.
    pub change: u8,
    /// The statement's number in the log's key chain, from 1.
    pub number: u64,
    /// SHA-256 of the statement's text.
    pub statement: [u8; 32],
    /// The key that signed heads until here.
    pub key: &'a str,
    /// The key that the statement introduces.
    pub introduced: &'a str,
    /// The log's public name from here on.
    pub origin: &'a str,
    /// The statement, as a signed note.
    pub note: &'a str,
}

impl KeysChanged<'_> {
    /// The code of a change that only names a recovery key.
    pub const RECOVERY: u8 = 2;
}

/// What the statements about keys add up to: the entry `keys` of the state.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct KeysInForce<'a> {
    /// Statements so far.
    pub number: u64,
    /// SHA-256 of the last one's text.
    pub statement: [u8; 32],
    /// The log's public name.
    pub origin: &'a str,
    /// The verifier key that counts.
    pub signer: &'a str,
    /// The verifier key that can revoke; empty: none.
    pub recovery: &'a str,
}

/// Recovery set bytes aside.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Quarantined<'a> {
    /// Code of the stream.
    pub stream: u8,
    /// The segment they were cut from.
    pub ordinal: u64,
    /// Their offset in it.
    pub offset: u64,
    /// How many.
    pub len: u64,
    /// The file in `quarantine/` that holds them.
    pub file: &'a str,
    /// Why they were not part of the log.
    pub reason: &'a str,
}

/// The wall clock jumped, and the segment was rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ClockStepped {
    /// Where the clock should have been, in nanoseconds since 1970.
    pub expected: i64,
    /// Where it was.
    pub found: i64,
    /// The segment that begins with the new time.
    pub ordinal: u64,
}

/// The body of a catalog record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogBody<'a> {
    /// See [`Created`].
    Created(Created<'a>),
    /// See [`Sealed`].
    Sealed(Sealed),
    /// See [`HeadSigned`].
    HeadSigned(HeadSigned<'a>),
    /// See [`KeyAdded`].
    KeyAdded(KeyAdded<'a>),
    /// See [`KeysChanged`].
    KeysChanged(KeysChanged<'a>),
    /// See [`Quarantined`].
    Quarantined(Quarantined<'a>),
    /// See [`ClockStepped`].
    ClockStepped(ClockStepped),
    /// See [`Erased`].
    Erased(Erased),
}

impl<'a> CatalogBody<'a> {
    /// The record kind.
    pub fn kind(&self) -> u8 {
        match self {
            CatalogBody::Created(_) => kind::CREATED,
            CatalogBody::Sealed(_) => kind::SEGMENT_SEALED,
            CatalogBody::HeadSigned(_) => kind::HEAD_SIGNED,
            CatalogBody::KeyAdded(_) => kind::KEY_ADDED,
            CatalogBody::KeysChanged(_) => kind::KEYS_CHANGED,
            CatalogBody::Quarantined(_) => kind::QUARANTINED,
            CatalogBody::ClockStepped(_) => kind::CLOCK_STEPPED,
            CatalogBody::Erased(_) => kind::ERASED,
        }
    }

    /// The envelope: state root ‖ fields.
    ///
    /// # Errors
    /// A text longer than the format takes.
    pub fn encode(&self, state_root: &Hash) -> Result<Vec<u8>, FormatError> {
        let mut out = state_root.as_bytes().to_vec();
        let body = match self {
            CatalogBody::Created(body) => encode(body),
            CatalogBody::Sealed(body) => encode(body),
            CatalogBody::HeadSigned(body) => encode(body),
            CatalogBody::KeyAdded(body) => encode(body),
            CatalogBody::KeysChanged(body) => encode(body),
            CatalogBody::Quarantined(body) => encode(body),
            CatalogBody::ClockStepped(body) => encode(body),
            CatalogBody::Erased(body) => encode(body),
        }?;
        out.extend_from_slice(&body);
        if out.len() > super::record::MAX_ENVELOPE_LEN {
            let expected = format!("at most {} bytes", super::record::MAX_ENVELOPE_LEN);
            return Err(FormatError::mismatch("catalog record", expected, out.len()));
        }
        Ok(out)
    }

    /// Reads an envelope: state root and body.
    ///
    /// # Errors
    /// `Newer` for a kind that this version does not know: it may change what is in force,
    /// so going on without it would be wrong. Bytes that are not a body of that kind.
    pub fn decode(kind: u8, envelope: &'a [u8]) -> Result<(Hash, Self), FormatError> {
        let Some((root, body)) = envelope.split_at_checked(Hash::LEN) else {
            let found = format!("{} bytes", envelope.len());
            return Err(FormatError::mismatch("catalog record", "a state root", found));
        };
        let body = match kind {
            kind::CREATED => CatalogBody::Created(borrow(body)?),
            kind::SEGMENT_SEALED => CatalogBody::Sealed(decode(body)?),
            kind::HEAD_SIGNED => CatalogBody::HeadSigned(borrow(body)?),
            kind::KEY_ADDED => CatalogBody::KeyAdded(borrow(body)?),
            kind::KEYS_CHANGED => CatalogBody::KeysChanged(borrow(body)?),
            kind::QUARANTINED => CatalogBody::Quarantined(borrow(body)?),
            kind::CLOCK_STEPPED => CatalogBody::ClockStepped(decode(body)?),
            kind::ERASED => CatalogBody::Erased(Erased::decode(body)?),
            _ => {
                return Err(FormatError::Newer { what: "catalog record kind", found: kind.into() });
            }
        };
        Ok((Hash::from_slice(root).unwrap_or(Hash::ZERO), body))
    }
}

/// The erasable part of a catalog record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Because<'a> {
    /// Who asked.
    pub who: Option<&'a str>,
    /// Why.
    pub why: Option<&'a str>,
}

impl<'a> Because<'a> {
    /// The payload bytes.
    ///
    /// # Errors
    /// A text longer than the format takes.
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        encode(self)
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// Bytes that are not one.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, FormatError> {
        borrow(bytes)
    }
}

fn encode<T: Encode>(value: &T) -> Result<Vec<u8>, FormatError> {
    bincode::encode_to_vec(value, config())
        .map_err(|error| FormatError::mismatch("catalog body", "an encodable value", error))
}

/// Reads a value that owns no text and no list, so that nothing is allocated.
fn decode<T: Decode<()> + Encode>(bytes: &[u8]) -> Result<T, FormatError> {
    whole(bincode::decode_from_slice(bytes, config()), bytes)
}

fn borrow<'a, T: BorrowDecode<'a, ()> + Encode>(bytes: &'a [u8]) -> Result<T, FormatError> {
    whole(bincode::borrow_decode_from_slice(bytes, config()), bytes)
}

/// A value must use all its bytes, and be spelt in the only way: what is hashed is what
/// is stored, so two spellings would be two records of one fact.
fn whole<T: Encode>(
    decoded: Result<(T, usize), bincode::error::DecodeError>,
    bytes: &[u8],
) -> Result<T, FormatError> {
    let what = "catalog body";
    match decoded {
        Ok((value, used)) if used == bytes.len() => match encode(&value)? == bytes {
            true => Ok(value),
            false => Err(FormatError::mismatch(what, "the shortest integers", "longer ones")),
        },
        Ok((_, used)) => Err(FormatError::mismatch(what, format!("{used} bytes"), bytes.len())),
        Err(error) => Err(FormatError::mismatch(what, "its fields", error)),
    }
}

/// What is in force: a sorted map whose Merkle root each catalog record carries.
///
/// Keys are text: `log`, `keys`, `segment/` ‖ ordinal as 16 hexadecimal digits, `key/` ‖
/// vkey, `erased/` ‖ key id; values are the bodies of the records that made them so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateMap {
    entries: BTreeMap<String, Vec<u8>>,
}

const STATE_TAG: &[u8] = b"bulla/state/v1\0";

impl StateMap {
    /// Applies a record: each kind sets the entries it is about.
    ///
    /// # Errors
    /// A body that cannot be encoded.
    pub fn apply(&mut self, body: &CatalogBody<'_>) -> Result<(), FormatError> {
        let (key, value) = match body {
            CatalogBody::Created(created) => ("log".to_owned(), encode(created)?),
            CatalogBody::Sealed(sealed) => (segment_key(sealed.ordinal), encode(sealed)?),
            CatalogBody::KeyAdded(key) => (key_entry(key.vkey), encode(key)?),
            CatalogBody::KeysChanged(changed) => return self.change_keys(changed),
            CatalogBody::Erased(erased) => return self.erase(erased),
            CatalogBody::HeadSigned(_)
            | CatalogBody::Quarantined(_)
            | CatalogBody::ClockStepped(_) => return Ok(()),
        };
        self.entries.insert(key, value);
        Ok(())
    }

    fn change_keys(&mut self, changed: &KeysChanged<'_>) -> Result<(), FormatError> {
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
        let in_force = encode(&in_force)?;
        if !names_recovery {
            let added = encode(&KeyAdded { vkey: changed.introduced })?;
            self.entries.insert(key_entry(changed.introduced), added);
        }
        self.entries.insert(KEYS.to_owned(), in_force);
        Ok(())
    }

    /// Root of the RFC 6962 SHA-256 tree over the entries in key order; a leaf is
    /// tag ‖ length of key (u32) ‖ key ‖ value.
    pub fn root(&self) -> Hash {
        let mut frontier = Frontier::new(HashAlgorithm::Sha256);
        for (key, value) in &self.entries {
            frontier.push(StateMap::leaf(key, value), |_, _| ());
        }
        frontier.root()
    }

    /// The leaf of an entry in the tree of the state.
    pub fn leaf(key: &str, value: &[u8]) -> Hash {
        let key_len = u32::try_from(key.len()).unwrap_or(u32::MAX).to_le_bytes();
        HashAlgorithm::Sha256.leaf(&[STATE_TAG, &key_len, key.as_bytes(), value])
    }

    /// All entries, ascending by key.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value.as_slice()))
    }

    /// The sealed segments in force, by ordinal.
    pub fn segments(&self) -> impl Iterator<Item = Sealed> + '_ {
        let from = "segment/".to_owned();
        let values = self.entries.range(from..).take_while(|(key, _)| key.starts_with("segment/"));
        values.filter_map(|(_, value)| decode(value).ok())
    }

    /// The newest sealed segment in force.
    pub fn last_segment(&self) -> Option<Sealed> {
        let keys = "segment/".to_owned().."segment0".to_owned(); // '0' follows '/'
        self.entries.range(keys).next_back().and_then(|(_, value)| decode(value).ok())
    }

    /// Verifier keys that have signed heads of this log, as text.
    pub fn keys(&self) -> impl Iterator<Item = &str> + '_ {
        self.entries.keys().filter_map(|key| key.strip_prefix("key/"))
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

fn key_entry(vkey: &str) -> String {
    format!("key/{vkey}")
}

fn segment_key(ordinal: u64) -> String {
    format!("segment/{ordinal:016x}")
}

/// A catalog up to some point, so that opening replays only what came after. Derived.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Snapshot {
    /// Records below it.
    pub size: u64,
    /// Peaks of the catalog tree.
    pub peaks: Vec<[u8; 32]>,
    /// The catalog segment it stands in.
    pub ordinal: u64,
    /// That segment's nonce.
    pub nonce: [u8; 16],
    /// Offset of the first frame above it.
    pub offset: u64,
    /// Entries of the state.
    pub state: Vec<(String, Vec<u8>)>,
    /// Size and root of the newest signed head; size 0: none.
    pub signed: (u64, [u8; 32]),
}

const SNAPSHOT_MAGIC: &[u8; 8] = b"BULLASNP";

impl Snapshot {
    /// The state it holds.
    pub fn state_map(&self) -> StateMap {
        StateMap { entries: self.state.iter().cloned().collect() }
    }

    /// The entries of a state, for a snapshot.
    pub fn entries_of(state: &StateMap) -> Vec<(String, Vec<u8>)> {
        state.entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// The bytes of a snapshot file.
    ///
    /// # Errors
    /// More than the format takes.
    pub fn encode(&self, log_id: LogId) -> Result<Vec<u8>, FormatError> {
        let body = encode(self)?;
        let mut out = vec![0; s::LEN];
        s::MAGIC.set(&mut out, SNAPSHOT_MAGIC);
        s::FORMAT_VERSION.set_uint(&mut out, FORMAT_VERSION.into());
        s::LOG_ID.set(&mut out, &log_id.0);
        s::BODY_LEN.set_uint(&mut out, body.len() as u64);
        s::BODY_CRC.set_uint(&mut out, crc32fast::hash(&body).into());
        let crc = trailing_crc(&out, s::CRC);
        s::CRC.set_uint(&mut out, crc.into());
        out.extend_from_slice(&body);
        Ok(out)
    }

    /// Reads a snapshot file of the log with this id.
    ///
    /// # Errors
    /// Damage, a newer version or another log. A snapshot is derived: a damaged one is as
    /// good as none.
    pub fn decode(bytes: &[u8], log_id: LogId) -> Result<Self, FormatError> {
        let what = "snapshot";
        let Some((header, body)) = bytes.split_at_checked(s::LEN) else {
            return Err(FormatError::mismatch(what, "48 bytes or more", bytes.len()));
        };
        let crc = trailing_crc(header, s::CRC);
        check_envelope(header, what, (s::MAGIC, SNAPSHOT_MAGIC), s::FORMAT_VERSION, (s::CRC, crc))?;
        let body_crc = u64::from(crc32fast::hash(body));
        if s::LOG_ID.array_16(header) != log_id.0
            || s::BODY_LEN.uint(header) != body.len() as u64
            || s::BODY_CRC.uint(header) != body_crc
        {
            return Err(FormatError::mismatch(what, "a whole body of this log", "another one"));
        }
        let decoded = bincode::decode_from_slice(body, config());
        whole(decoded, body)
    }
}

#[cfg(test)]
mod tests;
