//! Many threads at once.

use super::*;
use crate::support::hang::{Turns, Watchdog};

#[test]
fn everything_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let options = || Log::options().segment_bytes(256 << 10).durability(Durability::Os);
    drop(options().create(&path).unwrap());
    for round in 0..2 {
        let log = options().open(&path).unwrap();
        let (stop, acked) = (AtomicBool::new(false), AtomicU64::new(0));
        let from = log.size().get();
        let _watched = Watchdog::over(format!("round {round}"));
        let turns = <[Turns; 3]>::default();
        let stopped = || stop.load(Ordering::Relaxed);
        let reader = options().open_read_only(&path).unwrap();
        thread::scope(|scope| {
            let mut subscribers = Vec::new();
            for n in 0..3 {
                let subscription = log.subscribe(&Query::new().actor(format!("w{n}"))).unwrap();
                subscribers.push(scope.spawn(move || {
                    subscription.map(|r| r.unwrap()).map(|r| r.seq.get()).collect::<Vec<_>>()
                }));
            }
            let mut writers = Vec::new();
            for w in 0..3 {
                let (log, acked, stopped) = (log.clone(), &acked, &stopped);
                writers.push(scope.spawn(move || {
                    let mut n = 0;
                    // The log stays small enough to be asked about often.
                    while !stopped() && n < 5_000 {
                        let batch: Vec<_> = (0..5).map(|k| by(&format!("w{w}"), n + k)).collect();
                        log.append_batch(&batch).unwrap();
                        n += 5;
                        acked.fetch_add(5, Ordering::SeqCst);
                        if w == 0 && n % 500 == 0 {
                            log.rotate().unwrap();
                        }
                    }
                }));
            }
            let mut asking = Vec::new();
            for k in 0..3 {
                let (log, reader, stopped) = (log.clone(), &reader, &stopped);
                let turns = &turns[k];
                asking.push(scope.spawn(move || {
                    let _ended = turns.until_end();
                    while !stopped() {
                        let snapshot = match k {
                            0 | 1 => log.snapshot(),
                            _ => {
                                reader.refresh().unwrap();
                                reader.snapshot()
                            }
                        };
                        let query = Query::new().actor(format!("w{k}"));
                        let found = asked(&snapshot, &query);
                        let again = asked(&snapshot, &query.clone().oldest_first());
                        assert!(found.iter().rev().eq(again.iter()), "a snapshot that changes");
                        assert_eq!(snapshot.count(&query).unwrap(), found.len() as u64);
                        let by = snapshot.count_by(&Query::new(), bulla::GroupBy::Actor).unwrap();
                        let total: u64 = by.iter().map(|g| g.count).sum();
                        assert_eq!(total, snapshot.count(&Query::new()).unwrap());
                        let steps = snapshot.histogram(&query, Duration::from_millis(10)).unwrap();
                        assert_eq!(steps.iter().map(|s| s.count).sum::<u64>(), found.len() as u64);
                        turns.took();
                    }
                }));
            }
            let enough = |turns: &Turns| turns.count() >= 10;
            while !turns.iter().all(enough) || acked.load(Ordering::SeqCst) < 3_000 {
                for entry in std::fs::read_dir(path.join("segments")).unwrap().flatten() {
                    let name = entry.path();
                    if name.extension().is_some_and(|e| e == "idx") && round == 0 {
                        let _ = std::fs::remove_file(&name);
                    }
                }
                thread::yield_now();
            }
            stop.store(true, Ordering::Relaxed);
            asking.into_iter().chain(writers).for_each(|thread| thread.join().unwrap());
            let snapshot = log.snapshot();
            log.close().unwrap();
            for (n, subscriber) in subscribers.into_iter().enumerate() {
                let expected = model(&snapshot, &Query::new().actor(format!("w{n}")), false);
                let expected: Vec<u64> = expected.into_iter().filter(|s| *s >= from).collect();
                assert_eq!(subscriber.join().unwrap(), expected, "subscriber {n}");
            }
        });
        drop(log);
        let report = verify(&path, &VerifyOptions::new().at_rest(), &mut |_| ()).unwrap();
        assert!(report.is_clean(), "{:#?}", report.findings);
    }
}
