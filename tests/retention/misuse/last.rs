//! One copy of the catalog put back; everything at once, closed in the middle.

use std::sync::Arc;
use std::time::Duration;

use bulla::Attribution;
use bulla::archive::{ArchiveStore, DirectoryStore};
use bulla::{
    Error, ExpireOptions, Hold, HoldScope, Housekeeping, KeyStore, Period, Policy, VerifyOptions,
    WrappingKey, verify,
};

use crate::misuse::later::copy_dir;
use crate::misuse::{World, asked, event};
use crate::support::hang::{Turns, Watchdog, wait_until};

fn one_copy_put_back(copy: &str, of_reader: bool) {
    let world = World::new();
    let log = world.log(4);
    log.retention().set_policy(&Policy::keep(Period::from_days(1)), &asked()).unwrap();
    log.append(&event("now", 5)).unwrap();
    log.close().unwrap();
    drop(log);
    let (dir, old) = (world.path().join("catalog"), world.dir.path().join("old"));
    copy_dir(&dir, &old);
    let admin = world.options().administer(world.path()).unwrap();
    let scope = HoldScope::new().resource("file", "f1");
    admin.place_hold(&Hold::new("case 7", scope), &asked()).unwrap();
    drop(admin);
    copy_dir(&old.join(copy), &dir.join(copy));
    if of_reader {
        let reader = world.options().open_read_only(world.path()).unwrap();
        let shown = reader.snapshot().catalog().holds().unwrap().len();
        assert_eq!(shown, 1, "a reader does not see the hold, which copy `b` has");
        return;
    }
    let log = world.options().open(world.path()).unwrap();
    let gone: Vec<u64> = log
        .retention()
        .expire(&ExpireOptions::new(), &asked())
        .unwrap()
        .dropped
        .iter()
        .map(|c| c.ordinal)
        .collect();
    log.close().unwrap();
    assert!(!gone.contains(&2), "{gone:?}: copy {copy} was put back, the other has the hold");
}

#[test]
fn a_hold_that_only_the_first_copy_has_is_obeyed() {
    one_copy_put_back("b", false);
}

#[test]
fn a_hold_that_only_the_second_copy_has_is_obeyed() {
    one_copy_put_back("a", false);
}

#[test]
fn a_reader_believes_the_longer_copy_of_the_catalog() {
    one_copy_put_back("a", true);
}

#[test]
fn closing_in_the_middle_of_everything_ends() {
    for round in 0..6 {
        let world = World::new();
        let housekeeping =
            if round % 2 == 0 { Housekeeping::Background } else { Housekeeping::Inline };
        let store =
            KeyStore::create(&world.dir.path().join("keys"), &WrappingKey::from_bytes([7; 32]))
                .unwrap();
        let options = world.options().housekeeping(housekeeping).segment_bytes(64 << 10);
        let log = options.key_store(store).create(world.path()).unwrap();
        log.retention().set_policy(&Policy::keep(Period::ZERO), &asked()).unwrap();
        let archive: Arc<dyn ArchiveStore> =
            Arc::new(DirectoryStore::open_or_create(world.dir.path().join("archive")).unwrap());
        let watched = Watchdog::over(format!("round {round}"));
        let [appended, expired, restored, held] = <[Turns; 4]>::default();
        let fine = |error: &Error| {
            let said = error.to_string();
            let usual = matches!(
                error,
                Error::Closed
                    | Error::Expired { .. }
                    | Error::Held { .. }
                    | Error::Retention { .. }
                    | Error::KeyStore { .. }
                    | Error::InvalidOption { .. }
            );
            assert!(usual, "{said}");
        };
        std::thread::scope(|scope| {
            let (log, archive, fine, world) = (&log, &archive, &fine, &world);
            let (appended, expired, restored, held) = (&appended, &expired, &restored, &held);
            scope.spawn(move || {
                let _ended = appended.until_end();
                for n in 0_u64.. {
                    let mut event = event(&format!("a{}", n % 5), n).reason("x".repeat(500));
                    event.subject = Some(format!("user:{}", n % 3));
                    match log.enqueue(&event) {
                        Ok(ticket) if n % 7 == 0 => drop(ticket.wait()),
                        Ok(_) | Err(Error::Busy) => {}
                        Err(error) => return fine(&error),
                    }
                    appended.took();
                    if n % 40 == 0
                        && let Err(error) = log.rotate()
                    {
                        return fine(&error);
                    }
                }
            });
            scope.spawn(move || {
                let _ended = expired.until_end();
                loop {
                    let to = ExpireOptions::new()
                        .clock_lead(Period::from_years(9))
                        .drop_restored(true)
                        .archive_to(Arc::clone(archive));
                    if let Err(error) = log.retention().expire(&to, &asked()) {
                        return fine(&error);
                    }
                    world.clock.advance(Duration::from_secs(1));
                    expired.took();
                }
            });
            scope.spawn(move || {
                let _ended = restored.until_end();
                loop {
                    match log.archive().restorable_in(&**archive) {
                        Ok(found) => {
                            for (_, folder) in found.into_iter().take(2) {
                                match log.archive().restore(&**archive, &folder, &asked()) {
                                    Err(error @ Error::Closed) => return fine(&error),
                                    Err(error) => fine(&error),
                                    Ok(_) => {}
                                }
                            }
                        }
                        Err(error) => return fine(&error),
                    }
                    restored.took();
                    if log.rotate().is_err() {
                        return;
                    }
                }
            });
            scope.spawn(move || {
                let _ended = held.until_end();
                for n in 0_u64.. {
                    let hold = Hold::new(format!("h{n}"), HoldScope::new().actor("a3"));
                    let placed = log.retention().place_hold(&hold, &asked());
                    if log.rotate().is_err() {
                        return;
                    }
                    let erased =
                        log.retention().erase(&format!("user:{}", n % 3), &Attribution::default());
                    if let Err(error) = erased {
                        fine(&error);
                    }
                    if placed
                        .and_then(|()| log.retention().release_hold(&hold.case, &asked()))
                        .is_err()
                    {
                        return;
                    }
                    held.took();
                }
            });
            // In the middle: each of them has done its work some times.
            let all = [appended, expired, restored, held];
            wait_until(|| all.iter().all(|times| times.count() > 2 + round));
            log.close().unwrap();
        });
        drop(log);
        drop(watched);
        let report = verify(&world.path(), &VerifyOptions::new(), &mut |_| ()).unwrap();
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
        // Without its key store it takes no events.
        world.options().without_events().open(world.path()).unwrap().close().unwrap();
    }
}
