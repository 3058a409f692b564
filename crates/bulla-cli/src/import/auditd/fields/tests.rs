use super::*;

fn record(line: &str) -> Record {
    Record::parse(line).unwrap()
}

fn message(body: &str) -> Option<String> {
    let record = record(&format!("type=USER_LOGIN msg=audit(1.0:1): pid=1 {body}"));
    Parsed::new(&record).message().map(str::to_owned)
}

#[test]
fn a_message_ends_where_its_writer_ended_it() {
    for (body, expected) in [
        ("msg='a res=1'", "a res=1"),
        ("msg='acct=\"o'brien\" res=1'", "acct=\"o'brien\" res=1"),
        ("msg='acct=o'brien res=1'", "acct=o'brien res=1"),
        ("msg='host=x' res=1'", "host=x' res=1"),
        ("msg='a res=1'\u{1d}UID=\"o'b\"", "a res=1"),
        ("msg='a=\"'\u{1d}\" res=1'\u{1d}UID=\"b\"", "a=\"'\u{1d}\" res=1"),
        ("msg='a=\"' b\" res=1' UID=\"o' b\"", "a=\"' b\" res=1"),
        ("msg='a=\"'#035\" res=1'#035UID=\"b\"", "a=\"'#035\" res=1"),
        ("msg='a=\"x res=1", "a=\"x res=1"),
        ("msg='", ""),
        ("msg=''", ""),
    ] {
        assert_eq!(message(body).as_deref(), Some(expected), "{body}");
    }
    assert_eq!(message("comm=\"msg='x'\""), None);
}

#[test]
fn a_message_says_nothing_of_who_acted() {
    let record = record(
        "type=USER_LOGIN msg=audit(1.0:1): pid=9 uid=0 \
         msg='op=login acct=\"x\" auid=7 ses=8 success=yes SYSCALL=read pid=1 res=failed'",
    );
    let parsed = Parsed::new(&record);
    for name in ["auid", "ses", "success", "SYSCALL"] {
        assert_eq!(parsed.get(name), None, "{name}");
    }
    assert_eq!(parsed.enriched("SYSCALL"), None);
    assert_eq!(parsed.get("pid").unwrap().text, "9");
    assert_eq!(parsed.get("acct").unwrap().text, "x");
}

#[test]
fn words_of_a_result_end_where_the_next_field_begins() {
    let said = |body: &str| {
        let record = record(&format!("type=X msg=audit(1.0:1): {body}"));
        Parsed::new(&record).ends().next().unwrap().to_owned()
    };
    assert_eq!(said("res=success, auditd pid=7"), "success");
    assert_eq!(said("res=not at all) pid=7"), "not at all");
    assert_eq!(said("res=no way pid=7"), "no way");
    assert_eq!(said("res=yes\u{1d}UID=\"x\""), "yes");
    assert_eq!(said("res=?"), "?");
}

#[test]
fn hostile_bodies_are_read_without_harm() {
    for odd in [
        "=",
        "==",
        "a='",
        "a=\"b",
        "'",
        "msg='msg='x",
        "msg='",
        "a=,",
        "\u{1d}",
        "é=ü =",
        "#035",
        "res=",
        "msg='é'é",
    ] {
        Parsed::new(&record(&format!("type=X msg=audit(1.0:1):{odd}")));
    }
}

#[test]
fn fields_inside_a_message_count() {
    let found = record(
        "type=USER_START msg=audit(1.344:297): user pid=1 auid=0 \
         msg='PAM: session open acct=root : exe=\"/usr/sbin/crond\" (hostname=?, addr=?, \
         terminal=cron res=success)'",
    );
    assert_eq!(Parsed::new(&found).decoded("acct").as_deref(), Some("root"));
    assert_eq!(Parsed::new(&found).decoded("exe").as_deref(), Some("/usr/sbin/crond"));
    assert_eq!(Parsed::new(&found).get("addr"), None);
    assert_eq!(Parsed::new(&found).get("res").unwrap().text, "success");
    let login = record("type=LOGIN msg=audit(1.3:2): login pid=1 old auid=4294967295 new auid=0");
    assert_eq!(Parsed::new(&login).get("auid").unwrap().text, "0");
    let enriched = record("type=SYSCALL msg=audit(1.3:2): uid=0\u{1d}SYSCALL=openat UID=\"root\"");
    assert_eq!(Parsed::new(&enriched).enriched("SYSCALL"), Some("openat"));
    assert_eq!(Parsed::new(&enriched).enriched("UID"), Some("root"));
}

#[test]
fn hex_is_undone_where_the_result_is_text() {
    let exe = |value: &str| {
        Parsed::new(&record(&format!("type=X msg=audit(1.0:1): exe={value}"))).decoded("exe")
    };
    assert_eq!(exe("2F746D702F6120622063").as_deref(), Some("/tmp/a b c"));
    assert_eq!(exe("\"ABCD\"").as_deref(), Some("ABCD"));
    assert_eq!(exe("C3A9").as_deref(), Some("é"));
    for kept in ["FF", "ABC", "cafe", "/bin/sh", "4242", "101112"] {
        assert_eq!(exe(kept).as_deref(), Some(kept));
    }
}
