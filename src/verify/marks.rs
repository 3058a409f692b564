//! The mark file: where recovery would start must be a place that the records lead to.

use std::path::PathBuf;

use super::report::Finding;
use crate::directory::LogDir;
use crate::disk::{Open, read_exact_at};
use crate::error::{Error, Result};
use crate::format::mark::{RecoveryPoint, SLOT_LEN};
use crate::format::names;

/// A mark that was read, to be met while the segments are walked.
#[derive(Clone, Debug)]
pub(super) struct MetMark {
    pub(super) mark: RecoveryPoint,
    /// Offset of its slot.
    pub(super) slot: u64,
    pub(super) met: bool,
}

/// A slot that holds neither a mark of this log nor nothing.
pub(super) struct BadSlot {
    pub(super) offset: u64,
    pub(super) found: String,
    zeros: bool,
}

/// The marks, and what is wrong with the file.
pub(super) struct Marks {
    pub(super) path: PathBuf,
    pub(super) marks: Vec<MetMark>,
    pub(super) bad: Vec<BadSlot>,
}

impl Marks {
    /// What is wrong with the file: a crash may have torn one slot, and a file that is
    /// missing is made anew.
    pub(super) fn oddities(&self) -> Vec<Finding> {
        let finding = |bad: &BadSlot| {
            let place = (None, Some(bad.offset), None);
            let expected = "two slots, each with a mark of this log or not used".to_owned();
            Finding::at(&self.path, place, "mark", expected, bad.found.clone())
        };
        self.bad.iter().map(finding).collect()
    }

    pub(super) fn newest(&self) -> Option<&RecoveryPoint> {
        self.marks.iter().map(|met| &met.mark).max_by_key(|mark| mark.generation)
    }

    pub(super) fn read(dir: &LogDir) -> Result<Self> {
        let path = dir.tree().join(names::MARK);
        let mut marks = Marks { path, marks: Vec::new(), bad: Vec::new() };
        let (disk, path) = (dir.disk(), &marks.path);
        if !disk.exists(path).map_err(Error::io("look for", path))? {
            marks.bad.push(BadSlot { offset: 0, found: "no file".to_owned(), zeros: false });
            return Ok(marks);
        }
        let file = disk.open(path, Open::Read).map_err(Error::io("open", path))?;
        let len = file.len().map_err(Error::io("stat", path))?;
        let whole = 2 * SLOT_LEN as u64;
        if len != 0 && len != whole {
            let found = format!("{len} bytes");
            marks.bad.push(BadSlot { offset: len.min(whole), found, zeros: false });
        }
        for slot in [0, SLOT_LEN as u64] {
            let mut bytes = vec![0; SLOT_LEN];
            if read_exact_at(&*file, &mut bytes, slot).is_err() {
                continue; // the length tells
            }
            match RecoveryPoint::decode(&bytes) {
                Ok(mark) if mark.log_id == dir.log_id() => {
                    marks.marks.push(MetMark { mark, slot, met: false });
                }
                Ok(mark) => {
                    let found = format!("a mark of log {}", mark.log_id);
                    marks.bad.push(BadSlot { offset: slot, found, zeros: false });
                }
                Err(error) => {
                    let zeros = bytes.iter().all(|byte| *byte == 0);
                    marks.bad.push(BadSlot { offset: slot, found: error.to_string(), zeros });
                }
            }
        }
        marks.first_mark_stands_alone();
        let leaves = crate::tree::level_path(&dir.tree(), 0);
        let hashed = disk.exists(&leaves).map_err(Error::io("look for", &leaves))?;
        if !hashed {
            marks.none_was_written_yet();
        }
        if len == 0 && hashed {
            let found = "an empty file, beside hash files".to_owned();
            marks.bad.push(BadSlot { offset: 0, found, zeros: false });
        }
        Ok(marks)
    }

    /// A file whose slots are zeros, in a log whose hashes were never written: before the first
    /// mark of a log, or once its files were made anew and the mark forgotten.
    fn none_was_written_yet(&mut self) {
        if self.marks.is_empty() && self.bad.iter().all(|bad| bad.zeros) {
            self.bad.clear();
        }
    }

    /// The first mark of a log is written to the second slot: the first one is zeros then.
    fn first_mark_stands_alone(&mut self) {
        let first = self.marks.first().is_some_and(|met| met.mark.generation == 1);
        if first {
            self.bad.retain(|bad| !(bad.offset == 0 && bad.zeros));
        }
    }
}
