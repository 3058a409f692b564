//! Where rejected lines are named.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::output;
use crate::outputs::{Begun, Output};
use crate::{terminal, text};

/// How many rejected lines of a file are named one by one on standard error.
const REJECTS_SHOWN: u64 = 5;

/// Where rejected lines are named: all of them in a file, the first ones on standard error.
pub(crate) struct Rejects {
    all: Option<Output>,
    /// Begun with the first line.
    begun: Option<Begun>,
    file: PathBuf,
    told: u64,
    /// The list cannot be written: it stays as it was before.
    failed: bool,
}

impl Rejects {
    /// All of them go to `all`, if that is given. It is not touched while there are none.
    pub(crate) fn new(all: Option<Output>) -> Self {
        Rejects { all, begun: None, file: PathBuf::new(), told: 0, failed: false }
    }

    /// The lines that follow are of this file.
    pub(super) fn begin(&mut self, file: &Path) {
        file.clone_into(&mut self.file);
        self.told = 0;
    }

    /// The name of the file, which a stranger may have chosen.
    fn shown(&self) -> String {
        terminal::path(&self.file)
    }

    pub(super) fn tell(&mut self, line: u64, reason: &str) -> Result<()> {
        let text = format!("{}:{line}: {}", self.shown(), terminal::plain(reason));
        let text = terminal::without_secret(&text);
        if let Some(all) = &self.all {
            let begun = match self.begun.take() {
                Some(begun) => begun,
                None => all.begin()?,
            };
            let written = self.begun.insert(begun).write(&format!("{text}\n"));
            self.failed = written.is_err();
            written?;
        }
        if self.told < REJECTS_SHOWN {
            writeln!(output::stderr(), "bulla: rejected {text}")?;
        }
        self.told += 1;
        Ok(())
    }

    /// The file has ended.
    pub(super) fn end(&mut self) -> Result<()> {
        if self.told > REJECTS_SHOWN {
            let more = text::count(self.told - REJECTS_SHOWN);
            let place = match &self.all {
                Some(all) => format!("all are in {}", all.shown()),
                None => "--rejects FILE lists all".to_owned(),
            };
            let file = self.shown();
            writeln!(output::stderr(), "bulla: … and {more} more in {file}; {place}")?;
        }
        Ok(())
    }

    /// All files have ended: puts the list in its place.
    pub(super) fn finish(self) -> Result<()> {
        if self.failed {
            return Ok(());
        }
        match (self.begun, self.all) {
            (Some(begun), _) => begun.finish(),
            (None, Some(all)) if all.replaces() => {
                let all = all.shown();
                Ok(writeln!(
                    output::stderr(),
                    "bulla: nothing was rejected; {all} was left as it is"
                )?)
            }
            (None, _) => Ok(()),
        }
    }
}
