//! What is taken out of events that come in from outside, and out of what messages quote.

use bulla::redact::{Redactor, bearer_tokens, card_numbers, private_keys};

/// The standard names, and the patterns that come with the library.
pub fn redactor() -> Redactor {
    Redactor::standard()
        .pattern("card_numbers", card_numbers())
        .pattern("bearer_tokens", bearer_tokens())
        .pattern("private_keys", private_keys())
}
