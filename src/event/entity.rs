//! Who acts, and on what.

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Actor {
    /// The kind of actor (`type` in JSON): one of the constants of [`Actor`], such as
    /// [`Actor::USER`], or a word of the caller's own, e.g. `role`.
    pub kind: String,
    /// Identifies the actor within its kind.
    pub id: String,
    /// E-mail address.
    pub email: Option<String>,
    /// The role in which it acted.
    pub role: Option<String>,
}

/// To what it was done.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Resource {
    /// The kind of resource, e.g. `invoice` (`type` in JSON).
    pub kind: String,
    /// Identifies the resource within its kind, if it is a single one.
    pub id: Option<String>,
}
