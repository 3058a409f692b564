use proptest::prelude::*;

use super::*;
use crate::hash::Hash;
use crate::merkle::TreeHead;
use crate::seq::TreeSize;

const ORIGIN: &str = "example.com/audit";
const TIME: u64 = 1_679_315_147;

/// As a public log and its witnesses published it; the log's own key and three of the
/// witnesses are not known here.
const PUBLISHED: &str = "arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

\u{2014} arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGR\
EPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
\u{2014} transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2\
rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==
\u{2014} remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9s\
XTynk5XeU/zZ0WBxtqB0DrAWfBw==
";
const PUBLISHED_WITNESS: &str =
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";

fn key(name: &str, kind: SignatureKind, seed: u8) -> SigningKey {
    SigningKey::new(name, kind, &[seed; 32]).unwrap()
}

fn log_key() -> SigningKey {
    key(ORIGIN, SignatureKind::Ed25519, 1)
}

fn witness(name: &str, seed: u8) -> SigningKey {
    key(name, SignatureKind::Ed25519Cosignature, seed)
}

fn public(keys: &[&SigningKey]) -> Vec<VerifyingKey> {
    keys.iter().map(|key| key.verifying_key().clone()).collect()
}

fn signed(log: &SigningKey) -> UnverifiedCheckpoint {
    let head = TreeHead { size: TreeSize::new(42), root: Hash::from_bytes([7; 32]) };
    Checkpoint::new(ORIGIN, head).unwrap().sign(log).unwrap().into_unverified()
}

fn cosign(checkpoint: &UnverifiedCheckpoint, witness: &SigningKey, time: u64) -> NoteSignature {
    checkpoint.verify(&public(&[&log_key()])).unwrap().cosign(witness, time).unwrap()
}

/// What the parser sees when this is published.
fn published(checkpoint: &UnverifiedCheckpoint, more: &[NoteSignature]) -> UnverifiedCheckpoint {
    let text = checkpoint.with_signatures(more).unwrap().to_text();
    UnverifiedCheckpoint::parse(text.as_bytes()).unwrap()
}

fn times(verified: &VerifiedCheckpoint) -> Vec<(String, u64)> {
    let cosignatures = verified.cosignatures().iter();
    cosignatures.map(|c| (c.key().name().to_string(), c.unix_seconds())).collect()
}

#[test]
fn the_cosignature_of_a_public_witness_verifies() {
    let key: VerifyingKey = PUBLISHED_WITNESS.parse().unwrap();
    assert_eq!(key.kind(), SignatureKind::Ed25519Cosignature);
    assert_eq!(key.to_string(), PUBLISHED_WITNESS);
    let note = Note::parse(PUBLISHED.as_bytes()).unwrap();
    assert_eq!(note.to_string(), PUBLISHED);
    let verified = note.verify(std::slice::from_ref(&key)).unwrap();
    let [cosignature] = verified.cosignatures() else { panic!("one cosignature") };
    assert_eq!((cosignature.key(), cosignature.unix_seconds()), (&key, 0x6a12_2120));
    assert_eq!(verified.signers(), []);
    let altered = PUBLISHED.replacen("1432088532", "1432088533", 1);
    let refused = Note::parse(altered.as_bytes()).unwrap().verify(&[key]);
    assert!(matches!(refused, Err(VerifyNoteError::BadSignature { .. })));
}

#[test]
fn the_signed_message_and_the_layout_are_those_of_the_specification() {
    // The example of c2sp.org/tlog-cosignature (its public key is not published).
    let text = "example.com/behind-the-sofa\n20852163\n\
                CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let line = "\u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZ\
                CB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
    let [of_the_example] = &NoteSignature::parse_lines(line.as_bytes()).unwrap()[..] else {
        panic!("one line");
    };
    assert_eq!(of_the_example.id.to_string(), "8d66cf3f");
    assert_eq!(of_the_example.signature.len(), 72);
    let w1 = witness("witness.example.com/w1", 2);
    let ours = super::cosignature::sign(&w1, text, TIME).unwrap();
    assert_eq!(ours[..8], of_the_example.signature[..8]);
    let signed = format!("cosignature/v1\ntime {TIME}\n{text}");
    assert!(w1.verifying_key().signed(signed.as_bytes(), &ours[8..]));
}

#[test]
fn a_cosigned_checkpoint_verifies_and_names_witness_and_time() {
    let (w1, w2) = (witness("w.example/1", 2), witness("w.example/2", 3));
    let checkpoint = signed(&log_key());
    let lines = [cosign(&checkpoint, &w1, TIME), cosign(&checkpoint, &w2, 0)];
    let read = published(&checkpoint, &lines);
    assert!(read.to_text().starts_with(&checkpoint.to_text()), "the signature before is kept");
    let verified = read.verify(&public(&[&log_key(), &w1, &w2])).unwrap();
    assert_eq!(times(&verified), [("w.example/1".to_owned(), TIME), ("w.example/2".to_owned(), 0)]);
    assert_eq!(verified.signers(), public(&[&log_key()]));
    // Who does not know a witness ignores it.
    assert_eq!(times(&read.verify(&public(&[&log_key()])).unwrap()), []);
    assert_eq!(verified.into_unverified(), read);
}

#[test]
fn of_several_cosignatures_by_one_witness_the_earliest_counts_and_all_must_be_right() {
    let w1 = witness("w.example/1", 2);
    let checkpoint = signed(&log_key());
    let mut lines = [7, 5, 6].map(|time| cosign(&checkpoint, &w1, time)).to_vec();
    let keys = public(&[&log_key(), &w1]);
    let verified = published(&checkpoint, &lines).verify(&keys).unwrap();
    assert_eq!(times(&verified), [("w.example/1".to_owned(), 5)]);
    lines[2].signature[7] ^= 1;
    let refused = published(&checkpoint, &lines).verify(&keys);
    assert!(matches!(
        refused,
        Err(CheckpointError::Signature(VerifyNoteError::BadSignature { .. }))
    ));
}

#[test]
fn a_witness_named_as_the_log_does_not_speak_for_it() {
    let impostor = witness(ORIGIN, 1); // even with the secret of the log's key
    let checkpoint = signed(&log_key());
    let line = cosign(&checkpoint, &impostor, TIME);
    let text = checkpoint.note().dangerously_unverified_text();
    let alone = format!("{text}\n{line}\n");
    let alone = UnverifiedCheckpoint::parse(alone.as_bytes()).unwrap();
    let refused = alone.verify(&public(&[&impostor, &log_key()]));
    assert!(matches!(refused, Err(CheckpointError::LogDidNotSign { .. })), "{refused:?}");
    let unsigned = checkpoint.dangerously_unverified();
    assert!(matches!(unsigned.sign(&impostor), Err(CheckpointError::WitnessKey { .. })));
    let refused = Note::sign(text, &[&impostor]);
    assert!(matches!(refused, Err(NoteError::NotSigned(_))));
}

#[test]
fn the_key_of_a_log_does_not_cosign_and_its_signature_is_no_cosignature() {
    let checkpoint = signed(&log_key());
    let verified = checkpoint.verify(&public(&[&log_key()])).unwrap();
    let other = key("w.example/1", SignatureKind::Ed25519, 2);
    assert!(matches!(
        verified.cosign(&other, TIME),
        Err(CheckpointError::Note(NoteError::NotSigned(_)))
    ));
    // The same secret as a log's key and as a witness: neither signature passes for the other.
    let twin = witness("w.example/1", 2);
    let plain = Note::sign(checkpoint.note().dangerously_unverified_text(), &[&other]).unwrap();
    let [plain] = plain.signatures() else { panic!("one signature") };
    let timed = cosign(&checkpoint, &twin, TIME);
    for (line, key) in [
        (NoteSignature { id: twin.verifying_key().id(), ..plain.clone() }, &twin),
        (NoteSignature { id: other.verifying_key().id(), ..timed }, &other),
    ] {
        let refused = published(&checkpoint, &[line]).verify(&public(&[&log_key(), key]));
        assert!(matches!(refused, Err(CheckpointError::Signature(_))), "{refused:?}");
    }
}

#[test]
fn a_blake3_head_is_not_cosigned() {
    let log = key(ORIGIN, SignatureKind::Ed25519Blake3Head, 1);
    let verified = signed(&log).verify(&public(&[&log])).unwrap();
    let refused = verified.cosign(&witness("w.example/1", 2), TIME);
    assert!(matches!(refused, Err(CheckpointError::NotForWitnesses { .. })));
}

#[test]
fn times_beyond_63_bits_and_short_signatures_are_refused() {
    let w1 = witness("w.example/1", 2);
    let checkpoint = signed(&log_key());
    let keys = public(&[&log_key(), &w1]);
    let verified = checkpoint.verify(&keys).unwrap();
    assert!(verified.cosign(&w1, i64::MAX as u64).is_ok());
    assert!(verified.cosign(&w1, 1 << 63).is_err());
    // Made by somebody who does not keep to that.
    let text = checkpoint.note().dangerously_unverified_text();
    let message = format!("cosignature/v1\ntime {}\n{text}", 1u64 << 63);
    let over_it = w1.sign(message.as_bytes()).unwrap();
    let late = [&[0x80, 0, 0, 0, 0, 0, 0, 0][..], &over_it[..]].concat();
    let good = cosign(&checkpoint, &w1, TIME).signature;
    let mut longer = good.clone();
    longer.push(0);
    for signature in [late, good[..7].to_vec(), good[..71].to_vec(), good[8..].to_vec(), longer] {
        let line = NoteSignature { signature, ..cosign(&checkpoint, &w1, TIME) };
        let refused = published(&checkpoint, &[line]).verify(&keys);
        assert!(matches!(refused, Err(CheckpointError::Signature(_))), "{refused:?}");
    }
}

#[test]
fn signature_lines_are_added_once_and_within_the_limit() {
    let w1 = witness("w.example/1", 2);
    let checkpoint = signed(&log_key());
    let line = cosign(&checkpoint, &w1, TIME);
    let once = checkpoint.with_signatures(std::slice::from_ref(&line)).unwrap();
    assert_eq!(once.with_signatures(&[line.clone(), line.clone()]).unwrap(), once);
    assert_eq!(once.note().signatures().len(), 2);
    let many: Vec<_> = (0..64).map(|time| cosign(&checkpoint, &w1, time)).collect();
    assert!(checkpoint.with_signatures(&many[..63]).is_ok());
    let refused = checkpoint.with_signatures(&many);
    let too_many = NoteError::TooManySignatures { found: NOTE_SIGNATURES_MAX + 1 };
    assert_eq!(refused, Err(CheckpointError::Note(too_many)));
    let empty = NoteSignature { signature: vec![], ..line };
    assert!(checkpoint.with_signatures(&[empty]).is_err());
}

#[test]
fn signature_lines_are_read_strictly() {
    let line = cosign(&signed(&log_key()), &witness("w.example/1", 2), TIME).to_string();
    let read = |text: String| NoteSignature::parse_lines(text.as_bytes()).map(|lines| lines.len());
    assert_eq!(read(format!("{line}\n")), Ok(1));
    assert_eq!(read(format!("{line}\n{line}\n")), Ok(2));
    for bad in [String::new(), line.clone(), format!("{line}\n\n"), format!("\n{line}\n")] {
        assert!(read(bad.clone()).is_err(), "{bad:?}");
    }
    assert!(read(format!("{line}\n").repeat(NOTE_SIGNATURES_MAX + 1)).is_err());
    assert_eq!(NoteSignature::parse_lines(b"\xff\n"), Err(NoteError::NotUtf8 { offset: 0 }));
}

proptest! {
    #[test]
    fn a_cosigned_checkpoint_with_any_byte_changed_is_refused_or_lacks_a_cosignature(
        place: prop::sample::Index, byte: u8,
    ) {
        let w1 = witness("w.example/1", 2);
        let checkpoint = signed(&log_key());
        let whole = published(&checkpoint, &[cosign(&checkpoint, &w1, TIME)]);
        let mut bytes = whole.to_text().into_bytes();
        let at = place.index(bytes.len());
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        let verdict = UnverifiedCheckpoint::parse(&bytes)
            .and_then(|read| read.verify(&public(&[&log_key(), &w1])));
        if let Ok(verified) = verdict {
            // A line under another name or identifier is one by an unknown key.
            prop_assert!(verified.cosignatures().is_empty());
            prop_assert_eq!(verified.checkpoint(), whole.dangerously_unverified());
        }
    }

    #[test]
    fn any_signature_lines_parse_without_a_panic_and_write_themselves(
        text in "(\u{2014} [a-z+ ]{1,3} [A-Za-z0-9+/]{8}\n?){0,3}", bytes: Vec<u8>,
    ) {
        for input in [text.as_bytes(), &bytes] {
            if let Ok(lines) = NoteSignature::parse_lines(input) {
                let written: String = lines.iter().map(|line| format!("{line}\n")).collect();
                prop_assert_eq!(written.into_bytes(), input);
            }
        }
    }
}
