//! Lists: tables for people, JSON lines and CSV for programs.

use std::borrow::Cow;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::{terminal, text};

/// Standard output, buffered.
pub(crate) type Out = BufWriter<Stdout>;

/// Standard output, buffered: flush it before waiting for anything. When its reader leaves, the
/// rest is discarded and the command continues, so that its work and its status are the same.
pub(crate) fn stdout() -> Out {
    buffered(Discards::TheRest)
}

/// The same, for a command that only shows what there is: when its reader leaves, the next write
/// fails with [`ReaderLeft`], which ends the command with status 0.
pub(crate) fn stdout_while_read() -> Out {
    buffered(Discards::Nothing)
}

fn buffered(discards: Discards) -> Out {
    BufWriter::with_capacity(1 << 16, Stdout { inner: io::stdout(), discards })
}

/// What becomes of output after its reader has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Discards {
    Nothing,
    /// From the first write that fails on.
    TheRest,
    Everything,
}

/// Standard output, whose reader may leave before the end.
#[derive(Debug)]
pub(crate) struct Stdout {
    inner: io::Stdout,
    discards: Discards,
}

/// The reader of standard output closed it.
#[derive(Debug, thiserror::Error)]
#[error("standard output was closed by its reader")]
pub(crate) struct ReaderLeft;

impl Stdout {
    /// `instead` is what a write gives whose output is discarded.
    fn done<T>(&mut self, result: io::Result<T>, instead: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                if self.discards == Discards::Nothing {
                    return Err(io::Error::new(io::ErrorKind::BrokenPipe, ReaderLeft));
                }
                self.discards = Discards::Everything;
                Ok(instead)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => Err(io::Error::new(error.kind(), format!("standard output: {error}"))),
            Ok(done) => Ok(done),
        }
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.discards == Discards::Everything {
            return Ok(bytes.len());
        }
        let result = self.inner.write(bytes);
        self.done(result, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.discards == Discards::Everything {
            return Ok(());
        }
        let result = self.inner.flush();
        self.done(result, ())
    }
}

/// Standard error. A command does its work also when nothing can be said there. What is written by
/// one `writeln!` is one line, whatever is in it.
#[derive(Debug)]
pub(crate) struct Stderr;

/// Standard error, whose writes never fail.
pub(crate) fn stderr() -> Stderr {
    Stderr
}

impl Write for Stderr {
    /// Lines that were put together before.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(lines);
        let shown: Vec<String> =
            terminal::without_secret(&text).split('\n').map(terminal::plain).collect();
        let _ = io::stderr().write_all(shown.join("\n").as_bytes());
        Ok(lines.len())
    }

    fn write_fmt(&mut self, arguments: std::fmt::Arguments<'_>) -> io::Result<()> {
        let text = arguments.to_string();
        let (line, end) = match text.strip_suffix('\n') {
            Some(line) => (line, "\n"),
            None => (&*text, ""),
        };
        let shown = terminal::plain(&terminal::without_secret(line));
        let _ = io::stderr().write_all(format!("{shown}{end}").as_bytes());
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits for this time, or until the reader of standard output has closed it, which no write
/// tells while there is nothing to write. Whether it is still read.
#[cfg(unix)]
pub(crate) fn is_read_for(time: Duration) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = io::stdout();
    // Without an event to wait for, errors and hang-ups are told all the same.
    let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
    match poll(&mut polled, Some(&Timespec::try_from(time).unwrap_or_default())) {
        Err(rustix::io::Errno::INTR) => return Ok(true),
        done => done?,
    };
    Ok(!polled[0].revents().intersects(PollFlags::ERR | PollFlags::HUP))
}

#[cfg(not(unix))]
pub(crate) fn is_read_for(time: Duration) -> io::Result<bool> {
    std::thread::sleep(time);
    Ok(true)
}

/// How lists are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people; fitted to the width of a terminal.
    Table,
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a header (RFC 4180).
    Csv,
    /// The same, exactly: also what a spreadsheet takes for a formula.
    #[value(skip)]
    RawCsv,
}

impl Format {
    /// Whether it is one of comma-separated values.
    pub(crate) fn is_csv(self) -> bool {
        matches!(self, Format::Csv | Format::RawCsv)
    }
}

/// The option that chooses a format.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Shown {
    /// How to show it.
    #[arg(long, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    output: Format,
    /// Write CSV values exactly as they are: else those that a spreadsheet takes for a formula
    /// get an apostrophe in front
    #[arg(long)]
    raw: bool,
}

impl Shown {
    /// How to show it.
    pub(crate) fn format(self) -> Format {
        match self.output {
            Format::Csv if self.raw => Format::RawCsv,
            output => output,
        }
    }
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    name: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Number,
    Fixed,
    Elastic,
    Spare,
}

impl Column {
    /// Numbers stand to the right.
    pub(crate) const fn number(name: &'static str) -> Self {
        Column { name, kind: Kind::Number }
    }

    /// Text that is always shown whole.
    pub(crate) const fn fixed(name: &'static str) -> Self {
        Column { name, kind: Kind::Fixed }
    }

    /// Text that loses its middle when the terminal is too narrow.
    pub(crate) const fn elastic(name: &'static str) -> Self {
        Column { name, kind: Kind::Elastic }
    }

    /// Text that is left out first, from the right, when the terminal is too narrow.
    pub(crate) const fn spare(name: &'static str) -> Self {
        Column { name, kind: Kind::Spare }
    }
}

/// What can stand in a list.
pub(crate) trait Row {
    /// The columns of its table.
    const COLUMNS: &'static [Column];
    /// The header of its CSV.
    const FIELDS: &'static [&'static str];
    /// Its cells in a table, one for each column.
    fn cells(&self) -> Vec<String>;
    /// Its CSV values, one for each field.
    fn fields(&self) -> Vec<String>;
    /// Its JSON, on one line.
    fn json(&self) -> String;
}

/// How many rows are looked at to find the widths of the columns.
const ROWS_MEASURED: usize = 200;
/// No column is made narrower than this.
const WIDTH_MIN: usize = 8;
const GAP: &str = "  ";

/// A list that is being printed, row by row and in bounded memory.
pub(crate) struct Listing<'o, R: Row, W: Write> {
    out: &'o mut W,
    format: Format,
    terminal_width: Option<usize>,
    waiting: Vec<Vec<String>>,
    widths: Option<Vec<usize>>,
    begun: bool,
    row: std::marker::PhantomData<R>,
}

impl<'o, R: Row, W: Write> Listing<'o, R, W> {
    /// An empty list.
    pub(crate) fn new(out: &'o mut W, format: Format) -> Self {
        Listing {
            out,
            format,
            terminal_width: terminal_width(),
            waiting: Vec::new(),
            widths: None,
            begun: false,
            row: std::marker::PhantomData,
        }
    }

    /// Prints a row, or keeps it until enough rows are known to line them up.
    pub(crate) fn row(&mut self, row: &R) -> io::Result<()> {
        match self.format {
            Format::Jsonl => writeln!(self.out, "{}", row.json()),
            Format::Csv => {
                self.csv_header()?;
                write_csv(self.out, row.fields().iter().map(|field| text::no_formula(field)))
            }
            Format::RawCsv => {
                self.csv_header()?;
                write_csv(self.out, row.fields().iter().map(|field| Cow::Borrowed(&**field)))
            }
            Format::Table => {
                self.waiting.push(row.cells().iter().map(|cell| terminal::plain(cell)).collect());
                if self.widths.is_some() || self.waiting.len() >= ROWS_MEASURED {
                    self.print_waiting()?;
                }
                Ok(())
            }
        }
    }

    /// Prints what waits, so that a reader sees all rows given so far.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.print_waiting()?;
        self.out.flush()
    }

    /// Ends the list. An empty CSV still has its header.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        if self.format.is_csv() {
            self.csv_header()?;
        }
        self.flush()
    }

    fn csv_header(&mut self) -> io::Result<()> {
        if !self.begun {
            self.begun = true;
            write_csv(self.out, R::FIELDS.iter().map(|name| Cow::Borrowed(*name)))?;
        }
        Ok(())
    }

    fn print_waiting(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.waiting);
        if self.widths.is_none() {
            let widths = fit(measure(R::COLUMNS, &rows), R::COLUMNS, self.terminal_width);
            let header: Vec<String> =
                R::COLUMNS.iter().map(|column| column.name.to_owned()).collect();
            write_row(self.out, R::COLUMNS, &widths, &header)?;
            self.widths = Some(widths);
        }
        let widths = self.widths.as_deref().unwrap_or_default();
        for row in &rows {
            write_row(self.out, R::COLUMNS, widths, row)?;
        }
        Ok(())
    }
}

fn terminal_width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns))
}

fn measure(columns: &[Column], rows: &[Vec<String>]) -> Vec<usize> {
    let mut widths: Vec<usize> = columns.iter().map(|column| column.name.len()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    widths
}

/// Leaves out spare columns (width 0), then takes from the widest elastic column, until the
/// row fits, as long as it can.
fn fit(mut widths: Vec<usize>, columns: &[Column], room: Option<usize>) -> Vec<usize> {
    let Some(room) = room else { return widths };
    let too_wide = |widths: &[usize]| {
        let shown = widths.iter().filter(|width| **width > 0).count();
        widths.iter().sum::<usize>() + GAP.len() * shown.saturating_sub(1) > room
    };
    for (at, column) in columns.iter().enumerate().rev() {
        if column.kind == Kind::Spare && too_wide(&widths) {
            widths[at] = 0;
        }
    }
    while too_wide(&widths) {
        let elastic = widths.iter_mut().zip(columns).filter(|(_, c)| c.kind == Kind::Elastic);
        match elastic.map(|(width, _)| width).max() {
            Some(width) if *width > WIDTH_MIN => *width -= 1,
            _ => break,
        }
    }
    widths
}

fn write_row(
    out: &mut impl Write,
    columns: &[Column],
    widths: &[usize],
    cells: &[String],
) -> io::Result<()> {
    let mut line = String::new();
    for ((column, &width), cell) in columns.iter().zip(widths).zip(cells) {
        if width == 0 {
            continue; // left out
        }
        let cell = match column.kind {
            Kind::Elastic => text::elided(cell, width),
            _ => cell.clone(),
        };
        match column.kind {
            Kind::Number => line += &format!("{cell:>width$}"),
            _ => line += &format!("{cell:<width$}"),
        }
        line += GAP;
    }
    writeln!(out, "{}", line.trim_end())
}

/// What separates values in the CSV of some place is quoted, too: opened there, a value stays one
/// cell.
fn write_csv<'v>(
    out: &mut impl Write,
    values: impl Iterator<Item = Cow<'v, str>>,
) -> io::Result<()> {
    for (at, value) in values.enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        let separates = |c: char| matches!(c, ',' | ';' | '|' | '"') || c.is_control();
        if value.contains(separates) {
            write!(out, "\"{}\"", value.replace('"', "\"\""))?;
        } else {
            out.write_all(value.as_bytes())?;
        }
    }
    out.write_all(b"\r\n")
}

/// Prints named facts, one a line and lined up; one without a name goes on below.
pub(crate) fn facts(out: &mut impl Write, facts: &[(&str, String)]) -> io::Result<()> {
    let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in facts {
        writeln!(out, "{name:<width$}  {}", terminal::plain(value))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pair(u64, &'static str);

    impl Row for Pair {
        const COLUMNS: &'static [Column] = &[Column::number("N"), Column::elastic("TEXT")];
        const FIELDS: &'static [&'static str] = &["n", "text"];

        fn cells(&self) -> Vec<String> {
            vec![self.0.to_string(), self.1.to_owned()]
        }

        fn fields(&self) -> Vec<String> {
            self.cells()
        }

        fn json(&self) -> String {
            format!("[{}]", self.0)
        }
    }

    fn listed(format: Format, rows: &[Pair]) -> String {
        let mut out = Vec::new();
        let mut listing = Listing::new(&mut out, format);
        listing.terminal_width = None;
        for row in rows {
            listing.row(row).unwrap();
        }
        listing.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_lines_up_and_an_empty_one_is_empty() {
        let rows = [Pair(5, "a\tb"), Pair(1000, "c")];
        assert_eq!(listed(Format::Table, &rows), "   N  TEXT\n   5  a\\tb\n1000  c\n");
        assert_eq!(listed(Format::Table, &[]), "");
    }

    #[test]
    fn csv_quotes_what_needs_it_and_always_has_a_header() {
        let rows = [Pair(5, "a,\"b\"\n")];
        assert_eq!(listed(Format::Csv, &rows), "n,text\r\n5,\"a,\"\"b\"\"\n\"\r\n");
        assert_eq!(listed(Format::Csv, &[]), "n,text\r\n");
    }

    #[test]
    fn csv_has_no_formula_unless_it_is_raw() {
        let rows = [Pair(5, "=1+1"), Pair(6, " \t@x"), Pair(7, "a;=b|-1")];
        let shown = "n,text\r\n5,'=1+1\r\n6,\"' \t'@x\"\r\n7,\"a;'=b|'-1\"\r\n";
        assert_eq!(listed(Format::Csv, &rows), shown);
        assert_eq!(listed(Format::RawCsv, &rows), shown.replace('\'', ""));
    }

    #[test]
    fn json_is_one_object_a_line() {
        assert_eq!(listed(Format::Jsonl, &[Pair(1, ""), Pair(2, "")]), "[1]\n[2]\n");
    }

    #[test]
    fn elastic_columns_give_way_to_the_terminal() {
        let widths = |room| fit(vec![4, 30], Pair::COLUMNS, Some(room));
        assert_eq!(widths(80), [4, 30]);
        assert_eq!(widths(20), [4, 14]);
        assert_eq!(widths(3), [4, WIDTH_MIN]);
    }

    #[test]
    fn spare_columns_go_before_others_are_shortened() {
        const COLUMNS: &[Column] =
            &[Column::elastic("WHO"), Column::fixed("DID"), Column::spare("X"), Column::spare("Y")];
        let widths = |room| fit(vec![20, 10, 5, 5], COLUMNS, Some(room));
        assert_eq!(widths(46), [20, 10, 5, 5]);
        assert_eq!(widths(45), [20, 10, 5, 0]);
        assert_eq!(widths(30), [18, 10, 0, 0]);
        let mut out = Vec::new();
        let cells = ["a", "b", "c", "d"].map(str::to_owned);
        write_row(&mut out, COLUMNS, &[3, 3, 0, 0], &cells).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a    b\n");
    }

    #[test]
    fn rows_past_the_measured_ones_are_printed_as_they_come() {
        let mut out = Vec::new();
        let mut listing = Listing::new(&mut out, Format::Table);
        for n in 0..=ROWS_MEASURED as u64 {
            listing.row(&Pair(n, "x")).unwrap();
        }
        assert!(listing.waiting.is_empty());
        listing.finish().unwrap();
        assert_eq!(String::from_utf8(out).unwrap().lines().count(), ROWS_MEASURED + 2);
    }
}
