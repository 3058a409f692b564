//! `bulla segments`: list the files that hold the records.

use std::path::PathBuf;

use anyhow::Result;
use bulla::retention::Plan;
use bulla::time::Timestamp;
use bulla::{ExpireOptions, LogReader, Period, SegmentInfo, SegmentStatus};
use clap::Args;

use crate::failure::Verdict;
use crate::output::{self, Column, Listing, Row, Shown};
use crate::{open_log, text};

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla segments ./audit

INDEX is the size of the segment's index file. Where it says none, queries read all records of
the segment, until a process that writes to the log has made the file anew. The index of the
active segment is in the memory of whoever searches it.

STATUS is live, dropped (its records went by the policy; `bulla get` of one of them shows the
certificate), dropping (the next opening finishes it), restored (from an archive), missing
(`bulla verify` says more), or the cases of the legal holds that pin it.")]
pub(crate) struct Segments {
    /// The log
    dir: PathBuf,
    #[command(flatten)]
    shown: Shown,
}

/// A segment, and the cases of the holds that pin it.
struct Listed {
    info: SegmentInfo,
    held_by: Vec<String>,
}

impl Listed {
    fn status(&self) -> String {
        match (self.info.status, self.held_by.is_empty()) {
            (status, true) => status.to_string(),
            (status @ (SegmentStatus::Restored | SegmentStatus::Missing), false) => {
                format!("{status}, held by {}", self.held_by.join(", "))
            }
            (_, false) => format!("held by {}", self.held_by.join(", ")),
        }
    }
}

impl Row for Listed {
    const COLUMNS: &'static [Column] = &[
        Column::fixed("FILE"),
        Column::fixed("STATE"),
        Column::fixed("STATUS"),
        Column::number("FIRST"),
        Column::number("RECORDS"),
        Column::number("BYTES"),
        Column::number("INDEX"),
        Column::fixed("RECORDED FROM"),
        Column::fixed("UNTIL"),
        Column::fixed("OCCURRED FROM"),
        Column::fixed("UNTIL"),
    ];
    const FIELDS: &'static [&'static str] = &[
        "ordinal",
        "path",
        "sealed",
        "status",
        "held_by",
        "first",
        "count",
        "bytes",
        "index_bytes",
        "recorded_first",
        "recorded_last",
        "occurred_first",
        "occurred_last",
    ];

    fn cells(&self) -> Vec<String> {
        let info = &self.info;
        let name = info.path.file_name().map(|name| name.to_string_lossy().into_owned());
        let [from, until] = ends(info.recorded, text::seconds);
        let [since, last] = ends(info.occurred, text::seconds);
        vec![
            name.unwrap_or_default(),
            if info.sealed { "sealed" } else { "active" }.to_owned(),
            self.status(),
            info.first.to_string(),
            text::count(info.count),
            text::bytes(info.bytes),
            match info.index_bytes {
                Some(bytes) => text::bytes(bytes),
                None if info.sealed && info.status.is_readable() => "none".to_owned(),
                None => "-".to_owned(),
            },
            from,
            until,
            since,
            last,
        ]
    }

    fn fields(&self) -> Vec<String> {
        let info = &self.info;
        let [from, until] = ends(info.recorded, |time| time.to_string());
        let [since, last] = ends(info.occurred, |time| time.to_string());
        vec![
            info.ordinal.to_string(),
            info.path.display().to_string(),
            info.sealed.to_string(),
            info.status.to_string(),
            self.held_by.join("; "),
            info.first.to_string(),
            info.count.to_string(),
            info.bytes.to_string(),
            info.index_bytes.map_or(String::new(), |bytes| bytes.to_string()),
            from,
            until,
            since,
            last,
        ]
    }

    fn json(&self) -> String {
        let info = &self.info;
        let ends = |range: Option<(Timestamp, Timestamp)>| {
            range.map(|(first, last)| [first.to_string(), last.to_string()])
        };
        serde_json::json!({
            "ordinal": info.ordinal,
            "path": info.path,
            "sealed": info.sealed,
            "status": info.status.to_string(),
            "held_by": self.held_by,
            "first": info.first.get(),
            "count": info.count,
            "bytes": info.bytes,
            "index_bytes": info.index_bytes,
            "recorded": ends(info.recorded),
            "occurred": ends(info.occurred),
        })
        .to_string()
    }
}

fn ends(range: Option<(Timestamp, Timestamp)>, shown: impl Fn(Timestamp) -> String) -> [String; 2] {
    range.map_or_else(Default::default, |(first, last)| [shown(first), shown(last)])
}

/// Which segments are held, by the indexes; what cannot be told is not.
fn held(reader: &LogReader) -> Plan {
    // Whatever the clock shows: only the holds are asked for.
    let options = ExpireOptions::new().clock_lead(Period::from_years(250));
    reader.snapshot().plan_expiry(&options).unwrap_or_default()
}

impl Segments {
    pub(crate) fn run(self) -> Result<Verdict> {
        let mut out = output::stdout();
        let mut listing = Listing::new(&mut out, self.shown.format());
        let reader = open_log::reader(&self.dir)?;
        let plan = held(&reader);
        for info in reader.snapshot().segments()? {
            let step = plan.steps.iter().find(|step| step.segment.ordinal == info.ordinal);
            let held_by = step.map_or_else(Vec::new, |step| step.segment.held_by.clone());
            listing.row(&Listed { info, held_by })?;
        }
        listing.finish()?;
        Ok(Verdict::Fine)
    }
}
