use proptest::prelude::*;

use super::super::*;
use super::{ORIGIN, log_key, witness_key};
use crate::Trust;
use crate::checkpoint::{
    Checkpoint, CheckpointError, KeyError, SignatureKind, SigningKey, VerifyingKey,
};
use crate::hash::Hash;
use crate::merkle::TreeHead;
use crate::seq::TreeSize;
use crate::trust::TrustError;

fn cosigner(seed: u8) -> VerifyingKey {
    witness_key(&format!("w.example/{seed}"), seed).verifying_key().clone()
}

/// The example of the specification, with its keys: X1 to X3 are 11 to 13, Y1 to Y3
/// are 21 to 23.
fn example() -> String {
    let mut text = format!("log {}\n\n", log_key(1).verifying_key());
    for (name, seed) in [("X1", 11), ("X2", 12), ("X3", 13)] {
        text += &format!("witness {name} {}\n", cosigner(seed));
    }
    text += "group X-witnesses 2 X1 X2 X3\n\n";
    for (name, seed) in [("Y1", 21), ("Y2", 22), ("Y3", 23)] {
        text += &format!("witness {name} {}\n", cosigner(seed));
    }
    text + "group Y-witnesses any Y1 Y2 Y3\n\ngroup X-and-Y all X-witnesses Y-witnesses\n\
        quorum X-and-Y\n"
}

fn parse(text: &str) -> Result<Policy, PolicyError> {
    Policy::parse(text.as_bytes())
}

fn reached(policy: &Policy, seeds: &[u8]) -> bool {
    policy.quorum(&seeds.iter().map(|seed| cosigner(*seed)).collect::<Vec<_>>()).is_reached()
}

fn problem(text: &str) -> (usize, PolicyProblem) {
    let error = parse(text).unwrap_err();
    (error.line, error.problem)
}

#[test]
fn the_example_of_the_specification_counts_as_it_says() {
    let policy = parse(&example()).unwrap();
    assert_eq!((policy.logs().len(), policy.witnesses().len(), policy.groups().len()), (1, 6, 3));
    for (seeds, expected) in [
        (&[][..], false),
        (&[11, 12][..], false),
        (&[21, 22, 23][..], false),
        (&[11, 21][..], false),
        (&[11, 13, 22][..], true),
        (&[11, 12, 13, 21, 22, 23][..], true),
        // One witness twice is one witness.
        (&[11, 11, 21][..], false),
        // Strangers do not count.
        (&[11, 99, 21][..], false),
    ] {
        assert_eq!(reached(&policy, seeds), expected, "{seeds:?}");
    }
}

#[test]
fn a_key_of_the_same_witness_under_another_name_is_a_stranger() {
    let policy = parse(&example()).unwrap();
    let renamed = witness_key("elsewhere.example", 12).verifying_key().clone();
    assert!(!policy.quorum(&[cosigner(11), renamed, cosigner(21)]).is_reached());
}

#[test]
fn who_cosigned_and_who_is_missing_is_named() {
    let text = example() + &format!("witness idle {}\n", cosigner(31));
    let policy = parse(&text).unwrap();
    let quorum = policy.quorum(&[cosigner(11), cosigner(31)]);
    let names = |of: &[&Witness]| of.iter().map(|w| w.name().to_string()).collect::<Vec<_>>();
    assert_eq!(names(quorum.cosigned()), ["X1", "idle"]);
    assert_eq!(names(quorum.missing()), ["X2", "X3", "Y1", "Y2", "Y3"]);
    // Who does not count towards the quorum is not missing.
    assert_eq!(names(policy.quorum(&[]).missing()), ["X1", "X2", "X3", "Y1", "Y2", "Y3"]);
}

#[test]
fn a_single_witness_can_be_the_quorum_and_so_can_nobody() {
    let one = parse(&format!("witness a {}\nquorum a\n", cosigner(11))).unwrap();
    assert!(reached(&one, &[11]) && !reached(&one, &[12]));
    let none = parse("quorum none\n").unwrap();
    assert!(reached(&none, &[]));
    assert_eq!(none.required(), None);
}

#[test]
fn whitespace_comments_and_urls_are_read_as_specified() {
    let (log, witness) = (log_key(1), cosigner(11));
    let log = log.verifying_key();
    let text = format!(
        "# comment\n\t # another, with \u{e9}\n \t\n\tlog  {log}\thttps://log.example/ \n\
         witness a {witness} https://w.example/a\n quorum\ta\t\n"
    );
    let policy = parse(&text).unwrap();
    assert_eq!(policy.logs()[0].url().unwrap().to_str(), Some("https://log.example/"));
    assert_eq!(policy.witnesses()[0].url().unwrap().to_string(), "https://w.example/a");
    let written = "log LOG https://log.example/\nwitness a WIT https://w.example/a\nquorum a\n";
    let written = written.replace("LOG", &log.to_string()).replace("WIT", &witness.to_string());
    assert_eq!(policy.to_string(), written);
    assert_eq!(parse(&written), Ok(policy));
}

#[test]
fn names_are_octets() {
    let text = [b"witness \xff ", cosigner(11).to_string().as_bytes(), b"\nquorum \xff\n"].concat();
    let policy = Policy::parse(&text).unwrap();
    assert_eq!(policy.witnesses()[0].name().to_str(), None);
    assert_eq!(policy.witnesses()[0].name().as_bytes(), b"\xff");
    assert_eq!(policy.to_bytes(), text);
    // Kelvin sign and K are different names.
    let kelvin = format!("witness \u{212a} {}\nquorum K\n", cosigner(11));
    assert_eq!(problem(&kelvin), (2, PolicyProblem::UnknownName { name: "K".to_owned() }));
}

#[test]
fn a_private_key_in_place_of_a_policy_is_not_quoted() {
    let found = "a private key".to_owned();
    let key = "PRIVATE+KEY+ex.example+01234567+AQIDBAUG\n";
    assert_eq!(problem(key), (1, PolicyProblem::Line { found: found.clone() }));
    let name = format!("quorum {key}");
    assert_eq!(problem(&name), (1, PolicyProblem::UnknownName { name: found }));
}

#[test]
fn lines_that_are_not_as_specified_are_refused() {
    let a = format!("witness a {}\n", cosigner(11));
    let line = |found: &str| PolicyProblem::Line { found: found.to_owned() };
    for (text, expected) in [
        (String::new(), (0, PolicyProblem::NoQuorum)),
        ("quorum none".to_owned(), (1, PolicyProblem::NoFinalNewline)),
        ("quorum none\r\n".to_owned(), (1, PolicyProblem::ControlCharacter { byte: b'\r' })),
        ("#\x7f\nquorum none\n".to_owned(), (1, PolicyProblem::ControlCharacter { byte: 0x7f })),
        ("quorum none\nquorum none\n".to_owned(), (2, PolicyProblem::QuorumTwice)),
        ("quorum\n".to_owned(), (1, line("quorum"))),
        ("quorum none none\n".to_owned(), (1, line("quorum"))),
        ("Quorum none\n".to_owned(), (1, line("Quorum"))),
        ("log\n".to_owned(), (1, line("log"))),
        ("witness a\n".to_owned(), (1, line("witness"))),
        (format!("{} u x\n", a.trim_end()), (1, line("witness"))),
        ("group g\n".to_owned(), (1, line("group"))),
        (format!("quorum a\n{a}"), (1, PolicyProblem::UnknownName { name: "a".to_owned() })),
        (format!("{a}{a}"), (2, PolicyProblem::NameTwice { name: "a".to_owned() })),
        (a.replacen(" a ", " none ", 1), (1, PolicyProblem::NameTwice { name: "none".to_owned() })),
        (format!("{a}group a any a\n"), (2, PolicyProblem::NameTwice { name: "a".to_owned() })),
        (format!("{a}group g any g\n"), (2, PolicyProblem::UnknownName { name: "g".to_owned() })),
        (
            format!("{a}group g any none\n"),
            (2, PolicyProblem::UnknownName { name: "none".to_owned() }),
        ),
        (format!("{a}group g 2 a a\n"), (2, PolicyProblem::MemberTwice { name: "a".to_owned() })),
        (
            format!("{a}group g any a\ngroup h any a\n"),
            (3, PolicyProblem::MemberTwice { name: "a".to_owned() }),
        ),
    ] {
        assert_eq!(problem(&text), expected, "{text:?}");
    }
    for bad in ["0", "2", "01", "+1", "-1", "most", "18446744073709551616", "All"] {
        let (number, problem) = problem(&format!("{a}group g {bad} a\nquorum g\n"));
        let expected = PolicyProblem::Threshold { found: bad.to_owned(), members: 1 };
        assert_eq!((number, problem), (2, expected));
    }
    for empty in ["any", "all", "1", "0"] {
        assert!(matches!(
            problem(&format!("group g {empty}\n")).1,
            PolicyProblem::Threshold { .. }
        ));
    }
}

#[test]
fn keys_of_the_wrong_kind_unknown_kinds_and_doubles_are_refused() {
    let (log, witness) = (log_key(1), cosigner(11));
    let log = log.verifying_key();
    assert!(matches!(
        problem(&format!("log {witness}\n")).1,
        PolicyProblem::WitnessKeyOfLog { .. }
    ));
    assert!(matches!(
        problem(&format!("witness a {log}\n")).1,
        PolicyProblem::LogKeyOfWitness { .. }
    ));
    assert!(matches!(
        problem(&format!("log {log}\nlog {log}\n")),
        (2, PolicyProblem::KeyTwice { .. })
    ));
    // The same public key under another name is the same witness.
    let renamed = witness_key("elsewhere.example", 11);
    let text = format!("witness a {witness}\nwitness b {}\n", renamed.verifying_key());
    assert!(matches!(problem(&text), (2, PolicyProblem::KeyTwice { .. })));
    assert_eq!(
        problem("witness a x+01020304+Bg==\n").1,
        PolicyProblem::Key(KeyError::UnknownType { found: Some(6) })
    );
    // BLAKE3 heads are signed by logs, too.
    let blake3 = SigningKey::new(ORIGIN, SignatureKind::Ed25519Blake3Head, &[1; 32]).unwrap();
    assert!(parse(&format!("log {}\nquorum none\n", blake3.verifying_key())).is_ok());
}

#[test]
fn so_many_entries_are_read_and_no_more() {
    let witnesses = |count: u8| -> String {
        (0..count).map(|i| format!("witness w{i} {}\n", cosigner(i))).collect()
    };
    let most = u8::try_from(POLICY_ENTRIES_MAX).unwrap();
    assert!(parse(&format!("{}quorum w0\n", witnesses(most))).is_ok());
    assert_eq!(problem(&witnesses(most + 1)), (65, PolicyProblem::TooMany));
    // A chain of groups as deep as there may be is decided in one pass.
    let mut chain = format!("witness g {}\n", cosigner(1));
    for depth in 0..POLICY_ENTRIES_MAX {
        let below = if depth == 0 { "g".to_owned() } else { format!("g{}", depth - 1) };
        chain += &format!("group g{depth} all {below}\n");
    }
    let policy = parse(&format!("{chain}quorum g63\n")).unwrap();
    assert!(reached(&policy, &[1]) && !reached(&policy, &[]));
    assert_eq!(policy.quorum(&[]).missing().len(), 1);
    assert_eq!(problem(&format!("{chain}group g64 all g63\n")).1, PolicyProblem::TooMany);
    let long = vec![b'#'; POLICY_LEN_MAX + 1];
    let too_long = PolicyProblem::TooLong { found: long.len() };
    assert_eq!(Policy::parse(&long), Err(PolicyError { line: 0, problem: too_long }));
}

#[test]
fn who_trusts_witnesses_does_not_believe_the_log_alone() {
    let (log, w1, w2) = (log_key(1), witness_key("w.example/1", 1), witness_key("w.example/2", 2));
    let text = format!(
        "log {}\nwitness a {}\nwitness b {}\ngroup both all a b\nquorum both\n",
        log.verifying_key(),
        w1.verifying_key(),
        w2.verifying_key()
    );
    let trust = Trust::in_policy(parse(&text).unwrap());
    let head = TreeHead { size: TreeSize::new(3), root: Hash::from_bytes([1; 32]) };
    let signed = Checkpoint::new(ORIGIN, head).unwrap().sign(&log).unwrap().into_unverified();
    let alone = trust.verify(&signed);
    assert!(matches!(&alone, Err(TrustError::TooFewWitnesses { found, missing })
        if found.is_empty() && missing.len() == 2));
    let verified = signed.verify(&[log.verifying_key().clone()]).unwrap();
    let [first, second] = [&w1, &w2].map(|key| verified.cosign(key, 7).unwrap());
    let one = trust.verify(&signed.with_signatures(std::slice::from_ref(&first)).unwrap());
    assert!(matches!(&one, Err(TrustError::TooFewWitnesses { found, missing })
        if found[0] == *w1.verifying_key().name() && missing[0] == *w2.verifying_key().name()));
    let both = signed.with_signatures(&[first, second]).unwrap();
    assert_eq!(trust.verify(&both).unwrap().cosignatures().len(), 2);
    // Witnesses do not replace the log.
    let other_log = Trust::in_keys([]).with_witnesses(parse(&text).unwrap());
    assert!(matches!(
        other_log.verify(&both),
        Err(TrustError::Checkpoint(CheckpointError::LogDidNotSign { .. }))
    ));
}

/// The definition, without regard to cost: a member has witnessed if it is a cosigner,
/// or a group with enough such members.
fn by_definition(policy: &Policy, member: Member, cosigners: &[VerifyingKey]) -> bool {
    match member {
        Member::Witness(index) => cosigners.contains(policy.witnesses()[index].key()),
        Member::Group(index) => {
            let group = &policy.groups()[index];
            let members = group.members().iter();
            members.filter(|m| by_definition(policy, **m, cosigners)).count() >= group.needed()
        }
    }
}

proptest! {
    #[test]
    fn any_policy_counts_as_defined_and_is_written_as_read(
        witnesses in 1u8..8,
        groups in prop::collection::vec((any::<u64>(), 0usize..5), 0..5),
        quorum: prop::sample::Index,
        cosigned: u8,
    ) {
        let mut text = String::new();
        let mut free: Vec<String> = Vec::new();
        for i in 0..witnesses {
            text += &format!("witness w{i} {}\n", cosigner(i));
            free.push(format!("w{i}"));
        }
        for (g, (choice, k)) in groups.iter().enumerate() {
            let (members, rest): (Vec<_>, Vec<_>) =
                free.drain(..).enumerate().partition(|(i, _)| choice >> i & 1 == 1);
            free = rest.into_iter().map(|(_, name)| name).collect();
            if members.is_empty() { continue }
            let threshold = match *k {
                0 => "any".to_owned(),
                k if k <= members.len() => k.to_string(),
                _ => "all".to_owned(),
            };
            let names: Vec<_> = members.into_iter().map(|(_, name)| name).collect();
            text += &format!("group g{g} {threshold} {}\n", names.join(" "));
            free.push(format!("g{g}"));
        }
        text += &format!("quorum {}\n", quorum.get(&free));
        let policy = parse(&text).unwrap();
        prop_assert_eq!(&policy.to_string(), &text);
        let cosigners: Vec<_> = (0..8).filter(|i| cosigned >> i & 1 == 1).map(cosigner).collect();
        let expected = by_definition(&policy, policy.required().unwrap(), &cosigners);
        let found = policy.quorum(&cosigners);
        prop_assert_eq!(found.is_reached(), expected);
        // With everybody that is missing, it is reached.
        let mut all = cosigners;
        all.extend(found.missing().iter().map(|witness| witness.key().clone()));
        prop_assert!(policy.quorum(&all).is_reached());
    }

    #[test]
    fn any_bytes_are_read_without_a_panic_and_a_policy_writes_itself(
        text in "((log|witness|group|quorum|#)[ \t]+(a|b|none|any|all|1|2|[a-z+]{1,6})?( a| b){0,2}\n){0,4}",
        bytes: Vec<u8>,
    ) {
        for input in [text.as_bytes(), &bytes] {
            if let Ok(policy) = Policy::parse(input) {
                prop_assert_eq!(Policy::parse(&policy.to_bytes()), Ok(policy));
            }
        }
    }
}
