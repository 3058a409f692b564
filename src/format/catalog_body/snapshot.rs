//! The snapshot of a catalog, so that opening replays only what came after.

use bincode::{Decode, Encode};

use super::codec::{config, encode, whole};
use super::map::StateMap;
use crate::format::layout::{snapshot_header as s, trailing_crc};
use crate::format::{Envelope, FORMAT_VERSION, FormatError, LogId};

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

pub(in crate::format) const SNAPSHOT: Envelope = Envelope {
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
