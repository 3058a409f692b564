//! Trails in several files: auditd begins a new file between any two records.

use super::*;
use crate::running::{at, fine, new_log, refused, run};

/// The events of files in a row, and the lines, imported lines and events of each.
fn chain(files: &[PathBuf]) -> (Vec<Event>, Vec<(u64, u64, u64)>) {
    let mut events = Vec::new();
    let mut counts = Vec::new();
    let mut before: Option<import::Import> = None;
    for (at, file) in files.iter().enumerate() {
        let mut import = before
            .take()
            .and_then(import::Import::into_next)
            .unwrap_or_else(|| import::read(file, &Format::Auditd).unwrap());
        if let Some(behind) = files.get(at + 1) {
            import = import.followed_by(behind);
        }
        for item in import.by_ref() {
            match item.unwrap() {
                Item::Event { event, .. } => events.push(event),
                rejected @ Item::Rejected { .. } => panic!("{rejected:?}"),
            }
        }
        let found = import.counts();
        counts.push((found.lines, found.imported, found.events));
        before = Some(import);
    }
    (events, counts)
}

fn written(directory: &Path, texts: &[&str]) -> Vec<PathBuf> {
    let file = |(at, text): (usize, &&str)| {
        let path = directory.join(format!("audit.log.{at}"));
        fs::write(&path, text).unwrap();
        path
    };
    texts.iter().enumerate().map(file).collect()
}

#[test]
fn an_event_over_the_end_of_a_file_is_one_event() {
    let files = [input("36-auditd-rotated.log.1"), input("36-auditd-rotated.log")];
    let (events, counts) = chain(&files);
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].action.as_str(), events[0].outcome), ("syscall.openat", Outcome::Denied));
    assert_eq!(events[0].actor, Actor::new("user", "1000"));
    assert_eq!(events[0].resource, Resource::new("file", "/etc/shadow"));
    assert_eq!(counts, [(1, 1, 0), (3, 3, 1)]);
    // Alone the rest is no success of a user that is not known.
    let rest = &case("36-auditd-rotated.log")[0];
    assert_eq!(
        (rest.outcome, rest.tags[NOT_UNDERSTOOD].as_str()),
        (Outcome::Unknown, "no SYSCALL")
    );
}

/// Wherever the files are cut (no file is empty), the events are the same.
#[test]
fn a_trail_that_is_cut_at_any_lines_has_the_same_events() {
    let lines: Vec<String> = (0..5)
        .flat_map(|serial| {
            let stamp = format!("msg=audit(1.0:{serial}):");
            [
                format!(
                    "type=SYSCALL {stamp} arch=c000003e syscall=2 success=no exit=-13 auid=1000"
                ),
                format!("type=CWD {stamp} cwd=\"/root\""),
                format!("type=PATH {stamp} item=0 name=\"f{serial}\" nametype=NORMAL"),
            ]
        })
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let (expected, _) = chain(&written(directory.path(), &[&lines.join("\n")]));
    assert_eq!(expected.len(), 5);
    for first in 1..lines.len() {
        for second in first + 1..lines.len() {
            let parts = [&lines[..first], &lines[first..second], &lines[second..]];
            let texts = parts.map(|part| part.join("\n"));
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let (mut events, counts) = chain(&written(directory.path(), &texts));
            events.sort_by(|one, other| one.request_id.cmp(&other.request_id));
            assert_eq!(events, expected, "{first} {second}");
            let lines = parts.map(|part| part.len() as u64);
            assert_eq!(counts.iter().map(|count| count.0).collect::<Vec<_>>(), lines);
            assert!(counts.iter().all(|count| count.0 == count.1));
        }
    }
}

#[test]
fn a_copy_of_a_file_is_no_rest_of_it() {
    let whole = "type=SYSCALL msg=audit(1.0:1): arch=c000003e syscall=2 success=yes auid=1000\ntype=CWD msg=audit(1.0:1): cwd=\"/\"";
    let directory = tempfile::tempdir().unwrap();
    let (events, counts) = chain(&written(directory.path(), &[whole, whole]));
    assert_eq!((events.len(), &events[0]), (2, &events[1]));
    assert_eq!(counts, [(2, 2, 1), (2, 2, 1)]);
}

#[test]
fn a_next_file_that_cannot_be_read_closes_what_is_open() {
    let directory = tempfile::tempdir().unwrap();
    let files = written(directory.path(), &["type=PATH msg=audit(1.0:1): name=\"/x\""]);
    let missing = directory.path().join("missing");
    let mut import = import::read(&files[0], &Format::Auditd).unwrap().followed_by(&missing);
    assert_eq!(import.by_ref().map(Result::unwrap).count(), 1);
    assert_eq!((import.handed_over(), import.into_next().is_none()), (0, true));
}

#[test]
fn the_command_brings_such_an_event_together_also_when_it_reads_twice() {
    let files = ["36-auditd-rotated.log.1", "36-auditd-rotated.log"]
        .map(|name| input(name).to_str().unwrap().to_owned());
    for options in [&[][..], &["--strict"], &["--resume"]] {
        let (_dir, log) = new_log();
        let command =
            [&["import", &log, &files[0], &files[1], "--format", "auditd"], options].concat();
        let told = fine(&command);
        assert!(told.contains("1 line read, 1 imported (as 0 events), 0 rejected"), "{told}");
        assert!(told.contains("3 lines read, 3 imported (as 1 event), 0 rejected"), "{told}");
        assert_eq!(fine(&["query", &log, "--outcome", "denied", "--count"]).trim(), "1");
        assert_eq!(fine(&["query", &log, "--count"]).trim(), "1");
        // What is there is found again.
        let again =
            [&["import", &log, &files[0], &files[1], "--format", "auditd"], &["--resume"][..]]
                .concat();
        fine(&again);
        assert_eq!(fine(&["query", &log, "--count"]).trim(), "1");
    }
}

#[test]
fn output_of_ausearch_is_imported_under_strict() {
    let (_dir, log) = new_log();
    let file = input("38-auditd-ausearch.log").to_str().unwrap().to_owned();
    let told = fine(&["import", &log, &file, "--format", "auditd", "--strict"]);
    assert!(told.contains("1 line read, 1 imported, 0 rejected"), "{told}");
}

#[test]
fn a_file_name_writes_nothing_but_itself() {
    let (dir, log) = new_log();
    let name = "x\u{1b}[2J\nbulla: all is well\u{202e}.log";
    let file = at(dir.path(), name);
    fs::write(&file, "nonsense\ntype=TTY msg=audit(1.0:1): a=1\n").unwrap();
    let rejects = at(dir.path(), "rejects");
    let ran = run(&["import", &log, &file, "--format", "auditd", "--rejects", &rejects]);
    let rejects = fs::read_to_string(&rejects).unwrap();
    let missing = at(dir.path(), "y\u{1b}[2J\nbulla: all is well");
    let refused_file = refused(2, &["import", &log, &missing, "--format", "auditd"]);
    let refused_log = refused(2, &["query", &missing]);
    let packed = at(dir.path(), "z\u{1b}[2J\nbulla: all is well");
    fs::write(&packed, b"BZh91AY").unwrap();
    let refused_packing = refused(2, &["import", &log, &packed, "--format", "auditd"]);
    for text in [&ran.stdout, &ran.stderr, &rejects, &refused_file, &refused_log, &refused_packing]
    {
        assert!(text.contains("\\n") && text.contains("all is well"), "{text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
        assert!(!text.contains("\nbulla: all is well"), "{text}");
    }
}
