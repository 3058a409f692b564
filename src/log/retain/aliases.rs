//! Holds and aliases: who places a hold names people as they are known, and what they did may
//! be recorded under an alias.

use crate::cipher::{ALIAS_PREFIX, Identifier};
use crate::keystore::KeyStore;
use crate::retention::{Hold, HoldScope, Named};

/// A scope that also pins what is recorded under the aliases of those it names. Without the
/// key store nobody can tell whose an alias is: then it pins them all.
pub(super) fn resolved(scope: &HoldScope, store: Option<&KeyStore>) -> HoldScope {
    let Some(store) = store else { return scope.with_all_aliases(ALIAS_PREFIX) };
    scope.with_aliases(|named, kind, id| {
        let which = match named {
            Named::Actor => Identifier::Actor,
            Named::Resource => Identifier::Resource,
        };
        store.aliases(which, kind, id)
    })
}

/// The same of a hold.
pub(super) fn resolved_hold(hold: &Hold, store: Option<&KeyStore>) -> Hold {
    Hold { scope: resolved(&hold.scope, store), ..hold.clone() }
}
