//! Access to the log is itself logged: before anything is given out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::sync::Arc;

use bulla::disk::sim::SimDisk;
use bulla::vault::LogSpec;
use bulla::{
    AccessLog, Accessor, Actor, Attribution, Disclosure, Error, Event, Housekeeping, Log,
    LogOptions, Outcome, Query, Record, Resource, Seq, Signer, Vault,
};
use serde_json::Value;

fn options(disk: &SimDisk) -> LogOptions {
    let disk = Arc::new(disk.clone());
    LogOptions::new().disk(disk).housekeeping(Housekeeping::Inline)
}

/// A log with five records, and one that takes access events.
fn logs(disk: &SimDisk) -> (Log, Log) {
    let log = options(disk).origin("example.com/audit").create(PathBuf::from("/audit")).unwrap();
    let access = options(disk).create(PathBuf::from("/access")).unwrap();
    for n in 0..5 {
        let resource = Resource::new("doc", n.to_string());
        log.append(&Event::new(Actor::new("user", "alice"), "doc.read", resource)).unwrap();
    }
    (log, access)
}

fn dana() -> Accessor {
    Accessor::new(Actor::new("user", "dana"), "case 4711").ip("203.0.113.9").source("console")
}

/// The access events, oldest first, with their details.
fn events(access: &Log) -> Vec<(Event, Value)> {
    let records = access.snapshot().query(&Query::new().oldest_first()).unwrap();
    let of = |record: Record| {
        let details = record.event.details.as_ref().unwrap().to_value().unwrap();
        (record.event, details)
    };
    records.map(|record| of(record.unwrap())).collect()
}

#[test]
fn an_answer_leaves_an_event_before_its_first_record_and_one_behind_its_last() {
    let disk = SimDisk::new(1);
    let (log, access) = logs(&disk);
    let trail = AccessLog::new(access.clone());
    let reading = trail.reading(&log, &dana()).unwrap();
    let mut answer = reading.query(&Query::new().actor("alice").limit(3)).unwrap();
    let begun = events(&access);
    assert_eq!(begun.len(), 1, "nothing was given yet");
    let (event, details) = &begun[0];
    assert_eq!((event.actor.id.as_str(), event.action.as_str()), ("dana", "log.query"));
    assert_eq!(event.reason.as_deref(), Some("case 4711"));
    assert_eq!(event.ip.as_deref(), Some("203.0.113.9"));
    assert_eq!(event.resource, Resource::new("log", "example.com/audit"));
    assert_eq!(details["phase"], "begun");
    assert_eq!(details["asked"]["query"]["actor"], "\"alice\" of any type");
    assert_eq!(answer.by_ref().count(), 3);
    assert!(answer.next().is_none());
    let cursor = answer.answer().cursor().unwrap();
    drop(answer);
    let ended = events(&access);
    assert_eq!(ended.len(), 2, "and not another when it is let go");
    assert_eq!((&ended[1].1["phase"], &ended[1].1["records"]), (&"ended".into(), &3.into()));
    assert_eq!(ended[1].0.correlation_id, ended[0].0.correlation_id);
    // Let go before its end.
    let mut answer = reading.query(&Query::new().actor("alice").after(cursor)).unwrap();
    answer.next().unwrap().unwrap();
    drop(answer);
    let partial = events(&access).pop().unwrap();
    assert_eq!((partial.0.outcome, &partial.1["records"]), (Outcome::Partial, &1.into()));
}

#[test]
fn single_records_counts_exports_and_proofs_are_recorded_too() {
    let disk = SimDisk::new(2);
    let (log, access) = logs(&disk);
    let shared = Arc::new(disk.clone());
    let (key, algorithm) = (PathBuf::from("/key"), log.algorithm());
    let signer = Signer::generate_on(shared, &key, log.origin(), algorithm).unwrap();
    let checkpoint = log.checkpoint(&signer).unwrap().into_unverified();
    let trail = AccessLog::new(access.clone());
    let reading = trail.reading(&log, &dana()).unwrap();
    assert_eq!(reading.get(Seq::new(1)).unwrap().seq, Seq::new(1));
    assert_eq!(reading.count(&Query::new()).unwrap(), 5);
    assert_eq!(reading.export(Seq::new(2)).unwrap().count(), 4);
    reading.prove(Seq::new(1), &checkpoint, Disclosure::Whole).unwrap();
    reading.prove_many(&[Seq::new(1), Seq::new(3)], &checkpoint, Disclosure::Whole).unwrap();
    assert!(matches!(reading.get(Seq::new(99)), Err(Error::NotWritten { .. })));
    let told: Vec<_> = events(&access)
        .into_iter()
        .map(|(event, details)| (event.action, event.outcome, details["records"].as_u64()))
        .collect();
    let expected = [
        ("log.get", Outcome::Success, Some(1)),
        ("log.query", Outcome::Success, Some(0)),
        ("log.export", Outcome::Success, None),
        ("log.export", Outcome::Success, Some(4)),
        ("log.prove", Outcome::Success, Some(1)),
        ("log.prove", Outcome::Success, Some(2)),
        ("log.get", Outcome::Failure, Some(0)),
    ];
    assert_eq!(told, expected.map(|(action, outcome, n)| (action.to_owned(), outcome, n)));
    let (_, many) = &events(&access)[5];
    assert_eq!(many["asked"]["records"], serde_json::json!([1, 3]));
    // A reader of the same log in another process.
    let reader = options(&disk).open_read_only(PathBuf::from("/audit")).unwrap();
    trail.reading(&reader, &dana()).unwrap().get(Seq::new(0)).unwrap();
    assert_eq!(events(&access).len(), 8);
}

#[test]
fn what_cannot_be_recorded_is_not_read() {
    let disk = SimDisk::new(3);
    let (log, access) = logs(&disk);
    let trail = AccessLog::new(access.clone());
    let nobody = Accessor::new(Actor::new("user", ""), "case 4711");
    let reading = trail.reading(&log, &nobody).unwrap();
    assert!(matches!(reading.get(Seq::new(0)), Err(Error::Invalid(_))));
    assert!(matches!(reading.query(&Query::new()), Err(Error::Invalid(_))));
    let reading = trail.reading(&log, &dana()).unwrap();
    let mut answer = reading.query(&Query::new()).unwrap();
    access.close().unwrap();
    assert!(matches!(reading.get(Seq::new(0)), Err(Error::Closed)));
    assert!(matches!(reading.count(&Query::new()), Err(Error::Closed)));
    assert!(matches!(reading.query(&Query::new()), Err(Error::Closed)));
    // An answer that was begun goes on, and says in the end that its end is not recorded.
    assert_eq!(answer.by_ref().take(5).filter(Result::is_ok).count(), 5);
    assert!(matches!(answer.next(), Some(Err(Error::Closed))));
    assert!(answer.next().is_none());
}

#[test]
fn the_log_that_takes_the_events_is_not_the_one_that_is_read() {
    let disk = SimDisk::new(4);
    let (_, access) = logs(&disk);
    let refused = AccessLog::new(access.clone()).reading(&access, &dana()).map(|_| ());
    assert!(matches!(refused, Err(Error::InvalidOption { name: "access log", .. })));
}

#[test]
fn a_vault_is_read_with_a_trace_in_one_of_its_logs() {
    let disk = SimDisk::new(5);
    let vault: Vault = Vault::options()
        .disk(Arc::new(disk.clone()))
        .housekeeping(Housekeeping::Inline)
        .origin("example.com/audit")
        .max_open_logs(1)
        .create(PathBuf::from("/vault"))
        .unwrap();
    let asked = Attribution::by("user:carol").because("reading leaves a trace");
    vault.add_log("access", LogSpec::new(), &asked).unwrap();
    for n in 0..3 {
        let resource = Resource::new("doc", n.to_string());
        vault.append(&Event::new(Actor::new("user", "alice"), "doc.read", resource)).unwrap();
    }
    let trail = vault.access_log("access").unwrap();
    let reading = vault.reading(&trail, &dana());
    assert_eq!(reading.query(&Query::new()).unwrap().count(), 3);
    assert_eq!(reading.count(&Query::new()).unwrap(), 3, "without the access events");
    reading.get("main", Seq::new(1)).unwrap();
    assert!(reading.get("access", Seq::new(0)).is_err());
    let access = events(&vault.log("access").unwrap());
    let actions: Vec<_> = access.iter().map(|(event, _)| event.action.as_str()).collect();
    assert_eq!(actions, ["log.query", "log.query", "log.query", "log.get"]);
    assert_eq!(access[3].0.resource.id.as_deref(), Some("example.com/audit/vault/main"));
    assert!(vault.access_log("nowhere").is_err());
}
