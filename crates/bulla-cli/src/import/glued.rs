//! A value that was written behind a line that was cut off, without a line break between them: a
//! program died while it wrote, and the next one appended.

/// Where the last object of a broken line begins, if the beginning of the line cannot hold it.
///
/// Objects within an event are its subject's words, and must never count as events. So one that may
/// be an element or the value of a member of what stands before it is none.
pub(crate) fn begin_of_last(line: &[u8]) -> Option<usize> {
    let begin = balanced_from(line)?;
    let (before, value) = line.split_at(begin);
    (begins_object(before) && begins_object(value) && cannot_hold_a_value(before)).then_some(begin)
}

/// Where the brackets close that are open at the end, read backwards.
fn balanced_from(line: &[u8]) -> Option<usize> {
    let end = line.trim_ascii_end();
    let end = end.strip_suffix(b",").unwrap_or(end).trim_ascii_end();
    end.strip_suffix(b"}")?;
    let (mut depth, mut quoted) = (0_u64, false);
    let mut at = end.len();
    while at > 0 {
        at -= 1;
        match end[at] {
            b'"' => {
                let escapes = end[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
                quoted ^= escapes % 2 == 0;
                // They are no others' escapes.
                at -= escapes;
            }
            _ if quoted => {}
            b'}' | b']' => depth += 1,
            b'{' | b'[' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn begins_object(text: &[u8]) -> bool {
    let inside = text.trim_ascii_start().strip_prefix(b"{");
    inside.is_some_and(|inside| inside.trim_ascii_start().starts_with(b"\""))
}

/// Does this beginning of a text end where no value can follow: within a text, or behind a value or
/// a name?
fn cannot_hold_a_value(before: &[u8]) -> bool {
    let (mut open, mut quoted, mut escaped, mut last) = (Vec::new(), false, false, 0);
    for &byte in before {
        if quoted {
            (quoted, escaped) = (escaped || byte != b'"', !escaped && byte == b'\\');
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'{' | b'[' => open.push(byte),
            b'}' | b']' => {
                open.pop();
            }
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            last = byte;
        }
    }
    quoted
        || match last {
            b':' | b'[' => false,
            b',' => open.last() == Some(&b'{'),
            _ => true,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_behind_a_cut_line_is_found() {
        const EVENT: &str = r#"{"a":"}\\\"{","b":[{}],"c":{"d":1}}"#;
        for before in [
            r#"{"x":"te"#,
            r#"{"x":["1"#,
            r#"{"x"#,
            r#"{"x":1,"#,
            r#"{"x":12"#,
            r#"{"x":"a\""#,
            r#"{"x":{"y":"z"}"#,
            r#"{"x":tr"#,
        ] {
            for behind in ["", " ", ",", "\r"] {
                let line = format!("{before}{EVENT}{behind}");
                assert_eq!(begin_of_last(line.as_bytes()), Some(before.len()), "{line}");
            }
        }
    }

    #[test]
    fn what_may_be_a_part_of_the_line_is_none() {
        for line in [
            r#"{"x":{"a":1}"#,
            r#"{"x":[{"a":1}"#,
            r#"{"x":[1,{"a":1}"#,
            r#"{"x":"{\"a\":1}"#,
            r#"{"x":"{","a":1}"#,
            r#"{"a":1}"#,
            r#"words {"a":1}"#,
            r#"{"x":"a{}"#,
            "}}}}",
            "{",
            "",
        ] {
            assert_eq!(begin_of_last(line.as_bytes()), None, "{line}");
        }
    }
}
