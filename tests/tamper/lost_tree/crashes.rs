//! Power loss while hashes are made anew, or brought back.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use bulla::{HashAlgorithm, Log};

use crate::lost_tree::scene::{Lost, Scene};
use crate::support::dir;

/// Runs with more and more operations before the power fails, until it does not.
fn everywhere(seed: u64, mut run: impl FnMut(u64) -> bool) {
    for count in 0.. {
        match catch_unwind(AssertUnwindSafe(|| run(count))) {
            Ok(true) => {}
            Ok(false) => {
                assert!(count > 10, "only {count} operations");
                return;
            }
            Err(panic) => {
                eprintln!("power loss after {count} operations, seed {seed}");
                resume_unwind(panic);
            }
        }
    }
}

/// The power fails, at the latest now; whether it had before.
fn crash(scene: &Scene, log: Option<Log>) -> bool {
    let stopped = scene.disk.stopped();
    if !stopped {
        scene.disk.crash_after(0);
    }
    drop(log);
    scene.disk.crash();
    stopped
}

#[test]
fn a_rebuild_without_hashes_survives_power_loss_anywhere() {
    for (seed, lost) in [Lost::Tree, Lost::Level(0), Lost::Level(4), Lost::Levels, Lost::Cut(0)]
        .into_iter()
        .enumerate()
    {
        let seed = 20 + seed as u64;
        let made = Scene::new(seed, HashAlgorithm::Sha256, &[2, 5]);
        lost.from(&made.disk);
        let lacking = {
            let scene = made.fork(seed);
            let log = scene.open();
            log.recovery().lost_hashes.clone()
        };
        everywhere(seed, |count| {
            let scene = made.fork(seed * 1_000 + count);
            scene.disk.crash_after(count);
            let stopped = crash(&scene, scene.options().open(dir()).ok());
            if count % 3 == 0 {
                // Once more, while that is recovered from.
                scene.disk.crash_after((count * 7) % 41);
                crash(&scene, scene.options().open(dir()).ok());
            }
            let log = scene.open();
            scene.check_some(&log, &lacking);
            log.close().unwrap();
            drop(log);
            let log = scene.open();
            assert_eq!(log.recovery().rebuilt, None);
            scene.check_some(&log, &lacking);
            stopped
        });
    }
}

#[test]
fn a_restore_that_brings_hashes_back_survives_power_loss_anywhere() {
    let made = Scene::new(40, HashAlgorithm::Sha256, &[2, 5]);
    Lost::Tree.from(&made.disk);
    made.open().close().unwrap();
    everywhere(40, |count| {
        let scene = made.fork(41_000 + count);
        let log = scene.open();
        scene.disk.crash_after(count);
        let restored = scene.try_restore(&log, 3);
        let stopped = crash(&scene, Some(log));
        assert!(restored.is_ok() || stopped, "{restored:?}");
        let log = scene.open();
        let back = log.snapshot().get(scene.seqs(3).next().unwrap()).is_ok();
        assert!(back || restored.is_err());
        let known =
            back || log.snapshot().prove_consistency(&scene.inside(3), &scene.newest()).is_ok();
        let lacking: Vec<u64> = scene.dropped.iter().copied().filter(|n| *n != 3).collect();
        if back {
            scene.check_some(&log, &lacking);
        } else if !known {
            scene.restore(&log, 3);
            scene.check_some(&log, &lacking);
        }
        stopped
    });
}
