//! Other hashes, and other lists, than the good ones.

use std::ops::Range;

use bulla::Hash;

pub(super) fn flipped(hash: &Hash) -> Hash {
    let mut bytes = *hash.as_bytes();
    bytes[7] ^= 4;
    Hash::from_bytes(bytes)
}

pub(super) fn hashes(good: &[Hash]) -> Vec<(String, Vec<Hash>)> {
    let mut all = vec![("one hash more".to_owned(), [good, &[Hash::ZERO]].concat())];
    for at in 0..good.len() {
        let mut fewer = good.to_vec();
        fewer.remove(at);
        all.push((format!("hash {at} dropped"), fewer));
        let mut other = good.to_vec();
        other[at] = flipped(&other[at]);
        all.push((format!("hash {at} altered"), other));
        let mut swapped = good.to_vec();
        swapped.swap(at, good.len() - 1);
        all.push((format!("hash {at} and the last swapped"), swapped));
    }
    all
}

/// Lists with a part of their entries, and with others.
pub(super) fn lists<T: Clone>(good: &[T], other: impl Fn(&T) -> T) -> Vec<(String, Vec<T>)> {
    let len = good.len();
    let mut all = Vec::new();
    let mut cut = |what: &str, range: Range<usize>| {
        all.push((format!("{what} {range:?}"), good[..range.start].to_vec()));
        all.push((format!("{what} {range:?}, the rest kept"), {
            [&good[..range.start], &good[range.end..]].concat()
        }));
    };
    for at in [0, 1, len / 2, len.saturating_sub(2), len.saturating_sub(1)] {
        if at < len {
            cut("without", at..at + 1);
        }
    }
    for chunk in 0..len.div_ceil(128) {
        cut("without", chunk * 128..len.min(chunk * 128 + 128));
    }
    for at in 0..len {
        if at < 3 || at + 3 > len {
            let mut changed = good.to_vec();
            changed[at] = other(&changed[at]);
            all.push((format!("entry {at} altered"), changed));
            let mut doubled = good.to_vec();
            doubled.insert(at, good[at].clone());
            all.push((format!("entry {at} twice"), doubled));
            let mut swapped = good.to_vec();
            swapped.swap(at, len - 1 - at);
            all.push((format!("entry {at} swapped"), swapped));
        }
    }
    all
}
