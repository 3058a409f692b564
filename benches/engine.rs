//! What single steps cost: `cargo bench -p bulla`. Commit rates next to a raw file are in
//! `examples/commit_rates.rs` and `bulla bench`.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bulla::internals::format::body;
use bulla::merkle::Frontier;
use bulla::redact::{Redactor, bearer_tokens, card_numbers, private_keys};
use bulla::time::{Clock, ManualClock};
use bulla::{
    AccessLog, Accessor, Actor, Attribution, Disclosure, Durability, Event, ExpireOptions,
    HashAlgorithm, Hold, HoldScope, Housekeeping, KeyStore, Log, LogOptions, Period, Policy, Query,
    Resource, Seq, Signer, Timestamp, WrappingKey,
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

fn event(n: u64) -> Event {
    let actor = Actor::new("user", format!("user-{}", n % 1_000));
    Event::new(actor, "invoice.update", Resource::new("invoice", format!("inv-{n}")))
        .tenant("tenant-7")
        .ip("203.0.113.77")
        .user_agent("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0")
        .request_id(format!("{n:032x}"))
        .source("billing-api")
        .details_json(r#"{"path":"/v1/invoices","method":"PUT","status":200,"latency":17}"#)
        .unwrap()
}

fn hashing(c: &mut Criterion) {
    for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Blake3] {
        let mut group = c.benchmark_group(format!("{algorithm}"));
        let record = [7u8; 223];
        group.bench_function("leaf of 223 bytes", |b| {
            b.iter(|| algorithm.leaf(&[black_box(&record)]))
        });
        let leaf = algorithm.leaf(&[&record]);
        group.bench_function("1,000 leaves into a tree", |b| {
            b.iter_batched(
                || Frontier::new(algorithm),
                |mut tree| (0..1_000).for_each(|_| tree.push(leaf, |_, _| ())),
                BatchSize::SmallInput,
            );
        });
        group.finish();
    }
}

fn bodies(c: &mut Criterion) {
    let given = event(41);
    let now = Timestamp::from_nanos(1_763_758_561_123_456_789);
    let mut out = Vec::new();
    let lengths = body::encode_event(&given, now, [1; 16], [2; 16], &mut out).unwrap();
    let mut group = c.benchmark_group("bodies");
    group.bench_function("encode an event", |b| {
        let mut buf = Vec::with_capacity(1024);
        b.iter(|| {
            buf.clear();
            body::encode_event(black_box(&given), now, [1; 16], [2; 16], &mut buf).unwrap()
        });
    });
    group.bench_function("decode an envelope", |b| {
        b.iter(|| {
            body::decode_envelope(body::SCHEMA, black_box(&out[..lengths.envelope]))
                .unwrap()
                .occurred_at
        });
    });
    group.finish();
}

fn redaction(c: &mut Criterion) {
    let given = event(41);
    let secret = event(41)
        .details_json(r#"{"path":"/v1/login","body":{"user":"al","password":"q"},"status":200}"#)
        .unwrap();
    let names = Redactor::standard();
    let all = Redactor::standard()
        .pattern("card_numbers", card_numbers())
        .pattern("bearer_tokens", bearer_tokens())
        .pattern("private_keys", private_keys());
    let mut group = c.benchmark_group("redact");
    for (what, redactor) in [("names", &names), ("names and patterns", &all)] {
        group.bench_function(format!("nothing, {what}"), |b| {
            b.iter(|| redactor.apply(black_box(&given)).redacted.is_some());
        });
        group.bench_function(format!("a password, {what}"), |b| {
            b.iter(|| redactor.apply(black_box(&secret)).redacted.is_some());
        });
    }
    // The same bytes should cost about the same, wherever they are.
    let members = format!("{{{}\"x\":1}}", r#""token":1,"#.repeat(90_000));
    let escaped = format!("{{\"{}\":", r"\u0061".repeat(400));
    group.throughput(Throughput::Bytes(members.len() as u64)).sample_size(10);
    for (what, open, depth) in
        [("flat", "", 0), ("120 deep", "{\"\":", 120), ("under long names", escaped.as_str(), 20)]
    {
        let json = format!("{}{members}{}", open.repeat(depth), "}".repeat(depth));
        let large = event(41).details_json(&json).unwrap();
        group.bench_function(format!("90,000 tokens, {what}"), |b| {
            b.iter(|| all.apply(black_box(&large)).redacted.is_some());
        });
    }
    group.finish();
}

fn log(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::options()
        .origin("example.com/bench")
        .durability(Durability::Os)
        .create(dir.path().join("log"))
        .unwrap();
    let events: Vec<Event> = (0..1_000).map(event).collect();
    let mut group = c.benchmark_group("log, durability os");
    group.bench_function("append one", |b| b.iter(|| log.append(black_box(&events[7])).unwrap()));
    group.throughput(Throughput::Elements(1_000));
    group.bench_function("append a batch of 1,000", |b| {
        b.iter(|| log.append_batch(black_box(&events)).unwrap());
    });
    group.finish();

    while log.size().get() < 200_000 {
        log.append_batch(&events).unwrap();
    }
    let signer =
        Signer::generate(&dir.path().join("key"), "example.com/bench", log.algorithm()).unwrap();
    let checkpoint = log.checkpoint(&signer).unwrap().into_unverified();
    let trust = bulla::Trust::in_keys([signer.verifying_key().clone()]);
    let proof = log.snapshot().prove(Seq::new(777), &checkpoint, Disclosure::Whole).unwrap();
    let mut group = c.benchmark_group("read");
    group.bench_function("get", |b| {
        b.iter(|| log.snapshot().get(black_box(Seq::new(12_345))).unwrap())
    });
    group.bench_function("make a proof", |b| {
        b.iter(|| {
            log.snapshot().prove(black_box(Seq::new(777)), &checkpoint, Disclosure::Whole).unwrap()
        });
    });
    group.bench_function("check a proof", |b| b.iter(|| proof.verify_record(&trust).unwrap()));
    group.throughput(Throughput::Elements(log.size().get()));
    group.sample_size(10);
    group.bench_function("scan for an absent actor", |b| {
        b.iter(|| log.snapshot().query(&Query::new().actor("nobody")).unwrap().count());
    });
    group.finish();
}

/// What encrypted payloads cost, against the same events as they are.
fn encryption(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let options = || Log::options().durability(Durability::Os);
    let wrapping_key = WrappingKey::generate().unwrap();
    let store = KeyStore::create(&dir.path().join("keys"), &wrapping_key).unwrap();
    let encrypting = options().key_store(store).create(dir.path().join("encrypted")).unwrap();
    let plain = options().create(dir.path().join("plain")).unwrap();
    let of_subject = |n| event(n).subject(format!("user:user-{}", n % 100));
    let events: Vec<Event> = (0..1_000).map(of_subject).collect();
    let as_they_are: Vec<Event> = (0..1_000).map(event).collect();
    let mut group = c.benchmark_group("payloads");
    group.throughput(Throughput::Elements(1_000));
    for (what, log, events) in
        [("plain", &plain, &as_they_are), ("encrypted", &encrypting, &events)]
    {
        group.bench_function(format!("append a batch of 1,000, {what}"), |b| {
            b.iter(|| log.append_batch(black_box(events)).unwrap());
        });
    }
    group.throughput(Throughput::Elements(1));
    for (what, log) in [("plain", &plain), ("encrypted", &encrypting)] {
        group.bench_function(format!("get, {what}"), |b| {
            b.iter(|| log.snapshot().get(black_box(Seq::new(777))).unwrap());
        });
    }
    group.finish();
}

/// What it costs to leave a trace of what is read: an append, so a sync where it is durable.
fn access(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let create = |name| Log::options().durability(Durability::Os).create(dir.path().join(name));
    let log = create("log").unwrap();
    log.append_batch(&(0..1_000).map(event).collect::<Vec<_>>()).unwrap();
    let traces = AccessLog::new(create("access").unwrap());
    let accessor = Accessor::new(Actor::new("user", "dana"), "case 4711");
    let reading = traces.reading(&log, &accessor).unwrap();
    let query = Query::new().actor("user-7").limit(50);
    let mut group = c.benchmark_group("access");
    group.bench_function("get, no trace", |b| {
        b.iter(|| log.snapshot().get(black_box(Seq::new(7))).unwrap())
    });
    group.bench_function("get, traced", |b| {
        b.iter(|| reading.get(black_box(Seq::new(7))).unwrap());
    });
    group.bench_function("query, no trace", |b| {
        b.iter(|| log.snapshot().query(&query).unwrap().count())
    });
    group.bench_function("query, traced", |b| b.iter(|| reading.query(&query).unwrap().count()));
    group.finish();
}

/// A log of one small segment a day, of which all but the last hundred days may go, five holds
/// that pin none of them, and the clock by which it is as old as that.
fn aged(days: u64) -> (tempfile::TempDir, LogOptions, Log) {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at("2020-01-01T00:00:00Z".parse().unwrap()));
    let options = Log::options()
        .clock(Arc::clone(&clock) as Arc<dyn Clock>)
        .housekeeping(Housekeeping::Inline)
        .durability(Durability::Os);
    let log = options.clone().create(dir.path().join("log")).unwrap();
    let events: Vec<Event> = (0..10).map(event).collect();
    for _ in 0..days {
        log.append_batch(&events).unwrap();
        log.rotate().unwrap();
        clock.advance(Duration::from_secs(24 * 3_600));
    }
    log.retention()
        .set_policy(&Policy::keep(Period::from_days(100)), &Attribution::default())
        .unwrap();
    for n in 0..5 {
        let hold = Hold::new(format!("case {n}"), HoldScope::new().actor(format!("nobody-{n}")));
        log.retention().place_hold(&hold, &Attribution::default()).unwrap();
    }
    (dir, options, log)
}

/// What many segments cost: six years of daily ones are 2,190. A drop costs syncs besides, which
/// a file system in memory (`TMPDIR=/dev/shm`) leaves out.
fn retention(c: &mut Criterion) {
    let (asked, expire) = (Attribution::default(), ExpireOptions::new());
    let mut group = c.benchmark_group("retention");
    group.sample_size(10);
    for days in [300, 2_190] {
        group.throughput(Throughput::Elements(200));
        group.bench_function(format!("expire 200 of {days} segments"), |b| {
            b.iter_batched(
                || aged(days),
                |aged| {
                    let expiry =
                        aged.2.retention().expire(&expire.clone().at_most(200), &asked).unwrap();
                    assert_eq!(expiry.dropped.len(), 200);
                    aged
                },
                BatchSize::PerIteration,
            );
        });
        let (dir, options, log) = aged(days);
        group.throughput(Throughput::Elements(days));
        group.bench_function(format!("plan, {days} segments"), |b| {
            b.iter(|| log.snapshot().plan_expiry(&expire).unwrap().going().count());
        });
        let gone = log.retention().expire(&expire, &asked).unwrap().dropped.len() as u64;
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("get of an expired record, {gone} gone"), |b| {
            let mut n = 0;
            b.iter(|| {
                n = (n + 7_919) % (gone * 10);
                log.snapshot().get(black_box(Seq::new(n))).unwrap_err()
            });
        });
        group.bench_function(format!("list holds, {gone} gone"), |b| {
            b.iter(|| log.snapshot().catalog().holds().unwrap().len());
        });
        log.close().unwrap();
        group.bench_function(format!("open and close, {gone} gone"), |b| {
            b.iter(|| options.clone().open(dir.path().join("log")).unwrap().close().unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, hashing, bodies, redaction, log, encryption, access, retention);
criterion_main!(benches);
