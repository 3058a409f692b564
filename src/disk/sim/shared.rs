//! What the handles of a simulated disk share.

use parking_lot::{Condvar, Mutex};

use super::state::State;

pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    /// Told when a lock may have become free.
    pub(super) unlocked: Condvar,
}
