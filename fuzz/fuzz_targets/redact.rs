//! Law: redaction never panics, leaves JSON that is JSON, changes nothing when it is applied
//! again, and makes no valid event one that claims too much of it was redacted.
#![no_main]

use std::borrow::Cow;

use bulla::redact::{Redactor, bearer_tokens, card_numbers, private_keys};
use bulla::{Actor, Event, Json, Resource};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let redactor = Redactor::standard()
        .pattern("card_numbers", card_numbers())
        .pattern("bearer_tokens", bearer_tokens())
        .pattern("private_keys", private_keys());
    let mut event = Event::from_json(text).unwrap_or_else(|_| {
        Event::new(Actor::new("user", "alice"), "x.y", Resource::kind_only("r")).tag(text, text)
    });
    event.reason.get_or_insert_with(|| text.to_owned());
    if event.details.is_none() {
        event.details = Json::parse(text).ok();
    }
    let kept = redactor.apply(&event);
    for json in [&kept.details, &kept.old_values, &kept.new_values].into_iter().flatten() {
        assert_eq!(Json::parse(json.as_str()).unwrap(), *json);
    }
    assert!(matches!(redactor.apply(&kept), Cow::Borrowed(_)));
    if let (Ok(()), Err(invalid)) = (event.validate(), kept.validate()) {
        assert!(!invalid.field.starts_with("redacted"), "{invalid}");
    }
});
