//! What a reader of the catalog refuses beside damage: records whose bytes are whole, and that no
//! log writes.
//!
//! What follows from the state alone is in `StateMap::changes`; here is what needs the record's
//! place, or the notes that the record carries.

use std::path::Path;

use crate::checkpoint::{Note, checkpoint_of};
use crate::error::{Error, Result};
use crate::format::FormatError;
use crate::format::catalog_body::{CatalogBody, KeysChanged, RecordedAttribution, kind};
use crate::format::record::CheckedRecord;
use crate::hash::Hash;
use crate::keys::{Change, ChangeKind, Statement};
use crate::segment::scan::FrameAt;
use crate::seq::{Seq, TreeSize};

/// A record whose bytes are whole was written as it stands: it is not damaged but forged.
pub(super) fn refused(path: &Path, at: u64, seq: Seq, error: FormatError) -> Error {
    match error {
        FormatError::Mismatch { expected, found, .. } => {
            Error::tampered(what(path, at, seq), expected, found)
        }
        newer @ FormatError::Newer { .. } => Error::format(path, at)(newer),
    }
}

fn what(path: &Path, at: u64, seq: Seq) -> String {
    format!("catalog record {seq} at offset {at} of {}", path.display())
}

/// A record that does not follow from what is in force is not written.
pub(super) fn not_written(error: FormatError) -> Error {
    let reason = format!("nothing was written: {error}");
    Error::InvalidOption { name: "catalog", reason }
}

/// What is about to be written must be read as it is meant, for any kind and whatever limits its
/// decoder has: a record that no reader reads would close the log for good.
pub(super) fn check_readable(
    (root, body, because): (&Hash, &CatalogBody<'_>, &RecordedAttribution<'_>),
    envelope: &[u8],
    notes: &[u8],
) -> Result<()> {
    let decoded = CatalogBody::decode(body.kind(), envelope).map_err(not_written)?;
    let asked = RecordedAttribution::decode(body.kind(), notes).map_err(not_written)?;
    if decoded == (*root, body.clone()) && asked == *because {
        return Ok(());
    }
    let error = FormatError::mismatch("catalog record", "what is meant, when it is read", "other");
    Err(not_written(error))
}

/// A record leads to another state than its root says. Of an unknown kind: it changes what is in
/// force, in a way that only a newer version knows.
pub(super) fn other_root(
    path: &Path,
    seq: Seq,
    body: &CatalogBody<'_>,
    (computed, root): (Hash, Hash),
) -> Error {
    match body {
        CatalogBody::Unknown(unknown) => Error::Unsupported {
            path: path.to_owned(),
            what: "catalog record kind",
            found: unknown.kind.into(),
            newest: kind::NEWEST.into(),
        },
        _ => Error::tampered(format!("state root of catalog record {seq}"), computed, root),
    }
}

/// A record is a frame of its own; the first one is that of the log's creation; what changes what
/// is in force since version 2 stands in segments of that version.
pub(super) fn check_place(
    format_version: u16,
    frame: &FrameAt,
    record: &CheckedRecord<'_>,
) -> Result<(), FormatError> {
    let refuse = |expected: &str, found: String| {
        Err(FormatError::mismatch("catalog record", expected, found))
    };
    if frame.header.count != 1 {
        return refuse("a frame of its own", format!("a frame of {} records", frame.header.count));
    }
    let (kind, seq) = (record.head.kind, record.head.seq);
    if seq.get() == 0 && kind != kind::CREATED {
        return refuse("the record of the log's creation (kind 16)", format!("kind {kind}"));
    }
    // What a newer version writes there without raising the version changes nothing.
    let needed = match kind {
        ..=kind::PROTECTION_SET => kind::segment_version(kind),
        _ => kind::segment_version(kind::HOLD_PLACED),
    };
    if format_version < needed {
        let found = format!("kind {kind} in a segment of version {format_version}");
        return refuse(&format!("a segment of version {needed} or above"), found);
    }
    Ok(())
}

/// Whether a record is one that a log writes, as far as that is seen without what is in force
/// before it.
pub(super) fn stands_alone(
    format_version: u16,
    frame: &FrameAt,
    record: &CheckedRecord<'_>,
) -> bool {
    let Ok((_, body)) = CatalogBody::decode(record.head.kind, record.envelope) else {
        return false;
    };
    let note = match &body {
        CatalogBody::KeysChanged(changed) => check_statement(changed),
        CatalogBody::HeadSigned(head) => checkpoint_of(head).map(|_| ()),
        _ => Ok(()),
    };
    note.is_ok()
        && body.check_alone(record.head.seq).is_ok()
        && check_place(format_version, frame, record).is_ok()
}

/// Whether a person asked for a record. It is written only after the records below the snapshot
/// were checked. Records that the log writes by itself do not wait for that: appending must continue
/// when the catalog is damaged.
pub(super) fn is_for_good(body: &CatalogBody<'_>) -> bool {
    !matches!(
        body,
        CatalogBody::Sealed(_) | CatalogBody::Quarantined(_) | CatalogBody::ClockStepped(_)
    )
}

/// Heads are signed in order, and what a record says of a note is what the note says.
pub(super) fn check_signed(
    before: (TreeSize, Hash),
    body: &CatalogBody<'_>,
) -> Result<(), FormatError> {
    match body {
        CatalogBody::HeadSigned(head) => {
            let (size, root) = (before.0.get(), before.1);
            let same = head.size == size && Hash::from_bytes(head.root) == root;
            if head.size > size || same || size == 0 {
                return checkpoint_of(head).map(|_| ());
            }
            let expected = format!("a head behind the signed one of size {size}, root {root}");
            let found = format!("size {}, root {}", head.size, Hash::from_bytes(head.root));
            Err(FormatError::mismatch("catalog record", expected, found))
        }
        CatalogBody::KeysChanged(changed) => check_statement(changed),
        _ => Ok(()),
    }
}

fn check_statement(changed: &KeysChanged<'_>) -> Result<(), FormatError> {
    let no_statement = |error: &dyn std::fmt::Display| {
        FormatError::mismatch("catalog record", "a key statement", error)
    };
    let note = Note::parse(changed.note.as_bytes()).map_err(|error| no_statement(&error))?;
    let statement = Statement::parse(&note).map_err(|error| no_statement(&error))?;
    let (key, introduced) = (statement.key.to_string(), statement.change.introduced().to_string());
    let said = particulars(&statement, (&key, &introduced), changed.note);
    if said == *changed {
        return Ok(());
    }
    let text = |said: &KeysChanged<'_>| {
        let KeysChanged { change, number, key, introduced, origin, .. } = said;
        let digest = Hash::from_bytes(said.statement);
        format!(
            "change {change}, number {number}, statement {digest}, key {key}, introduced \
             {introduced}, origin {origin:?}"
        )
    };
    let expected = format!("what the statement in it says: {}", text(&said));
    Err(FormatError::mismatch("catalog record", expected, text(changed)))
}

/// What the catalog records of a statement: its keys as text are given too.
pub(crate) fn particulars<'a>(
    statement: &'a Statement,
    (key, introduced): (&'a str, &'a str),
    note: &'a str,
) -> KeysChanged<'a> {
    let (change, origin) = match &statement.change {
        Change::Retire { next, .. } => (KeysChanged::RETIRED, next.name().as_str()),
        other => (code(other.kind()), statement.origin.as_str()),
    };
    let (number, digest) = (statement.number, statement.digest());
    KeysChanged { change, number, statement: *digest.as_bytes(), key, introduced, origin, note }
}

fn code(kind: ChangeKind) -> u8 {
    match kind {
        ChangeKind::Rotate => KeysChanged::ROTATED,
        ChangeKind::Recovery => KeysChanged::RECOVERY,
        ChangeKind::Revoke => KeysChanged::REVOKED,
        ChangeKind::Retire => KeysChanged::RETIRED,
    }
}
