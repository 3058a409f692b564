//! R-CPROOF: proofs of what the catalog says, or has in force.

use crate::bases::Base;
use crate::cases::{As, By, Case, attempt, run};
use crate::forge::Forge;
use crate::forge::bytes::{as_uint, long_uint};
use crate::forge::files::Files;
use crate::forge::hashes::{Algorithm, Hash};
use crate::forge::notes::{Key, base64, sign};
use crate::forge::state::State;

const NAME: &str = "proofs/forged.bulla-catalog-proof";

macro_rules! refused {
    ($says:expr) => {
        &[(By::VerifyProof, As::Other, $says)]
    };
}

pub(crate) const CASES: &[Case] = &[
    Case {
        id: "R-CPROOF-1",
        what: "a first line of another version",
        base: Base::Plain,
        forge: |forge| edited(forge, |text| text.replacen("/v1", "/v2", 1)),
        expect: refused!("bulla.dev/catalog-proof/v1"),
    },
    Case {
        id: "R-CPROOF-1",
        what: "an unknown claim",
        base: Base::Plain,
        forge: |forge| proof(forge, |parts| parts.claim[0] = 5),
        expect: refused!("a claim of kind 1 to 4"),
    },
    Case {
        id: "R-CPROOF-1",
        what: "bytes behind the last field",
        base: Base::Plain,
        forge: |forge| proof(forge, |parts| parts.claim.push(0)),
        expect: refused!("the statement about the catalog"),
    },
    Case {
        id: "R-CPROOF-2",
        what: "an anchor with an integer in more bytes than it needs",
        base: Base::Plain,
        forge: |mut forge| {
            let size = as_uint(forge.anchor(2).field("catalog_size"));
            forge.anchor(2).set("catalog_size", long_uint(size));
            proof(forge, |_| ())
        },
        expect: refused!("shortest spelling"),
    },
    Case {
        id: "R-CPROOF-2",
        what: "an anchor with a payload",
        base: Base::Plain,
        forge: |mut forge| {
            forge.anchor(2).set_payload(&[1]);
            proof(forge, |parts| parts.whole_anchor = true)
        },
        expect: refused!("payload of the anchor"),
    },
    Case {
        id: "R-CPROOF-2",
        what: "an older anchor",
        base: Base::Plain,
        forge: |forge| proof(forge, |parts| parts.anchor = 1),
        expect: refused!("anchor"),
    },
    Case {
        id: "R-CPROOF-3",
        what: "hashes that do not lead to the head",
        base: Base::Plain,
        forge: |forge| proof(forge, |parts| parts.path[0] = [7; 32]),
        expect: refused!("root"),
    },
    Case {
        id: "R-CPROOF-3",
        what: "an entry that is not in force",
        base: Base::Plain,
        forge: |forge| proof(forge, |parts| parts.claim = in_force(&parts.state, 0, b"other")),
        expect: refused!("root"),
    },
    Case {
        id: "R-CPROOF-4",
        what: "the absence of what is there, between others",
        base: Base::Plain,
        forge: |forge| {
            proof(forge, |parts| {
                let key = parts.state.entries.keys().nth(1).unwrap().clone();
                parts.claim = absent(&parts.state, &key, 1);
            })
        },
        expect: refused!("neighbours of the key"),
    },
    Case {
        id: "R-CPROOF-4",
        what: "the absence of a key that belongs elsewhere",
        base: Base::Plain,
        forge: |forge| proof(forge, |parts| parts.claim = absent(&parts.state, b"a", 2)),
        expect: refused!("neighbours of the key"),
    },
    Case {
        id: "R-CPROOF-4",
        what: "the absence of everything",
        base: Base::Plain,
        forge: |forge| {
            proof(forge, |parts| {
                let key = [&3_u32.to_le_bytes()[..], b"log"].concat();
                parts.claim = [vec![3], vec![0; 16], key, vec![0]].concat();
            })
        },
        expect: refused!("root"),
    },
    Case {
        id: "R-CPROOF-5",
        what: "no entry, and what proves as much",
        base: Base::Plain,
        forge: |forge| proof(forge, |parts| parts.claim = entries(&parts.state, &[])),
        expect: refused!("kind 4 stands only in an answer"),
    },
    Case {
        id: "R-CPROOF-5",
        what: "some entries that are in force",
        base: Base::Plain,
        forge: |forge| proof(forge, |parts| parts.claim = entries(&parts.state, &[0, 2])),
        expect: refused!("kind 4 stands only in an answer"),
    },
    Case {
        id: "R-CPROOF-6",
        what: "a head by a stranger",
        base: Base::Plain,
        forge: |forge| {
            let stranger = Key::new(crate::support::ORIGIN, Algorithm::Sha256, 99);
            proof(forge, |parts| parts.key = stranger)
        },
        expect: refused!("signature"),
    },
];

/// What a proof is made of.
struct Parts {
    state: State,
    /// Which anchor, and whether with its payload.
    anchor: usize,
    whole_anchor: bool,
    path: Vec<Hash>,
    claim: Vec<u8>,
    key: Key,
}

fn with_len(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_le_bytes()[..], bytes].concat()
}

fn hashes(hashes: &[Hash]) -> Vec<u8> {
    [vec![u8::try_from(hashes.len()).unwrap()], hashes.concat()].concat()
}

fn numbers(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn entry(state: &State, at: usize) -> Vec<u8> {
    let (key, value) = state.entries.iter().nth(at).unwrap();
    [with_len(key), with_len(value)].concat()
}

fn batch(state: &State, wanted: &[usize]) -> Vec<Hash> {
    Algorithm::Sha256.batch(wanted, 0, &state.leaves())
}

fn in_force(state: &State, at: usize, value: &[u8]) -> Vec<u8> {
    let key = state.entries.keys().nth(at).unwrap();
    let place = numbers(&[state.entries.len() as u64, at as u64]);
    let entry = [with_len(key), with_len(value)].concat();
    [vec![2], place, entry, hashes(&batch(state, &[at]))].concat()
}

/// Claim 3, with the neighbours before and at this index.
fn absent(state: &State, key: &[u8], at: usize) -> Vec<u8> {
    let place = numbers(&[state.entries.len() as u64, at as u64]);
    let neighbours = [entry(state, at - 1), entry(state, at)].concat();
    [vec![3], place, with_len(key), neighbours, hashes(&batch(state, &[at - 1, at]))].concat()
}

fn entries(state: &State, shown: &[usize]) -> Vec<u8> {
    let count = |number: usize| u32::try_from(number).unwrap().to_le_bytes().to_vec();
    let items = shown.iter().flat_map(|at| [numbers(&[*at as u64]), entry(state, *at)].concat());
    let proof = if shown.is_empty() { vec![state.root()] } else { batch(state, shown) };
    let items: Vec<u8> = items.collect();
    let entries = numbers(&[state.entries.len() as u64]);
    [vec![4], entries, count(shown.len()), items, count(proof.len()), proof.concat()].concat()
}

/// A record as `extra` shows it, with its payload or without.
fn shown(forge: &Forge, record: &crate::forge::segment::Record, seq: u64, whole: bool) -> Vec<u8> {
    let form = if whole { 1 } else { 2 };
    let rest = if whole { record.stored.clone() } else { record.digests() };
    let head = record.head(&forge.log_id, seq);
    [b"bulla-record/v1\0".to_vec(), vec![form], head, record.envelope(), rest].concat()
}

/// Claim 1: the first record of the catalog, under the newest anchor.
fn first_record(forge: &mut Forge) -> Vec<u8> {
    let size = usize::try_from(as_uint(forge.anchor(2).field("catalog_size"))).unwrap();
    let (leaves, roots) = forge.catalog_leaves();
    let record = forge.catalog_record(16, 0);
    record.derive("state_root", roots[0].to_vec());
    let record = record.clone();
    let path = Algorithm::Sha256.path(0, &leaves[..size]);
    [vec![1], with_len(&shown(forge, &record, 0, false)), hashes(&path)].concat()
}

/// A log, and a proof under its newest anchor that its first entry is in force.
fn proof(forge: Forge, change: impl FnOnce(&mut Parts)) -> Files {
    let files = forge.write();
    let mut forge = Forge::read(&files, &[Base::Plain.key()]);
    let leaves = forge.leaves();
    let mut state = State::default();
    let size = usize::try_from(as_uint(forge.anchor(2).field("catalog_size"))).unwrap();
    forge.catalog_records().take(size).enumerate().for_each(|(n, record)| {
        state.apply(n as u64, record);
    });
    let anchors: Vec<usize> = {
        let records = forge.main.iter().flat_map(|segment| segment.records());
        records.enumerate().filter(|(_, record)| record.kind() == 2).map(|(seq, _)| seq).collect()
    };
    let value = state.entries.values().next().unwrap().clone();
    let mut parts = Parts {
        claim: in_force(&state, 0, &value),
        state,
        anchor: 2,
        whole_anchor: false,
        path: Algorithm::Sha256.path(anchors[2], &leaves[..=anchors[2]]),
        key: Base::Plain.key(),
    };
    change(&mut parts);
    let seq = anchors[parts.anchor];
    let anchor = forge.main_record(seq).clone();
    let anchor = shown(&forge, &anchor, seq as u64, parts.whole_anchor);
    let statement = [with_len(&anchor), hashes(&parts.path), parts.claim].concat();
    let head = &leaves[..=anchors[2]];
    let root = base64(&Algorithm::Sha256.root(head));
    let text = format!("{}\n{}\n{root}\n", crate::support::ORIGIN, head.len());
    let note = sign(&text, &[&parts.key]);
    let text = format!("bulla.dev/catalog-proof/v1\n{}\n\n{note}", base64(&statement));
    let mut files = files;
    files.put(NAME, text);
    files
}

fn edited(forge: Forge, change: impl FnOnce(String) -> String) -> Files {
    let mut files = proof(forge, |_| ());
    let text = change(String::from_utf8(files.get(NAME).to_vec()).unwrap());
    files.put(NAME, text);
    files
}

#[test]
fn what_a_catalog_proof_must_not_be_is_refused() {
    run(CASES);
}

/// The proofs that the forgeries are made from hold: one of an entry, of a record, of an absence.
#[test]
fn a_catalog_proof_that_is_not_forged_holds() {
    let base = Base::Plain;
    let mut forge = base.forge();
    let record = first_record(&mut forge);
    let made = [
        proof(base.forge(), |_| ()),
        proof(base.forge(), |parts| parts.claim = record),
        proof(base.forge(), |parts| parts.claim = absent(&parts.state, b"keyx", 1)),
        proof(base.forge(), |parts| parts.whole_anchor = true),
    ];
    for files in made {
        assert_eq!(attempt(By::VerifyProof, base, &files), Ok(()));
    }
}
