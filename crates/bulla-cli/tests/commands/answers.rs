//! The promise: an answer shows a stranger that nothing was left out, whoever made the file;
//! and an auditor who has only what is exported says whether the indexes are those of the records.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

use std::fs;
use std::path::Path;

use crate::running::{at, fine, jsonl, refused, run, sample};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bulla::checkpoint::{Note, SigningKey};
use bulla::proof::IndexAudit;
use bulla::{Disclosure, Log, Query};
use serde_json::Value;
use tempfile::TempDir;

/// A log, its key and the places beside it.
struct Story {
    dir: TempDir,
    log: String,
    key: String,
}

impl Story {
    /// A log with the CloudTrail sample, sealed and signed, and its segment with another event.
    fn new(hash: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (log, key) = (at(dir.path(), "audit"), at(dir.path(), "audit.key"));
        fine(&["init", &log, "--origin", "example.com/audit", "--hash", hash]);
        fine(&["import", &log, &sample("cloudtrail.jsonl"), "--format", "cloudtrail"]);
        fine(&["keygen", &key, "--log", &log]);
        let story = Story { dir, log, key };
        story.seal();
        story
    }

    fn seal(&self) -> String {
        let ran = run(&["checkpoint", &self.log, "--key", &self.key, "--seal", "-o", "/dev/null"]);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        ran.stderr
    }

    fn append(&self) {
        let event = ["--actor", "user:eve", "--action", "x.y", "--resource", "r/1"];
        fine(&[&["append", &self.log], &event[..]].concat());
    }

    fn at(&self, name: &str) -> String {
        at(self.dir.path(), name)
    }

    fn public(&self) -> String {
        self.at("audit.key.pub")
    }

    /// Asks, with a proof; gives the file, what was shown as JSON lines, and what was told.
    fn prove(&self, filters: &[&str]) -> (String, Vec<Value>, String) {
        let file = self.at("an.bulla-answer");
        let asked = ["query", &self.log, "--output", "jsonl", "--prove", &file];
        let ran = run(&[&asked[..], filters].concat());
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        (file, jsonl(&ran.stdout), ran.stderr)
    }

    /// Exports; gives the directory.
    fn export(&self) -> String {
        let out = self.at("public");
        fine(&["export-tiles", &self.log, &out]);
        out
    }

    /// An auditor's key; gives it and its public half.
    fn auditor(&self) -> (String, String) {
        let key = self.at("auditor.key");
        if !Path::new(&key).exists() {
            fine(&["keygen", &key, "--origin", "auditor.example/ann"]);
        }
        let public = format!("{key}.pub");
        (key, public)
    }
}

const ALICE: &str = "arn:aws:iam::111122223333:user/alice";

#[test]
fn what_is_shown_is_proved_to_a_stranger_for_every_filter() {
    let story = Story::new("sha256");
    story.append();
    story.append();
    story.seal();
    for (filters, told) in [
        (&[][..], "limit     none"),
        (&["--actor", ALICE][..], "\" of any type"),
        (&["--actor", "nobody"], "\"nobody\" of any type"),
        (&["--outcome", "denied", "--oldest-first"], "oldest first"),
        (&["--not-outcome", "success", "--limit", "3"], "at most 3"),
        (&["--action", "s3.*", "--withhold-payload"], "all that begin with \"s3.\""),
        (&["--resource", "r/1"], "\"1\" of type \"r\""),
        (&["--since", "2026-03-02T09:00:00Z"], "at 2026-03-02T09:00:00"),
        (&["--recorded-until", "2020-01-01"], "before 2020-01-01T00:00:00"),
        (&["--tenant", "111122223333", "--system"], "and the log's own records"),
    ] {
        let asked = [&["query", &story.log, "--output", "jsonl"][..], filters].concat();
        let asked: Vec<&str> = asked.into_iter().filter(|f| *f != "--withhold-payload").collect();
        let expected = jsonl(&fine(&asked));
        let (file, shown, _) = story.prove(filters);
        assert_eq!(shown, expected, "{filters:?}");
        let verify = ["verify-proof", &file, "--pubkey", &story.public()];
        let verdict = fine(&verify);
        assert!(verdict.starts_with("PROVED COMPLETE"), "{verdict}");
        assert!(verdict.contains(told), "{filters:?}: {verdict}");
        let ran = run(&[&verify[..], &["--output", "jsonl"]].concat());
        let seqs = |records: &[Value]| -> Vec<u64> {
            records.iter().map(|record| record["seq"].as_u64().unwrap()).collect()
        };
        assert_eq!(seqs(&jsonl(&ran.stdout)), seqs(&expected), "{filters:?}");
        assert!(ran.stderr.starts_with("PROVED COMPLETE"), "{}", ran.stderr);
    }
}

#[test]
fn a_page_is_proved_and_the_next_one_goes_on_with_its_cursor() {
    let story = Story::new("sha256");
    let (mut seen, mut after) = (Vec::new(), Vec::<String>::new());
    loop {
        let mut filters = vec!["--limit", "10"];
        filters.extend(after.iter().map(String::as_str));
        let (file, shown, told) = story.prove(&filters);
        fine(&["verify-proof", &file, "--pubkey", &story.public()]);
        seen.extend(shown.iter().map(|record| record["seq"].as_u64().unwrap()));
        let Some((_, rest)) = told.split_once("--after ") else { break };
        let cursor = rest.split_whitespace().next().unwrap();
        after = vec!["--after".to_owned(), cursor.to_owned()];
    }
    assert_eq!(seen, (0..42).rev().collect::<Vec<_>>());
}

#[test]
fn a_table_says_that_its_limit_is_part_of_the_question() {
    let story = Story::new("sha256");
    let file = story.at("an.bulla-answer");
    let ran = run(&["query", &story.log, "--prove", &file]);
    assert!(ran.stderr.contains("the limit of 50 that a table has"), "{}", ran.stderr);
    let verdict = fine(&["verify-proof", &file, "--pubkey", &story.public()]);
    assert!(verdict.contains("at most 50"), "{verdict}");
    let refused = refused(2, &["query", &story.log, "--prove", &file, "--count"]);
    assert!(refused.contains("cannot be used with"), "{refused}");
}

#[test]
fn a_record_that_is_left_out_is_missed() {
    let story = Story::new("sha256");
    let (file, shown, _) = story.prove(&["--outcome", "denied"]);
    let whole = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let records: Vec<usize> =
        (0..lines.len()).filter(|at| lines[*at].starts_with("record ")).collect();
    assert!(records.len() >= shown.len() && !shown.is_empty());
    for left_out in records {
        let mut kept = lines.clone();
        kept.remove(left_out);
        fs::write(&file, kept.concat()).unwrap();
        let told = refused(1, &["verify-proof", &file, "--pubkey", &story.public()]);
        assert!(told.contains("not proved"), "{told}");
    }
    // Without any record the bundle is of no tree at all, and the candidates are missed.
    let none: Vec<&str> =
        lines.iter().copied().filter(|line| !line.starts_with("record ")).collect();
    fs::write(&file, none.concat()).unwrap();
    refused(1, &["verify-proof", &file, "--pubkey", &story.public()]);
    // The question of one answer does not go with the records of another.
    let (other, ..) = story.prove(&["--actor", ALICE]);
    let other = fs::read_to_string(&other).unwrap();
    let mixed = format!(
        "{}\n\n{}",
        whole.split_once("\n\n").unwrap().0,
        other.split_once("\n\n").unwrap().1
    );
    fs::write(&file, mixed).unwrap();
    refused(1, &["verify-proof", &file, "--pubkey", &story.public()]);
    fs::write(&file, &whole).unwrap();
    fine(&["verify-proof", &file, "--pubkey", &story.public()]);
}

#[test]
fn another_key_proves_nothing() {
    let (story, other) = (Story::new("sha256"), Story::new("sha256"));
    let (file, ..) = story.prove(&[]);
    let told = refused(1, &["verify-proof", &file, "--pubkey", &other.public()]);
    assert!(told.contains("not proved"), "{told}");
}

#[test]
fn what_came_after_the_seal_is_told_as_not_covered() {
    let story = Story::new("sha256");
    assert!(story.seal().contains("nothing to seal"));
    story.append();
    story.append();
    let (file, shown, told) = story.prove(&["--actor", "eve"]);
    assert!(shown.is_empty() && told.contains("2 newer records are not covered"), "{told}");
    assert!(told.contains("--seal"), "{told}");
    // Signed, and not sealed: the same.
    fine(&["checkpoint", &story.log, "--key", &story.key]);
    assert!(story.prove(&["--actor", "eve"]).2.contains("2 newer records are not covered"));
    let verdict = fine(&["verify-proof", &file, "--pubkey", &story.public()]);
    assert!(verdict.contains("no record matches, of the records from 0 up to, not including, 42"));
    assert!(story.seal().contains("sealed segment 2"));
    let (_, shown, told) = story.prove(&["--actor", "eve"]);
    assert!(shown.len() == 2 && !told.contains("not covered"), "{told}");
    // Nothing is left to seal, however often it is asked for.
    let count = || fine(&["segments", &story.log, "--output", "csv"]).lines().count();
    let before = count();
    (0..3).for_each(|_| assert!(story.seal().contains("nothing to seal")));
    assert_eq!(count(), before);
}

#[test]
fn an_answer_stands_under_the_checkpoint_that_was_given() {
    let story = Story::new("sha256");
    let kept = story.at("kept.checkpoint");
    fine(&["checkpoint", &story.log, "--key", &story.key, "-o", &kept]);
    story.append();
    story.seal();
    let (file, shown, told) = story.prove(&["--actor", "eve", "--checkpoint", &kept]);
    assert!(shown.is_empty() && told.contains("not covered"), "{told}");
    fine(&["verify-proof", &file, "--pubkey", &story.public()]);
    let log = at(story.dir.path(), "unsealed");
    fine(&["init", &log, "--origin", "example.com/unsealed"]);
    fine(&["append", &log, "--actor", "u:a", "--action", "x.y", "--resource", "r"]);
    fine(&["keygen", &format!("{log}.key"), "--log", &log]);
    fine(&["checkpoint", &log, "--key", &format!("{log}.key")]);
    let file = story.at("none.bulla-answer");
    let told = refused(2, &["query", &log, "--prove", &file]);
    assert!(told.contains("nothing can be proved complete") && told.contains("--seal"), "{told}");
    assert!(!Path::new(&file).exists());
    let told = refused(2, &["query", &log, "--prove", &file, "--checkpoint", &kept]);
    assert!(told.contains("a checkpoint of example.com/audit"), "{told}");
}

#[test]
fn an_auditor_says_what_the_answer_rests_on() {
    let story = Story::new("sha256");
    story.append();
    story.seal();
    let (file, ..) = story.prove(&["--outcome", "denied"]);
    let (out, (key, public)) = (story.export(), story.auditor());
    let list = fs::read_to_string(Path::new(&out).join("segments")).unwrap();
    assert!(list.starts_with("bulla.dev/segments/v1\nexample.com/audit\nlog "), "{list}");
    assert_eq!(list.lines().filter(|line| line.starts_with("segment ")).count(), 2, "{list}");
    let checked = fine(&["audit", &out, "--pubkey", &story.public()]);
    assert!(checked.starts_with("clean: ") && checked.contains("nothing was signed"), "{checked}");
    let audit = story.at("an.index-audit");
    let arguments = ["audit", &out, "--pubkey", &story.public(), "--key", &key, "-o", &audit];
    assert!(fine(&arguments).contains("signed as auditor.example/ann"));
    let verify = ["verify-proof", &file, "--pubkey", &story.public()];
    let with = |auditor: &str| {
        let auditor = ["--audit", audit.as_str(), "--auditor", auditor];
        let all = [&verify[..], &auditor].concat();
        all.into_iter().map(ToOwned::to_owned).collect::<Vec<String>>()
    };
    let with = |auditor: &str| run(&with(auditor).iter().map(String::as_str).collect::<Vec<_>>());
    assert!(fine(&verify).contains("nobody that you named"));
    let verdict = with(&public).stdout;
    assert!(verdict.contains("the auditor auditor.example/ann (key id "), "{verdict}");
    let by_another = with(&story.public());
    assert!(by_another.status == 1 && by_another.stderr.contains("not proved"));
    // What came later is not in the audit.
    let sample = sample("cloudtrail.jsonl");
    fine(&["import", &story.log, &sample, "--format", "cloudtrail", "--duplicates"]);
    story.seal();
    let (file, ..) = story.prove(&["--outcome", "denied"]);
    let told = refused(
        1,
        &[
            "verify-proof",
            &file,
            "--pubkey",
            &story.public(),
            "--audit",
            &audit,
            "--auditor",
            &public,
        ],
    );
    assert!(told.contains("the audit does not cover it"), "{told}");
    // An audit of indexes says nothing of a single record.
    let record = story.at("7.tlog-proof");
    fine(&["prove", &story.log, "7", "-o", &record]);
    let told = refused(
        2,
        &[
            "verify-proof",
            &record,
            "--pubkey",
            &story.public(),
            "--audit",
            &audit,
            "--auditor",
            &public,
        ],
    );
    assert!(told.contains("goes with the answer to a query"), "{told}");
}

/// The log's own secret under an auditor's name: what it says of itself it signed before.
#[test]
fn a_key_of_the_log_is_no_auditors_whatever_its_name() {
    let story = Story::new("sha256");
    let (file, ..) = story.prove(&["--outcome", "denied"]);
    let (out, (key, public)) = (story.export(), story.auditor());
    let audit = story.at("an.index-audit");
    let sign = ["audit", &out, "--pubkey", &story.public(), "--key", &key, "-o", &audit];
    fine(&sign);
    let kept = fs::read(&audit).unwrap();
    let (secret, public_half) = under_another_name(&story.key);
    fs::write(&key, secret).unwrap();
    let told = refused(2, &sign);
    assert!(told.contains("found one of example.com/audit, the log that is audited"), "{told}");
    assert_eq!(fs::read(&audit).unwrap(), kept, "it was signed all the same");
    // Signed by another program, it vouches for nothing.
    let note = Note::parse(&kept).unwrap();
    let said = IndexAudit::parse(&note).unwrap();
    let signer = SigningKey::from_secret_text(fs::read_to_string(&key).unwrap().trim()).unwrap();
    fs::write(&audit, said.sign(&signer).unwrap().to_string()).unwrap();
    fs::write(&public, public_half).unwrap();
    let pubkey = story.public();
    let verify = ["verify-proof", &file, "--pubkey", &pubkey, "--audit", &audit, "--auditor"];
    let told = refused(1, &[&verify[..], &[public.as_str()]].concat());
    assert!(told.contains("found a key of the log itself, auditor.example/ann"), "{told}");
}

/// The secret in a key file under an auditor's name, and its public half.
fn under_another_name(key: &str) -> (String, String) {
    let text = fs::read_to_string(key).unwrap();
    let own = SigningKey::from_secret_text(text.trim()).unwrap();
    let bytes = text.trim().splitn(5, '+').nth(4).unwrap();
    let (name, kind) = ("auditor.example/ann", own.verifying_key().kind());
    let seed = BASE64_STANDARD.decode(bytes).unwrap()[1..].try_into().unwrap();
    let other = SigningKey::new(name, kind, &seed).unwrap();
    (other.to_secret_text().to_string(), other.verifying_key().to_string())
}

#[test]
fn an_answer_that_covers_no_record_proves_nothing() {
    let story = Story::new("sha256");
    let reader = Log::open_read_only(&story.log).unwrap();
    let checkpoint = reader.checkpoints().latest().unwrap().unwrap();
    let answer =
        reader.snapshot().prove_query(&Query::new().limit(0), &checkpoint, Disclosure::Whole);
    let file = story.at("empty.bulla-answer");
    fs::write(&file, answer.unwrap().to_text()).unwrap();
    let ran = run(&["verify-proof", &file, "--pubkey", &story.public()]);
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    assert!(ran.stdout.starts_with("NOT PROVED: the answer covers no record"), "{}", ran.stdout);
}

#[test]
fn an_auditor_refuses_an_export_that_was_altered() {
    let story = Story::new("sha256");
    let (out, (key, _)) = (story.export(), story.auditor());
    let audit = story.at("an.index-audit");
    let refuse = |status: i32| {
        let key_and_file = ["--key", key.as_str(), "-o", audit.as_str()];
        let own = ["audit", &out, "--pubkey", &story.public()];
        let told = refused(status, &[&own[..], &key_and_file].concat());
        assert!(!Path::new(&audit).exists(), "signed: {told}");
        told
    };
    let alter = |name: &str, change: &dyn Fn(Vec<u8>) -> Vec<u8>, told: &str| {
        let path = Path::new(&out).join(name);
        let good = fs::read(&path).unwrap();
        fs::write(&path, change(good.clone())).unwrap();
        let refusal = refuse(1);
        assert!(refusal.contains(told), "{name}: {refusal}");
        fs::write(&path, good).unwrap();
    };
    let text = |from: &'static str, to: &'static str| {
        move |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.contains(from));
            text.replace(from, to).into_bytes()
        }
    };
    let other_root = |bytes: Vec<u8>| {
        let mut text = String::from_utf8(bytes).unwrap();
        let root = text.rfind(' ').unwrap() + 1;
        let other = if text[root..].starts_with('A') { "B" } else { "A" };
        text.replace_range(root..=root, other);
        text.into_bytes()
    };
    alter("segments", &other_root, "the segment of 42 records from record 0 on: expected");
    alter("segments", &text("segment 0 42 ", "segment 0 41 "), "expected the index root");
    alter("segments", &text("segment 0 42 ", "segment 1 41 "), "expected the index root");
    alter("segments", &text("segment 0 42 ", "segment 0 99 "), "below the checkpoint");
    alter("segments", &text("\nlog ", "\nlog 0"), "expected log");
    alter("segments", &text("example.com/audit", "example.com/other"), "expected the origin");
    alter("checkpoint", &text("example.com/audit\n43", "example.com/audit\n42"), "not proved");
    let entries = "tile/entries/000.p/43";
    let flip = |bytes: Vec<u8>| {
        let mut bytes = bytes;
        let last = bytes.len() / 2;
        bytes[last] ^= 1;
        bytes
    };
    alter(entries, &flip, "is the first whose entry is not what its hash");
    alter(entries, &|bytes| bytes[..bytes.len() - 1].to_vec(), "cut short");
    let own = ["audit", &out, "--pubkey", &story.public(), "--key", &story.key, "-o", &audit];
    assert!(refused(2, &own).contains("a key of the auditor's own"));
    fs::remove_file(Path::new(&out).join("segments")).unwrap();
    assert!(refuse(2).contains("run `bulla export-tiles`"));
    let of_log = refused(2, &["audit", &story.log, "--pubkey", &story.public()]);
    assert!(of_log.contains("it is a log"), "{of_log}");
}

#[test]
fn answers_of_a_blake3_log_are_proved_and_it_is_no_log_to_export() {
    let story = Story::new("blake3");
    let (file, shown, _) = story.prove(&["--outcome", "denied"]);
    assert_eq!(shown.len(), 8);
    let verdict = fine(&["verify-proof", &file, "--pubkey", &story.public()]);
    assert!(verdict.contains("(blake3)"), "{verdict}");
    let out = story.at("public");
    let told = refused(2, &["export-tiles", &story.log, &out]);
    assert!(told.contains("expected a SHA-256 log, found a blake3 log"), "{told}");
    assert!(told.contains("--hash sha256") && told.contains("bulla verify"), "{told}");
    assert!(!Path::new(&out).exists());
}

#[test]
fn a_stranger_with_the_first_key_follows_a_change_of_keys() {
    let story = Story::new("sha256");
    let next = story.at("next.key");
    fine(&["key", "rotate", &story.log, "--key", &story.key, "--next", &next]);
    story.append();
    fine(&["checkpoint", &story.log, "--key", &next, "--seal"]);
    let (file, shown, _) = story.prove(&["--actor", "eve"]);
    assert_eq!(shown.len(), 1);
    fine(&["verify-proof", &file, "--pubkey", &story.public()]);
}
