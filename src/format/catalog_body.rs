//! Bodies of catalog records, the state they add up to, and the snapshot of both.
//!
//! The envelope of a catalog record is its state root and its fields; the payload is
//! who asked and why, which can be erased without touching a proof.

mod entries;
mod erased;
mod latest;
mod protection;
mod retention;
mod rules;
mod state;

use bincode::{BorrowDecode, Decode, Encode};

use super::FormatError;
use super::layout::{snapshot_header as s, trailing_crc};
use super::{Envelope, FORMAT_VERSION, LogId};
use crate::hash::Hash;

pub use retention::{
    Archived, ArchivedAt, DropBegun, DropDone, DropUndone, HoldPlaced, HoldReleased, PolicyInForce,
    PolicySet, Restored, status,
};
pub use state::{Changes, StateMap};

pub use erased::Erased;
pub use protection::ProtectionSet;

/// Largest snapshot body that is read, in bytes.
const MAX_SNAPSHOT: usize = 64 << 20;

fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<MAX_SNAPSHOT>()
}

/// Record kinds of the catalog. Those from 32 on stand only in segments of format version 2, those
/// from 41 on in segments of version 3.
pub mod kind {
    /// The lowest format version of a segment that a record of this kind stands in.
    pub fn segment_version(kind: u8) -> u16 {
        match kind {
            ..HOLD_PLACED => 1,
            HOLD_PLACED..PROTECTION_SET => 2,
            PROTECTION_SET.. => 3,
        }
    }

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
    /// A legal hold was placed.
    pub const HOLD_PLACED: u8 = 32;
    /// A legal hold was released.
    pub const HOLD_RELEASED: u8 = 33;
    /// The retention policy was set.
    pub const POLICY_SET: u8 = 34;
    /// A drop certificate.
    pub const DROP_BEGUN: u8 = 35;
    /// The segment of a drop certificate is gone.
    pub const DROP_DONE: u8 = 36;
    /// A segment was archived.
    pub const ARCHIVED: u8 = 37;
    /// A segment was restored.
    pub const RESTORED: u8 = 38;
    /// A subject's keys are about to be destroyed.
    pub const ERASED: u8 = 39;
    /// An interrupted drop was called off.
    pub const DROP_UNDONE: u8 = 40;
    /// How what is appended is protected.
    pub const PROTECTION_SET: u8 = 41;
    /// The newest kind that is known here.
    pub const NEWEST: u8 = PROTECTION_SET;
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
    /// Not to be dropped before; 0: there was no policy when it was sealed.
    pub keep_until: i64,
    /// See [`status`].
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
    /// The code of a rotation.
    pub const ROTATED: u8 = 1;
    /// The code of a change that only names a recovery key.
    pub const RECOVERY: u8 = 2;
    /// The code of a revocation, which may be about an earlier key than the current one.
    pub const REVOKED: u8 = 3;
    /// The code of a change after which the log has another origin.
    pub const RETIRED: u8 = 4;
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

/// A record of a kind that this version does not know. It changes nothing that is in force: its
/// state root is that of the record before it, or a newer version is needed to read the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown<'a> {
    /// The record kind.
    pub kind: u8,
    /// The bytes behind the state root.
    pub fields: &'a [u8],
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
    /// See [`HoldPlaced`].
    HoldPlaced(HoldPlaced<'a>),
    /// See [`HoldReleased`].
    HoldReleased(HoldReleased<'a>),
    /// See [`PolicySet`].
    PolicySet(PolicySet<'a>),
    /// See [`DropBegun`].
    DropBegun(DropBegun<'a>),
    /// See [`DropDone`].
    DropDone(DropDone),
    /// See [`Archived`].
    Archived(Archived<'a>),
    /// See [`Restored`].
    Restored(Restored<'a>),
    /// See [`DropUndone`].
    DropUndone(DropUndone<'a>),
    /// See [`Erased`].
    Erased(Erased),
    /// See [`ProtectionSet`].
    ProtectionSet(ProtectionSet),
    /// See [`Unknown`].
    Unknown(Unknown<'a>),
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
            CatalogBody::HoldPlaced(_) => kind::HOLD_PLACED,
            CatalogBody::HoldReleased(_) => kind::HOLD_RELEASED,
            CatalogBody::PolicySet(_) => kind::POLICY_SET,
            CatalogBody::DropBegun(_) => kind::DROP_BEGUN,
            CatalogBody::DropDone(_) => kind::DROP_DONE,
            CatalogBody::Archived(_) => kind::ARCHIVED,
            CatalogBody::Restored(_) => kind::RESTORED,
            CatalogBody::DropUndone(_) => kind::DROP_UNDONE,
            CatalogBody::Erased(_) => kind::ERASED,
            CatalogBody::ProtectionSet(_) => kind::PROTECTION_SET,
            CatalogBody::Unknown(unknown) => unknown.kind,
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
            CatalogBody::HoldPlaced(body) => encode(body),
            CatalogBody::HoldReleased(body) => encode(body),
            CatalogBody::PolicySet(body) => encode(body),
            CatalogBody::DropBegun(body) => encode(body),
            CatalogBody::DropDone(body) => encode(body),
            CatalogBody::Archived(body) => encode(body),
            CatalogBody::Restored(body) => encode(body),
            CatalogBody::DropUndone(body) => encode(body),
            CatalogBody::Erased(body) => encode(body),
            CatalogBody::ProtectionSet(body) => encode(body),
            CatalogBody::Unknown(unknown) => Ok(unknown.fields.to_vec()),
        }?;
        out.extend_from_slice(&body);
        if out.len() > super::record::MAX_ENVELOPE_LEN {
            let expected = format!("at most {} bytes", super::record::MAX_ENVELOPE_LEN);
            return Err(FormatError::mismatch("catalog record", expected, out.len()));
        }
        Ok(out)
    }

    /// Reads an envelope: state root and body. A kind that this version does not know is kept
    /// as [`Unknown`].
    ///
    /// # Errors
    /// Bytes that are not a body of that kind; a kind below those of the catalog.
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
            kind::HOLD_PLACED => CatalogBody::HoldPlaced(borrow(body)?),
            kind::HOLD_RELEASED => CatalogBody::HoldReleased(borrow(body)?),
            kind::POLICY_SET => CatalogBody::PolicySet(borrow(body)?),
            kind::DROP_BEGUN => CatalogBody::DropBegun(borrow(body)?),
            kind::DROP_DONE => CatalogBody::DropDone(decode(body)?),
            kind::ARCHIVED => CatalogBody::Archived(borrow(body)?),
            kind::RESTORED => CatalogBody::Restored(borrow(body)?),
            kind::DROP_UNDONE => CatalogBody::DropUndone(borrow(body)?),
            kind::ERASED => CatalogBody::Erased(Erased::decode(body)?),
            kind::PROTECTION_SET => CatalogBody::ProtectionSet(ProtectionSet::decode(body)?),
            kind if kind > kind::CREATED => CatalogBody::Unknown(Unknown { kind, fields: body }),
            _ => {
                let expected = format!("kind {} or above", kind::CREATED);
                return Err(FormatError::mismatch("catalog record", expected, kind));
            }
        };
        Ok((Hash::from_slice(root).unwrap_or(Hash::ZERO), body))
    }
}

/// The erasable part of a catalog record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Because<'a> {
    /// Who asked.
    pub who: Option<&'a str>,
    /// Why.
    pub why: Option<&'a str>,
    /// Of a hold: who answers for what it pins. Other records have none.
    pub custodian: Option<&'a str>,
}

/// The fields of the payload of most kinds.
type Asked<'a> = (Option<&'a str>, Option<&'a str>);
/// Those of a hold's.
type AskedToHold<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>);

impl<'a> Because<'a> {
    /// The payload bytes of a record of this kind.
    ///
    /// # Errors
    /// A text longer than the format takes.
    pub fn encode(&self, kind: u8) -> Result<Vec<u8>, FormatError> {
        match kind {
            kind::HOLD_PLACED => encode::<AskedToHold<'_>>(&(self.who, self.why, self.custodian)),
            _ => encode::<Asked<'_>>(&(self.who, self.why)),
        }
    }

    /// Reads the payload of a record of this kind.
    ///
    /// # Errors
    /// Bytes that are not one.
    pub fn decode(kind: u8, bytes: &'a [u8]) -> Result<Self, FormatError> {
        if kind == kind::HOLD_PLACED {
            let (who, why, custodian) = borrow::<AskedToHold<'_>>(bytes)?;
            return Ok(Because { who, why, custodian });
        }
        let (who, why) = borrow::<Asked<'_>>(bytes)?;
        Ok(Because { who, why, custodian: None })
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

pub(super) const SNAPSHOT: Envelope = Envelope {
    what: "snapshot",
    version_name: "snapshot version",
    magic: (s::MAGIC, SNAPSHOT_MAGIC),
    version: s::FORMAT_VERSION,
    newest: FORMAT_VERSION,
    crc: s::CRC,
};

impl Snapshot {
    /// The state it holds.
    pub fn state_map(&self) -> StateMap {
        StateMap::from_entries(self.state.iter().cloned())
    }

    /// The entries of a state, for a snapshot.
    pub fn entries_of(state: &StateMap) -> Vec<(String, Vec<u8>)> {
        state.entries().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
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
        SNAPSHOT.check(header)?;
        let body_crc = u64::from(crc32fast::hash(body));
        if s::LOG_ID.array_16(header) != log_id.0
            || s::BODY_LEN.uint(header) != body.len() as u64
            || s::BODY_CRC.uint(header) != body_crc
        {
            return Err(FormatError::mismatch(what, "a whole body of this log", "another one"));
        }
        let decoded = bincode::decode_from_slice(body, config());
        let snapshot: Snapshot = whole(decoded, body)?;
        match snapshot.state.is_sorted_by(|one, next| one.0 < next.0) {
            true => Ok(snapshot),
            false => Err(FormatError::mismatch(what, "entries ascending by key", "others")),
        }
    }
}

#[cfg(test)]
mod tests;
