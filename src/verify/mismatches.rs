//! Stored hashes that are not those of the records: which of the two was changed?
//!
//! A root or a node above it that fits shows that the record is as it was and its hash file
//! is damaged; a root that does not fit, that the record was altered.

use std::path::Path;

use super::batches::Checked;
use super::report::Place;
use super::verifier::{HashMismatch, Verifier};
use crate::hash::Hash;
use crate::merkle::NodeId;
use crate::seq::Seq;

fn covers(above: NodeId, below: NodeId) -> bool {
    above.level > below.level
        && below.index.checked_shr((above.level - below.level).into()).unwrap_or(0) == above.index
}

impl Verifier<'_> {
    /// Adds a leaf to the tree that is computed anew, and compares what is stored of it.
    pub(super) fn push(&mut self, leaf: Hash, record: Option<(&Path, Place)>) {
        self.push_node(0, leaf, record);
    }

    /// The same with a complete subtree, of which nothing below is looked at. It must follow
    /// what is there.
    pub(super) fn push_node(&mut self, level: u8, root: Hash, record: Option<(&Path, Place)>) {
        if self.tree_lost {
            return;
        }
        let (frontier, stored) = (&mut self.frontier, &mut self.stored);
        let (mut wrong, mut right) = (Vec::new(), Vec::new());
        let pushed =
            frontier.push_subtree(level, root, |node, hash| match stored.differs(node, &hash) {
                Some(found) => wrong.push((node, hash, found)),
                None if node.level > 0 && stored.files.holds(node) => right.push(node),
                None => {}
            });
        debug_assert!(pushed, "a subtree starts where the tree ends");
        for (node, computed, stored) in wrong {
            let record = record.filter(|_| node.level == 0);
            let record = record.map(|(path, place)| (path.to_owned(), place));
            self.doubts.push(HashMismatch { node, computed, stored, record });
        }
        for node in right {
            if self.doubts.is_empty() {
                break;
            }
            let doubts = std::mem::take(&mut self.doubts);
            let (cleared, kept) = doubts.into_iter().partition(|doubt| covers(node, doubt.node));
            self.doubts = kept;
            self.wrong_hashes(cleared);
        }
        self.meet_heads();
    }

    /// Adds the leaves of a batch by the subtrees they make up; false if they must be added
    /// one by one, because a hash is in doubt or a head lies among them.
    pub(super) fn push_subtrees(&mut self, checked: &Checked) -> bool {
        if self.tree_lost {
            return true;
        }
        let head = self.heads.get(self.heads_met);
        let among = head.is_some_and(|(_, head)| head.size < checked.end.size);
        let follows = self.frontier.size() == checked.start.size;
        if among || !follows || !checked.stored || !self.doubts.is_empty() {
            return false;
        }
        for (level, root) in &checked.subtrees {
            let (frontier, stored) = (&mut self.frontier, &mut self.stored);
            let mut wrong = Vec::new();
            // Those inside the batch were compared already.
            let pushed = frontier.push_subtree(*level, *root, |node, hash| {
                if node.level > *level
                    && let Some(found) = stored.differs(node, &hash)
                {
                    wrong.push(HashMismatch { node, computed: hash, stored: found, record: None });
                }
            });
            debug_assert!(pushed, "the subtrees of a batch follow each other");
            self.doubts.append(&mut wrong);
        }
        self.meet_heads();
        true
    }

    /// No root tells which of the two was changed: both are named.
    pub(super) fn report_unresolved(&mut self) {
        for doubt in self.doubts.clone() {
            if let Some((path, place)) = &doubt.record {
                let (stored, computed) = (doubt.stored.clone(), doubt.computed.to_string());
                let what = "record, or its stored hash: one was altered";
                self.finding(path, *place, what, stored, computed);
            }
        }
        let doubts = std::mem::take(&mut self.doubts);
        self.wrong_hashes(doubts);
    }

    /// A root up to here is known, and fits or does not.
    pub(super) fn resolve(&mut self, fits: bool) {
        let doubts = std::mem::take(&mut self.doubts);
        if fits {
            return self.wrong_hashes(doubts);
        }
        let (records, nodes): (Vec<_>, Vec<_>) =
            doubts.into_iter().partition(|doubt| doubt.record.is_some());
        for HashMismatch { node, computed, stored, record } in records {
            let Some((path, place)) = record else { continue };
            let what = "record altered since it was hashed";
            self.finding(&path, place, what, stored, computed.to_string());
            self.altered.push(node);
        }
        let altered = &self.altered;
        let follows = |doubt: &HashMismatch| altered.iter().any(|leaf| covers(doubt.node, *leaf));
        let others = nodes.into_iter().filter(|doubt| !follows(doubt)).collect();
        self.wrong_hashes(others);
    }

    fn wrong_hashes(&mut self, doubts: Vec<HashMismatch>) {
        for HashMismatch { node, computed, stored, .. } in doubts {
            let (path, offset) = self.stored.files.place(node);
            let what = format!("hash {}/{}", node.level, node.index);
            let place = (None, Some(offset), (node.level == 0).then(|| Seq::new(node.index)));
            self.finding(&path, place, &what, computed.to_string(), stored);
        }
    }
}
