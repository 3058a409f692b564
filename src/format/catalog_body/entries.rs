//! The entries of the state, sorted by key, and the root of the tree over them.
//!
//! Each record of the catalog carries that root, so it is asked for after every change, while a
//! log of years has thousands of entries of which a record changes one or two. Leaves and nodes
//! are therefore kept, and only what changed since is hashed again.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::hash::{Hash, HashAlgorithm};

/// Keys with their values, ascending by key.
#[derive(Debug, Default)]
pub(super) struct Entries {
    sorted: Vec<(String, Vec<u8>)>,
    /// Derived, and made up when the root is asked for.
    tree: Mutex<Tree>,
}

/// What is known of the tree over the entries.
#[derive(Clone, Debug, Default)]
struct Tree {
    /// As many as there are entries; `None`: to be hashed.
    leaves: Vec<Option<Hash>>,
    /// Nodes above the leaves, level by level; the last level is the root. One without a
    /// neighbour to its right stands on the next level as it is, which makes the shape of RFC 6962.
    levels: Vec<Vec<Hash>>,
    /// Entries that got another value since the levels were made.
    changed: Vec<usize>,
    /// Entries from here on stand elsewhere than when the levels were made.
    moved_from: usize,
}

impl Clone for Entries {
    fn clone(&self) -> Self {
        Entries { sorted: self.sorted.clone(), tree: Mutex::new(self.tree().clone()) }
    }
}

impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        self.sorted == other.sorted
    }
}

impl Eq for Entries {}

impl FromIterator<(String, Vec<u8>)> for Entries {
    /// Of several with one key the last counts.
    fn from_iter<I: IntoIterator<Item = (String, Vec<u8>)>>(entries: I) -> Self {
        let by_key: std::collections::BTreeMap<String, Vec<u8>> = entries.into_iter().collect();
        let sorted: Vec<(String, Vec<u8>)> = by_key.into_iter().collect();
        let leaves = vec![None; sorted.len()];
        Entries { sorted, tree: Mutex::new(Tree { leaves, ..Tree::default() }) }
    }
}

impl Entries {
    fn find(&self, key: &str) -> Result<usize, usize> {
        self.sorted.binary_search_by(|(known, _)| known.as_str().cmp(key))
    }

    pub(super) fn get(&self, key: &str) -> Option<&[u8]> {
        let at = self.find(key).ok()?;
        self.sorted.get(at).map(|(_, value)| value.as_slice())
    }

    /// All of them, ascending.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &[u8])> {
        self.sorted.iter().map(|(key, value)| (key.as_str(), value.as_slice()))
    }

    /// Those from one key to below another.
    pub(super) fn range(
        &self,
        keys: Range<&str>,
    ) -> impl DoubleEndedIterator<Item = (&str, &[u8])> {
        let place = |key| self.find(key).unwrap_or_else(|place| place);
        let found = self.sorted.get(place(keys.start)..place(keys.end)).unwrap_or_default();
        found.iter().map(|(key, value)| (key.as_str(), value.as_slice()))
    }

    /// Gives an entry this value, or takes it away; what it was before.
    pub(super) fn set(&mut self, key: &str, value: Option<Vec<u8>>) -> Option<Vec<u8>> {
        let found = self.find(key);
        let tree = self.tree.get_mut().unwrap_or_else(PoisonError::into_inner);
        match (found, value) {
            (Ok(at), Some(value)) => {
                tree.change(at);
                self.sorted.get_mut(at).map(|entry| std::mem::replace(&mut entry.1, value))
            }
            (Ok(at), None) => {
                tree.leaves.remove(at);
                tree.moved_from = tree.moved_from.min(at);
                Some(self.sorted.remove(at).1)
            }
            (Err(at), Some(value)) => {
                tree.leaves.insert(at, None);
                tree.moved_from = tree.moved_from.min(at);
                self.sorted.insert(at, (key.to_owned(), value));
                None
            }
            (Err(_), None) => None,
        }
    }

    /// Root of the RFC 6962 SHA-256 tree over the entries, each with the leaf that `leaf` gives.
    pub(super) fn root(&self, leaf: impl Fn(&str, &[u8]) -> Hash) -> Hash {
        self.tree().root(&self.sorted, leaf)
    }

    /// A thread that panicked while it had the tree left stale nodes stale, and no others.
    fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tree {
    fn change(&mut self, at: usize) {
        if let Some(leaf) = self.leaves.get_mut(at) {
            *leaf = None;
        }
        if at < self.moved_from {
            self.changed.push(at);
        }
    }

    fn root(&mut self, sorted: &[(String, Vec<u8>)], leaf: impl Fn(&str, &[u8]) -> Hash) -> Hash {
        let moved = self.moved_from..sorted.len();
        for at in self.changed.iter().copied().chain(moved) {
            if let (Some(known), Some((key, value))) = (self.leaves.get_mut(at), sorted.get(at)) {
                known.get_or_insert_with(|| leaf(key, value));
            }
        }
        self.make_levels();
        let only = || self.leaves.first().copied().flatten();
        let root = self.levels.last().and_then(|top| top.first().copied()).or_else(only);
        root.unwrap_or_else(|| HashAlgorithm::Sha256.empty_root())
    }

    /// Makes the nodes above the leaves that changed, from the lowest level up.
    fn make_levels(&mut self) {
        let Tree { leaves, levels, changed, moved_from } = self;
        let (mut below, mut from) = (leaves.len(), *moved_from);
        let mut depth = 0;
        while below > 1 {
            if levels.len() <= depth {
                levels.push(Vec::new());
            }
            let (lower, upper) = levels.split_at_mut(depth);
            let Some(level) = upper.first_mut() else { break };
            let lower = lower.last();
            let hash_at = |at: usize| match lower {
                Some(lower) => lower.get(at).copied(),
                None => leaves.get(at).copied().flatten(),
            };
            let node = |at: usize| {
                let left = hash_at(2 * at).unwrap_or(Hash::ZERO);
                match hash_at(2 * at + 1) {
                    Some(right) => HashAlgorithm::Sha256.node(&left, &right),
                    None => left,
                }
            };
            let len = below.div_ceil(2);
            from /= 2;
            level.truncate(len.min(from));
            from = level.len();
            level.extend((from..len).map(node));
            changed.iter_mut().for_each(|at| *at /= 2);
            changed.dedup();
            for at in changed.iter().copied().filter(|at| *at < from) {
                if let Some(place) = level.get_mut(at) {
                    *place = node(at);
                }
            }
            (below, depth) = (len, depth + 1);
        }
        levels.truncate(depth);
        changed.clear();
        *moved_from = leaves.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::Frontier;

    fn leaf(key: &str, value: &[u8]) -> Hash {
        HashAlgorithm::Sha256.leaf(&[key.as_bytes(), value])
    }

    /// From the specification: every leaf hashed, one after the other.
    fn reference(entries: &Entries) -> Hash {
        let mut frontier = Frontier::new(HashAlgorithm::Sha256);
        entries.iter().for_each(|(key, value)| frontier.push(leaf(key, value), |_, _| ()));
        frontier.root()
    }

    #[test]
    fn the_root_that_is_kept_up_is_the_root_of_all_entries() {
        let mut entries = Entries::default();
        let (mut seed, mut hashed) = (1_u64, 0);
        for step in 0..4_000_u64 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
            let random = seed >> 33;
            // It grows for a while, shrinks to nothing, and grows again.
            let takes_away = random % 7 < if step / 1_000 % 2 == 0 { 2 } else { 5 };
            let key = format!("{:02}", random / 7 % 90);
            let value = (!takes_away).then(|| step.to_le_bytes().to_vec());
            let before = entries.get(&key).map(<[u8]>::to_vec);
            assert_eq!(entries.set(&key, value.clone()), before);
            assert_eq!(entries.get(&key), value.as_deref());
            // Several changes before the root is asked for, and a copy half way.
            if random % 3 > 0 {
                hashed += 1;
                assert_eq!(entries.root(leaf), reference(&entries), "step {step}");
            }
            if random % 11 == 0 {
                entries = entries.clone();
            }
        }
        assert!(hashed > 2_000);
        let all: Vec<String> = entries.iter().map(|(key, _)| key.to_owned()).collect();
        for key in &all {
            entries.set(key, None);
            assert_eq!(entries.root(leaf), reference(&entries));
        }
        assert_eq!(entries, Entries::default());
    }

    #[test]
    fn a_range_has_the_keys_from_one_to_below_another() {
        let entries: Entries = ["b", "a/2", "a/1", "a0", "a/1"]
            .map(|key| (key.to_owned(), vec![1]))
            .into_iter()
            .collect();
        let keys = |range| entries.range(range).map(|(key, _)| key).collect::<Vec<_>>();
        assert_eq!(keys("a/".."a0"), ["a/1", "a/2"]);
        assert_eq!(keys("a/1".."b"), ["a/1", "a/2", "a0"]);
        assert!(keys("c".."d").is_empty() && keys("b".."a").is_empty());
    }

    #[test]
    fn one_change_hashes_one_path() {
        let mut entries: Entries = (0..1_000_u32).map(|n| (format!("{n:04}"), vec![0])).collect();
        let counted = std::cell::Cell::new(0);
        let counting = |key: &str, value: &[u8]| {
            counted.set(counted.get() + 1);
            leaf(key, value)
        };
        entries.root(counting);
        assert_eq!(counted.take(), 1_000);
        entries.set("0500", Some(vec![1]));
        entries.set("0000a", Some(vec![1]));
        entries.root(counting);
        assert_eq!(counted.take(), 2, "what moved was hashed before");
    }
}
