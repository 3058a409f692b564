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
];

/// The same where the place says other things too (the state of what was made).
const BAD_ANSWERS: Vocabulary = &[
    ("failure", Failure),
    ("failed", Failure),
    ("fail", Failure),
    ("error", Failure),
    ("denied", Denied),
    ("accessdenied", Denied),
    ("rejected", Denied),
];

/// A truth value that is false if something failed.
const SUCCEEDED: Vocabulary =
    &[("true", Success), ("false", Failure), ("1", Success), ("0", Failure)];

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
    place("/serviceEventDetails/errorCode", Reading::ErrorCode),
    place("/serviceEventDetails/errorMessage", Reading::Present(Failure)),
    place("/serviceEventDetails/status", Reading::Hints(BAD_ANSWERS)),
    place("/serviceEventDetails/eventStatus", Reading::Hints(BAD_ANSWERS)),
    place("/serviceEventDetails/result", Reading::Hints(BAD_ANSWERS)),
    place("/serviceEventDetails/outcome", Reading::Hints(BAD_ANSWERS)),
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

/// GitHub records mostly what succeeded: no place has to be there.
pub(super) const GITHUB: &[Place] = &[
    place("/action", Reading::Name),
    place("/status_code", Reading::Http),
    place("/conclusion", Reading::Words(GITHUB_CONCLUSIONS)),
    place("/outcome", Reading::Words(ANSWERS)),
    place("/result", Reading::Words(ANSWERS)),
    place("/success", Reading::Words(SUCCEEDED)),
    place("/status", Reading::Hints(BAD_ANSWERS)),
    place("/error", Reading::Error),
    place("/error_code", Reading::Error),
    place("/error_message", Reading::Error),
    place("/failure_reason", Reading::Error),
    place("/failure_type", Reading::Error),
    place("/data/status_code", Reading::Http),
    place("/data/conclusion", Reading::Words(GITHUB_CONCLUSIONS)),
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

/// A `status` without a code is read by its own table.
pub(super) const GCP: &[Place] = &[
    place("/protoPayload/status/code", Reading::Rpc),
    place("/protoPayload/authorizationInfo/*", Reading::Granted),
    place("/authorizationInfo/*", Reading::Granted),
    place("/protoPayload/response/error/code", Reading::ErrorCode),
    place("/protoPayload/response/error", Reading::Present(Failure)),
    place("/protoPayload/methodName", Reading::NameOf("google.login.")),
    place("/protoPayload/metadata/event/*/eventName", Reading::Name),
    place("/protoPayload/metadata/jobChange/job/jobStatus/errorResult", Reading::Present(Failure)),
    place(
        "/protoPayload/serviceData/jobCompletedEvent/job/jobStatus/error",
        Reading::Present(Failure),
    ),
    place("/labels/authorization.k8s.io~1decision", Reading::K8sDecision),
    place("/severity", Reading::Hints(GCP_SEVERITIES)),
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

/// An activity as Google sends it (`events`), or one event of it as collectors split it.
pub(super) const GWORKSPACE: &[Place] = &[
    place("/name", Reading::Name),
    place("/events/*/name", Reading::Name),
    place("/name", Reading::Hints(GWORKSPACE_NAMES)),
    place("/events/*/name", Reading::Hints(GWORKSPACE_NAMES)),
    place("/parameters/@login_failure_type", Reading::Error),
    place("/events/*/parameters/@login_failure_type", Reading::Error),
    place("/parameters/@failure_type", Reading::Error),
    place("/events/*/parameters/@failure_type", Reading::Error),
    place("/parameters/@failure_reason", Reading::Error),
    place("/events/*/parameters/@failure_reason", Reading::Error),
    place("/parameters/@error_code", Reading::Error),
    place("/events/*/parameters/@error_code", Reading::Error),
    place("/parameters/@login_challenge_status", Reading::Words(CHALLENGES)),
    place("/events/*/parameters/@login_challenge_status", Reading::Words(CHALLENGES)),
    place("/parameters/@saml_status_code", Reading::Words(SAML)),
    place("/events/*/parameters/@saml_status_code", Reading::Words(SAML)),
    place("/parameters/@success", Reading::Words(SUCCEEDED)),
    place("/events/*/parameters/@success", Reading::Words(SUCCEEDED)),
    place("/parameters/event_info/success", Reading::Words(SUCCEEDED)),
    place("/parameters/@event_info/parameter/@success", Reading::Words(SUCCEEDED)),
    place("/events/*/parameters/@event_info/parameter/@success", Reading::Words(SUCCEEDED)),
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
