//! The tests that `docs/threat-model.md` names are there.

#![allow(clippy::unwrap_used)] // a failure of this program is a failed test

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const DOCUMENT: &str = include_str!("../../docs/threat-model.md");

fn sources(dir: &Path, all: &mut String) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, all);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            *all += &fs::read_to_string(&path).unwrap();
        }
    }
}

/// What stands in backquotes and looks like the name of a test: words joined by underscores.
fn named() -> BTreeSet<&'static str> {
    let quoted = DOCUMENT.split('`').skip(1).step_by(2);
    let is_name = |text: &&str| {
        text.matches('_').count() > 2
            && text
                .bytes()
                .all(|byte| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    quoted.filter(is_name).collect()
}

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = String::new();
    for dir in ["src", "tests", "crates"] {
        sources(&root.join(dir), &mut all);
    }
    let is_test = |name: &&&str| {
        let is_there = |at: (usize, &str)| all[..at.0].trim_end().ends_with("#[test]");
        all.match_indices(&format!("fn {name}()")).any(is_there)
    };
    let named = named();
    let missing: Vec<_> = named.iter().filter(|name| !is_test(name)).collect();
    assert!(missing.is_empty(), "named in docs/threat-model.md, and no test: {missing:#?}");
    assert!(named.len() > 35, "{} tests named", named.len());
}

#[test]
fn every_row_of_what_is_caught_names_a_test_or_says_that_nothing_catches_it() {
    let caught = DOCUMENT.split("## What is caught").nth(1).unwrap();
    let caught = caught.split("## What is not caught").next().unwrap();
    let rows = caught.lines().filter(|line| line.starts_with('|') && !line.starts_with("|---"));
    let rows: Vec<&str> = rows.filter(|line| !line.ends_with("| test |")).collect();
    assert!(rows.len() > 30);
    for row in rows {
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap();
        assert!(last.contains('`') || row.contains("**nothing"), "{row}");
    }
}
