//! Laws of tile names and bytes, and what published logs have.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::{Frontier, NodeId};
use crate::seq::TreeSize;

fn size(size: u64) -> TreeSize {
    TreeSize::new(size)
}

fn names(tiles: impl Iterator<Item = TileId>) -> Vec<String> {
    tiles.map(|tile| tile.to_string()).collect()
}

#[test]
fn the_example_of_the_specification_has_its_path() {
    let tile = TileId::new(0, 1_234_067, WIDTH).unwrap();
    assert_eq!(tile.to_string(), "tile/0/x001/x234/067");
    let bundle = BundleId::new(1_234_067, 8).unwrap();
    assert_eq!(bundle.to_string(), "tile/entries/x001/x234/067.p/8");
    assert_eq!(bundle.tile().to_string(), "tile/0/x001/x234/067.p/8");
    assert_eq!(TileId::new(5, 0, 1).unwrap().to_string(), "tile/5/000.p/1");
    assert_eq!(TileId::new(0, 999, 255).unwrap().to_string(), "tile/0/999.p/255");
    assert_eq!(TileId::new(0, 1000, 256).unwrap().to_string(), "tile/0/x001/000");
    assert_eq!(TileId::new(0, 1_000_000, 256).unwrap().to_string(), "tile/0/x001/x000/000");
}

#[test]
fn the_trees_of_the_specification_have_their_tiles() {
    let count = |level, full| {
        let of = move |tile: &TileId| tile.level() == level && tile.is_full() == full;
        new_tiles(TreeSize::ZERO, size(70_000)).filter(of).collect::<Vec<_>>()
    };
    assert_eq!(count(0, true).len(), 273);
    assert_eq!(count(0, false), [TileId::new(0, 273, 112).unwrap()]);
    assert_eq!(count(1, true), [TileId::new(1, 0, 256).unwrap()]);
    assert_eq!(count(1, false), [TileId::new(1, 1, 17).unwrap()]);
    assert_eq!(count(2, true), []);
    assert_eq!(count(2, false), [TileId::new(2, 0, 1).unwrap()]);
    assert_eq!(count(3, false), []);
    let all = names(new_tiles(TreeSize::ZERO, size(256)));
    assert_eq!(all, ["tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(names(new_tiles(TreeSize::ZERO, TreeSize::ZERO)), [""; 0]);
    assert_eq!(names(new_tiles(size(256), size(256))), [""; 0]);
}

#[test]
fn a_path_has_one_spelling() {
    for good in [
        "tile/0/000",
        "tile/7/000.p/1",
        "tile/entries/x001/x234/067",
        "tile/entries/000.p/255",
        "tile/0/x072/x057/x594/x037/x927/934",
        "tile/0/x072/x057/x594/x037/x927/935.p/255",
    ] {
        let read = match good.parse::<TileId>() {
            Ok(tile) => tile.to_string(),
            Err(_) => good.parse::<BundleId>().unwrap().to_string(),
        };
        assert_eq!(read, good);
    }
    for bad in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/x001/x000",
        "tile/0/001/000",
        "tile/0/x01/000",
        "tile/0/xx01/000",
        "tile/0/x001/000/",
        "/tile/0/000",
        "tile/00/000",
        "tile/+0/000",
        "tile/-1/000",
        "tile/8/000",
        "tile/0/+00",
        "tile/0/-01",
        "tile/0/ 01",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/+1",
        "tile/0/000.p/256",
        "tile/0/000.p/65537",
        "tile/0/000.p/1/",
        "tile/0/000.p/1.p/1",
        "tile/0/x001.p/1/000",
        "tile/0/000\n",
        "tile/0/00\u{0660}",
        "tile/data/000",
        "tile/entries",
        "tile/entries/0/000",
        "tile/8/0/000",
        "tile/0/x072/x057/x594/x037/x927/935",
        "tile/0/x072/x057/x594/x037/x927/936.p/1",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert!(bad.parse::<TileId>().is_err(), "{bad:?}");
        assert!(bad.parse::<BundleId>().is_err(), "{bad:?}");
    }
    assert!("tile/entries/000".parse::<TileId>().is_err());
    assert!("tile/0/000".parse::<BundleId>().is_err());
}

#[test]
fn no_tile_lies_beyond_the_largest_tree() {
    assert_eq!(TileId::new(8, 0, 1), Err(TileError::Level { found: 8 }));
    assert_eq!(TileId::new(0, 0, 0), Err(TileError::Width { found: 0 }));
    assert_eq!(TileId::new(0, 0, 257), Err(TileError::Width { found: 257 }));
    for level in 0..=LEVEL_MAX {
        let last = (u64::MAX >> (8 * level)) >> 8;
        assert!(TileId::new(level, last, 255).is_ok());
        assert_eq!(TileId::new(level, last, 256), Err(TileError::Beyond { level, index: last }));
        assert!(TileId::new(level, last + 1, 1).is_err());
        let border = border_tiles(size(u64::MAX)).find(|tile| tile.level() == level).unwrap();
        assert_eq!((border.index(), border.width()), (last, 255));
        assert!(border.covering_size() <= size(u64::MAX));
    }
    assert!(TileId::new(0, u64::MAX, 1).is_err());
}

/// A tree with all its nodes.
fn tree(count: u64) -> (Frontier, std::collections::HashMap<NodeId, Hash>) {
    let mut frontier = Frontier::new(HashAlgorithm::Sha256);
    let mut nodes = std::collections::HashMap::new();
    for n in 0..count {
        let leaf = HashAlgorithm::Sha256.leaf(&[&n.to_le_bytes()]);
        frontier.push(leaf, |node, hash| {
            nodes.insert(node, hash);
        });
    }
    (frontier, nodes)
}

fn read(tile: TileId, nodes: &std::collections::HashMap<NodeId, Hash>) -> TileHashes {
    let NodeId { level, index } = tile.first_node();
    let hashes = (index..index + u64::from(tile.width()))
        .map(|index| nodes[&NodeId { level, index }])
        .collect();
    TileHashes::new(tile, hashes).unwrap()
}

#[test]
fn tiles_fold_to_the_nodes_above_them_and_to_the_root() {
    let algorithm = HashAlgorithm::Sha256;
    for count in [1, 2, 255, 256, 257, 600, 4096, 65_535, 65_536, 70_000] {
        let (frontier, nodes) = tree(count);
        for tile in new_tiles(TreeSize::ZERO, size(count)) {
            let hashes = read(tile, &nodes);
            assert_eq!(TileHashes::parse(tile, &hashes.to_bytes()), Ok(hashes.clone()));
            let peaks = hashes.peaks(algorithm);
            assert_eq!(peaks.len(), tile.width().count_ones() as usize);
            for (node, hash) in peaks {
                assert_eq!(nodes[&node], hash, "{tile} {node}");
            }
        }
        let border: Vec<_> = border_tiles(size(count)).map(|tile| read(tile, &nodes)).collect();
        let root = |tiles: &[TileHashes]| root_of_border(algorithm, size(count), tiles);
        assert_eq!(root(&border), Ok(frontier.root()));
        assert!(root(&border[1..]).is_err());
        let mut twice = border.clone();
        twice.push(border[0].clone());
        assert!(root(&twice).is_err());
        for at in 0..border.len() {
            let (tile, hashes) = (border[at].tile(), border[at].hashes());
            let mut bad = border.clone();
            let altered = [&[Hash::ZERO], &hashes[1..]].concat();
            bad[at] = TileHashes::new(tile, altered).unwrap();
            assert_ne!(root(&bad), Ok(frontier.root()));
            let elsewhere = TileId::new(tile.level(), tile.index() + 1, tile.width()).unwrap();
            bad[at] = TileHashes::new(elsewhere, hashes.to_vec()).unwrap();
            assert!(root(&bad).is_err());
        }
    }
    assert_eq!(root_of_border(algorithm, TreeSize::ZERO, &[]), Ok(algorithm.empty_root()));
}

#[test]
fn a_tile_of_another_length_is_refused() {
    let tile = TileId::new(0, 0, 3).unwrap();
    assert!(TileHashes::parse(tile, &[1; 96]).is_ok());
    for len in [0, 1, 64, 95, 97, 128] {
        let bytes = vec![1; len];
        let expected = TileError::TileLen { expected: 96, found: len };
        assert_eq!(TileHashes::parse(tile, &bytes), Err(expected));
    }
    let count = TileError::Count { expected: 3, found: 2 };
    assert_eq!(TileHashes::new(tile, vec![Hash::ZERO; 2]), Err(count));
}

#[test]
fn a_bundle_is_read_exactly() {
    let bundle = BundleId::new(0, 3).unwrap();
    let long = vec![7; ENTRY_LEN_MAX];
    let entries = EntryBundle::new(vec![b"one", b"", &long]).unwrap();
    let bytes = entries.to_bytes();
    assert_eq!(&bytes[..9], b"\0\x03one\0\0\xff\xff");
    assert_eq!(EntryBundle::parse(bundle, &bytes), Ok(entries.clone()));
    let leaves = entries.leaf_hashes(HashAlgorithm::Sha256);
    assert_eq!(leaves[1], HashAlgorithm::Sha256.leaf(&[]));
    for cut in (0..20).chain([bytes.len() - 1]) {
        assert!(EntryBundle::parse(bundle, &bytes[..cut]).is_err(), "{cut}");
    }
    let trailing = [bytes.as_slice(), &[0]].concat();
    assert_eq!(EntryBundle::parse(bundle, &trailing), Err(TileError::Trailing { found: 1 }));
    let fewer = BundleId::new(0, 2).unwrap();
    assert!(matches!(EntryBundle::parse(fewer, &bytes), Err(TileError::Trailing { .. })));
    let more = BundleId::new(0, 4).unwrap();
    let cut = TileError::CutShort { entry: 3, expected: 2, found: 0 };
    assert_eq!(EntryBundle::parse(more, &bytes), Err(cut));
    let too_long = vec![0; ENTRY_LEN_MAX + 1];
    assert!(matches!(EntryBundle::new(vec![&too_long]), Err(TileError::EntryLen { .. })));
    assert!(EntryBundle::new(Vec::new()).is_err());
    assert!(EntryBundle::new(vec![b"".as_slice(); 257]).is_err());
    assert!(EntryBundle::new(vec![b"".as_slice(); 256]).is_ok());
}

proptest! {
    #[test]
    fn what_two_sizes_have_differs_by_the_new_tiles(old in 0u64..200_000, more in 0u64..2_000) {
        let (old, new) = (size(old), size(old + more));
        let all = |of| new_tiles(TreeSize::ZERO, of).collect::<BTreeSet<_>>();
        let expected: BTreeSet<_> = all(new).difference(&all(old)).copied().collect();
        let found: Vec<_> = new_tiles(old, new).collect();
        prop_assert_eq!(found.len(), expected.len(), "twice the same");
        prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
        let bundles: Vec<_> = new_bundles(old, new).map(BundleId::tile).collect();
        let level_0: Vec<_> = new_tiles(old, new).filter(|tile| tile.level() == 0).collect();
        prop_assert_eq!(bundles, level_0);
    }

    #[test]
    fn a_tree_has_the_tiles_that_it_covers(of in 1u64..=u64::MAX) {
        for tile in border_tiles(size(of)) {
            prop_assert!(tile.covering_size() <= size(of));
            prop_assert!(!tile.is_full());
            // Full tiles are few at the top only: the next one would not be covered.
            prop_assert!(tile.full().is_none_or(|full| full.covering_size() > size(of)));
        }
        prop_assert!(border_tiles(size(of)).count() >= 1);
    }

    #[test]
    fn names_come_back_from_their_paths(level in 0..=LEVEL_MAX, index: u64, width in 1..=WIDTH) {
        let index = index >> (8 * level) >> 8;
        if let Ok(tile) = TileId::new(level, index, width) {
            prop_assert_eq!(tile.to_string().parse::<TileId>(), Ok(tile));
        }
        if let Ok(bundle) = BundleId::new(index, width) {
            prop_assert_eq!(bundle.to_string().parse::<BundleId>(), Ok(bundle));
        }
    }

    #[test]
    fn no_text_parses_as_another_spelling(text in "(tile/)?(entries/|[0-9]{1,2}/)?(x?[0-9]{1,4}/?){0,8}(\\.p/[0-9]{0,4})?") {
        if let Ok(tile) = text.parse::<TileId>() {
            prop_assert_eq!(tile.to_string(), text);
        } else if let Ok(bundle) = text.parse::<BundleId>() {
            prop_assert_eq!(bundle.to_string(), text);
        }
    }
}
