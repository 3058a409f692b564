//! `bulla history`: the catalog, readable.

use std::path::PathBuf;

use anyhow::Result;
use bulla::log::HistoryEntry;
use clap::Args;

use crate::failure::Verdict;
use crate::output::{self, Column, Listing, Row, Shown};
use crate::{open_log, text};

#[derive(Args)]
#[command(after_help = "Example:\n  bulla history ./audit --output jsonl")]
pub(crate) struct History {
    /// The log
    dir: PathBuf,
    #[command(flatten)]
    shown: Shown,
}

impl Row for HistoryEntry {
    const COLUMNS: &'static [Column] = &[
        Column::number("#"),
        Column::fixed("RECORDED"),
        Column::fixed("WHAT"),
        Column::elastic("PARTICULARS"),
        Column::elastic("WHO"),
        Column::elastic("WHY"),
    ];
    const FIELDS: &'static [&'static str] =
        &["seq", "recorded_at", "what", "detail", "who", "why", "state_root"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.seq.to_string(),
            text::seconds(self.recorded_at),
            self.what.clone(),
            self.detail.clone(),
            self.who.clone().unwrap_or_default(),
            self.why.clone().unwrap_or_default(),
        ]
    }

    fn fields(&self) -> Vec<String> {
        vec![
            self.seq.to_string(),
            self.recorded_at.to_string(),
            self.what.clone(),
            self.detail.clone(),
            self.who.clone().unwrap_or_default(),
            self.why.clone().unwrap_or_default(),
            self.state_root.to_string(),
        ]
    }

    fn json(&self) -> String {
        serde_json::json!({
            "seq": self.seq.get(),
            "recorded_at": self.recorded_at.to_string(),
            "what": self.what,
            "detail": self.detail,
            "who": self.who,
            "why": self.why,
            "state_root": self.state_root.to_string(),
        })
        .to_string()
    }
}

impl History {
    pub(crate) fn run(self) -> Result<Verdict> {
        let mut out = output::stdout();
        let mut listing = Listing::new(&mut out, self.shown.format());
        for entry in open_log::reader(&self.dir)?.snapshot().catalog().history()? {
            listing.row(&entry)?;
        }
        listing.finish()?;
        Ok(Verdict::Fine)
    }
}
