//! Deep verification: re-reads every byte, re-hashes every record, and compares all
//! that commits to them. Reports every finding and never stops at the first.
//!
//! It needs no open log: it works on a log that will not open, on a copy, and on a log
//! that another process is writing.

mod batches;
mod catalog;
mod compared;
mod doubtful;
mod drops;
mod files;
mod frames;
mod gaps;
mod hashes;
mod heads;
mod indexes;
mod keys;
mod marks;
mod marks_met;
mod mismatches;
mod options;
mod reading;
mod records;
mod report;
mod seal_times;
mod seals;
mod segments;
mod settled;
mod since;
mod verifier;

use std::path::Path;

use crate::directory::identity::check_is_log;
use crate::error::Result;
use verifier::Verifier;

pub use options::VerifyOptions;
pub use report::{Finding, Gap, GapVerdict, NotRead, Progress, Report};

/// Verifies the log in a directory.
///
/// # Errors
/// There is no log; the key store is that of another one; I/O. Damage is not an error but a
/// finding.
pub fn verify(
    dir: &Path,
    options: &VerifyOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report> {
    let dir = options.dir(dir, check_is_log(&*options.disk, dir)?);
    if let Some(store) = &options.key_store {
        store.check_is_of(dir.log_id())?;
    }
    let mut verifier = Verifier::new(dir, options, progress)?;
    if let Some(checkpoint) = &options.since {
        verifier.begin_since(checkpoint);
    }
    verifier.collect_heads()?;
    verifier.segments()?;
    verifier.report_unresolved();
    verifier.check_marks_met();
    verifier.sign_gaps();
    verifier.compare_catalog();
    verifier.warn_of_unfinished_drops()?;
    verifier.warn_of_late_seals();
    verifier.indexes()?;
    verifier.other_files()?;
    Ok(verifier.report())
}
