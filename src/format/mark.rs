//! Marks (where recovery may start) and the headers of hash files.

use super::layout::{level_header as l, mark_slot as f, trailing_crc};
use super::{Envelope, FORMAT_VERSION, FormatError, LogId, header::decode_algorithm};
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::Frontier;
use crate::seq::TreeSize;
use crate::time::Timestamp;

const MAGIC: &[u8; 8] = b"BULLAMRK";
const LEVEL_MAGIC: &[u8; 8] = b"BULLATRE";

/// Length of one slot; a mark file holds two.
pub const SLOT_LEN: usize = f::LEN;
/// Length of the header of a hash file.
pub const LEVEL_HEADER_LEN: usize = l::LEN;

pub(super) const ENVELOPE: Envelope = Envelope {
    what: "mark",
    version_name: "mark version",
    magic: (f::MAGIC, MAGIC),
    version: f::FORMAT_VERSION,
    newest: FORMAT_VERSION,
    crc: f::CRC,
};

/// A point up to which everything derived is on disk.
#[derive(Clone, Debug)]
pub struct RecoveryPoint {
    /// The log.
    pub log_id: LogId,
    /// Grows with every mark; the valid slot with the larger one counts.
    pub generation: u64,
    /// The tree over the records below the mark.
    pub frontier: Frontier,
    /// The segment it stands in.
    pub ordinal: u64,
    /// That segment's nonce.
    pub nonce: [u8; 16],
    /// Offset in that segment of the first frame above the mark.
    pub offset: u64,
    /// Size of the newest tree that ends in an anchor, at the mark; 0: none.
    pub last_anchor: TreeSize,
    /// `recorded_at` of the newest record below the mark.
    pub last_recorded_at: Timestamp,
    /// Smallest `recorded_at` of this segment below the mark.
    pub recorded_min: Timestamp,
    /// Smallest and largest `occurred_at` of this segment below the mark.
    pub occurred: (Timestamp, Timestamp),
}

impl RecoveryPoint {
    /// The bytes of a slot.
    pub fn encode(&self) -> Vec<u8> {
        let mut buf = vec![0; SLOT_LEN];
        f::MAGIC.set(&mut buf, MAGIC);
        f::FORMAT_VERSION.set_uint(&mut buf, FORMAT_VERSION.into());
        f::HASH_ALGORITHM.set_uint(&mut buf, self.frontier.algorithm().code().into());
        f::PEAK_COUNT.set_uint(&mut buf, self.frontier.peaks().len() as u64);
        f::LOG_ID.set(&mut buf, &self.log_id.0);
        f::GENERATION.set_uint(&mut buf, self.generation);
        f::SIZE.set_uint(&mut buf, self.frontier.size().get());
        f::ORDINAL.set_uint(&mut buf, self.ordinal);
        f::NONCE.set(&mut buf, &self.nonce);
        f::OFFSET.set_uint(&mut buf, self.offset);
        f::LAST_ANCHOR.set_uint(&mut buf, self.last_anchor.get());
        f::LAST_RECORDED_AT.set_int(&mut buf, self.last_recorded_at.as_nanos());
        f::RECORDED_MIN.set_int(&mut buf, self.recorded_min.as_nanos());
        f::OCCURRED_MIN.set_int(&mut buf, self.occurred.0.as_nanos());
        f::OCCURRED_MAX.set_int(&mut buf, self.occurred.1.as_nanos());
        let peaks = &mut buf[f::PEAKS.offset..f::PEAKS.offset + f::PEAKS.size];
        for (slot, peak) in peaks.chunks_exact_mut(Hash::LEN).zip(self.frontier.peaks()) {
            slot.copy_from_slice(peak.as_bytes());
        }
        let crc = trailing_crc(&buf, f::CRC);
        f::CRC.set_uint(&mut buf, crc.into());
        buf
    }

    /// Reads a slot of [`SLOT_LEN`] bytes.
    ///
    /// # Errors
    /// Damage, a newer version, or fields that contradict each other. A mark is derived:
    /// a damaged one is as good as none.
    pub fn decode(buf: &[u8]) -> Result<Self, FormatError> {
        if buf.len() != SLOT_LEN {
            return Err(FormatError::mismatch("mark", format!("{SLOT_LEN} bytes"), buf.len()));
        }
        ENVELOPE.check(buf)?;
        let generation = f::GENERATION.uint(buf);
        if generation > u64::MAX / 2 {
            return Err(FormatError::mismatch(
                "mark: generation",
                "one that was reached",
                generation,
            ));
        }
        let algorithm = decode_algorithm("mark", buf[f::HASH_ALGORITHM.offset])?;
        let size = TreeSize::new(f::SIZE.uint(buf));
        let count = usize::from(buf[f::PEAK_COUNT.offset]);
        let peaks = f::PEAKS.bytes(buf).chunks_exact(Hash::LEN).take(count);
        let peaks: Vec<Hash> = peaks.filter_map(Hash::from_slice).collect();
        let frontier = Frontier::from_parts(algorithm, size, &peaks).map_err(|_| {
            FormatError::mismatch("mark: peaks", format!("those of size {size}"), count)
        })?;
        let time = |field: super::layout::Field| Timestamp::from_nanos(field.int(buf));
        Ok(RecoveryPoint {
            log_id: LogId(f::LOG_ID.array_16(buf)),
            generation,
            frontier,
            ordinal: f::ORDINAL.uint(buf),
            nonce: f::NONCE.array_16(buf),
            offset: f::OFFSET.uint(buf),
            last_anchor: TreeSize::new(f::LAST_ANCHOR.uint(buf)),
            last_recorded_at: time(f::LAST_RECORDED_AT),
            recorded_min: time(f::RECORDED_MIN),
            occurred: (time(f::OCCURRED_MIN), time(f::OCCURRED_MAX)),
        })
    }
}

/// The header of the hash file of one level.
pub fn encode_level_header(
    log_id: LogId,
    algorithm: HashAlgorithm,
    level: u8,
) -> [u8; LEVEL_HEADER_LEN] {
    let mut buf = [0; LEVEL_HEADER_LEN];
    l::MAGIC.set(&mut buf, LEVEL_MAGIC);
    l::FORMAT_VERSION.set_uint(&mut buf, FORMAT_VERSION.into());
    l::LEVEL.set_uint(&mut buf, level.into());
    l::HASH_ALGORITHM.set_uint(&mut buf, algorithm.code().into());
    l::LOG_ID.set(&mut buf, &log_id.0);
    let crc = trailing_crc(&buf, l::CRC);
    l::CRC.set_uint(&mut buf, crc.into());
    buf
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_round_trips_and_damage_is_refused() {
        let mut frontier = Frontier::new(HashAlgorithm::Blake3);
        for n in 0..11u8 {
            frontier.push(HashAlgorithm::Blake3.leaf(&[&[n]]), |_, _| ());
        }
        let mark = RecoveryPoint {
            log_id: LogId([5; 16]),
            generation: 7,
            frontier,
            ordinal: 2,
            nonce: [1; 16],
            offset: 4_096,
            last_anchor: TreeSize::new(4),
            last_recorded_at: Timestamp::from_nanos(8),
            recorded_min: Timestamp::from_nanos(7),
            occurred: (Timestamp::from_nanos(1), Timestamp::from_nanos(2)),
        };
        let good = mark.encode();
        let read = RecoveryPoint::decode(&good).unwrap();
        assert_eq!(read.encode(), good);
        assert_eq!(read.frontier.root(), mark.frontier.root());
        for at in 0..SLOT_LEN {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert!(RecoveryPoint::decode(&bad).is_err(), "byte {at}");
        }
        assert!(RecoveryPoint::decode(&good[1..]).is_err());
    }
}
