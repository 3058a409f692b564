//! Every refusal of docs/format.md, forged: what a reader must refuse is written, with all
//! CRCs, hashes and signatures right, and each means that should refuse it does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, dead_code, missing_docs)]

#[path = "refusals/anchors.rs"]
mod anchors;
#[path = "refusals/answers/mod.rs"]
mod answers;
#[path = "refusals/archived_files.rs"]
mod archived_files;
#[path = "refusals/archives.rs"]
mod archives;
#[path = "refusals/bases.rs"]
mod bases;
#[path = "refusals/cases.rs"]
mod cases;
#[path = "refusals/catalog.rs"]
mod catalog;
#[path = "refusals/catalog_proofs.rs"]
mod catalog_proofs;
#[path = "refusals/checkpoints.rs"]
mod checkpoints;
#[path = "refusals/elsewhere.rs"]
mod elsewhere;
#[path = "refusals/forge/mod.rs"]
mod forge;
#[path = "refusals/in_force.rs"]
mod in_force;
#[path = "refusals/proofs/mod.rs"]
mod proofs;
mod support;

#[path = "refusals/bodies.rs"]
mod bodies;
#[path = "refusals/derived.rs"]
mod derived;
#[path = "refusals/footers.rs"]
mod footers;
#[path = "refusals/key_chains.rs"]
mod key_chains;
#[path = "refusals/keys.rs"]
mod keys;
#[path = "refusals/recorded_statements.rs"]
mod recorded_statements;
#[path = "refusals/records.rs"]
mod records;
#[path = "refusals/segments.rs"]
mod segments;
#[path = "refusals/snapshots.rs"]
mod snapshots;
#[path = "refusals/stating.rs"]
mod stating;
#[path = "refusals/stores.rs"]
mod stores;
#[path = "refusals/vaults.rs"]
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
