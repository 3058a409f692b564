//! Entry bundles: what the leaf hashes are of.

use super::id::BundleId;
use super::sizes::ENTRY_LEN_MAX;
use crate::hash::{Hash, HashAlgorithm};
use crate::tiles::tile_error::TileError;

/// Bytes of the length before each entry.
const LENGTH: usize = 2;

/// The entries of a bundle, as they were read: **nobody has checked them** against their
/// leaf hashes.
///
/// An entry of a bulla log is head ‖ envelope ‖ payload digest, exactly the bytes that the
/// leaf hash is of; never a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryBundle<'a> {
    entries: Vec<&'a [u8]>,
}

impl<'a> EntryBundle<'a> {
    /// A bundle of these entries, at most 256.
    ///
    /// # Errors
    /// None or too many of them, or one that is too long.
    pub fn new(entries: Vec<&'a [u8]>) -> Result<Self, TileError> {
        let width = u16::try_from(entries.len()).unwrap_or(u16::MAX);
        BundleId::new(0, width)?;
        match entries.iter().find(|entry| entry.len() > ENTRY_LEN_MAX) {
            Some(entry) => Err(TileError::EntryLen { found: entry.len() }),
            None => Ok(EntryBundle { entries }),
        }
    }

    /// Reads the bytes of a bundle: each entry behind its length, in two bytes, the more
    /// significant one first.
    ///
    /// # Errors
    /// They are not exactly as many entries as the bundle's name says.
    pub fn parse(bundle: BundleId, bytes: &'a [u8]) -> Result<Self, TileError> {
        let mut entries = Vec::with_capacity(bundle.width().into());
        let mut rest = bytes;
        while entries.len() < usize::from(bundle.width()) {
            let (entry, behind) = take(rest, entries.len())?;
            entries.push(entry);
            rest = behind;
        }
        match rest.len() {
            0 => Ok(EntryBundle { entries }),
            found => Err(TileError::Trailing { found }),
        }
    }

    /// Its entries, 1 to 256.
    pub fn entries(&self) -> &[&'a [u8]] {
        &self.entries
    }

    /// As it is served.
    pub fn to_bytes(&self) -> Vec<u8> {
        let len = self.entries.iter().map(|entry| LENGTH + entry.len()).sum();
        let mut bytes = Vec::with_capacity(len);
        for entry in &self.entries {
            let len = u16::try_from(entry.len()).unwrap_or(u16::MAX); // checked when it was made
            bytes.extend_from_slice(&big_endian(len));
            bytes.extend_from_slice(entry);
        }
        bytes
    }

    /// The leaf hashes of its entries: they must stand in the tile of level 0.
    pub fn leaf_hashes(&self, algorithm: HashAlgorithm) -> Vec<Hash> {
        self.entries.iter().map(|entry| algorithm.leaf(&[entry])).collect()
    }
}

/// The entry at the start of the bytes, and what follows it.
fn take(bytes: &[u8], entry: usize) -> Result<(&[u8], &[u8]), TileError> {
    let cut = |expected| TileError::CutShort { entry, expected, found: bytes.len() };
    let (length, rest) = bytes.split_first_chunk::<LENGTH>().ok_or_else(|| cut(LENGTH))?;
    let length = usize::from(length[0]) << 8 | usize::from(length[1]);
    rest.split_at_checked(length).ok_or_else(|| cut(LENGTH + length))
}

/// As C2SP has it; our own formats are little-endian.
fn big_endian(value: u16) -> [u8; LENGTH] {
    let [low, high] = value.to_le_bytes();
    [high, low]
}
