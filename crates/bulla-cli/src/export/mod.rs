//! A log as a directory that any static file server can serve as a C2SP log
//! (c2sp.org/tlog-tiles): hashes, entries without payloads, signed checkpoints.
//!
//! ```text
//! OUT/bulla-export            whose export this is; locked while it is written
//! OUT/tile/0/x001/x234/067    hashes, OUT/tile/0/273.p/112 the partial ones
//! OUT/tile/entries/…          entries: head ‖ envelope ‖ payload digest
//! OUT/checkpoints/SIZE        every published checkpoint, with its cosignatures
//! OUT/checkpoint              the newest one; replaced in one step, after what it covers
//! OUT/segments                which records each sealed segment has, for an auditor
//! ```
//!
//! What a checkpoint covers is on disk before the checkpoint is. So whatever happens in
//! between, the directory is a valid log: the one of before, or the new one.

mod error;
mod place;
mod segments;
mod source;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;

use bulla::checkpoint::UnverifiedCheckpoint;
use bulla::merkle::{TreeHead, verify_consistency};
use bulla::tiles::{
    BundleId, TileHashes, TileId, border_tiles, new_bundles, new_tiles, root_of_border,
};
use bulla::{Error, HashAlgorithm, TileReader, TreeSize, Trust};

pub use error::ExportError;
use place::Place;
pub use segments::{ListedSegment, SegmentList};
pub use source::MainLog;

/// How an export is made.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Publish no checkpoint that these keys do not verify. Without it signatures are not
    /// looked at: whoever fetches the log checks them.
    pub trust: Option<Trust>,
    /// Compare everything that was exported before with the log, not only add to it. What is
    /// missing is written again.
    pub recheck: bool,
    /// Replace tiles, bundles and kept checkpoints that are others than the log has. Without it they
    /// are named, and nothing is published.
    pub repair: bool,
}

/// How far an export is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Tiles, bundles and checkpoints that were looked at.
    pub done: u64,
    /// How many there are to look at, checkpoints not counted.
    pub total: u64,
}

/// What an export did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The head that is served now.
    pub head: TreeHead,
    /// The head that was served before; size 0: none.
    pub before: TreeSize,
    /// Tiles of hashes that were written.
    pub tiles: u64,
    /// Entry bundles that were written.
    pub bundles: u64,
    /// Checkpoints that were added to `checkpoints/`, or got more signatures there.
    pub checkpoints: u64,
    /// Bytes written in all of them.
    pub bytes: u64,
    /// Partial tiles and bundles that were removed, because the full ones are there.
    pub removed: u64,
    /// Those of `tiles` and `bundles` that were served before, and were missing.
    pub restored: u64,
    /// Tiles, bundles and checkpoints that were altered, and were replaced.
    pub repaired: Vec<String>,
}

/// Exports what is published of a log, or adds to an earlier export what is new.
///
/// `watch` is called before every change of the directory; it may break the work off, which
/// leaves a valid log and can be taken up again.
///
/// # Errors
/// The log has no checkpoint, or is BLAKE3; the directory is no export of this log, or
/// contradicts it; the log contradicts its checkpoint; I/O, a full disk.
pub fn export(
    source: &MainLog,
    out: &Path,
    options: &Options,
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Summary, ExportError> {
    if source.algorithm() != HashAlgorithm::Sha256 {
        let (path, found) = (source.dir().to_owned(), source.algorithm());
        return Err(ExportError::NotSha256 { path, found });
    }
    let sizes = own_sizes(source)?;
    let Some(&newest) = sizes.last() else { return Err(ExportError::NoCheckpoint) };
    let tiles = source.tiles(newest)?;
    let mut run = Run { source, tiles, options, watch, progress: Progress::default() };
    let checkpoint = run.checkpoint(newest)?;
    run.check_border(&checkpoint)?;
    let mut place = Place::claim(out, source)?;
    place.repair(options.repair);
    let before = run.check_before(&mut place, &checkpoint)?;
    let from = if options.recheck { TreeSize::ZERO } else { before };
    let since = || sizes.iter().copied().filter(move |size| *size >= from);
    let written = run.write(&mut place, (from, before), since())?;
    // Of all: cosignatures may have come to any of them.
    let checkpoints = run.keep(&mut place, &sizes)?;
    run.step()?;
    place.replace("checkpoint", checkpoint.to_text().as_bytes())?;
    let list = source.segments(newest)?;
    run.step()?;
    // Behind the checkpoint: it speaks of no record that is not served.
    place.replace(SegmentList::NAME, list.to_text().as_bytes())?;
    let removed = run.prune(&mut place, since())?;
    Ok(Summary {
        head: checkpoint.dangerously_unverified().head(),
        before,
        tiles: written.tiles,
        bundles: written.bundles,
        checkpoints,
        bytes: place.bytes(),
        removed,
        restored: written.restored,
        repaired: place.repaired(),
    })
}

/// The sizes of the checkpoints that are published: those of a former origin, which was
/// retired, are another log's to whoever reads them.
fn own_sizes(source: &MainLog) -> Result<Vec<TreeSize>, ExportError> {
    let mut sizes = Vec::new();
    for size in source.checkpoint_sizes()? {
        let checkpoint = source.checkpoint(size)?;
        if checkpoint.dangerously_unverified().origin() == source.origin() {
            sizes.push(size);
        }
    }
    Ok(sizes)
}

/// So many altered files are named besides the first.
const ALTERED_SHOWN: usize = 10;

/// One export on its way.
struct Run<'a> {
    source: &'a MainLog,
    tiles: TileReader,
    options: &'a Options,
    watch: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
    progress: Progress,
}

#[derive(Default)]
struct Written {
    tiles: u64,
    bundles: u64,
    restored: u64,
}

impl Run<'_> {
    /// To be called before the directory is changed.
    fn step(&mut self) -> Result<(), ExportError> {
        self.progress.done += 1;
        match (self.watch)(self.progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(ExportError::Stopped),
        }
    }

    /// A published checkpoint, which must be one of this log.
    fn checkpoint(&self, size: TreeSize) -> Result<UnverifiedCheckpoint, ExportError> {
        let checkpoint = self.source.checkpoint(size)?;
        let claim = checkpoint.dangerously_unverified();
        let conflict = |expected: String, found: String| ExportError::Conflict {
            what: format!("the log's checkpoint of size {size}"),
            expected,
            found,
        };
        if claim.origin() != self.source.origin() {
            let expected = format!("the origin {}", self.source.origin());
            return Err(conflict(expected, claim.origin().to_owned()));
        }
        let head = self.tiles.head_at(size)?;
        if claim.head() != head {
            let found = claim.head();
            let expected = format!("size {size} with root {}, as in the log", head.root);
            return Err(conflict(
                expected,
                format!("size {} with root {}", found.size, found.root),
            ));
        }
        if let Some(trust) = &self.options.trust {
            trust.verify(&checkpoint).map_err(|error| {
                let (expected, found) = expected_and_found(&error.to_string());
                conflict(expected, found)
            })?;
        }
        Ok(checkpoint)
    }

    /// The partial tiles must lead to the signed root. Every full tile was compared with
    /// its hash in the tile above when it was read, so with this one all of them do.
    fn check_border(&self, checkpoint: &UnverifiedCheckpoint) -> Result<(), ExportError> {
        let head = checkpoint.dangerously_unverified().head();
        let broken = |error: String| Error::Proof { reason: error };
        let mut border = Vec::new();
        for tile in border_tiles(head.size) {
            let hashes = TileHashes::parse(tile, &self.tiles.tile(tile)?);
            border.push(hashes.map_err(|error| broken(error.to_string()))?);
        }
        let root = root_of_border(self.tiles.algorithm(), head.size, &border)
            .map_err(|error| broken(error.to_string()))?;
        if root == head.root {
            return Ok(());
        }
        Err(ExportError::Conflict {
            what: format!("the hash files of the log under its head of size {}", head.size),
            expected: format!("root {}", head.root),
            found: format!("root {root}"),
        })
    }

    /// The size that is served now; the log must extend it.
    fn check_before(
        &self,
        place: &mut Place,
        checkpoint: &UnverifiedCheckpoint,
    ) -> Result<TreeSize, ExportError> {
        let Some((path, before)) = place.published()? else { return Ok(TreeSize::ZERO) };
        let before = before.dangerously_unverified();
        let (old, new) = (before.head(), checkpoint.dangerously_unverified().head());
        let conflict = |expected: String, found: String| ExportError::Conflict {
            what: path.display().to_string(),
            expected,
            found,
        };
        if before.origin() != self.source.origin() {
            let expected = format!("the origin {}", self.source.origin());
            return Err(conflict(expected, before.origin().to_owned()));
        }
        if old.size > new.size {
            let newest = format!(
                "at most size {}, the newest checkpoint of the log (was an old copy of it \
                 restored?)",
                new.size
            );
            return Err(conflict(newest, format!("size {}", old.size)));
        }
        let proof = self.tiles.consistency_from(old.size)?;
        verify_consistency(self.tiles.algorithm(), &old, &new, &proof).map_err(|error| {
            let expected = format!("a tree that the log of size {} extends", new.size);
            conflict(expected, format!("size {}, root {}: {error}", old.size, old.root))
        })?;
        Ok(old.size)
    }

    /// Writes the tiles and bundles of the newest head, and the partial ones of the other
    /// heads that are to be served. When it returns they are on disk.
    fn write(
        &mut self,
        place: &mut Place,
        (from, before): (TreeSize, TreeSize),
        sizes: impl Iterator<Item = TreeSize>,
    ) -> Result<Written, ExportError> {
        let newest = self.tiles.size();
        let partial = borders(sizes, newest, false);
        let full = |tile: &TileId| tile.is_full();
        let count = new_tiles(from, newest).filter(full).count()
            + new_bundles(from, newest).filter(|bundle| bundle.is_full()).count()
            + partial.len()
            + partial.iter().filter(|tile| tile.level() == 0).count();
        self.progress.total = count as u64;
        let (mut written, mut altered) = (Written::default(), Altered::default());
        for tile in new_tiles(from, newest).filter(full).chain(partial) {
            self.step()?;
            let bytes = self.tiles.tile(tile)?;
            let restored = u64::from(tile.covering_size() <= before);
            let repaired = place.repaired().len();
            let put = altered.noted(place.put(&tile.to_string(), &bytes))?;
            written.tiles += u64::from(put);
            let was_there = |place: &Place, earlier: usize| place.repaired().len() > earlier;
            written.restored += restored * u64::from(put && !was_there(place, repaired));
            if tile.level() > 0 {
                continue;
            }
            self.step()?;
            let bundle = bundle_of(tile)?;
            if place.has_entries(bundle, &bytes)? {
                continue;
            }
            let repaired = place.repaired().len();
            let made = self.entry_bundle(place, bundle);
            let put = made.and_then(|bytes| place.put(&bundle.to_string(), &bytes));
            let put = altered.noted(put)?;
            written.bundles += u64::from(put);
            written.restored += restored * u64::from(put && !was_there(place, repaired));
        }
        altered.refuse()?;
        place.sync()?;
        Ok(written)
    }

    /// A bundle from the log. Entries of records that have expired since are in the export.
    fn entry_bundle(&self, place: &Place, bundle: BundleId) -> Result<Vec<u8>, ExportError> {
        let expired = match self.tiles.entry_bundle(bundle) {
            Err(expired @ Error::Expired { .. }) => expired,
            made => return Ok(made?),
        };
        let gone = |error: Error| ExportError::Gone { bundle: bundle.to_string(), error };
        let Some((path, earlier, bytes)) = place.widest(bundle)? else { return Err(gone(expired)) };
        match self.tiles.entry_bundle_onto((earlier, &bytes), bundle) {
            Err(error @ Error::Expired { .. }) => Err(gone(error)),
            Err(error @ (Error::InvalidOption { .. } | Error::Tampered { .. })) => {
                Err(ExportError::Conflict {
                    what: path.display().to_string(),
                    expected: "the entries that the leaf hashes of the log are of".to_owned(),
                    found: error.to_string(),
                })
            }
            made => Ok(made?),
        }
    }

    /// Keeps the published checkpoints, each under its size.
    fn keep(&mut self, place: &mut Place, sizes: &[TreeSize]) -> Result<u64, ExportError> {
        let (mut kept, mut altered) = (0, Altered::default());
        for &size in sizes {
            self.step()?;
            let checkpoint = self.checkpoint(size)?;
            kept += u64::from(altered.noted(place.keep_checkpoint(size, &checkpoint))?);
        }
        altered.refuse()?;
        place.sync()?;
        Ok(kept)
    }

    /// Removes the partial tiles of earlier heads whose full ones are served now.
    fn prune(
        &mut self,
        place: &mut Place,
        sizes: impl Iterator<Item = TreeSize>,
    ) -> Result<u64, ExportError> {
        let mut removed = 0;
        for tile in borders(sizes, self.tiles.size(), true) {
            self.step()?;
            removed += place.remove_partial(&tile.to_string())?;
            if tile.level() == 0 {
                removed += place.remove_partial(&bundle_of(tile)?.to_string())?;
            }
        }
        Ok(removed)
    }
}

/// The files that are others than the log has: all of them are named at once.
#[derive(Default)]
struct Altered {
    first: Option<ExportError>,
    others: Vec<String>,
}

impl Altered {
    /// Whether a file was written. That one is altered is noted.
    fn noted(&mut self, put: Result<bool, ExportError>) -> Result<bool, ExportError> {
        match put {
            Err(conflict @ ExportError::Conflict { .. }) if self.first.is_none() => {
                self.first = Some(conflict);
                Ok(false)
            }
            Err(ExportError::Conflict { what, .. }) => {
                self.others.push(what);
                Ok(false)
            }
            put => put,
        }
    }

    fn refuse(self) -> Result<(), ExportError> {
        match self.first {
            Some(ExportError::Conflict { what, expected, found }) if !self.others.is_empty() => {
                let shown = self.others.iter().take(ALTERED_SHOWN).cloned().collect::<Vec<_>>();
                let more = match self.others.len().saturating_sub(ALTERED_SHOWN) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let found = format!("{found}; altered, too: {}{more}", shown.join(", "));
                Err(ExportError::Conflict { what, expected, found })
            }
            Some(conflict) => Err(conflict),
            None => Ok(()),
        }
    }
}

/// What an error says that names both already.
fn expected_and_found(error: &str) -> (String, String) {
    let both = error.strip_prefix("expected ").and_then(|rest| rest.split_once(", found "));
    let (expected, found) = both.unwrap_or(("a signature by a given key", error));
    (expected.to_owned(), found.to_owned())
}

fn bundle_of(tile: TileId) -> Result<BundleId, ExportError> {
    BundleId::new(tile.index(), tile.width())
        .map_err(|error| Error::Proof { reason: error.to_string() }.into())
}

/// The partial tiles of these sizes for which the newest tree has, or has not, the full one.
fn borders(
    sizes: impl Iterator<Item = TreeSize>,
    newest: TreeSize,
    superseded: bool,
) -> BTreeSet<TileId> {
    let full_is_there =
        |tile: &TileId| tile.full().is_some_and(|full| full.covering_size() <= newest);
    sizes.flat_map(border_tiles).filter(|tile| full_is_there(tile) == superseded).collect()
}
