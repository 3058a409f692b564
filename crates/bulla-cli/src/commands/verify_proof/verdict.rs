//! The verdict as JSON lines, for programs.

use std::io::{self, Write};

use bulla::Record;
use bulla::checkpoint::VerifiedCheckpoint;
use bulla::proof::{Disclosure, ProvenClaim, VerifiedStatement};
use serde_json::{Value, json};

use super::Proved;
use super::told::utc;

/// Writes the verdict on a line; of a bundle each record follows on its own.
pub(super) fn write(out: &mut impl Write, proved: &Proved) -> io::Result<()> {
    match proved {
        Proved::Record(proved) => {
            let checkpoint = proved.inclusion().checkpoint();
            let verdict = json!({
                "proved": true,
                "kind": "record",
                "origin": checkpoint.origin(),
                "log_id": proved.log_id().to_string(),
                "payload": payload(proved.disclosure()),
                "checkpoint": of(checkpoint),
                "appended_after": proved.appended_after().map(of),
                "catalog": proved.statement().map(statement),
            });
            writeln!(out, "{}", with_record(verdict, proved.record()))
        }
        Proved::Bundle { proved, note } => {
            let verdict = json!({
                "proved": true,
                "kind": "bundle",
                "origin": proved.checkpoint().origin(),
                "log_id": proved.log_id().map(|id| id.to_string()),
                "records": proved.records().len(),
                "checkpoint": of(proved.checkpoint()),
                "appended_after": proved.appended_after().map(of),
                "catalog": proved.statement().map(statement),
                "unverified_note": note,
            });
            writeln!(out, "{}", without_nulls(verdict))?;
            for proved in proved.records() {
                let payload = json!({ "payload": payload(proved.disclosure()) });
                writeln!(out, "{}", with_record(payload, proved.record()))?;
            }
            Ok(())
        }
        Proved::Consistency(proved) => {
            let verdict = json!({
                "proved": true,
                "kind": "consistency",
                "origin": proved.newer().origin(),
                "old": of(proved.older()),
                "new": of(proved.newer()),
            });
            writeln!(out, "{verdict}")
        }
        Proved::Catalog(proved) => {
            let verdict = json!({
                "proved": true,
                "kind": "catalog",
                "origin": proved.checkpoint().origin(),
                "log_id": proved.statement().log_id().to_string(),
                "checkpoint": of(proved.checkpoint()),
                "catalog": statement(proved.statement()),
            });
            writeln!(out, "{}", without_nulls(verdict))
        }
        Proved::Answer(_) => Ok(()), // told with its rows
    }
}

fn payload(disclosure: Disclosure) -> &'static str {
    match disclosure {
        Disclosure::Whole => "shown",
        Disclosure::WithholdPayload => "withheld",
    }
}

/// A checkpoint, who signed it, and when it existed at the latest.
fn of(checkpoint: &VerifiedCheckpoint) -> Value {
    let head = checkpoint.head();
    let signers: Vec<String> = checkpoint.signers().iter().map(ToString::to_string).collect();
    let cosigned = checkpoint.cosignatures().iter();
    let earliest = cosigned.map(|cosignature| cosignature.unix_seconds()).min();
    let cosigners: Vec<Value> = checkpoint
        .cosignatures()
        .iter()
        .map(|cosignature| {
            json!({
                "key": cosignature.key().to_string(),
                "unix_seconds": cosignature.unix_seconds(),
            })
        })
        .collect();
    without_nulls(json!({
        "size": head.size.get(),
        "root": head.root.to_string(),
        "hash": checkpoint.algorithm().name(),
        "signers": signers,
        "cosigners": cosigners,
        "existed_by": earliest.map(utc),
    }))
}

fn statement(statement: &VerifiedStatement) -> Value {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match statement.shown() {
        ProvenClaim::Record(record) => json!({
            "shown": "record",
            "seq": record.seq.get(),
            "recorded_at": record.recorded_at.to_string(),
            "leaf_hash": record.leaf_hash.to_string(),
            "record_kind": record.kind,
            "state_root": record.body().ok().map(|(root, _)| root.to_string()),
        }),
        ProvenClaim::InForce(entry) => {
            json!({ "shown": "in force", "key": entry.key, "value": hex(&entry.value) })
        }
        ProvenClaim::NotInForce { key } => json!({ "shown": "not in force", "key": key }),
        _ => Value::Null,
    }
}

/// Absent fields are left out.
fn without_nulls(mut value: Value) -> Value {
    if let Value::Object(fields) = &mut value {
        fields.retain(|_, field| !field.is_null());
    }
    value
}

/// With the record as it is, byte for byte: not through a parsed value.
fn with_record(verdict: Value, record: &Record) -> String {
    let verdict = without_nulls(verdict).to_string();
    let open = verdict.strip_suffix('}').unwrap_or(&verdict);
    format!("{open},\"record\":{}}}", record.to_json())
}
