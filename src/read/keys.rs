//! The chain of key statements, from the catalog, and the error of a key.

use crate::catalog::Catalog;
use crate::error::{Error, Result};
use crate::keys::KeyChain;

pub(crate) fn key_chain(catalog: &Catalog) -> Result<KeyChain> {
    let mut chain = KeyChain::default();
    if catalog.state().keys_in_force().is_none() {
        return Ok(chain);
    }
    for note in catalog.key_statements()? {
        chain.push_note(note.as_bytes()).map_err(key_error)?;
    }
    Ok(chain)
}

pub(crate) fn key_error(error: impl std::fmt::Display) -> Error {
    Error::Key { reason: error.to_string() }
}
