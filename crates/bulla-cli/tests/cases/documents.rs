//! The shape of JSON events: wrappers, length, depth, bad escapes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bulla::event::Event;
use bulla_cli::import::{self, Counts, Format, Item, Mapping, SHORTENED};

fn input(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/inputs").join(name)
}

fn sample(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name);
    fs::read_to_string(path).unwrap()
}

fn format(name: &str) -> Format {
    match name.strip_prefix("json:") {
        Some(mapping) => Format::Json(Arc::new(Mapping::open(mapping).unwrap())),
        None => name.parse().unwrap(),
    }
}

fn read(path: &Path, name: &str) -> (Vec<Item>, Counts) {
    let mut import = import::read(path, &format(name)).unwrap();
    let items: Vec<Item> = import.by_ref().map(Result::unwrap).collect();
    let counts = import.counts();
    assert_eq!(counts.imported + counts.rejected, counts.lines, "{}", path.display());
    (items, counts)
}

fn read_text(text: &[u8], name: &str) -> (Vec<Item>, Counts) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trail");
    fs::write(&path, text).unwrap();
    read(&path, name)
}

/// All of them, of a file of which nothing is rejected.
fn all(items: &[Item]) -> Vec<&Event> {
    let event = |item| match item {
        &Item::Event { ref event, .. } => event,
        rejected @ Item::Rejected { .. } => panic!("{rejected:?}"),
    };
    items.iter().map(event).collect()
}

fn details(event: &Event) -> serde_json::Value {
    event.details.as_ref().unwrap().to_value().unwrap()
}

mod length {
    use super::*;

    #[test]
    fn a_long_path_is_shortened_and_keeps_its_event() {
        let (items, counts) = read(&input("04a-auditd-deep-directory.log"), "auditd");
        let events = all(&items);
        assert_eq!((events.len(), counts.lines), (2, 4));
        let id = events[0].resource.id.as_ref().unwrap();
        assert!(id.starts_with("/d/d/") && id.len() == 4096 && id.contains('…'), "{id}");
        assert_eq!(events[0].tags[SHORTENED], "resource.id");
        assert!(!events[1].tags.contains_key(SHORTENED));
    }

    #[test]
    fn a_long_command_line_keeps_its_event() {
        let mut log = String::from(
            "type=SYSCALL msg=audit(1700000000.100:7): arch=c000003e syscall=59 success=yes \
             exit=0 auid=1000 uid=0 comm=\"x\" exe=\"/usr/bin/evil\" key=\"exec\"\n",
        );
        for at in 0..160 {
            let argument = "41".repeat(3700);
            log += &format!("type=EXECVE msg=audit(1700000000.100:7): a1[{at}]={argument}\n");
        }
        let (items, counts) = read_text(log.as_bytes(), "auditd");
        let events = all(&items);
        assert_eq!((events.len(), counts.imported), (1, 161));
        assert_eq!(events[0].tags["exe"], "/usr/bin/evil");
        assert_eq!(events[0].tags[SHORTENED], "details");
        let original = &details(events[0])["original"];
        assert!(original["bytes"].as_u64().unwrap() > 1 << 20);
        assert!(original["beginning"].as_str().unwrap().contains("/usr/bin/evil"));
    }

    #[test]
    fn long_names_are_shortened_and_stay_different() {
        let (items, _) = read(&input("04c-k8s-long-names.jsonl"), "k8s");
        let shortened =
            all(&items).iter().filter(|event| event.tags.contains_key(SHORTENED)).count();
        assert!(shortened >= 3, "{shortened}");
        let named = |end: &str| {
            let line = sample("k8s.jsonl")
                .lines()
                .next()
                .unwrap()
                .replace("alice@example.com", &format!("{}{end}", "a".repeat(5000)));
            let (items, _) = read_text(line.as_bytes(), "k8s");
            all(&items)[0].actor.id.clone()
        };
        assert_ne!(named("1"), named("2"));
    }

    #[test]
    fn a_large_body_keeps_its_event() {
        let event = |body: &str| {
            format!(
                r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"create","user":{{"username":"ann"}},"objectRef":{{"resource":"configmaps","namespace":"shop","name":"x"}},"requestReceivedTimestamp":"2026-01-02T03:04:05Z","requestObject":{body}}}"#
            )
        };
        let large = event(&format!("{{\"data\":{{\"x\":\"{}\"}}}}", "A".repeat(1_100_000)));
        let (items, _) = read_text(format!("{large}\n{}", event("1")).as_bytes(), "k8s");
        let events = all(&items);
        let original = &details(events[0])["original"];
        assert_eq!(original["bytes"], large.len());
        assert_eq!(original["blake3"], blake3::hash(large.as_bytes()).to_hex().to_string());
        assert!(large.starts_with(original["beginning"].as_str().unwrap()));
        assert_eq!(events[0].actor.id, "ann");
        assert_eq!(events[0].tags[SHORTENED], "details");
        assert!(!events[1].tags.contains_key(SHORTENED));
    }

    /// One byte more than each limit in turn; the text is of one-byte or of two-byte characters,
    /// one of which stands across the limit.
    fn long_texts() -> Vec<String> {
        [256, 1024, 4096, 8192, 65_536]
            .into_iter()
            .flat_map(|limit| {
                [format!("{}b", "a".repeat(limit)), format!("a{}", "é".repeat(limit / 2))]
            })
            .collect()
    }

    /// Puts the text in place of each text in turn, but for those that must have a form of
    /// their own.
    fn with_each_replaced(whole: &serde_json::Value, long: &str, paths: &mut Vec<String>) {
        fn walk(at: &serde_json::Value, path: &str, paths: &mut Vec<String>) {
            const KEPT: [&str; 8] = [
                "time",
                "timestamp",
                "published",
                "created",
                "version",
                "kind",
                "outcome",
                "stage",
            ];
            match at {
                serde_json::Value::String(_) => paths.push(path.to_owned()),
                serde_json::Value::Array(items) => items
                    .iter()
                    .enumerate()
                    .for_each(|(n, item)| walk(item, &format!("{path}/{n}"), paths)),
                serde_json::Value::Object(members) => members
                    .iter()
                    .filter(|(name, _)| !KEPT.iter().any(|kept| name.to_lowercase().contains(kept)))
                    .for_each(|(name, item)| {
                        let name = name.replace('~', "~0").replace('/', "~1");
                        walk(item, &format!("{path}/{name}"), paths);
                    }),
                _ => {}
            }
        }
        walk(whole, "", paths);
        for path in paths {
            let mut changed = whole.clone();
            *changed.pointer_mut(path).unwrap() = long.into();
            *path = changed.to_string();
        }
    }

    #[test]
    fn no_text_of_a_json_event_keeps_it_out_by_its_length() {
        for (file, name) in [
            ("cloudtrail.jsonl", "cloudtrail"),
            ("k8s.jsonl", "k8s"),
            ("github.jsonl", "json:github"),
            ("okta.jsonl", "json:okta"),
            ("gcp.jsonl", "json:gcp"),
            ("gworkspace.jsonl", "json:gworkspace"),
        ] {
            // The first good line has most of the fields; the others have the rest.
            let lines = sample(file);
            for line in lines.lines().take(3) {
                let Ok(event) = serde_json::from_str(line) else { continue };
                if read_text(line.as_bytes(), name).1.rejected > 0 {
                    continue;
                }
                let mut shortened = 0;
                for long in long_texts() {
                    let mut variants = Vec::new();
                    with_each_replaced(&event, &long, &mut variants);
                    let (items, _) = read_text(variants.join("\n").as_bytes(), name);
                    let events = all(&items);
                    assert_eq!(events.len(), variants.len(), "{name}");
                    let marked = |event: &&&Event| event.tags.contains_key(SHORTENED);
                    shortened += events.iter().filter(marked).count();
                }
                assert!(shortened > 5, "{name}: {shortened}");
            }
        }
    }

    #[test]
    fn no_value_of_an_audit_record_keeps_it_out_by_its_length() {
        let lines = sample("auditd.log");
        let good = lines.lines().filter(|line| line.contains("): "));
        for line in good.take(12) {
            let (head, body) = line.split_once("): ").unwrap();
            let starts = body.match_indices('=').map(|(at, _)| at + 1);
            for start in starts {
                let value = &body[start..];
                let end = value.find([' ', '\'']).unwrap_or(value.len());
                for long in long_texts() {
                    let changed = format!("{head}): {}\"{long}\"{}", &body[..start], &value[end..]);
                    let (items, _) = read_text(changed.as_bytes(), "auditd");
                    assert_eq!(all(&items).len(), 1, "{line}");
                }
            }
        }
    }
}
