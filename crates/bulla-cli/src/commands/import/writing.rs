//! Events of files on their way into the log, batch by batch.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use bulla::{Log, Redactor};
use bulla_cli::import::{self, Format, Item, SHARED_ID};
use indicatif::ProgressBar;

use super::Rejects;
use super::batch::{Account, Batch, Origin};
use crate::secrets::SUBJECT_WITHOUT_KEYS;
use crate::{progress, terminal, text};

/// How files are read.
pub(crate) struct Source {
    /// What their lines mean.
    pub(crate) format: Format,
    /// What their events are redacted with, if they are.
    pub(crate) redactor: Option<Redactor>,
    /// Whether there are keys for events that name a subject.
    pub(crate) has_key_store: bool,
    /// Whether an event that has an id is left out if the log has it.
    pub(crate) once: bool,
}

impl Source {
    /// Whether the events are of others, who do not promise that ids are not used twice.
    pub(super) fn is_foreign(&self) -> bool {
        !matches!(self.format, Format::Jsonl)
    }

    /// Opens a file: its events come redacted, and within the limits after that. The file before
    /// it and the one behind it are given because events may begin in one and end in the next.
    pub(crate) fn read(
        &self,
        file: &Path,
        before: Option<import::Import>,
        behind: Option<&PathBuf>,
    ) -> std::io::Result<import::Import> {
        let import = match before.and_then(import::Import::into_next) {
            Some(import) => import,
            None => import::read(file, &self.format)?.redacting(self.redactor.clone()),
        };
        Ok(match behind {
            Some(behind) => import.followed_by(behind),
            None => import,
        })
    }

    /// An item as the log takes it: an event that names a subject needs keys.
    pub(super) fn prepared(&self, item: Item) -> Item {
        match item {
            Item::Event { event, line, lines, .. }
                if event.subject.is_some() && !self.has_key_store =>
            {
                Item::Rejected { line, lines, reason: SUBJECT_WITHOUT_KEYS.to_owned() }
            }
            item => item,
        }
    }
}

/// Where the lines of a file went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// Lines read, without blank ones.
    pub(crate) lines: u64,
    /// Lines that were in the log before.
    pub(crate) there: u64,
    /// Lines that came into the log.
    pub(crate) imported: u64,
    /// Lines that are not.
    pub(crate) rejected: u64,
    /// The events that the imported lines made.
    pub(crate) events: u64,
    /// Those of them of which something was redacted.
    pub(crate) redacted: u64,
    /// Events with ids that were looked for in the log.
    pub(crate) with_ids: u64,
    /// Those of them that it had.
    pub(crate) found: u64,
    /// Those of them that share their id with another event, and got one of their own.
    pub(crate) set_apart: u64,
}

impl Done {
    /// The lines at the end of the file whose event ends in the next one.
    fn handed_over(&mut self, lines: u64, is_there: bool) {
        self.lines += lines;
        if is_there {
            self.there += lines;
        } else {
            self.imported += lines;
        }
    }

    /// An event was given to the log, which has it now, or had it before.
    pub(super) fn appended(&mut self, origin: &Origin, is_new: bool) {
        if is_new {
            self.imported(origin);
        } else {
            self.found += 1;
            self.there += origin.lines;
        }
    }

    pub(super) fn imported(&mut self, origin: &Origin) {
        self.events += 1;
        self.imported += origin.lines;
        self.redacted += u64::from(origin.redacted);
    }

    pub(super) fn render(&self, source: &Source) -> String {
        let events = match self.events == self.imported {
            true => String::new(),
            false => format!(" (as {})", text::counted(self.events, "event")),
        };
        let redacted = match source.redactor {
            Some(_) => format!(", {} with values redacted", text::counted(self.redacted, "event")),
            None => String::new(),
        };
        let set_apart = match self.set_apart {
            0 => String::new(),
            shared => format!(
                ", {} with an id that another event has (tag {SHARED_ID})",
                text::counted(shared, "event")
            ),
        };
        let there = match self.there {
            0 => String::new(),
            there => format!("{} in the log already, ", text::count(there)),
        };
        format!(
            "{} read, {there}{} imported{events}, {} rejected{set_apart}{redacted}",
            text::counted(self.lines, "line"),
            text::count(self.imported),
            text::count(self.rejected)
        )
    }
}

/// Imports one file, batch by batch; its first events are left out, as many as are left to be.
pub(crate) fn import_file(
    log: &Log,
    file: &Path,
    input: &mut import::Import,
    source: &Source,
    rejects: &mut Rejects,
    left_out: &mut u64,
    done: &mut Done,
) -> Result<()> {
    let bar = bar_for(file);
    let mut batch = Batch::default();
    rejects.begin(file);
    while let Some(item) = input.next() {
        let item = match item {
            Ok(item) => item,
            Err(error) => {
                batch.append(log, source, &mut Account { done, rejects })?;
                bar.finish_and_clear();
                bail!(
                    "{error}; what was read before is in the log ({}): mend the file first",
                    done.render(source)
                );
            }
        };
        match source.prepared(item) {
            Item::Event { lines, .. } if *left_out > 0 => {
                *left_out -= 1;
                done.lines += lines;
                done.there += lines;
            }
            Item::Event { event, line, lines, redacted } => {
                batch.add(event, Origin { line, lines, redacted });
            }
            Item::Rejected { line, lines, reason } => {
                rejects.tell(line, &reason)?;
                done.lines += lines;
                done.rejected += lines;
            }
        }
        if batch.is_full() {
            batch.append(log, source, &mut Account { done, rejects })?;
            bar.set_position(input.bytes_read());
        }
    }
    batch.append(log, source, &mut Account { done, rejects })?;
    done.handed_over(input.handed_over(), *left_out > 0);
    bar.finish_and_clear();
    rejects.end()
}

fn bar_for(file: &Path) -> ProgressBar {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
    let size = fs::metadata(file).map_or(0, |metadata| metadata.len());
    progress::over_bytes(&terminal::plain(&name.unwrap_or_default()), size)
}
