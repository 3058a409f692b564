//! The rules of a redactor: names, patterns, and what records say of them.

use std::sync::Arc;

use super::names::Names;
use super::pattern::{self, Pattern};
use super::places;
use crate::event::limits::REDACTED_RULES_LEN_MAX;

/// What stands in place of a value, or of a part of a text.
pub const REDACTED: &str = "[redacted]";

#[derive(Clone)]
pub(super) struct Rules {
    pub(super) title: String,
    /// Whether what is added is told in the title.
    pub(super) told: bool,
    pub(super) names: Names,
    pub(super) patterns: Vec<(String, Arc<dyn Pattern>)>,
}

impl Rules {
    pub(super) fn tell(&mut self, added: &str) {
        if self.told {
            extend(&mut self.title, "+");
            extend(&mut self.title, added);
        }
    }

    /// The text without what patterns find, if they find anything.
    pub(super) fn in_text(&self, text: &str) -> Option<String> {
        let found = pattern::found(&self.patterns, text);
        if found.is_empty() {
            return None;
        }
        let (mut out, mut copied) = (String::with_capacity(text.len()), 0);
        for range in found {
            out.push_str(text.get(copied..range.start).unwrap_or_default());
            out.push_str(REDACTED);
            copied = range.end;
        }
        out.push_str(text.get(copied..).unwrap_or_default());
        Some(out)
    }
}

/// Extends a title as far as a record may hold it, without control characters.
pub(super) fn extend(title: &mut String, added: &str) {
    const CUT: char = '…';
    const ROOM: usize = REDACTED_RULES_LEN_MAX - CUT.len_utf8();
    // What an escape takes that did not fit may be free in a title that was cut.
    if title.ends_with(CUT) && title.len() + "\\u{9f}".len() > ROOM {
        return;
    }
    for shown in places::shown(added) {
        if title.len() + shown.len() > ROOM {
            title.push(CUT);
            return;
        }
        title.push_str(&shown);
    }
}
