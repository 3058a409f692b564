//! A stranger who fetches a log that is served as tiles, and believes only its key.
#![allow(dead_code)] // each test binary uses a part

use std::fs;
use std::path::Path;

use bulla::checkpoint::{UnverifiedCheckpoint, VerifyingKey};
use bulla::tiles::{
    BundleId, EntryBundle, TileHashes, TileId, border_tiles, new_bundles, new_tiles, root_of_border,
};
use bulla::{Actor, Event, Hash, HashAlgorithm, Log, Resource, Signer, TreeSize, Trust};
use tempfile::TempDir;

/// A log with its key, in a directory of their own, and a directory to export to.
pub(crate) struct Fixture {
    pub(crate) dir: TempDir,
    pub(crate) log: Log,
    pub(crate) signer: Signer,
}

pub(crate) const ORIGIN: &str = "example.com/audit";

impl Fixture {
    pub(crate) fn new(algorithm: HashAlgorithm) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Log::options().hash(algorithm).origin(ORIGIN);
        let log = options.create(dir.path().join("audit")).unwrap();
        let signer = Signer::generate(&dir.path().join("audit.key"), ORIGIN, algorithm).unwrap();
        Fixture { dir, log, signer }
    }

    /// A log of this many records, signed.
    pub(crate) fn of(size: u64) -> Self {
        let fixture = Fixture::new(HashAlgorithm::Sha256);
        fixture.grow_to(size);
        fixture
    }

    pub(crate) fn log_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("audit")
    }

    pub(crate) fn out(&self) -> std::path::PathBuf {
        self.dir.path().join("public")
    }

    pub(crate) fn key(&self) -> VerifyingKey {
        self.signer.verifying_key().clone()
    }

    /// Appends up to one record below this size, and signs; the anchor is the last one.
    pub(crate) fn grow_to(&self, size: u64) {
        let events: Vec<Event> =
            (self.log.size().get()..size - 1).map(|n| event(n, &format!("secret-{n}"))).collect();
        for batch in events.chunks(1000) {
            self.log.append_batch(batch).unwrap();
        }
        let signed = self.log.checkpoint(&self.signer).unwrap();
        assert_eq!(signed.head().size.get(), size);
    }
}

pub(crate) fn event(n: u64, secret: &str) -> Event {
    Event::new(Actor::new("user", format!("u{}", n % 7)), "doc.read", Resource::new("doc", "d"))
        .ip("203.0.113.9")
        .user_agent(secret)
}

/// Fetches all that the served checkpoint covers, and checks it; gives its size and root.
pub(crate) fn check(out: &Path, key: &VerifyingKey) -> Result<(TreeSize, Hash), String> {
    let head = check_checkpoint(out, "checkpoint", key)?;
    let algorithm = HashAlgorithm::Sha256;
    let mut border = Vec::new();
    for tile in border_tiles(head.0) {
        border.push(tile_of(out, tile)?);
    }
    let root = root_of_border(algorithm, head.0, &border).map_err(|error| error.to_string())?;
    if root != head.1 {
        return Err(format!("the border leads to {root}"));
    }
    for tile in new_tiles(TreeSize::ZERO, head.0).filter(|tile| tile.is_full()) {
        let peaks = tile_of(out, tile)?.peaks(algorithm);
        let above = above(out, tile, head.0)?;
        if peaks[0].1 != above {
            return Err(format!("{tile} is not what the tile above says"));
        }
    }
    for bundle in new_bundles(TreeSize::ZERO, head.0) {
        check_bundle(out, bundle)?;
    }
    Ok(head)
}

/// Checks that all checkpoints that are kept can be verified with what is served.
pub(crate) fn check_kept(out: &Path, key: &VerifyingKey) -> Result<Vec<u64>, String> {
    let newest = check_checkpoint(out, "checkpoint", key)?.0;
    let mut sizes = Vec::new();
    for name in fs::read_dir(out.join("checkpoints")).map_err(|error| error.to_string())? {
        let name = name.map_err(|error| error.to_string())?.file_name();
        let name = name.to_str().unwrap_or_default().to_owned();
        let (size, root) = check_checkpoint(out, &format!("checkpoints/{name}"), key)?;
        if size.to_string() != name {
            return Err(format!("checkpoints/{name} is of size {size}"));
        }
        let mut border = Vec::new();
        for tile in border_tiles(size) {
            // The partial tile may be gone once the full one is there.
            let full = tile.full().filter(|full| full.covering_size() <= newest);
            let hashes = match full {
                Some(full) => tile_of(out, full)?.hashes()[..tile.width().into()].to_vec(),
                None => tile_of(out, tile)?.hashes().to_vec(),
            };
            if tile.level() == 0 && full.is_none() {
                check_bundle(out, BundleId::new(tile.index(), tile.width()).unwrap())?;
            }
            border.push(TileHashes::new(tile, hashes).unwrap());
        }
        if root_of_border(HashAlgorithm::Sha256, size, &border) != Ok(root) {
            return Err(format!("the tiles do not lead to checkpoint {size}"));
        }
        sizes.push(size.get());
    }
    sizes.sort_unstable();
    Ok(sizes)
}

fn check_checkpoint(
    out: &Path,
    name: &str,
    key: &VerifyingKey,
) -> Result<(TreeSize, Hash), String> {
    let text = fs::read(out.join(name)).map_err(|error| format!("{name}: {error}"))?;
    let read = UnverifiedCheckpoint::parse(&text).map_err(|error| error.to_string())?;
    let trust = Trust::in_keys([key.clone()]);
    let head = trust.verify(&read).map_err(|error| error.to_string())?.head();
    Ok((head.size, head.root))
}

pub(crate) fn tile_of(out: &Path, tile: TileId) -> Result<TileHashes, String> {
    let bytes = fs::read(out.join(tile.to_string())).map_err(|error| format!("{tile}: {error}"))?;
    TileHashes::parse(tile, &bytes).map_err(|error| format!("{tile}: {error}"))
}

/// The hash of a full tile in the tile above.
fn above(out: &Path, tile: TileId, size: TreeSize) -> Result<Hash, String> {
    let (level, index) = (tile.level() + 1, tile.index() / 256);
    let tile_above = new_tiles(TreeSize::ZERO, size)
        .find(|tile| (tile.level(), tile.index()) == (level, index))
        .ok_or("no tile above")?;
    let at = usize::try_from(tile.index() % 256).unwrap();
    Ok(tile_of(out, tile_above)?.hashes()[at])
}

fn check_bundle(out: &Path, bundle: BundleId) -> Result<(), String> {
    let bytes =
        fs::read(out.join(bundle.to_string())).map_err(|error| format!("{bundle}: {error}"))?;
    let entries =
        EntryBundle::parse(bundle, &bytes).map_err(|error| format!("{bundle}: {error}"))?;
    match entries.leaf_hashes(HashAlgorithm::Sha256) == tile_of(out, bundle.tile())?.hashes() {
        true => Ok(()),
        false => Err(format!("{bundle} is not what its tile says")),
    }
}

/// Every file below a directory, with its bytes; the marker and what is unfinished left out.
pub(crate) fn files(out: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut dirs = vec![out.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            let name = path.strip_prefix(out).unwrap().display().to_string();
            if name != "bulla-export" && !name.ends_with(".tmp") {
                found.push((name, fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
