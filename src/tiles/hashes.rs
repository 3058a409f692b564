//! What is in a tile: its hashes, and the nodes above them that they fold to.

use super::id::{TileId, border_tiles};
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::{Frontier, NodeId, root_from, root_nodes};
use crate::seq::TreeSize;
use crate::tiles::sizes::WIDTH;
use crate::tiles::tile_error::TileError;

/// The hashes of a tile, as they were read: **nobody has checked them**. They are right if
/// the nodes that they fold to are ([`TileHashes::peaks`]), up to a root that is signed
/// ([`root_of_border`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileHashes {
    tile: TileId,
    hashes: Vec<Hash>,
}

impl TileHashes {
    /// The hashes of a tile.
    ///
    /// # Errors
    /// They are not as many as the tile is wide.
    pub fn new(tile: TileId, hashes: Vec<Hash>) -> Result<Self, TileError> {
        let expected = usize::from(tile.width());
        match hashes.len() {
            found if found == expected => Ok(TileHashes { tile, hashes }),
            found => Err(TileError::Count { expected, found }),
        }
    }

    /// Reads the bytes of a tile: its hashes, one after the other.
    ///
    /// # Errors
    /// They are more or fewer than its width calls for.
    pub fn parse(tile: TileId, bytes: &[u8]) -> Result<Self, TileError> {
        let expected = usize::from(tile.width()) * Hash::LEN;
        if bytes.len() != expected {
            return Err(TileError::TileLen { expected, found: bytes.len() });
        }
        let hashes = bytes.chunks_exact(Hash::LEN).filter_map(Hash::from_slice).collect();
        TileHashes::new(tile, hashes)
    }

    /// Which tile.
    pub fn tile(&self) -> TileId {
        self.tile
    }

    /// Its hashes, 1 to 256.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// As it is served.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
    }

    /// The complete nodes that its hashes fold to, largest (leftmost) first: of a full
    /// tile a single one, which also stands in the tile above.
    pub fn peaks(&self, algorithm: HashAlgorithm) -> Vec<(NodeId, Hash)> {
        let mut folded = Frontier::new(algorithm);
        self.hashes.iter().for_each(|hash| folded.push(*hash, |_, _| ()));
        let first = self.tile.first_node();
        let within = root_nodes(TreeSize::new(self.tile.width().into()));
        let nodes = within.into_iter().map(|node| NodeId {
            level: first.level + node.level,
            index: (first.index >> node.level) + node.index,
        });
        nodes.zip(folded.peaks().iter().copied()).collect()
    }
}

/// The root of a tree from its partial tiles, in the order of [`border_tiles`].
///
/// Who has fetched them checks them so, against the root of a verified checkpoint, and
/// every full tile against its hash in the tile above.
///
/// # Errors
/// They are not the partial tiles of a tree of this size.
pub fn root_of_border(
    algorithm: HashAlgorithm,
    size: TreeSize,
    tiles: &[TileHashes],
) -> Result<Hash, TileError> {
    let expected = border_tiles(size).count();
    let matching = border_tiles(size).zip(tiles).take_while(|(id, tile)| *id == tile.tile).count();
    if matching != expected || tiles.len() != expected {
        return Err(TileError::Count { expected, found: matching });
    }
    let peaks: Vec<Hash> =
        tiles.iter().flat_map(|tile| tile.peaks(algorithm)).map(|(_, peak)| peak).collect();
    root_from(algorithm, size, &peaks)
        .map_err(|error| TileError::Count { expected: error.expected, found: error.found })
}

const _: () = assert!(WIDTH as usize * Hash::LEN == 8192, "a full tile has 8,192 bytes");
