//! The verdict in plain words: what was proved, by whose word, and what was not.

use std::io::{self, Write};

use bulla::checkpoint::{Cosignature, VerifiedCheckpoint, VerifyingKey};
use bulla::event::Event;
use bulla::internals::format::catalog_body::CatalogBody;
use bulla::proof::{
    Disclosure, ProvenClaim, VerifiedBundle, VerifiedCatalogProof, VerifiedConsistency,
    VerifiedRecord, VerifiedStatement,
};
use bulla::{Hash, Timestamp};

use super::Proved;
use crate::{output, records, terminal, text};

pub(super) type Facts = Vec<(&'static str, String)>;

/// Says in plain words what was proved, and what was not.
pub(super) fn tell(out: &mut impl Write, proved: &Proved) -> io::Result<()> {
    match proved {
        Proved::Record(proved) => record(out, proved),
        Proved::Bundle { proved, note } => bundle(out, proved, note.as_deref()),
        Proved::Consistency(proved) => consistency(out, proved),
        Proved::Catalog(proved) => catalog(out, proved),
        Proved::Answer(_) => Ok(()), // told with its rows
    }
}

fn record(out: &mut impl Write, proved: &VerifiedRecord) -> io::Result<()> {
    let (record, checkpoint) = (proved.record(), proved.inclusion().checkpoint());
    let head = checkpoint.head();
    writeln!(out, "PROVED: the log holds this record, unaltered since the checkpoint was signed.")?;
    writeln!(out)?;
    writeln!(out, "{}", sentence(&record.event))?;
    writeln!(out)?;
    records::show_event(out, &record.event)?;
    writeln!(out)?;
    let records = text::counted(head.size.get(), "record");
    let mut facts = vec![
        ("log", format!("{} (id {})", checkpoint.origin(), proved.log_id())),
        ("position", format!("record {} of the first {records}", record.seq)),
        ("recorded at", format!("{}, as the log claims", record.recorded_at)),
        ("leaf hash", record.leaf_hash.to_string()),
    ];
    under(&mut facts, checkpoint);
    besides(&mut facts, proved.appended_after(), proved.statement());
    facts.push(("payload", payload(proved.disclosure()).to_owned()));
    output::facts(out, &facts)?;
    not_proved(out, &["that what the record says is true", "that the log holds no other records"])
}

/// Who did what to what.
fn sentence(event: &Event) -> String {
    let sentence = format!(
        "{} did {} to {}: {}.",
        records::actor(event),
        event.action,
        records::resource(event),
        event.outcome
    );
    terminal::plain(&sentence)
}

fn bundle(out: &mut impl Write, proved: &VerifiedBundle, note: Option<&str>) -> io::Result<()> {
    let checkpoint = proved.checkpoint();
    let count = proved.records().len() as u64;
    let these = match count {
        1 => "this record".to_owned(),
        _ => format!("these {}", text::counted(count, "record")),
    };
    writeln!(out, "PROVED: the log holds {these}, unaltered since the checkpoint was signed.")?;
    writeln!(out)?;
    let mut withheld = 0_u64;
    for proved in proved.records() {
        let record = proved.record();
        let shown = match proved.disclosure() {
            Disclosure::Whole => "",
            Disclosure::WithholdPayload => {
                withheld += 1;
                " (payload withheld)"
            }
        };
        let (seq, at) = (record.seq, record.recorded_at);
        writeln!(out, "{seq}  {at}  {}{shown}", sentence(&record.event))?;
    }
    writeln!(out)?;
    let id = proved.log_id().map_or_else(String::new, |id| format!(" (id {id})"));
    let mut facts = vec![("log", format!("{}{id}", checkpoint.origin()))];
    facts.push(("recorded at", "the times above, as the log claims".to_owned()));
    under(&mut facts, checkpoint);
    besides(&mut facts, proved.appended_after(), proved.statement());
    let payloads = format!("shown of {}, withheld of {withheld}", count - withheld);
    facts.push(("payloads", payloads));
    if let Some(note) = note {
        facts.push(("note", format!("{note} (nothing vouches for this line)")));
    }
    output::facts(out, &facts)?;
    not_proved(
        out,
        &[
            "that what the records say is true",
            "that these are all the records that match a question",
        ],
    )
}

fn consistency(out: &mut impl Write, proved: &VerifiedConsistency) -> io::Result<()> {
    let (old, new) = (proved.older(), proved.newer());
    let first = text::counted(old.head().size.get(), "record");
    match old.head() == new.head() {
        true => writeln!(out, "PROVED: both checkpoints are of the same head: nothing was added.")?,
        false => writeln!(
            out,
            "PROVED: between the two checkpoints the log only grew; its first {first} are \
             unaltered."
        )?,
    }
    writeln!(out)?;
    let mut facts = vec![("log", new.origin().to_owned())];
    facts.push(("OLDER", String::new()));
    under(&mut facts, old);
    facts.push(("NEWER", String::new()));
    under(&mut facts, new);
    output::facts(out, &facts)?;
    not_proved(out, &["what the records say", "that the files of the log still hold them"])
}

fn catalog(out: &mut impl Write, proved: &VerifiedCatalogProof) -> io::Result<()> {
    let (statement, checkpoint) = (proved.statement(), proved.checkpoint());
    let what = match statement.shown() {
        ProvenClaim::Record(_) => "the log's catalog holds this record",
        ProvenClaim::InForce(_) => "this was in force when the checkpoint was signed",
        ProvenClaim::NotInForce { .. } => {
            "nothing was in force under this key when the checkpoint was signed"
        }
        _ => "these entries were in force when the checkpoint was signed; there may be others",
    };
    writeln!(out, "PROVED: {what}.")?;
    writeln!(out)?;
    let mut facts = shown(statement.shown());
    facts.push(("log", format!("{} (id {})", checkpoint.origin(), statement.log_id())));
    facts.push(("anchored at", format!("{}, as the log claims", statement.recorded_at())));
    under(&mut facts, checkpoint);
    output::facts(out, &facts)?;
    not_proved(
        out,
        &["what was recorded in the catalog later", "that the log did what its catalog says"],
    )
}

fn shown(shown: &ProvenClaim) -> Facts {
    match shown {
        ProvenClaim::Record(record) => {
            let (at, kind) = (format!("{}, as the log claims", record.recorded_at), record.kind);
            let mut facts = vec![
                ("catalog record", record.seq.to_string()),
                ("recorded at", at),
                ("says", record.body().map_or(format!("kind {kind}"), |(_, body)| says(&body))),
            ];
            match record.because() {
                Some(because) => {
                    let or = |text: Option<&str>| text.unwrap_or("not given").to_owned();
                    facts.push(("who asked", or(because.who)));
                    facts.push(("why", or(because.why)));
                }
                None => facts.push(("who and why", "withheld".to_owned())),
            }
            facts
        }
        ProvenClaim::InForce(entry) => {
            let value: String = entry.value.iter().map(|byte| format!("{byte:02x}")).collect();
            vec![("key", entry.key.clone()), ("value", format!("{value} (hexadecimal)"))]
        }
        ProvenClaim::NotInForce { key } => vec![("key", key.clone())],
        other => vec![("shown", format!("{other:?}"))],
    }
}

/// What a catalog record says, in a few words.
fn says(body: &CatalogBody<'_>) -> String {
    match body {
        CatalogBody::Created(created) => format!("log {} created", created.origin),
        CatalogBody::Sealed(sealed) => format!(
            "segment {} sealed: {} from record {} on",
            sealed.ordinal,
            text::counted(sealed.count, "record"),
            sealed.first
        ),
        CatalogBody::HeadSigned(head) => {
            format!("head signed: size {}, root {}", head.size, Hash::from_bytes(head.root))
        }
        CatalogBody::KeyAdded(key) => format!("key added: {}", key.vkey),
        other => {
            let (what, detail) = bulla::internals::catalog::describe(other);
            format!("{what}: {detail}")
        }
    }
}

/// Under which checkpoint, signed and cosigned by whom, and since when at the latest it
/// existed.
pub(super) fn under(facts: &mut Facts, checkpoint: &VerifiedCheckpoint) {
    let (head, hash) = (checkpoint.head(), checkpoint.algorithm().name());
    facts.push(("checkpoint", format!("size {}, root {} ({hash})", head.size, head.root)));
    let named = |key: &VerifyingKey| format!("{} (key id {})", key.name(), key.id());
    facts.extend(checkpoint.signers().iter().map(|key| ("signed by", named(key))));
    let cosigned = checkpoint.cosignatures();
    for cosignature in cosigned {
        let time = utc(cosignature.unix_seconds());
        facts.push(("cosigned by", format!("{} at {time}", named(cosignature.key()))));
    }
    let earliest = cosigned.iter().map(|cosignature| cosignature.unix_seconds()).min();
    let existed = match earliest {
        Some(seconds) => format!("no later than {}, by the first cosignature", utc(seconds)),
        None => "no outside time: the checkpoint is cosigned by nobody you trust".to_owned(),
    };
    facts.push(("existed", existed));
}

/// A witness's time, which may be any number.
pub(super) fn utc(unix_seconds: u64) -> String {
    let millis = i64::try_from(unix_seconds).ok().and_then(|seconds| seconds.checked_mul(1_000));
    match millis.and_then(Timestamp::from_millis) {
        Some(time) => text::seconds(time),
        None => format!("{unix_seconds} seconds after 1970"),
    }
}

fn besides(
    facts: &mut Facts,
    appended_after: Option<&VerifiedCheckpoint>,
    statement: Option<&VerifiedStatement>,
) {
    let after = match appended_after {
        Some(earlier) => {
            let head = earlier.head();
            let first = earlier.cosignatures().iter().map(Cosignature::unix_seconds).min();
            let time = match first {
                Some(seconds) => format!("cosigned at {}", utc(seconds)),
                None => "cosigned by nobody you trust".to_owned(),
            };
            format!("the checkpoint of size {}, root {}, {time}", head.size, head.root)
        }
        None => "not shown".to_owned(),
    };
    facts.push(("appended after", after));
    if let Some(statement) = statement {
        facts.extend(shown(statement.shown()));
    }
}

fn payload(disclosure: Disclosure) -> &'static str {
    match disclosure {
        Disclosure::Whole => "shown, and part of what was proved",
        Disclosure::WithholdPayload => {
            "withheld: other fields than those above (address, user agent, e-mail, reason, tags, \
             values, details) are not in this file"
        }
    }
}

pub(super) fn not_proved(out: &mut impl Write, what: &[&str]) -> io::Result<()> {
    writeln!(out)?;
    writeln!(out, "NOT PROVED: {}; nor any time that only the log claims.", what.join("; "))
}
