//! [`TileError`]: what is wrong with a tile.

use super::sizes::{ENTRY_LEN_MAX, LEVEL_MAX, WIDTH};

/// Something is not a tile, an entry bundle, or the name of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TileError {
    /// No tree of fewer than 2^64 records has tiles of this level.
    #[error("expected a tile level of 0 to {LEVEL_MAX}, found {found}")]
    Level {
        /// The level.
        found: u8,
    },
    /// No tile is that wide.
    #[error("expected a tile of 1 to {WIDTH} hashes, found {found}")]
    Width {
        /// How many hashes.
        found: u16,
    },
    /// The tile ends beyond 2^64 records.
    #[error("expected a tile within 2^64 records, found tile {index} of level {level}")]
    Beyond {
        /// Its level.
        level: u8,
        /// Its index.
        index: u64,
    },
    /// Not the path of a tile or bundle, or not its only spelling.
    #[error("expected a path like tile/0/x001/x234/067 or tile/entries/067.p/112, found {found:?}")]
    Path {
        /// What was found (its beginning).
        found: String,
    },
    /// A tile has 32 bytes for each hash.
    #[error("expected a tile of {expected} bytes, found {found}")]
    TileLen {
        /// Bytes that its width calls for.
        expected: usize,
        /// Bytes there are.
        found: usize,
    },
    /// A bundle or tile with another number of entries or hashes than its name says.
    #[error("expected {expected} as the name says, found {found}")]
    Count {
        /// How many there must be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A bundle that ends within an entry.
    #[error(
        "expected {expected} bytes for entry {entry} of the bundle, found {found}: it was cut short"
    )]
    CutShort {
        /// Which entry of the bundle, from 0.
        entry: usize,
        /// Bytes that it must have, with its length.
        expected: usize,
        /// Bytes that are left.
        found: usize,
    },
    /// Bytes behind the last entry of a bundle.
    #[error("expected the end of the bundle after its last entry, found {found} more bytes")]
    Trailing {
        /// How many.
        found: usize,
    },
    /// An entry longer than [`ENTRY_LEN_MAX`].
    #[error("expected an entry of at most {ENTRY_LEN_MAX} bytes, found {found}")]
    EntryLen {
        /// Its length in bytes.
        found: usize,
    },
}
