//! R-CPROOF: proofs of what the catalog says, or has in force.

use crate::bases::Base;
use crate::cases::{By, Case, attempt, run};
use crate::forge::Forge;
use crate::forge::bytes::{as_uint, int, long_uint, text, uint};
use crate::forge::files::Files;
use crate::forge::ground::{Ground, Statement};
use crate::forge::hashes::{Algorithm, Hash};
use crate::forge::notes::{Key, base64};
use crate::forge::segment::Record;
use crate::forge::shown::{self, batch, number4, numbers, path, with_len};
use crate::forge::state::State;
use crate::proofs::carried::in_force;
use crate::proofs::refused;
use crate::support::ORIGIN;

/// The newest anchor.
const ANCHOR: usize = 2;

/// What a proof is made of.
struct Parts {
    state: State,
    statement: Statement,
    checkpoint: String,
}

/// A proof under the newest anchor that the log's first entry is in force.
fn proof(forge: Forge, change: impl FnOnce(&Ground, &mut Parts)) -> Files {
    edited_proof(forge, change, |text| text)
}

fn edited(forge: Forge, edit: impl FnOnce(String) -> String) -> Files {
    edited_proof(forge, |_, _| (), edit)
}

fn edited_proof(
    forge: Forge,
    change: impl FnOnce(&Ground, &mut Parts),
    edit: impl FnOnce(String) -> String,
) -> Files {
    let ground = Ground::of(forge);
    let state = ground.state(ANCHOR);
    let statement = ground.statement(ANCHOR, in_force(&state, 0));
    let mut parts = Parts { state, statement, checkpoint: ground.newest() };
    change(&ground, &mut parts);
    let statement = base64(&parts.statement.bytes());
    let text = format!("bulla.dev/catalog-proof/v1\n{statement}\n\n{}", parts.checkpoint);
    ground.with("forged.bulla-catalog-proof", edit(text))
}

/// A proof of this claim.
fn claim(forge: Forge, make: impl FnOnce(&Ground, &State) -> Vec<u8>) -> Files {
    proof(forge, |ground, parts| parts.statement.claim = make(ground, &parts.state))
}

fn entry(state: &State, at: usize) -> Vec<u8> {
    let (key, value) = state.entries.iter().nth(at).unwrap();
    [with_len(key), with_len(value)].concat()
}

fn state_batch(state: &State, wanted: &[usize]) -> Vec<Hash> {
    Algorithm::Sha256.batch(wanted, 0, &state.leaves())
}

/// Claim 3, with the neighbours before and at this index.
fn absent(state: &State, key: &[u8], at: usize) -> Vec<u8> {
    let place = numbers(&[state.entries.len() as u64, at as u64]);
    let neighbours = [entry(state, at - 1), entry(state, at)].concat();
    let hashes = state_batch(state, &[at - 1, at]);
    [vec![3], place, with_len(key), neighbours, path(&hashes)].concat()
}

/// Claim 3, of a key behind all others or before them.
fn absent_at_the_edge(state: &State, key: &[u8], at: usize, neighbour: usize) -> Vec<u8> {
    let place = numbers(&[state.entries.len() as u64, at as u64]);
    let hashes = path(&state_batch(state, &[neighbour]));
    [vec![3], place, with_len(key), entry(state, neighbour), hashes].concat()
}

fn entries(state: &State, shown: &[usize]) -> Vec<u8> {
    let items = shown.iter().flat_map(|at| [numbers(&[*at as u64]), entry(state, *at)].concat());
    let hashes = if shown.is_empty() { vec![state.root()] } else { state_batch(state, shown) };
    let items: Vec<u8> = items.collect();
    let entries = numbers(&[state.entries.len() as u64]);
    [vec![4], entries, number4(shown.len()), items, batch(&hashes)].concat()
}

/// Claim 1 of a record that was changed after the state was derived from it, in a catalog whose
/// root is that of the changed one. The anchor names that catalog.
fn record(forge: Forge, seq: usize, form: u8, change: impl FnOnce(&mut Record)) -> Files {
    record_of(forge, seq, form, |record, _| change(record))
}

fn record_of(
    mut forge: Forge,
    seq: usize,
    form: u8,
    change: impl FnOnce(&mut Record, &mut [u8; 16]),
) -> Files {
    let ground = Ground::of(forge.clone());
    let (mut record, mut log_id) = (ground.catalog_record(seq), forge.log_id);
    change(&mut record, &mut log_id);
    let mut leaves = ground.catalog_leaves[..ground.catalog_size(ANCHOR)].to_vec();
    leaves[seq] = Algorithm::Sha256.leaf(&[&record.entry(&log_id, seq as u64)]);
    forge.anchor(ANCHOR).set("catalog_root", Algorithm::Sha256.root(&leaves).to_vec());
    claim(forge, |_, _| {
        let shown = shown::record(&record, &log_id, seq as u64, form);
        let hashes = Algorithm::Sha256.path(seq, &leaves);
        [vec![1], with_len(&shown), path(&hashes)].concat()
    })
}

/// The place of the first record of this kind.
fn first(forge: &Forge, kind: u8) -> usize {
    forge.catalog_records().position(|record| record.kind() == kind).unwrap()
}

/// Claim 1 of the first record of this kind, changed.
fn record_of_kind(forge: Forge, kind: u8, change: impl FnOnce(&mut Record)) -> Files {
    let seq = first(&forge, kind);
    record(forge, seq, 2, change)
}

/// Claim 1 of the last record that the anchor covers, which leads to another state.
fn other_state(forge: Forge) -> Files {
    let last = Ground::of(forge.clone()).catalog_size(ANCHOR) - 1;
    record(forge, last, 2, |record| record.set("state_root", vec![7; 32]))
}

pub(crate) const CASES: &[Case] = &[
    refused!(
        "R-CPROOF-1",
        "a first line of another version",
        Plain,
        "bulla.dev/catalog-proof/v1",
        |forge| { edited(forge, |text| text.replacen("/v1", "/v2", 1)) }
    ),
    refused!("R-CPROOF-1", "more than 4 MiB", Plain, "of at most 4194304 bytes", |forge| {
        edited(forge, |text| text + &"\n".repeat(4 << 20))
    }),
    refused!("R-CPROOF-1", "two statements", Plain, "the base64 of a statement", |forge| {
        edited(forge, |text| text.replacen("\n\n", "\nAA==\n\n", 1))
    }),
    refused!("R-CPROOF-1", "no checkpoint", Plain, "an empty line and a checkpoint", |forge| {
        edited(forge, |text| text.split("\n\n").next().unwrap().to_owned())
    }),
    refused!("R-CPROOF-1", "a byte behind the checkpoint", Plain, "in the checkpoint", |forge| {
        edited(forge, |text| text + "x")
    }),
    refused!("R-CPROOF-1", "an unknown claim", Plain, "a claim of kind 1 to 4", |forge| {
        proof(forge, |_, parts| parts.statement.claim[0] = 5)
    }),
    refused!(
        "R-CPROOF-1",
        "bytes behind the last field",
        Plain,
        "the statement about the catalog",
        |forge| { proof(forge, |_, parts| parts.statement.claim.push(0)) }
    ),
    refused!(
        "R-CPROOF-2",
        "an anchor with an integer in more bytes than it needs",
        Plain,
        "shortest spelling",
        |mut forge| {
            let size = as_uint(forge.anchor(ANCHOR).field("catalog_size"));
            forge.anchor(ANCHOR).set("catalog_size", long_uint(size));
            proof(forge, |_, _| ())
        }
    ),
    refused!(
        "R-CPROOF-2",
        "an anchor with a payload",
        Plain,
        "payload of the anchor",
        |mut forge| {
            forge.anchor(ANCHOR).set_payload(&[1]);
            proof(forge, |ground, parts| {
                parts.statement.anchor = ground.shown(ground.anchors[ANCHOR], 1);
            })
        }
    ),
    refused!(
        "R-CPROOF-2",
        "an older anchor",
        Plain,
        "anchor: expected the last of 93 records",
        |forge| {
            proof(forge, |ground, parts| {
                let state = ground.state(1);
                parts.statement = ground.statement(1, in_force(&state, 0));
            })
        }
    ),
    refused!(
        "R-CPROOF-2",
        "an event in place of the anchor",
        Plain,
        "last record: expected the anchor",
        |forge| {
            proof(forge, |ground, parts| {
                let size = ground.size() - 1;
                parts.checkpoint = ground.head(size);
                parts.statement.anchor = ground.shown(size - 1, 2);
                parts.statement.path = ground.path(size - 1, size);
            })
        }
    ),
    refused!("R-CPROOF-3", "hashes that do not lead to the head", Plain, "root", |forge| {
        proof(forge, |_, parts| parts.statement.path[0] = [7; 32])
    }),
    refused!("R-CPROOF-3", "an entry that is not in force", Plain, "root", |forge| {
        claim(forge, |_, state| {
            let mut other = state.clone();
            *other.entries.values_mut().next().unwrap() = b"other".to_vec();
            let hashes = path(&state_batch(state, &[0]));
            let place = numbers(&[state.entries.len() as u64, 0]);
            [vec![2], place, entry(&other, 0), hashes].concat()
        })
    }),
    refused!("R-CPROOF-3", "a catalog record that is not there", Plain, "root", |forge| {
        claim(forge, |ground, _| {
            let mut claim = ground.record_claim(ANCHOR, 0, 2);
            let at = claim.windows(7).position(|word| word == b"example").unwrap();
            claim[at] = b'E';
            claim
        })
    }),
    refused!(
        "R-CPROOF-3",
        "a catalog record from behind the anchor",
        Plain,
        "is not covered",
        |forge| {
            claim(forge, |ground, _| {
                let seq = ground.catalog_size(ANCHOR);
                let record = ground.catalog_record(seq);
                let shown = shown::record(&record, &ground.forge.log_id, seq as u64, 2);
                [vec![1], with_len(&shown), path(&[])].concat()
            })
        }
    ),
    refused!(
        "R-CPROOF-4",
        "the absence of what is there, between others",
        Plain,
        "neighbours of the key",
        |forge| {
            claim(forge, |_, state| {
                let key = state.entries.keys().nth(1).unwrap().clone();
                absent(state, &key, 1)
            })
        }
    ),
    refused!(
        "R-CPROOF-4",
        "the absence of a key that belongs elsewhere",
        Plain,
        "neighbours of the key",
        |forge| { claim(forge, |_, state| absent(state, b"a", 2)) }
    ),
    refused!(
        "R-CPROOF-4",
        "neighbours with an entry between them",
        Plain,
        "inclusion not proved",
        |forge| {
            claim(forge, |_, state| {
                let key = state.entries.keys().nth(1).unwrap().clone();
                let place = numbers(&[state.entries.len() as u64 - 1, 1]);
                let neighbours = [entry(state, 0), entry(state, 2)].concat();
                let hashes = path(&state_batch(state, &[0, 2]));
                [vec![3], place, with_len(&key), neighbours, hashes].concat()
            })
        }
    ),
    refused!(
        "R-CPROOF-4",
        "an edge that is none: the second entry as the first",
        Plain,
        "inclusion not proved",
        |forge| {
            claim(forge, |_, state| {
                let key = state.entries.keys().next().unwrap().clone();
                absent_at_the_edge(state, &key, 0, 1)
            })
        }
    ),
    refused!(
        "R-CPROOF-4",
        "an edge that is none: the last but one as the last",
        Plain,
        "inclusion not proved",
        |forge| {
            claim(forge, |_, state| {
                let (len, key) =
                    (state.entries.len(), state.entries.keys().last().unwrap().clone());
                absent_at_the_edge(state, &key, len, len - 2)
            })
        }
    ),
    refused!(
        "R-CPROOF-4",
        "one neighbour of two",
        Plain,
        "the statement about the catalog",
        |forge| {
            claim(forge, |_, state| {
                let place = numbers(&[state.entries.len() as u64, 1]);
                let hashes = path(&state_batch(state, &[0]));
                [vec![3], place, with_len(b"keyx"), entry(state, 0), hashes].concat()
            })
        }
    ),
    refused!("R-CPROOF-4", "the absence of everything", Plain, "root", |forge| {
        claim(forge, |_, _| [vec![3], vec![0; 16], with_len(b"log"), vec![0]].concat())
    }),
    refused!(
        "R-CPROOF-5",
        "no entry, and what proves as much",
        Plain,
        "kind 4 stands only in an answer",
        |forge| { claim(forge, |_, state| entries(state, &[])) }
    ),
    refused!(
        "R-CPROOF-5",
        "some entries that are in force",
        Plain,
        "kind 4 stands only in an answer",
        |forge| { claim(forge, |_, state| entries(state, &[0, 2])) }
    ),
    refused!("R-CPROOF-6", "a head by a stranger", Plain, "signature", |forge| {
        proof(forge, |ground, parts| {
            let stranger = Key::new(ORIGIN, Algorithm::Sha256, 99);
            parts.checkpoint = ground.head_by(ground.size(), &stranger);
        })
    }),
    refused!("R-CPROOF-6", "the same head of another log", Plain, "signature", |forge| {
        proof(forge, |ground, parts| {
            let other = Key { name: "example.com/other".to_owned(), ..ground.key.clone() };
            parts.checkpoint = ground.head_by(ground.size(), &other);
        })
    }),
    refused!("R-CPROOF-7", "a record in another form", Plain, "expected form 1 or 2", |forge| {
        record(forge, 0, 3, |_| ())
    }),
    refused!(
        "R-CPROOF-7",
        "an event in place of a catalog record",
        Plain,
        "kind 16 or above",
        |forge| { record(forge, 1, 2, |record| record.set_prefix("kind", 1_u64)) }
    ),
    refused!("R-CPROOF-7", "bytes behind the fields", Plain, "expected a record", |forge| {
        record(forge, 1, 2, |record| record.trailing.push(0))
    }),
    refused!(
        "R-CPROOF-7",
        "an integer in more bytes than it needs",
        Plain,
        "expected a record",
        |forge| { record_of_kind(forge, 17, |record| record.set("ordinal", long_uint(1))) }
    ),
    refused!("R-CPROOF-7", "an envelope without a state root", Plain, "a state root", |forge| {
        record(forge, 1, 2, |record| record.fields.clear())
    }),
    refused!("R-CPROOF-7", "a payload that is no reason", Plain, "expected a record", |forge| {
        record(forge, 1, 1, |record| record.set_payload(&[9]))
    }),
    refused!("R-CPROOF-7", "bytes behind the reason", Plain, "expected a record", |forge| {
        record(forge, 1, 1, |record| record.stored.push(0))
    }),
    refused!("R-CPROOF-7", "a record of another log", Plain, "log id", |forge| {
        record_of(forge, 1, 2, |_, log_id| *log_id = [9; 16])
    }),
    refused!(
        "R-CPROOF-8",
        "a first record that is no creation",
        Plain,
        "kind 16 (created) as record 0",
        |forge| {
            let other = forge.catalog_records().nth(1).unwrap().clone();
            record(forge, 0, 2, move |record| *record = other)
        }
    ),
    refused!("R-CPROOF-8", "a second creation", Plain, "another kind than 16", |forge| {
        let created = forge.catalog_records().next().unwrap().clone();
        record(forge, 1, 2, move |record| *record = created)
    }),
    refused!(
        "R-CPROOF-8",
        "the seal of a segment that was dropped",
        Plain,
        "status 0 (live)",
        |forge| { record_of_kind(forge, 17, |record| record.set("status", vec![2])) }
    ),
    refused!(
        "R-CPROOF-8",
        "the seal of no record",
        Plain,
        "a segment of 1 record or more",
        |forge| { record_of_kind(forge, 17, |record| record.set("count", uint(0))) }
    ),
    refused!(
        "R-CPROOF-8",
        "the seal of segment 0",
        Plain,
        "a segment of 1 record or more",
        |forge| { record_of_kind(forge, 17, |record| record.set("ordinal", uint(0))) }
    ),
    refused!(
        "R-CPROOF-8",
        "a smallest time above the largest",
        Plain,
        "the smallest and the largest times",
        |forge| {
            record_of_kind(forge, 17, |record| {
                record.set("times", [int(2), int(1), int(1), int(1)].concat());
            })
        }
    ),
    refused!(
        "R-CPROOF-8",
        "a signed head whose note is of another",
        Plain,
        "note of the signed head",
        |forge| { record_of_kind(forge, 18, |record| record.set("root", vec![7; 32])) }
    ),
    refused!(
        "R-CPROOF-8",
        "a signed head without a note",
        Plain,
        "note of the signed head",
        |forge| { record_of_kind(forge, 18, |record| record.set("note", text("none"))) }
    ),
    refused!(
        "R-CPROOF-9",
        "another state than the anchor's",
        Plain,
        "state root of the last record",
        other_state
    ),
    refused!("R-CPROOF-10", "an index above the entries", Plain, "an index up to", |forge| {
        claim(forge, |_, state| {
            let mut claim = absent_at_the_edge(state, b"~", state.entries.len(), 0);
            claim[9..17].copy_from_slice(&numbers(&[state.entries.len() as u64 + 1]));
            claim
        })
    }),
    refused!("R-CPROOF-10", "an entry behind all entries", Plain, "is not covered", |forge| {
        claim(forge, |_, state| {
            let mut claim = in_force(state, 0);
            claim[9..17].copy_from_slice(&numbers(&[state.entries.len() as u64]));
            claim
        })
    }),
    refused!("R-CPROOF-10", "a key that is not UTF-8", Plain, "no UTF-8 at its byte 0", |forge| {
        claim(forge, |_, state| absent(state, b"\xff", 1))
    }),
    refused!("R-CPROOF-10", "a key of 4 GiB", Plain, "4294967295 bytes more", |forge| {
        claim(forge, |_, _| [vec![2], numbers(&[9, 0]), vec![0xff; 4]].concat())
    }),
    refused!("R-CPROOF-10", "4 billion entries", Plain, "bytes more", |forge| {
        claim(forge, |_, _| [vec![4], numbers(&[9]), vec![0xff; 4]].concat())
    }),
    refused!("R-CPROOF-10", "255 hashes", Plain, "8160 bytes more", |forge| {
        claim(forge, |_, state| {
            let place = numbers(&[state.entries.len() as u64, 0]);
            [vec![2], place, entry(state, 0), vec![255]].concat()
        })
    }),
];

#[test]
fn what_a_catalog_proof_must_not_be_is_refused() {
    run(CASES);
}

/// The proofs that the forgeries are made from hold: of an entry, of records, of absences.
#[test]
fn a_catalog_proof_that_is_not_forged_holds() {
    let base = Base::Plain;
    let made = [
        proof(base.forge(), |_, _| ()),
        claim(base.forge(), |ground, _| ground.record_claim(ANCHOR, 0, 2)),
        record(base.forge(), 1, 1, |_| ()),
        record_of_kind(base.forge(), 17, |_| ()),
        record_of_kind(base.forge(), 18, |_| ()),
        claim(base.forge(), |_, state| absent(state, b"keyx", 1)),
        claim(base.forge(), |_, state| absent_at_the_edge(state, b"a", 0, 0)),
        claim(base.forge(), |_, state| {
            let len = state.entries.len();
            absent_at_the_edge(state, b"~", len, len - 1)
        }),
        proof(base.forge(), |ground, parts| {
            parts.statement.anchor = ground.shown(ground.anchors[ANCHOR], 1);
        }),
    ];
    for files in made {
        assert_eq!(attempt(By::VerifyProof, base, &files), Ok(()));
    }
}
