//! A log as tiles (c2sp.org/tlog-tiles): the form in which other people's tools fetch the
//! hashes and entries of a transparency log, and compute any proof themselves.
//!
//! A [`TileId`] names up to 256 consecutive nodes of one level of the tree, eight levels
//! apart; a [`BundleId`] the up to 256 entries under a tile of the lowest level. Both are
//! written as paths, below the prefix at which a log is served:
//!
//! ```text
//! checkpoint                     the signed head; the only file that changes
//! tile/0/x001/x234/067           256 leaf hashes, from leaf 1,234,067 · 256 on
//! tile/1/004                     256 hashes, each of a full tile of level 0
//! tile/0/273.p/112               what a tree of 70,000 has of its last tile
//! tile/entries/x001/x234/067     the entries under the first of these
//! ```
//!
//! Tiles that are full never change. What the last, partial tile of each level holds
//! depends on the size of the tree, and its width is part of its name, so it never changes
//! either.
//!
//! ```
//! use bulla::TreeSize;
//! use bulla::tiles::{TileId, new_tiles};
//!
//! let tile: TileId = "tile/0/273.p/112".parse()?;
//! assert_eq!((tile.level(), tile.index(), tile.width()), (0, 273, 112));
//! // What somebody who has the tiles of 256 records fetches for 600.
//! let new = new_tiles(TreeSize::new(256), TreeSize::new(600)).map(|tile| tile.to_string());
//! assert_eq!(new.collect::<Vec<_>>(), ["tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2"]);
//! # Ok::<(), bulla::tiles::TileError>(())
//! ```

mod bundle;
mod hashes;
mod id;
#[cfg(test)]
mod tests;

pub use bundle::{ENTRY_LEN_MAX, EntryBundle};
pub use hashes::{TileHashes, root_of_border};
pub use id::{BundleId, LEVEL_MAX, TileId, WIDTH, border_tiles, new_bundles, new_tiles};

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
