//! Indexes of segments: what has a term, and at which positions.
//!
//! A sealed segment has its index in a file, `.idx`, which is written once and derived; a
//! segment that is being written has it in memory. Both answer through [`SegmentIndex`]. A
//! *position* is a record's number in its segment.

mod answer;
mod chunk;
mod damaged;
mod encode;
mod file;
#[cfg(test)]
mod file_tests;
mod id_field;
mod logical;
mod packed;
mod pages;
mod posting_list;
mod sections;
mod segment_index;
mod tail;
mod times;

pub use chunk::{CHUNK, GROUP};
pub use damaged::Damaged;
pub use encode::encode;
pub use file::{IndexFile, MAX_LEN};
pub use id_field::{IdField, fingerprint};
pub use logical::Placed;
pub use packed::PackedPostings;
pub use posting_list::{Cursor, PostingList};
pub use segment_index::{CommittedIndex, EachTerm, SegmentIndex};
pub use tail::Tail;
