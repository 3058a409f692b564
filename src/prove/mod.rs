//! Proofs: what shows a stranger that a record is under a checkpoint, that one checkpoint
//! extends another, and what the catalog says.
//!
//! - `record`: one record; `batch`: many in one file; `answer`: all that match a query;
//! - `consistency`: between sizes and checkpoints; `catalog`: the catalog and the state;
//! - `tiles`: the form that other tools read.
//!
//! The arithmetic plans which hashes a proof needs, and here they are read: a number that
//! grows with the logarithm of the log. Every proof is checked before it is handed out: a
//! damaged hash file must not make one that fails elsewhere.

mod answer;
mod batch;
mod catalog;
mod consistency;
mod record;
pub(crate) mod tiles;

use crate::error::{Error, Result};
use crate::format::record::CheckedRecord;
use crate::hash::Hash;
use crate::merkle::{NodeId, TreeHead};
use crate::proof::{disclose, disclose_decrypted};
use crate::read::decode;
use crate::read::payload_reader::PayloadAccess;
use crate::read::snapshot::Snapshot;

pub use crate::proof::Disclosure;

impl Snapshot {
    fn nodes(&self, nodes: &[NodeId]) -> Result<Vec<Hash>> {
        let tree = self.tree()?;
        nodes.iter().map(|node| tree.node(*node)).collect()
    }

    /// The bytes of a record for a proof. Of what was erased there is only the envelope.
    fn shown(&self, record: &CheckedRecord<'_>, disclosure: Disclosure) -> Result<Vec<u8>> {
        if disclosure == Disclosure::WithholdPayload || record.encrypted().is_none() {
            return Ok(disclose(record, disclosure));
        }
        let seq = record.head.seq;
        let opened = self.records().segment_set().payload_reader().open(record);
        match opened.map_err(|reason| decode::damaged(seq, reason))? {
            PayloadAccess::Decrypted(salted) => Ok(disclose_decrypted(record, &salted)),
            PayloadAccess::Sealed => Err(Error::PayloadSealed { seq }),
            PayloadAccess::Plain(_) | PayloadAccess::Erased => Ok(disclose(record, disclosure)),
        }
    }

    /// The head must be one of this log.
    fn check_own(&self, head: &TreeHead) -> Result<()> {
        let root = self.head_at(head.size)?.root;
        if root == head.root {
            return Ok(());
        }
        let what = format!("the checkpoint of size {}", head.size);
        Err(Error::tampered(what, head.root, format!("root {root} in this log")))
    }
}

/// A proof that was just made does not hold: what it was made from is not what was signed.
fn does_not_hold(what: String, head: &TreeHead, error: impl std::fmt::Display) -> Error {
    Error::Tampered {
        what,
        expected: format!("a path to root {}", head.root),
        found: error.to_string(),
    }
}
