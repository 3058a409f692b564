//! The `bulla` command line: see `bulla --help`.

mod attribution;
mod certificates;
mod commands;
mod cosigning;
mod failure;
mod gaps;
mod instead;
mod keys;
mod numbers;
mod open_log;
mod output;
mod outputs;
mod progress;
mod records;
mod redacting;
mod secrets;
mod terminal;
mod text;
mod time_args;
mod trust_args;

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
#[allow(clippy::unwrap_used, clippy::string_slice)] // tests
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    /// The words of a line as a shell reads them, without what is said behind two spaces.
    fn words(line: &str) -> Vec<String> {
        let mut quoted = false;
        let mut words = vec![String::new()];
        for (at, c) in line.char_indices() {
            match c {
                '\'' => quoted = !quoted,
                ' ' if !quoted && line[at..].starts_with("  ") => break,
                ' ' if !quoted => words.push(String::new()),
                c => words.last_mut().unwrap().push(c),
            }
        }
        words
    }

    #[test]
    fn help_fits_a_terminal_and_its_examples_are_understood() {
        let mut left = vec![Cli::command()];
        let mut seen = 0;
        while let Some(command) = left.pop() {
            left.extend(command.get_subcommands().cloned());
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let wide = help.lines().find(|line| line.chars().count() > 100);
            assert_eq!(wide, None, "{}", command.get_name());
            let joined = help.replace("\\\n", "\u{0}");
            for line in joined.lines().filter(|line| line.starts_with("  bulla ")) {
                let line: Vec<&str> = line.split('\u{0}').map(str::trim).collect();
                let read = Cli::command().try_get_matches_from(words(&line.join(" ")));
                assert!(read.is_ok(), "{line:?}: {}", read.unwrap_err());
                seen += 1;
            }
        }
        assert!(seen > 50, "{seen}");
    }

    /// What it is, with the range that is wanted, is for the command to say: else it would be
    /// taken for an option that is unknown.
    #[test]
    fn numbers_and_times_may_begin_with_a_minus_sign() {
        let names = [
            "N",
            "S",
            "SEQ",
            "SEQS",
            "TIME",
            "DATE",
            "PERIOD",
            "WIDTH",
            "ORDINAL",
            "CURSOR",
            "SIZE|FILE",
        ];
        let mut left = vec![Cli::command()];
        let mut seen = 0;
        while let Some(command) = left.pop() {
            left.extend(command.get_subcommands().cloned());
            for argument in command.get_arguments() {
                let value = argument.get_value_names().unwrap_or_default().first();
                if value.is_none_or(|name| !names.contains(&name.as_str())) {
                    continue;
                }
                let takes = argument.is_allow_hyphen_values_set()
                    || argument.is_allow_negative_numbers_set();
                assert!(takes, "{} {}", command.get_name(), argument.get_id());
                seen += 1;
            }
        }
        assert!(seen > 25, "{seen}");
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
