//! Identifiers of distributed traces, as products write them.

use bulla::event::{SpanId, TraceId};

/// What stands before the trace in a name of Google Cloud: `projects/PROJECT/traces/TRACE`.
const IN_NAME: &str = "/traces/";

/// The W3C trace id in a text: the id itself, a `traceparent`, or a name of Google Cloud.
pub(crate) fn trace_id(text: &str) -> Option<TraceId> {
    let inside = match (parent(text), text.rsplit_once(IN_NAME)) {
        (Some(parent), _) => parent.trace,
        (None, Some((_, trace))) => trace,
        (None, None) => text,
    };
    inside.to_ascii_lowercase().parse().ok()
}

/// The W3C span id in a text: the id itself, or a `traceparent`.
pub(crate) fn span_id(text: &str) -> Option<SpanId> {
    let inside = parent(text).map_or(text, |parent| parent.span);
    inside.to_ascii_lowercase().parse().ok()
}

/// What a `traceparent` names.
struct Parent<'t> {
    trace: &'t str,
    span: &'t str,
}

/// `VERSION-TRACE-SPAN-FLAGS` (W3C Trace Context §3.2); newer versions may have more behind.
fn parent(text: &str) -> Option<Parent<'_>> {
    let mut parts = text.split('-');
    let version = parts.next().filter(|version| version.len() == 2);
    let trace = parts.next().filter(|trace| trace.len() == 2 * TraceId::LEN);
    let span = parts.next().filter(|span| span.len() == 2 * SpanId::LEN);
    let flags = parts.next().filter(|flags| flags.len() == 2);
    (version.is_some() && flags.is_some()).then_some(Parent { trace: trace?, span: span? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn ids_are_read_as_products_write_them() {
        let parent = format!("00-{TRACE}-{SPAN}-01");
        for text in [TRACE, &TRACE.to_uppercase(), &format!("projects/p/traces/{TRACE}"), &parent] {
            assert_eq!(trace_id(text).unwrap().to_string(), TRACE, "{text}");
        }
        for text in [SPAN, &SPAN.to_uppercase(), &parent] {
            assert_eq!(span_id(text).unwrap().to_string(), SPAN, "{text}");
        }
    }

    #[test]
    fn what_has_another_form_is_none() {
        for text in
            ["", "tx-0001", "00000000000000000000000000000000", SPAN, "/traces/", "00-a-b-01"]
        {
            assert_eq!(trace_id(text), None, "{text}");
        }
        assert_eq!(span_id(TRACE), None);
        assert_eq!(span_id(&format!("00-{TRACE}-0000000000000000-01")), None);
    }
}
