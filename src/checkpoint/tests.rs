use proptest::prelude::*;

use super::*;
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::TreeHead;
use crate::seq::TreeSize;

const ORIGIN: &str = "example.com/audit";

fn key(name: &str, kind: SignatureKind, seed: u8) -> SigningKey {
    SigningKey::new(name, kind, &[seed; 32]).unwrap()
}

fn log_key() -> SigningKey {
    key(ORIGIN, SignatureKind::Ed25519, 1)
}

fn checkpoint(size: u64) -> Checkpoint {
    let head = TreeHead { size: TreeSize::new(size), root: Hash::from_bytes([7; 32]) };
    Checkpoint::new(ORIGIN, head).unwrap()
}

fn trusted(keys: &[&SigningKey]) -> Vec<VerifyingKey> {
    keys.iter().map(|key| key.verifying_key().clone()).collect()
}

#[test]
fn keys_of_both_kinds_round_trip_through_their_texts() {
    use SignatureKind::{Ed25519, Ed25519Blake3Head, Ed25519Cosignature};
    for kind in [Ed25519, Ed25519Blake3Head, Ed25519Cosignature] {
        let key = SigningKey::generate(ORIGIN, kind).unwrap();
        let public = key.verifying_key();
        assert_eq!(public.to_string().parse::<VerifyingKey>().as_ref(), Ok(public));
        let read = SigningKey::from_secret_text(&key.to_secret_text()).unwrap();
        assert_eq!(read.verifying_key(), public);
        assert_eq!(read.to_secret_text(), key.to_secret_text());
        assert_eq!(public.kind(), kind);
        let of_heads = kind.head_algorithm().map(SignatureKind::for_heads_of);
        assert_eq!(of_heads, (kind != Ed25519Cosignature).then_some(kind));
    }
}

#[test]
fn key_texts_that_were_altered_are_refused() {
    let public = log_key().verifying_key().to_string();
    let secret = log_key().to_secret_text();
    let refused = |text: &str| text.parse::<VerifyingKey>().unwrap_err();
    let renamed = public.replacen("audit", "other", 1);
    assert!(matches!(refused(&renamed), KeyError::IdMismatch { .. }));
    let id = log_key().verifying_key().id().to_string();
    let another_id = public.replacen(&id, "01020304", 1);
    assert!(matches!(refused(&another_id), KeyError::IdMismatch { .. }));
    assert_eq!(refused("example.com/audit+01020304"), KeyError::Shape);
    assert_eq!(refused("a+01020304+AA"), KeyError::Base64);
    assert_eq!(refused("a+01020304+Bg=="), KeyError::UnknownType { found: Some(6) });
    assert_eq!(refused("a+01020304+"), KeyError::UnknownType { found: None });
    assert_eq!(refused("a+01020304+AQE="), KeyError::KeyLength { expected: 32, found: 1 });
    assert!(matches!(refused("a b+01020304+AQE="), KeyError::Name { .. }));
    // Not even read as a key named PRIVATE.
    assert_eq!(refused(&secret), KeyError::Shape);
    for bad_id in ["0102030", "010203045", "0102030A", "+1020304", ""] {
        assert_eq!(refused(&public.replacen(&id, bad_id, 1)), KeyError::Shape, "{bad_id}");
    }
    let refused = |text: &str| SigningKey::from_secret_text(text).unwrap_err();
    assert!(matches!(refused(&public), KeyError::Public { key } if key.to_string() == public));
    let in_the_wrong_place = "PRIVATE+KEY+my secret+01020304+AQE=";
    assert_eq!(refused(in_the_wrong_place), KeyError::NotASigningKey);
    let renamed = secret.replacen("audit", "other", 1);
    assert!(matches!(refused(&renamed), KeyError::IdMismatch { .. }));
}

#[test]
fn weak_public_keys_are_refused() {
    // The identity: with it a signature of zeros verifies any message.
    let mut identity = [0; 33];
    (identity[0], identity[1]) = (0x01, 0x01);
    let text = format!("a+01020304+{}", line::to_base64(identity));
    assert_eq!(text.parse::<VerifyingKey>(), Err(KeyError::NotAPoint));
}

#[test]
fn debug_of_a_signing_key_shows_no_secret() {
    let seed = [0xabu8; 32];
    let shown = format!("{:?}", SigningKey::new(ORIGIN, SignatureKind::Ed25519, &seed).unwrap());
    assert!(shown.contains(ORIGIN));
    assert!(!shown.contains("171, 171") && !shown.to_lowercase().contains("abab"), "{shown}");
}

#[test]
fn a_signed_checkpoint_reads_back_and_verifies() {
    let signed = checkpoint(42).with_extension("extra line").unwrap().sign(&log_key()).unwrap();
    let read = UnverifiedCheckpoint::parse(signed.to_text().as_bytes()).unwrap();
    assert_eq!(read, signed.clone().into_unverified());
    assert_eq!(read.to_text(), signed.to_text());
    let verified = read.verify(&trusted(&[&log_key()])).unwrap();
    assert_eq!(verified.checkpoint(), signed.checkpoint());
    assert_eq!(verified.origin(), ORIGIN);
    assert_eq!(verified.algorithm(), HashAlgorithm::Sha256);
    assert_eq!(verified.signers(), trusted(&[&log_key()]));
    assert_eq!(verified.checkpoint().extensions(), ["extra line"]);
}

#[test]
fn the_log_itself_must_have_signed() {
    let witness = key("witness.example", SignatureKind::Ed25519, 2);
    let text = checkpoint(42).to_text();
    let parse = |note: &Note| UnverifiedCheckpoint::parse(note.to_string().as_bytes()).unwrap();
    let alone = parse(&Note::sign(&text, &[&witness]).unwrap());
    let refused = alone.verify(&trusted(&[&witness, &log_key()]));
    assert!(matches!(refused, Err(CheckpointError::LogDidNotSign { .. })), "{refused:?}");
    let both = parse(&Note::sign(&text, &[&witness, &log_key()]).unwrap());
    let verified = both.verify(&trusted(&[&log_key(), &witness])).unwrap();
    assert_eq!(verified.signers(), trusted(&[&witness, &log_key()]));
    // Who does not know the witness ignores it.
    let verified = both.verify(&trusted(&[&log_key()])).unwrap();
    assert_eq!(verified.signers(), trusted(&[&log_key()]));
}

#[test]
fn a_checkpoint_is_signed_only_by_the_key_named_as_its_origin() {
    let other = key("example.com/other", SignatureKind::Ed25519, 1);
    let refused = checkpoint(1).sign(&other);
    assert!(matches!(refused, Err(CheckpointError::NotTheLogsKey { .. })));
}

#[test]
fn an_empty_tree_with_a_made_up_root_is_neither_signed_nor_believed() {
    let refused = checkpoint(0).sign(&log_key());
    assert!(matches!(refused, Err(CheckpointError::EmptyTreeRoot { .. })));
    let note = Note::sign(&checkpoint(0).to_text(), &[&log_key()]).unwrap();
    let read = UnverifiedCheckpoint::parse(note.to_string().as_bytes()).unwrap();
    let refused = read.verify(&trusted(&[&log_key()]));
    assert!(matches!(refused, Err(CheckpointError::EmptyTreeRoot { .. })));
    for kind in [SignatureKind::Ed25519, SignatureKind::Ed25519Blake3Head] {
        let empty =
            Checkpoint::new(ORIGIN, TreeHead::empty(kind.head_algorithm().unwrap())).unwrap();
        assert!(empty.sign(&key(ORIGIN, kind, 1)).is_ok());
    }
}

#[test]
fn a_blake3_head_is_not_taken_for_a_sha256_one_even_with_the_same_secret() {
    let sha256 = key(ORIGIN, SignatureKind::Ed25519, 1);
    let blake3 = key(ORIGIN, SignatureKind::Ed25519Blake3Head, 1);
    let signed = checkpoint(42).sign(&blake3).unwrap();
    assert_eq!(signed.algorithm(), HashAlgorithm::Blake3);
    let read = signed.clone().into_unverified();
    let verified = read.verify(&trusted(&[&blake3])).unwrap();
    assert_eq!(verified.algorithm(), HashAlgorithm::Blake3);
    let refused = read.verify(&trusted(&[&sha256]));
    assert!(matches!(
        refused,
        Err(CheckpointError::Signature(VerifyNoteError::NoKnownSigner { .. }))
    ));

    // Somebody moves the signature under the identifier of the other kind.
    let [signature] = read.note().signatures() else { panic!("one signature") };
    let moved = NoteSignature { id: sha256.verifying_key().id(), ..signature.clone() };
    let text = format!("{}\n{moved}\n", checkpoint(42).to_text());
    let refused = UnverifiedCheckpoint::parse(text.as_bytes()).unwrap();
    assert!(matches!(
        refused.verify(&trusted(&[&sha256])),
        Err(CheckpointError::Signature(VerifyNoteError::BadSignature { .. }))
    ));
}

#[test]
fn a_head_signed_as_both_hashes_is_refused() {
    let sha256 = key(ORIGIN, SignatureKind::Ed25519, 1);
    let blake3 = key(ORIGIN, SignatureKind::Ed25519Blake3Head, 2);
    let note = Note::sign(&checkpoint(42).to_text(), &[&sha256, &blake3]).unwrap();
    let read = UnverifiedCheckpoint::parse(note.to_string().as_bytes()).unwrap();
    let refused = read.verify(&trusted(&[&sha256, &blake3]));
    assert!(matches!(refused, Err(CheckpointError::TwoHashes { .. })));
    assert!(read.verify(&trusted(&[&blake3])).is_ok());
}

#[test]
fn checkpoint_texts_that_are_not_exactly_right_are_refused() {
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    let parse = |text: &str| {
        let note = Note::sign(text, &[&log_key()]).unwrap();
        UnverifiedCheckpoint::parse(note.to_string().as_bytes())
    };
    assert!(parse(&format!("o\n1\n{root}\n")).is_ok());
    assert!(parse(&format!("o\n1\n{root}\next\n")).is_ok());
    for bad_size in ["01", "+1", "-1", "1 ", "x", "18446744073709551616"] {
        let refused = parse(&format!("o\n{bad_size}\n{root}\n"));
        assert!(matches!(refused, Err(CheckpointError::Size { .. })), "{bad_size}");
    }
    for bad_root in ["AQ==", "CsUY", &root[..43], &root.replace("2I=", "2J=")] {
        let refused = parse(&format!("o\n1\n{bad_root}\n"));
        assert!(matches!(refused, Err(CheckpointError::Root { .. })), "{bad_root}");
    }
    for (text, number) in [
        ("\n".to_owned(), 1),
        ("o\n".to_owned(), 2),
        ("o\n1\n".to_owned(), 3),
        (format!("\n1\n{root}\n"), 1),
        (format!("o\n\n{root}\n"), 2),
        (format!("o\n1\n{root}\n\n"), 4),
        (format!("o\n1\n{root}\na\n\nb\n"), 5),
    ] {
        assert_eq!(parse(&text), Err(CheckpointError::EmptyLine { number }), "{text:?}");
    }
}

#[test]
fn extension_lines_that_would_change_the_text_are_refused() {
    for bad in ["", "a\nb", "tab\t", "\0"] {
        let refused = checkpoint(1).with_extension(bad);
        assert!(matches!(refused, Err(CheckpointError::Extension { .. })), "{bad:?}");
    }
}

#[test]
fn notes_that_are_not_exactly_right_are_refused() {
    let good = Note::sign("text\n", &[&log_key()]).unwrap().to_string();
    let line = good.lines().last().unwrap();
    let parse = |text: &str| Note::parse(text.as_bytes()).unwrap_err();
    assert_eq!(parse("text\n"), NoteError::NoSignatures);
    assert_eq!(parse("text\n\n"), NoteError::NoSignatures);
    assert_eq!(parse(&format!("text\n{line}\n")), NoteError::NoSignatures);
    assert_eq!(parse(good.trim_end()), NoteError::NoSignatures);
    assert_eq!(parse(&format!("{good}\n")), NoteError::NoSignatures);
    let control = NoteError::ControlCharacter { offset: 4, byte: b'\r' };
    assert_eq!(parse(&good.replacen("text\n", "text\r\n", 1)), control);
    assert_eq!(Note::parse(b"te\xff\n\n"), Err(NoteError::NotUtf8 { offset: 2 }));
    for bad in [
        line.replacen('\u{2014}', "-", 1),
        line.replacen(' ', "  ", 1),
        format!("{line} "),
        line.trim_end_matches('=').to_owned() + "==",
        "\u{2014} name AQIDBA==".to_owned(),
        "\u{2014} na+me AQIDBAU=".to_owned(),
        "\u{2014}  AQIDBAU=".to_owned(),
        "\u{2014} na\u{a0}me AQIDBAU=".to_owned(),
    ] {
        let refused = parse(&format!("{good}{bad}\n"));
        assert_eq!(refused, NoteError::SignatureLine { number: 2 }, "{bad}");
    }
    assert_eq!(Note::sign("text", &[&log_key()]), Err(NoteError::NoFinalNewline));
    assert_eq!(Note::sign("text\n", &[]), Err(NoteError::NoSignatures));
}

#[test]
fn notes_with_many_and_large_signatures_are_read_up_to_the_limit() {
    let good = Note::sign("text\n", &[&log_key()]).unwrap().to_string();
    let unknown = NoteSignature {
        signature: vec![1; 5_000],
        ..Note::parse(good.as_bytes()).unwrap().signatures()[0].clone()
    };
    let unknown = unknown.to_string().replacen(ORIGIN, "stranger.example", 1);
    let with = |count: usize| good.clone() + &format!("{unknown}\n").repeat(count);
    let most = Note::parse(with(NOTE_SIGNATURES_MAX - 1).as_bytes()).unwrap();
    assert!(most.verify(&trusted(&[&log_key()])).is_ok());
    assert_eq!(
        Note::parse(with(NOTE_SIGNATURES_MAX).as_bytes()),
        Err(NoteError::TooManySignatures { found: NOTE_SIGNATURES_MAX + 1 })
    );
    let long = vec![b'a'; NOTE_LEN_MAX + 1];
    assert_eq!(Note::parse(&long), Err(NoteError::TooLong { found: long.len() }));
}

#[test]
fn one_wrong_signature_by_a_known_key_spoils_the_note() {
    let other = key("other", SignatureKind::Ed25519, 2);
    let good = Note::sign("text\n", &[&log_key()]).unwrap().to_string();
    let for_another_text = Note::sign("TEXT\n", &[&other]).unwrap();
    let note = format!("{good}{}\n", for_another_text.signatures()[0]);
    let note = Note::parse(note.as_bytes()).unwrap();
    let refused = note.verify(&trusted(&[&log_key(), &other]));
    assert!(matches!(refused, Err(VerifyNoteError::BadSignature { .. })));
    assert!(note.verify(&trusted(&[&log_key()])).is_ok());
}

#[test]
fn a_key_given_twice_is_one_signer() {
    let note = Note::sign("text\n", &[&log_key(), &log_key()]).unwrap();
    let verified = note.verify(&trusted(&[&log_key(), &log_key()])).unwrap();
    assert_eq!(verified.signers(), trusted(&[&log_key()]));
}

proptest! {
    #[test]
    fn any_bytes_parse_without_a_panic_and_what_parses_writes_itself(
        text in "[a-z0-9\n=]{0,40}\n\n(\u{2014} [a-z+ ]{1,3} [A-Za-z0-9+/]{8}\n){0,3}",
        bytes: Vec<u8>,
    ) {
        for input in [text.as_bytes(), &bytes] {
            if let Ok(note) = Note::parse(input) {
                prop_assert_eq!(note.to_string().into_bytes(), input);
            }
            if let Ok(checkpoint) = UnverifiedCheckpoint::parse(input) {
                prop_assert_eq!(checkpoint.to_text().into_bytes(), input);
            }
        }
        let _ = text.parse::<VerifyingKey>();
        let _ = SigningKey::from_secret_text(&text);
    }

    #[test]
    fn checkpoints_of_any_head_round_trip(
        size in 1u64.., root: [u8; 32], extensions in prop::collection::vec("[^\n\\x00-\\x1f]{1,20}", 0..4),
    ) {
        let head = TreeHead { size: TreeSize::new(size), root: Hash::from_bytes(root) };
        let mut checkpoint = Checkpoint::new(ORIGIN, head).unwrap();
        for extension in &extensions {
            checkpoint = checkpoint.with_extension(extension).unwrap();
        }
        let signed = checkpoint.sign(&log_key()).unwrap();
        let read = UnverifiedCheckpoint::parse(signed.to_text().as_bytes()).unwrap();
        prop_assert_eq!(read.dangerously_unverified(), &checkpoint);
        prop_assert!(read.verify(&trusted(&[&log_key()])).is_ok());
    }

    #[test]
    fn a_checkpoint_with_any_byte_changed_never_verifies_as_another(
        place: prop::sample::Index, byte: u8,
    ) {
        let signed = checkpoint(42).sign(&log_key()).unwrap();
        let mut bytes = signed.to_text().into_bytes();
        let at = place.index(bytes.len());
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        let verdict = UnverifiedCheckpoint::parse(&bytes)
            .and_then(|read| read.verify(&trusted(&[&log_key()])));
        prop_assert!(verdict.is_err());
    }
}
