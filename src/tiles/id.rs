//! Which tile: coordinates, paths, and which of them a tree has.

use super::sizes::{LEVEL_MAX, WIDTH};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use crate::merkle::NodeId;
use crate::seq::TreeSize;
use crate::tiles::tile_error::TileError;

/// Levels of the tree in one tile.
const HEIGHT: u8 = 8;
const PREFIX: &str = "tile/";
const ENTRIES: &str = "entries/";
/// `tile/entries/`, seven groups of digits, `.p/255`.
const PATH_LEN_MAX: usize = 64;

/// The name of a tile: up to 256 consecutive nodes of level 8 · `level` of the tree.
///
/// Displays and parses as its path, which has exactly one spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileId {
    level: u8,
    index: u64,
    width: u16,
}

/// The name of an entry bundle: the entries under the tile of level 0 with the same index
/// and width.
///
/// Displays and parses as its path, which has exactly one spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BundleId {
    index: u64,
    width: u16,
}

impl TileId {
    /// The tile of this level (0 to [`LEVEL_MAX`]), index and width (1 to [`WIDTH`]).
    ///
    /// # Errors
    /// A level or width out of range, or a tile beyond 2^64 records.
    pub fn new(level: u8, index: u64, width: u16) -> Result<Self, TileError> {
        if level > LEVEL_MAX {
            return Err(TileError::Level { found: level });
        }
        if width == 0 || width > WIDTH {
            return Err(TileError::Width { found: width });
        }
        let last = index.checked_mul(u64::from(WIDTH)).and_then(|at| at.checked_add(width.into()));
        match last.filter(|last| *last <= u64::MAX >> (HEIGHT * level)) {
            Some(_) => Ok(TileId { level, index, width }),
            None => Err(TileError::Beyond { level, index }),
        }
    }

    /// Its level, 0 to [`LEVEL_MAX`].
    pub fn level(self) -> u8 {
        self.level
    }

    /// Its position among the tiles of its level, from 0.
    pub fn index(self) -> u64 {
        self.index
    }

    /// How many hashes it has, 1 to [`WIDTH`].
    pub fn width(self) -> u16 {
        self.width
    }

    /// Whether it has all 256 hashes.
    pub fn is_full(self) -> bool {
        self.width == WIDTH
    }

    /// The full tile of the same level and index; `None` where 2^64 records end before.
    pub fn full(self) -> Option<TileId> {
        TileId::new(self.level, self.index, WIDTH).ok()
    }

    /// The node that its first hash is of; the others follow it.
    pub fn first_node(self) -> NodeId {
        NodeId { level: HEIGHT * self.level, index: self.index * u64::from(WIDTH) }
    }

    /// The smallest tree that has all its hashes.
    pub fn covering_size(self) -> TreeSize {
        let first = self.first_node();
        TreeSize::new((first.index + u64::from(self.width)) << first.level)
    }
}

impl BundleId {
    /// The bundle of this index and width (1 to [`WIDTH`]).
    ///
    /// # Errors
    /// A width out of range, or a bundle beyond 2^64 records.
    pub fn new(index: u64, width: u16) -> Result<Self, TileError> {
        TileId::new(0, index, width).map(BundleId::from_tile)
    }

    fn from_tile(tile: TileId) -> Self {
        BundleId { index: tile.index, width: tile.width }
    }

    /// Its position among the bundles, from 0.
    pub fn index(self) -> u64 {
        self.index
    }

    /// How many entries it has, 1 to [`WIDTH`].
    pub fn width(self) -> u16 {
        self.width
    }

    /// Whether it has all 256 entries.
    pub fn is_full(self) -> bool {
        self.width == WIDTH
    }

    /// The tile with the leaf hashes of its entries.
    pub fn tile(self) -> TileId {
        TileId { level: 0, index: self.index, width: self.width }
    }
}

/// How many nodes of a tile level a tree of this size has.
fn nodes_of(size: TreeSize, level: u8) -> u64 {
    size.get() >> (HEIGHT * level)
}

/// The tile at the right border of a tree, if the level has a partial one.
fn border_tile(size: TreeSize, level: u8) -> Option<TileId> {
    let nodes = nodes_of(size, level);
    let width = u16::from(nodes.to_le_bytes()[0]);
    (width > 0).then_some(TileId { level, index: nodes >> HEIGHT, width })
}

/// The full tiles of a level that the larger tree has and the smaller one has not.
fn full_tiles(old: TreeSize, new: TreeSize, level: u8) -> Range<u64> {
    nodes_of(old, level) >> HEIGHT..nodes_of(new, level) >> HEIGHT
}

/// The partial tiles of a tree, highest level first: one for every byte of its size that
/// is not zero. All peaks of the tree are in them.
pub fn border_tiles(size: TreeSize) -> impl Iterator<Item = TileId> {
    (0..=LEVEL_MAX).rev().filter_map(move |level| border_tile(size, level))
}

/// The tiles that a tree of size `new` has, and one of size `old` has not: level by level,
/// first the full ones, then the partial one. From size 0: all that it has. Of trees that
/// shrink: none but partial ones.
pub fn new_tiles(old: TreeSize, new: TreeSize) -> impl Iterator<Item = TileId> {
    (0..=LEVEL_MAX).flat_map(move |level| {
        let full = full_tiles(old, new, level);
        let border = border_tile(new, level).filter(|tile| border_tile(old, level) != Some(*tile));
        full.map(move |index| TileId { level, index, width: WIDTH }).chain(border)
    })
}

/// The same for entry bundles: as the tiles of level 0.
pub fn new_bundles(old: TreeSize, new: TreeSize) -> impl Iterator<Item = BundleId> {
    new_tiles(old, new).take_while(|tile| tile.level == 0).map(BundleId::from_tile)
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}/", self.level)?;
        write_coordinates(f, self.index, self.width)
    }
}

impl fmt::Display for BundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{ENTRIES}")?;
        write_coordinates(f, self.index, self.width)
    }
}

/// `<N>[.p/<W>]`.
fn write_coordinates(f: &mut fmt::Formatter<'_>, index: u64, width: u16) -> fmt::Result {
    let mut scale = 1_000_000_000_000_000_000;
    while scale >= 1000 {
        if index >= scale {
            write!(f, "x{:03}/", index / scale % 1000)?;
        }
        scale /= 1000;
    }
    write!(f, "{:03}", index % 1000)?;
    if width == WIDTH { Ok(()) } else { write!(f, ".p/{width}") }
}

impl FromStr for TileId {
    type Err = TileError;

    fn from_str(path: &str) -> Result<Self, TileError> {
        parse(path, |rest| {
            let (level, coordinates) = rest.split_once('/')?;
            let (index, width) = parse_coordinates(coordinates)?;
            TileId::new(level.parse().ok()?, index, width).ok()
        })
    }
}

impl FromStr for BundleId {
    type Err = TileError;

    fn from_str(path: &str) -> Result<Self, TileError> {
        parse(path, |rest| {
            let (index, width) = parse_coordinates(rest.strip_prefix(ENTRIES)?)?;
            BundleId::new(index, width).ok()
        })
    }
}

fn parse<T: fmt::Display>(
    path: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, TileError> {
    let short = path.len() <= PATH_LEN_MAX;
    let read = path.strip_prefix(PREFIX).filter(|_| short).and_then(read);
    // Read loosely, but only what would be written again is a path.
    read.filter(|read| read.to_string() == path)
        .ok_or_else(|| TileError::Path { found: path.chars().take(PATH_LEN_MAX).collect() })
}

fn parse_coordinates(text: &str) -> Option<(u64, u16)> {
    let (digits, width) = match text.split_once(".p/") {
        // A full tile has no width in its path.
        Some((digits, width)) => (digits, width.parse().ok().filter(|width| *width < WIDTH)?),
        None => (text, WIDTH),
    };
    let mut index: u64 = 0;
    for group in digits.split('/') {
        let group: u64 = group.strip_prefix('x').unwrap_or(group).parse().ok()?;
        index = index.checked_mul(1000)?.checked_add(group)?;
    }
    Some((index, width))
}
