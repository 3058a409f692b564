//! `bulla key`: hand over, recover, revoke, retire; and the chain of it for verifiers.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use bulla::checkpoint::{NoteSigner, SigningKey};
use bulla::hash::HashAlgorithm;
use bulla::keys::{Change as Changed, ChangeKind, Epoch, KeyChain, Statement};
use bulla::{Signer, TreeHead, generate_recovery_key, load_recovery_key};
use clap::{Args, Subcommand};

use super::init::origin;
use super::keygen::public_file;
use crate::failure::{NotProved, Verdict, although};
use crate::outputs::{self, Inputs, Output};
use crate::{keys, open_log, output, terminal, text};

#[derive(Args)]
#[command(after_help = "\
Examples:
  bulla key rotate ./audit --key ./audit-1.key --next ./audit-2.key
  bulla key recovery ./audit --key ./audit-2.key --recovery /media/usb/audit.recovery
  bulla key chain ./audit -o audit.keys
  bulla key show audit.keys --pubkey audit-1.key.pub

One key at a time signs a log's heads. The sizes for which it counts are its epoch: `rotate`
ends an epoch with a last head, and begins the next key's. Each change is a statement that
the old key and the next one sign; all of them, in order, are the key chain. Whoever trusts
one key of it learns the later ones from the chain, and needs no new key from you: proofs of
records carry the chain, for other proofs there is `verify-proof --keys`. A key that was
stolen or lost is ended by the recovery key, if one was named before: make it early, and keep
it offline. Without one, a thief of the key is as good as you.")]
pub(crate) struct Key {
    #[command(subcommand)]
    change: Change,
}

#[derive(Subcommand)]
enum Change {
    /// Hand over to the next key, and erase the old one
    Rotate(Rotate),
    /// Name the key that can revoke others; keep it offline
    Recovery(Recovery),
    /// End a stolen or lost key, with the recovery key
    Revoke(Revoke),
    /// Go on under a new origin, after an old backup was restored
    Retire(Retire),
    /// Print the log's key chain, for verifiers
    Chain(Chain),
    /// Check key chains offline, and show which key counts for which sizes
    Show(Show),
}

impl Key {
    pub(crate) fn run(self) -> Result<Verdict> {
        match self.change {
            Change::Rotate(args) => args.run(),
            Change::Recovery(args) => args.run(),
            Change::Revoke(args) => args.run(),
            Change::Retire(args) => args.run(),
            Change::Chain(args) => args.run(),
            Change::Show(args) => args.run(),
        }
    }
}

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla key rotate ./audit --key ./audit-1.key --next ./audit-2.key

The old key signs a last head and a statement that names the next key, which signs it too;
then its file is overwritten and removed, so that whoever takes this machine from now on
cannot sign older heads. Verifiers who pinned the old key learn the next one from the key
chain. After a crash, run the same command again.")]
struct Rotate {
    /// The log; no other process may be writing to it
    dir: PathBuf,
    /// The key that has signed so far
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The key to hand over to; made if it does not exist
    #[arg(long, value_name = "FILE")]
    next: PathBuf,
    /// Leave the old key's file where it is: whoever gets it can sign as of before
    #[arg(long)]
    keep_old: bool,
}

impl Rotate {
    fn run(self) -> Result<Verdict> {
        let path = own_key(&self.dir, &self.next)?;
        check_not_gone(&self.key)?;
        let old = Signer::load(&keys::private_key(&self.key)?)?;
        let log = open_log::writer(&self.dir)?;
        let next = next_key(&path, &self.next, log.origin(), log.algorithm())?;
        let chain = log.keys().rotate(&old, &next)?;
        log.close()?;
        if !self.keep_old {
            old.erase()?;
            say(&format!("{} was overwritten and removed", self.key.display()))?;
        }
        tell_next(&self.dir, &chain, &next)
    }
}

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla key recovery ./audit --key ./audit.key --recovery /media/usb/audit.recovery

The recovery key signs nothing but revocations. Keep it offline, apart from the log and its
key; whoever has it can replace the log's key. To change it, give the one before, too.")]
struct Recovery {
    /// The log; no other process may be writing to it
    dir: PathBuf,
    /// The key that signs the log's heads
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The recovery key; made if it does not exist
    #[arg(long, value_name = "FILE")]
    recovery: PathBuf,
    /// The recovery key so far, if there is one
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
}

impl Recovery {
    fn run(self) -> Result<Verdict> {
        let path = own_key(&self.dir, &self.recovery)?;
        let signer = Signer::load(&keys::private_key(&self.key)?)?;
        let before = self.before.as_deref().map(load_recovery_key).transpose()?;
        let log = open_log::writer(&self.dir)?;
        let recovery = recovery_key(&path, &self.recovery, log.origin())?;
        let before = before.as_ref().map(|key| key as &dyn NoteSigner);
        log.keys().set_recovery(&signer, &recovery, before)?;
        log.close()?;
        say(&format!("{} can revoke keys from now on: keep it offline", self.recovery.display()))?;
        print_key(recovery.verifying_key())
    }
}

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla key revoke ./audit --revoked audit.key.pub --recovery /media/usb/audit.recovery \\
                   --next ./audit-3.key

The revoked key counts up to the newest head of this log that it signed, or up to its
handing over; what was signed or handed over with it after that is void.")]
struct Revoke {
    /// The log; no other process may be writing to it
    dir: PathBuf,
    /// The verifying key that was stolen or lost, or a file with it
    #[arg(long, value_name = "VKEY|FILE")]
    revoked: String,
    /// The recovery key
    #[arg(long, value_name = "FILE")]
    recovery: PathBuf,
    /// The key that counts from now on; made if it does not exist
    #[arg(long, value_name = "FILE")]
    next: PathBuf,
}

impl Revoke {
    fn run(self) -> Result<Verdict> {
        let path = own_key(&self.dir, &self.next)?;
        let recovery = load_recovery_key(&self.recovery)?;
        let revoked = keys::verifying_keys(std::slice::from_ref(&self.revoked))?;
        let [revoked] = revoked.as_slice() else {
            bail!("--revoked {}: expected one key, found {}", self.revoked, revoked.len());
        };
        let log = open_log::writer(&self.dir)?;
        let next = next_key(&path, &self.next, log.origin(), log.algorithm())?;
        let chain = log.keys().revoke(revoked, &recovery, &next)?;
        log.close()?;
        say("revoked: give verifiers the new key chain, an old one does not tell them")?;
        tell_next(&self.dir, &chain, &next)
    }
}

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla key retire ./audit --key ./audit.key --origin example.com/audit-2 --next ./audit-2.key

A log that was restored from an old backup no longer holds what its key signed, and is
refused a signature. This signs, with the old key, a statement that names the abandoned
head and the new origin, under which the log goes on.")]
struct Retire {
    /// The log; no other process may be writing to it
    dir: PathBuf,
    /// The key of the origin that ends
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The new origin
    #[arg(long, value_name = "NAME", value_parser = origin)]
    origin: String,
    /// The key of the new origin; made if it does not exist
    #[arg(long, value_name = "FILE")]
    next: PathBuf,
}

impl Retire {
    fn run(self) -> Result<Verdict> {
        let path = own_key(&self.dir, &self.next)?;
        let old = Signer::load(&keys::private_key(&self.key)?)?;
        let log = open_log::writer(&self.dir)?;
        let next = next_key(&path, &self.next, &self.origin, log.algorithm())?;
        let chain = log.keys().retire_origin(&old, &next)?;
        if let Some(Statement { origin, main, change: Changed::Retire { kept, .. }, .. }) =
            chain.last()
        {
            say_head(&format!("{origin} ends; abandoned is its head"), main)?;
            say_head(&format!("{} goes on from what was kept,", self.origin), kept)?;
        }
        tell_next(&self.dir, &chain, &next)
    }
}

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla key chain ./audit -o audit.keys

Verifiers read it beside a key that they trust: `bulla key show`. Proofs carry it.")]
struct Chain {
    /// The log; it may be in use
    dir: PathBuf,
    /// Write the chain here instead of printing it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Chain {
    fn run(self) -> Result<Verdict> {
        let inputs = Inputs::of(&self.dir);
        let output = self.output.as_deref().map(|file| Output::check(file, &inputs)).transpose()?;
        let chain = open_log::reader(&self.dir)?.snapshot().catalog().key_chain()?.to_text();
        match output {
            Some(output) => output.write(&chain)?,
            None => return print(&chain),
        }
        Ok(Verdict::Fine)
    }
}

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla key show audit.keys --pubkey audit.key.pub

With several chains it also looks for a key that signed two different successors: that is
evidence that somebody else had it (exit status 1).")]
struct Show {
    /// Key chains, as `bulla key chain` writes them
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// A verifying key of the log that is trusted, or a file with it; may be repeated
    #[arg(long, value_name = "VKEY|FILE", required = true)]
    pubkey: Vec<String>,
}

impl Show {
    fn run(self) -> Result<Verdict> {
        let pinned = keys::verifying_keys(&self.pubkey)?;
        let mut read: Vec<(&Path, KeyChain)> = Vec::new();
        for file in &self.files {
            let chain = keys::key_chain(file)?;
            for (other, before) in &read {
                if let Some(two) = before.conflict_with(&chain) {
                    let (a, b) = (other.display(), file.display());
                    let (name, id) = (two.key.name(), two.key.id());
                    let both = format!("{}\n{}\n", two.first, two.second);
                    output::stderr().write_all(both.as_bytes())?;
                    return Err(NotProved(format!(
                        "{a} and {b}: the key {name} (key id {id}) signed two different \
                         successors, which stand above, so somebody else had it"
                    ))
                    .into());
                }
            }
            if chain.is_empty() {
                print(&format!("{}\n  no change of keys yet\n", terminal::path(file)))?;
                continue;
            }
            let epochs = chain
                .verify(&pinned, None)
                .map_err(|error| NotProved(format!("{}: {error}", file.display())))?;
            let mut out = output::stdout();
            writeln!(out, "{}", terminal::path(file))?;
            epochs.epochs().iter().try_for_each(|epoch| writeln!(out, "  {}", line(epoch)))?;
            if let Some(recovery) = epochs.recovery() {
                writeln!(out, "  recovery key {recovery}")?;
            }
            out.flush()?;
            read.push((file, chain));
        }
        Ok(Verdict::Fine)
    }
}

/// A key that is gone, and left word of whom it handed over to.
fn check_not_gone(key: &Path) -> Result<()> {
    let mut handover = key.as_os_str().to_owned();
    handover.push(".handover");
    if !key.exists() && Path::new(&handover).exists() {
        bail!(
            "{} has handed over and was erased: {} says to whom",
            key.display(),
            Path::new(&handover).display()
        );
    }
    Ok(())
}

fn line(epoch: &Epoch) -> String {
    let sizes = match (epoch.from(), epoch.until()) {
        (None, None) => "of any size".to_owned(),
        (None, Some(until)) => format!("up to size {}", until.size),
        (Some(from), None) => format!("from size {} on", from.size),
        (Some(from), Some(until)) => format!("of size {} to {}", from.size, until.size),
    };
    let how = match epoch.ended().map(|ended| ended.how) {
        Some(ChangeKind::Revoke) => ", revoked",
        Some(ChangeKind::Retire) => ", its origin was retired",
        _ => "",
    };
    format!("heads {sizes}{how}: {}", epoch.key())
}

/// The next key: read, or made if there is none.
fn next_key(path: &Path, file: &Path, origin: &str, algorithm: HashAlgorithm) -> Result<Signer> {
    if path.exists() {
        let signer = Signer::load(path)?;
        let name = signer.verifying_key().name().as_str();
        if name != origin {
            bail!(
                "{}: expected a key of {origin}, found one of {name}; give another file, and it \
                 is made",
                file.display()
            );
        }
        return Ok(signer);
    }
    let signer = Signer::generate(path, origin, algorithm)?;
    write_public(file, signer.verifying_key())?;
    Ok(signer)
}

fn recovery_key(path: &Path, file: &Path, origin: &str) -> Result<SigningKey> {
    if path.exists() {
        return Ok(load_recovery_key(path)?);
    }
    let key = generate_recovery_key(path, origin)?;
    write_public(file, key.verifying_key())?;
    Ok(key)
}

/// A key that is read, or made with its verifying key beside it, which replaces no other.
fn own_key(dir: &Path, file: &Path) -> Result<PathBuf> {
    let path = keys::private_key(file)?;
    let public = public_file(file);
    if !path.exists() && public.symlink_metadata().is_ok() {
        bail!(
            "{} is there, and {} is not: it is the verifying key of another one; choose another \
             name for the new key",
            public.display(),
            file.display()
        );
    }
    keys::outside(dir, file)?;
    Ok(path)
}

fn write_public(file: &Path, key: &bulla::VerifyingKey) -> Result<()> {
    outputs::write_new(&public_file(file), &format!("{key}\n"))
}

fn tell_next(dir: &Path, chain: &KeyChain, next: &Signer) -> Result<Verdict> {
    let number = chain.last().map_or(0, |last| last.number);
    say(&format!(
        "statement {number} is in the catalog; verifiers follow it with `bulla key chain {}`",
        dir.display()
    ))?;
    print_key(next.verifying_key())
}

/// Prints the key that counts now: the change is in the log whatever comes of it.
fn print_key(key: &bulla::VerifyingKey) -> Result<Verdict> {
    let told = print(&format!("{key}\n"));
    told.map_err(|error| although(error, format!("the change is made; the key is {key}")))
}

fn say_head(what: &str, head: &TreeHead) -> Result<()> {
    say(&format!("{what} of {}, root {}", text::counted(head.size.get(), "record"), head.root))
}

fn say(text: &str) -> Result<()> {
    Ok(writeln!(output::stderr(), "bulla: {text}")?)
}

fn print(text: &str) -> Result<Verdict> {
    let mut out = output::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(Verdict::Fine)
}
