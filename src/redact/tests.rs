use proptest::prelude::*;

use super::*;
use crate::event::{Actor, Redacted, Resource, Target};
use crate::format::body;
use crate::time::Timestamp;

const CARD: &str = "4111 1111 1111 1111";

fn redactor() -> Redactor {
    Redactor::standard()
        .pattern("card_numbers", card_numbers())
        .pattern("bearer_tokens", bearer_tokens())
        .pattern("private_keys", private_keys())
}

fn event() -> Event {
    Event::new(Actor::new("user", "alice"), "x.y", Resource::new("r", "1"))
}

/// What details become, and where.
fn details(text: &str) -> (String, Vec<String>) {
    let event = event().details_json(text).unwrap();
    let kept = redactor().apply(&event).into_owned();
    let paths = kept.redacted.map(|redacted| redacted.paths).unwrap_or_default();
    (kept.details.unwrap().as_str().to_owned(), paths)
}

#[test]
fn values_of_every_type_go_and_all_else_stays_byte_for_byte() {
    let (text, paths) = details(
        r#"{ "password" : {"a":[1,"}"],"b":"]"}, "n": 1.0e+2 ,"token":null,"SSN":-1.5e3,
            "x":[{"apiKey":true}, [ {"cookie" :"a\"b\\"} ] ],"cvv":[],"é":"ü" }"#,
    );
    let expected = r#"{ "password" : "[redacted]", "n": 1.0e+2 ,"token":"[redacted]","SSN":"[redacted]",
            "x":[{"apiKey":"[redacted]"}, [ {"cookie" :"[redacted]"} ] ],"cvv":"[redacted]","é":"ü" }"#;
    assert_eq!(text, expected);
    let expected = ["password", "token", "SSN", "x/0/apiKey", "x/1/0/cookie", "cvv"];
    assert_eq!(paths, expected.map(|path| format!("details/{path}")));
}

#[test]
fn every_value_of_a_repeated_or_escaped_name_goes() {
    let (text, paths) = details(
        r#"{"password":1,"a":{"password":2,"password":{"password":3}},"password":4,"p\u0061ssword":5}"#,
    );
    let gone = r#""[redacted]""#;
    let expected =
        r#"{"password":#,"a":{"password":#,"password":#},"password":#,"p\u0061ssword":#}"#;
    assert_eq!(text, expected.replace('#', gone));
    assert_eq!(paths, ["details/password", "details/a/password"]);
}

#[test]
fn patterns_take_out_no_more_than_they_find() {
    let (text, paths) = details(&format!(
        r#"["\u00e9\n{CARD}\t\ud83d\ude00", {{"n":4111111111111111,"m":411111111111111}}, "\u0034111111111111111!"]"#
    ));
    let expected = r#"["\u00e9\n[redacted]\t\ud83d\ude00", {"n":"[redacted]","m":411111111111111}, "[redacted]!"]"#;
    assert_eq!(text, expected);
    assert_eq!(paths, ["details/0", "details/1/n", "details/2"]);
}

#[test]
fn a_name_in_which_a_pattern_finds_something_is_not_told_either() {
    let (text, paths) = details(&format!(r#"{{"of {CARD}":{{"secret":1}},"password {CARD}":2}}"#));
    assert_eq!(
        text,
        r#"{"of [redacted]":{"secret":"[redacted]"},"password [redacted]":"[redacted]"}"#
    );
    let inner = "details/of [redacted]";
    assert_eq!(paths, [inner, &format!("{inner}/secret"), "details/password [redacted]"]);
}

#[test]
fn json_in_a_text_is_a_text() {
    let text = r#"{"body":"{\"password\":\"q\"}"}"#;
    assert_eq!(details(text), (text.to_owned(), Vec::new()));
    let (text, _) = details(&format!(r#""{{\"card\":\"{CARD}\"}}""#));
    assert_eq!(text, r#""{\"card\":\"[redacted]\"}""#);
}

#[test]
fn texts_tags_and_lists_are_looked_at_and_identifiers_are_not() {
    let mut given = event()
        .tenant(CARD)
        .request_id(CARD)
        .correlation_id(CARD)
        .reason(format!("declined: {CARD}"))
        .user_agent("x (Bearer abcdefghijklmnop)")
        .session_id(CARD)
        .source(CARD)
        .changed_fields(["a", CARD])
        .tag("session_token", "q")
        .tag("note", CARD)
        .tag("plain", "q")
        .old_values(serde_json::json!({"password": "old"}))
        .new_values(serde_json::json!([{"password": "new"}]));
    given.actor = Actor::new(CARD, CARD).email(CARD).role(CARD);
    given.on_behalf_of = Some(Actor::new(CARD, CARD).email(CARD).role(CARD));
    given.targets = vec![Target::new(CARD, CARD).role(CARD)];
    given.action = CARD.to_owned();
    given.resource = Resource::new(CARD, CARD);
    let kept = redactor().apply(&given).into_owned();
    let text = kept.to_json();
    // The identifiers: tenant, actor (2), whom it acted for (2), action, resource (2), target (3),
    // request and correlation id.
    assert_eq!(text.matches(CARD).count(), 13, "{text}");
    assert_eq!(kept.reason.as_deref(), Some("declined: [redacted]"));
    assert_eq!(kept.user_agent.as_deref(), Some("x (Bearer [redacted])"));
    assert_eq!(kept.changed_fields, ["a", REDACTED]);
    assert_eq!(kept.tags.values().collect::<Vec<_>>(), [REDACTED, "q", REDACTED]);
    let paths = kept.redacted.unwrap().paths;
    let expected = [
        "actor/email",
        "actor/role",
        "on_behalf_of/email",
        "on_behalf_of/role",
        "reason",
        "source",
        "user_agent",
        "session_id",
        "changed_fields/1",
        "tags/note",
        "tags/session_token",
        "old_values/password",
        "new_values/0/password",
    ];
    assert_eq!(paths, expected);
}

#[test]
fn a_rule_may_name_a_field_of_the_event() {
    let redactor = Redactor::empty("acme/1").field("E-Mail").field("ip").field("new values");
    let mut given = event().ip("10.0.0.1").new_values(serde_json::json!({"a": 1}));
    given.actor.email = Some("a@example.com".to_owned());
    let kept = redactor.apply(&given);
    assert_eq!(kept.actor.email.as_deref(), Some(REDACTED));
    assert_eq!(kept.ip.as_deref(), Some(REDACTED));
    assert_eq!(kept.new_values.as_ref().map(Json::as_str), Some(r#""[redacted]""#));
    assert_eq!(kept.redacted.as_ref().unwrap().paths, ["actor/email", "ip", "new_values"]);
    assert!(matches!(redactor.apply(&kept), Cow::Borrowed(_)));
}

#[test]
fn keys_of_tags_that_become_the_same_are_told_apart() {
    let cards = ["4111111111111111", "378282246310005", "5555555555554444"];
    let given =
        cards.iter().fold(event().tag("[redacted]~3", "x"), |event, card| event.tag(*card, *card));
    let kept = redactor().apply(&given);
    let keys: Vec<&String> = kept.tags.keys().collect();
    assert_eq!(keys, ["[redacted]", "[redacted]~3", "[redacted]~4", "[redacted]~5"]);
    assert_eq!(kept.tags["[redacted]~3"], "x");
    assert!(matches!(redactor().apply(&kept), Cow::Borrowed(_)));
}

#[test]
fn an_event_without_a_find_is_not_copied_and_says_nothing() {
    let given = event().reason("all well").details_json(r#"{"user":"al","n":[1,2]}"#).unwrap();
    assert!(matches!(redactor().apply(&given), Cow::Borrowed(_)));
    let carried =
        Some(Redacted { rules: "acme/3".to_owned(), paths: vec!["ip".to_owned()], more: 7 });
    let mut given = given;
    given.redacted.clone_from(&carried);
    assert_eq!(redactor().apply(&given).redacted, carried);
    given.ip = Some(CARD.to_owned());
    given.reason = Some(CARD.to_owned());
    let redacted = redactor().apply(&given).into_owned().redacted.unwrap();
    assert!(redacted.rules.starts_with("acme/3, bulla/1+"), "{}", redacted.rules);
    assert_eq!((redacted.paths, redacted.more), (vec!["ip".to_owned(), "reason".to_owned()], 7));
}

#[test]
fn the_title_tells_what_was_added_and_always_fits() {
    assert_eq!(Redactor::standard().rules(), STANDARD);
    assert_eq!(redactor().rules(), "bulla/1+card_numbers+bearer_tokens+private_keys");
    let own = Redactor::empty("acme/3").field("a").pattern("cards", card_numbers());
    assert_eq!(own.rules(), "acme/3");
    let many = (0..500).fold(redactor(), |redactor, n| redactor.field(&format!("é{n}\n")));
    for (redactor, rules) in [
        (Redactor::empty(""), "unnamed"),
        (Redactor::empty("a\u{1b}b"), "a\\u{1b}b"),
        (many, "bulla/1+card_numbers"),
        (Redactor::empty(&"é".repeat(999)), "éé"),
    ] {
        assert!(redactor.rules().starts_with(rules), "{}", redactor.rules());
        let kept = redactor.field("ip").apply(&event().ip("1")).into_owned();
        assert_eq!(kept.validate(), Ok(()));
    }
}

#[test]
fn members_whose_names_become_the_same_are_numbered_within_their_object() {
    let (one, two, three) = ("4111111111111111", "378282246310005", "5555555555554444");
    let (text, paths) = details(&format!(
        r#"{{"{one}":1,"a":[{{"{two}":2}},{{"x {one}":3,"x\u0020{two}":4}}],"{two}":5,
            "[redacted]~3":6,"{three}":{{"{one}":7}},"\u005bredacted]~2":8,"[redacted]":9}}"#
    ));
    let expected = r#"{"[redacted]~4":1,"a":[{"[redacted]":2},{"x [redacted]":3,"x\u0020[redacted]~2":4}],"[redacted]~5":5,
            "[redacted]~3":6,"[redacted]~6":{"[redacted]":7},"\u005bredacted]~2":8,"[redacted]":9}"#;
    assert_eq!(text, expected);
    let told = ["[redacted]", "a/0/[redacted]", "a/1/x [redacted]", "[redacted]/[redacted]"];
    assert_eq!(paths, told.map(|path| format!("details/{path}")));
    assert_eq!(details(&text), (text, Vec::new()), "again");
}

#[test]
fn numbers_are_found_however_they_are_written() {
    for number in ["4111111111111111.0", "4111111111111111e0", "4.111111111111111E+15"] {
        assert_eq!(details(&format!("[{number},1.5]")).0, r#"["[redacted]",1.5]"#);
    }
    let other = "[4111111111111111.5,-4111111111111111.0,4111111111111111e1]";
    assert_eq!(details(other), (other.to_owned(), Vec::new()));
}

#[test]
fn paths_are_those_of_the_places_behind_deep_cut_and_repeated_ones() {
    let long = "k".repeat(600);
    let (_, paths) = details(&format!(
        r#"{{"a":[{{"token":1,"b":{{"token":2}}}},7,{{"token":3}}],"{long}":{{"token":4,"x":[{{"token":5}}]}},
            "":{{"":{{"token":6}},"token":7}},"a":[{{"token":8}}],"token":9}}"#
    ));
    let told = ["a/0/token", "a/0/b/token", "a/2/token", "…", "//token", "/token", "token"];
    assert_eq!(paths, told.map(|path| format!("details/{path}")));
}

/// What patterns are given to look at is the work that is counted here.
#[test]
fn each_text_is_looked_at_a_few_times_however_deep_it_is() {
    let members = format!("{{{}\"x\":1}}", r#""token":1,"#.repeat(2_000));
    let name = r"\u0061".repeat(100);
    for around in [String::new(), "\"\":".to_owned(), format!("\"{name}\":")] {
        let depth = if around.is_empty() { 0 } else { 120 };
        let open = format!("{{{around}").repeat(depth);
        let json = format!("{open}{members}{}", "}".repeat(depth));
        let looked_at = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = Arc::clone(&looked_at);
        let rules = Redactor::standard().pattern("count", move |text: &str| {
            count.fetch_add(1 + text.len(), std::sync::atomic::Ordering::Relaxed);
            Vec::new()
        });
        let kept = rules.apply(&event().details_json(&json).unwrap()).into_owned();
        assert!(
            kept.details.unwrap().as_str().ends_with(&format!(r#""x":1}}{}"#, "}".repeat(depth)))
        );
        let looked_at = looked_at.load(std::sync::atomic::Ordering::Relaxed);
        assert!(looked_at < 3 * json.len(), "{looked_at} for {}", json.len());
    }
}

#[test]
fn many_places_and_long_or_deep_ones_make_a_valid_event() {
    let members: Vec<String> =
        (0..5_000).map(|n| format!(r#"{{"k{n}":{{"password":{n}}}}}"#)).collect();
    let given = event().details_json(&format!("[{}]", members.join(","))).unwrap();
    let kept = redactor().apply(&given);
    assert_eq!(kept.validate(), Ok(()));
    let redacted = kept.redacted.as_ref().unwrap();
    assert_eq!((redacted.paths.len(), redacted.more), (256, 5_000 - 256));
    assert!(!kept.details.as_ref().unwrap().as_str().contains(":4999}"));

    let deep = |levels: usize| {
        format!(
            "{}{{\"\\u001b{}\":{{\"token\":1}}}}{}",
            "[".repeat(levels),
            "k".repeat(90_000),
            "]".repeat(levels)
        )
    };
    for levels in [0, 100, 124, 100_000] {
        let kept = redactor().apply(&event().details_json(&deep(levels)).unwrap()).into_owned();
        assert!(kept.details.as_ref().unwrap().as_str().contains(r#"{"token":"[redacted]"}"#));
        let path = &kept.redacted.as_ref().unwrap().paths[0];
        assert!(path.starts_with("details/") && path.ends_with("/…") && path.len() <= 512);
        assert_eq!(kept.validate().is_ok(), levels <= 124);
    }
}

/// A piece of JSON, written with the redactions and without.
#[derive(Clone, Debug)]
struct Twice {
    plain: String,
    redacted: String,
}

/// Stands in every value that must go, and nowhere else.
const MARK: &str = "hunter2";

fn space() -> impl Strategy<Value = String> {
    "[ \t\n]{0,2}"
}

fn scalar() -> impl Strategy<Value = Twice> {
    let same = |text: String| Twice { plain: text.clone(), redacted: text };
    prop_oneof![
        // Of ten digits at most, written out: 506349e7 is a card number.
        "(true|false|null|-?[1-9][0-9]{0,5}(\\.[0-9]{1,3})?(e[+-]?[0-4])?)".prop_map(same),
        r#""([a-z é/{}:,\[\]]|\\[nt"\\/]|\\u00[4-7][0-9a-e]){0,12}""#.prop_map(same),
        ("[a-z é]{0,4}", "[a-z é]{0,4}").prop_map(|(before, after)| Twice {
            plain: format!("\"\\t{before} {CARD} {after}\\u0041\""),
            redacted: format!("\"\\t{before} [redacted] {after}\\u0041\""),
        }),
        Just(Twice { plain: "378282246310005".to_owned(), redacted: "\"[redacted]\"".to_owned() }),
    ]
}

fn tree() -> impl Strategy<Value = Twice> {
    scalar().prop_recursive(5, 40, 5, |inner| {
        let name = prop_oneof![
            // Of two letters, as "ssn" and "cvv" go.
            3 => "[a-z]{1,2}".prop_map(|name| (name, false)),
            1 => prop::sample::select(vec!["token_count", "secretId", "naïve", "a\\\"b", "authorizationInfo"])
                .prop_map(|name| (name.to_owned(), false)),
            2 => prop::sample::select(vec!["password", "API-Key", "userToken", "Set-Cookie", "p\\u0061ssword", "cvv2", "secrets"])
                .prop_map(|name| (name.to_owned(), true)),
        ];
        let member = (name, inner.clone(), space(), space()).prop_map(|((name, goes), value, a, b)| {
            let name = format!("{a}\"{name}\"{b}:{a}");
            if !goes {
                return Twice { plain: name.clone() + &value.plain + &b, redacted: name + &value.redacted + &b };
            }
            let secret = format!("[\"{MARK}\",{}]", value.plain);
            Twice { plain: name.clone() + &secret + &b, redacted: name + "\"[redacted]\"" + &b }
        });
        let joined = |open: &'static str, close: &'static str| move |parts: Vec<Twice>| {
            let all = |of: fn(&Twice) -> &str| {
                let parts: Vec<&str> = parts.iter().map(of).collect();
                format!("{open}{}{close}", parts.join(","))
            };
            Twice { plain: all(|twice| &twice.plain), redacted: all(|twice| &twice.redacted) }
        };
        prop_oneof![
            prop::collection::vec(member, 0..5).prop_map(joined("{", "}")),
            prop::collection::vec(inner, 0..5).prop_map(joined("[", "]")),
        ]
    })
}

/// The bodies of an event, as bytes.
fn encoded(event: &Event) -> Vec<u8> {
    let mut out = Vec::new();
    body::encode_event(event, Timestamp::from_nanos(0), [1; 16], [2; 16], &mut out).unwrap();
    out
}

fn contains(bytes: &[u8], what: &str) -> bool {
    bytes.windows(what.len()).any(|window| window == what.as_bytes())
}

proptest! {
    #[test]
    fn what_must_go_is_nowhere_and_all_else_is_as_it_was(
        details in tree(),
        old in tree(),
        tags in prop::collection::btree_map("[a-z]{1,4}|token|my-password", "[a-z]{0,5}", 0..4),
    ) {
        let mut given = event().details_json(&details.plain).unwrap();
        given.old_values = Some(Json::parse(&old.plain).unwrap());
        given.tags = tags;
        for (key, value) in &mut given.tags {
            if key == "token" || key == "my-password" {
                *value = MARK.to_owned();
            }
        }
        let redactor = redactor();
        let kept = redactor.apply(&given).into_owned();
        let expected = Json::parse(&details.redacted).unwrap();
        prop_assert_eq!(kept.details.as_ref().unwrap(), &expected);
        prop_assert_eq!(kept.old_values.as_ref().unwrap(), &Json::parse(&old.redacted).unwrap());
        let bytes = encoded(&kept);
        prop_assert!(!contains(&bytes, MARK) && !contains(&bytes, CARD));
        prop_assert_eq!(kept.redacted.is_some(), kept != given);
        prop_assert!(matches!(redactor.apply(&kept), Cow::Borrowed(_)));
        prop_assert_eq!(Event::from_json(&kept.to_json()).unwrap().redacted, kept.redacted.clone());
        // But for what was redacted, the rest of the event is the same.
        let back = Event { details: given.details.clone(), old_values: given.old_values.clone(),
            tags: given.tags.clone(), redacted: None, ..kept };
        prop_assert_eq!(back, given);
    }

    #[test]
    fn any_json_and_text_is_redacted_once(
        text in ".{0,60}",
        digits in "[0-9 .a-f-]{0,80}",
        value in "[\"{}\\[\\]:,\\\\ a-zA-Z0-9]{0,60}",
    ) {
        let redactor = redactor();
        let mut given = event().reason(digits.clone()).session_id(text.clone()).tag(digits, text.clone());
        given.details = Some(Json::from(serde_json::json!({ text.as_str(): [text], value.as_str(): value })));
        given.new_values = Json::parse(&value).ok();
        let kept = redactor.apply(&given);
        for json in [&kept.details, &kept.new_values].into_iter().flatten() {
            prop_assert!(Json::parse(json.as_str()).is_ok_and(|parsed| parsed == *json));
        }
        prop_assert!(matches!(redactor.apply(&kept), Cow::Borrowed(_)));
    }
}
