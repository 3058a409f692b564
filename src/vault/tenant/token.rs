//! What a tenant holds: opaque texts.

use std::fmt;
use std::str::FromStr;

macro_rules! token {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name(pub(super) String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        /// Any text is taken; whether it is one is seen when it is used.
        impl FromStr for $name {
            type Err = std::convert::Infallible;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok($name(text.to_owned()))
            }
        }
    };
}

token! {
    /// What a tenant gets a record with: opaque, good for that tenant alone. One record has
    /// many.
    Reference
}
token! {
    /// Where a tenant's query goes on: opaque, good for that tenant and that question alone.
    TenantCursor
}
