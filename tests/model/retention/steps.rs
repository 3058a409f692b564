//! The steps of a run, and how they are drawn.

use std::fmt;

use bulla::disk::sim::FaultKind;
use bulla::{HoldScope, Period, Policy, Timestamp};
use proptest::prelude::*;

use crate::support::START;

pub const HOUR: i64 = 3_600_000_000_000;
const ACTORS: u8 = 12;
const ACTIONS: [&str; 4] = ["file.read", "file.write", "user.login", "user"];
const GLOBS: [&str; 5] = ["file.read", "file.*", "user.*", "user*", "user"];

/// One event: who did what.
#[derive(Clone, Copy)]
pub struct Deed {
    pub actor: u8,
    pub service: bool,
    pub action: u8,
    pub resource: u8,
    pub tenant: Option<u8>,
    /// It happened so many hours before (or after) it was appended.
    pub hours_ago: i16,
    pub large: bool,
}

impl Deed {
    pub fn actor_type(&self) -> &'static str {
        if self.service { "service" } else { "user" }
    }

    pub fn actor(&self) -> String {
        format!("a{}", self.actor)
    }

    pub fn action(&self) -> &'static str {
        ACTIONS[usize::from(self.action)]
    }

    pub fn resource(&self) -> (&'static str, String) {
        let kind = if self.resource.is_multiple_of(2) { "file" } else { "invoice" };
        (kind, format!("r{}", self.resource))
    }

    pub fn tenant(&self) -> Option<String> {
        self.tenant.map(|tenant| format!("t{tenant}"))
    }
}

impl fmt::Debug for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Deed { hours_ago, large, .. } = self;
        let (actor, action, (_, resource)) = (self.actor(), self.action(), self.resource());
        write!(f, "{}:{actor} {action} {resource} {:?}", self.actor_type(), self.tenant)?;
        write!(f, " {hours_ago}h{}", if *large { " large" } else { "" })
    }
}

/// What a hold is for. `pins` says the same as [`HoldScope::pins`], by itself.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    pub actors: Vec<u8>,
    /// With the actors' type: users.
    pub typed: bool,
    pub resource: Option<(u8, bool)>,
    pub tenant: Option<u8>,
    pub glob: Option<u8>,
    /// Hours after the start of the run.
    pub since: Option<i16>,
    pub until: Option<i16>,
}

pub fn at_hour(hour: i16) -> Timestamp {
    Timestamp::from_nanos(START + i64::from(hour) * HOUR)
}

impl Scope {
    pub fn to_scope(&self) -> HoldScope {
        let mut scope = HoldScope::new();
        for actor in &self.actors {
            let id = format!("a{actor}");
            scope = if self.typed { scope.actor_type_id("user", id) } else { scope.actor(id) };
        }
        if let Some((resource, whole_type)) = self.resource {
            let kind = if resource.is_multiple_of(2) { "file" } else { "invoice" };
            scope = match whole_type {
                true => scope.resource_type(kind),
                false => scope.resource(kind, format!("r{resource}")),
            };
        }
        if let Some(tenant) = self.tenant {
            scope = scope.tenant(format!("t{tenant}"));
        }
        if let Some(glob) = self.glob {
            scope = scope.action(GLOBS[usize::from(glob)]).unwrap();
        }
        scope = self.since.map_or(scope.clone(), |hour| scope.since(at_hour(hour)));
        self.until.map_or(scope.clone(), |hour| scope.until(at_hour(hour)))
    }

    /// Whether it pins a record; `deed` is `None` for the log's own.
    pub fn pins(&self, deed: Option<&Deed>, recorded: Timestamp, occurred: Timestamp) -> bool {
        let about = deed.map_or(!self.asks_about_events(), |deed| self.is_about(deed));
        let within = |time: Timestamp| {
            self.since.is_none_or(|since| at_hour(since) <= time)
                && self.until.is_none_or(|until| time < at_hour(until))
        };
        about && (within(recorded) || within(occurred))
    }

    fn asks_about_events(&self) -> bool {
        !self.actors.is_empty()
            || self.resource.is_some()
            || self.tenant.is_some()
            || self.glob.is_some()
    }

    fn is_about(&self, deed: &Deed) -> bool {
        let actor = self.actors.is_empty()
            || self.actors.contains(&deed.actor) && !(self.typed && deed.service);
        let resource = self.resource.is_none_or(|(resource, whole_type)| {
            if whole_type { resource % 2 == deed.resource % 2 } else { resource == deed.resource }
        });
        let tenant = self.tenant.is_none_or(|tenant| deed.tenant == Some(tenant));
        let action =
            self.glob.is_none_or(|glob| match GLOBS[usize::from(glob)].strip_suffix('*') {
                Some(start) => deed.action().starts_with(start),
                None => deed.action() == GLOBS[usize::from(glob)],
            });
        actor && resource && tenant && action
    }
}

/// How long to keep, and what else a policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    pub keep_days: u8,
    pub min_age_days: u8,
    pub min_records: u8,
    pub archive: bool,
    pub compliance: bool,
}

impl Rules {
    pub fn to_policy(self) -> Policy {
        let days = |days: u8| Period::from_days(days.into());
        Policy::keep(days(self.keep_days))
            .min_age(days(self.min_age_days))
            .min_records(self.min_records.into())
            .archive(self.archive)
            .compliance(self.compliance)
    }

    /// Whether it is looser than one in compliance mode.
    pub fn is_looser_than(self, before: Rules) -> bool {
        self.keep_days < before.keep_days
            || self.min_age_days < before.min_age_days
            || self.min_records < before.min_records
            || before.archive && !self.archive
            || !self.compliance
    }
}

/// Whose handle is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Service,
    /// Another process, beside the service: `LogOptions::administer`.
    Admin,
}

/// What is asked of a log that is open.
#[derive(Clone, Debug)]
pub enum Act {
    Append(Deed),
    Batch(Vec<Deed>),
    Rotate,
    Checkpoint,
    Hold(By, u8, Scope),
    Release(By, u8),
    SetPolicy(By, Rules),
    Expire {
        at_most: usize,
        lead_days: u16,
        to_archive: bool,
    },
    /// The n-th sealed segment that is there.
    Archive(u8),
    /// The n-th dropped segment that the archive has.
    Restore(u8),
    /// What is encrypted for an actor, who is a service or a user.
    Erase(u8, bool),
}

/// How the service ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Close,
    /// The process is killed; the machine goes on.
    Kill,
    /// The power fails.
    Power,
}

/// What is missing or damaged when the log is opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    Nothing,
    /// Everything that is left is read again, across the gaps.
    RecoveryPoint,
    Indexes,
    /// A byte of each index is wrong.
    DamagedIndexes(u16),
    CatalogSnapshot,
}

/// What goes wrong while something is done.
#[derive(Clone, Copy, Debug)]
pub enum Mishap {
    /// The power fails after so many operations of the disk.
    Power(u8),
    Fault(FaultKind, u8, bool),
    /// The disk has room for so many more bytes.
    Full(u16),
}

/// A hold that another process places while the log is not open.
pub type Meanwhile = Option<(u8, Scope)>;

#[derive(Clone, Debug)]
pub enum Step {
    Do(Act),
    /// The hold is placed by another process, if the log must be opened again.
    DoWith(Mishap, Act, Meanwhile),
    Reopen {
        end: End,
        lost: Lost,
        meanwhile: Meanwhile,
        /// The power fails while it is opened, after so many operations.
        again: Option<u8>,
    },
    /// Events, the end of a segment, and time that passes, in hours: what a service does.
    Day(Vec<Deed>, u16),
    /// Time passes, in hours.
    Wait(u16),
    /// The wall clock alone jumps, by hours.
    Jump(i32),
}

fn deed() -> impl Strategy<Value = Deed> {
    let hours_ago = prop_oneof![6 => Just(0), 2 => 0..200_i16, 1 => -20..3_000_i16];
    let who = (0..ACTORS, prop::bool::weighted(0.2), 0..4_u8, 0..6_u8);
    (who, prop::option::of(0..2_u8), hours_ago, prop::bool::weighted(0.1)).prop_map(
        |((actor, service, action, resource), tenant, hours_ago, large)| Deed {
            actor,
            service,
            action,
            resource,
            tenant,
            hours_ago,
            large,
        },
    )
}

fn scope() -> impl Strategy<Value = Scope> {
    let hour = || prop::option::weighted(0.25, -100..800_i16);
    let about = (
        prop::collection::vec(0..ACTORS, 0..3),
        any::<bool>(),
        prop::option::weighted(0.3, (0..6_u8, any::<bool>())),
        prop::option::weighted(0.3, 0..2_u8),
        prop::option::weighted(0.3, 0..5_u8),
    );
    (about, hour(), hour()).prop_map(|((actors, typed, resource, tenant, glob), since, until)| {
        // One that no time can meet is refused.
        let until = until.map(|until| since.map_or(until, |since: i16| until.max(since + 1)));
        Scope { actors, typed, resource, tenant, glob, since, until }
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    let min_records = prop_oneof![5 => Just(0), 1 => 1..40_u8];
    let min_age_days = prop_oneof![4 => Just(0), 1 => 1..5_u8];
    let modes = (prop::bool::weighted(0.1), prop::bool::weighted(0.04));
    (0..6_u8, min_age_days, min_records, modes).prop_map(
        |(keep_days, min_age_days, min_records, (archive, compliance))| Rules {
            keep_days,
            min_age_days,
            min_records,
            archive,
            compliance,
        },
    )
}

fn by() -> impl Strategy<Value = By> {
    prop_oneof![Just(By::Service), Just(By::Admin)]
}

fn expire() -> impl Strategy<Value = Act> {
    let at_most = prop_oneof![3 => Just(usize::MAX), 1 => 0..3_usize];
    let lead_days = prop_oneof![3 => Just(7_u16), 1 => Just(0), 1 => Just(5_000)];
    (at_most, lead_days, prop::bool::weighted(0.3))
        .prop_map(|(at_most, lead_days, to_archive)| Act::Expire { at_most, lead_days, to_archive })
}

fn erase() -> impl Strategy<Value = Act> {
    (0..ACTORS, prop::bool::weighted(0.2)).prop_map(|(actor, service)| Act::Erase(actor, service))
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => deed().prop_map(Act::Append),
        4 => prop::collection::vec(deed(), 1..20).prop_map(Act::Batch),
        3 => Just(Act::Rotate),
        2 => Just(Act::Checkpoint),
        3 => (by(), 0..4_u8, scope()).prop_map(|(by, case, scope)| Act::Hold(by, case, scope)),
        4 => (by(), 0..4_u8).prop_map(|(by, case)| Act::Release(by, case)),
        1 => (by(), rules()).prop_map(|(by, rules)| Act::SetPolicy(by, rules)),
        6 => expire(),
        2 => any::<u8>().prop_map(Act::Archive),
        2 => any::<u8>().prop_map(Act::Restore),
        2 => erase(),
    ]
}

/// What changes the catalog, which mishaps are most to be feared in.
fn grave_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        1 => prop::collection::vec(deed(), 1..20).prop_map(Act::Batch),
        1 => Just(Act::Rotate),
        1 => Just(Act::Checkpoint),
        2 => (by(), 0..4_u8, scope()).prop_map(|(by, case, scope)| Act::Hold(by, case, scope)),
        2 => (by(), 0..4_u8).prop_map(|(by, case)| Act::Release(by, case)),
        1 => (by(), rules()).prop_map(|(by, rules)| Act::SetPolicy(by, rules)),
        9 => expire(),
        2 => any::<u8>().prop_map(Act::Archive),
        2 => any::<u8>().prop_map(Act::Restore),
        2 => erase(),
    ]
}

fn mishap() -> impl Strategy<Value = Mishap> {
    let kind = prop_oneof![
        Just(FaultKind::Eio),
        Just(FaultKind::Enospc),
        Just(FaultKind::ShortWrite),
        Just(FaultKind::SyncFailed)
    ];
    prop_oneof![
        4 => (0..40_u8).prop_map(Mishap::Power),
        3 => (kind, 0..25_u8, any::<bool>()).prop_map(|(k, at, s)| Mishap::Fault(k, at, s)),
        1 => (0..6_000_u16).prop_map(Mishap::Full),
    ]
}

fn meanwhile() -> impl Strategy<Value = Meanwhile> {
    prop::option::weighted(0.4, (0..8_u8, scope()))
}

fn reopen() -> impl Strategy<Value = Step> {
    let end = prop_oneof![2 => Just(End::Close), 2 => Just(End::Kill), 2 => Just(End::Power)];
    let lost = prop_oneof![
        4 => Just(Lost::Nothing),
        3 => Just(Lost::RecoveryPoint),
        1 => Just(Lost::Indexes),
        1 => any::<u16>().prop_map(Lost::DamagedIndexes),
        1 => Just(Lost::CatalogSnapshot),
    ];
    let again = prop::option::weighted(0.3, 0..25_u8);
    (end, lost, meanwhile(), again).prop_map(|(end, lost, meanwhile, again)| Step::Reopen {
        end,
        lost,
        meanwhile,
        again,
    })
}

pub fn step() -> impl Strategy<Value = Step> {
    let jump = prop_oneof![
        2 => -100..100_i32,
        1 => 4_000..20_000_i32,
        1 => -4_000..-1_000_i32,
    ];
    let deeds = prop::collection::vec(deed(), 1..10);
    prop_oneof![
        12 => act().prop_map(Step::Do),
        12 => (deeds, 12..40_u16).prop_map(|(deeds, hours)| Step::Day(deeds, hours)),
        6 => (mishap(), grave_act(), meanwhile())
            .prop_map(|(mishap, act, meanwhile)| Step::DoWith(mishap, act, meanwhile)),
        2 => reopen(),
        3 => (1..60_u16).prop_map(Step::Wait),
        1 => (100..400_u16).prop_map(Step::Wait),
        1 => jump.prop_map(Step::Jump),
    ]
}
