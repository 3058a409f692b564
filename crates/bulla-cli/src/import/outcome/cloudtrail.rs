//! Where CloudTrail says how an event ended. `errorCode` is but one of these places: what AWS did by
//! itself, sign-ins and calls for several things at once have their own.

use bulla::event::Outcome;
use serde_json::{Map, Value};

use super::super::document::Document;
use super::reading::{Reading, at, plain, words_of};
use super::{Decision, Evidence, tables};

/// What a CloudTrail record says. Its name tells under which member a sign-in has its answer.
pub(crate) fn cloudtrail(doc: &Document<'_>, service: &str, name: &str) -> Decision {
    let mut evidence = Evidence::default();
    let Some(root) = doc.value("") else { return evidence.decide() };
    evidence.read(root, tables::CLOUDTRAIL);
    answers_by_name(root, name, &mut evidence);
    for answer in at(root, "/responseElements") {
        several(answer, &mut evidence);
    }
    for details in at(root, "/serviceEventDetails") {
        several(details, &mut evidence);
        states(details, &mut evidence);
    }
    let kind = doc.text("/eventType").unwrap_or_default();
    if !kind.is_empty() && kind != "AwsApiCall" {
        Reading::Name.read(&Value::from(name), &mut evidence);
    }
    let console = kind.trim().eq_ignore_ascii_case("AwsConsoleSignIn");
    if console {
        evidence.read(root, tables::CONSOLE_SIGN_IN);
    }
    let signs_in = ["signin.amazonaws.com", "sso.amazonaws.com"].contains(&service);
    if console || (signs_in && tables::is_sign_in(name)) {
        evidence.expects(&format!("answer {name}"));
    }
    evidence.decide()
}

fn answers_by_name(root: &Value, name: &str, evidence: &mut Evidence) {
    for holder in tables::CLOUDTRAIL_ANSWERS {
        for members in at(root, holder).into_iter().filter_map(Value::as_object) {
            for (key, value) in members {
                let own = key.eq_ignore_ascii_case(name);
                let sign_in = tables::is_sign_in(key);
                // The object under the name of a call is its answer, not its outcome.
                if sign_in || (own && !value.is_object() && !value.is_array()) {
                    Reading::Words(tables::ANSWERS).read(value, evidence);
                }
            }
        }
    }
}

/// What the answer to a call for several things says: `failures`, `failedEntryCount`,
/// `unprocessedItems`, or an error in an element of a list. EC2 puts one more object around it.
fn several(answer: &Value, evidence: &mut Evidence) {
    let Some(members) = answer.as_object() else { return };
    several_of(members, evidence);
    for (key, inner) in members {
        let last = words_of(key).pop().unwrap_or_default();
        if let (true, Some(inner)) =
            (matches!(last.as_str(), "response" | "result"), inner.as_object())
        {
            several_of(inner, evidence);
        }
    }
}

fn several_of(members: &Map<String, Value>, evidence: &mut Evidence) {
    let (mut failed, mut done) = (false, false);
    for (key, value) in members {
        if speaks_of_failure(key) {
            failed |= says_something(value);
        } else if let Value::Array(items) = value {
            let bad = items.iter().filter(|item| has_error(item)).count();
            failed |= bad > 0;
            done |= items.len() > bad;
        }
    }
    if failed {
        evidence.says(if done { Outcome::Partial } else { Outcome::Failure });
    }
}

fn has_error(item: &Value) -> bool {
    let members = item.as_object().into_iter().flatten();
    members.into_iter().any(|(key, value)| speaks_of_failure(key) && says_something(value))
}

/// Is this the name of what failed? Names of settings (`failureThreshold`, `onFailure`) are not.
fn speaks_of_failure(name: &str) -> bool {
    const FAILED: [&str; 9] = [
        "failed",
        "failure",
        "failures",
        "fail",
        "unprocessed",
        "unsuccessful",
        "error",
        "errors",
        "errored",
    ];
    const SETTINGS: [&str; 34] = [
        "action",
        "actions",
        "alarm",
        "arn",
        "behavior",
        "budget",
        "config",
        "configuration",
        "configurations",
        "destination",
        "document",
        "enabled",
        "feedback",
        "handling",
        "log",
        "logging",
        "logs",
        "max",
        "mode",
        "notification",
        "notifications",
        "on",
        "page",
        "pages",
        "percent",
        "percentage",
        "policy",
        "queue",
        "rate",
        "report",
        "responses",
        "retry",
        "threshold",
        "tolerance",
    ];
    // Most names have none of these in them, and are not taken apart.
    let may_have = |part: &str| {
        name.as_bytes().windows(part.len()).any(|here| here.eq_ignore_ascii_case(part.as_bytes()))
    };
    if !["fail", "error", "unprocessed", "unsuccessful"].into_iter().any(may_have) {
        return false;
    }
    let words = words_of(name);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    has(&FAILED) && !has(&SETTINGS)
}

/// Is it more than nothing, none or zero?
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => {
            let text = text.trim().to_ascii_lowercase();
            !matches!(text.as_str(), "" | "0" | "none" | "null" | "false" | "no" | "-")
        }
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => members.values().any(says_something),
    }
}

/// The states in the details of what AWS did by itself, also inside of `…Status` and the like.
fn states(details: &Value, evidence: &mut Evidence) {
    let Some(members) = details.as_object() else { return };
    for (key, value) in members {
        state(key, value, evidence);
        if let (true, Some(inner)) = (names_a_state(key), value.as_object()) {
            inner.iter().for_each(|(key, value)| state(key, value, evidence));
        }
    }
}

fn names_a_state(key: &str) -> bool {
    let last = words_of(key).pop().unwrap_or_default();
    matches!(last.as_str(), "state" | "status" | "result" | "outcome" | "response")
}

fn state(key: &str, value: &Value, evidence: &mut Evidence) {
    const OF_THE_EVENT: [&str; 9] = [
        "state",
        "status",
        "statuscode",
        "jobstate",
        "jobstatus",
        "eventstatus",
        "executionstatus",
        "result",
        "outcome",
    ];
    let is_of_event = OF_THE_EVENT.contains(&key.to_ascii_lowercase().as_str());
    if value.is_object() || value.is_array() {
        return;
    }
    if is_of_event {
        Reading::State.read(value, evidence);
    } else if names_a_state(key) && !plain(value).trim().is_empty() {
        Reading::StateHint.read(value, evidence);
    }
}
