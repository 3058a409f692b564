//! AWS CloudTrail. The table of fields is in `docs/importers.md`.

mod resource;

use bulla::event::{Actor, Event};

use super::document::Document;
use super::time::{TimeChoice, USUAL};
use super::{UNKNOWN, ids, original, outcome};

const IDENTITY_CENTER_USER: &str = "identity_center_user";

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
    event.on_behalf_of = on_behalf_of(doc, &event.actor);
    event.targets = resource::targets(doc, &service, &event.resource);
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
        Some(named) => kind_of_identity(named),
        None if doc.text("/userIdentity/invokedBy").is_some() => "service",
        None if id.is_some() => "account",
        None if of_service() => "service",
        None => Actor::ANONYMOUS,
    };
    let mut actor = Actor::new(kind, id.unwrap_or_else(|| UNKNOWN.to_owned()));
    actor.role = doc.owned("/userIdentity/sessionContext/sessionIssuer/arn");
    actor
}

/// Our word for a type of AWS.
fn kind_of_identity(named: &str) -> &str {
    match named {
        "IAMUser" => "user",
        "AssumedRole" | "Role" => "role",
        "Root" => "root",
        "AWSService" => "service",
        "AWSAccount" => "account",
        "FederatedUser" => "federated_user",
        "WebIdentityUser" => "web_identity_user",
        "SAMLUser" => "saml_user",
        "IdentityCenterUser" => IDENTITY_CENTER_USER,
        other => other,
    }
}

/// In whose name the actor acted: the person of IAM Identity Center for whom a service or a
/// session acts, else the role or user that a session's credentials were issued for. `invokedBy` says
/// the reverse, which service passed the request on in the name of the actor.
fn on_behalf_of(doc: &Document<'_>, actor: &Actor) -> Option<Actor> {
    const ISSUER: &str = "/userIdentity/sessionContext/sessionIssuer";
    let person = || {
        let id = doc.owned("/userIdentity/onBehalfOf/userId")?;
        Some(Actor::new(IDENTITY_CENTER_USER, id))
    };
    let issuer = || {
        let id = doc.first(&[&format!("{ISSUER}/arn"), &format!("{ISSUER}/principalId")])?;
        let named = doc.owned(&format!("{ISSUER}/type"));
        Some(Actor::new(named.as_deref().map_or("role", kind_of_identity), id))
    };
    person().or_else(issuer).filter(|found| found.id != actor.id)
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
