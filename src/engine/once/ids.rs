//! [`Once`]: what an open log keeps of the ids of events.

use std::sync::Arc;

use super::claim::Claims;
use super::known::Known;

/// Which ids the newest records have, and which are on their way.
#[derive(Debug, Default)]
pub(crate) struct Once {
    pub(crate) claims: Arc<Claims>,
    pub(crate) known: Known,
}
