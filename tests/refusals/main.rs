//! Every refusal of docs/format.md, forged: what a reader must refuse is written, with all
//! CRCs, hashes and signatures right, and each means that should refuse it does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, dead_code, missing_docs)]

mod anchors;
mod answers;
mod archived_files;
mod archives;
mod bases;
mod cases;
mod catalog;
mod catalog_proofs;
mod checkpoints;
mod elsewhere;
mod forge;
mod in_force;
mod proofs;
#[path = "../support/mod.rs"]
mod support;

mod bodies;
mod derived;
mod footers;
mod key_chains;
mod keys;
mod recorded_statements;
mod records;
mod segments;
mod snapshots;
mod stating;
mod stores;
mod vaults;

use std::collections::{BTreeMap, BTreeSet};

use cases::Case;
use forge::document;

/// The cases of all modules.
const ALL: &[&[Case]] = &[
    segments::CASES,
    records::CASES,
    bodies::CASES,
    footers::CASES,
    derived::CASES,
    anchors::CASES,
    catalog::CASES,
    catalog_proofs::CASES,
    checkpoints::CASES,
    in_force::CASES,
    keys::CASES,
    recorded_statements::CASES,
    key_chains::CASES,
    proofs::single::CASES,
    proofs::records::CASES,
    proofs::carried::CASES,
    proofs::carried_catalog::CASES,
    proofs::consistency::CASES,
    proofs::bundles::CASES,
    proofs::vaults::CASES,
    proofs::audits::CASES,
    answers::text::CASES,
    answers::range::CASES,
    answers::records::CASES,
    answers::lists::CASES,
    answers::times::CASES,
    archives::CASES,
    archived_files::CASES,
    stores::CASES,
    vaults::CASES,
];

#[test]
fn every_refusal_of_the_document_is_forged() {
    let mut forged: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for case in ALL.iter().copied().flatten() {
        let by = case.expect.iter().map(|(by, ..)| by.name());
        forged.entry(case.id).or_default().extend(by);
    }
    for (id, by, _) in elsewhere::TILES {
        forged.entry(id).or_default().extend(*by);
    }
    let listed: BTreeMap<String, BTreeSet<String>> =
        document::refusals().into_iter().map(|(id, by)| (id, by.into_iter().collect())).collect();
    let mut wrong = Vec::new();
    for (id, by) in &listed {
        match forged.get(id.as_str()) {
            None => wrong.push(format!("{id} is listed and not forged")),
            Some(shown) if !by.iter().map(String::as_str).eq(shown.iter().copied()) => {
                wrong.push(format!("{id}: the document says {by:?}, the cases show {shown:?}"));
            }
            Some(_) => {}
        }
    }
    let unlisted = forged.keys().filter(|id| !listed.contains_key(**id));
    wrong.extend(unlisted.map(|id| format!("{id} is forged and not listed in docs/format.md")));
    assert_eq!(listed.len(), document::refusals().len(), "an id is listed twice");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let elsewhere = elsewhere::TILES.iter().map(|(_, _, count)| count).sum::<usize>();
    let cases = elsewhere + ALL.iter().map(|cases| cases.len()).sum::<usize>();
    println!("{} refusals in {cases} forgeries", listed.len());
    let mut means: BTreeMap<&str, usize> = BTreeMap::new();
    forged.values().flatten().for_each(|by| *means.entry(by).or_default() += 1);
    means.iter().for_each(|(by, count)| println!("refused by {by}: {count}"));
}
