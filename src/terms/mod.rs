//! The logical index of a segment: which terms its events have, at which positions, and
//! when they happened.
//!
//! It is a pure function of the heads and envelopes of a segment's records (specifications 1 and 2,
//! `docs/format.md`, “Logical index”), so whoever has those can compute its root, whatever
//! the bytes of an `.idx` file are. The root stands in the segment's seal and in the state
//! of the catalog: with it an answer can be shown to be complete.
//!
//! A *term* is a field with a value. Only events have terms; the anchors of a segment are the
//! list of one term of their own. A *position* is a record's number in its segment, from 0.

mod clauses;
mod collect;
mod head;
mod lists;
mod term;
#[cfg(test)]
mod tests;
pub use clauses::{Clause, Reach, Wanted, anchors, clauses};
pub use collect::{Collected, Logical, LogicalTerm, each_term};
pub use head::{IndexHead, Scope, TermLeaf};
pub use lists::{CHUNK, TimeEntry, chunk_count, position_chunk_leaf, time_chunk_leaf};
pub use term::{Axis, Field, SPEC, SPEC_ADDED, Term, put_varint, take_varint};
