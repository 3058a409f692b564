//! The real logs that are forged.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bulla::archive::DirectoryStore;
use bulla::checkpoint::{SignatureKind, SigningKey};
use bulla::disk::Disk;
use bulla::disk::sim::SimDisk;
use bulla::log::SubjectRule;
use bulla::time::ManualClock;
use bulla::vault::{LogSpec, Routing, Rule, VaultOptions};
use bulla::{
    Actor, Attribution, Event, ExpireOptions, HashAlgorithm, Hold, HoldScope, Housekeeping,
    KeyStore, Log, LogOptions, Outcome, Period, Policy, Resource, Signer, Timestamp, WrappingKey,
};

use crate::forge::files::Files;
use crate::forge::hashes::Algorithm;
use crate::forge::notes::Key;
use crate::forge::{Forge, KEY_SEED};
use crate::support::{ORIGIN, START};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// SHA-256: two sealed segments and an active one, three anchors and heads, a clean end.
    Plain,
    /// The same with frames at multiples of 512.
    Aligned,
    /// The same with BLAKE3.
    Blake3,
    /// Payloads of some records are encrypted; the key store is the file `keys`.
    Encrypted,
    /// As `Plain`; what followed the last frame after a crash was set aside.
    Torn,
    /// Eight days, a segment each: holds, a policy, segments in an archive, dropped, restored.
    Retention,
    /// Three keys, each with heads: a recovery key named, the first one handed over, the second one
    /// revoked.
    Keys,
    /// Two segments in an archive, under heads by two keys, and dropped.
    Archive,
    /// The own log of a vault. Beside it the vault: logs for all and of a tenant, a checkpoint, and
    /// in `token` a reference of that tenant.
    Vault,
}

impl Base {
    pub(crate) const ALL: [Base; 9] = [
        Base::Plain,
        Base::Aligned,
        Base::Blake3,
        Base::Encrypted,
        Base::Torn,
        Base::Retention,
        Base::Keys,
        Base::Archive,
        Base::Vault,
    ];

    /// Its files, as the engine wrote them.
    pub(crate) fn files(self) -> &'static Files {
        static MADE: [OnceLock<Files>; Base::ALL.len()] =
            [const { OnceLock::new() }; Base::ALL.len()];
        let at = Base::ALL.iter().position(|base| *base == self).unwrap();
        MADE[at].get_or_init(|| self.make())
    }

    /// Taken apart.
    pub(crate) fn forge(self) -> Forge {
        Forge::read(self.files(), &self.keys())
    }

    /// All keys that signed something in it.
    fn keys(self) -> Vec<Key> {
        match self {
            Base::Keys => vec![self.key(), second_key(), third_key(), recovery_key()],
            Base::Archive => vec![self.key(), second_key()],
            _ => vec![self.key()],
        }
    }

    /// The file of the key that signs its heads at the end.
    pub(crate) fn key_file(self) -> &'static Path {
        Path::new(match self {
            Base::Keys => "/key-3",
            Base::Archive => "/key-2",
            _ => "/key",
        })
    }

    pub(crate) fn key(self) -> Key {
        let of_vault = format!("{ORIGIN}/vault");
        let name = if self == Base::Vault { &of_vault } else { ORIGIN };
        Key::new(name, self.algorithm(), KEY_SEED)
    }

    fn algorithm(self) -> Algorithm {
        if self == Base::Blake3 { Algorithm::Blake3 } else { Algorithm::Sha256 }
    }

    /// How it is opened, by a clock at this time.
    pub(crate) fn options(self, disk: &SimDisk, clock: &Arc<ManualClock>) -> LogOptions {
        let options = LogOptions::new()
            .origin(&self.key().name)
            .segment_bytes(64 << 10)
            .housekeeping(Housekeeping::Inline)
            .disk(Arc::new(disk.clone()))
            .clock(Arc::clone(clock) as _);
        match self {
            Base::Plain
            | Base::Torn
            | Base::Retention
            | Base::Keys
            | Base::Archive
            | Base::Vault => options,
            Base::Aligned => options.frame_align(512),
            Base::Blake3 => options.hash(HashAlgorithm::Blake3),
            Base::Encrypted => {
                let options = options.subject_rule(SubjectRule::Actor);
                match self.key_store(disk) {
                    Ok(store) => options.key_store(store),
                    // Without its store it is refused too.
                    Err(_) => options,
                }
            }
        }
    }

    /// The key store of the log with encrypted payloads.
    /// It stands in `keys`, or `audit/keys`; the key to it in `wrapping`, if that is there.
    pub(crate) fn key_store(self, disk: &SimDisk) -> bulla::Result<KeyStore> {
        let there = |path: &Path| disk.exists(path).unwrap();
        let (inside, key) = (Path::new("/audit/keys"), Path::new("/wrapping"));
        let wrapping = if there(key) { WrappingKey::load_on(disk, key)? } else { self::wrapping() };
        let path = if there(inside) { inside } else { Path::new("/keys") };
        KeyStore::open_on(Arc::new(disk.clone()), path, &wrapping)
    }

    fn make(self) -> Files {
        if self == Base::Vault {
            return vault();
        }
        let disk = SimDisk::new(7);
        let clock = Arc::new(ManualClock::at(Timestamp::from_nanos(START)));
        disk.write_file(Path::new("/key"), self.key().secret_text().as_bytes()).unwrap();
        if self == Base::Encrypted {
            KeyStore::create_on(Arc::new(disk.clone()), Path::new("/keys"), &wrapping()).unwrap();
        }
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let signer = Signer::load_on(shared, Path::new("/key")).unwrap();
        let log = self.options(&disk, &clock).create("/audit").unwrap();
        let maker = Maker { disk: disk.clone(), clock, signer, log };
        match self {
            Base::Retention => maker.retention(),
            Base::Keys => maker.keys(),
            Base::Archive => maker.archive(),
            _ => maker.plain(),
        }
        maker.log.close().unwrap();
        if self == Base::Torn {
            self.tear(&disk, &maker.clock);
        }
        Files::of(&disk)
    }
}

impl Base {
    /// Puts the beginning of a frame behind the last one, and opens the log.
    fn tear(self, disk: &SimDisk, clock: &Arc<ManualClock>) {
        let path = Path::new("/audit/segments/00000003.seg");
        let mut segment = disk.read_file(path).unwrap();
        let used = segment.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        let end = used.max(segment.windows(4).rposition(|magic| magic == b"BFRM").unwrap() + 32);
        segment[end..end + 20].copy_from_slice(b"BFRM of a frame torn");
        disk.write_file(path, &segment).unwrap();
        let log = self.options(disk, clock).open("/audit").unwrap();
        assert_eq!(log.recovery().set_aside.len(), 1, "{:?}", log.recovery());
        log.append(&event(93)).unwrap();
        log.close().unwrap();
    }
}

/// How the vault is opened, by a clock at this time.
pub(crate) fn vault_options(disk: &SimDisk, clock: &Arc<ManualClock>) -> VaultOptions {
    VaultOptions::new()
        .log(LogOptions::new().segment_bytes(64 << 10))
        .origin(ORIGIN)
        .housekeeping(Housekeeping::Inline)
        .disk(Arc::new(disk.clone()))
        .clock(Arc::clone(clock) as _)
}

/// The tenant whose reference is in `token`.
pub(crate) const TENANT: &str = "tenant-1";

fn vault() -> Files {
    let disk = SimDisk::new(7);
    let clock = Arc::new(ManualClock::at(Timestamp::from_nanos(START)));
    disk.write_file(Path::new("/key"), Base::Vault.key().secret_text().as_bytes()).unwrap();
    let signer = Signer::load_on(Arc::new(disk.clone()), Path::new("/key")).unwrap();
    let vault = vault_options(&disk, &clock).create("/vault").unwrap();
    vault.add_log("security", LogSpec::new().hash(HashAlgorithm::Blake3), &asked()).unwrap();
    let routing = Routing::to("main")
        .rule(Rule::to("security").action_prefix("auth."))
        .rule(Rule::per_tenant("tenant").tenant(TENANT));
    vault.set_routing(routing, &asked()).unwrap();
    for n in 0..9 {
        vault.append(&event(n)).unwrap();
        clock.advance(Duration::from_millis(5));
    }
    let login = Event::new(Actor::new("user", "user-1"), "auth.login", Resource::new("door", "1"));
    vault.append(&login).unwrap();
    let token = vault.tenant(TENANT).unwrap().append(&event(1)).unwrap().reference;
    vault.checkpoint(&signer).unwrap();
    vault.close().unwrap();
    drop(vault);
    disk.write_file(Path::new("/token"), token.to_string().as_bytes()).unwrap();
    Files::of(&disk).renamed("vault/control/", "audit/")
}

/// The key to which the first one handed over.
pub(crate) fn second_key() -> Key {
    Key::new(ORIGIN, Algorithm::Sha256, KEY_SEED + 1)
}

/// The key that signs since the second one was revoked.
pub(crate) fn third_key() -> Key {
    Key::new(ORIGIN, Algorithm::Sha256, KEY_SEED + 2)
}

/// The key that revoked it.
pub(crate) fn recovery_key() -> Key {
    Key::new(&format!("{ORIGIN}/recovery"), Algorithm::Sha256, KEY_SEED + 3)
}

/// Bytes of the key that the store is encrypted under.
pub(crate) const WRAPPING: [u8; 32] = [7; 32];

fn wrapping() -> WrappingKey {
    WrappingKey::from_bytes(WRAPPING)
}

pub(crate) fn asked() -> Attribution {
    Attribution::by("carol").because("it was asked for")
}

/// The n-th event, with every field of envelope and payload in some of them.
pub(crate) fn event(n: u64) -> Event {
    let resource = Resource::new("invoice", n.to_string());
    let mut event =
        Event::new(Actor::new("user", format!("user-{}", n % 5)), "invoice.read", resource)
            .tenant(format!("tenant-{}", n % 3))
            .outcome(if n % 4 == 1 { Outcome::Denied } else { Outcome::Success })
            .request_id(format!("request-{n}"))
            .ip("203.0.113.9")
            .reason(format!("because of {n}"))
            .occurred_at(Timestamp::from_nanos(START + i64::try_from(n).unwrap() * 1_000));
    event.tags.insert("a".to_owned(), n.to_string());
    event.tags.insert("b".to_owned(), "x".to_owned());
    event.details_json(&format!("{{\"n\":{n}}}")).unwrap()
}

struct Maker {
    disk: SimDisk,
    clock: Arc<ManualClock>,
    signer: Signer,
    log: Log,
}

impl Maker {
    fn append(&self, numbers: std::ops::Range<u64>) {
        for n in numbers {
            self.log.append(&event(n)).unwrap();
            self.clock.advance(Duration::from_millis(5));
        }
    }

    fn batch(&self, numbers: std::ops::Range<u64>) {
        self.log.append_batch(&numbers.map(event).collect::<Vec<_>>()).unwrap();
        self.clock.advance(Duration::from_millis(5));
    }

    fn sign(&self) {
        self.log.checkpoint(&self.signer).unwrap();
        self.clock.advance(Duration::from_millis(5));
    }

    fn plain(&self) {
        self.append(0..6);
        self.batch(6..38);
        self.sign();
        self.append(38..40);
        self.log.rotate().unwrap();
        self.batch(40..80);
        self.sign();
        self.log.rotate().unwrap();
        self.append(80..83);
        self.batch(83..90);
        self.sign();
        self.append(90..93);
    }

    fn keys(&self) {
        let recovery = recovery_key();
        let recovery =
            SigningKey::new(&recovery.name, SignatureKind::Ed25519, &recovery.seed).unwrap();
        self.append(0..6);
        self.sign();
        self.log.keys().set_recovery(&self.signer, &recovery, None).unwrap();
        self.append(6..10);
        self.sign();
        let second = self.key_in("/key-2", &second_key());
        self.log.keys().rotate(&self.signer, &second).unwrap();
        self.append(10..20);
        self.log.checkpoint(&second).unwrap();
        self.log.rotate().unwrap();
        self.append(20..24);
        let third = self.key_in("/key-3", &third_key());
        self.log.keys().revoke(second.verifying_key(), &recovery, &third).unwrap();
        self.append(24..30);
        self.log.checkpoint(&third).unwrap();
        self.append(30..33);
    }

    fn archive(&self) {
        let store = self.store();
        let policy = Policy::keep(Period::from_days(2)).archive(true);
        self.log.retention().set_policy(&policy, &asked()).unwrap();
        self.batch(0..20);
        self.sign();
        self.log.rotate().unwrap();
        self.sign();
        self.log.archive().copy(1, &store, &asked()).unwrap();
        let second = self.key_in("/key-2", &second_key());
        self.log.keys().rotate(&self.signer, &second).unwrap();
        self.batch(20..40);
        self.log.checkpoint(&second).unwrap();
        self.log.rotate().unwrap();
        self.log.checkpoint(&second).unwrap();
        self.log.archive().copy(2, &store, &asked()).unwrap();
        self.clock.advance(Duration::from_secs(10 * 24 * 3600));
        self.append(40..43);
        let expiry = self.log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
        assert_eq!(expiry.dropped.len(), 2, "{expiry:?}");
        self.log.checkpoint(&second).unwrap();
        self.append(43..46);
    }

    fn key_in(&self, path: &str, key: &Key) -> Signer {
        let path = Path::new(path);
        self.disk.write_file(path, key.secret_text().as_bytes()).unwrap();
        Signer::load_on(Arc::new(self.disk.clone()), path).unwrap()
    }

    fn retention(&self) {
        let store = self.store();
        let days = |days| Period::from_days(days);
        self.log
            .retention()
            .place_hold(&Hold::new("case 7", HoldScope::new().resource("invoice", "41")), &asked())
            .unwrap();
        self.log
            .retention()
            .place_hold(&Hold::new("case 8", HoldScope::new().actor("nobody-there")), &asked())
            .unwrap();
        self.log.retention().release_hold("case 8", &asked()).unwrap();
        self.log.retention().set_policy(&Policy::keep(days(2)).archive(true), &asked()).unwrap();
        for day in 0..8 {
            self.batch(day * 20..day * 20 + 20);
            self.sign();
            self.log.rotate().unwrap();
            self.log.archive().copy(day + 1, &store, &asked()).unwrap();
            self.clock.advance(Duration::from_secs(24 * 3600));
        }
        self.append(160..163);
        let expiry = self.log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
        assert!(expiry.dropped.len() >= 3, "{expiry:?}");
        let folder = self.log.archive().restorable_in(&store).unwrap().remove(0).1;
        self.log.archive().restore(&store, &folder, &asked()).unwrap();
        self.sign();
        self.append(163..166);
    }

    fn store(&self) -> DirectoryStore {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        DirectoryStore::open_or_create_on(disk, Path::new("/archive")).unwrap()
    }
}
