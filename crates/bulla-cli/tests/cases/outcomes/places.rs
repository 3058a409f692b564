//! Every place in which a product says how an event ended, line by line.

use super::*;

/// What each line of a file becomes: `S`uccess, `F`ailure, `D`enied, `P`artial, `?` not
/// understood, `x` rejected.
fn letters(file: &str, name: &str) -> String {
    let letter = |item: &Item| match item {
        Item::Rejected { .. } => 'x',
        Item::Event { event, .. } if event.tags.contains_key(NOT_UNDERSTOOD) => {
            assert_eq!(event.outcome, Outcome::Unknown, "{file}");
            '?'
        }
        Item::Event { event, .. } => match event.outcome {
            Outcome::Success => 'S',
            Outcome::Failure => 'F',
            Outcome::Denied => 'D',
            _ => 'P',
        },
    };
    items(&input(file), name).iter().map(letter).collect()
}

#[test]
fn every_line_has_its_outcome() {
    for (file, name, expected) in [
        (
            "30-cloudtrail-failures-without-error-code.jsonl",
            "cloudtrail",
            "FFFFFFFSSDDFFFDFDFSSFFFFFFF",
        ),
        ("31-cloudtrail-identity-and-signin.jsonl", "cloudtrail", "SSF?SSSDFSSFSSFFF?F???FF"),
        ("32-gcp-outcomes.jsonl", "gcp", "DSSDSDFFFSFD??SSDSDSDDS?S"),
        ("33-gworkspace-outcomes.jsonl", "gworkspace", "DDFFSSDDSFDSSSFFDSSDFF"),
        ("34-github-outcomes.jsonl", "github", "SSSDFDFFFDDDDFSSSSSSSSFFDDFSSSS"),
    ] {
        assert_eq!(letters(file, name), expected, "{file}");
    }
}

#[test]
fn the_address_is_not_the_one_that_the_client_says() {
    let event = &events(&input("29-k8s-ip-chosen-by-client.jsonl"), "k8s")[0];
    assert_eq!(event.ip.as_deref(), Some("203.0.113.66"));
    let cases = [
        ("k8s", "/sourceIPs", json!(["10.0.0.1", "10.0.0.2", "::1"]), Some("::1")),
        ("k8s", "/sourceIPs", json!(["10.0.0.1"]), Some("10.0.0.1")),
        ("k8s", "/sourceIPs", json!("10.0.0.1"), Some("10.0.0.1")),
        ("k8s", "/sourceIPs", json!(["10.0.0.1", null]), None),
        ("k8s", "/sourceIPs", json!([]), None),
        ("okta", "/request", json!({"ipChain":[{"ip":"10.0.0.1"},{"ip":"::1"}]}), Some("::1")),
        ("okta", "/request", json!({"ipChain":{"ip":"::1"}}), Some("::1")),
        ("okta", "/request", json!({"ipChain":[{"ip":"10.0.0.1"},{}]}), None),
    ];
    for (name, place, value, expected) in cases {
        let event = &map_all(&[with(name, &[(place, value.clone())])], name)[0];
        assert_eq!(event.ip.as_deref(), expected, "{name} {value}");
    }
}

#[test]
fn an_identity_may_be_a_text() {
    let found = events(&input("31-cloudtrail-identity-and-signin.jsonl"), "cloudtrail");
    let actor = |at: usize| (found[at].actor.kind.as_str(), found[at].actor.id.as_str());
    assert_eq!(actor(4), ("account", "arn:aws:iam::1:user/bob"));
    assert_eq!(actor(5), ("root", "arn:aws:iam::1:root"));
    assert!(found[5].details.as_ref().unwrap().as_str().contains(r#"{\"type\":\"Root\""#));
}

#[test]
fn calls_for_several_things_say_what_failed() {
    use Outcome::{Failure, Partial, Success};
    let answer = |answer: Value| [("/responseElements", answer)];
    check(
        "cloudtrail",
        &[
            (&answer(json!({"tasks":[{"a":1}],"failures":[]})), Some(Success)),
            (&answer(json!({"tasks":[{"a":1}],"failures":[{"reason":"x"}]})), Some(Partial)),
            (&answer(json!({"tasks":[],"failures":[{"reason":"x"}]})), Some(Failure)),
            (&answer(json!({"failedEntryCount":0,"failedEntries":[]})), Some(Success)),
            (&answer(json!({"failedEntryCount":"0"})), Some(Success)),
            (&answer(json!({"failedRecordCount":2.0})), Some(Failure)),
            (
                &answer(json!({"failedRecordCount":1,"records":[
                    {"errorCode":"Throttled"},{"sequenceNumber":"1"}]})),
                Some(Partial),
            ),
            (&answer(json!({"failedRecordCount":1,"records":[{"errorCode":"x"}]})), Some(Failure)),
            (&answer(json!({"unprocessedItems":{}})), Some(Success)),
            (&answer(json!({"unprocessedItems":{"table":[{"a":1}]}})), Some(Failure)),
            (&answer(json!({"successful":[{"id":"1"}],"failed":[{"id":"2"}]})), Some(Partial)),
            (&answer(json!({"responses":[{"error":{"code":"x"}},{"item":{}}]})), Some(Partial)),
            (&answer(json!({"responses":[{"error":null}]})), Some(Success)),
            (
                &answer(json!({"CreateFlowLogsResponse":{"unsuccessful":{"item":{"a":1}}}})),
                Some(Failure),
            ),
            (&answer(json!({"CreateFleetResponse":{"errorSet":{"items":[]}}})), Some(Success)),
            // Settings and what the subject named are no answers.
            (&answer(json!({"failureThreshold":3,"onFailure":"x"})), Some(Success)),
            (&answer(json!({"tags":{"failures":["x"],"error":"x"}})), Some(Success)),
        ],
    );
}

#[test]
fn what_aws_did_by_itself_has_a_state() {
    use Outcome::{Denied, Failure, Partial, Success};
    let details = |details: Value| {
        [("/eventType", json!("AwsServiceEvent")), ("/serviceEventDetails", details)]
    };
    let mut cases = Vec::new();
    for (word, outcome) in [
        ("COMPLETED", Some(Success)),
        ("Successful", Some(Success)),
        ("IN_PROGRESS", Some(Success)),
        ("FAILED", Some(Failure)),
        ("failed ", Some(Failure)),
        ("CREATE_FAILED", Some(Failure)),
        ("ABORTED", Some(Failure)),
        ("EXPIRED", Some(Failure)),
        ("TIMED_OUT", Some(Failure)),
        ("COMPLETED_WITH_ERRORS", Some(Failure)),
        ("PARTIAL", Some(Partial)),
        ("Cancelled", Some(Partial)),
        ("ACCESS_DENIED", Some(Denied)),
        ("403", Some(Denied)),
        ("200", Some(Success)),
        ("ODD", None),
    ] {
        for key in ["state", "status", "statusCode", "Status", "jobState", "eventStatus"] {
            cases.push((details(json!({ key: word })), outcome));
        }
        let hint = Some(outcome.unwrap_or(Success));
        cases.push((details(json!({"createAccountStatus":{"accountState":word}})), hint));
        cases.push((details(json!({"createAccountStatus":{"state":word}})), outcome));
    }
    cases.push((details(json!({"tags":{"state":"FAILED"}})), Some(Success)));
    cases.push((details(json!({"failureReason":"x"})), Some(Failure)));
    let cases: Vec<_> = cases.iter().map(|(changes, is)| (changes.as_slice(), *is)).collect();
    check("cloudtrail", &cases);
}

#[test]
fn a_sign_in_without_an_answer_is_not_understood_whatever_its_name() {
    use Outcome::{Failure, Success};
    let sign_in = |name: &str, answer: Value| {
        [
            ("/eventType", json!("AwsConsoleSignIn")),
            ("/eventName", json!(name)),
            ("/eventSource", json!("ds.amazonaws.com")),
            ("/responseElements", answer),
        ]
    };
    for name in ["ConsoleLogin", "GetSigninToken", "PasswordRecoveryRequested", "Another"] {
        check(
            "cloudtrail",
            &[
                (&sign_in(name, Value::Null), None),
                (&sign_in(name, json!({})), None),
                (&sign_in(name, json!({ name: "Success" })), Some(Success)),
                (&sign_in(name, json!({ name: "Failure" })), Some(Failure)),
                (&sign_in(name, json!({"status": "Failure"})), Some(Failure)),
                (&sign_in(name, json!(format!("{{\"{name}\":\"Failure\"}}"))), Some(Failure)),
            ],
        );
    }
}

#[test]
fn a_perimeter_that_is_only_tried_denies_nothing_and_says_so() {
    use Outcome::{Denied, Success};
    const PERIMETER: &str = "type.googleapis.com/google.cloud.audit.VpcServiceControlAuditMetadata";
    const POLICY: &str = "type.googleapis.com/google.cloud.audit.OrgPolicyDryRunAuditMetadata";
    for (kind, rest, granted, outcome) in [
        (PERIMETER, json!({"dryRun":true}), true, Success),
        (PERIMETER, json!({"dryRun":"true"}), true, Success),
        (PERIMETER, json!({"dryRun":false}), true, Denied),
        (PERIMETER, json!({"dryRun":true}), false, Denied),
        (PERIMETER, json!({}), true, Denied),
        (POLICY, json!({"liveResult":"ALLOWED","dryRunResult":"DENIED"}), true, Success),
        (POLICY, json!({"liveResult":"DENIED"}), true, Denied),
        ("type.googleapis.com/another", json!({"dryRun":true}), true, Denied),
    ] {
        let mut metadata = rest.clone();
        metadata["@type"] = json!(kind);
        let line = with(
            "gcp",
            &[
                ("/protoPayload/status", json!({"code":7})),
                ("/protoPayload/authorizationInfo", json!([{"granted":granted}])),
                ("/protoPayload/metadata", metadata),
                ("/severity", json!("ERROR")),
            ],
        );
        let event = &map_all(std::slice::from_ref(&line), "gcp")[0];
        assert_eq!(event.outcome, outcome, "{line}");
        assert_eq!(event.tags.contains_key("permissive"), outcome == Success || !granted, "{line}");
    }
    let found = events(&input("32-gcp-outcomes.jsonl"), "gcp");
    assert_eq!(found[2].tags["permissive"], "1");
}

#[test]
fn the_answer_of_a_cluster_is_in_the_words_of_its_user() {
    use Outcome::{Denied, Failure, Success};
    let of = |kind: &str, response: Value| {
        let mut response = response;
        response["@type"] = json!(kind);
        [("/protoPayload/serviceName", json!("k8s.io")), ("/protoPayload/response", response)]
    };
    check(
        "gcp",
        &[
            (&of("shop.example.com/v1.Order", json!({"error":{"code":403}})), Some(Success)),
            (&of("shop.example.com/v1.Order", json!({"status":{"code":500}})), Some(Success)),
            (&of("core.k8s.io/v1.Status", json!({"code":403})), Some(Denied)),
            (&of("type.googleapis.com/core.k8s.io/v1.Status", json!({"code":404})), Some(Failure)),
            (&of("evilcore.k8s.io/v1.Status", json!({"code":403})), Some(Success)),
        ],
    );
}

#[test]
fn who_used_a_service_account_is_named() {
    let found = events(&input("32-gcp-outcomes.jsonl"), "gcp");
    assert_eq!(found[1].actor.id, "sa@p.iam.gserviceaccount.com");
    assert_eq!(found[1].tags["delegated_by"], "mallory@example.com");
    let info = json!([{"principalSubject":"principal://x/a"},{"principalSubject":"b"}]);
    let line =
        with("gcp", &[("/protoPayload/authenticationInfo/serviceAccountDelegationInfo", info)]);
    assert_eq!(map_all(&[line], "gcp")[0].tags["delegated_by"], "principal://x/a");
}

#[test]
fn jobs_of_bigquery_fail_in_several_places() {
    use Outcome::{Denied, Failure, Success};
    let status = |inner: Value| json!({"job":{"jobStatus":inner}});
    for name in ["jobChange", "jobInsertion"] {
        let metadata = |inner: Value| [("/protoPayload/metadata", json!({ name: status(inner) }))];
        check(
            "gcp",
            &[
                (&metadata(json!({"errorResult":{"code":7}})), Some(Denied)),
                (&metadata(json!({"errorResult":{"code":3}})), Some(Failure)),
                (&metadata(json!({"errorResult":{}})), Some(Success)),
                (&metadata(json!({"errorResult":null})), Some(Success)),
            ],
        );
    }
}

#[test]
fn parameters_of_workspace_speak_of_failure_by_their_names() {
    use Outcome::{Denied, Failure, Partial, Success};
    let parameters = |list: Value| [("/events/0/parameters", list)];
    let one = |name: &str, value: &str| parameters(json!([{"name":name,"value":value}]));
    let bulk = |failed: &str, total: &str| {
        parameters(json!([
            {"name":"BULK_UPLOAD_FAIL_USERS_NUMBER","value":failed},
            {"name":"BULK_UPLOAD_TOTAL_USERS_NUMBER","value":total}]))
    };
    check(
        "gworkspace",
        &[
            (&one("EVENT_RESULT", "EVENT_RESULT_BLOCKED"), Some(Denied)),
            (&one("EVENT_RESULT", "BLOCKED"), Some(Denied)),
            (&one("EVENT_RESULT", "WARNED"), Some(Partial)),
            (&one("EVENT_RESULT", "ALLOWED"), Some(Success)),
            (&one("EVENT_RESULT", "ODD"), None),
            (&bulk("5", "5"), Some(Failure)),
            (&bulk("1", "5"), Some(Partial)),
            (&bulk("0", "5"), Some(Success)),
            (&one("LOGIN_FAILURE_REASON", "x"), Some(Failure)),
            (&one("ACTION_EXECUTION_STATUS", "ACTION_REJECTED_BY_USER"), Some(Denied)),
            (&one("ACTION_EXECUTION_STATUS", "FAILED"), Some(Failure)),
            (&one("ACTION_EXECUTION_STATUS", "CANCELLED"), Some(Partial)),
            (&one("ACTION_EXECUTION_STATUS", "EXECUTED"), Some(Success)),
            (&one("ACTION_EXECUTION_STATUS", "UNKNOWN"), None),
            (&one("SCAN_RESULT", "FAILED"), Some(Failure)),
            (
                &parameters(json!([{"name":"login_challenge_status","multiValue":["passed"]}])),
                Some(Success),
            ),
            (
                &parameters(
                    json!([{"name":"login_challenge_status","multiValue":["passed","failed"]}]),
                ),
                Some(Failure),
            ),
            (&parameters(json!({"EVENT_RESULT":"BLOCKED"})), Some(Denied)),
        ],
    );
    let challenge = |said: &str| {
        let event = json!([{"eventName":"login_challenge",
            "parameter":[{"name":"login_challenge_status","value":said}]}]);
        [("/protoPayload/metadata", json!({ "event": event }))]
    };
    check(
        "gcp",
        &[
            (&challenge("Challenge Failed"), Some(Failure)),
            (&challenge("Challenge Passed"), Some(Success)),
            (&challenge("odd"), None),
        ],
    );
}

#[test]
fn github_says_it_in_data_too() {
    use Outcome::{Denied, Failure, Success};
    for (key, value, outcome) in [
        ("outcome", json!("failure"), Some(Failure)),
        ("outcome", json!("odd"), None),
        ("error", json!("x"), Some(Failure)),
        ("error", json!({"message":"x"}), Some(Failure)),
        ("status", json!(403), Some(Denied)),
        ("status", json!("403"), Some(Denied)),
        ("status", json!("denied "), Some(Denied)),
        ("status", json!("active"), Some(Success)),
        ("status", json!(7), None),
        ("success", json!("no"), Some(Failure)),
        ("result", json!("blocked"), Some(Denied)),
        ("http_status", json!(403), Some(Denied)),
        ("delivery_status", json!("FAILED"), Some(Failure)),
        ("failure", json!("timeout"), Some(Failure)),
        ("failure", json!(false), Some(Success)),
    ] {
        let place = format!("/{key}");
        check("github", &[(&[(place.as_str(), value.clone())], outcome)]);
        check("github", &[(&[("/data", json!({ key: value }))], outcome)]);
    }
    let line = with("github", &[("/data", json!({"error":"no such key"}))]);
    assert_eq!(map_all(&[line], "github")[0].reason.as_deref(), Some("no such key"));
}
