//! [`Target`]: a further resource of an event. And what identifies one, or an actor, borrowed.

use super::entity::Actor;

/// To what else it was done, and in which part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Target {
    /// The kind of resource, e.g. `instance` (`type` in JSON).
    pub kind: String,
    /// Identifies the resource within its kind.
    pub id: String,
    /// Which part it had in the action, e.g. `source` or `destination`.
    pub role: Option<String>,
}

/// A [`Target`], borrowed from an event or from the bytes of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetRef<'a> {
    /// [`Target::kind`].
    pub kind: &'a str,
    /// [`Target::id`].
    pub id: &'a str,
    /// [`Target::role`].
    pub role: Option<&'a str>,
}

/// What identifies an [`Actor`], borrowed from an event or from the bytes of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActorRef<'a> {
    /// [`Actor::kind`].
    pub kind: &'a str,
    /// [`Actor::id`].
    pub id: &'a str,
}

impl Actor {
    /// What identifies it.
    pub fn as_actor_ref(&self) -> ActorRef<'_> {
        ActorRef { kind: &self.kind, id: &self.id }
    }
}

impl Target {
    /// A resource of this kind (`type` in JSON) with this id.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Target { kind: kind.into(), id: id.into(), role: None }
    }

    /// Sets which part it had in the action.
    #[must_use]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.role = Some(role.into());
        self
    }

    /// The same, borrowed.
    pub fn as_target_ref(&self) -> TargetRef<'_> {
        TargetRef { kind: &self.kind, id: &self.id, role: self.role.as_deref() }
    }
}

impl TargetRef<'_> {
    /// The same, owned.
    pub fn to_target(self) -> Target {
        Target {
            kind: self.kind.to_owned(),
            id: self.id.to_owned(),
            role: self.role.map(str::to_owned),
        }
    }
}
