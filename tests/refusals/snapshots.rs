//! What is derived of the catalog, over records that were forged or that are others: it hides nothing.

use std::path::Path;
use std::sync::Arc;

use bulla::disk::Disk;
use bulla::time::ManualClock;
use bulla::{
    Error, ExpireOptions, Hold, HoldScope, Period, Policy, Signer, Timestamp, VerifyOptions, verify,
};

use crate::bases::{Base, asked};
use crate::cases::{By, Case, attempt, run_with_snapshot};
use crate::forge::Forge;
use crate::forge::bytes::{int, text, uint};
use crate::forge::files::Files;
use crate::support::START;

fn later() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_nanos(START + 40 * 24 * 3600 * 1_000_000_000)))
}

fn findings(files: &Files) -> Vec<String> {
    let options = VerifyOptions::new().disk(Arc::new(files.disk())).at_rest().threads(1);
    let report = verify(Path::new("/audit"), &options, &mut |_| ()).unwrap();
    report.findings.iter().map(ToString::to_string).collect()
}

/// What is refused of the catalog is refused by the same means if a snapshot is over it.
#[test]
fn a_snapshot_hides_nothing_that_is_refused_without_it() {
    run_with_snapshot(crate::in_force::CASES);
    run_with_snapshot(crate::catalog::CASES);
}

/// Also if it stands in a later segment than what was forged.
#[test]
fn a_snapshot_in_a_later_segment_hides_no_second_creation() {
    let base = Base::Encrypted;
    let mut forge = Forge { snapshot: true, ..base.forge() };
    assert!(forge.catalog.len() > 1);
    let mut again = forge.catalog[0].frames[0].clone();
    again.records[0].set("origin", text("example.com/other"));
    forge.catalog[0].frames.push(again);
    let files = forge.write();
    for by in [By::Verify, By::Open, By::Read] {
        assert!(attempt(by, base, &files).is_err(), "{by:?} is content");
    }
}

/// Snapshot and hash files are those of a catalog whose last record has another salt; the log is as
/// it was. They contradict the records: `verify` names them, and nothing is signed by them.
#[test]
fn no_head_is_signed_over_derived_hashes_of_the_catalog_that_are_wrong() {
    let base = Base::Plain;
    let mut other = Forge { snapshot: true, ..base.forge() };
    let frames = other.catalog.iter_mut().flat_map(|segment| &mut segment.frames);
    frames.flat_map(|frame| &mut frame.records).last().unwrap().stored[0] ^= 1;
    let other = other.write();
    let mut files = base.files().clone();
    let names = other.below("audit/catalog/");
    for name in names.filter(|name| name.contains("snapshot") || name.contains("/tree/")) {
        files.put(name, other.get(name).to_vec());
    }
    let found = findings(&files);
    assert!(found.iter().any(|found| found.contains("snapshot: size and peaks")), "{found:#?}");
    let disk = files.disk();
    let log = base.options(&disk, &later()).open("/audit").unwrap();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    log.checkpoint(&Signer::load_on(shared, Path::new("/key")).unwrap()).unwrap();
    log.close().unwrap();
    drop(log);
    assert_eq!(findings(&Files::of(&disk)), [""; 0]);
}

/// As the case with this id, behind more records than are replayed at each opening, and with a
/// snapshot over all of them.
fn large(case: &Case) -> Files {
    let mut forge = Forge { snapshot: true, ..case.base.forge() };
    let fields = [("expected", int(1)), ("found", int(2)), ("ordinal", uint(1))];
    forge.append_catalog(21, &fields);
    let frames = &mut forge.catalog.last_mut().unwrap().frames;
    let step = frames.last().unwrap().clone();
    frames.extend(std::iter::repeat_n(step, 4_200));
    (case.forge)(forge)
}

/// Opening a large catalog begins with its snapshot. What is for good is not done by it: all
/// records are replayed first.
#[test]
fn nothing_is_signed_recorded_or_dropped_by_the_word_of_a_snapshot() {
    for id in ["R-STATE-6", "R-STATE-7"] {
        let cases = || crate::in_force::CASES.iter().chain(crate::catalog::CASES);
        let case = cases().find(|case| case.id == id).unwrap();
        let files = large(case);
        assert!(attempt(By::Verify, case.base, &files).is_err(), "{id}");
        let disk = files.disk();
        let log = case.base.options(&disk, &later()).open("/audit").unwrap();
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let signer = Signer::load_on(shared, case.base.key_file()).unwrap();
        let hold = Hold::new("case 99", HoldScope::new().actor("user-3"));
        assert!(log.checkpoint(&signer).is_err(), "{id}");
        let done = [
            (
                "set a policy",
                log.retention().set_policy(&Policy::keep(Period::from_days(9_999)), &asked()),
            ),
            ("place a hold", log.retention().place_hold(&hold, &asked())),
            ("drop", log.retention().expire(&ExpireOptions::default(), &asked()).map(|_| ())),
        ];
        for (what, done) in done {
            let refused = match done {
                Err(Error::Tampered { .. }) => true,
                // By the state of the snapshot, before its records are asked.
                Err(Error::Retention { .. }) => what == "set a policy",
                _ => false,
            };
            assert!(refused, "{id}: {what}: {done:?}");
        }
        log.close().unwrap();
    }
}
