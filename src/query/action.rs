//! [`ActionGlob`]: an action, or all that start alike.

use std::fmt;
use std::str::FromStr;

/// `user.login` (that action), `user.*` (all that start with `user.`) or `*` (all).
/// A `*` may stand only at the end, because then it is a range in an index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActionGlob {
    text: String,
}

impl ActionGlob {
    /// The glob as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What all its actions start with, if it ends in `*`.
    pub fn prefix(&self) -> Option<&str> {
        self.text.strip_suffix('*')
    }

    /// Whether the action is one of those meant.
    pub fn matches(&self, action: &str) -> bool {
        match self.prefix() {
            Some(prefix) => action.starts_with(prefix),
            None => action == self.text,
        }
    }
}

impl fmt::Display for ActionGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The text is not an action or a prefix with `*`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an action such as user.login, or a prefix with one * at its end such as user.*, \
     found {found:?}"
)]
pub struct InvalidActionGlob {
    found: String,
}

impl FromStr for ActionGlob {
    type Err = InvalidActionGlob;

    fn from_str(text: &str) -> Result<Self, InvalidActionGlob> {
        let fixed = text.strip_suffix('*').unwrap_or(text);
        if text.is_empty() || fixed.contains('*') {
            return Err(InvalidActionGlob { found: text.chars().take(300).collect() });
        }
        Ok(ActionGlob { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> ActionGlob {
        text.parse().unwrap()
    }

    #[test]
    fn a_star_at_the_end_means_whatever_follows() {
        assert!(glob("user.*").matches("user.login"));
        assert!(glob("user.*").matches("user."));
        assert!(!glob("user.*").matches("users.login"));
        assert!(glob("user.login").matches("user.login"));
        assert!(!glob("user.login").matches("user.login2"));
        assert!(glob("*").matches("anything"));
        assert_eq!(glob("*").prefix(), Some(""));
    }

    #[test]
    fn a_star_elsewhere_is_refused() {
        for bad in ["", "**", "*.login", "user.*.x", "a**"] {
            assert!(bad.parse::<ActionGlob>().is_err(), "{bad}");
        }
    }
}
