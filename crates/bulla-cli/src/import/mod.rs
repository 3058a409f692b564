//! Importers: the audit trails of others as events of this log.
//!
//! [`read`] goes through a file piece by piece (a line, an element of an array, or
//! the records of one auditd serial), so memory is bounded whatever the file holds.
//! Each piece becomes an event, with the original kept whole in `details`, or is
//! rejected with its line and the reason; nothing is left out: at the end of a file
//! [`Counts::imported`] + [`Counts::rejected`] = [`Counts::lines`].

mod array;
mod auditd;
mod cloudtrail;
mod document;
mod input;
mod k8s;
pub mod mapping;
mod time;

use std::cell::Cell;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::str::FromStr;
use std::sync::Arc;

use bulla::event::{Event, Json};

use array::Elements;
use input::{Input, Lines, Unit};

pub use input::UNIT_BYTES_MAX;
pub use mapping::Mapping;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFormat;

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected cloudtrail, k8s, auditd or jsonl (json needs a mapping: --map)")
    }
}

impl std::error::Error for UnknownFormat {}

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

impl Item {
    fn new(line: u64, lines: u64, outcome: Result<Event, String>) -> Self {
        match outcome.and_then(valid) {
            Ok(event) => Item::Event { event, line, lines },
            Err(reason) => Item::Rejected { line, lines, reason },
        }
    }
}

fn valid(event: Event) -> Result<Event, String> {
    event.validate().map_err(|invalid| invalid.to_string())?;
    Ok(event)
}

/// Where the lines read so far went.
///
/// A line is one that is not blank; of a file that is an array, an element of it.
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
    failed: bool,
}

enum Source {
    Lines(Lines<Input>, Format),
    Elements(Elements<Input>, Format),
    Records(auditd::Grouped<Input>),
}

/// Opens a file for import. It may be packed with gzip.
///
/// # Errors
/// The file cannot be opened or its first bytes not be read; the error names it.
pub fn read(path: &Path, format: &Format) -> io::Result<Import> {
    let opened = input::open(path).map_err(|error| named(path, &error))?;
    let source = match format {
        Format::Auditd => Source::Records(auditd::Grouped::new(Lines::new(opened.input))),
        _ if array::begins_array(&opened.peek) => {
            Source::Elements(Elements::new(opened.input), format.clone())
        }
        _ => Source::Lines(Lines::new(opened.input), format.clone()),
    };
    let bytes_read = opened.bytes_read;
    Ok(Import {
        path: path.to_owned(),
        source,
        counts: Counts::default(),
        bytes_read,
        failed: false,
    })
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

impl Import {
    /// What was read so far and where it went.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many bytes of the file have been read, as it lies on disk.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.get()
    }

    fn advance(&mut self) -> io::Result<Option<Item>> {
        let item = match &mut self.source {
            Source::Lines(lines, format) => {
                let unit = lines.next_unit()?;
                self.counts.blank = lines.blank();
                unit.map(|unit| item_of(unit, format, None))
            }
            Source::Elements(elements, format) => {
                let unit = elements.next_unit()?;
                unit.map(|unit| item_of(unit, format, Some(elements.ordinal())))
            }
            Source::Records(records) => {
                let item = records.next_item()?;
                self.counts.blank = records.blank();
                item
            }
        };
        if let Some(item) = &item {
            self.counts.add(item);
        }
        Ok(item)
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

fn item_of(unit: Unit, format: &Format, element: Option<u64>) -> Item {
    let outcome = unit.text.and_then(|text| {
        format.map(&text).and_then(valid).map_err(|reason| match element {
            Some(ordinal) => format!("element {ordinal}: {reason}"),
            None => reason,
        })
    });
    Item::new(unit.line, 1, outcome)
}

impl Format {
    /// Maps one JSON event.
    fn map(&self, text: &str) -> Result<Event, String> {
        match self {
            Format::CloudTrail => cloudtrail::map(text).map(escaped),
            Format::K8s => k8s::map(text).map(escaped),
            Format::Json(mapping) => mapping.apply(text).map(escaped),
            Format::Jsonl => {
                Event::from_json(text).map_err(|error| document::shown(&error.to_string()))
            }
            Format::Auditd => Err("auditd records are not JSON".to_owned()),
        }
    }
}

/// The original event, byte for byte, for `details`.
fn original(text: &str) -> Result<Json, String> {
    Json::parse(text).map_err(|error| document::shown(&error.to_string()))
}

/// Writes the control characters in all fields copied from a stranger's event as
/// escapes. Whoever is being audited chooses some of them (his user agent, a name), and
/// must not keep an event out of the log that way; `details` has the original whole.
fn escaped(mut event: Event) -> Event {
    const ONE_LINE: &[char] = &[];
    const PROSE: &[char] = &['\t', '\n'];
    let resource = &mut event.resource;
    for text in [&mut event.actor.kind, &mut event.actor.id, &mut event.action, &mut resource.kind]
    {
        escape(text, ONE_LINE);
    }
    let optional = [
        (&mut event.tenant, ONE_LINE),
        (&mut event.actor.email, ONE_LINE),
        (&mut event.actor.role, ONE_LINE),
        (&mut resource.id, ONE_LINE),
        (&mut event.reason, PROSE),
        (&mut event.source, ONE_LINE),
        (&mut event.ip, ONE_LINE),
        (&mut event.user_agent, PROSE),
        (&mut event.session_id, ONE_LINE),
        (&mut event.request_id, ONE_LINE),
        (&mut event.correlation_id, ONE_LINE),
    ];
    for (text, allowed) in optional {
        if let Some(text) = text {
            escape(text, allowed);
        }
    }
    event.changed_fields.iter_mut().for_each(|name| escape(name, ONE_LINE));
    event.tags.values_mut().for_each(|value| escape(value, ONE_LINE));
    event
}

/// Writes control characters as `\u{1b}`, but for those allowed.
fn escape(text: &mut String, allowed: &[char]) {
    let bad = |found: char| found.is_control() && !allowed.contains(&found);
    if !text.contains(bad) {
        return;
    }
    let mut out = String::with_capacity(text.len() + 16);
    for found in text.chars() {
        match bad(found) {
            true => out.extend(found.escape_default()),
            false => out.push(found),
        }
    }
    *text = out;
}
