//! R-PROOF-1 to 8: proofs of one record, without what they carry.

use super::refused;
use crate::bases::Base;
use crate::cases::{By, Case, attempt, run};
use crate::forge::Forge;
use crate::forge::files::Files;
use crate::forge::ground::{Ground, checkpoint};
use crate::forge::hashes::{Algorithm, Hash};
use crate::forge::notes::{Key, base64, from_base64};
use crate::forge::shown::hash_lines;
use crate::support::ORIGIN;

/// The record that is proved: an event in the second segment.
pub(crate) const SEQ: usize = 60;

/// The lines of a proof of one record.
pub(crate) struct Single {
    pub(crate) first: &'static str,
    pub(crate) extra: Option<Vec<u8>>,
    pub(crate) index: String,
    pub(crate) path: Vec<Hash>,
    pub(crate) checkpoint: String,
}

impl Single {
    /// Of record [`SEQ`], whole, under the newest head.
    pub(crate) fn of(ground: &Ground) -> Self {
        Single::at(ground, SEQ)
    }

    pub(crate) fn at(ground: &Ground, seq: usize) -> Self {
        let first = match ground.algorithm() {
            Algorithm::Sha256 => "c2sp.org/tlog-proof@v1",
            Algorithm::Blake3 => "bulla.dev/blake3-proof@v1",
        };
        Single {
            first,
            extra: Some(ground.shown(seq, 1)),
            index: seq.to_string(),
            path: ground.path(seq, ground.size()),
            checkpoint: ground.newest(),
        }
    }

    pub(crate) fn text(&self) -> String {
        let extra = self.extra.as_ref().map(|extra| format!("extra {}\n", base64(extra)));
        let (extra, path) = (extra.unwrap_or_default(), hash_lines(&self.path));
        format!("{}\n{extra}index {}\n{path}\n{}", self.first, self.index, self.checkpoint)
    }

    pub(crate) fn files(&self, ground: &Ground) -> Files {
        ground.with("forged.tlog-proof", self.text())
    }
}

/// A proof that is changed.
pub(crate) fn single(forge: Forge, change: impl FnOnce(&Ground, &mut Single)) -> Files {
    let ground = Ground::of(forge);
    let mut proof = Single::of(&ground);
    change(&ground, &mut proof);
    proof.files(&ground)
}

/// A proof whose text is changed.
fn edited(forge: Forge, change: impl FnOnce(String) -> Vec<u8>) -> Files {
    let ground = Ground::of(forge);
    ground.with("forged.tlog-proof", change(Single::of(&ground).text()))
}

fn replaced(forge: Forge, from: &str, to: &str) -> Files {
    edited(forge, |text| {
        assert!(text.contains(from));
        text.replacen(from, to, 1).into_bytes()
    })
}

fn stranger() -> Key {
    Key::new(ORIGIN, Algorithm::Sha256, 99)
}

pub(crate) const CASES: &[Case] = &[
    refused!(
        "R-PROOF-1",
        "a first line of another version",
        Plain,
        "first line of a proof",
        |forge| { replaced(forge, "@v1", "@v2") }
    ),
    refused!("R-PROOF-1", "more than 8 MiB", Plain, "of at most 8388608 bytes", |forge| {
        edited(forge, |text| {
            let mut bytes = text.into_bytes();
            bytes.resize((8 << 20) + 1, b'\n');
            bytes
        })
    }),
    refused!("R-PROOF-1", "bytes that are no text", Plain, "a proof in UTF-8", |forge| {
        edited(forge, |text| [text.as_bytes(), b"\xff"].concat())
    }),
    refused!("R-PROOF-1", "lines that end in CR LF", Plain, "cut short", |forge| {
        edited(forge, |text| text.replace('\n', "\r\n").into_bytes())
    }),
    refused!("R-PROOF-2", "a record that is not in base64", Plain, "on line 2", |forge| {
        replaced(forge, "extra ", "extra =")
    }),
    refused!("R-PROOF-2", "nothing in extra", Plain, "on line 2", |forge| {
        single(forge, |_, proof| proof.extra = Some(Vec::new()))
    }),
    refused!("R-PROOF-2", "base64 in a second spelling", Plain, "on line 2", |forge| {
        // One byte takes two digits, of which the second has four bits that must be zeros.
        single(forge, |_, proof| proof.first = "c2sp.org/tlog-proof@v1\nextra AR==")
    }),
    refused!("R-PROOF-3", "no index", Plain, "a line \"index \"", |forge| {
        replaced(forge, "index 60\n", "")
    }),
    refused!("R-PROOF-3", "an index with a zero in front", Plain, "a line \"index \"", |forge| {
        single(forge, |_, proof| proof.index = "060".to_owned())
    }),
    refused!("R-PROOF-3", "an index with a sign", Plain, "a line \"index \"", |forge| {
        single(forge, |_, proof| proof.index = "+60".to_owned())
    }),
    refused!("R-PROOF-3", "an index of 65 bits", Plain, "a line \"index \"", |forge| {
        single(forge, |_, proof| proof.index = "18446744073709551676".to_owned())
    }),
    refused!("R-PROOF-3", "extra behind the index", Plain, "base64 of 32 bytes", |forge| {
        single(forge, |_, proof| {
            let extra = proof.extra.take().unwrap();
            proof.index = format!("60\nextra {}", base64(&extra));
        })
    }),
    refused!("R-PROOF-4", "a hash of 31 bytes", Plain, "base64 of 32 bytes", |forge| {
        let ground = Ground::of(forge);
        let proof = Single::of(&ground);
        let text = proof.text();
        let (long, short) = (base64(&proof.path[0]), base64(&proof.path[0][..31]));
        ground.with("forged.tlog-proof", text.replacen(&long, &short, 1))
    }),
    refused!("R-PROOF-4", "65 hashes", Plain, "at most 64 hashes", |forge| {
        single(forge, |_, proof| proof.path.resize(65, [7; 32]))
    }),
    refused!("R-PROOF-5", "no checkpoint", Plain, "cut short", |forge| {
        edited(forge, |text| text.split("\n\n").next().unwrap().as_bytes().to_vec())
    }),
    refused!("R-PROOF-5", "a byte behind the checkpoint", Plain, "in the checkpoint", |forge| {
        single(forge, |_, proof| proof.checkpoint.push('x'))
    }),
    refused!("R-PROOF-5", "an empty line behind it", Plain, "in the checkpoint", |forge| {
        single(forge, |_, proof| proof.checkpoint.push('\n'))
    }),
    refused!("R-PROOF-5", "a size with a zero in front", Plain, "in the checkpoint", |forge| {
        single(forge, |ground, proof| {
            let text = format!("{ORIGIN}\n0{}\n{}\n", ground.size(), base64(&[7; 32]));
            proof.checkpoint = crate::forge::notes::sign(&text, &[&ground.key]);
        })
    }),
    refused!(
        "R-PROOF-6",
        "a proof of another hash than the key's",
        Plain,
        "as the checkpoint is",
        |forge| { single(forge, |_, proof| proof.first = "bulla.dev/blake3-proof@v1") }
    ),
    refused!(
        "R-PROOF-6",
        "a SHA-256 proof of a BLAKE3 log",
        Blake3,
        "as the checkpoint is",
        |forge| { single(forge, |_, proof| proof.first = "c2sp.org/tlog-proof@v1") }
    ),
    refused!("R-PROOF-7", "a hash that leads elsewhere", Plain, "the proof leads to", |forge| {
        single(forge, |_, proof| proof.path[1] = [7; 32])
    }),
    refused!("R-PROOF-7", "a hash too many", Plain, "expected a proof of 7 hashes", |forge| {
        single(forge, |_, proof| proof.path.push([7; 32]))
    }),
    refused!("R-PROOF-7", "a hash too few", Plain, "expected a proof of 7 hashes", |forge| {
        single(forge, |_, proof| proof.path.truncate(6))
    }),
    refused!("R-PROOF-7", "the path of another record", Plain, "the proof leads to", |forge| {
        single(forge, |ground, proof| proof.path = ground.path(SEQ + 1, ground.size()))
    }),
    refused!("R-PROOF-7", "a record behind the head", Plain, "is not covered", |forge| {
        single(forge, |ground, proof| {
            proof.checkpoint = ground.head(ground.anchors[0] + 1);
            proof.path.clear();
        })
    }),
    refused!("R-PROOF-7", "the head of an empty tree", Plain, "is not covered", |forge| {
        single(forge, |ground, proof| {
            proof.checkpoint = ground.head(0);
            proof.path.clear();
        })
    }),
    refused!(
        "R-PROOF-8",
        "a head by a stranger",
        Plain,
        "expected a signature by a given key",
        |forge| {
            single(forge, |ground, proof| {
                proof.checkpoint = ground.head_by(ground.size(), &stranger());
            })
        }
    ),
    refused!(
        "R-PROOF-8",
        "a head of another origin, by a key that is trusted",
        Plain,
        "example.com/other",
        |forge| {
            single(forge, |ground, proof| {
                let root = ground.algorithm().root(&ground.leaves[..ground.size()]);
                proof.checkpoint =
                    checkpoint("example.com/other", ground.size(), &root, &ground.key);
            })
        }
    ),
    refused!(
        "R-PROOF-8",
        "a head of another origin, and its own key",
        Plain,
        "expected a signature by a given key",
        |forge| {
            single(forge, |ground, proof| {
                let other = Key { name: "example.com/other".to_owned(), ..ground.key.clone() };
                proof.checkpoint = ground.head_by(ground.size(), &other);
            })
        }
    ),
    refused!(
        "R-PROOF-8",
        "a text that is not the one that was signed",
        Plain,
        "does not fit the text",
        |forge| {
            single(forge, |ground, proof| {
                let (from, to) =
                    (format!("\n{}\n", ground.size()), format!("\n{}\n", ground.size() - 1));
                proof.checkpoint = proof.checkpoint.replacen(&from, &to, 1);
            })
        }
    ),
    refused!(
        "R-PROOF-8",
        "a signature by the key beside one by a stranger, altered",
        Plain,
        "does not fit the text",
        |forge| {
            single(forge, |ground, proof| {
                let line = proof.checkpoint.lines().last().unwrap().to_owned();
                let (name, encoded) = line.rsplit_once(' ').unwrap();
                let mut bytes = from_base64(encoded);
                *bytes.last_mut().unwrap() ^= 1;
                let text = proof.checkpoint.split_once("\n\n").unwrap().0.to_owned() + "\n";
                let other = stranger().signature(&text);
                let _ = ground;
                proof.checkpoint = format!("{text}\n{other}{name} {}\n", base64(&bytes));
            })
        }
    ),
    refused!(
        "R-PROOF-8",
        "the empty tree with a root that is not its own",
        Plain,
        "empty",
        |forge| {
            single(forge, |ground, proof| {
                proof.checkpoint = checkpoint(ORIGIN, 0, &[7; 32], &ground.key);
                proof.path.clear();
            })
        }
    ),
];

#[test]
fn what_a_proof_of_a_record_must_not_be_is_refused() {
    run(CASES);
}

#[test]
fn a_proof_of_a_record_that_is_not_forged_holds() {
    for base in [Base::Plain, Base::Aligned, Base::Blake3] {
        for seq in [0, SEQ] {
            let ground = Ground::of(base.forge());
            let mut proof = Single::at(&ground, seq);
            assert_eq!(attempt(By::VerifyProof, base, &proof.files(&ground)), Ok(()));
            proof.extra = Some(ground.shown(seq, 2));
            assert_eq!(attempt(By::VerifyProof, base, &proof.files(&ground)), Ok(()));
        }
    }
}
