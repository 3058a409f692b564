//! Whose data an event holds, and so with which key it is encrypted and which of its
//! identifiers are recorded as aliases.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cipher::{self, Identifier};
use crate::error::{Error, Result};
use crate::event::{Actor, Event, Target};
use crate::format::body::Pseudonyms;
use crate::format::catalog_body::ProtectionSet;
use crate::format::key_store::SubjectKeys;
use crate::keystore::{KeyStore, subject_of};
use crate::options::{LogOptions, SubjectRule};

/// What of an event is recorded in another form than it was given.
#[derive(Debug, Default)]
pub(crate) struct Protection {
    /// Encrypts the payload.
    pub(crate) keys: Option<Arc<SubjectKeys>>,
    actor_id: Option<String>,
    resource_id: Option<String>,
    on_behalf_of_id: Option<String>,
    /// In the order of the targets; empty if none of them stands under an alias.
    target_ids: Vec<Option<String>>,
}

impl Protection {
    /// Of an event, by the options of the log. Draws the keys of subjects that are new.
    pub(crate) fn of(options: &LogOptions, event: &Event) -> Result<Self> {
        let Some(store) = &options.key_store else {
            return match &event.subject {
                None => Ok(Protection::default()),
                Some(_) => Err(no_store("an event that names a subject")),
            };
        };
        let subject = subject_by(options, event);
        let keys = subject.map(|subject| known_or_drawn(store, &subject, event)).transpose()?;
        let mut protection = Protection { keys, ..Protection::default() };
        if options.alias_actors {
            let (kind, id) = (&event.actor.kind, &event.actor.id);
            protection.actor_id = Some(alias(store, event, Identifier::Actor, kind, id)?);
            if let Some(Actor { kind, id, .. }) = &event.on_behalf_of {
                let alias = alias(store, event, Identifier::Actor, kind, id)?;
                protection.on_behalf_of_id = Some(alias);
            }
        }
        if let Some(id) = aliased_resource(options, event) {
            let kind = &event.resource.kind;
            protection.resource_id = Some(alias(store, event, Identifier::Resource, kind, id)?);
        }
        if event.targets.iter().any(|target| is_aliased(options, target)) {
            let of_target = |target: &Target| {
                let Target { kind, id, .. } = target;
                let is_aliased = is_aliased(options, target);
                is_aliased.then(|| alias(store, event, Identifier::Resource, kind, id)).transpose()
            };
            protection.target_ids = event.targets.iter().map(of_target).collect::<Result<_>>()?;
        }
        Ok(protection)
    }

    /// What stands in the envelope in place of identifiers.
    pub(crate) fn pseudonyms(&self) -> Pseudonyms<'_> {
        Pseudonyms {
            actor_id: self.actor_id.as_deref(),
            resource_id: self.resource_id.as_deref(),
            on_behalf_of_id: self.on_behalf_of_id.as_deref(),
            target_ids: &self.target_ids,
        }
    }
}

/// Whose data an event holds: whom it names, else whom the options say.
pub(crate) fn subject_by(options: &LogOptions, event: &Event) -> Option<String> {
    match (&event.subject, options.subject_rule) {
        (Some(subject), _) => Some(subject.clone()),
        (None, SubjectRule::Actor) => Some(subject_of(&event.actor.kind, &event.actor.id)),
        (None, SubjectRule::None) => None,
    }
}

/// The id of a resource that is to be recorded as an alias.
fn aliased_resource<'e>(options: &LogOptions, event: &'e Event) -> Option<&'e str> {
    let listed = options.alias_resources.contains(&event.resource.kind);
    event.resource.id.as_deref().filter(|_| listed)
}

/// Whether the id of a target is to be recorded as an alias: as those of resources of its type.
fn is_aliased(options: &LogOptions, target: &Target) -> bool {
    options.alias_resources.contains(&target.kind)
}

fn alias(
    store: &KeyStore,
    event: &Event,
    which: Identifier,
    kind: &str,
    id: &str,
) -> Result<String> {
    let keys = known_or_drawn(store, &subject_of(kind, id), event)?;
    Ok(cipher::alias(&keys.alias_key, which, kind, id))
}

/// An event that the log does not take leaves no keys behind.
fn known_or_drawn(store: &KeyStore, subject: &str, event: &Event) -> Result<Arc<SubjectKeys>> {
    if let Some(known) = store.known(subject) {
        return Ok(known);
    }
    event.validate()?;
    store.draw(subject)
}

/// Draws the keys of all new subjects of a batch at once. Those of an invalid event wait
/// until it is refused.
pub(crate) fn prepare<'e>(
    options: &LogOptions,
    events: impl Iterator<Item = &'e Event>,
) -> Result<()> {
    let Some(store) = &options.key_store else { return Ok(()) };
    let mut subjects = Vec::new();
    for event in events.filter(|event| event.validate().is_ok()) {
        subjects.extend(event.subject.clone());
        let by_rule = event.subject.is_none() && options.subject_rule == SubjectRule::Actor;
        if by_rule || options.alias_actors {
            subjects.push(subject_of(&event.actor.kind, &event.actor.id));
        }
        let behalf = event.on_behalf_of.iter().filter(|_| options.alias_actors);
        subjects.extend(behalf.map(|actor| subject_of(&actor.kind, &actor.id)));
        if let Some(id) = aliased_resource(options, event) {
            subjects.push(subject_of(&event.resource.kind, id));
        }
        let aliased = event.targets.iter().filter(|target| is_aliased(options, target));
        subjects.extend(aliased.map(|target| subject_of(&target.kind, &target.id)));
    }
    store.prepare(subjects.iter().map(String::as_str))
}

/// What asks for keys needs a store that can draw them.
pub(crate) fn check(options: &LogOptions) -> Result<()> {
    let asks = options.subject_rule != SubjectRule::None
        || options.alias_actors
        || !options.alias_resources.is_empty();
    match &options.key_store {
        None if asks => Err(no_store("`subject_rule`, `alias_actors` or `alias_resources`")),
        _ => check_aliased(&options.alias_resources),
    }
}

/// The types go on record, in one record of the catalog.
fn check_aliased(kinds: &[String]) -> Result<()> {
    let (kinds_max, bytes_max) = (ProtectionSet::ALIASED_MAX, ProtectionSet::ALIASED_BYTES_MAX);
    let distinct: BTreeSet<&String> = kinds.iter().collect();
    let bytes: usize = distinct.iter().map(|kind| kind.len()).sum();
    if distinct.len() <= kinds_max && bytes <= bytes_max {
        return Ok(());
    }
    Err(Error::InvalidOption {
        name: "alias_resources",
        reason: format!(
            "expected at most {kinds_max} types of resources, with {bytes_max} bytes of names \
             together, found {} with {bytes}",
            distinct.len()
        ),
    })
}

fn no_store(what: &str) -> Error {
    Error::InvalidOption {
        name: "key_store",
        reason: format!(
            "expected a key store for {what}, found none: without it the payload would be \
             stored as it is"
        ),
    }
}
