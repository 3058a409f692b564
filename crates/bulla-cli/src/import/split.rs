//! Objects that hold several events and say once what these have in common.

use super::document::Document;
use super::input::VALUE_BYTES_MAX;

/// Most bytes of the parts of one object together. What the events have in common is in each part,
/// so an object could be made whose parts are many times as long as it is.
const PARTS_BYTES_MAX: usize = VALUE_BYTES_MAX;

/// Most parts of one object, because each is an event in memory until it is in the log.
const PARTS_MAX: usize = 10_000;

/// What an object holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Split {
    /// One event, or none.
    Whole,
    /// Several: for each the object as if it held only that one, otherwise byte for byte.
    Parts(Vec<String>),
    /// Several, which are too many or too long to be taken apart.
    TooLarge,
}

/// Takes an object apart, of which the member of this name is a list of events.
pub(crate) fn split(doc: &Document<'_>, member: &str) -> Split {
    let Some((around, events)) = doc.elements_of_member(member).filter(|(_, all)| all.len() > 1)
    else {
        return Split::Whole;
    };
    let common = around.before.len() + around.behind.len() + "[]".len();
    let own: usize = events.iter().map(|event| event.len()).sum();
    let bytes = common.saturating_mul(events.len()).saturating_add(own);
    if events.len() > PARTS_MAX || bytes > PARTS_BYTES_MAX {
        return Split::TooLarge;
    }
    let part = |event: &&str| format!("{}[{event}]{}", around.before, around.behind);
    Split::Parts(events.iter().map(part).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split_of(text: &str) -> Split {
        split(&Document::parse(text).unwrap(), "events")
    }

    #[test]
    fn each_part_is_the_object_with_one_event() {
        let parts = [
            r#"{ "id":1.50,"events": [{"a": 1}] ,"z":[2]}"#,
            r#"{ "id":1.50,"events": ["\ud800"] ,"z":[2]}"#,
        ];
        let whole = r#"{ "id":1.50,"events": [ {"a": 1} , "\ud800"] ,"z":[2]}"#;
        assert_eq!(split_of(whole), Split::Parts(parts.map(str::to_owned).to_vec()));
        // Of two members of a name the last counts, as everywhere.
        let twice = r#"{"events":[1,2,3],"events":[4,5]}"#;
        let parts = [r#"{"events":[1,2,3],"events":[4]}"#, r#"{"events":[1,2,3],"events":[5]}"#];
        assert_eq!(split_of(twice), Split::Parts(parts.map(str::to_owned).to_vec()));
    }

    #[test]
    fn one_event_is_left_where_it_is() {
        for whole in
            [r#"{"events":[{"a":1}]}"#, r#"{"events":[]}"#, r#"{"events":{"a":[1,2]}}"#, "{}"]
        {
            assert_eq!(split_of(whole), Split::Whole, "{whole}");
        }
    }

    #[test]
    fn parts_are_neither_too_many_nor_many_times_as_long_as_the_object() {
        let common = "x".repeat(1 << 20);
        let events = |count: usize| vec!["{}"; count].join(",");
        let of = |count| split_of(&format!(r#"{{"id":"{common}","events":[{}]}}"#, events(count)));
        assert!(matches!(of(60), Split::Parts(parts) if parts.len() == 60));
        assert_eq!(of(64), Split::TooLarge);
        let many = format!(r#"{{"events":[{}]}}"#, events(PARTS_MAX + 1));
        assert_eq!(split_of(&many), Split::TooLarge);
    }
}
