//! What early versions wrote about the catalogs of BLAKE3 logs, read by this one.

use super::*;

/// Early versions signed the catalog of a BLAKE3 log as well, with the same secret, and noted that
/// in a second line beside the key.
fn sign_catalog_as_early_versions_did(place: &Place, log: &Log, signer: &str) -> PathBuf {
    let (name, head) = (format!("{ORIGIN}/catalog"), log.snapshot().catalog().head().unwrap());
    let kind = bulla::checkpoint::SignatureKind::Ed25519;
    let key = SigningKey::new(&name, kind, &[7; 32]).unwrap();
    let signed = Checkpoint::new(&name, head).unwrap().sign(&key).unwrap();
    let file = format!("catalog-{:016}.checkpoint", head.size.get());
    let file = place.log().join("checkpoints").join(file);
    fs::write(&file, signed.to_text()).unwrap();
    let heads = place.path(signer).with_extension("heads");
    let main = fs::read_to_string(&heads).unwrap();
    fs::write(heads, format!("{main}catalog {} {}\n", head.size, head.root)).unwrap();
    file
}

#[test]
fn a_blake3_log_with_signed_catalog_heads_of_early_versions_opens_verifies_and_is_signed() {
    let place = Place::new(HashAlgorithm::Blake3);
    let one = blake3_signer(&place, "one");
    let log = place.open();
    fill(&log, 3);
    log.checkpoint(&one).unwrap();
    let file = sign_catalog_as_early_versions_did(&place, &log, "one");
    log.close().unwrap();
    let before = fs::read(&file).unwrap();
    let log = place.open();
    assert!(log.recovery().set_aside.is_empty());
    fill(&log, 2);
    let signed = log.checkpoint(&one).unwrap().into_unverified();
    let proof = log.snapshot().prove(bulla::Seq::new(2), &signed, Disclosure::Whole).unwrap();
    let trust = Trust::in_keys([one.verifying_key().clone()]);
    proof.verify_record(&trust).unwrap();
    log.close().unwrap();
    let reader = Log::open_read_only(place.log()).unwrap();
    assert_eq!(reader.checkpoints().latest().unwrap(), Some(signed));
    assert_eq!(reader.checkpoints().sizes().unwrap().len(), 2);
    let options = bulla::VerifyOptions::new().key(one.verifying_key().clone());
    let report = bulla::verify(&place.log(), &options, &mut |_| ()).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.checkpoints, 2);
    // No part of the log reads it: it is named as any such file is, and stays as it is.
    let named: Vec<_> = report.warnings.iter().map(|warning| warning.file.clone()).collect();
    assert_eq!(named, std::slice::from_ref(&file));
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn a_memory_with_the_second_line_of_early_versions_still_guards_against_a_fork() {
    let place = Place::new(HashAlgorithm::Blake3);
    let one = blake3_signer(&place, "one");
    let log = place.open();
    fill(&log, 3);
    log.checkpoint(&one).unwrap();
    drop(log);
    place.backup("old");
    let log = place.open();
    fill(&log, 3);
    log.checkpoint(&one).unwrap();
    sign_catalog_as_early_versions_did(&place, &log, "one");
    drop(log);
    let path = place.path("one.heads");
    let heads = fs::read_to_string(&path).unwrap();
    assert_eq!(heads.lines().count(), 2);
    // The first line says what was signed: an older copy of the log is refused by it.
    let newer = place.backup("newer");
    place.restore("old");
    let log = place.open();
    let refused = log.checkpoint(&one);
    assert!(matches!(refused, Err(Error::WouldFork { .. })), "{refused:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), heads, "nothing is forgotten");
    drop(log);
    place.restore(newer.file_name().unwrap().to_str().unwrap());
    let log = place.open();
    // A file with anything else in it is damaged, and nothing is signed.
    let second = heads.find('\n').unwrap() + 1;
    let damaged = [
        heads[..heads.len() - 1].to_owned(),
        heads[..second - 1].to_owned(),
        heads[..second + 12].to_owned(),
        format!("{heads}\n"),
        format!("{}{heads}", &heads[..second]),
        heads.replace("catalog ", "catalog 0"),
        heads.replace("catalog ", "tree "),
        format!("0{heads}"),
        String::new(),
    ];
    for damaged in damaged {
        fs::write(&path, &damaged).unwrap();
        let refused = log.checkpoint(&one);
        assert!(matches!(refused, Err(Error::Corrupt { .. })), "{damaged:?}: {refused:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
    }
    // What the second line says does not matter; the next signature writes the file without it.
    let other = heads.replace("catalog ", "catalog 9");
    assert_ne!(other, heads);
    fs::write(&path, other).unwrap();
    fill(&log, 1);
    let signed = log.checkpoint(&one).unwrap().head();
    let written = fs::read_to_string(&path).unwrap();
    assert_eq!(written, format!("{} {}\n", signed.size, signed.root));
}
