//! One simulated file: what is read now, what is on the device, and what differs.

use std::ops::Range;
use std::sync::Arc;

use super::prng::Prng;
use super::ranges::Ranges;

/// The unit in which a device writes, in bytes.
pub(super) const SECTOR: u64 = 512;

/// A file's bytes, twice. Both copies are shared with forks and maps until written.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// What reads return (the page cache).
    data: Arc<Vec<u8>>,
    /// What the device holds for certain.
    durable: Arc<Vec<u8>>,
    /// Sectors that the next sync writes.
    dirty: Ranges,
    /// Sectors that a failed sync marked clean without storing them: no later sync
    /// writes them, unless they are written again. What the device holds of them
    /// is as open as for dirty ones.
    lost: Ranges,
    /// Sizes that the file had since the last sync.
    sizes: Vec<u64>,
    /// Bytes that were written, as opposed to merely reserved or skipped.
    written: Ranges,
    /// Written bytes that are durable: an overwrite leaves them old or new.
    held: Ranges,
    /// Sectors that take up space.
    space: Ranges,
}

/// What became of an unsynced sector.
#[derive(Clone, Copy)]
enum Outcome {
    Old,
    New,
    Zero,
    Garbage,
}

/// How a crash treats the unsynced sectors of one file. Purely independent choices
/// would hardly ever meet the plain cases, so these are drawn as often.
enum Pattern {
    Same(Outcome),
    /// Sectors before this one new, the rest old: a write that was cut.
    Cut(u64),
    Independent,
}

impl Pattern {
    fn draw(prng: &mut Prng, sectors: u64) -> Pattern {
        match prng.below(8) {
            0 => Pattern::Same(Outcome::Old),
            1 => Pattern::Same(Outcome::New),
            2 => Pattern::Cut(prng.next() % (sectors + 1)),
            _ => Pattern::Independent,
        }
    }

    fn outcome(&self, prng: &mut Prng, sector: u64) -> Outcome {
        match self {
            Pattern::Same(outcome) => *outcome,
            Pattern::Cut(end) if sector < *end => Outcome::New,
            Pattern::Cut(_) => Outcome::Old,
            Pattern::Independent => match prng.below(4) {
                0 => Outcome::Old,
                1 => Outcome::New,
                2 => Outcome::Zero,
                _ => Outcome::Garbage,
            },
        }
    }
}

impl Node {
    /// A file that holds these bytes, all of them durable.
    pub(super) fn durable(bytes: Vec<u8>) -> Node {
        let mut node = Node::default();
        node.write(&bytes, 0);
        node.sync();
        node
    }

    pub(super) fn data(&self) -> &Arc<Vec<u8>> {
        &self.data
    }

    pub(super) fn len(&self) -> u64 {
        self.data.len() as u64
    }

    /// Space taken up, in bytes.
    pub(super) fn used_bytes(&self) -> u64 {
        self.space.count() * SECTOR
    }

    /// Space that writing or reserving these bytes would take up besides, in bytes.
    pub(super) fn wanted_bytes(&self, range: Range<u64>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let sectors = touched(range);
        (sectors.end - sectors.start - self.space.count_within(sectors)) * SECTOR
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        let range = offset..offset + bytes.len() as u64;
        if range.is_empty() {
            return;
        }
        if range.end > self.len() {
            self.resize(range.end);
        }
        Arc::make_mut(&mut self.data)[span(&range)].copy_from_slice(bytes);
        let sectors = touched(range.clone());
        self.written.insert(range);
        self.dirty.insert(sectors.clone());
        self.lost.remove(sectors.clone());
        self.space.insert(sectors);
    }

    /// Changes the size; what is new reads as zeros.
    pub(super) fn resize(&mut self, len: u64) {
        let before = self.len();
        if len == before {
            return;
        }
        Arc::make_mut(&mut self.data).resize(index(len), 0);
        self.sizes.push(len);
        if len < before {
            self.forget_from(len);
        } else {
            // Cut off and grown again over durable bytes: the zeros must be written.
            let zeroed = before..len.min(self.durable.len() as u64);
            if !zeroed.is_empty() {
                self.dirty.insert(touched(zeroed));
            }
        }
    }

    fn forget_from(&mut self, len: u64) {
        let sectors = len.div_ceil(SECTOR)..u64::MAX;
        self.dirty.remove(sectors.clone());
        self.lost.remove(sectors.clone());
        self.space.remove(sectors);
        self.written.remove(len..u64::MAX);
    }

    /// Takes up space for these bytes and grows the file to them.
    pub(super) fn reserve(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        if range.end > self.len() {
            self.resize(range.end);
        }
        self.space.insert(touched(range));
    }

    /// Makes dirty sectors and the size durable.
    pub(super) fn sync(&mut self) {
        let len = self.len();
        self.held.remove(len..u64::MAX);
        let durable = Arc::make_mut(&mut self.durable);
        durable.resize(index(len), 0);
        for run in self.dirty.iter() {
            let bytes = run.start * SECTOR..(run.end * SECTOR).min(len);
            durable[span(&bytes)].copy_from_slice(&self.data[span(&bytes)]);
            self.held.insert_all(self.written.within(bytes));
        }
        self.dirty.clear();
        self.sizes.clear();
    }

    /// A sync that failed without storing anything, as on Linux: the pages are
    /// marked clean, so the next sync succeeds without writing them.
    pub(super) fn fail_sync(&mut self) {
        self.lost.insert_all(self.dirty.iter());
        self.dirty.clear();
    }

    /// Reads lost sectors anew from the device, which decides what it holds.
    pub(super) fn drop_cache(&mut self, range: Range<u64>, prng: &mut Prng, stale: &[Vec<u8>]) {
        let durable_len = self.durable.len() as u64;
        let len = self.len();
        for sector in self.lost.within(touched(range)).into_iter().flatten() {
            let outcome = Pattern::Independent.outcome(prng, sector);
            let bytes = sector * SECTOR..((sector + 1) * SECTOR).min(len);
            let mut image = self.durable[span(&within(&bytes, durable_len))].to_vec();
            image.resize(span(&bytes).len(), 0);
            self.settle(&mut image, &bytes, outcome, prng, stale);
            Arc::make_mut(&mut self.data)[span(&bytes)].copy_from_slice(&image);
            let known = within(&bytes, durable_len);
            image.truncate(span(&known).len());
            Arc::make_mut(&mut self.durable)[span(&known)].copy_from_slice(&image);
            self.held.insert(known);
            if bytes.end <= durable_len {
                self.lost.remove(sector..sector + 1);
            }
        }
    }

    /// The power goes: what was not synced is decided, and then all is durable.
    pub(super) fn crash(&mut self, prng: &mut Prng, stale: &[Vec<u8>]) {
        let len = self.size_after_crash(prng);
        let mut image = self.durable.as_ref().clone();
        image.resize(index(len), 0);
        let mut open = self.dirty.clone();
        open.insert_all(self.lost.iter());
        let pattern = Pattern::draw(prng, len.div_ceil(SECTOR));
        for sector in open.iter().flatten() {
            let bytes = within(&(sector * SECTOR..(sector + 1) * SECTOR), len);
            if !bytes.is_empty() {
                let outcome = pattern.outcome(prng, sector);
                self.settle(&mut image[span(&bytes)], &bytes, outcome, prng, stale);
            }
        }
        // From here on these bytes are what the device holds.
        self.held.insert_all(open.iter().map(|run| run.start * SECTOR..run.end * SECTOR));
        self.data = Arc::new(image);
        self.durable = Arc::clone(&self.data);
        self.held.remove(len..u64::MAX);
        self.forget_from(len);
        self.written = self.held.clone();
        self.dirty.clear();
        self.lost.clear();
        self.sizes.clear();
    }

    fn size_after_crash(&self, prng: &mut Prng) -> u64 {
        let old = self.durable.len() as u64;
        match prng.below(3) {
            0 => old,
            1 => self.len(),
            _ => *self.sizes.get(prng.below(self.sizes.len() + 1)).unwrap_or(&old),
        }
    }

    /// Decides one sector. `image` holds the old bytes of `bytes` (part of one
    /// sector) and gets the outcome. Bytes that were held become old or new, all of
    /// one sector alike; the others anything.
    fn settle(
        &self,
        image: &mut [u8],
        bytes: &Range<u64>,
        outcome: Outcome,
        prng: &mut Prng,
        stale: &[Vec<u8>],
    ) {
        let take_new = match outcome {
            Outcome::Old => false,
            Outcome::New => true,
            Outcome::Zero | Outcome::Garbage => prng.coin(),
        };
        let kept = self.held.within(bytes.clone());
        let before = image.to_vec();
        match outcome {
            Outcome::Old | Outcome::New => {}
            Outcome::Zero => image.fill(0),
            Outcome::Garbage if !stale.is_empty() && prng.coin() => {
                let old = &stale[prng.below(stale.len())];
                image.iter_mut().zip(old).for_each(|(byte, stale)| *byte = *stale);
            }
            Outcome::Garbage => prng.fill(image),
        }
        let restore = match outcome {
            Outcome::Old | Outcome::New => vec![bytes.clone()],
            Outcome::Zero | Outcome::Garbage => kept,
        };
        for range in restore {
            for at in range {
                let inside = index(at - bytes.start);
                let new = self.data.get(index(at)).copied().filter(|_| take_new);
                image[inside] = new.unwrap_or(before[inside]);
            }
        }
    }

    /// Some sectors of this file, to turn up as garbage in others once it is gone.
    pub(super) fn leavings(&self, count: usize) -> impl Iterator<Item = Vec<u8>> + '_ {
        let sectors = self.durable.chunks(index(SECTOR));
        sectors
            .filter(|sector| sector.iter().any(|byte| *byte != 0))
            .take(count)
            .map(<[u8]>::to_vec)
    }

    /// Changes a byte on the device and in the cache; whether it is there.
    pub(super) fn flip(&mut self, offset: u64, mask: u8) -> bool {
        for copy in [&mut self.data, &mut self.durable] {
            if let Some(byte) = Arc::make_mut(copy).get_mut(index(offset)) {
                *byte ^= mask;
            }
        }
        offset < self.len()
    }
}

/// The sectors that a range of bytes touches.
fn touched(bytes: Range<u64>) -> Range<u64> {
    bytes.start / SECTOR..bytes.end.div_ceil(SECTOR)
}

/// The part of a range below `len`.
fn within(range: &Range<u64>, len: u64) -> Range<u64> {
    range.start.min(len)..range.end.min(len)
}

fn span(range: &Range<u64>) -> Range<usize> {
    index(range.start)..index(range.end)
}

/// A position in memory; simulated files are far smaller than the address space.
fn index(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
