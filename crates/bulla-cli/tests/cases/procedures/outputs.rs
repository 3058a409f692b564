//! No output destroys what it is made from, a key, or a log.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{EVENT, events_file};
use crate::running::{at, bulla, fine, refused, run};

/// A log with a key, two heads, a file of events with a line that is rejected, an export, an
/// archive, a key store and the wrapping key of it.
struct Place {
    dir: TempDir,
    log: String,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = Place { log: at(dir.path(), "log"), dir };
        fine(&["init", &place.log, "--origin", "ex.example/log"]);
        fine(&["keygen", &place.at("key"), "--log", &place.log]);
        fine(&[
            "import",
            &place.log,
            &events_file(place.dir.path(), "in.jsonl", 3),
            "--format",
            "jsonl",
        ]);
        fine(&[
            "checkpoint",
            &place.log,
            "--key",
            &place.at("key"),
            "--seal",
            "-o",
            &place.at("head"),
        ]);
        fine(&["append", &place.log, "--actor", "u:2", "--action", "a.b", "--resource", "r"]);
        fine(&[
            "checkpoint",
            &place.log,
            "--key",
            &place.at("key"),
            "--seal",
            "-o",
            &place.at("newer"),
        ]);
        fine(&["export-tiles", &place.log, &place.at("pub")]);
        fine(&["keygen", &place.at("auditor"), "--origin", "auditor.example"]);
        fine(&["keygen", &place.at("wrapping"), "--wrapping"]);
        fine(&["keystore", "create", &place.at("keys"), "--wrapping-key", &place.at("wrapping")]);
        fs::write(place.at("bad.jsonl"), format!("{EVENT}\nno event\n")).unwrap();
        place
    }

    fn at(&self, name: &str) -> String {
        at(self.dir.path(), name)
    }

    /// All that must stay, byte for byte, but for what a running log writes.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        collect(self.dir.path(), &mut found);
        found.retain(|(name, _)| !name.ends_with(".lock") && !name.contains("/LOCK"));
        found.sort();
        found
    }

    /// Runs a command that must be refused with status 2, and must change nothing.
    fn refused(&self, arguments: &[&str]) -> String {
        let before = self.files();
        let told = refused(2, arguments);
        let after = self.files();
        let names = |files: &[(String, Vec<u8>)]| {
            files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(&before), names(&after), "{arguments:?}: {told}");
        for ((name, before), (_, after)) in before.iter().zip(&after) {
            assert!(before == after, "{arguments:?} changed {name}: {told}");
        }
        told
    }

    /// Every command that writes a file it is given, with this file.
    fn commands<'a>(&'a self, output: &'a str) -> Vec<Vec<String>> {
        let (log, key) = (self.log.as_str(), self.at("key"));
        let (head, bad) = (self.at("head"), self.at("bad.jsonl"));
        let (public, auditor) = (self.at("key.pub"), self.at("auditor"));
        let export = self.at("pub");
        let all: [&[&str]; 7] = [
            &["import", log, &bad, "--format", "jsonl", "--rejects", output],
            &["prove", log, "0", "-o", output],
            &["prove", log, "--from", &head, "-o", output],
            &["query", log, "--prove", output],
            &["checkpoint", log, "--key", &key, "-o", output],
            &["key", "chain", log, "-o", output],
            &["audit", &export, "--pubkey", &public, "--key", &auditor, "-o", output],
        ];
        all.iter().map(|command| command.iter().map(ToString::to_string).collect()).collect()
    }

    /// No command writes there.
    fn all_refused(&self, output: &str) {
        for command in self.commands(output) {
            let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
            let told = self.refused(&arguments);
            let shown = Path::new(output).file_name().unwrap().to_string_lossy().into_owned();
            assert!(told.contains(&shown) && told.contains("choose"), "{arguments:?}: {told}");
        }
    }
}

fn collect(dir: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(&path, found),
            false => found.push((path.display().to_string(), fs::read(&path).unwrap())),
        }
    }
}

#[test]
fn no_output_replaces_a_secret_or_what_stands_beside_it() {
    let place = Place::new();
    fs::write(place.at("ssh"), "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n").unwrap();
    for name in ["key", "key.heads", "key.pub", "auditor", "wrapping", "keys", "ssh"] {
        place.all_refused(&place.at(name));
    }
    // By another name it is the same.
    fs::hard_link(place.at("wrapping"), place.at("other-name")).unwrap();
    std::os::unix::fs::symlink("keys", place.at("link")).unwrap();
    place.all_refused(&place.at("other-name"));
    place.all_refused(&place.at("link"));
    place.all_refused(&place.at("pub/../key"));
}

#[test]
fn no_output_lies_in_a_log_an_archive_or_an_export() {
    let place = Place::new();
    let archive = place.at("archive/ex.example_log-0123abcd/0000000000000001");
    fs::create_dir_all(&archive).unwrap();
    fs::write(format!("{archive}/MANIFEST.json"), "{}").unwrap();
    fs::write(format!("{archive}/segment.seg"), "x").unwrap();
    fs::create_dir_all(place.at("vault/logs/a")).unwrap();
    fs::create_dir_all(place.at("vault/control/catalog")).unwrap();
    fs::create_dir_all(place.at("vault/control/segments")).unwrap();
    fs::write(place.at("vault/secret"), "x").unwrap();
    std::os::unix::fs::symlink("log/segments", place.at("door")).unwrap();
    let another = place.at("another");
    fine(&["init", &another]);
    for name in [
        "log/segments/00000001.seg",
        "log/new",
        "log/checkpoints/x",
        "door/x",
        "another/x",
        "another/LOCK",
        "archive/x",
        "archive/ex.example_log-0123abcd/x",
        "archive/ex.example_log-0123abcd/0000000000000001/segment.seg",
        "vault/secret",
        "vault/logs/x",
        "pub/checkpoint",
        "pub/tile/0/x",
    ] {
        place.all_refused(&place.at(name));
    }
    fine(&["verify", &place.log]);
}

#[test]
fn no_output_replaces_an_input_by_whatever_name() {
    let place = Place::new();
    let (log, key) = (place.log.as_str(), place.at("key"));
    let (head, newer, bad) = (place.at("head"), place.at("newer"), place.at("bad.jsonl"));
    fs::hard_link(&head, place.at("hard")).unwrap();
    fs::hard_link(&bad, place.at("hard.jsonl")).unwrap();
    std::os::unix::fs::symlink("head", place.at("soft")).unwrap();
    for output in [&head, &place.at("hard"), &place.at("soft"), &place.at("./log/../head")] {
        place.refused(&["prove", log, "--from", &head, "-o", output]);
        place.refused(&["prove", log, "3", "--after", &head, "--checkpoint", &newer, "-o", output]);
        place.refused(&["query", log, "--checkpoint", &head, "--prove", output]);
    }
    for output in [&bad, &place.at("hard.jsonl")] {
        place.refused(&["import", log, &bad, "--format", "jsonl", "--rejects", output]);
    }
    // Neither log nor input need be there for a key to be in danger.
    place.refused(&[
        "import",
        &place.at("no"),
        &place.at("none"),
        "--format",
        "jsonl",
        "--rejects",
        &key,
    ]);
    // A mapping, a policy, a key: whatever a command reads.
    let map = place.at("doors.json");
    fs::write(&map, r#"{"name": "m", "fields": {}}"#).unwrap();
    place.refused(&["import", log, &bad, "--format", "json", "--map", &map, "--rejects", &map]);
    let export = place.at("pub");
    let told = place.refused(&[
        "audit",
        &export,
        "--pubkey",
        &place.at("key.pub"),
        "--key",
        &place.at("auditor"),
        "-o",
        &place.at("pub/checkpoint"),
    ]);
    assert!(told.contains("pub/checkpoint"), "{told}");
    // The list goes where the log is to be made.
    place.refused(&[
        "import",
        &place.at("new"),
        &bad,
        "--create",
        "--format",
        "jsonl",
        "--rejects",
        &place.at("new/x"),
    ]);
}

#[test]
fn no_directory_is_made_where_another_thing_is() {
    let place = Place::new();
    let log = place.log.as_str();
    let store = ["--wrapping-key", &place.at("wrapping")];
    for inside in ["log/x", "log/segments/x", "pub/x"] {
        let dir = place.at(inside);
        place.refused(&["init", &dir]);
        place.refused(&["demo", &dir]);
        place.refused(&["export-tiles", log, &dir]);
        place.refused(&["keygen", &dir, "--origin", "ex.example"]);
        place.refused(&["keygen", &dir, "--wrapping"]);
        place.refused(&["keystore", "create", &dir, store[0], store[1]]);
        place.refused(&[
            "witness",
            "--key",
            &place.at("auditor"),
            "--state",
            &dir,
            "--log",
            &place.at("key.pub"),
        ]);
        place.refused(&[
            "retain",
            log,
            "--keep",
            "1s",
            "--archive",
            &dir,
            "--who",
            "x",
            "--why",
            "y",
        ]);
        place.refused(&["key", "rotate", log, "--key", &place.at("key"), "--next", &dir]);
        let events = place.at("in.jsonl");
        place.refused(&["import", &dir, &events, "--create", "--format", "jsonl"]);
    }
    place.refused(&["bench", "--dir", log, "--events", "1"]);
    place.refused(&["export-tiles", log, &place.at("keys")]);
    place.refused(&[
        "retain",
        log,
        "--keep",
        "1s",
        "--archive",
        &place.at("pub"),
        "--who",
        "x",
        "--why",
        "y",
    ]);
}

#[test]
fn the_verifying_key_of_another_key_is_not_replaced() {
    let place = Place::new();
    fine(&[
        "key",
        "recovery",
        &place.log,
        "--key",
        &place.at("key"),
        "--recovery",
        &place.at("rec"),
    ]);
    fs::remove_file(place.at("key")).unwrap();
    // The key was lost, and its public half names it.
    let told = place.refused(&[
        "key",
        "revoke",
        &place.log,
        "--revoked",
        &place.at("key.pub"),
        "--recovery",
        &place.at("rec"),
        "--next",
        &place.at("key"),
    ]);
    assert!(told.contains("key.pub"), "{told}");
}

#[test]
fn an_output_is_there_whole_or_not_at_all() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let proof = place.at("proof");
    fs::write(&proof, "old").unwrap();
    fs::set_permissions(&proof, fs::Permissions::from_mode(0o640)).unwrap();
    // An error leaves the old one, and nothing beside it.
    place.refused(&["prove", &place.log, "7", "-o", &proof]);
    place.refused(&[
        "import",
        &place.log,
        &place.at("none"),
        "--format",
        "jsonl",
        "--rejects",
        &proof,
    ]);
    fine(&["prove", &place.log, "0", "-o", &proof]);
    assert!(fs::read_to_string(&proof).unwrap().starts_with("c2sp.org/tlog-proof"));
    assert_eq!(fs::metadata(&proof).unwrap().permissions().mode() & 0o777, 0o640);
    // A link stays one, and what it leads to is replaced.
    std::os::unix::fs::symlink("proof", place.at("link")).unwrap();
    fine(&["prove", &place.log, "1", "-o", &place.at("link")]);
    assert!(fs::symlink_metadata(place.at("link")).unwrap().is_symlink());
    assert!(fs::read_to_string(&proof).unwrap().starts_with("c2sp.org/tlog-proof"));
    let names = fs::read_dir(place.dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().ends_with(".tmp")));
}

#[test]
fn rejects_are_written_if_there_are_any() {
    let place = Place::new();
    let rejects = place.at("rejects");
    let import = |file: &str| {
        run(&["import", &place.log, &place.at(file), "--format", "jsonl", "--rejects", &rejects])
    };
    assert_eq!(import("in.jsonl").status, 0);
    assert!(!Path::new(&rejects).exists());
    assert_eq!(import("bad.jsonl").status, 0);
    let listed = fs::read_to_string(&rejects).unwrap();
    assert!(listed.lines().count() == 1 && listed.contains("bad.jsonl:2: "), "{listed}");
    let ran = import("in.jsonl");
    assert!(ran.stderr.contains("nothing was rejected"), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(&rejects).unwrap(), listed);
}

#[test]
fn devices_and_pipes_are_written_as_they_are() {
    let place = Place::new();
    let out = fine(&["prove", &place.log, "0", "-o", "/dev/stdout"]);
    assert!(out.starts_with("c2sp.org/tlog-proof"), "{out}");
    fine(&["prove", &place.log, "0", "-o", "/dev/null"]);
    for output in ["/dev/full", "/dev", &place.at("none/x"), &place.at("x/"), ""] {
        for command in place.commands(output) {
            let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
            let ran = run(&arguments);
            assert_eq!(ran.status, 2, "{arguments:?}: {}", ran.stderr);
            assert!(!ran.stderr.contains("panicked"), "{arguments:?}: {}", ran.stderr);
        }
    }
    // Behind what the shell has written to the file.
    let both = place.at("both");
    fs::write(&both, "first\n").unwrap();
    let file = fs::OpenOptions::new().append(true).open(&both).unwrap();
    let ran = bulla(&["key", "chain", &place.log, "-o", "/dev/stdout"]).stdout(file).status();
    assert!(ran.unwrap().success());
    assert!(fs::read_to_string(&both).unwrap().starts_with("first\n"));
}

#[test]
fn a_key_that_is_open_already_is_written_by_no_name() {
    let place = Place::new();
    let key = place.at("key");
    let before = fs::read(&key).unwrap();
    let file = fs::OpenOptions::new().read(true).append(true).open(&key).unwrap();
    let prove = ["prove", &place.log, "0", "-o", "/dev/stdout"];
    let ran = bulla(&prove).stdout(file).output().unwrap();
    assert_eq!(ran.status.code(), Some(2), "{}", String::from_utf8_lossy(&ran.stderr));
    let script = "exec 9<>\"$0\"; exec \"$@\" -o /dev/fd/9";
    let program = env!("CARGO_BIN_EXE_bulla");
    let mut shell = Command::new("sh");
    let ran = shell.args(["-c", script, &key, program]).args(&prove[..3]).output().unwrap();
    let told = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(2), "{told}");
    assert!(told.contains("never overwritten"), "{told}");
    assert_eq!(fs::read(&key).unwrap(), before);
}

#[test]
fn a_dash_is_standard_output_where_nothing_else_is_printed() {
    let place = Place::new();
    let (log, key) = (place.log.clone(), place.at("key"));
    for dash in ["-", "/dev/stdout"] {
        for (call, begins) in [
            (vec!["prove", &log, "0", "-o", dash], "c2sp.org/tlog-proof"),
            (vec!["key", "chain", &log, "--output", dash], "bulla.dev/key-chain"),
            (vec!["checkpoint", &log, "--key", &key, "-o", dash], "ex.example/log\n"),
        ] {
            let out = fine(&call);
            assert!(out.starts_with(begins), "{call:?}: {out}");
        }
        let (file, public) = (place.at("bad.jsonl"), place.at("key.pub"));
        let auditor = place.at("auditor");
        let audit = ["audit", &place.at("pub"), "--pubkey", &public, "--key", &auditor];
        for call in [
            vec!["query", &log, "--prove", dash],
            vec!["import", &log, &file, "--format", "jsonl", "--rejects", dash],
            [&audit[..], &["-o", dash]].concat(),
        ] {
            let told = place.refused(&call);
            let expected =
                format!("{dash} is standard output, where this command prints something");
            assert!(told.contains(&expected), "{call:?}: {told}");
        }
        let wrapping = place.at("wrapping");
        for call in [
            vec!["keygen", dash, "--origin", "ex.example"],
            vec!["keygen", dash, "--log", &log],
            vec!["keygen", dash, "--witness", "--name", "ex.example"],
            vec!["keygen", dash, "--wrapping"],
            vec!["keystore", "create", dash, "--wrapping-key", &wrapping],
            vec!["key", "rotate", &log, "--key", &key, "--next", dash],
        ] {
            let told = place.refused(&call);
            assert!(told.contains(&format!("{dash} is no name of a file")), "{call:?}: {told}");
        }
    }
    for call in [vec!["export-tiles", &log, "-"], vec!["init", "-"]] {
        assert!(place.refused(&call).contains("expected a directory, found -"), "{call:?}");
    }
    assert!(!Path::new("-").exists(), "no file of that name was made");
}

#[test]
fn an_output_is_given_once() {
    let place = Place::new();
    let (log, key, public) = (place.log.clone(), place.at("key"), place.at("key.pub"));
    let (one, two) = (place.at("one"), place.at("two"));
    let both = ["-o", &one, "-o", &two];
    for call in [
        vec!["prove", &log, "0"],
        vec!["checkpoint", &log, "--key", &key],
        vec!["key", "chain", &log],
        vec!["audit", &place.at("pub"), "--pubkey", &public, "--key", &place.at("auditor")],
    ] {
        let told = place.refused(&[&call[..], &both].concat());
        assert!(told.contains("cannot be used multiple times"), "{call:?}: {told}");
    }
    place.refused(&["query", &log, "--prove", &one, "--prove", &two]);
    place.refused(&["keygen", &one, &two, "--origin", "ex.example"]);
}

/// A rescued directory has lost what marks it, and a bind mount hides it.
#[test]
fn a_file_of_a_log_is_known_by_what_is_in_it() {
    let place = Place::new();
    for dir in ["archive/log-6bfbf63e/1", "half/segments", "half/tree", "loose", "free"] {
        fs::create_dir_all(place.at(dir)).unwrap();
    }
    let copy = |from: &str, to: &str| {
        fs::copy(place.at(from), place.at(to)).unwrap();
        to.to_owned()
    };
    let copies = [
        copy("log/segments/00000001.seg", "archive/log-6bfbf63e/1/segment.seg"),
        copy("log/segments/00000001.seg", "half/segments/00000001.seg"),
        copy("log/segments/00000001.idx", "half/segments/00000001.idx"),
        copy("log/tree/level-00.hashes", "half/tree/level-00.hashes"),
        copy("log/segments/00000001.seg", "free/any-name"),
        copy("log/segments/00000001.idx", "free/index"),
        copy("log/tree/level-00.hashes", "free/level"),
        copy("log/catalog/a/00000001.seg", "free/catalog"),
        copy("log/LOCK", "free/lock"),
        copy("pub/bulla-export", "free/export"),
    ];
    let mut damaged = fs::read(place.at("log/segments/00000001.seg")).unwrap();
    damaged[..512].fill(0);
    fs::write(place.at("free/damaged"), damaged).unwrap();
    let manifest = "{\n  \"format\": \"bulla-archive\",\n  \"version\": 1\n}\n";
    fs::write(place.at("free/manifest"), manifest).unwrap();
    for name in copies.iter().map(String::as_str).chain(["free/damaged", "free/manifest"]) {
        place.all_refused(&place.at(name));
    }
    // Nor is anything new put among such files.
    for name in ["archive/log-6bfbf63e/1/x", "half/segments/00000002.seg", "half/tree/x"] {
        place.all_refused(&place.at(name));
    }
    // Of other files the content is nothing to keep.
    fs::write(place.at("loose/result"), "BULLA").unwrap();
    fine(&["prove", &place.log, "0", "-o", &place.at("loose/result")]);
    fine(&["verify", &place.log]);
}
