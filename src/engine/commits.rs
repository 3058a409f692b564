//! How an open log commits: its writer behind group commit.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::core::Core;
use crate::error::{Error, Result};
use crate::write::encode::Encoded;
use crate::write::group_commit::{Committed, Pending, Sink};

/// The committer ends after this long without tickets.
const COMMITTER_IDLE: Duration = Duration::from_secs(2);

impl Sink for Core {
    fn commit(&self, group: &mut Encoded) -> Result<Committed> {
        self.writer.lock().commit(group)
    }

    fn after_commit(&self) {
        self.view.watch().notify();
        self.upkeep_inline();
    }

    fn ended(&self, error: Error) {
        self.view.watch().end(error);
    }
}

impl Core {
    /// Commits what a caller encoded, and waits for it.
    pub(crate) fn commit(&self, encoded: &mut Encoded) -> Result<Committed> {
        self.commits.commit(self, encoded)
    }

    /// Queues what a caller encoded.
    pub(crate) fn enqueue(self: &Arc<Self>, encoded: &Encoded) -> Result<Pending> {
        self.commits.enqueue(&**self, encoded, || spawn_committer(self))
    }

    /// Latches the log after a failure, and tells everybody who waits.
    pub(crate) fn poison(&self, cause: &str) {
        self.commits.poison(self, cause);
    }

    /// The first failure, if there was one.
    pub(crate) fn poisoned(&self) -> Option<String> {
        self.commits.poisoned()
    }
}

/// Starts the thread that leads commits for tickets.
fn spawn_committer(core: &Arc<Core>) -> Result<()> {
    let mut slot = core.committer.lock();
    let weak = Arc::downgrade(core);
    let thread = std::thread::Builder::new()
        .name("bulla-committer".to_owned())
        .spawn(move || {
            if let Some(core) = weak.upgrade() {
                core.commits.run_committer(&*core, COMMITTER_IDLE);
            }
        })
        .map_err(Error::io("start a thread for", core.shared.dir.path()))?;
    // The one before it has ended: it says so under the queue's lock as its last act.
    if let Some(ended) = slot.replace(thread) {
        let _ = ended.join();
    }
    Ok(())
}
