//! Why a line is rejected, all of it: each message begins with one of [`REASONS`], and
//! `docs/importers.md` explains each. A test compares the two, and the fuzz targets hold
//! every rejection against this list.

pub(crate) const NOT_JSON: &str = "not JSON: ";
pub(crate) const MESSAGE_NOT_JSON: &str = "the message in it is not JSON: ";
pub(crate) const NOT_AN_OBJECT: &str = "expected a JSON object, found ";
const TOO_LONG_LINE: &str = "longer than 4194304 bytes";
const TOO_LONG_VALUE: &str = "longer than 67108864 bytes";

/// A reason to reject a line: how its message begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// What the message begins with.
    pub begins: &'static str,
    /// Whether it may meet a JSON object (RFC 8259) of one of the formats of others.
    pub of_objects: bool,
}

const fn of_text(begins: &'static str) -> Reason {
    Reason { begins, of_objects: false }
}

const fn of_objects(begins: &'static str) -> Reason {
    Reason { begins, of_objects: true }
}

/// All reasons.
pub const REASONS: &[Reason] = &[
    of_objects(TOO_LONG_LINE),
    of_objects(TOO_LONG_VALUE),
    of_text(NOT_JSON),
    of_text(NOT_AN_OBJECT),
    of_objects(MESSAGE_NOT_JSON),
    of_text("the file ends inside "),
    of_objects("expected a CloudTrail record, found neither eventSource nor eventName"),
    of_objects("no eventTime"),
    of_objects("eventTime: "),
    of_objects("EventTime: "),
    of_objects("time: "),
    of_objects("expected kind Event of audit.k8s.io, found "),
    of_objects("no verb"),
    of_objects("no requestReceivedTimestamp"),
    of_objects("requestReceivedTimestamp: "),
    of_objects("stageTimestamp: "),
    of_objects("timestamp: "),
    of_objects("nothing found for "),
    of_objects("occurred_at: "),
    of_objects("occurred_at must be in the years 1678 to 2261"),
    of_text("no audit(SECONDS.MILLIS:SERIAL) in "),
    of_text("audit("),
    of_text("no type= before audit("),
    of_text("before type= expected nothing, or the syslog tag of the kernel or of auditd"),
    of_text("no records"),
];

/// Does this message say that an object is none of these events, but may be one around them?
pub(crate) fn is_of_another_kind(message: &str) -> bool {
    const OF_ANOTHER: [&str; 5] = [
        "expected a CloudTrail record, found neither eventSource nor eventName",
        "no eventTime",
        "expected kind Event of audit.k8s.io, found ",
        "no verb",
        "nothing found for ",
    ];
    OF_ANOTHER.iter().any(|reason| message.starts_with(reason))
}

/// The reason that this message gives, if it is one of [`REASONS`].
pub fn reason_of(message: &str) -> Option<Reason> {
    // Of elements the message says first which one it is; one may be in another.
    let mut message = message;
    while let Some((place, rest)) = message.split_once(": ")
        && (place.starts_with("element ") || place.starts_with("after element "))
    {
        message = rest;
    }
    REASONS.iter().copied().find(|reason| message.starts_with(reason.begins))
}
