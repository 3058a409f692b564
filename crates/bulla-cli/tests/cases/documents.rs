//! The shape of JSON events: wrappers, length, depth, bad escapes.

mod around;
mod damage;
mod numbers;

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
    let events = items.iter().map(|item| match item {
        Item::Event { event, .. } => event,
        Item::Rejected { .. } => panic!("{item:?}"),
    });
    events.collect()
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

mod characters {
    use super::*;

    const EVENT: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"get","user":{"username":"ann"},"userAgent":"AGENT","objectRef":{"resource":"secrets","namespace":"shop"},"requestReceivedTimestamp":"2026-01-02T03:04:05Z","password":"q","n":NUMBER}"#;

    fn event(agent: &[u8], number: &str) -> Vec<u8> {
        let (head, tail) = EVENT.split_once("AGENT").unwrap();
        [head.as_bytes(), agent, tail.replace("NUMBER", number).as_bytes()].concat()
    }

    #[test]
    fn one_bad_escape_or_number_keeps_its_event_and_its_original() {
        let path = input("12-json-one-bad-escape.jsonl");
        let (items, _) = read(&path, "k8s");
        let events = all(&items);
        assert_eq!(events.len(), 3);
        assert_eq!(events[0].user_agent.as_deref(), Some("curl/\u{fffd}"));
        let lines = fs::read_to_string(path).unwrap();
        for (event, line) in events.iter().zip(lines.lines().filter(|line| !line.is_empty())) {
            assert_eq!(event.details.as_ref().unwrap().as_str(), line);
            assert!(!event.tags.contains_key(import::MENDED));
        }
    }

    #[test]
    fn what_is_no_json_by_one_character_is_mended_and_says_so() {
        for (agent, number, copied, kind, kept) in [
            (&b"a\xff\xe9z"[..], "1", "a\u{fffd}\u{fffd}z", "bytes", r#""a\udcff\udce9z""#),
            (b"a\x01z", "1", "a\\u{1}z", "control_characters", r#""a\u0001z""#),
            (br"a\qz", "1", r"a\qz", "escapes", r#""a\\qz""#),
            (b"az", "NaN", "az", "values", r#""NaN""#),
            (b"az", "01", "az", "values", r#""01""#),
        ] {
            let line = event(agent, number);
            let (items, _) = read_text(&line, "k8s");
            let found = all(&items)[0];
            assert_eq!(found.user_agent.as_deref(), Some(copied));
            assert_eq!(found.tags[import::MENDED], kind);
            let details = found.details.as_ref().unwrap().as_str();
            assert!(details.contains(kept), "{details}");
        }
    }

    #[test]
    fn one_bad_byte_hides_nothing_from_redaction() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("trail");
        fs::write(&path, event(b"\xff", "1")).unwrap();
        let redactor = bulla::redact::Redactor::standard();
        let mut import = import::read(&path, &Format::K8s).unwrap().redacting(Some(redactor));
        let Item::Event { event, redacted, .. } = import.next().unwrap().unwrap() else { panic!() };
        assert!(redacted);
        assert!(event.details.unwrap().as_str().contains(r#""password":"[redacted]""#));
    }

    #[test]
    fn every_json_format_keeps_such_an_event() {
        for (file, name) in [
            ("cloudtrail.jsonl", "cloudtrail"),
            ("k8s.jsonl", "k8s"),
            ("github.jsonl", "json:github"),
            ("okta.jsonl", "json:okta"),
            ("gcp.jsonl", "json:gcp"),
            ("gworkspace.jsonl", "json:gworkspace"),
        ] {
            let lines = sample(file);
            let good = lines.lines().next().unwrap().strip_suffix('}').unwrap();
            for bad in [
                &br#""\ud800""#[..],
                br#""\udc00\ud83d""#,
                b"1e400",
                b"-1e99999",
                b"123456789012345678901234567890",
                b"\"\xff\"",
                b"\"\xed\xa0\x80\"",
                b"\"\x00\x1f\"",
                br#""\x""#,
                b"Infinity",
            ] {
                let line = [good.as_bytes(), b",\"zz\":", bad, b",\"zz\":1}"].concat();
                let (items, _) = read_text(&line, name);
                assert_eq!(all(&items).len(), 1, "{name}");
            }
            let deep = format!("{good},\"zz\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
            let (items, _) = read_text(deep.as_bytes(), name);
            let original = &details(all(&items)[0])["original"];
            assert_eq!(original["levels"], 100_001);
            assert_eq!(original["bytes"], deep.len());
        }
    }

    #[test]
    fn a_bad_byte_keeps_no_audit_record_out() {
        let line = b"type=USER_LOGIN msg=audit(1.000:1): auid=1 msg='acct=\"b\xe9\" res=success'";
        let (items, _) = read_text(line, "auditd");
        assert_eq!(all(&items)[0].resource.id.as_deref(), Some(r"b\xe9"));
    }
}

mod wrappers {
    use super::*;

    fn actions(items: &[Item]) -> Vec<&str> {
        all(items).into_iter().map(|event| event.action.as_str()).collect()
    }

    #[test]
    fn events_are_found_in_what_is_put_around_them() {
        for (file, name, expected) in [
            ("18a-k8s-eventlist.json", "k8s", &["secrets.list", "secrets.get"][..]),
            ("18b-cloudtrail-eventbridge.json", "cloudtrail", &["s3.GetObject"]),
            ("18c-cloudtrail-lookup-events.json", "cloudtrail", &["s3.GetObject"]),
            ("18d-cloudtrail-concatenated.json", "cloudtrail", &["s3.GetObject", "s3.PutObject"]),
        ] {
            let text = fs::read(input(file)).unwrap();
            let (items, _) = read_text(&text, name);
            assert_eq!(actions(&items), expected, "{file}");
            for event in all(&items) {
                assert_eq!(event.actor.id.rsplit('/').next(), Some("ann"), "{file}");
            }
            // Over several lines, one after another, and in an array.
            let two = [text.trim_ascii(), b"\n", text.trim_ascii()].concat();
            let twice = [expected, expected].concat();
            assert_eq!(actions(&read_text(&two, name).0), twice, "{file}");
            if file.starts_with("18d") {
                continue;
            }
            let array = [b"[", text.trim_ascii(), b",", text.trim_ascii(), b"]"].concat();
            assert_eq!(actions(&read_text(&array, name).0), twice, "{file}");
            let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            assert_eq!(actions(&read_text(pretty.as_bytes(), name).0), expected, "{file}");
        }
    }

    #[test]
    fn one_workspace_event_may_be_an_object() {
        let (items, _) = read(&input("18e-gworkspace-split-events.jsonl"), "json:gworkspace");
        let events = all(&items);
        assert_eq!(events.len(), 1);
        assert!(events[0].action.contains("login_failure"), "{}", events[0].action);
        assert_eq!(
            events[0].actor.email.as_deref().unwrap_or(&events[0].actor.id),
            "ann@example.com"
        );
    }

    #[test]
    fn answers_of_the_list_methods_are_lists_of_events() {
        for (file, name, member) in
            [("gworkspace.jsonl", "json:gworkspace", "items"), ("gcp.jsonl", "json:gcp", "entries")]
        {
            let lines = sample(file);
            let lines: Vec<&str> = lines.lines().filter(|line| !line.trim().is_empty()).collect();
            let answer = format!(
                "{{\"kind\":\"x\",\"{member}\":[{}],\"nextPageToken\":\"t\"}}",
                lines.join(",")
            );
            let (expected, _) = read_text(lines.join("\n").as_bytes(), name);
            let (found, counts) = read_text(answer.as_bytes(), name);
            assert_eq!(all(&found), all(&expected));
            assert_eq!(counts.lines, lines.len() as u64);
        }
    }

    #[test]
    fn messages_of_logs_and_topics_carry_one_event_each() {
        let cloudtrail = sample("cloudtrail.jsonl");
        let event = cloudtrail.lines().next().unwrap();
        let text = serde_json::Value::from(event).to_string();
        let (expected, _) = read_text(event.as_bytes(), "cloudtrail");
        for around in [
            format!("{{\"logEvents\":[{{\"id\":\"1\",\"timestamp\":1,\"message\":{text}}}]}}"),
            format!("{{\"Type\":\"Notification\",\"Message\":{text}}}"),
        ] {
            assert_eq!(all(&read_text(around.as_bytes(), "cloudtrail").0), all(&expected));
        }
    }
}

mod files {
    use super::*;

    #[test]
    fn what_a_file_is_says_its_content_not_its_name() {
        for file in ["19a-plain-text-named.json.gz", "19b-zero-padded.json.gz"] {
            let (items, _) = read(&input(file), "cloudtrail");
            assert!(!all(&items).is_empty(), "{file}");
        }
    }

    #[test]
    fn zstd_is_read_in_frames_and_damage_is_an_error() {
        let text = sample("cloudtrail.jsonl");
        let pack = |text: &str| {
            let level = ruzstd::encoding::CompressionLevel::Fastest;
            ruzstd::encoding::compress_to_vec(text.as_bytes(), level)
        };
        let (first, second) = text.split_at(text.len() / 3);
        let skippable = [&b"\x50\x2a\x4d\x18\x04\0\0\0skip"[..]].concat();
        let file = [skippable, pack(first), pack(second), vec![0; 512]].concat();
        assert_eq!(read_text(&file, "cloudtrail"), read_text(text.as_bytes(), "cloudtrail"));
        let whole = pack(&text);
        for damaged in [&whole[..whole.len() / 2], &whole[..5]] {
            let mut import = match import::read_from(
                "cut.zst",
                std::io::Cursor::new(damaged.to_vec()),
                &Format::CloudTrail,
            ) {
                Ok(import) => import,
                Err(error) => {
                    assert!(error.to_string().contains("cut.zst"), "{error}");
                    continue;
                }
            };
            let error = import.find_map(Result::err).expect("an error");
            assert!(error.to_string().contains("cut.zst"), "{error}");
        }
    }

    #[test]
    fn other_packings_and_encodings_are_named_with_what_to_do() {
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        for (bytes, words) in [
            (b"BZh91AY&SY".to_vec(), ["bzip2", "bunzip2"]),
            (b"\xfd7zXZ\0\0\0".to_vec(), ["xz", "unxz"]),
            (b"PK\x03\x04....".to_vec(), ["zip", "unzip"]),
            (wide("\u{feff}{\"a\":1}"), ["UTF-16", "iconv -f UTF-16LE"]),
            (wide("{\"a\":1}"), ["UTF-16", "iconv -f UTF-16LE"]),
            (b"\xfe\xff\0{\0\"".to_vec(), ["UTF-16", "iconv -f UTF-16BE"]),
        ] {
            for format in [Format::CloudTrail, Format::Jsonl, Format::Auditd] {
                let error = import::read_from("f", std::io::Cursor::new(bytes.clone()), &format)
                    .err()
                    .unwrap();
                assert!(words.iter().all(|word| error.to_string().contains(word)), "{error}");
            }
        }
    }

    #[test]
    fn a_byte_order_mark_is_skipped_wherever_a_line_or_a_value_begins() {
        for (file, name) in
            [("k8s.jsonl", "k8s"), ("events.jsonl", "jsonl"), ("auditd.log", "auditd")]
        {
            let lines = sample(file);
            let line = lines.lines().next().unwrap();
            let text = format!("\u{feff}{line}\n\u{feff}{line}\r\n\n\u{feff}{line}");
            let (items, counts) = read_text(text.as_bytes(), name);
            assert_eq!((counts.rejected, counts.lines), (0, 3), "{name}: {items:?}");
        }
        let array = format!("\u{feff}[\u{feff}{}]", sample("k8s.jsonl").lines().next().unwrap());
        assert_eq!(all(&read_text(array.as_bytes(), "k8s").0).len(), 1);
        assert!(
            Mapping::parse(&format!("\u{feff}{}", include_str!("../../mappings/okta.json")))
                .is_ok()
        );
    }
}

mod ours {
    use super::*;

    const RECORD: &str = r#"{"seq":3,"recorded_at":"2026-01-02T03:04:05.000000006Z","leaf_hash":"0101010101010101010101010101010101010101010101010101010101010101","actor":{"type":"user","id":"a"},"action":"a.b","resource":{"type":"r"},"outcome":"denied","details":{"n": 1e400}}"#;

    #[test]
    fn a_record_is_imported_without_what_only_its_log_can_give() {
        let (items, _) = read_text(RECORD.as_bytes(), "jsonl");
        let event = all(&items)[0];
        let expected = r#"{"actor":{"type":"user","id":"a"},"action":"a.b","resource":{"type":"r"},"outcome":"denied","details":{"n": 1e400}}"#;
        assert_eq!(event, &Event::from_json(expected).unwrap());
    }

    #[test]
    fn a_payload_that_is_not_shown_stays_known_as_such() {
        for state in ["sealed", "erased", "withheld"] {
            let line =
                RECORD.replacen("{\"seq\"", &format!("{{\"payload\":\"{state}\",\"seq\""), 1);
            let (items, _) = read_text(line.as_bytes(), "jsonl");
            assert_eq!(all(&items)[0].tags["payload"], state);
        }
    }

    #[test]
    fn what_cannot_be_a_record_is_rejected_with_its_reason() {
        for (line, word) in [
            (RECORD.replace("\"seq\":3", "\"seq\":\"x\""), "seq"),
            (RECORD.replace("\"seq\":3", "\"seq\":3,\"payload\":\"gone\""), "withheld"),
            (RECORD.replace("\"seq\":3", "\"seq\":3,\"seq\":3"), "twice"),
            (
                RECORD.replace("a.b", "bulla.anchor").replace("\"r\"", "\"catalog\""),
                "anchor of another log",
            ),
            (RECORD.replace("a.b", "bulla.x"), "bulla."),
        ] {
            let (items, _) = read_text(line.as_bytes(), "jsonl");
            let [Item::Rejected { reason, .. }] = items.as_slice() else { panic!("{items:?}") };
            assert!(reason.contains(word), "{reason}");
        }
    }
}

#[test]
fn the_manual_explains_every_reason_to_reject_a_line() {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/importers.md");
    let manual = fs::read_to_string(manual).unwrap();
    for reason in import::REASONS {
        let row = format!("| `{}", reason.begins.trim());
        assert!(manual.contains(&row), "{row}");
    }
    assert_eq!(import::reason_of("element 3: no verb").unwrap().begins, "no verb");
    assert_eq!(import::reason_of("something else"), None);
}
