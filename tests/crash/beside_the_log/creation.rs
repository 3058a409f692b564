//! Creations that met a failed sync, and were done again.

use bulla::vault::{Routing, Rule};

use super::*;

/// A wrapping key whose making failed is not left where the next step finds and uses it.
/// (Real disk: only that the path exists afterwards is looked at, see the SimDisk one of keys.)
#[test]
fn a_signing_key_whose_making_failed_is_not_taken_for_durable() {
    let mut bad = Vec::new();
    for seed in 0..8 {
        let disk = SimDisk::new(seed);
        let shared = || Arc::new(disk.clone());
        let make = || {
            bulla::Signer::generate_on(
                shared(),
                Path::new("/key"),
                "example.com/audit",
                bulla::HashAlgorithm::Sha256,
            )
        };
        disk.plan(Fault { at: 2, kind: FaultKind::SyncFailed, stored: false });
        if make().is_ok() {
            continue;
        }
        // Again; if it is there, it is loaded.
        let signer = match make() {
            Ok(signer) => signer,
            Err(_) => match bulla::Signer::load_on(shared(), Path::new("/key")) {
                Ok(signer) => signer,
                Err(_) => continue,
            },
        };
        let log = log_options(&disk).create("/audit").unwrap();
        log.append(&event(0)).unwrap();
        log.checkpoint(&signer).unwrap();
        drop(log);
        disk.crash();
        if let Err(error) = bulla::Signer::load_on(shared(), Path::new("/key")) {
            bad.push(format!("seed {seed}: the key that signed is gone: {error}"));
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}

/// Creating fails at one sync, is done again (the machine goes on), and then something is
/// acknowledged; then the power goes.
fn creation_survives<T>(
    name: &str,
    create: impl Fn(&SimDisk) -> Result<T, Error>,
    append: impl Fn(&T) -> Result<(), Error>,
    check: impl Fn(&SimDisk) -> Result<(), String>,
) {
    let (mut bad, mut struck) = (Vec::new(), 0);
    for at in 0..80 {
        for seed in 0..6 {
            let disk = SimDisk::new(seed);
            disk.plan(Fault { at, kind: FaultKind::SyncFailed, stored: false });
            let made = create(&disk);
            if disk.faults_outstanding() > 0 {
                continue;
            }
            struck += 1;
            let made = match made {
                Ok(made) => made,
                Err(_) => match create(&disk) {
                    Ok(made) => made,
                    Err(_) => continue, // refused: nothing was acknowledged
                },
            };
            if append(&made).is_err() {
                continue;
            }
            drop(made);
            let trace = disk.trace();
            disk.crash();
            if let Err(why) = check(&disk) {
                let at_what: Vec<_> = trace
                    .iter()
                    .filter(|line| line.contains("SyncFail") || line.contains("Fails"))
                    .collect();
                bad.push(format!("fault at {at}, seed {seed}: {why}; {at_what:?}"));
            }
        }
    }
    assert!(struck > 10, "{struck}");
    assert!(bad.is_empty(), "{name}: {} of {struck}: {:#?}", bad.len(), bad);
}

#[test]
fn a_log_whose_creation_was_done_again_after_a_failed_sync_is_kept() {
    creation_survives(
        "log",
        |disk| match log_options(disk).open("/audit") {
            Err(Error::NotALog { .. }) => log_options(disk).create("/audit"),
            opened => opened,
        },
        |log: &Log| log.append(&event(0)).map(|_| ()),
        |disk| match log_options(disk).open("/audit") {
            Ok(log) if log.snapshot().get(Seq::new(0)).is_ok() => Ok(()),
            Ok(_) => Err("the acknowledged record is gone".to_owned()),
            Err(error) => Err(format!("does not open: {error}")),
        },
    );
}

#[test]
fn a_vault_whose_creation_was_done_again_after_a_failed_sync_is_kept() {
    creation_survives(
        "vault",
        |disk| vault_options(disk).open_or_create(PathBuf::from("/vault")),
        |vault: &Vault| vault.append(&event(0)).map(|_| ()),
        |disk| {
            let vault = vault_options(disk).open(PathBuf::from("/vault"));
            let vault = vault.map_err(|error| format!("does not open: {error}"))?;
            match vault
                .query(&Query::new())
                .map(|found| found.filter(|found| found.is_ok()).count())
            {
                Ok(1) => Ok(()),
                other => Err(format!("the acknowledged record is gone: {other:?}")),
            }
        },
    );
}

/// The first event of a tenant fails at a sync, is appended again by the same process, is
/// acknowledged; then the power goes. The same for a log that is added.
#[test]
fn a_log_that_a_vault_made_after_a_failed_sync_is_kept() {
    let (mut bad, mut struck) = (Vec::new(), 0);
    for at in 0..30 {
        for seed in 0..6 {
            let disk = SimDisk::new(seed);
            let vault = vault_options(&disk).create(PathBuf::from("/vault")).unwrap();
            let routing = Routing::to("main").rule(Rule::per_tenant("own"));
            vault.set_routing(routing, &Attribution::by("carol")).unwrap();
            vault.append(&event(7)).unwrap();
            let acme = vault.tenant("acme").unwrap();
            disk.plan(Fault { at, kind: FaultKind::SyncFailed, stored: false });
            let first = acme.append(&event(0));
            if disk.faults_outstanding() > 0 {
                continue;
            }
            struck += 1;
            let acked = match first {
                Ok(receipt) => Ok(receipt),
                Err(_) => acme.append(&event(0)),
            };
            let struck_at: Vec<_> =
                disk.trace().into_iter().filter(|line| line.contains("Fails")).collect();
            drop((acme, vault));
            disk.crash();
            let vault = match vault_options(&disk).open(PathBuf::from("/vault")) {
                Ok(vault) => vault,
                Err(error) => {
                    bad.push(format!("at {at}, seed {seed}: the vault: {error}; {struck_at:?}"));
                    continue;
                }
            };
            let all = vault.query(&Query::new()).unwrap().find_map(Result::err);
            if let Some(error) = all {
                bad.push(format!("at {at}, seed {seed}: no query: {error}; {struck_at:?}"));
            } else if let Ok(receipt) = acked
                && let Err(error) = vault.tenant("acme").unwrap().get(&receipt.reference)
            {
                bad.push(format!("at {at}, seed {seed}: acknowledged: {error}; {struck_at:?}"));
            }
        }
    }
    assert!(struck > 10, "{struck}");
    assert!(bad.is_empty(), "{} of {struck}: {bad:#?}", bad.len());
}
