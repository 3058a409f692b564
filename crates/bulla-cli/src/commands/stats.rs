//! `bulla stats`: sizes and counts of a log.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use bulla::log::RecordedPolicy;
use bulla::{LogReader, Stats as Figures};
use clap::Args;

use super::retain::policy;
use crate::failure::Verdict;
use crate::output::{self, Format, Listing, Row, Shown};
use crate::{open_log, text};

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
        let shown = Figured::of(&open_log::reader(&self.dir)?)?;
        let mut out = output::stdout();
        if self.shown.format() == Format::Table {
            output::facts(&mut out, &render(&shown))?;
            out.flush()?;
        } else {
            let mut listing = Listing::new(&mut out, self.shown.format());
            listing.row(&shown)?;
            listing.finish()?;
        }
        Ok(Verdict::Fine)
    }
}

/// The figures, and what is kept and held.
struct Figured {
    figures: Figures,
    /// `None` if the catalog is damaged.
    kept: Option<Kept>,
}

struct Kept {
    policy: Option<RecordedPolicy>,
    holds: usize,
}

impl Figured {
    fn of(reader: &LogReader) -> Result<Self> {
        let figures = reader.snapshot().stats()?;
        let kept = match figures.catalog_records {
            Some(_) => Some(Kept {
                policy: reader.snapshot().catalog().policy()?,
                holds: reader.snapshot().catalog().holds()?.len(),
            }),
            None => None,
        };
        Ok(Figured { figures, kept })
    }

    fn in_force(&self) -> Option<&RecordedPolicy> {
        self.kept.as_ref().and_then(|kept| kept.policy.as_ref())
    }

    fn policy(&self) -> String {
        match self.kept.as_ref().map(|kept| &kept.policy) {
            None => "not known: the catalog is damaged; nothing expires".to_owned(),
            Some(None) => "none: everything is kept".to_owned(),
            Some(Some(recorded)) => {
                format!("{} (since {})", recorded.policy, text::seconds(recorded.set_at))
            }
        }
    }

    fn holds(&self) -> String {
        match self.kept.as_ref().map(|kept| kept.holds) {
            None => "not known".to_owned(),
            Some(0) => "none".to_owned(),
            Some(holds) => format!("{} in force (`bulla hold list`)", text::count(holds as u64)),
        }
    }

    fn dropped(&self) -> String {
        match self.figures.dropped_segments {
            0 => "none".to_owned(),
            segments => format!(
                "{} in {}, by the policy, each with a certificate",
                text::counted(self.figures.dropped_records, "record"),
                text::counted(segments, "segment")
            ),
        }
    }
}

fn render(shown: &Figured) -> Vec<(&'static str, String)> {
    let figures = &shown.figures;
    let signed = match figures.signed_size {
        None => "nothing yet".to_owned(),
        Some(size) => {
            let since = figures.size.get().saturating_sub(size.get());
            format!(
                "the first {}; {} since",
                text::counted(size.get(), "record"),
                text::count(since)
            )
        }
    };
    let history = match figures.catalog_records {
        Some(records) => text::counted(records, "record"),
        None => "damaged in both copies; see `bulla verify`".to_owned(),
    };
    vec![
        ("origin", figures.origin.clone()),
        ("log id", figures.log_id.to_string()),
        ("hash", figures.algorithm.name().to_owned()),
        ("records", text::count(figures.size.get())),
        ("signed", signed),
        (
            "segments",
            format!(
                "{} ({} sealed)",
                text::count(figures.segments),
                text::count(figures.sealed_segments)
            ),
        ),
        ("in segments", text::bytes(figures.segment_bytes)),
        ("in indexes", indexes(figures)),
        ("in hashes", text::bytes(figures.tree_bytes)),
        ("policy", shown.policy()),
        ("holds", shown.holds()),
        ("expired", shown.dropped()),
        ("history", history),
    ]
}

fn indexes(figures: &Figures) -> String {
    let bytes = text::bytes(figures.index_bytes);
    match figures.segments_without_index {
        0 => bytes,
        1 => format!("{bytes}; 1 sealed segment has none, and is scanned"),
        more => {
            format!("{bytes}; {} sealed segments have none, and are scanned", text::count(more))
        }
    }
}

impl Row for Figured {
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
        "policy",
        "holds",
        "dropped_segments",
        "dropped_records",
    ];

    fn cells(&self) -> Vec<String> {
        Vec::new() // shown as facts
    }

    fn fields(&self) -> Vec<String> {
        vec![
            self.figures.origin.clone(),
            self.figures.log_id.to_string(),
            self.figures.algorithm.name().to_owned(),
            self.figures.size.to_string(),
            self.figures.signed_size.map_or(String::new(), |size| size.to_string()),
            self.figures.segments.to_string(),
            self.figures.sealed_segments.to_string(),
            self.figures.segment_bytes.to_string(),
            self.figures.index_bytes.to_string(),
            self.figures.segments_without_index.to_string(),
            self.figures.tree_bytes.to_string(),
            self.figures.catalog_records.map_or(String::new(), |count| count.to_string()),
            self.in_force().map_or(String::new(), |recorded| recorded.policy.to_string()),
            self.kept.as_ref().map_or(String::new(), |kept| kept.holds.to_string()),
            self.figures.dropped_segments.to_string(),
            self.figures.dropped_records.to_string(),
        ]
    }

    fn json(&self) -> String {
        serde_json::json!({
            "origin": self.figures.origin,
            "log_id": self.figures.log_id.to_string(),
            "hash": self.figures.algorithm.name(),
            "records": self.figures.size.get(),
            "signed_records": self.figures.signed_size.map(|size| size.get()),
            "segments": self.figures.segments,
            "sealed_segments": self.figures.sealed_segments,
            "segment_bytes": self.figures.segment_bytes,
            "index_bytes": self.figures.index_bytes,
            "segments_without_index": self.figures.segments_without_index,
            "tree_bytes": self.figures.tree_bytes,
            "catalog_records": self.figures.catalog_records,
            "policy": self.in_force().map(policy::json),
            "holds": self.kept.as_ref().map(|kept| kept.holds),
            "dropped_segments": self.figures.dropped_segments,
            "dropped_records": self.figures.dropped_records,
        })
        .to_string()
    }
}
