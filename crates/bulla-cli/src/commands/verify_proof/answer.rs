//! The answer to a query, with what shows that nothing was left out: question, rows, verdict.

use std::io::{self, Write};
use std::ops::Range;

use anyhow::Result;
use bulla::proof::{Disclosure, NotLive, ProvedRecord, RestsOn, VerifiedAnswer};
use bulla::query::Query;
use bulla::{Record, Seq};

use super::audit::Audit;
use super::told::{Facts, not_proved, under};
use crate::failure::Verdict;
use crate::gaps::Gaps;
use crate::output::{self, Format, Listing};
use crate::{terminal, text};

/// Shows what was asked, the records that match, and what was proved of them: in a table
/// all in one place, else the records alone, and the rest on standard error.
///
/// An answer that covers no record, or of whose range the log had dropped everything, shows nothing:
/// it fails.
pub(super) fn tell(
    proved: &VerifiedAnswer,
    audit: Option<&Audit>,
    format: Format,
) -> Result<Verdict> {
    if let Some(audit) = audit {
        audit.check(proved)?;
    }
    let mut out = output::stdout();
    match format {
        Format::Table => {
            before(&mut out, proved)?;
            rows(&mut out, proved, format)?;
            if proved.hits().len() > 0 {
                writeln!(out)?;
            }
            after(&mut out, proved, audit)?;
        }
        _ => {
            rows(&mut out, proved, format)?;
            out.flush()?;
            let mut err = output::stderr();
            before(&mut err, proved)?;
            after(&mut err, proved, audit)?;
        }
    }
    out.flush()?;
    Ok(if says_nothing(proved) { Verdict::Failed } else { Verdict::Fine })
}

/// What of the range the log had dropped.
fn gaps(proved: &VerifiedAnswer) -> Gaps {
    let gone = |gone: &NotLive| gone.first.get()..gone.first.get().saturating_add(gone.count);
    Gaps::within(&range(proved), proved.not_live().iter().map(gone))
}

fn range(proved: &VerifiedAnswer) -> Range<u64> {
    let covers = proved.covers();
    covers.start.get()..covers.end.get()
}

/// Whether there is no record that the answer speaks of.
fn says_nothing(proved: &VerifiedAnswer) -> bool {
    range(proved).is_empty() || gaps(proved).are_all(&range(proved))
}

fn before(out: &mut impl Write, proved: &VerifiedAnswer) -> io::Result<()> {
    writeln!(out, "{}", headline(proved))?;
    writeln!(out)?;
    writeln!(out, "THE QUESTION, as the file has it: it must be the one that you asked")?;
    question(out, proved.query())?;
    writeln!(out)
}

/// What was shown, in a line that is true without those that follow.
fn headline(proved: &VerifiedAnswer) -> String {
    let (range, gaps) = (range(proved), gaps(proved));
    let spans = format!("from {} up to, not including, {}", range.start, range.end);
    if range.is_empty() {
        return format!(
            "NOT PROVED: the answer covers no record: it begins and ends at record {}.",
            range.start
        );
    }
    if gaps.are_all(&range) {
        return format!(
            "NOT PROVED: the answer covers nothing but {}, and nothing is said of those.",
            gaps.render()
        );
    }
    let (but_for, of) = match gaps.is_empty() {
        true => (String::new(), "records"),
        false => (format!(" BUT FOR {}", gaps.shouted()), "other records"),
    };
    let these = match proved.hits().len() {
        0 => format!("no record matches, of the {of} {spans}"),
        1 => format!("this 1 record is all that matches, of the {of} {spans}"),
        hits => {
            let hits = text::count(hits as u64);
            format!("these {hits} records are all that match, of the {of} {spans}")
        }
    };
    let limited = match proved.is_limited() {
        true => " (as many as were asked for)",
        false => "",
    };
    format!("PROVED COMPLETE{but_for}{limited}: {these}.")
}

fn question(out: &mut impl Write, query: &Query) -> io::Result<()> {
    let words = query.in_words();
    let width = words.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in words {
        writeln!(out, "  {name:<width$}  {}", terminal::plain(&value))?;
    }
    Ok(())
}

fn rows(out: &mut impl Write, proved: &VerifiedAnswer, format: Format) -> io::Result<()> {
    let mut listing: Listing<'_, Record, _> = Listing::new(out, format);
    for hit in proved.hits() {
        listing.row(hit.record())?;
    }
    listing.finish()
}

fn after(out: &mut impl Write, proved: &VerifiedAnswer, audit: Option<&Audit>) -> io::Result<()> {
    let checkpoint = proved.checkpoint();
    let mut facts = vec![
        ("log", format!("{} (id {})", checkpoint.origin(), proved.log_id())),
        (if says_nothing(proved) { "asked" } else { "complete" }, complete(proved)),
    ];
    if proved.is_limited() {
        facts.push(("limit", limit(proved)));
    }
    for (stretch, records) in gaps(proved).stretches() {
        let these = text::counted(records, "record");
        let told = format!(
            "records {stretch} ({these}), which the log had dropped: nothing is said of them"
        );
        facts.push(("expired", told));
    }
    facts.push(("relative to", relative_to(proved)));
    recomputed(&mut facts, proved, audit);
    under(&mut facts, checkpoint);
    if proved.bundle().records().len() > 0 {
        facts.push(("payloads", payloads(proved)));
    }
    output::facts(out, &facts)?;
    not_proved(out, &["that what the records say is true", "anything of records outside the range"])
}

fn complete(proved: &VerifiedAnswer) -> String {
    let (range, head) = (proved.covers(), proved.checkpoint().head().size);
    format!(
        "from record {} up to, not including, record {}; the checkpoint has {}, of {} as the log \
         claims",
        range.start,
        range.end,
        text::counted(head.get(), "record"),
        text::seconds(proved.as_of()),
    )
}

fn limit(proved: &VerifiedAnswer) -> String {
    let hits = text::count(proved.hits().len() as u64);
    format!("reached: the range ends at the last of the {hits} asked for; there may be more beyond")
}

/// What the log signed that the answer is as true as.
fn relative_to(proved: &VerifiedAnswer) -> String {
    if says_nothing(proved) {
        return "nothing: no record of the range is in the log, or in the file".to_owned();
    }
    let rests_on = proved.rests_on();
    let indexes = rests_on.iter().filter(|on| matches!(on, RestsOn::Index { .. })).count() as u64;
    let times = rests_on.len() as u64 - indexes;
    let of = |count| text::counted(count, "segment");
    let what = match (indexes, times) {
        (0, 0) if !proved.not_live().is_empty() => {
            return "nothing: every other record of the range is in the file".to_owned();
        }
        (0, 0) => return "nothing: every record of the range is in the file".to_owned(),
        (_, 0) => format!("the index roots of {}", of(indexes)),
        (0, _) => format!("the first and last times of {}", of(times)),
        _ => format!(
            "the index roots of {}, and the first and last times of {}",
            of(indexes),
            of(times)
        ),
    };
    let others = match others_are_disclosed(proved) {
        true => "; every record of the other segments is in the file",
        false => "",
    };
    let head = proved.checkpoint().head().size;
    format!("{what}, which the log signed under the head of {head}{others}")
}

/// Whether there are segments in the range of which every record is shown.
fn others_are_disclosed(proved: &VerifiedAnswer) -> bool {
    let range = proved.covers();
    let within = |first: Seq, count: u64| {
        let end = first.get().saturating_add(count).min(range.end.get());
        end.saturating_sub(first.get().max(range.start.get()))
    };
    let rests_on = proved.rests_on().iter().map(|on| match on {
        RestsOn::Index { first, count, .. } | RestsOn::Times { first, count, .. } => {
            within(*first, *count)
        }
        _ => 0,
    });
    let not_live = proved.not_live().iter().map(|gone| within(gone.first, gone.count));
    rests_on.chain(not_live).sum::<u64>() < range.end.get().saturating_sub(range.start.get())
}

/// Whether somebody compared that with the records.
fn recomputed(facts: &mut Facts, proved: &VerifiedAnswer, audit: Option<&Audit>) {
    if proved.rests_on().is_empty() {
        return;
    }
    let Some(audit) = audit else {
        let nobody = "nobody that you named: that these are those of the records is the log's word \
                      (`bulla audit` recomputes them)";
        return facts.push(("recomputed by", nobody.to_owned()));
    };
    let (auditor, read) = (audit.auditor(), audit.head());
    let mut told = format!(
        "the auditor {} (key id {}), from the records under the head of {}",
        auditor.name(),
        auditor.id(),
        read.size
    );
    if read != proved.checkpoint().head() {
        told += ", another than this one: that both are of one tree is another proof (`bulla prove \
                 --from`)";
    }
    facts.push(("recomputed by", told));
}

fn payloads(proved: &VerifiedAnswer) -> String {
    let hits = proved.hits().len();
    let is_withheld = |hit: &&ProvedRecord| matches!(hit.disclosure(), Disclosure::WithholdPayload);
    let withheld = proved.hits().filter(is_withheld).count();
    let others = proved.bundle().records().len().saturating_sub(hits);
    let shown = format!("shown of {}, withheld of {withheld}", hits - withheld);
    match others {
        0 => shown,
        1 => format!("{shown}; withheld of 1 more in the file that does not match"),
        _ => format!("{shown}; withheld of {others} more in the file that do not match"),
    }
}
