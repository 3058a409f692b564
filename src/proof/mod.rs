//! Proofs in the form in which they leave the log: one self-contained text that
//! shows, offline and to a stranger, that a record is in the log.
//!
//! - [`TlogProof`]: one record under a checkpoint; [`Bundle`]: many;
//! - [`Answer`]: the records that match a query, shown to be all; [`IndexAudit`]: somebody
//!   recomputed the index roots that such an answer rests on;
//! - [`ConsistencyProof`]: one checkpoint extends another;
//! - [`CatalogProof`]: what the catalog says, or has in force, under a checkpoint;
//! - [`VaultProof`]: a record of one of the logs of a vault, under the vault's checkpoint.
//!
//! # The text of a [`TlogProof`]
//!
//! For a SHA-256 log it is c2sp.org/tlog-proof@v1, in a file `*.tlog-proof`, which
//! other tools read. For a BLAKE3 log the same lines stand under a first line of
//! their own, in a file `*.bulla-proof`, so that no tool takes it for the former.
//!
//! ```text
//! c2sp.org/tlog-proof@v1          or bulla.dev/blake3-proof@v1
//! extra BASE64                    optional: opaque, not authenticated
//! index 73894                     the record's Seq
//! gSKyXoYZUgZ6jduWYrkDOARin…      the hashes, leaf's sibling first
//!
//! example.com/audit               the signed checkpoint, verbatim
//! …
//! ```

pub(crate) mod answer;
mod audit;
mod bundle;
mod catalog;
mod catalog_record;
mod consistency;
mod disclosed;
mod extra;
mod fields;
mod inclusion;
mod malformed;
mod parts;
#[cfg(test)]
mod tests;
mod text;
mod vault;
mod verify_error;

/// What a record of the catalog holds: one type for each kind of record.
pub mod catalog_body {
    pub use crate::format::catalog_body::{
        Archived, ArchivedAt, CatalogBody, ClockStepped, Created, DropAborted, DropCompleted,
        DropStarted, Erased, HeadSigned, HoldPlaced, HoldReleased, KeyAdded, KeysChanged,
        PolicySet, ProtectionSet, Quarantined, RecordedAttribution, Restored, Sealed, Unknown,
        kind, status,
    };
}

pub use crate::terms::{TermLeaf, TimeEntry};
pub use answer::{
    ANSWER_LEN_MAX, Answer, Evidence, IndexEvidence, NotLive, RestsOn, SegmentEvidence, ShownList,
    TermEvidence, TimeEvidence, VerifiedAnswer, VerifyAnswerError,
};
pub use audit::{AuditedSegment, IndexAudit, IndexAuditError, NotAudited, VerifiedIndexAudit};
pub use bundle::{
    BUNDLE_LEN_MAX, BUNDLE_RECORDS_MAX, Bundle, BundledRecord, NOTE_TEXT_LEN_MAX, ProvedRecord,
    VerifiedBundle, VerifyBundleError,
};
pub use catalog::{
    CATALOG_PROOF_LEN_MAX, CatalogClaim, CatalogProof, CatalogStatement, PlacedEntry, ProvenClaim,
    StateEntry, StatePlace, VerifiedCatalogProof, VerifiedStatement,
};
pub use catalog_record::CatalogRecord;
pub use consistency::{
    CONSISTENCY_HASHES_MAX, CONSISTENCY_PROOF_LEN_MAX, ConsistencyProof, VerifiedConsistency,
};
pub use disclosed::VerifiedRecord;
pub use extra::{AppendedAfter, CARRIED_KEY_CHAIN_LEN_MAX, Extra};
pub use inclusion::{InclusionProof, TlogProof, VerifiedInclusion};
pub use malformed::MalformedProof;
pub use parts::{Disclosure, VerifyRecordError};
#[cfg(feature = "engine")]
pub(crate) use parts::{disclose, disclose_decrypted};
pub use text::{PROOF_HASHES_MAX, PROOF_LEN_MAX, ParseProofError};
pub use vault::{
    HeadList, LogHead, VAULT_HEADS_ACTION, VAULT_HEADS_KIND, VAULT_LOGS_MAX, VAULT_ORIGIN_SUFFIX,
    VaultProof, VerifiedVaultRecord, VerifyVaultError,
};
#[cfg(feature = "engine")]
pub(crate) use vault::{VAULT_NAME_LEN_MAX, VAULT_NAME_RESERVED};
pub use verify_error::VerifyProofError;
