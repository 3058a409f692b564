//! [`Ticket`]: an event that was queued.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::engine::once::ticket::OnceTicket;
use crate::error::Result;
use crate::write::group_commit::Pending;
use crate::write::receipt::Receipt;

/// A queued event; see [`Log::enqueue`](crate::Log::enqueue) and [`Log::enqueue_once`](crate::Log::enqueue_once).
#[derive(Debug)]
pub struct Ticket {
    pub(crate) queued: Queued,
}

#[derive(Debug)]
pub(crate) enum Queued {
    Always(Pending),
    Once(OnceTicket),
}

impl Ticket {
    /// Waits, blocking the thread, until the event is committed.
    ///
    /// # Errors
    /// As [`Log::append`](crate::Log::append).
    pub fn wait(self) -> Result<Receipt> {
        match self.queued {
            Queued::Always(pending) => pending.wait().map(Receipt::from),
            Queued::Once(ticket) => ticket.wait(),
        }
    }
}

impl Future for Ticket {
    type Output = Result<Receipt>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().queued {
            Queued::Always(pending) => pending.poll(context).map_ok(Receipt::from),
            Queued::Once(ticket) => ticket.poll(context),
        }
    }
}
