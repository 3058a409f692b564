//! Sealed files are kept from being changed by the operating system, as far as it offers
//! that. Nobody counts on it: what cannot be protected is reported by `stats`.

use crate::disk::Protection;
use crate::engine::core::Core;

impl Core {
    /// Protects a segment that is sealed, and whose seal is in the catalog: until then a crash
    /// may make it be sealed again.
    pub(crate) fn protect(&self, ordinal: u64) {
        let path = self.shared.dir.segment(ordinal);
        // A file system that cannot is no reason to stop.
        let _ = self.shared.dir.disk().protect(&path, self.wanted_protection());
    }

    /// Protects the newest sealed segment: a crash may have come between its seal and this.
    pub(crate) fn protect_newest(&self) {
        let entries = self.view.entries();
        let newest = entries.iter().rev().find(|entry| entry.is_sealed_and_there());
        if let Some(entry) = newest {
            self.protect(entry.ordinal);
        }
    }

    /// Protects all sealed segments: the policy may ask for more by now.
    pub(crate) fn protect_all(&self) {
        for entry in self.view.entries().iter().filter(|entry| entry.is_sealed_and_there()) {
            self.protect(entry.ordinal);
        }
    }

    fn wanted_protection(&self) -> Protection {
        let compliance = match self.shared.catalog.lock().good() {
            Ok(catalog) => catalog.state().policy().is_some_and(|set| set.policy.compliance),
            Err(_) => false,
        };
        match self.shared.options.immutable || compliance {
            true => Protection::Immutable,
            false => Protection::ReadOnly,
        }
    }
}
