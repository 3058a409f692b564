use super::*;

fn found(text: &str) -> Vec<(u64, Result<String, String>)> {
    found_of(text, VALUE_BYTES_MAX)
}

fn found_of(text: &str, value_max: usize) -> Vec<(u64, Result<String, String>)> {
    let mut values = Values::new(
        io::BufReader::with_capacity(7, text.as_bytes()),
        vec!["Records".to_owned(), "items".to_owned()],
    );
    values.value_max = value_max;
    let mut out = Vec::new();
    while let Some(found) = values.next_value().unwrap() {
        out.push((found.line, found.bytes.map(|bytes| String::from_utf8(bytes).unwrap())));
        assert!(out.len() < 1_000, "no end: {text}");
    }
    out
}

fn texts(text: &str) -> Vec<String> {
    found(text).into_iter().map(|(_, text)| text.unwrap()).collect()
}

const ONE: &str = r#"{"a":"]},[\"\\","b":[{},[ ]]}"#;

#[test]
fn values_keep_their_bytes_wherever_they_stand() {
    for file in [
        format!("{ONE}\n{ONE}\n"),
        format!("{ONE}{ONE}"),
        format!("{ONE},\n{ONE},\n"),
        format!("\u{feff}{ONE}\r\n\u{feff}{ONE}"),
        format!("[{ONE},{ONE}]"),
        format!("[\n{ONE} ,\n {ONE}]\n"),
        format!("{{\"Records\" : [\n{ONE} ,\n {ONE}]}}\n"),
        format!("{{\"kind\":\"List\",\"items\":[{ONE},{ONE}],\"metadata\":{{\"x\":[1]}}}}"),
        format!("{{\"items\":[{ONE}]}}{{\"items\":[{ONE}]}}"),
        format!("{{\"items\":[{ONE}], \"n\":1, \"Records\":[{ONE}]}}"),
        format!("[{{\"items\":[{ONE}]}}, {{\"Records\":[]}}]\n[{ONE}]"),
        format!("{ONE}\n{{\"Records\":[{ONE}]}}"),
    ] {
        assert_eq!(texts(&file), [ONE, ONE], "{file}");
    }
    assert_eq!(texts("{\"Records\":[]}"), Vec::<String>::new());
    assert_eq!(texts("{\"other\":[1]}"), ["{\"other\":[1]}"]);
}

#[test]
fn a_value_may_take_several_lines() {
    let pretty = "{\n  \"a\": {\n    \"b\": [\n      {}\n    ]\n  }\n}";
    assert_eq!(texts(&format!("{pretty}\n{pretty}\n{ONE}\n")), [pretty, pretty, ONE]);
    let lines: Vec<u64> = found(&format!("{pretty}\n\n{pretty}")).iter().map(|at| at.0).collect();
    assert_eq!(lines, [1, 9]);
}

#[test]
fn one_bad_line_loses_only_itself() {
    for bad in [
        "{",
        "{\"a\":",
        "{\"a\":\"x",
        "nonsense",
        "}",
        "]",
        "\"x",
        "{\"a\":[",
        "1,2",
        "{\"items\":1,",
    ] {
        let file = format!("{ONE}\n{bad}\n{ONE}\n\n{bad}\n{ONE}\n{bad}");
        let found = found(&file);
        let texts: Vec<&str> = found.iter().map(|at| at.1.as_deref().unwrap()).collect();
        assert_eq!(texts, [ONE, bad, ONE, bad, ONE, bad], "{bad}");
        assert_eq!(found.iter().map(|at| at.0).collect::<Vec<_>>(), [1, 2, 3, 5, 6, 7], "{bad}");
    }
    // Two of them, one after the other, and one that only looks like a part of the first.
    let file = format!("{{\"a\":\n  {ONE}\n nonsense\n{ONE}");
    assert_eq!(texts(&file), ["{\"a\":", ONE, "nonsense", ONE]);
}

#[test]
fn many_lines_that_never_end_are_read_in_one_pass_each() {
    let file = " {\n".repeat(200);
    assert_eq!(found(&file).len(), 200);
}

#[test]
fn damage_in_an_array_is_reported_once_and_ends() {
    for (file, good) in
        [("[1,{\"a\":", 1), ("[1,", 1), ("{\"Records\":[1], \"more\": 2", 1), ("[", 0)]
    {
        let found = found(file);
        let bad = found.iter().filter(|unit| unit.1.is_err()).count();
        assert_eq!((found.len() - bad, bad), (good, 1), "{file}: {found:?}");
    }
}

#[test]
fn a_value_that_is_too_long_is_skipped() {
    const MAX: usize = 1 << 10;
    for file in [
        format!("[{{\"a\":\"{}\"}},2]", "x".repeat(MAX)),
        format!("{{\"a\":\"{}\"}}\n2", "x".repeat(MAX)),
    ] {
        let found = found_of(&file, MAX);
        assert_eq!(found[0].1, Err(too_long(MAX)));
        assert_eq!(found[1].1, Ok("2".to_owned()));
    }
    let found = found(&format!("{}\n2", "x".repeat(UNIT_BYTES_MAX + 1)));
    assert_eq!(found[0].1, Err(too_long(UNIT_BYTES_MAX)));
    assert_eq!(found[1].1, Ok("2".to_owned()));
}

#[test]
fn a_long_value_has_no_more_elements_than_a_short_one_may_have() {
    let many = format!("{{\"a\":[{}1]}}\n2", "1,".repeat(UNIT_BYTES_MAX / 2 + 1));
    let found = found(&many);
    assert_eq!(found[0].1, Err(too_long(UNIT_BYTES_MAX)));
    assert_eq!(found[1].1, Ok("2".to_owned()));
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(UNIT_BYTES_MAX));
    assert_eq!(texts(&long), [long]);
}

/// Lines behind a value that never ends are not lost, however many there are.
#[test]
fn a_value_that_never_ends_loses_only_its_first_line() {
    const MAX: usize = 1 << 10;
    let line = " {\"a\":\"text\"}";
    let file = format!("{{\"x\":[\n{}", format!("{line}\n").repeat(200));
    let found = found_of(&file, MAX);
    assert_eq!(found.len(), 201);
    assert!(found[1..].iter().all(|at| at.1.as_deref() == Ok(line.trim())));
}

/// Where every line that is read again moved the rest of them, this took 5.6 TB of copying.
#[test]
fn lines_that_are_read_again_do_not_move_what_follows() {
    let file = format!("{{\n{}{{}}\n", " {\n".repeat(1_300_000));
    let mut values = Values::new(file.as_bytes(), Vec::new());
    let mut count = 0;
    while let Some(found) = values.next_value().unwrap() {
        assert!(found.bytes.is_ok());
        count += 1;
    }
    assert_eq!(count, 1_300_002);
}

#[test]
fn what_a_file_holds_after_a_loss_of_power_ends_no_event() {
    for file in [
        format!("\0\0\0{ONE}\n{ONE}\n"),
        format!("{ONE}\n\0\0\0\0{ONE}\n\0\0"),
        format!("{ONE}\0{ONE}\0\0"),
        format!("\u{1e}{ONE}\n\u{1e}{ONE}\n"),
        format!("{ONE}\u{85}{ONE}"),
        format!("{ONE}\u{2028}{ONE}\u{2029}"),
        format!("{ONE}\u{a0}{ONE}\u{b}\u{c}"),
        format!("[{ONE},\u{a0}\0{ONE}]"),
    ] {
        assert_eq!(texts(&file), [ONE, ONE], "{file:?}");
    }
    for file in [
        format!("{{\"cut\":\"te\0\0\0{ONE}\n{ONE}"),
        format!("{{\"cut\":[\n 1,\0{ONE}\n{ONE}"),
        format!("the end\"}}\0{ONE}\n{ONE}"),
        format!("{{\"cut\":\u{1e}{ONE}\n\u{1e}{ONE}"),
    ] {
        let found = texts(&file);
        let good = found.iter().filter(|text| *text == ONE).count();
        assert_eq!((good, found.len() >= 3), (2, true), "{file:?} {found:?}");
    }
    // What only looks like these is not lost.
    assert_eq!(texts("\u{e9}t\u{e9}\n1"), ["\u{e9}t\u{e9}", "1"]);
}
