//! Where an interrupted import continues.
//!
//! Events come into the log in the order of the files, whole batches at a time, and no other
//! process can append meanwhile. So a log that an import was broken off in ends with the first
//! events of the files. How many they are is found by comparing: the log says what it has when
//! it was opened for writing, which keeps records that a reader does not show yet.

use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;

use anyhow::{Result, bail};
use bulla::event::{Event, Json, Record, Target};
use bulla::query::Query;
use bulla::{Log, Seq};

use crate::output;
use crate::secrets::Encryption;
use crate::text;

/// The command that continues this import, quoted for a shell.
pub(super) fn command(resumes: bool) -> String {
    let arguments = std::env::args_os().skip(1);
    let mut words: Vec<String> =
        arguments.map(|argument| quoted(&argument.to_string_lossy())).collect();
    if !resumes {
        // Behind the name of the command: behind `--` it would be a file.
        words.insert(words.len().min(1), "--resume".to_owned());
    }
    format!("bulla {}", words.join(" "))
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// What the events of the files are known by, in their order.
pub(super) struct Prints {
    all: Vec<Print>,
    first: Option<Event>,
    /// Drawn for this run: so no two different events can be made that look alike to it.
    hashing: RandomState,
    /// Whether the log has aliases where the files have names.
    aliases: bool,
}

/// What an event is known by.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Print {
    envelope: u64,
    /// `None`: it is not to be seen.
    payload: Option<u64>,
    /// What the log draws if an event has none.
    id: Option<u64>,
    occurred_at: Option<i64>,
}

impl Print {
    /// Whether this event of a file may have become that record.
    fn became(&self, record: &Print) -> bool {
        self.envelope == record.envelope
            && (record.payload.is_none() || self.payload == record.payload)
            && (self.id.is_none() || self.id == record.id)
            && (self.occurred_at.is_none() || self.occurred_at == record.occurred_at)
    }
}

impl Prints {
    pub(super) fn new(encryption: &Encryption) -> Self {
        let aliases = encryption.has_aliases();
        Prints { all: Vec::new(), first: None, hashing: RandomState::new(), aliases }
    }

    /// Adds the next event of the files, as it is kept.
    pub(super) fn add(&mut self, event: &Event) {
        if self.first.is_none() {
            self.first = Some(event.clone());
        }
        let print = self.print(event, true);
        self.all.push(print);
    }

    /// How many of the events, from the first on, the log ends with.
    /// Where all events have ids, and `once` by them, it need not end with them.
    pub(super) fn in_log(&self, log: &Log, once: bool) -> Result<u64> {
        let mut tail = Tail { records: log.snapshot().query(&Query::new())?, prints: Vec::new() };
        let mut count = self.all.len();
        while count > 0 && !self.ends_with(&mut tail, &mut count)? {}
        let mut err = output::stderr();
        let finds_by_id = once && self.all.iter().all(|print| print.id.is_some());
        let stray = if count == 0 && !finds_by_id { self.stray(log)? } else { None };
        match (count as u64, stray) {
            (0, Some(seq)) => bail!(
                "the first event of these files is record {seq} of the log, but the log does not \
                 end with them: something was appended since, or the options are others than \
                 before; look with `bulla query`, and import the rest without --resume (`tail -n \
                 +LINE FILE`)"
            ),
            (0, None) => writeln!(err, "bulla: the log ends with no event of these files")?,
            (there, _) => writeln!(
                err,
                "bulla: the log ends with the first {} of these files: going on behind",
                text::counted(there, "event")
            )?,
        }
        Ok(count as u64)
    }

    /// Whether the log ends with the first `count` events. If not, gives the next count to try.
    fn ends_with(&self, tail: &mut Tail, count: &mut usize) -> Result<bool> {
        for (back, event) in self.all[..*count].iter().rev().enumerate() {
            let Some(record) = tail.at(back, self)? else {
                // It has no more records than this.
                *count = back;
                return Ok(back == 0);
            };
            if !event.became(&record) {
                *count -= 1;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The record that the first event may have become, wherever it stands.
    fn stray(&self, log: &Log) -> Result<Option<Seq>> {
        let (Some(first), Some(print)) = (&self.first, self.all.first()) else { return Ok(None) };
        let mut query = Query::new().resource_type(&first.resource.kind).oldest_first();
        if !self.aliases {
            query = query.actor_type_id(&first.actor.kind, &first.actor.id);
        }
        for record in log.snapshot().query(&query)? {
            let record = record?;
            if print.became(&self.of(&record)) {
                return Ok(Some(record.seq));
            }
        }
        Ok(None)
    }

    fn of(&self, record: &Record) -> Print {
        self.print(&record.event, record.payload.is_shown())
    }

    fn print(&self, event: &Event, payload_is_shown: bool) -> Print {
        let Event { actor, resource, .. } = event;
        let actor_id = (!self.aliases).then_some(&actor.id);
        let named = (&event.tenant, &actor.kind, actor_id, &event.action);
        let done = (&resource.kind, &resource.id, event.outcome.to_string());
        let behalf = event.on_behalf_of.as_ref();
        let behalf = behalf.map(|of| (&of.kind, (!self.aliases).then_some(&of.id)));
        let target = |of: &Target| {
            let id = (!self.aliases).then(|| of.id.clone());
            (of.kind.clone(), id, of.role.clone())
        };
        let targets: Vec<_> = event.targets.iter().map(target).collect();
        let caused = (&event.request_id, &event.correlation_id, event.trace_id);
        let envelope = (named, behalf, done, targets, caused);
        Print {
            envelope: self.hashing.hash_one(envelope),
            payload: payload_is_shown.then(|| self.payload(event)),
            id: event.id.map(|id| self.hashing.hash_one(id.to_string())),
            occurred_at: event.occurred_at.map(|time| time.as_nanos()),
        }
    }

    fn payload(&self, event: &Event) -> u64 {
        let json = |json: &Option<Json>| json.as_ref().map(|json| json.as_str().to_owned());
        let texts = (&event.reason, &event.source, &event.ip, &event.user_agent);
        let of_actor = (&event.actor.email, &event.actor.role, &event.session_id);
        let values = (json(&event.old_values), json(&event.new_values), json(&event.details));
        let rest = (&event.duration_ms, &event.changed_fields, &event.tags);
        self.hashing.hash_one((texts, of_actor, values, rest))
    }
}

/// The records of the log, from its end; read as far as they are asked for.
struct Tail {
    records: bulla::Matches,
    prints: Vec<Print>,
}

impl Tail {
    fn at(&mut self, back: usize, prints: &Prints) -> Result<Option<Print>> {
        while self.prints.len() <= back {
            let Some(record) = self.records.next().transpose()? else { return Ok(None) };
            self.prints.push(prints.of(&record));
        }
        Ok(self.prints.get(back).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_a_shell_reads_them() {
        for (word, shown) in [
            ("--format", "--format"),
            ("a b", "'a b'"),
            ("it's", "'it'\\''s'"),
            ("", "''"),
            ("*", "'*'"),
        ] {
            assert_eq!(quoted(word), shown);
        }
    }
}
