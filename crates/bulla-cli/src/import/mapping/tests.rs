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
        (r#","ip":"""#, "fields.ip: expected a JSON pointer"),
        (r#","on_behalf_of.id":"/a""#, "fields.on_behalf_of.type is required"),
        (r#","on_behalf_of.email":"/a""#, "fields.on_behalf_of.type is required"),
        (r#","targets":"/a""#, "fields.targets: expected an object"),
        (r#","targets":[{"id":"/a"}]"#, "fields.targets[0]: type is required"),
        (r#","targets":{"type":"/a"}"#, "fields.targets: id is required"),
        (r#","targets":{"type":"/a","id":"b"}"#, "fields.targets: id: expected a JSON pointer"),
        (r#","targets":{"type":"/a","id":""}"#, "fields.targets: id: expected a JSON pointer"),
        (r#","targets":{"type":"/a","id":"/b","each":"c"}"#, "each: expected a JSON pointer"),
        (r#","targets":{"type":"/a","id":"/b","rôle":"/c"}"#, "each, type, id, role"),
        (r#","targets":{"type":"/a","id":"/b","unique_ids":1}"#, "unique_ids: expected true"),
    ] {
        let error = mapping(more).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    for (text, word) in [
        ("{", "JSON"),
        ("[]", "object"),
        (r#"{"field":{}}"#, "\"field\""),
        (r#"{"fields":{"action":"/a"}}"#, "actor.type is required"),
        (r#"{"split":["a"],"fields":{}}"#, "split: expected the name of a member"),
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

#[test]
fn targets_come_from_the_event_and_from_each_element_of_lists() {
    let more = r#","resource.id":"/main","targets":[
        {"type":{"const":"host"},"id":["/other","/host"],"role":{"const":"other"}},
        {"each":"/list","type":["/kind",{"const":"thing"}],"id":["/id",""],"role":"/part"},
        {"each":"/unique","type":{"const":"host"},"id":"","unique_ids":true}]"#;
    let found = |fields: &str| {
        let targets = apply(more, fields).unwrap().targets;
        let shown = |target: &bulla::event::Target| {
            let role = target.role.as_ref().map_or(String::new(), |role| format!(" ({role})"));
            format!("{}/{}{role}", target.kind, target.id)
        };
        targets.iter().map(shown).collect::<Vec<_>>()
    };
    for (fields, expected) in [
        ("", &[][..]),
        (r#","host":"h""#, &["host/h (other)"]),
        (
            r#","list":[{"id":1.50,"kind":"k","part":"p"},"text",7,{"part":"p"},{"id":"text"},[1],null]"#,
            &["k/1.50 (p)", "thing/text", "thing/7"],
        ),
        (r#","list":"alone""#, &["thing/alone"]),
        (r#","list":{"id":12345678901234567890123}"#, &["thing/12345678901234567890123"]),
        (r#","main":"m","list":["m","n"]"#, &["thing/n"]),
        (r#","main":"m","unique":["m","n"]"#, &["host/n"]),
        (r#","list":{},"unique":[],"host":{}"#, &[]),
    ] {
        assert_eq!(found(fields), expected, "{fields}");
    }
    let many = (0..99).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    assert_eq!(
        found(&format!(r#","list":[{many}]"#)).len(),
        65,
        "one more than is kept: the limit is reported where the event is fitted"
    );
}

#[test]
fn in_whose_name_it_was_done_needs_a_type_and_an_id() {
    let more = r#","on_behalf_of.type":{"at":"/for/kind"},"on_behalf_of.id":"/for/id",
        "on_behalf_of.email":"/for/mail""#;
    let behalf = |fields: &str| apply(more, fields).unwrap().on_behalf_of;
    let bob = bulla::event::Actor::new("user", "bob").email("b@example.com");
    let whole = r#","for":{"kind":"user","id":"bob","mail":"b@example.com"}"#;
    assert_eq!(behalf(whole), Some(bob));
    for none in [
        "",
        r#","for":{"id":"bob"}"#,
        r#","for":{"kind":"user"}"#,
        r#","for":{"kind":"user","id":"ann"}"#,
    ] {
        assert_eq!(behalf(none), None, "{none}");
    }
}

#[test]
fn a_trace_is_taken_from_the_first_source_that_has_one() {
    let more = r#","trace_id":["/tx","/traceparent"],"span_id":"/traceparent""#;
    let event = apply(
        more,
        r#","tx":"tx-1","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01""#,
    )
    .unwrap();
    let trace = event.trace_id.map(|id| id.to_string());
    assert_eq!(trace.as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    assert_eq!(event.span_id.map(|id| id.to_string()).as_deref(), Some("00f067aa0ba902b7"));
    assert_eq!(apply(more, r#","tx":"tx-1""#).unwrap().trace_id, None);
}

#[test]
fn several_events_of_an_object_are_an_event_each() {
    let text = r#"{"name":"t","split":"events","fields":{"id":"/id","actor.type":{"const":"user"},
        "actor.id":"/by","action":"/events/0/what","resource.type":{"const":"thing"}}}"#;
    let mapping = Mapping::parse(text).unwrap();
    let all = |text: &str| mapping.apply_all(&Document::parse(text).unwrap());
    let found = all(r#"{"id":"7","by":"ann","events":[{"what":"a"},{},{"what":"a"}]}"#).unwrap();
    let [first, none, third] = found.as_slice() else { panic!("{found:?}") };
    let (first, third) = (first.as_ref().unwrap(), third.as_ref().unwrap());
    assert_eq!(none.as_ref().unwrap_err(), "element 2: nothing found for action");
    assert_eq!((&*first.tags["element"], &*third.tags["element"]), ("1 of 3", "3 of 3"));
    assert_eq!(
        first.details.as_ref().unwrap().as_str(),
        r#"{"id":"7","by":"ann","events":[{"what":"a"}]}"#
    );
    assert_eq!(first.id, Some(super::super::ids::event_id("t", "7 1")));
    assert_ne!(first.id, third.id);
    let alone = all(r#"{"id":"7","by":"ann","events":[{"what":"a"}]}"#).unwrap();
    let alone = alone[0].as_ref().unwrap();
    assert_eq!((alone.id, alone.tags.len()), (Some(super::super::ids::event_id("t", "7")), 0));
    assert_eq!(all(r#"{"events":[{},{}]}"#).unwrap_err(), "nothing found for action");
    // Too many are not taken apart, and that is said.
    let many = vec![r#"{"what":"a"}"#; 10_001].join(",");
    let found = all(&format!(r#"{{"events":[{many}]}}"#)).unwrap();
    assert_eq!((found.len(), &*found[0].as_ref().unwrap().tags["left_out"]), (1, "events"));
}
