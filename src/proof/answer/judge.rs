//! Whether the records of an answer are all that match.

use super::agreement::Agreement;
use super::chunks::Window;
use super::error::VerifyAnswerError;
use super::evidence::{Evidence, SegmentEvidence};
use super::judged::{Judged, NotLive, RestsOn};
use super::segment::{AskedTerms, Candidates};
use crate::format::LogId;
use crate::format::catalog_body::{CatalogBody, Sealed, kind, status};
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::TreeHead;
use crate::proof::bundle::ProvedRecord;
use crate::proof::catalog::{ProvenClaim, StateEntry};
use crate::query::{Order, Query, Subject};
use crate::seq::Seq;

/// Judges the evidence, given records that are under the head, ascending. The verdict is as
/// good as the head.
pub(super) fn judge(
    evidence: &Evidence,
    algorithm: HashAlgorithm,
    head: &TreeHead,
    records: &[&ProvedRecord],
    log_id: Option<LogId>,
) -> Result<Judged, VerifyAnswerError> {
    let statement = evidence.statement.check(algorithm, head, log_id);
    let statement = statement.map_err(VerifyAnswerError::Statement)?;
    let segments = sealed_segments(statement.shown())?;
    check_tiling(evidence, &segments, head)?;
    let asked = AskedTerms::of(&evidence.query, statement.log_id());
    let mut walk = Walk {
        query: &evidence.query,
        asked: &asked,
        covers: evidence.covers.clone(),
        left: records.iter().enumerate(),
        hits: Vec::new(),
        rests_on: Vec::new(),
        not_live: Vec::new(),
    };
    for (sealed, shown) in segments.iter().zip(&evidence.segments) {
        walk.segment(sealed, shown).map_err(|error| error.in_segment(sealed.first))?;
    }
    if let Some((_, record)) = walk.left.next() {
        let found = format!("record {}", record.record().seq);
        return Err(VerifyAnswerError::other("the records", "none but candidates", found));
    }
    let Walk { mut hits, rests_on, not_live, .. } = walk;
    if evidence.query.order == Order::NewestFirst {
        hits.reverse();
    }
    let last = hits.last().and_then(|n| records.get(*n)).map(|proved| proved.record().seq);
    let is_limited = check_limit(evidence, hits.len(), last)?;
    let covers = Seq::new(evidence.covers.start)..Seq::new(evidence.covers.end);
    let (log_id, as_of) = (statement.log_id(), statement.recorded_at());
    Ok(Judged { log_id, covers, hits, is_limited, rests_on, not_live, as_of })
}

fn sealed_segments(shown: &ProvenClaim) -> Result<Vec<Sealed>, VerifyAnswerError> {
    match shown {
        ProvenClaim::Entries(entries) => entries.iter().map(sealed_segment).collect(),
        _ => {
            let what = "the statement about the catalog";
            Err(VerifyAnswerError::other(what, "claim 4", "another claim"))
        }
    }
}

/// The entry of a segment: its key must say so too, because it decides what the value is.
fn sealed_segment(entry: &StateEntry) -> Result<Sealed, VerifyAnswerError> {
    let what = "the entry of a segment";
    // A catalog record of that kind is a state root, which does not matter here, and this.
    let envelope = [Hash::ZERO.as_bytes(), entry.value.as_slice()].concat();
    let sealed = match CatalogBody::decode(kind::SEGMENT_SEALED, &envelope) {
        Ok((_, CatalogBody::Sealed(sealed))) => sealed,
        Ok(_) => return Err(VerifyAnswerError::other(what, "a sealed segment", "another body")),
        Err(error) => return Err(VerifyAnswerError::other(what, "a sealed segment", error)),
    };
    sealed.check_entry().map_err(|error| VerifyAnswerError::other(what, "a segment", error))?;
    let expected = format!("segment/{:016x}", sealed.ordinal);
    if entry.key == expected {
        return Ok(sealed);
    }
    Err(VerifyAnswerError::other(what, expected, format!("{:?}", entry.key)))
}

/// Every Seq of the range is in one segment, and every segment meets the range.
fn check_tiling(
    evidence: &Evidence,
    segments: &[Sealed],
    head: &TreeHead,
) -> Result<(), VerifyAnswerError> {
    let (from, to) = (evidence.covers.start, evidence.covers.end);
    let what = "the range";
    if from > to || to > head.size.get() {
        let expected = format!("a range within {} records", head.size);
        return Err(VerifyAnswerError::other(what, expected, format!("{from}..{to}")));
    }
    if segments.len() != evidence.segments.len() {
        let (expected, found) = (segments.len(), evidence.segments.len());
        return Err(VerifyAnswerError::other("evidence of segments", expected, found));
    }
    check_ordinals(segments)?;
    let mut next = from;
    for (n, sealed) in segments.iter().enumerate() {
        let end = sealed.first.checked_add(sealed.count);
        let continues = if n == 0 { sealed.first <= next } else { sealed.first == next };
        match end.filter(|end| continues && next < to && *end > next) {
            Some(end) => next = end,
            None => {
                let expected = match next < to {
                    true => format!("the segment with record {next}"),
                    false => format!("nothing behind record {to}"),
                };
                let found = format!("{} records from {} on", sealed.count, sealed.first);
                return Err(VerifyAnswerError::other("the segments in the range", expected, found));
            }
        }
    }
    if next < to {
        let expected = format!("segments up to record {to}");
        let found = format!("their end before record {next}");
        return Err(VerifyAnswerError::other("the segments in the range", expected, found));
    }
    // The anchor names what was sealed before it, and is the last record of the head.
    if !segments.is_empty() && next >= head.size.get() {
        let expected = format!("segments that end before the last of {} records", head.size);
        let found = format!("their end before record {next}");
        return Err(VerifyAnswerError::other("the segments in the range", expected, found));
    }
    Ok(())
}

/// Segments that stand side by side are numbered one after the other.
fn check_ordinals(segments: &[Sealed]) -> Result<(), VerifyAnswerError> {
    let ordinals = segments.iter().map(|sealed| sealed.ordinal);
    let mut pairs = ordinals.clone().zip(ordinals.skip(1));
    match pairs.find(|(before, next)| before.checked_add(1) != Some(*next)) {
        None => Ok(()),
        Some((before, next)) => {
            let (what, expected) = ("the segments in the range", format!("the one after {before}"));
            Err(VerifyAnswerError::other(what, expected, format!("segment {next}")))
        }
    }
}

/// No more records than asked for; and newest first, fewer only where the log begins.
/// Whether the range ends at the last record because there were enough.
fn check_limit(
    evidence: &Evidence,
    hits: usize,
    last: Option<Seq>,
) -> Result<bool, VerifyAnswerError> {
    let Evidence { query, covers, .. } = evidence;
    let hits = hits as u64;
    if query.limit.is_some_and(|limit| hits > limit) {
        let expected = format!("at most {} records that match", query.limit.unwrap_or(0));
        return Err(VerifyAnswerError::other("the limit", expected, hits));
    }
    let ends_at_last = match (last, query.order) {
        (None, _) => covers.is_empty(),
        (Some(last), Order::NewestFirst) => last.get() == covers.start,
        (Some(last), Order::OldestFirst) => last.get().checked_add(1) == Some(covers.end),
    };
    let is_limited = query.limit == Some(hits) && ends_at_last;
    if query.order == Order::NewestFirst && covers.start > 0 && !is_limited {
        let expected = "a range from record 0 on, or as many records as were asked for from the \
                        last of them on";
        let found = format!("{hits} records in a range from record {} on", covers.start);
        return Err(VerifyAnswerError::other("the range", expected, found));
    }
    Ok(is_limited)
}

/// Goes through segments and records at once.
struct Walk<'a, R> {
    query: &'a Query,
    asked: &'a AskedTerms,
    covers: std::ops::Range<u64>,
    /// The records that no segment has taken yet.
    left: R,
    hits: Vec<usize>,
    rests_on: Vec<RestsOn>,
    not_live: Vec<NotLive>,
}

impl<'a, R> Walk<'a, R>
where
    R: ExactSizeIterator<Item = (usize, &'a &'a ProvedRecord)>,
{
    fn segment(
        &mut self,
        sealed: &Sealed,
        shown: &SegmentEvidence,
    ) -> Result<(), VerifyAnswerError> {
        let first = Seq::new(sealed.first);
        let (count, status) = (sealed.count, sealed.status);
        let readable = status::is_readable(status);
        // The times of a segment are as they were when it was sealed, whatever became of it.
        let fits = match shown {
            SegmentEvidence::NotLive => !readable,
            SegmentEvidence::ExcludedByTimes => true,
            SegmentEvidence::Disclosed | SegmentEvidence::Index(_) => readable,
        };
        if !fits {
            let what = "what is shown of the segment";
            let expected = if readable { "its index or its records" } else { "nothing" };
            return Err(VerifyAnswerError::other(what, expected, format!("status {status}")));
        }
        let end = sealed.first.saturating_add(count).min(self.covers.end);
        let low = self.covers.start.saturating_sub(sealed.first);
        let window = Window { low, high: end.saturating_sub(sealed.first) };
        let mut agreement = Agreement::of(sealed, shown);
        let candidates = match shown {
            SegmentEvidence::NotLive => {
                self.not_live.push(NotLive { first, count, status });
                return Ok(());
            }
            SegmentEvidence::ExcludedByTimes if self.asked.is_excluded(sealed) => {
                self.rests_on.push(RestsOn::Times { first, count, times: sealed.times });
                return Ok(());
            }
            SegmentEvidence::ExcludedByTimes => {
                let expected = "times that the query does not ask for";
                return Err(VerifyAnswerError::other("the times of the segment", expected, "some"));
            }
            SegmentEvidence::Disclosed => Candidates::All,
            SegmentEvidence::Index(index) => {
                let root = Hash::from_bytes(sealed.index_root);
                self.rests_on.push(RestsOn::Index { first, count, root });
                let read = index.read(self.asked, sealed, window)?;
                agreement.terms = read.terms;
                read.candidates
            }
        };
        self.take(&mut agreement, window, &candidates)
    }

    fn take(
        &mut self,
        agreement: &mut Agreement<'_>,
        window: Window,
        candidates: &Candidates,
    ) -> Result<(), VerifyAnswerError> {
        match candidates {
            Candidates::Only(positions) => {
                positions.iter().try_for_each(|position| self.record(agreement, (*position).into()))
            }
            // Ends at the first that is not disclosed, however long the window is.
            Candidates::All => {
                (window.low..window.high).try_for_each(|position| self.record(agreement, position))
            }
            Candidates::AllBut(others) => {
                let mut others = others.iter().map(|other| u64::from(*other)).peekable();
                (window.low..window.high)
                    .filter(|position| others.next_if_eq(position).is_none())
                    .try_for_each(|position| self.record(agreement, position))
            }
        }
    }

    /// The next record must be that of this position; looks whether it matches.
    fn record(
        &mut self,
        agreement: &mut Agreement<'_>,
        position: u64,
    ) -> Result<(), VerifyAnswerError> {
        let seq = agreement.times.sealed.first.saturating_add(position);
        let next = self.left.next();
        let Some((n, proved)) = next.filter(|(_, next)| next.record().seq.get() == seq) else {
            let found = match next {
                Some((_, next)) => format!("record {}", next.record().seq),
                None => "none".to_owned(),
            };
            return Err(VerifyAnswerError::other("the records", format!("record {seq}"), found));
        };
        let record = proved.record();
        agreement.check(record, position)?;
        if self.query.matches(record.recorded_at, record.kind, &Subject::of_record(record)) {
            self.hits.push(n);
        }
        Ok(())
    }
}
