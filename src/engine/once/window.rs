//! [`Window`]: which of the newest records may have an event id, in at most 16 bytes a record.
//!
//! An id is known by a 64-bit fingerprint, which the caller computes under a key of its own, so
//! that nobody outside chooses ids that collide. The window keeps 38 bits of it (6 by the part of
//! the table, 32 in the slot) and 32 bits of the record's Seq. So what it answers are
//! *candidates*: the record decides, and the caller reads it.
//!
//! # Invariants
//! - Every record that was inserted and is among the newest `ids_max` records is a candidate of its
//!   fingerprint, except where more than [`ALIKE_MAX`] records have the same one: then the newest
//!   of them are.
//! - All memory, with what is unused of it, is at most 16 bytes for each record in the window,
//!   besides [`FIXED_BYTES`]: the table is in [`PARTS`] parts, each is rebuilt alone when it is
//!   full, and then has 5/3 as many slots as records.
//! - Each part has an empty slot, so that every search ends.

/// Parts of the table. While one is rebuilt it is in memory twice, the others once.
const PARTS: usize = 64;
/// Bits of a fingerprint that name the part.
const PART_BITS: u32 = PARTS.trailing_zeros();
/// Records with the same fingerprint that are kept: the newest. A caller that gives all its events
/// one id must not make a search as long as the window.
const ALIKE_MAX: usize = 8;
/// Memory besides the slots.
#[cfg(test)]
const FIXED_BYTES: usize = 4 << 10;

/// Candidates for the ids of the newest records.
#[derive(Debug)]
pub(crate) struct Window {
    parts: Box<[Part]>,
    /// Newest records that are kept.
    ids_max: u64,
    /// One above the highest Seq that was inserted or passed.
    end: u64,
}

/// Open addressing with linear probing. Slots of records that have left the window are used again,
/// or go when the part is rebuilt.
#[derive(Debug, Default)]
struct Part {
    slots: Box<[Slot]>,
    /// Slots that are not empty.
    used: usize,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Low bits of the fingerprint; 0: empty.
    tag: u32,
    /// Low bits of the Seq. The window is shorter than 2³² records, so they name one of it.
    seq: u32,
}

const EMPTY: Slot = Slot { tag: 0, seq: 0 };

impl Window {
    /// An empty one for the newest `ids_max` records: at least 1, below 2³².
    pub(crate) fn new(ids_max: u64) -> Self {
        let parts = (0..PARTS).map(|_| Part::default()).collect();
        Window { parts, ids_max, end: 0 }
    }

    /// One above the highest Seq that was inserted or passed.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// How many records are kept.
    pub(crate) fn ids_max(&self) -> u64 {
        self.ids_max
    }

    /// The oldest Seq that is in the window, if it was inserted.
    pub(crate) fn start(&self) -> u64 {
        self.end.saturating_sub(self.ids_max)
    }

    /// Notes that all records below `end` were inserted, or have no id.
    pub(crate) fn pass(&mut self, end: u64) {
        if end.saturating_sub(self.end) >= self.ids_max {
            // Nothing stays in reach, and low bits must not mean other records than before.
            self.parts.iter_mut().for_each(|part| *part = Part::default());
        }
        self.end = self.end.max(end);
    }

    /// Adds a record. Records may come in any order, but each once.
    pub(crate) fn insert(&mut self, fingerprint: u64, seq: u64) {
        self.pass(seq.saturating_add(1));
        if seq < self.start() {
            return;
        }
        let reach = Reach { end: self.end, ids_max: self.ids_max };
        self.parts[part_of(fingerprint)].insert(fingerprint, seq, reach);
    }

    /// The records of the window that may have this fingerprint, oldest first.
    pub(crate) fn candidates(&self, fingerprint: u64) -> Vec<u64> {
        let reach = Reach { end: self.end, ids_max: self.ids_max };
        let part = &self.parts[part_of(fingerprint)];
        let mut found: Vec<u64> =
            part.alike(fingerprint).filter_map(|at| reach.seq(part.slots[at].seq)).collect();
        found.sort_unstable();
        found
    }

    /// Bytes that it takes, all capacity included.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        let slots: usize = self.parts.iter().map(|part| size_of_val(&*part.slots)).sum();
        size_of::<Self>() + size_of_val(&*self.parts) + slots
    }
}

/// Which Seqs are in the window.
#[derive(Clone, Copy)]
struct Reach {
    end: u64,
    ids_max: u64,
}

impl Reach {
    /// The Seq with these low bits, if it is in the window.
    fn seq(self, low: u32) -> Option<u64> {
        // From the end downwards: 0 stands for 2³², which is never in reach.
        let back = u64::from(low_bits(self.end).wrapping_sub(low));
        let is_in_reach = back > 0 && back <= self.ids_max;
        if is_in_reach { self.end.checked_sub(back) } else { None }
    }
}

impl Part {
    fn insert(&mut self, fingerprint: u64, seq: u64, reach: Reach) {
        // Above 17/20 a search in vain looks at more than 20 slots.
        if (self.used + 1) * 20 > self.slots.len() * 17 {
            self.rebuild(reach);
        }
        let alike: Vec<(u64, usize)> = self
            .alike(fingerprint)
            .filter_map(|at| Some((reach.seq(self.slots[at].seq)?, at)))
            .collect();
        let slot = Slot { tag: tag_of(fingerprint), seq: low_bits(seq) };
        if alike.len() < ALIKE_MAX {
            self.put(slot, fingerprint, reach);
            return;
        }
        if let Some((_, at)) = alike.iter().min().filter(|(oldest, _)| *oldest < seq) {
            self.slots[*at] = slot;
        }
    }

    /// Takes the first slot on the way that is empty or out of reach.
    fn put(&mut self, slot: Slot, fingerprint: u64, reach: Reach) {
        let free = self.way(fingerprint).find(|at| {
            let found = self.slots[*at];
            found.tag == EMPTY.tag || reach.seq(found.seq).is_none()
        });
        let Some(at) = free else { return }; // unreachable: a slot is empty
        self.used += usize::from(self.slots[at].tag == EMPTY.tag);
        self.slots[at] = slot;
    }

    /// Slots with the tag of a fingerprint, up to the first empty one.
    fn alike(&self, fingerprint: u64) -> impl Iterator<Item = usize> {
        let tag = tag_of(fingerprint);
        let until_empty = self.way(fingerprint).take_while(|at| self.slots[*at].tag != EMPTY.tag);
        until_empty.filter(move |at| self.slots[*at].tag == tag)
    }

    /// All slots, from where a fingerprint belongs.
    fn way(&self, fingerprint: u64) -> impl Iterator<Item = usize> + use<> {
        let len = self.slots.len();
        let first = home_of(tag_of(fingerprint), len);
        (first..len).chain(0..first)
    }

    /// Leaves out what is out of reach, and makes room for the rest and one more.
    fn rebuild(&mut self, reach: Reach) {
        let old = std::mem::take(&mut self.slots);
        let is_live = |slot: &&Slot| slot.tag != EMPTY.tag && reach.seq(slot.seq).is_some();
        let live = old.iter().filter(is_live).count();
        let len = (live + 1) * 5 / 3 + 1;
        self.slots = vec![EMPTY; len].into_boxed_slice();
        self.used = live;
        for slot in old.iter().filter(is_live) {
            let first = home_of(slot.tag, len);
            let free = (first..len).chain(0..first).find(|at| self.slots[*at].tag == EMPTY.tag);
            if let Some(at) = free {
                self.slots[at] = *slot;
            }
        }
    }
}

fn part_of(fingerprint: u64) -> usize {
    usize::try_from(fingerprint >> (u64::BITS - PART_BITS)).unwrap_or(0)
}

fn tag_of(fingerprint: u64) -> u32 {
    low_bits(fingerprint).max(1)
}

/// The slot where a tag belongs, if it is free: tags are spread evenly over the slots.
fn home_of(tag: u32, slots: usize) -> usize {
    let scaled = (u64::from(tag) * slots as u64) >> u32::BITS;
    usize::try_from(scaled).unwrap_or(0)
}

fn low_bits(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// SplitMix64: each run is the same.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        }

        fn below(&mut self, bound: u64) -> u64 {
            self.next() % bound
        }
    }

    /// The same, as a map of all records.
    #[derive(Default)]
    struct Naive {
        all: BTreeMap<u64, u64>,
        end: u64,
        ids_max: u64,
    }

    impl Naive {
        fn candidates(&self, fingerprint: u64) -> Vec<u64> {
            let start = self.end.saturating_sub(self.ids_max);
            let alike = self.all.range(start..).filter(|(_, found)| **found == fingerprint);
            let mut newest: Vec<u64> = alike.rev().map(|(seq, _)| *seq).take(ALIKE_MAX).collect();
            newest.reverse();
            newest
        }
    }

    #[test]
    fn it_answers_as_a_naive_map_does() {
        for seed in 0..60 {
            let mut random = Random(seed);
            let ids_max = 1 + random.below(if seed % 3 == 0 { 6 } else { 3_000 });
            // Few fingerprints: many are alike. Distinct ones differ in what is kept of them.
            let kinds = 1 + random.below(2_000);
            let first = if seed % 2 == 0 { 0 } else { u64::from(u32::MAX) - 1_000 };
            let mut naive = Naive { ids_max, end: first, ..Naive::default() };
            let mut window = Window::new(ids_max);
            window.pass(first);
            for _ in 0..6_000 {
                let fingerprint = Random(random.below(kinds)).next();
                match random.below(20) {
                    0 => {
                        naive.end += random.below(ids_max + 3);
                        window.pass(naive.end);
                    }
                    _ => {
                        naive.all.insert(naive.end, fingerprint);
                        window.insert(fingerprint, naive.end);
                        naive.end += 1;
                    }
                }
                let asked = Random(random.below(kinds)).next();
                assert_eq!(window.candidates(asked), naive.candidates(asked), "seed {seed}");
                assert_eq!(window.end(), naive.end);
            }
        }
    }

    #[test]
    fn records_may_come_in_any_order() {
        let mut random = Random(7);
        let fingerprints: Vec<u64> = (0..5_000).map(|_| random.next()).collect();
        let mut window = Window::new(4_000);
        window.pass(5_000);
        for from in [4_500, 3_000, 0] {
            let to = if from == 4_500 {
                5_000
            } else if from == 3_000 {
                4_500
            } else {
                3_000
            };
            (from..to).for_each(|seq| window.insert(fingerprints[seq], seq as u64));
        }
        for (seq, fingerprint) in fingerprints.iter().enumerate() {
            let expected = if seq < 1_000 { vec![] } else { vec![seq as u64] };
            assert_eq!(window.candidates(*fingerprint), expected, "{seq}");
        }
    }

    #[test]
    fn it_takes_at_most_16_bytes_a_record_at_every_size() {
        let mut random = Random(1);
        let mut window = Window::new(1_000_000);
        let mut worst: f64 = 0.0;
        for count in 1..=1_200_000_u64 {
            window.insert(random.next(), count - 1);
            let in_it = usize::try_from(count.min(1_000_000)).unwrap();
            if count < 3_000 || count % 1_009 == 0 {
                // The part that is rebuilt is there twice meanwhile.
                let parts = window.parts.iter().map(|part| size_of_val(&*part.slots));
                let most = window.bytes() + parts.max().unwrap();
                assert!(most <= 16 * in_it + FIXED_BYTES, "{most} bytes for {in_it}");
                worst = worst.max(most as f64 / in_it.max(4_096) as f64);
            }
        }
        assert!(worst < 16.0, "{worst}");
    }

    #[test]
    fn one_id_for_all_records_costs_no_more_than_another() {
        let mut window = Window::new(1 << 20);
        (0..200_000).for_each(|seq| window.insert(42, seq));
        assert_eq!(window.candidates(42), (199_992..200_000).collect::<Vec<_>>());
        assert!(window.bytes() <= FIXED_BYTES);
    }

    #[test]
    fn a_longer_pause_than_the_window_empties_it() {
        let mut window = Window::new(10);
        window.insert(1, 0);
        window.pass((1 << 32) + 1); // the low bits of record 0 are in reach again
        assert_eq!(window.start(), (1 << 32) - 9);
        assert!(window.candidates(1).is_empty());
    }
}
