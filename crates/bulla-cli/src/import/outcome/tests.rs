use serde_json::json;

use super::*;

#[test]
fn the_worst_that_is_said_is_the_outcome() {
    let decide = |said: &[Outcome], strange: bool| {
        let mut evidence = Evidence::default();
        said.iter().for_each(|outcome| evidence.says(*outcome));
        if strange {
            evidence.strange("odd");
        }
        let Decision { outcome, not_understood, .. } = evidence.decide();
        (outcome, not_understood.is_some())
    };
    use Outcome::{Denied, Failure, Partial, Success, Unknown};
    assert_eq!(decide(&[], false), (Success, false));
    assert_eq!(decide(&[], true), (Unknown, true));
    assert_eq!(decide(&[Success, Partial], false), (Partial, false));
    assert_eq!(decide(&[Success, Partial], true), (Unknown, true));
    assert_eq!(decide(&[Success, Partial, Unknown], false), (Unknown, false));
    assert_eq!(decide(&[Unknown, Failure], false), (Failure, false));
    assert_eq!(decide(&[Success, Failure], true), (Failure, false));
    assert_eq!(decide(&[Failure, Denied, Success], true), (Denied, false));
}

#[test]
fn what_is_missing_counts_only_if_nothing_is_said() {
    let mut evidence = Evidence::default();
    evidence.expects("answer");
    assert_eq!(evidence.clone().decide().not_understood.as_deref(), Some("no answer"));
    evidence.says(Outcome::Success);
    let decision = evidence.decide();
    assert_eq!((decision.outcome, decision.not_understood), (Outcome::Success, None));
}

#[test]
fn members_are_found_in_any_case_and_in_every_element() {
    let event = json!({"Events":[{"Name":"a"},{"name":""},{"name":"b"}],"one":{"name":"c"}});
    assert_eq!(at(&event, "/events/*/name"), [&json!("a"), &json!("b")]);
    assert_eq!(at(&event, "/one/*/name"), [&json!("c")]);
    let listed = json!({"parameters":[{"name":"x","boolValue":false}]});
    assert_eq!(at(&listed, "/parameters/@x"), [&json!(false)]);
    assert_eq!(at(&json!({"parameters":{"x":1}}), "/parameters/@x"), [&json!(1)]);
}

#[test]
fn whole_numbers_are_the_same_in_every_spelling() {
    assert!(same_number("7", "7.0") && same_number("7", " 7 ") && same_number("0", "-0"));
    assert!(!same_number("7", "7.5") && !same_number("a", "a") && !same_number("7", "1e400"));
}
