//! R-PROOF-19 to 22: what a proof carries of the catalog.

use super::carried::{carrying, in_force};
use super::refused;
use super::single::{SEQ, Single};
use crate::bases::Base;
use crate::cases::{By, Case, attempt, run};
use crate::forge::Forge;
use crate::forge::bytes::text;
use crate::forge::files::Files;
use crate::forge::ground::{Ground, checkpoint};
use crate::forge::hashes::{Algorithm, Hash};
use crate::forge::notes::Key;
use crate::forge::segment::Record;
use crate::forge::shown::{self, container, numbers, path, with_len};

// ---- tag 4 ------------------------------------------------------------------------------

/// What shows a head in the catalog.
struct Via {
    record: Record,
    seq: usize,
    log_id: [u8; 16],
    form: u8,
    /// Leaves of the catalog, of which that of the record is made of it.
    leaves: Vec<Hash>,
    key: Key,
    origin: String,
}

impl Via {
    fn of(ground: &Ground) -> Self {
        let size = crate::forge::bytes::uint(ground.size() as u64);
        let mut records = ground.forge.catalog_records();
        let seq = records.position(|record| record.kind() == 18 && record.field("size") == size);
        let (seq, key) = (seq.expect("the head in the catalog"), ground.key.of_catalog());
        Via {
            record: ground.catalog_record(seq),
            seq,
            log_id: ground.forge.log_id,
            form: 2,
            leaves: ground.catalog_leaves.clone(),
            origin: key.name.clone(),
            key,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let (tree, mut leaves) = (Algorithm::Sha256, self.leaves.clone());
        leaves[self.seq] = tree.leaf(&[&self.record.entry(&self.log_id, self.seq as u64)]);
        let record = shown::record(&self.record, &self.log_id, self.seq as u64, self.form);
        let head = checkpoint(&self.origin, leaves.len(), &tree.root(&leaves), &self.key);
        let hashes = tree.path(self.seq, &leaves);
        [with_len(&record), path(&hashes), head.into_bytes()].concat()
    }
}

fn via_catalog(forge: Forge, change: impl FnOnce(&Ground, &mut Via)) -> Files {
    carrying(forge, |ground, _| {
        let mut via = Via::of(ground);
        change(ground, &mut via);
        vec![(4, via.bytes())]
    })
}

// ---- tag 5 ------------------------------------------------------------------------------

fn stating(forge: Forge, make: impl FnOnce(&Ground) -> Vec<u8>) -> Files {
    carrying(forge, |ground, _| vec![(5, make(ground))])
}

pub(crate) fn good_statement(ground: &Ground) -> Vec<u8> {
    ground.statement(2, in_force(&ground.state(2), 0)).bytes()
}

/// Pins the catalog's key besides.
fn pinning_the_catalogs_key(mut files: Files) -> Files {
    files.put("proofs/pinned.vkey", Base::Plain.key().of_catalog().vkey());
    files
}

/// A bundle without records that carries statements about two logs, under heads of one.
pub(crate) fn about_two_logs(forge: Forge) -> Files {
    let ground = Ground::of(forge);
    let via = Via { log_id: [9; 16], ..Via::of(&ground) };
    let mut bundle = super::bundles::Bundle::of(&ground, &[]);
    bundle.extra = Some(container(&[(4, via.bytes()), (5, good_statement(&ground))]));
    ground.with("forged.bulla-bundle", bundle.text())
}

pub(crate) const CASES: &[Case] = &[
    refused!(
        "R-PROOF-19",
        "a head in the catalog of a SHA-256 log",
        Plain,
        "expected BLAKE3",
        |forge| { pinning_the_catalogs_key(via_catalog(forge, |_, _| ())) }
    ),
    refused!(
        "R-PROOF-20",
        "a head of the catalog by a stranger",
        Blake3,
        "the head in the catalog: checkpoint not verified",
        |forge| { via_catalog(forge, |_, via| via.key.seed = [99; 32]) }
    ),
    refused!(
        "R-PROOF-20",
        "a head of the main log in place of the catalog's",
        Blake3,
        "expected a checkpoint of example.com/audit/catalog",
        |forge| {
            carrying(forge, |ground, _| {
                let via = Via::of(ground);
                let record = shown::record(&via.record, &via.log_id, via.seq as u64, 2);
                let hashes = Algorithm::Sha256.path(via.seq, &via.leaves);
                let head = ground.newest().into_bytes();
                vec![(4, [with_len(&record), path(&hashes), head].concat())]
            })
        }
    ),
    refused!(
        "R-PROOF-20",
        "a head of the catalog of another log",
        Blake3,
        "expected a checkpoint of example.com/audit/catalog",
        |forge| {
            let other =
                Key { name: "example.com/other".to_owned(), ..Base::Blake3.key() }.of_catalog();
            let vkey = other.vkey();
            let mut files = via_catalog(forge, |_, via| {
                via.origin = other.name.clone();
                via.key = other;
            });
            files.put("proofs/pinned.vkey", vkey);
            files
        }
    ),
    refused!("R-PROOF-20", "a head of a catalog with a BLAKE3 tree", Blake3, "", |forge| {
        via_catalog(forge, |_, via| via.key.algorithm = Algorithm::Blake3)
    }),
    refused!(
        "R-PROOF-20",
        "hashes that do not lead to the root of the catalog",
        Blake3,
        "inclusion not proved",
        |forge| {
            carrying(forge, |ground, _| {
                let via = Via::of(ground);
                let record = shown::record(&via.record, &via.log_id, via.seq as u64, 2);
                let mut hashes = Algorithm::Sha256.path(via.seq, &via.leaves);
                hashes[0] = [7; 32];
                let head = ground.catalog_head(via.leaves.len()).into_bytes();
                vec![(4, [with_len(&record), path(&hashes), head].concat())]
            })
        }
    ),
    refused!(
        "R-PROOF-20",
        "a head of the catalog from before the record",
        Blake3,
        "is not covered",
        |forge| {
            carrying(forge, |ground, _| {
                let via = Via::of(ground);
                let record = shown::record(&via.record, &via.log_id, via.seq as u64, 2);
                let head = ground.catalog_head(via.seq).into_bytes();
                vec![(4, [with_len(&record), path(&[]), head].concat())]
            })
        }
    ),
    refused!("R-PROOF-21", "the record of an older head", Blake3, "signed head", |forge| {
        via_catalog(forge, |ground, via| {
            let mut records = ground.forge.catalog_records();
            via.seq = records.position(|record| record.kind() == 18).unwrap();
            via.record = ground.catalog_record(via.seq);
        })
    }),
    refused!("R-PROOF-21", "a record of another kind", Blake3, "a record of kind 16", |forge| {
        via_catalog(forge, |ground, via| (via.seq, via.record) = (0, ground.catalog_record(0)))
    }),
    refused!(
        "R-PROOF-21",
        "a record with another root",
        Blake3,
        "note of the signed head",
        |forge| { via_catalog(forge, |_, via| via.record.set("root", vec![7; 32])) }
    ),
    refused!(
        "R-PROOF-21",
        "a record whose note is that of another head",
        Blake3,
        "note of the signed head",
        |forge| {
            via_catalog(forge, |ground, via| {
                via.record.set("note", text(ground.head(ground.anchors[0] + 1)));
            })
        }
    ),
    refused!(
        "R-PROOF-21",
        "a record whose note is none",
        Blake3,
        "note of the signed head",
        |forge| { via_catalog(forge, |_, via| via.record.set("note", text("none"))) }
    ),
    refused!(
        "R-PROOF-21",
        "a record whose note has another origin",
        Blake3,
        "of example.com/other",
        |forge| {
            via_catalog(forge, |ground, via| {
                let other = Key { name: "example.com/other".to_owned(), ..ground.key.clone() };
                via.record.set("note", text(ground.head_by(ground.size(), &other)));
            })
        }
    ),
    refused!("R-PROOF-21", "a record of another log", Blake3, "log id", |forge| {
        via_catalog(forge, |_, via| via.log_id = [9; 16])
    }),
    refused!(
        "R-PROOF-21",
        "bytes behind the record's fields",
        Blake3,
        "expected a record",
        |forge| { via_catalog(forge, |_, via| via.record.trailing.push(0)) }
    ),
    refused!("R-PROOF-21", "a payload that is no reason", Blake3, "expected a record", |forge| {
        via_catalog(forge, |_, via| {
            via.form = 1;
            via.record.set_payload(&[9]);
        })
    }),
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
    let blake3 = Base::Blake3;
    for form in [1, 2] {
        let files = via_catalog(blake3.forge(), |_, via| via.form = form);
        assert_eq!(attempt(By::VerifyProof, blake3, &files), Ok(()));
    }
}
