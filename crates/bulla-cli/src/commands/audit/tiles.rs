//! The tiles of an exported log, compared with the hashes that its entries lead to.

use std::path::Path;

use bulla::merkle::NodeId;
use bulla::tiles::{TileHashes, TileId, WIDTH, border_tiles};
use bulla::{Hash, TreeSize};

use super::recomputed::TILE_LEN_MAX;
use crate::open_log;

/// Levels of the tree that one level of tiles has.
const HEIGHT: u8 = 8;

/// Takes in the nodes of the tree as they become complete. In memory is one tile of each level.
pub(super) struct Tiles<'d> {
    dir: &'d Path,
    levels: Vec<Level>,
    /// What is wrong, of the first tile, and of how many something is.
    first_wrong: Option<String>,
    wrong: u64,
}

#[derive(Default)]
struct Level {
    /// Tiles that were compared.
    done: u64,
    hashes: Vec<Hash>,
}

impl<'d> Tiles<'d> {
    pub(super) fn new(dir: &'d Path) -> Self {
        Tiles { dir, levels: Vec::new(), first_wrong: None, wrong: 0 }
    }

    pub(super) fn node(&mut self, node: NodeId, hash: Hash) {
        if !node.level.is_multiple_of(HEIGHT) {
            return;
        }
        let at = node.level / HEIGHT;
        if self.levels.len() <= usize::from(at) {
            self.levels.push(Level::default());
        }
        let Some(level) = self.levels.get_mut(usize::from(at)) else { return };
        level.hashes.push(hash);
        if level.hashes.len() == usize::from(WIDTH) {
            let hashes = std::mem::take(&mut level.hashes);
            let index = level.done;
            level.done += 1;
            self.compare(TileId::new(at, index, WIDTH).ok(), &hashes);
        }
    }

    /// Compares what is not full, too. What is wrong with the tiles, if anything is.
    pub(super) fn finish(mut self, size: TreeSize) -> Option<String> {
        for tile in border_tiles(size).filter(|tile| !tile.is_full()) {
            let level = self.levels.get_mut(usize::from(tile.level()));
            let hashes = level.map(|level| std::mem::take(&mut level.hashes)).unwrap_or_default();
            self.compare(Some(tile), &hashes);
        }
        let more = match self.wrong {
            0 | 1 => String::new(),
            wrong => format!(" (and {} more)", wrong - 1),
        };
        self.first_wrong.map(|first| format!("{first}{more}"))
    }

    fn compare(&mut self, tile: Option<TileId>, expected: &[Hash]) {
        let Some(tile) = tile else { return };
        let path = self.dir.join(tile.to_string());
        let found = match open_log::read_small(&path, TILE_LEN_MAX) {
            Err(error) => Some(format!("{error:#}")),
            Ok(bytes) => match TileHashes::parse(tile, &bytes) {
                Err(error) => Some(format!("{}: {error}", path.display())),
                Ok(found) => {
                    let mut pairs = found.hashes().iter().zip(expected);
                    let other = pairs.position(|(found, expected)| found != expected);
                    other.map(|at| {
                        format!(
                            "{}: expected the hashes that the entries lead to, found another one \
                             at place {at}",
                            path.display()
                        )
                    })
                }
            },
        };
        if let Some(found) = found {
            self.wrong += 1;
            self.first_wrong.get_or_insert(found);
        }
    }
}
