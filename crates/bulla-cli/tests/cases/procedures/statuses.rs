//! The exit status reports what the command did, also if its output is not read.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use super::{EVENT, count};
use crate::running::{at, bulla, fine, jsonl, new_log, refused, signed_log};

/// Runs a command whose standard output, and if asked standard error, has no reader.
fn unread(arguments: &[&str], input: Option<&Path>, and_errors: bool) -> Output {
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    let mut command = bulla(arguments);
    command.stdout(closed());
    command.stderr(if and_errors { closed() } else { Stdio::piped() });
    if let Some(input) = input {
        command.stdin(fs::File::open(input).unwrap());
    }
    command.spawn().unwrap().wait_with_output().unwrap()
}

/// Alters a byte of the first segment's records.
fn damage(log: &str) {
    let segment = at(Path::new(log), "segments/00000001.seg");
    let mut permissions = fs::metadata(&segment).unwrap().permissions();
    let mut bytes = fs::read(&segment).unwrap();
    let place = bytes.windows(5).position(|word| word == b"alice").unwrap();
    bytes[place] ^= 1;
    #[expect(clippy::permissions_set_readonly_false, reason = "a file of this test's own")]
    permissions.set_readonly(false);
    fs::set_permissions(&segment, permissions).unwrap();
    fs::write(&segment, bytes).unwrap();
}

#[test]
fn a_check_that_fails_says_so_when_nothing_reads_it() {
    let (_dir, log) = new_log();
    fine(&["append", &log, "--actor", "user:alice", "--action", "a.b", "--resource", "r"]);
    for output in ["table", "jsonl", "csv"] {
        let done = unread(&["verify", &log, "--output", output], None, false);
        assert_eq!(done.status.code(), Some(0), "{output}");
    }
    damage(&log);
    for output in ["table", "jsonl", "csv"] {
        for and_errors in [false, true] {
            let done = unread(&["verify", &log, "--output", output], None, and_errors);
            assert_eq!(done.status.code(), Some(1), "{output}");
        }
    }
}

#[test]
fn a_proof_of_another_log_fails_when_nothing_reads_it() {
    let (dir, log) = signed_log();
    let (proof, key) = (at(dir.path(), "proof"), at(dir.path(), "other.key"));
    fine(&["prove", &log, "0", "-o", &proof]);
    fine(&["keygen", &key, "--origin", "example.com/audit"]);
    let public = format!("{key}.pub");
    let arguments = ["verify-proof", &proof, "--pubkey", &public];
    assert_eq!(unread(&arguments, None, true).status.code(), Some(1));
}

#[test]
fn what_is_appended_does_not_depend_on_who_reads_the_acknowledgements() {
    let (dir, log) = new_log();
    let input = dir.path().join("events");
    fs::write(&input, format!("{EVENT}\n").repeat(300)).unwrap();
    let done = unread(&["append", &log, "--stdin"], Some(&input), false);
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(count(&log), 300);
}

#[test]
fn an_import_that_rejects_everything_says_so_when_nothing_reads_it() {
    let (dir, log) = new_log();
    let input = at(dir.path(), "lines");
    fs::write(&input, "no event\n".repeat(30)).unwrap();
    let done = unread(&["import", &log, &input, "--format", "jsonl"], None, true);
    assert_eq!(done.status.code(), Some(1));
}

#[test]
fn a_line_that_names_a_subject_without_keys_is_skipped_like_any_that_cannot_be_appended() {
    let (dir, log) = new_log();
    let input = dir.path().join("events");
    let named = format!("{},\"subject\":\"user:2\"}}", &EVENT[..EVENT.len() - 1]);
    fs::write(&input, format!("{EVENT}\n{named}\n{EVENT}\n")).unwrap();
    let done = unread(&["append", &log, "--stdin"], Some(&input), false);
    let told = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{told}");
    assert!(told.contains("line 2: the event names a subject: give --key-store"), "{told}");
    assert_eq!(count(&log), 2);
}

#[test]
fn sealed_and_erased_payloads_are_not_counted_as_without_a_value() {
    let (dir, log) = new_log();
    let (store, key) = (at(dir.path(), "ks"), at(dir.path(), "w"));
    fine(&["keygen", &key, "--wrapping"]);
    fine(&["keystore", "create", &store, "--wrapping-key", &key]);
    let keys = ["--key-store", &store, "--wrapping-key", &key];
    for (subject, ip) in [("user:a", "10.0.0.1"), ("user:b", "10.0.0.2")] {
        let event = ["append", &log, "--actor", subject, "--action", "a.b", "--resource", "r"];
        let sealed = ["--subject", subject, "--ip", ip];
        fine(&[&event[..], &sealed, &keys].concat());
    }
    let counted = ["query", &log, "--count-by", "ip"];
    assert!(fine(&counted).contains("2  (sealed)"), "{}", fine(&counted));
    assert!(fine(&[&counted[..], &keys].concat()).contains("1  10.0.0.1"));
    let json = jsonl(&fine(&[&counted[..], &["--output", "jsonl"]].concat()));
    let expected = serde_json::json!({"value": null, "count": 2, "payload": "sealed"});
    assert_eq!(json, [expected]);
    let erase = ["erase", &log, "user:a", "--who", "carol", "--why", "asked"];
    fine(&[&erase[..], &keys].concat());
    let shown = fine(&[&counted[..], &keys].concat());
    assert!(shown.contains("1  (erased)") && shown.contains("1  10.0.0.2"), "{shown}");
}

#[test]
fn the_absence_of_what_no_key_can_name_is_not_proved() {
    let (dir, log) = signed_log();
    let proof = at(dir.path(), "proof");
    for slip in ["segment/1", "keyz", "hold/", "segment/000000000000000A", "erased/12", "", "log/"]
    {
        let told = refused(2, &["prove", &log, "--state", slip, "-o", &proof]);
        assert!(told.contains("segment 1 is segment/0000000000000001"), "{slip}: {told}");
    }
    for key in ["log", "policy", "hold/case-7", "segment/0000000000000007"] {
        fine(&["prove", &log, "--state", key, "-o", &proof]);
    }
}

#[test]
fn a_proof_that_a_drop_is_in_the_way_of_says_what_to_do() {
    let (dir, log) = signed_log();
    let (key, proof) = (at(dir.path(), "audit.key"), at(dir.path(), "proof"));
    let public = format!("{key}.pub");
    fine(&["checkpoint", &log, "--key", &key, "--seal"]);
    fine(&["append", &log, "--actor", "u:a", "--action", "a.b", "--resource", "r"]);
    fine(&["retain", &log, "--keep", "0s", "--who", "a", "--why", "b"]);
    // Of what is gone no checkpoint helps, but that it went can be shown.
    let told = refused(1, &["prove", &log, "3", "-o", &proof]);
    let state = "--state drop/0000000000000001 -o FILE";
    assert!(told.contains(&format!("`bulla prove {log} {state}`")), "{told}");
    assert!(told.contains("`bulla restore`"), "{told}");
    // The others are proved complete under a head that covers the drop.
    let query = ["query", &log, "--actor", "a", "--prove", &proof];
    let told = refused(1, &query);
    let sign = format!("`bulla checkpoint {log} --key FILE --seal`");
    assert!(told.contains(&sign) && told.contains("prove under that one"), "{told}");
    fine(&["checkpoint", &log, "--key", &key, "--seal"]);
    fine(&query);
    fine(&["verify-proof", &proof, "--pubkey", &public]);
    fine(&["prove", &log, "--state", "drop/0000000000000001", "-o", &proof]);
    let shown = fine(&["verify-proof", &proof, "--pubkey", &public]);
    assert!(shown.contains("this was in force"), "{shown}");
}
