//! When a witness cosigns (c2sp.org/tlog-witness, "add-checkpoint").

use super::request::AddCheckpoint;
use crate::checkpoint::{
    CheckpointError, NoteSignature, NoteSigner, VerifiedCheckpoint, VerifyingKey,
};
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::{ProofError, TreeHead, verify_consistency};
use crate::seq::TreeSize;

/// A checkpoint that a witness cosigns, and whose head it notes durably before it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    checkpoint: VerifiedCheckpoint,
}

impl Accepted {
    /// The origin under which the witness notes the head.
    pub fn origin(&self) -> &str {
        self.checkpoint.origin()
    }

    /// The head to note: from now on, this is the largest that was seen.
    pub fn head(&self) -> TreeHead {
        self.checkpoint.head()
    }

    /// What the log signed.
    pub fn checkpoint(&self) -> &VerifiedCheckpoint {
        &self.checkpoint
    }

    /// Cosigns. **Give the line to nobody before the head was noted durably**: a witness
    /// that forgets what it cosigned cosigns two histories.
    ///
    /// # Errors
    /// As [`VerifiedCheckpoint::cosign`].
    pub fn cosign(
        &self,
        cosigner: &dyn NoteSigner,
        unix_seconds: u64,
    ) -> Result<NoteSignature, CheckpointError> {
        self.checkpoint.cosign(cosigner, unix_seconds)
    }
}

/// The witness's rule. `keys` are those of the logs it watches, each named as its log's
/// origin; `noted` is the largest head that it noted for the origin of the request, the
/// empty tree's if it noted none.
///
/// Between reading `noted` and noting the accepted head, nobody else may do the same:
/// the caller holds a lock over both.
///
/// # Errors
/// Why the witness does not cosign, which is also what it answers.
pub fn check(
    request: &AddCheckpoint,
    keys: &[VerifyingKey],
    noted: &TreeHead,
) -> Result<Accepted, Refusal> {
    let claimed = request.checkpoint().dangerously_unverified();
    let own: Vec<VerifyingKey> =
        keys.iter().filter(|key| key.name().as_str() == claimed.origin()).cloned().collect();
    if own.is_empty() {
        return Err(Refusal::UnknownOrigin { origin: claimed.origin().to_owned() });
    }
    let checkpoint = request.checkpoint().verify(&own).map_err(Refusal::NotSigned)?;
    if checkpoint.algorithm() != HashAlgorithm::Sha256 {
        let found = checkpoint.algorithm();
        return Err(Refusal::NotSigned(CheckpointError::NotForWitnesses { found }));
    }
    check_extends(request, &checkpoint.head(), noted)?;
    Ok(Accepted { checkpoint })
}

/// The sizes, then the roots.
fn check_extends(
    request: &AddCheckpoint,
    head: &TreeHead,
    noted: &TreeHead,
) -> Result<(), Refusal> {
    let old_size = request.old_size();
    if old_size > head.size {
        return Err(Refusal::OldSizeBeyond { old_size, size: head.size });
    }
    if old_size != noted.size {
        return Err(Refusal::Conflict { noted: noted.size, found: old_size });
    }
    if old_size == head.size && head.root != noted.root {
        let (noted, found) = (noted.root, head.root);
        return Err(Refusal::Fork { size: head.size, noted, found });
    }
    verify_consistency(HashAlgorithm::Sha256, noted, head, request.proof())
        .map_err(Refusal::Inconsistent)
}

/// Why a witness does not cosign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The witness does not watch this log.
    #[error("expected the checkpoint of a log that this witness watches, found one of {origin:?}")]
    UnknownOrigin {
        /// The origin of the checkpoint.
        origin: String,
    },
    /// No key that the witness knows of this log signed, or one's signature is wrong.
    #[error(transparent)]
    NotSigned(CheckpointError),
    /// The old size is larger than the checkpoint's.
    #[error("expected an old size of at most the checkpoint's {size}, found {old_size}")]
    OldSizeBeyond {
        /// The old size of the request.
        old_size: TreeSize,
        /// The checkpoint's size.
        size: TreeSize,
    },
    /// The old size is not what the witness has noted. To be tried again from there.
    #[error("expected a proof from size {noted}, found one from {found}")]
    Conflict {
        /// The size that the witness has noted.
        noted: TreeSize,
        /// The old size of the request.
        found: TreeSize,
    },
    /// The log signed another root at the size that the witness has noted: two
    /// histories. The checkpoint is evidence.
    #[error(
        "the log has two histories: at size {size} this witness saw root {noted}, now it is {found}"
    )]
    Fork {
        /// The size.
        size: TreeSize,
        /// The root that the witness has noted.
        noted: Hash,
        /// The root of the checkpoint.
        found: Hash,
    },
    /// The proof does not show that the checkpoint extends what the witness has noted:
    /// a mistake, or two histories.
    #[error("the checkpoint does not extend what this witness saw of the log: {0}")]
    Inconsistent(#[source] ProofError),
}

impl Refusal {
    /// The status of the HTTP answer.
    pub fn status(&self) -> u16 {
        match self {
            Refusal::UnknownOrigin { .. } => 404,
            Refusal::NotSigned(_) => 403,
            Refusal::OldSizeBeyond { .. } => 400,
            Refusal::Conflict { .. } | Refusal::Fork { .. } => 409,
            Refusal::Inconsistent(_) => 422,
        }
    }

    /// The media type of the HTTP answer.
    pub fn content_type(&self) -> &'static str {
        match self {
            Refusal::Conflict { .. } => SIZE_TYPE,
            _ => "text/plain; charset=utf-8",
        }
    }

    /// The body of the HTTP answer: the noted size on a conflict, else the reason.
    pub fn body(&self) -> String {
        match self {
            Refusal::Conflict { noted, .. } => format!("{noted}\n"),
            other => format!("{other}\n"),
        }
    }
}

/// The media type of a body that is a tree size.
const SIZE_TYPE: &str = "text/x.tlog.size";
