//! What an auditor says of the indexes that an answer rests on.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bulla::TreeHead;
use bulla::checkpoint::{NOTE_LEN_MAX, Note, VerifyingKey};
use bulla::proof::{IndexAudit, VerifiedAnswer, VerifiedIndexAudit};

use crate::failure::NotProved;
use crate::{keys, open_log};

/// An audit that a known auditor signed.
pub(super) struct Audit {
    file: PathBuf,
    verified: VerifiedIndexAudit,
}

impl Audit {
    /// Reads an audit and checks that one of the given keys signed it.
    pub(super) fn read(file: &Path, auditors: &[String]) -> Result<Self> {
        let auditors = keys::verifying_keys_of("--auditor", auditors)?;
        let note = Note::parse(&open_log::read_small(file, NOTE_LEN_MAX as u64)?);
        let note = note.with_context(|| file.display().to_string())?;
        let mut refused = None;
        for auditor in &auditors {
            match IndexAudit::verify(&note, auditor) {
                Ok(verified) => return Ok(Audit { file: file.to_owned(), verified }),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        let reason = refused.map_or("no key was given".to_owned(), |error| error.to_string());
        Err(NotProved(format!("{}: {reason}", file.display())).into())
    }

    pub(super) fn auditor(&self) -> &VerifyingKey {
        self.verified.auditor()
    }

    /// The head under which the records were read.
    pub(super) fn head(&self) -> TreeHead {
        self.verified.audit().main
    }

    /// Checks that everything that the answer rests on was recomputed, and not by the log itself.
    pub(super) fn check(&self, answer: &VerifiedAnswer) -> Result<(), NotProved> {
        let checked = answer.check_audit(&self.verified);
        checked.map_err(|error| NotProved(format!("{}: {error}", self.file.display())))
    }
}
