//! The options for a log whose payloads are encrypted.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use bulla::keystore::Identifier;
use bulla::log::{RecordedProtection, SubjectRule};
use bulla::{Attribution, Error, KeyStore, Log, LogAdmin, LogOptions, LogReader, WrappingKey};
use clap::Args;

use crate::attribution::not_blank;
use crate::{open_log, output};

/// Why an event that names a subject is rejected if there are no keys.
pub(crate) const SUBJECT_WITHOUT_KEYS: &str =
    "the event names a subject: give --key-store and --wrapping-key";

/// Reads a wrapping key.
pub(crate) fn wrapping_key(file: &Path) -> Result<WrappingKey> {
    if !open_log::is_there(file)? {
        let file = file.display();
        bail!(
            "{file}: expected a wrapping key, found no file; make one: bulla keygen {file} --wrapping"
        );
    }
    Ok(WrappingKey::load(file)?)
}

/// The keys of the log's subjects.
#[derive(Args)]
pub(crate) struct Secrets {
    /// The key store of the log's subjects: encrypted payloads are read, and written, with it
    #[arg(long, value_name = "FILE", requires = "wrapping_key")]
    key_store: Option<PathBuf>,
    /// The key that the key store is encrypted under
    #[arg(long, value_name = "FILE", requires = "key_store")]
    wrapping_key: Option<PathBuf>,
}

impl Secrets {
    pub(crate) fn are_given(&self) -> bool {
        self.key_store.is_some()
    }

    /// The files that are given.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.key_store.as_deref().into_iter().chain(self.wrapping_key.as_deref())
    }

    /// The store as it is now, if it was given; works while a service has it open.
    pub(crate) fn to_read(&self) -> Result<Option<KeyStore>> {
        self.opened(KeyStore::open_read_only)
    }

    fn opened(
        &self,
        open: impl FnOnce(&Path, &WrappingKey) -> bulla::Result<KeyStore>,
    ) -> Result<Option<KeyStore>> {
        let (Some(store), Some(key)) = (&self.key_store, &self.wrapping_key) else {
            return Ok(None);
        };
        Ok(Some(open(store, &wrapping_key(key)?)?))
    }

    /// Opens a log for reading, with its keys if they were given.
    pub(crate) fn reader(&self, dir: &Path) -> Result<LogReader> {
        open_log::check(dir)?;
        Ok(with_store(Log::options(), self.to_read()?).open_read_only(dir)?)
    }

    /// Opens the policy and the holds of a log, with its keys if they were given.
    pub(crate) fn admin(&self, dir: &Path) -> Result<LogAdmin> {
        open_log::check(dir)?;
        open_log::admin(dir, with_store(Log::options(), self.to_read()?))
    }

    /// Opens a log for all but events, with its keys if they were given.
    pub(crate) fn writer(&self, dir: &Path) -> Result<Log> {
        open_log::writer_with(dir, || self.options(Log::options().without_events()))
    }

    /// The options with the keys, if they were given, to write with.
    pub(crate) fn options(&self, options: LogOptions) -> Result<LogOptions> {
        Ok(with_store(options, self.opened(KeyStore::open)?))
    }
}

/// The aliases of an actor, each with its type. The actor is given as an id of this type; or,
/// without a type, as an id of any, or as type and id in one (`user:alice`).
pub(crate) fn actor_aliases(
    store: Option<&KeyStore>,
    kind: Option<&str>,
    actor: &str,
) -> Vec<(String, String)> {
    let Some(store) = store else { return Vec::new() };
    let mut found = store.aliases(Identifier::Actor, kind, actor);
    if let (None, Some((kind, id))) = (kind, actor.split_once(':')) {
        found.extend(store.aliases(Identifier::Actor, Some(kind), id));
    }
    found
}

fn with_store(options: LogOptions, store: Option<KeyStore>) -> LogOptions {
    match store {
        Some(store) => options.key_store(store),
        None => options,
    }
}

/// Among how many of the newest records an import looks for the ids of its events, however old
/// they are: some 100 MB of memory.
pub(crate) const ONCE_IDS: u64 = 8_000_000;

/// The keys of the log's subjects, and what is to be encrypted with them.
#[derive(Args)]
pub(crate) struct Encryption {
    #[command(flatten)]
    pub(crate) secrets: Secrets,
    /// The actor of an event without a subject is its subject: encrypt its payload with the
    /// actor's key
    #[arg(long, requires = "key_store")]
    actor_is_subject: bool,
    /// Record ids of actors, and of those on whose behalf they act, as aliases, which are tied to the
    /// actor only by its key
    #[arg(long, requires = "key_store")]
    alias_actors: bool,
    /// Record ids of resources of this type as aliases, likewise, also of targets; may be given several
    /// times
    #[arg(long, value_name = "TYPE", requires = "key_store")]
    alias_resources: Vec<String>,
    /// Append although the log's events are protected by more than is given here: what is appended
    /// may be stored in plain text. This opening alone; it is recorded
    #[arg(long, requires = "who", conflicts_with = "change_protection")]
    allow_plaintext: bool,
    /// Protect the log's events by what is given here from now on, also if that is less than before.
    /// It is recorded
    #[arg(long, requires = "who")]
    change_protection: bool,
    /// Who asks for less protection; it is recorded
    #[arg(long, value_name = "NAME", value_parser = not_blank)]
    who: Option<String>,
    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", value_parser = not_blank, requires = "who")]
    why: Option<String>,
}

impl Encryption {
    /// Whether actors are recorded under aliases.
    pub(crate) fn has_aliases(&self) -> bool {
        self.alias_actors
    }

    pub(crate) fn writer(&self, dir: &Path) -> Result<Log> {
        let before = recorded(dir);
        let opened = open_log::writer_with(dir, || self.options(Log::options()));
        let log = Encryption::or_what_to_do(dir, opened)?;
        tell_recorded(before.as_ref(), &log)?;
        Ok(log)
    }

    fn or_what_to_do(dir: &Path, opened: Result<Log>) -> Result<Log> {
        opened.or_else(|error| match error.downcast_ref::<Error>() {
            Some(Error::Unprotected { expected, found, is_other_store: true, .. }) => {
                bail!(other_store(dir, expected, found))
            }
            Some(Error::Unprotected { expected, found, .. }) => {
                bail!(unprotected(dir, expected, found))
            }
            _ => Err(error),
        })
    }

    pub(crate) fn options(&self, options: LogOptions) -> Result<LogOptions> {
        let rule = if self.actor_is_subject { SubjectRule::Actor } else { SubjectRule::None };
        let options = self.secrets.options(options)?.subject_rule(rule);
        let options = options
            .once_age(Duration::MAX)
            .once_ids(ONCE_IDS)
            .alias_actors(self.alias_actors)
            .alias_resources(self.alias_resources.iter().cloned());
        let asked = Attribution { who: self.who.clone(), why: self.why.clone() };
        Ok(match (self.allow_plaintext, self.change_protection) {
            (true, _) => options.allow_plaintext(&asked),
            (_, true) => options.change_protection(&asked),
            _ => options,
        })
    }
}

/// What to do where the key store is not the log's.
fn other_store(dir: &Path, expected: &str, found: &str) -> String {
    format!(
        "{}: expected {expected}; found {found}, which has none of the log's keys. Run the command \
         again with the expected one; or, if the other one is to take its place, with \
         --change-protection --who NAME --why TEXT: what is encrypted by now is read and erased \
         only with the one it was encrypted with",
        dir.display(),
    )
}

/// What to do where a log's events would be less protected than before.
fn unprotected(dir: &Path, expected: &str, found: &str) -> String {
    format!(
        "{}: what is appended would be less protected than the log's events are: expected \
         {expected}; found {found}. Run the command again with {}; or, if less is meant, with \
         --allow-plaintext --who NAME --why TEXT (this once) or --change-protection --who NAME \
         --why TEXT (from now on)",
        dir.display(),
        protecting_options(dir)
    )
}

/// How a log's events are protected, as far as that is on record and can be read.
fn recorded(dir: &Path) -> Option<RecordedProtection> {
    Log::open_read_only(dir).and_then(|log| log.snapshot().catalog().protection()).ok().flatten()
}

/// Says what every later append needs, once it is on record: when the log was opened, something
/// else was.
pub(crate) fn tell_recorded(before: Option<&RecordedProtection>, log: &Log) -> Result<()> {
    // Of a damaged catalog nothing is known, and nothing was recorded.
    let Some(recorded) = log.snapshot().catalog().protection().ok().flatten() else {
        return Ok(());
    };
    if before != Some(&recorded) && recorded.key_store.is_some() {
        writeln!(
            output::stderr(),
            "bulla: from now on appends to this log need {}: it is on record (`bulla history`)",
            options_of(Some(&recorded))
        )?;
    }
    Ok(())
}

/// The options by which the events of a log are protected as it is on record.
fn protecting_options(dir: &Path) -> String {
    options_of(recorded(dir).as_ref())
}

fn options_of(recorded: Option<&RecordedProtection>) -> String {
    let mut options = "--key-store FILE --wrapping-key FILE".to_owned();
    let Some(recorded) = recorded else { return options };
    if recorded.subject_rule == SubjectRule::Actor {
        options.push_str(" --actor-is-subject");
    }
    if recorded.alias_actors {
        options.push_str(" --alias-actors");
    }
    for kind in &recorded.alias_resources {
        options.push_str(&format!(" --alias-resources {kind}"));
    }
    options
}
