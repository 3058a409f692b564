//! R-PROOF-19 to 22: what a proof carries of the catalog.

use super::carried::{carrying, in_force};
use super::refused;
use super::single::{SEQ, Single};
use crate::bases::Base;
use crate::cases::{By, Case, attempt, run};
use crate::forge::Forge;
use crate::forge::files::Files;
use crate::forge::ground::{Ground, checkpoint};
use crate::forge::hashes::Algorithm;
use crate::forge::shown::{self, container, numbers, path, with_len};

// ---- tag 4 ------------------------------------------------------------------------------

/// What early versions carried under a head of a BLAKE3 log, all of it right: the record of that
/// head in the catalog (kind 18), its path, and a checkpoint of the catalog.
fn head_in_catalog(ground: &Ground) -> Vec<u8> {
    let size = crate::forge::bytes::uint(ground.size() as u64);
    let mut records = ground.forge.catalog_records();
    let seq = records.position(|record| record.kind() == 18 && record.field("size") == size);
    let seq = seq.expect("the head in the catalog");
    let (tree, leaves) = (Algorithm::Sha256, &ground.catalog_leaves);
    let record = ground.catalog_record(seq);
    let record = shown::record(&record, &ground.forge.log_id, seq as u64, 2);
    let key = ground.key.of_catalog();
    let head = checkpoint(&key.name, leaves.len(), &tree.root(leaves), &key);
    [with_len(&record), path(&tree.path(seq, leaves)), head.into_bytes()].concat()
}

// ---- tag 5 ------------------------------------------------------------------------------

fn stating(forge: Forge, make: impl FnOnce(&Ground) -> Vec<u8>) -> Files {
    carrying(forge, |ground, _| vec![(5, make(ground))])
}

pub(crate) fn good_statement(ground: &Ground) -> Vec<u8> {
    ground.statement(2, in_force(&ground.state(2), 0)).bytes()
}

pub(crate) const CASES: &[Case] = &[
    refused!(
        "R-PROOF-19",
        "a head in the catalog, as early versions carried it",
        Blake3,
        "expected a section of kind 1, 2, 3 or 5, found kind 4",
        |forge| { carrying(forge, |ground, _| vec![(4, head_in_catalog(ground))]) }
    ),
    refused!(
        "R-PROOF-19",
        "a head of a SHA-256 log in its catalog",
        Plain,
        "expected a section of kind 1, 2, 3 or 5, found kind 4",
        |forge| { carrying(forge, |ground, _| vec![(4, head_in_catalog(ground))]) }
    ),
    refused!(
        "R-PROOF-22",
        "a statement with claim 4",
        Plain,
        "kind 4 stands only in an answer",
        |forge| {
            stating(forge, |ground| {
                let claim = [vec![4], numbers(&[0]), vec![0; 8]].concat();
                ground.statement(2, claim).bytes()
            })
        }
    ),
    refused!(
        "R-PROOF-22",
        "a statement under an older anchor",
        Plain,
        "anchor: expected the last of 93 records",
        |forge| {
            stating(forge, |ground| ground.statement(1, in_force(&ground.state(1), 0)).bytes())
        }
    ),
    refused!(
        "R-PROOF-22",
        "a statement with bytes behind it",
        Plain,
        "expected its end, found 1 bytes more",
        |forge| { stating(forge, |ground| [good_statement(ground), vec![0]].concat()) }
    ),
    refused!(
        "R-PROOF-22",
        "a statement about another log than the record's",
        Plain,
        "log id",
        |forge| {
            let mut ground = Ground::of(forge);
            let (record, other) = (ground.record(SEQ), [9; 16]);
            ground.leaves[SEQ] = ground.algorithm().leaf(&[&record.entry(&other, SEQ as u64)]);
            let shown = shown::record(&record, &other, SEQ as u64, 1);
            let mut proof = Single::of(&ground);
            proof.extra = Some(container(&[(1, shown), (5, good_statement(&ground))]));
            proof.files(&ground)
        }
    ),
    refused!(
        "R-PROOF-22",
        "a statement that does not hold",
        Plain,
        "the statement about the catalog: inclusion not proved",
        |forge| {
            stating(forge, |ground| {
                let mut state = ground.state(2);
                state.entries.values_mut().next().unwrap().push(0);
                ground.statement(2, in_force(&state, 0)).bytes()
            })
        }
    ),
];

#[test]
fn what_a_proof_must_not_carry_of_the_catalog_is_refused() {
    run(CASES);
}

#[test]
fn what_a_proof_carries_of_the_catalog_and_is_not_forged_holds() {
    let plain = Base::Plain;
    let made = [
        stating(plain.forge(), good_statement),
        stating(plain.forge(), |ground| ground.statement(2, ground.record_claim(2, 0, 1)).bytes()),
    ];
    for files in made {
        assert_eq!(attempt(By::VerifyProof, plain, &files), Ok(()));
    }
}
