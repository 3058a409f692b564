use proptest::prelude::*;

use super::*;
use crate::event::{Actor, Anchor, EventId, Outcome, Resource};
use crate::hash::Hash;
use crate::seq::{Seq, TreeSize};
use crate::time::Timestamp;

const FULL: &str = r#"{"id":"01010101-0101-0101-0101-010101010101","occurred_at":"1970-01-01T00:00:00.000000007Z","tenant":"acme","actor":{"type":"user","id":"alice","email":"a@b.c","role":"clerk"},"action":"invoice.pay","resource":{"type":"invoice","id":"17"},"outcome":"partial","reason":"r","source":"api","ip":"::1","user_agent":"ua","session_id":"s","request_id":"q","correlation_id":"c","duration_ms":18446744073709551615,"changed_fields":["a","b"],"old_values":{"z": 1, "a":1.00e2},"new_values":null,"tags":{"k":"v","l":"w"},"details":{ "n" : 12345678901234567890.0 , "e":"\ud800", "x":1e999}}"#;

fn smallest() -> Event {
    Event::new(Actor::new("user", "alice"), "user.login", Resource::kind_only("session"))
}

fn refusal(text: &str) -> String {
    Event::from_json(text).unwrap_err().to_string()
}

#[test]
fn a_full_event_comes_back_byte_for_byte() {
    let event = Event::from_json(FULL).unwrap();
    assert_eq!(event.to_json(), FULL);
    assert_eq!(event.id, Some(EventId([1; 16])));
    assert_eq!(event.outcome, Outcome::Partial);
    assert_eq!(event.new_values, Some(Json::parse("null").unwrap()));
    assert_eq!(serde_json::to_string(&event).unwrap(), FULL);
}

#[test]
fn absent_fields_are_left_out_and_only_the_required_ones_are_needed() {
    let text = r#"{"actor":{"type":"user","id":"alice"},"action":"user.login","resource":{"type":"session"},"outcome":"success"}"#;
    assert_eq!(smallest().to_json(), text);
    assert_eq!(Event::from_json(text).unwrap(), smallest());
    assert_eq!(Event::from_json(&text.replace(r#","outcome":"success""#, "")).unwrap(), smallest());
}

#[test]
fn null_counts_as_absent() {
    let nulls = r#"{"id":null,"occurred_at":null,"tenant":null,"tags":null,"changed_fields":null,
        "outcome":null,"duration_ms":null,"reason":null,"resource":{"type":"session","id":null},
        "actor":{"type":"user","id":"alice","email":null,"role":null},"action":"user.login"}"#;
    assert_eq!(Event::from_json(nulls).unwrap(), smallest());
}

#[test]
fn errors_name_the_field() {
    let with = |field: &str| {
        format!(
            r#"{{"actor":{{"type":"u","id":"a"}},"action":"x","resource":{{"type":"r"}},{field}}}"#
        )
    };
    for (field, named) in [
        (r#""tennant":"x""#, "`tennant`"),
        (r#""tenant":5"#, "`tenant`"),
        (r#""tenant":"a","tenant":"a""#, "`tenant`"),
        (r#""tenant":null,"tenant":"a""#, "`tenant`"),
        (r#""seq":1"#, "`seq`"),
        (r#""seq":null"#, "`seq`"),
        (r#""recorded_at":"x""#, "`recorded_at`"),
        (r#""leaf_hash":"x""#, "`leaf_hash`"),
        (r#""id":"x""#, "`id`"),
        (r#""occurred_at":"yesterday""#, "`occurred_at`"),
        (r#""occurred_at":12"#, "`occurred_at`"),
        (r#""outcome":"ok""#, "`outcome`"),
        (r#""duration_ms":-1"#, "`duration_ms`"),
        (r#""changed_fields":[1]"#, "`changed_fields`"),
        (r#""tags":{"k":"v","k":"w"}"#, "`tags`: `k`"),
        (r#""tags":{"k":1}"#, "`tags`: `k`"),
        (r#""tags":[]"#, "`tags`"),
        (r#""details":{"a":}"#, "`details`"),
    ] {
        let refusal = refusal(&with(field));
        assert!(refusal.contains(named), "{field}: {refusal}");
        assert!(refusal.contains("line 1 column"), "{field}: {refusal}");
    }
    assert!(Event::from_json(&with(r#""tenant":"x""#)).is_ok());
}

#[test]
fn required_fields_are_asked_for() {
    for (text, named) in [
        ("{}", "`actor` is missing"),
        (r#"{"actor":{"id":"a"}}"#, "`actor`: `type` is missing"),
        (r#"{"actor":{"type":"a"}}"#, "`actor`: `id` is missing"),
        (r#"{"actor":{"type":"a","id":"b","nick":"c"}}"#, "`actor.nick`"),
        (r#"{"actor":{"type":"a","id":"b"}}"#, "`action` is missing"),
        (r#"{"actor":{"type":"a","id":"b"},"action":"c"}"#, "`resource` is missing"),
        (r#"{"resource":{}}"#, "`resource`: `type` is missing"),
        (r#"{"resource":{"type":"r","name":"x"}}"#, "`resource.name`"),
        (r#"{"action":null}"#, "`action`"),
        ("[]", "an event as a JSON object"),
    ] {
        let refusal = refusal(text);
        assert!(refusal.contains(named), "{text}: {refusal}");
    }
    assert!(Event::from_json(&format!("{FULL} x")).is_err());
}

#[test]
fn a_record_has_the_fields_of_the_log_in_front() {
    let event = Event::from_json(FULL).unwrap();
    let time = Timestamp::from_nanos(1);
    let record = Record::of_event(Seq::new(41), time, Hash::ZERO, event);
    let front = format!(
        r#"{{"seq":41,"recorded_at":"1970-01-01T00:00:00.000000001Z","leaf_hash":"{}","#,
        Hash::ZERO
    );
    assert_eq!(record.to_json(), front + &FULL[1..]);
    assert!(refusal(&record.to_json()).contains("`seq`"));
}

#[test]
fn an_anchor_is_written_as_an_event_of_the_log() {
    let anchor =
        Anchor { catalog_size: TreeSize::new(2), catalog_root: Hash::ZERO, state_root: Hash::ZERO };
    let record = Record::of_anchor(Seq::new(0), Timestamp::from_nanos(0), Hash::ZERO, anchor);
    let value: serde_json::Value = serde_json::from_str(&record.to_json()).unwrap();
    assert_eq!(value["actor"]["id"], "bulla");
    assert_eq!(value["action"], "bulla.anchor");
    assert_eq!(value["details"]["catalog_size"], 2);
}

#[test]
fn a_record_stays_on_one_line_whatever_its_json_looks_like() {
    let pretty = "{\r\n  \"a\": \"x\\n\"\n}";
    let event = smallest().details_json(pretty).unwrap();
    assert_eq!(event.details.as_ref().unwrap().as_str(), pretty);
    let line = event.to_json();
    assert!(!line.contains(['\n', '\r']), "{line}");
    let read = Event::from_json(&line).unwrap().details.unwrap();
    assert_eq!(read.to_value().unwrap(), Json::parse(pretty).unwrap().to_value().unwrap());
}

#[test]
fn text_that_is_not_json_is_refused() {
    for bad in ["", " ", "{", "{]", "nul", "01", "[1,]", "{\"a\":1,}", "\"\n\"", "1 2", "'a'"] {
        assert!(Json::parse(bad).is_err(), "{bad:?}");
        assert!(!is_json(bad), "{bad:?}");
    }
    assert_eq!(Json::parse(" [1] ").unwrap().as_str(), "[1]");
    assert!(is_json("[1]") && !is_json(" [1]") && !is_json("[1] "));
}

#[test]
fn depth_counts_brackets_outside_strings() {
    for (text, depth) in
        [("1", 0), ("[]", 1), ("[[],{}]", 2), (r#"{"[[":["\"[[["]}"#, 2), (r#"["\\",[[]]]"#, 3)]
    {
        assert_eq!(Json::parse(text).unwrap().depth(), depth, "{text}");
    }
}

#[test]
fn events_pass_through_values_of_serde_json() {
    let value: serde_json::Value = serde_json::from_str(&smallest().to_json()).unwrap();
    assert_eq!(serde_json::from_value::<Event>(value).unwrap(), smallest());
}

proptest! {
    #[test]
    fn any_text_round_trips(id in ".*", reason in ".*", key in ".*", value in ".*") {
        let mut event = smallest().reason(reason).tag(key.clone(), value.clone());
        event.actor.id = id;
        event.details = Some(Json::from(serde_json::json!({key: value})));
        let text = event.to_json();
        prop_assert!(!text.contains('\n'));
        prop_assert_eq!(Event::from_json(&text).unwrap(), event);
    }

    #[test]
    fn arbitrary_text_never_panics(text in r#"[{}\[\]":,a-z0-9\\ ]{0,60}"#) {
        let _ = Event::from_json(&text);
        if let Ok(json) = Json::parse(&text) {
            prop_assert!(is_json(json.as_str()));
        }
    }
}
