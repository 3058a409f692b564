//! `bulla segments`: list the files that hold the records.

use std::path::PathBuf;

use anyhow::Result;
use bulla::SegmentInfo;
use bulla::time::Timestamp;
use clap::Args;

use crate::failure::Verdict;
use crate::output::{self, Column, Listing, Row, Shown};
use crate::{cells, places};

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla segments ./audit

INDEX is the size of the segment's index file. Where it says none, queries read all records of
the segment, until a process that writes to the log has made the file anew. The index of the
active segment is in the memory of whoever searches it.")]
pub(crate) struct Segments {
    /// The log
    dir: PathBuf,
    #[command(flatten)]
    shown: Shown,
}

impl Row for SegmentInfo {
    const COLUMNS: &'static [Column] = &[
        Column::fixed("FILE"),
        Column::fixed("STATE"),
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
        let name = self.path.file_name().map(|name| name.to_string_lossy().into_owned());
        let [from, until] = ends(self.recorded, cells::seconds);
        let [since, last] = ends(self.occurred, cells::seconds);
        vec![
            name.unwrap_or_default(),
            if self.sealed { "sealed" } else { "active" }.to_owned(),
            self.first.to_string(),
            cells::count(self.count),
            cells::bytes(self.bytes),
            match self.index_bytes {
                Some(bytes) => cells::bytes(bytes),
                None => if self.sealed { "none" } else { "-" }.to_owned(),
            },
            from,
            until,
            since,
            last,
        ]
    }

    fn fields(&self) -> Vec<String> {
        let [from, until] = ends(self.recorded, |time| time.to_string());
        let [since, last] = ends(self.occurred, |time| time.to_string());
        vec![
            self.ordinal.to_string(),
            self.path.display().to_string(),
            self.sealed.to_string(),
            self.first.to_string(),
            self.count.to_string(),
            self.bytes.to_string(),
            self.index_bytes.map_or(String::new(), |bytes| bytes.to_string()),
            from,
            until,
            since,
            last,
        ]
    }

    fn json(&self) -> String {
        let ends = |range: Option<(Timestamp, Timestamp)>| {
            range.map(|(first, last)| [first.to_string(), last.to_string()])
        };
        serde_json::json!({
            "ordinal": self.ordinal,
            "path": self.path,
            "sealed": self.sealed,
            "first": self.first.get(),
            "count": self.count,
            "bytes": self.bytes,
            "index_bytes": self.index_bytes,
            "recorded": ends(self.recorded),
            "occurred": ends(self.occurred),
        })
        .to_string()
    }
}

fn ends(range: Option<(Timestamp, Timestamp)>, shown: impl Fn(Timestamp) -> String) -> [String; 2] {
    range.map_or_else(Default::default, |(first, last)| [shown(first), shown(last)])
}

impl Segments {
    pub(crate) fn run(self) -> Result<Verdict> {
        let mut out = output::stdout();
        let mut listing = Listing::new(&mut out, self.shown.output);
        for segment in places::reader(&self.dir)?.segments()? {
            listing.row(&segment)?;
        }
        listing.finish()?;
        Ok(Verdict::Fine)
    }
}
