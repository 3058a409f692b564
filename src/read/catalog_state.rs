//! The catalog of an open log, which may be damaged.

use crate::catalog::Catalog;
use crate::error::{Error, Result};

/// The catalog, or why there is none.
#[derive(Debug)]
pub(crate) enum CatalogState {
    Good(Box<Catalog>),
    /// Both copies are damaged.
    Damaged(String),
}

impl CatalogState {
    /// The catalog, to read from, if it is good.
    pub(crate) fn as_good(&self) -> Option<&Catalog> {
        match self {
            CatalogState::Good(catalog) => Some(catalog),
            CatalogState::Damaged(_) => None,
        }
    }

    /// The catalog, to write to.
    pub(crate) fn good(&mut self) -> Result<&mut Catalog> {
        match self {
            CatalogState::Good(catalog) => Ok(catalog),
            CatalogState::Damaged(reason) => Err(Error::CatalogDamaged { reason: reason.clone() }),
        }
    }
}
