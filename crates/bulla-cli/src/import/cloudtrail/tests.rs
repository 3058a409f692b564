use super::super::fit::escaped;
use super::*;
use bulla::event::Outcome;

const RECORD: &str = r#"{"eventVersion":"1.09","eventTime":"2026-03-04T05:06:07Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-west-1","sourceIPAddress":"203.0.113.7","userAgent":"cli\u001b","requestID":"R1","eventID":"6f1b0f2e-1a2b-4c3d-8e4f-5a6b7c8d9e0f","recipientAccountId":"111122223333","userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/ops/ann","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::111122223333:role/ops"}}}}"#;

fn map(text: &str) -> Result<Event, String> {
    super::map(Document::parse(text)?)
}

#[test]
fn every_field_of_the_table_is_mapped() {
    let event = escaped(map(RECORD).unwrap());
    assert_eq!(event.action, "s3.GetObject");
    assert_eq!(event.actor.kind, "role");
    assert_eq!(event.actor.id, "arn:aws:sts::111122223333:assumed-role/ops/ann");
    assert_eq!(event.actor.role.as_deref(), Some("arn:aws:iam::111122223333:role/ops"));
    let time = event.occurred_at.unwrap();
    assert_eq!(time.to_string(), "2026-03-04T05:06:07.000000000Z");
    assert_eq!(event.tenant.as_deref(), Some("111122223333"));
    assert_eq!(event.ip.as_deref(), Some("203.0.113.7"));
    assert_eq!(event.user_agent.as_deref(), Some("cli\\u{1b}"));
    assert_eq!(event.request_id.as_deref(), Some("R1"));
    assert_eq!(event.id.unwrap().to_string(), "6f1b0f2e-1a2b-4c3d-8e4f-5a6b7c8d9e0f");
    assert_eq!(event.source.as_deref(), Some("s3.amazonaws.com"));
    assert_eq!(event.tags["region"], "eu-west-1");
    assert_eq!(event.details.unwrap().as_str(), RECORD);
}

#[test]
fn in_whose_name_is_told_by_the_person_or_the_issuer() {
    let behalf = |identity: &str| {
        let text =
            RECORD.replace("\"userIdentity\":{", &format!("\"userIdentity\":{identity},\"x\":{{"));
        map(&text).unwrap().on_behalf_of
    };
    assert_eq!(
        map(RECORD).unwrap().on_behalf_of,
        Some(Actor::new("role", "arn:aws:iam::111122223333:role/ops"))
    );
    for (identity, expected) in [
        (
            r#"{"type":"FederatedUser","arn":"f","sessionContext":{"sessionIssuer":{"type":"IAMUser","arn":"u"}}}"#,
            Some(Actor::new("user", "u")),
        ),
        (
            r#"{"type":"AssumedRole","arn":"s","onBehalfOf":{"userId":"p"},"sessionContext":{"sessionIssuer":{"arn":"r"}}}"#,
            Some(Actor::new("identity_center_user", "p")),
        ),
        (r#"{"type":"IdentityCenterUser","onBehalfOf":{"userId":"p"}}"#, None),
        (r#"{"type":"IAMUser","arn":"u","invokedBy":"cloudformation.amazonaws.com"}"#, None),
        (r#"{"arn":"u","sessionContext":{"sessionIssuer":{"arn":""},"x":1}}"#, None),
        (r#"{"arn":"u","sessionContext":{"sessionIssuer":[{"arn":7}]}}"#, None),
    ] {
        assert_eq!(behalf(identity), expected, "{identity}");
    }
}

#[test]
fn error_codes_tell_the_outcome() {
    for (code, outcome) in [
        ("AccessDenied", Outcome::Denied),
        ("AccessDeniedException", Outcome::Denied),
        ("Client.UnauthorizedOperation", Outcome::Denied),
        ("ForbiddenException", Outcome::Denied),
        ("NoSuchBucket", Outcome::Failure),
    ] {
        let text = RECORD.replace("\"awsRegion\"", &format!("\"errorCode\":\"{code}\",\"x\""));
        let event = map(&text).unwrap();
        assert_eq!((event.outcome, event.reason.as_deref()), (outcome, Some(code)));
    }
    assert_eq!(map(RECORD).unwrap().outcome, Outcome::Success);
}

#[test]
fn a_failed_sign_in_is_a_failure() {
    let login = |answer: &str| {
        let fields =
            format!("\"ConsoleLogin\",\"responseElements\":{{\"ConsoleLogin\":\"{answer}\"}}");
        map(&RECORD.replace("\"GetObject\"", &fields)).unwrap().outcome
    };
    assert_eq!(login("Failure"), Outcome::Failure);
    assert_eq!(login("Success"), Outcome::Success);
}

#[test]
fn what_cannot_be_mapped_is_refused_with_the_name_of_the_field() {
    for (from, to, word) in [
        ("\"eventTime\"", "\"x\"", "eventTime"),
        ("2026-03-04T05:06:07Z", "yesterday\\u0007", "eventTime"),
        (
            "\"eventSource\":\"s3.amazonaws.com\",\"eventName\":\"GetObject\"",
            "\"eventName\":{}",
            "eventName",
        ),
        ("{\"eventVersion\"", "{\"eventVersion", "JSON"),
    ] {
        let reason = map(&RECORD.replace(from, to)).unwrap_err();
        assert!(reason.contains(word), "{reason}");
        assert!(!reason.chars().any(char::is_control), "{reason}");
    }
}

#[test]
fn what_is_missing_is_unknown_and_no_reason_to_refuse() {
    let changed = |from: &str, to: &str| map(&RECORD.replace(from, to)).unwrap();
    assert_eq!(changed("\"GetObject\"", "{}").action, "s3.unknown");
    assert_eq!(changed("\"s3.amazonaws.com\"", "null").action, "unknown.GetObject");
    let found = changed("\"userIdentity\"", "\"x\"").actor;
    assert_eq!(found, Actor::new("anonymous", "unknown"));
    let found = changed("\"userIdentity\":", "\"eventType\":\"AwsServiceEvent\",\"x\":").actor;
    assert_eq!(found, Actor::new("service", "unknown"));
}
