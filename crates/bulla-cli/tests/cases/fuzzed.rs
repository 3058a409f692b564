//! What the fuzz targets of the importers found, each with its right value.

use std::io::Cursor;

use bulla::event::{Event, Outcome};
use bulla_cli::import::{self, Format, Item, MENDED, reason_of};

fn items(text: impl Into<Vec<u8>>, format: &Format) -> Vec<Item> {
    let import = import::read_from("fuzz", Cursor::new(text.into()), format).unwrap();
    import.map(Result::unwrap).collect()
}

fn event(item: &Item) -> &Event {
    match item {
        Item::Event { event, .. } => event,
        Item::Rejected { .. } => panic!("{item:?}"),
    }
}

fn reason(item: &Item) -> &str {
    match item {
        Item::Rejected { reason, .. } => reason,
        Item::Event { .. } => panic!("{item:?}"),
    }
}

const RECORD: &str = r#"{"eventSource":"s3.amazonaws.com","eventName":"GetObject","eventTime":"2026-01-02T03:04:05Z","userAgent":"AGENT"}"#;

/// An object around a text.
fn carrying(member: &str, text: &str) -> String {
    serde_json::json!({ member: text }).to_string()
}

/// One wrong character in an event loses it no more in a message than in a line.
#[test]
fn an_event_in_a_message_is_mended_like_any_other() {
    for (agent, copied, kind) in
        [("a\u{1}z", "a\\u{1}z", "control_characters"), ("a\\qz", "a\\qz", "escapes")]
    {
        let record = RECORD.replace("AGENT", agent);
        for member in ["message", "Message", "CloudTrailEvent"] {
            let found = items(carrying(member, &record), &Format::CloudTrail);
            let event = event(&found[0]);
            assert_eq!(event.user_agent.as_deref(), Some(copied));
            assert_eq!(event.tags[MENDED], kind);
        }
    }
    let half = RECORD.replace("AGENT", "\\ud800");
    let found = items(carrying("message", &half), &Format::CloudTrail);
    assert_eq!(event(&found[0]).details.as_ref().unwrap().as_str(), half);
}

/// One service passes on the message of another: an event of EventBridge in one of SNS.
#[test]
fn messages_stand_in_one_another() {
    let bridge = format!("{{\"source\":\"aws.s3\",\"detail\":{RECORD}}}");
    let mut around = bridge;
    for member in ["Message", "message", "Message"] {
        around = carrying(member, &around);
        let found = items(around.clone(), &Format::CloudTrail);
        assert_eq!(event(&found[0]).details.as_ref().unwrap().as_str(), RECORD);
    }
    // There is an end to it.
    for _ in 0..3 {
        around = carrying("Message", &around);
    }
    assert!(reason(&items(around, &Format::CloudTrail)[0]).starts_with("expected a CloudTrail"));
}

/// The line is JSON; the message in it is not, and the reason says so.
#[test]
fn a_message_that_is_cut_short_is_named() {
    let of_k8s = r#"{"verb":"get","requestReceivedTimestamp":"2026-01-02T03:04:05Z"}"#;
    for (record, format) in [(RECORD, Format::CloudTrail), (of_k8s, Format::K8s)] {
        let (cut, member) = (&record[..record.len() - 9], "message");
        let found = items(carrying(member, cut), &format);
        let reason = reason(&found[0]);
        assert!(reason.starts_with("the message in it is not JSON: message: EOF"), "{reason}");
        assert!(reason_of(reason).unwrap().of_objects);
    }
}

/// Lists in one another take no memory without bound: eight in a file, nine in each of six
/// messages.
#[test]
fn wrappers_are_looked_into_to_a_depth() {
    let event = |name: &str| {
        format!("{{\"verb\":\"{name}\",\"requestReceivedTimestamp\":\"2026-01-02T03:04:05Z\"}}")
    };
    let nested = |depth: usize| {
        let (open, close) = ("{\"items\":[".repeat(depth), "],\"n\":1}".repeat(depth));
        format!("{open}{}{close}\n{}", event("get"), event("list"))
    };
    for depth in [8, 9, 62] {
        let found = items(nested(depth), &Format::K8s);
        assert!(found.iter().all(|item| matches!(item, Item::Event { .. })) && found.len() == 2);
    }
    for depth in [63, 100_000] {
        let found = items(nested(depth), &Format::K8s);
        assert!(reason(&found[0]).starts_with("element 1: no verb"), "{found:?}");
        assert!(matches!(found[1], Item::Event { line: 2, .. }), "{found:?}");
    }
}

/// What a parser of numbers takes for infinite is a number all the same.
#[test]
fn numbers_at_the_end_of_the_range_keep_their_event() {
    for number in [
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "17976931348623157081e289",
        "1.7976931348623159e308",
        "-1.797693134862315807e308",
        "0e99999999999999999999",
        "1e-99999999999999999999",
        &format!("1{}", "0".repeat(308)),
        &format!("1{}", "9".repeat(309)),
        &format!("0.{}1e309", "0".repeat(400)),
    ] {
        let record = RECORD.replace("\"AGENT\"", number);
        let found = items(record.clone(), &Format::CloudTrail);
        assert_eq!(event(&found[0]).user_agent.as_deref(), Some(number));
        assert_eq!(event(&found[0]).details.as_ref().unwrap().as_str(), record);
    }
}

/// Too deep to be looked into, and broken there: it is no JSON, and the reason says so.
#[test]
fn what_is_broken_far_inside_is_no_json() {
    let deep = format!("{}}}{}", "[".repeat(130), "]".repeat(129));
    let record = RECORD.replace("\"AGENT\"", &deep);
    assert!(reason(&items(record, &Format::CloudTrail)[0]).starts_with("not JSON: "));
}

/// A line with nothing but a bracket is not blank.
#[test]
fn brackets_are_no_blank_lines() {
    for (text, blank) in [
        (format!("[\n{RECORD}\n]\n"), 0),
        (format!("\n{{\"Records\":[\n\n{RECORD}\n]\n}}\n \n"), 2),
        (format!("[\n[\n]\n\n]\n\n,\n{RECORD}\n\n"), 2),
    ] {
        let mut import =
            import::read_from("fuzz", Cursor::new(text.clone()), &Format::CloudTrail).unwrap();
        assert_eq!(import.by_ref().count(), 1);
        assert_eq!(import.counts().blank, blank, "{text}");
    }
}

/// A separator within the first word of a result: reading on behind it was a panic.
#[test]
fn a_separator_in_a_result_is_no_obstacle() {
    for (result, outcome) in [
        ("success\u{1d}x", Outcome::Unknown),
        ("failed\u{1d}", Outcome::Unknown),
        ("Permission denied\u{1d}x y", Outcome::Denied),
        ("\u{1d}", Outcome::Unknown),
        ("success\u{1d}x res=no\u{1d}\u{1d}", Outcome::Unknown),
    ] {
        let line = format!("type=USER_LOGIN msg=audit(1.000:1): auid=1 msg='op=x res={result}'");
        assert_eq!(event(&items(line, &Format::Auditd)[0]).outcome, outcome, "{result:?}");
    }
}

/// A name that is no text hid the others from being read as they were written.
#[test]
fn a_name_that_is_no_text_changes_no_event_beside_it() {
    let record = RECORD.replace("\"AGENT\"", "1e400");
    let around = format!("{{\"\\ud800\":1,\"detail\":{record}}}");
    let found = items(around, &Format::CloudTrail);
    assert_eq!(event(&found[0]).details.as_ref().unwrap().as_str(), record);
    assert!(!event(&found[0]).tags.contains_key(MENDED));
}

/// A place in a list is no name by which a message is known.
#[test]
fn a_mapping_of_a_list_looks_into_messages() {
    let mapping = r#"{"lists":["a/b"],"fields":{"actor.type":"/who","actor.id":"/who","action":"/deeds/0","resource.type":"/on"}}"#;
    let format = Format::Json(import::Mapping::parse(mapping).unwrap().into());
    let record = r#"{"deeds":["eat"],"on":"x"}"#;
    for around in [
        carrying("message", record),
        format!("{{\"a/b\":{record}}}"),
        format!("{{\"a/b\":[{record}]}}"),
    ] {
        let found = items(around, &format);
        assert_eq!(event(&found[0]).details.as_ref().unwrap().as_str(), record);
    }
    // A path is no name of a member.
    assert!(
        reason(&items(format!("{{\"a\":{{\"b\":{record}}}}}"), &format)[0])
            .starts_with("nothing found")
    );
}
