//! Events that become durable together: one commit, with the lines they come from.

use std::collections::HashMap;
use std::slice;

use anyhow::Result;
use bulla::event::{Event, EventId, Json};
use bulla::{Error, Log, OnceReceipt};
use bulla_cli::import;

use super::Rejects;
use super::writing::{Done, Source};
use crate::text;

/// A batch is one commit: at most so many events…
const BATCH_EVENTS_MAX: usize = 1_000;
/// … and about so many bytes.
const BATCH_BYTES_MAX: usize = 8 << 20;

/// Where an event comes from: its first line, how many there are, and whether something
/// of them was redacted.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub(super) line: u64,
    pub(super) lines: u64,
    pub(super) redacted: bool,
}

/// Events that are held until there are enough.
#[derive(Default)]
pub(super) struct Batch {
    events: Vec<Event>,
    origins: Vec<Origin>,
    bytes: usize,
}

/// Where appended events are counted, and rejected ones named.
pub(super) struct Account<'a> {
    pub(super) done: &'a mut Done,
    pub(super) rejects: &'a mut Rejects,
}

impl Batch {
    pub(super) fn add(&mut self, event: Event, origin: Origin) {
        self.bytes += weight(&event);
        self.events.push(event);
        self.origins.push(origin);
    }

    pub(super) fn is_full(&self) -> bool {
        self.events.len() >= BATCH_EVENTS_MAX || self.bytes >= BATCH_BYTES_MAX
    }

    /// Appends what is held, but for what the log has already; an event that only the log refuses
    /// is rejected here. Events with ids and those without are separate commits, in their order.
    pub(super) fn append(
        &mut self,
        log: &Log,
        source: &Source,
        account: &mut Account<'_>,
    ) -> Result<()> {
        let Batch { mut events, origins, .. } = std::mem::take(self);
        account.done.lines += origins.iter().map(|origin| origin.lines).sum::<u64>();
        let is_known_by_id = |event: &Event| source.once && event.id.is_some();
        let runs = events.chunk_by_mut(|one, next| is_known_by_id(one) == is_known_by_id(next));
        let mut origins = origins.as_slice();
        for run in runs {
            let Some((of_run, behind)) = origins.split_at_checked(run.len()) else { break };
            origins = behind;
            let has_ids = run.first().is_some_and(is_known_by_id);
            let appended = match has_ids {
                true => append_once(log, source, run, of_run, account),
                false => append_always(log, run, of_run, account),
            };
            appended.map_err(|error| refused(error, of_run, account.done))?;
        }
        Ok(())
    }
}

fn append_always(
    log: &Log,
    events: &[Event],
    origins: &[Origin],
    account: &mut Account<'_>,
) -> Result<()> {
    match log.append_batch(events) {
        Ok(_) => {
            origins.iter().for_each(|origin| account.done.imported(origin));
            Ok(())
        }
        Err(Error::Invalid(_) | Error::InvalidBatch { .. }) => {
            each(events, origins, account, |event| log.append(event).map(|_| true))
        }
        Err(error) => Err(error.into()),
    }
}

fn append_once(
    log: &Log,
    source: &Source,
    events: &mut [Event],
    origins: &[Origin],
    account: &mut Account<'_>,
) -> Result<()> {
    account.done.with_ids += events.len() as u64;
    let mut appended = Err(Error::Busy);
    // A second time if some had to be set apart from events of the log.
    for is_again in [false, true] {
        if source.is_foreign() {
            account.done.set_apart += set_apart_in_batch(events);
        }
        appended = log.append_batch_once(events);
        let is_conflict = matches!(appended, Err(Error::Conflict { .. }));
        if is_again || !is_conflict || !source.is_foreign() {
            break;
        }
        account.done.set_apart += set_apart_from_log(log, events)?;
    }
    match appended {
        Ok(receipts) => {
            for (OnceReceipt { is_new, .. }, origin) in receipts.iter().zip(origins) {
                account.done.appended(origin, *is_new);
            }
            Ok(())
        }
        Err(Error::Invalid(_) | Error::InvalidBatch { .. } | Error::Conflict { .. }) => {
            each(events, origins, account, |event| {
                let receipts = log.append_batch_once(slice::from_ref(event))?;
                Ok(receipts.first().is_some_and(|receipt| receipt.is_new))
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// Appends events one by one: those that the log refuses are rejected. `append` says whether the
/// event is new.
fn each(
    events: &[Event],
    origins: &[Origin],
    account: &mut Account<'_>,
    append: impl Fn(&Event) -> bulla::Result<bool>,
) -> Result<()> {
    for (event, origin) in events.iter().zip(origins) {
        let reason = match append(event) {
            Ok(is_new) => {
                account.done.appended(origin, is_new);
                continue;
            }
            Err(Error::Invalid(reason)) => reason.to_string(),
            Err(Error::Conflict { id, seq }) => format!(
                "the log has another event with the id {id}, record {seq}: give this one an id of \
                 its own, or import it with --duplicates"
            ),
            Err(error) => return Err(error.into()),
        };
        account.rejects.tell(origin.line, &reason)?;
        account.done.rejected += origin.lines;
    }
    Ok(())
}

/// Sets those events apart that share an id with an event before them, but not the content. Gives
/// how many.
fn set_apart_in_batch(events: &mut [Event]) -> u64 {
    let mut first_of: HashMap<EventId, usize> = HashMap::new();
    let mut count = 0;
    for at in 0..events.len() {
        let Some(id) = events[at].id else { continue };
        let first = *first_of.entry(id).or_insert(at);
        if events[first] != events[at] {
            import::set_apart(&mut events[at]);
            count += 1;
            events[at].id.map(|id| first_of.entry(id).or_insert(at));
        }
    }
    count
}

/// The same with those that share an id with another event of the log.
fn set_apart_from_log(log: &Log, events: &mut [Event]) -> Result<u64> {
    let mut count = 0;
    for event in events {
        match log.find_once(event) {
            Err(Error::Conflict { .. }) => {
                import::set_apart(event);
                count += 1;
            }
            found => {
                found?;
            }
        }
    }
    Ok(count)
}

fn refused(error: anyhow::Error, origins: &[Origin], done: &Done) -> anyhow::Error {
    let next = origins.first().map_or(1, |origin| origin.line);
    error.context(format!(
        "the log refused at line {next} (imported before: {})",
        text::counted(done.imported, "line")
    ))
}

/// About how many bytes an event takes, without encoding it.
fn weight(event: &Event) -> usize {
    let json = [&event.details, &event.old_values, &event.new_values];
    let json: usize =
        json.iter().map(|json| json.as_ref().map_or(0, |j: &Json| j.as_str().len())).sum();
    let text = [&event.reason, &event.user_agent, &event.resource.id];
    let text: usize = text.iter().map(|text| text.as_ref().map_or(0, String::len)).sum();
    let tags: usize = event.tags.iter().map(|(key, value)| key.len() + value.len()).sum();
    1_024 + json + text + tags
}
