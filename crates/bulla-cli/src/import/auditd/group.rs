//! Bringing the records of one event together.
//!
//! Records of different serials interleave and come out of order, so a few serials
//! are held open: up to 64, and up to 32 MiB of records; the one that began first is
//! closed first. The longest call that Linux allows (6 MiB of arguments, in hex) is held whole.
//! A record that comes later still becomes an event of its own: nothing
//! is left out. An end-of-event record (EOE) closes nothing, because in files it too
//! may come early, and clocks close nothing, because files of days are joined.

//!
//! A file may end within an event, because auditd begins a new file between any two records.
//! So what is open at the end of a file is continued in the next one, if that has records of it
//! at its beginning.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{self, BufRead};

use super::super::Piece;
use super::super::input::{Lines, Unit};
use super::event;
use super::record::{Key, Record};

/// Most serials held open.
const OPEN_MAX: usize = 64;
/// Most bytes of records held open.
const OPEN_BYTES_MAX: usize = 32 << 20;

/// The records of one serial.
pub(super) struct Group {
    /// The line of the first record of this file.
    line: u64,
    pub(super) records: Vec<Record>,
    /// How many of them are of files before.
    of_before: usize,
}

impl Group {
    fn bytes(&self) -> usize {
        self.records.iter().map(|record| record.line.len()).sum()
    }

    /// How many lines of this file it accounts for.
    fn lines(&self) -> u64 {
        (self.records.len() - self.of_before) as u64
    }
}

/// A line taken apart.
struct Read {
    line: u64,
    record: Result<Record, String>,
}

/// A file of auditd records as events.
pub(crate) struct Grouped<R> {
    lines: Lines<R>,
    /// What was read to find the rest of events of the file before, and how that ended.
    ahead: VecDeque<Read>,
    failed_ahead: Option<io::Error>,
    /// By the line of their first record.
    open: VecDeque<Group>,
    /// Bytes of all lines held open.
    held: usize,
    /// Lines that `ausearch` adds.
    passed_over: u64,
    ready: VecDeque<Piece>,
}

impl<R: BufRead> Grouped<R> {
    pub(crate) fn new(lines: Lines<R>) -> Self {
        Grouped {
            lines,
            ahead: VecDeque::new(),
            failed_ahead: None,
            open: VecDeque::new(),
            held: 0,
            passed_over: 0,
            ready: VecDeque::new(),
        }
    }

    /// Blank lines, and those that `ausearch` adds.
    pub(crate) fn blank(&self) -> u64 {
        self.lines.blank() + self.passed_over
    }

    /// The next event or rejected line, up to the end of the file; then some events may be open.
    pub(crate) fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Ok(Some(piece));
            }
            let Some(read) = self.next_read()? else { return Ok(None) };
            match read.record {
                Ok(record) => self.add(read.line, record),
                Err(reason) => return Ok(Some(Piece::new(read.line, 1, Err(reason)))),
            }
        }
    }

    /// The event that began first of those that are open.
    pub(crate) fn close_one(&mut self) -> Option<Piece> {
        self.close_oldest();
        self.ready.pop_front()
    }

    /// Takes over what is open at the end of the file before and continues in this one. Gives the
    /// number of lines of that file.
    pub(crate) fn take_over(&mut self, before: &mut Self) -> u64 {
        if before.open.is_empty() {
            return 0;
        }
        self.read_ahead();
        let beginnings = beginnings(&self.ahead);
        let mut lines = 0;
        for mut group in std::mem::take(&mut before.open) {
            match beginnings.get(&group.records[0].key) {
                Some(found) if !found.repeat(&group) => {
                    let bytes = group.bytes();
                    before.held -= bytes;
                    self.held += bytes;
                    lines += group.lines();
                    group.line = found.line;
                    group.of_before = group.records.len();
                    self.open.push_back(group);
                }
                _ => before.open.push_back(group),
            }
        }
        lines
    }

    /// Reads the beginning of the file, so far that no group that is taken over is closed before
    /// its rest comes.
    fn read_ahead(&mut self) {
        let mut serials = HashSet::new();
        let mut bytes = 0;
        while serials.len() < OPEN_MAX && bytes < OPEN_BYTES_MAX / 2 {
            match self.read_line() {
                Ok(Some(read)) => {
                    if let Ok(record) = &read.record {
                        bytes += record.line.len();
                        serials.insert(record.key.clone());
                    }
                    self.ahead.push_back(read);
                }
                Ok(None) => return,
                Err(error) => {
                    self.failed_ahead = Some(error);
                    return;
                }
            }
        }
    }

    fn next_read(&mut self) -> io::Result<Option<Read>> {
        if let Some(read) = self.ahead.pop_front() {
            return Ok(Some(read));
        }
        match self.failed_ahead.take() {
            Some(error) => Err(error),
            None => self.read_line(),
        }
    }

    fn read_line(&mut self) -> io::Result<Option<Read>> {
        while let Some(Unit { line, text }) = self.lines.next_unit()? {
            if text.as_deref().is_ok_and(is_of_ausearch) {
                self.passed_over += 1;
            } else {
                return Ok(Some(Read { line, record: text.and_then(|text| Record::parse(&text)) }));
            }
        }
        Ok(None)
    }

    fn add(&mut self, line: u64, record: Record) {
        self.held += record.line.len();
        match self.open.iter_mut().rev().find(|group| group.records[0].key == record.key) {
            Some(group) => group.records.push(record),
            None => self.open.push_back(Group { line, records: vec![record], of_before: 0 }),
        }
        while self.open.len() > OPEN_MAX || self.held > OPEN_BYTES_MAX {
            self.close_oldest();
        }
    }

    fn close_oldest(&mut self) {
        let Some(group) = self.open.pop_front() else { return };
        self.held -= group.bytes();
        self.ready.push_back(Piece::new(group.line, group.lines(), event(&group)));
    }
}

/// The records of one serial at the beginning of a file.
struct Beginning<'a> {
    line: u64,
    records: Vec<&'a Record>,
}

/// What was read ahead, by its serial.
fn beginnings(ahead: &VecDeque<Read>) -> HashMap<&Key, Beginning<'_>> {
    let mut found: HashMap<&Key, Beginning<'_>> = HashMap::new();
    for read in ahead {
        if let Ok(record) = &read.record {
            let new = || Beginning { line: read.line, records: Vec::new() };
            found.entry(&record.key).or_insert_with(new).records.push(record);
        }
    }
    found
}

impl Beginning<'_> {
    /// Whether a record of the group stands here again: then the file is a copy, and what it has
    /// is no rest.
    fn repeat(&self, group: &Group) -> bool {
        self.records
            .iter()
            .any(|record| group.records.iter().any(|known| known.line == record.line))
    }
}

/// What `ausearch` writes between events: `----`, and the time of the next one.
fn is_of_ausearch(line: &str) -> bool {
    line == "----" || line.starts_with("time->") && !line.contains("type=")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(text: &str) -> Vec<(u64, u64, bool)> {
        let mut grouped = Grouped::new(Lines::new(text.as_bytes()));
        let mut out = Vec::new();
        while let Some(piece) = next(&mut grouped) {
            out.push((piece.line, piece.lines, piece.outcome.is_ok()));
        }
        out
    }

    fn next(grouped: &mut Grouped<&[u8]>) -> Option<Piece> {
        grouped.next_piece().unwrap().or_else(|| grouped.close_one())
    }

    fn line(seconds: u64, serial: u64) -> String {
        format!("type=PATH msg=audit({seconds}.000:{serial}): name=\"/x\"\n")
    }

    #[test]
    fn interleaved_records_of_a_serial_are_one_event() {
        let text = [line(1, 1), line(1, 2), line(1, 1), line(1, 3), line(1, 2)].concat();
        assert_eq!(items(&text), [(1, 2, true), (2, 2, true), (4, 1, true)]);
    }

    #[test]
    fn the_same_serial_of_two_machines_or_moments_is_two_events() {
        let text = format!("node=a {}node=b {}{}", line(1, 1), line(1, 1), line(2, 1));
        assert_eq!(items(&text).len(), 3);
    }

    #[test]
    fn a_straggler_stands_alone_once_its_serial_is_closed() {
        let others: String = (2..=OPEN_MAX as u64 + 1).map(|serial| line(1, serial)).collect();
        let text = [line(1, 1), others, line(1, 1)].concat();
        let found = items(&text);
        assert_eq!((found[0], found.len()), ((1, 1, true), OPEN_MAX + 2));
        assert_eq!(found[OPEN_MAX + 1], (OPEN_MAX as u64 + 2, 1, true));
    }

    #[test]
    fn no_more_than_sixty_four_serials_are_held() {
        let many: String = (0..1_000).map(|serial| line(1, serial)).collect();
        let mut grouped = Grouped::new(Lines::new(many.as_bytes()));
        let mut seen = 0;
        while next(&mut grouped).is_some() {
            assert!(grouped.open.len() <= OPEN_MAX);
            seen += 1;
        }
        assert_eq!(seen, 1_000);
    }

    #[test]
    fn a_serial_without_end_is_cut_before_it_fills_the_memory() {
        let record = format!("type=PATH msg=audit(1.000:1): name=\"{}\"\n", "x".repeat(4_000_000));
        let found = items(&record.repeat(20));
        assert_eq!(found.iter().map(|item| item.1).sum::<u64>(), 20);
        assert_eq!(found.iter().map(|item| item.1).collect::<Vec<_>>(), [9, 9, 2]);
    }

    #[test]
    fn lines_that_are_no_records_are_rejected_where_they_stand() {
        let text = format!("-----\n{}\n\nnonsense\n{}", line(1, 1), line(1, 1));
        assert_eq!(items(&text), [(1, 1, false), (5, 1, false), (2, 2, true)]);
    }

    #[test]
    fn what_ausearch_adds_is_passed_over() {
        let text = format!("----\ntime->Tue Nov 14 22:13:20 2023\n{}----\n", line(1, 1));
        let mut grouped = Grouped::new(Lines::new(text.as_bytes()));
        assert_eq!(next(&mut grouped).map(|piece| piece.line), Some(3));
        assert!(next(&mut grouped).is_none());
        assert_eq!(grouped.blank(), 3);
        assert_eq!(items("time->x type=PATH msg=audit(1.0:1): a=1").len(), 1);
    }
}
