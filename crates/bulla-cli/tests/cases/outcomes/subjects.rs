//! No byte that a subject chooses changes what happened, or who did it.

use super::*;
use crate::running::random;

/// Texts that a subject might choose: words of every table, pieces of JSON, control characters.
fn chosen_by_a_subject(seed: &mut u64) -> String {
    const PIECES: [&str; 24] = [
        "Failure",
        "success",
        "denied",
        "AccessDenied",
        "403",
        "0",
        "false",
        "login_failure",
        "failed",
        "user.failed_login",
        "blocked",
        "PERMISSION_DENIED",
        "forbid",
        "Panic",
        "unknown",
        "\",\"errorCode\":\"AccessDenied",
        "'",
        "\"",
        "\u{1b}[2J",
        "\n",
        "/",
        " ",
        "é",
        "\u{202e}",
    ];
    let count = 1 + random(seed) % 4;
    let piece = |_| PIECES[usize::try_from(random(seed) % 24).unwrap()];
    (0..count).map(piece).collect()
}

/// The places of an event that a subject fills, for an event that succeeded and one that did
/// not. The account is not among them: it is the actor.
const CHOSEN: [(&str, &[&str]); 6] = [
    (
        "cloudtrail",
        &[
            "/userAgent",
            "/requestParameters/bucketName",
            "/requestParameters/key",
            "/requestParameters/userName",
            "/responseElements/user/userName",
            "/additionalEventData/LoginTo",
            "/additionalEventData/UserName",
            "/resources/0/ARN",
        ],
    ),
    (
        "k8s",
        &[
            "/userAgent",
            "/objectRef/name",
            "/objectRef/namespace",
            "/requestURI",
            "/requestObject/metadata/name",
            "/responseObject/status",
            "/responseStatus/message",
        ],
    ),
    (
        "github",
        &["/user_agent", "/repo", "/user", "/url_path", "/query_string", "/request_body", "/name"],
    ),
    (
        "okta",
        &[
            "/client/userAgent/rawUserAgent",
            "/actor/displayName",
            "/target/0/displayName",
            "/target/0/id",
            "/debugContext/debugData/requestUri",
        ],
    ),
    (
        "gcp",
        &[
            "/protoPayload/resourceName",
            "/protoPayload/requestMetadata/callerSuppliedUserAgent",
            "/protoPayload/request/name",
            "/protoPayload/response/name",
            "/protoPayload/response/status",
        ],
    ),
    (
        "gworkspace",
        &[
            "/events/0/parameters/0/value",
            "/events/0/parameters/1/value",
            "/events/0/parameters/2/value",
        ],
    ),
];

/// The objects in which those places are.
fn roomy(name: &str, failed: bool) -> Value {
    let changes: &[(&str, Value)] = &match name {
        "cloudtrail" => vec![
            ("/requestParameters", json!({})),
            ("/responseElements", json!({"user":{}})),
            ("/additionalEventData", json!({})),
            ("/resources", json!([{}])),
            ("/errorCode", if failed { json!("NoSuchKey") } else { Value::Null }),
        ],
        "k8s" => vec![
            ("/requestObject", json!({"metadata":{}})),
            ("/responseObject", json!({})),
            ("/responseStatus", json!({"code": if failed { 409 } else { 200 }})),
        ],
        "github" => vec![("/status_code", json!(if failed { 422 } else { 200 }))],
        "okta" => vec![
            ("/client", json!({"userAgent":{}})),
            ("/target", json!([{}])),
            ("/debugContext", json!({"debugData":{}})),
            ("/outcome/result", json!(if failed { "FAILURE" } else { "SUCCESS" })),
        ],
        "gcp" => vec![
            ("/protoPayload/requestMetadata", json!({})),
            ("/protoPayload/request", json!({})),
            ("/protoPayload/response", json!({"@type":"type.googleapis.com/x.Bucket"})),
            ("/protoPayload/status", json!({"code": if failed { 5 } else { 0 }})),
        ],
        _ => vec![
            ("/events/0/name", json!(if failed { "login_failure" } else { "edit" })),
            (
                "/events/0/parameters",
                json!([{"name":"doc_title"},{"name":"user_agent"},{"name":"USER_EMAIL"}]),
            ),
        ],
    };
    with(name, changes)
}

#[test]
fn no_byte_that_a_subject_chooses_changes_outcome_actor_or_action() {
    let mut seed = 12;
    for (name, places) in CHOSEN {
        for failed in [false, true] {
            let plain = &map_all(&[roomy(name, failed)], name)[0];
            let expected = if failed { Outcome::Failure } else { Outcome::Success };
            assert_eq!(plain.outcome, expected, "{name}");
            let mut lines = Vec::new();
            for _ in 0..300 {
                let mut line = roomy(name, failed);
                for place in places {
                    let (parent, key) = place.rsplit_once('/').unwrap();
                    let parent = line.pointer_mut(parent).unwrap_or_else(|| panic!("{place}"));
                    parent[key] = Value::String(chosen_by_a_subject(&mut seed));
                }
                lines.push(line);
            }
            for (event, line) in map_all(&lines, name).iter().zip(&lines) {
                assert_eq!(event.outcome, plain.outcome, "{line}");
                assert_eq!(event.actor, plain.actor, "{line}");
                assert_eq!(event.action, plain.action, "{line}");
                assert_eq!(event.tags.get(NOT_UNDERSTOOD), None, "{line}");
            }
        }
    }
}

#[test]
fn an_account_name_changes_only_the_actor() {
    let mut seed = 7;
    for (name, place) in [
        ("cloudtrail", "/userIdentity/arn"),
        ("k8s", "/user/username"),
        ("github", "/actor"),
        ("okta", "/actor/id"),
        ("gcp", "/protoPayload/authenticationInfo/principalEmail"),
        ("gworkspace", "/actor/email"),
    ] {
        for failed in [false, true] {
            let plain = &map_all(&[roomy(name, failed)], name)[0];
            let lines: Vec<Value> = (0..100)
                .map(|_| {
                    let mut line = roomy(name, failed);
                    let account = format!("a{}", chosen_by_a_subject(&mut seed));
                    *line.pointer_mut(place).unwrap() = Value::String(account);
                    line
                })
                .collect();
            for (event, line) in map_all(&lines, name).iter().zip(&lines) {
                assert_eq!(event.outcome, plain.outcome, "{line}");
                assert_eq!(event.action, plain.action, "{line}");
                assert_eq!(event.actor.kind, plain.actor.kind, "{line}");
                assert!(event.actor.id.starts_with('a'), "{line}");
            }
        }
    }
}
