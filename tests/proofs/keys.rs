//! Keys of a log over time: rotation, recovery, revocation, retirement, and what somebody
//! who takes the machine can and cannot sign.

#![allow(clippy::unwrap_used)] // a failure of this program is a failed test

mod early_versions;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use bulla::checkpoint::{Checkpoint, NoteSigner, SignError, SigningKey, UnverifiedCheckpoint};
use bulla::keys::{ChangeKind, KeyChain};
use bulla::{
    Actor, Disclosure, Error, Event, Hash, HashAlgorithm, Log, LogOptions, Resource, Signer,
    TreeHead, TreeSize, Trust, VerifyingKey, generate_recovery_key, load_recovery_key,
};

const ORIGIN: &str = "example.com/audit";
const ALGORITHMS: [HashAlgorithm; 2] = [HashAlgorithm::Sha256, HashAlgorithm::Blake3];

struct Place {
    dir: tempfile::TempDir,
    algorithm: HashAlgorithm,
}

impl Place {
    fn new(algorithm: HashAlgorithm) -> Self {
        let place = Place { dir: tempfile::tempdir().unwrap(), algorithm };
        LogOptions::new().origin(ORIGIN).hash(algorithm).create(place.log()).unwrap();
        place
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn open(&self) -> Log {
        Log::open(self.log()).unwrap()
    }

    fn key(&self, name: &str) -> Signer {
        Signer::generate(&self.path(name), ORIGIN, self.algorithm).unwrap()
    }

    fn backup(&self, name: &str) -> PathBuf {
        let to = self.path(name);
        copy(&self.log(), &to);
        to
    }

    fn restore(&self, name: &str) {
        fs::remove_dir_all(self.log()).unwrap();
        copy(&self.path(name), &self.log());
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

fn fill(log: &Log, count: usize) {
    for n in 0..count {
        let resource = Resource::new("invoice", n.to_string());
        log.append(&Event::new(Actor::new("user", "alice"), "invoice.read", resource)).unwrap();
    }
}

fn trust(key: &VerifyingKey, chain: &KeyChain) -> Trust {
    Trust::in_keys([key.clone()]).with_key_chain(chain).unwrap()
}

#[test]
fn a_rotated_key_is_followed_from_the_pinned_one() {
    for algorithm in ALGORITHMS {
        let place = Place::new(algorithm);
        let log = place.open();
        let (one, two) = (place.key("one"), place.key("two"));
        let pinned = one.verifying_key().clone();
        fill(&log, 5);
        let before = log.checkpoint(&one).unwrap().into_unverified();
        fill(&log, 5);
        let chain = log.keys().rotate(&one, &two).unwrap();
        assert_eq!(chain, log.snapshot().catalog().key_chain().unwrap());
        assert_eq!(chain, KeyChain::parse(chain.to_text().as_bytes()).unwrap());
        fill(&log, 5);
        let after = log.checkpoint(&two).unwrap().into_unverified();

        let alone = Trust::in_keys([pinned.clone()]);
        assert!(alone.verify(&before).is_ok());
        assert!(alone.verify(&after).is_err());
        let learned = trust(&pinned, &chain);
        for checkpoint in [&before, &after] {
            assert!(learned.verify(checkpoint).is_ok());
            let proof =
                log.snapshot().prove(bulla::Seq::new(2), checkpoint, Disclosure::Whole).unwrap();
            assert!(proof.verify_record(&learned).is_ok());
        }
        // The old key signs nothing more for this log.
        assert!(matches!(log.checkpoint(&one), Err(Error::Key { .. })));
        drop(log);
        // The reader and the reopened log know the chain; it is part of the state.
        assert_eq!(
            Log::open_read_only(place.log()).unwrap().snapshot().catalog().key_chain().unwrap(),
            chain
        );
        let log = place.open();
        assert_eq!(log.snapshot().catalog().key_chain().unwrap(), chain);
        assert!(matches!(log.checkpoint(&one), Err(Error::Key { .. })));
        log.checkpoint(&two).unwrap();
        log.close().unwrap();
        let report =
            bulla::verify(&place.log(), &bulla::VerifyOptions::new(), &mut |_| ()).unwrap();
        assert!(report.is_clean(), "{report:?}");
    }
}

#[test]
fn a_key_that_hands_over_is_erased_and_its_file_is_gone() {
    let place = Place::new(HashAlgorithm::Sha256);
    let log = place.open();
    let (one, two) = (place.key("one"), place.key("two"));
    log.checkpoint(&one).unwrap();
    // Not before it has a successor.
    assert!(matches!(one.erase(), Err(Error::Key { .. })));
    let one = Signer::load(&place.path("one")).unwrap();
    let hard_link = place.path("link");
    fs::hard_link(place.path("one"), &hard_link).unwrap();
    log.keys().rotate(&one, &two).unwrap();
    one.erase().unwrap();
    assert!(!place.path("one").exists());
    let left = fs::read(hard_link).unwrap();
    assert!(left.iter().all(|&byte| byte == 0), "the bytes were overwritten, not only unlinked");
}

#[test]
fn who_takes_the_machine_today_cannot_sign_yesterdays_heads() {
    for algorithm in ALGORITHMS {
        let place = Place::new(algorithm);
        let log = place.open();
        let (one, two) = (place.key("one"), place.key("two"));
        let pinned = one.verifying_key().clone();
        fill(&log, 10);
        let honest = log.checkpoint(&one).unwrap().head();
        let chain = log.keys().rotate(&one, &two).unwrap();
        one.erase().unwrap();
        // The thief has the current key, and another history of the first ten records.
        let secret = fs::read_to_string(place.path("two")).unwrap();
        let stolen = SigningKey::from_secret_text(secret.trim()).unwrap();
        let forged = TreeHead { size: honest.size, root: Hash::from_bytes([0xbb; 32]) };
        let forged = Checkpoint::new(ORIGIN, forged).unwrap().sign(&stolen).unwrap();
        let learned = trust(&pinned, &chain);
        let refused = learned.verify(&forged.into_unverified());
        assert!(matches!(refused, Err(bulla::trust::TrustError::OutsideEpoch(_))), "{refused:?}");
        // What stays exposed: the epoch of the key that was taken.
        let later = TreeHead { size: TreeSize::new(1_000), root: Hash::from_bytes([0xbb; 32]) };
        let later = Checkpoint::new(ORIGIN, later).unwrap().sign(&stolen).unwrap();
        assert!(learned.verify(&later.into_unverified()).is_ok());
    }
}

#[test]
fn a_rotation_that_was_interrupted_is_finished_with_the_same_successor_only() {
    for algorithm in ALGORITHMS {
        let place = Place::new(algorithm);
        let (one, two, other) = (place.key("one"), place.key("two"), place.key("other"));
        let log = place.open();
        fill(&log, 5);
        log.checkpoint(&one).unwrap();
        drop(log);
        place.backup("before");
        let chain = place.open().keys().rotate(&one, &two).unwrap();
        let handover = fs::read(place.path("one.handover")).unwrap();
        assert!(chain.to_text().as_bytes().ends_with(&handover));
        // As if the machine had stopped before the statement reached the catalog.
        place.restore("before");
        let log = place.open();
        assert!(log.snapshot().catalog().key_chain().unwrap().is_empty());
        assert!(matches!(log.checkpoint(&one), Err(Error::Key { .. })), "it has handed over");
        assert!(matches!(log.keys().rotate(&one, &other), Err(Error::Key { .. })));
        assert_eq!(log.keys().rotate(&one, &two).unwrap(), chain, "no second statement");
        log.checkpoint(&two).unwrap();
    }
}

#[test]
fn a_handover_whose_head_is_lost_is_not_finished() {
    let place = Place::new(HashAlgorithm::Sha256);
    let (one, two) = (place.key("one"), place.key("two"));
    let log = place.open();
    fill(&log, 5);
    log.checkpoint(&one).unwrap();
    drop(log);
    place.backup("before");
    let log = place.open();
    fill(&log, 1);
    log.keys().rotate(&one, &two).unwrap();
    drop(log);
    place.restore("before");
    let refused = place.open().keys().rotate(&one, &two);
    assert!(matches!(refused, Err(Error::WouldFork { .. })), "{refused:?}");
}

#[test]
fn the_same_rotation_again_is_no_second_one() {
    let place = Place::new(HashAlgorithm::Blake3);
    let (one, two, three) = (place.key("one"), place.key("two"), place.key("three"));
    let log = place.open();
    let chain = log.keys().rotate(&one, &two).unwrap();
    assert_eq!(log.keys().rotate(&one, &two).unwrap(), chain);
    assert!(matches!(log.keys().rotate(&one, &three), Err(Error::Key { .. })));
    assert_eq!(log.keys().rotate(&two, &three).unwrap().dangerously_unverified().len(), 2);
}

#[test]
fn a_key_that_nobody_handed_over_to_is_refused() {
    let place = Place::new(HashAlgorithm::Sha256);
    let (one, stranger) = (place.key("one"), place.key("stranger"));
    let log = place.open();
    log.checkpoint(&one).unwrap();
    let refused = log.checkpoint(&stranger);
    assert!(matches!(refused, Err(Error::Key { .. })), "{refused:?}");
    let refused = log.keys().rotate(&stranger, &one);
    assert!(matches!(refused, Err(Error::Key { .. })), "{refused:?}");
    assert!(log.snapshot().catalog().key_chain().unwrap().is_empty());
}

#[test]
fn the_recovery_key_ends_a_stolen_key() {
    for algorithm in ALGORITHMS {
        let place = Place::new(algorithm);
        let (one, two, three) = (place.key("one"), place.key("two"), place.key("three"));
        let pinned = one.verifying_key().clone();
        let log = place.open();
        fill(&log, 5);
        log.checkpoint(&one).unwrap();
        let recovery = generate_recovery_key(&place.path("recovery"), ORIGIN).unwrap();
        assert!(matches!(log.keys().revoke(&pinned, &recovery, &two), Err(Error::Key { .. })));
        log.keys().set_recovery(&one, &recovery, None).unwrap();
        fill(&log, 5);
        log.checkpoint(&one).unwrap();
        // A thief with the machine hands over to a key of their own, and signs.
        log.keys().rotate(&one, &two).unwrap();
        fill(&log, 5);
        let by_thief = log.checkpoint(&two).unwrap().into_unverified();
        let stolen = trust(&pinned, &log.snapshot().catalog().key_chain().unwrap());
        assert!(stolen.verify(&by_thief).is_ok());
        let recovery = load_recovery_key(&place.path("recovery")).unwrap();
        let chain = log.keys().revoke(&pinned, &recovery, &three).unwrap();
        let learned = stolen.with_key_chain(&chain).unwrap();
        assert!(learned.verify(&by_thief).is_err());
        let own = log.checkpoint(&three).unwrap().into_unverified();
        assert!(learned.verify(&own).is_ok());
        assert!(matches!(log.checkpoint(&two), Err(Error::Key { .. })));
        let ended = learned.epochs().unwrap().epochs()[0].ended().unwrap();
        assert_eq!(ended.how, ChangeKind::Revoke);
    }
}

#[test]
fn a_restored_backup_signs_nothing_until_its_origin_is_retired() {
    for algorithm in ALGORITHMS {
        let place = Place::new(algorithm);
        let one = place.key("one");
        let pinned = one.verifying_key().clone();
        let log = place.open();
        fill(&log, 5);
        log.checkpoint(&one).unwrap();
        drop(log);
        place.backup("old");
        let log = place.open();
        fill(&log, 5);
        let abandoned = log.checkpoint(&one).unwrap();
        drop(log);
        place.restore("old");
        let log = place.open();
        fill(&log, 20);
        let error = log.checkpoint(&one).unwrap_err();
        assert!(matches!(error, Error::WouldFork { .. }), "{error}");
        let said = error.to_string();
        assert!(said.contains("retire the origin"), "{said}");
        assert!(said.contains(&abandoned.head().root.to_string()), "{said}");

        let successor = "example.com/audit-2";
        let next = Signer::generate(&place.path("next"), successor, algorithm).unwrap();
        let chain = log.keys().retire_origin(&one, &next).unwrap();
        let log = place.open();
        assert_eq!(log.origin(), successor);
        let new = log.checkpoint(&next).unwrap().into_unverified();
        assert_eq!(new.dangerously_unverified().origin(), successor);
        assert!(matches!(log.checkpoint(&one), Err(Error::Key { .. })));
        // Who pinned the old key learns what became of it.
        let learned = trust(&pinned, &chain);
        assert!(learned.verify(&abandoned.clone().into_unverified()).is_ok());
        assert!(learned.verify(&new).is_ok());
        assert_eq!(chain.last().unwrap().main, abandoned.head());
        log.close().unwrap();
        let report =
            bulla::verify(&place.log(), &bulla::VerifyOptions::new(), &mut |_| ()).unwrap();
        assert!(report.is_clean(), "{report:?}");
    }
}

#[test]
fn two_copies_of_one_log_with_one_key_do_not_both_hand_over() {
    let place = Place::new(HashAlgorithm::Sha256);
    let (one, two, three) = (place.key("one"), place.key("two"), place.key("three"));
    {
        let log = place.open();
        fill(&log, 5);
        log.checkpoint(&one).unwrap();
    }
    place.backup("copy");
    let first = place.open().keys().rotate(&one, &two).unwrap();
    let copied = Log::open(place.path("copy")).unwrap();
    assert!(matches!(copied.keys().rotate(&one, &three), Err(Error::Key { .. })));
    // A thief who copied the key without its memory can; the two statements convict them.
    fs::copy(place.path("one"), place.path("thief")).unwrap();
    fs::copy(place.path("copy").join("../one.heads"), place.path("unused")).unwrap();
    fs::write(place.path("thief.heads"), {
        let head = copied.snapshot().head().unwrap();
        format!("{} {}\n", head.size, head.root)
    })
    .unwrap();
    let thief = Signer::load(&place.path("thief")).unwrap();
    let second = copied.keys().rotate(&thief, &three).unwrap();
    let evidence = first.conflict_with(&second).unwrap();
    assert_eq!(&evidence.key, one.verifying_key());
    let learned = trust(one.verifying_key(), &first);
    assert!(learned.with_key_chain(&second).is_err());
}

#[test]
fn only_heads_of_the_log_are_signed_and_the_memory_beside_the_key_has_one_line() {
    for algorithm in ALGORITHMS {
        let place = Place::new(algorithm);
        let (one, two) = (place.key("one"), place.key("two"));
        let log = place.open();
        for _ in 0..3 {
            fill(&log, 3);
            log.checkpoint(&one).unwrap();
        }
        fill(&log, 3);
        log.keys().rotate(&one, &two).unwrap();
        let published = fs::read_dir(place.log().join("checkpoints")).unwrap().count();
        assert_eq!(published, 4);
        for key in ["one", "two"] {
            let heads = fs::read_to_string(place.path(key).with_extension("heads")).unwrap();
            assert_eq!(heads.lines().count(), 1, "{heads}");
        }
    }
}

/// A key of a BLAKE3 log whose secret is known.
fn blake3_signer(place: &Place, name: &str) -> Signer {
    let kind = bulla::checkpoint::SignatureKind::Ed25519Blake3Head;
    let key = SigningKey::new(ORIGIN, kind, &[7; 32]).unwrap();
    let path = place.path(name);
    fs::write(&path, key.to_secret_text().as_bytes()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    Signer::load(&path).unwrap()
}

/// Signs as a caller's own device does.
struct Device {
    key: SigningKey,
    broken: bool,
}

impl NoteSigner for Device {
    fn verifying_key(&self) -> &VerifyingKey {
        self.key.verifying_key()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        let mut signature = self.key.sign(message)?;
        if self.broken {
            signature[0] ^= 1;
        }
        Ok(signature)
    }
}

#[test]
fn a_callers_own_signer_signs_and_a_broken_one_publishes_nothing() {
    for algorithm in ALGORITHMS {
        let place = Place::new(algorithm);
        let log = place.open();
        let kind = bulla::checkpoint::SignatureKind::for_heads_of(algorithm);
        let device = |broken| {
            let key = SigningKey::new(ORIGIN, kind, &[7; 32]).unwrap();
            Box::new(Device { key, broken })
        };
        fill(&log, 3);
        let broken = Signer::external(device(true), &place.path("memory")).unwrap();
        assert!(log.checkpoint(&broken).is_err());
        assert!(log.checkpoints().latest().unwrap().is_none());
        let good = Signer::external(device(false), &place.path("memory")).unwrap();
        let signed = log.checkpoint(&good).unwrap();
        let key = good.verifying_key().clone();
        assert!(Trust::in_keys([key]).verify(&signed.into_unverified()).is_ok());
        // Two processes share its memory: so it never signs two histories.
        let memory = fs::metadata(place.path("memory")).unwrap();
        assert_eq!(memory.permissions().mode() & 0o077, 0);
        let chain = log.keys().rotate(&good, &place.key("file")).unwrap();
        assert_eq!(chain.dangerously_unverified().len(), 1);
    }
}

#[test]
fn keys_that_others_can_read_are_refused_and_no_secret_is_shown() {
    let place = Place::new(HashAlgorithm::Sha256);
    let signer = place.key("one");
    let recovery = generate_recovery_key(&place.path("recovery"), ORIGIN).unwrap();
    for name in ["one", "recovery"] {
        let path = place.path(name);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        let secret = fs::read_to_string(&path).unwrap();
        let secret = secret.trim().splitn(5, '+').last().unwrap().to_owned();
        assert!(secret.len() > 40, "base64 of the whole key: it may itself contain a plus sign");
        for shown in [format!("{signer:?}"), format!("{recovery:?}")] {
            assert!(!shown.contains(&secret));
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = match name {
            "one" => Signer::load(&path).unwrap_err(),
            _ => load_recovery_key(&path).unwrap_err(),
        };
        assert!(refused.to_string().contains("chmod 600"), "{refused}");
        assert!(!refused.to_string().contains(&secret));
    }
}

#[test]
fn heads_of_old_keys_stay_good_and_those_beyond_their_epoch_do_not() {
    let place = Place::new(HashAlgorithm::Sha256);
    let log = place.open();
    let mut signers = vec![place.key("0")];
    let pinned = signers[0].verifying_key().clone();
    let mut published: Vec<UnverifiedCheckpoint> = Vec::new();
    for n in 1..5 {
        fill(&log, 2);
        let current = signers.last().unwrap();
        published.push(log.checkpoint(current).unwrap().into_unverified());
        let next = place.key(&n.to_string());
        log.keys().rotate(current, &next).unwrap();
        signers.push(next);
    }
    let learned = trust(&pinned, &log.snapshot().catalog().key_chain().unwrap());
    for checkpoint in &published {
        assert!(learned.verify(checkpoint).is_ok());
    }
    // The first key, restored from a backup of the machine, signs a later head.
    let secret = fs::read_to_string(place.path("0")).unwrap();
    let old = SigningKey::from_secret_text(secret.trim()).unwrap();
    let head = log.snapshot().head().unwrap();
    let late = Checkpoint::new(ORIGIN, head).unwrap().sign(&old).unwrap().into_unverified();
    assert!(learned.verify(&late).is_err());
}

#[test]
fn a_change_of_keys_that_makes_no_sense_is_refused_at_once() {
    let place = Place::new(HashAlgorithm::Sha256);
    let (one, two, three) = (place.key("one"), place.key("two"), place.key("three"));
    let log = place.open();
    log.checkpoint(&one).unwrap();
    // The same key twice does not wait for its own lock.
    let again = Signer::load(&place.path("one")).unwrap();
    assert!(matches!(log.keys().rotate(&one, &again), Err(Error::Key { .. })));
    let recovery = generate_recovery_key(&place.path("recovery"), ORIGIN).unwrap();
    log.keys().set_recovery(&one, &recovery, None).unwrap();
    let revoked = one.verifying_key().clone();
    let chain = log.keys().revoke(&revoked, &recovery, &two).unwrap();
    // The same again is no second revocation, and another one would void a lawful key.
    assert_eq!(log.keys().revoke(&revoked, &recovery, &two).unwrap(), chain);
    assert!(matches!(log.keys().revoke(&revoked, &recovery, &three), Err(Error::Key { .. })));
    log.checkpoint(&two).unwrap();
    // A log that holds what its key signed has nothing to retire.
    let next = Signer::generate(&place.path("next"), "other.example", place.algorithm).unwrap();
    let refused = log.keys().retire_origin(&two, &next).unwrap_err();
    assert!(refused.to_string().contains("nothing is to be retired"), "{refused}");
}

#[test]
fn a_key_that_has_signed_more_than_a_restored_copy_holds_takes_nothing_over() {
    for erase in [false, true] {
        let place = Place::new(HashAlgorithm::Sha256);
        let (one, two) = (place.key("one"), place.key("two"));
        let recovery = generate_recovery_key(&place.path("recovery"), ORIGIN).unwrap();
        let revoked = one.verifying_key().clone();
        let log = place.open();
        log.keys().set_recovery(&one, &recovery, None).unwrap();
        fill(&log, 2);
        log.checkpoint(&one).unwrap();
        drop(log);
        place.backup("old");
        let log = place.open();
        log.keys().rotate(&one, &two).unwrap();
        fill(&log, 10);
        let signed = log.checkpoint(&two).unwrap();
        drop(log);
        place.restore("old");
        let log = place.open();
        let heads = fs::read(place.path("two.heads")).unwrap();
        let refused = match erase {
            false => log.keys().rotate(&one, &two),
            true => log.keys().revoke(&revoked, &recovery, &two),
        };
        assert!(matches!(refused, Err(Error::WouldFork { .. })), "{refused:?}");
        assert_eq!(fs::read(place.path("two.heads")).unwrap(), heads, "nothing is forgotten");
        fill(&log, 20);
        assert!(log.checkpoint(&two).is_err());
        assert!(signed.head().size < log.size());
    }
}

#[test]
fn a_pending_handover_is_not_overtaken_by_another_statement() {
    let place = Place::new(HashAlgorithm::Sha256);
    let (one, two) = (place.key("one"), place.key("two"));
    let recovery = generate_recovery_key(&place.path("recovery"), ORIGIN).unwrap();
    let log = place.open();
    fill(&log, 2);
    log.checkpoint(&one).unwrap();
    drop(log);
    place.backup("old");
    let chain = place.open().keys().rotate(&one, &two).unwrap();
    place.restore("old");
    let log = place.open();
    let refused = log.keys().set_recovery(&one, &recovery, None);
    assert!(matches!(refused, Err(Error::Key { .. })), "{refused:?}");
    assert_eq!(log.keys().rotate(&one, &two).unwrap(), chain);
}

#[test]
fn the_key_of_a_retired_origin_is_not_revoked_into_a_dead_end() {
    let place = Place::new(HashAlgorithm::Sha256);
    let (one, three) = (place.key("one"), place.key("three"));
    let recovery = generate_recovery_key(&place.path("recovery"), ORIGIN).unwrap();
    let log = place.open();
    log.keys().set_recovery(&one, &recovery, None).unwrap();
    log.checkpoint(&one).unwrap();
    drop(log);
    place.backup("old");
    let log = place.open();
    fill(&log, 5);
    log.checkpoint(&one).unwrap();
    drop(log);
    place.restore("old");
    let next = Signer::generate(&place.path("next"), "next.example", place.algorithm).unwrap();
    place.open().keys().retire_origin(&one, &next).unwrap();
    let log = place.open();
    let refused = log.keys().revoke(one.verifying_key(), &recovery, &three);
    assert!(matches!(refused, Err(Error::Key { .. })), "{refused:?}");
    log.checkpoint(&next).unwrap();
}
