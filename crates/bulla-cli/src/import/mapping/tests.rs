use super::super::document::Document;
use super::*;
use bulla::event::Outcome;

/// A required minimum, and what a test adds.
fn mapping(more: &str) -> Result<Mapping, MappingError> {
    Mapping::parse(&format!(
        r#"{{"name":"t","fields":{{"actor.type":{{"const":"user"}},"actor.id":["/who","/by"],
            "action":"/what","resource.type":{{"const":"thing"}}{more}}}}}"#
    ))
}

fn apply(more: &str, fields: &str) -> Result<bulla::event::Event, String> {
    apply_to(&mapping(more).unwrap(), &format!(r#"{{"by":"ann","what":"thing.eat"{fields}}}"#))
}

fn apply_to(mapping: &Mapping, text: &str) -> Result<bulla::event::Event, String> {
    mapping.apply(&Document::parse(text)?)
}

#[test]
fn the_shipped_mappings_are_mappings() {
    for name in Mapping::names() {
        assert_eq!(Mapping::open(name).unwrap().name(), name);
    }
    let error = Mapping::open("no-such-mapping").unwrap_err().to_string();
    assert!(error.contains("github, okta, gcp, gworkspace"), "{error}");
}

#[test]
fn slips_in_a_mapping_are_named() {
    for (more, word) in [
        (r#","actr.id":"/x""#, "fields.actr.id"),
        (r#","tags.":"/x""#, "tags."),
        (r#","ip":"addr""#, "fields.ip: expected a JSON pointer"),
        (r#","ip":["/a",{"at":"/b","mapp":{}}]"#, "fields.ip[1]: \"mapp\""),
        (r#","ip":{"at":"/a","const":"b"}"#, "exactly one"),
        (r#","ip":{"at":"/a","time":"rfc3339"}"#, "\"time\""),
        (r#","ip":7"#, "expected a pointer"),
        (r#","occurred_at":{"at":"/a","time":"unix"}"#, "epoch_ms"),
        (r#","outcome":{"at":"/a","map":{"a*b*":"failure"}}"#, "more than one *"),
        (r#","outcome":{"at":"/a","map":{"?":"odd"}}"#, "\"odd\""),
        (r#","outcome":{"const":"fine"}"#, "\"fine\""),
        (r#","outcome":{"table":"hub"}"#, "github, okta, gcp or gworkspace"),
        (r#","ip":{"table":"github"}"#, "\"table\""),
    ] {
        let error = mapping(more).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    for (text, word) in [
        ("{", "JSON"),
        ("[]", "object"),
        (r#"{"field":{}}"#, "\"field\""),
        (r#"{"fields":{"action":"/a"}}"#, "actor.type is required"),
    ] {
        assert!(Mapping::parse(text).unwrap_err().to_string().contains(word), "{text}");
    }
}

#[test]
fn sources_are_tried_in_order_and_odd_values_passed_over() {
    let more = r#","tenant":["/a",{"at":"/b","ignore":["-"]},{"template":"{/c}/{/d}"},"/e"]"#;
    for (fields, tenant) in [
        (r#","a":"1","b":"2""#, Some("1")),
        (r#","a":{"x":1},"b":2"#, Some("2")),
        (r#","a":"","b":"-","c":"x","d":true"#, Some("x/true")),
        (r#","c":"x","e":5"#, Some("5")),
        ("", None),
    ] {
        assert_eq!(apply(more, fields).unwrap().tenant.as_deref(), tenant, "{fields}");
    }
}

#[test]
fn times_that_are_there_must_be_readable() {
    let more = r#","occurred_at":[{"at":"/t","time":["epoch_ms","datetime_utc"]},"/u"]"#;
    let nanos =
        |fields: &str| apply(more, fields).map(|event| event.occurred_at.map(|t| t.as_nanos()));
    assert_eq!(nanos(r#","t":1500"#), Ok(Some(1_500_000_000)));
    assert_eq!(nanos(r#","t":"1970-01-01 00:00:02""#), Ok(Some(2_000_000_000)));
    assert_eq!(nanos(r#","t":"soon","u":"1970-01-01T00:00:03Z""#), Ok(Some(3_000_000_000)));
    assert_eq!(nanos(""), Ok(None));
    assert!(nanos(r#","t":"soon""#).unwrap_err().contains("soon"));
}

#[test]
fn outcomes_durations_lists_and_values_are_mapped() {
    let more = r#","outcome":{"at":"/o","map":{"OK":"success","NO":"denied"}},
        "duration_ms":"/ms","changed_fields":"/changed","old_values":"/old","new_values":"/new",
        "tags.zone":"/z","id":"/id""#;
    let event = apply(
        more,
        r#","o":"NO","ms":12,"changed":["a","b"],"old":{"a" : 1.0},"z":"eu","id":"not a uuid""#,
    )
    .unwrap();
    assert_eq!(event.outcome, Outcome::Denied);
    assert_eq!(event.duration_ms, Some(12));
    assert_eq!(event.changed_fields, ["a", "b"]);
    assert_eq!(event.old_values.unwrap().as_str(), r#"{"a" : 1.0}"#);
    assert_eq!(event.new_values, None);
    assert_eq!(event.tags["zone"], "eu");
    let name = super::super::ids::event_id("t", "not a uuid");
    assert_eq!(event.id, Some(name), "made of the text");
    let strange = apply(more, r#","o":"new""#).unwrap();
    assert_eq!(strange.outcome, Outcome::Unknown);
    assert_eq!(strange.tags["outcome_not_understood"], "new");
    assert_eq!(apply(more, "").unwrap().outcome, Outcome::Success);
    let odd = apply(more, r#","ms":"long""#).unwrap();
    assert_eq!((odd.duration_ms, odd.tags["left_out"].as_str()), (None, "duration_ms"));
    let keys = apply(more, r#","changed":{"x":1,"y":2}"#).unwrap().changed_fields;
    assert_eq!(keys, ["x", "y"]);
}

#[test]
fn an_event_without_a_required_field_is_refused_by_name() {
    let reason = apply_to(&mapping("").unwrap(), r#"{"who":"ann"}"#).unwrap_err();
    assert_eq!(reason, "nothing found for action");
}

#[test]
fn all_sources_of_an_outcome_are_read_and_the_worst_counts() {
    let more = r#","outcome":[{"at":"/o","map":{"OK":"success","7":"denied","-":null}},"/p",
        {"const":"partial"}]"#;
    for (fields, outcome, words) in [
        ("", Outcome::Partial, None),
        (r#","o":"-""#, Outcome::Partial, None),
        (r#","o":"OK""#, Outcome::Success, None),
        (r#","o":7"#, Outcome::Denied, None),
        (r#","o":7.0"#, Outcome::Denied, None),
        (r#","o":"7""#, Outcome::Denied, None),
        (r#","o":"OK","p":"Failure""#, Outcome::Failure, None),
        (r#","o":"Ok","p":"success""#, Outcome::Unknown, Some("Ok")),
        (r#","o":"OK","p":"unknown""#, Outcome::Unknown, None),
        (r#","o":"OK","p":"well""#, Outcome::Unknown, Some("well")),
        (r#","o":{"a":1}"#, Outcome::Unknown, Some(r#"{"a":1}"#)),
    ] {
        let event = apply(more, fields).unwrap();
        assert_eq!(event.outcome, outcome, "{fields}");
        let found = event.tags.get("outcome_not_understood");
        // Quotes are escaped, as in every message.
        assert_eq!(found.map(|text| text.replace('\\', "")).as_deref(), words, "{fields}");
    }
}

#[test]
fn an_event_without_an_actor_is_kept_with_an_unknown_one() {
    let event = mapping(r#","actor.email":"/mail""#).unwrap();
    let event = apply_to(&event, r#"{"what":"x.y","mail":"other@example.com"}"#).unwrap();
    assert_eq!((event.actor.id.as_str(), event.actor.email), ("unknown", None));
}

/// A message is looked into if it has the name of the member that actions are read from: what is a
/// place in a list is no name.
#[test]
fn messages_are_known_by_names_not_by_places() {
    let names = |action: &str| {
        let fields = format!(
            r#"{{"fields":{{"actor.id":"/a","actor.type":"/a","resource.type":"/a","action":{action}}}}}"#
        );
        Mapping::parse(&fields).unwrap().names_of_actions()
    };
    assert_eq!(names(r#""/what""#), ["what"]);
    assert_eq!(
        names(r#"["/a/deeds/0","/deeds/[last]","/d/[k=v]","/a~1b/0/1","/0"]"#),
        ["deeds", "deeds", "d", "a/b", ""]
    );
    assert_eq!(names(r#"{"template":"{/x/app}.{/names/0}"}"#), ["app", "names"]);
    assert!(names(r#"{"const":"x"}"#).is_empty());
}
