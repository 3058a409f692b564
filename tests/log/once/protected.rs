//! Contents are compared as they are recorded: redacted, encrypted, under aliases, erased.

use bulla::log::SubjectRule;
use bulla::redact::Redactor;
use bulla::retention::Attribution;
use bulla::{Error, KeyStore, LogOptions, PayloadState, SpanId, Target, WrappingKey};

use super::{changed, conflict, event, in_dir, options};

fn wrapping() -> WrappingKey {
    WrappingKey::from_bytes([7; 32])
}

fn asked() -> Attribution {
    Attribution { who: Some("carol".to_owned()), why: Some("she asked".to_owned()) }
}

#[test]
fn events_that_differ_in_what_is_redacted_are_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let with_password = |n: u64, password: &str| {
        event(n).new_values(serde_json::json!({ "name": "Al", "password": password }))
    };
    let log = options().redactor(Redactor::standard()).create(in_dir(&dir)).unwrap();
    let receipt = log.append_once(&with_password(1, "one")).unwrap();
    assert_eq!(log.append_once(&with_password(1, "two")).unwrap(), receipt);
    assert_eq!(log.enqueue_once(&with_password(1, "two")).unwrap().wait().unwrap(), receipt);
    let both = [with_password(2, "one"), with_password(2, "two")];
    assert_eq!(log.append_batch_once(&both).unwrap()[1].receipt.seq.get(), 1);
    log.close().unwrap();
    // Without the redactor it would be recorded with the password: that is another content.
    let log = options().open(in_dir(&dir)).unwrap();
    conflict(log.append_once(&with_password(1, "one")));
}

fn store(dir: &tempfile::TempDir) -> KeyStore {
    KeyStore::create(&dir.path().join("keys"), &wrapping()).unwrap()
}

fn with_keys(store: &KeyStore) -> LogOptions {
    options()
        .key_store(store.clone())
        .subject_rule(SubjectRule::Actor)
        .alias_actors(true)
        .alias_resources(["invoice"])
}

#[test]
fn encrypted_payloads_and_aliases_are_compared_with_the_keys() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir);
    let log = with_keys(&store).create(in_dir(&dir)).unwrap();
    let receipt = log.append_once(&event(1)).unwrap();
    let record = log.snapshot().get(receipt.seq).unwrap();
    assert_eq!(record.payload, PayloadState::Decrypted);
    assert_ne!(record.event.actor.id, "al", "an alias");
    assert_eq!(log.append_once(&event(1)).unwrap(), receipt);
    conflict(log.append_once(&event(1).reason("other")));
    log.append(&changed(2, |event| event.actor = bulla::Actor::new("user", "bea"))).unwrap();
    conflict(log.append_once(&changed(1, |event| event.actor = bulla::Actor::new("user", "bea"))));
    let subjects = store.subjects().len();
    let stranger = changed(1, |event| event.actor = bulla::Actor::new("user", "stranger"));
    conflict(log.append_once(&stranger));
    assert_eq!(store.subjects().len(), subjects, "looking draws no keys");
    let other_subject = changed(1, |event| event.subject = Some("user:bea".to_owned()));
    conflict(log.append_once(&other_subject));
    log.close().unwrap();
    let log = with_keys(&store).open(in_dir(&dir)).unwrap();
    assert_eq!(log.append_once(&event(1)).unwrap(), receipt);
    assert_eq!(log.size().get(), 2);
}

#[test]
fn of_an_erased_subject_what_is_left_decides() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir);
    let log = with_keys(&store).create(in_dir(&dir)).unwrap();
    let receipt = log.append_once(&event(1)).unwrap();
    log.retention().erase("user:al", &asked()).unwrap();
    let subjects = store.subjects().len();
    let size = log.size();
    for reopens in [false, true] {
        let log = if reopens {
            log.close().unwrap();
            with_keys(&store).open(in_dir(&dir)).unwrap()
        } else {
            log.clone()
        };
        assert_eq!(log.snapshot().get(receipt.seq).unwrap().payload, PayloadState::Erased);
        assert_eq!(log.append_once(&event(1)).unwrap(), receipt);
        // Not to be compared any more.
        assert_eq!(log.append_once(&event(1).reason("other")).unwrap(), receipt);
        conflict(log.append_once(&changed(1, |event| event.action = "invoice.write".to_owned())));
        let refused = log.append_once(&changed(1, |event| event.id = None));
        assert!(matches!(refused, Err(Error::Invalid(_))));
        assert_eq!(log.size(), size, "what was erased is not added again");
    }
    assert_eq!(store.subjects().len(), subjects, "looking draws no keys");
}

#[test]
fn targets_and_on_whose_behalf_are_compared_by_their_aliases() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir);
    let rich = |n: u64| {
        let event = event(n).target(Target::new("invoice", "77")).target(Target::new("ward", "7"));
        let event = event.on_behalf_of(bulla::Actor::new("user", "dave").role("owner"));
        event.span_id(SpanId::from_bytes([1; 8]).unwrap())
    };
    let log = with_keys(&store).alias_resources(["invoice"]).create(in_dir(&dir)).unwrap();
    let receipt = log.append_once(&rich(1)).unwrap();
    let recorded = log.snapshot().get(receipt.seq).unwrap().event;
    assert_ne!(recorded.on_behalf_of.unwrap().id, "dave");
    assert_ne!(recorded.targets[0].id, "77");
    for erased in [false, true] {
        if erased {
            // What only the payload has, such as the span id, is gone.
            log.retention().erase("user:al", &asked()).unwrap();
        }
        assert_eq!(log.append_once(&rich(1)).unwrap(), receipt);
        let mut other = rich(1);
        other.targets[0].id = "78".to_owned();
        // Without keys of that subject nobody can tell: then what can be compared decides.
        let draws = log.append_once(&other);
        assert_eq!(draws.unwrap(), receipt);
        let mut other = rich(1);
        other.targets[1].id = "8".to_owned();
        conflict(log.append_once(&other));
        let mut other = rich(1);
        other.targets.pop();
        conflict(log.append_once(&other));
        let mut other = rich(1);
        other.on_behalf_of = None;
        conflict(log.append_once(&other));
    }
    // The erasure added an anchor.
    assert_eq!(log.snapshot().count(&bulla::Query::new()).unwrap(), 1);
}
