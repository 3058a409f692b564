//! Bodies of catalog records about retention: holds, the policy, drops, archives.

use bincode::{BorrowDecode, Decode, Encode};

/// What the `status` of a sealed segment says.
pub mod status {
    /// Its file is there.
    pub const LIVE: u8 = 0;
    /// Its drop certificate is written; its file may or may not be there.
    pub const DROPPING: u8 = 1;
    /// Its file is gone.
    pub const DROPPED: u8 = 2;
    /// It was dropped, and brought back from an archive.
    pub const RESTORED: u8 = 3;
    /// As [`DROPPING`], of one that was restored.
    pub const DROPPING_AGAIN: u8 = 4;

    /// Whether a drop was begun and not ended.
    pub fn is_dropping(status: u8) -> bool {
        matches!(status, DROPPING | DROPPING_AGAIN)
    }

    /// What a segment becomes when a drop of it begins, and what when that is called off.
    pub(in crate::format) fn begun(status: u8) -> u8 {
        if status == RESTORED { DROPPING_AGAIN } else { DROPPING }
    }

    pub(in crate::format) fn called_off(status: u8) -> u8 {
        if status == DROPPING_AGAIN { RESTORED } else { LIVE }
    }

    /// Whether the records of such a segment can be read.
    pub fn is_readable(status: u8) -> bool {
        matches!(status, LIVE | RESTORED)
    }
}

/// A legal hold was placed: also the value of its entry in the state. Who asked, why, and
/// the custodian are in the payload.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct HoldPlaced<'a> {
    /// The case that it is for; no two holds in force have the same.
    pub case: &'a str,
    /// The bytes of the question whose records it pins.
    pub scope: &'a [u8],
    /// When, in nanoseconds since 1970.
    pub placed_at: i64,
    /// When somebody means to look at it again. It stays in force after that.
    pub review_by: Option<i64>,
}

/// A legal hold was released.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct HoldReleased<'a> {
    /// Its case.
    pub case: &'a str,
    /// When, in nanoseconds since 1970.
    pub released_at: i64,
}

/// The retention policy was set.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct PolicySet<'a> {
    /// The name of the preset it came from; empty: none.
    pub preset: &'a str,
    /// How long records are kept, in seconds.
    pub keep: u64,
    /// Whether a segment is archived before it is dropped.
    pub archive: bool,
    /// Whether it can only be made stricter from now on.
    pub compliance: bool,
    /// No segment is dropped before this long after its newest record, in seconds.
    pub min_age: u64,
    /// So many of the newest records are never dropped.
    pub min_records: u64,
    /// When, in nanoseconds since 1970.
    pub set_at: i64,
}

impl PolicySet<'_> {
    /// Whether a policy may follow this one: in compliance mode only one that is no looser.
    ///
    /// # Errors
    /// Which field is looser, as it was and as it would be.
    pub fn check_successor(&self, next: &PolicySet<'_>) -> Result<(), String> {
        if !self.compliance {
            return Ok(());
        }
        let periods = [
            ("keep", self.keep, next.keep),
            ("min_age", self.min_age, next.min_age),
            ("min_records", self.min_records, next.min_records),
        ];
        for (name, was, would_be) in periods {
            if would_be < was {
                let unit = if name == "min_records" { "" } else { " seconds" };
                return Err(format!("{name} {would_be}{unit} where {was}{unit} is in force"));
            }
        }
        let switches = [
            ("compliance mode", self.compliance, next.compliance),
            ("archive", self.archive, next.archive),
        ];
        match switches.iter().find(|(_, was, would_be)| *was && !would_be) {
            Some((name, ..)) => Err(format!("{name} would be off, and is on")),
            None => Ok(()),
        }
    }
}

/// The policy in force: the entry `policy` of the state.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct PolicyInForce<'a> {
    /// The catalog record that set it.
    pub seq: u64,
    /// That record.
    pub policy: PolicySet<'a>,
}

/// Where an archived copy is: also the value of its entry in the state.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Archived<'a> {
    /// The segment.
    pub ordinal: u64,
    /// The archive, and the folder in it.
    pub location: &'a str,
    /// Digest of the folder's manifest.
    pub digest: [u8; 32],
    /// Bytes of all files in it.
    pub bytes: u64,
    /// When the copy was read back, in nanoseconds since 1970.
    pub archived_at: i64,
}

/// The certificate of a drop, written before anything is unlinked.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct DropStarted<'a> {
    /// The segment.
    pub ordinal: u64,
    /// Records before it.
    pub first: u64,
    /// Records in it.
    pub count: u64,
    /// Size of its file in bytes.
    pub bytes: u64,
    /// Smallest and largest `recorded_at`, then `occurred_at`, in nanoseconds.
    pub times: [i64; 4],
    /// Root of the main tree before it.
    pub start_root: [u8; 32],
    /// Root of the main tree at its end.
    pub end_root: [u8; 32],
    /// Roots of the largest complete subtrees that its leaves make up, from the left.
    pub range: Vec<[u8; 32]>,
    /// Digest of its header.
    pub header: [u8; 32],
    /// Root of its logical index.
    pub index_root: [u8; 32],
    /// Not to be dropped before, in nanoseconds since 1970.
    pub keep_until: i64,
    /// The catalog record that set the policy.
    pub policy: u64,
    /// The time that this was compared with, in nanoseconds since 1970.
    pub now: i64,
    /// Where that time came from: 0 the log's clock, 1 the newest cosignature.
    pub now_from: u8,
    /// Holds in force, none of which matches a record in it.
    pub holds: u64,
    /// Records that were compared with them.
    pub scanned: u64,
    /// Where its copy is.
    pub archived: Option<ArchivedAt<'a>>,
}

/// Where the copy of a dropped segment is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct ArchivedAt<'a> {
    /// As in [`Archived`].
    pub location: &'a str,
    /// As in [`Archived`].
    pub digest: [u8; 32],
}

/// The file of a dropped segment is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DropCompleted {
    /// The segment.
    pub ordinal: u64,
    /// When, in nanoseconds since 1970.
    pub done_at: i64,
}

/// A drop that a crash interrupted was called off, because a hold came in between.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct DropAborted<'a> {
    /// The segment.
    pub ordinal: u64,
    /// The hold.
    pub case: &'a str,
}

/// A dropped segment was brought back from an archive.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Restored<'a> {
    /// The segment.
    pub ordinal: u64,
    /// Where from.
    pub location: &'a str,
    /// Digest of the folder's manifest.
    pub digest: [u8; 32],
    /// When, in nanoseconds since 1970.
    pub restored_at: i64,
}
