//! Positions and counts: [`Seq`] numbers a record, [`TreeSize`] counts records.
//!
//! They are different types because swapping them compiles otherwise: the record
//! with Seq *n* is covered by every tree of size *n + 1* or more.

use std::fmt;
use std::str::FromStr;

/// The position of a record in its log, from 0, without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Seq(u64);

/// A number of records: the size of a log, and of the tree over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TreeSize(u64);

impl Seq {
    /// The record at this position.
    pub const fn new(position: u64) -> Self {
        Seq(position)
    }

    /// The position as a number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The position `count` further on; `None` past `u64::MAX`.
    pub fn checked_add(self, count: u64) -> Option<Self> {
        self.0.checked_add(count).map(Seq)
    }

    /// The smallest tree that covers this record: one more than the position.
    /// `None` for `u64::MAX`, which no log reaches.
    pub fn covering_size(self) -> Option<TreeSize> {
        self.0.checked_add(1).map(TreeSize)
    }
}

impl TreeSize {
    /// No records.
    pub const ZERO: TreeSize = TreeSize(0);

    /// This many records.
    pub const fn new(count: u64) -> Self {
        TreeSize(count)
    }

    /// The count as a number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether a tree of this size covers the record.
    pub const fn covers(self, seq: Seq) -> bool {
        seq.0 < self.0
    }

    /// The Seq that the next record gets.
    pub const fn next_seq(self) -> Seq {
        Seq(self.0)
    }

    /// The Seq of the newest record, if there is one.
    pub fn last_seq(self) -> Option<Seq> {
        self.0.checked_sub(1).map(Seq)
    }

    /// The count in words: `1 record`, `2 records`.
    pub(crate) fn in_words(self) -> String {
        counted(self.0, "record")
    }

    /// The size after `count` more records; `None` past `u64::MAX`.
    pub fn checked_add(self, count: u64) -> Option<Self> {
        self.0.checked_add(count).map(TreeSize)
    }
}

/// How many of something, in words: `1 segment`, `2 segments`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

macro_rules! decimal {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map($name)
            }
        }

        impl From<u64> for $name {
            fn from(value: u64) -> Self {
                $name(value)
            }
        }
    };
}

decimal!(Seq);
decimal!(TreeSize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_covers_the_records_below_its_size() {
        assert!(TreeSize::new(3).covers(Seq::new(2)));
        assert!(!TreeSize::new(3).covers(Seq::new(3)));
        assert_eq!(Seq::new(2).covering_size(), Some(TreeSize::new(3)));
        assert_eq!(Seq::new(u64::MAX).covering_size(), None);
        assert_eq!(TreeSize::ZERO.last_seq(), None);
        let words = [0, 1, 2].map(|count| TreeSize::new(count).in_words());
        assert_eq!(words, ["0 records", "1 record", "2 records"]);
    }
}
