//! The key store file: header, two slots, encrypted entries. Nothing here decrypts.

use zeroize::{Zeroize, Zeroizing};

use super::encrypted::{KeyId, NONCE_LEN, TAG_LEN};
use super::layout::{
    key_store_entry as e, key_store_header as h, key_store_slot as s, subject_keys as k,
    trailing_crc,
};
use super::{Envelope, FORMAT_VERSION, FormatError, LogId};
use crate::event::limits::SUBJECT_LEN_MAX;
use crate::hash::Hash;
use crate::time::Timestamp;

/// Where the two slots stand: each in a block of its own, so that writing one does not
/// touch the other or the header.
pub const SLOT_OFFSETS: [u64; 2] = [4096, 8192];
/// Where the entries begin.
pub const ENTRIES_OFFSET: u64 = 12_288;
/// Largest key store that is read or written, in bytes.
pub const FILE_LEN_MAX: u64 = 1 << 30;
/// Length of the header in bytes.
pub const HEADER_LEN: usize = h::LEN;
/// Length of a slot in bytes.
pub const SLOT_LEN: usize = s::LEN;

const MAGIC: &[u8; 8] = b"BULLAKEY";
const SLOT_MAGIC: &[u8; 8] = b"BULLAKSL";
/// What an entry takes beside its subject's name.
const ENTRY_OVERHEAD: usize = e::LEN + k::LEN + TAG_LEN;

pub(super) const ENVELOPE: Envelope = Envelope {
    what: "key store header",
    version_name: "key store header version",
    magic: (h::MAGIC, MAGIC),
    version: h::FORMAT_VERSION,
    newest: FORMAT_VERSION,
    crc: h::CRC,
};

/// What tells one key store, and its wrapping key, from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Random; drawn when the store is created.
    pub store_id: [u8; 16],
    /// When that was.
    pub created_at: Timestamp,
    /// Tells the wrapping key from others; nothing of it can be learnt from this.
    pub check: Hash,
    /// The log whose store it is; `None` until a log is opened with it.
    pub log_id: Option<LogId>,
}

impl Header {
    /// The bytes.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut buf = [0; HEADER_LEN];
        h::MAGIC.set(&mut buf, MAGIC);
        h::FORMAT_VERSION.set_uint(&mut buf, FORMAT_VERSION.into());
        h::STORE_ID.set(&mut buf, &self.store_id);
        h::CREATED_AT.set_int(&mut buf, self.created_at.as_nanos());
        h::CHECK.set(&mut buf, self.check.as_bytes());
        h::LOG_ID.set(&mut buf, &self.log_id.map_or([0; 16], |id| id.0));
        let crc = trailing_crc(&buf, h::CRC);
        h::CRC.set_uint(&mut buf, crc.into());
        buf
    }

    /// Reads a header.
    ///
    /// # Errors
    /// Damage, a newer version, or no key store.
    pub fn decode(buf: &[u8; HEADER_LEN]) -> Result<Self, FormatError> {
        ENVELOPE.check(buf)?;
        Ok(Header {
            store_id: h::STORE_ID.array_16(buf),
            created_at: Timestamp::from_nanos(h::CREATED_AT.int(buf)),
            check: h::CHECK.hash(buf),
            log_id: Some(LogId(h::LOG_ID.array_16(buf))).filter(|id| id.0 != [0; 16]),
        })
    }
}

/// How far the entries go that records may have been encrypted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// From 1; of two good slots the higher one counts.
    pub generation: u64,
    /// Of the header: a slot of another file does not count.
    pub store_id: [u8; 16],
    /// Offset behind the last entry.
    pub entries_end: u64,
    /// Number of entries.
    pub count: u32,
}

impl Slot {
    /// The bytes.
    pub fn encode(&self) -> [u8; SLOT_LEN] {
        let mut buf = [0; SLOT_LEN];
        s::MAGIC.set(&mut buf, SLOT_MAGIC);
        s::GENERATION.set_uint(&mut buf, self.generation);
        s::STORE_ID.set(&mut buf, &self.store_id);
        s::ENTRIES_END.set_uint(&mut buf, self.entries_end);
        s::COUNT.set_uint(&mut buf, self.count.into());
        let crc = trailing_crc(&buf, s::CRC);
        s::CRC.set_uint(&mut buf, crc.into());
        buf
    }

    /// Reads a slot; `None` if it is damaged, or of another store.
    pub fn decode(buf: &[u8; SLOT_LEN], store_id: &[u8; 16]) -> Option<Self> {
        let slot = Slot {
            generation: s::GENERATION.uint(buf),
            store_id: s::STORE_ID.array_16(buf),
            entries_end: s::ENTRIES_END.uint(buf),
            count: u32::try_from(s::COUNT.uint(buf)).ok()?,
        };
        let crc = u64::from(trailing_crc(buf, s::CRC));
        let good = s::MAGIC.bytes(buf) == SLOT_MAGIC && s::CRC.uint(buf) == crc;
        // Above the last generation there is none to go on with.
        let counts = (1..u64::MAX).contains(&slot.generation);
        (good && counts && slot.store_id == *store_id).then_some(slot)
    }

    /// Where it is written.
    pub fn offset(&self) -> u64 {
        SLOT_OFFSETS[usize::from(!self.generation.is_multiple_of(2))]
    }
}

/// One entry as it stands in the file, **not authenticated**.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The nonce it was encrypted with.
    pub nonce: [u8; NONCE_LEN],
    /// [`SubjectKeys`], encrypted.
    pub ciphertext: &'a [u8],
    /// Authenticates it.
    pub tag: [u8; TAG_LEN],
}

impl<'a> Entry<'a> {
    /// Takes the entry at the start of `bytes`, and how long it is; `None` if there is none.
    pub fn take(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let front = bytes.get(..e::LEN)?;
        let name_len = usize::try_from(e::LEN_OF_NAME.uint(front)).ok()?;
        if !(1..=SUBJECT_LEN_MAX).contains(&name_len) {
            return None;
        }
        let len = ENTRY_OVERHEAD + name_len;
        let (ciphertext, tag) = bytes.get(e::LEN..len)?.split_last_chunk::<TAG_LEN>()?;
        let nonce = e::NONCE.bytes(front).try_into().ok()?;
        Some((Entry { nonce, ciphertext, tag: *tag }, len))
    }

    /// Appends it to `out`.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        let mut front = [0; e::LEN];
        e::LEN_OF_NAME.set_uint(&mut front, self.ciphertext.len().saturating_sub(k::LEN) as u64);
        e::NONCE.set(&mut front, &self.nonce);
        out.extend_from_slice(&front);
        out.extend_from_slice(self.ciphertext);
        out.extend_from_slice(&self.tag);
    }
}

/// The keys of one subject. Overwritten when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SubjectKeys {
    /// Names the payload key in records.
    pub key_id: KeyId,
    /// Encrypts payloads.
    pub payload_key: [u8; 32],
    /// Makes aliases.
    pub alias_key: [u8; 32],
    /// When they were drawn.
    pub created_at: Timestamp,
    /// Whose they are: 1 to [`SUBJECT_LEN_MAX`] bytes.
    pub subject: String,
}

impl SubjectKeys {
    /// The bytes of an entry before they are encrypted.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(k::LEN + self.subject.len()));
        out.resize(k::LEN, 0);
        k::KEY_ID.set(&mut out, &self.key_id.0);
        k::PAYLOAD_KEY.set(&mut out, &self.payload_key);
        k::ALIAS_KEY.set(&mut out, &self.alias_key);
        k::CREATED_AT.set_int(&mut out, self.created_at.as_nanos());
        out.extend_from_slice(self.subject.as_bytes());
        out
    }

    /// Reads a decrypted entry; `None` if it is none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (front, subject) = bytes.split_at_checked(k::LEN)?;
        let subject = std::str::from_utf8(subject).ok()?;
        if !(1..=SUBJECT_LEN_MAX).contains(&subject.len()) {
            return None;
        }
        Some(SubjectKeys {
            key_id: KeyId(k::KEY_ID.array_16(front)),
            payload_key: k::PAYLOAD_KEY.bytes(front).try_into().ok()?,
            alias_key: k::ALIAS_KEY.bytes(front).try_into().ok()?,
            created_at: Timestamp::from_nanos(k::CREATED_AT.int(front)),
            subject: subject.to_owned(),
        })
    }
}

impl Drop for SubjectKeys {
    fn drop(&mut self) {
        self.payload_key.zeroize();
        self.alias_key.zeroize();
    }
}

impl std::fmt::Debug for SubjectKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SubjectKeys({})", self.key_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_slots_round_trip_and_damage_is_refused() {
        let created_at = Timestamp::from_nanos(-5);
        let header = Header {
            store_id: [1; 16],
            created_at,
            check: Hash::from_bytes([2; 32]),
            log_id: Some(LogId([3; 16])),
        };
        let good = header.encode();
        assert_eq!(Header::decode(&good), Ok(header));
        let slot = Slot { generation: 3, store_id: [1; 16], entries_end: 99, count: 7 };
        let good_slot = slot.encode();
        assert_eq!(Slot::decode(&good_slot, &[1; 16]), Some(slot));
        assert_eq!(Slot::decode(&good_slot, &[2; 16]), None);
        assert_eq!(slot.offset(), SLOT_OFFSETS[1]);
        for bit in 0..HEADER_LEN * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&bad).is_err(), "bit {bit}");
        }
        for bit in 0..SLOT_LEN * 8 {
            let mut bad = good_slot;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Slot::decode(&bad, &[1; 16]), None, "bit {bit}");
        }
    }

    #[test]
    fn entries_round_trip_and_short_ones_are_none() {
        let keys = SubjectKeys {
            key_id: KeyId([1; 16]),
            payload_key: [2; 32],
            alias_key: [3; 32],
            created_at: Timestamp::from_nanos(4),
            subject: "user:ä".to_owned(),
        };
        let plain = keys.encode();
        assert_eq!(SubjectKeys::decode(&plain), Some(keys));
        assert_eq!(SubjectKeys::decode(&plain[..k::LEN]), None);
        let entry = Entry { nonce: [5; NONCE_LEN], ciphertext: &plain, tag: [6; TAG_LEN] };
        let mut bytes = Vec::new();
        entry.append_to(&mut bytes);
        assert_eq!(Entry::take(&bytes), Some((entry, bytes.len())));
        (0..bytes.len()).for_each(|cut| assert_eq!(Entry::take(&bytes[..cut]), None, "cut {cut}"));
    }
}
