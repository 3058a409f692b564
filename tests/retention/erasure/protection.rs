//! A key store or a rule that is forgotten is refused, and so is another store; less than before
//! is recorded with who wanted it.

use bulla::internals::format::catalog_body::{CatalogBody, ProtectionSet};
use bulla::internals::format::header::SegmentHeader;
use bulla::log::SubjectRule;
use bulla::{Attribution, Error, HashAlgorithm, KeyStore, Log, LogOptions, PayloadState, Seq};

use crate::erasure::{Place, event, on_disk, wrapping};

const SECRET: &[u8] = b"secret reason";

fn asked() -> Attribution {
    Attribution::by("carol").because("the store is in repair")
}

fn with_rule(place: &Place, store: KeyStore) -> LogOptions {
    place.options().key_store(store).subject_rule(SubjectRule::Actor)
}

fn store(place: &Place) -> KeyStore {
    KeyStore::open(&place.at("keys"), &wrapping()).unwrap()
}

/// A log whose events were encrypted by a rule, closed.
fn by_rule() -> Place {
    let place = Place::new(HashAlgorithm::Sha256);
    let keys = KeyStore::create(&place.at("keys"), &wrapping()).unwrap();
    let log = with_rule(&place, keys).create(place.at("audit")).unwrap();
    log.append(&event(2)).unwrap();
    log.close().unwrap();
    place
}

fn refused(options: LogOptions, place: &Place) -> String {
    match options.open(place.at("audit")) {
        Err(error @ Error::Unprotected { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

fn history_of(log: &Log, what: &str) -> Vec<(Option<String>, Option<String>, String)> {
    let entries =
        log.snapshot().catalog().history().unwrap().into_iter().filter(|entry| entry.what == what);
    entries.map(|entry| (entry.who, entry.why, entry.detail)).collect()
}

#[test]
fn a_log_that_is_opened_without_its_key_store_or_rule_is_refused_and_unchanged() {
    let place = by_rule();
    let before = crate::erasure::all_files(&place);
    let told = refused(place.options(), &place);
    assert!(told.contains("expected key store ") && told.contains("or else the actor"), "{told}");
    assert!(told.contains("found no key store, all in plain text"), "{told}");
    assert!(told.contains("allow_plaintext") && told.contains("change_protection"), "{told}");
    // With the store and without the rule it is the same.
    let told = refused(place.options().key_store(store(&place)), &place);
    assert!(told.contains("payloads encrypted for the subject."), "{told}");
    assert_eq!(crate::erasure::all_files(&place), before);
    // Reading needs nothing.
    let reader = place.options().open_read_only(place.at("audit")).unwrap();
    assert_eq!(reader.snapshot().get(Seq::new(0)).unwrap().payload, PayloadState::Sealed);
    assert_eq!(
        reader.snapshot().catalog().protection().unwrap().unwrap().subject_rule,
        SubjectRule::Actor
    );
    // With both it goes on.
    let log = with_rule(&place, store(&place)).open(place.at("audit")).unwrap();
    log.append(&event(2)).unwrap();
    assert_eq!(history_of(&log, "protection set").len(), 1, "what is the same is recorded once");
    log.close().unwrap();
    assert!(!on_disk(&place.at("audit"), SECRET));
    place.check_deeply(Some(place.reading_store()));
}

#[test]
fn another_key_store_is_refused_and_stays_free_for_its_own_log() {
    let place = by_rule();
    let other = KeyStore::create(&place.at("other"), &wrapping()).unwrap();
    let text = refused(with_rule(&place, other.clone()), &place);
    assert_eq!(text.matches("key store ").count(), 2, "{text}");
    // For one opening it is not taken either, and that is not advised.
    assert!(!text.contains("allow_plaintext") && text.contains("change_protection"), "{text}");
    refused(with_rule(&place, other.clone()).allow_plaintext(&asked()), &place);
    refused(with_rule(&place, other.clone()).without_events(), &place);
    assert_eq!(other.log_id(), None);
    let log = with_rule(&place, other.clone()).change_protection(&asked());
    let log = log.open(place.at("audit")).unwrap();
    log.append(&event(2)).unwrap();
    assert_eq!(other.log_id(), Some(log.log_id()));
    log.close().unwrap();
    refused(with_rule(&place, store(&place)), &place);
}

#[test]
fn what_an_earlier_key_store_encrypted_is_erased_with_it() {
    let place = by_rule();
    let other = KeyStore::create(&place.at("other"), &wrapping()).unwrap();
    let log = with_rule(&place, other.clone()).change_protection(&asked());
    let log = log.open(place.at("audit")).unwrap();
    log.append(&event(2)).unwrap();
    // With the store that the log has now, the older payload is not reached, and that is said.
    let erased = log.retention().erase("user:cron", &asked()).unwrap();
    assert_eq!((erased.records, erased.of_other_keys), (1, 1));
    log.close().unwrap();
    drop(log);

    let options = place.options().key_store(store(&place)).without_events();
    let log = options.open(place.at("audit")).unwrap();
    let states = |log: &Log| crate::erasure::states(&crate::erasure::all(log)[..2]); // an anchor follows
    assert_eq!(states(&log), [PayloadState::Decrypted, PayloadState::Erased]);
    let erased = log.retention().erase("user:cron", &asked()).unwrap();
    assert_eq!((erased.records, erased.of_other_keys), (1, 0));
    assert_eq!(states(&log), [PayloadState::Erased; 2]);
    log.close().unwrap();
    drop(log);
    assert!(store(&place).subjects().is_empty());
    // To append, the log takes its newest store only.
    refused(with_rule(&place, store(&place)), &place);
    with_rule(&place, other).open(place.at("audit")).unwrap().close().unwrap();
    place.check_deeply(Some(place.reading_store()));
}

#[test]
fn types_of_aliased_resources_are_bounded_and_all_that_are_taken_are_read_again() {
    let names = |count: usize, len: usize| (0..count).map(move |n| format!("{n:0len$}"));
    for (kinds, is_taken) in [
        (names(1024, 32), true),
        (names(128, 256), true),
        (names(1025, 4), false),
        (names(129, 256), false),
        (names(2800, 4), false),
    ] {
        let place = Place::new(HashAlgorithm::Sha256);
        let keys = KeyStore::create(&place.at("keys"), &wrapping()).unwrap();
        let options = place.options().key_store(keys).alias_resources(kinds.clone());
        let created = options.clone().create(place.at("audit"));
        if !is_taken {
            assert!(matches!(created, Err(Error::InvalidOption { .. })), "{created:?}");
            assert!(!place.at("audit").exists());
            continue;
        }
        created.unwrap().close().unwrap();
        let log = options.open(place.at("audit")).unwrap();
        assert_eq!(
            log.snapshot().catalog().protection().unwrap().unwrap().alias_resources.len(),
            kinds.count()
        );
    }
}

#[test]
fn plain_text_that_is_meant_is_on_record_and_meant_once() {
    let place = by_rule();
    let log = place.options().allow_plaintext(&asked()).open(place.at("audit")).unwrap();
    log.append(&event(2)).unwrap();
    let waived = history_of(&log, "protection waived");
    let [(who, why, detail)] = &waived[..] else { panic!("{waived:?}") };
    assert_eq!((who.as_deref(), why.as_deref()), (Some("carol"), Some("the store is in repair")));
    assert_eq!(detail, "no key store, all in plain text");
    assert_eq!(
        log.snapshot().catalog().protection().unwrap().unwrap().subject_rule,
        SubjectRule::Actor
    );
    log.close().unwrap();
    assert!(on_disk(&place.at("audit"), SECRET));
    refused(place.options(), &place);

    let log = place.options().change_protection(&asked()).open(place.at("audit")).unwrap();
    assert_eq!(log.snapshot().catalog().protection().unwrap().unwrap().key_store, None);
    log.close().unwrap();
    place.options().open(place.at("audit")).unwrap().close().unwrap();
    place.check_deeply(Some(place.reading_store()));
}

#[test]
fn more_protection_is_taken_recorded_and_required_from_then_on() {
    let place = Place::new(HashAlgorithm::Blake3);
    place.options().create(place.at("audit")).unwrap().close().unwrap();
    place.options().open(place.at("audit")).unwrap().close().unwrap(); // nothing to protect
    let keys = KeyStore::create(&place.at("keys"), &wrapping()).unwrap();
    let steps = [
        place.options().key_store(keys.clone()),
        with_rule(&place, keys.clone()),
        with_rule(&place, keys.clone()).alias_actors(true),
        with_rule(&place, keys.clone()).alias_actors(true).alias_resources(["b", "a", "b"]),
    ];
    for (n, options) in steps.iter().enumerate() {
        let log = options.clone().open(place.at("audit")).unwrap();
        assert_eq!(history_of(&log, "protection set").len(), n + 1);
        log.close().unwrap();
        for weaker in &steps[..n] {
            refused(weaker.clone(), &place);
        }
        refused(place.options(), &place);
    }
    let log = steps[3].clone().open(place.at("audit")).unwrap();
    assert_eq!(log.snapshot().catalog().protection().unwrap().unwrap().alias_resources, ["a", "b"]);
}

#[test]
fn without_events_a_log_is_signed_sealed_and_expired_without_its_store_and_takes_no_event() {
    let place = by_rule();
    let log = place.options().without_events().open(place.at("audit")).unwrap();
    log.checkpoint(&place.signer()).unwrap();
    log.rotate().unwrap();
    for refused in [
        log.append(&event(2)).map(|_| ()),
        log.append_batch(&[event(2)]).map(|_| ()),
        log.enqueue(&event(2)).map(|_| ()),
    ] {
        assert!(matches!(&refused, Err(Error::InvalidOption { .. })), "{refused:?}");
    }
    log.close().unwrap();
    let log = with_rule(&place, store(&place)).open(place.at("audit")).unwrap();
    assert_eq!(history_of(&log, "protection set").len(), 1);
    assert_eq!(history_of(&log, "protection waived").len(), 0);
}

/// Takes the record away as if the log had been written before there was such a one.
fn forget_the_record(place: &Place) {
    for copy in ["a", "b"] {
        std::fs::remove_file(place.at("audit").join("catalog").join(copy).join("00000002.seg"))
            .unwrap();
    }
    let _ = std::fs::remove_file(place.at("audit").join("catalog/snapshot"));
}

#[test]
fn a_log_of_before_there_was_a_record_is_known_by_its_newest_records() {
    let place = by_rule();
    forget_the_record(&place);
    let told = refused(place.options(), &place);
    assert!(told.contains("there are encrypted records"), "{told}");
    let log = place.options().allow_plaintext(&asked()).open(place.at("audit")).unwrap();
    assert_eq!(history_of(&log, "protection waived").len(), 1);
    log.close().unwrap();
    let log = with_rule(&place, store(&place)).open(place.at("audit")).unwrap();
    assert_eq!(history_of(&log, "protection set").len(), 1);
    log.close().unwrap();
    assert!(refused(place.options(), &place).contains("or else the actor"));
}

/// Leaves an anchor alone in the newest segment, as each seal with a checkpoint does.
fn seal_and_anchor(place: &Place, options: LogOptions) {
    let log = options.without_events().open(place.at("audit")).unwrap();
    log.rotate().unwrap();
    log.checkpoint(&place.signer()).unwrap();
    log.close().unwrap();
}

#[test]
fn the_newest_events_are_looked_at_and_not_the_anchors_behind_them() {
    let place = by_rule();
    forget_the_record(&place);
    seal_and_anchor(&place, place.options());
    let text = refused(place.options(), &place);
    assert!(text.contains("there are encrypted records"), "{text}");
    // Of a log with a damaged catalog, too.
    for copy in ["a", "b"] {
        damage(&place, &format!("{copy}/00000001.seg"), 600);
    }
    refused(place.options(), &place);
    // The events of every segment are looked at then.
    let log = place.options().allow_plaintext(&asked()).open(place.at("audit")).unwrap();
    for _ in 0..100 {
        log.append(&crate::erasure::event(2)).unwrap();
    }
    log.close().unwrap();
    refused(place.options(), &place);
    with_rule(&place, store(&place)).open(place.at("audit")).unwrap().close().unwrap();
}

fn damage(place: &Place, file: &str, at: usize) {
    let path = place.at("audit").join("catalog").join(file);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[at] ^= 0x80;
    std::fs::write(&path, bytes).unwrap();
    let _ = std::fs::remove_file(place.at("audit").join("catalog/snapshot"));
}

/// Offset of the protection set: the first frame of catalog segment 2.
fn offset_of_record(place: &Place) -> usize {
    let bytes = std::fs::read(place.at("audit").join("catalog/a/00000002.seg")).unwrap();
    let header = SegmentHeader::decode(bytes.first_chunk().unwrap()).unwrap();
    usize::try_from(header.first_frame()).unwrap()
}

#[test]
fn what_a_damaged_catalog_still_shows_of_protection_is_required() {
    let place = by_rule();
    seal_and_anchor(&place, place.options());
    for copy in ["a", "b"] {
        damage(&place, &format!("{copy}/00000001.seg"), 600);
    }
    let text = refused(place.options(), &place);
    assert!(text.contains("expected key store ") && text.contains("or else the actor"), "{text}");
    // A rule that is forgotten is seen, too.
    refused(place.options().key_store(store(&place)), &place);
    let log = with_rule(&place, store(&place)).open(place.at("audit")).unwrap();
    assert!(log.recovery().catalog_damage.is_some());
    log.append(&event(2)).unwrap();
    log.close().unwrap();
    assert!(!on_disk(&place.at("audit"), SECRET));
    // What is meant is done, though it cannot be put on record.
    let log = place.options().allow_plaintext(&asked()).open(place.at("audit")).unwrap();
    log.append(&event(2)).unwrap();
    log.close().unwrap();
    assert!(on_disk(&place.at("audit"), SECRET));
}

#[test]
fn a_record_of_protection_that_cannot_be_read_requires_a_key_store() {
    let place = Place::new(HashAlgorithm::Sha256);
    let keys = KeyStore::create(&place.at("keys"), &wrapping()).unwrap();
    let log = place.options().key_store(keys).create(place.at("audit")).unwrap();
    log.append(&event(2)).unwrap(); // of nobody, so in plain text
    log.close().unwrap();
    drop(log);
    let at = offset_of_record(&place) + 100;
    for copy in ["a", "b"] {
        damage(&place, &format!("{copy}/00000001.seg"), 600);
        damage(&place, &format!("{copy}/00000002.seg"), at);
    }
    let text = refused(place.options(), &place);
    assert!(text.contains("on record in the catalog, where they cannot be read"), "{text}");
    let log = place.options().key_store(store(&place)).open(place.at("audit")).unwrap();
    let damage = log.recovery().catalog_damage.clone().unwrap();
    assert!(damage.contains("cannot be known"), "{damage}");
    log.close().unwrap();
    place.options().without_events().open(place.at("audit")).unwrap().close().unwrap();
    let log = place.options().allow_plaintext(&asked()).open(place.at("audit")).unwrap();
    log.append(&event(2)).unwrap();
}

#[test]
fn a_key_store_that_was_cut_short_is_damaged_and_no_older_one() {
    let place = by_rule();
    let whole = std::fs::read(place.at("keys")).unwrap();
    for len in [0, 128, 4096, 4165, 8192, 8200, 8256, 12_287, 12_288, whole.len() - 1] {
        std::fs::write(place.at("keys"), &whole[..len]).unwrap();
        for opened in [
            KeyStore::open(&place.at("keys"), &wrapping()),
            KeyStore::open_read_only(&place.at("keys"), &wrapping()),
        ] {
            assert!(matches!(opened, Err(Error::Corrupt { .. })), "{len}: {opened:?}");
        }
    }
    std::fs::write(place.at("keys"), &whole).unwrap();
    place.check_deeply(Some(place.reading_store()));
}

#[test]
fn the_record_stands_in_a_segment_of_version_3_and_a_plain_log_has_none() {
    let version = |place: &Place, ordinal: u32| -> u16 {
        let path = place.at("audit").join(format!("catalog/a/{ordinal:08}.seg"));
        let bytes = std::fs::read(path).unwrap();
        SegmentHeader::decode(bytes.first_chunk().unwrap()).unwrap().format_version
    };
    let place = by_rule();
    assert_eq!((version(&place, 1), version(&place, 2)), (2, 3));
    let plain = Place::new(HashAlgorithm::Sha256);
    let log = plain.options().create(plain.at("audit")).unwrap();
    log.append(&crate::erasure::event(2)).unwrap();
    log.close().unwrap();
    assert_eq!(version(&plain, 1), 2);
    assert!(!plain.at("audit").join("catalog/a/00000002.seg").exists());
}

#[test]
fn a_record_that_contradicts_itself_is_refused() {
    let good = ProtectionSet {
        store_id: Some([1; 16]),
        subject_rule: 1,
        alias_actors: true,
        alias_resources: vec!["a".to_owned(), "b".to_owned()],
        exception: false,
        set_at: 5,
    };
    let decoded = |set: &ProtectionSet| {
        let body = CatalogBody::ProtectionSet(set.clone());
        let bytes = body.encode(&bulla::Hash::ZERO).unwrap();
        CatalogBody::decode(41, &bytes).map(|(_, decoded)| assert_eq!(decoded, body))
    };
    decoded(&good).unwrap();
    decoded(&ProtectionSet::default()).unwrap();
    // As many types as an envelope holds.
    let many = (0..9000).map(|n| format!("{n:04}")).collect();
    decoded(&ProtectionSet { alias_resources: many, ..good.clone() }).unwrap();
    for bad in [
        ProtectionSet { subject_rule: 2, ..good.clone() },
        ProtectionSet { alias_resources: vec!["b".to_owned(), "a".to_owned()], ..good.clone() },
        ProtectionSet { alias_resources: vec!["a".to_owned(), "a".to_owned()], ..good.clone() },
        ProtectionSet { store_id: None, ..good.clone() },
    ] {
        assert!(decoded(&bad).is_err(), "{bad:?}");
    }
}
