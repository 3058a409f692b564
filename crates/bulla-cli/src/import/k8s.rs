//! Kubernetes audit events, `audit.k8s.io/v1` and `v1beta1`. The table of fields is
//! in `docs/importers.md`.

use bulla::event::{Actor, Event, EventId, Resource};
use bulla::time::Timestamp;

use super::document::{Document, shown};
use super::time::{TimeChoice, USUAL};
use super::{UNKNOWN, ids, original, outcome};

/// Maps one audit event (one stage of one request).
pub(crate) fn map(doc: &Document<'_>) -> Result<Event, String> {
    check_kind(doc)?;
    let verb = verb(doc)?;
    let object = object(doc);
    let action = format!("{}.{verb}", object.noun);
    let mut event = Event::new(actor(doc), action, object.resource(doc));
    event.on_behalf_of = doc.owned("/impersonatedUser/username").map(named);
    set_time(doc, &mut event)?;
    event.duration_ms = duration_ms(doc);
    outcome::k8s(doc).write_to(&mut event);
    event.reason = doc.first(&["/responseStatus/message", "/responseStatus/reason"]);
    event.source = Some("kubernetes".to_owned());
    event.tenant = object.namespace;
    // All but the last are what the client says in X-Forwarded-For.
    event.ip = doc.owned("/sourceIPs/[last]");
    event.user_agent = doc.owned("/userAgent");
    event.request_id = doc.owned("/auditID");
    event.id = id(doc);
    for (key, path) in [("stage", "/stage"), ("code", "/responseStatus/code")] {
        if let Some(value) = doc.owned(path) {
            event.tags.insert(key.to_owned(), value);
        }
    }
    event.details = Some(original(doc.whole())?);
    Ok(event)
}

/// Each stage of a request is an event, with the `auditID` of the request.
fn id(doc: &Document<'_>) -> Option<EventId> {
    let request = doc.text("/auditID")?;
    let stage = doc.text("/stage").unwrap_or_default();
    // With the stage it is no UUID, also where there is none.
    Some(ids::event_id("k8s", &format!("{request} {stage}")))
}

/// The verb; `unknown` if an event that says that it is one of Kubernetes has none.
fn verb(doc: &Document<'_>) -> Result<String, String> {
    match doc.owned("/verb") {
        Some(verb) => Ok(verb),
        None if doc.text("/apiVersion").is_some() => Ok(UNKNOWN.to_owned()),
        None => Err("no verb, and no apiVersion of audit.k8s.io".to_owned()),
    }
}

/// Older API servers leave `apiVersion` out, so only what contradicts is refused.
fn check_kind(doc: &Document<'_>) -> Result<(), String> {
    match (doc.text("/kind").as_deref(), doc.text("/apiVersion").as_deref()) {
        (None | Some("Event"), None) => Ok(()),
        (None | Some("Event"), Some(api)) if api.starts_with("audit.k8s.io/") => Ok(()),
        (kind, api) => Err(format!(
            "expected kind Event of audit.k8s.io, found {} of {}",
            shown(kind.unwrap_or("none")),
            shown(api.unwrap_or("none")),
        )),
    }
}

/// Who asked. A request that could not be authenticated names no user.
fn actor(doc: &Document<'_>) -> Actor {
    let Some(name) = doc.owned("/user/username") else {
        return Actor::new(Actor::ANONYMOUS, UNKNOWN);
    };
    let mut actor = named(name);
    actor.role = doc.owned("/impersonatedUser/username");
    actor
}

/// The user of this name: which type it is of, the name tells.
fn named(name: String) -> Actor {
    let kind = match name.strip_prefix("system:") {
        Some("anonymous") => Actor::ANONYMOUS,
        Some(rest) if rest.starts_with("serviceaccount:") => "service_account",
        Some(rest) if rest.starts_with("node:") => "node",
        Some(_) => "system",
        None => Actor::USER,
    };
    Actor::new(kind, name)
}

/// What was asked for, from `objectRef` or else from the path of the request.
struct Object {
    /// `pods` or `pods/exec`.
    noun: String,
    /// `pods`, `deployments.apps`, or `url` if it is not an API object.
    kind: String,
    namespace: Option<String>,
    name: Option<String>,
}

impl Object {
    fn new(resource: &str, group: Option<&str>, subresource: Option<&str>) -> Self {
        let kind = match group {
            Some(group) => format!("{resource}.{group}"),
            None => resource.to_owned(),
        };
        let noun = match subresource {
            Some(sub) => format!("{resource}/{sub}"),
            None => resource.to_owned(),
        };
        Object { noun, kind, namespace: None, name: None }
    }

    fn resource(&self, doc: &Document<'_>) -> Resource {
        // A create request names its object only in the bodies, if they were kept.
        let created =
            || doc.first(&["/responseObject/metadata/name", "/requestObject/metadata/name"]);
        let name = self.name.clone().or_else(|| match self.kind.as_str() {
            "url" => None,
            _ => created(),
        });
        let id = name.map(|name| match &self.namespace {
            // The namespace itself is not inside itself.
            Some(namespace) if self.kind != "namespaces" => format!("{namespace}/{name}"),
            _ => name,
        });
        Resource { kind: self.kind.clone(), id }
    }
}

fn object(doc: &Document<'_>) -> Object {
    let Some(resource) = doc.text("/objectRef/resource") else {
        return from_path(doc.text("/requestURI").as_deref().unwrap_or_default());
    };
    let (group, sub) = (doc.text("/objectRef/apiGroup"), doc.text("/objectRef/subresource"));
    Object {
        namespace: doc.owned("/objectRef/namespace"),
        name: doc.owned("/objectRef/name"),
        ..Object::new(&resource, group.as_deref(), sub.as_deref())
    }
}

/// `/api/V/…` and `/apis/GROUP/V/…` hold `[namespaces/NS/]RESOURCE[/NAME[/SUB]]`;
/// everything else (`/healthz`, discovery) is a plain URL.
fn from_path(uri: &str) -> Object {
    let path = uri.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (group, parts) = match parts.as_slice() {
        ["api", _version, rest @ ..] => (None, rest),
        ["apis", group, _version, rest @ ..] => (Some(*group), rest),
        _ => (None, [].as_slice()),
    };
    let (namespace, parts) = match parts {
        ["namespaces", namespace, rest @ ..] if !matches!(rest, [] | ["status"] | ["finalize"]) => {
            (Some(*namespace), rest)
        }
        _ => (None, parts),
    };
    match parts {
        [resource, rest @ ..] => Object {
            namespace: namespace.map(str::to_owned),
            name: rest.first().map(|name| (*name).to_owned()),
            ..Object::new(resource, group, rest.get(1).copied())
        },
        [] => {
            let name = (!path.is_empty()).then(|| path.to_owned());
            Object { name, ..Object::new("url", None, None) }
        }
    }
}

fn set_time(doc: &Document<'_>, event: &mut Event) -> Result<(), String> {
    let mut choice = TimeChoice::default();
    for path in ["/requestReceivedTimestamp", "/stageTimestamp", "/timestamp"] {
        choice.offer_at(doc, path, &USUAL);
    }
    choice.set(event)?.ok_or_else(|| "no requestReceivedTimestamp".to_owned())
}

fn stamp(doc: &Document<'_>, path: &str) -> Option<Timestamp> {
    let text = doc.text(path)?;
    USUAL.iter().find_map(|format| format.read(&text).ok())
}

/// From the request's arrival to the end of the answer.
fn duration_ms(doc: &Document<'_>) -> Option<u64> {
    if doc.text("/stage").as_deref() != Some("ResponseComplete") {
        return None;
    }
    let (from, to) = (stamp(doc, "/requestReceivedTimestamp")?, stamp(doc, "/stageTimestamp")?);
    u64::try_from(to.saturating_since(from).as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bulla::event::Outcome;

    fn map(text: &str) -> Result<Event, String> {
        super::map(&Document::parse(text)?)
    }

    fn event(fields: &str) -> Event {
        map(&format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"get",
                "user":{{"username":"system:node:n1"}},
                "requestReceivedTimestamp":"2026-01-02T03:04:05.000001Z"{fields}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn objects_are_read_from_their_reference() {
        let found = event(
            r#","objectRef":{"resource":"deployments","apiGroup":"apps","namespace":"shop",
            "name":"web","subresource":"scale"},"stage":"ResponseComplete",
            "stageTimestamp":"2026-01-02T03:04:05.250001Z""#,
        );
        assert_eq!(found.action, "deployments/scale.get");
        assert_eq!(found.resource, Resource::new("deployments.apps", "shop/web"));
        assert_eq!(found.tenant.as_deref(), Some("shop"));
        assert_eq!(found.actor, Actor::new("node", "system:node:n1"));
        assert_eq!(found.duration_ms, Some(250));
    }

    #[test]
    fn who_is_impersonated_is_in_whose_name() {
        let found = event(
            r#","impersonatedUser":{"username":"system:serviceaccount:shop:web","groups":["a"]}"#,
        );
        assert_eq!(
            found.actor,
            Actor::new("node", "system:node:n1").role("system:serviceaccount:shop:web")
        );
        let behalf = Actor::new("service_account", "system:serviceaccount:shop:web");
        assert_eq!(found.on_behalf_of, Some(behalf));
        for none in [r#""""#, "null", r#"{"username":""}"#, r#"{"username":["a"]}"#] {
            assert_eq!(event(&format!(r#","impersonatedUser":{none}"#)).on_behalf_of, None);
        }
    }

    #[test]
    fn without_a_reference_the_path_tells() {
        for (uri, action, kind, id) in [
            (
                "/api/v1/namespaces/shop/pods/web/log?follow=1",
                "pods/log.get",
                "pods",
                Some("shop/web"),
            ),
            ("/api/v1/namespaces/shop", "namespaces.get", "namespaces", Some("shop")),
            (
                "/api/v1/namespaces/shop/finalize",
                "namespaces/finalize.get",
                "namespaces",
                Some("shop"),
            ),
            ("/apis/apps/v1/deployments?limit=5", "deployments.get", "deployments.apps", None),
            ("/apis/apps/v1", "url.get", "url", Some("/apis/apps/v1")),
            ("/readyz?verbose", "url.get", "url", Some("/readyz")),
            ("", "url.get", "url", None),
        ] {
            let found = event(&format!(r#","requestURI":"{uri}","objectRef":{{}}"#));
            let expected = (action, kind, id);
            let resource = &found.resource;
            assert_eq!(
                (found.action.as_str(), resource.kind.as_str(), resource.id.as_deref()),
                expected
            );
        }
    }

    #[test]
    fn refusals_are_told_from_failures() {
        for (fields, outcome) in [
            (r#","responseStatus":{"code":403}"#, Outcome::Denied),
            (r#","responseStatus":{"code":404}"#, Outcome::Failure),
            (r#","responseStatus":{"code":101}"#, Outcome::Success),
            (r#","annotations":{"authorization.k8s.io/decision":"forbid"}"#, Outcome::Denied),
            (r#","stage":"Panic""#, Outcome::Failure),
        ] {
            assert_eq!(event(fields).outcome, outcome, "{fields}");
        }
    }

    #[test]
    fn what_is_no_audit_event_is_refused() {
        for (bad, word) in [
            (r#"{"kind":"Pod","apiVersion":"v1"}"#, "kind"),
            (r#"{"kind":"Event","apiVersion":"v1","verb":"get"}"#, "audit.k8s.io"),
            (r#"{"kind":"Event","verb":"get"}"#, "requestReceivedTimestamp"),
            (r#"{"kind":"Event","user":{"username":"a"}}"#, "verb"),
            (r#"{"verb":"get","user":{"username":"a"}}"#, "requestReceivedTimestamp"),
            (r#"{"verb":"get","user":{"username":"a"},"stageTimestamp":"noon"}"#, "noon"),
        ] {
            let reason = map(bad).unwrap_err();
            assert!(reason.contains(word), "{reason}");
        }
    }
}
