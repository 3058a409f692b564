//! The names of a log's files and directories, each parser beside its maker.
//!
//! `docs/format.md`, “Files”, has the same list. A parser accepts only what its maker writes:
//! `1.seg` is no segment, and two names never mean the same file.

use crate::format::Stream;
use crate::hash::HashAlgorithm;
use crate::seq::TreeSize;

/// The main log.
pub const SEGMENTS: &str = "segments";
/// The catalog.
pub const CATALOG: &str = "catalog";
/// The two copies of the catalog, in its directory.
pub const CATALOG_COPIES: [&str; 2] = ["a", "b"];
/// The hashes of a tree: of the log, and in the catalog's directory of the catalog.
pub const TREE: &str = "tree";
/// The signed heads.
pub const CHECKPOINTS: &str = "checkpoints";
/// What recovery set aside.
pub const QUARANTINE: &str = "quarantine";
/// The directories of a log.
pub const DIRECTORIES: [&str; 5] = [CATALOG, SEGMENTS, TREE, CHECKPOINTS, QUARANTINE];
/// Locked by the process that writes: of the log, and in the catalog's directory of the catalog.
pub const LOCK: &str = "LOCK";
/// Where recovery may start, in [`TREE`].
pub const MARK: &str = "mark";
/// The state of the catalog at some size, in [`CATALOG`].
pub const SNAPSHOT: &str = "snapshot";

/// What follows the name of a file that is being brought back from an archive.
const RESTORING: &str = ".restoring";

/// A segment, by its ordinal.
pub fn segment(ordinal: u64) -> String {
    format!("{ordinal:08}.seg")
}

/// The ordinal in a segment's name.
pub fn parse_segment(name: &str) -> Option<u64> {
    let ordinal = name.strip_suffix(".seg")?.parse().ok()?;
    (ordinal > 0 && segment(ordinal) == name).then_some(ordinal)
}

/// The index of the segment with this ordinal.
pub fn index(ordinal: u64) -> String {
    format!("{ordinal:08}.idx")
}

/// The ordinal in the name of an index.
pub fn parse_index(name: &str) -> Option<u64> {
    let ordinal = name.strip_suffix(".idx")?.parse().ok()?;
    (ordinal > 0 && index(ordinal) == name).then_some(ordinal)
}

/// A segment or an index that is being brought back, by the name it will have.
pub fn restoring(name: &str) -> String {
    format!("{name}{RESTORING}")
}

/// The ordinal in the name of a segment or an index that is being brought back.
pub fn parse_restoring(name: &str) -> Option<u64> {
    let name = name.strip_suffix(RESTORING)?;
    parse_segment(name).or_else(|| parse_index(name))
}

/// The hashes of a stored level of a tree.
pub fn tree_level(level: u8) -> String {
    format!("level-{level:02}.hashes")
}

/// The level in the name of a file of hashes.
pub fn parse_tree_level(name: &str) -> Option<u8> {
    let level = name.strip_prefix("level-")?.strip_suffix(".hashes")?.parse().ok()?;
    (tree_level(level) == name).then_some(level)
}

/// A signed head.
pub fn checkpoint(algorithm: HashAlgorithm, size: TreeSize) -> String {
    let ending = match algorithm {
        HashAlgorithm::Sha256 => "checkpoint",
        HashAlgorithm::Blake3 => "bulla-checkpoint",
    };
    format!("{:016}.{ending}", size.get())
}

/// The hash of the tree and the size in the name of a signed head.
pub fn parse_checkpoint(name: &str) -> Option<(HashAlgorithm, TreeSize)> {
    let size = TreeSize::new(name.split_once('.')?.0.parse().ok()?);
    let algorithms = [HashAlgorithm::Sha256, HashAlgorithm::Blake3];
    let found = algorithms.into_iter().find(|algorithm| checkpoint(*algorithm, size) == name);
    found.map(|algorithm| (algorithm, size))
}

/// Bytes that were cut off a segment at an offset.
pub fn torn(stream: Stream, ordinal: u64, offset: u64) -> String {
    let of = match stream {
        Stream::Main => "main",
        Stream::Catalog => "catalog",
    };
    format!("{of}-{ordinal:08}-{offset}.torn")
}

/// A file of one copy of the catalog that was replaced from the other.
pub fn replaced_copy(ordinal: u64) -> String {
    format!("catalog-copy-{ordinal:08}.seg")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_as_what_it_was_made_of() {
        for ordinal in [1, 99_999_999, 100_000_000, u64::MAX] {
            assert_eq!(parse_segment(&segment(ordinal)), Some(ordinal));
            assert_eq!(parse_index(&index(ordinal)), Some(ordinal));
            for name in [segment(ordinal), index(ordinal)] {
                assert_eq!(parse_restoring(&restoring(&name)), Some(ordinal));
                assert_eq!(parse_restoring(&name), None);
            }
        }
        for level in [0, 4, 60, 255] {
            assert_eq!(parse_tree_level(&tree_level(level)), Some(level));
        }
        for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Blake3] {
            for size in [0, 1, u64::MAX].map(TreeSize::new) {
                assert_eq!(parse_checkpoint(&checkpoint(algorithm, size)), Some((algorithm, size)));
            }
        }
    }

    #[test]
    fn no_other_spelling_is_a_name() {
        for name in ["1.seg", "00000000.seg", "+0000001.seg", "00000001.SEG", "00000001.seg.tmp"] {
            assert_eq!(parse_segment(name), None, "{name}");
        }
        for name in ["00000001.seg", "1.idx", "00000000.idx", ".idx", ""] {
            assert_eq!(parse_index(name), None, "{name}");
        }
        for name in [".restoring", "1.seg.restoring", "00000001.seg.restoring.restoring"] {
            assert_eq!(parse_restoring(name), None, "{name}");
        }
        for name in ["level-4.hashes", "level-004.hashes", "level-256.hashes", "level-.hashes"] {
            assert_eq!(parse_tree_level(name), None, "{name}");
        }
        for name in ["1.checkpoint", "0000000000000001.note", "catalog-0000000000000001.checkpoint"]
        {
            assert_eq!(parse_checkpoint(name), None, "{name}");
        }
    }
}
