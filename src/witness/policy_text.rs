//! The text of a policy (c2sp.org/tlog-policy, "Policy file syntax and structure").
//!
//! ```text
//! # a comment
//! log <vkey> [<url>]
//! witness <name> <vkey> [<url>]
//! group <name> all|any|<k> <name>…                only names from above
//! quorum <name>|none                              exactly one
//! ```

use std::fmt;

use super::policy::{Group, Member, Policy, PolicyLog, PolicyName, Threshold, Witness};
use crate::checkpoint::{KeyError, VerifyingKey, line};

/// The longest policy that is read, in bytes.
pub const POLICY_LEN_MAX: usize = 256 * 1024;
/// The most logs, the most witnesses and the most groups that are read. The
/// specification recommends that 32 of each are accepted.
pub const POLICY_ENTRIES_MAX: usize = 64;

/// The predefined name of no requirement.
const NONE: &[u8] = b"none";

impl Policy {
    /// Reads a policy, strictly.
    ///
    /// # Errors
    /// Says what is not as the specification has it, and in which line. Keys of types
    /// that are not known here (ML-DSA-44) are refused, not skipped: a quorum without
    /// them would be another one.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        let of_file = |problem| PolicyError { line: 0, problem };
        if bytes.len() > POLICY_LEN_MAX {
            return Err(of_file(PolicyProblem::TooLong { found: bytes.len() }));
        }
        let mut reader = Reader::default();
        for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let problem = |problem| PolicyError { line: index + 1, problem };
            let line =
                line.strip_suffix(b"\n").ok_or_else(|| problem(PolicyProblem::NoFinalNewline))?;
            reader.line(line).map_err(problem)?;
        }
        let quorum = reader.quorum.ok_or_else(|| of_file(PolicyProblem::NoQuorum))?;
        let Reader { logs, witnesses, groups, .. } = reader;
        Ok(Policy { logs, witnesses, groups, quorum })
    }
}

/// What was read so far.
#[derive(Default)]
struct Reader {
    logs: Vec<PolicyLog>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    /// Names that are members of a group already.
    members: Vec<Member>,
    quorum: Option<Option<Member>>,
}

impl Reader {
    fn line(&mut self, line: &[u8]) -> Result<(), PolicyProblem> {
        let control = |byte: &&u8| (**byte < 0x20 && **byte != b'\t') || **byte == 0x7f;
        if let Some(byte) = line.iter().find(control) {
            return Err(PolicyProblem::ControlCharacter { byte: *byte });
        }
        let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|w| !w.is_empty());
        let Some(first) = words.next() else { return Ok(()) };
        let words: Vec<&[u8]> = words.collect();
        match (first, &words[..]) {
            ([b'#', ..], _) => Ok(()),
            (b"log", [key]) => self.log(key, None),
            (b"log", [key, url]) => self.log(key, Some(*url)),
            (b"witness", [name, key]) => self.witness(name, key, None),
            (b"witness", [name, key, url]) => self.witness(name, key, Some(*url)),
            (b"group", [name, threshold, members @ ..]) => self.group(name, threshold, members),
            (b"quorum", [name]) => self.quorum(name),
            _ => Err(PolicyProblem::Line { found: shown(first) }),
        }
    }

    fn log(&mut self, key: &[u8], url: Option<&[u8]>) -> Result<(), PolicyProblem> {
        check_count(self.logs.len())?;
        let key = verifying_key(key)?;
        if key.kind().head_algorithm().is_none() {
            return Err(PolicyProblem::WitnessKeyOfLog { name: key.name().to_string() });
        }
        if self.logs.iter().any(|log| log.key.has_same_secret(&key)) {
            return Err(PolicyProblem::KeyTwice { name: key.name().to_string() });
        }
        self.logs.push(PolicyLog { key, url: url.map(policy_name) });
        Ok(())
    }

    fn witness(
        &mut self,
        name: &[u8],
        key: &[u8],
        url: Option<&[u8]>,
    ) -> Result<(), PolicyProblem> {
        check_count(self.witnesses.len())?;
        self.check_new(name)?;
        let key = verifying_key(key)?;
        if key.kind().head_algorithm().is_some() {
            return Err(PolicyProblem::LogKeyOfWitness { name: key.name().to_string() });
        }
        if self.witnesses.iter().any(|witness| witness.key.has_same_secret(&key)) {
            return Err(PolicyProblem::KeyTwice { name: key.name().to_string() });
        }
        self.witnesses.push(Witness { name: policy_name(name), key, url: url.map(policy_name) });
        Ok(())
    }

    fn group(
        &mut self,
        name: &[u8],
        threshold: &[u8],
        members: &[&[u8]],
    ) -> Result<(), PolicyProblem> {
        check_count(self.groups.len())?;
        self.check_new(name)?;
        let threshold = threshold_of(threshold, members.len())?;
        let members = members.iter().map(|member| self.new_member(member));
        let members = members.collect::<Result<Vec<_>, _>>()?;
        // Within one line, too, each is listed once.
        for member in &members {
            if self.members.contains(member) {
                return Err(PolicyProblem::MemberTwice { name: self.shown_name(*member) });
            }
            self.members.push(*member);
        }
        self.groups.push(Group { name: policy_name(name), threshold, members });
        Ok(())
    }

    fn quorum(&mut self, name: &[u8]) -> Result<(), PolicyProblem> {
        if self.quorum.is_some() {
            return Err(PolicyProblem::QuorumTwice);
        }
        let required = match name {
            NONE => None,
            _ => Some(self.find(name).ok_or(PolicyProblem::UnknownName { name: shown(name) })?),
        };
        self.quorum = Some(required);
        Ok(())
    }

    fn new_member(&self, name: &[u8]) -> Result<Member, PolicyProblem> {
        self.find(name).ok_or(PolicyProblem::UnknownName { name: shown(name) })
    }

    /// Witnesses and groups share one namespace; `none` is taken.
    fn check_new(&self, name: &[u8]) -> Result<(), PolicyProblem> {
        match name == NONE || self.find(name).is_some() {
            true => Err(PolicyProblem::NameTwice { name: shown(name) }),
            false => Ok(()),
        }
    }

    fn find(&self, name: &[u8]) -> Option<Member> {
        let witness = self.witnesses.iter().position(|witness| witness.name.0 == name);
        let group = || self.groups.iter().position(|group| group.name.0 == name);
        witness.map(Member::Witness).or_else(|| group().map(Member::Group))
    }

    fn shown_name(&self, member: Member) -> String {
        let name = match member {
            Member::Witness(index) => self.witnesses.get(index).map(|witness| &witness.name),
            Member::Group(index) => self.groups.get(index).map(|group| &group.name),
        };
        name.map(|name| shown(&name.0)).unwrap_or_default()
    }
}

fn threshold_of(word: &[u8], members: usize) -> Result<Threshold, PolicyProblem> {
    let refused = || PolicyProblem::Threshold { found: shown(word), members };
    let threshold = match word {
        b"all" => Threshold::All,
        b"any" => Threshold::Any,
        _ => {
            let count = std::str::from_utf8(word).ok().and_then(line::decimal);
            let count = count.and_then(|count| usize::try_from(count).ok());
            Threshold::AtLeast(count.filter(|k| (1..=members).contains(k)).ok_or_else(refused)?)
        }
    };
    if members == 0 { Err(refused()) } else { Ok(threshold) }
}

fn verifying_key(word: &[u8]) -> Result<VerifyingKey, PolicyProblem> {
    let text = std::str::from_utf8(word).map_err(|_| PolicyProblem::Key(KeyError::Shape))?;
    text.parse().map_err(PolicyProblem::Key)
}

fn check_count(found: usize) -> Result<(), PolicyProblem> {
    if found < POLICY_ENTRIES_MAX { Ok(()) } else { Err(PolicyProblem::TooMany) }
}

fn policy_name(word: &[u8]) -> PolicyName {
    PolicyName(word.to_vec())
}

/// The beginning of a hostile word, for an error. The file may be a private key that was given in
/// place of a policy: that is not shown.
fn shown(word: &[u8]) -> String {
    let word = String::from_utf8_lossy(word);
    match word.contains("PRIVATE+KEY") {
        true => "a private key".to_owned(),
        false => word.chars().take(80).collect(),
    }
}

/// Writes the policy as text. Names that are not UTF-8 cannot be displayed; use
/// [`Policy::to_bytes`] where they matter.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}

impl Policy {
    /// The policy as the text that [`Policy::parse`] reads: logs, witnesses, groups and
    /// the quorum, one a line, without comments.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for PolicyLog { key, url } in &self.logs {
            write_line(&mut out, &[b"log", key.to_string().as_bytes()], url.iter());
        }
        for Witness { name, key, url } in &self.witnesses {
            let key = key.to_string();
            write_line(&mut out, &[b"witness", &name.0, key.as_bytes()], url.iter());
        }
        for Group { name, threshold, members } in &self.groups {
            let threshold = match threshold {
                Threshold::All => "all".to_owned(),
                Threshold::Any => "any".to_owned(),
                Threshold::AtLeast(count) => count.to_string(),
            };
            let members = members.iter().filter_map(|member| self.name_of(*member));
            write_line(&mut out, &[b"group", &name.0, threshold.as_bytes()], members);
        }
        let quorum = self.quorum.and_then(|member| self.name_of(member));
        write_line(&mut out, &[b"quorum", quorum.map_or(NONE, |name| &name.0)], [].iter());
        out
    }
}

fn write_line<'n>(out: &mut Vec<u8>, words: &[&[u8]], names: impl Iterator<Item = &'n PolicyName>) {
    out.extend(words.join(&b' '));
    for name in names {
        out.push(b' ');
        out.extend(&name.0);
    }
    out.push(b'\n');
}

/// A text is not a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("policy{}: {problem}", in_line(.line))]
pub struct PolicyError {
    /// In which line, from 1; 0 if it is about the whole file.
    pub line: usize,
    /// What is wrong.
    #[source]
    pub problem: PolicyProblem,
}

/// What can be wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyProblem {
    /// Longer than [`POLICY_LEN_MAX`].
    #[error("expected at most {POLICY_LEN_MAX} bytes, found {found}")]
    TooLong {
        /// Length in bytes.
        found: usize,
    },
    /// More than [`POLICY_ENTRIES_MAX`] logs, witnesses or groups.
    #[error("expected at most {POLICY_ENTRIES_MAX} logs, witnesses and groups each, found more")]
    TooMany,
    /// The last line does not end in a newline: the file may be cut short.
    #[error("expected a newline at the end of the last line, found none: was the file cut short?")]
    NoFinalNewline,
    /// A control character other than tab and newline.
    #[error("expected text, tabs and newlines, found control character {byte:#04x}")]
    ControlCharacter {
        /// Which one.
        byte: u8,
    },
    /// None of the five kinds of line, or with too few or too many words.
    #[error(
        "expected `log KEY [URL]`, `witness NAME KEY [URL]`, `group NAME all|any|K NAME…`, `quorum \
         NAME|none` or a comment, found a line that starts with {found:?}"
    )]
    Line {
        /// Its first word.
        found: String,
    },
    /// Not a key that is known here.
    #[error(transparent)]
    Key(KeyError),
    /// The key of a log line is one for cosignatures.
    #[error("expected the key of a log, found {name}, the key of a witness")]
    WitnessKeyOfLog {
        /// The key's name.
        name: String,
    },
    /// The key of a witness line is not one for cosignatures.
    #[error(
        "expected a key for cosignatures (`bulla keygen --witness` makes them), found {name}, the \
         key of a log"
    )]
    LogKeyOfWitness {
        /// The key's name.
        name: String,
    },
    /// Two logs, or two witnesses, with one public key, under whatever names.
    #[error("the public key of {name} stands above already; list each once")]
    KeyTwice {
        /// The name of the second.
        name: String,
    },
    /// The name is that of a witness or group above, or `none`.
    #[error("{name:?} is the name of something else already; choose another")]
    NameTwice {
        /// The name.
        name: String,
    },
    /// No witness and no group above has this name.
    #[error("expected the name of a witness or group from above, found {name:?}")]
    UnknownName {
        /// The name.
        name: String,
    },
    /// The name is a member of a group already.
    #[error("{name:?} is a member of a group already; each witness counts in one way only")]
    MemberTwice {
        /// The name.
        name: String,
    },
    /// Not `all`, `any` or a number from 1 to the number of members.
    #[error(
        "expected all, any or a number from 1 to the number of members ({members}), found {found:?}"
    )]
    Threshold {
        /// What was found.
        found: String,
        /// How many members are listed.
        members: usize,
    },
    /// A second quorum line.
    #[error("expected one quorum line, found a second")]
    QuorumTwice,
    /// No quorum line.
    #[error("expected a quorum line, such as `quorum none`, found none")]
    NoQuorum,
}

fn in_line(line: &usize) -> String {
    match line {
        0 => String::new(),
        line => format!(", line {line}"),
    }
}
