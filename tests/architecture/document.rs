//! `docs/architecture.md` says what the code is.

use std::path::Path;

const DOCUMENT: &str = include_str!("../../docs/architecture.md");

#[test]
fn the_floors_of_the_document_are_those_of_the_code() {
    let listed = DOCUMENT.split("```floors\n").nth(1).and_then(|rest| rest.split("```").next());
    let listed: Vec<&str> = listed.unwrap().split_whitespace().collect();
    assert_eq!(listed, super::FLOORS);
}

#[test]
fn every_file_that_the_document_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let quoted = DOCUMENT.split('`').skip(1).step_by(2);
    let is_path = |text: &&str| {
        ["src/", "tests/", "docs/", "crates/"].iter().any(|start| text.starts_with(start))
    };
    let named: Vec<&str> = quoted.filter(is_path).collect();
    let missing: Vec<_> = named.iter().filter(|path| !root.join(path).exists()).collect();
    assert!(missing.is_empty(), "named in docs/architecture.md, and not there: {missing:?}");
    assert!(named.len() > 60, "{} files named", named.len());
}

#[test]
fn every_file_of_one_log_in_the_document_is_there() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let table = DOCUMENT.split("| files under `src/` | question |").nth(1).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let mut named = 0;
    for row in rows {
        let files = row.split('|').nth(1).unwrap();
        for file in files.split('`').skip(1).step_by(2) {
            assert!(src.join(file).exists(), "src/{file}");
            named += 1;
        }
    }
    assert!(named > 30, "{named} files named");
}
