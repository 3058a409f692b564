//! The commands that the documents show, in their order.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::running::{at, bulla};

const README: &str = include_str!("../../../../../README.md");
const ERASURE: &str = include_str!("../../../../../docs/erasure.md");
const QUERIES: &str = include_str!("../../../../../docs/queries.md");
const RETENTION: &str = include_str!("../../../../../docs/retention.md");
const VERIFY: &str = include_str!("../../../../../docs/verify.md");

/// The commands of `bulla` in the blocks of a document, without what is said behind them.
fn commands(document: &str) -> Vec<String> {
    let blocks = document.split("```console\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap().replace("\\\n", ""));
    let commands = blocks.flat_map(|block| {
        let lines = block.lines().filter_map(|line| line.strip_prefix("$ "));
        lines.map(|line| line.split(" # ").next().unwrap().to_owned()).collect::<Vec<_>>()
    });
    commands.filter(|command| command.starts_with("bulla ")).collect()
}

/// Runs a command as a shell does, in this directory.
fn run(dir: &Path, command: &str) {
    let program = bulla(&[]).get_program().to_owned();
    let path = Path::new(&program).parent().unwrap().display().to_string();
    let path = format!("{path}:{}", std::env::var("PATH").unwrap());
    let done = Command::new("sh")
        .args(["-c", command])
        .current_dir(dir)
        .env("PATH", path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{command}: {told}");
}

/// A directory with the samples where they are in the repository.
fn clone() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("crates/bulla-cli")).unwrap();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    symlink(samples, dir.path().join("crates/bulla-cli/samples")).unwrap();
    dir
}

#[test]
fn the_commands_of_the_readme_work_one_after_the_other() {
    let dir = clone();
    let commands = commands(README);
    assert!(commands.len() > 25, "{commands:?}");
    for command in commands {
        if command.contains("--policy audit.policy") {
            let vkey = fs::read_to_string(at(dir.path(), "audit-2.key.pub")).unwrap();
            let policy = format!("log {}\nquorum none\n", vkey.trim());
            fs::write(at(dir.path(), "audit.policy"), policy).unwrap();
        }
        run(dir.path(), &command);
    }
}

#[test]
fn the_commands_of_the_manual_of_erasure_work_one_after_the_other() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), "bulla init audit --origin example.com/audit");
    let commands = commands(ERASURE);
    assert!(commands.len() > 5, "{commands:?}");
    for command in commands {
        run(dir.path(), &command.replace("/secrets/", "").replace("/var/lib/", ""));
    }
}

#[test]
fn the_commands_of_the_manuals_of_queries_retention_and_proofs_work_one_after_the_other() {
    for (document, least) in [(QUERIES, 6), (RETENTION, 6), (VERIFY, 7)] {
        let dir = clone();
        run(dir.path(), "bulla init audit --origin example.com/audit");
        run(dir.path(), "bulla keygen audit.key --log audit");
        let trail = "crates/bulla-cli/samples/cloudtrail.jsonl";
        run(dir.path(), &format!("bulla import audit {trail} --format cloudtrail"));
        let commands = commands(document);
        assert!(commands.len() >= least, "{commands:?}");
        for command in commands {
            run(dir.path(), &command);
        }
    }
}
