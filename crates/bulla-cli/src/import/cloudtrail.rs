//! AWS CloudTrail. The table of fields is in `docs/importers.md`.

mod resource;

use bulla::event::{Actor, Event};

use super::document::Document;
use super::time::{TimeChoice, USUAL};
use super::{UNKNOWN, ids, original, outcome};

/// Maps one CloudTrail record.
pub(crate) fn map(mut doc: Document<'_>) -> Result<Event, String> {
    doc.unfold(&[
        "userIdentity",
        "requestParameters",
        "responseElements",
        "serviceEventDetails",
        "additionalEventData",
        "insightDetails",
    ]);
    let doc = &doc;
    let (service, name) = call(doc)?;
    let short = service.strip_suffix(".amazonaws.com").unwrap_or(&service);
    let action = format!("{short}.{name}");
    let mut event = Event::new(actor(doc), action, resource::of(doc, &service));
    set_time(doc, &mut event)?;
    outcome::cloudtrail(doc, &service, &name).write_to(&mut event);
    event.reason = reason(doc);
    event.source = Some(service);
    event.ip = doc.owned("/sourceIPAddress");
    event.user_agent = doc.owned("/userAgent");
    event.request_id = doc.owned("/requestID");
    event.correlation_id = doc.owned("/sharedEventID");
    event.id = doc.text("/eventID").map(|id| ids::event_id("cloudtrail", &id));
    event.tenant = doc.first(&["/recipientAccountId", "/userIdentity/accountId"]);
    for (key, path) in [
        ("region", "/awsRegion"),
        ("read_only", "/readOnly"),
        ("insight", "/insightDetails/insightType"),
        ("insight_state", "/insightDetails/state"),
    ] {
        if let Some(value) = doc.owned(path) {
            event.tags.insert(key.to_owned(), value);
        }
    }
    event.details = Some(original(doc.whole())?);
    Ok(event)
}

/// The service that was called and the name of the call. An insight event names them in its
/// details; one that is missing is `unknown`.
fn call(doc: &Document<'_>) -> Result<(String, String), String> {
    let service = doc.first(&["/eventSource", "/insightDetails/eventSource"]);
    let name = doc.first(&["/eventName", "/insightDetails/eventName"]);
    if service.is_none() && name.is_none() {
        return Err("expected a CloudTrail record, found neither eventSource nor eventName".into());
    }
    let known = |found: Option<String>| found.unwrap_or_else(|| UNKNOWN.to_owned());
    Ok((known(service), known(name)))
}

fn set_time(doc: &Document<'_>, event: &mut Event) -> Result<(), String> {
    let mut choice = TimeChoice::default();
    for path in ["/eventTime", "/EventTime", "/time"] {
        choice.offer_at(doc, path, &USUAL);
    }
    choice.set(event)?.ok_or_else(|| "no eventTime".to_owned())
}

/// Who acted: an event that names no one has the actor `unknown`, of type `service` where AWS
/// acted by itself, else `anonymous`.
fn actor(doc: &Document<'_>) -> Actor {
    let id = doc.first(&[
        "/userIdentity/arn",
        "/userIdentity/principalId",
        "/userIdentity/onBehalfOf/userId",
        "/userIdentity/userName",
        "/userIdentity/invokedBy",
        "/userIdentity/accountId",
        // Some collectors keep only the name.
        "/userIdentity",
    ]);
    let named = doc.text("/userIdentity/type");
    let named = named.as_deref().filter(|named| !named.eq_ignore_ascii_case(UNKNOWN));
    let of_service = || {
        let kind = doc.text("/eventType");
        kind.is_some_and(|kind| matches!(kind.as_ref(), "AwsServiceEvent" | "AwsCloudTrailInsight"))
            || doc.value("/insightDetails").is_some()
    };
    let kind = match named {
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
        None if id.is_some() => "account",
        None if of_service() => "service",
        None => "anonymous",
    };
    let mut actor = Actor::new(kind, id.unwrap_or_else(|| UNKNOWN.to_owned()));
    actor.role = doc.owned("/userIdentity/sessionContext/sessionIssuer/arn");
    actor
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
