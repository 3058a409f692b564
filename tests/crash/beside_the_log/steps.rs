//! Every administrative step against a failed sync, then a power loss.

use bulla::archive::DirectoryStore;
use bulla::log::ExpireOptions;
use bulla::{Hold, HoldScope, Period, Policy};

use super::*;

pub(crate) struct World {
    pub(crate) disk: SimDisk,
    keys: SimDisk,
    pub(crate) shelf: SimDisk,
    secret: SimDisk,
    clock: Arc<ManualClock>,
}

impl World {
    fn options(&self) -> LogOptions {
        let store = open_store(&self.keys).unwrap();
        log_options(&self.disk).clock(Arc::clone(&self.clock) as _).key_store(store)
    }

    pub(crate) fn new(seed: u64) -> (World, Log, bulla::Signer) {
        let disk = |n: u64| SimDisk::new(seed * 10 + n);
        let world =
            World { disk: disk(0), keys: disk(1), shelf: disk(2), secret: disk(3), clock: clock() };
        let keys = Arc::new(world.keys.clone());
        drop(KeyStore::create_on(keys, Path::new("/keys"), &wrapping()).unwrap());
        let log = world.options().create("/audit").unwrap();
        for n in 0..12 {
            let subject = if n % 2 == 0 { "user:alice" } else { "user:bob" };
            log.append(&about(n, subject)).unwrap();
            if n % 4 == 3 {
                log.rotate().unwrap();
                world.clock.advance(std::time::Duration::from_secs(86_400));
            }
        }
        log.append(&about(12, "user:alice")).unwrap();
        let signer = bulla::Signer::generate_on(
            Arc::new(world.secret.clone()),
            Path::new("/key"),
            "example.com/audit",
            bulla::HashAlgorithm::Sha256,
        );
        (world, log, signer.unwrap())
    }

    pub(crate) fn shelf(&self) -> DirectoryStore {
        let open = || {
            DirectoryStore::open_or_create_on(Arc::new(self.shelf.clone()), Path::new("/archive"))
        };
        open().or_else(|_| open()).unwrap()
    }

    fn crash(&self) {
        for disk in [&self.disk, &self.keys, &self.shelf, &self.secret] {
            disk.crash();
        }
    }
}

type Prepare = fn(&World, &Log, &bulla::Signer);
type Act = fn(&World, &Log, &bulla::Signer) -> Result<(), Error>;
type Seen = fn(&World, &Log) -> Result<(), String>;

fn nothing(_: &World, _: &Log, _: &bulla::Signer) {}

fn who() -> Attribution {
    Attribution::by("carol").because("why")
}

fn old_policy(world: &World, log: &Log, signer: &bulla::Signer) {
    log.retention().set_policy(&Policy::keep(Period::from_days(1)), &who()).unwrap();
    log.checkpoint(signer).unwrap();
    log.archive().copy(1, &world.shelf(), &who()).unwrap();
    world.clock.advance(std::time::Duration::from_secs(3 * 86_400));
}

pub(crate) fn dropped(world: &World, log: &Log, signer: &bulla::Signer) {
    old_policy(world, log, signer);
    log.retention().expire(&ExpireOptions::new(), &who()).unwrap();
}

fn steps() -> Vec<(&'static str, Prepare, Act, Seen)> {
    let fine: Seen = |_, _| Ok(());
    vec![
        (
            "policy",
            nothing as Prepare,
            (|_, log, _| log.retention().set_policy(&Policy::keep(Period::from_days(9)), &who()))
                as Act,
            (|_, log| {
                log.snapshot()
                    .catalog()
                    .history()
                    .unwrap()
                    .iter()
                    .any(|e| e.what.contains("policy"))
                    .then_some(())
                    .ok_or("no policy".into())
            }) as Seen,
        ),
        (
            "hold",
            nothing,
            |_, log, _| log.retention().place_hold(&Hold::new("case", HoldScope::new()), &who()),
            |_, log| {
                (log.snapshot().catalog().holds().unwrap().len() == 1)
                    .then_some(())
                    .ok_or("no hold".into())
            },
        ),
        (
            "erase",
            nothing,
            |_, log, _| ok(log.retention().erase("user:alice", &who())),
            |_, log| match log.snapshot().get(Seq::new(0)).map(|r| r.payload) {
                Ok(PayloadState::Erased) => Ok(()),
                other => Err(format!("{other:?}")),
            },
        ),
        (
            "checkpoint",
            nothing,
            |_, log, signer| ok(log.checkpoint(signer)),
            |_, log| log.checkpoints().latest().unwrap().map(|_| ()).ok_or("no checkpoint".into()),
        ),
        ("rotate", nothing, |_, log, _| ok(log.rotate()), fine),
        (
            "archive",
            nothing,
            |world, log, _| ok(log.archive().copy(1, &world.shelf(), &who())),
            fine,
        ),
        (
            "expire",
            old_policy,
            |_, log, _| ok(log.retention().expire(&ExpireOptions::new(), &who())),
            |_, log| match log.snapshot().get(Seq::new(0)) {
                Err(Error::Expired { .. }) => Ok(()),
                other => Err(format!("{other:?}")),
            },
        ),
        (
            "restore",
            dropped,
            |world, log, _| {
                if log.snapshot().get(Seq::new(0)).is_ok() {
                    return Ok(());
                }
                let shelf = world.shelf();
                let folder = log.archive().restorable_in(&shelf)?.pop().map(|(_, folder)| folder);
                ok(log.archive().restore(&shelf, &folder.unwrap_or_default(), &who()))
            },
            |_, log| log.snapshot().get(Seq::new(0)).map(|_| ()).map_err(|e| e.to_string()),
        ),
        (
            "rotate key",
            |_, log, signer| {
                log.checkpoint(signer).unwrap();
            },
            |world, log, signer| {
                let path = Path::new("/next");
                let shared = || Arc::new(world.secret.clone());
                let next = match bulla::Signer::load_on(shared(), path) {
                    Ok(next) => next,
                    Err(_) => bulla::Signer::generate_on(
                        shared(),
                        path,
                        "example.com/audit",
                        bulla::HashAlgorithm::Sha256,
                    )?,
                };
                ok(log.keys().rotate(signer, &next))
            },
            fine,
        ),
    ]
}

fn check_world(world: &World, acked: &[Seq], seen: Option<Seen>) -> Result<(), String> {
    let log = world.options().open("/audit").map_err(|error| format!("does not open: {error}"))?;
    for seq in acked {
        log.snapshot().get(*seq).map_err(|error| format!("acknowledged {seq}: {error}"))?;
    }
    for seq in [0, 12] {
        if let Ok(record) = log.snapshot().get(Seq::new(seq))
            && record.payload == PayloadState::Sealed
        {
            return Err(format!("the key of {seq} is gone, and no certificate says so"));
        }
    }
    if let Some(seen) = seen {
        seen(world, &log).map_err(|error| format!("done, and undone: {error}"))?;
    }
    log.close().map_err(|error| format!("close: {error}"))?;
    let options = bulla::VerifyOptions::new().disk(Arc::new(world.disk.clone()));
    let report =
        bulla::verify(Path::new("/audit"), &options, &mut |_| ()).map_err(|e| e.to_string())?;
    match report.findings.first() {
        Some(finding) => Err(format!("verify: {finding:?}")),
        None => Ok(()),
    }
}

fn steps_against(kind: FaultKind, which: usize) {
    let (mut bad, mut struck) = (Vec::new(), 0);
    for (name, prepare, act, seen) in steps() {
        for at in 0..40 {
            let mut here = 0;
            for seed in 0..4 {
                let (world, log, signer) = World::new(seed);
                prepare(&world, &log, &signer);
                let faulty = [&world.disk, &world.secret, &world.shelf, &world.keys][which];
                faulty.plan(Fault { at, kind, stored: false });
                let done = act(&world, &log, &signer);
                if faulty.faults_outstanding() > 0 {
                    continue;
                }
                (struck, here) = (struck + 1, here + 1);
                if seed % 2 == 1 {
                    // The same process goes on with the same log.
                    let mut acked = Vec::new();
                    acked.extend(log.append(&about(50, "user:bob")).map(|r| r.seq));
                    let done = done.is_ok() || act(&world, &log, &signer).is_ok();
                    acked.extend(log.append(&about(51, "user:bob")).map(|r| r.seq));
                    drop(log);
                    world.crash();
                    if let Err(why) = check_world(&world, &acked, done.then_some(seen)) {
                        bad.push(format!("{name}, at {at}, seed {seed}, same process: {why}"));
                    }
                    continue;
                }
                drop(log);
                for again in [false, true] {
                    let fork = World {
                        disk: world.disk.fork(seed + 77),
                        keys: world.keys.fork(seed + 78),
                        shelf: world.shelf.fork(seed + 79),
                        secret: world.secret.fork(seed + 80),
                        clock: Arc::clone(&world.clock),
                    };
                    let place = format!("{name}, at {at}, seed {seed}, again {again}");
                    let log = match fork.options().open("/audit") {
                        Ok(log) => log,
                        Err(error) => {
                            bad.push(format!("{place}: does not open before the crash: {error}"));
                            continue;
                        }
                    };
                    let signer =
                        bulla::Signer::load_on(Arc::new(fork.secret.clone()), Path::new("/key"))
                            .unwrap();
                    let mut acked = Vec::new();
                    acked.extend(log.append(&about(50, "user:bob")).map(|r| r.seq));
                    let mut done = done.is_ok();
                    if again && !done {
                        let repeated = act(&fork, &log, &signer);
                        done = repeated.is_ok()
                            || name == "erase" && matches!(repeated, Err(Error::KeyStore { .. }))
                            || name == "hold"; // in force already
                        if !done && name != "rotate key" {
                            bad.push(format!("{place}: refused again: {}", repeated.unwrap_err()));
                        }
                    }
                    acked.extend(log.append(&about(51, "user:bob")).map(|r| r.seq));
                    drop(log);
                    fork.crash();
                    if let Err(why) = check_world(&fork, &acked, done.then_some(seen)) {
                        bad.push(format!("{place}: {why}"));
                    }
                }
            }
            if here == 0 {
                break;
            }
        }
    }
    assert!(struck > 0, "no fault struck");
    assert!(bad.is_empty(), "{} of {struck}: {:#?}", bad.len(), &bad[..bad.len().min(25)]);
}

#[test]
fn no_step_is_lost_or_half_done_after_a_failed_sync_of_the_log() {
    steps_against(FaultKind::SyncFailed, 0);
}

#[test]
fn no_step_is_lost_or_half_done_after_an_error_of_the_log() {
    steps_against(FaultKind::Eio, 0);
}

#[test]
fn no_step_is_lost_or_half_done_after_a_failed_sync_of_the_key() {
    steps_against(FaultKind::SyncFailed, 1);
}

#[test]
fn no_step_is_lost_or_half_done_after_a_failed_sync_of_the_archive() {
    steps_against(FaultKind::SyncFailed, 2);
}

#[test]
fn no_step_is_lost_or_half_done_after_a_failed_sync_of_the_key_store() {
    steps_against(FaultKind::SyncFailed, 3);
}

#[test]
fn no_step_is_lost_or_half_done_after_a_full_disk() {
    steps_against(FaultKind::Enospc, 0);
}

/// The power goes, and then a sync fails while the log is opened; it is opened again, takes an
/// event, and the power goes again.
#[test]
fn a_sync_that_fails_while_a_log_recovers_loses_nothing_later() {
    let (mut bad, mut struck) = (Vec::new(), 0);
    for stop in (0..140_u64).step_by(3) {
        for at in 0..25 {
            let mut here = 0;
            for seed in 0..3 {
                let disk = SimDisk::new(seed * 1000 + stop);
                let log = log_options(&disk).create("/audit").unwrap();
                let mut acked = vec![log.append(&event(0)).unwrap().seq];
                disk.crash_after(stop);
                let signer = SimDisk::new(5);
                let signer = bulla::Signer::generate_on(
                    Arc::new(signer),
                    Path::new("/key"),
                    "example.com/audit",
                    bulla::HashAlgorithm::Sha256,
                )
                .unwrap();
                for n in 1..9 {
                    match log.append(&event(n).reason("x".repeat(700))) {
                        Ok(receipt) => acked.push(receipt.seq),
                        Err(_) => break,
                    }
                    let _ = match n % 4 {
                        1 => ok(log.rotate()),
                        2 => ok(log.checkpoint(&signer)),
                        3 => log
                            .retention()
                            .set_policy(&Policy::keep(Period::from_days(n + 1)), &who()),
                        _ => Ok(()),
                    };
                }
                drop(log);
                disk.crash();
                disk.plan(Fault { at, kind: FaultKind::SyncFailed, stored: false });
                let first = log_options(&disk).open("/audit");
                if disk.faults_outstanding() > 0 {
                    continue;
                }
                (struck, here) = (struck + 1, here + 1);
                drop(first);
                let place = format!("stop {stop}, at {at}, seed {seed}");
                let log = match log_options(&disk).open("/audit") {
                    Ok(log) => log,
                    Err(error) => {
                        bad.push(format!("{place}: again: {error}"));
                        continue;
                    }
                };
                for n in 20..23 {
                    acked.push(log.append(&event(n)).unwrap().seq);
                }
                drop(log);
                disk.crash();
                let log = match log_options(&disk).open("/audit") {
                    Ok(log) => log,
                    Err(error) => {
                        bad.push(format!("{place}: after the power loss: {error}"));
                        continue;
                    }
                };
                for seq in acked {
                    if let Err(error) = log.snapshot().get(seq) {
                        bad.push(format!("{place}: {seq}: {error}"));
                    }
                }
                drop(log);
                let options = bulla::VerifyOptions::new().disk(Arc::new(disk.clone()));
                let report = bulla::verify(Path::new("/audit"), &options, &mut |_| ()).unwrap();
                if let Some(finding) = report.findings.first() {
                    bad.push(format!("{place}: {finding}"));
                }
            }
            if here == 0 {
                break;
            }
        }
    }
    assert!(struck > 0, "no fault struck");
    assert!(bad.is_empty(), "{} of {struck}: {:#?}", bad.len(), &bad[..bad.len().min(20)]);
}
