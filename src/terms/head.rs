//! [`IndexHead`]: what an index root is the hash of.

use crate::format::LogId;
use crate::hash::{Hash, HashAlgorithm};
use crate::seq::TreeSize;

const TAG_HEAD: &[u8] = b"bulla/index-head/v1\0";
const TAG_TERM: &[u8] = b"bulla/index-term/v1\0";

/// Which records an index is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The log.
    pub log_id: LogId,
    /// Records of the log before the segment.
    pub first: TreeSize,
}

/// What an index root is the hash of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexHead {
    /// By which specification the terms are those of the records.
    pub spec: u8,
    /// Which records it is of.
    pub scope: Scope,
    /// How many records there are.
    pub records: u64,
    /// How many of them are events.
    pub events: u64,
    /// How many terms they have.
    pub terms: u64,
    /// Root of the tree over the terms, ascending by key.
    pub terms_root: Hash,
    /// Root over the chunks of the times when the events occurred.
    pub occurred_root: Hash,
    /// Root over the chunks of the times when they were recorded.
    pub recorded_root: Hash,
}

impl IndexHead {
    /// The index root: SHA-256 leaf of tag ‖ specification (1 byte) ‖ log id (16) ‖ first (8)
    /// ‖ records (8) ‖ events (8) ‖ terms (8) ‖ the three roots.
    pub fn root(&self) -> Hash {
        HashAlgorithm::Sha256.leaf(&[
            TAG_HEAD,
            &[self.spec],
            &self.scope.log_id.0,
            &self.scope.first.get().to_le_bytes(),
            &self.records.to_le_bytes(),
            &self.events.to_le_bytes(),
            &self.terms.to_le_bytes(),
            self.terms_root.as_bytes(),
            self.occurred_root.as_bytes(),
            self.recorded_root.as_bytes(),
        ])
    }
}

/// A leaf of the tree over the terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TermLeaf {
    /// The term's key.
    pub key: Vec<u8>,
    /// Positions in its list, at least 1.
    pub count: u64,
    /// Root over the chunks of the list.
    pub list_root: Hash,
}

impl TermLeaf {
    /// The leaf hash: tag ‖ length of the key (4 bytes) ‖ key ‖ count (8) ‖ root of the list.
    pub fn hash(&self) -> Hash {
        let key_len = u32::try_from(self.key.len()).unwrap_or(u32::MAX).to_le_bytes();
        HashAlgorithm::Sha256.leaf(&[
            TAG_TERM,
            &key_len,
            &self.key,
            &self.count.to_le_bytes(),
            self.list_root.as_bytes(),
        ])
    }
}
