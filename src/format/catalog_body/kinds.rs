//! The kinds of catalog records that are not about retention.

use bincode::{BorrowDecode, Decode, Encode};

use super::codec::{borrow, encode};
use crate::format::FormatError;

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
    /// A code of [`status`](crate::proof::catalog_body::status).
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

/// The erasable part of a catalog record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordedAttribution<'a> {
    /// Who asked.
    pub who: Option<&'a str>,
    /// Why.
    pub why: Option<&'a str>,
    /// Of a hold: who answers for what it pins. Other records have none.
    pub custodian: Option<&'a str>,
}

/// The fields of the payload of most kinds.
type Attribution<'a> = (Option<&'a str>, Option<&'a str>);
/// Those of a hold's.
type AskedToHold<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>);

impl<'a> RecordedAttribution<'a> {
    /// The payload bytes of a record of this kind.
    ///
    /// # Errors
    /// A text longer than the format takes.
    pub fn encode(&self, kind: u8) -> Result<Vec<u8>, FormatError> {
        match kind {
            kind::HOLD_PLACED => encode::<AskedToHold<'_>>(&(self.who, self.why, self.custodian)),
            _ => encode::<Attribution<'_>>(&(self.who, self.why)),
        }
    }

    /// Reads the payload of a record of this kind.
    ///
    /// # Errors
    /// Bytes that are not one.
    pub fn decode(kind: u8, bytes: &'a [u8]) -> Result<Self, FormatError> {
        if kind == kind::HOLD_PLACED {
            let (who, why, custodian) = borrow::<AskedToHold<'_>>(bytes)?;
            return Ok(RecordedAttribution { who, why, custodian });
        }
        let (who, why) = borrow::<Attribution<'_>>(bytes)?;
        Ok(RecordedAttribution { who, why, custodian: None })
    }
}
