//! What a judged answer shows, and on what that rests.

use crate::format::LogId;
use crate::hash::Hash;
use crate::seq::Seq;
use crate::time::Timestamp;

/// What an answer was found to show.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) log_id: LogId,
    pub(super) covers: std::ops::Range<Seq>,
    /// Numbers of the records that match, in the order of the query.
    pub(super) hits: Vec<usize>,
    pub(super) is_limited: bool,
    pub(super) rests_on: Vec<RestsOn>,
    pub(super) not_live: Vec<NotLive>,
    /// When the state was that, by the log's clock.
    pub(super) as_of: Timestamp,
}

/// A segment whose records are no longer in the log: nothing is said of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotLive {
    /// Its first record.
    pub first: Seq,
    /// Records in it.
    pub count: u64,
    /// Its status in the state; never 0.
    pub status: u8,
}

/// What the log signed of a segment, and the answer rests on: it is as true as that.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestsOn {
    /// The root of its index.
    Index {
        /// Its first record.
        first: Seq,
        /// Records in it.
        count: u64,
        /// The root.
        root: Hash,
    },
    /// Its smallest and largest times alone, which nothing that is asked for meets.
    Times {
        /// Its first record.
        first: Seq,
        /// Records in it.
        count: u64,
        /// Smallest and largest `recorded_at`, then `occurred_at`, in nanoseconds since 1970.
        times: [i64; 4],
    },
}
