//! R-BUNDLE: many records under one checkpoint.

use super::carried::in_force;
use super::refused;
use crate::bases::Base;
use crate::cases::{By, Case, attempt, run};
use crate::forge::Forge;
use crate::forge::bytes::{as_text, long_uint};
use crate::forge::files::Files;
use crate::forge::ground::{Ground, checkpoint};
use crate::forge::hashes::{Algorithm, Hash};
use crate::forge::notes::{Key, base64};
use crate::forge::shown::{self, container, hash_lines, path};
use crate::support::ORIGIN;

/// The records that are bundled.
const SEQS: [usize; 4] = [3, 41, 60, 93 - 1];

/// The lines of a bundle.
pub(crate) struct Bundle {
    pub(crate) first: &'static str,
    pub(crate) note: Option<String>,
    pub(crate) extra: Option<Vec<u8>>,
    /// Position and bytes.
    pub(crate) records: Vec<(String, Vec<u8>)>,
    pub(crate) hashes: Vec<Hash>,
    pub(crate) checkpoint: String,
}

impl Bundle {
    /// Of these records, whole, under the newest head.
    pub(crate) fn of(ground: &Ground, seqs: &[usize]) -> Self {
        Bundle {
            first: "bulla.dev/bundle/v1",
            note: None,
            extra: None,
            records: seqs.iter().map(|seq| (seq.to_string(), ground.shown(*seq, 1))).collect(),
            hashes: ground.batch(seqs, ground.size()),
            checkpoint: ground.newest(),
        }
    }

    pub(crate) fn text(&self) -> String {
        let note = self.note.as_ref().map(|note| format!("note {note}\n")).unwrap_or_default();
        let extra = self.extra.as_ref().map(|extra| format!("extra {}\n", base64(extra)));
        let record = |(seq, bytes): &(String, Vec<u8>)| format!("record {seq} {}\n", base64(bytes));
        let records: String = self.records.iter().map(record).collect();
        let (extra, hashes) = (extra.unwrap_or_default(), hash_lines(&self.hashes));
        format!("{}\n{note}{extra}{records}{hashes}\n{}", self.first, self.checkpoint)
    }
}

fn bundle(forge: Forge, change: impl FnOnce(&Ground, &mut Bundle)) -> Files {
    let ground = Ground::of(forge);
    let mut bundle = Bundle::of(&ground, &SEQS);
    change(&ground, &mut bundle);
    ground.with("forged.bulla-bundle", bundle.text())
}

fn edited(forge: Forge, change: impl FnOnce(String) -> Vec<u8>) -> Files {
    let ground = Ground::of(forge);
    ground.with("forged.bulla-bundle", change(Bundle::of(&ground, &SEQS).text()))
}

fn stranger() -> Key {
    Key::new(ORIGIN, Algorithm::Sha256, 99)
}

/// A bundle whose last record is of another log, and leads to the root.
fn of_two_logs(forge: Forge) -> Files {
    let mut ground = Ground::of(forge);
    let (seq, other) = (SEQS[2], [9; 16]);
    let record = ground.record(seq);
    ground.leaves[seq] = ground.algorithm().leaf(&[&record.entry(&other, seq as u64)]);
    let mut bundle = Bundle::of(&ground, &SEQS);
    bundle.records[2].1 = shown::record(&record, &other, seq as u64, 1);
    ground.with("forged.bulla-bundle", bundle.text())
}

/// A bundle that carries an earlier head of so many records.
fn appended_after(ground: &Ground, size: usize) -> Vec<u8> {
    let hashes = ground.algorithm().consistency(size, &ground.leaves[..ground.size()]);
    container(&[(3, [path(&hashes), ground.head(size).into_bytes()].concat())])
}

pub(crate) const CASES: &[Case] = &[
    refused!(
        "R-BUNDLE-1",
        "a first line of another version",
        Plain,
        "the first line bulla.dev/bundle/v1",
        |forge| { bundle(forge, |_, bundle| bundle.first = "bulla.dev/bundle/v2") }
    ),
    refused!("R-BUNDLE-1", "more than 64 MiB", Plain, "of at most 67108864 bytes", |forge| {
        edited(forge, |text| {
            let mut bytes = text.into_bytes();
            bytes.resize((64 << 20) + 1, b'\n');
            bytes
        })
    }),
    refused!("R-BUNDLE-1", "bytes that are no text", Plain, "no UTF-8", |forge| {
        edited(forge, |text| [text.as_bytes(), b"\xff"].concat())
    }),
    refused!("R-BUNDLE-2", "an empty note", Plain, "to be \"note \" and a text", |forge| {
        bundle(forge, |_, bundle| bundle.note = Some(String::new()))
    }),
    refused!(
        "R-BUNDLE-2",
        "a note of more than 64 KiB",
        Plain,
        "a note of at most 65536 bytes",
        |forge| { bundle(forge, |_, bundle| bundle.note = Some("n".repeat((64 << 10) + 1))) }
    ),
    refused!(
        "R-BUNDLE-2",
        "a letter that is escaped",
        Plain,
        "to be \"note \" and a text",
        |forge| { bundle(forge, |_, bundle| bundle.note = Some("\\x41".to_owned())) }
    ),
    refused!("R-BUNDLE-2", "an escape in capitals", Plain, "to be \"note \" and a text", |forge| {
        bundle(forge, |_, bundle| bundle.note = Some("\\x0A".to_owned()))
    }),
    refused!("R-BUNDLE-2", "a backslash alone", Plain, "to be \"note \" and a text", |forge| {
        bundle(forge, |_, bundle| bundle.note = Some("a\\".to_owned()))
    }),
    refused!("R-BUNDLE-2", "a control character", Plain, "to be \"note \" and a text", |forge| {
        bundle(forge, |_, bundle| bundle.note = Some("a\tb".to_owned()))
    }),
    refused!("R-BUNDLE-2", "a note twice", Plain, "to be the base64 of 32 bytes", |forge| {
        bundle(forge, |_, bundle| bundle.note = Some("once\nnote twice".to_owned()))
    }),
    refused!(
        "R-BUNDLE-2",
        "a note behind a record",
        Plain,
        "to be the base64 of 32 bytes",
        |forge| {
            edited(forge, |text| {
                text.replacen("record 41 ", "note late\nrecord 41 ", 1).into_bytes()
            })
        }
    ),
    refused!(
        "R-BUNDLE-3",
        "extra that is not in base64",
        Plain,
        "to be \"extra \" and base64",
        |forge| {
            edited(forge, |text| text.replacen("record 3 ", "extra =\nrecord 3 ", 1).into_bytes())
        }
    ),
    refused!(
        "R-BUNDLE-3",
        "nothing in extra",
        Plain,
        "bulla-record/v1 or bulla-extra/v1",
        |forge| { bundle(forge, |_, bundle| bundle.extra = Some(Vec::new())) }
    ),
    refused!(
        "R-BUNDLE-3",
        "a record in extra",
        Plain,
        "extra: expected no record, found one",
        |forge| { bundle(forge, |ground, bundle| bundle.extra = Some(ground.shown(3, 1))) }
    ),
    refused!(
        "R-BUNDLE-3",
        "a record in a container",
        Plain,
        "extra: expected no record, found one",
        |forge| {
            bundle(forge, |ground, bundle| {
                let claim = in_force(&ground.state(2), 0);
                let statement = ground.statement(2, claim).bytes();
                bundle.extra = Some(container(&[(1, ground.shown(3, 1)), (5, statement)]));
            })
        }
    ),
    refused!("R-BUNDLE-3", "a section of a newer version", Plain, "a section of kind 6", |forge| {
        bundle(forge, |_, bundle| bundle.extra = Some(container(&[(6, Vec::new())])))
    }),
    refused!(
        "R-BUNDLE-3",
        "an earlier head by a stranger",
        Plain,
        "the earlier checkpoint: checkpoint not verified",
        |forge| {
            bundle(forge, |ground, bundle| {
                let head = checkpoint(ORIGIN, 0, &ground.algorithm().root(&[]), &stranger());
                bundle.extra = Some(container(&[(3, [path(&[]), head.into_bytes()].concat())]));
            })
        }
    ),
    refused!(
        "R-BUNDLE-3",
        "a statement that does not hold",
        Plain,
        "the statement about the catalog: anchor",
        |forge| {
            bundle(forge, |ground, bundle| {
                let claim = in_force(&ground.state(1), 0);
                bundle.extra = Some(container(&[(5, ground.statement(1, claim).bytes())]));
            })
        }
    ),
    refused!("R-BUNDLE-4", "a record without a position", Plain, "to be \"record \"", |forge| {
        bundle(forge, |_, bundle| bundle.records[0].0.clear())
    }),
    refused!(
        "R-BUNDLE-4",
        "a position with a zero in front",
        Plain,
        "to be \"record \"",
        |forge| { bundle(forge, |_, bundle| bundle.records[0].0 = "03".to_owned()) }
    ),
    refused!("R-BUNDLE-4", "two spaces behind the position", Plain, "to be \"record \"", |forge| {
        bundle(forge, |_, bundle| bundle.records[0].0.push(' '))
    }),
    refused!("R-BUNDLE-4", "a record twice", Plain, "a position above the one before", |forge| {
        bundle(forge, |_, bundle| bundle.records.insert(1, bundle.records[0].clone()))
    }),
    refused!(
        "R-BUNDLE-4",
        "records out of order",
        Plain,
        "a position above the one before",
        |forge| { bundle(forge, |_, bundle| bundle.records.swap(1, 2)) }
    ),
    refused!(
        "R-BUNDLE-4",
        "a record behind the hashes",
        Plain,
        "to be the base64 of 32 bytes",
        |forge| {
            edited(forge, |text| {
                let mut lines: Vec<&str> = text.lines().collect();
                let record = lines.remove(4);
                lines.insert(6, record);
                (lines.join("\n") + "\n").into_bytes()
            })
        }
    ),
    refused!(
        "R-BUNDLE-4",
        "extra behind a record",
        Plain,
        "to be the base64 of 32 bytes",
        |forge| {
            edited(forge, |text| {
                text.replacen("record 41 ", "extra AA==\nrecord 41 ", 1).into_bytes()
            })
        }
    ),
    refused!("R-BUNDLE-5", "1,000,001 records", Plain, "at most 1000000 records", |forge| {
        bundle(forge, |_, bundle| {
            bundle.records = (0..=1_000_000).map(|seq| (seq.to_string(), vec![0])).collect();
        })
    }),
    refused!(
        "R-BUNDLE-6",
        "a record of another Seq",
        Plain,
        "record 41: expected the record at 41, found the one of 42",
        |forge| { bundle(forge, |ground, bundle| bundle.records[1].1 = ground.shown(42, 1)) }
    ),
    refused!(
        "R-BUNDLE-6",
        "a record in another form",
        Plain,
        "record 41: the record in the proof: expected form 1 or 2",
        |forge| { bundle(forge, |_, bundle| bundle.records[1].1[16] = 3) }
    ),
    refused!("R-BUNDLE-6", "a record with a byte more", Plain, "inclusion not proved", |forge| {
        bundle(forge, |_, bundle| bundle.records[1].1.push(0))
    }),
    refused!(
        "R-BUNDLE-6",
        "bytes that are no record",
        Plain,
        "expected bulla-record/v1",
        |forge| { bundle(forge, |_, bundle| bundle.records[1].1 = container(&[])) }
    ),
    refused!(
        "R-BUNDLE-6",
        "an envelope with an integer in more bytes than it needs",
        Plain,
        "record 41: the record in the proof",
        |mut forge| {
            let record = forge.main_record(41);
            let actor = as_text(record.field("actor_id")).to_vec();
            record.set("actor_id", [long_uint(actor.len() as u64), actor].concat());
            bundle(forge, |_, _| ())
        }
    ),
    refused!(
        "R-BUNDLE-6",
        "an anchor with a payload",
        Plain,
        "record 92: the record in the proof: the payload of the anchor",
        |mut forge| {
            forge.anchor(2).set_payload(&[1]);
            bundle(forge, |_, _| ())
        }
    ),
    refused!("R-BUNDLE-7", "records of two logs", Plain, "record 60: log id", of_two_logs),
    refused!("R-BUNDLE-8", "a hash that leads elsewhere", Plain, "inclusion not proved", |forge| {
        bundle(forge, |_, bundle| bundle.hashes[0] = [7; 32])
    }),
    refused!("R-BUNDLE-8", "hashes in another order", Plain, "inclusion not proved", |forge| {
        bundle(forge, |_, bundle| bundle.hashes.swap(0, 1))
    }),
    refused!(
        "R-BUNDLE-8",
        "a hash too many",
        Plain,
        "inclusion not proved: expected a proof of",
        |forge| { bundle(forge, |_, bundle| bundle.hashes.push([7; 32])) }
    ),
    refused!(
        "R-BUNDLE-8",
        "a hash too few",
        Plain,
        "inclusion not proved: expected a proof of",
        |forge| { bundle(forge, |_, bundle| bundle.hashes.truncate(1)) }
    ),
    refused!(
        "R-BUNDLE-8",
        "a hash without records",
        Plain,
        "expected a proof of 0 hashes, found 1",
        |forge| {
            bundle(forge, |ground, bundle| {
                bundle.records.clear();
                bundle.hashes = vec![ground.algorithm().root(&ground.leaves[..ground.size()])];
            })
        }
    ),
    refused!("R-BUNDLE-8", "a record behind the head", Plain, "is not covered", |forge| {
        bundle(forge, |ground, bundle| bundle.checkpoint = ground.head(ground.anchors[1] + 1))
    }),
    refused!("R-BUNDLE-9", "a head by a stranger", Plain, "checkpoint not verified", |forge| {
        bundle(forge, |ground, bundle| {
            bundle.checkpoint = ground.head_by(ground.size(), &stranger());
        })
    }),
    refused!(
        "R-BUNDLE-9",
        "a head of another origin than its key's",
        Plain,
        "example.com/other",
        |forge| {
            bundle(forge, |ground, bundle| {
                let root = ground.algorithm().root(&ground.leaves[..ground.size()]);
                bundle.checkpoint =
                    checkpoint("example.com/other", ground.size(), &root, &ground.key);
            })
        }
    ),
    refused!(
        "R-BUNDLE-10",
        "an earlier head that covers a record",
        Plain,
        "an earlier checkpoint without record 3",
        |forge| {
            bundle(forge, |ground, bundle| {
                bundle.extra = Some(appended_after(ground, ground.anchors[0] + 1));
            })
        }
    ),
    refused!("R-BUNDLE-11", "no checkpoint", Plain, "an empty line and a checkpoint", |forge| {
        edited(forge, |text| text.split("\n\n").next().unwrap().as_bytes().to_vec())
    }),
    refused!("R-BUNDLE-11", "a byte behind the checkpoint", Plain, "in the checkpoint", |forge| {
        bundle(forge, |_, bundle| bundle.checkpoint.push('x'))
    }),
];

#[test]
fn what_a_bundle_must_not_be_is_refused() {
    run(CASES);
}

#[test]
fn a_bundle_that_is_not_forged_holds() {
    for base in [Base::Plain, Base::Blake3] {
        let made = [
            bundle(base.forge(), |_, _| ()),
            bundle(base.forge(), |_, bundle| bundle.note = Some("\\\\ \\x0a \\x7f é".to_owned())),
            bundle(base.forge(), |_, bundle| {
                bundle.records.clear();
                bundle.hashes.clear();
            }),
            bundle(base.forge(), |ground, bundle| {
                *bundle = Bundle::of(ground, &[41, 60]);
                bundle.extra = Some(appended_after(ground, ground.anchors[0] + 1));
            }),
        ];
        for files in made {
            assert_eq!(attempt(By::VerifyProof, base, &files), Ok(()));
        }
    }
}
