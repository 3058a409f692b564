//! The promise: what a log's redactor takes out is in none of its files, and all that the
//! log does otherwise (prove, verify, query) works on what is left.

#![allow(clippy::unwrap_used)] // helpers of tests

use std::path::Path;

use bulla::event::Redacted;
use bulla::redact::{REDACTED, Redactor, card_numbers};
use bulla::{
    Actor, Disclosure, Event, HashAlgorithm, Log, Query, Record, Resource, Seq, Signer, Trust,
    VerifyOptions, verify,
};

/// In every value that must go.
const SECRET: &str = "hunter2-hunter2";
const CARD: &str = "4111 1111 1111 1111";

fn redactor() -> Redactor {
    Redactor::standard().pattern("card_numbers", card_numbers())
}

fn secret_event(n: u64) -> Event {
    Event::new(Actor::new("user", "alice"), "user.update", Resource::new("user", n.to_string()))
        .reason(format!("order {n} paid with {CARD}"))
        .tag("session_token", SECRET)
        .old_values(serde_json::json!({"users": [{"password": SECRET}]}))
        .details_json(&format!(r#"{{ "n": {n}.0, "apiKey" : ["{SECRET}"] }}"#))
        .unwrap()
}

fn plain_event(n: u64) -> Event {
    Event::new(Actor::new("user", "bob"), "user.read", Resource::new("user", n.to_string()))
        .details_json(r#"{"token_count": 3}"#)
        .unwrap()
}

fn check(record: &Record, n: u64) {
    let event = &record.event;
    assert_eq!(event.reason.as_deref(), Some(format!("order {n} paid with {REDACTED}").as_str()));
    let details = event.details.as_ref().unwrap().as_str();
    assert_eq!(details, format!(r#"{{ "n": {n}.0, "apiKey" : "{REDACTED}" }}"#));
    let paths = ["reason", "tags/session_token", "old_values/users/0/password", "details/apiKey"];
    let expected = Redacted {
        rules: "bulla/1+card_numbers".to_owned(),
        paths: paths.map(str::to_owned).to_vec(),
        more: 0,
    };
    assert_eq!(event.redacted, Some(expected));
}

/// All files under a directory, one after the other.
fn bytes_under(dir: &Path, all: &mut Vec<u8>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => bytes_under(&path, all),
            false => all.extend(std::fs::read(&path).unwrap()),
        }
    }
}

fn is_in(what: &str, bytes: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what.as_bytes())
}

#[test]
fn what_is_redacted_is_in_no_file_and_the_rest_is_proved_and_verified() {
    for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Blake3] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit");
        let options = Log::options().origin("example.com/audit").hash(algorithm);
        let log = options.redactor(redactor()).create(&path).unwrap();
        // Each way in: one event, several, a ticket.
        log.append(&secret_event(0)).unwrap();
        log.append(&plain_event(1)).unwrap();
        log.append_batch(&[secret_event(2), plain_event(3), secret_event(4)]).unwrap();
        log.enqueue(&secret_event(5)).unwrap().wait().unwrap();
        log.rotate().unwrap();
        log.append(&secret_event(6)).unwrap();

        let signer =
            Signer::generate(&dir.path().join("key"), "example.com/audit", algorithm).unwrap();
        let checkpoint = log.checkpoint(&signer).unwrap().into_unverified();
        let trust = Trust::in_keys([signer.verifying_key().clone()]);
        for n in [0, 1, 6] {
            let proof = log.snapshot().prove(Seq::new(n), &checkpoint, Disclosure::Whole).unwrap();
            let shown = proof.verify_record(&trust).unwrap();
            assert_eq!(*shown.record(), log.snapshot().get(Seq::new(n)).unwrap());
            let withheld =
                log.snapshot().prove(Seq::new(n), &checkpoint, Disclosure::WithholdPayload);
            let shown = withheld.unwrap().verify_record(&trust).unwrap();
            assert_eq!(shown.record().event.redacted, None, "it is in the payload");
        }
        log.close().unwrap();

        let mut bytes = Vec::new();
        bytes_under(&path, &mut bytes);
        assert!(is_in("token_count", &bytes), "payloads are stored as text");
        assert!(!is_in(SECRET, &bytes) && !is_in(CARD, &bytes));

        let log = Log::open(&path).unwrap();
        for n in [0, 2, 4, 5, 6] {
            check(&log.snapshot().get(Seq::new(n)).unwrap(), n);
        }
        for n in [1, 3] {
            let record = log.snapshot().get(Seq::new(n)).unwrap();
            assert_eq!(record.event.redacted, None);
            assert_eq!(record.event.details, plain_event(n).details);
        }
        let found: Vec<_> = log.snapshot().query(&Query::new().actor("alice")).unwrap().collect();
        assert_eq!(found.len(), 5);
        log.close().unwrap();
        let report = verify(&path, &VerifyOptions::new(), &mut |_| ()).unwrap();
        assert!(report.findings.is_empty(), "{:?}", report.findings);
    }
}

#[test]
fn without_a_redactor_everything_is_kept_also_what_others_say_they_redacted() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::create(dir.path().join("audit")).unwrap();
    let given = secret_event(0);
    let seq = log.append(&given).unwrap().seq;
    let kept = log.snapshot().get(seq).unwrap().event;
    assert_eq!((&kept.details, &kept.tags, &kept.redacted), (&given.details, &given.tags, &None));

    let given = redactor().apply(&given).into_owned();
    let seq = log.append(&given).unwrap().seq;
    let exported = log.snapshot().get(seq).unwrap();
    check(&exported, 0);
    // Exported as JSON and taken in by a log with rules of its own.
    let options = Log::options().redactor(Redactor::empty("acme/7").field("n"));
    let other = options.create(dir.path().join("other")).unwrap();
    let carried = Event::from_json(&exported.event.to_json()).unwrap();
    let seq = other.append(&carried).unwrap().seq;
    let taken = other.snapshot().get(seq).unwrap();
    let redacted = taken.event.redacted.unwrap();
    assert_eq!(redacted.rules, "bulla/1+card_numbers, acme/7");
    assert_eq!(redacted.paths[4..], ["details/n"]);
}

#[test]
fn an_event_that_claims_too_much_was_redacted_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::create(dir.path().join("audit")).unwrap();
    let claim = |rules: &str, path: &str, count: usize| {
        let mut event = plain_event(0);
        let (rules, paths) = (rules.to_owned(), vec![path.to_owned(); count]);
        event.redacted = Some(Redacted { rules, paths, more: 1 });
        log.append(&event).map_err(|error| error.to_string())
    };
    assert!(claim("r", &"p".repeat(512), 256).is_ok());
    for (rules, path, count, field) in [
        ("", "p", 1, "redacted.rules"),
        ("a\u{1b}", "p", 1, "redacted.rules"),
        (&"r".repeat(257), "p", 1, "redacted.rules"),
        ("r", "p\n", 1, "redacted.paths"),
        ("r", &"p".repeat(513), 1, "redacted.paths"),
        ("r", "p", 257, "redacted.paths"),
    ] {
        let refused = claim(rules, path, count).unwrap_err();
        assert!(refused.contains(field), "{refused}");
    }
}
