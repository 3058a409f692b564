//! What a search did, in words.

use std::ops::ControlFlow;

use anyhow::Result;
use bulla::Snapshot;
use bulla::log::Explain;
use bulla::query::Query;

use crate::text;

/// `32 segments: 3 ruled out by time, 20 by index, …`.
pub(super) fn render(explain: &Explain) -> String {
    let Explain { skipped_by_time, skipped_by_index, indexed, scanned, .. } = *explain;
    let (expired, unknown) = (explain.expired, explain.unknown);
    let looked_at = skipped_by_time + skipped_by_index + indexed + scanned + expired + unknown;
    let ways = [
        (skipped_by_time, "ruled out by time"),
        (skipped_by_index, "ruled out by index"),
        (indexed, "answered from the index"),
        (scanned, "scanned, without a good index"),
        (expired, "expired"),
        (unknown, "not there, for reasons that the damaged catalog would tell"),
        (explain.segments.saturating_sub(looked_at), "not looked at"),
    ];
    let ways = ways.iter().filter(|(segments, _)| *segments > 0);
    let ways: Vec<String> =
        ways.map(|(segments, way)| format!("{} {way}", text::count(*segments))).collect();
    let read = match explain.records {
        0 => "no record was read".to_owned(),
        read => {
            let matched = text::count(explain.matched);
            format!("{} read, {matched} matched", text::counted(read, "record"))
        }
    };
    let segments = text::counted(explain.segments, "segment");
    match ways.is_empty() {
        true => format!("{segments}; {read}"),
        false => format!("{segments}: {}; {read}", ways.join(", ")),
    }
}

/// What finding the first and the last record does.
pub(super) fn of_seen(snapshot: &Snapshot, query: &Query) -> Result<Explain> {
    let end = |query: Query| -> Result<Explain> {
        let mut matches = snapshot.query(&query.limit(1))?;
        matches.visit(|_| ControlFlow::Continue(()))?;
        Ok(matches.explain())
    };
    let mut both = end(query.clone().oldest_first())?;
    let last = end(query.clone().newest_first())?;
    both.records += last.records;
    both.matched += last.matched;
    Ok(both)
}
