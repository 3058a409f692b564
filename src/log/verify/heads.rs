//! Checkpoints and signed heads, compared with the tree that is computed anew.

use std::path::{Path, PathBuf};

use super::{NOWHERE, Verifier};
use crate::checkpoint::UnverifiedCheckpoint;
use crate::error::Result;
use crate::log::core::catalog_dir;
use crate::log::open::checkpoint_files;
use crate::log::sign;

impl Verifier<'_> {
    /// The heads to be met: of checkpoints, published and given, and of the catalog.
    pub(super) fn collect_heads(&mut self) -> Result<()> {
        self.collect_keys();
        let recorded = self.catalog.as_ref().map_or(Vec::new(), |catalog| catalog.signed.clone());
        // A crash may have come before a head was published: those of the catalog count too.
        for (size, path) in checkpoint_files(&*self.options.disk, self.dir)? {
            match sign::read(&*self.options.disk, &path) {
                Ok(checkpoint) => self.published_checkpoint(size, path, &checkpoint),
                Err(error) => self.finding_of(error),
            }
        }
        self.check_catalog_checkpoints()?;
        let options = self.options;
        for checkpoint in &options.checkpoints {
            let path = PathBuf::from("(given checkpoint)");
            self.check_origin(&path, checkpoint);
            self.check_signature(&path, checkpoint, false);
            self.heads.push((path, checkpoint.dangerously_unverified().head()));
            self.counts.checkpoints += 1;
            self.counts.given += 1;
        }
        for head in recorded {
            if !self.heads.iter().any(|(_, known)| *known == head) {
                self.heads.push((catalog_dir(self.dir), head));
            }
        }
        self.heads.sort_by_key(|(_, head)| std::cmp::Reverse(head.size));
        // Those of the empty log are met before the first record.
        self.meet_heads();
        Ok(())
    }

    fn published_checkpoint(
        &mut self,
        size: u64,
        path: PathBuf,
        checkpoint: &UnverifiedCheckpoint,
    ) {
        let head = checkpoint.dangerously_unverified().head();
        if head.size.get() != size {
            let expected = format!("size {size}, as its name says");
            self.finding(&path, NOWHERE, "checkpoint", expected, format!("size {}", head.size));
        }
        self.check_origin(&path, checkpoint);
        self.check_signature(&path, checkpoint, true);
        self.heads.push((path, head));
        self.counts.checkpoints += 1;
    }

    fn check_origin(&mut self, path: &Path, checkpoint: &UnverifiedCheckpoint) {
        let Some(catalog) = &self.catalog else { return };
        let found = checkpoint.dangerously_unverified().origin();
        if !catalog.state.had_origin(found) {
            let expected = catalog.state.origin().unwrap_or_default().to_owned();
            self.finding(path, NOWHERE, "origin of the checkpoint", expected, found);
        }
    }

    pub(super) fn meet_heads(&mut self) {
        let head = self.frontier.head();
        while let Some((path, expected)) = self.heads.pop_if(|(_, next)| next.size <= head.size) {
            if expected.size != head.size {
                continue;
            }
            self.settle_doubts(expected.root == head.root);
            if expected.root != head.root {
                let what = format!("root over {} records", head.size);
                let (root, found) = (expected.root.to_string(), head.root.to_string());
                self.finding(&path, NOWHERE, &what, root, found);
            }
        }
    }
}
