//! Marks and catalog, read until what looks wrong is not just half written by another process.

use super::catalog::{self, ReadCatalog};
use super::doubtful::Doubtful;
use super::marks::Marks;
use super::options::VerifyOptions;
use crate::directory::LogDir;
use crate::error::Result;

/// The marks, read again if a slot looks half written.
pub(super) fn marks(dir: &LogDir, options: &VerifyOptions) -> Result<Marks> {
    for _ in 1..options.readings() {
        let marks = Marks::read(dir)?;
        if marks.bad.is_empty() {
            return Ok(marks);
        }
        options.wait_for_writer();
    }
    Marks::read(dir)
}

/// The catalog, read until two readings agree on what is wrong with it.
pub(super) fn catalog(dir: &LogDir, options: &VerifyOptions) -> (Option<ReadCatalog>, Doubtful) {
    let mut earlier = Doubtful::default();
    for reading in 1.. {
        let (catalog, doubtful) = catalog::read(dir);
        if doubtful.is_empty() || doubtful == earlier || reading >= options.readings() {
            return (catalog, doubtful);
        }
        earlier = doubtful;
        options.wait_for_writer();
    }
    (None, earlier)
}
