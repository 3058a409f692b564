//! What is taken out of events that come in from outside, unless `--no-redact` is given.

use std::borrow::Cow;

use bulla::Event;
use bulla::redact::Redactor;
pub(crate) use bulla_cli::redaction::redactor;
use clap::Args;

/// The choice not to redact.
#[derive(Args, Clone, Copy)]
pub(crate) struct Redacting {
    /// Keep everything exactly as it is, also passwords, tokens, card numbers and the like
    #[arg(long)]
    no_redact: bool,
}

impl Redacting {
    /// What events are redacted with, if they are.
    pub(crate) fn redactor(self) -> Option<Redactor> {
        (!self.no_redact).then(redactor)
    }
}

/// The event as it is kept, and whether something was taken out of it.
pub(crate) fn kept(redactor: Option<&Redactor>, event: Event) -> (Event, bool) {
    match redactor.map(|redactor| redactor.apply(&event)) {
        Some(Cow::Owned(redacted)) => (redacted, true),
        Some(Cow::Borrowed(_)) | None => (event, false),
    }
}
