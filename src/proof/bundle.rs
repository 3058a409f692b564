//! Many records in one file: the answer to a query, with one checkpoint and one proof.
//!
//! ```text
//! bulla.dev/bundle/v1
//! note TEXT                       optional: what was asked, in the words of whoever asked
//! extra BASE64                    optional: as in a proof, without a record
//! record 41 YnVsbGEtcmVjb3…       position and record, ascending; 0 to 1,000,000
//! gSKyXoYZUgZ6jduWYrkDOARin…      the hashes of the batch proof (see `merkle`)
//!                                 an empty line
//! example.com/audit               the signed checkpoint, verbatim
//! …
//! ```
//!
//! It shows that each of its records is in the log. It does **not** show that these are all
//! that match a question: the note vouches for nothing.

use super::catalog::VerifiedStatement;
use super::consistency::hashes;
use super::extra::VerifiedExtra;
use super::malformed;
use super::parts::Parts;
use crate::checkpoint::{UnverifiedCheckpoint, VerifiedCheckpoint, VerifyingKey, line};
use crate::event::Record;
use crate::format::LogId;
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::{TreeHead, verify_batch_inclusion};
use crate::proof::extra::Extra;
use crate::proof::malformed::MalformedProof;
use crate::proof::parts::Disclosure;
use crate::proof::parts::VerifyRecordError;
use crate::proof::verify_error::VerifyProofError;
use crate::seq::Seq;
use crate::trust::Trust;

/// The longest bundle that is read, in bytes: 64 MiB.
pub const BUNDLE_LEN_MAX: usize = 64 << 20;
/// The most records in a bundle.
pub const BUNDLE_RECORDS_MAX: usize = 1_000_000;
/// The longest note of a bundle, in bytes.
pub const NOTE_TEXT_LEN_MAX: usize = 64 << 10;

/// Many records and what shows that they are in the log: **nothing of it is checked** until
/// [`Bundle::verify`] says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// What was asked, for people; not empty, at most [`NOTE_TEXT_LEN_MAX`] bytes. Nothing
    /// vouches for it.
    pub note: Option<String>,
    /// What the bundle carries besides; it has no record.
    pub extra: Extra,
    /// The records, ascending by position, each once.
    pub records: Vec<BundledRecord>,
    /// The batch proof of all of them.
    pub hashes: Vec<Hash>,
    /// The checkpoint that covers them.
    pub checkpoint: UnverifiedCheckpoint,
}

/// A record in a bundle. **Not checked.**
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundledRecord {
    /// Its position.
    pub seq: Seq,
    /// The record in the form that proofs disclose: `extra` in `docs/format.md`.
    pub bytes: Vec<u8>,
}

impl Bundle {
    /// The first line of the text.
    pub const FIRST_LINE: &str = "bulla.dev/bundle/v1";
    /// The ending of files with it, without the dot.
    pub const FILE_EXTENSION: &str = "bulla-bundle";

    /// The text, to be kept in a file.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n", Self::FIRST_LINE);
        if let Some(note) = self.note.as_deref().filter(|note| !note.is_empty()) {
            text += &format!("note {}\n", escape(note));
        }
        let extra = self.extra.to_bytes();
        if !extra.is_empty() {
            text += &format!("extra {}\n", line::to_base64(extra));
        }
        for record in &self.records {
            text += &format!("record {} {}\n", record.seq, line::to_base64(&record.bytes));
        }
        for hash in &self.hashes {
            text += &line::to_base64(hash.as_bytes());
            text.push('\n');
        }
        text.push('\n');
        text + &self.checkpoint.to_text()
    }

    /// Reads the text, strictly: what is read is written again byte for byte.
    ///
    /// # Errors
    /// Says which line is not as it must be.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedProof> {
        let text = malformed::text(bytes, "a bundle", BUNDLE_LEN_MAX)?;
        let (own, checkpoint) = text.split_once("\n\n").ok_or(MalformedProof::NoCheckpoint)?;
        let mut lines = own.split('\n').zip(1..).peekable();
        malformed::check_first_line(lines.next().map(|(line, _)| line), Self::FIRST_LINE)?;
        let mut next = |prefix: &str| {
            let line = lines.next_if(|(line, _)| line.starts_with(prefix));
            line.and_then(|(line, number)| Some((line.strip_prefix(prefix)?, number)))
        };
        let note = next("note ").map(|(text, number)| parse_note(text, number)).transpose()?;
        let extra = next("extra ").map(|(text, number)| parse_extra(text, number)).transpose()?;
        let mut records: Vec<BundledRecord> = Vec::new();
        while let Some((text, number)) = next("record ") {
            if records.len() == BUNDLE_RECORDS_MAX {
                let (what, max) = ("records", BUNDLE_RECORDS_MAX);
                return Err(MalformedProof::TooMany { what, max });
            }
            let before = records.last().map(|record| record.seq);
            records.push(parse_record(text, number, before)?);
        }
        let hashes = hashes(lines, BUNDLE_LEN_MAX / 44)?;
        let checkpoint = malformed::checkpoint(checkpoint)?;
        Ok(Bundle { note, extra: extra.unwrap_or_default(), records, hashes, checkpoint })
    }

    /// Checks that the log signed the checkpoint, and that each record is at its position
    /// under it. What else the bundle carries must hold as well.
    ///
    /// # Errors
    /// Says what does not hold.
    pub fn verify(&self, trust: &Trust) -> Result<VerifiedBundle, VerifyBundleError> {
        let trust = &*self.extra.extend(trust).map_err(VerifyBundleError::Proof)?;
        let checkpoint = trust.verify(&self.checkpoint).map_err(VerifyProofError::Checkpoint);
        let checkpoint = checkpoint.map_err(VerifyBundleError::Proof)?;
        let (records, log_id) = self.open(checkpoint.algorithm(), &checkpoint.head())?;
        let first = self.records.first().map(|record| record.seq);
        let extra = self.extra.check(&checkpoint, first, log_id, trust);
        let extra = extra.map_err(VerifyBundleError::Proof)?;
        let log_keys = trust.keys_of(&checkpoint);
        Ok(VerifiedBundle { records, log_id, checkpoint, extra, log_keys })
    }

    /// The records, each of which is at its position under a head, and the log they are of.
    /// The verdict is as good as the head.
    pub(super) fn open(
        &self,
        algorithm: HashAlgorithm,
        head: &TreeHead,
    ) -> Result<(Vec<ProvedRecord>, Option<LogId>), VerifyBundleError> {
        let (mut parts, mut leaves) = (Vec::new(), Vec::new());
        for record in &self.records {
            let place = |error| VerifyBundleError::Record { seq: record.seq, error };
            let split = Parts::split(&record.bytes);
            let split = split.map_err(VerifyRecordError::NotARecord).map_err(place)?;
            split.check_position(record.seq).map_err(place)?;
            leaves.push((record.seq, split.leaf(algorithm)));
            parts.push(split);
        }
        verify_batch_inclusion(algorithm, &leaves, head, &self.hashes)
            .map_err(|error| VerifyBundleError::Proof(VerifyProofError::Inclusion(error)))?;
        // Decoded last: only what the log committed to is worth a look.
        let log_id = parts.first().map(|parts| parts.log_id);
        let mut records = Vec::with_capacity(parts.len());
        for (parts, (seq, leaf)) in parts.iter().zip(&leaves) {
            let place = |error| VerifyBundleError::Record { seq: *seq, error };
            parts.check_log(log_id).map_err(VerifyRecordError::Proof).map_err(place)?;
            let record = parts.decode(*leaf).map_err(VerifyRecordError::NotARecord);
            let (record, disclosure) = (record.map_err(place)?, parts.disclosure());
            records.push(ProvedRecord { record, disclosure });
        }
        Ok((records, log_id))
    }
}

fn parse_extra(text: &str, number: usize) -> Result<Extra, MalformedProof> {
    let expected = "\"extra \" and base64";
    let bytes = line::base64(text).ok_or(MalformedProof::Line { number, expected })?;
    let extra = Extra::parse(&bytes)?;
    match extra.record {
        None => Ok(extra),
        Some(_) => Err(MalformedProof::bytes("extra", "no record", "one")),
    }
}

fn parse_record(
    text: &str,
    number: usize,
    before: Option<Seq>,
) -> Result<BundledRecord, MalformedProof> {
    let expected = "\"record \", a position above the one before, a space and base64";
    let wrong = || MalformedProof::Line { number, expected };
    let (seq, bytes) = text.split_once(' ').ok_or_else(wrong)?;
    let seq = line::decimal(seq).map(Seq::new).ok_or_else(wrong)?;
    if before.is_some_and(|before| before >= seq) {
        return Err(wrong());
    }
    Ok(BundledRecord { seq, bytes: line::base64(bytes).ok_or_else(wrong)? })
}

/// A text on one line: a backslash is doubled, a control character is `\x` and two
/// hexadecimal digits.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => escaped += "\\\\",
            '\0'..'\x20' | '\x7f' => escaped += &format!("\\x{:02x}", u32::from(character)),
            other => escaped.push(other),
        }
    }
    escaped
}

fn unescape(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        plain += before;
        rest = match behind.strip_prefix('\\') {
            Some(rest) => {
                plain.push('\\');
                rest
            }
            None => {
                let (digits, rest) = behind.strip_prefix('x')?.split_at_checked(2)?;
                plain.push(char::from(u8::from_str_radix(digits, 16).ok()?));
                rest
            }
        };
    }
    plain += rest;
    // Only one spelling: what would be written otherwise is refused.
    (escape(&plain) == text).then_some(plain)
}

fn parse_note(text: &str, number: usize) -> Result<String, MalformedProof> {
    let expected = "\"note \" and a text, with backslashes and control characters escaped";
    let note = unescape(text).filter(|note| !note.is_empty());
    let note = note.ok_or(MalformedProof::Line { number, expected })?;
    match note.len() <= NOTE_TEXT_LEN_MAX {
        true => Ok(note),
        false => {
            let (what, max) = ("a note", NOTE_TEXT_LEN_MAX);
            Err(MalformedProof::TooLong { what, max, found: note.len() })
        }
    }
}

/// Records that were proved to be in a log. Only [`Bundle::verify`] makes one.
#[derive(Clone, Debug)]
pub struct VerifiedBundle {
    records: Vec<ProvedRecord>,
    log_id: Option<LogId>,
    checkpoint: VerifiedCheckpoint,
    extra: VerifiedExtra,
    /// All keys of the log that the verifier knows of.
    log_keys: Vec<VerifyingKey>,
}

/// A record of a bundle that was proved to be in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedRecord {
    record: Record,
    disclosure: Disclosure,
}

impl ProvedRecord {
    /// The record. If the payload was withheld, its event has only the envelope's fields.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// How much was shown.
    pub fn disclosure(&self) -> Disclosure {
        self.disclosure
    }
}

impl VerifiedBundle {
    /// The records, oldest first.
    pub fn records(&self) -> impl ExactSizeIterator<Item = &ProvedRecord> {
        self.records.iter()
    }

    /// The log's identity; `None` if there are no records.
    pub fn log_id(&self) -> Option<LogId> {
        self.log_id
    }

    /// The checkpoint that covers them all, and who signed it.
    pub fn checkpoint(&self) -> &VerifiedCheckpoint {
        &self.checkpoint
    }

    /// Whether a key is one of the log, or shares its secret with one, as far as the verifier
    /// knows its keys; see [`Trust::is_key_of`].
    pub fn is_key_of_log(&self, key: &VerifyingKey) -> bool {
        self.log_keys.iter().any(|own| own.has_same_secret(key))
    }

    /// An earlier checkpoint that covers none of them.
    pub fn appended_after(&self) -> Option<&VerifiedCheckpoint> {
        self.extra.appended_after.as_ref()
    }

    /// What was shown of the catalog under the checkpoint.
    pub fn statement(&self) -> Option<&VerifiedStatement> {
        self.extra.statement.as_ref()
    }
}

/// Why a bundle does not prove its records.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyBundleError {
    /// One of the records.
    #[error("record {seq}: {error}")]
    Record {
        /// Which one the bundle says it is.
        seq: Seq,
        /// Why.
        #[source]
        error: VerifyRecordError,
    },
    /// The checkpoint, the hashes, or what is carried besides.
    #[error("{0}")]
    Proof(#[source] VerifyProofError),
}
