//! A machine with a log, and witnesses for logs of others.
#![allow(dead_code)] // each test binary uses a part

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bulla::checkpoint::{SignatureKind, SigningKey, VerifyingKey};
use bulla::disk::{Disk, RealDisk};
use bulla::hash::Hash;
use bulla::seq::TreeSize;
use bulla::time::{Clock, ManualClock};
use bulla::witness::{Policy, PolicyName, Witness as Known};
use bulla::{
    Actor, Event, HashAlgorithm, Log, Outcome, Resource, Signer, Timestamp, UnverifiedCheckpoint,
};
use bulla_witness::{Asked, Client, Cosigner, Limits, Memory, Server, Witness, collect};
use tempfile::TempDir;

/// 2026-01-01, in seconds.
pub(crate) const NOW: i64 = 1_767_225_600;

pub(crate) struct Machine {
    pub(crate) dir: TempDir,
    pub(crate) log: Log,
    pub(crate) signer: Signer,
}

impl Machine {
    pub(crate) fn new(origin: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::options().origin(origin).create(dir.path().join("audit")).unwrap();
        let key = dir.path().join("key");
        let signer = Signer::generate(&key, origin, HashAlgorithm::Sha256).unwrap();
        Machine { dir, log, signer }
    }

    /// Appends so many records, and signs.
    pub(crate) fn grow(&self, records: usize, action: &str) -> UnverifiedCheckpoint {
        for _ in 0..records {
            let event = Event::new(Actor::new("user", "a"), action, Resource::new("r", "1"));
            self.log.append(&event.outcome(Outcome::Success)).unwrap();
        }
        self.log.checkpoint(&self.signer).unwrap().into_unverified()
    }

    /// The same log and key on another machine, which has forgotten what it signed.
    pub(crate) fn forked(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy(&self.dir.path().join("audit"), &dir.path().join("audit"));
        let key = dir.path().join("key");
        std::fs::copy(self.dir.path().join("key"), &key).unwrap();
        copy_heads(self.dir.path(), dir.path());
        let signer = Signer::load(&key).unwrap();
        let log = Log::open(dir.path().join("audit")).unwrap();
        Machine { dir, log, signer }
    }

    pub(crate) fn consistency(&self) -> impl Fn(TreeSize, TreeSize) -> Result<Vec<Hash>, String> {
        |old, new| self.log.snapshot().consistency(old, new).map_err(|error| error.to_string())
    }

    pub(crate) fn submit(
        &self,
        url: &str,
        witness: &VerifyingKey,
        checkpoint: &UnverifiedCheckpoint,
    ) -> Result<(), bulla_witness::SubmitError> {
        client().submit(url, witness, checkpoint, &self.consistency()).map(|_| ())
    }

    /// Asks the policy's witnesses and keeps what they answer.
    pub(crate) fn collect<'p>(
        &self,
        policy: &'p Policy,
        checkpoint: &UnverifiedCheckpoint,
    ) -> (UnverifiedCheckpoint, Vec<Asked<'p>>) {
        let url = |w: &Known| w.url().and_then(PolicyName::to_str).map(str::to_owned);
        let asked = collect(&client(), policy, checkpoint, &url, &self.consistency());
        let lines: Vec<_> =
            asked.iter().flat_map(|asked| asked.result.iter().flatten().cloned()).collect();
        (self.log.checkpoints().add_cosignatures(checkpoint, &lines).unwrap(), asked)
    }
}

fn copy_heads(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let name = entry.unwrap().file_name();
        if name.to_string_lossy().starts_with("key.") {
            std::fs::copy(from.join(&name), to.join(&name)).unwrap();
        }
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => {
                std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    }
}

pub(crate) fn client() -> Client {
    Client::new(Duration::from_secs(20))
}

pub(crate) fn cosigner(name: &str, seed: u8) -> Cosigner {
    let key = SigningKey::new(name, SignatureKind::Ed25519Cosignature, &[seed; 32]).unwrap();
    Cosigner::new(key).unwrap()
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::at(Timestamp::from_nanos(NOW * 1_000_000_000)))
}

/// A witness named `w.example/SEED` with its memory in a directory of any disk.
pub(crate) fn witness_on(
    disk: Arc<dyn Disk>,
    state: &Path,
    seed: u8,
    logs: &[VerifyingKey],
) -> Witness {
    let cosigner = cosigner(&format!("w.example/{seed}"), seed);
    let memory = Memory::open(disk, state, cosigner.verifying_key()).unwrap();
    Witness::new(cosigner, logs.to_vec(), memory, clock()).unwrap()
}

/// A serving witness.
pub(crate) struct Serving {
    pub(crate) server: Server,
    pub(crate) key: VerifyingKey,
    pub(crate) url: String,
}

pub(crate) fn serve_with(
    state: PathBuf,
    seed: u8,
    logs: &[VerifyingKey],
    limits: Limits,
) -> Serving {
    let witness = witness_on(Arc::new(RealDisk), &state, seed, logs);
    let key = witness.verifying_key().clone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start(witness, listener, limits, |_| ()).unwrap();
    let url = format!("http://{}", server.address());
    Serving { server, key, url }
}

pub(crate) fn serve(state: PathBuf, seed: u8, logs: &[VerifyingKey]) -> Serving {
    serve_with(state, seed, logs, Limits::default())
}

/// All of these witnesses for this log.
pub(crate) fn policy(log: &VerifyingKey, witnesses: &[&Serving]) -> Policy {
    let mut text = format!("log {log}\n");
    let mut names = String::new();
    for (number, witness) in witnesses.iter().enumerate() {
        text += &format!("witness w{number} {} {}/\n", witness.key, witness.url);
        names += &format!(" w{number}");
    }
    Policy::parse(format!("{text}group all all{names}\nquorum all\n").as_bytes()).unwrap()
}
