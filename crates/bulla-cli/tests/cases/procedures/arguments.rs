//! Values on the command line that look like something else.

use super::{count, events_file};
use crate::running::{at, fine, jsonl, new_log, refused, signed_log};

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
        "-r/-1",
        "--request",
        "--stdin",
        "--correlation",
        "-c",
        "--output",
        "jsonl",
    ]));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["user_agent"], "-x");
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
