//! [`TenantError`]: what a tenant is told.

use std::fmt;

use crate::event::InvalidEvent;

/// Why a tenant got no answer. None of these depends on what others do, but for
/// [`TenantError::Unavailable`], which says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TenantError {
    /// The tenant's own event breaks a limit.
    Invalid(InvalidEvent),
    /// The event or the query names another tenant.
    OtherTenant,
    /// The cursor is not of this tenant and this question: start the query again.
    InvalidCursor,
    /// The reference stands for no record of this tenant.
    NotFound,
    /// The vault cannot do it now. Whoever runs it knows why; see
    /// [`VaultOptions::on_tenant_error`](crate::vault::VaultOptions::on_tenant_error).
    Unavailable,
}

impl fmt::Display for TenantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TenantError::Invalid(invalid) => write!(f, "invalid event: {invalid}"),
            TenantError::OtherTenant => {
                f.write_str("another tenant is named: leave the tenant out")
            }
            TenantError::InvalidCursor => {
                f.write_str("not a cursor of this question: start the query again")
            }
            TenantError::NotFound => f.write_str("there is no such record"),
            TenantError::Unavailable => f.write_str("not available now: try again later"),
        }
    }
}

impl std::error::Error for TenantError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            TenantError::Invalid(invalid) => Some(invalid),
            _ => None,
        }
    }
}
