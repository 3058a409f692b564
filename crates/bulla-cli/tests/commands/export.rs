//! The promise: what is exported is a valid C2SP log at any moment, never changes, and
//! shows no payload.

// Clippy lets tests panic, but does not count the functions they share as tests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use crate::running::{at, fine, refused, signed_log};
use crate::served::{Fixture, check, check_kept, files};
use bulla::{Attribution, ExpireOptions, HashAlgorithm, Period, Policy, Trust};
use bulla_cli::export::{ExportError, MainLog, Options, Progress, Summary, export};

fn run(fixture: &Fixture) -> Result<Summary, ExportError> {
    run_with(fixture, &Options::default(), &mut |_| ControlFlow::Continue(()))
}

fn run_with(
    fixture: &Fixture,
    options: &Options,
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Summary, ExportError> {
    export(&MainLog::open(&fixture.log_dir()).unwrap(), &fixture.out(), options, watch)
}

fn names(out: &Path) -> Vec<String> {
    files(out).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn what_is_exported_is_a_log_that_a_stranger_verifies() {
    for size in [1, 2, 255, 256, 257, 600] {
        let fixture = Fixture::of(size);
        let summary = run(&fixture).unwrap();
        let head = check(&fixture.out(), &fixture.key()).unwrap();
        assert_eq!((head.0.get(), head.1), (size, summary.head.root));
        assert_eq!(check_kept(&fixture.out(), &fixture.key()), Ok(vec![size]));
        let count = |prefix: &str| {
            names(&fixture.out()).iter().filter(|name| name.starts_with(prefix)).count() as u64
        };
        assert_eq!(count("tile/entries/"), summary.bundles);
        assert_eq!(count("tile/"), summary.tiles + summary.bundles);
        let bytes: usize = files(&fixture.out()).iter().map(|(_, bytes)| bytes.len()).sum();
        assert_eq!(summary.bytes, bytes as u64);
    }
}

#[test]
fn a_log_of_256_records_has_the_files_of_the_specification() {
    let fixture = Fixture::of(256);
    run(&fixture).unwrap();
    let expected = ["checkpoint", "checkpoints/256", "segments", "tile/0/000", "tile/1/000.p/1"];
    let mut expected = expected.to_vec();
    expected.push("tile/entries/000");
    assert_eq!(names(&fixture.out()), expected);
    assert_eq!(fs::metadata(fixture.out().join("tile/0/000")).unwrap().len(), 8192);
}

#[test]
fn no_payload_is_published() {
    let fixture = Fixture::of(300);
    run(&fixture).unwrap();
    let holds = |needle: &str| {
        files(&fixture.out())
            .iter()
            .any(|(_, bytes)| bytes.windows(needle.len()).any(|at| at == needle.as_bytes()))
    };
    assert!(holds("doc.read"), "the envelope is there");
    assert!(!holds("secret-") && !holds("203.0.113.9"), "a payload was published");
}

#[test]
fn a_growing_log_adds_to_its_export_and_changes_only_the_checkpoint() {
    let fixture = Fixture::of(10);
    run(&fixture).unwrap();
    for size in [30, 254, 256, 258, 500, 700, 1500] {
        let before = files(&fixture.out());
        // Every other head is published without an export of its own.
        if size - 2 > fixture.log.size().get() {
            fixture.grow_to(size - 2);
        }
        fixture.grow_to(size);
        let summary = run(&fixture).unwrap();
        check(&fixture.out(), &fixture.key()).unwrap();
        check_kept(&fixture.out(), &fixture.key()).unwrap();
        let after = files(&fixture.out());
        let removed = before.iter().filter(|(name, bytes)| {
            match after.iter().find(|(other, _)| other == name) {
                Some((_, now)) => {
                    assert!(now == bytes || name == "checkpoint", "{name} changed");
                    false
                }
                None => {
                    assert!(name.contains(".p/"), "{name} is gone");
                    true
                }
            }
        });
        assert!(removed.count() as u64 <= summary.removed);
        let kept = fs::read_dir(fixture.out().join("checkpoints")).unwrap().count();
        let published = MainLog::open(&fixture.log_dir()).unwrap().checkpoint_sizes().unwrap();
        assert_eq!(kept, published.len());
        // Once more: nothing is left to do.
        let again = run(&fixture).unwrap();
        assert_eq!((again.tiles, again.bundles, again.bytes, again.removed), (0, 0, 0, 0));
        assert_eq!(files(&fixture.out()), after);
    }
    // Partial tiles are there for heads whose full tile is not.
    let partial: Vec<_> =
        names(&fixture.out()).into_iter().filter(|name| name.starts_with("tile/0/005")).collect();
    assert_eq!(partial, ["tile/0/005.p/218", "tile/0/005.p/220"]);
    assert!(!names(&fixture.out()).iter().any(|name| name.starts_with("tile/0/004.p")));
}

#[test]
fn an_export_that_is_broken_off_anywhere_is_the_log_of_before_and_can_be_taken_up() {
    let mut step = 0;
    loop {
        let fixture = Fixture::of(200);
        run(&fixture).unwrap();
        let old = check(&fixture.out(), &fixture.key()).unwrap();
        fixture.grow_to(250);
        fixture.grow_to(600);
        let broken = run_with(&fixture, &Options::default(), &mut |at| {
            if at.done > step { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let head = check(&fixture.out(), &fixture.key()).unwrap();
        let now = check_kept(&fixture.out(), &fixture.key());
        match &broken {
            Err(ExportError::Stopped) => assert!(head == old || step > 10, "step {step}"),
            Err(error) => panic!("step {step}: {error}"),
            Ok(_) => assert_eq!(head.0.get(), 600),
        }
        assert!(now.is_ok() || head == old, "step {step}: {now:?}");
        run(&fixture).unwrap();
        assert_eq!(check(&fixture.out(), &fixture.key()).unwrap().0.get(), 600);
        assert_eq!(check_kept(&fixture.out(), &fixture.key()), Ok(vec![200, 250, 600]));
        if broken.is_ok() {
            break;
        }
        step += 1;
    }
    assert!(step > 10, "only {step} steps");
}

#[test]
fn a_first_export_that_is_broken_off_publishes_nothing() {
    let fixture = Fixture::of(300);
    for step in 0..6 {
        let broken = run_with(&fixture, &Options::default(), &mut |at| {
            if at.done > step { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(matches!(broken, Err(ExportError::Stopped)));
        assert!(!fixture.out().join("checkpoint").exists());
    }
    run(&fixture).unwrap();
    check(&fixture.out(), &fixture.key()).unwrap();
}

#[test]
fn any_file_that_was_altered_refuses_the_export_by_name() {
    let fixture = Fixture::of(600);
    run(&fixture).unwrap();
    let recheck = Options { recheck: true, ..Options::default() };
    for (name, bytes) in files(&fixture.out()) {
        let path = fixture.out().join(&name);
        let mut altered = bytes.clone();
        let middle = altered.len() / 2;
        altered[middle] ^= 1;
        for bad in
            [altered.as_slice(), &bytes[..bytes.len() - 1], &[bytes.as_slice(), b"x"].concat()]
        {
            fs::write(&path, bad).unwrap();
            let ran = run_with(&fixture, &recheck, &mut |_| ControlFlow::Continue(()));
            if (name.starts_with("checkpoint") || name == "segments") && ran.is_ok() {
                // Only its signatures were altered: those of the log stand. The list of segments
                // is derived, and written anew.
                assert_eq!(fs::read(&path).unwrap(), bytes, "{name}");
                continue;
            }
            let error = ran.unwrap_err();
            assert!(matches!(error, ExportError::Conflict { .. }), "{name}: {error}");
            assert!(error.to_string().contains(&name), "{name}: {error}");
            assert!(
                check(&fixture.out(), &fixture.key()).is_err() || name.starts_with("checkpoints/")
            );
        }
        fs::write(&path, &bytes).unwrap();
    }
    // What was deleted is written again.
    fs::remove_file(fixture.out().join("tile/0/001")).unwrap();
    assert!(check(&fixture.out(), &fixture.key()).is_err());
    assert_eq!(run_with(&fixture, &recheck, &mut |_| ControlFlow::Continue(())).unwrap().tiles, 1);
    check(&fixture.out(), &fixture.key()).unwrap();
}

#[test]
fn a_new_tile_that_is_there_already_with_other_bytes_is_not_overwritten() {
    let fixture = Fixture::of(200);
    run(&fixture).unwrap();
    let old = check(&fixture.out(), &fixture.key()).unwrap();
    fixture.grow_to(600);
    let path = fixture.out().join("tile/0/001");
    fs::write(&path, [7; 8192]).unwrap();
    let error = run(&fixture).unwrap_err();
    assert!(error.to_string().contains("tile/0/001"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), [7; 8192]);
    assert_eq!(check(&fixture.out(), &fixture.key()).unwrap(), old);
}

#[test]
fn a_log_that_forked_or_was_rolled_back_is_not_exported_over_the_other_one() {
    let fixture = Fixture::of(300);
    let backup = fixture.dir.path().join("backup");
    copy(&fixture.log_dir(), &backup);
    fixture.grow_to(400);
    run(&fixture).unwrap();
    let served = check(&fixture.out(), &fixture.key()).unwrap();
    // The older copy: its newest checkpoint is of size 300.
    let old = MainLog::open(&backup).unwrap();
    let options = Options::default();
    let mut go_on = |_: Progress| ControlFlow::Continue(());
    let error = export(&old, &fixture.out(), &options, &mut go_on).unwrap_err();
    assert!(error.to_string().contains("old copy"), "{error}");
    // Another history, signed with the same key by somebody who threw its notes away.
    let heads = fixture.dir.path().join("audit.key.heads");
    fs::remove_file(heads).unwrap();
    let fork =
        bulla::Log::options().origin(crate::served::ORIGIN).create(backup.join("fork")).unwrap();
    fork.append_batch(&(0..500).map(|n| crate::served::event(n, "fork")).collect::<Vec<_>>())
        .unwrap();
    fork.checkpoint(&fixture.signer).unwrap();
    drop(fork);
    let fork = MainLog::open(&backup.join("fork")).unwrap();
    let error = export(&fork, &fixture.out(), &options, &mut go_on).unwrap_err();
    assert!(matches!(error, ExportError::Conflict { .. }), "{error}");
    assert!(error.to_string().contains("size 400"), "{error}");
    assert_eq!(check(&fixture.out(), &fixture.key()).unwrap(), served);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &to) } else { fs::copy(&path, &to).map(|_| ()).unwrap() }
    }
}

#[test]
fn a_damaged_log_is_not_exported() {
    let fixture = Fixture::of(700);
    fixture.log.rotate().unwrap();
    fixture.log.close().unwrap();
    // A leaf hash that no record has.
    let level = fixture.log_dir().join("tree/level-00.hashes");
    let good = fs::read(&level).unwrap();
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    fs::write(&level, &bad).unwrap();
    let error = run(&fixture).unwrap_err();
    assert!(error.to_string().contains("level-0"), "{error}");
    assert!(!fixture.out().join("checkpoint").exists());
    fs::write(&level, &good).unwrap();
    run(&fixture).unwrap();
    check(&fixture.out(), &fixture.key()).unwrap();
}

#[test]
fn only_an_empty_directory_or_an_export_of_the_same_log_is_written_to() {
    let fixture = Fixture::of(20);
    let place_refused = |why: &str| match run(&fixture) {
        Err(error @ ExportError::Place { .. }) => {
            assert!(error.to_string().contains(why), "{error}")
        }
        other => panic!("{why}: {other:?}"),
    };
    fs::create_dir(fixture.out()).unwrap();
    fs::write(fixture.out().join("index.html"), "hello").unwrap();
    place_refused("empty directory");
    assert_eq!(fs::read_dir(fixture.out()).unwrap().count(), 1);
    fs::remove_file(fixture.out().join("index.html")).unwrap();
    let marker = fixture.out().join("bulla-export");
    fs::write(&marker, "bulla tiles export, version 1\nexample.com/other\n").unwrap();
    place_refused("example.com/other");
    fs::write(&marker, "bulla tiles export, version 2\n").unwrap();
    place_refused("not one that this version writes");
    // A claim that a crash cut short is taken up.
    fs::write(&marker, "bulla tiles exp").unwrap();
    run(&fixture).unwrap();
    check(&fixture.out(), &fixture.key()).unwrap();
    fs::write(&marker, "bulla tiles exp").unwrap();
    place_refused("not one that this version writes");
}

#[test]
fn the_log_is_never_under_what_is_served_nor_the_other_way_round() {
    let fixture = Fixture::of(20);
    let source = MainLog::open(&fixture.log_dir()).unwrap();
    let inside = fixture.log_dir().join("public/deep");
    std::os::unix::fs::symlink(fixture.log_dir(), fixture.dir.path().join("link")).unwrap();
    let linked = fixture.dir.path().join("link/public");
    let same = fixture.log_dir();
    for out in [fixture.dir.path(), &same, &inside, &linked] {
        let error = export(&source, out, &Options::default(), &mut |_| ControlFlow::Continue(()))
            .unwrap_err();
        assert!(error.to_string().contains("must not go"), "{}: {error}", out.display());
    }
    assert!(!inside.exists());
}

#[test]
fn two_exports_do_not_run_at_once() {
    let fixture = Fixture::of(20);
    let mut inner = None;
    run_with(&fixture, &Options::default(), &mut |_| {
        inner.get_or_insert_with(|| run(&fixture));
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(matches!(inner, Some(Err(ExportError::Busy { .. }))), "{inner:?}");
}

#[test]
fn nothing_unsigned_and_nothing_that_is_not_sha256_is_exported() {
    let unsigned = Fixture::new(HashAlgorithm::Sha256);
    unsigned.log.append(&crate::served::event(0, "x")).unwrap();
    assert!(matches!(run(&unsigned), Err(ExportError::NoCheckpoint)));
    // Records above the newest head are not shown.
    unsigned.grow_to(30);
    unsigned.log.append(&crate::served::event(30, "x")).unwrap();
    run(&unsigned).unwrap();
    assert_eq!(check(&unsigned.out(), &unsigned.key()).unwrap().0.get(), 30);
    assert!(unsigned.out().join("tile/0/000.p/30").exists());
    // Whether it was signed or not.
    let blake3 = Fixture::new(HashAlgorithm::Blake3);
    for signed in [false, true] {
        if signed {
            blake3.grow_to(30);
        }
        let error = run(&blake3).unwrap_err();
        assert!(matches!(error, ExportError::NotSha256 { .. }));
        let error = error.to_string();
        assert!(error.contains("expected a SHA-256 log, found a blake3 log"), "{error}");
        assert!(!blake3.out().exists());
    }
}

#[test]
fn with_a_key_only_what_it_signed_is_published() {
    let fixture = Fixture::of(20);
    let stranger = Fixture::of(20);
    let options = |fixture: &Fixture| Options {
        trust: Some(Trust::in_keys([fixture.key()])),
        ..Options::default()
    };
    let mut go_on = |_: Progress| ControlFlow::Continue(());
    let error = run_with(&fixture, &options(&stranger), &mut go_on).unwrap_err();
    assert!(matches!(error, ExportError::Conflict { .. }), "{error}");
    assert!(!fixture.out().join("checkpoint").exists());
    run_with(&fixture, &options(&fixture), &mut go_on).unwrap();
}

#[test]
fn cosignatures_that_come_later_are_published() {
    let fixture = Fixture::of(20);
    run(&fixture).unwrap();
    fixture.grow_to(40);
    run(&fixture).unwrap();
    for (size, served) in [("20", false), ("40", true)] {
        let path = fixture.log_dir().join(format!("checkpoints/{size:0>16}.checkpoint"));
        let mut note = fs::read_to_string(&path).unwrap();
        note.push_str(
            "\u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHe",
        );
        note.push_str("olMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n");
        fs::write(&path, &note).unwrap();
        assert_eq!(run(&fixture).unwrap().checkpoints, 1);
        let kept = fixture.out().join("checkpoints").join(size);
        assert_eq!(fs::read_to_string(kept).unwrap(), note);
        let checkpoint = fs::read_to_string(fixture.out().join("checkpoint")).unwrap();
        assert_eq!(checkpoint == note, served);
    }
    check(&fixture.out(), &fixture.key()).unwrap();
}

#[test]
fn the_command_exports_and_says_what_it_did() {
    let (dir, log) = signed_log();
    let (out, key) = (at(dir.path(), "public"), at(dir.path(), "audit.key"));
    let public = format!("{key}.pub");
    let told = fine(&["export-tiles", &log, &out, "--pubkey", &public]);
    assert!(
        told.contains("serves 43 records") && told.contains("1 tile, 1 entry bundle"),
        "{told}"
    );
    let vkey = fs::read_to_string(&public).unwrap().trim().parse().unwrap();
    assert_eq!(check(Path::new(&out), &vkey).unwrap().0.get(), 43);
    fine(&["append", &log, "--actor", "u:a", "--action", "x.y", "--resource", "r"]);
    fine(&["checkpoint", &log, "--key", &key]);
    let told = fine(&["export-tiles", &log, &out, "--recheck"]);
    assert!(told.contains("serves 45 records (before: 43)"), "{told}");
    assert_eq!(check(Path::new(&out), &vkey).unwrap().0.get(), 45);
    // A check that fails is 1, wrong usage and refusals of the system are 2.
    fs::write(Path::new(&out).join("tile/0/000.p/45"), [0; 45 * 32]).unwrap();
    let told = refused(1, &["export-tiles", &log, &out, "--recheck"]);
    assert!(told.contains("tile/0/000.p/45"), "{told}");
    refused(2, &["export-tiles", &log, &log]);
    refused(2, &["export-tiles", &at(dir.path(), "none"), &out]);
    refused(2, &["export-tiles", &log, "/dev/full"]);
}

#[test]
fn a_reader_that_leaves_does_not_keep_the_log_from_being_exported() {
    let fixture = Fixture::of(20);
    let (log, out) = (fixture.log_dir().display().to_string(), fixture.out().display().to_string());
    let mut child = crate::running::bulla(&["export-tiles", &log, &out])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
    check(&fixture.out(), &fixture.key()).unwrap();
    // A full disk behind standard output is said.
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status =
        crate::running::bulla(&["export-tiles", &log, &out]).stdout(full).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

/// Needs a mount of its own, which some machines refuse: then it says so.
#[test]
fn a_full_disk_is_said_and_leaves_the_log_of_before() {
    let fixture = Fixture::of(200);
    let place = fixture.dir.path().join("small");
    fs::create_dir(&place).unwrap();
    let kept = fixture.dir.path().join("kept");
    let script = r#"
        mount -t tmpfs -o size=256k none "$3" || exit 77
        "$1" export-tiles "$2" "$3/public" || exit 78
        "$1" append "$2" --stdin < "$5" > /dev/null && "$1" checkpoint "$2" --key "$6" > /dev/null || exit 79
        "$1" export-tiles "$2" "$3/public"
        status=$?
        cp -r "$3/public" "$4"
        exit $status"#;
    let event = r#"{"actor":{"type":"u","id":"a"},"action":"x.y","resource":{"type":"r"}}"#;
    let events = fixture.dir.path().join("events.jsonl");
    fs::write(&events, format!("{event}\n").repeat(3000)).unwrap();
    let log = fixture.log_dir();
    let (key, vkey) = (fixture.dir.path().join("audit.key"), fixture.key());
    fixture.log.close().unwrap();
    let ran = std::process::Command::new("unshare")
        .args(["-rm", "sh", "-c", script, "sh"])
        .arg(env!("CARGO_BIN_EXE_bulla"))
        .args([&log, &place, &kept, &events, &key])
        .output();
    let ran = match ran {
        Ok(ran) if ran.status.code() != Some(77) && ran.status.code() != Some(1) => ran,
        other => return eprintln!("NOT RUN: no mount of one's own here: {other:?}"),
    };
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("No space left") && stderr.contains("free some space"), "{stderr}");
    assert_eq!(check(&kept, &vkey).unwrap().0.get(), 200);
    // With space again it is taken up where it stopped.
    let source = MainLog::open(&log).unwrap();
    export(&source, &kept, &Options::default(), &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(check(&kept, &vkey).unwrap().0.get(), 3201);
}

#[test]
fn links_in_the_directory_lead_nowhere() {
    let fixture = Fixture::of(20);
    run(&fixture).unwrap();
    let victim = fixture.dir.path().join("victim");
    fs::create_dir(&victim).unwrap();
    fs::write(victim.join("7"), "keep").unwrap();
    let file = fixture.dir.path().join("file");
    fs::write(&file, "keep").unwrap();
    std::os::unix::fs::symlink(&file, fixture.out().join("checkpoint.tmp")).unwrap();
    let partial = fixture.out().join("tile/0/000.p");
    fs::rename(&partial, fixture.dir.path().join("away")).unwrap();
    std::os::unix::fs::symlink(&victim, &partial).unwrap();
    fixture.grow_to(300);
    assert!(run(&fixture).is_err(), "a link where partial tiles were");
    assert_eq!(fs::read_to_string(victim.join("7")).unwrap(), "keep");
    fs::remove_file(&partial).unwrap();
    fs::rename(fixture.dir.path().join("away"), &partial).unwrap();
    run(&fixture).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "keep");
    assert!(!fixture.out().join("checkpoint").is_symlink());
}

#[test]
fn what_went_after_it_was_exported_does_not_keep_the_log_from_being_exported() {
    let fixture = Fixture::new(HashAlgorithm::Sha256);
    let drop_sealed = |dropped: &[u64]| {
        fixture.log.rotate().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let asked = Attribution::by("carol").because("retention");
        let expiry = fixture.log.retention().expire(&ExpireOptions::new(), &asked).unwrap();
        let found: Vec<u64> = expiry.dropped.iter().map(|drop| drop.ordinal).collect();
        assert_eq!(found, dropped);
    };
    let policy = Policy::keep(Period::from_seconds(1));
    fixture
        .log
        .retention()
        .set_policy(&policy, &Attribution::by("carol").because("retention"))
        .unwrap();
    fixture.grow_to(11);
    run(&fixture).unwrap();
    fixture.log.rotate().unwrap();
    fixture.grow_to(20);
    drop_sealed(&[1]);
    // Records 0 to 10 are in the export only.
    for size in [40, 255, 300] {
        fixture.grow_to(size);
        let summary = run(&fixture).unwrap();
        assert!(summary.bundles > 0);
        check(&fixture.out(), &fixture.key()).unwrap();
        check_kept(&fixture.out(), &fixture.key()).unwrap();
    }
    // Those of the full bundle are in that one only, and are compared with the leaf hashes.
    let recheck = Options { recheck: true, ..Options::default() };
    run_with(&fixture, &recheck, &mut |_| ControlFlow::Continue(())).unwrap();
    let bundle = fixture.out().join("tile/entries/000");
    let whole = fs::read(&bundle).unwrap();
    let mut altered = whole.clone();
    altered[20] ^= 1;
    fs::write(&bundle, altered).unwrap();
    let refused = run_with(&fixture, &recheck, &mut |_| ControlFlow::Continue(()));
    let Err(ExportError::Conflict { what, .. }) = &refused else { panic!("{refused:?}") };
    assert!(what.ends_with("tile/entries/000"), "{what}");
    fs::write(&bundle, whole).unwrap();
    // What was dropped and never exported is gone, and only that is.
    fixture.log.rotate().unwrap();
    fixture.grow_to(310);
    fixture.log.rotate().unwrap();
    fixture.grow_to(315);
    drop_sealed(&[2, 3, 4]);
    fixture.grow_to(330);
    let refused = run(&fixture).unwrap_err();
    let ExportError::Gone { bundle, .. } = &refused else { panic!("{refused}") };
    assert_eq!(bundle, "tile/entries/001.p/54");
    assert!(refused.to_string().contains("record 300 has expired"), "{refused}");
    check(&fixture.out(), &fixture.key()).unwrap();
}
