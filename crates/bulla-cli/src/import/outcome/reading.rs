//! How one place of an event is found and read.

use bulla::event::Outcome;
use serde_json::Value;

use super::Evidence;
use super::tables::ANSWERS;

/// A place that says how an event ended.
pub(super) struct Place {
    /// A path as in [`at`].
    pub(super) path: &'static str,
    pub(super) reading: Reading,
}

/// Words and what they mean, in lower case.
pub(super) type Vocabulary = &'static [(&'static str, Outcome)];

/// What a value at a place means.
#[derive(Clone, Copy)]
pub(super) enum Reading {
    /// All words that the place can have; others are not understood.
    Words(Vocabulary),
    /// Words that say something; others say nothing.
    Hints(Vocabulary),
    /// The status of an HTTP answer.
    Http,
    /// The same only if it says that something went wrong.
    HttpError,
    /// The status of an HTTP answer, or words that say something.
    HttpOr(Vocabulary),
    /// Whether a code of `google.rpc.Code` is that of a denial.
    RpcDenial,
    /// The state of a job, in words or as the status of an HTTP answer; others are not understood.
    State,
    /// The same; others say nothing.
    StateHint,
    /// `google.rpc.Code`, by number or name.
    Rpc,
    /// An error code of AWS.
    ErrorCode,
    /// Whether a permission was granted; absent is false, which JSON leaves out.
    Granted,
    /// A value at all.
    Present(Outcome),
    /// A value that is not zero, false or a word for "none".
    Error,
    /// The name of an event, such as `user.failed_login`: its words count, not its spelling.
    Name,
    /// The same, only for names that begin so.
    NameOf(&'static str),
    /// Whether Kubernetes authorized a request: that it did says nothing about how it ended.
    K8sDecision,
    /// The reason of a Kubernetes status: only failures have one.
    K8sReason,
}

impl Reading {
    pub(super) fn read(self, value: &Value, evidence: &mut Evidence) {
        let words = plain(value);
        let words = words.trim();
        match self {
            Reading::Words(vocabulary) => render(find(vocabulary, words), words, evidence),
            Reading::Hints(vocabulary) => hint(find(vocabulary, words), evidence),
            Reading::Http => render(integer(value).and_then(http), words, evidence),
            Reading::HttpError => {
                hint(integer(value).filter(|code| *code >= 400).and_then(http), evidence);
            }
            Reading::HttpOr(vocabulary) => match integer(value) {
                Some(code) => render(http(code), words, evidence),
                None => hint(find(vocabulary, words), evidence),
            },
            Reading::RpcDenial => {
                hint(rpc(value, words).filter(|is| *is == Outcome::Denied), evidence);
            }
            Reading::State => match state(value, words) {
                Some(State::Said(outcome)) => evidence.says(outcome),
                Some(State::Known) => {}
                None => evidence.strange(words),
            },
            Reading::StateHint => {
                if let Some(State::Said(outcome)) = state(value, words) {
                    evidence.says(outcome);
                }
            }
            Reading::Rpc => render(rpc(value, words), words, evidence),
            Reading::ErrorCode => evidence.says(error_code(value, words)),
            Reading::Granted => render(granted(value), words, evidence),
            Reading::Present(outcome) => evidence.says(outcome),
            Reading::Error if NO_ERROR.iter().any(|none| words.eq_ignore_ascii_case(none)) => {}
            Reading::Error if integer(value) == Some(0) => {}
            Reading::Error => evidence.says(Outcome::Failure),
            Reading::Name => hint(name(words), evidence),
            Reading::NameOf(begin) if words.starts_with(begin) => hint(name(words), evidence),
            Reading::NameOf(_) => {}
            Reading::K8sDecision if words.eq_ignore_ascii_case("allow") => {}
            Reading::K8sDecision => {
                render(find(&[("forbid", Outcome::Denied)], words), words, evidence);
            }
            Reading::K8sReason => evidence.says(k8s_reason(words)),
        }
    }
}

const NO_ERROR: [&str; 4] = ["false", "none", "no", "-"];

fn render(outcome: Option<Outcome>, words: &str, evidence: &mut Evidence) {
    match outcome {
        Some(outcome) => evidence.says(outcome),
        None => evidence.strange(words),
    }
}

fn hint(outcome: Option<Outcome>, evidence: &mut Evidence) {
    if let Some(outcome) = outcome {
        evidence.says(outcome);
    }
}

pub(super) fn find(vocabulary: Vocabulary, words: &str) -> Option<Outcome> {
    let found = vocabulary.iter().find(|(word, _)| word.eq_ignore_ascii_case(words));
    found.map(|(_, outcome)| *outcome)
}

fn http(status: i64) -> Option<Outcome> {
    match status {
        401 | 403 => Some(Outcome::Denied),
        400..=599 => Some(Outcome::Failure),
        100..=399 => Some(Outcome::Success),
        _ => None,
    }
}

/// The names of `google.rpc.Code` in the order of their numbers.
const RPC: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

fn rpc(value: &Value, words: &str) -> Option<Outcome> {
    let named = RPC.iter().position(|name| name.eq_ignore_ascii_case(words));
    let code = named.and_then(|at| i64::try_from(at).ok()).or_else(|| integer(value))?;
    match code {
        0 => Some(Outcome::Success),
        7 | 16 => Some(Outcome::Denied),
        1..=15 => Some(Outcome::Failure),
        // Some services give the code of HTTP.
        400..=599 => http(code),
        _ => None,
    }
}

/// A code at all is a failure, whatever it says; one of HTTP speaks for itself.
fn error_code(value: &Value, words: &str) -> Outcome {
    /// Parts of the error codes that mean "not allowed".
    const DENIED: [&str; 6] = [
        "accessdenied",
        "unauthorized",
        "forbidden",
        "notauthorized",
        "authfailure",
        "optinrequired",
    ];
    let code = words.to_ascii_lowercase();
    let http = integer(value).and_then(http).filter(|outcome| *outcome == Outcome::Denied);
    if DENIED.iter().any(|part| code.contains(part)) {
        return Outcome::Denied;
    }
    http.unwrap_or(Outcome::Failure)
}

/// What the state of a job says.
enum State {
    Said(Outcome),
    /// That it succeeded, or is not at its end.
    Known,
}

fn state(value: &Value, words: &str) -> Option<State> {
    const FAILED: [&str; 8] =
        ["aborted", "aborting", "errors", "expired", "failing", "invalid", "killed", "timedout"];
    const PARTIAL: [&str; 10] = [
        "cancelled",
        "canceled",
        "cancelling",
        "incomplete",
        "partial",
        "partially",
        "skipped",
        "stopped",
        "terminated",
        "warnings",
    ];
    const KNOWN: [&str; 45] = [
        "accepted",
        "active",
        "available",
        "complete",
        "completed",
        "created",
        "creating",
        "deleted",
        "deleting",
        "delivered",
        "disabled",
        "done",
        "enabled",
        "enabling",
        "executed",
        "executing",
        "finished",
        "handshake",
        "healthy",
        "inactive",
        "inservice",
        "mid",
        "new",
        "ok",
        "open",
        "passed",
        "pending",
        "processed",
        "processing",
        "progress",
        "queued",
        "ready",
        "received",
        "registered",
        "requested",
        "running",
        "scheduled",
        "sent",
        "service",
        "started",
        "starting",
        "submitted",
        "updated",
        "updating",
        "waiting",
    ];
    if let Some(code) = integer(value) {
        return http(code).map(State::Said);
    }
    if find(ANSWERS, words).is_some() || name(words).is_some() {
        return find(ANSWERS, words).or_else(|| name(words)).map(State::Said);
    }
    let parts = words_of(words);
    let has = |list: &[&str]| parts.iter().any(|word| list.contains(&word.as_str()));
    let timed_out = parts.windows(2).any(|pair| pair[0] == "timed" && pair[1] == "out");
    if timed_out || has(&FAILED) {
        Some(State::Said(Outcome::Failure))
    } else if has(&PARTIAL) {
        Some(State::Said(Outcome::Partial))
    } else if has(&["succeeded", "success", "successful", "successfully"]) && !has(&["not", "un"]) {
        Some(State::Said(Outcome::Success))
    } else {
        (has(&KNOWN) && !has(&["not"])).then_some(State::Known)
    }
}

fn granted(entry: &Value) -> Option<Outcome> {
    let said = match entry {
        Value::Object(members) => members.get("granted").unwrap_or(&Value::Bool(false)),
        other => other,
    };
    match (plain(said).trim().to_ascii_lowercase().as_str(), integer(said)) {
        ("true", _) | (_, Some(1)) => Some(Outcome::Success),
        ("false" | "null", _) | (_, Some(0)) => Some(Outcome::Denied),
        _ => None,
    }
}

fn k8s_reason(words: &str) -> Outcome {
    match words.to_ascii_lowercase().as_str() {
        "forbidden" | "unauthorized" => Outcome::Denied,
        _ => Outcome::Failure,
    }
}

/// What the words of a name say. Participles tell what happened to an attempt; verbs (`deny`,
/// `block_user`) are acts of their own, which succeeded.
fn name(name: &str) -> Option<Outcome> {
    const DENIED: [&str; 8] = [
        "denied",
        "rejected",
        "blocked",
        "forbidden",
        "unauthorized",
        "refused",
        "disallowed",
        "prohibited",
    ];
    const FAILED: [&str; 8] =
        ["failed", "failure", "failures", "fail", "error", "errored", "unsuccessful", "timeout"];
    let words = words_of(name);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    // The sign-ins that Google calls suspicious are those it stopped.
    let suspicious = words.windows(2).any(|pair| {
        pair[0] == "suspicious" && (pair[1].starts_with("login") || pair[1] == "programmatic")
    });
    if suspicious || has(&DENIED) {
        return Some(Outcome::Denied);
    }
    has(&FAILED).then_some(Outcome::Failure)
}

/// The words of a name written with dots, underscores or capitals, in lower case.
pub(super) fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower_before = false;
    for found in name.chars() {
        let begins = found.is_ascii_uppercase() && lower_before;
        if begins || !found.is_alphanumeric() {
            words.push(String::new());
        }
        if let (true, Some(word)) = (found.is_alphanumeric(), words.last_mut()) {
            word.extend(found.to_lowercase());
        }
        lower_before = found.is_lowercase() || found.is_ascii_digit();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A value as text: plain values as they are, others as JSON.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A whole number, written as a number with or without a fraction of zero, or as text.
pub(super) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| whole(text.parse().ok()?))
        }
        _ => None,
    }
}

#[allow(clippy::cast_possible_truncation)] // within ±1e9 and without a fraction
fn whole(number: f64) -> Option<i64> {
    (number.abs() <= 1e9 && number.fract() == 0.0).then_some(number as i64)
}

/// Are two texts the same whole number? `7`, `7.0` and `"7"` are.
pub(crate) fn same_number(one: &str, other: &str) -> bool {
    let integer = |text: &str| integer(&Value::from(text));
    integer(one).is_some_and(|number| integer(other) == Some(number))
}

/// The values at a path that are not null or empty. A member is found whatever the case of its
/// name, because log collectors change it. `*` is every element of an array, or a value that is
/// no array; `@NAME` is a parameter of Google Workspace, a member or an element with that `name`.
pub(super) fn at<'v>(root: &'v Value, path: &str) -> Vec<&'v Value> {
    let mut found = vec![root];
    for token in path.split('/').skip(1) {
        found = found.into_iter().flat_map(|value| step(value, token)).collect();
    }
    found.retain(|value| match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    });
    found
}

fn step<'v>(value: &'v Value, token: &str) -> Vec<&'v Value> {
    const PARAMETER_VALUES: [&str; 5] =
        ["value", "boolValue", "intValue", "multiValue", "messageValue"];
    match (value, token.strip_prefix('@')) {
        (Value::Array(items), None) if token == "*" => items.iter().collect(),
        (other, None) if token == "*" => vec![other],
        (Value::Array(items), Some(name)) => {
            let named = items.iter().filter(|item| item.get("name").is_some_and(|is| is == name));
            named.flat_map(|item| PARAMETER_VALUES.iter().filter_map(|key| item.get(key))).collect()
        }
        (Value::Object(members), name) => {
            let name = name.unwrap_or(token).replace("~1", "/");
            let is = |key: &str| key.eq_ignore_ascii_case(&name);
            members.iter().filter(|(key, _)| is(key)).map(|(_, value)| value).collect()
        }
        _ => Vec::new(),
    }
}
