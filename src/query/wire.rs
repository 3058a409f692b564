//! The bytes of a query, in which an answer names the question that it answers.
//!
//! ```text
//! query  = version (1) ‖ order (1) ‖ limit ‖ actors ‖ resources ‖ tenants ‖ actions
//!          ‖ outcomes (1) ‖ refused outcomes (1) ‖ system (1) ‖ request ids
//!          ‖ correlation ids ‖ event ids ‖ occurred ‖ recorded
//!          ‖ in version 2: on behalf of ‖ trace ids
//! limit  = 00, or 01 ‖ records (8)
//! list   = number (4) ‖ items, strictly ascending
//! id     = type ‖ id, each 00, or 01 ‖ text       an actor has its id, a resource its type
//! trace id = 16 bytes, not all zeros
//! text   = length (4) ‖ bytes
//! range  = since ‖ until, each 00, or 01 ‖ nanoseconds since 1970 (8)
//! ```
//!
//! Version 2 is written where version 1 cannot say the same: with a value in one of the lists that
//! only it has, or with the bit of the outcome *unknown*.
//!
//! The same question has the same bytes, whatever the order its values were given in. The
//! cursor is no part of the question: it says which records the answer speaks about.

use super::action::ActionGlob;
use super::builder::Query;
use super::filters::{Filters, IdFilter, Order, TimeRange};
use crate::event::{EventId, Outcome, TraceId};
use crate::time::Timestamp;

/// The most bytes that are read as a query: 1 MiB.
pub const QUERY_LEN_MAX: usize = 1 << 20;

/// The most values of one list that are read: each candidate is compared with all of them.
pub const QUERY_VALUES_MAX: u32 = 4_096;

const VERSION: u8 = 1;
/// The version with the filters and the outcome that [`VERSION`] does not know.
const VERSION_ADDED: u8 = 2;
/// The outcomes that [`VERSION`] knows: those with the codes 0 to 3.
const OUTCOMES_END: u8 = 1 << 4;

/// The bytes are not a query in the only spelling it has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected at byte {offset} of a query: {expected}; found something else")]
pub struct InvalidQueryBytes {
    /// Where, from the start.
    pub offset: usize,
    /// What must be there.
    pub expected: &'static str,
}

impl Query {
    /// The bytes of the question; the cursor is left out. See `docs/format.md`, “Answers”.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Query { filters, order, limit, after: _ } = self;
        let version = filters.wire_version();
        let mut out = vec![version, order_code(*order)];
        put_optional(&mut out, limit.map(|limit| limit.to_le_bytes().to_vec()));
        put_ids(&mut out, &filters.actors);
        put_ids(&mut out, &filters.resources);
        put_texts(&mut out, filters.tenants.iter().map(String::as_str));
        put_texts(&mut out, filters.actions.iter().map(ActionGlob::as_str));
        out.extend([filters.outcomes, filters.refused_outcomes, u8::from(filters.system)]);
        put_texts(&mut out, filters.request_ids.iter().map(String::as_str));
        put_texts(&mut out, filters.correlation_ids.iter().map(String::as_str));
        put_list(&mut out, filters.event_ids.iter().map(|id| id.0.to_vec()));
        for range in [filters.occurred, filters.recorded] {
            for end in [range.since, range.until] {
                put_optional(&mut out, end.map(|time| time.as_nanos().to_le_bytes().to_vec()));
            }
        }
        if version == VERSION_ADDED {
            put_ids(&mut out, &filters.on_behalf_of);
            put_list(&mut out, filters.trace_ids.iter().map(|id| id.as_bytes().to_vec()));
        }
        out
    }

    /// Reads a question, strictly: what is read is written again byte for byte.
    ///
    /// # Errors
    /// Says what is not as it must be, and where; more than [`QUERY_LEN_MAX`] bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidQueryBytes> {
        if bytes.len() > QUERY_LEN_MAX {
            return Err(InvalidQueryBytes { offset: QUERY_LEN_MAX, expected: "its end" });
        }
        let mut reader = Reader { bytes, at: 0 };
        let query = reader.query()?;
        if reader.at < bytes.len() {
            return Err(reader.expected("its end"));
        }
        let again = query.to_bytes();
        match again.iter().zip(bytes).position(|(again, read)| again != read) {
            None if again.len() == bytes.len() => Ok(query),
            at => {
                let expected = "strictly ascending values";
                Err(InvalidQueryBytes { offset: at.unwrap_or(again.len()), expected })
            }
        }
    }
}

impl Filters {
    /// The version that says what is asked.
    fn wire_version(&self) -> u8 {
        let is_plain = self.on_behalf_of.is_empty()
            && self.trace_ids.is_empty()
            && (self.outcomes | self.refused_outcomes) < OUTCOMES_END;
        if is_plain { VERSION } else { VERSION_ADDED }
    }
}

fn order_code(order: Order) -> u8 {
    match order {
        Order::NewestFirst => 0,
        Order::OldestFirst => 1,
    }
}

fn put_len(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
}

fn put_optional(out: &mut Vec<u8>, value: Option<Vec<u8>>) {
    out.push(u8::from(value.is_some()));
    out.extend(value.unwrap_or_default());
}

fn text(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_len(&mut out, text.len());
    out.extend_from_slice(text.as_bytes());
    out
}

fn put_list(out: &mut Vec<u8>, items: impl Iterator<Item = Vec<u8>>) {
    let mut items: Vec<Vec<u8>> = items.collect();
    items.sort_unstable();
    items.dedup();
    put_len(out, items.len());
    out.extend(items.concat());
}

/// Ordered by the text, not by its spelling with the length.
fn put_texts<'a>(out: &mut Vec<u8>, texts: impl Iterator<Item = &'a str>) {
    let mut texts: Vec<&str> = texts.collect();
    texts.sort_unstable();
    texts.dedup();
    put_len(out, texts.len());
    texts.into_iter().for_each(|item| out.extend(text(item)));
}

fn put_ids(out: &mut Vec<u8>, ids: &[IdFilter]) {
    let mut ids: Vec<&IdFilter> = ids.iter().collect();
    ids.sort_unstable();
    ids.dedup();
    put_len(out, ids.len());
    for IdFilter { kind, id } in ids {
        put_optional(out, kind.as_deref().map(text));
        put_optional(out, id.as_deref().map(text));
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn expected(&self, expected: &'static str) -> InvalidQueryBytes {
        InvalidQueryBytes { offset: self.at, expected }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], InvalidQueryBytes> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..len).ok_or_else(|| self.expected("more bytes"))?;
        self.at += len;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], InvalidQueryBytes> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// A byte that is one of the first so many numbers.
    fn below(&mut self, end: u8, expected: &'static str) -> Result<u8, InvalidQueryBytes> {
        match self.bytes.get(self.at).filter(|byte| **byte < end) {
            Some(byte) => {
                self.at += 1;
                Ok(*byte)
            }
            None => Err(self.expected(expected)),
        }
    }

    fn flag(&mut self) -> Result<bool, InvalidQueryBytes> {
        self.below(2, "00 or 01").map(|byte| byte == 1)
    }

    fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, InvalidQueryBytes>,
    ) -> Result<Option<T>, InvalidQueryBytes> {
        match self.flag()? {
            true => read(self).map(Some),
            false => Ok(None),
        }
    }

    fn text(&mut self) -> Result<String, InvalidQueryBytes> {
        let len = u32::from_le_bytes(self.array()?);
        let start = self.at;
        let bytes = self.take(usize::try_from(len).unwrap_or(usize::MAX))?;
        let text = std::str::from_utf8(bytes);
        text.map(str::to_owned).map_err(|_| InvalidQueryBytes { offset: start, expected: "UTF-8" })
    }

    /// Every item takes a byte or more, so the bytes bound the list.
    fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, InvalidQueryBytes>,
    ) -> Result<Vec<T>, InvalidQueryBytes> {
        let number = u32::from_le_bytes(self.array()?);
        if number > QUERY_VALUES_MAX {
            return Err(self.expected("a list of at most 4,096 values"));
        }
        let mut items = Vec::new();
        for _ in 0..number {
            items.push(read(self)?);
        }
        Ok(items)
    }

    fn id(&mut self) -> Result<IdFilter, InvalidQueryBytes> {
        Ok(IdFilter { kind: self.optional(Self::text)?, id: self.optional(Self::text)? })
    }

    /// The index knows actors by their ids, so one without an id has no place in a query.
    fn actor(&mut self) -> Result<IdFilter, InvalidQueryBytes> {
        let start = self.at;
        let actor = self.id()?;
        match actor.id {
            Some(_) => Ok(actor),
            None => Err(InvalidQueryBytes { offset: start, expected: "an actor with an id" }),
        }
    }

    fn resource(&mut self) -> Result<IdFilter, InvalidQueryBytes> {
        let start = self.at;
        let resource = self.id()?;
        match resource.kind {
            Some(_) => Ok(resource),
            None => Err(InvalidQueryBytes { offset: start, expected: "a resource with a type" }),
        }
    }

    fn action(&mut self) -> Result<ActionGlob, InvalidQueryBytes> {
        let start = self.at;
        let action = self.text()?.parse();
        action.map_err(|_| InvalidQueryBytes { offset: start, expected: "an action or a prefix" })
    }

    fn trace_id(&mut self) -> Result<TraceId, InvalidQueryBytes> {
        let start = self.at;
        let expected = "a trace id that is not all zeros";
        TraceId::from_bytes(self.array()?).ok_or(InvalidQueryBytes { offset: start, expected })
    }

    fn range(&mut self) -> Result<TimeRange, InvalidQueryBytes> {
        let time = |reader: &mut Self| reader.array().map(i64::from_le_bytes);
        let since = self.optional(time)?.map(Timestamp::from_nanos);
        Ok(TimeRange { since, until: self.optional(time)?.map(Timestamp::from_nanos) })
    }

    fn query(&mut self) -> Result<Query, InvalidQueryBytes> {
        let version = match self.bytes.first() {
            Some(version @ (&VERSION | &VERSION_ADDED)) => *version,
            _ => return Err(self.expected("version 1 or 2")),
        };
        self.at = 1;
        let order = match self.below(2, "order 0 or 1")? {
            0 => Order::NewestFirst,
            _ => Order::OldestFirst,
        };
        let limit = self.optional(|reader| reader.array().map(u64::from_le_bytes))?;
        let outcomes_end = if version == VERSION { OUTCOMES_END } else { 1 << Outcome::ALL.len() };
        // In the order of the fields.
        let mut filters = Filters {
            actors: self.list(Self::actor)?,
            resources: self.list(Self::resource)?,
            tenants: self.list(Self::text)?,
            actions: self.list(Self::action)?,
            outcomes: self.below(outcomes_end, "outcomes")?,
            refused_outcomes: self.below(outcomes_end, "outcomes")?,
            system: self.flag()?,
            request_ids: self.list(Self::text)?,
            correlation_ids: self.list(Self::text)?,
            event_ids: self.list(|reader| reader.array().map(EventId))?,
            occurred: self.range()?,
            recorded: self.range()?,
            on_behalf_of: Vec::new(),
            trace_ids: Vec::new(),
        };
        if version == VERSION_ADDED {
            filters.on_behalf_of = self.list(Self::actor)?;
            filters.trace_ids = self.list(Self::trace_id)?;
        }
        Ok(Query { filters, order, limit, after: None })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rich() -> Query {
        let time = Timestamp::from_nanos;
        Query::new()
            .actor("bob")
            .actor("alice")
            .actor_type_id("user", "alice")
            .resource_type("invoice")
            .resource("invoice", "7")
            .tenant("acme")
            .action("invoice.*")
            .unwrap()
            .action("a")
            .unwrap()
            .outcome(Outcome::Denied)
            .not_outcome(Outcome::Success)
            .request_id("r")
            .correlation_id("c")
            .event_id(EventId([7; 16]))
            .occurred_since(time(-5))
            .recorded_until(time(i64::MAX))
            .oldest_first()
            .limit(50)
            .system(true)
    }

    /// With what only version 2 says.
    fn richer() -> Query {
        let trace = |byte| TraceId::from_bytes([byte; 16]).unwrap();
        let query = rich().on_behalf_of("carol").on_behalf_of_type_id("user", "dave");
        query.trace_id(trace(9)).trace_id(trace(8)).not_outcome(Outcome::Unknown)
    }

    #[test]
    fn the_lowest_version_that_says_it_is_written_and_no_other_is_read() {
        let trace = TraceId::from_bytes([1; 16]).unwrap();
        let version = |query: Query| query.to_bytes()[0];
        assert_eq!(version(rich()), 1);
        for query in [
            Query::new().on_behalf_of("a"),
            Query::new().trace_id(trace),
            Query::new().outcome(Outcome::Unknown),
            Query::new().not_outcome(Outcome::Unknown),
        ] {
            assert_eq!(version(query), 2);
        }
        // Version 2 without anything that needs it.
        let plain = [&[2], &Query::new().to_bytes()[1..], &[0; 8]].concat();
        assert!(Query::from_bytes(&plain).is_err());
        // The bit of an outcome that version 1 does not know.
        let mut unknown = Query::new().to_bytes();
        unknown[19] = 1 << 4;
        assert!(Query::from_bytes(&unknown).is_err());
        let mut zeros = Query::new().trace_id(trace).to_bytes();
        let len = zeros.len();
        zeros[len - 16..].fill(0);
        assert!(Query::from_bytes(&zeros).unwrap_err().to_string().contains("a trace id"));
    }

    #[test]
    fn what_is_written_is_read_and_asks_the_same() {
        for query in [Query::new(), rich(), richer(), Query::new().limit(0).resource("", "")] {
            let bytes = query.to_bytes();
            let read = Query::from_bytes(&bytes).unwrap();
            assert_eq!(read.to_bytes(), bytes);
            assert_eq!(read.filters.fingerprint(), query.filters.fingerprint());
            assert_eq!((read.order, read.limit), (query.order, query.limit));
        }
    }

    #[test]
    fn the_order_of_values_and_repetitions_do_not_matter() {
        let one = Query::new().actor("a").actor("b").tenant("z").tenant("é");
        let other = Query::new().tenant("é").actor("b").tenant("z").actor("a").actor("a");
        assert_eq!(one.to_bytes(), other.to_bytes());
    }

    #[test]
    fn an_id_filter_that_the_index_cannot_answer_is_refused() {
        let mut query = Query::new();
        query.filters.actors.push(IdFilter { kind: Some("user".to_owned()), id: None });
        assert!(Query::from_bytes(&query.to_bytes()).is_err());
        let mut query = Query::new();
        query.filters.resources.push(IdFilter { kind: None, id: Some("7".to_owned()) });
        assert!(Query::from_bytes(&query.to_bytes()).is_err());
    }

    #[test]
    fn every_cut_is_refused_and_every_change_is_another_question_or_none() {
        for bytes in [rich().to_bytes(), richer().to_bytes()] {
            for len in 0..bytes.len() {
                assert!(Query::from_bytes(&bytes[..len]).is_err(), "{len}");
            }
            for at in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[at] ^= 1;
                if let Ok(read) = Query::from_bytes(&changed) {
                    assert_eq!(read.to_bytes(), changed, "{at}");
                }
            }
            assert!(Query::from_bytes(&[bytes, vec![0]].concat()).is_err());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_that_are_read_are_written_again(bytes in prop::collection::vec(0_u8..4, 0..90)) {
            if let Ok(read) = Query::from_bytes(&bytes) {
                prop_assert_eq!(read.to_bytes(), bytes);
            }
        }
    }
}
