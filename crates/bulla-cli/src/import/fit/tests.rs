use bulla::event::limits::{TARGETS_LEN_MAX, TARGETS_MAX};
use bulla::event::{Actor, Resource, Target};

use super::*;

fn event() -> Event {
    Event::new(Actor::new("user", "ann"), "file.read", Resource::new("file", "/etc/hosts"))
}

/// Text of so many bytes, of characters of so many bytes each as far as they go.
fn text(bytes: usize, character: char) -> String {
    let mut out = String::from(character).repeat(bytes / character.len_utf8());
    while out.len() < bytes {
        out.push('x');
    }
    out
}

#[test]
fn every_text_fits_at_its_maximum_and_is_shortened_one_byte_beyond() {
    type Field = fn(&mut Event, String);
    fn behalf(event: &mut Event) -> &mut Actor {
        event.on_behalf_of.get_or_insert_with(|| Actor::new("user", "bob"))
    }
    fn target(event: &mut Event) -> &mut Target {
        event.targets = vec![Target::new("host", "h")];
        &mut event.targets[0]
    }
    let fields: [(&str, usize, Field); 25] = [
        ("on_behalf_of.type", NAME_LEN_MAX, |e, t| behalf(e).kind = t),
        ("on_behalf_of.id", ID_LEN_MAX, |e, t| behalf(e).id = t),
        ("on_behalf_of.email", LABEL_LEN_MAX, |e, t| behalf(e).email = Some(t)),
        ("on_behalf_of.role", LABEL_LEN_MAX, |e, t| behalf(e).role = Some(t)),
        ("targets", NAME_LEN_MAX, |e, t| target(e).kind = t),
        ("targets", ID_LEN_MAX, |e, t| target(e).id = t),
        ("targets", NAME_LEN_MAX, |e, t| target(e).role = Some(t)),
        ("tenant", NAME_LEN_MAX, |e, t| e.tenant = Some(t)),
        ("actor.type", NAME_LEN_MAX, |e, t| e.actor.kind = t),
        ("actor.id", ID_LEN_MAX, |e, t| e.actor.id = t),
        ("actor.email", LABEL_LEN_MAX, |e, t| e.actor.email = Some(t)),
        ("actor.role", LABEL_LEN_MAX, |e, t| e.actor.role = Some(t)),
        ("action", NAME_LEN_MAX, |e, t| e.action = t),
        ("resource.type", NAME_LEN_MAX, |e, t| e.resource.kind = t),
        ("resource.id", ID_LEN_MAX, |e, t| e.resource.id = Some(t)),
        ("reason", REASON_LEN_MAX, |e, t| e.reason = Some(t)),
        ("source", LABEL_LEN_MAX, |e, t| e.source = Some(t)),
        ("ip", IP_LEN_MAX, |e, t| e.ip = Some(t)),
        ("user_agent", USER_AGENT_LEN_MAX, |e, t| e.user_agent = Some(t)),
        ("session_id", LABEL_LEN_MAX, |e, t| e.session_id = Some(t)),
        ("request_id", LABEL_LEN_MAX, |e, t| e.request_id = Some(t)),
        ("correlation_id", LABEL_LEN_MAX, |e, t| e.correlation_id = Some(t)),
        ("changed_fields", CHANGED_FIELD_LEN_MAX, |e, t| e.changed_fields = vec![t]),
        ("tags", TAG_VALUE_LEN_MAX, |e, t| drop(e.tags.insert("k".to_owned(), t))),
        ("tags", TAG_KEY_LEN_MAX, |e, t| drop(e.tags.insert(t, "v".to_owned()))),
    ];
    for (name, max, set) in fields {
        for character in ['a', 'é', '€', '😀'] {
            let mut exact = event();
            set(&mut exact, text(max, character));
            assert_eq!(fitted(exact.clone()), exact, "{name} {character}");
            for beyond in [1, 2, 3, 4, max] {
                let mut long = event();
                set(&mut long, text(max + beyond, character));
                let fitted = fitted(long);
                assert_eq!(fitted.validate(), Ok(()), "{name} {character} {beyond}");
                assert_eq!(fitted.tags[SHORTENED], name, "{character} {beyond}");
            }
        }
    }
}

#[test]
fn names_that_begin_alike_stay_different_and_the_mark_shows() {
    let shortened = |end: &str| {
        let mut event = event();
        event.actor.id = format!("{}{end}", "a".repeat(ID_LEN_MAX));
        fitted(event).actor.id
    };
    let (one, other) = (shortened("1"), shortened("2"));
    assert_ne!(one, other);
    assert_eq!(one, shortened("1"));
    let (beginning, digest) = one.split_once(MARK).unwrap();
    let whole = format!("{}1", "a".repeat(ID_LEN_MAX));
    assert!(whole.starts_with(beginning));
    assert_eq!(digest, &blake3::hash(whole.as_bytes()).to_hex()[..16]);
    assert_eq!(one.len(), ID_LEN_MAX);
}

#[test]
fn lists_that_are_too_long_are_cut() {
    let mut long = event();
    long.changed_fields = (0..=CHANGED_FIELDS_MAX).map(|n| n.to_string()).collect();
    long.tags = (0..=TAGS_MAX).map(|n| (n.to_string(), String::new())).collect();
    let fitted = fitted(long);
    assert_eq!(fitted.validate(), Ok(()));
    assert_eq!(fitted.changed_fields.len(), CHANGED_FIELDS_MAX);
    assert_eq!(fitted.tags[SHORTENED], "changed_fields,tags");
}

#[test]
fn targets_that_are_too_many_or_too_long_together_are_cut() {
    let hosts = |count: usize| (0..count).map(|n| Target::new("host", n.to_string()));
    let mut exact = event();
    exact.targets = hosts(TARGETS_MAX).collect();
    assert_eq!(fitted(exact.clone()), exact);
    let mut many = event();
    many.targets = hosts(TARGETS_MAX + 1).collect();
    let many = fitted(many);
    assert_eq!((many.validate(), &many.targets), (Ok(()), &exact.targets));
    assert_eq!(many.tags[SHORTENED], "targets");
    // As long as they may be each, and as many.
    let mut long = event();
    let texts = |n: usize| {
        Target::new(text(NAME_LEN_MAX, 'é'), format!("{n:02}{}", text(ID_LEN_MAX, '€')))
            .role(text(NAME_LEN_MAX, 'r'))
    };
    long.targets = (0..TARGETS_MAX).map(texts).collect();
    long.targets[7] = Target::new("host", "7");
    let long = fitted(long);
    assert_eq!(long.validate(), Ok(()));
    assert_eq!(long.targets.len(), TARGETS_MAX);
    assert_eq!(long.targets[7], Target::new("host", "7"), "what is short stays");
    let ids: std::collections::BTreeSet<_> = long.targets.iter().map(|target| &target.id).collect();
    assert_eq!(ids.len(), TARGETS_MAX, "and long ones stay different");
    assert_eq!(long.tags[SHORTENED], "targets");
    // Few long ones fit as they are.
    let mut few = event();
    few.targets = (0..TARGETS_LEN_MAX / ID_LEN_MAX - 1)
        .map(|n| Target::new("host", format!("{n}{}", "a".repeat(ID_LEN_MAX - 1))))
        .collect();
    assert_eq!(fitted(few.clone()), few);
}

#[test]
fn json_that_is_too_large_or_too_deep_leaves_size_digest_and_beginning() {
    let large = format!("{{\"a\":\"{}\"}}", "é".repeat(JSON_LEN_MAX / 2));
    let deep = format!("{}{}", "[".repeat(JSON_DEPTH_MAX + 1), "]".repeat(JSON_DEPTH_MAX + 1));
    for text in [&large, &deep] {
        let json = Json::parse(text).unwrap();
        let mut event = event();
        event.details = Some(json.clone());
        event.old_values = Some(json.clone());
        event.new_values = Some(json);
        let fitted = fitted(event);
        assert_eq!(fitted.validate(), Ok(()));
        assert_eq!(fitted.tags[SHORTENED], "details,old_values,new_values");
        let details = fitted.details.unwrap().to_value().unwrap();
        let original = &details["original"];
        assert_eq!(original["bytes"], text.len());
        assert_eq!(original["blake3"], blake3::hash(text.as_bytes()).to_hex().to_string());
        assert!(text.starts_with(original["beginning"].as_str().unwrap()));
    }
    let mut exact = event();
    let depth = JSON_DEPTH_MAX;
    exact.details =
        Some(Json::parse(&format!("{}{}", "[".repeat(depth), "]".repeat(depth))).unwrap());
    assert_eq!(fitted(exact.clone()), exact);
}

#[test]
fn fields_that_are_each_within_their_limit_fit_together() {
    let mut event = event();
    let json = Json::parse(&format!("\"{}\"", "x".repeat(JSON_LEN_MAX - 2))).unwrap();
    event.details = Some(json.clone());
    event.old_values = Some(json.clone());
    event.new_values = Some(json);
    event.changed_fields =
        (0..CHANGED_FIELDS_MAX).map(|n| text(CHANGED_FIELD_LEN_MAX + n, 'c')).collect();
    event.tags =
        (0..TAGS_MAX).map(|n| (format!("{n:0256}"), text(TAG_VALUE_LEN_MAX, 'v'))).collect();
    event.reason = Some(text(REASON_LEN_MAX, 'r'));
    let fitted = fitted(event);
    assert_eq!(fitted.validate(), Ok(()));
    assert!(fitted.tags[SHORTENED].starts_with("changed_fields"));
    assert!(
        fitted.tags[SHORTENED].ends_with("_values") || fitted.tags[SHORTENED].ends_with("details")
    );
}

#[test]
fn what_is_empty_or_reserved_keeps_no_event_out() {
    let mut odd = Event::new(Actor::new("", ""), "", Resource::new("", ""));
    odd.tenant = Some(String::new());
    odd.on_behalf_of = Some(Actor::new("user", ""));
    odd.targets = vec![Target::new("host", ""), Target::new("", "h").role("")];
    let odd = fitted(odd);
    assert_eq!(
        (odd.on_behalf_of.as_ref(), odd.targets.as_slice()),
        (None, &[Target::new("unknown", "h")][..])
    );
    assert_eq!(odd.validate(), Ok(()));
    assert_eq!((odd.actor.id.as_str(), odd.action.as_str()), ("unknown", "unknown"));
    assert_eq!((odd.resource.id, odd.tenant), (None, None));
    let mut reserved = event();
    reserved.action = "bulla.get".to_owned();
    let reserved = fitted(reserved);
    assert_eq!(reserved.validate(), Ok(()));
    assert_eq!(reserved.action, "imported.bulla.get");
    assert_eq!(reserved.tags[MENDED], "action");
}

/// A person can also choose, as a name, what the name of another was changed to.
#[test]
fn no_name_becomes_that_of_another() {
    let id = |name: &str| {
        let mut event = event();
        event.actor.id = name.to_owned();
        let event = fitted(escaped(event));
        assert_eq!(event.validate(), Ok(()));
        (event.actor.id, event.tags.get(SHORTENED).cloned())
    };
    let long = "a".repeat(ID_LEN_MAX + 1);
    let (shortened, tag) = id(&long);
    assert_eq!(tag.as_deref(), Some("actor.id"));
    let (chosen, tag) = id(&shortened);
    assert!(chosen != shortened && chosen.starts_with("aaaa"), "{chosen}");
    assert_eq!(tag.as_deref(), Some("actor.id"));
    assert!(id(&chosen).0 != chosen);
    let (brief, _) = id("a…0123456789abcdef");
    assert!(brief.starts_with("a…0123456789abcdef…") && brief.len() > 30, "{brief}");
    for fine in ["a…0123456789abcde", "a…0123456789abcdeF", "a…", "C:\\temp\\new"] {
        assert_eq!(id(fine), (fine.to_owned(), None));
    }
    // Nor that of one with a control character.
    let names = ["a\u{1b}b", "a\\u{1b}b", "a\\\\u{1b}b", "a\\\u{1b}b", "a\\\\\\u{1b}b"];
    let ids: std::collections::BTreeSet<_> = names.iter().map(|name| id(name).0).collect();
    assert_eq!(ids.len(), names.len(), "{ids:?}");
    assert_eq!(id("a\u{1b}b").0, "a\\u{1b}b");
}
