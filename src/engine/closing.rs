//! What is done with the writer alone, and closing a log.

use crate::engine::core::Core;
use crate::engine::upkeep::unless_full;
use crate::error::{Error, Result};
use crate::options::Housekeeping;
use crate::read::catalog_state::CatalogState;
use crate::write::housekeeper;
use crate::write::writer::Writer;

impl Core {
    pub(crate) fn check_poisoned(&self) -> Result<()> {
        match self.poisoned() {
            Some(cause) => Err(Error::Poisoned { cause }),
            None => Ok(()),
        }
    }

    /// Does something with the writer alone; a failure poisons the log.
    pub(crate) fn with_writer<T>(&self, act: impl FnOnce(&mut Writer) -> Result<T>) -> Result<T> {
        self.check_poisoned()?;
        let mut writer = self.writer.lock();
        // Another process, or another handle of this one, may be writing by now.
        if writer.closed {
            return Err(Error::Closed);
        }
        let done = act(&mut writer);
        drop(writer);
        match done {
            Err(error) if !matches!(error, Error::DiskFull { .. }) => {
                self.poison(&error.to_string());
                Err(error)
            }
            done => done,
        }
    }

    pub(crate) fn close(&self) -> Result<()> {
        if !self.commits.refuse_appends() {
            return Ok(());
        }
        self.commits.wait_until_idle();
        let committer = self.committer.lock().take();
        // Closed in a waker, the committer is this thread: it ends by itself.
        let this = std::thread::current().id();
        if let Some(committer) = committer.filter(|committer| committer.thread().id() != this) {
            let _ = committer.join();
        }
        if self.shared.options.housekeeping == Housekeeping::Background {
            housekeeper::unregister(self);
        }
        let _signed = self.signing.lock();
        let left = self.leave_clean();
        // Nobody is busy with the files, and nobody will be.
        let _kept_up = self.upkeep.lock();
        self.writer.lock().closed = true;
        self.view.watch().end(Error::Closed);
        let unlocked = self.lock.unlock().map_err(Error::io("unlock", self.shared.dir.path()));
        left.and(unlocked)
    }

    fn leave_clean(&self) -> Result<()> {
        self.check_poisoned()?;
        unless_full(self.keep_up())?;
        self.check_poisoned()?;
        self.with_writer(Writer::sync)?;
        // The rest only spares the next opening some work.
        unless_full(self.with_writer(Writer::watermark))?;
        unless_full(self.write_mark(&mut self.upkeep.lock()))?;
        match &mut *self.shared.catalog.lock() {
            CatalogState::Good(catalog) => {
                unless_full(catalog.transact(|catalog| catalog.write_snapshot()))
            }
            CatalogState::Damaged(_) => Ok(()),
        }
    }
}
