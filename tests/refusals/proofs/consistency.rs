//! R-CONS: that one checkpoint extends another.

use super::refused;
use crate::bases::Base;
use crate::cases::{By, Case, attempt, run};
use crate::forge::Forge;
use crate::forge::files::Files;
use crate::forge::ground::{Ground, checkpoint};
use crate::forge::hashes::{Algorithm, Hash};
use crate::forge::notes::{Key, base64};
use crate::forge::shown::hash_lines;
use crate::support::ORIGIN;

struct Consistency {
    first: &'static str,
    hashes: Vec<Hash>,
    old: String,
    new: String,
}

impl Consistency {
    /// From the head of the first anchor to the newest.
    fn of(ground: &Ground) -> Self {
        let old = ground.anchors[0] + 1;
        Consistency {
            first: "bulla.dev/consistency-proof/v1",
            hashes: ground.algorithm().consistency(old, &ground.leaves[..ground.size()]),
            old: ground.head(old),
            new: ground.newest(),
        }
    }

    fn text(&self) -> String {
        format!("{}\n{}\n{}\n{}", self.first, hash_lines(&self.hashes), self.old, self.new)
    }
}

fn proof(forge: Forge, change: impl FnOnce(&Ground, &mut Consistency)) -> Files {
    let ground = Ground::of(forge);
    let mut proof = Consistency::of(&ground);
    change(&ground, &mut proof);
    ground.with("forged.bulla-consistency", proof.text())
}

fn edited(forge: Forge, change: impl FnOnce(String) -> Vec<u8>) -> Files {
    let ground = Ground::of(forge);
    ground.with("forged.bulla-consistency", change(Consistency::of(&ground).text()))
}

/// With another key pinned besides.
fn pinning(key: &Key, mut files: Files) -> Files {
    files.put("proofs/pinned.vkey", key.vkey());
    files
}

fn other_log() -> Key {
    Key { name: "example.com/other".to_owned(), ..Base::Plain.key() }
}

fn stranger() -> Key {
    Key::new(ORIGIN, Algorithm::Sha256, 99)
}

pub(crate) const CASES: &[Case] = &[
    refused!(
        "R-CONS-1",
        "a first line of another version",
        Plain,
        "the first line bulla.dev/consistency-proof/v1",
        |forge| { proof(forge, |_, proof| proof.first = "bulla.dev/consistency-proof/v2") }
    ),
    refused!("R-CONS-1", "more than 2 MiB", Plain, "of at most 2097152 bytes", |forge| {
        edited(forge, |text| {
            let mut bytes = text.into_bytes();
            bytes.resize((2 << 20) + 1, b'\n');
            bytes
        })
    }),
    refused!("R-CONS-1", "bytes that are no text", Plain, "no UTF-8", |forge| {
        edited(forge, |text| [text.as_bytes(), b"\xff"].concat())
    }),
    refused!("R-CONS-2", "a hash of 33 bytes", Plain, "the base64 of 32 bytes", |forge| {
        edited(forge, |text| {
            let line = text.lines().nth(1).unwrap().to_owned();
            text.replacen(&line, &base64(&[7; 33]), 1).into_bytes()
        })
    }),
    refused!("R-CONS-2", "a hash in a second spelling", Plain, "the base64 of 32 bytes", |forge| {
        edited(forge, |text| {
            let line = text.lines().nth(1).unwrap().to_owned();
            // Of the last digit two bits must be zeros.
            let mut other = line.clone().into_bytes();
            let at = other.len() - 2;
            other[at] += 1;
            text.replacen(&line, std::str::from_utf8(&other).unwrap(), 1).into_bytes()
        })
    }),
    refused!("R-CONS-2", "66 hashes", Plain, "at most 65 hashes", |forge| {
        proof(forge, |_, proof| proof.hashes.resize(66, [7; 32]))
    }),
    refused!("R-CONS-3", "one checkpoint", Plain, "an empty line and a checkpoint", |forge| {
        let ground = Ground::of(forge);
        let Consistency { first, hashes, old, .. } = Consistency::of(&ground);
        let text = format!("{first}\n{}\n{old}", hash_lines(&hashes));
        ground.with("forged.bulla-consistency", text)
    }),
    refused!("R-CONS-3", "no checkpoint", Plain, "an empty line and a checkpoint", |forge| {
        edited(forge, |text| text.split("\n\n").next().unwrap().as_bytes().to_vec())
    }),
    refused!(
        "R-CONS-3",
        "a byte behind the newer checkpoint",
        Plain,
        "in the checkpoint",
        |forge| { proof(forge, |_, proof| proof.new.push('x')) }
    ),
    refused!("R-CONS-3", "a third checkpoint", Plain, "in the checkpoint", |forge| {
        proof(forge, |ground, proof| proof.new += &format!("\n{}", ground.newest()))
    }),
    refused!("R-CONS-3", "an empty line more between them", Plain, "in the checkpoint", |forge| {
        proof(forge, |_, proof| proof.old.push('\n'))
    }),
    refused!("R-CONS-3", "a size with a sign", Plain, "in the checkpoint", |forge| {
        proof(forge, |ground, proof| {
            let text = format!("{ORIGIN}\n+39\n{}\n", base64(&[7; 32]));
            proof.old = crate::forge::notes::sign(&text, &[&ground.key]);
        })
    }),
    refused!("R-CONS-4", "a newer head by a stranger", Plain, "checkpoint not verified", |forge| {
        proof(forge, |ground, proof| proof.new = ground.head_by(ground.size(), &stranger()))
    }),
    refused!(
        "R-CONS-4",
        "an older head by a stranger",
        Plain,
        "checkpoint not verified",
        |forge| {
            proof(forge, |ground, proof| {
                proof.old = ground.head_by(ground.anchors[0] + 1, &stranger());
            })
        }
    ),
    refused!(
        "R-CONS-4",
        "an older head whose signature is of another text",
        Plain,
        "does not fit the text",
        |forge| { proof(forge, |_, proof| proof.old = proof.old.replacen("\n39\n", "\n38\n", 1)) }
    ),
    refused!(
        "R-CONS-4",
        "a newer head named by another origin than its key",
        Plain,
        "example.com/other",
        |forge| {
            proof(forge, |ground, proof| {
                let root = ground.algorithm().root(&ground.leaves[..ground.size()]);
                proof.new = checkpoint("example.com/other", ground.size(), &root, &ground.key);
            })
        }
    ),
    refused!(
        "R-CONS-5",
        "heads of two logs",
        Plain,
        "expected a checkpoint of example.com/audit, found one of example.com/other",
        |forge| {
            pinning(
                &other_log(),
                proof(forge, |ground, proof| {
                    proof.old = ground.head_by(ground.anchors[0] + 1, &other_log());
                }),
            )
        }
    ),
    refused!(
        "R-CONS-5",
        "heads of a log and of its catalog",
        Plain,
        "expected a checkpoint of example.com/audit/catalog",
        |forge| {
            let catalog = Base::Plain.key().of_catalog();
            pinning(
                &catalog,
                proof(forge, |ground, proof| {
                    proof.new = ground.head_by(ground.size(), &Base::Plain.key().of_catalog());
                }),
            )
        }
    ),
    refused!(
        "R-CONS-6",
        "heads of trees with two hashes",
        Plain,
        "as the checkpoint is",
        |forge| {
            let other = Key { algorithm: Algorithm::Blake3, ..Base::Plain.key() };
            pinning(
                &other,
                proof(forge, |ground, proof| {
                    let other = Key { algorithm: Algorithm::Blake3, ..Base::Plain.key() };
                    proof.old = ground.head_by(ground.anchors[0] + 1, &other);
                }),
            )
        }
    ),
    refused!("R-CONS-6", "a head that is signed for both hashes", Plain, "", |forge| {
        let other = Key { algorithm: Algorithm::Blake3, ..Base::Plain.key() };
        pinning(
            &other,
            proof(forge, |ground, proof| {
                let other = Key { algorithm: Algorithm::Blake3, ..Base::Plain.key() };
                let text = proof.new.split_once("\n\n").unwrap().0.to_owned() + "\n";
                proof.new = crate::forge::notes::sign(&text, &[&ground.key, &other]);
            }),
        )
    }),
    refused!("R-CONS-7", "a newer head of fewer records", Plain, "a log never shrinks", |forge| {
        proof(forge, |_, proof| {
            std::mem::swap(&mut proof.old, &mut proof.new);
            proof.hashes.clear();
        })
    }),
    refused!(
        "R-CONS-7",
        "two roots of one size",
        Plain,
        "consistency not proved: expected the tree to have root",
        |forge| {
            proof(forge, |ground, proof| {
                proof.old = checkpoint(ORIGIN, ground.size(), &[7; 32], &ground.key);
                proof.hashes.clear();
            })
        }
    ),
    refused!("R-CONS-7", "an empty tree with another root", Plain, "empty", |forge| {
        proof(forge, |ground, proof| {
            proof.old = checkpoint(ORIGIN, 0, &[7; 32], &ground.key);
            proof.hashes.clear();
        })
    }),
    refused!(
        "R-CONS-7",
        "an older head with another root",
        Plain,
        "consistency not proved: expected the older tree to have root",
        |forge| {
            proof(forge, |ground, proof| {
                proof.old = checkpoint(ORIGIN, ground.anchors[0] + 1, &[7; 32], &ground.key);
            })
        }
    ),
    refused!(
        "R-CONS-7",
        "a newer head with another root",
        Plain,
        "consistency not proved: expected the tree to have root",
        |forge| {
            proof(forge, |ground, proof| {
                proof.new = checkpoint(ORIGIN, ground.size(), &[7; 32], &ground.key);
            })
        }
    ),
    refused!(
        "R-CONS-7",
        "a hash that leads elsewhere",
        Plain,
        "consistency not proved: expected the",
        |forge| { proof(forge, |_, proof| proof.hashes[1] = [7; 32]) }
    ),
    refused!(
        "R-CONS-7",
        "a hash too many",
        Plain,
        "consistency not proved: expected a proof of",
        |forge| { proof(forge, |_, proof| proof.hashes.push([7; 32])) }
    ),
    refused!(
        "R-CONS-7",
        "a hash too few",
        Plain,
        "consistency not proved: expected a proof of",
        |forge| { proof(forge, |_, proof| proof.hashes.truncate(1)) }
    ),
    refused!(
        "R-CONS-7",
        "a hash between heads that are one",
        Plain,
        "consistency not proved: expected a proof of 0",
        |forge| {
            proof(forge, |ground, proof| {
                proof.old = ground.newest();
                proof.hashes.truncate(1);
            })
        }
    ),
];

#[test]
fn what_a_consistency_proof_must_not_be_is_refused() {
    run(CASES);
}

#[test]
fn a_consistency_proof_that_is_not_forged_holds() {
    for base in [Base::Plain, Base::Blake3] {
        let ground = Ground::of(base.forge());
        for old in [0, 1, ground.anchors[0] + 1, ground.anchors[1] + 1, ground.size()] {
            let hashes = match old {
                0 => Vec::new(),
                old => ground.algorithm().consistency(old, &ground.leaves[..ground.size()]),
            };
            let proof = Consistency { hashes, old: ground.head(old), ..Consistency::of(&ground) };
            let files = ground.with("good.bulla-consistency", proof.text());
            assert_eq!(attempt(By::VerifyProof, base, &files), Ok(()), "{base:?} from {old}");
        }
    }
}
