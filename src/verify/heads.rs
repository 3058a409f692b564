//! Checkpoints and signed heads, compared with the tree that is computed anew.

use std::path::{Path, PathBuf};

use super::report::NOWHERE;
use super::verifier::Verifier;
use crate::checkpoint::UnverifiedCheckpoint;
use crate::directory::checkpoints;
use crate::error::Result;
use crate::seq::{Seq, TreeSize};

impl Verifier<'_> {
    /// The heads to be met: of checkpoints, published and given, and of the catalog.
    pub(super) fn collect_heads(&mut self) -> Result<()> {
        self.collect_keys();
        let recorded =
            self.catalog.as_ref().map_or(Vec::new(), |catalog| catalog.whole.signed.clone());
        // A crash may have come before a head was published: those of the catalog count too.
        let mut newest = None;
        for (size, path) in checkpoints::list(&self.dir)? {
            match checkpoints::read(self.dir.disk(), &path) {
                Ok(checkpoint) => {
                    self.compare_note(size, &path)?;
                    let vouched = self.published_checkpoint(size, &path, &checkpoint);
                    newest = Some((path, vouched));
                }
                Err(error) => self.finding_of(error),
            }
        }
        self.check_vouched(newest);
        let options = self.options;
        self.unpublished()?;
        for checkpoint in options.checkpoints.iter().chain(&options.since) {
            let path = PathBuf::from("(given checkpoint)");
            self.check_origin(&path, checkpoint);
            self.check_signature(&path, checkpoint, false);
            self.heads.push((path, checkpoint.dangerously_unverified().head()));
            self.counts.checkpoints += 1;
            self.counts.given += 1;
        }
        for head in recorded {
            if !self.heads.iter().any(|(_, known)| *known == head) {
                self.heads.push((self.dir.catalog(), head));
            }
        }
        self.heads.sort_by_key(|(_, head)| head.size);
        // Those of the empty log are met before the first record.
        self.meet_heads();
        Ok(())
    }

    fn published_checkpoint(
        &mut self,
        size: u64,
        path: &Path,
        checkpoint: &UnverifiedCheckpoint,
    ) -> bool {
        let head = checkpoint.dangerously_unverified().head();
        if head.size.get() != size {
            let expected = format!("size {size}, as its name says");
            self.finding(path, NOWHERE, "checkpoint", expected, format!("size {}", head.size));
        }
        self.check_origin(path, checkpoint);
        let vouched = self.check_signature(path, checkpoint, true);
        self.heads.push((path.to_owned(), head));
        self.counts.checkpoints += 1;
        vouched
    }

    /// A published note is the one that was recorded; others may have added signatures.
    fn compare_note(&mut self, size: u64, path: &Path) -> Result<()> {
        let bytes = checkpoints::read_text(self.dir.disk(), path)?;
        let lines = |text: &str| -> (String, Vec<String>) {
            let (body, signatures) = text.split_once("\n\n").unwrap_or((text, ""));
            (body.to_owned(), signatures.lines().map(str::to_owned).collect())
        };
        let (body, signatures) = lines(&bytes);
        let is_recorded = |note: &String| {
            let (recorded, by) = lines(note);
            recorded == body && by.iter().all(|line| signatures.contains(line))
        };
        for reading in 0..2 {
            let Some(catalog) = &self.catalog else { return Ok(()) };
            match catalog.facts.notes.get(&size) {
                Some(notes) if notes.iter().any(is_recorded) => return Ok(()),
                Some(_) => {
                    let expected = "the note that the catalog recorded";
                    self.finding(path, NOWHERE, "checkpoint", expected, "another one");
                    return Ok(());
                }
                // It was recorded before it was published: perhaps since the catalog was read.
                None if reading == 0 => self.refresh_catalog(TreeSize::new(u64::MAX)),
                None => {}
            }
        }
        self.finding(path, NOWHERE, "checkpoint", "a record of it in the catalog", "none");
        Ok(())
    }

    /// Recorded heads without a file. The newest may lack it: a crash came in between.
    fn unpublished(&mut self) -> Result<()> {
        let Some(catalog) = &self.catalog else { return Ok(()) };
        let mut sizes: Vec<u64> = catalog.facts.notes.keys().copied().collect();
        for _ in 0..self.options.readings() {
            let files = checkpoints::list(&self.dir)?;
            sizes.retain(|size| !files.iter().any(|(published, _)| published == size));
            if sizes.is_empty() {
                return Ok(());
            }
            self.options.wait_for_writer();
        }
        let newest = self.catalog.as_ref().and_then(|c| c.facts.notes.keys().next_back().copied());
        for size in sizes {
            let path = self.dir.checkpoint(self.frontier.algorithm(), TreeSize::new(size));
            let expected = "the checkpoint that the catalog recorded";
            if Some(size) == newest {
                self.warning(&path, NOWHERE, "checkpoint", expected, "no file");
            } else {
                self.finding(&path, NOWHERE, "checkpoint", expected, "no file");
            }
        }
        Ok(())
    }

    fn check_origin(&mut self, path: &Path, checkpoint: &UnverifiedCheckpoint) {
        let Some(catalog) = &self.catalog else { return };
        let found = checkpoint.dangerously_unverified().origin();
        if !catalog.whole.state.had_origin(found) {
            let expected = catalog.whole.state.origin().unwrap_or_default().to_owned();
            self.finding(path, NOWHERE, "origin of the checkpoint", expected, found);
        }
    }

    /// The last record under every signed head is an anchor: it binds the catalog.
    pub(super) fn check_heads_anchored(&mut self) {
        if self.tree_lost || !self.lossy.is_empty() {
            return; // it may be among the records that were not met
        }
        let signed = self.catalog.as_ref().map_or([].as_slice(), |catalog| &catalog.whole.signed);
        let read = self.since..=self.frontier.size();
        let signed =
            signed.iter().filter(|head| head.size > self.since && read.contains(&head.size));
        let last: Vec<Seq> = signed.filter_map(|head| head.size.last_seq()).collect();
        for seq in last {
            let met = self.anchors.binary_search_by_key(&seq, |met| met.seq).is_ok();
            if met || self.is_dropped(seq) {
                continue;
            }
            let path = self.dir.catalog();
            let place = (None, None, Some(seq));
            self.finding(&path, place, "last record under the head", "an anchor", "another one");
        }
    }

    pub(super) fn meet_heads(&mut self) {
        while let Some((path, expected)) = self.heads.get(self.heads_met).cloned() {
            let size = self.frontier.size();
            if expected.size > size {
                return;
            }
            self.heads_met += 1;
            if expected.size != size {
                continue;
            }
            let head = self.frontier.head();
            self.resolve(expected.root == head.root);
            if expected.root != head.root {
                let what = format!("root over {} records", head.size);
                let (root, found) = (expected.root.to_string(), head.root.to_string());
                self.finding(&path, NOWHERE, &what, root, found);
            }
        }
    }
}
