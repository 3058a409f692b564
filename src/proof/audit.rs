//! [`IndexAudit`]: an auditor says that he recomputed index roots from the records.
//!
//! ```text
//! bulla.dev/index-audit/v1
//! example.com/audit                       the origin
//! log 00112233445566778899aabbccddeeff    the log's identity
//! main 20852163 CsUYap…                   the head under which the records were read
//! spec 1                                  the specification of the logical index
//! segment 0 4096 k2Xy… 1 2 1 2            first, count, index root, smallest and largest
//! …                                       recorded_at, then occurred_at; ascending
//! ```
//!
//! A signed note, by a key of the auditor's own. An answer is complete relative to index roots
//! and times that the log signed; whoever trusts the auditor knows that these are those of
//! the records.

use super::answer::judged::RestsOn;
use crate::checkpoint::line::{base64_hash, decimal, to_base64};
use crate::checkpoint::{
    KeyError, KeyName, Note, NoteError, NoteSigner, VerifyNoteError, VerifyingKey,
};
use crate::format::LogId;
use crate::hash::Hash;
use crate::merkle::TreeHead;
use crate::seq::{Seq, TreeSize};
use crate::terms::SPEC;

const FIRST_LINE: &str = "bulla.dev/index-audit/v1";
/// What the names of a log's own keys have behind its origin. Early BLAKE3 logs signed heads of
/// their catalog under the second name.
const LOG_KEY_SUFFIXES: [&str; 3] = ["", "/catalog", "/recovery"];

/// What an auditor says. By itself only a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexAudit {
    /// The log's public name.
    pub origin: String,
    /// The log's identity.
    pub log_id: LogId,
    /// The head under which the records were read.
    pub main: TreeHead,
    /// What was recomputed, ascending by first record.
    pub segments: Vec<AuditedSegment>,
}

/// A segment whose index was recomputed from its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditedSegment {
    /// Its first record.
    pub first: Seq,
    /// Records in it.
    pub count: u64,
    /// The root of its index.
    pub index_root: Hash,
    /// Smallest and largest `recorded_at`, then `occurred_at`, in nanoseconds since 1970: all
    /// its records lie between them.
    pub times: [i64; 4],
}

impl IndexAudit {
    /// The first line of the text.
    pub const FIRST_LINE: &str = FIRST_LINE;

    /// The text to be signed.
    pub fn to_text(&self) -> String {
        let IndexAudit { origin, log_id, main, segments } = self;
        let mut text = format!("{FIRST_LINE}\n{origin}\nlog {log_id}\n");
        text += &format!("main {} {}\nspec {SPEC}\n", main.size, to_base64(main.root.as_bytes()));
        for AuditedSegment { first, count, index_root, times } in segments {
            let [a, b, c, d] = times;
            let root = to_base64(index_root.as_bytes());
            text += &format!("segment {first} {count} {root} {a} {b} {c} {d}\n");
        }
        text
    }

    /// Signs it. The key is the auditor's, named as he is.
    ///
    /// # Errors
    /// It is not one that a verifier would take, or the key could not sign.
    pub fn sign(&self, signer: &dyn NoteSigner) -> Result<Note, IndexAuditError> {
        self.check()?;
        self.check_name(signer.verifying_key())?;
        Ok(Note::sign(&self.to_text(), &[signer])?)
    }

    /// Reads the text of a note. Nobody has checked its signatures.
    ///
    /// # Errors
    /// Says what is not as it must be; what is read is written again byte for byte.
    pub fn parse(note: &Note) -> Result<Self, IndexAuditError> {
        let text = note.dangerously_unverified_text();
        let audit = parse_lines(&mut text.split('\n'))?;
        audit.check()?;
        match audit.to_text() == text {
            true => Ok(audit),
            false => Err(IndexAuditError::Line { expected: "each value in its only spelling" }),
        }
    }

    /// Checks that an auditor's key signed the note, and reads it.
    ///
    /// # Errors
    /// Another key signed, or nobody; or the text is none.
    pub fn verify(
        note: &Note,
        auditor: &VerifyingKey,
    ) -> Result<VerifiedIndexAudit, IndexAuditError> {
        let verified = note.verify(std::slice::from_ref(auditor))?;
        // A cosignature says that a log grew, and nothing of its indexes.
        if !verified.signers().contains(auditor) {
            return Err(IndexAuditError::Line { expected: "a signature, not a cosignature" });
        }
        let audit = IndexAudit::parse(note)?;
        audit.check_name(auditor)?;
        Ok(VerifiedIndexAudit { audit, auditor: auditor.clone() })
    }

    /// The log vouches for its indexes anyway: no key by its name is an auditor's.
    fn check_name(&self, auditor: &VerifyingKey) -> Result<(), IndexAuditError> {
        let rest = auditor.name().as_str().strip_prefix(&self.origin);
        if rest.is_some_and(|rest| LOG_KEY_SUFFIXES.contains(&rest)) {
            return Err(IndexAuditError::LogsKey { found: auditor.name().clone() });
        }
        Ok(())
    }

    fn check(&self) -> Result<(), IndexAuditError> {
        KeyName::new(&self.origin).map_err(IndexAuditError::Origin)?;
        let mut next = 0;
        for AuditedSegment { first, count, times, .. } in &self.segments {
            let [recorded_min, recorded_max, occurred_min, occurred_max] = *times;
            if recorded_min > recorded_max || occurred_min > occurred_max {
                let expected = "the smallest times of a segment, and none below them";
                return Err(IndexAuditError::Line { expected });
            }
            let end = first.get().checked_add(*count).filter(|end| *end <= self.main.size.get());
            match end.filter(|_| *count > 0 && first.get() >= next) {
                Some(end) => next = end,
                None => {
                    let expected = "ascending segments of 1 record or more below the head";
                    return Err(IndexAuditError::Line { expected });
                }
            }
        }
        Ok(())
    }

    /// Checks that what an answer rests on was recomputed.
    pub(super) fn check_recomputed(&self, rests_on: &RestsOn) -> Result<(), NotAudited> {
        let (first, count, expected) = match rests_on {
            RestsOn::Index { first, count, root } => (first, *count, format!("index root {root}")),
            RestsOn::Times { first, count, times } => (first, *count, format!("times {times:?}")),
        };
        let what = format!("the segment of {count} records from {first} on");
        let found = self.segments.binary_search_by_key(first, |segment| segment.first);
        let Some(found) = found.ok().and_then(|at| self.segments.get(at)) else {
            let found = "none: the audit does not cover it".to_owned();
            return Err(NotAudited { expected: what, found });
        };
        let same = match rests_on {
            RestsOn::Index { root, .. } => found.index_root == *root,
            RestsOn::Times { times, .. } => found.times == *times,
        };
        if same && found.count == count {
            return Ok(());
        }
        let said = match rests_on {
            RestsOn::Index { .. } => format!("index root {}", found.index_root),
            RestsOn::Times { .. } => format!("times {:?}", found.times),
        };
        let (expected, found) =
            (format!("{what} with {expected}"), format!("{said} of {} records", found.count));
        Err(NotAudited { expected, found })
    }
}

/// An audit does not vouch for what an answer rests on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}")]
pub struct NotAudited {
    /// What the audit must say, or by whom it must be.
    pub expected: String,
    /// What it says, or by whom it is.
    pub found: String,
}

fn parse_lines<'t>(
    lines: &mut impl Iterator<Item = &'t str>,
) -> Result<IndexAudit, IndexAuditError> {
    let mut next = |expected| lines.next().ok_or(IndexAuditError::Line { expected });
    if next(FIRST_LINE)? != FIRST_LINE {
        return Err(IndexAuditError::Line { expected: FIRST_LINE });
    }
    let origin = next("an origin")?.to_owned();
    let log_id = read(next("log")?, "log", parse_log_id)?;
    let main = read(next("main")?, "main", |text| {
        let (size, root) = text.split_once(' ')?;
        Some(TreeHead { size: TreeSize::new(decimal(size)?), root: base64_hash(root)? })
    })?;
    read(next("spec")?, "spec", |text| decimal(text).filter(|spec| *spec == u64::from(SPEC)))?;
    let mut segments = Vec::new();
    loop {
        match next("segment")? {
            "" => return Ok(IndexAudit { origin, log_id, main, segments }),
            line => segments.push(read(line, "segment", parse_segment)?),
        }
    }
}

/// What stands behind the word that a line begins with.
fn read<T>(
    line: &str,
    word: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, IndexAuditError> {
    let rest = line.strip_prefix(word).and_then(|rest| rest.strip_prefix(' '));
    rest.and_then(parse).ok_or(IndexAuditError::Line { expected: word })
}

fn parse_log_id(text: &str) -> Option<LogId> {
    let mut log_id = [0; 16];
    for (n, byte) in log_id.iter_mut().enumerate() {
        // Another spelling, or more of them, is found when the text is written again.
        *byte = u8::from_str_radix(text.get(2 * n..2 * n + 2)?, 16).ok()?;
    }
    Some(LogId(log_id))
}

fn parse_segment(text: &str) -> Option<AuditedSegment> {
    let mut words = text.split(' ');
    let (first, count) = (decimal(words.next()?)?, decimal(words.next()?)?);
    let index_root = base64_hash(words.next()?)?;
    let mut times = [0; 4];
    for time in &mut times {
        // Another spelling is found when the text is written again.
        *time = words.next()?.parse().ok()?;
    }
    Some(AuditedSegment { first: Seq::new(first), count, index_root, times })
}

/// What an auditor said. Only [`IndexAudit::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedIndexAudit {
    audit: IndexAudit,
    auditor: VerifyingKey,
}

impl VerifiedIndexAudit {
    /// What was recomputed.
    pub fn audit(&self) -> &IndexAudit {
        &self.audit
    }

    /// Who says so.
    pub fn auditor(&self) -> &VerifyingKey {
        &self.auditor
    }
}

/// Something is not an audit of indexes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexAuditError {
    /// It could not be signed.
    #[error("{0}")]
    Note(#[from] NoteError),
    /// Its signature does not hold.
    #[error("{0}")]
    Signature(#[from] VerifyNoteError),
    /// The origin is none.
    #[error("the origin of an index audit: {0}")]
    Origin(#[source] KeyError),
    /// The key is named as one of the log's own: an audit by the log says nothing that the log
    /// did not sign before.
    #[error(
        "expected the key of an auditor, found one named {found}, as the log that is audited names \
         its own"
    )]
    LogsKey {
        /// The key's name.
        found: KeyName,
    },
    /// A line is missing or is another one.
    #[error("expected in an index audit: {expected}; found something else")]
    Line {
        /// What should be there.
        expected: &'static str,
    },
}
