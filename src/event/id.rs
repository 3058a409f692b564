//! [`EventId`] as a UUID (RFC 9562).

use std::fmt;
use std::str::FromStr;

use crate::time::Timestamp;

/// A 128-bit event identifier, written as a UUID.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub [u8; 16]);

impl EventId {
    /// A UUIDv7 (RFC 9562 §5.7): the time in milliseconds, then 74 random bits,
    /// taken from the first ten bytes of `random`. Times before 1970 count as 1970.
    ///
    /// ```
    /// use bulla::event::EventId;
    /// use bulla::time::Timestamp;
    ///
    /// let time = Timestamp::from_millis(0x017F_22E2_79B0).unwrap();
    /// let id = EventId::v7(time, [0xff; 16]);
    /// assert_eq!(id.to_string(), "017f22e2-79b0-7fff-bfff-ffffffffffff");
    /// ```
    pub fn v7(time: Timestamp, random: [u8; 16]) -> Self {
        let millis = u64::try_from(time.as_millis()).unwrap_or(0);
        let mut used = [0; 10];
        used.copy_from_slice(&random[..10]);
        EventId(uuid::Builder::from_unix_timestamp_millis(millis, &used).into_uuid().into_bytes())
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId({self})")
    }
}

/// The text was not a UUID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a UUID such as 019a0000-0000-7000-8000-000000000000: {reason}")]
pub struct ParseEventIdError {
    reason: uuid::Error,
}

impl FromStr for EventId {
    type Err = ParseEventIdError;

    /// Reads a UUID in any of its usual forms (hyphens, none, braces, `urn:uuid:`),
    /// in either case of letters.
    fn from_str(text: &str) -> Result<Self, ParseEventIdError> {
        match uuid::Uuid::try_parse(text) {
            Ok(uuid) => Ok(EventId(uuid.into_bytes())),
            Err(reason) => Err(ParseEventIdError { reason }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_round_trips_through_text() {
        let id = EventId([0xa5; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(format!("{id:?}"), "EventId(a5a5a5a5-a5a5-a5a5-a5a5-a5a5a5a5a5a5)");
        for bad in ["", "a5", "a5a5a5a5-a5a5-a5a5-a5a5-a5a5a5a5a5ag", "é"] {
            assert!(bad.parse::<EventId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_made_later_sort_after_earlier_ones() {
        let at = |millis| EventId::v7(Timestamp::from_millis(millis).unwrap(), [7; 16]);
        assert!(at(1) < at(2));
        assert_eq!(at(-5), at(0));
        assert_eq!(EventId::v7(Timestamp::MAX, [0xff; 16]).0[6] >> 4, 7);
    }
}
