//! Proof files: each is made by docs/format.md alone, wrong in one thing and right in all else.

pub(crate) mod audits;
pub(crate) mod bundles;
pub(crate) mod carried;
pub(crate) mod carried_catalog;
pub(crate) mod consistency;
pub(crate) mod records;
pub(crate) mod single;
pub(crate) mod vaults;

/// A case that verifying the proof refuses: id, what is forged, in which log, what the message says.
macro_rules! refused {
    ($id:literal, $what:literal, $base:ident, $says:literal, $forge:expr) => {
        $crate::cases::Case {
            id: $id,
            what: $what,
            base: $crate::bases::Base::$base,
            forge: $forge,
            expect: &[($crate::cases::By::VerifyProof, $crate::cases::As::Other, $says)],
        }
    };
}

pub(crate) use refused;
