//! Files that were damaged by a loss of power, or joined by hand.

use super::*;

#[test]
fn what_a_loss_of_power_leaves_in_a_file_loses_no_event_behind_it() {
    for (file, name, imported, rejected) in [
        ("35-auditd-nul-start.log", "auditd", 2, 0),
        ("35-auditd-nul-middle.log", "auditd", 3, 0),
        ("35-k8s-nul-start.jsonl", "k8s", 2, 0),
        ("35-k8s-nul-middle.jsonl", "k8s", 3, 0),
        ("35-json-seq-rfc7464.jsonl", "k8s", 3, 0),
        ("35-cut-line-glued.jsonl", "k8s", 3, 2),
        ("35-nel-between.jsonl", "k8s", 4, 0),
    ] {
        let (items, counts) = read(&input(file), name);
        assert_eq!((counts.imported, counts.rejected), (imported, rejected), "{file}: {items:?}");
    }
}

#[test]
fn an_event_behind_a_cut_one_is_no_part_of_it() {
    let event = |name: &str, more: &str| {
        format!(r#"{{"verb":"{name}","requestReceivedTimestamp":"2026-01-02T03:04:05Z"{more}}}"#)
    };
    // Cut in a text of the subject, and in front of one.
    for cut in [r#","userAgent":"curl {"#, r#","userAgent"#, r#","a":[1"#] {
        let cut = event("list", cut);
        let cut = cut.strip_suffix('}').unwrap();
        let (items, counts) = read_text(format!("{cut}{}", event("get", "")).as_bytes(), "k8s");
        assert_eq!((counts.imported, counts.rejected), (1, 1), "{cut}");
        assert!(
            matches!(&items[1], Item::Event { event, line: 1, .. } if event.action == "url.get")
        );
    }
    // With texts that have quotes and brackets in them.
    let one = event("get", r#","annotations":{"x":"{\"a\":[{}]}","y":"{}\"z"}"#);
    for cut in [r#"{"a":["1"#, r#"{"a":{"b":"c"},"d"#, r#"{"a":12"#] {
        let file = format!("{one}\n{cut}{one}\n{one}\n{cut}{one}");
        let (items, counts) = read_text(file.as_bytes(), "k8s");
        assert_eq!((counts.imported, counts.rejected), (4, 2), "{cut}: {items:?}");
        let line = |item: &Item| match item {
            Item::Event { line, .. } | Item::Rejected { line, .. } => *line,
        };
        assert_eq!(items.iter().map(line).collect::<Vec<_>>(), [1, 2, 2, 3, 4, 4]);
    }
    // An object that the subject sent is no event, however its event was cut.
    let sent = event("list", &format!(r#","requestObject":{}"#, event("get", "")));
    for end in ["", "\n", "\0\n", ",\n", "}}\n", "\u{1e}"] {
        let cut = format!("{}{end}{}", sent.strip_suffix('}').unwrap(), event("list", ""));
        let (items, _) = read_text(cut.as_bytes(), "k8s");
        let forged =
            |item: &Item| matches!(item, Item::Event { event, .. } if event.action == "url.get");
        assert!(!items.iter().any(forged), "{end:?}: {items:?}");
    }
}

#[test]
fn text_of_two_or_four_bytes_a_character_is_told_from_nuls() {
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    let wider = |text: &str| text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    for (bytes, word) in [
        (wide("node=x type=A"), "UTF-16BE"),
        (wider("{\"a\":1}"), "UTF-32LE"),
        (wide("\"a\""), "UTF-16BE"),
    ] as [(Vec<u8>, &str); 3]
    {
        let bytes = std::io::Cursor::new(bytes);
        let error = import::read_from("f", bytes, &Format::Auditd).err().unwrap();
        assert!(error.to_string().contains(word), "{error}");
    }
    for nuls in 1..20 {
        let text = format!("{}type=A msg=audit(1.0:1): res=1\n", "\0".repeat(nuls));
        let (_, counts) = read_text(text.as_bytes(), "auditd");
        assert_eq!((counts.imported, counts.rejected), (1, 0), "{nuls}");
    }
}

/// A body of 0.9 MB of `<`, each of which Go writes with six bytes, and a line of more than 18 MB.
#[test]
fn a_body_of_any_size_that_an_api_server_takes_keeps_its_event() {
    for size in [900_000, 3 << 20] {
        let line = format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","stage":"ResponseComplete","verb":"create","user":{{"username":"m"}},"objectRef":{{"resource":"configmaps","namespace":"d","name":"s"}},"requestObject":{{"data":{{"x":"{}"}},"password":"p"}},"responseStatus":{{"code":403,"status":"Failure","reason":"Forbidden"}},"requestReceivedTimestamp":"2026-11-01T10:00:00Z"}}"#,
            "\\u003c".repeat(size)
        );
        let (items, counts) = read_text(format!("{line}\n").as_bytes(), "k8s");
        assert_eq!((counts.imported, counts.rejected), (1, 0));
        let event = all(&items)[0];
        assert_eq!(event.outcome, bulla::event::Outcome::Denied);
        assert_eq!((event.actor.id.as_str(), event.action.as_str()), ("m", "configmaps.create"));
        assert_eq!(event.tags[SHORTENED], "details");
        let original = &details(event)["original"];
        assert_eq!(original["bytes"], line.len());
        assert_eq!(original["blake3"], blake3::hash(line.as_bytes()).to_hex().to_string());
        assert!(line.starts_with(original["beginning"].as_str().unwrap()));
    }
}

/// What was appended to a packed file is lines like any other: events, or rejected by name.
#[test]
fn what_stands_behind_packed_data_stops_nothing() {
    for (file, imported, rejected) in
        [("38-gz-plain-after.jsonl.gz", 4, 0), ("38-gz-trailing-garbage.jsonl.gz", 3, 1)]
    {
        let (items, counts) = read(&input(file), "k8s");
        assert_eq!((counts.imported, counts.rejected), (imported, rejected), "{file}: {items:?}");
    }
    let text = sample("k8s.jsonl");
    let line = text.lines().next().unwrap();
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let packed = ruzstd::encoding::compress_to_vec(line.as_bytes(), level);
    for (behind, imported, rejected) in
        [(line, 2, 0), ("x", 1, 1), ("\0\0", 1, 0), ("\0\0words\n", 1, 1)]
    {
        let file = [&packed[..], behind.as_bytes()].concat();
        let (items, counts) = read_text(&file, "k8s");
        assert_eq!((counts.imported, counts.rejected), (imported, rejected), "{items:?}");
    }
}
