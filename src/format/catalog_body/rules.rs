//! What a record of the catalog must fulfil, given what is in force before it.
//!
//! A record that breaks a rule is refused by who would write it and by who replays the catalog:
//! nothing is derived from it. In particular a segment begins its life as *live*: only a drop
//! certificate takes it out of the log.

use super::body::CatalogBody;
use super::kinds::{Created, KeysChanged, Sealed};
use super::map::StateMap;
use super::retention::status;
use super::retention::{Archived, ArchivedAt, DropAborted, DropStarted, PolicyInForce};
use crate::format::FormatError;
use crate::format::header::ORDINAL_MAX;
use crate::hash::{Hash, HashAlgorithm};
use crate::seq::Seq;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

pub(super) fn contradicts(
    expected: impl std::fmt::Display,
    found: impl std::fmt::Display,
) -> FormatError {
    FormatError::mismatch("catalog record", expected, found)
}

/// Refuses what is not so.
fn require(
    holds: bool,
    expected: impl std::fmt::Display,
    found: impl std::fmt::Display,
) -> Result<(), FormatError> {
    if holds { Ok(()) } else { Err(contradicts(expected, found)) }
}

impl CatalogBody<'_> {
    /// Checks what the record at a position says, as far as it shows without the records before it:
    /// the first one creates the log, no other does, and what a seal seals is live.
    ///
    /// # Errors
    /// Says what no log writes.
    pub fn check_alone(&self, seq: Seq) -> Result<(), FormatError> {
        let is_first = seq == Seq::new(0);
        let expected = if is_first { "kind 16 (created)" } else { "another kind than 16" };
        require(
            is_first == matches!(self, CatalogBody::Created(_)),
            format!("{expected} as record {seq}"),
            format!("kind {}", self.kind()),
        )?;
        match self {
            CatalogBody::Sealed(sealed) => sealed.check_new(),
            _ => Ok(()),
        }
    }
}

impl Sealed {
    /// Whether there can be a segment with these numbers.
    fn is_a_segment(&self) -> bool {
        let Sealed { ordinal, first, count, .. } = *self;
        let fits = count > 0 && first.checked_add(count).is_some();
        fits && (1..=ORDINAL_MAX).contains(&ordinal) && (ordinal == 1) == (first == 0)
    }

    /// Checks what the record of a seal says, as far as it shows without what is in force before:
    /// what it seals is live.
    ///
    /// # Errors
    /// Says what no log writes.
    pub fn check_new(&self) -> Result<(), FormatError> {
        require(
            self.status == status::LIVE,
            format!("status 0 (live) in the seal of segment {}", self.ordinal),
            format!("status {}, and no drop certificate", self.status),
        )?;
        self.check_entry()
    }

    /// The same of the entry of a segment in the state, whose status may have changed since.
    ///
    /// # Errors
    /// Says what no log writes.
    pub fn check_entry(&self) -> Result<(), FormatError> {
        let Sealed { ordinal, first, count, times, .. } = *self;
        require(
            self.is_a_segment(),
            "a segment of 1 record or more, the first of which begins at record 0",
            format!("segment {ordinal} from record {first}, {count} records"),
        )?;
        let [recorded_min, recorded_max, occurred_min, occurred_max] = times;
        require(
            recorded_min <= recorded_max && occurred_min <= occurred_max,
            format!("the smallest and the largest times of segment {ordinal}"),
            format!("{times:?}"),
        )?;
        require(
            self.status <= status::DROPPING_AGAIN,
            format!("a status from 0 to 4 of segment {ordinal}"),
            self.status,
        )
    }
}

impl StateMap {
    /// A log is created once.
    pub(super) fn check_created(&self, created: &Created<'_>) -> Result<(), FormatError> {
        if let Some(first) = self.created() {
            let expected = format!("one creation, of {:?}", first.origin);
            return Err(contradicts(expected, format!("a second one, of {:?}", created.origin)));
        }
        let known = HashAlgorithm::from_code(created.hash_algorithm).is_some();
        let expected = "hash algorithm 1 (SHA-256) or 2 (BLAKE3)";
        require(known, expected, created.hash_algorithm)
    }

    /// A sealed segment continues the one before it, and is live: what takes it out of the log is
    /// a drop certificate.
    pub(super) fn check_sealed(&self, sealed: &Sealed) -> Result<(), FormatError> {
        let end = |sealed: &Sealed| sealed.first.checked_add(sealed.count);
        let expected = match self.last_segment() {
            Some(last) => (last.ordinal.saturating_add(1), end(&last).unwrap_or(u64::MAX)),
            None => (1, 0),
        };
        let follows = (sealed.ordinal, sealed.first) == expected && sealed.is_a_segment();
        let Sealed { ordinal, first, count, .. } = *sealed;
        require(
            follows,
            format!("the seal of segment {} from record {}", expected.0, expected.1),
            format!("that of segment {ordinal} from record {first}, {count} records"),
        )?;
        sealed.check_new()?;
        self.check_kept(sealed)
    }

    /// Whether a segment that is about to be recorded as sealed is kept as long as the policy in
    /// force wants.
    pub fn is_kept_long_enough(&self, sealed: &Sealed) -> bool {
        self.check_kept(sealed).is_ok()
    }

    /// How long it is kept follows from the policy under which it is sealed.
    fn check_kept(&self, sealed: &Sealed) -> Result<(), FormatError> {
        let Sealed { ordinal, times, keep_until, .. } = *sealed;
        let (kept, expected) = match self.policy() {
            Some(PolicyInForce { policy, .. }) => {
                let least = later(times[1], policy.keep);
                (keep_until >= least, format!("keep_until {least} or later, by the policy"))
            }
            None => (keep_until == 0, "keep_until 0, as there is no policy".to_owned()),
        };
        require(kept, format!("{expected}, in the seal of segment {ordinal}"), keep_until)
    }

    /// Statements about keys are numbered, and are about the key that counts.
    pub(super) fn check_keys_changed(&self, changed: &KeysChanged<'_>) -> Result<(), FormatError> {
        let KeysChanged { change, number, key, origin, .. } = *changed;
        let known = (KeysChanged::ROTATED..=KeysChanged::RETIRED).contains(&change);
        require(known, "a change of keys of kind 1 to 4", change)?;
        let before = self.keys_in_force();
        let next = before.as_ref().map_or(1, |before| before.number.saturating_add(1));
        require(number == next, format!("key statement {next}"), format!("number {number}"))?;
        let signer = match &before {
            Some(before) => Some(before.signer),
            // The first statement is about the key that signed so far, if one did.
            None if self.keys().any(|known| known == key) => Some(key),
            None => self.keys().next(),
        };
        let current = change == KeysChanged::REVOKED || signer.is_none_or(|signer| signer == key);
        require(current, format!("a statement about the key {}", signer.unwrap_or_default()), key)?;
        let own = self.origin().unwrap_or_default();
        let (named, expected) = match change {
            KeysChanged::RETIRED => {
                (!self.had_origin(origin), "an origin that the log never had, and not")
            }
            // It may be about a key of before the log was renamed.
            KeysChanged::REVOKED => (self.had_origin(origin), "an origin of the log, now"),
            _ => (origin == own, "the origin"),
        };
        require(named, format!("{expected} {own:?} behind key statement {number}"), origin)
    }

    /// A copy is one of a segment that was sealed.
    pub(super) fn check_archived(&self, archived: &Archived<'_>) -> Result<(), FormatError> {
        let known = self.segment(archived.ordinal).is_some();
        require(known, "a copy of a sealed segment", format!("segment {}", archived.ordinal))
    }

    /// What a drop is called off for is a hold in force.
    pub(super) fn check_undone(&self, undone: &DropAborted<'_>) -> Result<(), FormatError> {
        let held = self.holds().any(|hold| hold.case == undone.case);
        require(held, "the case of a hold in force", format!("{:?}", undone.case))
    }

    /// A certificate must follow from policy, seal, archive and holds as they are in force.
    pub(super) fn check_drop(
        &self,
        sealed: &Sealed,
        drop: &DropStarted<'_>,
    ) -> Result<(), FormatError> {
        let of = format!("in the drop certificate of segment {}", drop.ordinal);
        let Some(PolicyInForce { seq, policy }) = self.policy() else {
            return Err(contradicts(format!("a policy in force {of}"), "none"));
        };
        require(drop.policy == seq, format!("policy {seq} {of}"), drop.policy)?;
        let holds = self.holds().count() as u64;
        require(drop.holds == holds, format!("{holds} holds {of}"), drop.holds)?;
        let scanned = drop.scanned == drop.count;
        require(scanned, format!("{} records compared {of}", drop.count), drop.scanned)?;
        // A clock that was behind makes no record older than those before it.
        let newest = self.latest_time(drop.ordinal).map_or(drop.times[1], |t| t.max(drop.times[1]));
        let least = sealed.keep_until.max(later(newest, policy.keep.max(policy.min_age)));
        let kept = drop.keep_until >= least;
        require(kept, format!("keep_until {least} or later {of}"), drop.keep_until)?;
        let due = drop.now >= drop.keep_until;
        require(due, format!("now {} or later {of}", drop.keep_until), drop.now)?;
        require(drop.now_from <= 1, format!("now_from 0 or 1 {of}"), drop.now_from)?;
        let root = self.root_before(sealed);
        let starts = root.is_none_or(|root| root.as_bytes() == &drop.start_root);
        let expected = format!("start_root {} {of}", root.unwrap_or(Hash::ZERO));
        require(starts, expected, Hash::from_bytes(drop.start_root))?;
        self.check_copy(drop, policy.archive, &of)
    }

    /// Root of the main tree where a segment begins, as the one before it was sealed.
    fn root_before(&self, sealed: &Sealed) -> Option<Hash> {
        match sealed.ordinal.checked_sub(1) {
            None | Some(0) => {
                let algorithm = HashAlgorithm::from_code(self.created()?.hash_algorithm)?;
                Some(algorithm.empty_root())
            }
            Some(before) => self.segment(before).map(|before| Hash::from_bytes(before.end_root)),
        }
    }

    /// A certificate names the copy that the state has, and has one if the policy wants it.
    fn check_copy(
        &self,
        drop: &DropStarted<'_>,
        wanted: bool,
        of: &str,
    ) -> Result<(), FormatError> {
        let Some(ArchivedAt { location, digest }) = &drop.archived else {
            return require(!wanted, format!("an archived copy, as the policy asks, {of}"), "none");
        };
        let known = self.archived(drop.ordinal);
        let same =
            known.as_ref().is_some_and(|copy| copy.location == *location && copy.digest == *digest);
        let copy = |location: &str, digest: &[u8; 32]| {
            format!("{location:?} of digest {}", Hash::from_bytes(*digest))
        };
        let expected = known.map_or("no archived copy, as none is recorded,".to_owned(), |known| {
            format!("the archived copy {}", copy(known.location, &known.digest))
        });
        require(same, format!("{expected} {of}"), copy(location, digest))
    }
}

/// A time so many seconds later.
fn later(time: i64, seconds: u64) -> i64 {
    time.saturating_add_unsigned(seconds.saturating_mul(NANOS_PER_SECOND))
}
