//! [`Json`]: JSON text that an event carries.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;

/// JSON text, checked to be JSON and kept byte for byte.
///
/// Kept means: key order, number spelling and white space within the value stay.
/// Equality compares the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Json {
    text: Box<str>,
    depth: usize,
}

impl Json {
    /// Checks the text and keeps it, without white space around it.
    ///
    /// ```
    /// use bulla::event::Json;
    ///
    /// let json = Json::parse(r#"{"b": 1.0, "a": 2}"#)?;
    /// assert_eq!(json.as_str(), r#"{"b": 1.0, "a": 2}"#);
    /// # Ok::<(), bulla::event::json::InvalidJson>(())
    /// ```
    ///
    /// # Errors
    /// The text is not one JSON value (RFC 8259).
    pub fn parse(text: &str) -> Result<Self, InvalidJson> {
        serde_json::from_str::<&RawValue>(text).map(Json::from).map_err(InvalidJson)
    }

    /// The text of this value, without spaces.
    pub fn from_value(value: &serde_json::Value) -> Self {
        Json::from_checked(&value.to_string())
    }

    /// Keeps text that is known to be one JSON value.
    pub(crate) fn from_checked(text: &str) -> Self {
        Json { text: text.into(), depth: depth(text.as_bytes()) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How deep arrays and objects are nested: 0 for a plain value, 1 for `[]`.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The value, parsed.
    ///
    /// # Errors
    /// The text is JSON, but beyond what [`serde_json::Value`] holds: a number
    /// larger than an `f64`, half of a surrogate pair, or more than 127 levels.
    pub fn to_value(&self) -> Result<serde_json::Value, InvalidJson> {
        serde_json::from_str(&self.text).map_err(InvalidJson)
    }
}

/// Whether the text is exactly one JSON value, with nothing around it.
pub(crate) fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok_and(|raw| raw.get().len() == text.len())
}

/// The deepest nesting in JSON text, by counting brackets outside strings.
fn depth(text: &[u8]) -> usize {
    let (mut level, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for &byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true, // valid JSON has it only in strings
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                level += 1;
                deepest = deepest.max(level);
            }
            b']' | b'}' => level = level.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

impl From<&RawValue> for Json {
    fn from(raw: &RawValue) -> Self {
        Json::from_checked(raw.get())
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        Json::from_value(&value)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({})", self.text)
    }
}

/// Writes the text as it is; only with `serde_json`'s serializers.
impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.text).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// Keeps the text as it is; only with `serde_json`'s deserializers.
impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer).map_err(D::Error::custom)?;
        Ok(Json::from(&*raw))
    }
}

/// The text was not JSON, or not JSON of the expected shape. Says what is wrong,
/// naming the field if there is one, and where.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidJson(pub(super) serde_json::Error);

impl InvalidJson {
    /// Line in the text, from 1; 0 if unknown.
    pub fn line(&self) -> usize {
        self.0.line()
    }

    /// Column in the line, in bytes from 1; 0 if unknown.
    pub fn column(&self) -> usize {
        self.0.column()
    }
}
