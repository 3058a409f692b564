//! A vault: where events go, what its queries answer, what its checkpoints prove.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bulla::disk::Disk;
use bulla::disk::sim::SimDisk;
use bulla::proof::{HeadList, VaultProof, VerifyVaultError};
use bulla::time::ManualClock;
use bulla::vault::{LogSpec, Routing, Rule, VaultCursor, VaultRecord};
use bulla::{
    Actor, Attribution, Disclosure, Error, Event, HashAlgorithm, Housekeeping, LogOptions, Query,
    Resource, Seq, Signer, Timestamp, Trust, Vault, VaultOptions,
};
use proptest::prelude::*;

/// 2026-01-01.
const START: i64 = 1_767_225_600_000_000_000;

fn dir() -> PathBuf {
    PathBuf::from("/vault")
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_nanos(START)))
}

fn options(disk: &SimDisk, clock: &Arc<ManualClock>) -> VaultOptions {
    VaultOptions::new()
        .log(LogOptions::new().segment_bytes(64 << 10))
        .origin("example.com/audit")
        .housekeeping(Housekeeping::Inline)
        .clock(Arc::clone(clock) as _)
        .disk(Arc::new(disk.clone()))
}

fn asked() -> Attribution {
    Attribution::by("user:carol").because("the auditors asked for it")
}

fn event(tenant: Option<&str>, action: &str, n: u64) -> Event {
    let event = Event::new(Actor::new("user", "a"), action, Resource::new("r", n.to_string()));
    match tenant {
        Some(tenant) => event.tenant(tenant),
        None => event,
    }
}

/// Records as (log, Seq).
fn places(records: impl IntoIterator<Item = Result<VaultRecord, Error>>) -> Vec<(String, u64)> {
    let place = |found: VaultRecord| (found.log.to_string(), found.record.seq.get());
    records.into_iter().map(|record| place(record.unwrap())).collect()
}

#[test]
fn events_go_where_the_routing_says_and_changes_survive_and_are_recorded() {
    let (disk, clock) = (SimDisk::new(1), clock());
    let vault = options(&disk, &clock).create(dir()).unwrap();
    assert_eq!(*vault.append(&event(None, "auth.login", 0)).unwrap().log, *"main");
    let unknown = vault.set_routing(Routing::to("auth"), &asked());
    assert!(matches!(unknown, Err(Error::InvalidOption { name: "routing", .. })), "{unknown:?}");
    vault.add_log("auth", LogSpec::new().hash(HashAlgorithm::Blake3), &asked()).unwrap();
    let routing = Routing::to("main")
        .rule(Rule::to("auth").action_prefix("auth."))
        .rule(Rule::per_tenant("t").action_prefix("doc."));
    vault.set_routing(routing.clone(), &asked()).unwrap();
    let log_of = |vault: &Vault, tenant, action| {
        vault.append(&event(tenant, action, 1)).unwrap().log.to_string()
    };
    assert_eq!(log_of(&vault, Some("acme"), "auth.login"), "auth");
    assert_eq!(log_of(&vault, Some("acme"), "x.y"), "main");
    let acme = log_of(&vault, Some("acme"), "doc.read");
    assert!(acme.starts_with("t-") && acme.len() == 34, "{acme}");
    assert_eq!(log_of(&vault, None, "doc.read"), "main");
    let refused = vault.set_routing(Routing::to(acme.as_str()), &asked());
    assert!(refused.unwrap_err().to_string().contains("one tenant"));
    vault.close().unwrap();
    assert!(matches!(vault.append(&event(None, "x.y", 2)), Err(Error::Closed)));
    drop(vault);

    let vault = options(&disk, &clock).open(dir()).unwrap();
    assert_eq!(*vault.routing(), routing);
    assert_eq!(log_of(&vault, Some("acme"), "doc.write"), acme);
    assert_eq!(vault.logs().len(), 3);
    assert_eq!(vault.log("auth").unwrap().algorithm(), HashAlgorithm::Blake3);
    assert_eq!(vault.log("auth").unwrap().origin(), "example.com/audit/vault/auth");
    assert!(vault.unknown_directories().unwrap().is_empty());
    let changes = Query::new().action("vault.routing.changed").unwrap();
    let changes: Vec<_> =
        vault.control().snapshot().query(&changes).unwrap().map(Result::unwrap).collect();
    assert_eq!(changes.len(), 2, "one by the creation, one by carol");
    assert_eq!(changes[0].event.actor.id, "carol");
    assert_eq!(changes[0].event.reason.as_deref(), Some("the auditors asked for it"));
}

#[test]
fn logs_have_names_that_lead_nowhere_and_are_added_once() {
    let (disk, clock) = (SimDisk::new(2), clock());
    let vault = options(&disk, &clock).create(dir()).unwrap();
    for bad in ["../x", "", "A", "vault", "a/b", "."] {
        assert!(vault.add_log(bad, LogSpec::new(), &asked()).is_err(), "{bad:?}");
    }
    let twice = vault.add_log("main", LogSpec::new(), &asked());
    assert!(matches!(twice, Err(Error::Exists { .. })));
    let refused = Error::InvalidOption { name: "policy", reason: "not so".to_owned() };
    let spec = LogSpec::new().prepare(|_| Err(refused.clone()));
    assert!(vault.add_log("later", spec, &asked()).is_err());
    assert!(matches!(vault.log("later"), Err(Error::InvalidOption { name: "log", .. })));
    assert_eq!(vault.unknown_directories().unwrap(), ["later"]);
    vault.add_log("later", LogSpec::new(), &asked()).unwrap();
    assert!(vault.unknown_directories().unwrap().is_empty());
    assert!(matches!(options(&disk, &clock).create(dir()), Err(Error::Exists { .. })));
}

#[test]
fn one_process_writes_a_vault() {
    // As the other process, below.
    if let Some(path) = std::env::var_os("BULLA_TEST_VAULT") {
        assert!(matches!(Vault::open(path), Err(Error::Locked { .. })));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault");
    let vault = Vault::create(&path).unwrap();
    assert!(matches!(Vault::open(&path), Err(Error::Locked { .. })));
    assert!(matches!(Vault::create(&path), Err(Error::Exists { .. })));
    let mut other = std::process::Command::new(std::env::current_exe().unwrap());
    other.args(["--exact", "routing::one_process_writes_a_vault"]).env("BULLA_TEST_VAULT", &path);
    let other = other.output().unwrap();
    let said = String::from_utf8_lossy(&other.stdout);
    assert!(other.status.success() && said.contains("1 passed"), "another is refused: {said}");
    // A log in use keeps the vault locked.
    let log = vault.log("main").unwrap();
    drop(vault);
    assert!(matches!(Vault::open(&path), Err(Error::Locked { .. })));
    drop(log);
    Vault::open(&path).unwrap();
    assert!(matches!(Vault::open(dir.path()), Err(Error::NotALog { .. })));
}

#[test]
fn a_log_that_was_swapped_for_another_is_not_opened() {
    let (disk, clock) = (SimDisk::new(3), clock());
    let vault = options(&disk, &clock).create(dir()).unwrap();
    vault.add_log("other", LogSpec::new(), &asked()).unwrap();
    drop(vault);
    let logs = dir().join("logs");
    disk.rename(&logs.join("main"), &logs.join("swap")).unwrap();
    disk.rename(&logs.join("other"), &logs.join("main")).unwrap();
    disk.rename(&logs.join("swap"), &logs.join("other")).unwrap();
    let vault = options(&disk, &clock).open(dir()).unwrap();
    let opened = vault.log("main").map(|_| ());
    assert!(matches!(opened, Err(Error::Tampered { .. })), "{opened:?}");
}

#[test]
fn a_batch_is_split_by_log_and_says_what_was_done() {
    let (disk, clock) = (SimDisk::new(4), clock());
    let vault = options(&disk, &clock).create(dir()).unwrap();
    vault.add_log("auth", LogSpec::new(), &asked()).unwrap();
    let routing = Routing::to("main").rule(Rule::to("auth").action_prefix("auth."));
    vault.set_routing(routing, &asked()).unwrap();
    let batch = [event(None, "x.y", 0), event(None, "auth.a", 1), event(None, "x.z", 2)];
    let parts = vault.append_batch(&batch).unwrap();
    let told: Vec<_> = parts.iter().map(|part| (&*part.log, part.events.clone())).collect();
    assert_eq!(told, [("auth", vec![1]), ("main", vec![0, 2])]);
    assert!(vault.append_batch(&[]).is_err());
    let bad = [event(None, "x.y", 0), event(None, "bulla.x", 1)];
    let refused = vault.append_batch(&bad).unwrap_err();
    assert!(refused.done.is_empty() && matches!(refused.error, Error::Invalid(_)));
    assert_eq!(vault.count(&Query::new()).unwrap(), 3);
    // The second part fails: the first one is told.
    vault.log("main").unwrap().close().unwrap();
    let partial = vault.append_batch(&batch).unwrap_err();
    assert_eq!(partial.done.len(), 1);
    assert_eq!(&*partial.done[0].log, "auth");
    // A log that takes nothing any more is opened anew.
    assert_eq!(vault.append_batch(&batch).unwrap().len(), 2);
}

#[test]
fn closed_logs_come_of_age_too() {
    let (disk, clock) = (SimDisk::new(5), clock());
    let vault = options(&disk, &clock).max_open_logs(1).create(dir()).unwrap();
    vault.add_log("other", LogSpec::new(), &asked()).unwrap();
    vault.append(&event(None, "x.y", 0)).unwrap();
    drop(vault.log("other").unwrap()); // closes main
    clock.advance(Duration::from_secs(2 * 24 * 3600));
    let sealed =
        |vault: &Vault| vault.log("main").unwrap().snapshot().stats().unwrap().sealed_segments;
    assert_eq!(vault.seal_aged().unwrap(), 1, "main");
    drop(vault.log("other").unwrap());
    assert_eq!(sealed(&vault), 1);
    // Appends sweep as well.
    vault.append(&event(None, "x.y", 1)).unwrap();
    vault.set_routing(Routing::to("other"), &asked()).unwrap();
    vault.append(&event(None, "x.y", 2)).unwrap();
    clock.advance(Duration::from_secs(2 * 24 * 3600));
    vault.append(&event(None, "x.y", 3)).unwrap();
    drop(vault.log("other").unwrap());
    assert_eq!(sealed(&vault), 2);
}

#[test]
fn the_logs_of_a_vault_do_not_all_rotate_at_once() {
    let (disk, clock) = (SimDisk::new(12), clock());
    // One is open at a time: so each is opened and closed, which does what is due.
    let vault = options(&disk, &clock).max_open_logs(1).create(dir()).unwrap();
    vault.set_routing(Routing::to("main").rule(Rule::per_tenant("t")), &asked()).unwrap();
    for n in 0..30 {
        vault.append(&event(Some(&n.to_string()), "x.y", n)).unwrap();
    }
    let day = Duration::from_secs(24 * 3600);
    clock.advance(day - day / 10);
    let sealed = || {
        let logs = vault.logs();
        logs.iter().for_each(|log| drop(vault.log(log).unwrap()));
        let of =
            |log: &Arc<str>| vault.log(log).unwrap().snapshot().stats().unwrap().sealed_segments;
        logs.iter().map(of).sum::<u64>()
    };
    let mut by_then = Vec::new();
    for _ in 0..5 {
        by_then.push(sealed());
        clock.advance(day / 50);
    }
    assert_eq!(sealed(), 30, "a day is the most");
    by_then.dedup();
    assert!(by_then.len() > 2 && by_then[0] < 30, "{by_then:?}");
}

#[test]
fn all_logs_in_use_is_an_error_and_no_deadlock() {
    let (disk, clock) = (SimDisk::new(6), clock());
    let vault = options(&disk, &clock)
        .max_open_logs(1)
        .acquire_timeout(Duration::ZERO)
        .create(dir())
        .unwrap();
    vault.add_log("other", LogSpec::new(), &asked()).unwrap();
    let main = vault.log("main").unwrap();
    assert!(matches!(vault.log("other"), Err(Error::TooManyOpenLogs { max: 1 })));
    drop(main);
    vault.log("other").unwrap();
}

fn pages(vault: &Vault, query: &Query, page: u64) -> Vec<(String, u64)> {
    let (mut all, mut cursor) = (Vec::new(), None::<VaultCursor>);
    loop {
        let query = query.clone().limit(page);
        let mut matches = match &cursor {
            None => vault.query(&query).unwrap(),
            Some(cursor) => vault.query_after(&query, cursor).unwrap(),
        };
        let found = places(matches.by_ref());
        if found.is_empty() {
            return all;
        }
        all.extend(found);
        cursor = Some(matches.cursor().unwrap().to_string().parse().unwrap());
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append { log: usize, tenant: usize, count: usize },
    Pass(u64),
    Back(i64),
    Rotate(usize),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..3_usize, 0..3_usize, 1..20_usize)
            .prop_map(|(log, tenant, count)| Step::Append { log, tenant, count }),
        3 => (0..10_000_000_000_u64).prop_map(Step::Pass),
        2 => (0..60_000_000_000_i64).prop_map(Step::Back),
        1 => (0..3_usize).prop_map(Step::Rotate),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..30)
}

const LOGS: [&str; 3] = ["a", "b", "main"];
const TENANTS: [Option<&str>; 3] = [None, Some("acme"), Some("umbrella")];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_merged_answer_is_the_sorted_one(
        steps in steps(), seed in any::<u64>(), max_open in 1..4_usize, page in 1..9_u64,
    ) {
        let (disk, clock) = (SimDisk::new(seed), clock());
        let options = options(&disk, &clock).max_open_logs(max_open);
        let mut vault = options.clone().create(dir()).unwrap();
        vault.add_log("a", LogSpec::new(), &asked()).unwrap();
        vault.add_log("b", LogSpec::new(), &asked()).unwrap();
        let routing = Routing::to("main")
            .rule(Rule::to("a").action_prefix("a."))
            .rule(Rule::to("b").action_prefix("b."));
        vault.set_routing(routing, &asked()).unwrap();
        // (recorded_at, log, Seq, tenant), as the receipts say.
        let mut model: Vec<(Timestamp, String, u64, Option<&str>)> = Vec::new();
        for step in steps {
            match step {
                Step::Append { log, tenant, count } => {
                    let action = format!("{}.x", LOGS[log]);
                    let batch = vec![event(TENANTS[tenant], &action, 0); count];
                    for part in vault.append_batch(&batch).unwrap() {
                        let (at, first) = (part.receipt.recorded_at, part.receipt.first.get());
                        let records = first..first + part.receipt.count;
                        let record = |seq| (at, part.log.to_string(), seq, TENANTS[tenant]);
                        model.extend(records.map(record));
                    }
                }
                Step::Pass(nanos) => clock.advance(Duration::from_nanos(nanos)),
                Step::Back(nanos) => {
                    let now = bulla::time::Clock::now(&*clock).as_nanos();
                    clock.set(Timestamp::from_nanos(now - nanos));
                }
                Step::Rotate(log) => vault.log(LOGS[log]).unwrap().rotate().unwrap(),
                Step::Reopen => {
                    vault.close().unwrap();
                    vault = options.clone().open(dir()).unwrap();
                }
            }
        }
        model.sort();
        let expected = |tenant: Option<&str>, newest: bool| -> Vec<(String, u64)> {
            let asked = model.iter().filter(|record| tenant.is_none() || record.3 == tenant);
            let mut places: Vec<_> = asked.map(|record| (record.1.clone(), record.2)).collect();
            if newest {
                places.reverse();
            }
            places
        };
        for tenant in TENANTS {
            let base = tenant.map_or(Query::new(), |tenant| Query::new().tenant(tenant));
            for (newest, query) in [(true, base.clone()), (false, base.clone().oldest_first())] {
                let expected = expected(tenant, newest);
                prop_assert_eq!(&places(vault.query(&query).unwrap()), &expected);
                prop_assert_eq!(&pages(&vault, &query, page), &expected);
            }
            prop_assert_eq!(vault.count(&base).unwrap(), expected(tenant, true).len() as u64);
        }
    }
}

#[test]
fn a_cursor_is_good_for_its_question_and_its_vault() {
    let (disk, clock) = (SimDisk::new(7), clock());
    let vault = options(&disk, &clock).create(dir()).unwrap();
    (0..5).for_each(|n| drop(vault.append(&event(None, "x.y", n)).unwrap()));
    let query = Query::new().limit(2);
    let mut page = vault.query(&query).unwrap();
    assert_eq!(page.cursor(), None);
    page.by_ref().for_each(drop);
    let cursor = page.cursor().unwrap();
    assert!(vault.query_after(&Query::new().actor("b"), &cursor).is_err());
    assert!(vault.query_after(&Query::new().oldest_first(), &cursor).is_err());
    assert_eq!(vault.query_after(&Query::new(), &cursor).unwrap().count(), 3);
    // New records do not shift it.
    vault.append(&event(None, "x.y", 9)).unwrap();
    assert_eq!(vault.query_after(&Query::new(), &cursor).unwrap().count(), 3);
    let other = options(&SimDisk::new(8), &clock).create(dir()).unwrap();
    assert!(other.query_after(&query, &cursor).is_err());
    let of_a_log = query.cursor_after(Seq::new(3)).unwrap();
    assert!(vault.query(&query.after(of_a_log)).is_err());
}

fn signer(disk: &SimDisk, vault: &Vault) -> Signer {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let (origin, algorithm) = (vault.origin(), vault.control().algorithm());
    Signer::generate_on(disk, &PathBuf::from("/key"), origin, algorithm).unwrap()
}

fn trust(signer: &Signer) -> Trust {
    Trust::in_keys([signer.verifying_key().to_string().parse().unwrap()])
}

#[test]
fn one_checkpoint_covers_all_logs_and_a_record_of_each_is_proved_under_it() {
    let (disk, clock) = (SimDisk::new(9), clock());
    let vault = options(&disk, &clock).max_open_logs(1).create(dir()).unwrap();
    vault.add_log("auth", LogSpec::new().hash(HashAlgorithm::Blake3), &asked()).unwrap();
    vault.add_log("empty", LogSpec::new(), &asked()).unwrap();
    let routing = Routing::to("main").rule(Rule::to("auth").action_prefix("auth."));
    vault.set_routing(routing, &asked()).unwrap();
    for n in 0..9 {
        vault.append(&event(None, "x.y", n)).unwrap();
        vault.append(&event(None, "auth.login", n)).unwrap();
    }
    let signer = signer(&disk, &vault);
    let checkpoint = vault.checkpoint(&signer).unwrap();
    assert_eq!(checkpoint.heads.heads().len(), 3);
    let again = vault.checkpoint(&signer).unwrap();
    assert_eq!(again.seq, checkpoint.seq, "nothing changed: no other list");
    vault.append(&event(None, "auth.login", 10)).unwrap();
    let signed = checkpoint.signed.into_unverified();
    for (log, seq) in [("main", 3), ("auth", 8)] {
        for disclosure in [Disclosure::Whole, Disclosure::WithholdPayload] {
            let proof = vault.prove(log, Seq::new(seq), &signed, disclosure).unwrap();
            let text = proof.to_text();
            assert!(!text.contains("empty"), "it names no other log");
            let parsed = VaultProof::parse(text.as_bytes()).unwrap();
            assert_eq!(parsed, proof);
            let verified = parsed.verify(&trust(&signer)).unwrap();
            assert_eq!(verified.record().event.resource.id, Some(seq.to_string()));
            assert_eq!(verified.log().name, log);
            assert_eq!(verified.disclosure(), disclosure);
            assert_eq!(verified.checkpoint().origin(), "example.com/audit/vault");
        }
    }
    let later = vault.prove("auth", Seq::new(9), &signed, Disclosure::Whole);
    assert!(later.is_err(), "the list does not cover it");
    assert!(vault.prove("other", Seq::new(0), &signed, Disclosure::Whole).is_err());
    let newer = vault.checkpoint(&signer).unwrap().signed.into_unverified();
    let proof = vault.prove("auth", Seq::new(9), &newer, Disclosure::Whole).unwrap();
    proof.verify(&trust(&signer)).unwrap();
    // The list of an older checkpoint is still found.
    vault.prove("auth", Seq::new(1), &signed, Disclosure::Whole).unwrap();
}

#[test]
fn no_changed_proof_of_a_vault_holds() {
    let (disk, clock) = (SimDisk::new(10), clock());
    let vault = options(&disk, &clock).create(dir()).unwrap();
    vault.add_log("other", LogSpec::new(), &asked()).unwrap();
    (0..5).for_each(|n| drop(vault.append(&event(None, "x.y", n)).unwrap()));
    let signer = signer(&disk, &vault);
    let trust = trust(&signer);
    let signed = vault.checkpoint(&signer).unwrap();
    let heads = signed.heads.clone();
    let signed = signed.signed.into_unverified();
    let proof = vault.prove("main", Seq::new(2), &signed, Disclosure::Whole).unwrap();
    proof.verify(&trust).unwrap();
    type Change = fn(&mut VaultProof);
    let changes: [(&str, Change); 8] = [
        ("name", |p| p.log.name = "other".to_owned()),
        ("origin", |p| p.log.origin.push('x')),
        ("size", |p| p.log.head.size = bulla::seq::TreeSize::new(6)),
        ("hash", |p| p.log.algorithm = HashAlgorithm::Blake3),
        ("place", |p| p.place.seq = Seq::new(1 - p.place.seq.get())),
        ("no place", |p| p.place.hashes.clear()),
        ("position", |p| p.inclusion.seq = Seq::new(3)),
        ("record", |p| *p.record.last_mut().unwrap() ^= 1),
    ];
    for (what, change) in changes {
        let mut changed = proof.clone();
        change(&mut changed);
        assert!(changed.verify(&trust).is_err(), "{what}");
    }
    // A record of the vault's own log that is no list, however well it is proved.
    let mut no_list = proof.clone();
    let control = vault.control();
    no_list.list =
        control.snapshot().prove(Seq::new(0), &signed, Disclosure::WithholdPayload).unwrap();
    let refused = no_list.verify(&trust);
    assert!(matches!(refused, Err(VerifyVaultError::NotAList { .. })), "{refused:?}");
    // Every line of the text counts.
    let text = proof.to_text();
    for at in (0..text.len()).step_by(7) {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        let held = VaultProof::parse(&bytes).map(|proof| proof.verify(&trust).is_ok());
        assert!(!matches!(held, Ok(true)), "byte {at} of {text}");
    }
    for cut in 0..text.len() - 1 {
        assert!(VaultProof::parse(&text.as_bytes()[..cut]).is_err());
    }
    assert_eq!(HeadList::new(heads.heads().to_vec()).head(), heads.head());
}

#[test]
fn a_log_that_lists_heads_without_being_a_vaults_own_proves_nothing() {
    let (disk, clock) = (SimDisk::new(11), clock());
    let vault = options(&disk, &clock).create(dir()).unwrap();
    vault.append(&event(None, "x.y", 0)).unwrap();
    let signer_of_vault = signer(&disk, &vault);
    let signed = vault.checkpoint(&signer_of_vault).unwrap();
    let list = &signed.heads;
    let unverified = signed.signed.clone().into_unverified();
    let proof = vault.prove("main", Seq::new(0), &unverified, Disclosure::Whole).unwrap();
    // Somebody who may append to an ordinary log appends what looks like a list.
    let log = LogOptions::new().disk(Arc::new(disk.clone())).origin("example.com/plain");
    let log = log.create(PathBuf::from("/plain")).unwrap();
    let resource = Resource::new("vault-heads", list.resource_id());
    let receipt = log.append(&Event::new(Actor::new("u", "m"), "vault.heads", resource)).unwrap();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let path = PathBuf::from("/plain-key");
    let key = Signer::generate_on(shared, &path, log.origin(), log.algorithm()).unwrap();
    let checkpoint = log.checkpoint(&key).unwrap().into_unverified();
    let forged_list =
        log.snapshot().prove(receipt.seq, &checkpoint, Disclosure::WithholdPayload).unwrap();
    let forged = VaultProof { list: forged_list, ..proof };
    let refused = forged.verify(&trust(&key));
    assert!(matches!(refused, Err(VerifyVaultError::NotAList { .. })), "{refused:?}");
}

#[test]
fn a_log_that_was_set_back_behind_its_listed_head_is_not_signed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault");
    let vault = Vault::options().origin("example.com/audit").create(&path).unwrap();
    vault.append(&event(None, "x.y", 0)).unwrap();
    vault.close().unwrap();
    drop(vault);
    let copy = dir.path().join("copy");
    copy_all(&path.join("logs/main"), &copy);
    let vault = Vault::open(&path).unwrap();
    let key = dir.path().join("key");
    let signer = Signer::generate(&key, vault.origin(), HashAlgorithm::Sha256).unwrap();
    vault.append(&event(None, "x.y", 1)).unwrap();
    vault.checkpoint(&signer).unwrap();
    vault.close().unwrap();
    drop(vault);
    std::fs::remove_dir_all(path.join("logs/main")).unwrap();
    copy_all(&copy, &path.join("logs/main"));
    let vault = Vault::open(&path).unwrap();
    let refused = vault.checkpoint(&signer).map(|_| ());
    assert!(matches!(refused, Err(Error::WouldFork { .. })), "{refused:?}");
    vault.append(&event(None, "x.y", 2)).unwrap();
    assert!(matches!(vault.checkpoint(&signer), Err(Error::WouldFork { .. })));
}

fn copy_all(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (entry, to) = (entry.unwrap(), to.to_owned());
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_all(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

#[test]
fn what_a_vault_does_not_write_in_its_own_log_is_tampering() {
    let (disk, clock) = (SimDisk::new(13), clock());
    let vault = options(&disk, &clock).create(dir()).unwrap();
    let routing =
        Event::new(Actor::new("u", "m"), "vault.routing.changed", Resource::kind_only("vault"));
    let details = r#"{"rules": [], "default": "main", "more": 1}"#;
    vault.control().append(&routing.details_json(details).unwrap()).unwrap();
    drop(vault);
    let opened = options(&disk, &clock).open(dir()).map(|_| ());
    assert!(matches!(opened, Err(Error::Tampered { .. })), "{opened:?}");
}

#[test]
fn threads_share_few_open_logs() {
    let dir = tempfile::tempdir().unwrap();
    let options = Vault::options().max_open_logs(2).log(LogOptions::new().segment_bytes(64 << 10));
    let vault = options.create(dir.path().join("vault")).unwrap();
    vault.set_routing(Routing::to("main").rule(Rule::per_tenant("t")), &asked()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..6_u64 {
            let vault = vault.clone();
            scope.spawn(move || {
                for n in 0..12 {
                    let tenant = ((thread + n) % 5).to_string();
                    vault.append(&event(Some(&tenant), "x.y", thread * 100 + n)).unwrap();
                    if n % 4 == 0 {
                        vault.query(&Query::new().tenant(tenant).limit(3)).unwrap().for_each(drop);
                    }
                }
            });
        }
    });
    let records = vault.query(&Query::new()).unwrap();
    let ids: std::collections::BTreeSet<_> =
        records.map(|found| found.unwrap().record.event.resource.id).collect();
    assert_eq!(ids.len(), 72);
    vault.close().unwrap();
}
