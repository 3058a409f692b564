//! What slips through redaction.

use bulla::redact::{Redactor, bearer_tokens, card_numbers, private_keys};

use super::*;

fn all_rules() -> Redactor {
    Redactor::standard()
        .pattern("cards", card_numbers())
        .pattern("bearer", bearer_tokens())
        .pattern("keys", private_keys())
}

fn reason(text: &str) -> String {
    all_rules().apply(&event(0).reason(text)).reason.clone().unwrap()
}

fn details(json: &str) -> String {
    let event = event(0).details_json(json).unwrap();
    all_rules().apply(&event).details.as_ref().unwrap().as_str().to_owned()
}

/// `Authorization: Bearer Bearer TOKEN` is what a client sends that was given the whole header
/// as its token.
#[test]
fn a_token_behind_a_doubled_bearer_is_found() {
    let secret = "abcdefghijklmnopqrstuvwxyz012345";
    let mut slipped = Vec::new();
    for text in [
        format!("Bearer Bearer {secret}"),
        format!("bearer x bearer {secret}"),
        format!("bearer bearer  {secret}"),
    ] {
        if reason(&text).contains(secret) {
            slipped.push(text);
        }
    }
    assert!(slipped.is_empty(), "{slipped:#?}");
}

/// Two members whose names are secrets must not become one: who reads the JSON would see the
/// last of them only.
#[test]
fn members_whose_names_are_redacted_stay_two() {
    let kept = details(r#"{"4111111111111111": "alice", "5555555555554444": "bob"}"#);
    let read: serde_json::Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(read.as_object().unwrap().len(), 2, "{kept}");
}

/// Numbers that are the same number in another spelling.
#[test]
fn card_numbers_in_other_spellings_of_the_same_json_number_are_found() {
    let mut slipped = Vec::new();
    for number in
        ["4111111111111111.0", "4111111111111111e0", "41111111111111110e-1", "4.111111111111111e15"]
    {
        let kept = details(&format!("{{\"n\": {number}}}"));
        if kept.contains(number) {
            slipped.push(kept);
        }
    }
    assert!(slipped.is_empty(), "{slipped:#?}");
}

#[test]
fn secrets_in_odd_places_are_found() {
    for json in [
        r#"{"a": [[{"pass\u0077ord": "q9"}]]}"#,
        r#"{"a": 1, "token": {"b": ["q9"]}, "token": "q9"}"#,
        r#"{"Pass\u200bword": "q9"}"#,
        r#"{"password"  :  ["q9", {"x": "q9"}]}"#,
        r#"[{"secret":"q9"},{"secret":["q9"]}]"#,
        r#"{"to\u212Aen": "q9"}"#,
        r#"{"PASSWORD_HASH_OLD_2": "q9"}"#,
        r#"{"user[password]": "q9"}"#,
        r#"{"headers": {"Set-Cookie": "q9"}}"#,
        r#"{"\"password": "q9"}"#,
        r#"{"password\\": "q9"}"#,
    ] {
        assert!(!details(json).contains("q9"), "{json}: {}", details(json));
    }
}
