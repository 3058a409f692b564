//! What an answer shows besides records, and its bytes.
//!
//! ```text
//! evidence = query with length ‖ from (8) ‖ to (8) ‖ statement with length
//!            ‖ number of segments (4) ‖ segment…
//! segment  = 01                  excluded by its times
//!          | 02                  not live
//!          | 03                  all its records in the range are disclosed
//!          | 04 ‖ index
//! index    = events (8) ‖ terms (8) ‖ root of the terms ‖ occurred root ‖ recorded root
//!            ‖ shown (1) ‖ number of leaves (4) ‖ leaf… ‖ hashes ‖ times ‖ times
//! shown    = bit n: the nth clause; bit 7: the anchors
//! leaf     = place (8) ‖ key with length ‖ count (8) ‖ root of the list
//!            ‖ (00, or 01 ‖ first chunk (8) ‖ number (4) ‖ positions ‖ hashes)
//! positions= LEB128 each: the first, then how far each is above the one before
//! times    = 00, or 01 ‖ first chunk (8) ‖ number (4) ‖ entries ‖ hashes
//! entries  = (time ‖ position) each in LEB128: the first time as nanoseconds since the
//!            smallest that can be, then how far each is above the one before
//! hashes   = number (4) ‖ 32 bytes each
//! ```

use std::ops::Range;

use crate::hash::Hash;
use crate::proof::catalog::CatalogStatement;
use crate::proof::fields::{Fields, put_bytes, put_many_hashes, put_u32, put_u64};
use crate::proof::malformed::MalformedProof;
use crate::query::Query;
use crate::terms::{TermLeaf, TimeEntry, put_varint};

const WHAT: &str = "the evidence of an answer";

mod tag {
    pub(super) const EXCLUDED: u8 = 1;
    pub(super) const NOT_LIVE: u8 = 2;
    pub(super) const DISCLOSED: u8 = 3;
    pub(super) const INDEX: u8 = 4;
}

const ANCHORS_BIT: u8 = 1 << 7;

/// What shows that the records of an answer are all that match. **Not checked.**
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The question; its cursor is no part of it.
    pub query: Query,
    /// The Seqs that the answer speaks about.
    pub covers: Range<u64>,
    /// The entries of the segments that meet the range, ascending, by claim 4.
    pub statement: CatalogStatement,
    /// What is shown of each of them.
    pub segments: Vec<SegmentEvidence>,
}

/// What is shown of a segment. **Not checked.**
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmentEvidence {
    /// Nothing: its entry in the state says that no record has a time that is asked for.
    ExcludedByTimes,
    /// Nothing: it is no longer in the log, so nothing is said of its records.
    NotLive,
    /// All its records that are in the range are disclosed.
    Disclosed,
    /// Parts of its index.
    Index(Box<IndexEvidence>),
}

/// Parts of the index of a segment. **Not checked.**
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEvidence {
    /// How many events the segment has.
    pub events: u64,
    /// How many terms they have.
    pub terms: u64,
    /// Root of the tree over the terms.
    pub terms_root: Hash,
    /// Root over the times when the events occurred.
    pub occurred_root: Hash,
    /// Root over the times when they were recorded.
    pub recorded_root: Hash,
    /// Bit n: the lists of the query's nth clause are shown; at most 7 clauses.
    pub clauses: u8,
    /// Whether the list of the anchors is shown.
    pub anchors: bool,
    /// Leaves of the tree over the terms, ascending.
    pub leaves: Vec<TermEvidence>,
    /// From them up to the root (a batch proof).
    pub leaf_hashes: Vec<Hash>,
    /// When events occurred, if that is shown.
    pub occurred: Option<TimeEvidence>,
    /// When they were recorded, if that is shown.
    pub recorded: Option<TimeEvidence>,
}

/// A leaf of the tree over the terms. **Not checked.**
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TermEvidence {
    /// How many leaves stand before it.
    pub place: u64,
    /// The leaf.
    pub leaf: TermLeaf,
    /// Positions that have the term; `None`: it is shown for its place alone.
    pub list: Option<ShownList>,
}

/// Consecutive chunks of the list of a term. **Not checked.**
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownList {
    /// How many chunks stand before them.
    pub first_chunk: u64,
    /// Their positions, ascending.
    pub positions: Vec<u32>,
    /// From the chunks up to the root of the list (a batch proof).
    pub hashes: Vec<Hash>,
}

/// Consecutive chunks of the times of an axis. **Not checked.**
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeEvidence {
    /// How many chunks stand before them.
    pub first_chunk: u64,
    /// Their entries, ascending.
    pub entries: Vec<TimeEntry>,
    /// From the chunks up to the root of the axis (a batch proof).
    pub hashes: Vec<Hash>,
}

impl Evidence {
    /// The bytes of the evidence.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(&mut out, &self.query.to_bytes());
        put_u64(&mut out, self.covers.start);
        put_u64(&mut out, self.covers.end);
        put_bytes(&mut out, &self.statement.to_bytes());
        put_u32(&mut out, self.segments.len());
        self.segments.iter().for_each(|segment| segment.put(&mut out));
        out
    }

    /// Reads evidence, strictly: what is read is written again byte for byte.
    ///
    /// # Errors
    /// Says what is not as it must be.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedProof> {
        let mut fields = Fields::of(WHAT, bytes);
        let query = Query::from_bytes(fields.bytes()?)
            .map_err(|error| MalformedProof::bytes(WHAT, "a query", error))?;
        let covers = fields.u64()?..fields.u64()?;
        let statement = CatalogStatement::parse(fields.bytes()?)?;
        let count = fields.u32()?;
        let segments = (0..count).map(|_| SegmentEvidence::take(&mut fields));
        let segments = segments.collect::<Result<_, _>>()?;
        fields.end()?;
        let evidence = Evidence { query, covers, statement, segments };
        // An integer in LEB128 could be written longer.
        match evidence.to_bytes() == bytes {
            true => Ok(evidence),
            false => Err(MalformedProof::bytes(WHAT, "the shortest integers", "longer ones")),
        }
    }
}

impl SegmentEvidence {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            SegmentEvidence::ExcludedByTimes => out.push(tag::EXCLUDED),
            SegmentEvidence::NotLive => out.push(tag::NOT_LIVE),
            SegmentEvidence::Disclosed => out.push(tag::DISCLOSED),
            SegmentEvidence::Index(index) => {
                out.push(tag::INDEX);
                index.put(out);
            }
        }
    }

    fn take(fields: &mut Fields<'_>) -> Result<Self, MalformedProof> {
        match fields.u8()? {
            tag::EXCLUDED => Ok(SegmentEvidence::ExcludedByTimes),
            tag::NOT_LIVE => Ok(SegmentEvidence::NotLive),
            tag::DISCLOSED => Ok(SegmentEvidence::Disclosed),
            tag::INDEX => Ok(SegmentEvidence::Index(Box::new(IndexEvidence::take(fields)?))),
            other => Err(MalformedProof::bytes(WHAT, "a segment of kind 1 to 4", other)),
        }
    }
}

impl IndexEvidence {
    fn put(&self, out: &mut Vec<u8>) {
        put_u64(out, self.events);
        put_u64(out, self.terms);
        for root in [self.terms_root, self.occurred_root, self.recorded_root] {
            out.extend_from_slice(root.as_bytes());
        }
        let anchors = if self.anchors { ANCHORS_BIT } else { 0 };
        out.push(self.clauses & !ANCHORS_BIT | anchors);
        put_u32(out, self.leaves.len());
        self.leaves.iter().for_each(|leaf| leaf.put(out));
        put_many_hashes(out, &self.leaf_hashes);
        for times in [&self.occurred, &self.recorded] {
            out.push(u8::from(times.is_some()));
            times.iter().for_each(|times| times.put(out));
        }
    }

    fn take(fields: &mut Fields<'_>) -> Result<Self, MalformedProof> {
        let (events, terms) = (fields.u64()?, fields.u64()?);
        let (terms_root, occurred_root) = (fields.hash()?, fields.hash()?);
        let (recorded_root, shown) = (fields.hash()?, fields.u8()?);
        let count = fields.u32()?;
        let leaves = (0..count).map(|_| TermEvidence::take(fields)).collect::<Result<_, _>>()?;
        Ok(IndexEvidence {
            events,
            terms,
            terms_root,
            occurred_root,
            recorded_root,
            clauses: shown & !ANCHORS_BIT,
            anchors: shown & ANCHORS_BIT != 0,
            leaves,
            leaf_hashes: fields.many_hashes()?,
            occurred: optional(fields, TimeEvidence::take)?,
            recorded: optional(fields, TimeEvidence::take)?,
        })
    }
}

fn optional<'a, T>(
    fields: &mut Fields<'a>,
    take: impl FnOnce(&mut Fields<'a>) -> Result<T, MalformedProof>,
) -> Result<Option<T>, MalformedProof> {
    match fields.u8()? {
        0 => Ok(None),
        1 => take(fields).map(Some),
        other => Err(MalformedProof::bytes(WHAT, "00 or 01", other)),
    }
}

impl TermEvidence {
    fn put(&self, out: &mut Vec<u8>) {
        put_u64(out, self.place);
        put_bytes(out, &self.leaf.key);
        put_u64(out, self.leaf.count);
        out.extend_from_slice(self.leaf.list_root.as_bytes());
        out.push(u8::from(self.list.is_some()));
        self.list.iter().for_each(|list| list.put(out));
    }

    fn take(fields: &mut Fields<'_>) -> Result<Self, MalformedProof> {
        let (place, key) = (fields.u64()?, fields.bytes()?.to_vec());
        let leaf = TermLeaf { key, count: fields.u64()?, list_root: fields.hash()? };
        Ok(TermEvidence { place, leaf, list: optional(fields, ShownList::take)? })
    }
}

impl ShownList {
    fn put(&self, out: &mut Vec<u8>) {
        put_u64(out, self.first_chunk);
        put_u32(out, self.positions.len());
        let mut before = 0;
        for position in &self.positions {
            put_varint(out, position.wrapping_sub(before).into());
            before = *position;
        }
        put_many_hashes(out, &self.hashes);
    }

    fn take(fields: &mut Fields<'_>) -> Result<Self, MalformedProof> {
        let (first_chunk, count) = (fields.u64()?, fields.u32()?);
        let (mut positions, mut before) = (Vec::new(), 0_u32);
        for _ in 0..count {
            before = above(before, fields.varint()?)?;
            positions.push(before);
        }
        Ok(ShownList { first_chunk, positions, hashes: fields.many_hashes()? })
    }
}

fn above(before: u32, step: u64) -> Result<u32, MalformedProof> {
    let position = u32::try_from(step).ok().and_then(|step| before.checked_add(step));
    position.ok_or_else(|| MalformedProof::bytes(WHAT, "a position below 2^32", "one above"))
}

impl TimeEvidence {
    fn put(&self, out: &mut Vec<u8>) {
        put_u64(out, self.first_chunk);
        put_u32(out, self.entries.len());
        let mut before = i64::MIN;
        for entry in &self.entries {
            put_varint(out, entry.time.wrapping_sub(before).cast_unsigned());
            put_varint(out, entry.position.into());
            before = entry.time;
        }
        put_many_hashes(out, &self.hashes);
    }

    fn take(fields: &mut Fields<'_>) -> Result<Self, MalformedProof> {
        let (first_chunk, count) = (fields.u64()?, fields.u32()?);
        let (mut entries, mut before) = (Vec::new(), i64::MIN);
        for _ in 0..count {
            let time = before.checked_add_unsigned(fields.varint()?);
            before = time.ok_or_else(|| {
                MalformedProof::bytes(WHAT, "a time in nanoseconds since 1970", "a later one")
            })?;
            entries.push(TimeEntry { time: before, position: above(0, fields.varint()?)? });
        }
        Ok(TimeEvidence { first_chunk, entries, hashes: fields.many_hashes()? })
    }
}
