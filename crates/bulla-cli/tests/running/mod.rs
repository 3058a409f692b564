//! Running the real binary.
#![allow(dead_code)] // each test binary uses a part

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A command of the real binary, with nothing on its standard input.
pub(crate) fn bulla(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bulla"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// What a run left behind.
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the real binary to its end.
pub(crate) fn run(arguments: &[&str]) -> Ran {
    let Output { status, stdout, stderr } = bulla(arguments).output().unwrap();
    Ran {
        status: status.code().unwrap_or(-1),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

/// Runs the real binary, which must succeed; gives its standard output.
pub(crate) fn fine(arguments: &[&str]) -> String {
    let ran = run(arguments);
    assert_eq!(ran.status, 0, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    ran.stdout
}

/// Runs the real binary, which must end with this status; gives its standard error.
pub(crate) fn refused(status: i32, arguments: &[&str]) -> String {
    let ran = run(arguments);
    assert_eq!(ran.status, status, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    ran.stderr
}

/// A path below a directory, as an argument.
pub(crate) fn at(dir: &Path, name: &str) -> String {
    dir.join(name).display().to_string()
}

/// A sample of this package, as an argument.
pub(crate) fn sample(name: &str) -> String {
    at(&samples(), name)
}

/// The samples of this package.
pub(crate) fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")
}

/// The lines of JSON output, parsed.
pub(crate) fn jsonl(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The next number of a sequence that its seed decides (SplitMix64).
pub(crate) fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A new log in a directory of its own.
pub(crate) fn new_log() -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let log = at(dir.path(), "audit");
    fine(&["init", &log, "--origin", "example.com/audit"]);
    (dir, log)
}

/// The same with the CloudTrail sample in it: 42 events.
pub(crate) fn sample_log() -> (TempDir, String) {
    let (dir, log) = new_log();
    fine(&["import", &log, &sample("cloudtrail.jsonl"), "--format", "cloudtrail"]);
    (dir, log)
}

/// The same with a checkpoint, signed by `audit.key` beside it.
pub(crate) fn signed_log() -> (TempDir, String) {
    let (dir, log) = sample_log();
    let key = at(dir.path(), "audit.key");
    fine(&["keygen", &key, "--log", &log]);
    fine(&["checkpoint", &log, "--key", &key, "-o", &at(dir.path(), "kept.checkpoint")]);
    (dir, log)
}
