//! Locks with ranks: a thread takes the locks of an open log in one order, that of [`Rank`].
//!
//! Two threads that take two locks in opposite orders can wait for each other for ever. Such an
//! inversion shows only when both are unlucky, so it is not left to luck: in a build with debug
//! assertions each thread keeps the ranks that it holds, and taking a lock whose rank is not above
//! all of them panics, whichever way the threads are scheduled. Other builds check nothing.
//!
//! Not ranked are locks that are never held while another one is taken or waited for: those of
//! one verification pass, and of the maps of [`crate::format`], which is built without threads.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// The locks of an open log, in the order in which a thread takes them.
///
/// The first four are held through I/O, each by one task at a time. `Catalog` comes before `Queue`
/// and `Writer`: an anchor binds the catalog as it is, so the catalog is held until the anchor is
/// committed. A leader therefore takes neither `Catalog` nor what comes before it, except with
/// `try_lock`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// Shared while an event is encrypted and queued; exclusive while a key is erased.
    Encrypting,
    /// One signature or change of keys at a time.
    Signing,
    /// What the housekeeper owns: one round at a time.
    Upkeep,
    /// What a reader has seen of a log that another process writes.
    Follow,
    /// The catalog, to write to.
    Catalog,
    /// The log that a key store belongs to.
    KeyStoreLog,
    /// The key store's file.
    KeyStoreFile,
    /// The keys in memory.
    KeyStoreKeys,
    /// Keys that were erased, as readers know them.
    Erased,
    /// Callers of group commit.
    Queue,
    /// The thread that leads commits for tickets.
    Committer,
    /// The state of writing: the leader of a commit.
    Writer,
    /// The segment after the active one.
    Ahead,
    /// The window of event ids: held while it catches up with the log, which is I/O.
    OnceWindow,
    /// The catalog that readers consult about segments whose files are gone.
    GoneSegments,
    /// The records that an index in memory has taken in.
    OpenIndex,
    /// Open sealed segments.
    SegmentCache,
    /// The list of segments.
    Entries,
    /// Open index files.
    IndexCache,
    /// Segments without a good index.
    IndexesWanted,
    /// Segments whose index was not looked at yet.
    IndexesUnseen,
    /// One flush of the tree's hashes at a time.
    TreeFlush,
    /// The hashes of the tree.
    Tree,
    /// What was found of damaged tree files.
    TreeDamage,
    /// Positions of catalog records by segment.
    CatalogPlaces,
    /// The size of the next extension of the active segment.
    SpaceStep,
    /// Whether a sync of the active segment failed.
    SyncFailed,
    /// Where records are in the active segment.
    Waypoints,
    /// Those who wait for the log to grow.
    Watch,
    /// Where one caller of group commit waits.
    Slot,
    /// Event ids on their way into the log.
    OnceClaims,
    /// Those who wait for one of these ids.
    OnceClaim,
    /// The logs that the housekeeper looks after.
    Housekeeper,
}

/// A mutex with a rank.
#[derive(Debug)]
pub(crate) struct Mutex<T> {
    rank: Rank,
    inner: parking_lot::Mutex<T>,
}

/// A held [`Mutex`].
#[derive(Debug)]
pub(crate) struct MutexGuard<'a, T> {
    inner: parking_lot::MutexGuard<'a, T>,
    _held: Held,
}

/// A reader-writer lock with a rank, which counts for readers and writers alike: a reader that
/// takes it a second time waits for ever if a writer waits in between.
#[derive(Debug)]
pub(crate) struct RwLock<T> {
    rank: Rank,
    inner: parking_lot::RwLock<T>,
}

/// An [`RwLock`] held to read.
#[derive(Debug)]
pub(crate) struct ReadGuard<'a, T> {
    inner: parking_lot::RwLockReadGuard<'a, T>,
    _held: Held,
}

/// An [`RwLock`] held to write.
#[derive(Debug)]
pub(crate) struct WriteGuard<'a, T> {
    inner: parking_lot::RwLockWriteGuard<'a, T>,
    _held: Held,
}

/// A condition variable for a [`Mutex`].
#[derive(Debug, Default)]
pub(crate) struct Condvar(parking_lot::Condvar);

impl<T> Mutex<T> {
    pub(crate) const fn new(rank: Rank, value: T) -> Self {
        Mutex { rank, inner: parking_lot::Mutex::new(value) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        let held = Held::in_order(self.rank);
        MutexGuard { inner: self.inner.lock(), _held: held }
    }

    /// Takes the lock if it is free. It does not wait, so the order does not matter.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let inner = self.inner.try_lock()?;
        Some(MutexGuard { inner, _held: Held::in_any_order(self.rank) })
    }
}

impl<T> RwLock<T> {
    pub(crate) const fn new(rank: Rank, value: T) -> Self {
        RwLock { rank, inner: parking_lot::RwLock::new(value) }
    }

    pub(crate) fn read(&self) -> ReadGuard<'_, T> {
        let held = Held::in_order(self.rank);
        ReadGuard { inner: self.inner.read(), _held: held }
    }

    pub(crate) fn write(&self) -> WriteGuard<'_, T> {
        let held = Held::in_order(self.rank);
        WriteGuard { inner: self.inner.write(), _held: held }
    }
}

impl Condvar {
    pub(crate) const fn new() -> Self {
        Condvar(parking_lot::Condvar::new())
    }

    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        self.0.wait(&mut guard.inner);
    }

    /// Whether the time was up before a notification came.
    pub(crate) fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, time: Duration) -> bool {
        self.0.wait_for(&mut guard.inner, time).timed_out()
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T> Deref for ReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> Deref for WriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for WriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

#[cfg(not(debug_assertions))]
use unchecked::Held;

#[cfg(debug_assertions)]
use checked::Held;

#[cfg(not(debug_assertions))]
mod unchecked {
    use super::Rank;

    /// Nothing is kept.
    #[derive(Debug)]
    pub(super) struct Held;

    impl Held {
        pub(super) fn in_order(_: Rank) -> Self {
            Held
        }

        pub(super) fn in_any_order(_: Rank) -> Self {
            Held
        }
    }
}

#[cfg(debug_assertions)]
mod checked {
    use std::cell::RefCell;

    use super::Rank;

    thread_local! {
        /// The ranks that this thread holds.
        static RANKS: RefCell<Vec<Rank>> = const { RefCell::new(Vec::new()) };
    }

    /// A rank that this thread holds until this is dropped.
    #[derive(Debug)]
    pub(super) struct Held(Rank);

    impl Held {
        /// Before a lock is taken that may have to be waited for.
        pub(super) fn in_order(rank: Rank) -> Self {
            let highest = RANKS.with_borrow(|ranks| ranks.iter().max().copied());
            assert!(
                highest < Some(rank),
                "lock order: expected to hold nothing but ranks below {rank:?} when it is taken, \
                 found {highest:?} held; take it first, or give that up before"
            );
            Self::in_any_order(rank)
        }

        pub(super) fn in_any_order(rank: Rank) -> Self {
            RANKS.with_borrow_mut(|ranks| ranks.push(rank));
            Held(rank)
        }
    }

    impl Drop for Held {
        fn drop(&mut self) {
            // At the end of a thread its list may be gone before its guards are.
            let _ = RANKS.try_with(|ranks| {
                let mut ranks = ranks.borrow_mut();
                if let Some(at) = ranks.iter().rposition(|rank| *rank == self.0) {
                    ranks.remove(at);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Condvar, Mutex, Rank, RwLock};
    use std::time::Duration;

    #[test]
    fn locks_are_taken_in_the_order_of_their_ranks() {
        let (first, second) = (Mutex::new(Rank::Catalog, 1), RwLock::new(Rank::Writer, 2));
        for _ in 0..2 {
            let held = first.lock();
            assert_eq!(*held + *second.read(), 3);
            drop(held);
            *second.write() = 2;
        }
    }

    #[test]
    #[should_panic(expected = "found Some(Writer) held")]
    #[cfg(debug_assertions)]
    fn an_inversion_panics_without_a_second_thread() {
        let (first, second) = (Mutex::new(Rank::Catalog, 1), Mutex::new(Rank::Writer, 2));
        let _held = second.lock();
        let _ = first.lock();
    }

    #[test]
    #[should_panic(expected = "found Some(Tree) held")]
    #[cfg(debug_assertions)]
    fn a_reader_does_not_take_the_same_rank_twice() {
        let lock = RwLock::new(Rank::Tree, 1);
        let _held = lock.read();
        let _ = lock.read();
    }

    #[test]
    fn guards_are_dropped_in_any_order_and_a_trial_waits_for_nobody() {
        let (first, second) = (Mutex::new(Rank::Catalog, 1), Mutex::new(Rank::Writer, 2));
        let (one, two) = (first.lock(), second.lock());
        drop(one);
        let again = first.try_lock().expect("it is free");
        assert!(first.try_lock().is_none());
        drop(two);
        drop(again);
        assert_eq!((*first.lock(), *second.lock()), (1, 2));
    }

    #[test]
    fn a_wait_gives_the_lock_up_and_takes_it_again() {
        let (value, changed) = (Mutex::new(Rank::Queue, 0), Condvar::new());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                *value.lock() = 7;
                changed.notify_all();
            });
            let mut held = value.lock();
            while *held == 0 {
                changed.wait(&mut held);
            }
            assert_eq!(*held, 7);
        });
        assert!(changed.wait_for(&mut value.lock(), Duration::ZERO));
    }
}
