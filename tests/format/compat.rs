//! Logs that an earlier version wrote are read, proved and continued by this one.
//!
//! `tests/golden/v1/` and `v2/` hold them; `tests/golden/README.md` says what is in there and
//! how a new version is added. What is there is never written again.

#![allow(clippy::unwrap_used)] // a failure of this program is a failed test

mod index_files;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bulla::Trust;
use bulla::checkpoint::{SignatureKind, SigningKey, VerifyingKey};
use bulla::event::limits;
use bulla::internals::format::layout::{segment_footer, segment_header, trailing_crc};
use bulla::proof::{Disclosure, TlogProof};
use bulla::time::ManualClock;
use bulla::{
    Actor, Error, Event, EventId, HashAlgorithm, Housekeeping, Json, Log, LogOptions, Outcome,
    Query, Resource, Seq, Signer, SpanId, Target, Timestamp, TraceId, UnverifiedCheckpoint,
    VerifyOptions, verify,
};

const ALGORITHMS: [HashAlgorithm; 2] = [HashAlgorithm::Sha256, HashAlgorithm::Blake3];
/// The golden logs: of each version one for each hash.
const GOLDEN: [Golden; 4] = [
    Golden { version: "v1", algorithm: HashAlgorithm::Sha256 },
    Golden { version: "v1", algorithm: HashAlgorithm::Blake3 },
    Golden { version: "v2", algorithm: HashAlgorithm::Sha256 },
    Golden { version: "v2", algorithm: HashAlgorithm::Blake3 },
];
const ORIGIN: &str = "example.com/golden";
/// The proved record: the one with hostile strings.
const PROVED: Seq = Seq::new(2);

/// A golden log.
#[derive(Clone, Copy, PartialEq)]
struct Golden {
    version: &'static str,
    algorithm: HashAlgorithm,
}

/// Where the golden files of a log are: checked in, or written just now because
/// `BULLA_WRITE_GOLDEN` names a directory, which then stands for all versions.
fn golden(Golden { version, algorithm }: Golden) -> PathBuf {
    static WRITTEN: std::sync::Once = std::sync::Once::new();
    let root = match std::env::var_os("BULLA_WRITE_GOLDEN") {
        Some(root) => {
            let root = PathBuf::from(root);
            WRITTEN.call_once(|| ALGORITHMS.iter().for_each(|of| generate(&root, *of)));
            root
        }
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(version),
    };
    root.join(algorithm.name())
}

/// A copy of the golden files to work on.
struct Copy {
    dir: tempfile::TempDir,
    algorithm: HashAlgorithm,
}

impl Copy {
    fn of(of: Golden) -> Self {
        let (dir, algorithm) = (tempfile::tempdir().unwrap(), of.algorithm);
        for (name, bytes) in files(&golden(of)) {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        make_private(&dir.path().join("test-only.key"));
        Copy { dir, algorithm }
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap()
    }

    fn vkey(&self) -> VerifyingKey {
        self.text("vkey").trim().parse().unwrap()
    }

    fn trust(&self) -> Trust {
        Trust::in_keys([self.vkey()])
    }

    fn signer(&self) -> Signer {
        Signer::load(&self.dir.path().join("test-only.key")).unwrap()
    }

    fn proof(&self, name: &str) -> TlogProof {
        let name = format!("{name}.{}", TlogProof::file_extension(self.algorithm));
        TlogProof::parse(self.text(&name).as_bytes()).unwrap()
    }

    fn expected(&self) -> Vec<String> {
        self.text("expected.jsonl").lines().map(str::to_owned).collect()
    }

    fn checkpoints(&self) -> Vec<UnverifiedCheckpoint> {
        let published = files(&self.log().join("checkpoints")).into_values();
        published.map(|bytes| UnverifiedCheckpoint::parse(&bytes).unwrap()).collect()
    }

    /// A time a while after the golden files were written.
    fn later(&self) -> Arc<ManualClock> {
        let clock = ManualClock::at(start());
        clock.advance(Duration::from_secs(100 * 24 * 3600));
        Arc::new(clock)
    }

    fn open(&self) -> Result<Log, Error> {
        inline(self.later()).open(self.log())
    }
}

/// All files below a directory, by their paths from there.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut left) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(dir) = left.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_owned();
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn make_private(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = path;
}

fn start() -> Timestamp {
    "2026-01-02T03:04:05.000000006Z".parse().unwrap()
}

fn inline(clock: Arc<ManualClock>) -> LogOptions {
    Log::options().housekeeping(Housekeeping::Inline).clock(clock)
}

#[allow(clippy::big_endian_bytes)] // UUIDs are written in network order
fn plain_event(n: u64) -> Event {
    let actor = Actor::new("user", format!("user-{}", n % 3));
    Event::new(actor, "invoice.read", Resource::new("invoice", n.to_string()))
        .id(EventId(u128::from(n).to_be_bytes()))
        .occurred_at(start())
}

fn full_event() -> Event {
    let actor = Actor::new("user", "alice").email("alice@example.com").role("clerk");
    Event::new(actor, "invoice.pay", Resource::new("invoice", "2026-17"))
        .id(EventId([0x11; 16]))
        .occurred_at(start())
        .tenant("acme")
        .outcome(Outcome::Partial)
        .reason("déjà payé\n\tin two lines")
        .source("api")
        .ip("2001:db8::1")
        .user_agent("curl/8.5.0\twith a tab")
        .session_id("s-1")
        .request_id("req-1")
        .correlation_id("corr-1")
        .duration_ms(70_000)
        .changed_fields(["paid", "paid_at"])
        .old_values(serde_json::json!({"paid": false}))
        .new_values(serde_json::json!({"paid": true}))
        .tag("region", "eu")
        .tag("k", "v")
        .details_json(r#"{"n": 1.0,  "big": 123456789012345678901234567890, "n": 1e400}"#)
        .unwrap()
}

/// Valid, and made to trip whoever is careless with text, lengths or numbers.
fn hostile_event() -> Event {
    let actor = Actor::new("\u{202e}resu", "x".repeat(limits::ID_LEN_MAX)).email("a,\"b\"@c\\");
    let resource = Resource::new("'; DROP TABLE audit; --", "../../etc/passwd%00");
    let nested = "[".repeat(limits::JSON_DEPTH_MAX) + &"]".repeat(limits::JSON_DEPTH_MAX);
    Event::new(actor, "<script>alert(1)</script>", resource)
        .id(EventId([0xff; 16]))
        .occurred_at(limits::OCCURRED_AT_MIN)
        .tenant("\u{feff}t".repeat(62) + "abc") // 251 bytes: the first length of three bytes
        .outcome(Outcome::Failure)
        .reason("\u{2028}\u{200b}\u{1f469}\u{200d}\u{1f680} BULLASEG BFRM {\"seq\":0}")
        .request_id("")
        .duration_ms(u64::MAX)
        .changed_fields(["", "a", "a"])
        .old_values(Json::parse(&nested).unwrap())
        .tag("", "")
        .tag("\u{10ffff}", "=+-@\"")
        .details_json("\"\\u0000\\ud800 <!-- \"")
        .unwrap()
}

/// With all that records of schema 3 add: from version 2 of the golden files on.
fn added_event() -> Event {
    plain_event(1)
        .id(EventId([0x22; 16]))
        .outcome(Outcome::Unknown)
        .on_behalf_of(Actor::new(Actor::USER, "carol").email("carol@example.com").role("owner"))
        .target(Target::new("invoice", "1").role("copy"))
        .target(Target::new("invoice", "2026-17"))
        .target(Target::new("user", "carol"))
        .trace_id(TraceId::from_bytes([0x4b; 16]).unwrap())
        .span_id(SpanId::from_bytes([0x0f; 8]).unwrap())
}

/// As many targets as there may be, all the same, with text that trips the careless.
fn hostile_added_event() -> Event {
    let target = Target::new("\u{202e}", "'; DROP TABLE audit; --").role("\u{200b}");
    let event = hostile_event().id(EventId([0xfe; 16]));
    let event = event.on_behalf_of(Actor::new("\u{feff}", "y".repeat(limits::ID_LEN_MAX)));
    (0..limits::TARGETS_MAX).fold(event, |event, _| event.target(target.clone()))
}

fn generate(root: &Path, algorithm: HashAlgorithm) {
    let dir = root.join(algorithm.name());
    std::fs::create_dir_all(&dir).unwrap();
    let kind = SignatureKind::for_heads_of(algorithm);
    let key = SigningKey::new(ORIGIN, kind, &[algorithm.code(); 32]).unwrap();
    let key_path = dir.join("test-only.key");
    std::fs::write(&key_path, format!("{}\n", *key.to_secret_text())).unwrap();
    make_private(&key_path);
    let signer = Signer::load(&key_path).unwrap();
    std::fs::write(dir.join("vkey"), format!("{}\n", signer.verifying_key())).unwrap();

    let clock = Arc::new(ManualClock::at(start()));
    let path = dir.join("log");
    let log = inline(Arc::clone(&clock)).origin(ORIGIN).hash(algorithm).create(&path).unwrap();
    let mut given = vec![plain_event(0), full_event(), hostile_event()];
    for event in &given {
        clock.advance(Duration::from_micros(1));
        log.append(event).unwrap();
    }
    let batch: Vec<Event> = (3..43).map(plain_event).collect();
    log.append_batch(&batch).unwrap();
    given.extend(batch);
    log.checkpoint(&signer).unwrap();
    log.rotate().unwrap();
    log.append(&plain_event(43)).unwrap();
    // In the second segment, which is sealed too.
    let added = [added_event(), hostile_added_event()];
    log.append_batch(&added).unwrap();
    clock.set(start().saturating_add(Duration::from_secs(3600))); // rotates, too
    log.append(&plain_event(44)).unwrap();
    log.close().unwrap();

    // Bytes of a frame that was never finished: set aside when the log is opened.
    let newest = path.join("segments/00000003.seg");
    let mut bytes = std::fs::read(&newest).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    // Behind the watermark, whose last fields are fifteen zeros.
    bytes[end + 15..][..16].copy_from_slice(b"BFRM, cut short!");
    std::fs::write(&newest, bytes).unwrap();
    let log = inline(clock).open(&path).unwrap();
    assert_eq!(log.recovery().set_aside.len(), 1);
    log.append(&plain_event(45)).unwrap();
    let checkpoint = log.checkpoint(&signer).unwrap().into_unverified();
    log.append(&plain_event(46)).unwrap();
    given.push(plain_event(43));
    given.extend(added);
    given.extend((44..47).map(plain_event));

    for (name, disclosure) in
        [("whole", Disclosure::Whole), ("withheld", Disclosure::WithholdPayload)]
    {
        let proof = log.snapshot().prove(PROVED, &checkpoint, disclosure).unwrap();
        let name = format!("{name}.{}", TlogProof::file_extension(algorithm));
        std::fs::write(dir.join(name), proof.to_text()).unwrap();
    }
    let mut expected = String::new();
    let mut given = given.into_iter();
    for record in log.snapshot().records_from(Seq::new(0)) {
        let record = record.unwrap();
        if record.anchor.is_none() {
            assert_eq!(Some(&record.event), given.next().as_ref());
        }
        expected += &(record.to_json() + "\n");
    }
    assert_eq!(given.next(), None);
    std::fs::write(dir.join("expected.jsonl"), expected).unwrap();
    log.close().unwrap();
}

#[test]
fn every_record_is_read_as_it_was_written_and_reading_changes_nothing() {
    for golden in GOLDEN {
        let copy = Copy::of(golden);
        let before = files(copy.dir.path());
        let reader = Log::open_read_only(copy.log()).unwrap();
        assert_eq!((reader.algorithm(), reader.origin()), (golden.algorithm, ORIGIN));
        let expected = copy.expected();
        assert_eq!(reader.size().get(), expected.len() as u64);
        for (record, expected) in reader.snapshot().records_from(Seq::new(0)).zip(&expected) {
            assert_eq!(record.unwrap().to_json(), *expected);
        }
        for (n, expected) in expected.iter().enumerate() {
            assert_eq!(reader.snapshot().get(Seq::new(n as u64)).unwrap().to_json(), *expected);
        }
        let history: Vec<String> = reader
            .snapshot()
            .catalog()
            .history()
            .unwrap()
            .into_iter()
            .map(|entry| entry.what)
            .collect();
        for what in [
            "log created",
            "segment sealed",
            "head signed",
            "key added",
            "bytes set aside",
            "clock stepped",
        ] {
            assert!(history.iter().any(|found| found == what), "{what}: {history:?}");
        }
        assert!(files(copy.dir.path()) == before, "opening for reading changed a file");
    }
}

#[test]
fn it_verifies_clean_against_its_checkpoints_and_key() {
    for golden in GOLDEN {
        let copy = Copy::of(golden);
        let options = VerifyOptions::new().key(copy.vkey());
        let report = verify(&copy.log(), &options, &mut |_| ()).unwrap();
        assert!(report.is_clean(), "{:?}", report.findings);
        assert_eq!(report.records, copy.expected().len() as u64);
        assert_eq!((report.checkpoints, report.signatures, report.anchors), (2, 2, 2));
    }
}

#[test]
fn its_proofs_verify_with_nothing_but_the_key() {
    for golden in GOLDEN {
        let copy = Copy::of(golden);
        let expected = copy.expected();
        let expected = &expected[usize::try_from(PROVED.get()).unwrap()];
        let whole = copy.proof("whole").verify_record(&copy.trust()).unwrap();
        assert_eq!(whole.record().to_json(), *expected);
        let withheld = copy.proof("withheld").verify_record(&copy.trust()).unwrap();
        assert_eq!(withheld.disclosure(), Disclosure::WithholdPayload);
        assert_eq!(withheld.record().leaf_hash, whole.record().leaf_hash);
        assert_eq!(withheld.record().event.actor.id, whole.record().event.actor.id);
        assert_eq!(withheld.record().event.details, None);
        let other = GOLDEN.into_iter().find(|other| other.algorithm != golden.algorithm).unwrap();
        let other = self::golden(other).join("vkey");
        let other = std::fs::read_to_string(other).unwrap().trim().parse().unwrap();
        assert!(copy.proof("whole").verify_record(&Trust::in_keys([other])).is_err());
    }
}

#[test]
fn writing_goes_on_and_old_checkpoints_still_prove() {
    for golden in GOLDEN {
        let copy = Copy::of(golden);
        let expected = copy.expected();
        let log = copy.open().unwrap();
        assert!(log.recovery().set_aside.is_empty());
        assert_eq!(log.recovery().rebuilt, None);
        assert_eq!(log.recovery().replayed, 0);
        let new = log.append(&plain_event(99)).unwrap();
        assert_eq!(new.seq.get(), expected.len() as u64);
        for checkpoint in copy.checkpoints() {
            for seq in [0, PROVED.get(), 42] {
                let proof =
                    log.snapshot().prove(Seq::new(seq), &checkpoint, Disclosure::Whole).unwrap();
                let verified = proof.verify_record(&copy.trust()).unwrap();
                assert_eq!(verified.record().to_json(), expected[usize::try_from(seq).unwrap()]);
            }
        }
        let checkpoint = log.checkpoint(&copy.signer()).unwrap().into_unverified();
        let proof = log.snapshot().prove(new.seq, &checkpoint, Disclosure::Whole).unwrap();
        proof.verify_record(&copy.trust()).unwrap();
        log.rotate().unwrap();
        log.close().unwrap();
        let report =
            verify(&copy.log(), &VerifyOptions::new().key(copy.vkey()), &mut |_| ()).unwrap();
        assert!(report.is_clean(), "{:?}", report.findings);
        assert_eq!(report.checkpoints, 3);
    }
}

#[test]
fn derived_files_that_are_deleted_come_back_the_same() {
    for golden in GOLDEN {
        let copy = Copy::of(golden);
        let before = files(&copy.log());
        let hashes = |name: &Path| name.extension().is_some_and(|ending| ending == "hashes");
        for name in before.keys() {
            if hashes(name) || name.ends_with("mark") || name.ends_with("snapshot") {
                std::fs::remove_file(copy.log().join(name)).unwrap();
            }
        }
        copy.open().unwrap().close().unwrap();
        let after = files(&copy.log());
        for (name, bytes) in before.iter().filter(|(name, _)| hashes(name)) {
            // More may follow: opening and closing are history too.
            let kept = after.get(name).is_some_and(|after| after.starts_with(bytes));
            assert!(kept, "{}", name.display());
        }
        for ordinal in 1..4 {
            let sealed = PathBuf::from(format!("segments/{ordinal:08}.seg"));
            assert!(after.get(&sealed) == before.get(&sealed), "{}", sealed.display());
        }
    }
}

/// Raises the format version of the structure at `offset`, with a CRC that fits.
fn make_newer(path: &Path, offset: usize, layout: bulla::internals::format::layout::Layout) {
    let mut bytes = std::fs::read(path).unwrap();
    let field = |name| *layout.fields.iter().find(|field| field.name == name).unwrap();
    let structure = &mut bytes[offset..offset + layout.len];
    field("FORMAT_VERSION").set_uint(structure, 4);
    let crc = trailing_crc(structure, field("CRC"));
    field("CRC").set_uint(structure, crc.into());
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_newer_format_is_unsupported_and_not_corrupt() {
    let unsupported = |error: &Error, structure: &str, newest_known: u16| match error {
        Error::Unsupported { what, found: 4, newest, .. } => {
            (*what, *newest) == (structure, newest_known)
        }
        _ => false,
    };
    // The active segment, and the catalog: the log does not open.
    for (name, newest) in [("segments/00000004.seg", 1), ("catalog/a/00000001.seg", 3)] {
        let copy = Copy::of(GOLDEN[0]);
        make_newer(&copy.log().join(name), 0, segment_header::LAYOUT);
        let before = files(&copy.log());
        let error = copy.open().unwrap_err();
        assert!(unsupported(&error, "segment header version", newest), "{name}: {error}");
        assert!(files(&copy.log()) == before, "{name}: opening changed a file");
    }
    // Header or footer of a sealed segment: its records are not read, the others are.
    for footer in [false, true] {
        let copy = Copy::of(GOLDEN[0]);
        let path = copy.log().join("segments/00000001.seg");
        let len = usize::try_from(std::fs::metadata(&path).unwrap().len()).unwrap();
        let structure = if footer {
            make_newer(&path, len - segment_footer::LEN, segment_footer::LAYOUT);
            "segment footer version"
        } else {
            make_newer(&path, 0, segment_header::LAYOUT);
            "segment header version"
        };
        let reader = Log::open_read_only(copy.log()).unwrap();
        let error = reader.snapshot().get(Seq::new(0)).unwrap_err();
        assert!(unsupported(&error, structure, 1), "{error}");
        assert!(reader.snapshot().get(Seq::new(46)).is_ok());
        let report = verify(&copy.log(), &VerifyOptions::new(), &mut |_| ()).unwrap();
        assert!(!report.is_clean());
    }
}

#[test]
fn a_golden_log_of_version_2_is_searched_by_what_it_adds() {
    for golden in GOLDEN.into_iter().filter(|golden| golden.version == "v2") {
        let copy = Copy::of(golden);
        let reader = Log::open_read_only(copy.log()).unwrap();
        let found = |query: Query| {
            let records = reader.snapshot().query(&query).unwrap();
            records.map(|record| record.unwrap().event).collect::<Vec<_>>()
        };
        let added = [added_event()];
        assert_eq!(found(Query::new().resource("user", "carol")), added);
        assert_eq!(found(Query::new().resource("invoice", "1")), added);
        assert_eq!(found(Query::new().on_behalf_of("carol")), added);
        assert_eq!(found(Query::new().on_behalf_of_type_id("user", "carol")), added);
        assert_eq!(found(Query::new().trace_id(TraceId::from_bytes([0x4b; 16]).unwrap())), added);
        assert_eq!(found(Query::new().outcome(Outcome::Unknown)), added);
        let hostile = found(Query::new().resource_type("\u{202e}"));
        assert_eq!(hostile, [hostile_added_event()]);
    }
}
