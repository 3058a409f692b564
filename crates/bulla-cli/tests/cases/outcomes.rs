//! What is not understood is never success; who acted is never guessed.

mod places;
mod subjects;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bulla::event::{Event, Outcome};
use bulla_cli::import::{self, Format, Item, Mapping};
use serde_json::{Value, json};

const NOT_UNDERSTOOD: &str = "outcome_not_understood";

fn input(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/inputs").join(name)
}

fn format(name: &str) -> Format {
    match name {
        "cloudtrail" | "k8s" => name.parse().unwrap(),
        mapping => Format::Json(Arc::new(Mapping::open(mapping).unwrap())),
    }
}

fn items(path: &Path, name: &str) -> Vec<Item> {
    import::read(path, &format(name)).unwrap().map(Result::unwrap).collect()
}

/// The events of a file, none of which may be rejected.
fn events(path: &Path, name: &str) -> Vec<Event> {
    let event = |item| match item {
        Item::Event { event, .. } => event,
        rejected @ Item::Rejected { .. } => panic!("{rejected:?}"),
    };
    items(path, name).into_iter().map(event).collect()
}

/// The events of these lines, each of which is one event.
fn map_all(lines: &[Value], name: &str) -> Vec<Event> {
    let found = map(lines, name);
    assert_eq!(found.len(), lines.len(), "{name}");
    found
}

fn map(lines: &[Value], name: &str) -> Vec<Event> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trail");
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    fs::write(&path, text.join("\n")).unwrap();
    events(&path, name)
}

fn outcomes(events: &[Event]) -> Vec<Outcome> {
    events.iter().map(|event| event.outcome).collect()
}

/// An event of each format in which nothing went wrong.
fn base(name: &str) -> Value {
    match name {
        "cloudtrail" => json!({"eventVersion":"1.08","eventTime":"2026-01-02T03:04:05Z",
            "eventSource":"s3.amazonaws.com","eventName":"GetObject","eventType":"AwsApiCall",
            "userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/ann"}}),
        "k8s" => json!({"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"list",
            "stage":"ResponseComplete","user":{"username":"ann"},
            "objectRef":{"resource":"secrets","namespace":"shop"},"responseStatus":{"code":200},
            "requestReceivedTimestamp":"2026-01-02T03:04:05Z"}),
        "github" => json!({"@timestamp":1_741_611_463_961_u64,"actor":"ann","org":"acme",
            "action":"repo.create","repo":"acme/r"}),
        "okta" => json!({"published":"2026-01-02T03:04:05Z","eventType":"user.session.start",
            "actor":{"id":"00u1","type":"User"},"outcome":{"result":"SUCCESS"}}),
        "gcp" => json!({"timestamp":"2026-01-02T03:04:05Z","protoPayload":{"methodName":"m.delete",
            "authenticationInfo":{"principalEmail":"ann@example.com"},"status":{}}}),
        "gworkspace" => json!({"id":{"time":"2026-01-02T03:04:05Z","applicationName":"login"},
            "actor":{"email":"ann@example.com"},"events":[{"type":"login","name":"logout"}]}),
        other => panic!("{other}"),
    }
}

/// A value in place of another, or added; the place is a JSON pointer of existing objects.
fn with(name: &str, changes: &[(&str, Value)]) -> Value {
    let mut event = base(name);
    for (place, value) in changes {
        let (parent, key) = place.rsplit_once('/').unwrap();
        let parent = event.pointer_mut(parent).unwrap_or_else(|| panic!("{place}"));
        match parent {
            Value::Array(items) => items[key.parse::<usize>().unwrap()] = value.clone(),
            parent => parent[key.replace("~1", "/")] = value.clone(),
        }
    }
    event
}

/// A place of an event and what is put there.
type Change<'c> = (&'c str, Value);

/// Each event with these changes has the outcome; what is `None` is not understood.
fn check(name: &str, cases: &[(&[Change<'_>], Option<Outcome>)]) {
    let lines: Vec<Value> = cases.iter().map(|(changes, _)| with(name, changes)).collect();
    for ((event, line), (_, expected)) in map_all(&lines, name).iter().zip(&lines).zip(cases) {
        let strange = event.tags.get(NOT_UNDERSTOOD);
        assert_eq!(event.outcome, expected.unwrap_or(Outcome::Unknown), "{line}");
        assert_eq!(strange.is_some(), expected.is_none(), "{line}: {strange:?}");
    }
}

#[test]
fn the_cases_have_their_outcomes() {
    use Outcome::{Denied, Failure, Success};
    for (file, name, expected) in [
        ("03-k8s-failed-authentication.jsonl", "k8s", &[Denied, Success][..]),
        ("08-cloudtrail-failed-signin-counted-success.jsonl", "cloudtrail", &[Failure, Failure]),
        ("09-cloudtrail-no-identity.jsonl", "cloudtrail", &[Success; 4]),
        ("10-github-outcomes-and-actor.jsonl", "github", &[Failure, Denied, Denied, Success]),
        ("22-gcp-authorization.jsonl", "gcp", &[Denied; 3]),
        ("23-k8s-code-not-an-integer.jsonl", "k8s", &[Denied; 2]),
        ("24-k8s-zero-time.jsonl", "k8s", &[Success]),
    ] {
        let found = events(&input(file), name);
        assert_eq!(outcomes(&found), expected, "{file}");
        assert!(found.iter().all(|event| !event.tags.contains_key(NOT_UNDERSTOOD)), "{file}");
    }
}

#[test]
fn an_actor_that_is_not_named_is_unknown_and_never_another() {
    let actors = |file: &str, name: &str| -> Vec<String> {
        let found = events(&input(file), name);
        found.iter().map(|event| format!("{}:{}", event.actor.kind, event.actor.id)).collect()
    };
    assert_eq!(
        actors("03-k8s-failed-authentication.jsonl", "k8s"),
        ["anonymous:unknown", "user:ann"]
    );
    assert_eq!(
        actors("09-cloudtrail-no-identity.jsonl", "cloudtrail"),
        [
            "service:unknown",
            "service:unknown",
            "anonymous:unknown",
            "user:arn:aws:iam::111122223333:user/ann"
        ]
    );
    assert_eq!(
        actors("10-github-outcomes-and-actor.jsonl", "github"),
        ["user:ann", "user:ann", "user:ann", "unknown:unknown"]
    );
    let victim = json!("victim");
    let lines = [
        ("github", vec![("/actor", Value::Null), ("/external_identity_username", victim.clone())]),
        ("okta", vec![("/actor", Value::Null), ("/target", json!([{"id":"victim"}]))]),
        ("gcp", vec![("/protoPayload/authenticationInfo", json!({}))]),
        (
            "gworkspace",
            vec![
                ("/actor", json!({})),
                ("/events/0/parameters", json!([{"name":"USER_EMAIL","value":"victim"}])),
            ],
        ),
    ];
    for (name, changes) in lines {
        let found = &map_all(&[with(name, &changes)], name)[0].actor;
        assert_eq!((found.kind.as_str(), found.id.as_str()), ("unknown", "unknown"), "{name}");
        assert_eq!(found.email, None, "{name}");
    }
}

#[test]
fn an_insight_event_names_its_call_in_its_details() {
    let found = &events(&input("09-cloudtrail-no-identity.jsonl"), "cloudtrail")[0];
    assert_eq!(found.action, "ec2.RunInstances");
    assert_eq!(found.tags["insight"], "ApiErrorRateInsight");
    assert_eq!(found.tags["insight_state"], "Start");
}

#[test]
fn cloudtrail_failures_are_found_wherever_they_stand() {
    use Outcome::{Denied, Failure, Success};
    let answer = |holder: &'static str, name: &str, said: Value| -> Vec<(&'static str, Value)> {
        vec![
            ("/eventSource", json!("signin.amazonaws.com")),
            ("/eventType", json!("AwsConsoleSignIn")),
            ("/eventName", json!(name)),
            (holder, json!({ name: said })),
        ]
    };
    let mut cases: Vec<(Vec<Change<'_>>, Option<Outcome>)> = vec![
        (vec![("/errorCode", json!("AccessDenied"))], Some(Denied)),
        (vec![("/errorCode", json!("accessdenied"))], Some(Denied)),
        (vec![("/errorCode", json!("VpceAccessDenied"))], Some(Denied)),
        (vec![("/errorCode", json!(403.0))], Some(Denied)),
        (vec![("/errorCode", json!("Whatever"))], Some(Failure)),
        (vec![("/errorCode", json!({"a":1}))], Some(Failure)),
        (vec![("/errorCode", Value::Null)], Some(Success)),
        (vec![("/errorMessage", json!("No username found in supplied account"))], Some(Failure)),
        (vec![("/responseElements", json!({"_return":false}))], Some(Failure)),
        (vec![("/responseElements", json!({"_return":true}))], Some(Success)),
        (vec![("/responseElements", json!({"status":"CREATING"}))], Some(Success)),
        (vec![("/responseElements", json!({"GetObject":{"a":1}}))], Some(Success)),
        (
            vec![("/eventType", json!("AwsServiceEvent")), ("/eventName", json!("RotationFailed"))],
            Some(Failure),
        ),
        (
            vec![
                ("/eventSource", json!("signin.amazonaws.com")),
                ("/eventName", json!("ConsoleLogin")),
            ],
            None,
        ),
    ];
    for holder in ["/responseElements", "/serviceEventDetails", "/additionalEventData"] {
        for name in ["ConsoleLogin", "CheckMfa", "SwitchRole", "UserAuthentication"] {
            cases.push((answer(holder, name, json!("Success")), Some(Success)));
            cases.push((answer(holder, name, json!("FAILURE")), Some(Failure)));
            cases.push((answer(holder, name, json!("failure ")), Some(Failure)));
            cases.push((answer(holder, name, json!("Perhaps")), None));
            cases.push((answer(holder, name, json!({"code":1})), None));
        }
    }
    let cases: Vec<_> = cases.iter().map(|(changes, is)| (changes.as_slice(), *is)).collect();
    check("cloudtrail", &cases);
}

#[test]
fn kubernetes_codes_and_statuses_are_read_in_every_spelling() {
    use Outcome::{Denied, Failure, Success};
    const DECISION: &str = "authorization.k8s.io/decision";
    let status = |status: Value| [("/responseStatus", status)];
    let decision = |word: &str| {
        [("/annotations", json!({ DECISION: word })), ("/stage", json!("RequestReceived"))]
    };
    check(
        "k8s",
        &[
            (&status(json!({"code":401})), Some(Denied)),
            (&status(json!({"code":403.0})), Some(Denied)),
            (&status(json!({"code":"403"})), Some(Denied)),
            (&status(json!({"code":" 403.0 "})), Some(Denied)),
            (&status(json!({"code":"500"})), Some(Failure)),
            (&status(json!({"code":101})), Some(Success)),
            (&status(json!({"code":0})), None),
            (&status(json!({"code":-1})), None),
            (&status(json!({"code":403.5})), None),
            (&status(json!({"code":"no"})), None),
            (&status(json!({"code":[403]})), None),
            (&status(json!({"status":"Failure"})), Some(Failure)),
            (&status(json!({"status":"failure","reason":"Forbidden"})), Some(Denied)),
            (&status(json!({"reason":"NotFound"})), Some(Failure)),
            (&status(json!({"status":"Success","code":403})), Some(Denied)),
            (&status(json!({"status":"Odd","code":200})), None),
            (&status(json!("Failure")), Some(Failure)),
            (&status(json!([200])), None),
            (&status(json!({})), None),
            (&status(Value::Null), None),
            (&decision("forbid"), Some(Denied)),
            (&decision("Forbid"), Some(Denied)),
            (&decision("perhaps"), None),
        ],
    );
}

#[test]
fn github_failures_are_found_by_name_code_and_conclusion() {
    use Outcome::{Denied, Failure, Partial, Success};
    let one = |place: &'static str, value: Value| [(place, value)];
    check(
        "github",
        &[
            (&one("/action", json!("user.failed_login")), Some(Failure)),
            (&one("/action", json!("user.two_factor_challenge_failure")), Some(Failure)),
            (&one("/action", json!("protected_branch.rejected_ref_update")), Some(Denied)),
            (&one("/action", json!("org.block_user")), Some(Success)),
            (&one("/status_code", json!("401")), Some(Denied)),
            (&one("/status_code", json!(403.0)), Some(Denied)),
            (&one("/status_code", json!(404)), Some(Failure)),
            (&one("/status_code", json!(200)), Some(Success)),
            (&one("/status_code", json!("many")), None),
            (&one("/conclusion", json!("timed_out")), Some(Failure)),
            (&one("/conclusion", json!("cancelled")), Some(Partial)),
            (&one("/conclusion", json!("new word")), None),
            (&one("/error", json!("it broke")), Some(Failure)),
            (&one("/operation_type", json!("authentication")), Some(Success)),
        ],
    );
}

#[test]
fn okta_results_that_are_not_known_are_no_success() {
    use Outcome::{Denied, Failure, Partial, Success};
    for (word, outcome) in [
        ("SUCCESS", Some(Success)),
        ("ALLOW", Some(Success)),
        ("Allow", Some(Success)),
        ("FAILURE", Some(Failure)),
        ("DENY", Some(Denied)),
        ("CHALLENGE", Some(Partial)),
        ("SKIPPED", Some(Partial)),
        ("UNKNOWN", None),
        ("a new one", None),
    ] {
        check("okta", &[(&[("/outcome/result", json!(word))], outcome)]);
    }
    for value in [json!(7), json!(["SUCCESS"]), json!({"SUCCESS":1}), Value::Null, json!("")] {
        check("okta", &[(&[("/outcome/result", value)], None)]);
    }
    check("okta", &[(&[("/outcome", Value::Null)], None)]);
}

#[test]
fn gcp_codes_and_permissions_are_read_in_every_spelling() {
    use Outcome::{Denied, Failure, Success};
    let status = |status: Value| [("/protoPayload/status", status)];
    let granted = |list: Value| [("/protoPayload/authorizationInfo", list)];
    check(
        "gcp",
        &[
            (&status(json!({"code":0})), Some(Success)),
            (&status(json!({"code":7})), Some(Denied)),
            (&status(json!({"code":7.0})), Some(Denied)),
            (&status(json!({"code":"16"})), Some(Denied)),
            (&status(json!({"code":"permission_denied"})), Some(Denied)),
            (&status(json!({"code":"NOT_FOUND"})), Some(Failure)),
            (&status(json!({"code":5.0})), Some(Failure)),
            (&status(json!({"code":403})), Some(Denied)),
            (&status(json!({"code":17})), None),
            (&status(json!({"code":"odd"})), None),
            (&status(json!({"code":{"a":7}})), None),
            (&status(json!("PERMISSION_DENIED")), Some(Denied)),
            (&status(json!({"message":"Forbidden"})), Some(Denied)),
            (&status(json!({"message":"quota of ann is gone"})), None),
            (&granted(json!([{"granted":true},{"granted":false}])), Some(Denied)),
            (&granted(json!([{"granted":"true"},{"granted":"false"}])), Some(Denied)),
            (&granted(json!([{"permission":"a"}])), Some(Denied)),
            (&granted(json!([{"granted":true},{"granted":1}])), Some(Success)),
            (&granted(json!([{"granted":"perhaps"}])), None),
            (&granted(json!({"granted":false})), Some(Denied)),
            (&[("/severity", json!("ERROR"))], Some(Failure)),
            (&[("/protoPayload/response", json!({"error":{"code":404}}))], Some(Failure)),
            (&[("/labels", json!({"authorization.k8s.io/decision":"forbid"}))], Some(Denied)),
            (
                &[("/protoPayload/methodName", json!("google.login.LoginService.loginFailure"))],
                Some(Failure),
            ),
        ],
    );
}

#[test]
fn workspace_failures_are_found_in_every_event_of_an_activity() {
    use Outcome::{Denied, Failure, Success};
    let named = |name: &str| [("/events/0/name", json!(name))];
    let parameter = |parameter: Value| [("/events/0/parameters", json!([parameter]))];
    check(
        "gworkspace",
        &[
            (&named("login_success"), Some(Success)),
            (&named("login_failure"), Some(Failure)),
            (&named("suspicious_login"), Some(Denied)),
            (&named("suspicious_login_less_secure_app"), Some(Denied)),
            (&named("risky_sensitive_action_blocked"), Some(Denied)),
            (&named("FAILED_PASSWORD_ATTEMPTS_EVENT"), Some(Failure)),
            (&named("ACCESS_DENY_EVENT"), Some(Denied)),
            (&[("/events", json!({"name":"login_failure"}))], Some(Failure)),
            (&parameter(json!({"name":"login_failure_type","value":"x"})), Some(Failure)),
            (&parameter(json!({"name":"is_suspicious","boolValue":true})), Some(Success)),
            (
                &parameter(json!({"name":"login_challenge_status","value":"Challenge Failed."})),
                Some(Failure),
            ),
            (&parameter(json!({"name":"login_challenge_status","value":"odd"})), None),
            (&parameter(json!({"name":"saml_status_code","value":"SUCCESS_URI"})), Some(Success)),
            (&parameter(json!({"name":"saml_status_code","value":"odd"})), None),
            (
                &parameter(json!({"name":"event_info","messageValue":{"parameter":[
                    {"name":"success","boolValue":false}]}})),
                Some(Failure),
            ),
        ],
    );
    // Each of several is an event, and what one says is not said of another.
    let names = ["login_challenge", "login_failure", "suspicious_login"];
    let several = names.map(|name| json!({ "name": name }));
    let found = map(&[with("gworkspace", &[("/events", json!(several))])], "gworkspace");
    assert_eq!(outcomes(&found), [Success, Failure, Denied]);
}

#[test]
fn a_time_that_cannot_be_falls_back_to_the_other_one_and_says_so() {
    let found = &events(&input("24-k8s-zero-time.jsonl"), "k8s")[0];
    assert_eq!(found.occurred_at.unwrap().to_string(), "2026-01-02T03:04:05.200000000Z");
    assert_eq!(found.tags["time_from"], "stageTimestamp");
    for bad in
        [json!("0001-01-01T00:00:00Z"), json!("9999-01-01T00:00:00Z"), Value::Null, json!("")]
    {
        for (name, first, other, tag) in [
            ("k8s", "/requestReceivedTimestamp", "/stageTimestamp", "stageTimestamp"),
            ("cloudtrail", "/eventTime", "/time", "time"),
            ("gcp", "/timestamp", "/receiveTimestamp", "receiveTimestamp"),
            ("github", "/@timestamp", "/created_at", "created_at"),
            ("okta", "/published", "/p_event_time", "p_event_time"),
            ("gworkspace", "/id/time", "/p_event_time", "p_event_time"),
        ] {
            let line = with(name, &[(first, bad.clone()), (other, json!("2026-01-02T03:04:06Z"))]);
            let event = &map_all(std::slice::from_ref(&line), name)[0];
            assert_eq!(event.tags.get("time_from").map(String::as_str), Some(tag), "{line}");
            let time = event.occurred_at.unwrap().to_string();
            assert_eq!(time, "2026-01-02T03:04:06.000000000Z", "{line}");
        }
    }
    let zero =
        with("github", &[("/@timestamp", json!(0)), ("/created_at", json!(1_741_611_463_961_u64))]);
    assert_eq!(map_all(&[zero], "github")[0].tags["time_from"], "created_at");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trail");
    for (name, place) in [("k8s", "/requestReceivedTimestamp"), ("cloudtrail", "/eventTime")] {
        fs::write(&path, with(name, &[(place, json!("0001-01-01T00:00:00Z"))]).to_string())
            .unwrap();
        let Item::Rejected { reason, .. } = &items(&path, name)[0] else { panic!("{name}") };
        assert!(reason.contains("year out of range"), "{reason}");
        assert!(!reason.contains("RFC 3339"), "{reason}");
    }
}
