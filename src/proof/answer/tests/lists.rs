//! All choices of chunks.

use super::super::chunks::{AxisOf, Window};
use super::super::evidence::{ShownList, TimeEvidence};
use super::{SHA256, batch};
use crate::hash::Hash;
use crate::merkle::reference;
use crate::query::TimeRange;
use crate::terms::{CHUNK, TermLeaf, TimeEntry, position_chunk_leaf, time_chunk_leaf};
use crate::time::Timestamp;

/// Lists that end in a whole chunk, in a short one and in one of a single entry.
const LENGTHS: [u32; 6] = [1, 127, 128, 129, 384, 420];

#[test]
fn chunks_of_a_list_are_all_of_the_window_or_are_refused() {
    for length in LENGTHS {
        // Gaps, so that windows begin and end between positions and chunks.
        let positions: Vec<u32> = (0..length).map(|n| 10 + n * 3 + n / 128 * 50).collect();
        let leaves: Vec<Hash> = positions.chunks(CHUNK).map(position_chunk_leaf).collect();
        let list_root = reference::root(SHA256, &leaves);
        let leaf = TermLeaf { key: vec![1], count: length.into(), list_root };
        let records = u64::from(positions.last().unwrap() + 20);
        let mut ends = vec![0, 1, 10, 11, records - 1, records];
        for chunk in positions.chunks(CHUNK) {
            for end in [chunk[0], *chunk.last().unwrap()].map(u64::from) {
                ends.extend([end - 1, end, end + 1, end + 2, end + 25]);
            }
        }
        ends.retain(|end| *end <= records);
        ends.sort_unstable();
        ends.dedup();
        let mut accepted = 0;
        for (low, high) in ends.iter().flat_map(|low| ends.iter().map(|high| (*low, *high))) {
            if low >= high {
                continue;
            }
            let window = Window { low, high };
            let truth: Vec<u32> =
                positions.iter().copied().filter(|p| (low..high).contains(&(*p).into())).collect();
            let count = leaves.len() as u64;
            let (mut smallest, mut holds) = (usize::MAX, 0);
            for (first, end) in (0..count).flat_map(|a| (a + 1..=count).map(move |b| (a, b))) {
                let range = usize::try_from(first).unwrap() * CHUNK
                    ..(usize::try_from(end).unwrap() * CHUNK).min(positions.len());
                let shown: Vec<u64> = (first..end).collect();
                let list = ShownList {
                    first_chunk: first,
                    positions: positions[range.clone()].to_vec(),
                    hashes: batch(&leaves, &shown),
                };
                if let Ok(found) = list.in_window(&leaf, records, window) {
                    assert_eq!(found.collect::<Vec<_>>(), truth, "{first}..{end} of {length}");
                    smallest = smallest.min(range.len());
                    holds += 1;
                }
            }
            // All of it will do, and a short window needs no more than three chunks.
            assert!(holds > 0, "{low}..{high} of {length}");
            assert!(high - low > 100 || smallest <= 3 * CHUNK, "{smallest} for {low}..{high}");
            accepted += holds;
        }
        assert!(accepted > 0);
    }
}

#[test]
fn chunks_of_times_are_all_of_the_range_or_are_refused() {
    for length in LENGTHS {
        // Each time stands many times, over the borders of chunks.
        let mut entries: Vec<TimeEntry> = (0..length)
            .map(|n| TimeEntry { time: i64::from(n / 60 * 10), position: (n * 7) % length })
            .collect();
        entries.sort();
        let leaves: Vec<Hash> = entries.chunks(CHUNK).map(time_chunk_leaf).collect();
        let root = reference::root(SHA256, &leaves);
        let axis = AxisOf { records: length.into(), events: length.into(), root };
        let window = Window { low: 0, high: length.into() };
        let last = entries.last().unwrap().time;
        let ends: Vec<Option<i64>> =
            std::iter::once(None).chain((-5..=last + 5).step_by(5).map(Some)).collect();
        for (since, until) in ends.iter().flat_map(|s| ends.iter().map(|u| (*s, *u))) {
            let time = |end: Option<i64>| end.map(Timestamp::from_nanos);
            let range = TimeRange { since: time(since), until: time(until) };
            let is_in = |entry: &&TimeEntry| range.contains(Timestamp::from_nanos(entry.time));
            let truth: Vec<u32> = entries.iter().filter(is_in).map(|e| e.position).collect();
            let count = leaves.len() as u64;
            let mut holds = 0;
            for (first, end) in (0..count).flat_map(|a| (a + 1..=count).map(move |b| (a, b))) {
                let part = usize::try_from(first).unwrap() * CHUNK
                    ..(usize::try_from(end).unwrap() * CHUNK).min(entries.len());
                let shown: Vec<u64> = (first..end).collect();
                let times = TimeEvidence {
                    first_chunk: first,
                    entries: entries[part].to_vec(),
                    hashes: batch(&leaves, &shown),
                };
                if let Ok(found) = times.in_range(&axis, range, window) {
                    assert_eq!(found.collect::<Vec<_>>(), truth, "{range:?} of {length}");
                    holds += 1;
                }
            }
            assert!(holds > 0, "{range:?} of {length}");
        }
    }
}

#[test]
fn numbers_that_no_list_has_are_refused_without_looking_for_them() {
    let leaf = TermLeaf { key: vec![1], count: u64::MAX, list_root: Hash::ZERO };
    let window = Window { low: 0, high: u64::MAX };
    for first_chunk in [0, 1, u64::MAX / 128, u64::MAX - 1, u64::MAX] {
        for len in [0, 1, 127, 128, 129] {
            let list = ShownList { first_chunk, positions: (0..len).collect(), hashes: Vec::new() };
            assert!(list.in_window(&leaf, u64::MAX, window).is_err());
        }
    }
    for events in [0, 1, u64::MAX] {
        let axis = AxisOf { records: u64::MAX, events, root: Hash::ZERO };
        let empty = TimeEvidence { first_chunk: 0, entries: Vec::new(), hashes: Vec::new() };
        let found = empty.in_range(&axis, TimeRange::default(), window);
        assert_eq!(found.is_ok(), events == 0, "{events}");
    }
}
