//! Linux audit records.

mod cut;
mod decisions;
mod forged;
mod long;
mod rotated;

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use bulla::event::{Actor, Event, Outcome, Resource};
use bulla_cli::import::{self, Format, Item};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

const NOT_UNDERSTOOD: &str = "outcome_not_understood";

fn input(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/inputs").join(name)
}

/// The events of a file of which nothing is rejected.
fn read(path: &Path) -> Vec<Event> {
    let mut import = import::read(path, &Format::Auditd).unwrap();
    let items: Vec<Item> = import.by_ref().map(Result::unwrap).collect();
    let counts = import.counts();
    assert_eq!(counts.imported + counts.rejected, counts.lines);
    let event = |item| match item {
        Item::Event { event, .. } => event,
        rejected @ Item::Rejected { .. } => panic!("{rejected:?}"),
    };
    items.into_iter().map(event).collect()
}

fn case(name: &str) -> Vec<Event> {
    read(&input(name))
}

fn text(text: &str) -> Vec<Event> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trail");
    fs::write(&path, text).unwrap();
    read(&path)
}

fn one(line: &str) -> Event {
    let mut events = text(line);
    assert_eq!(events.len(), 1, "{line}");
    events.remove(0)
}

mod quotes {
    use super::*;

    #[test]
    fn a_quote_in_a_name_hides_no_failure() {
        let event = &case("01a-auditd-quote-hides-failure.log")[0];
        assert_eq!(event.outcome, Outcome::Failure);
        assert_eq!(event.ip.as_deref(), Some("203.0.113.9"));
        assert_eq!(event.resource, Resource::new("account", "root'k='"));
        assert_eq!(event.tags["terminal"], "ssh");
        assert!(!event.tags.contains_key(NOT_UNDERSTOOD));
    }

    #[test]
    fn a_quote_in_a_directory_hides_no_command() {
        let event = &case("01b-auditd-quote-hides-sudo-command.log")[0];
        assert_eq!(event.outcome, Outcome::Failure);
        assert_eq!(event.resource, Resource::new("command", "/usr/bin/rm"));
        assert_eq!(event.tags["exe"], "/usr/bin/sudo");
    }

    #[test]
    fn a_quote_in_a_name_changes_no_actor() {
        let event = &case("01c-auditd-quote-changes-actor.log")[0];
        assert_eq!(event.actor, Actor::new("user", "0"));
        assert_eq!(event.session_id, None);
        assert_eq!(event.resource, Resource::new("account", "x'auid=0"));
        assert_eq!(event.outcome, Outcome::Failure);
    }

    #[test]
    fn a_quote_in_a_name_does_not_cut_it() {
        let event = &case("01d-auditd-quote-cuts-name.log")[0];
        assert_eq!(event.resource, Resource::new("account", "o'brien"));
        assert_eq!(event.outcome, Outcome::Failure);
    }
}

#[test]
fn numbers_are_not_read_as_hex() {
    let ids: Vec<_> = case("06-auditd-decimal-id-read-as-hex.log")
        .into_iter()
        .map(|event| (event.resource.kind, event.resource.id.unwrap()))
        .collect();
    let expected = [("account", "4242"), ("group", "5050"), ("account", "234567")];
    assert_eq!(ids, expected.map(|(kind, id)| (kind.to_owned(), id.to_owned())));
    // A unit and a terminal are never hex either; a number may be an account name.
    let unit = one("type=1130 msg=audit(1.0:1): pid=1 uid=0 msg='unit=4142 res=success'");
    assert_eq!(unit.resource, Resource::new("service", "4142"));
    let name = one("type=1112 msg=audit(1.0:1): pid=1 uid=0 msg='acct=1000 terminal=4142 res=1'");
    assert_eq!(name.resource, Resource::new("account", "1000"));
    assert_eq!(name.tags["terminal"], "4142");
}

#[test]
fn numbers_of_types_are_names() {
    let events = case("07-auditd-numeric-types.log");
    assert_eq!(events.len(), 2);
    assert_eq!((events[0].action.as_str(), events[0].outcome), ("avc", Outcome::Denied));
    assert_eq!((events[1].action.as_str(), events[1].outcome), ("syscall.execve", Outcome::Denied));
    assert_eq!(events[1].resource, Resource::new("file", "/etc/shadow"));
    let unknown = one("type=UNKNOWN[1330] msg=audit(1.0:1): auid=1000 name=\"x\"");
    assert_eq!(unknown.action, "kern.module");
}

#[test]
fn what_rules_collectors_and_modules_add_is_read() {
    let events = case("25-auditd-small.log");
    assert_eq!(events[0].tags["key"], "k1,k2");
    assert_eq!(events[1].action, "syscall.open");
    assert!(!events[1].tags.contains_key("key"));
    assert_eq!(events[2].tenant.as_deref(), Some("prototype=1"));
    assert_eq!(events[2].action, "syscall.openat");
    assert_eq!((events[3].outcome, events[3].tags["permissive"].as_str()), (Outcome::Success, "1"));
    assert_eq!(events[3].reason.as_deref(), Some("denied { open }"));
    assert_eq!(events[4].resource, Resource::new("group", "staff"));
    assert_eq!(events.len(), 5);
}

mod outcomes {
    use super::*;

    #[test]
    fn failures_in_other_words_are_failures() {
        for event in case("28-auditd-result-not-understood.log") {
            assert_eq!(event.outcome, Outcome::Failure);
            assert_eq!(event.ip.is_some(), event.request_id.as_deref() == Some("1170000000.1:1"));
        }
    }

    #[test]
    fn what_is_not_understood_is_no_success() {
        for (said, outcome, words) in [
            ("res=success", Outcome::Success, None),
            ("res=Success", Outcome::Success, None),
            ("res=1", Outcome::Success, None),
            ("result=Success)", Outcome::Success, None),
            ("res=0", Outcome::Failure, None),
            ("res=FAILED", Outcome::Failure, None),
            ("res=denied", Outcome::Denied, None),
            ("result=Permission denied)", Outcome::Denied, None),
            ("res=maybe", Outcome::Unknown, Some("maybe")),
            ("res=2", Outcome::Unknown, Some("2")),
            ("res=?", Outcome::Unknown, Some("?")),
            ("res=success but not quite", Outcome::Unknown, Some("success but not quite")),
            (
                "result=User account has expired)",
                Outcome::Unknown,
                Some("User account has expired"),
            ),
            // Cut short, perhaps by a name that was very long.
            ("", Outcome::Unknown, Some("no res=")),
        ] {
            let event = one(&format!(
                "type=USER_AUTH msg=audit(1.0:1): pid=1 uid=0 msg='op=x acct=\"a\" terminal=t {said}'"
            ));
            assert_eq!(event.outcome, outcome, "{said}");
            assert_eq!(event.tags.get(NOT_UNDERSTOOD).map(String::as_str), words, "{said}");
        }
    }

    #[test]
    fn any_record_that_says_no_is_heard() {
        for (line, outcome) in [
            (
                "type=1326 msg=audit(1.0:1): auid=1 uid=1 exe=\"/x\" sig=31 code=0x80000000",
                Outcome::Denied,
            ),
            (
                "type=1326 msg=audit(1.0:1): auid=1 uid=1 exe=\"/x\" sig=0 code=0x7ffc0000",
                Outcome::Success,
            ),
            ("type=FANOTIFY msg=audit(1.0:1): resp=2", Outcome::Denied),
            ("type=FANOTIFY msg=audit(1.0:1): resp=1", Outcome::Success),
            ("type=1503 msg=audit(1.0:1): operation=\"open\" name=\"/x\"", Outcome::Denied),
            ("type=1400 msg=audit(1.0:1): apparmor=\"DENIED\" operation=\"open\"", Outcome::Denied),
            (
                "type=1400 msg=audit(1.0:1): apparmor=\"ALLOWED\" operation=\"open\"",
                Outcome::Success,
            ),
            (
                "type=USER_AVC msg=audit(1.0:1): pid=1 uid=0 msg='avc:  denied  { send_msg } for x=y permissive=0 exe=\"/x\"'",
                Outcome::Denied,
            ),
            (
                "type=AVC msg=audit(1.0:1): avc:  granted  { x } for comm=\" denied \" permissive=0",
                Outcome::Success,
            ),
            (
                "type=SYSCALL msg=audit(1.0:1): arch=c000003e syscall=2 success=yes exit=3 uid=0\ntype=INTEGRITY_DATA msg=audit(1.0:1): pid=1 uid=0 cause=x res=0",
                Outcome::Failure,
            ),
            (
                "type=SYSCALL msg=audit(1.0:1): arch=c000003e syscall=2 success=no exit=EACCES(Permission denied) uid=0",
                Outcome::Denied,
            ),
        ] {
            assert_eq!(one(line).outcome, outcome, "{line}");
        }
    }
}

#[test]
fn a_long_call_keeps_its_event() {
    let stamp = "msg=audit(1700000000.100:7):";
    let mut lines = vec![format!(
        "type=SYSCALL {stamp} arch=c000003e syscall=59 success=yes exit=0 auid=1000 uid=0 comm=\"x\" exe=\"/usr/bin/evil\" key=\"exec\""
    )];
    let pieces = (0..160).map(|at| format!("type=EXECVE {stamp} a1[{at}]={}", "41".repeat(3700)));
    lines.extend(pieces);
    let event = one(&lines.join("\n"));
    assert_eq!(event.action, "syscall.execve");
    assert_eq!(event.tags["exe"], "/usr/bin/evil");
    assert!(event.tags[import::SHORTENED].contains("details"));
}

#[test]
fn what_was_encoded_to_hide_it_is_shown() {
    let event = one(
        "type=USER_CMD msg=audit(1.0:1): pid=1 uid=1 msg='cwd=\"/\" cmd=726D0A2F78 terminal=? res=1'",
    );
    assert_eq!(event.resource.id.as_deref(), Some("rm\\n/x"));
}

/// As kernel and libaudit write a text of a subject: quoted when it is safe, else in hex.
fn encoded(text: &str) -> String {
    if text.bytes().any(|byte| byte == b'"' || !(0x21..=0x7e).contains(&byte)) {
        text.bytes().map(|byte| format!("{byte:02X}")).collect()
    } else {
        format!("\"{text}\"")
    }
}

/// What a subject would choose to be taken for structure.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "'",
            "\"",
            " ",
            "=",
            "\u{1d}",
            "#035",
            "\t",
            "\r",
            "\u{b}",
            "\u{85}",
            "\u{2028}",
            ")",
            ",",
            "(",
            "res=success",
            "res=failed",
            "success=no",
            "auid=0",
            "uid=7",
            "ses=9",
            "type=SYSCALL",
            "node=x ",
            "msg='",
            "msg=audit(1.0:2): ",
            "avc:  denied  { read } ",
            "apparmor=\"DENIED\"",
            "permissive=1",
            "k='",
            "x=\"",
            "UID=\"root\"",
            "SYSCALL=read",
            "exit=-13",
            "result=no",
            "6D73673D27",
            "audit(",
            "?",
            "(null)",
            "{",
            "}",
            "code=0",
            "resp=2",
            " addr=10.0.0.1 ",
            " terminal=x",
            " tclass=x permissive=1 ",
            "msg=\"",
            "^]",
            "\\x1d",
            "lsm=SMACK action=granted ",
            "kernel: audit: ",
            "audit: type=1300 audit(1.0:1): ",
        ])
        .prop_map(str::to_owned),
        "[^\n]{0,3}",
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn runner(seed: u64) -> TestRunner {
    TestRunner::new(ProptestConfig {
        cases: 1_000,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..ProptestConfig::default()
    })
}

const SUFFIXES: [&str; 8] = [
    "",
    "UID=\"root\" AUID=\"unset\"",
    "^]UID=\"root\" AUID=\"o'brien\"",
    "\\x1dUID=\"root\"",
    "<0x1d>UID=\"root\"",
    "\u{1d}UID=\"root\" AUID=\"unset\"",
    "#035UID=\"root\" AUID=\"o'brien\"",
    " UID=\"root\" AUID=\"unset\"",
];

fn check(line: &str, action: &str, actor: &str, outcome: Outcome) -> Result<(), TestCaseError> {
    let events = text(line);
    prop_assert_eq!(events.len(), 1, "{}", line);
    let found = (events[0].action.as_str(), events[0].actor.id.as_str(), events[0].outcome);
    prop_assert_eq!(found, (action, actor, outcome), "{}", line);
    prop_assert_eq!(events[0].tags.get(NOT_UNDERSTOOD), None, "{}", line);
    prop_assert_eq!(events[0].session_id.as_deref(), Some("3"), "{}", line);
    // The address is the true one; where the subject wrote another, none.
    let ip = events[0].ip.as_deref();
    prop_assert!(ip.is_none_or(|ip| ip == "203.0.113.9"), "{}", line);
    if ip.is_none() && line.contains(" addr=203.0.113.9 ") {
        prop_assert!(events[0].tags["addr"].contains("203.0.113.9"), "{}", line);
    }
    Ok(())
}

/// No byte of a name, a path, a terminal or a host changes what happened, who acted or how it
/// ended, whether the texts are written as they should be or as they are.
#[test]
fn a_subject_changes_no_message() {
    let texts = (hostile(), hostile(), hostile(), hostile());
    let form = (0..8_usize, any::<bool>(), 0..3_u8);
    runner(12)
        .run(&(texts, form), |((account, exe, host, terminal), (suffix, success, raw))| {
            let (account, exe) = match raw {
                0 => (encoded(&account), encoded(&exe)),
                1 => (format!("\"{account}\""), format!("\"{exe}\"")),
                _ => (account, encoded(&exe)),
            };
            let (said, outcome) =
                if success { ("success", Outcome::Success) } else { ("failed", Outcome::Failure) };
            let line = format!(
                "type=USER_LOGIN msg=audit(1.0:1): pid=9 uid=0 auid=1000 ses=3 msg='op=login \
                 acct={account} exe={exe} hostname={host} addr=203.0.113.9 terminal={terminal} \
                 res={said}'{}",
                SUFFIXES[suffix]
            );
            check(&line, "user.login", "1000", outcome)
        })
        .unwrap();
}

#[test]
fn a_subject_changes_no_call() {
    let texts = (hostile(), hostile(), hostile(), hostile());
    runner(13)
        .run(&(texts, 0..8_usize, any::<bool>()), |((comm, exe, cwd, name), suffix, success)| {
            let (said, outcome) =
                if success { ("yes exit=0", Outcome::Success) } else { ("no exit=-2", Outcome::Failure) };
            let stamp = "msg=audit(1.0:1):";
            let lines = format!(
                "type=SYSCALL {stamp} arch=c000003e syscall=59 success={said} ppid=1 auid=1000 \
                 uid=0 ses=3 comm={} exe={} key=(null){}\ntype=CWD {stamp} cwd={}\n\
                 type=PATH {stamp} item=0 name={} nametype=NORMAL\ntype=PROCTITLE {stamp} proctitle={}",
                encoded(&comm), encoded(&exe), SUFFIXES[suffix], encoded(&cwd), encoded(&name), encoded(&comm)
            );
            check(&lines, "syscall.execve", "1000", outcome)
        })
        .unwrap();
}

/// Whatever the lines are, each is imported or rejected.
#[test]
fn every_line_is_imported_or_rejected() {
    let line = (hostile(), hostile())
        .prop_map(|(head, body)| format!("{head} type=1112 msg=audit(1.0:1): {body}"));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trail");
    runner(14)
        .run(&prop::collection::vec(line, 1..4), |lines| {
            fs::write(&path, lines.join("\n")).unwrap();
            let mut import = import::read(&path, &Format::Auditd).unwrap();
            import.by_ref().for_each(|item| drop(item.unwrap()));
            let counts = import.counts();
            prop_assert_eq!(counts.imported + counts.rejected, counts.lines);
            // A record behind NULs is a line of its own.
            let behind =
                |begin| lines.iter().map(|line| line.matches(begin).count()).sum::<usize>();
            let count = lines.len() + behind("\0type=") + behind("\0node=");
            prop_assert_eq!(counts.lines, count as u64);
            Ok(())
        })
        .unwrap();
}
