//! Health, policy and the operator's word → who serves a target. Pure.
//!
//! ```text
//!  admin primary ───────────────────────────────▶ primary
//!  admin disabled ──────────▶ a healthy backup? ─▶ it        (the one that serves stays: no pre-emption)
//!  admin drain ─ primary up ─ a healthy backup? ─▶ it gets what is new, the primary keeps the rest; for `drain_limit`
//!                                          no ──▶ primary
//!              ─ a backup serves, or primary down: as disabled
//!  admin auto ─ primary up, suspect ────────────▶ primary   (failback manual: the backup that serves, while it is
//!                                                            healthy, until the operator says `auto` again)
//!                    failback drain ────────────▶ what is new; the backup keeps what began there, until nothing of
//!                                                 that is left, it dies, or `drain_limit` is over
//!             ─ unknown ────────────────────────▶ whoever serves now
//!             ─ recovering ─ a backup serves well ▶ it
//!             ─ down ───────▶ a healthy backup? ─▶ it
//!                                  no ──────────▶ all_down
//! ```
//!
//! Never worse than nothing: a backup of which nothing good is known gets no packet, unless `all_down` says so. One
//! that answers again (`recovering`) is good enough where the alternative is a primary that does not answer.

mod drain;

use std::time::Duration;

use failover_common::value::Availability;

pub use drain::Drain;

use crate::{
    config::model::{AllDown, Failback},
    control::message::{Admin, Serving},
    health::Health,
};

/// Who serves a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Serves {
    /// The primary.
    #[default]
    Primary,
    /// The backup at this index in the target's list.
    Backup(usize),
    /// Nobody: packets are dropped.
    Nobody,
    /// One server gets what is new, and another one keeps what began there.
    Draining {
        /// The backup of the two, by its index in the target's list; the other one is the primary.
        backup: usize,
        /// Which of them gets what is new.
        to: To,
    },
}

/// Who gets what is new while a target drains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum To {
    /// The primary: it is back.
    Primary,
    /// The backup: the operator wants the primary empty.
    Backup,
}

impl Serves {
    /// The backup that gets packets, whatever packets those are.
    pub const fn backup(self) -> Option<usize> {
        match self {
            Self::Backup(n) | Self::Draining { backup: n, .. } => Some(n),
            Self::Primary | Self::Nobody => None,
        }
    }

    /// As `status` says it, with the server that is drained to.
    pub fn words(self) -> (Serving, Option<String>) {
        match self {
            Self::Primary => (Serving::Primary, None),
            Self::Backup(_) => (Serving::Backup, None),
            Self::Nobody => (Serving::None, None),
            Self::Draining { to: To::Primary, .. } => (Serving::Draining, Some("primary".into())),
            Self::Draining { to: To::Backup, .. } => (Serving::Draining, Some("backup".into())),
        }
    }
}

/// Who serves a target, as the availability map says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Place {
    /// 0 the primary, n the n-th backup, [`Availability::NOBODY`].
    pub serving: u8,
    /// Who keeps what began there while `serving` gets what is new: 0 nobody, 1 the primary, n + 1 the n-th backup.
    pub keeper: u8,
    /// Bit 0 the primary, bit n the n-th backup.
    pub live: u16,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// The primary answers.
    PrimaryHealthy,
    /// Nothing is known of the primary yet.
    PrimaryUnknown,
    /// The primary does not answer.
    PrimaryDown,
    /// The primary answers again, not long enough yet.
    PrimaryRecovering,
    /// The operator said so.
    Operator,
    /// The primary does not answer, and no backup does: `all_down`.
    AllDown,
    /// The primary answers again, and `failback = "manual"`.
    FailbackManual,
    /// The operator disabled the primary, and no backup is healthy: `all_down`.
    DisabledWithoutBackup,
    /// The primary answers again, and what began at the backup ends there.
    FailbackDrain,
    /// Nothing that began at the backup is left.
    Drained,
    /// What is left has had `drain_limit` to end.
    DrainLimit,
    /// The operator drains the primary, and no backup is healthy.
    DrainWithoutBackup,
}

/// What a decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The operator's word.
    pub admin: Admin,
    /// The policy.
    pub all_down: AllDown,
    /// The primary's health.
    pub primary: Health,
    /// The backups' health, in order of preference.
    pub backups: &'a [Health],
    /// Who serves now.
    pub now: Serves,
    /// Whether a healthy primary gets its packets back by itself.
    pub failback: Failback,
    /// Whether what began at a backup is left there when the primary returns.
    pub keeps: bool,
    /// How far draining has come.
    pub drain: Drain,
    /// How long draining may take.
    pub drain_limit: Duration,
    /// The operator has just spoken, or an order of his has ended.
    pub told: bool,
}

/// Decides who serves.
pub fn decide(situation: &Situation<'_>) -> (Serves, Why) {
    match (situation.admin, situation.primary) {
        (Admin::Primary, _) => (Serves::Primary, Why::Operator),
        (Admin::Drain, primary) if primary != Health::Down => situation.drain(),
        (Admin::Disabled | Admin::Drain, _) => match situation.backup() {
            Some(backup) => (backup, Why::Operator),
            None => situation.without_backup(Why::DisabledWithoutBackup),
        },
        (Admin::Auto, Health::Up | Health::Suspect) => match situation.kept() {
            Some(backup) => (backup, Why::FailbackManual),
            None => situation.fail_back(),
        },
        (Admin::Auto, Health::Unknown) => (situation.now, Why::PrimaryUnknown),
        (Admin::Auto, Health::Recovering) => match (situation.now, situation.backup()) {
            (Serves::Backup(_) | Serves::Draining { .. }, Some(backup)) => (backup, Why::PrimaryRecovering),
            _ => (Serves::Primary, Why::PrimaryRecovering),
        },
        (Admin::Auto, Health::Down) => match situation.backup() {
            Some(backup) => (backup, Why::PrimaryDown),
            None => situation.without_backup(Why::AllDown),
        },
    }
}

impl Situation<'_> {
    /// The backup that goes on serving although the primary is healthy.
    fn kept(&self) -> Option<Serves> {
        let manual = self.failback == Failback::Manual && !self.told;
        self.backup().filter(|backup| manual && *backup == self.now)
    }

    /// The backup that should serve, if any should: the one that does, while nothing bad is known of it; else the
    /// first healthy one; else the first that answers again, though not for long: it is asked for only where the
    /// primary does not answer at all, or must not serve.
    fn backup(&self) -> Option<Serves> {
        if let Some(n) = self.serving_well() {
            return Some(Serves::Backup(n));
        }
        let first = |wanted: fn(Health) -> bool| self.backups.iter().position(|health| wanted(*health));
        first(is_healthy).or_else(|| first(|health| health == Health::Recovering)).map(Serves::Backup)
    }

    /// The backup that gets packets now, while nothing bad is known of it.
    fn serving_well(&self) -> Option<usize> {
        let well = |n: &usize| {
            self.backups.get(*n).is_some_and(|health| is_healthy(*health) || *health == Health::Unknown)
        };
        self.now.backup().filter(well)
    }

    /// No backup is known to be healthy. While one is not even known to be unhealthy, nothing changes yet.
    fn without_backup(&self, why: Why) -> (Serves, Why) {
        if self.backups.contains(&Health::Unknown) && self.now == Serves::Primary {
            return (Serves::Primary, why);
        }
        let serves = match self.all_down {
            AllDown::Primary => Serves::Primary,
            AllDown::Backup => Serves::Backup(0),
            AllDown::Drop => Serves::Nobody,
        };
        (serves, why)
    }
}

/// Whether packets may be sent to a server of this health.
pub const fn is_healthy(health: Health) -> bool {
    matches!(health, Health::Up | Health::Suspect)
}

/// The decision as the availability map says it, with everything that lives.
pub fn place(serves: Serves, primary: Health, backups: &[Health]) -> Place {
    let alive = |health: &Health| !matches!(health, Health::Down);
    let live = std::iter::once(&primary)
        .chain(backups)
        .enumerate()
        .filter(|(_, health)| alive(health))
        .fold(0, |live, (bit, _)| live | 1_u16.checked_shl(bit as u32).unwrap_or_default());
    let number = |n: usize| u8::try_from(n + 1).unwrap_or(Availability::NOBODY);
    let (serving, keeper) = match serves {
        Serves::Primary => (0, 0),
        Serves::Backup(n) => (number(n), 0),
        Serves::Nobody => (Availability::NOBODY, 0),
        Serves::Draining { backup, to: To::Primary } => (0, number(backup + 1)),
        Serves::Draining { backup, to: To::Backup } => (number(backup), 1),
    };
    Place { serving, keeper, live }
}

/// What the availability of a target with `backups` backups says.
pub fn serves(now: Availability, backups: usize) -> Serves {
    let backup = |number: u8| usize::from(number).checked_sub(1).filter(|n| *n < backups);
    match (now.serving(), now.keeper()) {
        (Availability::NOBODY, _) => Serves::Nobody,
        (0, keeper) => match keeper.checked_sub(1).and_then(backup) {
            Some(backup) => Serves::Draining { backup, to: To::Primary },
            None => Serves::Primary,
        },
        (n, keeper) => match backup(n) {
            Some(backup) if keeper == 1 => Serves::Draining { backup, to: To::Backup },
            Some(backup) => Serves::Backup(backup),
            None => Serves::Primary,
        },
    }
}

impl Why {
    /// The word in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PrimaryHealthy => "primary-healthy",
            Self::PrimaryUnknown => "primary-unknown",
            Self::PrimaryDown => "primary-down",
            Self::PrimaryRecovering => "primary-recovering",
            Self::Operator => "operator",
            Self::AllDown => "all-down",
            Self::FailbackManual => "failback-manual",
            Self::DisabledWithoutBackup => "disabled-without-backup",
            Self::FailbackDrain => "failback-drain",
            Self::Drained => "drained",
            Self::DrainLimit => "drain-limit",
            Self::DrainWithoutBackup => "drain-without-backup",
        }
    }

    /// In words; `said` is what the primary's probes said last.
    pub fn words(self, said: &str) -> String {
        match self {
            Self::PrimaryHealthy => "the primary answers".into(),
            Self::PrimaryUnknown => "nothing is known of the primary yet".into(),
            Self::PrimaryDown => said.to_owned(),
            Self::PrimaryRecovering => "the primary answers again, but not for long enough yet".into(),
            Self::FailbackManual => {
                "the primary answers again; failback is manual: `failover target auto` returns to it".into()
            }
            Self::Operator => "the operator said so".into(),
            Self::AllDown => format!("no server is healthy (all_down decides); primary: {said}"),
            Self::FailbackDrain => "the primary answers; what began at the backup ends there".into(),
            Self::Drained => "the primary answers, and nothing that began at the backup is left".into(),
            Self::DrainLimit => "drain_limit is over".into(),
            Self::DrainWithoutBackup => {
                "the operator drains the primary, but no backup is healthy: it serves everything".into()
            }
            Self::DisabledWithoutBackup => {
                "disabled by the operator, but no backup is healthy (all_down decides)".into()
            }
        }
    }
}

#[cfg(test)]
mod tests;
