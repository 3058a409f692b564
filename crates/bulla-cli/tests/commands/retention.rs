//! Retention and legal holds on the command line, on logs that are years old.
//!
//! The tool has only the machine's clock. So what is old is appended through the library with
//! a clock of the test's own, years ago; what expires it is the tool, today.
//!
//! With `BULLA_REAL_DATA` set the story is told on the events in that directory.

// Clippy lets tests panic, but does not count the functions they share as tests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod story;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::running::{at, bulla, fine, jsonl, refused, run};
use bulla::event::Event;
use bulla::time::{Clock, ManualClock, Timestamp};
use bulla::{Actor, Attribution, Housekeeping, Log, LogOptions, Period, Policy, Resource};
use tempfile::TempDir;

const DAY: Duration = Duration::from_secs(24 * 3600);
const WHO: [&str; 4] = ["--who", "carol", "--why", "policy 12"];

fn years_ago(years: u64) -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let then = since.checked_sub(DAY * u32::try_from(years * 366).unwrap()).unwrap();
    Timestamp::from_nanos(i64::try_from(then.as_nanos()).unwrap())
}

/// Options of a log that is written years ago.
fn old_options(clock: &Arc<ManualClock>) -> LogOptions {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    Log::options().clock(clock).housekeeping(Housekeeping::Inline).origin("example.com/audit")
}

fn event(actor: &str, day: u64) -> Event {
    Event::new(Actor::new("user", actor), "file.read", Resource::new("file", format!("f{day}")))
}

fn append_today(log: &str) {
    let (actor, action) = ("user:today", "user.login");
    fine(&["append", log, "--actor", actor, "--action", action, "--resource", "session/1"]);
}

/// Six segments of ten records of seven years ago, one a day; alice is in the third alone.
fn old_log() -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(years_ago(7)));
    let log = old_options(&clock).create(dir.path().join("audit")).unwrap();
    for day in 1..=6 {
        for n in 0..9 {
            log.append(&event(&format!("actor-{n}"), day)).unwrap();
        }
        let last = if day == 3 { "alice" } else { "bob" };
        log.append(&event(last, day)).unwrap();
        log.rotate().unwrap();
        clock.advance(DAY);
    }
    log.close().unwrap();
    let log = at(dir.path(), "audit");
    (dir, log)
}

/// The same, with a record of today behind them.
fn log_in_use() -> (TempDir, String) {
    let (dir, log) = old_log();
    append_today(&log);
    (dir, log)
}

fn with<'a>(arguments: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [arguments, more].concat()
}

fn place(log: &str, case: &str, scope: &[&str]) -> String {
    fine(&with(&with(&["hold", "place", log, case], scope), &WHO))
}

fn retain(log: &str, options: &[&str]) -> String {
    fine(&with(&with(&["retain", log], options), &WHO))
}

#[test]
fn a_dry_run_names_the_seal_by_a_clock_that_was_ahead() {
    let (_dir, log) = old_log();
    let clock = Arc::new(ManualClock::at(years_ago(6)));
    let reopened = old_options(&clock).open(&log).unwrap();
    reopened
        .retention()
        .set_policy(&Policy::keep(Period::from_days(1)), &Attribution::by("carol"))
        .unwrap();
    reopened.append(&event("bob", 7)).unwrap();
    clock.set("2200-01-01T00:00:00Z".parse().unwrap());
    reopened.rotate().unwrap();
    reopened.close().unwrap();
    append_today(&log);
    let sealed = "segment 7 was sealed at 2200-01-01T00:00:00.000000000Z";
    let told = fine(&["retain", &log, "--dry-run"]);
    assert!(told.contains(sealed), "{told}");
    let told = jsonl(&fine(&["retain", &log, "--dry-run", "--output", "jsonl"]));
    let (seventh, sixth) = (&told[told.len() - 2], &told[told.len() - 3]);
    assert!(seventh["why"].as_str().unwrap().contains(sealed), "{seventh}");
    assert_eq!(seventh["late_seal"]["segment"], 7);
    assert_eq!(seventh["late_seal"]["sealed_at"], "2200-01-01T00:00:00.000000000Z");
    assert!(sixth["late_seal"].is_null(), "{sixth}");
    assert!(fine(&["history", &log]).contains("clock stepped"));
    let told = fine(&["verify", &log]);
    assert!(told.contains("clean") && told.contains("1 warning"), "{told}");
}

#[test]
fn a_dry_run_gives_each_segment_its_reason_and_changes_nothing() {
    let (_dir, log) = log_in_use();
    place(&log, "case-7", &["--actor", "alice"]);
    let before = fine(&["history", &log]);
    let told = fine(&["retain", &log, "--keep", "6y", "--min-records", "21", "--dry-run"]);
    assert!(told.contains("held by case-7"), "{told}");
    assert!(told.contains("among the newest 21 records"), "{told}");
    assert!(told.contains("policy would be set to: keep 6y (2192 days)"), "{told}");
    assert!(told.contains("would go: 3 segments with 30 records"), "{told}");
    assert_eq!(fine(&["history", &log]), before, "a dry run records nothing");
    let told = jsonl(&fine(&["retain", &log, "--keep", "8y", "--dry-run", "--output", "jsonl"]));
    let verdicts: Vec<&str> = told.iter().filter_map(|line| line["verdict"].as_str()).collect();
    assert_eq!(verdicts, ["too_young", "too_young", "held", "too_young", "too_young", "too_young"]);
    let summary = told.last().unwrap();
    assert_eq!((&summary["dry_run"], &summary["segments"]), (&true.into(), &0.into()));
    // Without a policy nothing goes, and that is said.
    let told = fine(&["retain", &log, "--dry-run"]);
    assert!(told.contains("no policy is set") && told.contains("nothing expires"), "{told}");
}

#[test]
fn what_expired_is_said_wherever_it_is_asked_for() {
    let (dir, log) = log_in_use();
    let key = at(dir.path(), "audit.key");
    let public = format!("{key}.pub");
    fine(&["keygen", &key, "--log", &log]);
    place(&log, "case-7", &["--resource", "file/f3"]);
    let told = retain(&log, &["--keep", "6y"]);
    assert_eq!(told.matches("dropped, by certificate").count(), 5, "{told}");
    assert!(told.contains("held by case-7") && told.contains("gone: 5 segments with 50"), "{told}");

    let gone = run(&["get", &log, "15"]);
    assert_eq!(gone.status, 1);
    assert!(gone.stdout.starts_with("EXPIRED: record 15"), "{}", gone.stdout);
    for said in ["10 to 19 (10 records)", "carol", "policy 12", "none matched", "root"] {
        assert!(gone.stdout.contains(said), "{said}: {}", gone.stdout);
    }
    let gone = run(&["get", &log, "15", "--output", "jsonl"]);
    let line = &jsonl(&gone.stdout)[0];
    assert_eq!((gone.status, &line["expired"]), (1, &true.into()));
    assert_eq!(
        (&line["certificate"]["ordinal"], &line["certificate"]["count"]),
        (&2.into(), &10.into())
    );
    let gone = run(&["get", &log, "15", "--output", "csv"]);
    assert!(gone.status == 1 && gone.stderr.contains("has expired"), "{}", gone.stderr);
    let row = gone.stdout.lines().nth(1).unwrap();
    assert!(row.starts_with("15,,") && row.ends_with(",expired"), "{}", gone.stdout);

    let counted = run(&["query", &log, "--count"]);
    assert_eq!(counted.stdout.trim(), "11");
    assert!(
        counted.stderr.contains("5 segments that the question reaches expired"),
        "{}",
        counted.stderr
    );
    let recent = run(&["query", &log, "--since", "7d", "--count"]);
    assert_eq!(
        (recent.stdout.trim(), recent.stderr.as_str()),
        ("1", ""),
        "not what is not asked for"
    );
    let newest = run(&["query", &log, "--limit", "1"]);
    assert!(!newest.stderr.contains("expired"), "{}", newest.stderr);
    let all = run(&["query", &log, "--output", "jsonl"]);
    assert_eq!(jsonl(&all.stdout).len(), 11);
    assert!(all.stderr.contains("5 segments"), "{}", all.stderr);

    let tail = run(&["tail", &log, "--from", "0", "--output", "jsonl"]);
    assert_eq!(tail.status, 0, "{}", tail.stderr);
    assert_eq!(jsonl(&tail.stdout)[0]["seq"], 20);
    assert!(tail.stderr.contains("records 0 to 19 have expired"), "{}", tail.stderr);
    assert!(tail.stderr.contains("records 30 to 59 have expired"), "{}", tail.stderr);

    let segments = jsonl(&fine(&["segments", &log, "--output", "jsonl"]));
    assert_eq!(
        (&segments[0]["status"], &segments[2]["held_by"][0]),
        (&"dropped".into(), &"case-7".into())
    );
    assert!(fine(&["segments", &log]).contains("held by case-7"));
    let stats = fine(&["stats", &log]);
    assert!(stats.contains("50 records in 5 segments, by the policy"), "{stats}");
    assert!(stats.contains("keep 6y (2192 days)") && stats.contains("1 in force"), "{stats}");
    let history = fine(&["history", &log]);
    for what in ["hold placed", "policy set", "drop certificate", "segment dropped"] {
        assert!(history.contains(what), "{what}: {history}");
    }

    let verified = fine(&["verify", &log]);
    assert!(
        verified.contains("expired: segments 1 to 2, records 0 to 19 (20 records): checked"),
        "{verified}"
    );
    let summary = jsonl(&fine(&["verify", &log, "--output", "jsonl"])).pop().unwrap();
    assert_eq!(summary["gaps"].as_array().unwrap().len(), 5);
    assert_eq!(summary["gaps"][0]["verdict"], "checked");
    let csv = fine(&["verify", &log, "--output", "csv"]);
    assert!(csv.contains(",1,,0,expired,,10 records: checked,gap"), "{csv}");

    // The proof of an answer names what it does not speak of.
    let proof = at(dir.path(), "all.bulla-answer");
    fine(&["checkpoint", &log, "--key", &key, "--seal"]);
    fine(&["query", &log, "--oldest-first", "--prove", &proof]);
    let told = fine(&["verify-proof", &proof, "--pubkey", &public]);
    let headline = "PROVED COMPLETE BUT FOR 50 DROPPED RECORDS (0 to 19, 30 to 59): these 11 ";
    assert!(told.starts_with(headline), "{told}");
    assert!(told.contains("records 0 to 19 (20 records), which the log had dropped"), "{told}");
    let told = run(&["verify-proof", &proof, "--pubkey", &public, "--output", "jsonl"]).stderr;
    assert!(told.starts_with(headline), "{told}");
}

#[test]
fn an_answer_of_which_every_record_was_dropped_is_not_proved() {
    let (dir, log) = crate::running::sample_log();
    let (key, proof) = (at(dir.path(), "audit.key"), at(dir.path(), "all.bulla-answer"));
    fine(&["keygen", &key, "--log", &log]);
    fine(&["checkpoint", &log, "--key", &key, "--seal"]);
    append_today(&log);
    retain(&log, &["--keep", "0s"]);
    fine(&["checkpoint", &log, "--key", &key]);
    let told = refused(2, &["query", &log, "--prove", &proof]);
    assert!(told.contains("all are 42 dropped records (0 to 41)"), "{told}");
    assert!(!Path::new(&proof).exists());

    // Whoever makes a file is not bound to this tool.
    let reader = Log::options().open_read_only(&log).unwrap();
    let checkpoint = reader.checkpoints().latest().unwrap().unwrap();
    let query = bulla::query::Query::new();
    let answer = reader
        .snapshot()
        .prove_query(&query, &checkpoint, bulla::proof::Disclosure::Whole)
        .unwrap();
    std::fs::write(&proof, answer.to_text()).unwrap();
    let verify = ["verify-proof", &proof, "--pubkey", &format!("{key}.pub")];
    let found = run(&verify);
    assert_eq!(found.status, 1, "{}", found.stderr);
    let headline = "NOT PROVED: the answer covers nothing but 42 dropped records (0 to 41)";
    assert!(found.stdout.starts_with(headline), "{}", found.stdout);
    assert!(!found.stdout.contains("PROVED COMPLETE"), "{}", found.stdout);
    let found = run(&with(&verify, &["--output", "jsonl"]));
    assert!(found.status == 1 && found.stdout.is_empty(), "{}", found.stdout);
    assert!(found.stderr.starts_with(headline), "{}", found.stderr);
}

#[test]
fn a_file_that_nobody_dropped_is_no_expiry() {
    let (_dir, log) = log_in_use();
    retain(&log, &["--keep", "6y", "--at-most", "1"]);
    std::fs::remove_file(Path::new(&log).join("segments/00000003.seg")).unwrap();
    let found = run(&["verify", &log]);
    assert_eq!(found.status, 1, "{}", found.stdout);
    assert!(
        found.stdout.contains("NOT CLEAN") && found.stdout.contains("00000003"),
        "{}",
        found.stdout
    );
    let get = run(&["get", &log, "25"]);
    assert!(get.status == 1 && !get.stdout.contains("EXPIRED"), "{}{}", get.stdout, get.stderr);
}

#[test]
fn holds_are_placed_listed_and_released_while_others_have_the_log_open() {
    let (_dir, log) = log_in_use();
    // A service writes, another process follows.
    let mut service = bulla(&["append", &log, "--stdin", "--output", "jsonl"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = service.stdin.take().unwrap();
    let mut acks = BufReader::new(service.stdout.take().unwrap()).lines();
    let mut append = |actor: &str| {
        writeln!(input, "{}", event(actor, 9).to_json()).unwrap();
        acks.next().unwrap().unwrap()
    };
    append("bob");
    let mut follower = bulla(&["tail", &log, "-f"]).stdout(Stdio::null()).spawn().unwrap();

    let told = place(&log, "case-7", &["--actor", "alice", "--custodian", "legal@example.com"]);
    assert!(
        told.contains("held: case-7 pins actor") && told.contains("1 record in 1 segment"),
        "{told}"
    );
    append("alice");
    let listed = &jsonl(&fine(&["hold", "list", &log, "--output", "jsonl"]))[0];
    assert_eq!((&listed["case"], &listed["who"]), (&"case-7".into(), &"carol".into()));
    assert_eq!(
        (&listed["pinned"]["records"], &listed["custodian"]),
        (&2.into(), &"legal@example.com".into())
    );
    // The policy can be set, and expiring is for who has the log.
    let busy = refused(2, &with(&["retain", &log, "--keep", "6y"], &WHO));
    assert!(busy.contains("the policy is in force") && busy.contains("process"), "{busy}");
    place(&log, "case-8", &["--everything", "--review-by", "2020-01-01"]);
    let listed = fine(&["hold", "list", &log]);
    assert!(listed.contains("review is due") && listed.contains("the whole log"), "{listed}");
    fine(&with(&["hold", "release", &log, "case-8"], &WHO));

    drop(input);
    assert!(service.wait().unwrap().success());
    follower.kill().unwrap();
    follower.wait().unwrap();
    let told = retain(&log, &[]);
    assert!(told.contains("gone: 5 segments") && told.contains("held by case-7"), "{told}");
    let all = jsonl(&fine(&["hold", "list", &log, "--all", "--output", "jsonl"]));
    assert_eq!(all.len(), 2);
    assert_eq!(all[1]["released"]["who"], "carol");
    assert_eq!(all[1]["pinned"], serde_json::Value::Null);
}

#[test]
fn holds_and_policies_that_cannot_be_meant_are_refused_with_what_to_do() {
    let (_dir, log) = log_in_use();
    let refuse = |arguments: &[&str], told: &str| {
        let stderr = refused(2, &with(arguments, &WHO));
        assert!(stderr.contains(told), "{arguments:?}: {stderr}");
    };
    refuse(&["hold", "place", &log, "case-7"], "--everything");
    refuse(&["hold", "place", &log, "case-7", "--actor-type-id", "alice"], "user:alice");
    refuse(
        &["hold", "place", &log, "case-7", "--actor", "a", "--review-by", "7d"],
        "a date to come",
    );
    refuse(&["hold", "place", &log, "case-7", "--everything", "--actor", "a"], "--everything");
    refuse(&["hold", "release", &log, "case-7"], "in force: none");
    place(&log, "case-7", &["--actor", "alice"]);
    refuse(&["hold", "place", &log, "case-7", "--actor", "bob"], "in force already");
    assert!(refused(2, &["hold", "place", &log, "x", "--actor", "a"]).contains("--who"));
    refuse(&["retain", &log], "--keep 6y");
    refuse(&["retain", &log, "--min-age", "90d"], "--keep 6y");
    refuse(&["retain", &log, "--keep", "6years"], "such as 6y");
    refuse(&["retain", &log, "--keep", "6y", "--preset", "sox"], "cannot be used with");
    assert!(refused(2, &["retain", &log, "--keep", "6y"]).contains("--who"));
    // Compliance mode is asked for twice, and never ends.
    refuse(&["retain", &log, "--keep", "9y", "--compliance"], "--yes");
    assert!(!fine(&["history", &log]).contains("policy set"));
    retain(&log, &["--keep", "9y", "--compliance", "--yes"]);
    refuse(&["retain", &log, "--keep", "1y"], "can only be made stricter");
    refuse(&["retain", &log, "--keep", "9y"], "add --compliance");
    retain(&log, &["--min-age", "90d"]);
    let stats = &jsonl(&fine(&["stats", &log, "--output", "jsonl"]))[0];
    assert_eq!(stats["policy"]["compliance"], true);
    assert_eq!(stats["policy"]["min_age_seconds"], 90 * 24 * 3600);
}

#[test]
fn a_clock_far_ahead_of_the_newest_record_expires_nothing_unless_it_is_allowed() {
    let (_dir, log) = old_log();
    let told = refused(2, &with(&["retain", &log, "--keep", "6y"], &WHO));
    assert!(told.contains("the clock shows") && told.contains("--max-clock-lead"), "{told}");
    assert!(refused(2, &["retain", &log, "--keep", "6y", "--dry-run"]).contains("the clock shows"));
    assert!(!fine(&["history", &log]).contains("policy set"), "what fails sets no policy");
    let told = retain(&log, &["--keep", "6y", "--max-clock-lead", "10y"]);
    assert!(told.contains("gone: 5 segments") && told.contains("the newest segment"), "{told}");
}

#[test]
fn an_archive_that_cannot_be_used_leaves_the_policy_and_the_log_as_they_were() {
    let (dir, log) = log_in_use();
    let unused = at(dir.path(), "unused");
    let first = ["--archive-first", "--archive", &unused];
    retain(&log, &with(&["--keep", "9y", "--min-records", "20"], &first));
    let file = at(dir.path(), "file");
    std::fs::write(&file, "no directory").unwrap();
    let around = at(dir.path(), "");
    let inside = format!("{log}/archive");
    for (archive, told) in [
        (at(dir.path(), "deep/er"), "deep/er"),
        (file, "file"),
        (around, "lie in each other"),
        (inside, "own directory"),
    ] {
        let asked = ["retain", &log, "--keep", "0s", "--archive", &archive];
        let stderr = refused(2, &with(&asked, &WHO));
        assert!(stderr.contains(told), "{archive}: {stderr}");
    }
    assert_eq!(fine(&["history", &log]).matches("policy set").count(), 1);
    assert!(!Path::new(&log).join("archive").exists());

    // One that takes the first segment and not the next: what was not archived stays, with why.
    let (first, second) = (at(dir.path(), "first"), at(dir.path(), "second"));
    retain(&log, &["--keep", "6y", "--archive-first", "--archive", &first, "--at-most", "1"]);
    let of_log = std::fs::read_dir(&first).unwrap().next().unwrap().unwrap().file_name();
    std::fs::create_dir(&second).unwrap();
    std::fs::write(Path::new(&second).join(of_log), "in the way").unwrap();
    let ran = run(&with(&["retain", &log, "--archive", &second], &WHO));
    assert_eq!(ran.status, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("stayed: not archived: "), "{}", ran.stdout);
    assert!(ran.stdout.contains("not tried") && ran.stdout.contains("gone: nothing"));
    assert!(retain(&log, &["--archive", &first]).contains("gone: 5 segments"));
}

#[test]
fn archiving_first_without_an_archive_is_refused_and_names_the_option() {
    let (dir, log) = log_in_use();
    for more in [&["--keep", "6y"][..], &["--preset", "hipaa", "--min-records", "5"]] {
        let asked = with(&["retain", &log, "--archive-first"], more);
        let told = refused(2, &with(&asked, &WHO));
        assert!(told.contains("--archive-first: expected --archive DIR"), "{told}");
        // What only asks what would be done needs none.
        fine(&with(&asked, &["--dry-run"]));
    }
    assert!(!fine(&["history", &log]).contains("policy set"), "nothing was changed");
    let archive = at(dir.path(), "archive");
    retain(&log, &["--keep", "6y", "--archive-first", "--archive", &archive, "--at-most", "1"]);
    // By a policy that asks for it, what is to go names the option as well.
    let ran = run(&with(&["retain", &log], &WHO));
    assert_ne!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        format!("{}{}", ran.stdout, ran.stderr).contains("--archive"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
}

#[test]
fn a_looser_policy_names_what_it_switches_off() {
    let (dir, log) = log_in_use();
    let archive = at(dir.path(), "archive");
    let first = ["--archive-first", "--archive", &archive];
    retain(&log, &with(&["--keep", "9y", "--min-records", "20", "--min-age", "90d"], &first));
    let looser = [
        "the period is shortened from 9y (3288 days) to 8y (2922 days)",
        "the minimum age of 90d is off",
        "the newest 20 records stay is off",
        "archiving first is off",
    ];
    for asked in [with(&["--keep", "8y"], &["--dry-run"]), with(&["--keep", "8y"], &WHO)] {
        let ran = run(&with(&["retain", &log], &asked));
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        assert!(ran.stderr.contains("the policy before: keep 9y"), "{}", ran.stderr);
        for off in looser {
            assert!(ran.stderr.contains(off), "{off}: {}", ran.stderr);
        }
    }
    let ran = run(&with(&["retain", &log, "--min-age", "1y"], &WHO));
    assert!(ran.stderr.contains("is now: keep 8y") && !ran.stderr.contains("LOOSER"));
    let (_dir, empty) = crate::running::new_log();
    let told = fine(&["retain", &empty, "--keep", "1y", "--dry-run"]);
    assert!(told.contains("no sealed segment is here"), "{told}");
}

#[test]
fn units_are_spelt_alike_and_blank_names_refused_everywhere() {
    let (dir, log) = log_in_use();
    let refuse = |arguments: &[&str], told: &str| {
        let stderr = refused(2, arguments);
        assert!(stderr.contains(told), "{arguments:?}: {stderr}");
    };
    let both = "mo for months or min for minutes";
    refuse(&["retain", &log, "--keep", "6m", "--dry-run"], both);
    refuse(&["retain", &log, "--keep", "6y", "--max-clock-lead", "6m", "--dry-run"], both);
    refuse(&["query", &log, "--since", "6m"], both);
    refuse(&["query", &log, "--histogram", "15m"], both);
    refuse(&with(&["hold", "place", &log, "c", "--since", "6m"], &WHO), both);
    refuse(&["retain", &log, "--keep", "251y", "--dry-run"], "at most 250 years");
    // Half a year, not six minutes: the records of seven years ago are before either.
    assert_eq!(fine(&["query", &log, "--since", "6mo", "--count"]).trim(), "1");
    assert_eq!(fine(&["query", &log, "--since", "8y", "--count"]).trim(), "61");
    fine(&["retain", &log, "--keep", "18mo", "--dry-run"]);

    let (who, why, blank) = (["--who", "a"], ["--why", "b"], "found blank text");
    let archive = at(dir.path(), "archive");
    for command in [
        &["hold", "place", &log, "c", "--actor", "a"][..],
        &["hold", "release", &log, "c"],
        &["retain", &log, "--keep", "6y"],
        &["restore", &log, &archive],
        &["erase", &log, "user:alice"],
    ] {
        refuse(&with(&with(command, &["--who", "  "]), &why), blank);
        refuse(&with(&with(command, &who), &["--why", ""]), blank);
    }
    refuse(&with(&["hold", "place", &log, "c", "--everything", "--custodian", "\t"], &WHO), blank);
    refuse(&with(&["hold", "place", &log, "a\nb", "--everything"], &WHO), "control character");
    let ran = run(&with(
        &["hold", "place", &log, "c", "--everything", "--review-by", "2020-01-01"],
        &WHO,
    ));
    assert!(ran.stdout.contains("c pins the whole log"), "{}", ran.stdout);
    assert!(ran.stderr.contains("is in the past"), "{}", ran.stderr);
}

#[test]
fn a_count_that_cannot_be_known_to_be_whole_fails() {
    let (_dir, log) = log_in_use();
    let count = ["query", &log, "--count"];
    let damage = || {
        for copy in ["a", "b"] {
            let path = Path::new(&log).join("catalog").join(copy).join("00000001.seg");
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[600] ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }
        let _ = std::fs::remove_file(Path::new(&log).join("catalog/snapshot"));
    };
    retain(&log, &["--keep", "6y"]);
    assert_eq!(fine(&count).trim(), "1");
    damage();
    let found = run(&count);
    assert_eq!((found.status, found.stdout.trim()), (1, "1"));
    assert!(found.stderr.contains("both copies of the catalog"), "{}", found.stderr);
}

#[test]
fn damage_behind_a_gap_is_one_finding_and_lost_hashes_are_told() {
    let (dir, log) = crate::running::new_log();
    let key = at(dir.path(), "audit.key");
    fine(&["keygen", &key, "--log", &log]);
    for _ in 0..2 {
        append_today(&log);
        fine(&["checkpoint", &log, "--key", &key, "--seal"]);
    }
    append_today(&log);
    let told = retain(&log, &["--keep", "0s"]);
    assert!(told.contains("gone: 2 segments"), "{told}");
    let clean = fine(&["verify", &log]);
    assert!(clean.contains("expired: segments 1 to 2"), "{clean}");

    // A segment with damage is read twice, and its newest anchor was in the gap.
    let active = Path::new(&log).join("segments/00000003.seg");
    let whole = std::fs::read(&active).unwrap();
    let mut damaged = whole.clone();
    damaged[600] ^= 1;
    std::fs::write(&active, damaged).unwrap();
    let found = run(&["verify", &log]);
    assert_eq!(found.status, 1);
    assert!(!found.stdout.contains("newest anchor"), "{}", found.stdout);
    std::fs::write(&active, whole).unwrap();

    std::fs::remove_file(Path::new(&log).join("tree/level-00.hashes")).unwrap();
    let found = run(&["verify", &log]);
    assert_eq!(found.status, 1);
    assert!(found.stdout.contains("): asserted: "), "{}", found.stdout);
    assert!(!found.stdout.contains("newest anchor"), "{}", found.stdout);
    // What is left is read and written on. So few records went that the certificates have all
    // of their hashes: nothing is lost.
    assert_eq!(fine(&["query", &log, "--count"]).trim(), "1");
    let today = ["--actor", "user:today", "--action", "a.b", "--resource", "r/1"];
    let appended = run(&with(&["append", &log], &today));
    assert_eq!(appended.status, 0, "{}", appended.stderr);
    assert!(!appended.stderr.contains("are lost"), "{}", appended.stderr);
    let told = fine(&["verify", &log]);
    assert!(told.contains("clean"), "{told}");
}
