//! How an expiry is done, and what it did.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::archive::ArchiveStore;
use crate::error::Error;
use crate::retention::{DropCertificate, Period, Plan};

/// How an expiry is done.
#[derive(Clone, Debug)]
#[must_use]
pub struct ExpireOptions {
    pub(crate) clock_lead: Period,
    pub(crate) drop_restored: bool,
    pub(crate) at_most: usize,
    pub(crate) archive: Option<Arc<dyn ArchiveStore>>,
    /// Segments that may go although their times contradict those of others.
    pub(crate) contradicting: BTreeSet<u64>,
}

impl ExpireOptions {
    /// A clock up to 7 days ahead of the newest event is believed, and restored segments
    /// stay.
    pub fn new() -> Self {
        ExpireOptions {
            clock_lead: Period::from_days(7),
            drop_restored: false,
            at_most: usize::MAX,
            archive: None,
            contradicting: BTreeSet::new(),
        }
    }

    /// Where a copy of each segment goes, and is read back and verified, before it is dropped.
    /// With an archive a copy is made whether the policy asks for one or not; without one,
    /// what the policy wants archived stays.
    pub fn archive_to(mut self, store: Arc<dyn ArchiveStore>) -> Self {
        self.archive = Some(store);
        self
    }

    /// How far the clock may be ahead of the newest event and still be believed. A log that
    /// nobody writes to needs more than the default, or an event.
    pub fn clock_lead(mut self, lead: Period) -> Self {
        self.clock_lead = lead;
        self
    }

    /// Whether segments that were restored from an archive may go again.
    pub fn drop_restored(mut self, drop: bool) -> Self {
        self.drop_restored = drop;
        self
    }

    /// Lets segments go whose times contradict those of the segments before or behind them
    /// ([`Contradiction`](crate::retention::Contradiction)): without this they stay, as the log
    /// cannot tell when they were recorded. Their age still counts from the latest time that
    /// the log recorded up to their end. That it was allowed is recorded with the reason.
    pub fn allow_contradicting_times(mut self, ordinals: impl IntoIterator<Item = u64>) -> Self {
        self.contradicting.extend(ordinals);
        self
    }

    /// How many segments go at most in one call.
    pub fn at_most(mut self, segments: usize) -> Self {
        self.at_most = segments;
        self
    }
}

impl Default for ExpireOptions {
    fn default() -> Self {
        ExpireOptions::new()
    }
}

/// What an expiry did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Expiry {
    /// What was planned; what happened may be less.
    pub plan: Plan,
    /// The certificates of what went.
    pub dropped: Vec<DropCertificate>,
    /// Segments that were to go and stayed, and why: held by a hold that came in between, a
    /// damaged record, an archive that failed.
    pub stayed: Vec<(u64, Error)>,
    /// What ended it before it was through, after something had gone: a full disk, I/O.
    pub stopped: Option<Error>,
}
