//! The `bulla` command line: see `bulla --help`.

mod asking;
mod cells;
mod certificates;
mod commands;
mod cosigning;
mod failure;
mod gaps;
mod keys;
mod output;
mod outputs;
mod places;
mod progress;
mod records;
mod redacting;
mod secrets;
mod terminal;
mod trusting;
mod when;

use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use clap::Parser;

/// An audit log that shows when somebody alters it.
///
/// Events go in durably, come back out by actor, resource or time, and each can be
/// proved to somebody who trusts neither the service nor this tool.
#[derive(Parser)]
#[command(name = "bulla", version, propagate_version = true, after_help = SEQUENCE)]
struct Cli {
    #[command(subcommand)]
    command: commands::Command,
}

const SEQUENCE: &str = "\
A typical sequence:
  bulla init ./audit                                      make a log
  bulla import ./audit trail.jsonl.gz --format cloudtrail bring in what there is
  bulla append ./audit --actor user:alice --action user.login --resource session/s-1
  bulla query ./audit --actor alice --since 7d            what did alice do?
  bulla keygen ./audit.key --log ./audit                  a key, kept outside the log
  bulla checkpoint ./audit --key ./audit.key              sign what is there
  bulla prove ./audit 0 -o login.tlog-proof               a file for the auditor, who runs
  bulla verify-proof login.tlog-proof --pubkey audit.key.pub
  bulla verify ./audit                                    re-read and re-hash everything
  bulla hold place ./audit case-7 --actor alice --who carol --why litigation
  bulla retain ./audit --keep 6y --dry-run                what would expire, and what is held

Or see all of it at once: bulla demo

Exit status: 0 fine; 1 the check failed (tampered, damaged, not proved, every line of an
import rejected, or any under --strict); 2 wrong usage, or the system refused.";

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => return say(&told),
    };
    match cli.command.run() {
        Ok(failure::Verdict::Fine) => ExitCode::SUCCESS,
        Ok(failure::Verdict::Failed) => ExitCode::from(failure::CHECK_FAILED),
        Err(error) => failure::report(&error),
    }
}

/// Wrong usage ends here with status 2, --help and --version with 0, if they could be shown.
fn say(told: &clap::Error) -> ExitCode {
    match print(told) {
        Ok(()) if told.use_stderr() => ExitCode::from(2),
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if told.use_stderr() => ExitCode::from(2),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => failure::report(&error.into()),
    }
}

/// Arguments that were not understood are quoted in it.
fn print(told: &clap::Error) -> io::Result<()> {
    let text = told.render().to_string();
    let is_plain = |line: &str| terminal::plain(&terminal::without_secret(line)) == line;
    match told.use_stderr() && !text.lines().all(is_plain) {
        true => output::stderr().write_all(text.as_bytes()),
        false => told.print(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_a_one_line_purpose_and_an_example() {
        for command in Cli::command().get_subcommands() {
            let about = command.get_about().unwrap().to_string();
            assert!(!about.contains('\n') && about.len() <= 90, "{}: {about}", command.get_name());
            let after = command.get_after_help().unwrap().to_string();
            let call = format!("bulla {} ", command.get_name());
            assert!(after.contains(call.trim_end()), "{}: {after}", command.get_name());
        }
    }
}
