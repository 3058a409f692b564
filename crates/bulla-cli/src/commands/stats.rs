//! `bulla stats`: sizes and counts of a log.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use bulla::Stats as Figures;
use clap::Args;

use crate::failure::Verdict;
use crate::output::{self, Format, Listing, Row, Shown};
use crate::{cells, places};

#[derive(Args)]
#[command(after_help = "Example:\n  bulla stats ./audit --output jsonl")]
pub(crate) struct Stats {
    /// The log
    dir: PathBuf,
    #[command(flatten)]
    shown: Shown,
}

impl Stats {
    pub(crate) fn run(self) -> Result<Verdict> {
        let figures = places::reader(&self.dir)?.stats()?;
        let mut out = output::stdout();
        if self.shown.output == Format::Table {
            output::facts(&mut out, &told(&figures))?;
            out.flush()?;
        } else {
            let mut listing = Listing::new(&mut out, self.shown.output);
            listing.row(&figures)?;
            listing.finish()?;
        }
        Ok(Verdict::Fine)
    }
}

fn told(figures: &Figures) -> Vec<(&'static str, String)> {
    let signed = match figures.signed_size {
        None => "nothing yet".to_owned(),
        Some(size) => {
            let since = figures.size.get().saturating_sub(size.get());
            format!(
                "the first {}; {} since",
                cells::counted(size.get(), "record"),
                cells::count(since)
            )
        }
    };
    let history = match figures.catalog_records {
        Some(records) => cells::counted(records, "record"),
        None => "damaged in both copies; see `bulla verify`".to_owned(),
    };
    vec![
        ("origin", figures.origin.clone()),
        ("log id", figures.log_id.to_string()),
        ("hash", figures.algorithm.name().to_owned()),
        ("records", cells::count(figures.size.get())),
        ("signed", signed),
        (
            "segments",
            format!(
                "{} ({} sealed)",
                cells::count(figures.segments),
                cells::count(figures.sealed_segments)
            ),
        ),
        ("in segments", cells::bytes(figures.segment_bytes)),
        ("in indexes", indexes(figures)),
        ("in hashes", cells::bytes(figures.tree_bytes)),
        ("history", history),
    ]
}

fn indexes(figures: &Figures) -> String {
    let bytes = cells::bytes(figures.index_bytes);
    match figures.segments_without_index {
        0 => bytes,
        1 => format!("{bytes}; 1 sealed segment has none, and is scanned"),
        more => {
            format!("{bytes}; {} sealed segments have none, and are scanned", cells::count(more))
        }
    }
}

impl Row for Figures {
    const COLUMNS: &'static [output::Column] = &[];
    const FIELDS: &'static [&'static str] = &[
        "origin",
        "log_id",
        "hash",
        "records",
        "signed_records",
        "segments",
        "sealed_segments",
        "segment_bytes",
        "index_bytes",
        "segments_without_index",
        "tree_bytes",
        "catalog_records",
    ];

    fn cells(&self) -> Vec<String> {
        Vec::new() // shown as facts
    }

    fn fields(&self) -> Vec<String> {
        vec![
            self.origin.clone(),
            self.log_id.to_string(),
            self.algorithm.name().to_owned(),
            self.size.to_string(),
            self.signed_size.map_or(String::new(), |size| size.to_string()),
            self.segments.to_string(),
            self.sealed_segments.to_string(),
            self.segment_bytes.to_string(),
            self.index_bytes.to_string(),
            self.segments_without_index.to_string(),
            self.tree_bytes.to_string(),
            self.catalog_records.map_or(String::new(), |count| count.to_string()),
        ]
    }

    fn json(&self) -> String {
        serde_json::json!({
            "origin": self.origin,
            "log_id": self.log_id.to_string(),
            "hash": self.algorithm.name(),
            "records": self.size.get(),
            "signed_records": self.signed_size.map(|size| size.get()),
            "segments": self.segments,
            "sealed_segments": self.sealed_segments,
            "segment_bytes": self.segment_bytes,
            "index_bytes": self.index_bytes,
            "segments_without_index": self.segments_without_index,
            "tree_bytes": self.tree_bytes,
            "catalog_records": self.catalog_records,
        })
        .to_string()
    }
}
