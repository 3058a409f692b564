//! A thousand logs in one vault: one lock, one housekeeper, few open files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(target_os = "linux")]

use bulla::vault::{Routing, Rule};
use bulla::{Actor, Durability, Event, LogOptions, Query, Resource, Vault};

const LOGS: u64 = 1000;
const OPEN: usize = 16;
/// Of an open log with one segment, that of the vault included.
const FILES_OF_A_LOG: usize = 24;

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn threads(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let named = tasks.filter(|task| {
        let comm = task.as_ref().unwrap().path().join("comm");
        std::fs::read_to_string(comm).is_ok_and(|comm| name.starts_with(comm.trim()))
    });
    named.count()
}

fn event(n: u64) -> Event {
    Event::new(
        Actor::new("user", format!("u{}", n % 7)),
        "doc.read",
        Resource::new("doc", n.to_string()),
    )
    .tenant(format!("tenant-{}", n % LOGS))
}

#[test]
fn a_thousand_logs_need_few_files_and_lose_nothing() {
    // In memory where there is such a place: this is about files, not about a disk.
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let path = dir.path().join("vault");
    let options = Vault::options()
        .log(LogOptions::new().durability(Durability::Os).segment_bytes(64 << 10))
        .max_open_logs(OPEN);
    let vault = options.clone().create(&path).unwrap();
    let asked = bulla::Attribution::by("user:carol").because("each its own");
    vault.set_routing(Routing::to("main").rule(Rule::per_tenant("t")), &asked).unwrap();
    let (before, most) = (open_files(), (OPEN + 1) * FILES_OF_A_LOG);
    let few = |when: &str| {
        let now = open_files().saturating_sub(before);
        assert!(now <= most, "{now} files are open {when}, {most} may be");
        assert!(threads("bulla-housekeeper") <= 1);
    };
    for n in 0..LOGS + 200 {
        vault.append(&event(n)).unwrap();
        if n % 50 == 0 {
            few("while appending");
        }
    }
    assert_eq!(vault.logs().len() as u64, LOGS + 1);
    let newest = vault.query(&Query::new().limit(20)).unwrap().map(Result::unwrap);
    let newest: Vec<_> = newest.map(|found| found.record.event.resource.id.unwrap()).collect();
    let expected: Vec<_> = (0..20).map(|n| (LOGS + 199 - n).to_string()).collect();
    assert_eq!(newest, expected);
    vault.close().unwrap();
    drop(vault);
    assert!(open_files() < before);

    let vault = options.open(&path).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    let mut last = None;
    for found in vault.query(&Query::new().oldest_first()).unwrap() {
        let found = found.unwrap();
        assert!(last <= Some(found.record.recorded_at), "in the order of time");
        last = Some(found.record.recorded_at);
        assert!(seen.insert(found.record.event.resource.id.unwrap()));
        if seen.len() % 100 == 0 {
            few("while reading");
        }
    }
    assert_eq!(seen.len() as u64, LOGS + 200);
    // Of one tenant only the logs that can have its records are read.
    let of_one = vault.tenant("tenant-7").unwrap();
    assert_eq!(of_one.count(&Query::new()), Ok(2));
    few("in the end");
}
