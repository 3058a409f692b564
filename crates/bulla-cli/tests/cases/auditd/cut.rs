//! Messages that are cut short: what stands at their end is a subject's text, where it would be the
//! program's otherwise.

use std::cell::Cell;

use super::*;

const HEAD: &str = "msg=audit(1.0:1): pid=9 uid=0 auid=1000 ses=3";
const CUT_SHORT: &str = "message cut short";

fn login(message: &str) -> Event {
    one(&format!("type=USER_LOGIN {HEAD} {message}"))
}

fn not_understood(event: &Event) -> Option<&str> {
    event.tags.get(NOT_UNDERSTOOD).map(String::as_str)
}

#[test]
fn a_result_in_a_message_that_is_cut_short_is_a_subjects() {
    let long = "A".repeat(9_000);
    for message in [
        "msg='op=login acct=\"x\" hostname=h res=success AAAA",
        "msg='op=login acct=\"x\" hostname=h result=Success, AAAA",
        "msg='op=login acct=\"x\" hostname=h res=failed AAAA",
        "msg='op=login hostname=h res=success",
        "msg='op=login acct=\"x res=success",
        "msg='op=login acct=x res=success' AAAA",
        "msg='op=login acct=x res=success'\u{1d}AAAA",
        "msg='op=login acct=x res=success'#035AAAA",
        "msg='op=login acct=x res=success'A=AAAA",
        "msg='op=login acct=x res=success' UID=\"AAAA",
        "msg='op=login acct=x res=success' UID=\"root\" AAAA",
        "msg=\"op=login acct=x res=success\" A=AAAA",
        "msg=\"op=login acct=x res=success AAAA",
        "msg='acct=\"x\" op=login res=success",
        "msg='AAAA",
        // The kernel cuts what is longer than 8,560 bytes, and ends it as it ends others.
        &format!("msg='op=login hostname=x res=success {}'", &long[..8_530]),
        &format!("msg='op=login hostname={} res=success'\u{1d}UID=\"root\"", &long[..8_530]),
    ] {
        let event = login(message);
        assert_eq!(event.outcome, Outcome::Unknown, "{message}");
        assert_eq!(not_understood(&event), Some(CUT_SHORT), "{message}");
        assert_eq!((event.action.as_str(), event.actor.id.as_str()), ("user.login", "1000"));
    }
}

#[test]
fn a_result_before_the_texts_of_subjects_counts() {
    for (message, outcome) in [
        ("msg='op=login res=success acct=\"x\" hostname=h res=failed AAAA", Outcome::Success),
        ("msg='op=login res=failed acct=\"x\" hostname=h res=success AAAA", Outcome::Failure),
        ("msg='op=PAM:authentication grantors=? res=no acct=\"x", Outcome::Failure),
    ] {
        let event = login(message);
        assert_eq!((event.outcome, not_understood(&event)), (outcome, None), "{message}");
    }
    // What is whole is read as ever, up to the longest that the kernel takes.
    let host = "A".repeat(8_500);
    for end in ["'", "'\u{1d}UID=\"root\" AUID=\"o'b\"", "' UID=\"root\""] {
        let event = login(&format!("msg='op=login hostname={host} addr=::1 res=success{end}"));
        assert_eq!((event.outcome, not_understood(&event)), (Outcome::Success, None), "{end}");
        assert_eq!(event.ip.as_deref(), Some("::1"));
    }
}

#[test]
fn an_address_in_a_message_that_is_cut_short_is_a_subjects() {
    let event = login("msg='op=login acct=\"x\" hostname=h addr=10.0.0.1 AAAA");
    assert_eq!((event.ip.as_deref(), event.tags["addr"].as_str()), (None, "10.0.0.1"));
    let event = login("msg='op=login acct=\"x\" hostname=h addr=? AAAA");
    assert_eq!((event.ip.as_deref(), event.tags.get("addr")), (None, None));
}

/// A security module puts `permissive=` at the end too.
#[test]
fn a_decision_in_a_message_that_is_cut_short_is_only_what_begins_it() {
    let strange = (Outcome::Unknown, Some(CUT_SHORT));
    for (message, expected) in [
        (
            "avc:  denied  { start } for cmdline=\"x\" tclass=service permissive=1 AAAA",
            (Outcome::Denied, None),
        ),
        ("avc:  denied  { start } for permissive=1 AAAA", (Outcome::Denied, None)),
        ("avc:  granted  { start } for cmdline=\"AAAA", (Outcome::Success, None)),
        ("avc:  op=setenforce lsm=selinux enforcing=1 AAAA", strange),
        ("avc:  op=setenforce lsm=selinux enforcing=1 res=0 exe=\"/x", (Outcome::Failure, None)),
        ("avc:  received policyload notice", strange),
        ("apparmor=\"DENIED\" operation=\"dbus\" name=AAAA", (Outcome::Denied, None)),
        ("apparmor=\"AUDIT\" operation=\"dbus\" name=AAAA", strange),
    ] {
        let event = one(&format!("type=USER_AVC {HEAD} msg='{message}"));
        assert_eq!((event.outcome, not_understood(&event)), expected, "{message}");
        assert!(!event.tags.contains_key("permissive"), "{message}");
    }
}

/// May the text be a whole message with what auditd adds? A subject who knows where a line is cut
/// can make it look so.
fn may_be_whole(message: &str) -> bool {
    message.match_indices(['\'', '"']).any(|(at, _)| {
        let words = message[at + 1..].split_ascii_whitespace();
        words.into_iter().all(|word| word.contains("=\"") || word.ends_with('"'))
    })
}

/// Wherever a message is cut, no byte of its subject changes what is known of its end.
#[test]
fn a_subject_changes_no_message_that_is_cut_short() {
    let checked = Cell::new(0);
    let texts = || (hostile(), hostile(), hostile(), hostile());
    for seed in [17, 18] {
        let check = |((account, exe, host, terminal), place, as_it_is): (
            (String, String, String, String),
            usize,
            bool,
        )| {
            let account = if as_it_is { account } else { encoded(&account) };
            let exe = encoded(&exe);
            let message = format!(
                "op=login acct={account} exe={exe} hostname={host} addr=203.0.113.9 \
                 terminal={terminal} res="
            );
            let cut = message.floor_char_boundary(message.len() * place / 1_000);
            let message = message[..cut].trim_end_matches(['\0', ' ', '\t', '\r', '\u{c}']);
            // No message has a NUL in it: the kernel ends it there.
            prop_assume!(!may_be_whole(message) && !message.contains('\0'));
            checked.set(checked.get() + 1);
            let event = login(&format!("msg='{message}"));
            prop_assert_eq!(event.outcome, Outcome::Unknown, "{}", message);
            prop_assert_eq!(not_understood(&event), Some(CUT_SHORT), "{}", message);
            prop_assert_eq!(event.action.as_str(), "user.login", "{}", message);
            prop_assert_eq!(event.actor.id.as_str(), "1000", "{}", message);
            prop_assert_eq!(event.session_id.as_deref(), Some("3"), "{}", message);
            prop_assert_eq!(event.ip, None, "{}", message);
            Ok(())
        };
        runner(seed).run(&(texts(), 0..=1_000_usize, any::<bool>()), check).unwrap();
    }
    assert!(checked.get() > 1_500, "{}", checked.get());
}
