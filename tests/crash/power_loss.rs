//! Power loss at every operation: what was acknowledged is there, in order, and the log
//! goes on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use crate::support::{Book, Shape, check_and_go_on, reopen, work};
use bulla::disk::sim::SimDisk;
use bulla::{Durability, HashAlgorithm};
use std::time::Duration;

/// Operations of the whole workload.
fn operations(shape: Shape) -> u64 {
    let disk = SimDisk::new(0);
    let mut book = Book::default();
    work(&disk, shape, &mut book).unwrap();
    disk.operations()
}

/// Crashes after `count` operations, then once more while that is recovered from, then
/// checks everything.
fn crash_at(count: u64, seed: u64, shape: Shape) {
    let disk = SimDisk::new(seed);
    disk.crash_after(count);
    let mut book = Book::default();
    let worked = work(&disk, shape, &mut book);
    assert_eq!(worked.is_err(), disk.stopped(), "{worked:?}");
    disk.crash();
    if seed % 2 == 1 {
        disk.crash_after(count.wrapping_mul(7).wrapping_add(seed) % 23);
        let opened = reopen(&disk, shape, &book);
        drop(opened);
        disk.crash();
    }
    check_and_go_on(&disk, shape, &mut book);
}

fn crash_everywhere(shape: Shape, step: u64, seeds: std::ops::Range<u64>) {
    let all = operations(shape);
    for count in (seeds.start % step..=all).step_by(usize::try_from(step).unwrap()) {
        for seed in seeds.clone() {
            let run = std::panic::AssertUnwindSafe(|| crash_at(count, seed, shape));
            if let Err(panic) = std::panic::catch_unwind(run) {
                eprintln!("crash after {count} of {all} operations, seed {seed}, {shape:?}");
                std::panic::resume_unwind(panic);
            }
        }
    }
}

#[test]
fn a_synced_log_loses_nothing_acknowledged_at_any_crash() {
    crash_everywhere(Shape::PLAIN, 1, 0..4);
}

#[test]
fn a_log_left_to_the_system_loses_only_its_end() {
    let shape = Shape { durability: Durability::Os, ..Shape::PLAIN };
    crash_everywhere(shape, 1, 10..13);
}

#[test]
fn a_log_synced_at_intervals_loses_only_its_end() {
    let every = Durability::Interval(Duration::from_millis(250));
    crash_everywhere(Shape { durability: every, ..Shape::PLAIN }, 2, 20..22);
}

#[test]
fn aligned_frames_survive_every_crash() {
    for frame_align in [512, 4096] {
        crash_everywhere(Shape { frame_align, ..Shape::PLAIN }, 3, 30..32);
    }
}

#[test]
fn a_blake3_log_survives_every_crash() {
    crash_everywhere(Shape { algorithm: HashAlgorithm::Blake3, ..Shape::PLAIN }, 3, 40..42);
}
