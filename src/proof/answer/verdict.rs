//! [`VerifiedAnswer`]: what an answer was found to show, and no more.

use std::fmt;
use std::ops::Range;

use super::judged::{Judged, NotLive, RestsOn};
use crate::checkpoint::VerifiedCheckpoint;
use crate::format::LogId;
use crate::merkle::TreeHead;
use crate::proof::audit::{NotAudited, VerifiedIndexAudit};
use crate::proof::bundle::{ProvedRecord, VerifiedBundle};
use crate::query::Query;
use crate::seq::Seq;
use crate::time::Timestamp;

/// All records of a log, from one Seq up to another, that match a query. Only
/// [`Answer::verify`](super::Answer::verify) makes one.
///
/// Displays as a sentence that says what was shown and no more.
#[derive(Clone, Debug)]
pub struct VerifiedAnswer {
    query: Query,
    log_id: LogId,
    covers: Range<Seq>,
    hits: Vec<ProvedRecord>,
    is_limited: bool,
    rests_on: Vec<RestsOn>,
    not_live: Vec<NotLive>,
    as_of: Timestamp,
    bundle: VerifiedBundle,
}

impl VerifiedAnswer {
    pub(super) fn new(query: Query, judged: Judged, bundle: VerifiedBundle) -> Self {
        let records: Vec<&ProvedRecord> = bundle.records().collect();
        let hits = judged.hits.iter().filter_map(|n| records.get(*n).map(|hit| (*hit).clone()));
        let hits = hits.collect();
        let Judged { log_id, covers, is_limited, rests_on, not_live, as_of, .. } = judged;
        VerifiedAnswer {
            query,
            log_id,
            covers,
            hits,
            is_limited,
            rests_on,
            not_live,
            as_of,
            bundle,
        }
    }

    /// The question that is answered. Whoever makes an answer chooses it: compare it with
    /// the one that was asked.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// Whether this is the question, in the same order and with the same limit; cursors are
    /// not looked at.
    pub fn answers(&self, query: &Query) -> bool {
        self.query.to_bytes() == query.to_bytes()
    }

    /// The records that the answer speaks about: from this Seq up to, not including, that
    /// one. Nothing is said of what comes before or behind.
    pub fn covers(&self) -> Range<Seq> {
        self.covers.clone()
    }

    /// The records in the range that match, in the order of the query.
    pub fn hits(&self) -> impl ExactSizeIterator<Item = &ProvedRecord> {
        self.hits.iter()
    }

    /// Whether the range ends at the last hit because as many as were asked for were found.
    pub fn is_limited(&self) -> bool {
        self.is_limited
    }

    /// Segments in the range of whose records nothing is said.
    pub fn not_live(&self) -> &[NotLive] {
        &self.not_live
    }

    /// What the log signed of its segments that the answer is as true as.
    pub fn rests_on(&self) -> &[RestsOn] {
        &self.rests_on
    }

    /// When the head that it stands under was made, by the log's clock.
    pub fn as_of(&self) -> Timestamp {
        self.as_of
    }

    /// The log's identity.
    pub fn log_id(&self) -> LogId {
        self.log_id
    }

    /// The checkpoint that it stands under, and who signed it.
    pub fn checkpoint(&self) -> &VerifiedCheckpoint {
        self.bundle.checkpoint()
    }

    /// Everything that was disclosed: candidates that do not match, too.
    pub fn bundle(&self) -> &VerifiedBundle {
        &self.bundle
    }

    /// Whether an auditor recomputed everything that the answer rests on; see
    /// [`VerifiedAnswer::check_audit`].
    pub fn is_audited_by(&self, audit: &VerifiedIndexAudit) -> bool {
        self.check_audit(audit).is_ok()
    }

    /// Checks that an auditor recomputed everything that the answer rests on, in a log of the
    /// same identity and name, and that the auditor's key is none of the log's own. Two heads
    /// of one size that differ are a fork: then not. If the heads have different sizes, that
    /// they are of one tree is another proof ([`ConsistencyProof`](crate::proof::ConsistencyProof)).
    ///
    /// # Errors
    /// Says what the audit lacks.
    pub fn check_audit(&self, verified: &VerifiedIndexAudit) -> Result<(), NotAudited> {
        let audit = verified.audit();
        if self.bundle.is_key_of_log(verified.auditor()) {
            let key = verified.auditor();
            return Err(NotAudited {
                expected: "the key of an auditor".to_owned(),
                found: format!("a key of the log itself, {} (key id {})", key.name(), key.id()),
            });
        }
        let (origin, log_id) = (self.checkpoint().origin(), self.log_id);
        if (audit.origin.as_str(), audit.log_id) != (origin, log_id) {
            return Err(NotAudited {
                expected: format!("an audit of {origin} (id {log_id})"),
                found: format!("one of {} (id {})", audit.origin, audit.log_id),
            });
        }
        let head = self.checkpoint().head();
        if audit.main.size == head.size && audit.main.root != head.root {
            let of = |head: TreeHead| format!("root {} at size {}", head.root, head.size);
            return Err(NotAudited {
                expected: of(head),
                found: format!("{}: the log has forked", of(audit.main)),
            });
        }
        self.rests_on.iter().try_for_each(|rests_on| audit.check_recomputed(rests_on))
    }
}

impl fmt::Display for VerifiedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.covers.start, self.covers.end);
        let head = self.checkpoint().head().size;
        write!(
            f,
            "{} records match of those from {from} up to, not including, {to}: complete relative \
             to what the log signed of its segments under head {head}",
            self.hits.len()
        )?;
        for NotLive { first, count, .. } in &self.not_live {
            write!(f, "; nothing is said of {count} records from {first} on, not in the log")?;
        }
        Ok(())
    }
}
