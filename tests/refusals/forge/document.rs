//! Where fields stand, by the tables of docs/format.md and nothing else.

use std::collections::BTreeMap;
use std::sync::OnceLock;

pub(crate) const DOCUMENT: &str = include_str!("../../../docs/format.md");

/// Offset and size.
pub(crate) type Place = (usize, usize);

/// The tables `| name | offset | size | … |`, by their headings.
fn layouts() -> &'static BTreeMap<String, Vec<(String, Place)>> {
    static TABLES: OnceLock<BTreeMap<String, Vec<(String, Place)>>> = OnceLock::new();
    TABLES.get_or_init(|| {
        let mut tables: BTreeMap<String, Vec<(String, Place)>> = BTreeMap::new();
        for (heading, cells) in rows() {
            if let [_, name, offset, size, ..] = cells.as_slice()
                && let (Ok(offset), Ok(size)) = (offset.parse(), size.parse())
            {
                let name = name.trim_matches('`').to_owned();
                tables.entry(heading).or_default().push((name, (offset, size)));
            }
        }
        tables
    })
}

/// The rows of all tables, with the heading above each; of bodies the line `Kind 16, …`.
fn rows() -> Vec<(String, Vec<String>)> {
    let (mut heading, mut rows) = (String::new(), Vec::new());
    for line in DOCUMENT.lines() {
        if let Some(title) = line.strip_prefix('#') {
            heading = title.trim_start_matches('#').trim().to_owned();
        } else if let Some(kind) = line.strip_prefix("Kind ") {
            let number = kind.split([',', ' ']).next().unwrap_or_default();
            heading = format!("Kind {number}");
        } else if line.starts_with('|') {
            let cells = line.split('|').map(|cell| cell.trim().to_owned()).collect();
            rows.push((heading.clone(), cells));
        }
    }
    rows
}

/// Where a field of a fixed-width structure stands.
pub(crate) fn place(structure: &str, field: &str) -> Place {
    let table = layouts().get(structure).unwrap_or_else(|| panic!("no table “{structure}”"));
    let row = table.iter().find(|(name, _)| name == field);
    row.unwrap_or_else(|| panic!("no field {field} in “{structure}”")).1
}

/// How long a fixed-width structure is.
pub(crate) fn len(structure: &str) -> usize {
    layouts()[structure].iter().map(|(_, (_, size))| size).sum()
}

/// The fields that a body has in schema 1 (`Envelope`, `Payload`, `Anchor`, `Kind 17`, …): name and encoding.
pub(crate) fn body(name: &str) -> Vec<(String, String)> {
    let rows = rows().into_iter().filter(|(heading, cells)| {
        let is_later = |cell: &String| {
            cell.starts_with("schema 3 only") || cell.starts_with("from schema 2 on")
        };
        heading == name
            && cells.len() >= 5
            && cells[1].parse::<u32>().is_ok()
            && !cells.iter().any(is_later)
    });
    rows.map(|(_, cells)| (cells[2].trim_matches('`').to_owned(), cells[3].replace('`', "")))
        .collect()
}

/// Ids of refusals with the means that refuse them, as the document lists them.
pub(crate) fn refusals() -> Vec<(String, Vec<String>)> {
    let ids = rows()
        .into_iter()
        .filter(|(_, cells)| cells.len() >= 5 && cells[1].trim_matches('`').starts_with("R-"));
    ids.map(|(_, cells)| {
        let by = cells[3].split(',').map(|means| means.trim().to_owned()).collect();
        (cells[1].trim_matches('`').to_owned(), by)
    })
    .collect()
}
