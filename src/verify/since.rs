//! Only what came after a checkpoint that the auditor kept.

use std::path::PathBuf;

use super::report::NOWHERE;
use super::report::NotRead;
use super::verifier::Verifier;
use crate::checkpoint::UnverifiedCheckpoint;
use crate::hash::Hash;
use crate::seq::TreeSize;

impl Verifier<'_> {
    /// Starts at the segment in which the checkpoint ends, with the tree that the stored
    /// hashes lead to there. The records from there on are read, so the tree meets the
    /// checkpoint's size again: if its root is the checkpoint's, the stored hashes below were
    /// those of the records that were verified then.
    ///
    /// If the stored hashes do not lead to the checkpoint's root, everything is read.
    pub(super) fn begin_since(&mut self, checkpoint: &UnverifiedCheckpoint) {
        let head = checkpoint.dangerously_unverified().head();
        let files = self.stored.files.clone();
        // The newest records may be above the mark, and their hashes not stored yet.
        if head.size <= files.size() {
            let stored = files.frontier_at(head.size).map(|stored| stored.root());
            if stored != Some(head.root) {
                let what = format!("root over {} records, by the stored hashes", head.size);
                let found =
                    stored.map_or("hashes that are missing".to_owned(), |root| root.to_string());
                let expected = head.root.to_string();
                self.finding(&self.dir.tree(), NOWHERE, &what, expected, found);
                return;
            }
        }
        let end_of = |sealed: &crate::format::catalog_body::Sealed| {
            TreeSize::new(sealed.first.saturating_add(sealed.count))
        };
        let below = self.sealed.iter().take_while(|sealed| end_of(sealed) <= head.size);
        let Some((segments, last)) = below.enumerate().last() else { return };
        let size = end_of(last);
        let Some(frontier) = files.frontier_at(size) else { return };
        self.frontier = frontier;
        self.since = size;
        self.not_read = Some(NotRead { segments: segments as u64 + 1, records: size.get() });
    }

    /// The segments that are to be read, and the digest of the header before them.
    pub(super) fn skip_segments(&mut self, files: &mut Vec<(u64, PathBuf, u64)>) -> Option<Hash> {
        let skipped = self.not_read.map_or(0, |not_read| not_read.segments);
        files.retain(|(ordinal, ..)| *ordinal > skipped);
        let before = self.sealed.iter().find(|sealed| sealed.ordinal == skipped)?;
        Some(Hash::from_bytes(before.header))
    }
}
