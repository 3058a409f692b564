//! The frame header: one commit.

use super::FormatError;
use super::layout::frame_header as f;
use crate::seq::TreeSize;

/// First bytes of every frame.
pub const MAGIC: [u8; 4] = *b"BFRM";
/// Length of the header in bytes.
pub const LEN: usize = f::LEN;
/// Largest body of a frame, in bytes.
pub const MAX_BODY_LEN: u32 = 16 << 20;

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Records before this frame.
    pub first: TreeSize,
    /// Records that were durable before this frame was written; at most `first`.
    pub durable: TreeSize,
    /// Bytes of records behind the header, at most [`MAX_BODY_LEN`].
    pub body_len: u32,
    /// Number of records; 0 in a watermark, which has no body.
    pub count: u32,
}

impl FrameHeader {
    /// A frame without records: says how much is durable.
    pub fn watermark(size: TreeSize) -> Self {
        FrameHeader { first: size, durable: size, body_len: 0, count: 0 }
    }

    /// Header and body together, in bytes, without padding.
    pub fn frame_len(&self) -> u64 {
        LEN as u64 + u64::from(self.body_len)
    }

    /// Records before this frame and in it. Checked at decoding, so it does not overflow.
    pub fn end(&self) -> TreeSize {
        TreeSize::new(self.first.get().saturating_add(self.count.into()))
    }

    /// The bytes of the header of a frame that stands at `offset` of its segment.
    pub fn encode(&self, nonce: &[u8; 16], offset: u64) -> [u8; LEN] {
        let mut buf = [0; LEN];
        f::MAGIC.set(&mut buf, &MAGIC);
        f::FIRST_SEQ.set_uint(&mut buf, self.first.get());
        f::DURABLE_SIZE.set_uint(&mut buf, self.durable.get());
        f::BODY_LEN.set_uint(&mut buf, self.body_len.into());
        f::COUNT.set_uint(&mut buf, self.count.into());
        let crc = crc(&buf, nonce, offset);
        f::CRC.set_uint(&mut buf, crc.into());
        buf
    }

    /// Reads the header of a frame at `offset` of the segment with this nonce.
    ///
    /// # Errors
    /// Damage, another segment's frame, or a field out of its range.
    pub fn decode(buf: &[u8; LEN], nonce: &[u8; 16], offset: u64) -> Result<Self, FormatError> {
        if f::MAGIC.bytes(buf) != MAGIC {
            return Err(super::FormatError::mismatch(
                "frame header: magic",
                format_args!("{MAGIC:02x?}"),
                format_args!("{:02x?}", f::MAGIC.bytes(buf)),
            ));
        }
        let (computed, stored) = (crc(buf, nonce, offset), f::CRC.uint(buf));
        if u64::from(computed) != stored {
            let expected = format!("{computed:08x}");
            return Err(FormatError::mismatch(
                "frame header: crc",
                expected,
                format!("{stored:08x}"),
            ));
        }
        let header = FrameHeader {
            first: TreeSize::new(f::FIRST_SEQ.uint(buf)),
            durable: TreeSize::new(f::DURABLE_SIZE.uint(buf)),
            body_len: u32::try_from(f::BODY_LEN.uint(buf)).unwrap_or(u32::MAX),
            count: u32::try_from(f::COUNT.uint(buf)).unwrap_or(u32::MAX),
        };
        header.check_ranges()?;
        Ok(header)
    }

    /// Whether these bytes were written as a frame header at this place, whatever they say: no
    /// crash leaves one that contradicts itself.
    pub fn is_written(buf: &[u8; LEN], nonce: &[u8; 16], offset: u64) -> bool {
        f::MAGIC.bytes(buf) == MAGIC && u64::from(crc(buf, nonce, offset)) == f::CRC.uint(buf)
    }

    fn check_ranges(&self) -> Result<(), FormatError> {
        if self.durable > self.first {
            let expected = format!("at most first_seq {}", self.first);
            return Err(FormatError::mismatch(
                "frame header: durable_size",
                expected,
                self.durable,
            ));
        }
        if self.count == 0 && self.body_len == 0 && self.durable != self.first {
            let expected = format!("first_seq {} in a watermark", self.first);
            return Err(FormatError::mismatch(
                "frame header: durable_size",
                expected,
                self.durable,
            ));
        }
        if self.body_len > MAX_BODY_LEN {
            let what = "frame header: body_len";
            return Err(FormatError::mismatch(
                what,
                format!("at most {MAX_BODY_LEN}"),
                self.body_len,
            ));
        }
        let smallest = u64::from(self.count) * super::layout::record_prefix::LEN as u64;
        if (self.count == 0) != (self.body_len == 0) || smallest > u64::from(self.body_len) {
            let expected = format!("a count that {} bytes can hold", self.body_len);
            return Err(FormatError::mismatch("frame header: count", expected, self.count));
        }
        if self.first.checked_add(self.count.into()).is_none() {
            let what = "frame header: first_seq";
            return Err(FormatError::mismatch(what, "room for its records", self.first));
        }
        Ok(())
    }
}

/// CRC-32 seeded with the nonce over the header's other fields and its offset, so
/// that neither a stale frame nor a displaced one checks.
fn crc(buf: &[u8; LEN], nonce: &[u8; 16], offset: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(nonce);
    hasher.update(&buf[f::FIRST_SEQ.offset..]);
    hasher.update(&offset.to_le_bytes());
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: [u8; 16] = [3; 16];

    fn sample() -> FrameHeader {
        FrameHeader { first: TreeSize::new(10), durable: TreeSize::new(9), body_len: 400, count: 2 }
    }

    #[test]
    fn a_frame_header_round_trips() {
        assert_eq!(FrameHeader::decode(&sample().encode(&NONCE, 512), &NONCE, 512), Ok(sample()));
        let mark = FrameHeader::watermark(TreeSize::new(5));
        assert_eq!(FrameHeader::decode(&mark.encode(&NONCE, 0), &NONCE, 0), Ok(mark));
    }

    #[test]
    fn a_frame_of_another_place_or_nonce_is_refused() {
        let good = sample().encode(&NONCE, 512);
        assert!(FrameHeader::decode(&good, &NONCE, 513).is_err());
        assert!(FrameHeader::decode(&good, &[4; 16], 512).is_err());
        for bit in 0..LEN * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(FrameHeader::decode(&bad, &NONCE, 512).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn fields_out_of_range_are_refused() {
        let bad = [
            FrameHeader { durable: TreeSize::new(11), ..sample() },
            FrameHeader { body_len: MAX_BODY_LEN + 1, ..sample() },
            FrameHeader { count: 0, ..sample() },
            FrameHeader { count: 19, ..sample() },
            FrameHeader { first: TreeSize::new(u64::MAX), ..sample() },
        ];
        for header in bad {
            assert!(
                FrameHeader::decode(&header.encode(&NONCE, 0), &NONCE, 0).is_err(),
                "{header:?}"
            );
        }
    }
}
