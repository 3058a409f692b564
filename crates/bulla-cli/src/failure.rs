//! How a command ends: its exit status, and what it says when it could not do its work.

use std::io::{self, Write};
use std::process::ExitCode;

use bulla::Error;
use bulla_cli::export::ExportError;

use crate::output::{self, ReaderLeft};

/// The exit status when the check failed: tampered, damaged, not proved.
pub(crate) const CHECK_FAILED: u8 = 1;
/// The exit status of wrong usage and of what the system refused.
const COULD_NOT: u8 = 2;

/// The end of a command that did its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All is well.
    Fine,
    /// It was found that something does not hold; said already.
    Failed,
}

/// A check that failed in a way that ends the command, said in one line.
#[derive(Debug, thiserror::Error)]
#[error("not proved: {0}")]
pub(crate) struct NotProved(pub(crate) String);

/// An error behind work that is done all the same, or done in part.
#[derive(Debug, thiserror::Error)]
#[error("{}; {done}", causes(.error))]
struct Although {
    #[source]
    error: anyhow::Error,
    done: String,
}

/// An error with what was done all the same, and how to go on.
pub(crate) fn although(error: impl Into<anyhow::Error>, done: impl Into<String>) -> anyhow::Error {
    Although { error: error.into(), done: done.into() }.into()
}

/// Says on standard error in one line why a command ended, and chooses its exit status.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if reader_left(error) {
        // `bulla query … | head -1`: the reader has what it wanted.
        return ExitCode::SUCCESS;
    }
    let _ = writeln!(output::stderr(), "bulla: {}", message(error));
    ExitCode::from(status(error))
}

/// Whether the command ended because the reader of its standard output closed it. Another pipe
/// that breaks, such as one that `-o` names, is a failure.
fn reader_left(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|error| {
        error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<ReaderLeft>)
    })
}

fn status(error: &anyhow::Error) -> u8 {
    let failed = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<NotProved>()
            || matches!(cause.downcast_ref(), Some(ExportError::Conflict { .. }))
            || matches!(
                cause.downcast_ref::<Error>(),
                Some(
                    Error::Corrupt { .. }
                        | Error::Tampered { .. }
                        | Error::Proof { .. }
                        | Error::HashesLost { .. }
                        | Error::WouldFork { .. }
                        | Error::CatalogDamaged { .. }
                        | Error::Expired { .. }
                )
            )
    };
    if error.chain().any(failed) { CHECK_FAILED } else { COULD_NOT }
}

/// The chain of causes in one line, without saying the same twice, and what to do.
fn message(error: &anyhow::Error) -> String {
    let mut text = causes(error);
    if let Some(advice) = error.chain().find_map(|cause| cause.downcast_ref().and_then(advice)) {
        text.push_str("; ");
        text.push_str(advice);
    }
    text
}

fn causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    text
}

/// What somebody at a command line can do about it, where the error does not say so.
fn advice(error: &Error) -> Option<&'static str> {
    match error {
        Error::NotALog { .. } => Some("make one with `bulla init DIR`, or check the path"),
        Error::Exists { .. } => Some("open it, or choose another path"),
        Error::Locked { .. } => Some(
            "get, query, tail, prove, verify and hold work all the same; to write, wait until \
             that process has closed the log",
        ),
        Error::Tampered { .. } => Some("run `bulla verify DIR` to see all that does not hold"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tampered() -> Error {
        Error::Proof { reason: "the root differs".to_owned() }
    }

    #[test]
    fn a_failed_check_is_told_from_a_refusal_of_the_system() {
        let refused = anyhow::Error::from(io::Error::other("no")).context("reading x");
        assert_eq!(status(&refused), COULD_NOT);
        assert_eq!(message(&refused), "reading x: no");
        let failed = anyhow::Error::from(tampered()).context("record 3");
        assert_eq!(status(&failed), CHECK_FAILED);
    }

    #[test]
    fn a_cause_that_is_told_already_is_not_told_again() {
        let cause = io::Error::other("no space");
        let error = anyhow::Error::from(cause).context("sync f: no space");
        assert_eq!(message(&error), "sync f: no space");
    }

    #[test]
    fn what_was_done_all_the_same_is_said_behind_the_error() {
        let error = although(anyhow::Error::from(tampered()).context("record 3"), "it is written");
        assert_eq!(message(&error), "record 3: not proved: the root differs; it is written");
        assert_eq!(status(&error), CHECK_FAILED);
        let left = io::Error::new(io::ErrorKind::BrokenPipe, ReaderLeft);
        assert!(reader_left(&although(left, "it is written")));
    }

    #[test]
    fn a_reader_that_left_is_no_failure() {
        let left = io::Error::new(io::ErrorKind::BrokenPipe, ReaderLeft);
        assert!(reader_left(&anyhow::Error::from(left).context("writing")));
        let another_pipe = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(!reader_left(&another_pipe));
        assert!(!reader_left(&tampered().into()));
    }
}
