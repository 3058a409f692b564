//! [`Subscription`]: the records that match, as they are committed.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;

use crate::error::{Error, Result};
use crate::event::Record;
use crate::log::handle::Log;
use crate::query::{Cursor, Query};
use crate::read::search::Matches;
use crate::read::search::parts::start_of;
use crate::read::segment_set::SegmentSet;
use crate::read::watch::{Wait, Waited};
use crate::seq::TreeSize;
use crate::time::Clock;

/// The records that a query asks for, oldest first, as they are committed: a blocking
/// iterator and a `Stream` for any runtime.
///
/// It reads the log behind the writers, at its own pace: however slow it is, no append waits
/// for it and nothing is kept for it in memory. It ends when the log is closed, after the
/// last record; after an error it ends, too.
///
/// ```
/// use bulla::{Actor, Event, Log, Query, Resource};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let log = Log::create(dir.path().join("audit"))?;
/// let mut logins = log.subscribe(&Query::new().action("user.login")?)?;
/// log.append(&Event::new(Actor::new("user", "alice"), "user.login", Resource::new("host", "db")))?;
/// assert_eq!(logins.next().unwrap()?.event.actor.id, "alice");
/// let cursor = logins.cursor().to_string(); // kept, to go on after a restart
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Subscription {
    view: Arc<SegmentSet>,
    clock: Arc<dyn Clock>,
    /// Oldest first, from where it goes on.
    query: Query,
    /// Records below were looked at, or are being looked at.
    seen: TreeSize,
    matches: Option<Matches>,
    left: u64,
    ended: bool,
    /// Whether the last wait ended because its time was up.
    timed_out: bool,
    /// By which whom it waits for knows it.
    number: u64,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.view.watch().forget(self.number);
    }
}

impl Log {
    /// The records that match and are committed from now on; or, with [`Query::after`], those
    /// from there on: a cursor of another subscription to the same question, or of a query for
    /// it with the oldest first. Of the order of the query nothing is looked at.
    ///
    /// What is given was acknowledged, as durable as [`Durability`](crate::Durability) says.
    ///
    /// # Errors
    /// A cursor that belongs to another query, or to the newest first.
    pub fn subscribe(&self, query: &Query) -> Result<Subscription> {
        let core = self.core();
        let query = query.clone().oldest_first();
        let start = start_of(&query, core.view.size())?;
        let seen = start.map_or(core.view.size(), |seq| TreeSize::new(seq.get()));
        let left = query.limit.unwrap_or(u64::MAX);
        let mut subscription = Subscription {
            view: Arc::clone(&core.view),
            clock: Arc::clone(&core.shared.options.clock),
            query: Query { limit: None, ..query },
            seen,
            matches: None,
            left,
            ended: false,
            timed_out: false,
            number: core.view.watch().next_number(),
        };
        subscription.go_on_from(seen);
        Ok(subscription)
    }
}

impl Subscription {
    /// Where it goes on, for [`Query::after`] of the next subscription to the same question.
    pub fn cursor(&self) -> Cursor {
        let within = self.matches.as_ref().and_then(Matches::cursor);
        within.or(self.query.after).unwrap_or_else(|| self.query.cursor_at(self.seen))
    }

    /// The next record, or `None` if none came in this time; and when the subscription has
    /// [ended](Subscription::has_ended).
    ///
    /// # Errors
    /// As the iterator.
    pub fn next_within(&mut self, time: Duration) -> Result<Option<Record>> {
        let began = self.clock.monotonic();
        loop {
            let passed = self.clock.monotonic().saturating_sub(began);
            let left = time.saturating_sub(passed);
            match self.step(&Wait::For(left)) {
                Poll::Ready(step) => return step.transpose(),
                Poll::Pending if self.timed_out || left.is_zero() => return Ok(None),
                Poll::Pending => {} // woken for records that do not match
            }
        }
    }

    /// Whether no record will come any more: the log was closed, the query's limit was reached,
    /// or there was an error.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    fn go_on_from(&mut self, size: TreeSize) {
        self.seen = size;
        self.query.after = Some(self.query.cursor_at(size));
    }

    /// The next record, `None` at the end, pending if there is none after that wait.
    fn step(&mut self, wait: &Wait<'_>) -> Poll<Option<Result<Record>>> {
        loop {
            if self.ended || self.left == 0 {
                self.ended = true;
                return Poll::Ready(None);
            }
            match self.matches.as_mut().map(Iterator::next) {
                Some(Some(record)) => {
                    self.left -= 1;
                    self.ended = record.is_err();
                    return Poll::Ready(Some(record));
                }
                Some(None) => {
                    self.matches = None;
                    self.go_on_from(self.seen);
                }
                None => {}
            }
            match self.view.watch().wait_above(self.seen, wait) {
                Ok(Waited::Grown) => {
                    if let Err(error) = self.look() {
                        self.ended = true;
                        return Poll::Ready(Some(Err(error)));
                    }
                }
                Ok(waited) => {
                    self.timed_out = waited == Waited::TimedOut;
                    return Poll::Pending;
                }
                Err(why) => {
                    self.ended = true;
                    return match why {
                        Error::Closed => Poll::Ready(None),
                        why => Poll::Ready(Some(Err(why))),
                    };
                }
            }
        }
    }

    /// Begins to look at what was published since.
    fn look(&mut self) -> Result<()> {
        let snapshot = self.view.snapshot();
        self.matches = Some(snapshot.query(&self.query)?);
        self.seen = snapshot.size();
        Ok(())
    }
}

impl Iterator for Subscription {
    type Item = Result<Record>;

    /// Waits for the next record.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Poll::Ready(step) = self.step(&Wait::Forever) {
                return step;
            }
        }
    }
}

impl Stream for Subscription {
    type Item = Result<Record>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let number = self.number;
        self.step(&Wait::Wake(number, context.waker()))
    }
}
