//! Findings and warnings of one reading of files that may be read again.

use std::path::Path;

use super::report::{Finding, Place};

/// Findings and warnings of one reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Doubtful {
    pub(super) findings: Vec<Finding>,
    pub(super) warnings: Vec<Finding>,
}

impl Doubtful {
    pub(super) fn is_empty(&self) -> bool {
        self.findings.is_empty() && self.warnings.is_empty()
    }

    pub(super) fn finding(
        &mut self,
        path: &Path,
        place: Place,
        what: &str,
        expected: String,
        found: String,
    ) {
        self.findings.push(Finding::at(path, place, what, expected, found));
    }

    pub(super) fn warning(
        &mut self,
        path: &Path,
        place: Place,
        what: &str,
        expected: String,
        found: String,
    ) {
        self.warnings.push(Finding::at(path, place, what, expected, found));
    }
}
