//! Payloads that are encrypted by subject: read with the keys, proved without them, erased
//! with a certificate, and nothing else of the log changes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod aliases;
mod crashes;
mod protection;

use std::path::{Path, PathBuf};

use crate::support::ORIGIN;
use bulla::disk::{RealDisk, replace_file};
use bulla::internals::format::frame::{self, FrameHeader};
use bulla::internals::format::header::SegmentHeader;
use bulla::internals::format::record::{self, PREFIX_LEN, RawRecord};
use bulla::log::SubjectRule;
use bulla::proof::{Bundle, Disclosure, TlogProof};
use bulla::query::Query;
use bulla::retention::Attribution;
use bulla::{
    Actor, Error, Event, HashAlgorithm, Housekeeping, KeyStore, Log, LogOptions, PayloadState,
    Record, Resource, Seq, Signer, Trust, VerifyOptions, WrappingKey, verify,
};
use proptest::prelude::*;
use tempfile::TempDir;

const ALICE: &str = "user:alice";
const BOB: &str = "user:bob";

fn wrapping() -> WrappingKey {
    WrappingKey::from_bytes([7; 32])
}

/// Events of alice (0, 3, …) and bob (1, 4, …), and every third one of nobody.
fn event(n: u64) -> Event {
    let (name, subject) = match n % 3 {
        0 => ("alice", Some(ALICE)),
        1 => ("bob", Some(BOB)),
        _ => ("cron", None),
    };
    let mut event = Event::new(
        Actor::new("user", name).email(format!("{name}@example.com")),
        "profile.edit",
        Resource::new("profile", n.to_string()),
    )
    .ip("203.0.113.9")
    .reason(format!("secret reason {n}"));
    event.subject = subject.map(str::to_owned);
    event
}

/// A log of a directory, beside which its key store and its signing key are.
struct Place {
    dir: TempDir,
    algorithm: HashAlgorithm,
}

impl Place {
    fn new(algorithm: HashAlgorithm) -> Self {
        Place { dir: tempfile::tempdir().unwrap(), algorithm }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn options(&self) -> LogOptions {
        LogOptions::new()
            .origin(ORIGIN)
            .hash(self.algorithm)
            .segment_bytes(64 << 10)
            .housekeeping(Housekeeping::Inline)
    }

    fn create(&self, events: u64) -> Log {
        let store = KeyStore::create(&self.at("keys"), &wrapping()).unwrap();
        let log = self.options().key_store(store).create(self.at("audit")).unwrap();
        for n in 0..events {
            log.append(&event(n)).unwrap();
        }
        log
    }

    fn open(&self) -> Log {
        let store = KeyStore::open(&self.at("keys"), &wrapping()).unwrap();
        self.options().key_store(store).open(self.at("audit")).unwrap()
    }

    fn signer(&self) -> Signer {
        Signer::generate(&self.at("audit.key"), ORIGIN, self.algorithm).unwrap()
    }

    fn check_deeply(&self, store: Option<KeyStore>) {
        let mut options = VerifyOptions::new();
        if let Some(store) = store {
            options = options.key_store(store);
        }
        let report = verify(&self.at("audit"), &options, &mut |_| ()).unwrap();
        assert!(report.is_clean(), "{:?}", report.findings);
        assert!(report.records > 0);
    }

    fn reading_store(&self) -> KeyStore {
        KeyStore::open_read_only(&self.at("keys"), &wrapping()).unwrap()
    }
}

fn states(records: &[Record]) -> Vec<PayloadState> {
    records.iter().map(|record| record.payload).collect()
}

fn all(log: &Log) -> Vec<Record> {
    log.snapshot().records_from(Seq::new(0)).map(|record| record.unwrap()).collect()
}

/// The files of the log, with their bytes, but for LOCK.
fn all_files(place: &Place) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut files, mut dirs) = (Vec::new(), vec![place.at("audit")]);
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if !path.ends_with("LOCK") {
                files.push((path.clone(), std::fs::read(path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

fn on_disk(dir: &Path, needle: &[u8]) -> bool {
    std::fs::read_dir(dir.join("segments")).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(needle.len()).any(|part| part == needle)
    })
}

#[test]
fn what_was_encrypted_reads_as_it_was_given_with_the_keys_and_not_at_all_without() {
    let place = Place::new(HashAlgorithm::Sha256);
    let log = place.create(6);
    for record in all(&log) {
        let n = record.seq.get();
        let mut given = event(n);
        given.subject = None;
        (given.id, given.occurred_at) = (record.event.id, record.event.occurred_at);
        assert_eq!(record.event, given);
        let state = if n % 3 == 2 { PayloadState::Plain } else { PayloadState::Decrypted };
        assert_eq!(record.payload, state);
        assert!(!record.to_json().contains("\"payload\""), "{}", record.to_json());
    }
    log.close().unwrap();
    assert!(on_disk(&place.at("audit"), b"secret reason 2"));
    assert!(!on_disk(&place.at("audit"), b"secret reason 0"));
    assert!(!on_disk(&place.at("audit"), b"secret reason 1"));

    let without = place.options().without_events().open(place.at("audit")).unwrap();
    let records = all(&without);
    for record in &records[..2] {
        assert_eq!(record.payload, PayloadState::Sealed);
        assert_eq!((&record.event.ip, &record.event.actor.email), (&None, &None));
        assert!(record.to_json().ends_with(",\"payload\":\"sealed\"}"), "{}", record.to_json());
    }
    assert_eq!(records[2].payload, PayloadState::Plain);
    assert!(Event::from_json(&records[0].to_json()).is_err());
    drop(without);

    // Another store is as good as none.
    let other = KeyStore::create(&place.at("other"), &wrapping()).unwrap();
    let with_other = place.options().key_store(other).open_read_only(place.at("audit")).unwrap();
    let record = with_other.snapshot().get(Seq::new(0)).unwrap();
    assert_eq!(record.payload, PayloadState::Sealed);
}

#[test]
fn after_an_erasure_only_the_payloads_of_that_subject_are_gone() {
    for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Blake3] {
        let place = Place::new(algorithm);
        let log = place.create(300);
        log.rotate().unwrap();
        for n in 300..310 {
            log.append(&event(n)).unwrap();
        }
        let before = all(&log);
        let query = Query::new().actor("alice");
        let (count, size) = (log.snapshot().count(&query).unwrap(), log.size());

        let certificate =
            log.retention().erase(ALICE, &Attribution::by("dpo").because("request 17")).unwrap();
        assert_eq!((certificate.records, certificate.size), (104, size));
        let check = |log: &Log| {
            let after = all(log);
            for (old, new) in before.iter().zip(&after) {
                assert_eq!((old.seq, old.leaf_hash), (new.seq, new.leaf_hash));
                if old.seq.get() % 3 != 0 {
                    assert_eq!(old, new);
                    continue;
                }
                assert_eq!(new.payload, PayloadState::Erased);
                assert_eq!(new.event.actor.id, "alice");
                assert_eq!(new.event.id, old.event.id);
                assert_eq!((&new.event.ip, &new.event.reason), (&None, &None));
                assert!(new.to_json().ends_with(",\"payload\":\"erased\"}"));
            }
            assert_eq!(log.snapshot().count(&query).unwrap(), count);
            let found: Vec<Record> =
                log.snapshot().query(&query).unwrap().map(|r| r.unwrap()).collect();
            assert_eq!(found.len() as u64, count);
            assert!(states(&found).iter().all(|state| *state == PayloadState::Erased));
        };
        check(&log);
        let told = log.snapshot().catalog().history().unwrap();
        let told = told.iter().find(|entry| entry.what == "subject erased").unwrap();
        assert_eq!(told.seq, certificate.catalog_seq);
        assert_eq!((told.who.as_deref(), told.why.as_deref()), (Some("dpo"), Some("request 17")));
        assert!(told.detail.contains(&certificate.key_ids[0].to_string()), "{}", told.detail);
        assert!(!told.detail.contains("alice"));

        assert!(matches!(
            log.retention().erase(ALICE, &Attribution::default()),
            Err(Error::KeyStore { .. })
        ));
        // Somebody of that name again: other keys, other records.
        let again = log.append(&event(0)).unwrap().seq;
        assert_eq!(log.snapshot().get(again).unwrap().payload, PayloadState::Decrypted);
        assert_eq!(log.snapshot().get(Seq::new(0)).unwrap().payload, PayloadState::Erased);
        log.close().unwrap();
        drop(log);

        place.check_deeply(None);
        place.check_deeply(Some(place.reading_store()));
        let log = place.open();
        assert_eq!(log.snapshot().get(again).unwrap().payload, PayloadState::Decrypted);
        log.append(&event(1)).unwrap();
        assert_eq!(all(&log)[0].payload, PayloadState::Erased);
    }
}

#[test]
fn proofs_hold_before_and_after_an_erasure() {
    for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Blake3] {
        let place = Place::new(algorithm);
        let (log, signer) = (place.create(9), place.signer());
        let trust = Trust::in_keys([signer.verifying_key().clone()]);
        let checkpoint = log.checkpoint(&signer).unwrap().into_unverified();
        let seqs: Vec<Seq> = (0..9).map(Seq::new).collect();
        let prove =
            |log: &Log, disclosure| log.snapshot().prove(Seq::new(3), &checkpoint, disclosure);
        let verified = |proof: &TlogProof| {
            let read = TlogProof::parse(proof.to_text().as_bytes()).unwrap();
            let verified = read.verify_record(&trust).unwrap();
            (verified.disclosure(), verified.record().clone())
        };

        let whole = prove(&log, Disclosure::Whole).unwrap();
        let (disclosure, record) = verified(&whole);
        assert_eq!((disclosure, record.payload), (Disclosure::Whole, PayloadState::Decrypted));
        assert_eq!(record.event.reason.as_deref(), Some("secret reason 3"));
        let withheld = prove(&log, Disclosure::WithholdPayload).unwrap();
        let (disclosure, record) = verified(&withheld);
        assert_eq!(disclosure, Disclosure::WithholdPayload);
        assert_eq!((record.payload, record.event.reason), (PayloadState::Withheld, None));

        log.retention().erase(ALICE, &Attribution::default()).unwrap();
        // What was handed out before still shows what it showed.
        assert_eq!(verified(&whole).0, Disclosure::Whole);
        let erased = prove(&log, Disclosure::Whole).unwrap();
        assert_eq!(erased.extra, withheld.extra, "there is nothing else to show");
        assert_eq!(verified(&erased).0, Disclosure::WithholdPayload);
        let bundle = log.snapshot().prove_many(&seqs, &checkpoint, Disclosure::Whole).unwrap();
        let bundle = Bundle::parse(bundle.to_text().as_bytes()).unwrap().verify(&trust).unwrap();
        let shown: Vec<_> = bundle.records().map(|proved| proved.disclosure()).collect();
        for (n, shown) in shown.iter().enumerate() {
            let expected = if n % 3 == 0 { Disclosure::WithholdPayload } else { Disclosure::Whole };
            assert_eq!(*shown, expected, "record {n}");
        }

        // Without the store a payload that was not erased can be withheld, not shown.
        drop(log);
        let log = place.options().without_events().open(place.at("audit")).unwrap();
        let refused = log.snapshot().prove(Seq::new(1), &checkpoint, Disclosure::Whole);
        assert!(matches!(refused, Err(Error::PayloadSealed { seq }) if seq == Seq::new(1)));
        let withheld =
            log.snapshot().prove(Seq::new(1), &checkpoint, Disclosure::WithholdPayload).unwrap();
        assert_eq!(verified(&withheld).0, Disclosure::WithholdPayload);
    }
}

#[test]
fn no_form_of_a_proof_passes_for_another() {
    let place = Place::new(HashAlgorithm::Sha256);
    let (log, signer) = (place.create(3), place.signer());
    let trust = Trust::in_keys([signer.verifying_key().clone()]);
    let checkpoint = log.checkpoint(&signer).unwrap().into_unverified();
    for (seq, own) in [(0, [3, 4]), (2, [1, 2])] {
        for disclosure in [Disclosure::Whole, Disclosure::WithholdPayload] {
            let good = log.snapshot().prove(Seq::new(seq), &checkpoint, disclosure).unwrap();
            assert!(good.verify_record(&trust).is_ok());
            let bytes = good.extra.clone().unwrap();
            let form = bytes[16];
            assert!(own.contains(&form));
            for other in (0..6).filter(|other| *other != form) {
                let mut bytes = bytes.clone();
                bytes[16] = other;
                let bad = TlogProof { extra: Some(bytes), ..good.clone() };
                assert!(bad.verify_record(&trust).is_err(), "{form} as {other}");
            }
            for at in 0..bytes.len() {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1;
                let bad = TlogProof { extra: Some(bytes), ..good.clone() };
                assert!(bad.verify_record(&trust).is_err(), "byte {at}");
            }
        }
    }
}

/// Finishes the records of a segment anew after their payloads were swapped, as somebody
/// would who can write to the disk.
fn swap_payloads(path: &Path, one: usize, two: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    let header = SegmentHeader::decode(bytes.first_chunk().unwrap()).unwrap();
    let context =
        record::Context { log_id: header.log_id, nonce: header.nonce, algorithm: header.algorithm };
    let mut places = Vec::new();
    let mut at = usize::try_from(header.first_frame()).unwrap();
    while let Some(front) = bytes.get(at..).and_then(|rest| rest.first_chunk::<{ frame::LEN }>()) {
        let Ok(frame) = FrameHeader::decode(front, &header.nonce, at as u64) else { break };
        if frame.count > 0 {
            places.push((at + frame::LEN, frame.first.next_seq()));
        }
        at += usize::try_from(frame.frame_len()).unwrap();
    }
    let payload = |at: usize| {
        let raw = RawRecord::take(&bytes[at..]).unwrap();
        let record = raw.check(&context, places.iter().find(|p| p.0 == at).unwrap().1).unwrap();
        let len = record.stored_payload.len();
        let start = at + record.stored_len() - len;
        (start, record.stored_payload.to_vec())
    };
    let ((to_one, of_one), (to_two, of_two)) = (payload(places[one].0), payload(places[two].0));
    assert_eq!(of_one.len(), of_two.len());
    let heads: Vec<_> = [one, two]
        .iter()
        .map(|n| {
            let (at, seq) = places[*n];
            let raw = RawRecord::take(&bytes[at..]).unwrap();
            (at, raw.check(&context, seq).unwrap().head)
        })
        .collect();
    bytes[to_one..to_one + of_one.len()].copy_from_slice(&of_two);
    bytes[to_two..to_two + of_two.len()].copy_from_slice(&of_one);
    for (at, head) in heads {
        let envelope_len = usize::from(head.envelope_len);
        let (slot, rest) = bytes[at..].split_at_mut(PREFIX_LEN);
        let bodies = &rest[..envelope_len + of_one.len()];
        let stored = &bodies[envelope_len..];
        let digests =
            bulla::internals::format::encrypted::EncryptedPayload::split(stored).unwrap().digests();
        let len = u32::try_from(stored.len()).unwrap();
        let sealed = (record::body_crc(bodies), len, &digests);
        record::seal(&context, &head, sealed, slot, &bodies[..envelope_len]);
    }
    replace_file(&RealDisk, path, &bytes).unwrap();
}

#[test]
fn ciphertexts_that_were_swapped_between_records_are_found() {
    let place = Place::new(HashAlgorithm::Sha256);
    let log = place.create(0);
    for _ in 0..3 {
        log.append(&event(0)).unwrap(); // of the same subject and length
    }
    log.rotate().unwrap();
    log.close().unwrap();
    drop(log);
    swap_payloads(&place.at("audit/segments/00000001.seg"), 0, 2);
    for store in [None, Some(place.reading_store())] {
        let mut options = VerifyOptions::new().at_rest();
        if let Some(store) = store {
            options = options.key_store(store);
        }
        let report = verify(&place.at("audit"), &options, &mut |_| ()).unwrap();
        assert!(!report.is_clean());
    }
    let log = place.open();
    for seq in [0, 2] {
        let read = log.snapshot().get(Seq::new(seq));
        assert!(matches!(read, Err(Error::Tampered { .. })), "{read:?}");
    }
    assert_eq!(log.snapshot().get(Seq::new(1)).unwrap().payload, PayloadState::Decrypted);
}

#[test]
fn a_key_that_comes_back_with_an_old_copy_of_the_store_opens_nothing() {
    let place = Place::new(HashAlgorithm::Sha256);
    let log = place.create(3);
    let old = std::fs::read(place.at("keys")).unwrap();
    log.retention().erase(ALICE, &Attribution::default()).unwrap();
    log.close().unwrap();
    drop(log);
    std::fs::write(place.at("keys"), &old).unwrap();
    let reader =
        place.options().key_store(place.reading_store()).open_read_only(place.at("audit")).unwrap();
    assert!(reader.snapshot().get(Seq::new(0)).unwrap().payload == PayloadState::Erased);
    assert!(reader.snapshot().get(Seq::new(1)).unwrap().payload == PayloadState::Decrypted);

    let log = place.open();
    assert_eq!(log.snapshot().get(Seq::new(0)).unwrap().payload, PayloadState::Erased);
    let subjects = || place.reading_store().subjects().len();
    assert_eq!(subjects(), 1, "opening the log destroyed it again");
    let again = log.append(&event(0)).unwrap().seq;
    assert_eq!(log.snapshot().get(again).unwrap().payload, PayloadState::Decrypted);
    assert_eq!(subjects(), 2);
}

#[test]
fn a_reader_in_another_process_learns_of_an_erasure() {
    let place = Place::new(HashAlgorithm::Sha256);
    let log = place.create(3);
    let options = place.options().key_store(place.reading_store());
    let reader = options.open_read_only(place.at("audit")).unwrap();
    assert_eq!(reader.snapshot().get(Seq::new(0)).unwrap().payload, PayloadState::Decrypted);
    let blind = place.options().open_read_only(place.at("audit")).unwrap();
    assert_eq!(blind.snapshot().get(Seq::new(0)).unwrap().payload, PayloadState::Sealed);
    log.retention().erase(ALICE, &Attribution::default()).unwrap();
    for reader in [reader, blind] {
        reader.refresh().unwrap();
        assert_eq!(reader.snapshot().get(Seq::new(0)).unwrap().payload, PayloadState::Erased);
    }
}

#[test]
fn nothing_is_stored_in_plain_because_a_key_store_was_forgotten() {
    let place = Place::new(HashAlgorithm::Sha256);
    let log = place.options().create(place.at("audit")).unwrap();
    let refused = log.append(&event(0)).unwrap_err();
    assert!(matches!(refused, Error::InvalidOption { name: "key_store", .. }), "{refused}");
    log.append(&event(2)).unwrap();
    assert!(matches!(
        log.retention().erase(ALICE, &Attribution::default()),
        Err(Error::InvalidOption { .. })
    ));
    drop(log);
    for options in [
        place.options().subject_rule(SubjectRule::Actor),
        place.options().alias_actors(true),
        place.options().alias_resources(["user"]),
    ] {
        assert!(matches!(options.open(place.at("audit")), Err(Error::InvalidOption { .. })));
    }
}

#[test]
fn the_actor_is_the_subject_if_the_log_says_so_and_invalid_events_leave_no_keys() {
    let place = Place::new(HashAlgorithm::Sha256);
    let store = KeyStore::create(&place.at("keys"), &wrapping()).unwrap();
    let options = place.options().key_store(store.clone()).subject_rule(SubjectRule::Actor);
    let log = options.create(place.at("audit")).unwrap();
    let names =
        || -> Vec<String> { store.subjects().into_iter().map(|stored| stored.subject).collect() };
    let invalid = Event::new(Actor::new("user", "eve"), "bulla.x", Resource::kind_only("r"));
    assert!(matches!(log.append(&invalid), Err(Error::Invalid(_))));
    assert!(log.append_batch(&[event(2), invalid.clone()]).is_err());
    assert!(!names().contains(&"user:eve".to_owned()));
    let mut nameless = event(2);
    nameless.subject = Some("line\nfeed".to_owned());
    assert!(matches!(log.append(&nameless), Err(Error::Invalid(_))));

    let events: Vec<Event> = (0..6).map(event).collect();
    log.append_batch(&events).unwrap();
    log.enqueue(&event(2)).unwrap().wait().unwrap();
    assert!(states(&all(&log)).iter().all(|state| *state == PayloadState::Decrypted));
    assert_eq!(names(), [ALICE, BOB, "user:cron"]);
    assert_eq!(log.retention().erase("user:cron", &Attribution::default()).unwrap().records, 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_mix_of_subjects_reads_back_and_erases_exactly_itself(
        given in prop::collection::vec((0..4_u8, "[ -~]{0,40}"), 1..24),
        gone in 0..3_u8,
    ) {
        let place = Place::new(HashAlgorithm::Sha256);
        let log = place.create(0);
        let events: Vec<Event> = given
            .iter()
            .map(|(who, text)| {
                let actor = Actor::new("user", "x");
                let event = Event::new(actor, "a.b", Resource::kind_only("r")).reason(text.clone());
                // Nobody's, or one of three subjects'.
                if *who == 3 { event } else { event.subject(format!("s{who}")) }
            })
            .collect();
        log.append_batch(&events).unwrap();
        let erased = log.retention().erase(&format!("s{gone}"), &Attribution::default());
        let expected = given.iter().filter(|(who, _)| *who == gone).count() as u64;
        match erased {
            Ok(certificate) => prop_assert_eq!(certificate.records, expected),
            Err(_) => prop_assert_eq!(expected, 0),
        }
        for (record, (who, text)) in all(&log).into_iter().zip(&given) {
            let shown = (*who != gone).then(|| text.clone());
            prop_assert_eq!(record.event.reason, shown);
            prop_assert_eq!(record.payload.is_shown(), *who != gone);
        }
        drop(log);
        place.check_deeply(Some(place.reading_store()));
    }
}
