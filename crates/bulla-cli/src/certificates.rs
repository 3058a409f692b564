//! Drop certificates, shown to people and programs.

use bulla::retention::NowFrom;
use bulla::{DropCertificate, Seq, TreeHead};

use crate::text;

/// What a certificate says, fact by fact.
pub(crate) fn facts(certificate: &DropCertificate) -> Vec<(&'static str, String)> {
    let DropCertificate { start, end, recorded, occurred, .. } = certificate;
    let mut facts = vec![
        ("segment", format!("{}, of {}", certificate.ordinal, text::bytes(certificate.bytes))),
        ("records", range(certificate)),
        ("recorded", format!("{} to {}", recorded.0, recorded.1)),
        ("occurred", format!("{} to {}", occurred.0, occurred.1)),
        ("dropped", certificate.recorded_at.to_string()),
        ("kept until", certificate.keep_until.to_string()),
        ("the time was", time(certificate)),
        ("policy", format!("set by record {} of the history", certificate.policy)),
        ("holds", holds(certificate)),
    ];
    if let Some((location, digest)) = &certificate.archived {
        facts.push(("copy", format!("{location}, manifest {digest}")));
    }
    facts.extend(certificate.who.clone().map(|who| ("who", who)));
    facts.extend(certificate.why.clone().map(|why| ("why", why)));
    facts.push(("tree before", tree(start)));
    facts.push(("tree after", tree(end)));
    facts.push(("index root", certificate.index_root.to_string()));
    let place = format!("record {} of the history", certificate.catalog_seq);
    facts.push(("certificate", place));
    facts
}

fn tree(head: &TreeHead) -> String {
    format!("{}, root {}", text::counted(head.size.get(), "record"), head.root)
}

/// The last record that went.
pub(crate) fn last(certificate: &DropCertificate) -> Seq {
    certificate.end.size.last_seq().unwrap_or_default()
}

/// `0 to 9 (10 records)`.
pub(crate) fn range(certificate: &DropCertificate) -> String {
    let count = text::counted(certificate.count(), "record");
    format!("{} to {} ({count})", certificate.start.size, last(certificate))
}

fn time(certificate: &DropCertificate) -> String {
    let (now, from) = certificate.now;
    let whose = match from {
        NowFrom::Clock => "by the log's clock",
        NowFrom::Cosignature => "by the newest cosignature of a witness",
        _ => "by a source that this version does not know",
    };
    format!("{now}, {whose}")
}

fn holds(certificate: &DropCertificate) -> String {
    let records = text::counted(certificate.scanned, "record");
    match certificate.holds {
        0 => "none was in force".to_owned(),
        holds => {
            format!("{} in force, compared with {records}: none matched", text::count(holds))
        }
    }
}

/// The same for programs.
pub(crate) fn json(certificate: &DropCertificate) -> serde_json::Value {
    let DropCertificate { start, end, recorded, occurred, now, .. } = certificate;
    let times = |(first, last): &(bulla::Timestamp, bulla::Timestamp)| {
        [first.to_string(), last.to_string()]
    };
    let archived = certificate.archived.as_ref().map(|(location, digest)| {
        serde_json::json!({ "location": location, "manifest": digest.to_string() })
    });
    serde_json::json!({
        "catalog_seq": certificate.catalog_seq.get(),
        "recorded_at": certificate.recorded_at.to_string(),
        "ordinal": certificate.ordinal,
        "first": start.size.get(),
        "count": certificate.count(),
        "bytes": certificate.bytes,
        "recorded": times(recorded),
        "occurred": times(occurred),
        "start_root": start.root.to_string(),
        "end_root": end.root.to_string(),
        "range": certificate.range.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "index_root": certificate.index_root.to_string(),
        "keep_until": certificate.keep_until.to_string(),
        "policy": certificate.policy.get(),
        "now": now.0.to_string(),
        "now_from": if now.1 == NowFrom::Clock { "clock" } else { "cosignature" },
        "holds": certificate.holds,
        "scanned": certificate.scanned,
        "archived": archived,
        "who": certificate.who,
        "why": certificate.why,
    })
}
