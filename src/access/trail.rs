//! [`Trail`]: the access events of one reading.

use serde_json::{Map, Value, json};

use super::log::{AccessLog, Accessor};
use crate::error::{Error, Result};
use crate::event::{Event, EventId, Json, Outcome, Resource};
use crate::query::Query;
use crate::random;

/// Who reads, and where that is recorded.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    log: AccessLog,
    accessor: Accessor,
}

impl Access {
    pub(crate) fn new(log: AccessLog, accessor: Accessor) -> Self {
        Access { log, accessor }
    }

    /// A reading of what has this origin. `what` says what is read, in words.
    pub(crate) fn trail(&self, action: &'static str, origin: &str, what: Value) -> Trail {
        let (access, origin) = (self.clone(), origin.to_owned());
        Trail { access, action, origin, what, correlation: None }
    }
}

/// The access events of one reading.
#[derive(Debug)]
pub(crate) struct Trail {
    access: Access,
    action: &'static str,
    origin: String,
    what: Value,
    /// Of a reading with two events.
    correlation: Option<String>,
}

/// A question in words.
pub(crate) fn question(query: &Query) -> Value {
    let words = query.in_words().into_iter();
    let mut asked: Map<String, Value> =
        words.map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
    if let Some(cursor) = query.after {
        asked.insert("after".to_owned(), Value::String(cursor.to_string()));
    }
    Value::Object(asked)
}

impl Trail {
    /// Reads something that is given out whole, once its event is durable. `count` says how
    /// many records it shows.
    pub(crate) fn once<T>(
        &self,
        read: impl FnOnce() -> Result<T>,
        count: impl FnOnce(&T) -> u64,
    ) -> Result<T> {
        match read() {
            Ok(found) => {
                self.append(Outcome::Success, "whole", Some(count(&found)), None)?;
                Ok(found)
            }
            Err(error) => {
                self.append(Outcome::Failure, "whole", Some(0), Some(&error))?;
                Err(error)
            }
        }
    }

    /// Begins an answer that is given record by record.
    pub(crate) fn begin<I>(mut self, answer: impl FnOnce() -> Result<I>) -> Result<Traced<I>> {
        let random = random::random_16().map_err(|error| Error::InvalidOption {
            name: "access log",
            reason: error.to_string(),
        })?;
        self.correlation = Some(EventId(random).to_string());
        match answer() {
            Ok(answer) => {
                self.append(Outcome::Success, "begun", None, None)?;
                Ok(Traced { answer, trail: self, given: 0, ended: false })
            }
            Err(error) => {
                self.append(Outcome::Failure, "begun", None, Some(&error))?;
                Err(error)
            }
        }
    }

    fn append(
        &self,
        outcome: Outcome,
        phase: &str,
        records: Option<u64>,
        error: Option<&Error>,
    ) -> Result<()> {
        let accessor = &self.access.accessor;
        let mut details = json!({ "phase": phase, "asked": self.what });
        if let Some(records) = records {
            details["records"] = records.into();
        }
        if let Some(error) = error {
            details["error"] = error.to_string().into();
        }
        let resource = Resource::new("log", self.origin.clone());
        let mut event = Event::new(accessor.who.clone(), self.action, resource).outcome(outcome);
        event.reason = Some(accessor.why.clone()).filter(|why| !why.is_empty());
        event.source = accessor.source.clone();
        event.ip = accessor.ip.clone();
        event.request_id = accessor.request_id.clone();
        event.correlation_id = self.correlation.clone();
        self.access.log.sink.append(&event.details(Json::from_value(&details)))
    }
}

/// An answer whose end is recorded: with the outcome `success` when all of it was given,
/// `partial` when it was let go before, `failure` when it ended in an error.
#[derive(Debug)]
pub struct Traced<I> {
    answer: I,
    trail: Trail,
    given: u64,
    ended: bool,
}

impl<I> Traced<I> {
    /// The answer, for its cursor and its account. Records come only through the iterator.
    pub fn answer(&self) -> &I {
        &self.answer
    }

    fn end(&mut self, outcome: Outcome, error: Option<&Error>) -> Result<()> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(());
        }
        self.trail.append(outcome, "ended", Some(self.given), error)
    }
}

impl<I, T> Iterator for Traced<I>
where
    I: Iterator<Item = Result<T>>,
{
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.answer.next() {
            Some(Ok(found)) => {
                self.given += 1;
                Some(Ok(found))
            }
            Some(Err(error)) => {
                // Whichever went wrong first is told.
                let _ = self.end(Outcome::Failure, Some(&error));
                Some(Err(error))
            }
            None => self.end(Outcome::Success, None).err().map(Err),
        }
    }
}

impl<I> Drop for Traced<I> {
    fn drop(&mut self) {
        // Nobody is left to tell; the event of its beginning stands for the answer.
        let _ = self.end(Outcome::Partial, None);
    }
}
