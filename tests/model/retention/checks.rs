//! What must hold after every step, and what after every opening.

use std::sync::Arc;

use bulla::disk::Disk;
use bulla::event::RecordKind;
use bulla::{
    Disclosure, DropCertificate, Error, GapVerdict, Log, PayloadState, Query, Record, Seq,
    Snapshot, Trust, VerifyOptions, verify,
};

use crate::retention::driver::{Driver, event};
use crate::retention::model::{Model, Row, Segment, case};
use crate::retention::steps::Rules;
use crate::support::{Shape, dir, signer};

impl Driver {
    /// What is cheap, after every step.
    pub fn check(&mut self) {
        let log = self.log().clone();
        let before = self.model.rules;
        let policy = log.snapshot().catalog().policy().unwrap().map(|recorded| recorded.policy);
        self.model.resolve(&log.snapshot().catalog().hold_history().unwrap(), policy.as_ref());
        assert_eq!(policy, self.model.rules.map(Rules::to_policy));
        self.resolve_erasure(&log);
        self.check_holds(&log);
        self.take_records(&log);
        self.take_segments(&log, before);
        self.take_certificates(&log);
        self.check_fixed(&log);
        self.check_copies();
        let snapshot = log.snapshot();
        let rows = self.model.rows.len();
        for n in 0..8 {
            // Anywhere, and at the edges of what is gone.
            if rows > 0 {
                let at = (self.steps as usize * 31 + n * 7_919) % rows;
                self.check_row(&snapshot, at);
                self.check_proof(&log, at, n);
            }
        }
        for segment in self.model.segments.values().filter(|segment| !segment.rows.is_empty()) {
            self.check_row(&snapshot, segment.rows.start);
            self.check_row(&snapshot, segment.rows.end - 1);
        }
        self.check_queries(&snapshot);
    }

    /// Everything, after every opening.
    pub fn check_all(&mut self) {
        let log = self.log().clone();
        let snapshot = log.snapshot();
        for at in 0..self.model.rows.len() {
            self.check_row(&snapshot, at);
        }
        self.check_files();
        self.check_pins(&log);
        let kept = self.model.checkpoints.len();
        for at in (0..self.model.rows.len()).step_by(5) {
            for n in [at, kept.saturating_sub(1)] {
                self.check_proof(&log, at, n);
            }
        }
        self.check_verify();
        let reader = self.options().open_read_only(dir()).unwrap();
        assert_eq!(
            reader.snapshot().catalog().holds().unwrap(),
            log.snapshot().catalog().holds().unwrap()
        );
        assert_eq!(
            reader.snapshot().catalog().drop_certificates().unwrap(),
            log.snapshot().catalog().drop_certificates().unwrap()
        );
        let snapshot = reader.snapshot();
        let readable = self.model.readable(|_| true).len() as u64;
        assert_eq!(snapshot.count(&Query::new()).unwrap(), readable);
    }

    /// Everything, at the end: all proofs too.
    pub fn check_at_the_end(&mut self) {
        let log = self.log().clone();
        for n in 0..self.model.checkpoints.len() {
            for at in 0..self.model.rows.len() {
                self.check_proof(&log, at, n);
            }
        }
        log.close().unwrap();
        drop(log); // the key store is open as long as it
        self.log = None;
        self.check_verify();
        self.open();
    }

    fn check_holds(&mut self, log: &Log) {
        let history = log.snapshot().catalog().hold_history().unwrap();
        assert_eq!(history.len(), self.model.holds.len(), "{history:#?}");
        let mut newest = None;
        for (recorded, placed) in history.iter().zip(&mut self.model.holds) {
            assert_eq!(recorded.hold.case, case(placed.case));
            // Written down, a scope has one order.
            assert_eq!(recorded.hold.scope.to_bytes(), placed.scope.to_scope().to_bytes());
            assert_eq!((recorded.placed_at, recorded.why.as_ref()), (placed.at, Some(&placed.why)));
            let released = recorded.released.as_ref();
            let released = released.map(|end| (end.at, end.why.clone().unwrap_or_default()));
            assert_eq!(released, placed.released, "{placed:?}");
            let seq = recorded.catalog_seq.get();
            assert_eq!(*placed.seq.get_or_insert(seq), seq, "records of the catalog stay in place");
            assert!(newest.replace(seq) < Some(seq), "in the order they were placed");
        }
        let in_force = history.into_iter().filter(|hold| hold.released.is_none());
        assert_eq!(log.snapshot().catalog().holds().unwrap(), in_force.collect::<Vec<_>>());
    }

    /// Takes in what is new in the log: what was given, whole or not at all, and anchors.
    fn take_records(&mut self, log: &Log) {
        let snapshot = log.snapshot();
        let (given, model) = (self.model.given.len(), &mut self.model);
        let from = model.rows.len() as u64;
        assert!(snapshot.size().get() >= from, "{} of {from} records", snapshot.size());
        for record in snapshot.records_from(Seq::new(from)) {
            let record = record.unwrap();
            assert_eq!(record.seq.get(), model.rows.len() as u64);
            let deed = (record.kind == RecordKind::Event).then(|| {
                let (n, deed, occurred) = model.given.remove(0);
                check_event(&record, &event(n, &deed, occurred), false);
                (n, deed)
            });
            let occurred = record.event.occurred_at.unwrap();
            let (recorded, leaf) = (record.recorded_at, record.leaf_hash);
            model.rows.push(Row { deed, recorded, occurred, leaf, erased: false });
        }
        let left = model.given.len();
        assert!(left == 0 || left == given, "a batch is there whole or not at all");
        assert!(!model.acked || left == 0, "{left} acknowledged events are missing");
    }

    /// Takes in which segments there are: what is sealed never changes.
    fn take_segments(&mut self, log: &Log, before: Option<Rules>) {
        let mut next = 0;
        let segments = log.snapshot().segments().unwrap();
        let model = &mut self.model;
        for found in &segments {
            let first = usize::try_from(found.first.get()).unwrap();
            let rows = first..first + usize::try_from(found.count).unwrap();
            assert_eq!(rows.start, next, "segments follow each other: {segments:#?}");
            next = rows.end;
            let known = model.segments.get_mut(&found.ordinal).filter(|segment| segment.sealed);
            if let Some(known) = known {
                assert!(found.sealed && known.rows == rows, "{known:?}: {found:?}");
                known.take_status(found.status);
                continue;
            }
            let mut segment = Segment {
                rows,
                sealed: found.sealed,
                floor: bulla::Timestamp::MIN,
                fixed: None,
                certificate: None,
                archive_asked: false,
                archived: false,
                restore_asked: false,
                restored: false,
            };
            model.segments.insert(found.ordinal, segment.clone());
            if found.sealed {
                let newest = model.latest_of(found.ordinal);
                // By the policy of before this step, or of after it.
                let floors = [before, model.rules].map(|rules| model.floor(newest, rules));
                segment.floor = floors[0].min(floors[1]);
                model.segments.insert(found.ordinal, segment);
            }
        }
        assert_eq!(next, model.rows.len());
        let gone = |ordinal: &u64| segments.iter().all(|found| found.ordinal != *ordinal);
        let lost: Vec<u64> = model.segments.keys().copied().filter(gone).collect();
        for ordinal in lost {
            let segment = model.segments.remove(&ordinal).unwrap();
            assert!(!segment.sealed, "sealed segment {ordinal} is not listed: {segment:?}");
        }
    }

    /// What went may have gone: nothing held it, and its time was over.
    fn take_certificates(&mut self, log: &Log) {
        let found = log.snapshot().catalog().drop_certificates().unwrap();
        let known: Vec<(u64, Option<DropCertificate>)> = self
            .model
            .segments
            .iter()
            .map(|(ordinal, segment)| (*ordinal, segment.certificate.clone()))
            .collect();
        for (ordinal, known) in known {
            let found = found.iter().find(|found| found.ordinal == ordinal);
            match (known, found) {
                (None, None) => continue,
                (Some(known), Some(found)) => assert_eq!(&known, found),
                (None, Some(found)) => {
                    self.seen.dropped += 1;
                    self.check_certificate(found);
                }
                (Some(known), None) => {
                    assert!(!self.model.segments[&ordinal].restored, "{known:?}");
                    self.check_undone(&known);
                }
            }
            self.model.segments.get_mut(&ordinal).unwrap().certificate = found.cloned();
        }
        let ordinals: Vec<u64> = found.iter().map(|found| found.ordinal).collect();
        assert!(
            ordinals.is_sorted() && ordinals.iter().all(|o| self.model.segments.contains_key(o))
        );
        self.check_no_hold_is_broken();
    }

    fn check_certificate(&self, found: &DropCertificate) {
        let (model, ordinal) = (&self.model, found.ordinal);
        let segment = &model.segments[&ordinal];
        let (start, end) = (found.start.size.get(), found.end.size.get());
        assert_eq!(start as usize..end as usize, segment.rows, "{found:?}");
        assert!(segment.sealed);
        assert_ne!(Some(ordinal), model.newest_segment(), "the newest segment stays");
        let rules = model.rules.expect("nothing goes without a policy");
        assert!(found.keep_until >= model.keep_until(ordinal), "{found:?}: {segment:?} {rules:?}");
        assert!(found.now.0 >= found.keep_until, "{found:?}");
        assert_eq!(found.now.0, self.now());
        assert_eq!(found.scanned, segment.rows.len() as u64);
        let newer = model.rows[segment.rows.end..].iter().filter(|row| row.deed.is_some()).count();
        assert!(newer >= usize::from(rules.min_records));
        let rows = model.rows_of(ordinal);
        let recorded = rows.iter().map(|row| row.recorded);
        let occurred = rows.iter().map(|row| row.occurred);
        let range = |times: Vec<bulla::Timestamp>| {
            (*times.iter().min().unwrap(), *times.iter().max().unwrap())
        };
        assert_eq!(found.recorded, range(recorded.collect()));
        assert_eq!(found.occurred, range(occurred.collect()));
        assert_eq!(found.who.as_deref(), Some("carol"));
        let in_archive = found.archived.is_some();
        assert!(in_archive || !segment.archived && !rules.archive, "{found:?}: {segment:?}");
        assert!(!in_archive || segment.archive_asked, "nobody archived it: {found:?}");
    }

    /// A drop is only called off for a hold that came after its certificate.
    fn check_undone(&self, known: &DropCertificate) {
        let pinning = self.model.holds.iter().any(|placed| {
            placed.in_force()
                && placed.seq > Some(known.catalog_seq.get())
                && self.model.pins_segment(&placed.scope, known.ordinal)
        });
        assert!(pinning, "called off without a hold: {known:?}");
        assert!(self.is_there(known.ordinal), "called off, and the file is gone: {known:?}");
    }

    /// Invariant 6: nothing that went matches a hold that was placed before and is in force.
    fn check_no_hold_is_broken(&self) {
        for (ordinal, segment) in &self.model.segments {
            let Some(certificate) = &segment.certificate else { continue };
            for placed in self.model.holds.iter().filter(|placed| placed.in_force()) {
                let earlier = placed.seq < Some(certificate.catalog_seq.get());
                let broken = earlier && self.model.pins_segment(&placed.scope, *ordinal);
                assert!(!broken, "{placed:?} holds a record of {certificate:?}");
            }
        }
    }

    /// What a seal fixed is never changed, and never below what its policy asked for.
    fn check_fixed(&mut self, log: &Log) {
        let lead = bulla::ExpireOptions::new().clock_lead(bulla::Period::from_days(100_000));
        let plan = log.snapshot().plan_expiry(&lead).unwrap();
        for step in plan.steps {
            let segment = self.model.segments.get_mut(&step.segment.ordinal).unwrap();
            let found = step.segment.keep_until.unwrap_or(bulla::Timestamp::MIN);
            assert_eq!(*segment.fixed.get_or_insert(found), found, "fixed at the seal");
            assert!(found >= segment.floor, "{found} {segment:?}");
            // An archiving whose caller was told of an error may have been recorded.
            let archived = step.segment.archived;
            assert!(archived || !segment.archived, "the archive is forgotten: {segment:?}");
            assert!(!archived || segment.archive_asked, "nobody archived it: {segment:?}");
            segment.archived = archived;
        }
    }

    /// Both copies of the catalog say the same, unless one was just being written by somebody
    /// who failed.
    fn check_copies(&self) {
        if self.model.doubt.is_some() {
            return;
        }
        let [a, b] = ["a", "b"].map(|copy| catalog_copy(&self.disk, copy));
        assert!(a == b, "the copies of the catalog differ");
    }

    /// Invariants 1, 2 and 4 for one record: it is there as it was given, or it is gone by a
    /// certificate that covers it.
    fn check_row(&self, snapshot: &Snapshot, at: usize) {
        let (ordinal, segment) = self.model.segment_of(at);
        let row = &self.model.rows[at];
        let found = snapshot.get(Seq::new(at as u64));
        match (found, &segment.certificate) {
            (Ok(record), certificate) => {
                // One whose drop did not get as far as its file may still be read.
                let gone = certificate.is_some() && !self.is_there(ordinal); // restored or not
                assert!(!gone, "record {at} of segment {ordinal} is gone, and there");
                let same = (record.recorded_at, record.event.occurred_at, record.leaf_hash)
                    == (row.recorded, Some(row.occurred), row.leaf);
                assert!(same, "{record:?}: {row:?}");
                match &row.deed {
                    Some((n, deed)) => {
                        check_event(&record, &event(*n, deed, row.occurred), row.erased)
                    }
                    None => assert_eq!(record.kind, RecordKind::Anchor),
                }
            }
            (Err(Error::Expired { seq, certificate: found }), Some(certificate))
                if segment.is_gone() =>
            {
                assert_eq!(seq.get(), at as u64);
                assert_eq!(*found, *certificate);
                let range = found.start.size.get()..found.end.size.get();
                assert!(range.contains(&seq.get()), "{seq}: {found:?}");
            }
            (found, certificate) => panic!(
                "record {at} of segment {ordinal}: {}; certificate: {certificate:?}",
                found.map_or_else(|error| error.to_string(), |_| "there".to_owned()),
            ),
        }
    }

    /// Invariant 5, for one record and one of the kept heads: also for what is gone.
    fn check_proof(&self, log: &Log, at: usize, n: usize) {
        let kept = &self.model.checkpoints;
        let Some(newest) = kept.last() else { return };
        let checkpoint = &kept[n % kept.len()];
        let head = checkpoint.dangerously_unverified().head();
        let snapshot = log.snapshot();
        let consistent = log.snapshot().prove_consistency(checkpoint, newest).unwrap();
        if n < 2 {
            let key = signer(&self.disk, Shape::PLAIN.algorithm).unwrap();
            consistent.verify(&Trust::in_keys([key.verifying_key().clone()])).unwrap();
        }
        let seq = Seq::new(at as u64);
        if !head.size.covers(seq) {
            return;
        }
        let leaf = self.model.rows[at].leaf;
        let proof = snapshot.inclusion(seq, head.size).unwrap();
        proof.verify(log.algorithm(), &leaf, &head).unwrap();
        if !self.model.segment_of(at).1.is_gone() {
            let proof = log.snapshot().prove(seq, checkpoint, Disclosure::Whole).unwrap();
            proof.inclusion.verify(log.algorithm(), &leaf, &head).unwrap();
        }
    }

    fn check_queries(&self, snapshot: &Snapshot) {
        if !self.unfinished().is_empty() {
            return; // records of such a segment may be found, or not
        }
        let actor = (self.steps % 12) as u8;
        let all = self.model.readable(|_| true);
        let of_actor = self.model.readable(|deed| deed.actor == actor);
        let of_tenant = self.model.readable(|deed| deed.tenant == Some(actor % 2));
        let actor = Query::new().actor(format!("a{actor}"));
        let tenant = Query::new().tenant(format!("t{}", self.steps % 12 % 2));
        for (query, expected) in [(Query::new(), all), (actor, of_actor), (tenant, of_tenant)] {
            assert_eq!(snapshot.count(&query).unwrap(), expected.len() as u64, "{query:?}");
            let query = query.oldest_first();
            let found = snapshot.query(&query).unwrap();
            let found: Vec<u64> = found.map(|record| record.unwrap().seq.get()).collect();
            assert_eq!(found, expected, "{query:?}");
        }
    }

    fn check_files(&self) {
        let back = self.came_back();
        for (ordinal, segment) in self.model.segments.iter().filter(|(_, s)| s.sealed) {
            let there = self.is_there(*ordinal);
            let expected = !segment.is_gone() || back.contains(ordinal);
            assert_eq!(there, expected, "the file of segment {ordinal}");
        }
    }

    fn check_pins(&self, log: &Log) {
        for placed in self.model.holds.iter().filter(|placed| placed.in_force()) {
            let pinned = log.snapshot().segments_held_by(&case(placed.case)).unwrap();
            let mut live: Vec<u64> = self.model.segments.keys().copied().collect();
            live.retain(|ordinal| !self.model.segments[ordinal].is_gone());
            let pins = |row: &&Row| Model::pins(&placed.scope, row);
            let of =
                |ordinal: &u64| self.model.rows_of(*ordinal).iter().filter(pins).count() as u64;
            assert_eq!(pinned.records, live.iter().map(of).sum::<u64>(), "{placed:?}");
            live.retain(|ordinal| of(ordinal) > 0);
            assert_eq!(pinned.segments, live, "{placed:?}");
        }
    }

    /// A verification finds nothing, and what is gone is explained and checked.
    fn check_verify(&self) {
        let mut options = VerifyOptions::new().disk(Arc::new(self.disk.clone()));
        for checkpoint in &self.model.checkpoints {
            options = options.checkpoint(checkpoint.clone());
        }
        let report = verify(&dir(), &options, &mut |_| ()).unwrap();
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
        let gaps: Vec<u64> = report.gaps.iter().map(|gap| gap.ordinal).collect();
        let is_gone = |(_, segment): &(&u64, &Segment)| segment.is_gone();
        let gone = self.model.segments.iter().filter(is_gone).map(|(ordinal, _)| *ordinal);
        // What was not finished is still there, and what came back is no part of the log.
        let unfinished = self.unfinished();
        let gone: Vec<u64> = gone.filter(|ordinal| !unfinished.contains(ordinal)).collect();
        assert_eq!(gaps, gone);
        for gap in &report.gaps {
            assert_eq!(gap.verdict, GapVerdict::Checked, "{gap:?}");
            assert_eq!(gap.certificate, self.model.segments[&gap.ordinal].certificate);
        }
    }
}

fn check_event(record: &Record, given: &bulla::Event, erased: bool) {
    let found = &record.event;
    assert_eq!(found.actor, given.actor);
    assert_eq!((&found.action, &found.resource), (&given.action, &given.resource));
    assert_eq!((&found.tenant, found.occurred_at), (&given.tenant, given.occurred_at));
    let (payload, details) = match erased {
        true => (PayloadState::Erased, None),
        false => (PayloadState::Decrypted, given.details.as_ref()),
    };
    assert_eq!((record.payload, found.details.as_ref()), (payload, details), "{}", record.seq);
}

/// The records of one copy of the catalog, as bytes: without the space made ready.
fn catalog_copy(disk: &bulla::disk::sim::SimDisk, copy: &str) -> Vec<(String, Vec<u8>)> {
    let dir = dir().join("catalog").join(copy);
    let mut names = disk.list(&dir).unwrap();
    names.sort();
    let read = |name: String| {
        let mut bytes = disk.read_file(&dir.join(&name)).unwrap();
        bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
        (name, bytes)
    };
    names.into_iter().map(read).filter(|(_, bytes)| !bytes.is_empty()).collect()
}
