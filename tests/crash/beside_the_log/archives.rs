//! Archives: restores that failed, and hostile folders.

use bulla::archive::DirectoryStore;

use super::steps::{World, dropped};
use super::*;
use crate::support::hang::within;

/// A restore that failed can be done again, or says that the log must be opened again: it is
/// not refused because "the segment is here already" while its records are not.
#[test]
fn a_restore_that_failed_is_not_refused_as_done_while_nothing_is_seen() {
    let mut bad = Vec::new();
    for at in 0..30 {
        let (world, log, signer) = World::new(1);
        dropped(&world, &log, &signer);
        let (_, folder) = log.archive().restorable_in(&world.shelf()).unwrap().remove(0);
        world.disk.plan(Fault { at, kind: FaultKind::SyncFailed, stored: false });
        let first = log.archive().restore(&world.shelf(), &folder, &who());
        if world.disk.faults_outstanding() > 0 {
            break;
        }
        let Err(first) = first else { continue };
        let again = log.archive().restore(&world.shelf(), &folder, &who());
        let seen = log.snapshot().get(Seq::new(0)).map(|_| ());
        if let (Err(again), Err(seen)) = (again, seen)
            && again.to_string().contains("already")
        {
            bad.push(format!("at {at}: first: {first}; again: {again}; get: {seen}"));
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}

/// An archive whose folder is of another log, with huge numbers, or changes between reading
/// and restoring.
#[test]
fn a_hostile_archive_is_an_error() {
    let (world, log, signer) = World::new(1);
    dropped(&world, &log, &signer);
    let shelf = world.shelf();
    let (_, folder) = log.archive().restorable_in(&shelf).unwrap().remove(0);
    let place = Path::new("/archive").join(&folder);
    let names: Vec<PathBuf> = {
        use bulla::disk::Disk;
        world.shelf.list(&place).unwrap().into_iter().map(|name| place.join(name)).collect()
    };
    let manifest = names.iter().find(|name| name.ends_with("MANIFEST.json")).unwrap();
    let good = world.shelf.read_file(manifest).unwrap();
    let text = String::from_utf8(good.clone()).unwrap();
    // Each number of the manifest becomes a huge one.
    let mut at = 0;
    let mut tried = 0;
    while let Some(start) = text[at..].find(|c: char| c.is_ascii_digit()).map(|skip| at + skip) {
        let end =
            text[start..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |len| start + len);
        for huge in [
            "18446744073709551615",
            "9223372036854775807",
            "4294967296",
            "0",
            "99999999999999999999999",
        ] {
            let bad = format!("{}{huge}{}", &text[..start], &text[end..]);
            world.shelf.write_file(manifest, bad.as_bytes()).unwrap();
            let verified = bulla::archive::verify(
                &shelf,
                &folder,
                &bulla::archive::VerifyArchiveOptions::new(),
            );
            if bad != text {
                let clean = verified.is_ok_and(|report| report.is_clean());
                let restored = log.archive().restore(&shelf, &folder, &who()).is_ok();
                assert!(!restored, "restored with {huge} at {start}; verified clean: {clean}");
                tried += 1;
            }
        }
        at = end;
    }
    world.shelf.write_file(manifest, &good).unwrap();
    for cut in 0..good.len() {
        world.shelf.write_file(manifest, &good[..cut]).unwrap();
        assert!(log.archive().restore(&shelf, &folder, &who()).is_err(), "cut at {cut}");
    }
    world.shelf.write_file(manifest, &good).unwrap();
    log.archive().restore(&shelf, &folder, &who()).unwrap();
    assert!(tried > 20, "{tried}");
}

/// A pipe in place of an archive's manifest is an error, not a wait for ever.
#[test]
#[cfg(unix)]
fn a_pipe_in_an_archive_does_not_hang_who_verifies_it() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("log").join("00000001");
    std::fs::create_dir_all(&folder).unwrap();
    let made = std::process::Command::new("mkfifo").arg(folder.join("MANIFEST.json")).status();
    assert!(made.unwrap().success());
    let path = dir.path().to_owned();
    within(move || {
        let store = DirectoryStore::open(&path).unwrap();
        let options = bulla::archive::VerifyArchiveOptions::new();
        assert!(bulla::archive::verify(&store, "log/00000001", &options).is_err());
    });
}

/// Links of a directory to itself do not multiply what an archive lists.
#[test]
#[cfg(unix)]
fn links_in_an_archive_do_not_multiply() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("log").join("00000001");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("segment"), b"x").unwrap();
    for n in 0..12 {
        std::os::unix::fs::symlink(dir.path(), dir.path().join(format!("l{n}"))).unwrap();
    }
    use bulla::archive::ArchiveStore;
    let listed = DirectoryStore::open(dir.path()).unwrap().list("").unwrap();
    assert_eq!(listed, ["log/00000001/segment"]);
}
