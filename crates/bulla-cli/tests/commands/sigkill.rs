//! A process that is killed while it appends loses nothing that it acknowledged.
//!
//! The test runs itself again as the writer, with `BULLA_KILLED_WRITER` set to the log's
//! directory; the writer prints an acknowledgement after each append, from several
//! threads, with segments so small that many a kill falls into a rotation.

// Clippy lets tests panic, but does not count the functions they share as tests.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bulla::event::{Actor, Event, Resource};
use bulla::seq::Seq;
use bulla::{Log, VerifyOptions};

const ROUNDS: u64 = 50;
const THREADS: u64 = 3;
const SEGMENT_BYTES: u64 = 64 << 10;
const WRITER: &str = "BULLA_KILLED_WRITER";

#[test]
fn after_a_kill_every_acknowledged_record_is_there_in_order() {
    if let Some(dir) = std::env::var_os(WRITER) {
        write_until_killed(Path::new(&dir));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit");
    Log::options().segment_bytes(SEGMENT_BYTES).create(&path).unwrap().close().unwrap();
    let mut acked: BTreeMap<u64, String> = BTreeMap::new();
    let mut seed = 2_026;
    // A busy machine gets less written between the kills: then there are more of them.
    let rotated = || Log::open_read_only(&path).unwrap().snapshot().segments().unwrap().len() > 3;
    let enough = |round| round >= ROUNDS && (round >= 10 * ROUNDS || rotated());
    for round in (0..).take_while(|&round| !enough(round)) {
        let new = acks_of_a_killed_writer(&path, &mut seed);
        for (seq, id) in new {
            assert_eq!(acked.insert(seq, id), None, "round {round}: Seq {seq} was given twice");
        }
        check(&path, &acked, round);
    }
    assert!(acked.len() as u64 > ROUNDS, "the writers had time to append: {}", acked.len());
    assert!(rotated(), "kills fell among rotations");
}

/// Appends from several threads; after each append says which record it became.
fn write_until_killed(path: &Path) {
    let log = Log::options().segment_bytes(SEGMENT_BYTES).open(path).unwrap();
    std::io::stdout().write_all(b"\n").unwrap(); // ends what the test harness printed
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let log = &log;
            scope.spawn(move || {
                for number in 0_u64.. {
                    let id = format!("{}-{thread}-{number}", std::process::id());
                    let event =
                        Event::new(Actor::new("writer", &id), "x.y", Resource::new("r", "1"))
                            .details(
                                serde_json::json!({"filler": "x".repeat(usize::try_from(number % 700).unwrap())}),
                            );
                    let receipt = log.append(&event).unwrap();
                    let ack = format!("ack {} {id}\n", receipt.seq);
                    // One write a line: lines of several threads do not mix.
                    std::io::stdout().lock().write_all(ack.as_bytes()).unwrap();
                }
            });
        }
    });
}

/// Starts a writer, kills it after a random time, and gives what it acknowledged.
fn acks_of_a_killed_writer(path: &Path, seed: &mut u64) -> Vec<(u64, String)> {
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sigkill::after_a_kill_every_acknowledged_record_is_there_in_order"])
        .arg("--nocapture")
        .env(WRITER, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = writer.stdout.take().unwrap();
    let (first, started) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        let (mut acks, mut line) = (Vec::new(), String::new());
        while stdout.read_line(&mut line).unwrap() > 0 {
            // The kill may cut the last line short; then nobody was told.
            if let Some(ack) = line.strip_prefix("ack ").and_then(|line| line.strip_suffix('\n')) {
                let (seq, id) = ack.split_once(' ').unwrap();
                acks.push((seq.parse().unwrap(), id.to_owned()));
                let _ = first.send(());
            }
            line.clear();
        }
        acks
    });
    let _ = started.recv_timeout(Duration::from_secs(600));
    thread::sleep(Duration::from_micros(crate::running::random(seed) % 40_000));
    writer.kill().unwrap();
    writer.wait().unwrap();
    reader.join().unwrap()
}

/// The log opens, holds every acknowledged record where it was said to be, holds nothing
/// twice, and verifies.
fn check(path: &Path, acked: &BTreeMap<u64, String>, round: u64) {
    let log = Log::options().segment_bytes(SEGMENT_BYTES).open(path).unwrap();
    let size = log.size().get();
    assert!(acked.keys().next_back().is_none_or(|last| *last < size), "round {round}: {size}");
    let mut ids = BTreeMap::new();
    for (record, seq) in log.snapshot().records_from(Seq::new(0)).zip(0..) {
        let record = record.unwrap();
        assert_eq!(record.seq.get(), seq, "round {round}");
        let id = record.event.actor.id.clone();
        if let Some(expected) = acked.get(&seq) {
            assert_eq!(&id, expected, "round {round}: record {seq}");
        }
        let twice = ids.insert(id, seq);
        assert_eq!(twice, None, "round {round}: the same event as in record {seq}");
    }
    assert_eq!(ids.len() as u64, size, "round {round}");
    log.close().unwrap();
    let report = bulla::verify(path, &VerifyOptions::new(), &mut |_| ()).unwrap();
    assert!(report.is_clean(), "round {round}: {:?}", report.findings);
    assert_eq!(report.records, size, "round {round}");
}
