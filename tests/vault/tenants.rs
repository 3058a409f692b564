//! A tenant's handle gives nothing of others, not even that they are there: what it says is
//! the same in a vault with their records and in one without.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bulla::disk::sim::{Fault, FaultKind, SimDisk};
use bulla::time::ManualClock;
use bulla::vault::{
    LogSpec, Reference, Routing, Rule, TenantCursor, TenantError, TenantRecord, TenantVault,
};
use bulla::{
    Actor, Attribution, Error, Event, EventId, Housekeeping, KeyStore, LogOptions, Outcome,
    PayloadState, Query, Resource, Seq, Timestamp, Vault, VaultOptions, WrappingKey,
};
use proptest::prelude::*;

/// In everything that others write.
const MARKER: &str = "umbrella";

fn options(disk: &SimDisk, clock: &Arc<ManualClock>) -> VaultOptions {
    VaultOptions::new()
        .log(LogOptions::new().segment_bytes(64 << 10))
        .origin("example.com/audit")
        .max_open_logs(2)
        .housekeeping(Housekeeping::Inline)
        .clock(Arc::clone(clock) as _)
        .disk(Arc::new(disk.clone()))
}

fn vault(seed: u64) -> (SimDisk, Arc<ManualClock>, Vault) {
    let disk = SimDisk::new(seed);
    let clock = Arc::new(ManualClock::at(Timestamp::from_nanos(1_767_225_600_000_000_000)));
    let vault = options(&disk, &clock).create(PathBuf::from("/vault")).unwrap();
    let asked = Attribution::by("user:carol");
    vault.add_log("shared", LogSpec::new(), &asked).unwrap();
    let routing = Routing::to("main")
        .rule(Rule::to("shared").action_prefix("s."))
        .rule(Rule::per_tenant("own").action_prefix("o."));
    vault.set_routing(routing, &asked).unwrap();
    (disk, clock, vault)
}

#[derive(Clone, Debug)]
enum Step {
    Own { action: usize, n: u64 },
    Others { action: usize, n: u64 },
    Pass(u64),
    Rotate,
}

const ACTIONS: [&str; 3] = ["s.read", "o.read", "m.read"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..3_usize, 0..5_u64).prop_map(|(action, n)| Step::Own { action, n }),
        4 => (0..3_usize, 0..5_u64).prop_map(|(action, n)| Step::Others { action, n }),
        1 => (0..3_000_000_000_u64).prop_map(Step::Pass),
        1 => Just(Step::Rotate),
    ];
    prop::collection::vec(step, 0..40)
}

fn own(action: usize, n: u64, id: u8) -> Event {
    let outcome = if n == 3 { Outcome::Denied } else { Outcome::Success };
    Event::new(Actor::new("user", "alice"), ACTIONS[action], Resource::new("r", n.to_string()))
        .id(EventId([id; 16]))
        .outcome(outcome)
        .reason("because")
}

fn others(action: usize, n: u64) -> Event {
    let actor = Actor::new("user", format!("{MARKER}-{n}"));
    // The same words in what queries ask for.
    let actor = if n == 4 { Actor::new("user", "alice") } else { actor };
    Event::new(actor, ACTIONS[action], Resource::new("r", n.to_string()))
        .tenant(MARKER)
        .reason(MARKER)
}

/// All that a handle says, with what is drawn at random replaced by its length.
#[derive(Default, Debug, PartialEq)]
struct Said(Vec<String>);

impl Said {
    fn token(token: &str) -> String {
        format!("<{}>", token.len())
    }

    fn record(&mut self, record: &TenantRecord) {
        let token = record.reference.to_string();
        let mask = |text: String| text.replace(&token, &Said::token(&token));
        self.0.push(mask(record.to_json()));
        self.0.push(mask(format!("{record:?}")));
    }

    fn error<T>(&mut self, result: Result<T, TenantError>) {
        let error = result.err();
        self.0.push(format!("{error:?}"));
        self.0.push(error.map_or(String::new(), |error| error.to_string()));
    }
}

fn questions() -> Vec<Query> {
    let all = Query::new;
    vec![
        all(),
        all().oldest_first(),
        all().actor("alice"),
        all().tenant("acme"),
        all().action("s.*").unwrap(),
        all().outcome(Outcome::Denied),
        all().resource("r", "4"),
        all().system(true),
        all().actor(format!("{MARKER}-1")),
        all().limit(2),
    ]
}

/// Asks a handle everything there is to ask.
fn interrogate(acme: &TenantVault, said: &mut Said) {
    said.0.push(format!("{acme:?} {}", acme.tenant()));
    for query in questions() {
        said.0.push(acme.count(&query).unwrap().to_string());
        let mut cursor: Option<TenantCursor> = None;
        loop {
            let page = query.clone().limit(3);
            let mut matches = match &cursor {
                None => acme.query(&page).unwrap(),
                Some(cursor) => acme.query_after(&page, cursor).unwrap(),
            };
            said.0.push(format!("{matches:?}"));
            let found: Vec<_> = matches.by_ref().map(Result::unwrap).collect();
            cursor = matches.cursor();
            said.0.push(cursor.as_ref().map_or(String::new(), |c| Said::token(&c.to_string())));
            for record in &found {
                said.record(record);
                said.record(&acme.get(&record.reference).unwrap());
            }
            if found.is_empty() {
                break;
            }
        }
    }
    said.error(acme.query(&Query::new().tenant(MARKER)));
    said.error(acme.count(&Query::new().tenant(MARKER).tenant("acme")));
    said.error(acme.append(&others(0, 1)));
    said.error(acme.get(&"garbage".parse().unwrap()));
    said.error(acme.query_after(&Query::new(), &"garbage".parse().unwrap()));
    let plain = Query::new().cursor_after(Seq::new(1)).unwrap();
    said.error(acme.query(&Query::new().after(plain)));
}

fn run(steps: &[Step], with_others: bool, seed: u64) -> Said {
    let (_disk, clock, vault) = vault(seed);
    let acme = vault.tenant("acme").unwrap();
    let (mut said, mut id) = (Said::default(), 0);
    for step in steps {
        match *step {
            Step::Own { action, n } => {
                id += 1;
                let receipt = acme.append(&own(action, n, id)).unwrap();
                let token = receipt.reference.to_string();
                said.0.push(format!("{receipt:?}").replace(&token, &Said::token(&token)));
            }
            Step::Others { action, n } if with_others => {
                vault.append(&others(action, n)).unwrap();
            }
            Step::Others { .. } => {}
            Step::Pass(nanos) => clock.advance(Duration::from_nanos(nanos)),
            Step::Rotate => vault.log("shared").unwrap().rotate().unwrap(),
        }
    }
    interrogate(&acme, &mut said);
    said
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_handle_says_the_same_with_and_without_others(steps in steps(), seed in any::<u64>()) {
        let (with, without) = (run(&steps, true, seed), run(&steps, false, seed));
        for said in &with.0 {
            prop_assert!(!said.contains(MARKER) , "{}", said);
        }
        prop_assert_eq!(with, without);
    }
}

#[test]
fn what_one_tenant_was_given_is_nothing_to_another() {
    let (_disk, _clock, vault) = vault(1);
    let (acme, other) = (vault.tenant("acme").unwrap(), vault.tenant(MARKER).unwrap());
    for action in 0..3 {
        acme.append(&own(action, 1, 1)).unwrap();
        other.append(&others(action, 1)).unwrap();
    }
    let mut matches = other.query(&Query::new()).unwrap();
    let record = matches.next().unwrap().unwrap();
    let cursor = matches.cursor().unwrap();
    let refused = [
        acme.get(&record.reference).unwrap_err(),
        // A cursor is no reference, though it has a place in it.
        other.get(&cursor.to_string().parse::<Reference>().unwrap()).unwrap_err(),
    ];
    assert_eq!(refused, [TenantError::NotFound, TenantError::NotFound]);
    for (asker, query) in [(&acme, Query::new()), (&other, Query::new().actor("x"))] {
        let refused = asker.query_after(&query, &cursor).unwrap_err();
        assert_eq!(refused, TenantError::InvalidCursor);
    }
    assert_eq!(other.query_after(&Query::new(), &cursor).unwrap().count(), 2);
    // The vault itself sees all.
    assert_eq!(vault.query(&Query::new()).unwrap().count(), 6);
    assert!(vault.tenant("").is_err() && vault.tenant("a\nb").is_err());
}

#[test]
fn tokens_survive_reopening_and_a_lost_secret_only_loses_tokens() {
    let (disk, clock, vault) = vault(2);
    let acme = vault.tenant("acme").unwrap();
    let reference = acme.append(&own(0, 1, 1)).unwrap().reference;
    drop((acme, vault));
    let open = || options(&disk, &clock).open(PathBuf::from("/vault")).unwrap();
    assert!(open().tenant("acme").unwrap().get(&reference).is_ok());
    bulla::disk::Disk::remove_file(&disk, &PathBuf::from("/vault/secret")).unwrap();
    let vault = open();
    let acme = vault.tenant("acme").unwrap();
    assert_eq!(acme.get(&reference), Err(TenantError::NotFound));
    assert_eq!(acme.count(&Query::new()), Ok(1));
}

#[test]
fn an_error_of_the_vault_is_told_to_whoever_runs_it_and_not_to_the_tenant() {
    let (disk, clock, vault) = vault(3);
    vault.append(&others(0, 1)).unwrap();
    drop(vault);
    let told = Arc::new(Mutex::new(Vec::new()));
    let (sink, path) = (Arc::clone(&told), PathBuf::from("/vault"));
    let options = options(&disk, &clock).on_tenant_error(move |tenant, error| {
        sink.lock().unwrap().push(format!("{tenant}: {error}"));
    });
    let vault = options.open(&path).unwrap();
    let acme = vault.tenant("acme").unwrap();
    acme.append(&own(0, 1, 1)).unwrap();
    vault.log("shared").unwrap();
    disk.plan(Fault { at: 0, kind: FaultKind::SyncFailed, stored: false });
    let error = acme.append(&own(0, 2, 2)).unwrap_err();
    assert_eq!(error, TenantError::Unavailable);
    assert_eq!(format!("{error:?} {error}"), "Unavailable not available now: try again later");
    let told = told.lock().unwrap().join("\n");
    assert!(told.starts_with("acme: ") && told.contains("/vault/logs/shared"), "{told}");
    // The log is opened anew.
    acme.append(&own(0, 2, 2)).unwrap();
}

#[test]
fn an_invalid_event_is_the_tenants_own_affair() {
    let (_disk, _clock, vault) = vault(4);
    let acme = vault.tenant("acme").unwrap();
    let invalid = acme.append(&own(0, 1, 1).tag("", "x\u{7}")).unwrap_err();
    assert!(matches!(invalid, TenantError::Invalid(_)), "{invalid:?}");
}

#[test]
fn a_tenant_sees_that_a_payload_was_erased() {
    let (disk, clock, vault) = vault(5);
    drop(vault);
    let key = WrappingKey::from_bytes([7; 32]);
    let store = KeyStore::create_on(Arc::new(disk.clone()), &PathBuf::from("/keys"), &key).unwrap();
    let options = options(&disk, &clock).tune(move |name, options| {
        if name == "shared" { Ok(options.key_store(store.clone())) } else { Ok(options) }
    });
    let vault = options.open(PathBuf::from("/vault")).unwrap();
    let acme = vault.tenant("acme").unwrap();
    let erased = acme.append(&own(0, 1, 1).subject("user:alice")).unwrap().reference;
    let plain = acme.append(&own(0, 2, 2)).unwrap().reference;
    let before = acme.get(&erased).unwrap();
    assert_eq!(before.payload, PayloadState::Decrypted);
    assert_eq!(before.event.reason.as_deref(), Some("because"));
    vault.log("shared").unwrap().retention().erase("user:alice", &Attribution::by("dpo")).unwrap();

    let after = acme.get(&erased).unwrap();
    assert_eq!((after.payload, after.event.reason), (PayloadState::Erased, None));
    assert_eq!(acme.get(&plain).unwrap().payload, PayloadState::Plain);
    let found: Vec<TenantRecord> =
        acme.query(&Query::new().oldest_first()).unwrap().map(Result::unwrap).collect();
    let states: Vec<PayloadState> = found.iter().map(|record| record.payload).collect();
    assert_eq!(states, [PayloadState::Erased, PayloadState::Plain]);
    let json: Vec<serde_json::Value> =
        found.iter().map(|record| serde_json::from_str(&record.to_json()).unwrap()).collect();
    assert_eq!(json[0]["payload"], "erased");
    assert_eq!((json[0].get("reason"), json[1].get("payload")), (None, None));
    // The vault's own answers say so, too.
    let merged = vault.query(&Query::new().oldest_first()).unwrap().next().unwrap().unwrap();
    assert_eq!(merged.record.payload, PayloadState::Erased);
}

#[test]
fn a_log_of_a_vault_is_not_opened_without_its_key_store_and_options_that_fail_are_told() {
    let (disk, clock, made) = vault(6);
    drop(made);
    let key = || WrappingKey::from_bytes([7; 32]);
    let (on, path) = (Arc::new(disk.clone()), PathBuf::from("/vault"));
    let store = KeyStore::create_on(on, &PathBuf::from("/keys"), &key()).unwrap();
    let given = store.clone();
    let with_store = options(&disk, &clock).tune(move |name, options| {
        if name == "shared" { Ok(options.key_store(given.clone())) } else { Ok(options) }
    });
    let vault = with_store.open(&path).unwrap();
    vault.append(&own(0, 1, 1)).unwrap();
    vault.close().unwrap();

    let vault = options(&disk, &clock).open(&path).unwrap();
    let refused = vault.append(&own(0, 2, 2)).map(|_| ());
    assert!(matches!(refused, Err(Error::Unprotected { .. })), "{refused:?}");
    vault.append(&own(2, 2, 2)).unwrap(); // another log
    vault.close().unwrap();

    let failing = options(&disk, &clock).tune(move |name, options| match name {
        "shared" => Err(Error::KeyStore { path: "/keys".into(), reason: "not mounted".to_owned() }),
        _ => Ok(options),
    });
    let vault = failing.open(&path).unwrap();
    for _ in 0..3 {
        let refused = vault.append(&own(0, 2, 2)).map(|_| ());
        assert!(matches!(refused, Err(Error::KeyStore { .. })), "{refused:?}");
    }
    assert_eq!(vault.tenant("acme").unwrap().append(&own(0, 2, 2)), Err(TenantError::Unavailable));
}

#[test]
fn the_vaults_own_log_keeps_its_protection_too() {
    let (disk, clock, made) = vault(7);
    drop(made);
    let (on, path) = (Arc::new(disk.clone()), PathBuf::from("/vault"));
    let key = WrappingKey::from_bytes([7; 32]);
    let store = KeyStore::create_on(on, &PathBuf::from("/keys"), &key).unwrap();
    let protected = options(&disk, &clock).tune(move |name, options| match name {
        "control" => Ok(options.key_store(store.clone())),
        _ => Ok(options),
    });
    protected.clone().open(&path).unwrap().close().unwrap();
    let refused = options(&disk, &clock).open(&path).map(|_| ());
    assert!(matches!(refused, Err(Error::Unprotected { .. })), "{refused:?}");
    protected.open(&path).unwrap();
}
