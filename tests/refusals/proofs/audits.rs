//! R-AUDIT: what an auditor says of the indexes that an answer rests on.

use super::carried::{chain, rotation};
use super::refused;
use crate::answers::Answer;
use crate::bases::Base;
use crate::cases::{By, Case, attempt, run};
use crate::forge::Forge;
use crate::forge::bytes::{as_int, take_uint};
use crate::forge::evidence::{Shown, range};
use crate::forge::files::Files;
use crate::forge::ground::Ground;
use crate::forge::hashes::{Algorithm, Hash};
use crate::forge::notes::{Key, base64, sign};
use crate::forge::shown::container;
use crate::proofs::bundles::Bundle;
use crate::support::ORIGIN;

/// A line about a segment: first, count, root of its index, times.
type Segment = (u64, u64, Hash, [i64; 4]);

/// An audit, the answer that it is about, and who signed it.
struct Audit {
    first: &'static str,
    origin: String,
    log: String,
    main: String,
    spec: &'static str,
    segments: Vec<Segment>,
    /// In place of the lines of the segments.
    lines: Option<String>,
    auditor: Key,
    /// What the verifier pins as the auditor's key.
    pinned: String,
    /// In place of the auditor's signature.
    signature: Option<String>,
    /// Of the answer.
    bundle: Bundle,
}

fn auditor() -> Key {
    Key::new("auditor.example/ann", Algorithm::Sha256, 21)
}

fn next_key() -> Key {
    Key::new(ORIGIN, Algorithm::Sha256, 12)
}

/// The four times of an entry.
fn times(forge: &mut Forge, ordinal: u64) -> [i64; 4] {
    let field = forge.sealed(ordinal).field("times").to_vec();
    let (mut at, mut times) = (0, [0; 4]);
    for time in &mut times {
        *time = as_int(&field[at..]);
        at += take_uint(&field[at..]).1;
    }
    times
}

/// What user-3 did before the second segment begins: by the index of the first, and the times of the
/// second.
fn question(ground: &Ground) -> Answer {
    let mut answer = Answer::of(ground);
    let until = times(&mut ground.forge.clone(), 2)[2];
    answer.query.set("occurred", range(None, Some(until)));
    answer.shown[1] = Shown::Kind(1);
    answer.seqs.retain(|seq| *seq < 41);
    answer
}

fn audit(forge: Forge, change: impl FnOnce(&Ground, &mut Audit)) -> Files {
    let ground = Ground::of(forge);
    let answer = question(&ground);
    let root = base64(&ground.algorithm().root(&ground.leaves[..ground.size()]));
    let segment = |n: usize, first: u64| {
        let logical = &answer.logicals[n];
        let times = times(&mut ground.forge.clone(), n as u64 + 1);
        (first, logical.records, logical.root(), times)
    };
    let mut audit = Audit {
        first: "bulla.dev/index-audit/v1",
        origin: ORIGIN.to_owned(),
        log: ground.forge.log_id.iter().map(|byte| format!("{byte:02x}")).collect(),
        main: format!("{} {root}", ground.size()),
        spec: "1",
        segments: vec![segment(0, 0), segment(1, 41)],
        lines: None,
        auditor: auditor(),
        pinned: auditor().vkey(),
        signature: None,
        bundle: Bundle::of(&ground, &answer.seqs),
    };
    change(&ground, &mut audit);
    let mut files = ground.with("good.bulla-answer", answer.text(&ground, &audit.bundle));
    files.put("proofs/forged.index-audit", audit.note());
    files.put("pinned/auditor", audit.pinned);
    files
}

impl Audit {
    fn text(&self) -> String {
        let line = |(first, count, root, [a, b, c, d]): &Segment| {
            format!("segment {first} {count} {} {a} {b} {c} {d}\n", base64(root))
        };
        let lines = self.segments.iter().map(line).collect();
        let lines = self.lines.clone().unwrap_or(lines);
        let Audit { first, origin, log, main, spec, .. } = self;
        format!("{first}\n{origin}\nlog {log}\nmain {main}\nspec {spec}\n{lines}")
    }

    fn note(&self) -> String {
        let text = self.text();
        match &self.signature {
            Some(signature) => format!("{text}\n{signature}"),
            None => sign(&text, &[&self.auditor]),
        }
    }

    /// Signed by this key, which the verifier takes for an auditor's.
    fn sign_by(&mut self, key: Key) {
        self.pinned = key.vkey();
        self.auditor = key;
    }

    /// The answer stands under a head by the next key of the log, whose chain it carries.
    fn rotated(&mut self, ground: &Ground) {
        self.bundle.checkpoint = ground.head_by(ground.size(), &next_key());
        let statement = rotation(ground, &ground.key, &next_key());
        self.bundle.extra = Some(container(&[(2, chain(&statement, &[&ground.key, &next_key()]))]));
    }
}

pub(crate) const CASES: &[Case] = &[
    refused!(
        "R-AUDIT-1",
        "a first line of another version",
        Plain,
        "bulla.dev/index-audit/v1",
        |forge| { audit(forge, |_, audit| audit.first = "bulla.dev/index-audit/v2") }
    ),
    refused!(
        "R-AUDIT-1",
        "a log id in capitals",
        Plain,
        "each value in its only spelling",
        |forge| { audit(forge, |_, audit| audit.log.make_ascii_uppercase()) }
    ),
    refused!(
        "R-AUDIT-1",
        "a log id of 17 bytes",
        Plain,
        "each value in its only spelling",
        |forge| { audit(forge, |_, audit| audit.log += "00") }
    ),
    refused!(
        "R-AUDIT-1",
        "a log id of 15 bytes",
        Plain,
        "expected in an index audit: log",
        |forge| { audit(forge, |_, audit| audit.log.truncate(30)) }
    ),
    refused!(
        "R-AUDIT-1",
        "a size with a zero in front",
        Plain,
        "expected in an index audit: main",
        |forge| { audit(forge, |_, audit| audit.main.insert(0, '0')) }
    ),
    refused!(
        "R-AUDIT-1",
        "a root of 31 bytes",
        Plain,
        "expected in an index audit: main",
        |forge| {
            audit(forge, |ground, audit| {
                audit.main = format!("{} {}", ground.size(), base64(&[7; 31]));
            })
        }
    ),
    refused!(
        "R-AUDIT-1",
        "no line about the head",
        Plain,
        "expected in an index audit: main",
        |forge| { audit(forge, |_, audit| audit.log += "\nspec 1") }
    ),
    refused!(
        "R-AUDIT-1",
        "a time with a sign",
        Plain,
        "each value in its only spelling",
        |forge| {
            audit(forge, |_, audit| {
                let root = base64(&[7; 32]);
                audit.lines = Some(format!("segment 0 41 {root} +1 2 1 2\n"));
            })
        }
    ),
    refused!("R-AUDIT-1", "five times", Plain, "each value in its only spelling", |forge| {
        audit(forge, |_, audit| {
            let root = base64(&[7; 32]);
            audit.lines = Some(format!("segment 0 41 {root} 1 2 1 2 3\n"));
        })
    }),
    refused!(
        "R-AUDIT-1",
        "a time of 65 bits",
        Plain,
        "expected in an index audit: segment",
        |forge| {
            audit(forge, |_, audit| {
                let root = base64(&[7; 32]);
                audit.lines = Some(format!("segment 0 41 {root} 1 9223372036854775808 1 2\n"));
            })
        }
    ),
    refused!(
        "R-AUDIT-1",
        "a line of another kind",
        Plain,
        "expected in an index audit: segment",
        |forge| { audit(forge, |_, audit| audit.lines = Some("note none\n".to_owned())) }
    ),
    refused!(
        "R-AUDIT-1",
        "lines behind an empty one",
        Plain,
        "each value in its only spelling",
        |forge| {
            audit(forge, |_, audit| {
                let text = audit.text();
                let lines = text.split_once("spec 1\n").unwrap().1.to_owned();
                audit.lines = Some(format!("{lines}\nmore\n"));
            })
        }
    ),
    refused!("R-AUDIT-2", "specification 2", Plain, "expected in an index audit: spec", |forge| {
        audit(forge, |_, audit| audit.spec = "2")
    }),
    refused!(
        "R-AUDIT-3",
        "an origin with a space",
        Plain,
        "the origin of an index audit",
        |forge| { audit(forge, |_, audit| audit.origin = "example.com audit".to_owned()) }
    ),
    refused!("R-AUDIT-4", "segments out of order", Plain, "ascending segments", |forge| {
        audit(forge, |_, audit| audit.segments.swap(0, 1))
    }),
    refused!("R-AUDIT-4", "segments that overlap", Plain, "ascending segments", |forge| {
        audit(forge, |_, audit| audit.segments[1].0 = 40)
    }),
    refused!("R-AUDIT-4", "a segment without records", Plain, "ascending segments", |forge| {
        audit(forge, |_, audit| audit.segments[0].1 = 0)
    }),
    refused!("R-AUDIT-4", "a segment beyond the head", Plain, "ascending segments", |forge| {
        audit(forge, |_, audit| audit.segments[1].1 = 53)
    }),
    refused!(
        "R-AUDIT-4",
        "more records than 64 bits count",
        Plain,
        "ascending segments",
        |forge| { audit(forge, |_, audit| audit.segments[1].1 = u64::MAX) }
    ),
    refused!(
        "R-AUDIT-4",
        "a smallest time above the largest",
        Plain,
        "the smallest times of a segment",
        |forge| { audit(forge, |_, audit| audit.segments[1].3 = [2, 1, 0, 0]) }
    ),
    refused!(
        "R-AUDIT-5",
        "a signature by a stranger",
        Plain,
        "expected a signature by a given key",
        |forge| {
            audit(forge, |_, audit| {
                audit.auditor = Key::new("auditor.example/ann", Algorithm::Sha256, 22)
            })
        }
    ),
    refused!("R-AUDIT-5", "a signature of another text", Plain, "does not fit the text", |forge| {
        audit(forge, |_, audit| audit.signature = Some(auditor().signature("other\n")))
    }),
    refused!("R-AUDIT-5", "a cosignature", Plain, "a signature, not a cosignature", |forge| {
        audit(forge, |_, audit| {
            audit.signature = Some(auditor().cosignature(&audit.text()));
            audit.pinned = auditor().cosigner_vkey();
        })
    }),
    refused!(
        "R-AUDIT-6",
        "the key of the log",
        Plain,
        "expected the key of an auditor, found one named example.com/audit",
        |forge| { audit(forge, |ground, audit| audit.sign_by(ground.key.clone())) }
    ),
    refused!(
        "R-AUDIT-6",
        "another key, named as that of the log",
        Plain,
        "expected the key of an auditor, found one named example.com/audit",
        |forge| { audit(forge, |_, audit| audit.sign_by(Key::new(ORIGIN, Algorithm::Sha256, 22))) }
    ),
    refused!(
        "R-AUDIT-6",
        "a key named as that of the catalog",
        Plain,
        "found one named example.com/audit/catalog",
        |forge| { audit(forge, |ground, audit| audit.sign_by(ground.key.of_catalog())) }
    ),
    refused!(
        "R-AUDIT-6",
        "a key named as one that revokes",
        Plain,
        "found one named example.com/audit/recovery",
        |forge| {
            let name = format!("{ORIGIN}/recovery");
            audit(forge, |_, audit| audit.sign_by(Key::new(&name, Algorithm::Sha256, 22)))
        }
    ),
    refused!(
        "R-AUDIT-6",
        "the secret of the log under another name",
        Plain,
        "found a key of the log itself, auditor.example/ann",
        |forge| {
            audit(forge, |ground, audit| {
                audit.sign_by(Key { name: auditor().name, ..ground.key.clone() });
            })
        }
    ),
    refused!(
        "R-AUDIT-6",
        "the secret of the log under another name and kind",
        Plain,
        "found a key of the log itself",
        |forge| {
            audit(forge, |ground, audit| {
                let (name, algorithm) = (auditor().name, Algorithm::Blake3);
                audit.sign_by(Key { name, algorithm, ..ground.key.clone() });
            })
        }
    ),
    refused!(
        "R-AUDIT-6",
        "the secret of the key that took over",
        Plain,
        "found a key of the log itself",
        |forge| {
            audit(forge, |ground, audit| {
                audit.rotated(ground);
                audit.sign_by(Key { name: auditor().name, ..next_key() });
            })
        }
    ),
    refused!(
        "R-AUDIT-6",
        "the secret of the key that handed over",
        Plain,
        "found a key of the log itself",
        |forge| {
            audit(forge, |ground, audit| {
                audit.rotated(ground);
                audit.sign_by(Key { name: auditor().name, ..ground.key.clone() });
            })
        }
    ),
    refused!(
        "R-AUDIT-7",
        "an audit of another origin",
        Plain,
        "expected an audit of example.com/audit (id",
        |forge| { audit(forge, |_, audit| audit.origin = "example.com/other".to_owned()) }
    ),
    refused!(
        "R-AUDIT-7",
        "an audit of another log",
        Plain,
        "expected an audit of example.com/audit (id",
        |forge| { audit(forge, |_, audit| audit.log = "09".repeat(16)) }
    ),
    refused!(
        "R-AUDIT-8",
        "another root at the size of the answer's head",
        Plain,
        "the log has forked",
        |forge| {
            audit(forge, |ground, audit| {
                audit.main = format!("{} {}", ground.size(), base64(&[7; 32]));
            })
        }
    ),
    refused!(
        "R-AUDIT-9",
        "a segment that is not there",
        Plain,
        "none: the audit does not cover it",
        |forge| { audit(forge, |_, audit| _ = audit.segments.remove(0)) }
    ),
    refused!("R-AUDIT-9", "another index root", Plain, "with index root", |forge| {
        audit(forge, |_, audit| audit.segments[0].2 = [7; 32])
    }),
    refused!("R-AUDIT-9", "other times", Plain, "with times", |forge| {
        audit(forge, |_, audit| audit.segments[1].3[3] += 1)
    }),
    refused!("R-AUDIT-9", "another number of records", Plain, "of 40 records", |forge| {
        audit(forge, |_, audit| audit.segments[0].1 = 40)
    }),
];

#[test]
fn what_an_audit_must_not_be_is_refused() {
    run(CASES);
}

#[test]
fn an_audit_that_is_not_forged_holds() {
    let base = Base::Plain;
    let made = [
        audit(base.forge(), |_, _| ()),
        audit(base.forge(), |ground, audit| audit.rotated(ground)),
        audit(base.forge(), |_, audit| audit.segments[0].3 = [0; 4]),
        audit(base.forge(), |_, audit| audit.segments[1].2 = [7; 32]),
        audit(base.forge(), |ground, audit| {
            audit.main = format!("{} {}", ground.size() + 1, base64(&[7; 32]));
        }),
    ];
    for (n, files) in made.iter().enumerate() {
        assert_eq!(attempt(By::VerifyProof, base, files), Ok(()), "audit {n}");
    }
}
