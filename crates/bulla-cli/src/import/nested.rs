//! The events of a file of JSON, out of all that is put around them: values, messages in them, lists
//! in these, to a bounded depth.

use std::collections::VecDeque;
use std::io::{self, Cursor};

use bulla::event::Event;

use super::document::Document;
use super::input::{Input, VALUE_BYTES_MAX};
use super::lenient::{self, Mended};
use super::reasons::{MESSAGE_NOT_JSON, NOT_JSON, is_of_another_kind, reason_of};
use super::values::{Found, Values};
use super::{Format, MENDED, Piece, fit, glued, recorded, wrapper};

/// Most messages in one another that are looked into.
const MESSAGES_OPEN_MAX: usize = 6;

/// Most bytes of messages that are held at a time.
const MESSAGES_BYTES_MAX: usize = 2 * VALUE_BYTES_MAX;

/// A file of JSON as its events.
pub(crate) struct Nested {
    file: Values<Input>,
    /// What the value read last holds, each message in the one before.
    messages: Vec<Message>,
    /// A value that stands behind one that was cut off.
    behind: Option<Found>,
    /// What else the value read last is, if it holds several events.
    others: VecDeque<Piece>,
    format: Format,
}

/// A text or an object that may hold events.
struct Message {
    values: Values<Cursor<Vec<u8>>>,
    len: usize,
    /// The member that it was in.
    member: String,
    /// Where the value stands in the file that it was in.
    line: u64,
    element: Option<u64>,
    /// What was mended around it.
    kinds: Vec<&'static str>,
}

impl Nested {
    pub(crate) fn new(input: Input, format: Format) -> Self {
        let file = Values::new(input, wrapper::lists(&format));
        Nested { file, messages: Vec::new(), behind: None, others: VecDeque::new(), format }
    }

    /// How many blank lines between values have been passed over.
    pub(crate) fn blank(&self) -> u64 {
        self.file.blank()
    }

    /// The next event, or what stands in place of one.
    pub(crate) fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        if let Some(piece) = self.others.pop_front() {
            return Ok(Some(piece));
        }
        while let Some(found) = self.next_value()? {
            if let Some(piece) = self.piece_of(found) {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }

    fn next_value(&mut self) -> io::Result<Option<Found>> {
        while let Some(message) = self.messages.last_mut() {
            if let Some(found) = message.values.next_value()? {
                let (line, element) = (message.line, message.element);
                return Ok(Some(Found { line, element, bytes: found.bytes }));
            }
            self.messages.pop();
        }
        match self.behind.take() {
            Some(found) => Ok(Some(found)),
            None => self.file.next_value(),
        }
    }

    /// What the value is; none if it holds a message, which is entered.
    fn piece_of(&mut self, found: Found) -> Option<Piece> {
        let Found { line, element, bytes } = found;
        let outcome = match bytes {
            Ok(bytes) => self.read(&bytes, line, element)?,
            Err(reason) => Err(reason),
        };
        let outcomes = outcome.unwrap_or_else(|reason| vec![Err(reason)]);
        let located = |outcome: Result<Event, String>| {
            outcome.map_err(|reason| self.located(reason, element))
        };
        let pieces = outcomes.into_iter().map(|outcome| Piece::new(line, 1, located(outcome)));
        let mut pieces: VecDeque<Piece> = pieces.collect();
        let first = pieces.pop_front();
        self.others = pieces;
        first
    }

    fn read(
        &mut self,
        bytes: &[u8],
        line: u64,
        element: Option<u64>,
    ) -> Option<Result<Vec<Result<Event, String>>, String>> {
        let bytes = without_space(bytes);
        if matches!(self.format, Format::Jsonl) {
            return Some(Ok(vec![recorded::read(bytes)]));
        }
        let Mended { kept, plain, kinds } = lenient::mend(bytes);
        let outcome = Document::of(&kept, plain).and_then(|doc| self.format.map(doc));
        let kinds = joined(self.kinds_around(), &kinds);
        if outcome.as_ref().is_err_and(|reason| is_of_another_kind(reason))
            && let Some((member, text)) = self.message_in(&kept)
        {
            self.messages.push(Message {
                len: text.len(),
                values: Values::new(Cursor::new(text.into_bytes()), wrapper::lists(&self.format)),
                member,
                line,
                element,
                kinds,
            });
            return None;
        }
        let in_file = self.messages.is_empty() && element.is_none();
        if in_file && outcome.as_ref().is_err_and(|reason| reason.starts_with(NOT_JSON)) {
            self.behind = behind_cut(bytes, line);
        }
        Some(outcome.map(|mut events| {
            if !kinds.is_empty() {
                let names = || kinds.join(",");
                events.iter_mut().flatten().for_each(|event| fit::add_tag(event, MENDED, names()));
            }
            events
        }))
    }

    fn kinds_around(&self) -> &[&'static str] {
        self.messages.last().map_or(&[], |message| &message.kinds)
    }

    /// What an object that is no event carries, and in which member, if there is room for it.
    fn message_in(&self, object: &str) -> Option<(String, String)> {
        if self.messages.len() >= MESSAGES_OPEN_MAX {
            return None;
        }
        let (member, text) = wrapper::message_in(&self.format, object)?;
        let held: usize = self.messages.iter().map(|message| message.len).sum();
        (held + text.len() <= MESSAGES_BYTES_MAX).then_some((member, text))
    }

    /// The reason, with the place in the value of the file. What is not JSON in a message does not
    /// make the value around it less so.
    fn located(&self, reason: String, element: Option<u64>) -> String {
        let reason = match self.messages.last() {
            Some(message) if !reason_of(&reason).is_some_and(|known| known.of_objects) => {
                let problem = reason.strip_prefix(NOT_JSON).unwrap_or(&reason);
                format!("{MESSAGE_NOT_JSON}{}: {problem}", message.member)
            }
            _ => reason,
        };
        match element {
            Some(ordinal) => format!("element {ordinal}: {reason}"),
            None => reason,
        }
    }
}

/// The value behind one that was cut off, if these are two.
fn behind_cut(bytes: &[u8], line: u64) -> Option<Found> {
    let begin = glued::begin_of_last(bytes)?;
    let (before, value) = bytes.split_at(begin);
    let line = line + before.iter().filter(|byte| **byte == b'\n').count() as u64;
    Some(Found { line, element: None, bytes: Ok(value.to_vec()) })
}

fn joined(kinds: &[&'static str], more: &[&'static str]) -> Vec<&'static str> {
    let mut all = [kinds, more].concat();
    all.sort_unstable();
    all.dedup();
    all
}

/// The bytes without white space and NULs around them.
fn without_space(bytes: &[u8]) -> &[u8] {
    let inside = |byte: &u8| !byte.is_ascii_whitespace() && *byte != 0;
    let begin = bytes.iter().position(inside).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(inside).map_or(begin, |last| last + 1);
    &bytes[begin..end]
}
