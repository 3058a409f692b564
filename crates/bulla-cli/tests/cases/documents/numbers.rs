//! Times and numbers in unusual spellings.

use super::*;

fn times(items: &[Item]) -> Vec<String> {
    let time = |item: &Item| match item {
        Item::Event { event, .. } => event.occurred_at.map_or("none".into(), |at| at.to_string()),
        Item::Rejected { .. } => "rejected".to_owned(),
    };
    items.iter().map(time).collect()
}

#[test]
fn a_time_in_an_unusual_spelling_keeps_its_event() {
    let (items, _) = read(&input("37-cloudtrail-times.jsonl"), "cloudtrail");
    let found = times(&items);
    // Times that are none (or of a calendar that is not read) are the only ones rejected.
    for (line, expected) in [
        (4, "2026-11-01T10:00:00.123456789Z"),
        (11, "2026-11-01T10:00:00.000000000Z"),
        (12, "2026-11-01T10:00:00.000000000Z"),
        (14, "2026-11-01T10:00:00.000000000Z"),
        (15, "2026-11-01T10:00:00.000000000Z"),
        (22, "2026-11-01T10:00:00.000000000Z"),
        (23, "2026-11-01T10:00:00.000000000Z"),
        (24, "2025-11-01T10:00:00.000000000Z"),
        (25, "2025-11-01T10:00:00.500000000Z"),
        (26, "2025-11-01T10:00:00.000000000Z"),
        (13, "rejected"),
    ] {
        assert_eq!(found[line - 1], expected, "line {line}: {found:?}");
    }
    let (items, _) = read(&input("37-github-times.jsonl"), "json:github");
    assert_eq!(times(&items), ["2025-11-01T10:00:00.000000000Z"; 2]);
}

#[test]
fn every_format_reads_times_as_numbers() {
    for (file, name, member) in [
        ("cloudtrail.jsonl", "cloudtrail", "eventTime"),
        ("k8s.jsonl", "k8s", "requestReceivedTimestamp"),
        ("okta.jsonl", "json:okta", "published"),
        ("gcp.jsonl", "json:gcp", "timestamp"),
        ("github.jsonl", "json:github", "@timestamp"),
    ] {
        let line = sample(file).lines().next().unwrap().to_owned();
        let mut event: serde_json::Value = serde_json::from_str(&line).unwrap();
        event[member] = serde_json::Value::Null;
        for (written, expected) in [
            ("1761991200123", ".123000000Z"),
            ("1761991200123.0", ".123000000Z"),
            ("1.761991200123e12", ".123000000Z"),
            ("\"1761991200123\"", ".123000000Z"),
            ("\" 2025-11-01T10:00:00.1230000000 Z\"", ".123000000Z"),
        ] {
            let null = format!("\"{member}\":null");
            let text = event.to_string().replacen(&null, &format!("\"{member}\":{written}"), 1);
            let (items, _) = read_text(text.as_bytes(), name);
            assert_eq!(times(&items), [format!("2025-11-01T10:00:00{expected}")], "{name} {text}");
        }
    }
}

#[test]
fn a_mapped_number_never_loses_its_event() {
    let mapping = Mapping::open(input("37-mapping-doors.json").to_str().unwrap()).unwrap();
    let path = input("37-mapping-numbers.jsonl");
    let import = import::read(&path, &Format::Json(Arc::new(mapping))).unwrap();
    let items: Vec<Item> = import.map(Result::unwrap).collect();
    let duration = |item: &Item| match item {
        Item::Event { event, .. } => {
            let left_out = event.tags.get("left_out").map(String::as_str);
            assert!(
                left_out.is_none_or(|names| names == "duration_ms" && event.duration_ms.is_none())
            );
            (event.duration_ms, left_out.is_some())
        }
        Item::Rejected { reason, .. } => panic!("{reason}"),
    };
    let found: Vec<_> = items[..7].iter().map(duration).collect();
    assert_eq!(
        found,
        [
            (Some(12), false),
            (Some(12), false),
            (None, true),
            (Some(1000), false),
            (Some(1000), false),
            (None, false),
            (None, true),
        ]
    );
    // A time of a year that no event can have is the only thing that rejects one.
    let rejected: Vec<usize> = (1..)
        .zip(&items)
        .filter_map(|(line, item)| matches!(item, Item::Rejected { .. }).then_some(line))
        .collect();
    assert_eq!(rejected, [15]);
}
