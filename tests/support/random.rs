//! The one source of random numbers of tests: from a seed, the same numbers everywhere.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)] // each test uses a part

/// xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2016).
pub struct Random(u64);

impl Random {
    /// Different seeds give unrelated numbers. Any seed is allowed, zero as well.
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// 48 random bits.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// Below `end`; 0 if `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// [`below`](Self::below), for lengths and indexes.
    pub fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap()
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.index(from.len())]
    }
}
