//! What an event names besides its first resource is found: further resources, each event of an
//! activity, in whose name it was done, the trace.

use std::fs;

use bulla_cli::import::SHORTENED;
use serde_json::{Value, json};

use super::running::{at, fine, jsonl};

/// A log with the events of a file of this directory's inputs.
struct Imported {
    dir: tempfile::TempDir,
}

impl Imported {
    fn of(name: &str, format: &[&str]) -> Self {
        let inputs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/inputs");
        Imported::of_file(&at(&inputs, name), format)
    }

    fn of_lines(lines: &[Value], format: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = at(dir.path(), "trail");
        let text: Vec<String> = lines.iter().map(Value::to_string).collect();
        fs::write(&file, text.join("\n")).unwrap();
        Imported::of_file(&file, format)
    }

    fn of_file(file: &str, format: &[&str]) -> Self {
        let imported = Imported { dir: tempfile::tempdir().unwrap() };
        let log = imported.log();
        let told = fine(&[&["import", &log, file, "--create"], format].concat());
        assert!(told.contains(" 0 rejected"), "{told}");
        imported
    }

    fn log(&self) -> String {
        at(self.dir.path(), "log")
    }

    /// The events that a query finds, the oldest first.
    fn query(&self, terms: &[&str]) -> Vec<Value> {
        let log = self.log();
        let arguments = [&["query", &log, "--output", "jsonl"], terms].concat();
        let mut found = jsonl(&fine(&arguments));
        found.reverse();
        found
    }

    /// The request of each event that is found by a resource.
    fn requests(&self, resource: &str) -> Vec<String> {
        let found = self.query(&["--resource", resource]);
        found.iter().map(|event| event["request_id"].as_str().unwrap().to_owned()).collect()
    }
}

const OKTA: &[&str] = &["--format", "json", "--map", "okta"];
const GCP: &[&str] = &["--format", "json", "--map", "gcp"];
const GITHUB: &[&str] = &["--format", "json", "--map", "github"];
const GWORKSPACE: &[&str] = &["--format", "json", "--map", "gworkspace"];
const CLOUDTRAIL: &[&str] = &["--format", "cloudtrail"];

#[test]
fn each_instance_and_each_resource_of_cloudtrail_is_found() {
    let log = Imported::of("29-cloudtrail-only-the-first.jsonl", CLOUDTRAIL);
    for (resource, request) in [
        ("AWS::EC2::Instance/i-0decoy", "c29a0001"),
        ("AWS::EC2::Instance/i-0victim", "c29a0001"),
        ("AWS::EC2::Instance/i-0third", "c29a0001"),
        ("AWS::KMS::Key/arn:aws:kms:eu-west-1:111122223333:key/old", "c29a0002"),
        ("AWS::KMS::Key/arn:aws:kms:eu-west-1:111122223333:key/new", "c29a0002"),
        ("AWS::EC2::Image/ami-0a", "c29a0003"),
        ("AWS::EC2::Instance/i-0made1", "c29a0003"),
        ("AWS::EC2::Instance/i-0made2", "c29a0003"),
    ] {
        assert_eq!(log.requests(resource), [request], "{resource}");
    }
    // The main resource stays the first.
    let found = log.query(&["--request", "c29a0001"]);
    assert_eq!(found[0]["resource"]["id"], "i-0decoy");
    assert_eq!(found[0]["targets"].as_array().unwrap().len(), 2);
    let by_role = log.query(&["--on-behalf-of", "role:arn:aws:iam::111122223333:role/backup"]);
    assert_eq!(by_role.len(), 1);
    assert_eq!(by_role[0]["actor"]["id"], "arn:aws:sts::111122223333:assumed-role/backup/nightly");
}

#[test]
fn each_target_of_okta_is_found() {
    let log = Imported::of("29-okta-only-the-first.jsonl", OKTA);
    for resource in ["User/00u2bobEXAMPLE", "UserGroup/00g3admEXAMPLE"] {
        assert_eq!(log.query(&["--resource", resource]).len(), 1, "{resource}");
    }
    assert_eq!(log.query(&["--trace", "4bf92f3577b34da6a3ce929d0e0e4736"]).len(), 1);
}

#[test]
fn each_event_of_a_workspace_activity_is_one_of_its_own() {
    let log = Imported::of("29-gworkspace-only-the-first.jsonl", GWORKSPACE);
    for (action, outcome) in
        [("login.login_challenge", "success"), ("login.login_failure", "failure")]
    {
        let found = log.query(&["--action", action]);
        assert_eq!(found.len(), 1, "{action}");
        assert_eq!(found[0]["outcome"], outcome, "what one event says is not said of the other");
        assert_eq!(found[0]["details"]["events"].as_array().unwrap().len(), 1);
        assert_eq!(found[0]["details"]["actor"]["email"], "ann@example.com");
    }
    assert_eq!(log.query(&["--resource", "login/login"]).len(), 0);
    assert_eq!(log.query(&["--resource", "user/bob@example.com"]).len(), 2);
    assert_eq!(log.query(&["--resource", "user/eve@example.com"]).len(), 1);
    let both = log.query(&["--resource", "group/admins@example.com"]);
    let which: Vec<&Value> = both.iter().map(|event| &event["tags"]["element"]).collect();
    assert_eq!(which, ["1 of 2", "2 of 2"]);
    assert_ne!(both[0]["id"], both[1]["id"]);
}

#[test]
fn what_gcp_checked_and_who_delegated_is_found() {
    let log = Imported::of("29-gcp-only-the-first.jsonl", GCP);
    for terms in [
        ["--resource", "gce_instance/projects/example-shop/zones/z/instances/web"],
        ["--resource", "compute.disks/projects/example-shop/zones/z/disks/secret"],
        ["--on-behalf-of", "user:ann@example.com"],
        ["--actor", "service_account:ci@example-shop.iam.gserviceaccount.com"],
        ["--trace", "4bf92f3577b34da6a3ce929d0e0e4736"],
    ] {
        let found = log.query(&terms);
        assert_eq!(found.len(), 1, "{terms:?}");
        assert_eq!(found[0]["span_id"], "00f067aa0ba902b7");
        assert_eq!(found[0]["targets"].as_array().unwrap().len(), 1, "the main one is no other");
    }
}

#[test]
fn who_was_added_to_a_team_of_github_is_found_and_for_whom_an_agent_acts() {
    let log = Imported::of("29-github-only-the-first.jsonl", GITHUB);
    for resource in ["team/example-shop/admins", "user/eve"] {
        assert_eq!(log.query(&["--resource", resource]).len(), 1, "{resource}");
    }
    let found = log.query(&["--on-behalf-of", "user:ann"]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["actor"], json!({"type": "agent", "id": "Copilot"}));
    assert_eq!(found[0]["session_id"], "012345a6-b7c8");
    assert_eq!(found[0].get("targets"), None, "ann is in whose name it was done, not a target");
}

#[test]
fn who_is_impersonated_in_kubernetes_is_found() {
    let log = Imported::of("29-k8s-impersonation.jsonl", &["--format", "k8s"]);
    let behalf = "service_account:system:serviceaccount:shop:web";
    for terms in [["--on-behalf-of", behalf], ["--actor", "user:ann@example.com"]] {
        assert_eq!(log.query(&terms).len(), 1, "{terms:?}");
    }
    assert_eq!(log.query(&["--actor", behalf]).len(), 0);
}

#[test]
fn each_file_of_a_system_call_is_found() {
    let log = Imported::of("29-auditd-only-the-first.log", &["--format", "auditd"]);
    for (file, role) in
        [("/tmp/x", None), ("/srv/passwd", Some("create")), ("/srv/", Some("parent"))]
    {
        let found = log.query(&["--resource", &format!("file/{file}")]);
        assert_eq!(found.len(), 1, "{file}");
        let targets = found[0]["targets"].as_array().unwrap();
        let its_role = targets.iter().find(|target| target["id"] == file);
        assert_eq!(its_role.and_then(|target| target["role"].as_str()), role, "{file}");
    }
}

#[test]
fn importing_again_adds_no_event_of_a_workspace_activity() {
    let log = Imported::of("29-gworkspace-only-the-first.jsonl", GWORKSPACE);
    let inputs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/inputs");
    let file = at(&inputs, "29-gworkspace-only-the-first.jsonl");
    let told = fine(&[&["import", &*log.log(), &file], GWORKSPACE].concat());
    assert!(told.contains("4 lines read, 4 in the log already, 0 imported"), "{told}");
    assert_eq!(log.query(&["--resource", "group/admins@example.com"]).len(), 2);
}

/// A log keeps what an earlier version mapped: of a file that is imported again the events that are
/// mapped otherwise now come in besides, under ids of their own, and the others do not.
#[test]
fn what_was_imported_with_fewer_fields_comes_in_again_and_says_so() {
    let inputs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/inputs");
    let file = at(&inputs, "29-github-only-the-first.jsonl");
    let whole = Imported::of_file(&file, GITHUB);
    let mut before = whole.query(&[]);
    assert!(before[0].as_object_mut().unwrap().remove("targets").is_some());
    let earlier = Imported::of_lines(&before, &["--format", "jsonl"]);
    let told = fine(&[&["import", &*earlier.log(), &file], GITHUB].concat());
    assert!(told.contains("1 in the log already, 1 imported"), "{told}");
    assert!(told.contains("1 event with an id that another event has"), "{told}");
    let found = earlier.query(&["--resource", "user/eve"]);
    assert_eq!((found.len(), &found[0]["tags"]["shared_id"]), (1, &before[0]["id"]));
}

fn instances(ids: impl Iterator<Item = String>) -> Value {
    let items: Vec<Value> = ids.map(|id| json!({ "instanceId": id })).collect();
    json!({"eventTime": "2026-01-02T03:04:05Z", "eventSource": "ec2.amazonaws.com",
        "eventName": "StopInstances", "requestID": "r", "requestParameters":
        {"instancesSet": {"items": items}}})
}

#[test]
fn what_is_beyond_the_limits_is_said_to_be() {
    let several = |count: usize| instances((0..count).map(|n| format!("i-{n}")));
    let log = Imported::of_lines(&[several(65), several(66)], CLOUDTRAIL);
    let found = log.query(&["--request", "r"]);
    assert_eq!(found[0]["targets"].as_array().unwrap().len(), 64, "the main one and 64 others");
    assert_eq!(found[0]["tags"].get(SHORTENED), None);
    assert_eq!(found[1]["targets"].as_array().unwrap().len(), 64);
    assert_eq!(found[1]["tags"][SHORTENED], "targets");
    assert_eq!(
        found[1]["details"]["requestParameters"]["instancesSet"]["items"][65]["instanceId"],
        "i-65"
    );
    assert_eq!(log.requests("AWS::EC2::Instance/i-64").len(), 2);
    assert_eq!(log.requests("AWS::EC2::Instance/i-65").len(), 0);
}

/// The audited user may choose ids: a long one must not hide another.
#[test]
fn long_ids_push_out_no_other() {
    let long = (0..32).map(|n| format!("{}{n}", "a".repeat(4000)));
    let ids = long.chain(["i-victim".to_owned()]);
    let too_long = instances(
        [format!("i{}", "b".repeat(5000)), "c".repeat(5000), "i-2".to_owned()].into_iter(),
    );
    let odd = instances(["i-1", "", "i-1\u{1b}", "i-\u{202e}"].into_iter().map(str::to_owned));
    let log = Imported::of_lines(&[instances(ids), too_long, odd], CLOUDTRAIL);
    let found = log.query(&["--request", "r"]);
    assert_eq!(found.len(), 3);
    let tags: Vec<_> = found.iter().map(|event| event["tags"][SHORTENED].as_str()).collect();
    assert_eq!(tags, [Some("targets"), Some("resource.id,targets"), None]);
    assert_eq!(found[0]["targets"].as_array().unwrap().len(), 32);
    assert_eq!(log.requests("AWS::EC2::Instance/i-victim").len(), 1);
    assert_eq!(log.requests("AWS::EC2::Instance/i-2").len(), 1);
    assert_eq!(found[2]["targets"][0]["id"], "i-1\\u{1b}");
}

#[test]
fn wrong_types_keep_no_event_out_and_make_no_target() {
    let okta = |target: Value| {
        json!({"published": "2026-01-02T03:04:05Z", "eventType": "x.y", "target": target,
            "actor": {"id": "a", "type": "User"}, "outcome": {"result": "SUCCESS"}})
    };
    let odd = [
        okta(
            json!([{"id": "a", "type": "User"}, 7, null, [], {"id": {}}, {"type": "User"}, {"id": ""}]),
        ),
        okta(json!("text")),
        okta(json!({"id": "a", "type": "User"})),
        okta(json!([["x"], {"id": 7, "type": true}])),
    ];
    let log = Imported::of_lines(&odd, OKTA);
    let found = log.query(&[]);
    let targets: Vec<_> = found.iter().map(|event| event.get("targets").cloned()).collect();
    let numbers = json!([{"type": "true", "id": "7"}]);
    assert_eq!(targets, [None, None, None, Some(numbers)]);
}
