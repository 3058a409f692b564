//! Vaults: what tenants learn of each other, and what was signed.

use bulla::vault::{LogSpec, Routing, Rule};

use super::*;

/// Retention drops whole segments, and others fill those of a shared log: so when a tenant's
/// record expires depends on them. In a log of its own it does not (docs/vault.md).
#[test]
fn when_a_tenants_record_expires_depends_on_others_only_in_a_shared_log() {
    let left = |own: bool, others: u64| {
        let (disk, clock) = (SimDisk::new(1), clock());
        let options = vault_options(&disk).clock(Arc::clone(&clock) as _);
        let vault = options.create(PathBuf::from("/vault")).unwrap();
        if own {
            let routing = Routing::to("main").rule(Rule::per_tenant("own"));
            vault.set_routing(routing, &who()).unwrap();
        }
        let (acme, other) = (vault.tenant("acme").unwrap(), vault.tenant("other").unwrap());
        acme.append(&event(0)).unwrap();
        for _ in 0..others {
            other.append(&event(1).reason("x".repeat(30_000))).unwrap();
        }
        clock.advance(std::time::Duration::from_secs(7200));
        acme.append(&event(2)).unwrap();
        for name in vault.logs() {
            let log = vault.log(&name).unwrap();
            let policy = bulla::Policy::keep(bulla::Period::from_seconds(3600));
            log.retention().set_policy(&policy, &who()).unwrap();
            log.retention().expire(&bulla::log::ExpireOptions::new(), &who()).unwrap();
        }
        acme.count(&Query::new()).unwrap()
    };
    assert_eq!([left(false, 0), left(false, 6)], [2, 1], "in a shared log");
    assert_eq!([left(true, 0), left(true, 6)], [2, 2], "in a log of its own");
}

/// A damaged log of others does not keep a tenant from its own log.
#[test]
fn a_damaged_log_of_one_tenant_is_not_seen_by_another() {
    let disk = SimDisk::new(1);
    let vault = vault_options(&disk).create(PathBuf::from("/vault")).unwrap();
    vault
        .set_routing(Routing::to("main").rule(Rule::per_tenant("own")), &Attribution::by("c"))
        .unwrap();
    let (acme, other) = (vault.tenant("acme").unwrap(), vault.tenant("other").unwrap());
    let mine = acme.append(&event(0)).unwrap();
    other.append(&event(1)).unwrap();
    let log = vault.logs().into_iter().find(|name| {
        name.starts_with("own")
            && vault.log(name).unwrap().snapshot().get(Seq::new(0)).unwrap().event.tenant.as_deref()
                == Some("other")
    });
    let log = log.unwrap();
    drop((acme, other, vault));
    let path = PathBuf::from(format!("/vault/logs/{log}/segments/00000001.seg"));
    for at in 0..64 {
        disk.flip_byte(&path, at, 0xff).unwrap();
    }
    let vault = vault_options(&disk).open(PathBuf::from("/vault")).unwrap();
    let acme = vault.tenant("acme").unwrap();
    assert!(acme.get(&mine.reference).is_ok());
    assert_eq!(acme.query(&Query::new()).unwrap().filter(Result::is_ok).count(), 1);
    assert_eq!(acme.count(&Query::new()).unwrap(), 1);
    acme.append(&event(3)).unwrap();
}

/// A damaged secret is refused, as all that is damaged; to remove it is all that is to be done.
#[test]
fn a_vault_with_a_damaged_secret_says_to_remove_it() {
    use bulla::disk::Disk;
    let (disk, secret) = (SimDisk::new(1), Path::new("/vault/secret"));
    drop(vault_options(&disk).create(PathBuf::from("/vault")).unwrap());
    disk.write_file(secret, b"short").unwrap();
    let refused = vault_options(&disk).open(PathBuf::from("/vault")).unwrap_err().to_string();
    assert!(refused.contains("/vault/secret") && refused.contains("remove the file"), "{refused}");
    disk.remove_file(secret).unwrap();
    vault_options(&disk).open(PathBuf::from("/vault")).unwrap();
}

/// Two tenants in one log; what one of them puts into subjects and ids does not show the other
/// anything, and tokens of one are nothing to the other.
#[test]
fn tokens_of_others_and_forged_ones_are_refused() {
    let disk = SimDisk::new(3);
    let vault = vault_options(&disk).create(PathBuf::from("/vault")).unwrap();
    let (acme, other) = (vault.tenant("acme").unwrap(), vault.tenant("other").unwrap());
    let id = bulla::EventId([9; 16]);
    let mine = acme.append(&event(0).id(id)).unwrap();
    other.append(&event(1).id(id)).unwrap(); // the same id: no error tells of the first
    for n in 0..4 {
        other.append(&event(n)).unwrap();
    }
    let mut matches = other.query(&Query::new().limit(2)).unwrap();
    let theirs = matches.next().unwrap().unwrap();
    let cursor = matches.cursor().unwrap();
    assert!(acme.get(&theirs.reference).is_err());
    assert!(acme.query_after(&Query::new().limit(2), &cursor).is_err());
    // A reference is no cursor, nor the other way round.
    assert!(acme.query_after(&Query::new(), &mine.reference.to_string().parse().unwrap()).is_err());
    assert!(other.get(&cursor.to_string().parse().unwrap()).is_err());
    assert!(other.query_after(&Query::new().action("x.*").unwrap(), &cursor).is_err());
    assert!(acme.append(&event(0).tenant("other")).is_err());
    assert!(acme.query(&Query::new().tenant("acme").tenant("other")).is_err());
    assert_eq!(acme.count(&Query::new().event_id(id)).unwrap(), 1);
    for bad in ["", "AAAA", "../main", "\u{202e}", &"A".repeat(2000)] {
        assert!(acme.get(&bad.parse().unwrap()).is_err());
        assert!(vault.add_log(bad, LogSpec::new(), &who()).is_err() || bad == "AAAA");
    }
}

/// A vault of logs that are left to the system: what a head list covers is there after a power
/// loss, whatever sync failed on the way, and the vault signs on.
#[test]
fn what_a_vault_signed_survives_failed_syncs() {
    let (mut bad, mut struck) = (Vec::new(), 0);
    for at in 0..60 {
        for seed in 0..4 {
            let disk = SimDisk::new(seed);
            let options = || {
                let log =
                    LogOptions::new().segment_bytes(64 << 10).durability(bulla::Durability::Os);
                vault_options(&disk)
                    .log(log)
                    .max_open_logs(2)
                    .housekeeping(Housekeeping::Inline)
                    .clock(clock())
                    .disk(Arc::new(disk.clone()))
            };
            let keys = SimDisk::new(9);
            let signer = bulla::Signer::generate_on(
                Arc::new(keys),
                Path::new("/key"),
                "example.com/audit/vault",
                bulla::HashAlgorithm::Sha256,
            )
            .unwrap();
            let vault = options().create(PathBuf::from("/vault")).unwrap();
            vault.set_routing(Routing::to("main").rule(Rule::per_tenant("own")), &who()).unwrap();
            for n in 0..12 {
                vault.append(&event(n).tenant(format!("t{}", n % 4))).unwrap();
            }
            vault.checkpoint(&signer).unwrap();
            disk.plan(Fault { at, kind: FaultKind::SyncFailed, stored: false });
            for n in 0..12 {
                let _ = vault.append(&event(n).tenant(format!("t{}", n % 4)));
            }
            let mut last = vault.checkpoint(&signer).ok();
            if disk.faults_outstanding() > 0 {
                continue;
            }
            struck += 1;
            for n in 0..4 {
                let _ = vault.append(&event(n).tenant(format!("t{n}")));
            }
            last = vault.checkpoint(&signer).ok().or(last);
            drop(vault);
            disk.crash();
            let place = format!("at {at}, seed {seed}");
            let vault = match options().open(PathBuf::from("/vault")) {
                Ok(vault) => vault,
                Err(error) => {
                    bad.push(format!("{place}: {error}"));
                    continue;
                }
            };
            if let Some(last) = last {
                for head in last.heads.heads() {
                    let log = vault.log(&head.name);
                    let size = log.map(|log| log.size());
                    if !size.as_ref().is_ok_and(|size| *size >= head.head.size) {
                        bad.push(format!(
                            "{place}: {} of size {} is {size:?}",
                            head.name, head.head.size
                        ));
                    }
                }
            }
            for n in 0..4 {
                if let Err(error) = vault.append(&event(n).tenant(format!("t{n}"))) {
                    bad.push(format!("{place}: append: {error}"));
                }
            }
            if let Err(error) = vault.checkpoint(&signer) {
                bad.push(format!("{place}: checkpoint: {error}"));
            }
        }
    }
    assert!(struck > 0, "no fault struck");
    assert!(bad.is_empty(), "{} of {struck}: {:#?}", bad.len(), &bad[..bad.len().min(15)]);
}
