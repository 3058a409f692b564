//! Where Google Cloud and Google Workspace say how an event ended.

use bulla::event::Outcome;
use serde_json::Value;

use super::reading::{Reading, at, integer, plain, words_of};
use super::{Evidence, tables};

/// A status without a code is one of code 0, which JSON leaves out, unless its message is not
/// that of a success.
pub(super) fn cloud(root: &Value, evidence: &mut Evidence) {
    evidence.read(root, tables::GCP);
    if is_dry_run(root) {
        // The status says what the rule would have done; the request went on.
        evidence.permits();
    } else {
        status(root, evidence);
    }
    if is_kubernetes(root) {
        // The answer is an object in the words of its owner, unless it is a status.
        for response in at(root, "/protoPayload/response") {
            if type_of(response) == "core.k8s.io/v1.Status" {
                evidence.read(response, tables::K8S_STATUS);
            }
        }
    } else {
        evidence.read(root, tables::GCP_RESPONSE);
    }
    for event in at(root, "/protoPayload/metadata/event/*") {
        workspace_event(event, evidence);
    }
}

fn status(root: &Value, evidence: &mut Evidence) {
    evidence.read(root, tables::GCP_STATUS);
    for status in at(root, "/protoPayload/status") {
        if !status.is_object() {
            Reading::Rpc.read(status, evidence);
        } else if at(status, "/code").is_empty() {
            evidence.read(status, tables::GCP_STATUS_WITHOUT_CODE);
        }
    }
}

/// The type of a message, without the host that some put in front.
fn type_of(message: &Value) -> &str {
    let name = message.get("@type").and_then(Value::as_str).unwrap_or_default();
    name.strip_prefix("type.googleapis.com/").unwrap_or(name)
}

/// Did a perimeter or an organization policy only note what it would have denied?
fn is_dry_run(root: &Value) -> bool {
    let is = |metadata: &Value, path: &str, word: &str| {
        at(metadata, path).into_iter().any(|value| plain(value).trim().eq_ignore_ascii_case(word))
    };
    at(root, "/protoPayload/metadata").into_iter().any(|metadata| match type_of(metadata) {
        "google.cloud.audit.VpcServiceControlAuditMetadata" => is(metadata, "/dryRun", "true"),
        "google.cloud.audit.OrgPolicyDryRunAuditMetadata" => is(metadata, "/liveResult", "ALLOWED"),
        _ => false,
    })
}

fn is_kubernetes(root: &Value) -> bool {
    let is = |path: &str, word: &str| at(root, path).into_iter().any(|value| plain(value) == word);
    is("/protoPayload/serviceName", "k8s.io")
        || is("/resource/type", "k8s_cluster")
        || at(root, "/protoPayload/response").into_iter().any(|it| type_of(it).contains(".k8s.io/"))
}

/// An activity as Google sends it (`events`), or one event of it as collectors split it.
pub(super) fn workspace(root: &Value, evidence: &mut Evidence) {
    workspace_event(root, evidence);
    for event in at(root, "/events/*") {
        workspace_event(event, evidence);
    }
}

fn workspace_event(event: &Value, evidence: &mut Evidence) {
    evidence.read(event, tables::GWORKSPACE);
    let parameters = parameters(event);
    let total = parameters
        .iter()
        .filter(|(name, _)| words_of(name).iter().any(|word| word == "total"))
        .find_map(|(_, value)| integer(value));
    for (name, value) in parameters {
        parameter(name, value, total, evidence);
    }
}

/// The parameters of an event: objects with a name and a value, or members, whose values may be
/// several.
fn parameters(event: &Value) -> Vec<(&str, &Value)> {
    const VALUES: [&str; 5] = ["value", "boolValue", "intValue", "multiValue", "messageValue"];
    let mut found = Vec::new();
    let holders = at(event, "/parameters").into_iter().chain(at(event, "/parameter"));
    for holder in holders {
        match holder {
            Value::Array(items) => {
                for item in items {
                    let Some(name) = item.get("name").and_then(Value::as_str) else { continue };
                    found.extend(VALUES.iter().filter_map(|key| Some((name, item.get(key)?))));
                }
            }
            Value::Object(members) => {
                found.extend(members.iter().map(|(name, value)| (name.as_str(), value)));
            }
            _ => {}
        }
    }
    let mut single = Vec::with_capacity(found.len());
    for (name, value) in found {
        match value {
            Value::Array(items) => single.extend(items.iter().map(|item| (name, item))),
            value => single.push((name, value)),
        }
    }
    single.retain(|(_, value)| !value.is_null() && !plain(value).trim().is_empty());
    single
}

fn parameter(name: &str, value: &Value, total: Option<i64>, evidence: &mut Evidence) {
    let known = |(known, _): &&(&str, Reading)| known.eq_ignore_ascii_case(name);
    if let Some((_, reading)) = tables::GWORKSPACE_PARAMETERS.iter().find(known) {
        reading.read(value, evidence);
        return;
    }
    if name.eq_ignore_ascii_case("event_info") {
        evidence.read(value, tables::GWORKSPACE_EVENT_INFO);
        return;
    }
    let words = words_of(name);
    if words.iter().any(|word| matches!(word.as_str(), "fail" | "failed" | "failure" | "failures"))
    {
        match integer(value) {
            Some(0) => {}
            Some(failed) if total.is_some_and(|total| total > failed) => {
                evidence.says(Outcome::Partial);
            }
            _ => Reading::Error.read(value, evidence),
        }
    } else if matches!(words.last().map(String::as_str), Some("result" | "outcome")) {
        Reading::StateHint.read(value, evidence);
    }
}
