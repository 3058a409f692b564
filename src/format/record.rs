//! One record: its stored prefix, its hashed head, its CRC and its leaf.

use super::encrypted::{self, EncryptedPayload};
use super::layout::{record_head as h, record_prefix as p};
use super::{FormatError, LogId};
use crate::event::RecordKind;
use crate::hash::{Hash, HashAlgorithm};
use crate::seq::Seq;
use crate::time::Timestamp;

/// Length of the stored prefix in bytes.
pub const PREFIX_LEN: usize = p::LEN;
pub use super::digests::{Digests, SALT_LEN, payload_commitment};

/// Length of the hashed head in bytes.
pub const HEAD_LEN: usize = h::LEN;
/// The schema of records, but for events that need a higher one: see [`SCHEMA_REDACTED`] and
/// [`SCHEMA_ADDED`].
pub const SCHEMA: u8 = super::body::SCHEMA;
/// The schema of events of which something was redacted.
pub const SCHEMA_REDACTED: u8 = super::body::SCHEMA_REDACTED;
/// The schema of events with fields that schema 2 does not have: the newest.
pub const SCHEMA_ADDED: u8 = super::body::SCHEMA_ADDED;
/// head ‖ envelope ‖ two digests must fit a C2SP entry of 65,535 bytes.
pub const MAX_ENVELOPE_LEN: usize = 65_535 - HEAD_LEN - 2 * Hash::LEN;
/// Largest payload with its salt, in bytes, when it is stored as it is.
pub const MAX_PAYLOAD_LEN: usize = (4 << 20) + SALT_LEN;
/// Bit 0 of a record's flags: the payload is stored encrypted.
pub const ENCRYPTED: u8 = 1;

/// First byte of every hashed head.
const HEAD_TAG: u8 = 0xb1;

/// What all records of a segment share.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The log.
    pub log_id: LogId,
    /// The segment's nonce.
    pub nonce: [u8; 16],
    /// The hash of the stream's tree.
    pub algorithm: HashAlgorithm,
}

/// The fields of a record that are not in its bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Version of the bodies.
    pub schema: u8,
    /// What the envelope holds.
    pub kind: u8,
    /// [`ENCRYPTED`], which only an event has, or 0.
    pub flags: u8,
    /// Position in the stream.
    pub seq: Seq,
    /// The log's claim of when it was sealed.
    pub recorded_at: Timestamp,
    /// Bytes of envelope.
    pub envelope_len: u16,
}

impl Head {
    /// The 40 bytes that are hashed.
    pub fn encode(&self, log_id: &LogId) -> [u8; HEAD_LEN] {
        let mut buf = [0; HEAD_LEN];
        buf[h::TAG.offset] = HEAD_TAG;
        buf[h::SCHEMA.offset] = self.schema;
        buf[h::KIND.offset] = self.kind;
        buf[h::FLAGS.offset] = self.flags;
        h::LOG_ID.set(&mut buf, &log_id.0);
        h::SEQ.set_uint(&mut buf, self.seq.get());
        h::RECORDED_AT.set_int(&mut buf, self.recorded_at.as_nanos());
        h::ENVELOPE_LEN.set_uint(&mut buf, self.envelope_len.into());
        buf
    }

    /// Reads a hashed head, as it stands in a proof.
    ///
    /// # Errors
    /// A wrong tag or an envelope length out of range.
    pub fn decode(buf: &[u8; HEAD_LEN]) -> Result<(Self, LogId), FormatError> {
        if buf[h::TAG.offset] != HEAD_TAG {
            let found = format!("{:02x}", buf[h::TAG.offset]);
            return Err(FormatError::mismatch("record head: tag", "b1", found));
        }
        let envelope_len = h::ENVELOPE_LEN.uint(buf);
        let head = Head {
            schema: buf[h::SCHEMA.offset],
            kind: buf[h::KIND.offset],
            flags: buf[h::FLAGS.offset],
            seq: Seq::new(h::SEQ.uint(buf)),
            recorded_at: Timestamp::from_nanos(h::RECORDED_AT.int(buf)),
            envelope_len: check_envelope_len(envelope_len)?,
        };
        head.check_schema()?;
        Ok((head, LogId(h::LOG_ID.array_16(buf))))
    }

    fn check_schema(&self) -> Result<(), FormatError> {
        let newest = match RecordKind::from_code(self.kind) {
            Some(RecordKind::Event) => SCHEMA_ADDED,
            _ => SCHEMA,
        };
        match (self.schema, self.flags) {
            (0, _) => Err(FormatError::mismatch("record: schema", "1", 0)),
            (schema, 0) if schema <= newest => Ok(()),
            (schema, ENCRYPTED) if schema <= newest && self.kind == RecordKind::Event.code() => {
                Ok(())
            }
            (schema, flags) if schema <= newest => {
                Err(FormatError::mismatch("record: flags", "0, or 1 of an event", flags))
            }
            (found, _) => {
                let (found, newest) = (found.into(), newest.into());
                Err(FormatError::Newer { what: "record schema", found, newest })
            }
        }
    }
}

fn check_envelope_len(found: u64) -> Result<u16, FormatError> {
    u16::try_from(found).ok().filter(|len| usize::from(*len) <= MAX_ENVELOPE_LEN).ok_or_else(|| {
        let expected = format!("at most {MAX_ENVELOPE_LEN}");
        FormatError::mismatch("record: envelope_len", expected, found)
    })
}

/// CRC-32 of the bodies (envelope ‖ salt ‖ payload): what the caller computes.
pub fn body_crc(bodies: &[u8]) -> u32 {
    crc32fast::hash(bodies)
}

/// The record's CRC: that of its bodies, continued over nonce and head.
fn full_crc(body_crc: u32, context: &Context, head: &[u8; HEAD_LEN]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(body_crc);
    hasher.update(&context.nonce);
    hasher.update(head);
    hasher.finalize()
}

/// Writes the prefix of a record whose bodies are already in place, and gives its
/// leaf hash. `slot` is the prefix, `envelope` the bytes behind it.
pub fn seal(
    context: &Context,
    head: &Head,
    sealed: (u32, u32, &Digests),
    slot: &mut [u8],
    envelope: &[u8],
) -> Hash {
    let (body_crc, payload_len, digests) = sealed;
    let hashed = head.encode(&context.log_id);
    p::CRC.set_uint(slot, full_crc(body_crc, context, &hashed).into());
    p::PAYLOAD_LEN.set_uint(slot, payload_len.into());
    p::ENVELOPE_LEN.set_uint(slot, head.envelope_len.into());
    slot[p::SCHEMA.offset] = head.schema;
    slot[p::KIND.offset] = head.kind;
    slot[p::FLAGS.offset] = head.flags;
    slot[p::RESERVED.offset] = 0;
    p::RECORDED_AT.set_int(slot, head.recorded_at.as_nanos());
    leaf(context.algorithm, &hashed, envelope, digests)
}

/// Leaf hash: H(0x00 ‖ head ‖ envelope ‖ C), with D behind C if the payload is encrypted.
pub fn leaf(
    algorithm: HashAlgorithm,
    head: &[u8; HEAD_LEN],
    envelope: &[u8],
    digests: &Digests,
) -> Hash {
    algorithm.leaf(&[head, envelope, digests.payload.as_bytes(), digests.encrypted_bytes()])
}

/// The parts of an entry, what a leaf is made of: head, log and envelope. The digests behind
/// them are as many as the flags in the head say.
///
/// # Errors
/// The bytes are no entry.
pub fn split_entry(entry: &[u8]) -> Result<(Head, LogId, &[u8]), FormatError> {
    let short = || FormatError::mismatch("entry", "a head of 40 bytes", entry.len());
    let (head, rest) = entry.split_first_chunk::<HEAD_LEN>().ok_or_else(short)?;
    let (head, log_id) = Head::decode(head)?;
    let digests = if head.flags & ENCRYPTED != 0 { 2 * Hash::LEN } else { Hash::LEN };
    let envelope_len = usize::from(head.envelope_len);
    match rest.split_at_checked(envelope_len) {
        Some((envelope, behind)) if behind.len() == digests => Ok((head, log_id, envelope)),
        _ => {
            let expected = format!("{envelope_len} bytes of envelope and {digests} of digests");
            Err(FormatError::mismatch("entry", expected, format!("{} bytes", rest.len())))
        }
    }
}

/// A record as it stands in a frame, not yet checked against its CRC.
#[derive(Clone, Copy, Debug)]
pub struct RawRecord<'a> {
    prefix: &'a [u8],
    bodies: &'a [u8],
    envelope_len: u16,
}

/// Lengths of envelope and stored payload, from the prefix of a record.
fn lengths(bytes: &[u8]) -> Result<(u16, usize), FormatError> {
    let Some(prefix) = bytes.get(..PREFIX_LEN) else {
        let found = format!("{} bytes", bytes.len());
        return Err(FormatError::mismatch("record prefix", "22 bytes", found));
    };
    let envelope_len = check_envelope_len(p::ENVELOPE_LEN.uint(prefix))?;
    let payload_len = p::PAYLOAD_LEN.uint(prefix);
    // What else the flags may say is looked at once the CRC was right.
    let more = if prefix[p::FLAGS.offset] == ENCRYPTED { encrypted::OVERHEAD } else { 0 };
    let allowed = SALT_LEN + more..=MAX_PAYLOAD_LEN + more;
    match usize::try_from(payload_len).ok().filter(|len| allowed.contains(len)) {
        Some(payload_len) => Ok((envelope_len, payload_len)),
        None => {
            let expected = format!("{} to {}", allowed.start(), allowed.end());
            Err(FormatError::mismatch("record: payload_len", expected, payload_len))
        }
    }
}

/// Length of a stored record, from its prefix at the start of `bytes`.
///
/// # Errors
/// Fewer bytes than a prefix, or lengths out of range.
pub fn stored_len(bytes: &[u8]) -> Result<usize, FormatError> {
    let (envelope_len, payload_len) = lengths(bytes)?;
    Ok(PREFIX_LEN + usize::from(envelope_len) + payload_len)
}

impl<'a> RawRecord<'a> {
    /// Takes the record at the start of `bytes`; the rest of the frame may follow.
    ///
    /// # Errors
    /// The lengths do not fit the bytes, or are out of range.
    pub fn take(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let (envelope_len, payload_len) = lengths(bytes)?;
        let len = PREFIX_LEN + usize::from(envelope_len) + payload_len;
        let Some(whole) = bytes.get(..len) else {
            let found = format!("{} bytes left in the frame", bytes.len());
            return Err(FormatError::mismatch("record", format!("{len} bytes"), found));
        };
        let (prefix, bodies) = whole.split_at(PREFIX_LEN);
        Ok(RawRecord { prefix, bodies, envelope_len })
    }

    /// Length of the record in its frame.
    pub fn stored_len(&self) -> usize {
        PREFIX_LEN + self.bodies.len()
    }

    /// Checks the record against its CRC as the one with this Seq.
    ///
    /// # Errors
    /// A CRC that differs, a newer schema, or unknown flags.
    pub fn check(&self, context: &Context, seq: Seq) -> Result<CheckedRecord<'a>, FormatError> {
        let head = Head {
            schema: self.prefix[p::SCHEMA.offset],
            kind: self.prefix[p::KIND.offset],
            flags: self.prefix[p::FLAGS.offset],
            seq,
            recorded_at: Timestamp::from_nanos(p::RECORDED_AT.int(self.prefix)),
            envelope_len: self.envelope_len,
        };
        let hashed = head.encode(&context.log_id);
        let computed = full_crc(body_crc(self.bodies), context, &hashed);
        let stored = p::CRC.uint(self.prefix);
        if u64::from(computed) != stored {
            let expected = format!("{computed:08x}");
            return Err(FormatError::mismatch("record: crc", expected, format!("{stored:08x}")));
        }
        let reserved = self.prefix[p::RESERVED.offset];
        if reserved != 0 {
            return Err(FormatError::mismatch("record: reserved", 0, reserved));
        }
        head.check_schema()?;
        let (envelope, stored_payload) = self.bodies.split_at(self.envelope_len.into());
        Ok(CheckedRecord { head, hashed, envelope, stored_payload })
    }
}

/// A record whose CRC was right.
#[derive(Clone, Copy, Debug)]
pub struct CheckedRecord<'a> {
    /// Its fields.
    pub head: Head,
    /// Its head as hashed.
    pub hashed: [u8; HEAD_LEN],
    /// Its envelope.
    pub envelope: &'a [u8],
    /// Salt (16 bytes) and payload; or what stands for them when they are encrypted.
    pub stored_payload: &'a [u8],
}

impl<'a> CheckedRecord<'a> {
    /// The payload without its salt; nothing if it is stored encrypted.
    pub fn payload(&self) -> &'a [u8] {
        match self.encrypted() {
            None => self.stored_payload.get(SALT_LEN..).unwrap_or_default(),
            Some(_) => &[],
        }
    }

    /// The payload, if it is stored encrypted.
    pub fn encrypted(&self) -> Option<EncryptedPayload<'a>> {
        let encrypted = self.head.flags & ENCRYPTED != 0;
        encrypted.then(|| EncryptedPayload::split(self.stored_payload)).flatten()
    }

    /// Bytes that it takes in its segment.
    pub fn stored_len(&self) -> usize {
        PREFIX_LEN + self.envelope.len() + self.stored_payload.len()
    }

    /// What its leaf covers of its payload, from the stored bytes. Whether an encrypted
    /// payload is what `C` says is only known to who can decrypt it.
    pub fn digests(&self) -> Digests {
        match self.encrypted() {
            Some(encrypted) => encrypted.digests(),
            None => Digests::of_plain(self.stored_payload),
        }
    }

    /// The bytes that its leaf hash is of: head ‖ envelope ‖ C, and D if there is one; at
    /// most 65,535.
    pub fn entry(&self) -> Vec<u8> {
        let digests = self.digests();
        let payload = digests.payload.as_bytes().as_slice();
        [self.hashed.as_slice(), self.envelope, payload, digests.encrypted_bytes()].concat()
    }

    /// Its leaf hash, computed from the stored bytes.
    pub fn leaf(&self, algorithm: HashAlgorithm) -> Hash {
        leaf(algorithm, &self.hashed, self.envelope, &self.digests())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        Context { log_id: LogId([1; 16]), nonce: [2; 16], algorithm: HashAlgorithm::Sha256 }
    }

    fn stored(seq: Seq) -> (Vec<u8>, Hash) {
        let (envelope, salted) = (b"envelope".as_slice(), b"0123456789abcdefpayload".as_slice());
        let mut bytes = vec![0; PREFIX_LEN];
        bytes.extend_from_slice(envelope);
        bytes.extend_from_slice(salted);
        let head = Head {
            schema: SCHEMA,
            kind: 1,
            flags: 0,
            seq,
            recorded_at: Timestamp::from_nanos(5),
            envelope_len: 8,
        };
        let crc = body_crc(&bytes[PREFIX_LEN..]);
        let digests = Digests::of_plain(salted);
        let sealed = (crc, 23, &digests);
        let (slot, bodies) = bytes.split_at_mut(PREFIX_LEN);
        let leaf = seal(&context(), &head, sealed, slot, &bodies[..8]);
        (bytes, leaf)
    }

    #[test]
    fn a_sealed_record_checks_and_gives_the_same_leaf() {
        let (bytes, leaf) = stored(Seq::new(4));
        let record = RawRecord::take(&bytes).unwrap().check(&context(), Seq::new(4)).unwrap();
        assert_eq!(record.leaf(HashAlgorithm::Sha256), leaf);
        assert_eq!(record.payload(), b"payload");
        assert_eq!(HashAlgorithm::Sha256.leaf(&[&record.entry()]), leaf);
        assert_eq!(record.entry().len(), HEAD_LEN + b"envelope".len() + Hash::LEN);
        let entry = record.entry();
        let (head, log_id, envelope) = split_entry(&entry).unwrap();
        assert_eq!((head, envelope), (record.head, record.envelope));
        assert!((0..entry.len()).all(|cut| split_entry(&entry[..cut]).is_err()));
        let (head, log_id) = (Head::decode(&record.hashed).unwrap().0, log_id);
        assert_eq!((head, log_id), (record.head, LogId([1; 16])));
    }

    #[test]
    fn each_kind_has_the_schemas_it_knows() {
        let decode = |schema, kind, flags| {
            let (seq, recorded_at) = (Seq::new(4), Timestamp::from_nanos(5));
            let head = Head { schema, kind, flags, seq, recorded_at, envelope_len: 8 };
            Head::decode(&head.encode(&LogId([1; 16]))).map(|(read, _)| assert_eq!(read, head))
        };
        for (schema, kind) in [(1, 1), (2, 1), (3, 1), (1, 2), (1, 16), (1, 255)] {
            assert_eq!(decode(schema, kind, 0), Ok(()), "{schema} {kind}");
            assert!(matches!(decode(schema, kind, 2), Err(FormatError::Mismatch { .. })));
        }
        for (schema, kind, newest) in [(4, 1, 3), (2, 2, 1), (2, 16, 1), (255, 1, 3)] {
            let newer = FormatError::Newer { what: "record schema", found: schema.into(), newest };
            assert_eq!(decode(schema, kind, 0), Err(newer), "{schema} {kind}");
        }
        assert!(matches!(decode(0, 1, 0), Err(FormatError::Mismatch { .. })));
    }

    #[test]
    fn a_record_checks_only_at_its_own_seq_and_undamaged() {
        let (good, _) = stored(Seq::new(4));
        let check = |bytes: &[u8], seq| {
            RawRecord::take(bytes).and_then(|raw| raw.check(&context(), Seq::new(seq)).map(|_| ()))
        };
        assert!(check(&good, 5).is_err());
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(check(&bad, 4).is_err(), "bit {bit}");
        }
        for cut in 0..good.len() {
            assert!(check(&good[..cut], 4).is_err(), "cut {cut}");
        }
    }
}
