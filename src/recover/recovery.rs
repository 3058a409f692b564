//! What opening a log found and did.

use crate::directory::quarantine::QuarantinedBytes;

/// What opening a log found and did.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Recovery {
    /// Bytes that were not part of the log and were set aside.
    pub set_aside: Vec<QuarantinedBytes>,
    /// Records above the newest mark, which were read and hashed again.
    pub replayed: u64,
    /// Why everything was hashed again, if there was no mark that fits.
    pub rebuilt: Option<String>,
    /// Segments that the catalog knows and whose file is missing.
    pub missing_segments: Vec<u64>,
    /// Dropped segments whose hashes were lost when the hash files were rebuilt. What
    /// needs those hashes is refused: consistency with a checkpoint whose size lies within
    /// such a segment. Restoring the segment from an archive brings them back.
    pub lost_hashes: Vec<u64>,
    /// Why the catalog cannot be used, if both copies are damaged.
    pub catalog_damage: Option<String>,
}
