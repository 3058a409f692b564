//! Values on the command line that look like something else.

use super::{count, events_file};
use crate::running::{at, bulla, fine, jsonl, new_log, refused, signed_log};

#[test]
fn values_may_begin_with_a_dash_and_options_follow_all_the_same() {
    let (_dir, log) = new_log();
    fine(&[
        "append",
        &log,
        "--actor",
        "-u:-1",
        "--action",
        "-a.b",
        "--resource",
        "-r/-1",
        "--on-behalf-of",
        "-u:-2",
        "--target",
        "-r/-2",
        "--target",
        "-r/-3",
        "--trace-id",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "--span-id",
        "00f067aa0ba902b7",
        "--tenant",
        "-t",
        "--user-agent",
        "-x",
        "--reason",
        "--no-redact please",
        "--source",
        "-s",
        "--ip",
        "-1",
        "--session-id",
        "-s",
        "--request-id",
        "--stdin",
        "--correlation-id",
        "-c",
        "--email",
        "-e",
        "--role",
        "-o",
        "--tag",
        "-k=-v",
        "--details",
        "-1",
        "--outcome",
        "denied",
    ]);
    let found = jsonl(&fine(&[
        "query",
        &log,
        "--actor",
        "-1",
        "--tenant",
        "-t",
        "--action",
        "-a.*",
        "--resource",
        "-r/-3",
        "--on-behalf-of",
        "-u:-2",
        "--trace",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "--request",
        "--stdin",
        "--correlation",
        "-c",
        "--output",
        "jsonl",
    ]));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["user_agent"], "-x");
    assert_eq!(found[0]["on_behalf_of"]["id"], "-2");
    assert_eq!(found[0]["targets"][1]["id"], "-3");
    assert_eq!(found[0]["span_id"], "00f067aa0ba902b7");
    let behalf = fine(&["query", &log, "--count-by", "on-behalf-of"]);
    assert!(behalf.contains("-u:-2"), "{behalf}");
    let zeros = "0".repeat(32);
    for bad in [zeros.as_str(), "4BF92F3577B34DA6A3CE929D0E0E4736", "x"] {
        assert!(refused(2, &["query", &log, "--trace", bad]).contains("not all zeros"), "{bad}");
    }
    assert_eq!(found[0]["reason"], "--no-redact please");
    assert_eq!(found[0]["outcome"], "denied");
    assert_eq!(found[0]["tags"]["-k"], "-v");
    let count = fine(&["query", &log, "--actor", "-x", "--count"]);
    assert_eq!(count.trim(), "0");
    fine(&[
        "hold",
        "place",
        &log,
        "case",
        "--actor",
        "-1",
        "--custodian",
        "-c",
        "--who",
        "-w",
        "--why",
        "-y",
    ]);
    fine(&["hold", "release", &log, "case", "--who", "--everything", "--why", "-y"]);
    fine(&["retain", &log, "--keep", "1y", "--who", "-w", "--why", "--dry-run"]);
    assert!(fine(&["stats", &log]).contains("1y"), "a reason is no option");
}

#[test]
fn csv_has_no_formula_unless_it_is_asked_for() {
    let (dir, log) = new_log();
    let events = at(dir.path(), "in.jsonl");
    let event = r#"{"actor":{"type":"user","id":"=HYPERLINK(\"http://x.example\",\"y\")"},"action":"a.b","resource":{"type":"r","id":"+1+1"},"reason":"@SUM(1)","user_agent":"-2+3","ip":"=1+1"}"#;
    std::fs::write(&events, event).unwrap();
    fine(&["import", &log, &events, "--format", "jsonl"]);
    let csv = fine(&["query", &log, "--output", "csv"]);
    let cells = [
        "\"'=HYPERLINK(\"\"http://x.example\"\",\"\"y\"\")\"",
        "'+1+1",
        "'@SUM(1)",
        "'-2+3",
        "'=1+1",
    ];
    for cell in cells {
        assert!(csv.contains(&format!(",{cell},")), "{cell}: {csv}");
    }
    let raw = fine(&["query", &log, "--output", "csv", "--raw"]);
    assert!(raw.contains(",+1+1,") && !raw.contains('\''), "{raw}");
    for (field, cell) in
        [("actor", "user:=HYPERLINK"), ("user-agent", "'-2+3,1"), ("ip", "'=1+1,1")]
    {
        let counts = fine(&["query", &log, "--count-by", field, "--output", "csv"]);
        assert!(counts.contains(cell), "{counts}");
    }
    let get = fine(&["get", &log, "0", "--output", "csv"]);
    assert!(get.contains(",'=1+1,"), "{get}");
    let tail = fine(&["tail", &log, "--output", "csv"]);
    assert!(tail.contains(",'=1+1,"), "{tail}");
    // Other names that a stranger chooses, in other lists.
    fine(&["hold", "place", &log, "=case", "--everything", "--who", "@who", "--why", "=why"]);
    let holds = fine(&["hold", "list", &log, "--output", "csv"]);
    assert!(
        holds.contains("'=case") && holds.contains("'@who") && holds.contains("'=why"),
        "{holds}"
    );
}

#[test]
fn an_import_into_a_log_of_another_shape_is_refused_before_anything_is_appended() {
    let (dir, log) = new_log();
    let events = events_file(dir.path(), "events", 3);
    for (option, value) in [("--origin", "example.com/other"), ("--hash", "blake3")] {
        for create in [&[][..], &["--create"]] {
            let call = ["import", &log, &events, "--format", "jsonl", option, value];
            let told = refused(2, &[&call[..], create].concat());
            assert!(told.contains("which was chosen when it was made"), "{told}");
        }
    }
    assert_eq!(count(&log), 0);
    let same = ["--origin", "example.com/audit", "--hash", "sha256"];
    fine(&[&["import", &log, &events, "--format", "jsonl"][..], &same].concat());
    assert_eq!(count(&log), 3);
}

#[test]
fn a_proof_in_place_of_a_checkpoint_is_called_one() {
    let (dir, log) = signed_log();
    let (proof, public) = (at(dir.path(), "proof"), at(dir.path(), "audit.key.pub"));
    fine(&["prove", &log, "0", "-o", &proof]);
    for option in ["--checkpoint", "--since"] {
        let told = refused(2, &["verify", &log, option, &proof, "--pubkey", &public]);
        assert!(told.contains("found a proof (c2sp.org/tlog-proof@v1)"), "{told}");
    }
}

#[test]
fn numbers_and_times_below_their_range_are_refused_with_the_range() {
    let (_dir, log) = new_log();
    let event = ["append", &log, "--actor", "u:a", "--action", "a.b", "--resource", "r"];
    let at_a_time = [&event[..], &["--occurred-at", "-5"]].concat();
    let place = ["hold", "place", &log, "c", "--who", "a", "--why", "b"];
    let (number, time) = ("expected a whole number, ", "expected a time such as 2026-11-21T");
    let period = "expected a whole number and one of y, mo (months)";
    let seq = "expected the position of a record, 0 or more, found \"-5\"";
    for (call, told) in [
        (vec!["query", &log, "--limit", "-5"], "expected a whole number, 1 or more, found \"-5\""),
        (vec!["query", &log, "--limit", "0"], "expected a whole number, 1 or more, found \"0\""),
        (vec!["query", &log, "--count-by", "actor", "--limit", "0"], "1 or more"),
        (vec!["query", &log, "--since", "-1d"], time),
        (vec!["query", &log, "--recorded-until", "-1"], time),
        (vec!["query", &log, "--histogram", "-1h"], period),
        (vec!["tail", &log, "-n", "-5"], "expected a whole number, 0 or more"),
        (vec!["tail", &log, "--from", "-5"], seq),
        (vec!["get", &log, "-5"], seq),
        (vec!["prove", &log, "-5", "-o", "x"], seq),
        (vec!["prove", &log, "0", "-5", "-o", "x"], seq),
        (vec!["prove", &log, "--catalog", "-5", "-o", "x"], seq),
        (vec!["retain", &log, "--keep", "-1d", "--dry-run"], period),
        (vec!["retain", &log, "--min-records", "-1", "--dry-run"], number),
        (vec!["retain", &log, "--at-most", "-1", "--dry-run"], number),
        (vec!["verify", &log, "--threads", "-1"], "expected a whole number from 1 to 65535"),
        (vec!["verify", &log, "--threads", "0"], "expected a whole number from 1 to 65535"),
        (vec!["bench", "--events", "-1"], number),
        (at_a_time, time),
        ([&place[..], &["--since", "-1d"]].concat(), time),
        ([&place[..], &["--review-by", "-1d"]].concat(), "expected a date to come"),
    ] {
        let stderr = refused(2, &call);
        assert!(stderr.contains(told), "{call:?}: {stderr}");
        assert!(!stderr.contains("unexpected argument") && !stderr.contains("tip"), "{stderr}");
    }
}

#[test]
fn a_range_in_which_no_time_lies_is_refused() {
    let (_dir, log) = new_log();
    let hold = ["hold", "place", &log, "c", "--actor", "a", "--who", "a", "--why", "b"];
    for (since, until) in [("2026-01-02", "2026-01-01"), ("2026-01-01", "2026-01-01"), ("1d", "2d")]
    {
        let range = ["--since", since, "--until", until];
        let recorded = ["--recorded-since", since, "--recorded-until", until];
        for call in [
            [&["query", &log, "--count"][..], &range].concat(),
            [&["query", &log][..], &recorded].concat(),
            [&hold[..], &range].concat(),
        ] {
            let told = refused(2, &call);
            assert!(told.contains("until later than --"), "{call:?}: {told}");
        }
    }
    assert!(!fine(&["history", &log]).contains("hold placed"));
    fine(&["query", &log, "--since", "2026-01-01", "--until", "2026-01-02"]);
    // Each of its own kind of time.
    fine(&["query", &log, "--since", "2026-01-02", "--recorded-until", "2026-01-01"]);
}

#[test]
fn what_is_no_json_is_placed_in_the_argument_or_in_the_line_of_the_input() {
    let (dir, log) = new_log();
    let event = ["append", &log, "--actor", "u:a", "--action", "a.b", "--resource", "r"];
    let told = refused(2, &[&event[..], &["--details", "{\"a\":"]].concat());
    assert!(
        told.contains("--details is not JSON: EOF while parsing a value at column 5"),
        "{told}"
    );
    let lines = at(dir.path(), "lines");
    let bad = [
        ("{\"a\":", "a` is not a field"),
        ("{\"actor\":7}", "expected"),
        ("no event", "expected"),
        ("{\"actor\"", "at column 8"),
    ];
    let text: String = bad.iter().map(|(line, _)| format!("{line}\n")).collect();
    std::fs::write(&lines, text).unwrap();
    let input = std::fs::File::open(&lines).unwrap();
    let ran = bulla(&["append", &log, "--stdin"]).stdin(input).output().unwrap();
    let told = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(told.lines().count(), bad.len(), "{told}");
    for ((number, (_, what)), line) in (1..).zip(bad).zip(told.lines()) {
        let place = format!("bulla: standard input, line {number}: ");
        assert!(line.starts_with(&place) && line.contains(what), "{line}");
        assert!(!line.contains("line 1 column"), "{line}");
    }
    for format in ["jsonl", "k8s", "cloudtrail"] {
        let told = refused(1, &["import", &log, &lines, "--format", format]);
        assert!(told.contains("lines:4: ") && !told.contains("line 1 column"), "{told}");
        assert!(told.contains("at column 8"), "{told}");
    }
    // Of a value on several lines, which of them it is.
    std::fs::write(&lines, "{\"a\": 1,\n\"b\" 2}\n").unwrap();
    let told = refused(1, &["import", &log, &lines, "--format", "k8s"]);
    assert!(!told.contains(" at line "), "{told}");
}
