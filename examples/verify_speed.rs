//! How fast a deep verification is, next to plainly reading and hashing the same bytes.
//!
//! ```text
//! cargo run --release --example verify_speed -- DIR [EVENTS] [sha256|blake3] [once]
//! ```
//!
//! Makes a log of so many events in DIR (1,000,000), unless there is one, and then measures in turn,
//! three rounds, each with 1, 2, 4… threads: `plain` reads the segments and hashes all
//! bytes by the log's hash; `leaves` hashes what a Merkle tree of the records hashes, and no
//! more; `verify` is [`bulla::verify`]. With `once` it only verifies.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use bulla::{Actor, Event, HashAlgorithm, Log, Resource, VerifyOptions};

fn event(n: u64) -> Result<Event, Box<dyn Error>> {
    let event = Event::new(
        Actor::new("user", format!("user-{}", n % 997)),
        if n.is_multiple_of(3) { "invoice.update" } else { "invoice.read" },
        Resource::new("invoice", format!("inv-{}", n * 7919 % 1_000_003)),
    );
    let details = format!("{{\"n\":{n},\"note\":\"{}\"}}", "x".repeat(usize::try_from(n % 160)?));
    Ok(event
        .ip("203.0.113.9")
        .user_agent("Mozilla/5.0 (X11; Linux x86_64)")
        .tenant("acme")
        .details_json(&details)?)
}

fn make(dir: &Path, events: u64, hash: HashAlgorithm) -> Result<(), Box<dyn Error>> {
    let log = Log::options().hash(hash).create(dir)?;
    for first in (0..events).step_by(500) {
        let batch: Result<Vec<Event>, _> = (first..(first + 500).min(events)).map(event).collect();
        log.append_batch(&batch?)?;
    }
    Ok(log.close()?)
}

fn segments(dir: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir.join("segments"))? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}

/// Hashes all bytes of every `threads`-th file from `from` on; `each` gets the bytes.
fn plain(files: &[PathBuf], hash: HashAlgorithm) -> std::io::Result<()> {
    let mut bytes = vec![0; 1 << 20];
    for path in files {
        let (mut file, mut sha, mut blake) =
            (File::open(path)?, <sha2::Sha256 as sha2::Digest>::new(), blake3::Hasher::new());
        loop {
            let read = file.read(&mut bytes)?;
            if read == 0 {
                break;
            }
            match hash {
                HashAlgorithm::Sha256 => sha2::Digest::update(&mut sha, &bytes[..read]),
                _ => {
                    blake.update(&bytes[..read]);
                }
            }
        }
        std::hint::black_box((sha2::Digest::finalize(sha), blake.finalize()));
    }
    Ok(())
}

/// Hashes pieces as large as the parts of records, and a node for each.
fn leaves(files: &[PathBuf], hash: HashAlgorithm, record: usize) -> std::io::Result<()> {
    let mut bytes = vec![0; 1 << 20];
    for path in files {
        let mut file = File::open(path)?;
        loop {
            let read = file.read(&mut bytes)?;
            if read == 0 {
                break;
            }
            for piece in bytes[..read].chunks(record) {
                let (envelope, payload) = piece.split_at(piece.len() / 2);
                let commitment = blake3::hash(payload);
                let leaf = hash.leaf(&[&[0; 40], envelope, commitment.as_bytes()]);
                std::hint::black_box(hash.node(&leaf, &leaf));
            }
        }
    }
    Ok(())
}

fn split(files: &[PathBuf], threads: usize) -> Vec<Vec<PathBuf>> {
    let mut parts = vec![Vec::new(); threads];
    files.iter().enumerate().for_each(|(n, file)| parts[n % threads].push(file.clone()));
    parts
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let scratch = tempfile::tempdir()?;
    // Without arguments a small log, to see that it works: it says nothing of speed.
    let (dir, events) = match args.next() {
        Some(dir) => (PathBuf::from(dir), 1_000_000),
        None => (scratch.path().join("log"), 20_000),
    };
    let events: u64 = args.next().map_or(Ok(events), |n| n.parse())?;
    let hash = match args.next().as_deref() {
        Some("blake3") => HashAlgorithm::Blake3,
        _ => HashAlgorithm::Sha256,
    };
    if !dir.exists() {
        make(&dir, events, hash)?;
    }
    let files = segments(&dir)?;
    let mut bytes = 0;
    for file in &files {
        bytes += file.metadata()?.len();
    }
    let report = bulla::verify(&dir, &VerifyOptions::new(), &mut |_| ())?;
    let record = usize::try_from(bytes / report.records.max(1))?;
    println!("{} records, {bytes} bytes, {record} a record, {hash}", report.records);
    if args.next().is_some() {
        return Ok(()); // for a profiler
    }
    let threads = thread::available_parallelism()?.get();
    let counts: Vec<usize> = (0..8).map(|n| 1 << n).filter(|n| *n <= threads).collect();
    for _ in 0..3 {
        for count in &counts {
            let figure = |what: &str, from: Instant| {
                #[allow(clippy::cast_precision_loss)] // for people
                let rate = bytes as f64 / from.elapsed().as_secs_f64() / 1e9;
                println!("{what:8} {count} threads  {rate:.3} GB/s");
            };
            let parts = split(&files, *count);
            let from = Instant::now();
            thread::scope(|scope| {
                parts.iter().for_each(|part| drop(scope.spawn(|| plain(part, hash))));
            });
            figure("plain", from);
            let from = Instant::now();
            thread::scope(|scope| {
                parts.iter().for_each(|part| drop(scope.spawn(|| leaves(part, hash, record))));
            });
            figure("leaves", from);
            let from = Instant::now();
            let report = bulla::verify(&dir, &VerifyOptions::new().threads(*count), &mut |_| ())?;
            figure("verify", from);
            if !report.is_clean() {
                return Err(format!("{:?}", report.findings).into());
            }
        }
    }
    Ok(())
}
