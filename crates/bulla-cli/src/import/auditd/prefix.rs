//! What may stand before a record: nothing, or what a syslog daemon writes before the lines of
//! the kernel and of auditd.
//!
//! Every local user can have a line written to syslog, and every remote one a part of it
//! (`sshd: Invalid user …`). So the program that a line is of must be one that writes records,
//! and the record must be all that it wrote.

/// More words than any prefix has.
const WORDS_MAX: usize = 24;

/// Programs whose lines are records. The kernel has no process number.
const KERNEL: [&str; 2] = ["kernel", "audit"];
const DISPATCHERS: [&str; 2] = ["audispd", "audisp-syslog"];

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Whether a record may follow this text.
pub(super) fn is_trusted(prefix: &str) -> bool {
    let (prefix, has_priority) = without_priority(prefix);
    let words: Vec<&str> = prefix.split_ascii_whitespace().take(WORDS_MAX + 1).collect();
    if words.len() > WORDS_MAX {
        return false;
    }
    let behind = match words.as_slice() {
        // RFC 5424.
        ["1", _time, _host, program, process, _kind, data @ ..] if has_priority => {
            if !is_program(program, (*process != "-").then_some(*process)) {
                return false;
            }
            behind_data(data)
        }
        words => behind_tag(words),
    };
    // The kernel writes its clock and `audit:`.
    matches!(behind.map(behind_clock), Some([] | ["audit:"]))
}

/// `<13>` at the beginning.
fn without_priority(prefix: &str) -> (&str, bool) {
    let priority = prefix.strip_prefix('<').and_then(|inside| inside.split_once('>'));
    match priority.filter(|(number, _)| number.len() <= 3 && is_number(number)) {
        Some((_, behind)) => (behind, true),
        None => (prefix, false),
    }
}

/// What follows `TIME HOST TAG`, as RFC 3164 and the daemons have it, or a tag alone.
fn behind_tag<'w, 'p>(words: &'w [&'p str]) -> Option<&'w [&'p str]> {
    match (behind_time(words), words) {
        (Some([tag, behind @ ..] | [_, tag, behind @ ..]), _) if is_tag(tag) => Some(behind),
        (Some(_), _) => None,
        (None, [tag, behind @ ..]) if is_tag(tag) => Some(behind),
        // What `dmesg` shows has no tag.
        (None, words) => Some(words),
    }
}

/// The time of a line, in the forms that syslog daemons and journalctl write.
fn behind_time<'w, 'p>(words: &'w [&'p str]) -> Option<&'w [&'p str]> {
    match words {
        [month, day, clock, behind @ ..]
            if MONTHS.contains(month) && is_number(day) && is_clock(clock) =>
        {
            Some(behind)
        }
        [date, clock, behind @ ..] if is_date(date) && is_clock(clock) => Some(behind),
        [stamp, behind @ ..] if stamp.split_once('T').is_some_and(|(date, _)| is_date(date)) => {
            Some(behind)
        }
        [seconds, behind @ ..] if seconds.starts_with(|first: char| first.is_ascii_digit()) => {
            seconds.split('.').all(is_number).then_some(behind)
        }
        _ => None,
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && text.split('-').all(is_number)
}

fn is_clock(text: &str) -> bool {
    text.split([':', '.', ',']).filter(|part| is_number(part)).count() >= 3
}

/// `kernel:` or `audispd[7]:`.
fn is_tag(word: &str) -> bool {
    let Some(tag) = word.strip_suffix(':') else { return false };
    match tag.strip_suffix(']').and_then(|tag| tag.split_once('[')) {
        Some((program, process)) => is_program(program, Some(process)),
        None => is_program(tag, None),
    }
}

fn is_program(name: &str, process: Option<&str>) -> bool {
    DISPATCHERS.contains(&name) && process.is_none_or(is_number)
        || KERNEL.contains(&name) && process.is_none()
}

/// What follows the structured data of RFC 5424.
fn behind_data<'w, 'p>(words: &'w [&'p str]) -> Option<&'w [&'p str]> {
    match words {
        ["-", behind @ ..] => Some(behind),
        [first, ..] if first.starts_with('[') => {
            let end = words.iter().position(|word| word.ends_with(']'))?;
            words.get(end + 1..)
        }
        _ => None,
    }
}

/// `[   12.345]` or `[Tue Nov 14 22:13:20 2023]`.
fn behind_clock<'w, 'p>(words: &'w [&'p str]) -> &'w [&'p str] {
    let of_a_clock =
        |found: char| found.is_ascii_alphanumeric() || matches!(found, '[' | ']' | '.' | ':');
    let opens = words.first().is_some_and(|first| first.starts_with('['));
    let end = words.iter().take_while(|word| word.chars().all(of_a_clock));
    let end = end.take(6).position(|word| word.ends_with(']'));
    match end {
        Some(end) if opens => words.get(end + 1..).unwrap_or_default(),
        _ => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel_and_of_auditd_are_trusted() {
        for prefix in [
            "",
            "Nov 14 22:13:20 host kernel: audit:",
            "Nov  4 22:13:20 host kernel:",
            "Nov 14 22:13:20 host kernel: [   12.345678] audit:",
            "Nov 14 22:13:20 kernel: audit:",
            "Nov 14 22:13:20 host audit:",
            "Nov 14 22:13:20 host audispd:",
            "Nov 14 22:13:20 host audisp-syslog[812]:",
            "<5>Nov 14 22:13:20 host kernel: audit:",
            "2023-11-14T22:13:20.123456+00:00 host kernel: audit:",
            "2023-11-14 22:13:20,123 host audispd[7]:",
            "1700000000.123456 host kernel: audit:",
            "<5>1 2023-11-14T22:13:20Z host kernel - - - audit:",
            "<13>1 2023-11-14T22:13:20Z host audispd 7 - -",
            "<13>1 - host audispd - - [a@1 b=\"c d\"]",
            "kernel: audit:",
            "audit:",
            "<5>audit:",
            "[   12.345678] audit:",
            "[Tue Nov 14 22:13:20 2023] audit:",
            "<5>[12.3] audit:",
        ] {
            assert!(is_trusted(prefix), "{prefix}");
        }
    }

    #[test]
    fn lines_of_others_are_not_trusted_whatever_they_say() {
        let long = "Nov 14 22:13:20 host kernel: ".repeat(9);
        for prefix in [
            "Nov 14 22:13:20 host mallory[77]:",
            "Nov 14 22:13:20 host sshd[78]: Invalid user",
            "Nov 14 22:13:20 host sshd[78]: Invalid user kernel: audit:",
            "Nov 14 22:13:20 host sshd[78]: kernel: audit:",
            "Nov 14 22:13:20 host mallory: audit:",
            "Nov 14 22:13:20 host mallory kernel: audit:",
            "Nov 14 22:13:20 host kernel[77]: audit:",
            "Nov 14 22:13:20 host audit[77]:",
            "Nov 14 22:13:20 host audispd[x]:",
            "Nov 14 22:13:20 host kernel: x audit:",
            "Nov 14 22:13:20 host kernel: audit: audit:",
            "Nov 14 22:13:20 host kernel: [x y (z)] audit:",
            "Nov 14 22:13:20 host",
            "<13>1 2023-11-14T22:13:20Z host sshd 78 - - Invalid user kernel: audit:",
            "<13>1 2023-11-14T22:13:20Z host kernel 77 - - audit:",
            "<13>1 2023-11-14T22:13:20Z host mallory - - - audit:",
            "<13>1 2023-11-14T22:13:20Z host kernel - - - x audit:",
            "mallory:",
            "mallory: kernel: audit:",
            "x",
            "----",
            &long,
        ] {
            assert!(!is_trusted(prefix), "{prefix}");
        }
    }
}
