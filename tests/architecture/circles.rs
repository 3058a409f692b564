//! No module leads to itself through others: imports run downward, also inside a room.
//!
//! One module leads to another if it names it, or something in it, in a `use` or a path. Paths of
//! visibility (`pub(in …)`), tests, and methods that are reached through a value are not counted.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{self, Token};
use super::{File, module_of};

type Ties = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

/// The circles between these files, the modules of each in order.
pub(crate) fn circles(files: &[File]) -> Vec<Vec<String>> {
    let ties = ties(files);
    let reached: BTreeMap<_, _> =
        ties.keys().map(|module| (module, reached(&ties, module))).collect();
    let in_circle = |module: &&Vec<String>| reached[module].contains(*module);
    let circle = |module: &Vec<String>| {
        let both = |other: &&Vec<String>| {
            reached[module].contains(*other) && reached[other].contains(module)
        };
        ties.keys().filter(both).map(|module| module.join("::")).collect::<Vec<_>>()
    };
    let found: BTreeSet<Vec<String>> = ties.keys().filter(in_circle).map(circle).collect();
    found.into_iter().collect()
}

/// Which modules each module names.
fn ties(files: &[File]) -> Ties {
    let mut test_only = BTreeSet::new();
    let mut sources = Vec::new();
    for file in files.iter().filter(|file| file.path != "lib.rs") {
        let (tokens, tests) = source::without_tests(source::tokens(&file.text));
        let module = module_of(&file.path);
        test_only.extend(tests.into_iter().map(|name| [module.clone(), vec![name]].concat()));
        sources.push((module, without_visibilities(tokens)));
    }
    let is_test =
        |module: &[String]| (1..=module.len()).any(|len| test_only.contains(&module[..len]));
    sources.retain(|(module, _)| !is_test(module));
    let known: BTreeSet<Vec<String>> = sources.iter().map(|(module, _)| module.clone()).collect();
    let tied = |(module, tokens): (Vec<String>, Vec<Token>)| {
        let named = source::paths(&module, &tokens);
        let to = named.iter().filter_map(|named| leads_to(&module, &named.path, &known));
        let to = to.filter(|to| *to != module).collect();
        (module, to)
    };
    sources.into_iter().map(tied).collect()
}

/// Without the paths in `pub(in crate::room)`.
fn without_visibilities(tokens: Vec<Token>) -> Vec<Token> {
    let mut kept: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut inside = false;
    for token in tokens {
        let ends_with = |words: [&str; 2]| {
            kept.len() >= 2 && kept[kept.len() - 2..].iter().map(|t| t.text.as_str()).eq(words)
        };
        inside =
            if inside { token.text != ")" } else { token.text == "in" && ends_with(["pub", "("]) };
        if !inside {
            kept.push(token);
        }
    }
    kept
}

/// The module that a path leads to: of this crate, or a child of the one that names it.
fn leads_to(
    module: &[String],
    path: &[String],
    known: &BTreeSet<Vec<String>>,
) -> Option<Vec<String>> {
    let (from, least) = match path.split_first() {
        Some((root, rest)) if root == "crate" => (rest.to_vec(), 1),
        // A word alone is a local name, or a declaration.
        _ if path.len() > 1 => ([module, path].concat(), module.len() + 1),
        _ => return None,
    };
    (least..=from.len()).rev().map(|len| from[..len].to_vec()).find(|to| known.contains(to))
}

fn reached(ties: &Ties, from: &Vec<String>) -> BTreeSet<Vec<String>> {
    let (mut seen, mut left) = (BTreeSet::new(), vec![from]);
    while let Some(module) = left.pop() {
        for next in ties.get(module).into_iter().flatten() {
            if seen.insert(next.clone()) {
                left.push(next);
            }
        }
    }
    seen
}

#[test]
fn no_module_leads_to_itself() {
    let found = circles(&super::sources());
    assert!(found.is_empty(), "move what both need into a module below both: {found:#?}");
}

#[test]
fn circles_are_found() {
    let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
    let found = |files: &[(&str, &str)]| {
        circles(&files.iter().map(|(path, text)| file(path, text)).collect::<Vec<_>>())
    };
    let two = [("log/a.rs", "use crate::log::b::B;"), ("log/b.rs", "fn f() { super::a::g() }")];
    assert_eq!(found(&two), [["log::a", "log::b"]]);
    let child = [("log/mod.rs", "mod a; use a::A; pub struct L;"), ("log/a.rs", "use super::L;")];
    assert_eq!(found(&child), [["log", "log::a"]]);
    let three = [
        ("log/a.rs", "use crate::log::{b::B, x::X};"),
        ("log/b.rs", "use crate::log::c::C;"),
        ("log/c.rs", "use crate::log::a::A;"),
        ("log/x.rs", ""),
    ];
    assert_eq!(found(&three), [["log::a", "log::b", "log::c"]]);
    let none = [
        ("log/mod.rs", "mod a; pub use a::A;"),
        ("log/a.rs", "pub(in crate::log) struct A; #[cfg(test)] mod t { use crate::log::A; }"),
        ("log/b.rs", "// use crate::log::b;\nuse super::a::A;\n#[cfg(test)] mod tests;"),
        ("log/b/tests.rs", "use crate::log::b; use super::*;"),
    ];
    assert_eq!(found(&none), Vec::<Vec<String>>::new());
}
