//! Power loss at every operation of a vault: what was acknowledged is there, the routing in
//! force is one that was asked for, and the vault goes on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::path::PathBuf;
use std::sync::Arc;

use bulla::disk::Disk;
use bulla::disk::sim::SimDisk;
use bulla::time::ManualClock;
use bulla::vault::{LogSpec, Routing, Rule};
use bulla::{
    Actor, Attribution, Disclosure, Error, Event, HashAlgorithm, Housekeeping, LogOptions, Query,
    Resource, Seq, Signer, Timestamp, UnverifiedCheckpoint, Vault, VaultOptions,
};

const ORIGIN: &str = "example.com/audit/vault";

fn options(disk: &SimDisk) -> VaultOptions {
    let clock = Arc::new(ManualClock::at(Timestamp::from_nanos(1_767_225_600_000_000_000)));
    VaultOptions::new()
        .log(LogOptions::new().segment_bytes(64 << 10))
        .origin("example.com/audit")
        .max_open_logs(2)
        .housekeeping(Housekeeping::Inline)
        .clock(clock)
        .disk(Arc::new(disk.clone()))
}

fn dir() -> PathBuf {
    PathBuf::from("/vault")
}

fn asked() -> Attribution {
    Attribution::by("user:carol").because("why")
}

fn event(n: u64, action: &str) -> Event {
    let resource = Resource::new("r", n.to_string());
    Event::new(Actor::new("user", "a"), action, resource).tenant(format!("t{}", n % 3))
}

/// What was acknowledged.
#[derive(Default)]
struct Book {
    created: bool,
    submitted: u64,
    /// (number, log, Seq).
    acked: Vec<(u64, String, u64)>,
    logs: Vec<&'static str>,
    routings: Vec<Routing>,
    checkpoints: Vec<UnverifiedCheckpoint>,
}

impl Book {
    fn append(&mut self, vault: &Vault, action: &str) -> Result<(), Error> {
        let n = self.submitted;
        self.submitted += 1;
        let receipt = vault.append(&event(n, action))?;
        self.acked.push((n, receipt.log.to_string(), receipt.receipt.seq.get()));
        Ok(())
    }

    fn checkpoint(&mut self, vault: &Vault, disk: &SimDisk) -> Result<(), Error> {
        let signed = vault.checkpoint(&signer(disk)?)?;
        self.checkpoints.push(signed.signed.into_unverified());
        Ok(())
    }
}

fn signer(disk: &SimDisk) -> Result<Signer, Error> {
    let (shared, key) = (Arc::new(disk.clone()), PathBuf::from("/key"));
    if disk.exists(&key).is_ok_and(|exists| exists) {
        match Signer::load_on(Arc::clone(&shared) as _, &key) {
            // Its making was interrupted.
            Err(Error::Proof { .. } | Error::Key { .. }) => drop(disk.remove_file(&key)),
            loaded => return loaded,
        }
    }
    Signer::generate_on(shared, &key, ORIGIN, HashAlgorithm::Sha256)
}

fn routings() -> [Routing; 2] {
    let first = Routing::to("main").rule(Rule::to("auth").action_prefix("auth."));
    let second = first.clone().rule(Rule::per_tenant("own").action_prefix("own."));
    [first, second]
}

fn work(disk: &SimDisk, book: &mut Book) -> Result<(), Error> {
    let vault = options(disk).create(dir())?;
    book.created = true;
    book.append(&vault, "x.y")?;
    vault.add_log("auth", LogSpec::new(), &asked())?;
    book.logs.push("auth");
    let [first, second] = routings();
    vault.set_routing(first.clone(), &asked())?;
    book.routings.push(first);
    book.append(&vault, "auth.login")?;
    book.append(&vault, "x.y")?;
    book.checkpoint(&vault, disk)?;
    vault.set_routing(second.clone(), &asked())?;
    book.routings.push(second);
    for n in 0..4 {
        book.append(&vault, if n % 2 == 0 { "own.x" } else { "auth.x" })?;
    }
    book.checkpoint(&vault, disk)?;
    vault.close()
}

fn check(disk: &SimDisk, book: &mut Book) {
    let opened = match book.created {
        true => options(disk).open(dir()),
        false => options(disk).open_or_create(dir()),
    };
    let vault = opened.unwrap();
    book.created = true;
    let found: Vec<_> = vault.query(&Query::new()).unwrap().map(Result::unwrap).collect();
    for (n, log, seq) in &book.acked {
        let is_it = found.iter().any(|found| {
            *found.log == **log
                && found.record.seq.get() == *seq
                && found.record.event.resource.id == Some(n.to_string())
        });
        assert!(is_it, "{n} in {log} at {seq}");
    }
    assert!(found.len() as u64 <= book.submitted);
    assert!(book.logs.iter().all(|log| vault.logs().iter().any(|name| **name == **log)));
    let possible = [vec![Routing::to("main")], routings().to_vec()].concat();
    let at = possible.iter().position(|routing| *routing == *vault.routing()).unwrap();
    assert!(at == book.routings.len() || at == book.routings.len() + 1, "{at}");
    for checkpoint in &book.checkpoints {
        vault.prove("main", Seq::new(0), checkpoint, Disclosure::Whole).unwrap();
    }
    // It goes on: what was interrupted can be asked for again.
    if !vault.logs().iter().any(|name| **name == *"auth") {
        vault.add_log("auth", LogSpec::new(), &asked()).unwrap();
    }
    vault.set_routing(routings()[1].clone(), &asked()).unwrap();
    for action in ["x.y", "auth.x", "own.x"] {
        book.append(&vault, action).unwrap();
    }
    assert!(vault.unknown_directories().unwrap().is_empty() || book.submitted > 0);
    book.checkpoint(&vault, disk).unwrap();
    let newest = book.checkpoints.last().unwrap();
    for (_, log, seq) in &book.acked {
        vault.prove(log, Seq::new(*seq), newest, Disclosure::Whole).unwrap();
    }
    vault.close().unwrap();
}

#[test]
fn a_vault_loses_nothing_acknowledged_at_any_crash() {
    let disk = SimDisk::new(0);
    work(&disk, &mut Book::default()).unwrap();
    let all = disk.operations();
    for count in 0..=all {
        let run = std::panic::AssertUnwindSafe(|| {
            let disk = SimDisk::new(count);
            disk.crash_after(count);
            let mut book = Book::default();
            let worked = work(&disk, &mut book);
            assert_eq!(worked.is_err(), disk.stopped(), "{worked:?}");
            disk.crash();
            check(&disk, &mut book);
        });
        if let Err(panic) = std::panic::catch_unwind(run) {
            eprintln!("crash after {count} of {all} operations");
            std::panic::resume_unwind(panic);
        }
    }
}
