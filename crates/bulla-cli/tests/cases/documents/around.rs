//! Events in messages in lists in messages.

use super::*;
use bulla::event::Outcome;

fn text(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

#[test]
fn wrappers_stand_in_one_another() {
    for (file, name, lines) in [
        ("36-cloudtrail-wrappers.jsonl", "cloudtrail", &[1, 1, 2, 1, 1, 1, 1, 1, 1][..]),
        ("36-k8s-wrappers.jsonl", "k8s", &[2, 1, 1, 1, 1]),
        ("36-okta-wrappers.jsonl", "json:okta", &[1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1]),
    ] {
        let (items, counts) = read(&input(file), name);
        let found: Vec<u64> = items
            .iter()
            .map(|item| match item {
                Item::Event { line, .. } => *line,
                rejected @ Item::Rejected { .. } => panic!("{file}: {rejected:?}"),
            })
            .collect();
        let expected: Vec<u64> =
            (1..).zip(lines).flat_map(|(line, count)| vec![line; *count]).collect();
        assert_eq!(found, expected, "{file}");
        assert_eq!(counts.lines, expected.len() as u64);
        for event in all(&items) {
            match name {
                "cloudtrail" => assert_eq!(event.action, "signin.ConsoleLogin"),
                "k8s" => assert_eq!(event.action, "secrets.get"),
                _ => assert!(event.action.starts_with("user.session."), "{}", event.action),
            }
            assert!(event.occurred_at.is_some());
        }
    }
    let (items, _) = read(&input("36-okta-wrappers.jsonl"), "json:okta");
    let hook: Vec<_> = all(&items)[4..6].iter().map(|event| event.outcome).collect();
    assert_eq!(hook, [Outcome::Failure, Outcome::Success]);
    let (items, _) = read(&input("33-gworkspace-outcomes.jsonl"), "json:gworkspace");
    assert_eq!(all(&items)[20].outcome, Outcome::Failure);
}

/// Whatever of these stands around an event, it comes out as it was; to a bounded depth.
#[test]
fn every_wrapper_may_be_around_every_other() {
    let around = |way: usize, inner: &str| match way {
        0 => format!(r#"{{"Message":{}}}"#, text(inner)),
        1 => format!(r#"{{"source":"x","detail":{inner}}}"#),
        2 => format!(r#"{{"Records":[{{"body":{}}}]}}"#, text(inner)),
        3 => format!(r#"{{"logEvents":[{{"id":"1","message":{}}}]}}"#, text(inner)),
        4 => format!(r#"{{"records":[{{"properties":{{"log":{}}}}}]}}"#, text(inner)),
        5 => format!(r#"{{"body":{}}}"#, text(&format!("[{inner}]"))),
        _ => format!(r#"{{"Records":{inner}}}"#),
    };
    for (file, name) in [
        ("cloudtrail.jsonl", "cloudtrail"),
        ("k8s.jsonl", "k8s"),
        ("github.jsonl", "json:github"),
        ("okta.jsonl", "json:okta"),
        ("gcp.jsonl", "json:gcp"),
        ("gworkspace.jsonl", "json:gworkspace"),
    ] {
        let lines = sample(file);
        let event = lines.lines().next().unwrap();
        let (expected, _) = read_text(event.as_bytes(), name);
        for first in 0..7 {
            for second in 0..7 {
                let wrapped = around(second, &around(first, event));
                let (found, _) = read_text(wrapped.as_bytes(), name);
                assert_eq!(all(&found), all(&expected), "{name} {first} {second}");
            }
        }
        let mut deep = event.to_owned();
        for _ in 0..9 {
            deep = around(0, &deep);
        }
        let (found, counts) = read_text(deep.as_bytes(), name);
        assert_eq!((counts.imported, counts.rejected), (0, 1), "{name}: {found:?}");
    }
}

#[test]
fn what_a_message_holds_instead_of_an_event_is_named() {
    const EVENT: &str = r#"{"verb":"get","requestReceivedTimestamp":"2026-01-02T03:04:05Z"}"#;
    let cut = &EVENT[..EVENT.len() - 1];
    for (message, reason) in [
        (text(cut), "the message in it is not JSON: message: EOF"),
        (
            text(&format!("[{EVENT},7,\"verb\"]")),
            "the message in it is not JSON: message: expected",
        ),
        (text("{\"verb\":\"get\"}"), "no requestReceivedTimestamp"),
        (text("verb: get"), "no verb"),
    ] {
        let line = format!(r#"{{"message":{message}}}"#);
        let (items, counts) = read_text(line.as_bytes(), "k8s");
        let bad = items.iter().find_map(|item| match item {
            Item::Rejected { reason, .. } => Some(reason.as_str()),
            Item::Event { .. } => None,
        });
        let bad = bad.unwrap();
        assert!(bad.starts_with(reason), "{bad}");
        assert!(import::reason_of(bad).unwrap().of_objects);
        assert_eq!(counts.lines, items.len() as u64);
    }
}

/// An event is never looked into: what its subject put there is not an event.
#[test]
fn an_event_is_no_wrapper() {
    let inner = r#"{"verb":"forged","requestReceivedTimestamp":"2026-01-02T03:04:05Z"}"#;
    for more in [
        format!(r#","message":{}"#, text(inner)),
        format!(r#","log":{},"event":{inner},"detail":{inner}"#, text(inner)),
        format!(r#","requestObject":{{"items":[{inner}],"message":{}}}"#, text(inner)),
    ] {
        let event =
            format!(r#"{{"verb":"get","requestReceivedTimestamp":"2026-01-02T03:04:05Z"{more}}}"#);
        let (items, counts) = read_text(event.as_bytes(), "k8s");
        assert_eq!((all(&items)[0].action.as_str(), counts.lines), ("url.get", 1));
        // Nor if its time cannot be read.
        let bad = event.replacen("2026-01-02T03:04:05Z", "noon", 1);
        assert_eq!(read_text(bad.as_bytes(), "k8s").1.imported, 0);
    }
}
