//! Every line of a trail is in an event or rejected, and what is imported gives the
//! original back.
//!
//! With `BULLA_REAL_DATA` set the trails are the real ones in that directory (data
//! that are missing there fail the test), else the samples of this package.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bulla_cli::import::{self, Counts, Format, Item, Mapping};
use serde_json::value::RawValue;

fn format(name: &str) -> Format {
    match name.strip_prefix("json:") {
        Some(mapping) => Format::Json(Arc::new(Mapping::open(mapping).unwrap())),
        None => name.parse().unwrap(),
    }
}

/// File, format, and the most lines that may be rejected, each for a known reason.
const REAL: [(&str, &str, u64); 12] = [
    ("cloudtrail/invictus.jsonl", "cloudtrail", 0),
    ("cloudtrail/stratus.jsonl", "cloudtrail", 0),
    ("k8s/perfspec.jsonl", "k8s", 0),
    ("k8s/falco.jsonl", "k8s", 0),
    // One line is `type=UNKNOWN[1329] msg=?`.
    ("auditd/auparse_testdata_audit-rhel7.log", "auditd", 1),
    ("auditd/auparse_testdata_test2.log", "auditd", 0),
    ("auditd/testdata_normal.log", "auditd", 0),
    ("auditd/testdata_out_of_order.log", "auditd", 0),
    ("vendor/GitHub_Audit.jsonl", "json:github", 98),
    ("vendor/Okta_SystemLog.jsonl", "json:okta", 73),
    ("vendor/GCP_AuditLog.jsonl", "json:gcp", 196),
    ("vendor/GSuite_ActivityEvent.jsonl", "json:gworkspace", 129),
];

#[test]
fn probe() {
    let dir = PathBuf::from(std::env::var_os("BULLA_REAL_DATA").unwrap());
    for (file, name, _) in REAL {
        let mut import = import::read(&dir.join(file), &format(name)).unwrap();
        let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
        let mut sum: BTreeMap<String, u64> = BTreeMap::new();
        for item in import.by_ref() {
            match item.unwrap() {
                Item::Rejected { reason, .. } => *reasons.entry(reason).or_default() += 1,
                Item::Event { event, .. } => {
                    let e = &event;
                    *sum.entry(format!(
                        "{} | {} | {} | {}",
                        e.actor.kind, e.action, e.resource.kind, e.outcome
                    ))
                    .or_default() += 1;
                    if std::env::var_os("SHOW").is_some() {
                        let mut e = event.clone();
                        e.details = None;
                        println!("{}", e.to_json());
                    }
                }
            }
        }
        println!("== {file} {:?}\n{reasons:#?}", import.counts());
        if std::env::var_os("SUM").is_some() {
            println!("{sum:#?}");
        }
    }
}
