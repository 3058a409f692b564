//! What an auditor says of the indexes that an answer rests on.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bulla::TreeHead;
use bulla::checkpoint::{NOTE_LEN_MAX, Note, VerifyingKey};
use bulla::proof::{AuditedSegment, IndexAudit, RestsOn, VerifiedAnswer, VerifiedIndexAudit};

use crate::failure::NotProved;
use crate::{keys, places};

/// An audit that a known auditor signed.
pub(super) struct Audit {
    file: PathBuf,
    verified: VerifiedIndexAudit,
}

impl Audit {
    /// Reads an audit and checks that one of the given keys signed it.
    pub(super) fn read(file: &Path, auditors: &[String]) -> Result<Self> {
        let auditors = keys::verifying_keys_of("--auditor", auditors)?;
        let note = Note::parse(&places::read_small(file, NOTE_LEN_MAX as u64)?);
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

    /// Checks that everything that the answer rests on was recomputed.
    pub(super) fn check(&self, answer: &VerifiedAnswer) -> Result<(), NotProved> {
        if answer.is_audited_by(&self.verified) {
            return Ok(());
        }
        Err(NotProved(format!("{}: {}", self.file.display(), self.what_is_missing(answer))))
    }

    fn what_is_missing(&self, answer: &VerifiedAnswer) -> String {
        let audit = self.verified.audit();
        let (origin, log_id) = (answer.checkpoint().origin(), answer.log_id());
        if (audit.origin.as_str(), audit.log_id) != (origin, log_id) {
            return format!(
                "expected an audit of {origin} (id {log_id}), found one of {} (id {})",
                audit.origin, audit.log_id
            );
        }
        let found = |first| audit.segments.iter().find(|segment| segment.first == first);
        for rests_on in answer.rests_on() {
            if let Some(missing) = differs(rests_on, found) {
                return missing;
            }
        }
        "expected an audit of all that the answer rests on, found less".to_owned()
    }
}

/// What the auditor should have found of a segment, if he did not.
fn differs<'a>(
    rests_on: &RestsOn,
    found: impl Fn(bulla::Seq) -> Option<&'a AuditedSegment>,
) -> Option<String> {
    let (first, count, expected) = match rests_on {
        RestsOn::Index { first, count, root } => (*first, *count, format!("index root {root}")),
        RestsOn::Times { first, count, times } => (*first, *count, format!("times {times:?}")),
        _ => return None,
    };
    let segment = format!("the segment of {count} records from {first} on");
    let Some(found) = found(first) else {
        return Some(format!("expected {segment}, found none: the audit does not cover it"));
    };
    let same = match rests_on {
        RestsOn::Index { root, .. } => found.index_root == *root,
        RestsOn::Times { times, .. } => found.times == *times,
        _ => true,
    };
    let told = match rests_on {
        RestsOn::Index { .. } => format!("index root {}", found.index_root),
        _ => format!("times {:?}", found.times),
    };
    match same && found.count == count {
        true => None,
        false => {
            Some(format!("{segment}: expected {expected}, found {told} of {} records", found.count))
        }
    }
}
