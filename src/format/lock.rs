//! The LOCK file: who writes, and how far other processes may read.

use super::layout::{lock_file as f, trailing_crc};
use super::{Envelope, FORMAT_VERSION, FormatError, LogId};
use crate::seq::TreeSize;

const MAGIC: &[u8; 8] = b"BULLALCK";

/// Length of the file in bytes.
pub const LEN: usize = f::LEN;

pub(super) const ENVELOPE: Envelope = Envelope {
    what: "lock file",
    version_name: "lock file version",
    magic: (f::MAGIC, MAGIC),
    version: f::FORMAT_VERSION,
    newest: FORMAT_VERSION,
    crc: f::CRC,
};

/// What the writing process publishes. Never trusted for recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockFile {
    /// Process id of the writer, or of the last one.
    pub pid: u32,
    /// The log.
    pub log_id: LogId,
    /// Records that are durable.
    pub durable: TreeSize,
    /// The segment that is being written.
    pub ordinal: u64,
}

impl LockFile {
    /// The bytes.
    pub fn encode(&self) -> [u8; LEN] {
        let mut buf = [0; LEN];
        f::MAGIC.set(&mut buf, MAGIC);
        f::FORMAT_VERSION.set_uint(&mut buf, FORMAT_VERSION.into());
        f::PID.set_uint(&mut buf, self.pid.into());
        f::LOG_ID.set(&mut buf, &self.log_id.0);
        f::DURABLE_SIZE.set_uint(&mut buf, self.durable.get());
        f::ORDINAL.set_uint(&mut buf, self.ordinal);
        let crc = trailing_crc(&buf, f::CRC);
        f::CRC.set_uint(&mut buf, crc.into());
        buf
    }

    /// Reads the file.
    ///
    /// # Errors
    /// Damage, or a read that met a write half way: read again.
    pub fn decode(buf: &[u8; LEN]) -> Result<Self, FormatError> {
        ENVELOPE.check(buf)?;
        Ok(LockFile {
            pid: u32::try_from(f::PID.uint(buf)).unwrap_or(0),
            log_id: LogId(f::LOG_ID.array_16(buf)),
            durable: TreeSize::new(f::DURABLE_SIZE.uint(buf)),
            ordinal: f::ORDINAL.uint(buf),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_file_round_trips_and_damage_is_refused() {
        let lock =
            LockFile { pid: 77, log_id: LogId([2; 16]), durable: TreeSize::new(9), ordinal: 4 };
        let good = lock.encode();
        assert_eq!(LockFile::decode(&good), Ok(lock));
        for bit in 0..LEN * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(LockFile::decode(&bad).is_err(), "bit {bit}");
        }
    }
}
