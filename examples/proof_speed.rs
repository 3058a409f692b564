//! How long proofs take to make and to check, and how large they are.
//!
//! ```text
//! cargo run --release --example proof_speed -- [RECORDS] [sha256|blake3]
//! ```
//!
//! Makes a log of so many records (20,000; for figures take 1,000,000), signs a head in the
//! middle and one at the end, and prints the median of 1,000 runs over random positions,
//! warm: making, checking, and the size of the file.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use bulla::proof::{Answer, Bundle, ConsistencyProof};
use bulla::{
    Actor, Disclosure, Durability, Event, HashAlgorithm, Log, Query, Resource, Seq, Signer,
    TlogProof, Trust,
};

const RUNS: u64 = 1_000;

fn event(n: u64) -> Event {
    let actor = Actor::new("user", format!("user-{}", n % 997));
    let resource = Resource::new("invoice", format!("inv-{}", n * 7919 % 1_000_003));
    Event::new(actor, "invoice.update", resource).tenant("acme").ip("203.0.113.9")
}

/// Positions that look random and are the same in every run.
fn position(run: u64, below: u64) -> u64 {
    run.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) % below
}

/// The middle of the times, in microseconds.
fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Makes and checks so many, and prints what that took and how large the texts were.
fn measure<T>(
    what: &str,
    runs: u64,
    mut make: impl FnMut(u64) -> Result<T, Box<dyn Error>>,
    text: impl Fn(&T) -> String,
    check: impl Fn(&str) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let (mut made, mut checked, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..runs {
        let start = Instant::now();
        let proof = black_box(make(run)?);
        made.push(start.elapsed().as_secs_f64() * 1e6);
        let text = text(&proof);
        let start = Instant::now();
        check(black_box(&text))?;
        checked.push(start.elapsed().as_secs_f64() * 1e6);
        sizes.push(text.len());
    }
    sizes.sort_unstable();
    let size = sizes.get(sizes.len() / 2).copied().unwrap_or_default();
    println!("{what:32} {:9.1} {:9.1} {size:9}", median(made), median(checked));
    Ok(())
}

type Ask = fn(u64) -> Query;

/// Questions whose answers are proved to be complete.
fn questions() -> [(&'static str, Ask); 4] {
    [
        ("complete: newest 50 of an actor", |run| by(run).limit(50)),
        ("complete: all of an actor", by),
        ("complete: all on a resource", |run| {
            Query::new().resource("invoice", format!("inv-{}", position(run, 1_000_003)))
        }),
        ("complete: an actor there is not", |run| Query::new().actor(format!("nobody-{run}"))),
    ]
}

fn by(run: u64) -> Query {
    Query::new().actor_type_id("user", format!("user-{}", position(run, 997)))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let records: u64 = args.next().map_or(Ok(20_000), |n| n.parse())?;
    let hash = match args.next().as_deref() {
        Some("blake3") => HashAlgorithm::Blake3,
        _ => HashAlgorithm::Sha256,
    };
    let place = tempfile::tempdir()?;
    let options = Log::options().hash(hash).durability(Durability::Os);
    let log = options.create(place.path().join("log"))?;
    let signer = Signer::generate(&place.path().join("key"), log.origin(), hash)?;
    let append = |range: std::ops::Range<u64>| -> Result<(), Box<dyn Error>> {
        for first in range.clone().step_by(500) {
            let batch: Vec<Event> = (first..(first + 500).min(range.end)).map(event).collect();
            log.append_batch(&batch)?;
        }
        Ok(())
    };
    append(0..records / 2)?;
    let old = log.checkpoint(&signer)?.into_unverified();
    append(records / 2..records)?;
    log.rotate()?; // what is not sealed is in no answer that proves itself complete
    let new = log.checkpoint(&signer)?.into_unverified();
    let size = log.size().get();
    let trust = Trust::in_keys([signer.verifying_key().clone()]);

    println!("{size} records, {hash}; medians");
    println!("{:32} {:>9} {:>9} {:>9}", "", "make µs", "check µs", "bytes");
    for (what, disclosure) in [
        ("one record, whole", Disclosure::Whole),
        ("one record, payload withheld", Disclosure::WithholdPayload),
    ] {
        let make =
            |run| Ok(log.snapshot().prove(Seq::new(position(run, records)), &new, disclosure)?);
        let check = |text: &str| {
            TlogProof::parse(text.as_bytes())?.verify_record(&trust)?;
            Ok(())
        };
        measure(what, RUNS, make, TlogProof::to_text, check)?;
    }
    for count in [100, 10_000] {
        let count = u64::min(count, records);
        let make = |run| {
            let mut seqs: Vec<u64> =
                (0..count).map(|n| position(run * count + n + 1, records)).collect();
            seqs.sort_unstable();
            seqs.dedup();
            let seqs: Vec<Seq> = seqs.into_iter().map(Seq::new).collect();
            Ok(log.snapshot().prove_many(&seqs, &new, Disclosure::WithholdPayload)?)
        };
        let check = |text: &str| {
            Bundle::parse(text.as_bytes())?.verify(&trust)?;
            Ok(())
        };
        let what = format!("{count} random records, withheld");
        measure(&what, (RUNS / count).max(10), make, Bundle::to_text, check)?;
    }
    let make = |_| Ok(log.snapshot().prove_consistency(&old, &new)?);
    let check = |text: &str| {
        ConsistencyProof::parse(text.as_bytes())?.verify(&trust)?;
        Ok(())
    };
    measure("consistency, half to whole", RUNS, make, ConsistencyProof::to_text, check)?;
    for (what, ask) in questions() {
        let make =
            |run| Ok(log.snapshot().prove_query(&ask(run), &new, Disclosure::WithholdPayload)?);
        let check = |text: &str| {
            Answer::parse(text.as_bytes())?.verify(&trust)?;
            Ok(())
        };
        measure(what, RUNS / 10, make, Answer::to_text, check)?;
    }
    log.close()?;
    Ok(())
}
