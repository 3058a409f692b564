//! Appending to a vault.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::handle::Vault;
use super::log_pool::no_such_log;
use super::options::LogSpec;
use super::routing::{Route, Routing};
use super::{control, name};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::log::{BatchReceipt, Log, Receipt};

/// What an append to a vault gives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VaultReceipt {
    /// The log that has the record.
    pub log: Arc<str>,
    /// Where it stands there.
    pub receipt: Receipt,
}

/// What of a batch went to one log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchPart {
    /// The log.
    pub log: Arc<str>,
    /// Which events of the batch, by their index, ascending: their records follow one another.
    pub events: Vec<usize>,
    /// Where they stand there.
    pub receipt: BatchReceipt,
}

/// A batch of which only some parts were appended.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: {error}", appended(.done))]
#[non_exhaustive]
pub struct PartialBatch {
    /// The parts that are appended, and durable.
    pub done: Vec<BatchPart>,
    /// Why the next one was not, and none after it.
    #[source]
    pub error: Error,
}

fn appended(done: &[BatchPart]) -> String {
    match done.iter().map(|part| part.events.len()).sum::<usize>() {
        0 => "nothing of the batch was appended".to_owned(),
        events => format!("{events} events of the batch were appended, then"),
    }
}

impl Vault {
    /// Appends an event to the log that the routing says. When it returns, the record survives
    /// power loss (at the default durability).
    ///
    /// # Errors
    /// As [`Log::append`]; as opening the log.
    pub fn append(&self, event: &Event) -> Result<VaultReceipt> {
        event.validate()?;
        let log = self.log_for(&self.routing(), event)?;
        let receipt = self.in_log(&log, |log| log.append(event))?;
        self.sweep_one();
        Ok(VaultReceipt { log, receipt })
    }

    /// Appends events, each to the log that the routing says. What goes to one log is one
    /// frame: all of it or, after a crash, none. **Between logs there is no such promise**: a
    /// crash or an error may leave some parts appended and others not.
    ///
    /// # Errors
    /// Says what was appended before. An invalid event refuses the whole batch, and so do no
    /// events at all.
    pub fn append_batch(&self, events: &[Event]) -> Result<Vec<BatchPart>, PartialBatch> {
        let mut done = Vec::new();
        match self.append_parts(events, &mut done) {
            Ok(()) => Ok(done),
            Err(error) => Err(PartialBatch { done, error }),
        }
    }

    fn append_parts(&self, events: &[Event], done: &mut Vec<BatchPart>) -> Result<()> {
        if events.is_empty() {
            let reason = "expected at least one event, found none".to_owned();
            return Err(Error::InvalidBatch { reason });
        }
        events.iter().try_for_each(Event::validate)?;
        let routing = self.routing();
        let mut parts: BTreeMap<Arc<str>, Vec<usize>> = BTreeMap::new();
        for (at, event) in events.iter().enumerate() {
            parts.entry(self.log_for(&routing, event)?).or_default().push(at);
        }
        for (log, at) in parts {
            let part: Vec<Event> = at.iter().filter_map(|at| events.get(*at).cloned()).collect();
            let receipt = self.in_log(&log, |log| log.append_batch(&part))?;
            done.push(BatchPart { log, events: at, receipt });
        }
        self.sweep_one();
        Ok(())
    }

    /// Does something with a log that is opened if need be. A log that took its last append
    /// is closed, so that it is opened anew.
    pub(super) fn in_log<T>(&self, name: &str, act: impl FnOnce(&Log) -> Result<T>) -> Result<T> {
        let log = self.inner.shelf.acquire(name)?;
        let done = act(&log);
        if let Err(Error::Poisoned { .. } | Error::Closed | Error::Io { .. }) = &done {
            self.inner.shelf.discard(name);
        }
        done
    }

    /// The log that an event goes to; that of a tenant is made if it is not there.
    fn log_for(&self, routing: &Routing, event: &Event) -> Result<Arc<str>> {
        match routing.route(event) {
            Route::Log(log) => Ok(log.into()),
            Route::PerTenant { prefix, tenant } => {
                let digest = name::tenant_digest(tenant);
                let log: Arc<str> = name::of_tenant(prefix, &digest).into();
                let made_for = || self.inner.shelf.added(&log).map(|added| added.tenant);
                if made_for().is_none() {
                    self.add_tenant_log(&log, digest)?;
                }
                match made_for() {
                    Some(Some(of)) if of == digest => Ok(log),
                    Some(_) => Err(Error::InvalidOption {
                        name: "routing",
                        reason: format!(
                            "expected {log:?} to be the log of the event's tenant; it was added \
                             for others: choose another prefix"
                        ),
                    }),
                    None => Err(no_such_log(&log)),
                }
            }
        }
    }

    fn add_tenant_log(&self, log: &str, digest: crate::hash::Hash) -> Result<()> {
        let asked = control::of_itself("the first event of a tenant");
        let mut spec = LogSpec::new();
        if let Some(prepare) = &self.inner.shelf.options.prepare {
            spec = spec.prepare(|made| prepare(log, made));
        }
        let _one_at_a_time = self.inner.changing.lock();
        // Somebody else may have been quicker.
        match self.inner.shelf.added(log) {
            Some(_) => Ok(()),
            None => self.add(log, spec, Some(digest), &asked),
        }
    }
}
