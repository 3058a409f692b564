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
mod sizes;
#[cfg(test)]
mod tests;
mod tile_error;
pub use bundle::EntryBundle;
pub use hashes::{TileHashes, root_of_border};
pub use id::{BundleId, TileId, border_tiles, new_bundles, new_tiles};
pub use sizes::{ENTRY_LEN_MAX, LEVEL_MAX, WIDTH};
pub use tile_error::TileError;
