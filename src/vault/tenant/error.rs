//! [`TenantError`]: what a tenant is told.

use crate::event::InvalidEvent;

/// Why a tenant got no answer. None of these depends on what others do, but for
/// [`TenantError::Unavailable`], which says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TenantError {
    /// The tenant's own event breaks a limit.
    #[error("invalid event: {0}")]
    Invalid(#[source] InvalidEvent),
    /// The event or the query names another tenant.
    #[error("another tenant is named: leave the tenant out")]
    OtherTenant,
    /// The cursor is not of this tenant and this question: start the query again.
    #[error("not a cursor of this question: start the query again")]
    InvalidCursor,
    /// The reference stands for no record of this tenant.
    #[error("there is no such record")]
    NotFound,
    /// The vault cannot do it now. Whoever runs it knows why; see
    /// [`VaultOptions::on_tenant_error`](crate::vault::VaultOptions::on_tenant_error).
    #[error("not available now: try again later")]
    Unavailable,
}
