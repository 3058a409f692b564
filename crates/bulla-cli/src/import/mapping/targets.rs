//! Where a mapping finds the further resources of an event.

use bulla::event::Target;
use serde_json::{Map, Value};

use super::super::document::Document;
use super::super::targets::Targets;
use super::source::Source;

/// A place of targets: in the event, or in each element of a list in it.
#[derive(Clone, Debug)]
pub(super) struct TargetSource {
    /// The list; the pointers of type, id and role are then into its elements.
    each: Option<String>,
    kind: Vec<Source>,
    id: Vec<Source>,
    role: Vec<Source>,
    /// Whether things of different types have different ids: what has that of the main resource
    /// is the main resource.
    has_unique_ids: bool,
}

/// What the field is called in messages.
const FIELD: &str = "targets";

impl TargetSource {
    /// Reads one from a mapping; the error says what is wrong in it.
    pub(super) fn parse(value: &Value) -> Result<Self, String> {
        let members = value.as_object().ok_or("expected an object with type and id")?;
        const KNOWN: [&str; 5] = ["each", "type", "id", "role", "unique_ids"];
        if let Some(odd) = members.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(format!("{odd:?} is not known here; there are {}", KNOWN.join(", ")));
        }
        let each = match members.get("each") {
            None => None,
            Some(Value::String(path)) if path.starts_with('/') => Some(path.clone()),
            Some(_) => return Err("each: expected a JSON pointer to a list".to_owned()),
        };
        let field = if each.is_some() { Source::OF_ELEMENT } else { FIELD };
        let source = TargetSource {
            kind: sources(members, "type", field)?,
            id: sources(members, "id", field)?,
            role: sources(members, "role", field)?,
            has_unique_ids: has_unique_ids(members.get("unique_ids"))?,
            each,
        };
        match (source.kind.is_empty(), source.id.is_empty()) {
            (true, _) => Err("type is required".to_owned()),
            (_, true) => Err("id is required".to_owned()),
            (false, false) => Ok(source),
        }
    }

    /// Adds what it finds in an event.
    pub(super) fn add_to(&self, targets: &mut Targets<'_>, doc: &Document<'_>) {
        let Some(each) = &self.each else {
            self.add_one(targets, doc);
            return;
        };
        for element in doc.elements(each) {
            if targets.is_full() {
                break;
            }
            self.add_one(targets, &element);
        }
    }

    fn add_one(&self, targets: &mut Targets<'_>, doc: &Document<'_>) {
        let found = self.target(doc);
        let is_main = |id: &str| self.has_unique_ids && targets.is_id_of_main(id);
        if let Some(target) = found.filter(|target| !is_main(&target.id)) {
            targets.add(target);
        }
    }

    fn target(&self, doc: &Document<'_>) -> Option<Target> {
        let text = |sources: &[Source]| sources.iter().find_map(|source| source.text(doc));
        let (kind, id) = (text(&self.kind)?, text(&self.id)?);
        Some(Target { role: text(&self.role), ..Target::new(kind, id) })
    }
}

fn has_unique_ids(value: Option<&Value>) -> Result<bool, String> {
    value.map_or(Ok(false), |value| {
        value.as_bool().ok_or_else(|| "unique_ids: expected true or false".to_owned())
    })
}

fn sources(members: &Map<String, Value>, name: &str, field: &str) -> Result<Vec<Source>, String> {
    let Some(value) = members.get(name) else { return Ok(Vec::new()) };
    let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let parsed = list.iter().map(|value| Source::parse(field, value));
    parsed.collect::<Result<_, _>>().map_err(|problem| format!("{name}: {problem}"))
}
