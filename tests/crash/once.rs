//! Power loss at every operation: after it, giving everything again gives each event once.

#![allow(clippy::unwrap_used)] // helpers of tests

use bulla::disk::sim::SimDisk;
use bulla::event::EventId;
use bulla::{Actor, Durability, Error, Event, Log, Receipt, Resource, Seq};

use crate::support::{Shape, clock, dir};

const EVENTS: u64 = 60;

/// The n-th event, with an id of its own.
fn event(n: u64) -> Event {
    let mut id = [0x80; 16];
    id[8..].copy_from_slice(&n.to_le_bytes());
    Event::new(Actor::new("user", "al"), "invoice.read", Resource::new("invoice", n.to_string()))
        .id(EventId(id))
}

/// Appends all events once, in several ways, with segments in between.
fn work(log: &Log, receipts: &mut Vec<(u64, Receipt)>) -> Result<(), Error> {
    let mut n = 0;
    while n < EVENTS {
        match n % 5 {
            0 | 1 => {
                receipts.push((n, log.append_once(&event(n))?));
                n += 1;
            }
            2 => {
                receipts.push((n, log.enqueue_once(&event(n))?.wait()?));
                n += 1;
            }
            _ => {
                let end = (n + 4).min(EVENTS);
                let events: Vec<_> = (n..end).map(event).collect();
                let given = log.append_batch_once(&events)?;
                receipts.extend((n..).zip(given.iter().map(|once| once.receipt)));
                n = end;
            }
        }
        if n % 9 == 0 {
            log.rotate()?;
        }
    }
    log.close()
}

fn created(disk: &SimDisk, shape: Shape) -> Result<Log, Error> {
    shape.options(disk, &clock()).open_or_create(dir())
}

fn crash_at(count: u64, seed: u64, shape: Shape) {
    let disk = SimDisk::new(seed);
    let mut receipts = Vec::new();
    let log = created(&disk, shape).unwrap();
    log.append_once(&event(0)).unwrap();
    disk.crash_after(count);
    let worked = work(&log, &mut receipts);
    assert_eq!(worked.is_err(), disk.stopped(), "{worked:?}");
    drop(log);
    disk.crash();
    let log = created(&disk, shape).unwrap();
    let before = log.size().get();
    // In another order than before.
    let mut again = Vec::new();
    for n in (0..EVENTS).rev() {
        again.push((n, log.append_once(&event(n)).unwrap()));
    }
    if shape.durability == Durability::Sync {
        for (n, receipt) in receipts {
            assert!(again.contains(&(n, receipt)), "event {n} was acknowledged");
        }
    }
    let mut numbers: Vec<u64> = log
        .snapshot()
        .records_from(Seq::new(0))
        .map(|record| record.unwrap().event.resource.id.unwrap().parse().unwrap())
        .collect();
    assert!(numbers.len() as u64 >= before);
    numbers.sort_unstable();
    assert_eq!(numbers, (0..EVENTS).collect::<Vec<_>>());
}

fn crash_everywhere(shape: Shape, step: u64, seeds: std::ops::Range<u64>) {
    let disk = SimDisk::new(0);
    let log = created(&disk, shape).unwrap();
    log.append_once(&event(0)).unwrap();
    let before = disk.operations();
    work(&log, &mut Vec::new()).unwrap();
    let all = disk.operations() - before;
    for count in (seeds.start % step..=all).step_by(usize::try_from(step).unwrap()) {
        for seed in seeds.clone() {
            crash_at(count, seed, shape);
        }
    }
}

#[test]
fn after_any_crash_each_event_is_there_once_when_all_are_given_again() {
    crash_everywhere(Shape::PLAIN, 1, 0..4);
}

#[test]
fn also_where_the_system_decides_what_is_on_the_disk() {
    crash_everywhere(Shape { durability: Durability::Os, ..Shape::PLAIN }, 3, 10..12);
}
