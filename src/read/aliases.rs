//! Holds and aliases: who places a hold names people as they are known, and what they did may
//! be recorded under an alias.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cipher::{ALIAS_PREFIX, Identifier};
use crate::keystore::KeyStore;
use crate::retention::{Hold, Named};

/// A hold that also pins what is recorded under the aliases of those it names. An alias that the key
/// store does not know may be theirs too, and is pinned: it is of another store, its subject was
/// erased, or there is no store at hand.
pub(crate) fn resolved(hold: &Hold, store: Option<&KeyStore>) -> Hold {
    let mut scope = hold.scope.clone();
    let mut known = BTreeSet::new();
    if let Some(store) = store.filter(|_| scope.names_ids()) {
        scope = scope.with_aliases(|named, kind, id| store.aliases(identifier(named), kind, id));
        known = store.all_aliases();
    }
    let scope = scope.with_unknown_aliases(ALIAS_PREFIX, Arc::new(known));
    Hold { scope, ..hold.clone() }
}

fn identifier(named: Named) -> Identifier {
    match named {
        Named::Actor => Identifier::Actor,
        Named::Resource => Identifier::Resource,
    }
}
