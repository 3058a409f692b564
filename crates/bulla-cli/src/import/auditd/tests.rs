use super::*;
use bulla::event::Outcome;

fn made(lines: &[&str]) -> Event {
    let text = lines.join("\n");
    let mut grouped = Grouped::new(super::super::input::Lines::new(text.as_bytes()));
    assert!(grouped.next_piece().unwrap().is_none());
    let piece = grouped.close_one().unwrap();
    assert_eq!(piece.lines, lines.len() as u64);
    super::super::fit::escaped(piece.outcome.unwrap())
}

#[test]
fn a_denied_call_is_one_event_of_four_records() {
    let lines = [
        r#"type=AVC msg=audit(1700000000.977:293): avc:  denied  { read } for  pid=13 comm="pickup" name="maildrop" tclass=dir"#,
        r#"type=SYSCALL msg=audit(1700000000.977:293): arch=c000003e syscall=2 success=no exit=-13 ppid=1 pid=13 auid=4294967295 uid=89 ses=4294967295 comm="pickup" exe="/usr/libexec/pickup" key=(null)"#,
        r#"type=CWD msg=audit(1700000000.977:293):  cwd="/var/spool""#,
        r#"type=PATH msg=audit(1700000000.977:293): item=0 name="maildrop" inode=1"#,
    ];
    let event = made(&lines);
    assert_eq!(event.action, "syscall.open");
    assert_eq!(event.actor, Actor::new("user", "89"));
    assert_eq!(event.resource, Resource::new("file", "/var/spool/maildrop"));
    assert_eq!(event.outcome, Outcome::Denied);
    assert_eq!(event.reason.as_deref(), Some("denied { read }"));
    assert_eq!(event.request_id.as_deref(), Some("1700000000.977:293"));
    assert_eq!(event.session_id, None);
    assert_eq!(event.tags.get("key"), None);
    let details: serde_json::Value = event.details.unwrap().to_value().unwrap();
    assert_eq!(details, serde_json::json!({ "records": lines }));
}

#[test]
fn the_login_user_is_the_actor_and_the_account_the_resource() {
    let event = made(&[
        r#"node=bastion type=USER_LOGIN msg=audit(1700000000.193:421): pid=12 uid=0 auid=1000 ses=3 msg='op=login acct="ann" exe="/usr/sbin/sshd" hostname=h addr=203.0.113.9 terminal=/dev/pts/0 res=failed'"#,
    ]);
    assert_eq!(event.action, "user.login");
    assert_eq!(event.actor.id, "1000");
    assert_eq!(event.resource, Resource::new("account", "ann"));
    assert_eq!(event.outcome, Outcome::Failure);
    assert_eq!(event.ip.as_deref(), Some("203.0.113.9"));
    assert_eq!(event.tenant.as_deref(), Some("bastion"));
    assert_eq!(event.session_id.as_deref(), Some("3"));
    assert_eq!(event.tags["terminal"], "/dev/pts/0");
}

#[test]
fn each_kind_of_record_names_its_resource() {
    for (line, action, kind, id) in [
        (
            r#"type=SERVICE_START msg=audit(1.0:1): pid=1 uid=0 msg='unit=cron res=success'"#,
            "service.start",
            "service",
            Some("cron"),
        ),
        (
            r#"type=ADD_GROUP msg=audit(1.0:1): uid=0 msg='op=add-group id=1000 exe="/usr/sbin/groupadd" res=success'"#,
            "add.group",
            "group",
            Some("1000"),
        ),
        (
            r#"type=USER_CMD msg=audit(1.0:1): uid=1 msg='cwd="/" cmd=6C73202F terminal=? res=success'"#,
            "user.cmd",
            "command",
            Some("ls /"),
        ),
        (
            r#"type=CONFIG_CHANGE msg=audit(1.0:1): auid=1000 op="add_rule" key="pam" list=4 res=1"#,
            "config.change",
            "audit_rule",
            Some("pam"),
        ),
        (
            r#"type=NETFILTER_CFG msg=audit(1.0:1): table=filter family=2"#,
            "netfilter.cfg",
            "table",
            Some("filter"),
        ),
        (
            r#"type=SOCKADDR msg=audit(1.0:1): saddr=02000050A9FEA9FE0000000000000000"#,
            "sockaddr",
            "socket",
            Some("169.254.169.254:80"),
        ),
        (r#"type=CWD msg=audit(1.0:1): cwd="/""#, "cwd", "system", None),
        (
            r#"type=SYSCALL msg=audit(1.0:1): arch=c0000015 syscall=7 success=yes exe="/bin/sh""#,
            "syscall.7",
            "program",
            Some("/bin/sh"),
        ),
    ] {
        let event = made(&[line]);
        assert_eq!((event.action.as_str(), event.resource.kind.as_str()), (action, kind), "{line}");
        assert_eq!(event.resource.id.as_deref(), id, "{line}");
    }
}

#[test]
fn a_daemon_without_a_user_acts_for_itself() {
    let event =
        made(&["type=DAEMON_END msg=audit(1.6:7): auditd normal halt, sending auid=? res=success"]);
    assert_eq!(event.actor, Actor::new("service", "auditd"));
    let odd = made(&["type=PATH msg=audit(1.6:7): name=\"/x\""]);
    assert_eq!(odd.actor, Actor::new("unknown", "unknown"));
}

#[test]
fn the_file_is_preferred_to_its_directory() {
    let event = made(&[
        "type=SYSCALL msg=audit(1.6:7): arch=c000003e syscall=87 success=yes uid=0 exe=\"/bin/rm\"",
        "type=PATH msg=audit(1.6:7): item=0 name=\"/etc/\" nametype=PARENT",
        "type=PATH msg=audit(1.6:7): item=1 name=\"/etc/x\" nametype=DELETE",
    ]);
    assert_eq!(
        (event.action.as_str(), event.resource.id.as_deref()),
        ("syscall.unlink", Some("/etc/x"))
    );
}

#[test]
fn the_other_files_of_a_call_are_targets_in_their_parts() {
    let event = made(&[
        "type=SYSCALL msg=audit(1.6:7): arch=c000003e syscall=82 success=yes uid=0 exe=\"/bin/mv\"",
        "type=CWD msg=audit(1.6:7): cwd=\"/srv\"",
        "type=PATH msg=audit(1.6:7): item=0 name=\"/etc/\" nametype=PARENT",
        "type=PATH msg=audit(1.6:7): item=1 name=\"/srv/\" nametype=PARENT",
        "type=PATH msg=audit(1.6:7): item=2 name=\"/etc/x\" nametype=DELETE",
        "type=PATH msg=audit(1.6:7): item=3 name=\"y\" nametype=DELETE",
        "type=PATH msg=audit(1.6:7): item=4 name=\"y\" nametype=CREATE",
        "type=PATH msg=audit(1.6:7): item=5 name=(null) nametype=NORMAL",
        "type=PATH msg=audit(1.6:7): item=6 name=\"/z\"",
    ]);
    assert_eq!(event.resource, Resource::new("file", "/etc/x"));
    let file = |path: &str| Target::new("file", path);
    let expected = [
        file("/etc/").role("parent"),
        file("/srv/").role("parent"),
        file("/srv/y").role("delete"),
        file("/srv/y").role("create"),
        file("/z"),
    ];
    assert_eq!(event.targets, expected);
}
