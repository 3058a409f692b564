//! What a stranger chose, shown to a person: in tables, in messages, in a spreadsheet.

use std::fs;

use super::{EVENT, input};
use crate::running::{at, fine, new_log, refused, run};

/// Characters that control a terminal, turn text round, end a line or are not seen.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{e000}' | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Cells as a program reads them that takes this for the delimiter, as Python's `csv` does.
fn cells(text: &str, delimiter: char) -> Vec<String> {
    let (mut cells, mut cell) = (Vec::new(), String::new());
    let (mut begun, mut quoted) = (false, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' if quoted => quoted = false,
            '"' if !begun => (begun, quoted) = (true, true),
            c if !quoted && (c == delimiter || c == '\n' || c == '\r') => {
                cells.push(std::mem::take(&mut cell));
                begun = false;
            }
            c => {
                cell.push(c);
                begun = true;
            }
        }
    }
    cells.push(cell);
    cells
}

#[test]
fn no_cell_is_a_formula_whatever_separates_the_cells() {
    let (_dir, log) = new_log();
    fine(&["import", &log, &input("k8s-unseen-and-formulas.jsonl"), "--format", "k8s"]);
    let csv = fine(&["query", &log, "--output", "csv"]);
    assert!(csv.contains("x;'=cmd|' /C calc'!A0;y"), "{csv}");
    for delimiter in [',', ';', '\t', '|'] {
        for cell in cells(&csv, delimiter) {
            let seen = cell.trim_start_matches(|c: char| c.is_whitespace() || is_unseen(c));
            let formula = ['=', '+', '-', '@', '﹢', '﹣', '﹦', '﹫', '−'];
            assert!(!seen.starts_with(formula), "{delimiter:?}: {cell:?}");
        }
    }
    // A program that separates as the file says reads each value, but for the apostrophe.
    assert!(cells(&csv, ',').iter().any(|cell| cell == "x;'=cmd|' /C calc'!A0;y"));
    let raw = fine(&["query", &log, "--output", "csv", "--raw"]);
    assert!(raw.contains("\"x;=cmd|' /C calc'!A0;y\""), "{raw}");
}

#[test]
fn a_table_shows_what_is_not_seen() {
    let (_dir, log) = new_log();
    fine(&["import", &log, &input("k8s-unseen-and-formulas.jsonl"), "--format", "k8s"]);
    let mut shown = String::new();
    for call in [
        vec!["query", &log],
        vec!["query", &log, "--count-by", "actor"],
        vec!["get", &log, "0"],
        vec!["tail", &log, "-n", "100"],
    ] {
        shown += &fine(&call);
    }
    let unseen = shown.chars().find(|c| is_unseen(*c) && *c != '\n');
    assert_eq!(unseen, None, "{shown}");
    for code in ["61c", "2028", "2029", "200b", "e0041", "180e", "2060", "feff", "ad", "2066"] {
        assert!(shown.contains(&format!("\\u{{{code}}}")), "{code}: {shown}");
    }
}

#[test]
fn a_name_of_a_file_reaches_no_terminal_as_it_is() {
    let (dir, log) = new_log();
    let name = at(dir.path(), "x\u{1b}[31m\nbulla: all is well\u{202e}\u{2028}.jsonl");
    let is_safe = |text: &str, lines: usize| {
        assert!(!text.chars().any(|c| is_unseen(c) && c != '\n'), "{text:?}");
        assert_eq!(text.lines().count(), lines, "{text:?}");
        assert!(text.contains("\\u{1b}[31m\\nbulla: all is well\\u{202e}\\u{2028}"), "{text:?}");
    };
    let import = ["import", &log, &name, "--format", "jsonl"];
    is_safe(&refused(2, &import), 1);
    is_safe(&refused(2, &["verify", &name]), 1);
    is_safe(&refused(2, &["checkpoint", &log, "--policy", &name]), 1);
    is_safe(&refused(2, &["verify-proof", &name, "--pubkey", &name]), 1);
    is_safe(&refused(2, &["prove", &log, "0", "-o", &format!("{log}/{}", &name[1..])]), 1);
    fs::write(&name, format!("{EVENT}\nno event\n")).unwrap();
    let rejects = at(dir.path(), "rejects");
    let ran = run(&["import", &log, &name, "--format", "jsonl", "--rejects", &rejects]);
    is_safe(&ran.stdout, 1);
    is_safe(&ran.stderr, 1);
    is_safe(&fs::read_to_string(&rejects).unwrap(), 1);
    // An argument that is not understood is quoted, too.
    let ran = run(&["query", &log, "--\u{1b}[31m\u{202e}"]);
    assert!(ran.status == 2 && !ran.stderr.contains(['\u{1b}', '\u{202e}']), "{:?}", ran.stderr);
}
