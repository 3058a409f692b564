//! What security modules decided, and records that say nothing of an end: neither is taken for
//! success unless it says so.

use super::*;

#[test]
fn every_denial_is_a_denial() {
    let events = case("31-auditd-decisions.log");
    let found: Vec<_> = events
        .iter()
        .map(|event| (event.action.as_str(), event.outcome, event.tags.contains_key("permissive")))
        .collect();
    let expected = [
        ("avc", Outcome::Denied, false),
        ("avc", Outcome::Denied, false),
        ("selinux.err", Outcome::Denied, false),
        ("selinux.err", Outcome::Denied, false),
        ("ipe.access", Outcome::Denied, false),
        ("avc", Outcome::Failure, false),
        ("avc", Outcome::Denied, false),
        ("netfilter.pkt", Outcome::Denied, false),
        ("fanotify", Outcome::Denied, false),
        ("integrity.data", Outcome::Failure, false),
        ("user.avc", Outcome::Denied, false),
        ("seccomp", Outcome::Success, false),
        ("anom.login_failures", Outcome::Success, false),
        ("mac.status", Outcome::Success, false),
        ("landlock.access", Outcome::Denied, false),
        ("ipe.access", Outcome::Success, true),
    ];
    assert_eq!(found, expected);
    assert!(events.iter().all(|event| !event.tags.contains_key(NOT_UNDERSTOOD)));
}

/// The words of each module, and one that it does not have.
#[test]
fn only_the_words_of_its_table_let_an_operation_pass() {
    let (passes, noted) = ((Outcome::Success, None), (Outcome::Success, Some("permissive")));
    let (denied, fails) = ((Outcome::Denied, None), (Outcome::Failure, None));
    let strange = (Outcome::Unknown, Some(NOT_UNDERSTOOD));
    for (record, (outcome, tag)) in [
        ("AVC|avc:  granted  { read } for  pid=1 tclass=file", passes),
        ("AVC|avc:  denied  { read } for  pid=1 tclass=file permissive=0", denied),
        ("AVC|avc:  denied  { read } for  pid=1 tclass=file permissive=1", noted),
        ("AVC|avc:  denied  { read } for  pid=1", denied),
        ("AVC|avc:  refused  { read } for  pid=1", strange),
        ("AVC|avc:  den", strange),
        ("AVC|pid=1 comm=\"x\"", strange),
        ("USER_AVC|pid=1 uid=81", strange),
        ("USER_AVC|pid=1 msg='avc:  received policyload notice (seqno=2) exe=\"/x\"'", passes),
        (
            "USER_AVC|pid=1 msg='avc:  op=setenforce lsm=selinux enforcing=1 res=1 exe=\"/x\"'",
            passes,
        ),
        ("USER_MAC_POLICY_LOAD|pid=1 msg='avc:  received policyload notice (seqno=2)'", passes),
        // A subject wrote the first `permissive=1`; old programs write none of their own.
        (
            "USER_AVC|pid=1 msg='avc:  denied  { start } for cmdline=\"x\" permissive=1\" scontext=a tclass=service exe=\"/x\"'",
            denied,
        ),
        (
            "USER_AVC|pid=1 msg='avc:  denied  { start } for cmdline=\"x\" tclass=y permissive=1 tclass=service exe=\"/x\"'",
            denied,
        ),
        (
            "USER_AVC|pid=1 msg='avc:  denied  { start } for tclass=service permissive=1 exe=\"/x\"'",
            noted,
        ),
        ("AVC|apparmor=\"ALLOWED\" operation=\"open\" error=-13", noted),
        ("AVC|apparmor=\"AUDIT\" operation=\"open\"", passes),
        ("AVC|apparmor=\"HINT\" operation=\"x\"", passes),
        ("AVC|apparmor=\"STATUS\" operation=\"profile_load\"", passes),
        ("AVC|apparmor=\"STATUS\" operation=\"profile_load\" error=-71", fails),
        ("AVC|apparmor=\"ERROR\" operation=\"open\"", fails),
        ("AVC|apparmor=\"KILLED\" operation=\"open\"", denied),
        ("AVC|apparmor=\"PROMPT\" operation=\"open\"", strange),
        ("AVC|apparmor=\"?\" operation=\"open\"", strange),
        ("1502|operation=\"open\"", noted),
        ("1506|operation=\"open\"", fails),
        ("1507|operation=\"open\"", denied),
        ("1500|operation=\"open\"", strange),
        ("1500|apparmor=\"AUDIT\" operation=\"open\"", passes),
        ("1501|apparmor=\"DENIED\" operation=\"open\"", denied),
        ("AVC|lsm=SMACK fn=f action=granted subject=\"a\"", passes),
        ("AVC|lsm=SMACK fn=f action=refused subject=\"a\"", strange),
        ("AVC|lsm=SMACK fn=f subject=\"a\"", strange),
        ("SELINUX_ERR|op=security_compute_sid invalid_context=\"a\"", fails),
        ("SELINUX_ERR|security_validate_transition:  denied for oldcontext=a", denied),
        ("SELINUX_ERR|op=x seresult=other", strange),
        (
            "1420|ipe_op=EXECUTE enforcing=1 rule=\"op=EXECUTE boot_verified=TRUE action=ALLOW\"",
            passes,
        ),
        ("1420|ipe_op=EXECUTE enforcing=0 rule=\"op=EXECUTE action=DENY\"", noted),
        ("1420|ipe_op=EXECUTE rule=\"op=EXECUTE action=DENY\"", denied),
        ("1420|ipe_op=EXECUTE enforcing=0 rule=\"op=EXECUTE action=ASK\"", strange),
        ("1420|ipe_op=EXECUTE enforcing=0", strange),
        ("FANOTIFY|resp=1 fan_type=0", passes),
        ("FANOTIFY|resp=3", denied),
        ("FANOTIFY|fan_type=0", denied),
        ("SECCOMP|auid=1 sig=31", denied),
        ("NETFILTER_PKT|action=0 hook=1", passes),
        ("NETFILTER_PKT|action=2 hook=1", denied),
        ("NETFILTER_PKT|action=7 hook=1", strange),
        ("NETFILTER_PKT|mark=0x1 saddr=192.0.2.7", passes),
    ] {
        let (kind, body) = record.split_once('|').unwrap();
        let event = one(&format!("type={kind} msg=audit(1.0:1): {body}"));
        let tags: Vec<_> = [NOT_UNDERSTOOD, "permissive"]
            .into_iter()
            .filter(|tag| event.tags.contains_key(*tag))
            .collect();
        assert_eq!((event.outcome, tags), (outcome, tag.into_iter().collect()), "{record}");
    }
}

#[test]
fn a_record_that_does_not_say_how_it_ended_is_no_success() {
    let said: Vec<_> = case("32-auditd-record-without-result.log")
        .into_iter()
        .map(|event| (event.outcome, event.tags.get(NOT_UNDERSTOOD).cloned()))
        .collect();
    let cut = |words: &str| (Outcome::Unknown, Some(words.to_owned()));
    let expected = [
        cut("no res="),
        cut("no res="),
        (Outcome::Failure, None),
        cut("no res="),
        cut("no success="),
        cut("no res="),
    ];
    assert_eq!(said, expected);
}

#[test]
fn a_message_in_double_quotes_is_a_message() {
    for (suffix, said, outcome) in [
        ("", "success", Outcome::Success),
        ("", "failed", Outcome::Failure),
        (" UID=\"root\" AUID=\"ann\"", "success", Outcome::Success),
        ("\u{1d}UID=\"root\"", "failed", Outcome::Failure),
    ] {
        let event = one(&format!(
            "type=USER_AUTH msg=audit(1.0:1): pid=1 uid=0 auid=1000 ses=1 msg=\"op=x acct=\"root\" \
             auid=0 addr=203.0.113.9 terminal=ssh res={said}\"{suffix}"
        ));
        assert_eq!((event.outcome, event.actor.id.as_str()), (outcome, "1000"), "{suffix}");
        assert_eq!(event.resource, Resource::new("account", "root"));
        assert_eq!(event.ip.as_deref(), Some("203.0.113.9"));
        assert!(!event.tags.contains_key(NOT_UNDERSTOOD), "{event:?}");
    }
}

/// All types of programs, whether they have a name or not, and kernel records that always do.
#[test]
fn types_that_always_say_how_they_ended_must() {
    for kind in [
        "USER_MGMT",
        "1139",
        "UNKNOWN[1199]",
        "2100",
        "ROLE_ASSIGN",
        "2407",
        "2500",
        "URINGOP",
        "DAEMON_ABORT",
        "1800",
    ] {
        let event = one(&format!("type={kind} msg=audit(1.0:1): pid=1 uid=0 auid=1000"));
        assert_eq!(event.outcome, Outcome::Unknown, "{kind}");
        assert!(event.tags[NOT_UNDERSTOOD].starts_with("no "), "{kind}");
    }
    // Keystrokes have no end, and most kernel records neither.
    for record in ["USER_TTY|pid=1 data=6C73", "TTY|data=6C73", "KERN_MODULE|name=\"x\""] {
        let (kind, body) = record.split_once('|').unwrap();
        let event = one(&format!("type={kind} msg=audit(1.0:1): {body}"));
        assert_eq!(event.outcome, Outcome::Success, "{kind}");
    }
    // What a new kernel denies may stand in a type that has no name here.
    let unknown = one("type=UNKNOWN[1427] msg=audit(1.0:1): blockers=fs.read");
    assert_eq!(unknown.outcome, Outcome::Unknown);
    assert_eq!(unknown.tags[NOT_UNDERSTOOD], "no res=");
}

#[test]
fn a_record_that_adds_to_a_call_is_not_what_happened() {
    let events = case("34-auditd-auxiliary-records.log");
    assert_eq!(events.len(), 2);
    assert_eq!((events[0].action.as_str(), events[0].outcome), ("syscall.openat", Outcome::Denied));
    assert_eq!(events[0].resource, Resource::new("file", "/etc/shadow"));
    assert_eq!(
        (events[1].action.as_str(), events[1].outcome),
        ("syscall.openat2", Outcome::Success)
    );
    assert_eq!(events[1].resource, Resource::new("file", "/root/secret"));
    for kind in [
        "SOCKETCALL",
        "1304",
        "FANOTIFY",
        "IPC_SET_PERM",
        "MQ_OPEN",
        "MQ_SENDRECV",
        "MQ_NOTIFY",
        "MQ_GETSETATTR",
        "AVC_PATH",
        "SELINUX_ERR",
        "LANDLOCK_ACCESS",
        "LANDLOCK_DOMAIN",
        "IPE_ACCESS",
        "APPARMOR_DENIED",
        "UNKNOWN[1340]",
        "1427",
        "OPENAT2",
        "EOE",
    ] {
        for order in [false, true] {
            let call = "type=SYSCALL msg=audit(1.0:1): arch=c000003e syscall=2 success=no exit=-13 auid=7 exe=\"/x\"";
            let added = format!("type={kind} msg=audit(1.0:1): resp=2");
            let event =
                one(&if order { format!("{call}\n{added}") } else { format!("{added}\n{call}") });
            assert_eq!(
                (event.action.as_str(), event.outcome),
                ("syscall.open", Outcome::Denied),
                "{kind}"
            );
            assert_eq!(event.resource, Resource::new("program", "/x"), "{kind}");
        }
    }
    // These say more than the call.
    let module = one(
        "type=KERN_MODULE msg=audit(1.0:1): name=\"x\"\ntype=SYSCALL msg=audit(1.0:1): arch=c000003e syscall=313 success=yes auid=7",
    );
    assert_eq!(module.action, "kern.module");
}

/// Without the record that they add to, nothing is known.
#[test]
fn records_that_only_add_are_no_success() {
    let rest = "type=CWD msg=audit(1.0:1): cwd=\"/root\"\ntype=PATH msg=audit(1.0:1): name=\"x\"";
    let event = one(rest);
    assert_eq!((event.outcome, event.actor), (Outcome::Unknown, Actor::new("unknown", "unknown")));
    assert_eq!(event.tags[NOT_UNDERSTOOD], "no SYSCALL");
}
