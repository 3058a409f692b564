//! Cosignatures against failed syncs.

use super::*;

/// A cosignature that was acknowledged, after a sync had failed once, is there after a power
/// loss.
#[test]
fn an_acknowledged_cosignature_survives_a_sync_that_failed_before() {
    use bulla::checkpoint::{SignatureKind, SigningKey};
    let (mut bad, mut struck) = (Vec::new(), 0);
    for at in 0..8 {
        for seed in 0..6 {
            let disk = SimDisk::new(seed);
            let log = log_options(&disk).create("/audit").unwrap();
            log.append(&event(0)).unwrap();
            let signer = bulla::Signer::generate_on(
                Arc::new(disk.clone()),
                Path::new("/key"),
                "example.com/audit",
                bulla::HashAlgorithm::Sha256,
            )
            .unwrap();
            let checkpoint = log.checkpoint(&signer).unwrap().into_unverified();
            let witness =
                SigningKey::new("w.example/1", SignatureKind::Ed25519Cosignature, &[1; 32])
                    .unwrap();
            let verified = checkpoint.verify(&[signer.verifying_key().clone()]).unwrap();
            let line = verified.cosign(&witness, 7).unwrap();
            disk.plan(Fault { at, kind: FaultKind::SyncFailed, stored: false });
            let first =
                log.checkpoints().add_cosignatures(&checkpoint, std::slice::from_ref(&line));
            if disk.faults_outstanding() > 0 {
                continue;
            }
            struck += 1;
            let acked = match first {
                Ok(_) => continue,
                Err(_) => {
                    log.checkpoints().add_cosignatures(&checkpoint, std::slice::from_ref(&line))
                }
            };
            let Ok(acked) = acked else { continue };
            drop(log);
            disk.crash();
            let log = log_options(&disk).open("/audit").unwrap();
            let published = log.checkpoints().latest().unwrap();
            if published.as_ref() != Some(&acked) {
                bad.push(format!("at {at}, seed {seed}: the cosignature is gone"));
            }
        }
    }
    assert!(struck > 6, "{struck}");
    assert!(bad.is_empty(), "{} of {struck}: {bad:#?}", bad.len());
}
