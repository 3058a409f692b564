//! Our own JSON lines: events, and records as `bulla query --output jsonl` shows them.

use bulla::event::Event;
use bulla::event::limits::RESERVED_ACTION_PREFIX;

use super::quoting::json_error;
use super::reasons::NOT_JSON;

/// The tag of an event whose payload the other log did not show.
const PAYLOAD: &str = "payload";

/// Reads an event strictly. Of a record what only its log could give is left out; that
/// its payload was sealed or erased becomes a tag.
pub(crate) fn read(bytes: &[u8]) -> Result<Event, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        format!("{NOT_JSON}not UTF-8: wrong byte at offset {}", error.valid_up_to())
    })?;
    let (mut event, absence) = Event::from_record_json(text).map_err(json_error)?;
    if let Some(absence) = absence {
        event.tags.insert(PAYLOAD.to_owned(), absence);
    } else if event.action.starts_with(RESERVED_ACTION_PREFIX) && event.resource.kind == "catalog" {
        return Err("an anchor of another log, which belongs to no other: leave it out".to_owned());
    }
    Ok(event)
}
