//! Law: the path of a tile or bundle that parses is written back as the same text, and names
//! something that a tree has; the bytes of a tile or bundle that parse are written back as
//! the same bytes, and take as many hashes or entries as the name says.
#![no_main]

use bulla::tiles::{BundleId, EntryBundle, TileHashes, TileId, border_tiles, new_tiles};
use bulla::{HashAlgorithm, TreeSize};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, u8, &[u8])| {
    let (path, width, bytes) = input;
    if let Ok(tile) = path.parse::<TileId>() {
        assert_eq!(tile.to_string(), path);
        assert!(path.parse::<BundleId>().is_err());
        // The smallest tree that covers it has it, as full or at its border.
        let size = tile.covering_size();
        assert!(tile.is_full() || border_tiles(size).any(|border| border == tile));
        let before = TreeSize::new(size.get() - 1);
        assert!(new_tiles(before, size).any(|new| new == tile));
    }
    if let Ok(bundle) = path.parse::<BundleId>() {
        assert_eq!(bundle.to_string(), path);
        assert_eq!(bundle.tile().to_string(), path.replace("entries", "0"));
    }
    let Ok(tile) = TileId::new(0, 0, u16::from(width) + 1) else { return };
    if let Ok(hashes) = TileHashes::parse(tile, bytes) {
        assert_eq!(hashes.to_bytes(), bytes);
        assert_eq!(hashes.hashes().len(), usize::from(tile.width()));
        let peaks = hashes.peaks(HashAlgorithm::Sha256).len();
        assert_eq!(peaks, tile.width().count_ones() as usize);
    }
    let Ok(bundle) = BundleId::new(0, tile.width()) else { return };
    if let Ok(entries) = EntryBundle::parse(bundle, bytes) {
        assert_eq!(entries.to_bytes(), bytes);
        assert_eq!(entries.entries().len(), usize::from(tile.width()));
    }
});
