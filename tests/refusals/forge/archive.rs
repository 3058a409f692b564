//! Folders of an archive: their manifests, and the segments in them.

use super::bytes::{number, part};
use super::files::Files;
use super::hashes::{Hash, blake3};
use super::segment::{End, FOOTER, HEADER, Segment, Start};

/// A folder, by the ordinal of its segment: its path, with a slash at the end.
pub(crate) fn folder(files: &Files, ordinal: u64) -> String {
    let ending = format!("/{ordinal:08}/segment.seg");
    let mut segments = files.below("archive/").filter(|name| name.ends_with(&ending));
    segments.next().unwrap().trim_end_matches("segment.seg").to_owned()
}

/// The lines of a manifest, one for each member.
pub(crate) struct Manifest(pub(crate) Vec<String>);

impl Manifest {
    fn line(&mut self, member: &str) -> &mut String {
        let prefix = format!("  \"{member}\": ");
        self.0.iter_mut().find(|line| line.starts_with(&prefix)).unwrap()
    }

    /// A member's value, as it is spelled.
    pub(crate) fn get(&mut self, member: &str) -> String {
        let line = self.line(member);
        line.split_once(": ").unwrap().1.trim_end_matches(',').to_owned()
    }

    /// Sets a member that is on one line.
    pub(crate) fn set(&mut self, member: &str, value: &str) {
        let line = self.line(member);
        let end = if line.ends_with(',') { "," } else { "" };
        *line = format!("  \"{member}\": {value}{end}");
    }

    /// Replaces the lines of a member, which is a list or an object.
    pub(crate) fn set_lines(&mut self, member: &str, value: &[&str]) {
        let prefix = format!("  \"{member}\": ");
        let from = self.0.iter().position(|line| line.starts_with(&prefix)).unwrap();
        let one = self.0[from].ends_with(',');
        let ends = |line: &String| line.starts_with("  ]") || line.starts_with("  }");
        let to = if one { from } else { from + self.0[from..].iter().position(ends).unwrap() };
        let lines = value.iter().enumerate().map(|(n, line)| match n {
            0 => format!("{prefix}{line}"),
            _ => (*line).to_owned(),
        });
        self.0.splice(from..=to, lines.collect::<Vec<_>>());
    }

    /// The names of the files in the list.
    fn files(&self) -> Vec<(usize, String)> {
        let named = |(at, line): (usize, &String)| {
            let name = line.strip_prefix("      \"name\": \"")?.strip_suffix("\",")?;
            Some((at, name.to_owned()))
        };
        self.0.iter().enumerate().filter_map(named).collect()
    }

    /// Takes a file out of the list.
    pub(crate) fn remove_file(&mut self, name: &str) {
        let (at, _) = self.files().into_iter().find(|(_, file)| file == name).unwrap();
        self.0.drain(at - 1..at + 4);
        // The last entry has no comma behind it.
        let end = self.0.iter().rposition(|line| line == "  ],").unwrap();
        self.0[end - 1] = "    }".to_owned();
        for line in &mut self.0[..end - 1] {
            if line == "    }" {
                line.push(',');
            }
        }
    }
}

/// Writes a manifest anew: what it says of the files in its list follows from them, then come the
/// changes, then its check.
pub(crate) fn remake(files: &mut Files, folder: &str, change: impl FnOnce(&mut Manifest)) {
    let name = format!("{folder}MANIFEST.json");
    let text = String::from_utf8(files.get(&name).to_vec()).unwrap();
    let mut manifest = Manifest(text.lines().map(str::to_owned).collect());
    for (at, file) in manifest.files() {
        let Some(bytes) = files.0.get(&format!("{folder}{file}")) else { continue };
        let digest = blake3(&[b"bulla/archive-file/v1\0", bytes]);
        manifest.0[at + 1] = format!("      \"bytes\": {},", bytes.len());
        manifest.0[at + 2] = format!("      \"blake3\": \"{}\"", hex(&digest));
        if file == "segment.seg" {
            manifest.set("bytes", &bytes.len().to_string());
        }
    }
    change(&mut manifest);
    let text = |check: &Hash| {
        let lines = manifest.0.iter().map(|line| match line.strip_prefix("  \"check\": ") {
            Some(_) => format!("  \"check\": \"{}\"\n", hex(check)),
            None => format!("{line}\n"),
        });
        lines.collect::<String>()
    };
    let check = blake3(&[b"bulla/archive-check/v1\0", text(&[0; 32]).as_bytes()]);
    files.put(name, text(&check));
}

/// Writes the segment of a folder anew, with its header's digest in the manifest.
pub(crate) fn resegment(files: &mut Files, folder: &str, change: impl FnOnce(&mut Segment)) {
    let name = format!("{folder}segment.seg");
    let bytes = files.get(&name);
    let header = bytes[..super::document::len(HEADER)].to_vec();
    let footer = bytes[bytes.len() - super::document::len(FOOTER)..].to_vec();
    let mut segment = Segment::read(number(HEADER, &header, "ordinal"), bytes);
    let start = Start {
        first: number(HEADER, &header, "first_seq"),
        root: part(HEADER, &header, "start_root").try_into().unwrap(),
        previous: part(HEADER, &header, "previous").try_into().unwrap(),
        last_anchor: number(HEADER, &header, "last_anchor"),
    };
    let end = End {
        root: part(FOOTER, &footer, "end_root").try_into().unwrap(),
        index_root: part(FOOTER, &footer, "index_root").try_into().unwrap(),
        last_anchor: number(FOOTER, &footer, "last_anchor"),
    };
    change(&mut segment);
    let header = segment.begin(&start);
    files.put(name, segment.write(&header, start.first, Some(&end)));
    let digest = blake3(&[b"bulla/segment-header/v1\0", &header]);
    remake(files, folder, |manifest| manifest.set("header", &quoted(&digest)));
}

/// A hash as a manifest spells it.
pub(crate) fn quoted(hash: &Hash) -> String {
    format!("\"{}\"", hex(hash))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
