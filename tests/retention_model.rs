//! Retention against a model: appends, rotations, holds by two processes, releases, policies,
//! expiries, mishaps in the middle of each, restarts, and clocks that jump. After every step
//! nothing that is held is gone, everything that is gone has its certificate, and everything
//! proves what it proved before.
//!
//! `PROPTEST_CASES` sets how many runs there are, `PROPTEST_RNG_SEED` draws the same ones
//! again: the seed is printed first.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
#![allow(unreachable_pub, clippy::indexing_slicing, clippy::cast_possible_truncation)]

mod support;

#[path = "retention_model/archive.rs"]
mod archive;
#[path = "retention_model/checks.rs"]
mod checks;
#[path = "retention_model/driver.rs"]
mod driver;
#[path = "retention_model/erase.rs"]
mod erase;
#[path = "retention_model/model.rs"]
mod model;
#[path = "retention_model/steps.rs"]
mod steps;

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;

use driver::{Driver, Seen};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use steps::{Act, By, Rules, Step, step};

/// Runs, and steps in each.
const CASES: u32 = 60;
const STEPS: std::ops::Range<usize> = 30..90;

fn of_environment<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

fn run(seed: u64, first: Option<(u8, bool)>, steps: Vec<Step>) -> (Seen, u64) {
    let mut driver = Driver::new(seed);
    if let Some((keep_days, archive)) = first {
        let rules =
            Rules { keep_days, min_age_days: 0, min_records: 0, archive, compliance: false };
        driver.step(Step::Do(Act::SetPolicy(By::Service, rules)));
    }
    for step in steps {
        driver.step(step);
    }
    driver.check_at_the_end();
    (driver.seen, driver.steps)
}

impl Seen {
    fn add(&mut self, more: Seen) {
        let Seen {
            dropped,
            undone,
            finished,
            held,
            ahead,
            restarts,
            refused,
            archived,
            stayed,
            restored,
            erased,
            not_erased,
        } = more;
        self.dropped += dropped;
        self.undone += undone;
        self.finished += finished;
        self.held += held;
        self.ahead += ahead;
        self.restarts += restarts;
        self.refused += refused;
        self.archived += archived;
        self.stayed += stayed;
        self.restored += restored;
        self.erased += erased;
        self.not_erased += not_erased;
    }
}

#[test]
fn what_is_held_stays_what_goes_is_certified_and_every_proof_holds() {
    let random = || RandomState::new().hash_one(0);
    let seed: u64 = of_environment("PROPTEST_RNG_SEED").unwrap_or_else(random);
    let cases = of_environment("PROPTEST_CASES").unwrap_or(CASES);
    // Past the capture of tests that succeed: it belongs in every log of a run.
    writeln!(std::io::stderr(), "PROPTEST_RNG_SEED={seed} PROPTEST_CASES={cases}").unwrap();
    let config = ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_time: of_environment("PROPTEST_MAX_SHRINK_TIME").unwrap_or(60_000),
        ..ProptestConfig::default()
    };
    let first = prop::option::weighted(0.9, (0..6_u8, prop::bool::weighted(0.2)));
    let case = (any::<u64>(), first, prop::collection::vec(step(), STEPS));
    let all = RefCell::new((Seen::default(), 0));
    let ran = TestRunner::new(config).run(&case, |(seed, first, steps)| {
        let (seen, steps) = run(seed, first, steps);
        let mut all = all.borrow_mut();
        all.0.add(seen);
        all.1 += steps;
        Ok(())
    });
    let (seen, steps) = all.into_inner();
    writeln!(std::io::stderr(), "{steps} steps, {seen:?}").unwrap();
    if let Err(failure) = ran {
        panic!("PROPTEST_RNG_SEED={seed} PROPTEST_CASES={cases}: {failure}");
    }
    // Else it proves nothing.
    let met = seen.dropped > 100 && seen.held > 10 && seen.finished > 5 && seen.ahead > 10;
    let met = met && seen.archived > 20 && seen.stayed > 5 && seen.restored > 10;
    let met = met && seen.erased > 10 && seen.not_erased > 0;
    assert!(cases < CASES || met, "{seen:?}");
}
