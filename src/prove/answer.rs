//! Answers to queries with what shows that nothing was left out.
//!
//! Per segment the smaller is chosen: the lists of all parts of the question, or some of them
//! and the records that these leave over.

mod choice;
mod places;
mod trees;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::catalog::{Ground, batch_of_state};
use super::does_not_hold;
use crate::checkpoint::UnverifiedCheckpoint;
use crate::error::{Error, Result};
use crate::event::RecordKind;
use crate::format::body;
use crate::format::catalog_body::{Sealed, StateMap, status};
use crate::format::record::CheckedRecord;
use crate::hash::Hash;
use crate::index::{CommittedIndex, Damaged, IndexFile, Placed, Tail};
use crate::proof::Disclosure;
use crate::proof::answer::AskedTerms;
use crate::proof::{
    ANSWER_LEN_MAX, Answer, CatalogClaim, CatalogStatement, Evidence, PlacedEntry, SegmentEvidence,
    StateEntry,
};
use crate::query::{Order, Query, Subject};
use crate::read::decode;
use crate::read::search::open_index::add;
use crate::read::search::parts::start_of;
use crate::read::snapshot::Snapshot;
use crate::seq::{Seq, TreeSize};
use crate::terms::{Axis, Scope, TimeEntry, chunk_count};
use crate::time::Timestamp;

use places::Segment;

impl Snapshot {
    /// Answers a query with what shows that nothing was left out, from the segments that were
    /// sealed when a checkpoint of this log was signed; see [`Answer`]. A cursor in the query
    /// is where the range begins. The result verifies with [`Answer::verify`].
    ///
    /// **It covers sealed segments only.** To cover what was appended until now, end the active segment
    /// with [`Log::rotate`](crate::Log::rotate), and sign the checkpoint after that.
    ///
    /// Besides the records that match, it may hold others that the index alone does not rule
    /// out, always without their payloads: what a question asks by the id of an event, a
    /// request or an operation is not in the index, so ask by an actor, a resource or a time
    /// as well.
    ///
    /// # Errors
    /// The cursor is of another query; the checkpoint is not of this log; more than a file
    /// holds; `CatalogDamaged`; damage; I/O.
    pub fn prove_query(
        &self,
        query: &Query,
        checkpoint: &UnverifiedCheckpoint,
        disclosure: Disclosure,
    ) -> Result<Answer> {
        self.tree()?; // before the catalog is locked
        let ground = self.shared().with_catalog(|catalog| Ground::at(self, catalog, checkpoint))?;
        prove(self, &ground, query, checkpoint, disclosure)
    }
}

/// From the index files; should one of them have been forged, so that the answer does not
/// hold, from the records.
fn prove(
    snapshot: &Snapshot,
    ground: &Ground,
    query: &Query,
    checkpoint: &UnverifiedCheckpoint,
    disclosure: Disclosure,
) -> Result<Answer> {
    let mut prover = Prover::new(snapshot, ground, query)?;
    match prover.answer(checkpoint, disclosure) {
        Err(Error::Proof { .. } | Error::Tampered { .. }) => {
            prover.from_files = false;
            prover.answer(checkpoint, disclosure)
        }
        made => made,
    }
}

/// Makes the answer to one query.
struct Prover<'a> {
    snapshot: &'a Snapshot,
    ground: &'a Ground,
    query: Query,
    asked: AskedTerms,
    /// Where the cursor says to begin.
    start: Option<Seq>,
    /// Whether index files are used.
    from_files: bool,
}

/// What is shown of one segment.
struct Piece {
    sealed: Sealed,
    evidence: SegmentEvidence,
    /// The records that are disclosed, ascending.
    candidates: Vec<Seq>,
}

/// What is still to be found.
#[derive(Clone)]
struct Hunt {
    left: Option<u64>,
    covers: Range<u64>,
}

impl<'a> Prover<'a> {
    fn new(snapshot: &'a Snapshot, ground: &'a Ground, query: &Query) -> Result<Self> {
        let refused = |name, reason: String| Error::InvalidOption { name, reason };
        let start = start_of(query, snapshot.size())?;
        // As whoever reads the answer will read it.
        let query = Query::from_bytes(&query.to_bytes());
        let query = query.map_err(|error| refused("query", error.to_string()))?;
        let asked = AskedTerms::of(&query, ground.log_id);
        Ok(Prover { snapshot, ground, query, asked, start, from_files: true })
    }

    fn answer(&self, checkpoint: &UnverifiedCheckpoint, disclosure: Disclosure) -> Result<Answer> {
        let segments = sealed_segments(&self.ground.state);
        let sealed_end = segments.last().map_or(0, |last| last.first.saturating_add(last.count));
        let newest_first = self.query.order == Order::NewestFirst;
        let covers = match (self.start, newest_first) {
            (None, _) => 0..sealed_end,
            (Some(start), true) => 0..sealed_end.min(start.get().saturating_add(1)),
            (Some(start), false) => sealed_end.min(start.get())..sealed_end,
        };
        let mut hunt = Hunt { left: self.query.limit, covers };
        let mut pieces = Vec::new();
        match newest_first {
            true => self.walk(segments.iter().rev(), &mut hunt, &mut pieces)?,
            false => self.walk(segments.iter(), &mut hunt, &mut pieces)?,
        }
        pieces.sort_unstable_by_key(|piece| piece.sealed.first);
        let candidates: Vec<Seq> =
            pieces.iter().flat_map(|piece| piece.candidates.iter().copied()).collect();
        let statement = self.statement(&pieces)?;
        let evidence = Evidence {
            query: self.query.clone(),
            covers: hunt.covers,
            statement,
            segments: pieces.into_iter().map(|piece| piece.evidence).collect(),
        };
        // What was not asked for is shown as far as it takes to see that it was not.
        let disclosure = |record: &CheckedRecord<'_>| match self.asks_for(record) {
            true => Ok(disclosure),
            false => Ok(Disclosure::WithholdPayload),
        };
        let bundle = self.snapshot.prove_each(&candidates, checkpoint, disclosure)?;
        let answer = Answer { evidence, bundle };
        self.check(&answer, checkpoint)?;
        Ok(answer)
    }

    /// As a stranger would.
    fn check(&self, answer: &Answer, checkpoint: &UnverifiedCheckpoint) -> Result<()> {
        let len = answer.to_text().len();
        if len > ANSWER_LEN_MAX {
            return Err(Error::TooLarge {
                what: "bytes of an answer",
                limit: ANSWER_LEN_MAX as u64,
                found: len as u64,
                advice: "ask with a limit, then continue with a cursor",
            });
        }
        let head = checkpoint.dangerously_unverified().head();
        answer
            .check(self.snapshot.tree()?.algorithm(), &head)
            .map_err(|error| does_not_hold("the answer to a query".to_owned(), &head, error))
    }

    fn walk<'s>(
        &self,
        segments: impl Iterator<Item = &'s Sealed>,
        hunt: &mut Hunt,
        pieces: &mut Vec<Piece>,
    ) -> Result<()> {
        if hunt.left == Some(0) {
            hunt.cut_at_start(self.query.order);
        }
        for sealed in segments {
            if let Some(window) = hunt.window(sealed) {
                pieces.push(self.piece(sealed, window, hunt)?);
            }
        }
        Ok(())
    }

    fn piece(&self, sealed: &Sealed, window: Range<u32>, hunt: &mut Hunt) -> Result<Piece> {
        let nothing = |evidence| Piece { sealed: *sealed, evidence, candidates: Vec::new() };
        if self.asked.is_excluded(sealed) {
            return Ok(nothing(SegmentEvidence::ExcludedByTimes));
        }
        if !status::is_readable(sealed.status) {
            return Ok(nothing(SegmentEvidence::NotLive));
        }
        if let Some(index) = self.index_of(sealed).filter(|_| self.from_files) {
            let before = hunt.clone();
            match self.indexed(&*index, sealed, window.clone(), hunt) {
                Ok(piece) => return Ok(piece),
                Err(NotShown::Index(_)) => {
                    self.snapshot.records().segment_set().note_unindexed(sealed.ordinal);
                    *hunt = before;
                }
                Err(NotShown::Other(error)) => return Err(error),
            }
        }
        let (scope, tail) = self.collect(sealed)?;
        let collected = Placed::new(tail.collected().logical(scope));
        self.indexed(&collected, sealed, window, hunt).map_err(|error| match error {
            NotShown::Index(damaged) => {
                let what = format!("the index of segment {}, from its records", sealed.ordinal);
                Error::tampered(what, damaged.expected, "something else")
            }
            NotShown::Other(error) => error,
        })
    }

    fn indexed<P: CommittedIndex>(
        &self,
        places: &P,
        sealed: &Sealed,
        window: Range<u32>,
        hunt: &mut Hunt,
    ) -> Result<Piece, NotShown> {
        check_order(places, sealed)?;
        let mut segment = Segment { places, asked: &self.asked, window };
        if let Some(left) = hunt.left {
            let found = self.hits(&segment, sealed, left)?;
            hunt.left = Some(left.saturating_sub(found.len() as u64));
            if hunt.left == Some(0)
                && let Some(last) = found.last()
            {
                hunt.cut_at(self.query.order, sealed.first.saturating_add((*last).into()));
                segment.window = hunt.window(sealed).unwrap_or(0..0);
            }
        }
        let (evidence, positions) = choice::evidence(&segment, sealed)?;
        let seq = |position: u32| Seq::new(sealed.first.saturating_add(position.into()));
        let candidates = positions.into_iter().map(seq).collect();
        Ok(Piece { sealed: *sealed, evidence, candidates })
    }

    /// The index file of a segment, if it is good, and of the root that was signed.
    fn index_of(&self, sealed: &Sealed) -> Option<Arc<IndexFile>> {
        let mut entries = self.snapshot.records().entries().iter();
        let entry = entries.find(|entry| entry.ordinal == sealed.ordinal)?;
        let index = self.snapshot.records().segment_set().index_of(entry)?;
        (index.head().root().as_bytes() == &sealed.index_root).then_some(index)
    }

    /// The index of a segment, made from its records.
    fn collect(&self, sealed: &Sealed) -> Result<(Scope, Tail)> {
        let (mut tail, mut failed) = (Tail::default(), Ok(()));
        let mut next = sealed.first;
        let end = sealed.first.saturating_add(sealed.count);
        while next < end {
            let count = u16::try_from(end - next).unwrap_or(u16::MAX);
            self.snapshot.records().with_records(Seq::new(next), count, |record| {
                if failed.is_ok() {
                    failed = add(&mut tail, &record);
                }
            })?;
            next = next.saturating_add(count.into());
        }
        failed?;
        let first = TreeSize::new(sealed.first);
        let scope = Scope { log_id: self.ground.log_id, first };
        let root = tail.collected().logical(scope).head().root();
        let signed = Hash::from_bytes(sealed.index_root);
        if signed != Hash::ZERO && signed != root {
            let what = format!("the index of segment {}", sealed.ordinal);
            return Err(Error::tampered(what, signed, root));
        }
        Ok((scope, tail))
    }

    /// The first records in the window that match, in the order of the query; at most so
    /// many.
    fn hits(
        &self,
        segment: &Segment<'_, impl CommittedIndex>,
        sealed: &Sealed,
        limit: u64,
    ) -> Result<Vec<u32>, NotShown> {
        let candidates = segment.candidates()?;
        let (mut hits, mut at) = (Vec::new(), 0);
        while let Some(position) = match self.query.order {
            Order::NewestFirst => candidates.len().checked_sub(at + 1),
            Order::OldestFirst => Some(at),
        }
        .and_then(|at| candidates.get(at))
        {
            let seq = Seq::new(sealed.first.saturating_add((*position).into()));
            if (hits.len() as u64) < limit && self.matches(seq)? {
                hits.push(*position);
            }
            if hits.len() as u64 == limit {
                break;
            }
            at += 1;
        }
        Ok(hits)
    }

    fn matches(&self, seq: Seq) -> Result<bool> {
        self.snapshot.records().with_record(seq, |_, record| self.asks_for(&record))
    }

    fn asks_for(&self, record: &CheckedRecord<'_>) -> bool {
        let at = record.head.recorded_at;
        let envelope = body::decode_envelope(record.head.schema, record.envelope);
        match (RecordKind::from_code(record.head.kind), envelope) {
            (Some(kind @ RecordKind::Event), Ok(envelope)) => {
                self.query.matches(at, kind, &envelope.subject())
            }
            (Some(kind @ RecordKind::Anchor), _) => {
                self.query.matches(at, kind, &Subject::of_anchor(at))
            }
            _ => false,
        }
    }

    /// The entries of the segments that are shown.
    fn statement(&self, pieces: &[Piece]) -> Result<CatalogStatement> {
        let entries: Vec<(&str, &[u8])> = self.ground.state.entries().collect();
        let places: HashMap<&str, usize> =
            entries.iter().enumerate().map(|(at, (key, _))| (*key, at)).collect();
        let mut items = Vec::new();
        for piece in pieces {
            let key = format!("segment/{:016x}", piece.sealed.ordinal);
            let at = places.get(key.as_str()).copied();
            let entry = at.and_then(|at| entries.get(at).map(|(_, value)| (at as u64, value)));
            let no_entry = || Error::Proof { reason: format!("expected an entry {key}") };
            let (index, value) = entry.ok_or_else(no_entry)?;
            items.push(PlacedEntry { index, entry: StateEntry { key, value: value.to_vec() } });
        }
        let seqs: Vec<Seq> = items.iter().map(|item| Seq::new(item.index)).collect();
        let hashes = batch_of_state(&entries, &seqs)?;
        let claim = CatalogClaim::Entries { entries: entries.len() as u64, items, hashes };
        let (anchor, anchor_hashes) =
            (self.ground.anchor_bytes.clone(), self.ground.anchor_hashes.clone());
        Ok(CatalogStatement { anchor, anchor_hashes, claim })
    }
}

/// The events of a segment must stand in the order in which they were recorded: a segment that no
/// log wrote is not shown to be complete.
fn check_order(places: &impl CommittedIndex, sealed: &Sealed) -> Result<(), NotShown> {
    let mut before: Option<TimeEntry> = None;
    for chunk in 0..chunk_count(places.head().events) {
        for entry in places.times_chunk(Axis::Recorded, chunk)? {
            // By time: what comes later was recorded later, and stands behind.
            if let Some(before) = before.filter(|before| entry.position < before.position) {
                let seq = Seq::new(sealed.first.saturating_add(before.position.into()));
                let times = [entry.time, before.time].map(Timestamp::from_nanos);
                let then = "no answer over this segment is proved: run `bulla verify`";
                return Err(decode::goes_back(seq, times, then).into());
            }
            before = Some(entry);
        }
    }
    Ok(())
}

impl Hunt {
    /// Positions of a segment that are still asked for, if there are any.
    fn window(&self, sealed: &Sealed) -> Option<Range<u32>> {
        let end = sealed.first.saturating_add(sealed.count).min(self.covers.end);
        let low = self.covers.start.max(sealed.first);
        let position = |seq: u64| u32::try_from(seq.saturating_sub(sealed.first)).ok();
        (low < end).then_some(position(low)?..position(end)?)
    }

    /// The range ends with the last record that was asked for.
    fn cut_at(&mut self, order: Order, last: u64) {
        match order {
            Order::NewestFirst => self.covers.start = last,
            Order::OldestFirst => self.covers.end = last.saturating_add(1),
        }
    }

    fn cut_at_start(&mut self, order: Order) {
        match order {
            Order::NewestFirst => self.covers.start = self.covers.end,
            Order::OldestFirst => self.covers.end = self.covers.start,
        }
    }
}

/// The sealed segments from the beginning of the log, without a gap.
fn sealed_segments(state: &StateMap) -> Vec<Sealed> {
    let mut segments: Vec<Sealed> = state.segments().collect();
    segments.sort_unstable_by_key(|sealed| sealed.first);
    let mut next = 0;
    segments.retain(|sealed| {
        let continues = sealed.first == next && sealed.count > 0;
        if continues {
            next = sealed.first.saturating_add(sealed.count);
        }
        continues
    });
    segments
}

/// Why a segment is not shown.
#[derive(Debug, thiserror::Error)]
enum NotShown {
    /// Its index is damaged: its records are read instead.
    #[error(transparent)]
    Index(#[from] Damaged),
    #[error(transparent)]
    Other(#[from] Error),
}
