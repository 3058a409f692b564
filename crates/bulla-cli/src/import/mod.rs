//! Importers: the audit trails of others as events of this log.
//!
//! [`read`] goes through a file piece by piece (a JSON value, or the records of one
//! auditd serial), so memory is bounded whatever the file holds.
//! Each piece becomes an event, with the original kept whole in `details`, or is
//! rejected with its line and the reason; nothing is left out: at the end of a file
//! [`Counts::imported`] + [`Counts::rejected`] = [`Counts::lines`].

mod auditd;
mod cloudtrail;
mod document;
mod fit;
mod glued;
mod ids;
mod input;
mod k8s;
mod lenient;
pub mod mapping;
mod nested;
mod outcome;
mod quoting;
mod reasons;
mod recorded;
mod split;
mod targets;
mod time;
mod trace;
mod values;
mod wrapper;

use std::borrow::Cow;
use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::str::FromStr;
use std::sync::Arc;

use bulla::Redactor;
use bulla::event::{Event, Json};

use document::Document;
use input::{Input, Lines, Opened};
use nested::Nested;
use reasons::NOT_JSON;

pub use fit::{MENDED, SHORTENED};
pub use ids::{SHARED_ID, set_apart};
pub use input::{UNIT_BYTES_MAX, VALUE_BYTES_MAX};
pub use mapping::Mapping;
pub use quoting::{without_line, without_secrets};
pub use reasons::{REASONS, Reason, reason_of};

/// What an event does not say: who acted, or what was done.
const UNKNOWN: &str = "unknown";

/// What the lines of a file mean.
#[derive(Clone, Debug)]
pub enum Format {
    /// AWS CloudTrail: events one a line, or the files AWS delivers.
    CloudTrail,
    /// Kubernetes audit events, `audit.k8s.io/v1` and `v1beta1`.
    K8s,
    /// Linux audit records as auditd writes them.
    Auditd,
    /// Our own JSON, as `bulla query --output jsonl` prints it.
    Jsonl,
    /// Any other JSON, through a mapping.
    Json(Arc<Mapping>),
}

/// The name is not one of a format that needs no mapping.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected cloudtrail, k8s, auditd or jsonl (json needs a mapping: --map)")]
pub struct UnknownFormat;

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        match name {
            "cloudtrail" => Ok(Format::CloudTrail),
            "k8s" => Ok(Format::K8s),
            "auditd" => Ok(Format::Auditd),
            "jsonl" => Ok(Format::Jsonl),
            _ => Err(UnknownFormat),
        }
    }
}

/// What became of a piece of input.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // lives for one loop turn; a box would cost more
pub enum Item {
    /// It is an event, within the limits of [`Event::validate`].
    Event {
        /// The event.
        event: Event,
        /// The line on which it begins, from 1.
        line: u64,
        /// How many lines it accounts for: 1, or its records for auditd.
        lines: u64,
        /// Whether something was taken out of it ([`Import::redacting`]).
        redacted: bool,
    },
    /// It could not be mapped.
    Rejected {
        /// The line on which it begins, from 1.
        line: u64,
        /// How many lines it accounts for.
        lines: u64,
        /// Why; holds no control characters.
        reason: String,
    },
}

/// A piece of input as its format maps it, before it is redacted and fitted.
struct Piece {
    line: u64,
    lines: u64,
    outcome: Result<Event, String>,
}

impl Piece {
    fn new(line: u64, lines: u64, outcome: Result<Event, String>) -> Self {
        Piece { line, lines, outcome }
    }

    /// The event as a log takes it. Foreign events are made to fit; our own are not
    /// altered, and must fit.
    fn finished(self, foreign: bool, redactor: Option<&Redactor>) -> Item {
        let Piece { line, lines, outcome } = self;
        let finished = outcome.and_then(|event| {
            let event = if foreign { fit::escaped(event) } else { event };
            let (event, redacted) = redact(redactor, event);
            let event = if foreign { fit::fitted(event) } else { event };
            event.validate().map_err(|invalid| invalid.to_string())?;
            Ok((event, redacted))
        });
        match finished {
            Ok((event, redacted)) => Item::Event { event, line, lines, redacted },
            Err(reason) => Item::Rejected { line, lines, reason },
        }
    }
}

/// The event without what must not be kept, and whether there was something.
fn redact(redactor: Option<&Redactor>, event: Event) -> (Event, bool) {
    match redactor.map(|redactor| redactor.apply(&event)) {
        Some(Cow::Owned(redacted)) => (redacted, true),
        Some(Cow::Borrowed(_)) | None => (event, false),
    }
}

/// Where the lines read so far went.
///
/// A line of auditd is one that is not blank. Where lines hold JSON, each value that may be
/// an event counts as a line, wherever it stands, and so does what stands in place of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines read, blank ones not counted.
    pub lines: u64,
    /// Blank lines.
    pub blank: u64,
    /// Lines that are in events.
    pub imported: u64,
    /// Lines that were rejected.
    pub rejected: u64,
    /// Events made.
    pub events: u64,
}

/// The events of a file, in order: an iterator that reads as it goes.
///
/// After an error (the file cannot be read on, or its gzip data are damaged or cut
/// short) it ends; the error names the file.
pub struct Import {
    path: PathBuf,
    source: Source,
    counts: Counts,
    bytes_read: Rc<Cell<u64>>,
    /// Whether the events are of others, and so are made to fit.
    foreign: bool,
    redactor: Option<Redactor>,
    failed: bool,
    /// The file that is read next: its name, and once this one has ended, itself.
    following: Option<PathBuf>,
    next: Option<Box<Import>>,
    handed_over: u64,
}

enum Source {
    Values(Box<Nested>),
    Records(Box<auditd::Grouped<Input>>),
}

/// Opens a file for import. It may be packed with gzip or zstd.
///
/// # Errors
/// The file cannot be opened or its first bytes not be read, or it is packed or encoded in
/// another way; the error names it.
pub fn read(path: &Path, format: &Format) -> io::Result<Import> {
    let opened = input::open(path).map_err(|error| named(path, &error))?;
    Ok(Import::new(path, opened, format))
}

/// The same for bytes that are no file; `name` is for messages.
///
/// # Errors
/// As [`read`].
pub fn read_from(
    name: &str,
    bytes: impl io::Read + 'static,
    format: &Format,
) -> io::Result<Import> {
    let path = Path::new(name);
    let opened = input::open_reader(bytes, false).map_err(|error| named(path, &error))?;
    Ok(Import::new(path, opened, format))
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

impl Import {
    fn new(path: &Path, opened: Opened, format: &Format) -> Self {
        let source = if matches!(format, Format::Auditd) {
            Source::Records(Box::new(auditd::Grouped::new(Lines::new(opened.input))))
        } else {
            Source::Values(Box::new(Nested::new(opened.input, format.clone())))
        };
        Import {
            path: path.to_owned(),
            source,
            counts: Counts::default(),
            bytes_read: opened.bytes_read,
            foreign: !matches!(format, Format::Jsonl),
            redactor: None,
            failed: false,
            following: None,
            next: None,
            handed_over: 0,
        }
    }

    /// Names the file that is read next. Of auditd an event that begins at the end of this file and
    /// continues at the beginning of that one is an event of that one ([`Import::into_next`]).
    #[must_use]
    pub fn followed_by(mut self, file: &Path) -> Self {
        self.following = Some(file.to_owned());
        self
    }

    /// The file that is read next, if it holds rests of events that began in this one, or was
    /// looked at to find some.
    pub fn into_next(self) -> Option<Import> {
        self.next.map(|next| *next)
    }

    /// How many lines of this file belong to events that end in the next one. They count as
    /// imported.
    pub fn handed_over(&self) -> u64 {
        self.handed_over
    }

    /// Takes out of the events what must not be kept, before anything is shortened, so
    /// that no secret is cut in two and missed.
    #[must_use]
    pub fn redacting(mut self, redactor: Option<Redactor>) -> Self {
        self.redactor = redactor;
        self
    }

    /// What was read so far and where it went.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many bytes of the file have been read, as it lies on disk.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.get()
    }

    fn advance(&mut self) -> io::Result<Option<Item>> {
        let piece = match &mut self.source {
            Source::Values(values) => {
                let piece = values.next_piece()?;
                self.counts.blank = values.blank();
                piece
            }
            Source::Records(records) => {
                let piece = records.next_piece()?;
                self.counts.blank = records.blank();
                match piece {
                    Some(piece) => Some(piece),
                    None => self.close_one(),
                }
            }
        };
        let item = piece.map(|piece| piece.finished(self.foreign, self.redactor.as_ref()));
        if let Some(item) = &item {
            self.counts.add(item);
        }
        Ok(item)
    }
}

impl Import {
    /// An event of auditd that is open at the end of the file, and not continued in the next.
    fn close_one(&mut self) -> Option<Piece> {
        let Source::Records(records) = &mut self.source else { return None };
        // What is wrong with the next file is said when it is its turn.
        let next = self.following.take().and_then(|file| read(&file, &Format::Auditd).ok());
        if let Some(mut next) = next {
            if let Source::Records(its) = &mut next.source {
                self.handed_over = its.take_over(records);
                self.counts.lines += self.handed_over;
                self.counts.imported += self.handed_over;
            }
            self.next = Some(Box::new(next.redacting(self.redactor.clone())));
        }
        records.close_one()
    }
}

impl Counts {
    fn add(&mut self, item: &Item) {
        let lines = match item {
            Item::Event { lines, .. } => {
                self.events += 1;
                self.imported += lines;
                lines
            }
            Item::Rejected { lines, .. } => {
                self.rejected += lines;
                lines
            }
        };
        self.lines += lines;
    }
}

impl Iterator for Import {
    type Item = io::Result<Item>;

    fn next(&mut self) -> Option<io::Result<Item>> {
        if self.failed {
            return None;
        }
        match self.advance() {
            Ok(item) => item.map(Ok),
            Err(error) => {
                self.failed = true;
                Some(Err(named(&self.path, &error)))
            }
        }
    }
}

impl Format {
    /// Maps one JSON object of others: to its event, or to each of several that it holds.
    fn map(&self, doc: Document<'_>) -> Result<Vec<Result<Event, String>>, String> {
        let one = |event: Result<Event, String>| Ok(vec![Ok(event?)]);
        match self {
            Format::CloudTrail => one(cloudtrail::map(doc)),
            Format::K8s => one(k8s::map(&doc)),
            Format::Json(mapping) => mapping.apply_all(&doc),
            Format::Jsonl | Format::Auditd => Err("not JSON of others".to_owned()),
        }
    }
}

/// The original event, byte for byte, for `details`.
fn original(text: &str) -> Result<Json, String> {
    Json::parse(text).map_err(|error| format!("{NOT_JSON}{}", quoting::json_error(error)))
}
