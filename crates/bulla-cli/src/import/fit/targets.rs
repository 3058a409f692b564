//! Fitting the further resources of an event.

use bulla::Event;
use bulla::event::Target;
use bulla::event::limits::{ID_LEN_MAX, NAME_LEN_MAX, TARGETS_LEN_MAX, TARGETS_MAX};

use super::{ONE_LINE, Shortened, UNKNOWN, escape};

const FIELD: &str = "targets";

/// How long the texts of a target may be.
struct Room {
    kind: usize,
    id: usize,
    role: usize,
}

/// What a target may have by itself.
const ALONE: Room = Room { kind: NAME_LEN_MAX, id: ID_LEN_MAX, role: NAME_LEN_MAX };

/// What each target may have, so that as many as there may be fit together.
const TOGETHER: Room = Room { kind: 128, id: 320, role: 64 };

const _: () = assert!(
    TARGETS_MAX * (TOGETHER.kind + TOGETHER.id + TOGETHER.role) <= TARGETS_LEN_MAX,
    "the largest targets fit together"
);

/// Writes control characters as escapes.
pub(super) fn escape_targets(event: &mut Event) {
    for Target { kind, id, role } in &mut event.targets {
        [Some(kind), Some(id), role.as_mut()]
            .into_iter()
            .flatten()
            .for_each(|text| escape(text, ONE_LINE));
    }
}

/// A target without an id identifies nothing; one without a type is of an unknown one.
pub(super) fn name_what_is_empty(event: &mut Event) {
    event.targets.retain(|target| !target.id.is_empty());
    for target in &mut event.targets {
        if target.kind.is_empty() {
            UNKNOWN.clone_into(&mut target.kind);
        }
        target.role.take_if(|role| role.is_empty());
    }
}

/// The first stay, each within its limits; where they are too long together, the long texts among
/// them are shortened further, so that no long target pushes out the others.
pub(super) fn shorten(event: &mut Event, shortened: &mut Shortened) {
    if event.targets.len() > TARGETS_MAX {
        event.targets.truncate(TARGETS_MAX);
        shortened.note(FIELD);
    }
    shorten_texts(&mut event.targets, &ALONE, shortened);
    if event.targets.iter().map(len).sum::<usize>() > TARGETS_LEN_MAX {
        shorten_long_texts(&mut event.targets, shortened);
    }
}

fn shorten_texts(targets: &mut [Target], room: &Room, shortened: &mut Shortened) {
    for Target { kind, id, role } in targets {
        shortened.text(FIELD, kind, room.kind);
        shortened.text(FIELD, id, room.id);
        if let Some(role) = role {
            shortened.text(FIELD, role, room.role);
        }
    }
}

/// Those that are short enough stay as they are, also one that had a digest put behind it.
fn shorten_long_texts(targets: &mut [Target], shortened: &mut Shortened) {
    for Target { kind, id, role } in targets {
        let texts =
            [(Some(kind), TOGETHER.kind), (Some(id), TOGETHER.id), (role.as_mut(), TOGETHER.role)];
        for (text, max) in texts {
            if let Some(text) = text.filter(|text| text.len() > max) {
                shortened.text(FIELD, text, max);
            }
        }
    }
}

fn len(target: &Target) -> usize {
    target.kind.len() + target.id.len() + target.role.as_ref().map_or(0, String::len)
}
