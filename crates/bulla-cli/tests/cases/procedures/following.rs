//! A log that is followed, and whose directory goes another way meanwhile.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::running::{at, bulla, fine, sample_log};

/// Follows a log, changes its directory, and gives what the follower says in the end. It ends by
/// itself: else this never does.
fn followed(log: &str, change: impl FnOnce()) -> (Option<i32>, String) {
    let mut child = bulla(&["tail", log, "-n", "1", "-f", "--output", "jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    change();
    let done = child.wait_with_output().unwrap();
    (done.status.code(), String::from_utf8(done.stderr).unwrap())
}

#[test]
fn a_follower_of_a_log_that_was_moved_away_ends_with_an_error() {
    let (dir, log) = sample_log();
    let (status, told) = followed(&log, || fs::rename(&log, at(dir.path(), "aside")).unwrap());
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains(&format!("the log that was opened is no longer at {log}")), "{told}");
    assert!(told.contains("no such directory"), "{told}");
}

#[test]
fn a_follower_of_a_log_that_was_deleted_ends_with_an_error() {
    let (_dir, log) = sample_log();
    let (status, told) = followed(&log, || fs::remove_dir_all(&log).unwrap());
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("no longer at") || told.contains(&log), "{told}");
}

#[test]
fn a_follower_does_not_take_another_log_for_its_own() {
    let (dir, log) = sample_log();
    let other = at(dir.path(), "other");
    fine(&["init", &other, "--origin", "example.com/audit"]);
    let (status, told) = followed(&log, || {
        fs::rename(&log, at(dir.path(), "aside")).unwrap();
        fs::rename(&other, &log).unwrap();
    });
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("no longer at"), "{told}");
    // Moved and back again it is followed: the directory is the log's own.
    let aside = at(dir.path(), "aside");
    fs::rename(&log, at(dir.path(), "third")).unwrap();
    fs::rename(&aside, &log).unwrap();
    fine(&["tail", &log, "-n", "1"]);
}
