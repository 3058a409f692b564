//! The tables: where each product says how an event ended, and in which words.

use bulla::event::Outcome::{Denied, Failure, Partial, Success};

use super::reading::{Place, Reading, Vocabulary};

const fn place(path: &'static str, reading: Reading) -> Place {
    Place { path, reading }
}

/// The answers that a product gives in one word.
pub(super) const ANSWERS: Vocabulary = &[
    ("success", Success),
    ("succeeded", Success),
    ("ok", Success),
    ("true", Success),
    ("failure", Failure),
    ("failed", Failure),
    ("fail", Failure),
    ("error", Failure),
    ("false", Failure),
    ("denied", Denied),
    ("accessdenied", Denied),
    ("access denied", Denied),
    ("blocked", Denied),
    ("forbidden", Denied),
    ("refused", Denied),
    ("rejected", Denied),
    ("unauthorized", Denied),
];

/// Those of them that are no success, where the place says other things too (the state of what was
/// made).
const BAD_ANSWERS: Vocabulary = ANSWERS.split_at(4).1;

/// A truth value that is false if something failed.
const SUCCEEDED: Vocabulary = &[
    ("true", Success),
    ("false", Failure),
    ("1", Success),
    ("0", Failure),
    ("yes", Success),
    ("no", Failure),
];

/// What `res=`, `success=` and `result=` of auditd say.
pub(super) const AUDITD: Vocabulary = &[
    ("yes", Success),
    ("success", Success),
    ("successful", Success),
    ("succeeded", Success),
    ("1", Success),
    ("no", Failure),
    ("failed", Failure),
    ("fail", Failure),
    ("failure", Failure),
    ("authentication failure", Failure),
    ("0", Failure),
    ("denied", Denied),
    ("permission denied", Denied),
];

pub(super) const CLOUDTRAIL: &[Place] = &[
    place("/errorCode", Reading::ErrorCode),
    // Its words are free text, in which names stand: only that it is there counts.
    place("/errorMessage", Reading::Present(Failure)),
    place("/responseElements/_return", Reading::Hints(SUCCEEDED)),
    place("/responseElements/return", Reading::Hints(SUCCEEDED)),
    // What the sign-in pages of Cognito answered.
    place("/additionalEventData/responseParameters/status", Reading::Http),
    place("/serviceEventDetails/errorCode", Reading::ErrorCode),
    place("/serviceEventDetails/errorMessage", Reading::Present(Failure)),
];

/// Answers of a sign-in in other words than its own.
pub(super) const CONSOLE_SIGN_IN: &[Place] = &[
    place("/responseElements/status", Reading::Words(ANSWERS)),
    place("/responseElements/result", Reading::Words(ANSWERS)),
];

/// Where a sign-in has its answer, under its own name or one of the names of sign-ins.
pub(super) const CLOUDTRAIL_ANSWERS: [&str; 3] =
    ["/responseElements", "/serviceEventDetails", "/additionalEventData"];

/// Is this the name of an event in which somebody signs in?
pub(super) fn is_sign_in(name: &str) -> bool {
    const SIGN_INS: [&str; 8] = [
        "ConsoleLogin",
        "CheckMfa",
        "SwitchRole",
        "ExitRole",
        "RenewRole",
        "CredentialChallenge",
        "CredentialVerification",
        "UserAuthentication",
    ];
    SIGN_INS.iter().any(|known| known.eq_ignore_ascii_case(name))
}

pub(super) const K8S: &[Place] = &[
    place("/annotations/authorization.k8s.io~1decision", Reading::K8sDecision),
    place("/stage", Reading::Hints(&[("panic", Failure)])),
];

/// A `Status` of the Kubernetes API.
pub(super) const K8S_STATUS: &[Place] = &[
    place("/code", Reading::Http),
    place("/status", Reading::Words(K8S_STATUSES)),
    place("/reason", Reading::K8sReason),
];

pub(super) const K8S_STATUSES: Vocabulary = &[("success", Success), ("failure", Failure)];

/// GitHub records mostly what succeeded: no place has to be there. An event has these members
/// itself, or in `data`.
pub(super) const GITHUB: &[Place] = &[
    place("/action", Reading::Name),
    place("/status_code", Reading::Http),
    place("/http_status", Reading::Http),
    place("/http_status_code", Reading::Http),
    place("/response_status", Reading::HttpOr(BAD_ANSWERS)),
    place("/response_code", Reading::HttpOr(BAD_ANSWERS)),
    place("/delivery_status", Reading::HttpOr(BAD_ANSWERS)),
    place("/status", Reading::HttpOr(BAD_ANSWERS)),
    place("/conclusion", Reading::Words(GITHUB_CONCLUSIONS)),
    place("/outcome", Reading::Words(ANSWERS)),
    place("/result", Reading::Words(ANSWERS)),
    place("/success", Reading::Words(SUCCEEDED)),
    place("/error", Reading::Error),
    place("/errors", Reading::Error),
    place("/error_code", Reading::Error),
    place("/error_message", Reading::Error),
    place("/error_reason", Reading::Error),
    place("/failed", Reading::Error),
    place("/failure", Reading::Error),
    place("/failure_message", Reading::Error),
    place("/failure_reason", Reading::Error),
    place("/failure_type", Reading::Error),
];

const GITHUB_CONCLUSIONS: Vocabulary = &[
    ("success", Success),
    ("failure", Failure),
    ("startup_failure", Failure),
    ("timed_out", Failure),
    ("cancelled", Partial),
    ("neutral", Partial),
    ("skipped", Partial),
    ("stale", Partial),
    ("action_required", Partial),
];

pub(super) const OKTA: &[Place] = &[place("/outcome/result", Reading::Words(OKTA_RESULTS))];

/// `UNKNOWN` is not here: what Okta does not know, we do not know either.
const OKTA_RESULTS: Vocabulary = &[
    ("success", Success),
    ("allow", Success),
    ("failure", Failure),
    ("rate_limit", Failure),
    ("abandoned", Failure),
    ("unanswered", Failure),
    ("deny", Denied),
    ("challenge", Partial),
    ("skipped", Partial),
    ("deferred", Partial),
    ("scheduled", Partial),
];

pub(super) const GCP: &[Place] = &[
    place("/protoPayload/authorizationInfo/*", Reading::Granted),
    place("/authorizationInfo/*", Reading::Granted),
    place("/protoPayload/methodName", Reading::NameOf("google.login.")),
    place("/protoPayload/metadata/jobChange/job/jobStatus/errorResult", JOB_FAILED),
    place("/protoPayload/metadata/jobChange/job/jobStatus/errorResult/code", Reading::RpcDenial),
    place("/protoPayload/metadata/jobInsertion/job/jobStatus/errorResult", JOB_FAILED),
    place("/protoPayload/metadata/jobInsertion/job/jobStatus/errorResult/code", Reading::RpcDenial),
    place("/protoPayload/serviceData/jobCompletedEvent/job/jobStatus/error", JOB_FAILED),
    place("/protoPayload/serviceData/jobInsertResponse/resource/jobStatus/error", JOB_FAILED),
    place("/protoPayload/serviceData/jobQueryResponse/job/jobStatus/error", JOB_FAILED),
    place("/protoPayload/serviceData/jobGetQueryResultsResponse/job/jobStatus/error", JOB_FAILED),
    place("/labels/authorization.k8s.io~1decision", Reading::K8sDecision),
];

const JOB_FAILED: Reading = Reading::Present(Failure);

/// Unless a rule is only being tried. A `status` without a code is read by its own table.
pub(super) const GCP_STATUS: &[Place] = &[
    place("/protoPayload/status/code", Reading::Rpc),
    place("/protoPayload/policyViolationInfo/orgPolicyViolationInfo/violationInfo", DENIES),
    place("/severity", Reading::Hints(GCP_SEVERITIES)),
];

const DENIES: Reading = Reading::Present(Denied);

/// The answer of a service of Google. That of Kubernetes is an object of its user.
pub(super) const GCP_RESPONSE: &[Place] = &[
    place("/protoPayload/response/error/code", Reading::ErrorCode),
    place("/protoPayload/response/error", Reading::Present(Failure)),
    place("/protoPayload/response/httpErrorStatusCode", Reading::Http),
    place("/protoPayload/response/status/code", Reading::HttpError),
];

const GCP_SEVERITIES: Vocabulary =
    &[("error", Failure), ("critical", Failure), ("alert", Failure), ("emergency", Failure)];

pub(super) const GCP_STATUS_WITHOUT_CODE: &[Place] =
    &[place("/message", Reading::Words(GCP_MESSAGES))];

/// Whole messages, which nobody chooses; any other is not understood.
const GCP_MESSAGES: Vocabulary = &[
    ("ok", Success),
    ("success", Success),
    ("connection succeeded.", Success),
    ("forbidden", Denied),
    ("unauthorized", Denied),
    ("unauthenticated", Denied),
    ("permission_denied", Denied),
    ("permission denied", Denied),
];

/// One event; in Google Cloud its name is `eventName`.
pub(super) const GWORKSPACE: &[Place] = &[
    place("/name", Reading::Name),
    place("/name", Reading::Hints(GWORKSPACE_NAMES)),
    place("/eventName", Reading::Name),
    place("/eventName", Reading::Hints(GWORKSPACE_NAMES)),
];

/// Parameters of an event, by name in any case. Others count if their name speaks of failure.
pub(super) const GWORKSPACE_PARAMETERS: &[(&str, Reading)] = &[
    ("error_code", Reading::Error),
    ("login_challenge_status", Reading::Words(CHALLENGES)),
    ("saml_status_code", Reading::Words(SAML)),
    ("saml_second_level_status_code", Reading::Words(SAML)),
    ("success", Reading::Words(SUCCEEDED)),
    ("event_result", Reading::Words(CHROME_RESULTS)),
    ("action_execution_status", Reading::State),
];

pub(super) const GWORKSPACE_EVENT_INFO: &[Place] = &[
    place("/success", Reading::Words(SUCCEEDED)),
    place("/parameter/@success", Reading::Words(SUCCEEDED)),
];

/// What Chrome did about an event.
const CHROME_RESULTS: Vocabulary = &[
    ("blocked", Denied),
    ("event_result_blocked", Denied),
    ("warned", Partial),
    ("event_result_warned", Partial),
    ("allowed", Success),
    ("event_result_allowed", Success),
    ("bypassed", Success),
    ("event_result_bypassed", Success),
    ("detected", Success),
    ("event_result_detected", Success),
    ("reported", Success),
    ("event_result_reported", Success),
];

/// Context-aware access has the verb in its names.
const GWORKSPACE_NAMES: Vocabulary =
    &[("access_deny_event", Denied), ("access_deny_internal_error_event", Denied)];

const CHALLENGES: Vocabulary = &[
    ("challenge passed", Success),
    ("challenge passed.", Success),
    ("passed", Success),
    ("challenge_passed", Success),
    ("challenge failed", Failure),
    ("challenge failed.", Failure),
    ("failed", Failure),
    ("challenge_failed", Failure),
    ("incorrect_answer_entered", Failure),
    ("challenge_timeout", Failure),
];

const SAML: Vocabulary = &[
    ("success_uri", Success),
    ("request_denied_uri", Denied),
    ("authn_failed_uri", Failure),
    ("requester_uri", Failure),
    ("responder_uri", Failure),
];
