//! Bringing the records of one event together.
//!
//! Records of different serials interleave and come out of order, so a few serials
//! are held open: up to 64, and up to 32 MiB of records; the one that began first is
//! closed first. The longest call that Linux allows (6 MiB of arguments, in hex) is held whole.
//! A record that comes later still becomes an event of its own: nothing
//! is left out. An end-of-event record (EOE) closes nothing, because in files it too
//! may come early, and clocks close nothing, because files of days are joined.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use super::super::Piece;
use super::super::input::Lines;
use super::event;
use super::record::Record;

/// Most serials held open.
const OPEN_MAX: usize = 64;
/// Most bytes of records held open.
const OPEN_BYTES_MAX: usize = 32 << 20;

/// The records of one serial.
pub(super) struct Group {
    /// The line of the first record.
    line: u64,
    pub(super) records: Vec<Record>,
}

impl Group {
    fn bytes(&self) -> usize {
        self.records.iter().map(|record| record.line.len()).sum()
    }
}

/// A file of auditd records as events.
pub(crate) struct Grouped<R> {
    lines: Lines<R>,
    /// By the line of their first record.
    open: VecDeque<Group>,
    /// Bytes of all lines held.
    held: usize,
    /// Lines that `ausearch` adds.
    passed_over: u64,
    ready: VecDeque<Piece>,
}

impl<R: BufRead> Grouped<R> {
    pub(crate) fn new(lines: Lines<R>) -> Self {
        Grouped { lines, open: VecDeque::new(), held: 0, passed_over: 0, ready: VecDeque::new() }
    }

    /// Blank lines, and those that `ausearch` adds.
    pub(crate) fn blank(&self) -> u64 {
        self.lines.blank() + self.passed_over
    }

    pub(crate) fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Ok(Some(piece));
            }
            let Some(unit) = self.lines.next_unit()? else {
                self.close_oldest();
                return Ok(self.ready.pop_front());
            };
            if unit.text.as_deref().is_ok_and(is_of_ausearch) {
                self.passed_over += 1;
                continue;
            }
            match unit.text.and_then(|text| Record::parse(&text)) {
                Ok(record) => self.add(unit.line, record),
                Err(reason) => return Ok(Some(Piece::new(unit.line, 1, Err(reason)))),
            }
        }
    }

    fn add(&mut self, line: u64, record: Record) {
        self.held += record.line.len();
        match self.open.iter_mut().rev().find(|group| group.records[0].key == record.key) {
            Some(group) => group.records.push(record),
            None => self.open.push_back(Group { line, records: vec![record] }),
        }
        while self.open.len() > OPEN_MAX || self.held > OPEN_BYTES_MAX {
            self.close_oldest();
        }
    }

    fn close_oldest(&mut self) {
        let Some(group) = self.open.pop_front() else { return };
        self.held -= group.bytes();
        let lines = group.records.len() as u64;
        self.ready.push_back(Piece::new(group.line, lines, event(&group)));
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
        while let Some(piece) = grouped.next_piece().unwrap() {
            out.push((piece.line, piece.lines, piece.outcome.is_ok()));
        }
        out
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
        while grouped.next_piece().unwrap().is_some() {
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
        assert_eq!(grouped.next_piece().unwrap().map(|piece| piece.line), Some(3));
        assert!(grouped.next_piece().unwrap().is_none());
        assert_eq!(grouped.blank(), 3);
        assert_eq!(items("time->x type=PATH msg=audit(1.0:1): a=1").len(), 1);
    }
}
