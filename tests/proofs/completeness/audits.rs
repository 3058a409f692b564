//! Audits: whose word an answer is as good as.

use bulla::LogId;
use bulla::checkpoint::Note;
use bulla::proof::{AuditedSegment, IndexAudit, RestsOn, VerifiedIndexAudit};

use super::*;

fn auditor() -> SigningKey {
    SigningKey::new("auditor.example", SignatureKind::Ed25519, &[9; 32]).unwrap()
}

fn signed(audit: &IndexAudit) -> VerifiedIndexAudit {
    let note = audit.sign(&auditor()).unwrap();
    let note = Note::parse(note.to_string().as_bytes()).unwrap();
    IndexAudit::verify(&note, auditor().verifying_key()).unwrap()
}

/// What an auditor says who found all as the answers say.
fn audit(sealed: &Sealed, answers: &[&VerifiedAnswer]) -> IndexAudit {
    let mut segments: Vec<AuditedSegment> = Vec::new();
    for rests_on in answers.iter().flat_map(|answer| answer.rests_on()) {
        let (first, count) = match rests_on {
            RestsOn::Index { first, count, .. } | RestsOn::Times { first, count, .. } => {
                (*first, *count)
            }
            other => panic!("{other:?}"),
        };
        let known = segments.iter().position(|segment| segment.first == first);
        let at = known.unwrap_or_else(|| {
            let (index_root, times) = (bulla::Hash::ZERO, [0; 4]);
            segments.push(AuditedSegment { first, count, index_root, times });
            segments.len() - 1
        });
        match rests_on {
            RestsOn::Index { root, .. } => segments[at].index_root = *root,
            RestsOn::Times { times, .. } => segments[at].times = *times,
            other => panic!("{other:?}"),
        }
    }
    segments.sort_by_key(|segment| segment.first);
    let main = sealed.checkpoint.dangerously_unverified().head();
    let log_id = answers[0].log_id();
    IndexAudit { origin: ORIGIN.to_owned(), log_id, main, segments }
}

#[test]
fn an_audit_vouches_for_the_roots_and_times_that_it_names_and_for_no_others() {
    let sealed = Sealed::new(HashAlgorithm::Sha256, &[40, 330, 40]);
    let verified = |query: Query| sealed.verify(&sealed.prove(&query)).unwrap();
    let by_index = verified(Query::new().actor("user-3").outcome(Outcome::Denied));
    let by_times = verified(Query::new().occurred_since(at(5)).actor("user-3"));
    assert!(by_times.rests_on().iter().any(|r| matches!(r, RestsOn::Times { .. })));
    let good = audit(&sealed, &[&by_index, &by_times]);
    let answers = [&by_index, &by_times];
    assert!(answers.iter().all(|answer| answer.is_audited_by(&signed(&good))));
    let others = [
        IndexAudit { origin: "example.com/other".to_owned(), ..good.clone() },
        IndexAudit { log_id: LogId([1; 16]), ..good.clone() },
        IndexAudit { segments: Vec::new(), ..good.clone() },
    ];
    for other in others {
        assert!(!answers.iter().any(|answer| answer.is_audited_by(&signed(&other))));
    }
    for n in 0..good.segments.len() {
        let mut fewer = good.clone();
        fewer.segments.remove(n);
        let mut root = good.clone();
        root.segments[n].index_root = bulla::Hash::from_bytes([1; 32]);
        let mut times = good.clone();
        times.segments[n].times[3] += 1;
        let first = good.segments[n].first;
        let is_by_times =
            |rests_on: &RestsOn| matches!(rests_on, RestsOn::Times { first: f, .. } if *f == first);
        let matters = by_times.rests_on().iter().any(is_by_times);
        for other in [Some(fewer), Some(root), matters.then_some(times)].into_iter().flatten() {
            assert!(!answers.iter().all(|answer| answer.is_audited_by(&signed(&other))), "{n}");
        }
    }
    // The times of a segment do not matter to whoever was shown its index.
    let mut times = good.clone();
    times.segments.iter_mut().for_each(|segment| segment.times[0] -= 1);
    assert!(by_index.is_audited_by(&signed(&times)));
}

#[test]
fn an_audit_is_read_in_its_only_spelling_and_believed_from_its_auditor() {
    let sealed = Sealed::new(HashAlgorithm::Blake3, &[6, 30]);
    let answer = sealed.verify(&sealed.prove(&Query::new().actor("user-3"))).unwrap();
    let mut good = audit(&sealed, &[&answer]);
    good.segments[0].times = [-1, 5, i64::MIN, i64::MAX];
    let note = good.sign(&auditor()).unwrap();
    let text = note.to_string();
    assert_eq!(IndexAudit::parse(&note).unwrap(), good);
    assert!(IndexAudit::verify(&note, sealed.signer.verifying_key()).is_err());
    let (body, lines) = text.split_once("\n\n").unwrap();
    for at in 0..body.len() {
        for bit in 0..8 {
            let mut bad = text.clone().into_bytes();
            bad[at] ^= 1 << bit;
            let Ok(note) = Note::parse(&bad) else { continue };
            assert!(IndexAudit::verify(&note, auditor().verifying_key()).is_err());
            if let Ok(read) = IndexAudit::parse(&note) {
                assert_eq!(read.to_text(), note.dangerously_unverified_text());
            }
        }
    }
    for (from, to) in [(" -1 ", " -01 "), (" 5 ", " +5 "), ("spec 1", "spec 2"), ("log ", "log 0")]
    {
        let bad = format!("{}\n\n{lines}", body.replacen(from, to, 1));
        assert_ne!(bad, text, "{from}");
        let note = Note::parse(bad.as_bytes()).unwrap();
        assert!(IndexAudit::parse(&note).is_err(), "{to}");
    }
}

#[test]
fn segments_that_overlap_or_pass_the_head_are_not_signed() {
    let segment = |first, count| AuditedSegment {
        first: Seq::new(first),
        count,
        index_root: bulla::Hash::ZERO,
        times: [0; 4],
    };
    let main = bulla::TreeHead { size: bulla::TreeSize::new(10), root: bulla::Hash::ZERO };
    let audit = |segments: &[AuditedSegment]| IndexAudit {
        origin: ORIGIN.to_owned(),
        log_id: LogId([1; 16]),
        main,
        segments: segments.to_vec(),
    };
    assert!(audit(&[segment(0, 4), segment(6, 4)]).sign(&auditor()).is_ok());
    for bad in [
        vec![segment(0, 4), segment(3, 4)],
        vec![segment(4, 4), segment(0, 4)],
        vec![segment(0, 0)],
        vec![segment(0, 11)],
        vec![segment(u64::MAX, 2)],
    ] {
        assert!(audit(&bad).sign(&auditor()).is_err(), "{bad:?}");
    }
}
