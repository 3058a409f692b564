//! An answer with a file that proves to a stranger that nothing was left out.

use std::io::Write as _;
use std::ops::{ControlFlow, Range};
use std::path::PathBuf;

use anyhow::{Result, bail};
use bulla::checkpoint::UnverifiedCheckpoint;
use bulla::log::Explain;
use bulla::proof::{Answer, Disclosure, SegmentEvidence};
use bulla::query::{self, Order};
use bulla::{LogReader, SegmentInfo, Seq, Snapshot};
use clap::Args;

use super::Query;
use crate::commands::prove::{key_chain, latest_checkpoint, own_checkpoint, with_advice};
use crate::gaps::Gaps;
use crate::output::{self, Format, Listing};
use crate::outputs::{Inputs, Output};
use crate::text;

/// What is proved of the answer.
#[derive(Args)]
pub(super) struct Proving {
    /// Write a file that proves to a stranger that the answer leaves nothing out, and show
    /// what it proves: `bulla verify-proof` checks it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["count", "count_by", "histogram", "seen"])]
    pub(super) prove: Option<PathBuf>,
    /// Prove without showing payloads
    #[arg(long, requires = "prove")]
    withhold_payload: bool,
    /// Prove it against this checkpoint [default: the latest published one]
    #[arg(long, value_name = "FILE", requires = "prove")]
    checkpoint: Option<PathBuf>,
}

impl Query {
    /// Where the proof goes, if one is wanted. Looked at before anything is read.
    pub(super) fn proof_file(&self) -> Result<Option<Output>> {
        let inputs = Inputs::of(&self.dir).files(&self.proving.checkpoint);
        let inputs = inputs.files(self.secrets.files());
        self.proving.prove.as_deref().map(|file| Output::check_apart(file, &inputs)).transpose()
    }

    /// Writes the proof of the answer, and shows what it covers.
    pub(super) fn prove(
        &self,
        output: &Output,
        reader: &LogReader,
        filters: query::Query,
    ) -> Result<Explain> {
        let query = self.question(filters.clone());
        let checkpoint = match &self.proving.checkpoint {
            Some(given) => own_checkpoint(reader, given)?,
            None => latest_checkpoint(reader, &self.dir)?,
        };
        let disclosure = match self.proving.withhold_payload {
            true => Disclosure::WithholdPayload,
            false => Disclosure::Whole,
        };
        let proved = reader.snapshot().prove_query(&query, &checkpoint, disclosure);
        let mut answer = proved.map_err(|error| with_advice(error.into(), &self.dir, &[]))?;
        let covers = answer.evidence.covers.clone();
        if covers.is_empty() {
            bail!(self.nothing_covered(&checkpoint));
        }
        let gaps = gaps(reader, &answer)?;
        if gaps.are_all(&covers) {
            bail!(
                "nothing can be proved of records {} up to, not including, {}: all are {}; \
                 `bulla segments {}` shows which",
                covers.start,
                covers.end,
                gaps.render(),
                self.dir.display()
            );
        }
        answer.bundle.extra.key_chain = key_chain(reader)?;
        let text = answer.to_text();
        output.write(&text)?;
        let snapshot = reader.snapshot();
        let (explain, listed) = self.list_covered(&snapshot, &filters, &covers)?;
        self.tell_proved(&checkpoint, (&covers, &gaps), (output, text.len()))?;
        tell_others(answer.bundle.records.len().saturating_sub(listed))?;
        self.tell_newer(&snapshot, &covers, listed)?;
        Ok(explain)
    }

    /// The question that is proved: what is shown, with its limit.
    fn question(&self, mut query: query::Query) -> query::Query {
        if let Some(limit) = self.limit() {
            query = query.limit(limit);
        }
        match self.after {
            Some(cursor) => query.after(cursor),
            None => query,
        }
    }

    fn nothing_covered(&self, checkpoint: &UnverifiedCheckpoint) -> String {
        let size = checkpoint.dangerously_unverified().head().size.get();
        format!(
            "nothing can be proved complete under the checkpoint of {}: a proof covers segments \
             that were sealed when it was signed, and none of the records asked for is in one; \
             seal and sign first (`bulla checkpoint {} --key FILE --seal`)",
            text::counted(size, "record"),
            self.dir.display()
        )
    }

    /// Lists the records in the range that match, which is what is proved, and counts them.
    /// The query has no limit, so that it is seen whether there are more.
    fn list_covered(
        &self,
        snapshot: &Snapshot,
        query: &query::Query,
        covers: &Range<u64>,
    ) -> Result<(Explain, usize)> {
        let mut matches = snapshot.query(&from(query, self.order(), covers))?;
        let limit = self.limit().and_then(|limit| usize::try_from(limit).ok());
        let mut out = output::stdout();
        let mut listing = Listing::new(&mut out, self.shown.format());
        let mut listed = 0;
        while limit.is_none_or(|limit| listed < limit) {
            let Some(record) = matches.next().transpose()? else { break };
            if !covers.contains(&record.seq.get()) {
                break;
            }
            listing.row(&record)?;
            listed += 1;
        }
        listing.finish()?;
        let explain = matches.explain();
        if limit.is_some_and(|limit| listed >= limit) {
            self.tell_rest(&mut matches, listed)?;
        } else if listed == 0 && self.shown.format() == Format::Table {
            writeln!(output::stderr(), "bulla: no record matches in the range that is proved")?;
        }
        Ok((explain, listed))
    }

    fn tell_proved(
        &self,
        checkpoint: &UnverifiedCheckpoint,
        (covers, gaps): (&Range<u64>, &Gaps),
        (output, len): (&Output, usize),
    ) -> Result<()> {
        let size = checkpoint.dangerously_unverified().head().size.get();
        let limit = match (self.limit, self.limit()) {
            (None, Some(limit)) => {
                format!("; the question has the limit of {limit} that a table has")
            }
            _ => String::new(),
        };
        let but_for = match gaps.is_empty() {
            true => String::new(),
            false => format!(" but for {}", gaps.render()),
        };
        writeln!(
            output::stderr(),
            "bulla: proved complete{but_for} from record {} up to, not including, record {} under the \
             checkpoint of {}, in {} ({}){limit}",
            covers.start,
            covers.end,
            text::counted(size, "record"),
            output.shown(),
            text::counted(len as u64, "byte")
        )?;
        Ok(())
    }

    /// Tells how many records came after those that are covered, if the range ends for want
    /// of a seal; the log's own count only where they are asked for.
    fn tell_newer(&self, snapshot: &Snapshot, covers: &Range<u64>, listed: usize) -> Result<()> {
        let ended_otherwise = match self.order() {
            Order::NewestFirst => self.after.is_some(),
            Order::OldestFirst => self.limit().is_some_and(|limit| listed as u64 >= limit),
        };
        if ended_otherwise {
            return Ok(());
        }
        let all = query::Query::new().system(self.filters.system).oldest_first();
        let behind = covers.end..u64::MAX;
        let mut newer = 0;
        snapshot.query(&from(&all, Order::OldestFirst, &behind))?.visit(|_| {
            newer += 1;
            ControlFlow::Continue(())
        })?;
        let these = match newer {
            0 => return Ok(()),
            1 => "1 newer record is".to_owned(),
            _ => format!("{} newer records are", text::count(newer)),
        };
        writeln!(
            output::stderr(),
            "bulla: {these} not covered: seal and sign first (`bulla checkpoint {} --key FILE \
             --seal`)",
            self.dir.display()
        )?;
        Ok(())
    }

    fn order(&self) -> Order {
        match self.oldest_first {
            true => Order::OldestFirst,
            false => Order::NewestFirst,
        }
    }
}

/// The same question, beginning at the end of the range that its order begins with.
fn from(query: &query::Query, order: Order, range: &Range<u64>) -> query::Query {
    let before = match order {
        Order::NewestFirst => Some(range.end),
        Order::OldestFirst => range.start.checked_sub(1),
    };
    match before.and_then(|before| query.cursor_after(Seq::new(before))) {
        Some(cursor) => query.clone().after(cursor),
        None => query.clone(),
    }
}

/// What of the range the log had dropped when the checkpoint was signed.
fn gaps(reader: &LogReader, answer: &Answer) -> Result<Gaps> {
    let evidence = &answer.evidence;
    let range = |segment: &SegmentInfo| {
        let first = segment.first.get();
        first..first.saturating_add(segment.count)
    };
    let meets = |of: &Range<u64>| of.start < evidence.covers.end && of.end > evidence.covers.start;
    // The evidence has one piece for each segment that meets the range, ascending.
    let segments = reader.snapshot().segments()?;
    let ranges = segments.iter().map(range).filter(meets).zip(&evidence.segments);
    let gone = ranges.filter(|(_, shown)| matches!(shown, SegmentEvidence::NotLive));
    Ok(Gaps::within(&evidence.covers, gone.map(|(range, _)| range)))
}

/// Tells that the file shows more than was asked for.
fn tell_others(others: usize) -> Result<()> {
    if others > 0 {
        writeln!(
            output::stderr(),
            "bulla: the file also holds {} that the index alone does not rule out: who did what \
             to what and when, without payloads",
            match others {
                1 => "1 record that does not match, one".to_owned(),
                _ => format!("{} records that do not match, ones", text::count(others as u64)),
            }
        )?;
    }
    Ok(())
}
