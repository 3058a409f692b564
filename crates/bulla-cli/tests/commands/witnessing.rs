//! Witnesses from the command line: two commands and a policy file.

// Clippy lets tests panic, but does not count the functions they share as tests.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use crate::running::{at, bulla, fine, refused, run};
use bulla::{Log, Trust, UnverifiedCheckpoint};
use tempfile::TempDir;

/// A running `bulla witness`; killed (SIGKILL) when it is dropped.
struct Serving {
    process: Child,
    url: String,
}

impl Serving {
    fn start(dir: &Path, name: &str, logs: &[&str]) -> Self {
        let (key, state) = (at(dir, &format!("{name}.key")), at(dir, &format!("{name}.state")));
        let mut arguments = vec!["witness", "--listen", "127.0.0.1:0"];
        arguments.extend(["--key", &key, "--state", &state]);
        logs.iter().for_each(|log| arguments.extend(["--log", log]));
        let mut process =
            bulla(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (url, _) = line.split_once(' ').unwrap_or_else(|| panic!("it did not start: {line:?}"));
        Serving { url: url.to_owned(), process }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn vkey(dir: &Path, key: &str) -> String {
    fs::read_to_string(dir.join(format!("{key}.key.pub"))).unwrap().trim().to_owned()
}

/// A log with a key, two keys of witnesses, and a policy that wants both, without URLs.
fn set_up(hash: &str) -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let log = at(dir.path(), "audit");
    fine(&["init", &log, "--origin", "example.com/audit", "--hash", hash]);
    fine(&["keygen", &at(dir.path(), "log.key"), "--log", &log]);
    for name in ["w1", "w2"] {
        let (key, full) =
            (at(dir.path(), &format!("{name}.key")), format!("witness.example/{name}"));
        let told = fine(&["keygen", &key, "--witness", "--name", &full]);
        assert_eq!(told.trim(), vkey(dir.path(), name));
        assert!(told.starts_with(&format!("{full}+")));
    }
    let [own, w1, w2] = ["log", "w1", "w2"].map(|name| vkey(dir.path(), name));
    let policy = format!(
        "# both\nlog {own}\nwitness w1 {w1}\nwitness w2 {w2}\ngroup both all w1 w2\nquorum both\n"
    );
    fs::write(dir.path().join("policy"), policy).unwrap();
    (dir, log)
}

fn append(log: &str) {
    fine(&["append", log, "--actor", "user:a", "--action", "x.y", "--resource", "r/1"]);
}

fn cosignatures(dir: &Path, text: &str) -> usize {
    let policy = bulla::witness::Policy::parse(&fs::read(dir.join("policy")).unwrap()).unwrap();
    let checkpoint = UnverifiedCheckpoint::parse(text.as_bytes()).unwrap();
    Trust::in_policy(policy).verify(&checkpoint).unwrap().cosignatures().len()
}

#[test]
fn witnesses_cosign_and_a_killed_one_is_named_and_takes_up_where_it_was() {
    let (dir, log) = set_up("sha256");
    let here = dir.path();
    let (key, policy, public) = (at(here, "log.key"), at(here, "policy"), at(here, "log.key.pub"));
    let w1 = Serving::start(here, "w1", &[&public]);
    let w2 = Serving::start(here, "w2", &[&vkey(here, "log")]);
    let places = [format!("w1={}", w1.url), format!("w2={}", w2.url)];
    let mut ask = vec!["checkpoint", &log, "--policy", &policy];
    places.iter().for_each(|place| ask.extend(["--witness", place]));
    let signing = [&ask[..], &["--key", &key]].concat();

    append(&log);
    let cosigned = fine(&signing);
    assert_eq!(cosignatures(here, &cosigned), 2);
    let published = fs::read_to_string(here.join("audit/checkpoints/0000000000000002.checkpoint"));
    assert_eq!(published.unwrap(), cosigned);
    // The same again: all have cosigned.
    assert_eq!(fine(&signing), cosigned);

    // One is killed. The checkpoint stays published, with the other's cosignature.
    drop(w2);
    append(&log);
    let output = at(here, "out.checkpoint");
    let ran = run(&[&signing[..], &["-o", &output]].concat());
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("w2 (witness.example/w2) did not cosign"), "{}", ran.stderr);
    assert!(ran.stderr.contains("the quorum is not reached"), "{}", ran.stderr);
    let published = fs::read_to_string(here.join("audit/checkpoints/0000000000000004.checkpoint"));
    let published = published.unwrap();
    assert_eq!(fs::read_to_string(&output).unwrap(), published);
    assert_eq!(published.matches('\u{2014}').count(), 2);

    // It comes back, and is asked while a service has the log open.
    let older = at(here, "older");
    assert!(
        std::process::Command::new("cp").args(["-r", &log, &older]).status().unwrap().success()
    );
    let w2 = Serving::start(here, "w2", &[&public]);
    let service = Log::open(&log).unwrap();
    let places = [format!("w1={}", w1.url), format!("w2={}", w2.url)];
    let again = ["checkpoint", &log, "--policy", &policy, "--witness", &places[1]];
    let cosigned = fine(&again);
    assert_eq!(cosignatures(here, &cosigned), 2);
    assert!(cosigned.starts_with(&published), "nothing was lost");
    service.close().unwrap();
    append(&log);
    assert_eq!(
        cosignatures(
            here,
            &fine(&[&again[..], &["--key", &key], &["--witness", &places[0]]].concat())
        ),
        2
    );

    fine(&["verify", &log]);

    // The log is rolled back to where the second had not cosigned, but it has since seen more.
    fs::rename(&log, at(here, "newer")).unwrap();
    fs::rename(at(here, "older"), &log).unwrap();
    let ran = run(&again);
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("it has seen 6 records"), "{}", ran.stderr);
}

#[test]
fn a_blake3_log_is_not_witnessed_and_every_command_says_that_a_sha256_log_is_needed() {
    let (dir, log) = set_up("blake3");
    let here = dir.path();
    let (key, policy, public) = (at(here, "log.key"), at(here, "policy"), at(here, "log.key.pub"));
    append(&log);
    let expected = ["expected a SHA-256 log", "found blake3 heads", "--hash sha256"];
    let says = |told: &str| expected.iter().all(|part| told.contains(part));
    // Nothing is signed first.
    let told = refused(2, &["checkpoint", &log, "--key", &key, "--policy", &policy]);
    assert!(says(&told) && told.contains("nothing was signed"), "{told}");
    assert_eq!(fs::read_dir(here.join("audit/checkpoints")).unwrap().count(), 0);
    // Without the policy it is, and then the published checkpoint is not to be cosigned either.
    fine(&["checkpoint", &log, "--key", &key]);
    let told = refused(2, &["checkpoint", &log, "--policy", &policy]);
    assert!(says(&told), "{told}");
    // Nor does a witness watch it.
    let (w1, state) = (at(here, "w1.key"), at(here, "state"));
    let watch = ["witness", "--key", &w1, "--state", &state];
    for from in [["--log", &public], ["--policy", &policy]] {
        let told = refused(2, &[&watch[..], &from].concat());
        assert!(told.contains("SHA-256 logs only, found example.com/audit"), "{told}");
        assert!(!Path::new(&state).exists(), "nothing is made first");
        assert!(
            told.contains("the key of a BLAKE3 log") && told.contains("--hash sha256"),
            "{told}"
        );
    }
    // A proof holds by the log's key, and never by a quorum of witnesses.
    let proof = at(here, "proof");
    fine(&["prove", &log, "0", "-o", &proof]);
    fine(&["verify-proof", &proof, "--pubkey", &public]);
    let told = refused(1, &["verify-proof", &proof, "--policy", &policy]);
    assert!(told.contains("expected the head of a SHA-256 log"), "{told}");
    assert!(told.contains("which witnesses do not cosign"), "{told}");
    fine(&["verify", &log]);
}

#[test]
fn what_is_wrong_is_told_before_anything_is_signed() {
    let (dir, log) = set_up("sha256");
    let here = dir.path();
    let (key, policy) = (at(here, "log.key"), at(here, "policy"));
    let bad = at(here, "bad");
    fs::write(&bad, "quorum nobody\n").unwrap();
    let told = refused(2, &["checkpoint", &log, "--key", &key, "--policy", &bad]);
    assert!(told.contains("line 1") && told.contains("nobody"), "{told}");
    let place = ["--witness", "w9=http://127.0.0.1:1"];
    let told = refused(
        2,
        &[&["checkpoint", &log, "--key", &key, "--policy", &policy], &place[..]].concat(),
    );
    assert!(told.contains("w9"), "{told}");
    refused(2, &["checkpoint", &log, "--key", &key, "--policy", &policy, "--witness", "w1"]);
    refused(2, &["checkpoint", &log]);
    let told = refused(2, &["checkpoint", &log, "--policy", &policy]);
    assert!(told.contains("nothing is published yet"), "{told}");
    assert_eq!(fs::read_dir(here.join("audit/checkpoints")).unwrap().count(), 0);
    // Witnesses without URLs are named.
    let ran = run(&["checkpoint", &log, "--key", &key, "--policy", &policy]);
    assert_eq!(ran.status, 1);
    assert!(ran.stderr.contains("NAME=URL"), "{}", ran.stderr);
    assert_eq!(ran.stdout.matches('\u{2014}').count(), 1, "signed it is");
}

#[test]
fn keys_of_witnesses_and_of_logs_are_not_mixed_up_or_left_open() {
    let (dir, log) = set_up("sha256");
    let here = dir.path();
    let (log_key, w1) = (at(here, "log.key"), at(here, "w1.key"));
    let state = at(here, "state");
    let serve = |key: &str, watched: &str| {
        refused(2, &["witness", "--key", key, "--state", &state, "--log", watched])
    };
    assert!(serve(&log_key, &vkey(here, "log")).contains("the key of a log"));
    assert!(serve(&w1, &vkey(here, "w2")).contains("keys of logs"));
    assert!(serve(&w1, "nonsense").contains("--log nonsense"));
    refused(2, &["witness", "--key", &w1, "--state", &state]);
    refused(2, &["keygen", &at(here, "k"), "--witness"]);
    refused(2, &["keygen", &at(here, "k"), "--name", "witness.example/x"]);
    refused(2, &["keygen", &w1, "--witness", "--name", "witness.example/x"]);
    assert!(run(&["checkpoint", &log, "--key", &w1]).status != 0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &str| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&w1), 0o600);
        fs::set_permissions(&w1, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(serve(&w1, &vkey(here, "log")).contains("chmod 600"));
    }
}
