//! R-PROOF-15 to 22: what a proof carries besides its record.

use super::carried_catalog::good_statement;
use super::refused;
use super::single::{SEQ, Single, single};
use crate::bases::Base;
use crate::cases::{By, Case, attempt, run};
use crate::forge::Forge;
use crate::forge::files::Files;
use crate::forge::ground::{Ground, checkpoint};
use crate::forge::hashes::{Algorithm, Hash};
use crate::forge::notes::{Key, base64, sign};
use crate::forge::shown::{container, numbers, path, with_len};
use crate::forge::state::State;
use crate::support::ORIGIN;

/// Claim 2: the n-th entry is in force.
pub(crate) fn in_force(state: &State, at: usize) -> Vec<u8> {
    let (key, value) = state.entries.iter().nth(at).unwrap();
    let hashes = Algorithm::Sha256.batch(&[at], 0, &state.leaves());
    let place = numbers(&[state.entries.len() as u64, at as u64]);
    [vec![2], place, with_len(key), with_len(value), path(&hashes)].concat()
}

/// A proof that carries these sections besides the record.
pub(crate) fn carrying(
    forge: Forge,
    sections: impl FnOnce(&Ground, &mut Single) -> Vec<(u8, Vec<u8>)>,
) -> Files {
    single(forge, |ground, proof| {
        let mut all = vec![(1, ground.shown(SEQ, 1))];
        all.extend(sections(ground, proof));
        proof.extra = Some(container(&all));
    })
}

/// The same, and the bytes of the container are changed.
fn container_as(forge: Forge, change: impl FnOnce(&Ground) -> Vec<u8>) -> Files {
    single(forge, |ground, proof| proof.extra = Some(change(ground)))
}

// ---- tag 2 ------------------------------------------------------------------------------

fn next_key() -> Key {
    Key::new(ORIGIN, Algorithm::Sha256, 12)
}

/// The statement by which a key hands over to another one, at the first anchor.
pub(crate) fn rotation(ground: &Ground, old: &Key, next: &Key) -> String {
    let size = ground.anchors[0] + 1;
    let root = |hash: Hash| base64(&hash);
    format!(
        "bulla.dev/key-statement/v1\n{ORIGIN}\nrotate 1\nprevious {}\nkey {}\nmain {size} {}\n\
         catalog 2 {}\nnext {}\n",
        root([0; 32]),
        old.vkey(),
        root(ground.algorithm().root(&ground.leaves[..size])),
        root(Algorithm::Sha256.root(&ground.catalog_leaves[..2])),
        next.vkey(),
    )
}

/// A chain of that statement, signed by these keys.
pub(crate) fn chain(statement: &str, signers: &[&Key]) -> Vec<u8> {
    format!("bulla.dev/key-chain/v1\n\n{}", sign(statement, signers)).into_bytes()
}

/// A proof under a head by the next key, with this chain.
fn with_chain(forge: Forge, make: impl FnOnce(&Ground) -> Vec<u8>) -> Files {
    carrying(forge, |ground, proof| {
        proof.checkpoint = ground.head_by(ground.size(), &next_key());
        vec![(2, make(ground))]
    })
}

fn good_chain(ground: &Ground) -> Vec<u8> {
    chain(&rotation(ground, &ground.key, &next_key()), &[&ground.key, &next_key()])
}

// ---- tag 3 ------------------------------------------------------------------------------

/// An earlier head, of so many records, and the hashes from there to the newest.
fn earlier(ground: &Ground, size: usize) -> (Vec<Hash>, String) {
    let leaves = &ground.leaves[..ground.size()];
    (ground.algorithm().consistency(size, leaves), ground.head(size))
}

fn appended_after(forge: Forge, change: impl FnOnce(&Ground, &mut (Vec<Hash>, String))) -> Files {
    carrying(forge, |ground, _| {
        let mut part = earlier(ground, ground.anchors[0] + 1);
        change(ground, &mut part);
        vec![(3, [path(&part.0), part.1.into_bytes()].concat())]
    })
}

pub(crate) const CASES: &[Case] = &[
    refused!(
        "R-PROOF-15",
        "a container of a newer version",
        Plain,
        "expected bulla-record/v1 or bulla-extra/v1",
        |forge| {
            container_as(forge, |ground| {
                let mut bytes =
                    container(&[(1, ground.shown(SEQ, 1)), (5, good_statement(ground))]);
                bytes[13] = b'2';
                bytes
            })
        }
    ),
    refused!(
        "R-PROOF-15",
        "a container of nothing",
        Plain,
        "a section other than a record",
        |forge| { container_as(forge, |_| container(&[])) }
    ),
    refused!(
        "R-PROOF-15",
        "a container of a record alone",
        Plain,
        "a section other than a record",
        |forge| { container_as(forge, |ground| container(&[(1, ground.shown(SEQ, 1))])) }
    ),
    refused!("R-PROOF-15", "a section twice", Plain, "a section of a kind above 5", |forge| {
        carrying(forge, |ground, _| vec![(5, good_statement(ground)), (5, good_statement(ground))])
    }),
    refused!(
        "R-PROOF-15",
        "sections out of order",
        Plain,
        "a section of a kind above 5",
        |forge| {
            container_as(forge, |ground| {
                container(&[(5, good_statement(ground)), (1, ground.shown(SEQ, 1))])
            })
        }
    ),
    refused!("R-PROOF-15", "tag 0", Plain, "a section of a kind above 0", |forge| {
        container_as(forge, |ground| container(&[(0, Vec::new()), (1, ground.shown(SEQ, 1))]))
    }),
    refused!("R-PROOF-15", "a length beyond the bytes", Plain, "bytes more", |forge| {
        container_as(forge, |ground| {
            let mut bytes = container(&[(1, ground.shown(SEQ, 1)), (5, good_statement(ground))]);
            bytes.truncate(bytes.len() - 1);
            bytes
        })
    }),
    refused!("R-PROOF-15", "a length of 4 GiB", Plain, "4294967295 bytes more", |forge| {
        container_as(forge, |_| [&b"bulla-extra/v1\0"[..], &[5], &[0xff; 4], &[0; 100]].concat())
    }),
    refused!("R-PROOF-15", "a section with half a length", Plain, "4 bytes more", |forge| {
        container_as(forge, |ground| {
            let mut bytes = container(&[(1, ground.shown(SEQ, 1)), (5, good_statement(ground))]);
            bytes.extend([6, 0, 0]);
            bytes
        })
    }),
    refused!("R-PROOF-15", "tag 1 that is no record", Plain, "expected bulla-record/v1", |forge| {
        container_as(forge, |ground| {
            container(&[(1, b"bulla-record/v2\0".to_vec()), (5, good_statement(ground))])
        })
    }),
    refused!(
        "R-PROOF-16",
        "tag 6",
        Plain,
        "a section of kind 6, which this version does not know",
        |forge| { carrying(forge, |ground, _| vec![(5, good_statement(ground)), (6, Vec::new())]) }
    ),
    refused!(
        "R-PROOF-17",
        "more than 4 MiB of keys",
        Plain,
        "a key chain of at most 4194304 bytes",
        |forge| {
            with_chain(forge, |ground| {
                let mut chain = good_chain(ground);
                chain.resize((4 << 20) + 1, b'\n');
                chain
            })
        }
    ),
    refused!("R-PROOF-17", "keys that are no chain", Plain, "key chain", |forge| {
        with_chain(forge, |_| b"bulla.dev/key-chain/v2\n".to_vec())
    }),
    refused!("R-PROOF-17", "a byte behind the chain", Plain, "key chain", |forge| {
        with_chain(forge, |ground| [good_chain(ground), vec![b'\n']].concat())
    }),
    refused!(
        "R-PROOF-17",
        "a chain without a statement",
        Plain,
        "key chain: expected a statement or more, found none",
        |forge| { carrying(forge, |_, _| vec![(2, b"bulla.dev/key-chain/v1\n".to_vec())]) }
    ),
    refused!("R-PROOF-17", "a chain about no key that is pinned", Plain, "key chain", |forge| {
        with_chain(forge, |ground| {
            let stranger = Key::new(ORIGIN, Algorithm::Sha256, 99);
            chain(&rotation(ground, &stranger, &next_key()), &[&stranger, &next_key()])
        })
    }),
    refused!("R-PROOF-17", "a statement that the key did not sign", Plain, "key chain", |forge| {
        with_chain(forge, |ground| {
            chain(&rotation(ground, &ground.key, &next_key()), &[&next_key()])
        })
    }),
    refused!(
        "R-PROOF-17",
        "a statement that the next key did not sign",
        Plain,
        "key chain",
        |forge| {
            with_chain(forge, |ground| {
                chain(&rotation(ground, &ground.key, &next_key()), &[&ground.key])
            })
        }
    ),
    refused!(
        "R-PROOF-17",
        "a head by the key that had handed over",
        Plain,
        "counts for heads",
        |forge| { carrying(forge, |ground, _| vec![(2, good_chain(ground))]) }
    ),
    refused!(
        "R-PROOF-17",
        "a head by the next key from before it had been handed over to",
        Plain,
        "counts for heads",
        |forge| {
            let ground = Ground::of(forge);
            let mut proof = Single::at(&ground, 3);
            let size = ground.anchors[0];
            (proof.checkpoint, proof.path) =
                (ground.head_by(size, &next_key()), ground.path(3, size));
            proof.extra = Some(container(&[(1, ground.shown(3, 1)), (2, good_chain(&ground))]));
            proof.files(&ground)
        }
    ),
    refused!(
        "R-PROOF-18",
        "an earlier head by a stranger",
        Plain,
        "the earlier checkpoint: checkpoint not verified",
        |forge| {
            appended_after(forge, |ground, part| {
                let stranger = Key::new(ORIGIN, Algorithm::Sha256, 99);
                part.1 = ground.head_by(ground.anchors[0] + 1, &stranger);
            })
        }
    ),
    refused!(
        "R-PROOF-18",
        "an earlier head of another log",
        Plain,
        "expected a checkpoint of example.com/audit, found one of example.com/other",
        |forge| {
            let other = Key { name: "example.com/other".to_owned(), ..Base::Plain.key() };
            let mut files = appended_after(forge, |ground, part| {
                part.1 = ground.head_by(ground.anchors[0] + 1, &other);
            });
            files.put("proofs/pinned.vkey", other.vkey());
            files
        }
    ),
    refused!(
        "R-PROOF-18",
        "an earlier head of a tree of the other hash",
        Plain,
        "as the checkpoint is",
        |forge| {
            let other = Key { algorithm: Algorithm::Blake3, ..Base::Plain.key() };
            let mut files = appended_after(forge, |ground, part| {
                part.1 = ground.head_by(ground.anchors[0] + 1, &other);
            });
            files.put("proofs/pinned.vkey", other.vkey());
            files
        }
    ),
    refused!(
        "R-PROOF-18",
        "an earlier head that covers the record",
        Plain,
        "an earlier checkpoint without record 60",
        |forge| {
            appended_after(forge, |ground, part| *part = earlier(ground, ground.anchors[1] + 1))
        }
    ),
    refused!(
        "R-PROOF-18",
        "an earlier head that is the later one",
        Plain,
        "an earlier checkpoint without record 60",
        |forge| { appended_after(forge, |ground, part| *part = (Vec::new(), ground.newest())) }
    ),
    refused!(
        "R-PROOF-18",
        "an earlier head of more records",
        Plain,
        "a log never shrinks",
        |forge| {
            appended_after(forge, |ground, part| {
                *part = (Vec::new(), ground.head(ground.size() + 1))
            })
        }
    ),
    refused!(
        "R-PROOF-18",
        "an earlier head with another root",
        Plain,
        "consistency not proved",
        |forge| {
            appended_after(forge, |ground, part| {
                part.1 = checkpoint(ORIGIN, ground.anchors[0] + 1, &[7; 32], &ground.key);
            })
        }
    ),
    refused!(
        "R-PROOF-18",
        "hashes that lead elsewhere",
        Plain,
        "consistency not proved",
        |forge| { appended_after(forge, |_, part| part.0[1] = [7; 32]) }
    ),
    refused!(
        "R-PROOF-18",
        "a hash too many",
        Plain,
        "consistency not proved: expected a proof of",
        |forge| { appended_after(forge, |_, part| part.0.push([7; 32])) }
    ),
    refused!("R-PROOF-18", "a byte behind the earlier head", Plain, "in the checkpoint", |forge| {
        appended_after(forge, |_, part| part.1.push('\n'))
    }),
    refused!("R-PROOF-18", "more hashes than bytes", Plain, "bytes more", |forge| {
        carrying(forge, |_, _| vec![(3, vec![255])])
    }),
];

#[test]
fn what_a_proof_must_not_carry_is_refused() {
    run(CASES);
}

#[test]
fn what_a_proof_carries_and_is_not_forged_holds() {
    let plain = Base::Plain;
    let made = [
        with_chain(plain.forge(), good_chain),
        appended_after(plain.forge(), |_, _| ()),
        carrying(plain.forge(), |ground, proof| {
            proof.checkpoint = ground.head_by(ground.size(), &next_key());
            let (hashes, head) = earlier(ground, ground.anchors[0] + 1);
            let after = [path(&hashes), head.into_bytes()].concat();
            vec![(2, good_chain(ground)), (3, after), (5, good_statement(ground))]
        }),
    ];
    for files in made {
        assert_eq!(attempt(By::VerifyProof, plain, &files), Ok(()));
    }
}
