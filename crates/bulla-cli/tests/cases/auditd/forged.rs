//! What local users and remote ones can write into a log, and into a syslog: their texts are
//! records of nothing.

use super::*;

/// What a text is read as.
fn items(text: &str) -> Vec<Item> {
    let import = import::read_from("text", Cursor::new(text.to_owned()), &Format::Auditd).unwrap();
    import.map(Result::unwrap).collect()
}

fn events(items: Vec<Item>) -> Vec<Event> {
    let event = |item| match item {
        Item::Event { event, .. } => Some(event),
        Item::Rejected { .. } => None,
    };
    items.into_iter().filter_map(event).collect()
}

#[test]
fn lines_that_users_had_written_to_syslog_are_no_records() {
    let path = input("33-auditd-syslog-forged.log");
    let items = items(&fs::read_to_string(path).unwrap());
    let mut rejected = Vec::new();
    for item in &items {
        if let Item::Rejected { line, reason, .. } = item {
            assert!(reason.starts_with("before type= expected "), "{reason}");
            rejected.push(*line);
        }
    }
    assert_eq!(rejected, [2, 3, 4]);
    let events = events(items);
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].action.as_str(), events[0].outcome), ("avc", Outcome::Denied));
    assert_eq!(events[0].actor, Actor::new("unknown", "unknown"));
    assert!(!events[0].tags.contains_key("exe"));
}

#[test]
fn a_terminal_makes_no_address() {
    let events = case("35-auditd-terminal-forges-addr.log");
    for event in &events {
        assert_eq!((event.ip.as_deref(), event.outcome), (None, Outcome::Failure));
    }
    assert_eq!(events[0].tags["addr"], "203.0.113.9,10.0.0.1");
    assert_eq!(events[1].tags["addr"], "10.0.0.1,203.0.113.9");
    let with = |before: &str, behind: &str| {
        one(&format!(
            "type=USER_LOGIN msg=audit(1.0:1): pid=1 uid=0 msg='op=login acct=\"a\" \
             hostname={before} addr=203.0.113.9 terminal={behind} res=failed'"
        ))
    };
    let true_one = Some("203.0.113.9");
    assert_eq!(with("h", "tty1").ip.as_deref(), true_one);
    // The same address twice is no doubt, and a part of a word is no field.
    assert_eq!(with("h", "x addr=203.0.113.9").ip.as_deref(), true_one);
    assert_eq!(with("xaddr=10.0.0.1", "laddr=10.0.0.1").ip.as_deref(), true_one);
    for (before, behind) in [
        ("x addr=10.0.0.1", "tty1"),
        ("h", "x addr=?"),
        // The true one stands between quotes that a subject wrote.
        ("\"", "\" addr=10.0.0.1"),
        ("x=\"", "\" addr=10.0.0.1"),
    ] {
        let event = with(before, behind);
        assert_eq!(event.ip, None, "{before} {behind}");
        assert!(event.tags["addr"].contains("203.0.113.9"), "{before} {behind}");
    }
}

#[test]
fn an_enriched_part_is_found_however_its_separator_was_copied() {
    let event = &case("37-auditd-separator-stripped.log")[0];
    assert_eq!((event.outcome, event.tags.get(NOT_UNDERSTOOD)), (Outcome::Success, None));
    for separator in [
        "", "\u{1d}", "#035", "\\035", "^]", "\\x1d", "\\x1D", "\\u001d", "<0x1d>", "\u{241d}", " ",
    ] {
        for (said, outcome) in [("success", Outcome::Success), ("failed", Outcome::Failure)] {
            let event = one(&format!(
                "type=USER_LOGIN msg=audit(1.0:1): pid=1 uid=0 auid=1000 ses=3 msg='op=login \
                 acct=\"o'brien\" addr=203.0.113.9 terminal=ssh res={said}'{separator}UID=\"root\" AUID=\"o'b\""
            ));
            assert_eq!(
                (event.outcome, event.tags.get(NOT_UNDERSTOOD)),
                (outcome, None),
                "{separator}"
            );
            assert_eq!(event.ip.as_deref(), Some("203.0.113.9"));
        }
        let call = one(&format!(
            "type=SYSCALL msg=audit(1.0:1): arch=40000003 syscall=5 success=no exit=-13 auid=1000 \
             key=(null){separator}ARCH=i386 SYSCALL=open AUID=\"ann\""
        ));
        assert_eq!(
            (call.action.as_str(), call.outcome),
            ("syscall.open", Outcome::Denied),
            "{separator}"
        );
        assert_eq!(call.tags.get("key"), None, "{separator}");
        let rule = one(&format!(
            "type=CONFIG_CHANGE msg=audit(1.0:1): auid=1000 ses=3 op=x list=4 res=1{separator}AUID=\"ann\""
        ));
        assert_eq!(
            (rule.outcome, rule.tags.get(NOT_UNDERSTOOD)),
            (Outcome::Success, None),
            "{separator}"
        );
        let session = one(&format!(
            "type=ANOM_PROMISCUOUS msg=audit(1.0:1): dev=x auid=1000 uid=0 ses=3{separator}AUID=\"ann\" UID=\"root\""
        ));
        assert_eq!(session.session_id.as_deref(), Some("3"), "{separator}");
    }
}

#[test]
fn hex_of_digits_alone_is_undone_where_it_had_to_be_written() {
    let account = |value: &str| {
        let line =
            format!("type=USER_LOGIN msg=audit(1.0:1): pid=1 msg='op=login acct={value} res=1'");
        one(&line).resource.id.unwrap()
    };
    // A tab is shown as an escape, as every control character of a subject.
    assert_eq!(account("610962"), "a\\t".to_owned() + "b");
    assert_eq!(account("612062"), "a b");
    assert_eq!(account("612262"), "a\"b");
    for number in ["1000", "4242", "20", "0909", "2020", "101112"] {
        assert_eq!(account(number), number);
    }
}

/// A line of another program, whatever it says, is no record, and changes none.
#[test]
fn a_subject_forges_nothing_through_syslog() {
    let program = prop::sample::select(vec![
        "sshd[78]:",
        "mallory:",
        "mallory[7]:",
        "su:",
        "x",
        "kernel[7]:",
        "CROND[1]: (root)",
    ]);
    let denial = "Nov 14 22:13:20 host kernel: audit: type=1400 audit(1.0:1): apparmor=\"DENIED\" operation=\"open\"";
    runner(15)
        .run(&(program, hostile(), hostile(), 0..3_usize), |(program, text, more, head)| {
            let time = [
                "Nov 14 22:13:20 host",
                "2023-11-14T22:13:20.1+00:00 host",
                "<13>Nov  4 22:13:20 host",
            ][head];
            let forged = format!(
                "{time} {program} {text} type=1300 audit(1.0:1): auid=0 success=yes {more}"
            );
            let found = events(items(&format!("{denial}\n{forged}\n")));
            prop_assert_eq!(found.len(), 1, "{}", forged);
            prop_assert_eq!(found[0].action.as_str(), "avc", "{}", forged);
            prop_assert_eq!(found[0].outcome, Outcome::Denied, "{}", forged);
            prop_assert_eq!(found[0].actor.id.as_str(), "unknown", "{}", forged);
            let alone = events(items(&forged));
            prop_assert!(alone.is_empty(), "{}", forged);
            Ok(())
        })
        .unwrap();
}

/// What the kernel has written to syslog about a subject is read as it is from auditd.
#[test]
fn a_subject_changes_no_denial_in_syslog() {
    runner(16)
        .run(&(hostile(), hostile()), |(name, comm)| {
            let line = format!(
                "Nov 14 22:13:20 host kernel: [    1.5] audit: type=1400 audit(1.0:1): \
                 apparmor=\"DENIED\" operation=\"open\" profile=\"x\" name={} pid=9 comm={} \
                 requested_mask=\"r\" denied_mask=\"r\" uid=1000 ses=3",
                encoded(&name),
                encoded(&comm)
            );
            check(&line, "avc", "1000", Outcome::Denied)
        })
        .unwrap();
}
