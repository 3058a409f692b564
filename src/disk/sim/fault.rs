//! Failures that are planned ahead, and the point where the machine stops.

use std::io;

use rustix::io::Errno;

/// What goes wrong. Each falls on the first operation it can befall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// An input/output error; befalls every changing operation.
    Eio,
    /// The disk is full (`StorageFull`); befalls every changing operation that may
    /// need space, syncs included, so all but removals.
    Enospc,
    /// A write stores only a part of its bytes. Not stored: that is what happens;
    /// stored: all bytes are there although the call failed.
    ShortWrite,
    /// [`sync_data`](crate::disk::DiskFile::sync_data) or
    /// [`sync_dir`](crate::disk::Disk::sync_dir) fails. Not stored: nothing became
    /// durable, and what was to be stored is marked clean, so that a later sync
    /// succeeds without storing it, as on Linux. Stored: all became durable although
    /// the call failed.
    SyncFailed,
}

/// A failure to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// How many changing operations go by before it may strike, counted from when
    /// it is planned: 0 means the very next one. It strikes the first operation from
    /// there on that it can befall.
    pub at: u64,
    /// What goes wrong.
    pub kind: FaultKind,
    /// Whether the operation took effect all the same, and only its report failed.
    pub stored: bool,
}

/// What an operation is, as far as faults are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Write,
    Sync,
    /// Needs space: reserving, resizing, new names.
    Space,
    Remove,
}

impl FaultKind {
    fn befalls(self, sort: Sort) -> bool {
        match self {
            FaultKind::Eio => true,
            FaultKind::Enospc => sort != Sort::Remove,
            FaultKind::ShortWrite => sort == Sort::Write,
            FaultKind::SyncFailed => sort == Sort::Sync,
        }
    }

    fn error(self) -> io::Error {
        match self {
            FaultKind::Eio | FaultKind::SyncFailed => Errno::IO.into(),
            FaultKind::Enospc => Errno::NOSPC.into(),
            FaultKind::ShortWrite => io::ErrorKind::WriteZero.into(),
        }
    }
}

/// What happens to an operation.
#[derive(Debug)]
pub(super) enum Fate {
    /// It is done.
    Done,
    /// It reports the error, after this much of it was done.
    Fails(Extent, io::Error),
}

/// How much of a failed operation was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Nothing,
    /// Some of the bytes, never all: a short write.
    SomeBytes,
    /// Anything from nothing to all: the machine stopped in the middle.
    Any,
    Everything,
}

/// The operations counted so far and the failures to come.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    pub(super) operations: u64,
    /// With the operation from which each may strike.
    planned: Vec<(u64, Fault)>,
    stop_at: Option<u64>,
    stopped: bool,
}

impl Schedule {
    pub(super) fn plan(&mut self, fault: Fault) {
        self.planned.push((self.operations.saturating_add(fault.at), fault));
    }

    pub(super) fn stop_after(&mut self, count: u64) {
        self.stop_at = Some(self.operations.saturating_add(count));
    }

    pub(super) fn stopped(&self) -> bool {
        self.stopped
    }

    pub(super) fn outstanding(&self) -> usize {
        self.planned.len()
    }

    /// The machine starts again: nothing is planned any more.
    pub(super) fn reset(&mut self) {
        *self = Schedule { operations: self.operations, ..Schedule::default() };
    }

    /// Counts an operation and decides its fate.
    pub(super) fn next(&mut self, sort: Sort) -> Fate {
        let now = self.operations;
        self.operations += 1;
        if self.stop_at.is_some_and(|at| at <= now) {
            self.stopped = true;
            return Fate::Fails(Extent::Any, stopped());
        }
        let due = |(at, fault): &(u64, Fault)| *at <= now && fault.kind.befalls(sort);
        let Some(struck) = self.planned.iter().position(due) else { return Fate::Done };
        let (_, fault) = self.planned.remove(struck);
        let extent = match (fault.stored, fault.kind) {
            (true, _) => Extent::Everything,
            (false, FaultKind::ShortWrite) => Extent::SomeBytes,
            (false, _) => Extent::Nothing,
        };
        Fate::Fails(extent, fault.kind.error())
    }
}

pub(super) fn stopped() -> io::Error {
    io::Error::other("the simulated machine stopped; nothing works until SimDisk::crash")
}

pub(super) fn dead_handle() -> io::Error {
    io::Error::other("the simulated machine crashed since this file was opened; open it again")
}
