//! A set of numbers (bytes or sectors of a file), kept as disjoint ranges.

use std::collections::BTreeMap;
use std::ops::Range;

/// A set of `u64`, cheap while it consists of few runs. Empty ranges are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges {
    /// Start to end; disjoint and not touching.
    runs: BTreeMap<u64, u64>,
}

impl Ranges {
    pub(super) fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let (mut start, mut end) = (range.start, range.end);
        // Take in every run that overlaps or touches, from the last one backwards.
        while let Some((&low, &high)) = self.runs.range(..=end).next_back() {
            if high < start {
                break;
            }
            self.runs.remove(&low);
            start = start.min(low);
            end = end.max(high);
        }
        self.runs.insert(start, end);
    }

    pub(super) fn remove(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        while let Some((&low, &high)) = self.runs.range(..range.end).next_back() {
            if high <= range.start {
                break;
            }
            self.runs.remove(&low);
            if high > range.end {
                self.runs.insert(range.end, high);
            }
            if low < range.start {
                self.runs.insert(low, range.start);
            }
        }
    }

    pub(super) fn insert_all(&mut self, others: impl IntoIterator<Item = Range<u64>>) {
        others.into_iter().for_each(|range| self.insert(range));
    }

    pub(super) fn clear(&mut self) {
        self.runs.clear();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.runs.iter().map(|(&start, &end)| start..end)
    }

    /// The parts of the set that lie in `range`, ascending.
    pub(super) fn within(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let first = self.runs.range(..range.start).next_back().map_or(range.start, |(&low, _)| low);
        self.runs
            .range(first..range.end.max(first))
            .map(|(&low, &high)| low.max(range.start)..high.min(range.end))
            .filter(|part| !part.is_empty())
            .collect()
    }

    /// How many numbers of `range` are in the set.
    pub(super) fn count_within(&self, range: Range<u64>) -> u64 {
        self.within(range).iter().map(|part| part.end - part.start).sum()
    }

    /// How many numbers are in the set.
    pub(super) fn count(&self) -> u64 {
        self.runs.iter().map(|(start, end)| end - start).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn ranges_are_a_set_of_numbers(
            steps in prop::collection::vec((any::<bool>(), 0_u64..40, 0_u64..12), 0..30),
            from in 0_u64..50,
            len in 0_u64..20,
        ) {
            let (mut ranges, mut naive) = (Ranges::default(), BTreeSet::new());
            for (insert, start, len) in steps {
                if insert {
                    ranges.insert(start..start + len);
                    naive.extend(start..start + len);
                } else {
                    ranges.remove(start..start + len);
                    naive.retain(|n| !(start..start + len).contains(n));
                }
            }
            prop_assert_eq!(ranges.iter().flatten().collect::<BTreeSet<_>>(), naive.clone());
            prop_assert!(ranges.iter().zip(ranges.iter().skip(1)).all(|(a, b)| a.end < b.start));
            let within: Vec<u64> = ranges.within(from..from + len).into_iter().flatten().collect();
            let expected: Vec<u64> = naive.range(from..from + len).copied().collect();
            prop_assert_eq!(ranges.count_within(from..from + len), expected.len() as u64);
            prop_assert_eq!(within, expected);
            prop_assert_eq!(ranges.count(), naive.len() as u64);
        }
    }
}
