//! Whether a record holds what a caller gave: the content of two events with the same id.
//!
//! Compared is what the log would record of the event, redacted as it is. So events that differ
//! only in what is redacted are the same: nothing of that is kept, no digest either. Not compared
//! are a time that the event does not have, because the log gave the record one; a payload that
//! is encrypted and cannot be decrypted, or was erased; and an identifier under an alias whose key
//! is not at hand.

use crate::cipher::Identifier;
use crate::engine::core::Core;
use crate::error::{Error, Result};
use crate::event::{Event, Record, RecordKind};
use crate::format::body::{self, Envelope, Payload};
use crate::format::encrypted::KeyId;
use crate::format::record::CheckedRecord;
use crate::options::LogOptions;
use crate::read::decode;
use crate::read::records::SegmentSnapshot;
use crate::seq::Seq;
use crate::write::protect;
use crate::write::receipt::Receipt;

/// A record with the id of an event.
pub(crate) struct Compared {
    pub(crate) receipt: Receipt,
    pub(crate) is_same: bool,
}

/// Compares an event with a record that may have its id. `None` if the record has another id, or
/// expired: what it held is not known any more.
///
/// # Errors
/// Damage, I/O.
pub(crate) fn compare(
    core: &Core,
    snapshot: &SegmentSnapshot,
    seq: Seq,
    given: &Event,
) -> Result<Option<Compared>> {
    match snapshot.with_record(seq, |_, record| look(core, &record, given)) {
        Err(Error::Expired { .. }) => Ok(None),
        looked => looked?,
    }
}

fn look(core: &Core, record: &CheckedRecord<'_>, given: &Event) -> Result<Option<Compared>> {
    let is_event = record.head.kind == RecordKind::Event.code();
    if !is_event || body::id_of(record.envelope) != given.id {
        return Ok(None);
    }
    let envelope = body::decode_envelope(record.head.schema, record.envelope)
        .map_err(|error| decode::damaged(record.head.seq, error.to_string()))?;
    let recorded = core.view.decode(record)?;
    let Record { seq, recorded_at, leaf_hash, .. } = recorded;
    let receipt = Receipt { seq, recorded_at, leaf_hash };
    let key = record.encrypted().map(|stored| stored.key_id);
    let is_same = is_of_its_subject(&core.shared.options, given, &recorded, key)
        && is_same(&core.shared.options, given, recorded, &envelope);
    Ok(Some(Compared { receipt, is_same }))
}

/// Whether a payload that can be read is encrypted for whom the event names. One that is stored
/// as it is, by an event that names a subject now, was recorded under other options.
fn is_of_its_subject(
    options: &LogOptions,
    given: &Event,
    recorded: &Record,
    key: Option<KeyId>,
) -> bool {
    let Some(key) = key.filter(|_| recorded.payload.is_shown()) else { return true };
    let Some(subject) = protect::subject_by(options, given) else { return true };
    let known = options.key_store.as_ref().and_then(|store| store.known(&subject));
    known.is_some_and(|keys| keys.key_id == key)
}

fn is_same(options: &LogOptions, given: &Event, recorded: Record, envelope: &Envelope<'_>) -> bool {
    let (Some(id), Some(recorded_time)) = (recorded.event.id, recorded.event.occurred_at) else {
        return false; // unreachable: every record has both
    };
    let is_payload_shown = recorded.payload.is_shown();
    let event = with_identifiers(options, given, recorded.event, envelope);
    let given_time = given.occurred_at.unwrap_or(recorded_time);
    Envelope::of(given, id, given_time) == Envelope::of(&event, id, recorded_time)
        && (!is_payload_shown || Payload::of(given) == Payload::of(&event))
}

/// The recorded event, with the identifiers that were given where it has their aliases, or
/// aliases that nobody can compare.
fn with_identifiers(
    options: &LogOptions,
    given: &Event,
    mut recorded: Event,
    envelope: &Envelope<'_>,
) -> Event {
    let aliases = envelope.aliases;
    let is_alias = |which, kind: &str, id: &str, found: &str| {
        let store = options.key_store.as_ref();
        let alias = store.and_then(|store| store.alias(which, kind, id));
        alias.is_none_or(|alias| alias == found)
    };
    let actor = &given.actor;
    if aliases.actor_id() && is_alias(Identifier::Actor, &actor.kind, &actor.id, &recorded.actor.id)
    {
        recorded.actor.id.clone_from(&actor.id);
    }
    let resource = &given.resource;
    if aliases.resource_id()
        && let (Some(id), Some(found)) = (&resource.id, &recorded.resource.id)
        && is_alias(Identifier::Resource, &resource.kind, id, found)
    {
        recorded.resource.id = Some(id.clone());
    }
    if aliases.on_behalf_of_id()
        && let (Some(actor), Some(found)) = (&given.on_behalf_of, &mut recorded.on_behalf_of)
        && is_alias(Identifier::Actor, &actor.kind, &actor.id, &found.id)
    {
        found.id.clone_from(&actor.id);
    }
    for (n, (target, found)) in given.targets.iter().zip(&mut recorded.targets).enumerate() {
        if envelope.is_target_alias(n)
            && is_alias(Identifier::Resource, &target.kind, &target.id, &found.id)
        {
            found.id.clone_from(&target.id);
        }
    }
    recorded
}
