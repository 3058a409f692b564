//! The names of logs in a vault.

use crate::error::{Error, Result};
use crate::hash::{self, Hash};
use crate::proof::{LogHead, VAULT_NAME_LEN_MAX, VAULT_NAME_RESERVED};

/// The directory of the logs, in that of the vault.
pub(super) const LOGS: &str = "logs";

/// Longest name of a log, in bytes.
pub(super) const NAME_LEN_MAX: usize = VAULT_NAME_LEN_MAX;
/// Longest prefix of the names of logs that are made for each tenant.
pub(super) const PREFIX_LEN_MAX: usize = NAME_LEN_MAX - 1 - 2 * TENANT_BYTES;

/// So many bytes of a tenant's digest are in the name of its log.
const TENANT_BYTES: usize = 16;
const TAG_TENANT: &[u8] = b"bulla/vault-tenant/v1\0";

/// Whether a log may have this name. Names are those of directories, so there is nothing in
/// them that leads elsewhere.
///
/// # Errors
/// `InvalidOption` says what a name must be.
pub(super) fn check(name: &str) -> Result<()> {
    if LogHead::is_name(name) {
        return Ok(());
    }
    let shown: String = name.chars().take(80).collect();
    let reason = format!(
        "expected 1 to {NAME_LEN_MAX} of a-z, 0-9, '-', '_' and '.', not with a dot in front, not \
         ending in .tmp, and not {VAULT_NAME_RESERVED:?}; found {shown:?}"
    );
    Err(Error::InvalidOption { name: "log", reason })
}

/// What stands for a tenant's name where that could be anything.
pub(super) fn tenant_digest(tenant: &str) -> Hash {
    hash::tagged(TAG_TENANT, &[tenant.as_bytes()])
}

/// The name of the log that a tenant has for itself.
pub(super) fn of_tenant(prefix: &str, tenant: &Hash) -> String {
    let digest = tenant.to_string();
    format!("{prefix}-{}", digest.get(..2 * TENANT_BYTES).unwrap_or_default())
}

/// Whether a log may be that of a tenant: behind a prefix its name has the tenant's digest.
pub(super) fn is_of_tenant(name: &str, tenant: &Hash) -> bool {
    let prefix = name.len().checked_sub(2 * TENANT_BYTES + 1).and_then(|len| name.get(..len));
    prefix.is_some_and(|prefix| check(prefix).is_ok() && of_tenant(prefix, tenant) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere() {
        for good in ["a", "main", "auth.2026", "t-0_1", &"x".repeat(64)] {
            assert!(check(good).is_ok(), "{good}");
        }
        let long = "x".repeat(65);
        for bad in ["", ".", "..", ".a", "a/b", "a\\b", "A", "é", "a b", "x.tmp", "vault", &long] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_tenants_log_has_a_good_name_whatever_the_tenant() {
        for tenant in ["acme", "../../etc/passwd", "\u{202e}", ""] {
            let name = of_tenant(&"p".repeat(PREFIX_LEN_MAX), &tenant_digest(tenant));
            assert!(check(&name).is_ok(), "{name}");
        }
        assert_ne!(tenant_digest("a"), tenant_digest("b"));
    }
}
