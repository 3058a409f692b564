//! R-PROOF-9 to 14: the record that a proof shows.

use super::refused;
use super::single::{SEQ, Single, single};
use crate::bases::Base;
use crate::cases::{By, Case, attempt, run};
use crate::forge::Forge;
use crate::forge::bytes::{as_int, as_text, long_uint, put};
use crate::forge::files::Files;
use crate::forge::ground::Ground;
use crate::forge::hashes::Algorithm;
use crate::forge::segment::{HEAD, Record};
use crate::forge::shown::{self, container, seal};

/// A proof of a record that was changed.
fn of_record(mut forge: Forge, change: impl FnOnce(&mut Record)) -> Files {
    change(forge.main_record(SEQ));
    single(forge, |_, _| ())
}

/// A proof in which the bytes of the record are changed.
fn shown_as(forge: Forge, form: u8, change: impl FnOnce(&mut Vec<u8>)) -> Files {
    single(forge, |ground, proof| {
        let mut bytes = ground.shown(SEQ, form);
        change(&mut bytes);
        proof.extra = Some(bytes);
    })
}

/// The same, and the leaf is that of the changed head.
fn other_head(forge: Forge, field: &str, value: u64) -> Files {
    let mut ground = Ground::of(forge);
    let start = b"bulla-record/v1\0".len() + 1;
    let mut bytes = ground.shown(SEQ, 1);
    put(HEAD, &mut bytes[start..start + 40], field, value);
    let record = ground.record(SEQ);
    let rest = [record.envelope(), record.digests()].concat();
    ground.leaves[SEQ] = Algorithm::Sha256.leaf(&[&bytes[start..start + 40], &rest]);
    let proof = Single { extra: Some(bytes), ..Single::of(&ground) };
    proof.files(&ground)
}

/// A record that is stored encrypted, in this form.
fn encrypted(mut forge: Forge, form: u8, rest: impl FnOnce(&[u8], &Record) -> Vec<u8>) -> Files {
    let salted = seal(forge.main_record(SEQ));
    single(forge, |ground, proof| {
        let record = ground.record(SEQ);
        let rest = rest(&salted, &record);
        let log_id = ground.forge.log_id;
        proof.extra = Some(shown::record_of(&record, &log_id, SEQ as u64, form, &rest));
    })
}

/// D ‖ salt ‖ payload.
fn decrypted(salted: &[u8], record: &Record) -> Vec<u8> {
    [&record.digests()[32..], salted].concat()
}

/// A proof of the first anchor.
fn of_anchor(mut forge: Forge, change: impl FnOnce(&mut Record)) -> Files {
    change(forge.anchor(0));
    let ground = Ground::of(forge);
    Single::at(&ground, ground.anchors[0]).files(&ground)
}

pub(crate) const CASES: &[Case] = &[
    refused!(
        "R-PROOF-9",
        "another beginning",
        Plain,
        "expected bulla-record/v1 or bulla-extra/v1",
        |forge| { shown_as(forge, 1, |bytes| bytes[13] = b'2') }
    ),
    refused!("R-PROOF-9", "form 0", Plain, "expected form 1 or 2, found 0", |forge| {
        shown_as(forge, 1, |bytes| bytes[16] = 0)
    }),
    refused!("R-PROOF-9", "form 5", Plain, "expected form 1 or 2, found 5", |forge| {
        shown_as(forge, 1, |bytes| bytes[16] = 5)
    }),
    refused!(
        "R-PROOF-9",
        "form 3 of a plain payload",
        Plain,
        "expected form 1 or 2, found 3",
        |forge| { shown_as(forge, 1, |bytes| bytes[16] = 3) }
    ),
    refused!(
        "R-PROOF-9",
        "form 4 of a plain payload",
        Plain,
        "expected form 1 or 2, found 4",
        |forge| {
            shown_as(forge, 2, |bytes| {
                bytes[16] = 4;
                bytes.extend([7; 32]);
            })
        }
    ),
    refused!(
        "R-PROOF-9",
        "form 1 of an encrypted payload",
        Plain,
        "as its payload is encrypted, found 1",
        |forge| { encrypted(forge, 1, |salted, _| salted.to_vec()) }
    ),
    refused!(
        "R-PROOF-9",
        "form 2 of an encrypted payload",
        Plain,
        "as its payload is encrypted, found 2",
        |forge| { encrypted(forge, 2, |_, record| record.digests()[..32].to_vec()) }
    ),
    refused!(
        "R-PROOF-10",
        "a commitment of 33 bytes",
        Plain,
        "a commitment of 32 bytes",
        |forge| { shown_as(forge, 2, |bytes| bytes.push(0)) }
    ),
    refused!(
        "R-PROOF-10",
        "a commitment of 31 bytes",
        Plain,
        "a commitment of 32 bytes",
        |forge| { shown_as(forge, 2, |bytes| bytes.truncate(bytes.len() - 1)) }
    ),
    refused!("R-PROOF-10", "half a salt", Plain, "expected more bytes", |forge| {
        single(forge, |ground, proof| {
            let (record, log_id) = (ground.record(SEQ), ground.forge.log_id);
            proof.extra = Some(shown::record_of(&record, &log_id, SEQ as u64, 1, &[7; 8]));
        })
    }),
    refused!("R-PROOF-10", "an envelope that ends early", Plain, "expected more bytes", |forge| {
        shown_as(forge, 1, |bytes| bytes.truncate(60))
    }),
    refused!("R-PROOF-10", "a head that ends early", Plain, "expected more bytes", |forge| {
        shown_as(forge, 1, |bytes| bytes.truncate(40))
    }),
    refused!("R-PROOF-10", "no form", Plain, "expected more bytes", |forge| {
        shown_as(forge, 1, |bytes| bytes.truncate(16))
    }),
    refused!(
        "R-PROOF-10",
        "a digest without a salt",
        Plain,
        "a digest of 32 bytes, salt and payload",
        |forge| { encrypted(forge, 3, |_, record| record.digests()[32..].to_vec()) }
    ),
    refused!(
        "R-PROOF-10",
        "a digest too few",
        Plain,
        "a commitment and a digest of 32 bytes each",
        |forge| { encrypted(forge, 4, |_, record| record.digests()[..32].to_vec()) }
    ),
    refused!(
        "R-PROOF-10",
        "a payload of more than 4 MiB",
        Plain,
        "of at most 4 MiB + 16 bytes",
        |forge| { of_record(forge, |record| record.stored.resize((4 << 20) + 17, b' ')) }
    ),
    refused!("R-PROOF-11", "another tag", Plain, "record head: tag", |forge| {
        other_head(forge, "tag", 0xb2)
    }),
    refused!("R-PROOF-11", "schema 0", Plain, "record: schema", |forge| {
        other_head(forge, "schema", 0)
    }),
    refused!("R-PROOF-11", "schema 4", Plain, "record", |forge| { other_head(forge, "schema", 4) }),
    refused!("R-PROOF-11", "flags 2", Plain, "record: flags", |forge| {
        other_head(forge, "flags", 2)
    }),
    refused!("R-PROOF-11", "an encrypted anchor", Plain, "record: flags", |forge| {
        of_anchor(forge, |record| {
            record.stored = vec![7; 104];
            record.set_prefix("flags", 1_u64);
        })
    }),
    refused!("R-PROOF-11", "kind 16", Plain, "a record of kind 16", |forge| {
        other_head(forge, "kind", 16)
    }),
    refused!("R-PROOF-11", "kind 3", Plain, "a record of kind 3", |forge| {
        other_head(forge, "kind", 3)
    }),
    refused!("R-PROOF-11", "an envelope of 65,432 bytes", Plain, "record: envelope_len", |forge| {
        other_head(forge, "envelope_len", 65_432)
    }),
    refused!(
        "R-PROOF-12",
        "the record of another Seq",
        Plain,
        "expected the record at 60, found the one of 61",
        |forge| { single(forge, |ground, proof| proof.extra = Some(ground.shown(SEQ + 1, 1))) }
    ),
    refused!(
        "R-PROOF-12",
        "a record that was hashed with another Seq",
        Plain,
        "expected the record at 60, found the one of 7",
        |forge| { other_head(forge, "seq", 7) }
    ),
    refused!(
        "R-PROOF-12",
        "another field than the one that was hashed",
        Plain,
        "the proof leads to",
        |forge| {
            shown_as(forge, 1, |bytes| {
                let at = bytes.windows(7).position(|word| word == b"invoice").unwrap();
                bytes[at] = b'I';
            })
        }
    ),
    refused!(
        "R-PROOF-12",
        "another time than the one that was hashed",
        Plain,
        "the proof leads to",
        |forge| {
            single(forge, |ground, proof| {
                let mut record = ground.record(SEQ);
                record.set_prefix("recorded_at", as_int(record.field("occurred_at")));
                let log_id = ground.forge.log_id;
                proof.extra = Some(shown::record(&record, &log_id, SEQ as u64, 1));
            })
        }
    ),
    refused!(
        "R-PROOF-13",
        "an envelope with an integer in more bytes than it needs",
        Plain,
        "integer",
        |forge| {
            of_record(forge, |record| {
                let actor = as_text(record.field("actor_id")).to_vec();
                record.set("actor_id", [long_uint(actor.len() as u64), actor].concat());
            })
        }
    ),
    refused!("R-PROOF-13", "an outcome that there is none of", Plain, "outcome", |forge| {
        of_record(forge, |record| record.set("outcome", vec![9]))
    }),
    refused!(
        "R-PROOF-13",
        "bytes behind the envelope",
        Plain,
        "the record in the proof",
        |forge| { of_record(forge, |record| record.trailing.push(0)) }
    ),
    refused!("R-PROOF-13", "bytes behind the payload", Plain, "the record in the proof", |forge| {
        of_record(forge, |record| record.stored.push(0))
    }),
    refused!(
        "R-PROOF-13",
        "bytes behind a payload that is stored encrypted",
        Plain,
        "the record in the proof",
        |mut forge| {
            forge.main_record(SEQ).stored.push(0);
            encrypted(forge, 3, decrypted)
        }
    ),
    refused!(
        "R-PROOF-13",
        "an anchor with a payload",
        Plain,
        "payload of the anchor: expected none, found 1 bytes",
        |forge| { of_anchor(forge, |record| record.set_payload(&[1])) }
    ),
    refused!(
        "R-PROOF-13",
        "an anchor with an integer in more bytes than it needs",
        Plain,
        "integer",
        |forge| {
            of_anchor(forge, |record| {
                let size = crate::forge::bytes::as_uint(record.field("catalog_size"));
                record.set("catalog_size", long_uint(size));
            })
        }
    ),
    refused!(
        "R-PROOF-14",
        "no extra",
        Plain,
        "expected a record in the proof, found none",
        |forge| { single(forge, |_, proof| proof.extra = None) }
    ),
    refused!(
        "R-PROOF-14",
        "a container without a record",
        Plain,
        "expected a record in the proof, found none",
        |forge| {
            single(forge, |ground, proof| {
                let state = ground.state(2);
                let claim = super::carried::in_force(&state, 0);
                proof.extra = Some(container(&[(5, ground.statement(2, claim).bytes())]));
            })
        }
    ),
];

#[test]
fn what_a_record_in_a_proof_must_not_be_is_refused() {
    run(CASES);
}

#[test]
fn records_in_each_form_hold() {
    let base = Base::Plain;
    let made = [
        encrypted(base.forge(), 3, decrypted),
        encrypted(base.forge(), 4, |_, record| record.digests()),
        of_anchor(base.forge(), |_| ()),
        shown_as(base.forge(), 2, |_| ()),
        other_head(base.forge(), "schema", 1),
    ];
    for files in made {
        assert_eq!(attempt(By::VerifyProof, base, &files), Ok(()));
    }
}
