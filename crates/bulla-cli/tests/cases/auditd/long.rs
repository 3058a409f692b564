//! Long lines and long events: what they cost, and that they stay one.

use super::*;

/// Every line here took time in the square of its length: from minutes to hours, where it takes
/// seconds now.
#[test]
fn a_long_line_costs_no_more_than_its_length() {
    let head = "type=USER_LOGIN msg=audit(1.0:1): pid=1 uid=0 ";
    for (begin, piece, end) in [
        ("msg='", "' A=1", " x"),
        ("msg='", "' ", " x"),
        ("msg='", "'A=1 ", "x"),
        ("msg='", "' A=\"", " x"),
        ("msg='", "'#035A=1", " x"),
        ("msg='", "'\u{1d}A=1", " x"),
        ("msg='", "='\"", " x"),
        ("msg='", "res=x y ", "'"),
        ("msg='", "addr=1 ", "'"),
        ("msg=\"", "\" A=1", " x"),
        ("", "res=x y ", ""),
        ("", "res=1\u{1d}", ""),
        ("", "a=1#035", ""),
        ("", "a=1\u{1d}", ""),
        ("", "a=1AB=", ""),
        ("", "res=1AB=1", ""),
        ("", "a\u{1d}", ""),
        ("", "a=\"", ""),
        ("", "(a=,", ""),
    ] {
        // What was a search for one byte was fast for its cost.
        let bytes = if piece == "res=x y " { 3_500_000 } else { 500_000 };
        let line = format!("{head}{begin}{}{end}", piece.repeat(bytes / piece.len()));
        assert_eq!(text(&line).len(), 1, "{begin}{piece}");
    }
}

#[test]
fn the_longest_call_is_one_event() {
    // 6 MiB of arguments, as the kernel writes them: in hex, some KB a record.
    let stamp = "msg=audit(1.0:7):";
    let mut lines = vec![format!(
        "type=SYSCALL {stamp} arch=c000003e syscall=59 success=no exit=-13 auid=1000 uid=1000 ses=3 exe=\"/bin/sh\""
    )];
    let piece = "2041".repeat(3_700 / 2);
    lines.extend((0..(6 << 20) / 3_700).map(|at| format!("type=EXECVE {stamp} a1[{at}]={piece}")));
    lines.push(format!("type=CWD {stamp} cwd=\"/root\""));
    lines.push(format!("type=PATH {stamp} item=0 name=\"/etc/shadow\" nametype=NORMAL"));
    lines.push(format!("type=PROCTITLE {stamp} proctitle=7368"));
    // Another event is not closed because this one is long.
    let other =
        "type=SYSCALL msg=audit(1.0:6): arch=c000003e syscall=2 success=no exit=-13 auid=1001";
    let rest = "type=PATH msg=audit(1.0:6): item=0 name=\"/x\" nametype=NORMAL";
    let events = text(&format!("{other}\n{}\n{rest}", lines.join("\n")));
    let found: Vec<_> = events
        .iter()
        .map(|event| (event.action.as_str(), event.actor.id.as_str(), event.outcome))
        .collect();
    assert_eq!(
        found,
        [("syscall.open", "1001", Outcome::Denied), ("syscall.execve", "1000", Outcome::Denied)]
    );
    assert_eq!(events[0].resource, Resource::new("file", "/x"));
    assert_eq!(events[1].resource, Resource::new("file", "/etc/shadow"));
    assert!(events[1].tags[import::SHORTENED].contains("details"));
}
