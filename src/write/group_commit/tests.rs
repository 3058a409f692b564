use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Barrier, Mutex as StdMutex};
use std::task::Wake;
use std::thread;

use super::*;
use crate::event::{Actor, Event, Resource};
use crate::format::LogId;
use crate::write::protect::Protection;

/// Commits to a list, as it was told to.
#[derive(Default)]
struct List {
    /// Records of each group.
    groups: StdMutex<Vec<usize>>,
    /// What the next commits give in place of a success.
    failures: StdMutex<Vec<Failure>>,
    /// Held up until something is received.
    gate: StdMutex<Option<mpsc::Receiver<()>>>,
    /// A message for each commit that has begun.
    begun: StdMutex<Option<mpsc::Sender<()>>>,
    after: AtomicUsize,
    ended: StdMutex<Vec<String>>,
}

enum Failure {
    DiskFull,
    Io,
    Panic,
}

impl Sink for List {
    fn commit(&self, group: &mut Encoded) -> Result<Committed> {
        if let Some(begun) = &*self.begun.lock().unwrap() {
            begun.send(()).unwrap();
        }
        if let Some(gate) = &*self.gate.lock().unwrap() {
            gate.recv().unwrap();
        }
        let failure = self.failures.lock().unwrap().pop();
        let path = Path::new("list");
        match failure {
            Some(Failure::DiskFull) => {
                return Err(Error::DiskFull { path: path.to_owned(), needed: 0 });
            }
            Some(Failure::Io) => return Err(Error::io("write", path)(io::Error::other("broken"))),
            Some(Failure::Panic) => panic!("as told"),
            None => {}
        }
        let mut groups = self.groups.lock().unwrap();
        let first = groups.iter().sum::<usize>() as u64;
        groups.push(group.records.len());
        group.leaves = vec![Hash::ZERO; group.records.len()];
        Ok(Committed {
            first: Seq::new(first),
            recorded_at: Timestamp::from_nanos(0),
            leaf: Hash::ZERO,
        })
    }

    fn after_commit(&self) {
        self.after.fetch_add(1, Ordering::SeqCst);
    }

    fn ended(&self, error: Error) {
        self.ended.lock().unwrap().push(error.to_string());
    }
}

impl List {
    /// Whose commits wait: what to send to for each, and what tells that one has begun.
    fn gated() -> (Self, mpsc::Sender<()>, mpsc::Receiver<()>) {
        let list = List::default();
        let (open, gate) = mpsc::channel();
        let (begun, begins) = mpsc::channel();
        *list.gate.lock().unwrap() = Some(gate);
        *list.begun.lock().unwrap() = Some(begun);
        (list, open, begins)
    }

    fn failing(failure: Failure) -> Self {
        let list = List::default();
        list.failures.lock().unwrap().push(failure);
        list
    }
}

/// So many events of one caller.
fn events(count: usize) -> Encoded {
    let mut encoded = Encoded::default();
    encoded.clear();
    let event = Event::new(Actor::new("user", "alice"), "a.b", Resource::new("r", "1"));
    for _ in 0..count {
        let log_id = LogId([1; 16]);
        encoded.push(&event, Timestamp::from_nanos(0), log_id, &Protection::default()).unwrap();
    }
    encoded
}

fn no_committer() -> Result<()> {
    Ok(())
}

/// Waits until so many callers are queued.
fn wait_for_queued(commits: &GroupCommit, callers: usize) {
    while commits.state.lock().open.waiters.len() < callers {
        thread::yield_now();
    }
}

#[test]
fn a_caller_alone_leads_its_own_commit() {
    let (commits, list) = (GroupCommit::new(1 << 20), List::default());
    assert_eq!(commits.commit(&list, &mut events(3)).unwrap().first, Seq::new(0));
    assert_eq!(commits.commit(&list, &mut events(2)).unwrap().first, Seq::new(3));
    assert_eq!(*list.groups.lock().unwrap(), [3, 2]);
    assert_eq!(list.after.load(Ordering::SeqCst), 2);
}

#[test]
fn callers_that_come_during_a_commit_share_the_next_one() {
    let (list, open, begins) = List::gated();
    let commits = GroupCommit::new(1 << 20);
    let mut seqs = BTreeSet::new();
    thread::scope(|scope| {
        let lead = scope.spawn(|| commits.commit(&list, &mut events(1)).unwrap().first);
        begins.recv().unwrap();
        let others: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| commits.commit(&list, &mut events(2)).unwrap().first))
            .collect();
        wait_for_queued(&commits, 4);
        (0..2).for_each(|_| open.send(()).unwrap());
        seqs.insert(lead.join().unwrap().get());
        seqs.extend(others.into_iter().map(|other| other.join().unwrap().get()));
    });
    assert_eq!(*list.groups.lock().unwrap(), [1, 8]);
    assert_eq!(seqs, BTreeSet::from([0, 1, 3, 5, 7]), "each caller has records of its own");
}

#[test]
fn many_callers_lose_nothing_and_share_nothing() {
    let (commits, list) = (GroupCommit::new(1 << 20), List::default());
    let barrier = Barrier::new(8);
    let mut seqs = Vec::new();
    thread::scope(|scope| {
        let callers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    let first = |_| commits.commit(&list, &mut events(1)).unwrap().first.get();
                    (0..200).map(first).collect::<Vec<_>>()
                })
            })
            .collect();
        for caller in callers {
            let own = caller.join().unwrap();
            assert!(own.is_sorted(), "one caller's events are in its order");
            seqs.extend(own);
        }
    });
    seqs.sort_unstable();
    assert_eq!(seqs, (0..1_600).collect::<Vec<_>>());
}

#[test]
fn a_full_disk_is_told_to_the_group_and_can_be_tried_again() {
    let (commits, list) = (GroupCommit::new(1 << 20), List::failing(Failure::DiskFull));
    let full = commits.commit(&list, &mut events(1));
    assert!(matches!(full, Err(Error::DiskFull { .. })), "{full:?}");
    assert_eq!(commits.commit(&list, &mut events(1)).unwrap().first, Seq::new(0));
    assert!(commits.poisoned().is_none() && list.ended.lock().unwrap().is_empty());
}

#[test]
fn any_other_failure_ends_it_for_all() {
    let (list, open, begins) = List::gated();
    list.failures.lock().unwrap().push(Failure::Io);
    let commits = GroupCommit::new(1 << 20);
    thread::scope(|scope| {
        let lead = scope.spawn(|| commits.commit(&list, &mut events(1)));
        begins.recv().unwrap();
        let other = scope.spawn(|| commits.commit(&list, &mut events(1)));
        wait_for_queued(&commits, 1);
        open.send(()).unwrap();
        let lead = lead.join().unwrap();
        assert!(matches!(lead, Err(Error::Io { .. })), "{lead:?}");
        let other = other.join().unwrap();
        assert!(matches!(other, Err(Error::Poisoned { .. })), "{other:?}");
    });
    let later = commits.commit(&list, &mut events(1));
    assert!(matches!(later, Err(Error::Poisoned { .. })), "{later:?}");
    assert!(commits.poisoned().unwrap().contains("broken"));
    assert_eq!(list.ended.lock().unwrap().len(), 1);
    assert!(list.groups.lock().unwrap().is_empty());
}

#[test]
fn a_leader_that_panics_leaves_nobody_waiting() {
    let (list, open, begins) = List::gated();
    list.failures.lock().unwrap().push(Failure::Panic);
    let commits = GroupCommit::new(1 << 20);
    thread::scope(|scope| {
        let lead = scope.spawn(|| {
            catch_unwind(AssertUnwindSafe(|| commits.commit(&list, &mut events(1)))).is_err()
        });
        begins.recv().unwrap();
        let other = scope.spawn(|| commits.commit(&list, &mut events(1)));
        wait_for_queued(&commits, 1);
        open.send(()).unwrap();
        assert!(lead.join().unwrap(), "the panic goes on in its own thread");
        let other = other.join().unwrap();
        assert!(matches!(other, Err(Error::Poisoned { .. })), "{other:?}");
    });
    assert!(commits.poisoned().unwrap().contains("panicked"));
}

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn what_is_queued_is_committed_by_the_committer_also_when_its_ticket_is_dropped() {
    let (commits, list) = (GroupCommit::new(1 << 20), List::default());
    drop(commits.enqueue(&list, &events(1), no_committer).unwrap());
    let pending = commits.enqueue(&list, &events(2), no_committer).unwrap();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    assert!(pending.poll(&mut Context::from_waker(&waker)).is_pending());
    assert!(commits.refuse_appends(), "so that the committer ends when it is through");
    commits.run_committer(&list, Duration::ZERO);
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    assert_eq!(pending.wait().unwrap().first, Seq::new(1));
    assert_eq!(*list.groups.lock().unwrap(), [3]);
}

#[test]
fn more_than_may_wait_is_refused_and_not_queued() {
    let one = events(1).body_len();
    let (commits, list) = (GroupCommit::new(2 * one), List::default());
    let first = commits.enqueue(&list, &events(1), no_committer).unwrap();
    let second = commits.enqueue(&list, &events(1), no_committer).unwrap();
    let third = commits.enqueue(&list, &events(1), no_committer);
    assert!(matches!(third, Err(Error::Busy)), "{third:?}");
    commits.refuse_appends();
    commits.run_committer(&list, Duration::ZERO);
    assert_eq!(first.wait().unwrap().first, Seq::new(0));
    assert_eq!(second.wait().unwrap().first, Seq::new(1));
    assert_eq!(*list.groups.lock().unwrap(), [2]);
}

#[test]
fn a_committer_that_cannot_be_started_ends_it() {
    let (commits, list) = (GroupCommit::new(1 << 20), List::default());
    let none = || Err(Error::io("start a thread for", Path::new("list"))(io::Error::other("none")));
    let pending = commits.enqueue(&list, &events(1), none).unwrap();
    let done = pending.wait();
    assert!(matches!(done, Err(Error::Poisoned { .. })), "{done:?}");
    assert_eq!(list.ended.lock().unwrap().len(), 1);
}

#[test]
fn after_the_end_of_appends_what_is_queued_is_still_committed() {
    let (list, open, begins) = List::gated();
    let commits = GroupCommit::new(1 << 20);
    thread::scope(|scope| {
        let lead = scope.spawn(|| commits.commit(&list, &mut events(1)));
        begins.recv().unwrap();
        let queued = scope.spawn(|| commits.commit(&list, &mut events(1)));
        wait_for_queued(&commits, 1);
        assert!(commits.refuse_appends() && !commits.refuse_appends());
        let late = commits.commit(&list, &mut events(1));
        assert!(matches!(late, Err(Error::Closed)), "{late:?}");
        (0..2).for_each(|_| open.send(()).unwrap());
        commits.wait_until_idle();
        assert_eq!(lead.join().unwrap().unwrap().first, Seq::new(0));
        assert_eq!(queued.join().unwrap().unwrap().first, Seq::new(1));
    });
}
