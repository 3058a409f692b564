//! The binary fields that sections of a proof are made of: little-endian integers, bytes
//! and texts behind their length (4 bytes), hashes behind their number (1 byte, or 4 where
//! there may be many).

use super::malformed;
use crate::checkpoint::UnverifiedCheckpoint;
use crate::hash::Hash;
use crate::proof::malformed::MalformedProof;
use crate::terms::take_varint;

/// Reads fields from the front of a part.
pub(super) struct Fields<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn of(what: &'static str, bytes: &'a [u8]) -> Self {
        Fields { what, rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], MalformedProof> {
        match self.rest.split_at_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => {
                let found = format!("{} bytes", self.rest.len());
                Err(MalformedProof::bytes(self.what, format!("{len} bytes more"), found))
            }
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], MalformedProof> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, MalformedProof> {
        self.array::<1>().map(u8::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, MalformedProof> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, MalformedProof> {
        self.array().map(u32::from_le_bytes)
    }

    /// An integer as LEB128.
    pub(super) fn varint(&mut self) -> Result<u64, MalformedProof> {
        let expected = "an integer of at most 64 bits";
        take_varint(&mut self.rest)
            .ok_or_else(|| MalformedProof::bytes(self.what, expected, "something else"))
    }

    pub(super) fn hash(&mut self) -> Result<Hash, MalformedProof> {
        self.array().map(Hash::from_bytes)
    }

    /// Bytes behind their length.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], MalformedProof> {
        let len = self.u32()?;
        self.take(usize::try_from(len).unwrap_or(usize::MAX))
    }

    /// A text behind its length.
    pub(super) fn text(&mut self) -> Result<String, MalformedProof> {
        let bytes = self.bytes()?.to_vec();
        String::from_utf8(bytes).map_err(|error| {
            let offset = error.utf8_error().valid_up_to();
            MalformedProof::bytes(self.what, "a text", format!("no UTF-8 at its byte {offset}"))
        })
    }

    /// Hashes behind their number.
    pub(super) fn hashes(&mut self) -> Result<Vec<Hash>, MalformedProof> {
        let count = self.u8()?;
        let bytes = self.take(usize::from(count) * Hash::LEN)?;
        Ok(bytes.chunks_exact(Hash::LEN).filter_map(Hash::from_slice).collect())
    }

    /// Hashes behind their number (4 bytes).
    pub(super) fn many_hashes(&mut self) -> Result<Vec<Hash>, MalformedProof> {
        let count = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        let bytes = self.take(count.saturating_mul(Hash::LEN))?;
        Ok(bytes.chunks_exact(Hash::LEN).filter_map(Hash::from_slice).collect())
    }

    /// A checkpoint, which all the rest is.
    pub(super) fn checkpoint(self) -> Result<UnverifiedCheckpoint, MalformedProof> {
        malformed::checkpoint(malformed::text(self.rest, self.what, self.rest.len())?)
    }

    /// Nothing is left.
    pub(super) fn end(self) -> Result<(), MalformedProof> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(MalformedProof::bytes(self.what, "its end", format!("{left} bytes more"))),
        }
    }
}

pub(super) fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Whoever makes a part keeps it below 4 GiB: files with it are far smaller.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(bytes);
}

/// A path has at most 65 hashes, and two neighbours share theirs.
pub(super) fn put_hashes(out: &mut Vec<u8>, hashes: &[Hash]) {
    out.push(u8::try_from(hashes.len()).unwrap_or(u8::MAX));
    hashes.iter().for_each(|hash| out.extend_from_slice(hash.as_bytes()));
}

pub(super) fn put_u32(out: &mut Vec<u8>, value: usize) {
    out.extend_from_slice(&u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
}

/// Hashes of a batch proof, which may be many.
pub(super) fn put_many_hashes(out: &mut Vec<u8>, hashes: &[Hash]) {
    put_u32(out, hashes.len());
    hashes.iter().for_each(|hash| out.extend_from_slice(hash.as_bytes()));
}
