//! What a case is, and how it is tried.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use bulla::archive::{self, DirectoryStore, VerifyArchiveOptions};
use bulla::checkpoint::Note;
use bulla::disk::Disk;
use bulla::disk::sim::SimDisk;
use bulla::keys::KeyChain;
use bulla::proof::{Answer, Bundle, CatalogProof, ConsistencyProof, IndexAudit, VaultProof};
use bulla::time::ManualClock;
use bulla::{
    Error, Query, Seq, Signer, Timestamp, TlogProof, Trust, UnverifiedCheckpoint, Vault,
    VerifyOptions, VerifyingKey, verify,
};

use crate::bases::{Base, TENANT, vault_options};
use crate::forge::Forge;
use crate::forge::files::Files;
use crate::support::START;

/// Who refuses: as in the lists of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum By {
    /// Opening for writing.
    Open,
    Verify,
    /// Opening for reading, getting each record, asking for all and for an actor's.
    Read,
    /// Verifying the files in `proofs/`.
    VerifyProof,
    /// Verifying each folder of `archive/` by the key of the base.
    VerifyArchive,
    /// Bringing back what is in `archive/` and was dropped.
    Restore,
    /// Signing a head with the key of the log.
    Sign,
    /// Opening the key store.
    KeyStore,
    /// Opening a vault, and each of its logs.
    Vault,
    /// Getting the record of the reference in `token`, as its tenant.
    Tenant,
    /// Nobody: it is derived. All records are read rightly, and opening makes it anew.
    Rebuilt,
}

impl By {
    pub(crate) fn name(self) -> &'static str {
        match self {
            By::Open => "open",
            By::Verify => "verify",
            By::Read => "read",
            By::VerifyProof => "verify-proof",
            By::VerifyArchive => "verify-archive",
            By::Restore => "restore",
            By::Sign => "sign",
            By::KeyStore => "key store",
            By::Vault => "vault",
            By::Tenant => "tenant",
            By::Rebuilt => "rebuilt",
        }
    }
}

/// As what it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum As {
    Corrupt,
    Tampered,
    Unsupported,
    /// A finding of a verification.
    Finding,
    /// Both copies of the catalog are damaged: the log opens, and what needs the catalog is refused.
    Catalog,
    /// Another error.
    Other,
    /// Of what is rebuilt.
    Nothing,
}

/// One thing that a reader must refuse.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// The id in docs/format.md; several cases may have one.
    pub(crate) id: &'static str,
    /// What is forged, in a few words.
    pub(crate) what: &'static str,
    pub(crate) base: Base,
    pub(crate) forge: fn(Forge) -> Files,
    /// Who refuses it, as what, and what the message says.
    pub(crate) expect: &'static [(By, As, &'static str)],
}

/// A case: id, what is forged, in which log, how, and who refuses it as what with which words.
macro_rules! case {
    ($id:literal, $what:literal, $base:ident, $forge:expr, [$($expect:expr),* $(,)?]) => {
        $crate::cases::Case {
            id: $id,
            what: $what,
            base: $crate::bases::Base::$base,
            forge: $forge,
            expect: &[$($expect),*],
        }
    };
}

pub(crate) use case;

/// A refusal: as what, and its message.
type Refusal = (As, String);

/// The clock by which a forged log is opened: long after its last record.
fn later() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_nanos(START + 40 * 24 * 3600 * 1_000_000_000)))
}

fn refusal(error: &Error) -> Refusal {
    let kind = match error {
        Error::Corrupt { .. } => As::Corrupt,
        Error::Tampered { .. } => As::Tampered,
        Error::Unsupported { .. } => As::Unsupported,
        Error::CatalogDamaged { .. } => As::Catalog,
        _ => As::Other,
    };
    (kind, error.to_string())
}

/// Tries a means; `Err` is what it said.
pub(crate) fn attempt(by: By, base: Base, files: &Files) -> Result<(), Refusal> {
    let disk = files.disk();
    match by {
        By::Open => open(base, &disk),
        By::Verify => check(base, &disk),
        By::Read => read(base, &disk).map(|_| ()).map_err(|error| refusal(&error)),
        By::Rebuilt => {
            assert_eq!(rebuilt(base, &disk), rebuilt(base, &base.files().disk()));
            Ok(())
        }
        By::VerifyProof => verify_proofs(base, files),
        By::VerifyArchive => verify_archive(base, &disk),
        By::Restore => restore(base, files, &disk),
        By::Sign if base == Base::Vault => sign_vault(files),
        By::Sign => sign(base, &disk),
        By::Vault => open_vault(files),
        By::Tenant => as_tenant(files),
        By::KeyStore => base.key_store(&disk).map(|_| ()).map_err(|error| refusal(&error)),
    }
}

/// Verifies each file in `proofs/` by the key of the base, by those of `proofs/NAME.vkey`, and by
/// the key chains among them; audits by the key in `pinned/auditor`, against the answers.
fn verify_proofs(base: Base, files: &Files) -> Result<(), Refusal> {
    let pinned = files.below("proofs/").filter(|name| name.ends_with(".vkey"));
    let pinned = pinned.map(|name| String::from_utf8(files.get(name).to_vec()).unwrap());
    let keys = pinned.chain([base.key().vkey()]).map(|vkey| vkey.parse::<VerifyingKey>().unwrap());
    let mut trust = Trust::in_keys(keys);
    for name in files.below("proofs/").filter(|name| name.ends_with(".key-chain")) {
        let learned = KeyChain::parse(files.get(name))
            .and_then(|chain| trust.clone().with_key_chain(&chain))
            .map_err(|error| (As::Other, format!("{name}: {error}")))?;
        trust = learned;
    }
    macro_rules! verified {
        ($proof:ty, $bytes:expr, $verify:ident) => {
            match <$proof>::parse($bytes) {
                Ok(proof) => proof.$verify(&trust).err().map(|error| error.to_string()),
                Err(error) => Some(error.to_string()),
            }
        };
    }
    for name in files.below("proofs/") {
        let bytes = files.get(name);
        let refused = match name.rsplit_once('.').unwrap().1 {
            "bulla-catalog-proof" => verified!(CatalogProof, bytes, verify),
            "bulla-answer" => verified!(Answer, bytes, verify),
            "bulla-bundle" => verified!(Bundle, bytes, verify),
            "bulla-consistency" => verified!(ConsistencyProof, bytes, verify),
            "bulla-vault-proof" => verified!(VaultProof, bytes, verify),
            "key-chain" | "vkey" => None,
            "checkpoint" => match UnverifiedCheckpoint::parse(bytes) {
                Ok(checkpoint) => trust.verify(&checkpoint).err().map(|error| error.to_string()),
                Err(error) => Some(error.to_string()),
            },
            "index-audit" => audited(files, bytes, &trust).err(),
            _ => verified!(TlogProof, bytes, verify_record),
        };
        if let Some(said) = refused {
            return Err((As::Other, format!("{name}: {said}")));
        }
    }
    Ok(())
}

/// Signs a head with the key of the log.
fn sign(base: Base, disk: &SimDisk) -> Result<(), Refusal> {
    let log = base.options(disk, &later()).open("/audit").map_err(|error| refusal(&error))?;
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let signer = Signer::load_on(shared, base.key_file()).map_err(|error| refusal(&error))?;
    let signed = log.checkpoint(&signer).map_err(|error| refusal(&error));
    log.close().map_err(|error| refusal(&error))?;
    signed.map(|_| ())
}

/// Verifies an audit, and that it vouches for each answer.
fn audited(files: &Files, bytes: &[u8], trust: &Trust) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let auditor = String::from_utf8(files.get("pinned/auditor").to_vec()).unwrap();
    let auditor = auditor.parse::<VerifyingKey>().unwrap();
    let note = Note::parse(bytes).map_err(|error| text(&error))?;
    let audit = IndexAudit::verify(&note, &auditor).map_err(|error| text(&error))?;
    let answers = files.below("proofs/").filter(|name| name.ends_with(".bulla-answer"));
    for name in answers {
        let answer = Answer::parse(files.get(name)).unwrap().verify(trust).unwrap();
        answer.check_audit(&audit).map_err(|error| text(&error))?;
    }
    Ok(())
}

/// The vault whose own log is the one in `audit/`.
fn vault_of(files: &Files) -> Result<(Vault, SimDisk), Refusal> {
    let disk = files.renamed("audit/", "vault/control/").disk();
    let vault = vault_options(&disk, &later()).open("/vault").map_err(|error| refusal(&error))?;
    Ok((vault, disk))
}

fn open_vault(files: &Files) -> Result<(), Refusal> {
    let (vault, _) = vault_of(files)?;
    for name in vault.logs() {
        vault.log(&name).map_err(|error| refusal(&error))?;
    }
    vault.close().map_err(|error| refusal(&error))
}

fn sign_vault(files: &Files) -> Result<(), Refusal> {
    let (vault, disk) = vault_of(files)?;
    let signer = Signer::load_on(Arc::new(disk), Path::new("/key")).unwrap();
    vault.checkpoint(&signer).map(|_| ()).map_err(|error| refusal(&error))
}

fn as_tenant(files: &Files) -> Result<(), Refusal> {
    let (vault, _) = vault_of(files)?;
    let token = String::from_utf8(files.get("token").to_vec()).unwrap().parse().unwrap();
    let record = vault.tenant(TENANT).unwrap().get(&token);
    record.map(|_| ()).map_err(|error| (As::Other, error.to_string()))
}

fn archive_in(disk: &SimDisk) -> DirectoryStore {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    DirectoryStore::open_on(shared, Path::new("/archive")).unwrap()
}

/// Verifies each folder of the archive.
fn verify_archive(base: Base, disk: &SimDisk) -> Result<(), Refusal> {
    let store = archive_in(disk);
    let key: VerifyingKey = base.key().vkey().parse().unwrap();
    let options = VerifyArchiveOptions::new().trust(Trust::in_keys([key]));
    for folder in archive::folders(&store).map_err(|error| refusal(&error))? {
        let report = archive::verify(&store, &folder, &options).map_err(|e| refusal(&e))?;
        if !report.is_clean() {
            let findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
            return Err((As::Finding, findings.join("\n")));
        }
    }
    Ok(())
}

/// Brings back every segment that is in the archive and not in the log.
fn restore(base: Base, files: &Files, disk: &SimDisk) -> Result<(), Refusal> {
    let log = base.options(disk, &later()).open("/audit").map_err(|error| refusal(&error))?;
    let store = archive_in(disk);
    for folder in archive::folders(&store).map_err(|error| refusal(&error))? {
        let ordinal = folder.rsplit_once('/').unwrap().1;
        if !files.has(&format!("audit/segments/{ordinal}.seg")) {
            let restored = log.archive().restore(&store, &folder, &crate::bases::asked());
            restored.map_err(|error| refusal(&error))?;
        }
    }
    log.close().map_err(|error| refusal(&error))
}

fn open(base: Base, disk: &SimDisk) -> Result<(), Refusal> {
    let log = base.options(disk, &later()).open("/audit").map_err(|error| refusal(&error))?;
    // With a damaged catalog it opens, and whatever needs the catalog says so.
    let damaged = log.snapshot().catalog().holds().err().map(|error| refusal(&error));
    log.close().map_err(|error| refusal(&error))?;
    damaged.map_or(Ok(()), Err)
}

fn check(base: Base, disk: &SimDisk) -> Result<(), Refusal> {
    let mut options = VerifyOptions::new().disk(Arc::new(disk.clone())).at_rest().threads(1);
    if base == Base::Encrypted
        && let Ok(store) = base.key_store(disk)
    {
        options = options.key_store(store);
    }
    let report = verify(Path::new("/audit"), &options, &mut |_| ()).map_err(|e| refusal(&e))?;
    if report.is_clean() {
        return Ok(());
    }
    let findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    Err((As::Finding, findings.join("\n")))
}

/// All records, each as JSON, and the answers to two questions.
fn read(base: Base, disk: &SimDisk) -> Result<Vec<String>, Error> {
    let reader = base.options(disk, &later()).open_read_only("/audit")?;
    let mut read = Vec::new();
    for seq in 0..reader.size().get() {
        match reader.snapshot().get(Seq::new(seq)) {
            Ok(record) => read.push(record.to_json()),
            Err(Error::Expired { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    for query in [Query::new().system(true), Query::new().actor("user-3")] {
        for record in reader.snapshot().query(&query.oldest_first())? {
            read.push(record?.to_json());
        }
    }
    match reader.catalog_damage() {
        Some(damage) => Err(Error::CatalogDamaged { reason: damage.to_owned() }),
        None => Ok(read),
    }
}

/// What is read of a log before and after it was opened for writing; verification is clean then.
fn rebuilt(base: Base, disk: &SimDisk) -> (Vec<String>, Vec<String>) {
    let before = read(base, disk).unwrap();
    let log = base.options(disk, &later()).open("/audit").unwrap();
    // A search meets what is wrong with an index, and the housekeeper makes it anew.
    assert!(
        log.snapshot().query(&Query::new().actor("user-3")).unwrap().all(|record| record.is_ok())
    );
    log.close().unwrap();
    drop(log);
    base.options(disk, &later()).open("/audit").unwrap().close().unwrap();
    if let Err((_, said)) = check(base, disk) {
        panic!("not clean after it was opened: {said}");
    }
    (before, read(base, disk).unwrap())
}

/// Tries each case: what was forged is refused as it should be, and panics nowhere.
pub(crate) fn run(cases: &[Case]) {
    run_all(cases.iter(), false);
}

/// The same with a snapshot of the catalog over what was forged.
pub(crate) fn run_with_snapshot(cases: &[Case]) {
    run_all(cases.iter(), true);
}

fn run_all<'a>(cases: impl Iterator<Item = &'a Case>, snapshot: bool) {
    let ran: Vec<Result<(), String>> = cases.map(|case| run_one(case, snapshot)).collect();
    let failures: Vec<&str> =
        ran.iter().filter_map(|ran| ran.as_ref().err()).map(|x| &**x).collect();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), ran.len(), failures.join("\n"));
    assert!(!ran.is_empty());
}

fn run_one(case: &Case, snapshot: bool) -> Result<(), String> {
    let name = format!("{} ({})", case.id, case.what);
    let forge = || Forge { snapshot, ..case.base.forge() };
    let forged = catch_unwind(AssertUnwindSafe(|| (case.forge)(forge())));
    let forged = forged.map_err(|_| format!("{name}: not forged"))?;
    if forged == *case.base.files() {
        return Err(format!("{name}: nothing was forged"));
    }
    let mut failures = Vec::new();
    // Whatever else refuses it: nothing panics. With a proof alone nobody else has to do.
    let is_proof = case.expect.iter().all(|(by, ..)| *by == By::VerifyProof);
    let mut means = if is_proof { Vec::new() } else { vec![By::Open, By::Verify, By::Read] };
    means.extend(case.expect.iter().map(|(by, ..)| *by).filter(|by| *by > By::Read));
    for by in means {
        let tried = catch_unwind(AssertUnwindSafe(|| attempt(by, case.base, &forged)));
        let expected = case.expect.iter().find(|(expected, ..)| *expected == by);
        let Some((_, kind, says)) = expected else {
            failures.extend(tried.is_err().then(|| format!("{name}: {by:?} panicked")));
            continue;
        };
        let wrong = match tried {
            Err(_) => Some("panicked".to_owned()),
            Ok(Ok(())) if by == By::Rebuilt => None,
            Ok(Ok(())) => Some("was content".to_owned()),
            Ok(Err((found, said))) if found != *kind || !said.contains(says) => {
                Some(format!("refused it as {found:?}: {said}; expected {kind:?}: {says}"))
            }
            Ok(Err(_)) => None,
        };
        failures.extend(wrong.map(|wrong| format!("{name}: {by:?} {wrong}")));
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

fn means_of(base: Base) -> Vec<By> {
    let mut means = vec![By::Open, By::Verify, By::Read, By::VerifyProof, By::Sign, By::Rebuilt];
    if base == Base::Archive {
        means.extend([By::VerifyArchive, By::Restore]);
    }
    if base == Base::Vault {
        means.extend([By::Vault, By::Tenant]);
    }
    means.extend((base == Base::Encrypted).then_some(By::KeyStore));
    means.extend((base == Base::Retention).then_some(By::Restore));
    means
}

/// The real logs are taken apart and written again, byte for byte, and nobody refuses them.
#[test]
fn what_is_not_forged_is_written_as_it_was_and_passes() {
    for base in Base::ALL {
        let files = base.forge().write();
        for (name, bytes) in &base.files().0 {
            let made = files.get(name);
            let at = made.iter().zip(bytes).position(|(made, was)| made != was);
            let lens = (made.len(), bytes.len());
            assert!(made == bytes, "{base:?}: {name} is not the same at {at:?}, lengths {lens:?}");
        }
        assert_eq!(base.forge().snapshot_file(), files.get("audit/catalog/snapshot"), "{base:?}");
        for by in means_of(base) {
            if let Err((kind, said)) = attempt(by, base, &files) {
                panic!("{base:?}: {by:?} refused it as {kind:?}: {said}");
            }
        }
    }
}

/// The same with a change that all else follows from.
#[test]
fn a_change_that_is_followed_through_passes() {
    // A ciphertext is bound to its envelope: who has no key cannot follow a change through.
    for base in Base::ALL.into_iter().filter(|base| *base != Base::Encrypted) {
        let mut forge = base.forge();
        let first = forge.main.iter().position(|segment| segment.gone.is_none()).unwrap();
        let events = forge.main[first].records().take_while(|record| record.kind() != 1);
        let at = events.count();
        let record = forge.main[first].record(at);
        record.set("action", crate::forge::bytes::text("invoice.forged"));
        let files = forge.write();
        assert_ne!(files, *base.files());
        for by in [By::Open, By::Verify, By::Read] {
            if let Err((kind, said)) = attempt(by, base, &files) {
                panic!("{base:?}: {by:?} refused it as {kind:?}: {said}");
            }
        }
    }
}
