//! The whole story: a year of events, a hold, six years on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bulla::Seq;
use bulla::event::Record;
use bulla::time::ManualClock;
use bulla_cli::import::{self, Format, Item, Mapping};

use super::{DAY, WHO, append_today, old_options, place, retain, with, years_ago};
use crate::running::{self, at, fine, jsonl, run};

/// Trails and how they are read.
fn trails() -> Vec<(PathBuf, Format)> {
    let map = |name: &str| Format::Json(Arc::new(Mapping::open(name).unwrap()));
    let given = std::env::var_os("BULLA_REAL_DATA").map(PathBuf::from);
    let given = given.map(|given| Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(given));
    let (dir, names): (PathBuf, [(&str, Format); 6]) = match given {
        Some(given) => (
            given,
            [
                ("cloudtrail/invictus.jsonl", Format::CloudTrail),
                ("k8s/falco.jsonl", Format::K8s),
                ("auditd/auparse_testdata_audit-rhel7.log", Format::Auditd),
                ("vendor/GitHub_Audit.jsonl", map("github")),
                ("vendor/Okta_SystemLog.jsonl", map("okta")),
                ("vendor/GCP_AuditLog.jsonl", map("gcp")),
            ],
        ),
        None => (
            running::samples(),
            [
                ("cloudtrail.jsonl", Format::CloudTrail),
                ("k8s.jsonl", Format::K8s),
                ("auditd.log", Format::Auditd),
                ("github.jsonl", map("github")),
                ("okta.jsonl", map("okta")),
                ("gcp.jsonl", map("gcp")),
            ],
        ),
    };
    names.into_iter().map(|(name, format)| (dir.join(name), format)).collect()
}

/// The events of all trails, recorded in the course of a year that ended seven years ago: a
/// segment a month.
fn record_a_year(log: &Path) -> Vec<Record> {
    let mut events = Vec::new();
    for (file, format) in trails() {
        let read = import::read(&file, &format).unwrap();
        events.extend(read.filter_map(|item| match item.unwrap() {
            Item::Event { event, .. } => Some(event),
            Item::Rejected { .. } => None,
        }));
    }
    let clock = Arc::new(ManualClock::at(years_ago(8)));
    let log = old_options(&clock).create(log).unwrap();
    for month in events.chunks(events.len().div_ceil(12)) {
        for batch in month.chunks(500) {
            log.append_batch(batch).unwrap();
        }
        log.rotate().unwrap();
        clock.advance(DAY * 30);
    }
    let records = log.snapshot().records_from(Seq::new(0)).map(Result::unwrap).collect();
    log.close().unwrap();
    records
}

/// The segments that are there and sealed.
fn sealed(log: &str) -> BTreeSet<u64> {
    let segments = jsonl(&fine(&["segments", log, "--output", "jsonl"]));
    let there = segments
        .iter()
        .filter(|segment| segment["sealed"] == true && segment["status"] != "dropped");
    there.map(|segment| segment["ordinal"].as_u64().unwrap()).collect()
}

#[test]
fn six_years_on_all_goes_but_what_is_held_which_is_proved_and_goes_when_it_is_released() {
    let dir = tempfile::tempdir().unwrap();
    let log = at(dir.path(), "audit");
    let records = record_a_year(Path::new(&log));
    append_today(&log);
    let key = at(dir.path(), "audit.key");
    let (kept, proof) = (at(dir.path(), "kept.checkpoint"), at(dir.path(), "held.tlog-proof"));
    fine(&["keygen", &key, "--log", &log]);
    let public = format!("{key}.pub");
    fine(&["checkpoint", &log, "--key", &key, "-o", &kept]);
    let months = sealed(&log);

    // A hold on who did something half-way.
    let held = &records[records.len() / 2];
    let actor = &held.event.actor.id;
    let by_actor = || fine(&["query", &log, "--actor", actor, "--count"]);
    let before = by_actor();
    let told = place(&log, "case-7", &["--actor", actor]);
    assert!(told.contains("case-7"), "{told}");

    let told = jsonl(&retain(&log, &["--keep", "6y", "--output", "jsonl"]));
    let gone: Vec<_> = told.iter().filter(|line| line["verdict"] == "dropped").collect();
    let stayed: Vec<_> = told.iter().filter(|line| line["verdict"] == "held").collect();
    assert!(!gone.is_empty() && !stayed.is_empty(), "{told:#?}");
    assert_eq!(gone.len() + stayed.len(), months.len());
    for line in &gone {
        assert_eq!(line["certificate"]["holds"], 1);
        assert_eq!(line["certificate"]["scanned"], line["count"]);
    }
    assert_eq!(by_actor(), before, "nothing of what is held went");
    let first = gone[0]["first"].as_u64().unwrap().to_string();
    let certificate = run(&["get", &log, &first]);
    assert_eq!(certificate.status, 1);
    assert!(certificate.stdout.contains("policy 12"), "{}", certificate.stdout);

    // A held record is proved under the checkpoint of before, and the log is what it was.
    fine(&["prove", &log, &held.seq.to_string(), "--checkpoint", &kept, "-o", &proof]);
    let proved = fine(&["verify-proof", &proof, "--pubkey", &public]);
    assert!(proved.starts_with("PROVED"), "{proved}");
    let verified = fine(&["verify", &log, "--checkpoint", &kept, "--pubkey", &public]);
    assert!(verified.contains(": checked: ") && verified.contains("clean"), "{verified}");

    fine(&with(&["hold", "release", &log, "case-7"], &WHO));
    let told = retain(&log, &[]);
    assert_eq!(told.matches("dropped, by certificate").count(), stayed.len(), "{told}");
    assert!(sealed(&log).is_disjoint(&months));
    assert_eq!(run(&["get", &log, &held.seq.to_string()]).status, 1);
    let verified = fine(&["verify", &log, "--checkpoint", &kept, "--pubkey", &public]);
    assert!(verified.contains(&format!("{} expired before", records_told(&records))), "{verified}");
    assert_eq!(fine(&["query", &log, "--count"]).trim(), "1");
}

fn records_told(records: &[Record]) -> String {
    let digits = records.len().to_string();
    match digits.len() {
        0..=3 => format!("{digits} records"),
        long => format!("{},{} records", &digits[..long - 3], &digits[long - 3..]),
    }
}
