//! AWS CloudTrail. The table of fields is in `docs/importers.md`.

mod resource;

use bulla::event::{Actor, Event, Outcome};

use super::document::{Document, shown};
use super::original;

/// Maps one CloudTrail record.
pub(crate) fn map(text: &str) -> Result<Event, String> {
    let doc = Document::parse(text)?;
    let need = |path: &str| doc.owned(path).ok_or_else(|| format!("no {}", &path[1..]));
    let service = need("/eventSource")?;
    let name = need("/eventName")?;
    let time = need("/eventTime")?;
    let short = service.strip_suffix(".amazonaws.com").unwrap_or(&service);
    let mut event =
        Event::new(actor(&doc)?, format!("{short}.{name}"), resource::of(&doc, &service));
    event.occurred_at =
        Some(time.parse().map_err(|_| format!("eventTime: not RFC 3339: {}", shown(&time)))?);
    event.outcome = outcome(&doc, &name);
    event.reason = reason(&doc);
    event.source = Some(service);
    event.ip = doc.owned("/sourceIPAddress");
    event.user_agent = doc.owned("/userAgent");
    event.request_id = doc.owned("/requestID");
    event.correlation_id = doc.owned("/sharedEventID");
    // An id of another shape stays in `details`, and the log makes one.
    event.id = doc.text("/eventID").and_then(|id| id.parse().ok());
    event.tenant = doc.first(&["/recipientAccountId", "/userIdentity/accountId"]);
    for (key, path) in [("region", "/awsRegion"), ("read_only", "/readOnly")] {
        if let Some(value) = doc.owned(path) {
            event.tags.insert(key.to_owned(), value);
        }
    }
    event.details = Some(original(text)?);
    Ok(event)
}

fn actor(doc: &Document<'_>) -> Result<Actor, String> {
    let id = doc
        .first(&[
            "/userIdentity/arn",
            "/userIdentity/principalId",
            "/userIdentity/onBehalfOf/userId",
            "/userIdentity/userName",
            "/userIdentity/invokedBy",
            "/userIdentity/accountId",
        ])
        .ok_or("userIdentity names nobody: no arn, principalId, userName, invokedBy, accountId")?;
    let named = doc.text("/userIdentity/type");
    let kind = match named.as_deref() {
        Some("IAMUser") => "user",
        Some("AssumedRole" | "Role") => "role",
        Some("Root") => "root",
        Some("AWSService") => "service",
        Some("AWSAccount") => "account",
        Some("FederatedUser") => "federated_user",
        Some("WebIdentityUser") => "web_identity_user",
        Some("SAMLUser") => "saml_user",
        Some("IdentityCenterUser") => "identity_center_user",
        Some(other) => other,
        None if doc.text("/userIdentity/invokedBy").is_some() => "service",
        None => "account",
    };
    let mut actor = Actor::new(kind, id);
    actor.role = doc.owned("/userIdentity/sessionContext/sessionIssuer/arn");
    Ok(actor)
}

fn outcome(doc: &Document<'_>, name: &str) -> Outcome {
    /// Parts of the error codes that mean "not allowed".
    const DENIED: [&str; 6] = [
        "AccessDenied",
        "Unauthorized",
        "Forbidden",
        "NotAuthorized",
        "AuthFailure",
        "OptInRequired",
    ];
    match doc.text("/errorCode") {
        Some(code) if DENIED.iter().any(|part| code.contains(part)) => Outcome::Denied,
        Some(_) => Outcome::Failure,
        // Sign-in events say so in their answer: {"ConsoleLogin": "Failure"}.
        None if doc.text(&format!("/responseElements/{name}")).as_deref() == Some("Failure") => {
            Outcome::Failure
        }
        None => Outcome::Success,
    }
}

fn reason(doc: &Document<'_>) -> Option<String> {
    match (doc.text("/errorCode"), doc.text("/errorMessage")) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (Some(only), None) | (None, Some(only)) => Some(only.into_owned()),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests;
