use super::*;
use crate::event::{Actor, Resource, Target};
use proptest::prelude::*;

fn event() -> Event {
    Event::new(Actor::new("user", "alice"), "user.login", Resource::kind_only("session"))
}

fn problem(event: &Event) -> (&'static str, Problem) {
    let invalid = event.validate().unwrap_err();
    assert!(invalid.to_string().contains(invalid.field));
    (invalid.field, invalid.problem)
}

#[test]
fn required_fields_must_not_be_empty() {
    type Change = fn(&mut Event);
    let cases: [(&str, Change); 11] = [
        ("actor.type", |e| e.actor.kind.clear()),
        ("actor.id", |e| e.actor.id.clear()),
        ("action", |e| e.action.clear()),
        ("resource.type", |e| e.resource.kind.clear()),
        ("resource.id", |e| e.resource.id = Some(String::new())),
        ("tenant", |e| e.tenant = Some(String::new())),
        ("on_behalf_of.type", |e| e.on_behalf_of = Some(Actor::new("", "i"))),
        ("on_behalf_of.id", |e| e.on_behalf_of = Some(Actor::new("t", ""))),
        ("targets (type)", |e| e.targets = vec![Target::new("", "i")]),
        ("targets (id)", |e| e.targets = vec![Target::new("t", "")]),
        ("targets (role)", |e| e.targets = vec![Target::new("t", "i").role("")]),
    ];
    for (field, change) in cases {
        let mut event = event();
        assert_eq!(event.validate(), Ok(()));
        change(&mut event);
        assert_eq!(problem(&event), (field, Problem::Empty));
    }
}

#[test]
fn each_text_may_be_as_long_as_its_limit_and_no_longer() {
    let behalf = |e: Event, change: fn(&mut Actor, String), text: String| {
        let mut actor = Actor::new("t", "i");
        change(&mut actor, text);
        e.on_behalf_of(actor)
    };
    type Fill<'f> = &'f dyn Fn(Event, String) -> Event;
    let cases: [(&str, usize, Fill<'_>); 23] = [
        ("tenant", NAME_LEN_MAX, &|e, t| e.tenant(t)),
        ("actor.type", NAME_LEN_MAX, &|mut e, t| (e.actor.kind = t, e).1),
        ("actor.id", ID_LEN_MAX, &|mut e, t| (e.actor.id = t, e).1),
        ("actor.email", LABEL_LEN_MAX, &|mut e, t| (e.actor.email = Some(t), e).1),
        ("actor.role", LABEL_LEN_MAX, &|mut e, t| (e.actor.role = Some(t), e).1),
        ("action", NAME_LEN_MAX, &|mut e, t| (e.action = t, e).1),
        ("resource.type", NAME_LEN_MAX, &|mut e, t| (e.resource.kind = t, e).1),
        ("resource.id", ID_LEN_MAX, &|mut e, t| (e.resource.id = Some(t), e).1),
        ("reason", REASON_LEN_MAX, &|e, t| e.reason(t)),
        ("source", LABEL_LEN_MAX, &|e, t| e.source(t)),
        ("ip", IP_LEN_MAX, &|e, t| e.ip(t)),
        ("user_agent", USER_AGENT_LEN_MAX, &|e, t| e.user_agent(t)),
        ("session_id", LABEL_LEN_MAX, &|e, t| e.session_id(t)),
        ("request_id", LABEL_LEN_MAX, &|e, t| e.request_id(t)),
        ("correlation_id", LABEL_LEN_MAX, &|e, t| e.correlation_id(t)),
        ("changed_fields", CHANGED_FIELD_LEN_MAX, &|e, t| e.changed_fields([t])),
        ("on_behalf_of.type", NAME_LEN_MAX, &|e, t| behalf(e, |actor, t| actor.kind = t, t)),
        ("on_behalf_of.id", ID_LEN_MAX, &|e, t| behalf(e, |actor, t| actor.id = t, t)),
        ("on_behalf_of.email", LABEL_LEN_MAX, &|e, t| behalf(e, |a, t| a.email = Some(t), t)),
        ("on_behalf_of.role", LABEL_LEN_MAX, &|e, t| behalf(e, |a, t| a.role = Some(t), t)),
        ("targets (type)", NAME_LEN_MAX, &|e, t| e.target(Target::new(t, "i"))),
        ("targets (id)", ID_LEN_MAX, &|e, t| e.target(Target::new("t", t))),
        ("targets (role)", NAME_LEN_MAX, &|e, t| e.target(Target::new("t", "i").role(t))),
    ];
    for (field, max, fill) in cases {
        assert_eq!(fill(event(), "x".repeat(max)).validate(), Ok(()), "{field}");
        let found = max + 1;
        let too_long = fill(event(), "x".repeat(found));
        assert_eq!(problem(&too_long), (field, Problem::TooLong { max, found }));
        for bad in ["\0", "\r", "\u{1b}[2J", "ab\u{7f}", "12345678\u{85}", "1234567\u{9f}"] {
            let (found_field, problem) = problem(&fill(event(), bad.to_owned()));
            assert_eq!(found_field, field);
            assert!(matches!(problem, Problem::ControlCharacter { .. }), "{field} {bad:?}");
        }
        let broken = fill(event(), "two\tparts\nand lines".to_owned()).validate();
        assert_eq!(broken.is_ok(), matches!(field, "reason" | "user_agent"), "{field}");
        assert_eq!(fill(event(), "£ é 漢 \u{a0}".to_owned()).validate(), Ok(()));
    }
}

#[test]
fn lists_are_bounded_in_number_and_length() {
    let names = |n: usize| event().changed_fields(vec!["f"; n]);
    assert_eq!(names(1024).validate(), Ok(()));
    let problem_found = Problem::TooMany { max: 1024, found: 1025 };
    assert_eq!(problem(&names(1025)), ("changed_fields", problem_found));

    let targets = |n: usize| (0..n).fold(event(), |e, _| e.target(Target::new("t", "i")));
    assert_eq!(targets(64).validate(), Ok(()), "a target may be named twice");
    assert_eq!(problem(&targets(65)), ("targets", Problem::TooMany { max: 64, found: 65 }));
    let long = |n: usize, id: usize| {
        (0..n).fold(event(), |e, _| e.target(Target::new("t".repeat(96), "i".repeat(id))))
    };
    assert_eq!(long(8, 4000).validate(), Ok(()));
    let found = 8 * 4097;
    let problem_found = Problem::TooLong { max: 32_768, found };
    assert_eq!(problem(&long(8, 4001)), ("targets (together)", problem_found));

    let tags = |n: usize| (0..n).fold(event(), |e, i| e.tag(i.to_string(), "v"));
    assert_eq!(tags(256).validate(), Ok(()));
    assert_eq!(problem(&tags(257)), ("tags", Problem::TooMany { max: 256, found: 257 }));
    assert_eq!(problem(&event().tag("k".repeat(257), "")).0, "tags (key)");
    assert_eq!(problem(&event().tag("k", "v".repeat(4097))).0, "tags (value)");
    assert_eq!(problem(&event().tag("k", "\u{8}")).0, "tags (value)");
}

#[test]
fn json_is_bounded_in_length_and_depth() {
    let nested = |n: usize| Json::parse(&format!("{}{}", "[".repeat(n), "]".repeat(n))).unwrap();
    let deepest = nested(JSON_DEPTH_MAX);
    let deepest = event().details(deepest);
    assert_eq!(deepest.validate(), Ok(()));
    assert!(serde_json::from_str::<serde_json::Value>(&deepest.to_json()).is_ok());
    let deeper = nested(JSON_DEPTH_MAX + 1);
    let too_deep = Problem::TooDeep { max: 126, found: 127 };
    assert_eq!(problem(&event().new_values(deeper)), ("new_values", too_deep));

    let long = |n: usize| Json::parse(&"1".repeat(n)).unwrap();
    assert_eq!(event().old_values(long(JSON_LEN_MAX)).validate(), Ok(()));
    let too_long = Problem::TooLong { max: 1 << 20, found: (1 << 20) + 1 };
    let found = problem(&event().old_values(long(JSON_LEN_MAX + 1)));
    assert_eq!(found, ("old_values", too_long));
    let big = long(JSON_LEN_MAX);
    let mut full = event().old_values(big.clone()).new_values(big.clone()).details(big);
    assert_eq!(full.validate(), Ok(()));
    for i in 0..256 {
        full = full.tag(i.to_string(), "v".repeat(4096));
    }
    assert_eq!(problem(&full).0, "payload");
}

#[test]
fn actions_of_the_log_are_reserved() {
    let mut event = event();
    event.action = "bulla.anchor".to_owned();
    assert_eq!(problem(&event), ("action", Problem::Reserved));
    event.action = "bullae.count".to_owned();
    assert_eq!(event.validate(), Ok(()));
}

#[test]
fn times_are_of_the_years_1678_to_2261() {
    assert_eq!(OCCURRED_AT_MIN.to_string(), "1678-01-01T00:00:00.000000000Z");
    assert_eq!(OCCURRED_AT_MAX.to_string(), "2261-12-31T23:59:59.999999999Z");
    assert_eq!(event().occurred_at(OCCURRED_AT_MIN).validate(), Ok(()));
    assert_eq!(event().occurred_at(OCCURRED_AT_MAX).validate(), Ok(()));
    for found in [Timestamp::MIN, Timestamp::MAX] {
        let problem_found = Problem::TimeOutOfRange { found };
        assert_eq!(problem(&event().occurred_at(found)), ("occurred_at", problem_found));
    }
}

proptest! {
    #[test]
    fn the_fast_scan_finds_what_the_slow_one_finds(text in "[\\PC\u{0}\u{1f} \u{7e}\u{7f}\u{80}\u{9f}\u{a0}é]{0,40}") {
        let slow = text.chars().any(char::is_control);
        prop_assert_eq!(line("f", &text, 1000).is_err(), slow);
    }
}
