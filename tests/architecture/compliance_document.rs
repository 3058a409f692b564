//! The tests and commands that `docs/compliance.md` names are there.

#![allow(clippy::unwrap_used)] // a failure of this program is a failed test

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const DOCUMENT: &str = include_str!("../../docs/compliance.md");
const COMMANDS: &str = include_str!("../../crates/bulla-cli/src/commands/mod.rs");

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

fn all_sources(dirs: &[&str]) -> String {
    let mut all = String::new();
    for dir in dirs {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(dir), &mut all);
    }
    all
}

/// What stands in backquotes.
fn quoted() -> impl Iterator<Item = &'static str> {
    DOCUMENT.split('`').skip(1).step_by(2)
}

#[test]
fn every_test_that_the_compliance_document_names_exists() {
    let all = all_sources(&["src", "tests", "crates"]);
    let is_name = |text: &&str| {
        text.matches('_').count() > 2
            && text.bytes().all(|b| b == b'_' || b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    let named: BTreeSet<&str> = quoted().filter(is_name).collect();
    let is_test = |name: &&&str| {
        let is_there = |at: (usize, &str)| all[..at.0].trim_end().ends_with("#[test]");
        all.match_indices(&format!("fn {name}()")).any(is_there)
    };
    let missing: Vec<_> = named.iter().filter(|name| !is_test(name)).collect();
    assert!(missing.is_empty(), "named in docs/compliance.md, and no test: {missing:#?}");
    assert!(named.len() > 15, "{} tests named", named.len());
}

/// `VerifyProof` as people type it.
fn kebab(variant: &str) -> String {
    let mut out = String::new();
    for c in variant.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[test]
fn every_command_that_the_compliance_document_names_exists() {
    let variants = COMMANDS.split("enum Command {").nth(1).unwrap().split("\n}").next().unwrap();
    let variants = variants.lines().filter_map(|line| line.trim().split_once('('));
    let commands: BTreeSet<String> = variants.map(|(variant, _)| kebab(variant)).collect();
    let arguments = all_sources(&["crates/bulla-cli/src"]);
    let mut checked = 0;
    for named in quoted().filter_map(|text| text.strip_prefix("bulla ")) {
        let mut words = named.split(' ');
        let command = words.next().unwrap();
        assert!(commands.contains(command), "`bulla {named}`: no such command");
        for option in words.filter_map(|word| word.strip_prefix("--")) {
            let field = format!(" {}: ", option.replace('-', "_"));
            assert!(arguments.contains(&field), "`bulla {named}`: no option --{option}");
        }
        checked += 1;
    }
    assert!(checked > 30, "{checked} commands named");
}

#[test]
fn every_requirement_has_what_shows_it_and_what_tests_it() {
    let tables = DOCUMENT.split("## What this software alone does not give").next().unwrap();
    let rows = tables.lines().filter(|line| line.starts_with('|') && !line.starts_with("|---"));
    let rows: Vec<&str> = rows.filter(|line| !line.ends_with("| test |")).collect();
    assert!(rows.len() > 25, "{} rows", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [requirement, feature, _, test] = cells[..] else { panic!("four cells: {row}") };
        assert!(!requirement.is_empty() && !feature.is_empty() && !test.is_empty(), "{row}");
    }
}
