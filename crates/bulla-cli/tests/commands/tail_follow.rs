//! A process that follows a log sees every record once, across rotations.

// Clippy lets tests panic, but does not count the functions they share as tests.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use bulla::Log;
use bulla::event::{Actor, Event, Resource};

const RECORDS: u64 = 3_000;

fn event(number: u64) -> Event {
    Event::new(Actor::new("writer", number.to_string()), "x.y", Resource::new("r", "1"))
        .details(serde_json::json!({"filler": "x".repeat(usize::try_from(number % 300).unwrap())}))
}

#[test]
fn a_follower_sees_every_record_once_across_rotations_and_reopenings() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit");
    let options = || Log::options().segment_bytes(64 << 10);
    options().create(&path).unwrap().close().unwrap();
    let log = path.display().to_string();
    let mut follower =
        crate::running::bulla(&["tail", &log, "--from", "0", "-f", "--output", "jsonl"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
    let stdout = follower.stdout.take().unwrap();

    let writer = thread::spawn(move || {
        let mut written = 0;
        // The writing process closes and reopens the log twice, as restarts do.
        for part in 1..=3 {
            let log = options().open(&path).unwrap();
            while written < RECORDS * part / 3 {
                match written % 500 {
                    99 => {
                        let batch: Vec<Event> = (written..written + 50).map(event).collect();
                        written += log.append_batch(&batch).unwrap().count;
                    }
                    499 => {
                        log.rotate().unwrap();
                        log.append(&event(written)).unwrap();
                        written += 1;
                    }
                    _ => {
                        log.append(&event(written)).unwrap();
                        written += 1;
                    }
                }
            }
            log.close().unwrap();
            thread::sleep(Duration::from_millis(150));
        }
        let log = options().open(&path).unwrap();
        let segments = log.snapshot().segments().unwrap();
        log.append(&event(written)).unwrap();
        log.close().unwrap();
        (written, segments.len())
    });

    // Reading ends by itself: what is missing would make this wait, so a watchdog ends it.
    let (done, watch) = std::sync::mpsc::channel::<()>();
    let id = follower.id();
    let watchdog = thread::spawn(move || {
        if watch.recv_timeout(Duration::from_secs(40 * 60)).is_err() {
            let _ = std::process::Command::new("kill").arg(id.to_string()).status();
        }
    });
    let mut lines = BufReader::new(stdout).lines();
    for seq in 0..RECORDS {
        let line = lines.next().expect("the follower goes on until all records are seen").unwrap();
        let record: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(record["seq"], seq);
        assert_eq!(record["actor"]["id"], seq.to_string());
    }
    let (written, segments) = writer.join().unwrap();
    assert!(written >= RECORDS);
    assert!(segments >= 6, "there were rotations: {segments} segments");
    // Nothing comes twice: the rest is what was written beyond the count, and one record more.
    for seq in RECORDS..=written {
        let line = lines.next().expect("the follower goes on until all records are seen").unwrap();
        let record: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(record["seq"], seq);
    }
    follower.kill().unwrap();
    follower.wait().unwrap();
    let _ = done.send(());
    watchdog.join().unwrap();
    assert_eq!(lines.count(), 0);
}
