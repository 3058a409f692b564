//! `bulla bench`: measure appends on this machine, next to a raw file.
//!
//! The disks of shared machines wander, so the ways are run in turn, round by round,
//! and compared by their medians. Each runs in a process of its own, so that its peak
//! memory is its own.

mod load;
mod raw;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::init::Hash;
use crate::failure::Verdict;
use crate::output::{self, Column, Listing, Row, Shown};
use crate::outputs::{self, Inputs};
use crate::{numbers, progress, text, time_args};

#[derive(Args)]
#[command(after_help = "\
Examples:
  bulla bench --dir /srv/on-the-disk-that-counts
  bulla bench --events 100000 --mode raw,single --rounds 5

raw: one thread writes length, CRC and encoded event into a zero-filled file with pwrite and
fdatasync: what the disk allows. raw-batch: the same, a batch a write. single: one thread,
one event a commit. threads: many threads, each waiting for its own commit. batch: batches
in one commit each. reopen: open the log of `batch` after a clean close.
× RAW compares single and threads with raw, batch with raw-batch, round by round.")]
pub(crate) struct Bench {
    /// Events to append in each way; those with single commits stop after --seconds
    #[arg(long, allow_hyphen_values = true, value_name = "N", default_value_t = 1_000_000,
          value_parser = numbers::positive)]
    events: u64,
    /// Threads of `threads`
    #[arg(long, allow_hyphen_values = true, value_name = "N", default_value_t = 16,
          value_parser = numbers::within(1, 1024))]
    threads: u64,
    /// Events of a batch
    #[arg(long, allow_hyphen_values = true, value_name = "N", default_value_t = 1_000,
          value_parser = numbers::within(1, 10_000))]
    batch: u64,
    /// The longest that a way with single commits runs, each round
    #[arg(long, allow_hyphen_values = true, value_name = "S", default_value_t = 10, value_parser = numbers::any)]
    seconds: u64,
    /// How often each way is run
    #[arg(long, allow_hyphen_values = true, value_name = "N", default_value_t = 2,
          value_parser = numbers::within(1, 100))]
    rounds: u64,
    /// The ways to measure
    #[arg(
        long,
        value_enum,
        value_name = "WAYS",
        value_delimiter = ',',
        default_value = "raw,single,threads,raw-batch,batch,reopen"
    )]
    mode: Vec<Mode>,
    /// Where to write; the directory made there is removed again
    /// [default: the system's temporary directory]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The hash of the tree
    #[arg(long, value_enum, default_value_t = Hash::Sha256)]
    hash: Hash,
    /// The seed of the events
    #[arg(long, allow_hyphen_values = true, value_name = "N", default_value_t = 1, value_parser = numbers::any)]
    seed: u64,
    /// Run one way in this directory and print what was measured
    #[arg(long, hide = true, value_enum, requires = "dir")]
    run_one: Option<Mode>,
    #[command(flatten)]
    shown: Shown,
}

/// A way to append.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Mode {
    Raw,
    Single,
    Threads,
    RawBatch,
    Batch,
    Reopen,
}

impl Mode {
    fn name(self) -> String {
        self.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned())
    }

    /// The way that shows what the disk allows.
    fn baseline(self) -> Option<Mode> {
        match self {
            Mode::Single | Mode::Threads => Some(Mode::Raw),
            Mode::Batch => Some(Mode::RawBatch),
            Mode::Raw | Mode::RawBatch | Mode::Reopen => None,
        }
    }
}

/// What one run of one way took. For `reopen` a commit is an opening.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Measured {
    /// Events that were appended; for `reopen`, that were there.
    pub(super) events: u64,
    /// Seconds spent in commits; for many threads, from the first to the last.
    pub(super) seconds: f64,
    /// Commits: median, 99th percentile and longest, in microseconds.
    pub(super) commit_us: [f64; 3],
    /// The most memory that the process had, in KiB.
    pub(super) peak_kib: u64,
}

impl Bench {
    pub(crate) fn run(self) -> Result<Verdict> {
        if let (Some(mode), Some(dir)) = (self.run_one, &self.dir) {
            let measured = self.measure(mode, dir)?;
            let mut out = output::stdout();
            writeln!(out, "{}", serde_json::to_string(&measured)?)?;
            out.flush()?;
            return Ok(Verdict::Fine);
        }
        let place = self.dir.clone().unwrap_or_else(std::env::temp_dir);
        if !place.is_dir() {
            bail!("--dir {}: expected a directory that is there", place.display());
        }
        outputs::check_dir(&place, None, &Inputs::default())?;
        let name = format!("bulla-bench-{}-{}", std::process::id(), time_args::now().as_millis());
        let place = place.join(name);
        std::fs::create_dir(&place)
            .with_context(|| format!("making the directory {}", place.display()))?;
        let runs = self.all_rounds(&place);
        std::fs::remove_dir_all(&place).with_context(|| place.display().to_string())?;
        self.show(&runs?)?;
        Ok(Verdict::Fine)
    }

    fn measure(&self, mode: Mode, dir: &Path) -> Result<Measured> {
        match mode {
            Mode::Raw => raw::single(self, dir),
            Mode::RawBatch => raw::batches(self, dir),
            Mode::Single => load::single(self, dir),
            Mode::Threads => load::threads(self, dir),
            Mode::Batch => load::batches(self, dir),
            Mode::Reopen => load::reopen(dir),
        }
    }

    fn all_rounds(&self, place: &Path) -> Result<Vec<(Mode, Vec<Measured>)>> {
        let mut runs: Vec<(Mode, Vec<Measured>)> = Vec::new();
        for mode in &self.mode {
            if !runs.iter().any(|(known, _)| known == mode) {
                runs.push((*mode, Vec::new()));
            }
        }
        let spinner = progress::spinner("");
        for round in 1..=self.rounds {
            for (mode, measured) in &mut runs {
                spinner.set_message(format!("round {round} of {}: {}", self.rounds, mode.name()));
                let log = place.join(match *mode {
                    Mode::Reopen => Mode::Batch.name(),
                    other => other.name(),
                });
                if *mode == Mode::Reopen && !log.exists() {
                    self.in_a_process(Mode::Batch, &log)?;
                }
                measured.push(self.in_a_process(*mode, &log)?);
                if *mode != Mode::Batch {
                    std::fs::remove_dir_all(&log).with_context(|| log.display().to_string())?;
                }
            }
            let batch = place.join(Mode::Batch.name());
            if batch.exists() {
                std::fs::remove_dir_all(&batch).with_context(|| batch.display().to_string())?;
            }
        }
        spinner.finish_and_clear();
        Ok(runs)
    }

    fn in_a_process(&self, mode: Mode, dir: &Path) -> Result<Measured> {
        let hash = self.hash.to_possible_value().map_or(String::new(), |v| v.get_name().to_owned());
        let run = Command::new(std::env::current_exe()?)
            .args(["bench", "--run-one", &mode.name(), "--hash", &hash, "--dir"])
            .arg(dir)
            .args(["--events", &self.events.to_string(), "--threads", &self.threads.to_string()])
            .args(["--batch", &self.batch.to_string(), "--seconds", &self.seconds.to_string()])
            .args(["--seed", &self.seed.to_string()])
            .stdin(Stdio::null())
            .output()
            .context("starting a process of its own for the measurement")?;
        if !run.status.success() {
            let told = String::from_utf8_lossy(&run.stderr);
            bail!("{}: {}", mode.name(), told.trim().trim_start_matches("bulla: "));
        }
        serde_json::from_slice(&run.stdout).context("reading what was measured")
    }

    fn show(&self, runs: &[(Mode, Vec<Measured>)]) -> Result<()> {
        let mut out = output::stdout();
        let mut listing = Listing::new(&mut out, self.shown.format());
        let mut wandered = false;
        for (mode, measured) in runs {
            let base = mode.baseline().and_then(|base| {
                runs.iter().find(|(mode, _)| *mode == base).map(|(_, runs)| runs.as_slice())
            });
            let line = Line::new(*mode, measured, base);
            wandered |= line.beats_the_disk();
            listing.row(&line)?;
        }
        listing.finish()?;
        let rounds = text::counted(self.rounds, "round");
        writeln!(output::stderr(), "bulla: medians of {rounds}; from, to: lowest and highest")?;
        if wandered {
            writeln!(
                output::stderr(),
                "bulla: × RAW above 1: the disk wandered between the ways, for none of them is \
                 faster than what it allows; measure again, with more --rounds"
            )?;
        }
        Ok(())
    }
}

impl Measured {
    fn events_per_second(&self) -> f64 {
        self.events as f64 / self.seconds.max(1e-9)
    }
}

fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    match (values.first(), values.last()) {
        (Some(&lowest), Some(&highest)) => {
            let middle = values.len() / 2;
            let median = match values.len() % 2 {
                0 => (values[middle - 1] + values[middle]) / 2.0,
                _ => values[middle],
            };
            [lowest, median, highest]
        }
        _ => [0.0; 3],
    }
}

/// A way and what it took, over all rounds.
#[derive(Serialize)]
struct Line {
    mode: Mode,
    events: u64,
    /// Lowest, median, highest; none for `reopen`.
    events_per_second: Option<[f64; 3]>,
    commit_us_p50: f64,
    commit_us_p99: f64,
    commit_us_max: f64,
    times_raw: Option<f64>,
    peak_memory_kib: u64,
}

impl Line {
    fn new(mode: Mode, runs: &[Measured], base: Option<&[Measured]>) -> Self {
        let commit = |at: usize| spread(runs.iter().map(|run| run.commit_us[at]).collect())[1];
        let rate = spread(runs.iter().map(Measured::events_per_second).collect());
        // Round by round, because a disk may be ten times faster a minute later.
        let times = |base: &[Measured]| {
            let pairs = runs.iter().zip(base);
            let ratio = |(run, base): (&Measured, &Measured)| {
                run.events_per_second() / base.events_per_second().max(1e-9)
            };
            spread(pairs.map(ratio).collect())[1]
        };
        Line {
            mode,
            events: runs.iter().map(|run| run.events).min().unwrap_or(0),
            events_per_second: (mode != Mode::Reopen).then_some(rate),
            commit_us_p50: commit(0),
            commit_us_p99: commit(1),
            commit_us_max: commit(2),
            times_raw: base.map(times),
            peak_memory_kib: runs.iter().map(|run| run.peak_kib).max().unwrap_or(0),
        }
    }
}

impl Line {
    /// Threads may: they share commits, and the raw file has one event in each.
    fn beats_the_disk(&self) -> bool {
        self.mode != Mode::Threads && self.times_raw.is_some_and(|times| times > 1.0)
    }
}

impl Row for Line {
    const COLUMNS: &'static [Column] = &[
        Column::fixed("WAY"),
        Column::number("EVENTS"),
        Column::number("EVENTS/S"),
        Column::number("FROM"),
        Column::number("TO"),
        Column::number("P50 µs"),
        Column::number("P99 µs"),
        Column::number("× RAW"),
        Column::number("PEAK MIB"),
    ];
    const FIELDS: &'static [&'static str] = &[
        "mode",
        "events",
        "events_per_second",
        "lowest",
        "highest",
        "commit_us_p50",
        "commit_us_p99",
        "times_raw",
        "peak_memory_kib",
    ];

    fn cells(&self) -> Vec<String> {
        let whole = |value: f64| text::count(text::whole(value));
        let [lowest, median, highest] =
            self.events_per_second.map_or_else(Default::default, |rates| rates.map(whole));
        vec![
            self.mode.name(),
            text::count(self.events),
            median,
            lowest,
            highest,
            whole(self.commit_us_p50),
            whole(self.commit_us_p99),
            self.times_raw.map_or(String::new(), |times| format!("{times:.2}")),
            format!("{:.1}", self.peak_memory_kib as f64 / 1024.0),
        ]
    }

    fn fields(&self) -> Vec<String> {
        let tenth = |value: f64| format!("{value:.1}");
        let [lowest, median, highest] =
            self.events_per_second.map_or_else(Default::default, |rates| rates.map(tenth));
        vec![
            self.mode.name(),
            self.events.to_string(),
            median,
            lowest,
            highest,
            tenth(self.commit_us_p50),
            tenth(self.commit_us_p99),
            self.times_raw.map_or(String::new(), |times| format!("{times:.3}")),
            self.peak_memory_kib.to_string(),
        ]
    }

    fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_between_the_lowest_and_the_highest() {
        assert_eq!(spread(vec![3.0, 1.0, 2.0]), [1.0, 2.0, 3.0]);
        assert_eq!(spread(vec![4.0, 1.0]), [1.0, 2.5, 4.0]);
        assert_eq!(spread(vec![]), [0.0; 3]);
    }

    #[test]
    fn a_way_is_compared_with_what_the_disk_allows() {
        let run = Measured { events: 10, seconds: 2.0, commit_us: [1.0, 2.0, 3.0], peak_kib: 4 };
        let half = Measured { seconds: 4.0, ..run };
        let line = Line::new(Mode::Single, &[half, run], Some(&[run, half]));
        assert_eq!(line.times_raw, Some(1.25), "0.5 and 2, round by round");
        assert!(line.beats_the_disk(), "so the disk wandered");
        assert!(!Line::new(Mode::Threads, &[half, run], Some(&[run, half])).beats_the_disk());
        assert_eq!(Line::new(Mode::Reopen, &[run], None).events_per_second, None);
    }
}
