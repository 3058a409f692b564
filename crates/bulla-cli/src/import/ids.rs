//! Event ids by which the log finds an event again, so that importing it twice adds nothing.

use bulla::event::{Event, EventId};

use super::fit::add_tag;

/// The tag with the id that the source gave, where another event of the log has it.
pub const SHARED_ID: &str = "shared_id";

/// What ids of names are hashed under.
const OF_NAME: &str = "bulla-cli 2026-11-30 event id of a source's name";
/// What ids of events that share theirs are hashed under.
const OF_EVENT: &str = "bulla-cli 2026-11-30 event id of a whole event";

/// The id of an event that its source names by a text. A UUID is taken as it is; another text
/// becomes a UUID that is made of it, and of the source: two sources may use one name.
pub(crate) fn event_id(source: &str, name: &str) -> EventId {
    name.parse().unwrap_or_else(|_| made(OF_NAME, &[source, name]))
}

/// Gives an event whose id another event has an id of its own, made of all that it holds, and the
/// tag [`SHARED_ID`]. Whoever is being audited chooses ids in some sources, and must not keep an
/// event out of the log that way. The same event gets the same id each time.
pub fn set_apart(event: &mut Event) {
    let Some(shared) = event.id else { return };
    event.id = Some(made(OF_EVENT, &[&event.to_json()]));
    add_tag(event, SHARED_ID, shared.to_string());
}

/// A UUID of version 8 (RFC 9562 §5.8): BLAKE3 of the parts, each with its length in front.
fn made(context: &str, parts: &[&str]) -> EventId {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut id = [0; 16];
    id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    id[6] = 0x80 | id[6] & 0x0f;
    id[8] = 0x80 | id[8] & 0x3f;
    EventId(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bulla::event::{Actor, Resource};

    #[test]
    fn a_uuid_is_kept_and_another_name_becomes_one() {
        let uuid = "5f2b8a30-0c4d-4a39-9a8e-1e5f0f6f8f11";
        assert_eq!(event_id("okta", uuid).to_string(), uuid);
        let made = event_id("github", "xJJFlFOhQ6b-5vaAFy9Rjw");
        assert_eq!(made, event_id("github", "xJJFlFOhQ6b-5vaAFy9Rjw"));
        assert_ne!(made, event_id("gcp", "xJJFlFOhQ6b-5vaAFy9Rjw"));
        assert_ne!(event_id("ab", "c"), event_id("a", "bc"));
        let text = made.to_string();
        assert_eq!((&text[14..15], "89ab".contains(&text[19..20])), ("8", true), "{text}");
    }

    #[test]
    fn events_that_share_an_id_are_set_apart_by_what_they_hold() {
        let event = |action: &str| {
            let mut event = Event::new(Actor::new("user", "a"), action, Resource::kind_only("r"));
            event.id = Some(EventId([7; 16]));
            set_apart(&mut event);
            event
        };
        assert_eq!(event("a.b"), event("a.b"));
        assert_ne!(event("a.b").id, event("a.c").id);
        assert_eq!(event("a.b").tags[SHARED_ID], EventId([7; 16]).to_string());
    }
}
