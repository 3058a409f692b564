//! How fast this machine commits:
//! `cargo run --release --example commit_rates -- [DIR [ROUNDS]]`.
//!
//! One thread, 16 threads, batches of 1,000, each next to a raw file that is written with
//! `pwrite` + `fdatasync` into zero-filled space, alternating, medians of the rounds.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::cast_precision_loss)]

use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use bulla::{Actor, Event, Log, Resource};

/// Each measurement takes this long.
const FOR: Duration = Duration::from_millis(1_000);

fn event(n: u64) -> Event {
    let actor = Actor::new("user", format!("user-{}", n % 10_000));
    Event::new(actor, "invoice.update", Resource::new("invoice", format!("inv-{}", n % 100_000)))
        .tenant(format!("tenant-{}", n % 100))
        .ip("203.0.113.77")
        .user_agent("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0")
        .request_id(format!("{n:032x}"))
        .source("billing-api")
        .details_json(r#"{"path":"/v1/invoices","method":"PUT","status":200,"bytes":5123,"latency":17,"region":"eu-central-1","node":"api-7","trace":"00-4bf92f3577b34da6"}"#)
        .unwrap()
}

fn raw(dir: &Path, batch: usize) -> f64 {
    let path = dir.join("raw");
    let mut file = std::fs::File::create(&path).unwrap();
    if batch == 1 {
        file.write_all(&vec![0; 32 << 20]).unwrap();
    }
    file.sync_all().unwrap();
    let frame = vec![0x5a; 367 * batch];
    let (start, mut at, mut done) = (Instant::now(), 0, 0);
    while start.elapsed() < FOR {
        let crc = crc32fast::hash(&frame);
        file.write_all_at(&crc.to_le_bytes(), at).unwrap();
        file.write_all_at(&frame, at + 4).unwrap();
        file.sync_data().unwrap();
        at += frame.len() as u64 + 4;
        done += batch;
    }
    let rate = done as f64 / start.elapsed().as_secs_f64();
    std::fs::remove_file(path).unwrap();
    rate
}

fn bulla(dir: &Path, threads: usize, batch: usize) -> f64 {
    let path = dir.join("log");
    let log = Log::create(&path).unwrap();
    let start = Instant::now();
    let counts: Vec<u64> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let log = log.clone();
                scope.spawn(move || {
                    let mut done = 0;
                    let events: Vec<Event> = (0..1_000).map(|n| event(n + thread as u64)).collect();
                    while start.elapsed() < FOR {
                        if batch == 1 {
                            log.append(&events[usize::try_from(done).unwrap() % 1_000]).unwrap();
                            done += 1;
                        } else {
                            log.append_batch(&events).unwrap();
                            done += 1_000;
                        }
                    }
                    done
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let rate = counts.iter().sum::<u64>() as f64 / start.elapsed().as_secs_f64();
    log.close().unwrap();
    std::fs::remove_dir_all(path).unwrap();
    rate
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().map_or_else(std::env::temp_dir, Into::into);
    let rounds = arguments.next().map_or(1, |rounds| rounds.parse().unwrap());
    let dir = dir.join(format!("bulla-rates-{}", std::process::id()));
    std::fs::create_dir(&dir).unwrap();
    for round in 1..=rounds {
        let single = (raw(&dir, 1), bulla(&dir, 1, 1));
        let many = bulla(&dir, 16, 1);
        let bulk = (raw(&dir, 1_000), bulla(&dir, 1, 1_000));
        println!(
            "round {round}: raw {:.0}/s, one thread {:.0}/s ({:.2}), 16 threads {many:.0}/s ({:.2}); \
             raw batches {:.0}/s, batches {:.0}/s ({:.2})",
            single.0,
            single.1,
            single.1 / single.0,
            many / single.0,
            bulk.0,
            bulk.1,
            bulk.1 / bulk.0
        );
    }
    std::fs::remove_dir_all(&dir).unwrap();
}
