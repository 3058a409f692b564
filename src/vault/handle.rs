//! [`Vault`]: a handle of an open vault.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use super::log_pool::LogPool;
use super::routing::Routing;
use super::token_sealer::TokenSealer;
use crate::log::Log;

/// Many logs in one directory. Cheap to clone; all clones are the same vault, from any thread.
///
/// It is closed by [`Vault::close`], or when the last clone is dropped.
///
/// ```
/// use bulla::vault::{LogSpec, Routing, Rule};
/// use bulla::{Actor, Attribution, Event, Query, Resource, Vault};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let vault = Vault::create(dir.path().join("vault"))?;
/// let asked = Attribution::by("user:carol").because("logins are kept for ten years");
/// vault.add_log("logins", LogSpec::new(), &asked)?;
/// vault.set_routing(Routing::to("main").rule(Rule::to("logins").action_prefix("user.log")), &asked)?;
///
/// let login = Event::new(Actor::new("user", "alice"), "user.login", Resource::kind_only("session"));
/// let pay = Event::new(Actor::new("user", "alice"), "invoice.pay", Resource::new("invoice", "42"));
/// assert_eq!(&*vault.append(&login)?.log, "logins");
/// assert_eq!(&*vault.append(&pay)?.log, "main");
/// assert_eq!(vault.query(&Query::new().actor("alice"))?.count(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Vault {
    pub(super) inner: Arc<Inner>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("dir", &self.inner.dir).finish_non_exhaustive()
    }
}

/// Fields are dropped in this order: the lock of the vault is in the shelf.
pub(super) struct Inner {
    pub(super) dir: PathBuf,
    pub(super) control: Log,
    pub(super) routing: RwLock<Arc<Routing>>,
    /// Held while logs are added, the routing is changed, or heads are listed.
    pub(super) changing: Mutex<()>,
    /// When an append sweeps again, by the monotonic clock.
    pub(super) next_sweep: Mutex<Duration>,
    pub(super) opaque: TokenSealer,
    pub(super) shelf: Arc<LogPool>,
}
