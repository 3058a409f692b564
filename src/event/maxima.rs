//! The largest that each part of an event may be; [`limits`](super::limits) holds events to it.

use crate::time::Timestamp;

/// Longest `tenant`, `action`, and type of an actor, a resource or a target; longest role of a
/// target.
pub const NAME_LEN_MAX: usize = 256;
/// Longest id of an actor, a resource or a target.
pub const ID_LEN_MAX: usize = 4096;
/// Longest `request_id`, `correlation_id`, `session_id`, `source`, and e-mail address and role of
/// an actor.
pub const LABEL_LEN_MAX: usize = 1024;
/// Longest `ip` (which may be the name of a service).
pub const IP_LEN_MAX: usize = 256;
/// Longest `user_agent`.
pub const USER_AGENT_LEN_MAX: usize = 8192;
/// Longest `reason`.
pub const REASON_LEN_MAX: usize = 65_536;
/// Most `changed_fields`.
pub const CHANGED_FIELDS_MAX: usize = 1024;
/// Longest name in `changed_fields`.
pub const CHANGED_FIELD_LEN_MAX: usize = 256;
/// Most `targets`.
pub const TARGETS_MAX: usize = 64;
/// Longest text of all `targets` together: the envelope, which they stand in, has 65,431 bytes.
pub const TARGETS_LEN_MAX: usize = 32_768;
/// Most `tags`.
pub const TAGS_MAX: usize = 256;
/// Longest key of a tag.
pub const TAG_KEY_LEN_MAX: usize = 256;
/// Longest value of a tag.
pub const TAG_VALUE_LEN_MAX: usize = 4096;
/// Longest text of `old_values`, `new_values` and `details`.
pub const JSON_LEN_MAX: usize = 1 << 20;
/// Longest `redacted.rules`.
pub const REDACTED_RULES_LEN_MAX: usize = 256;
/// Most `redacted.paths`.
pub const REDACTED_PATHS_MAX: usize = 256;
/// Longest path in `redacted.paths`.
pub const REDACTED_PATH_LEN_MAX: usize = 512;
/// Longest `subject`: an actor's type, a colon and an actor's id.
pub const SUBJECT_LEN_MAX: usize = NAME_LEN_MAX + 1 + ID_LEN_MAX;
/// Deepest nesting of arrays and objects in a JSON value. `serde_json` reads 127
/// levels, and a value is one level down in the JSON of its record.
pub const JSON_DEPTH_MAX: usize = 126;
/// Most texts in the lists of an event.
pub(crate) const ENTRIES_MAX: usize =
    CHANGED_FIELDS_MAX + 2 * TAGS_MAX + TARGET_TEXTS * TARGETS_MAX + REDACTED_PATHS_MAX;
/// Longest text of all fields of the payload together (`docs/format.md`): with the
/// lengths and marks between them they stay within 4 MiB.
pub const PAYLOAD_TEXT_LEN_MAX: usize = (4 << 20) - (8 << 10);
/// Actions that start with this are the log's own.
pub const RESERVED_ACTION_PREFIX: &str = "bulla.";
/// Earliest `occurred_at`: 1678-01-01T00:00:00Z.
pub const OCCURRED_AT_MIN: Timestamp = Timestamp::from_nanos(-9_214_560_000_000_000_000);
/// Latest `occurred_at`: the last nanosecond of the year 2261.
pub const OCCURRED_AT_MAX: Timestamp = Timestamp::from_nanos(9_214_646_400_000_000_000 - 1);

/// Texts of a target: its type, id and role.
pub(super) const TARGET_TEXTS: usize = 3;
