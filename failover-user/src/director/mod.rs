//! Health, policy and the operator's word → who serves a target. Pure.
//!
//! ```text
//!  admin primary ───────────────────────────────▶ primary
//!  admin disabled ──────────▶ a healthy backup? ─▶ it        (the one that serves stays: no pre-emption)
//!  admin auto ─ primary up, suspect ────────────▶ primary   (failback manual: the backup that serves, while it is
//!                                                            healthy, until the operator says `auto` again)
//!             ─ unknown ────────────────────────▶ whoever serves now
//!             ─ recovering ─ a backup serves well ▶ it
//!             ─ down ───────▶ a healthy backup? ─▶ it
//!                                  no ──────────▶ all_down
//! ```
//!
//! Never worse than nothing: a backup of which nothing good is known gets no packet, unless `all_down` says so. One
//! that answers again (`recovering`) is good enough where the alternative is a primary that does not answer.

use crate::{
    config::model::{AllDown, Failback},
    control::message::Admin,
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
}

/// Who serves a target, as the availability map says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Place {
    /// 0 the primary, n the n-th backup, [`failover_common::value::Availability::NOBODY`].
    pub serving: u8,
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
    /// The operator has just spoken, or an order of his has ended.
    pub told: bool,
}

/// Decides who serves.
pub fn decide(situation: &Situation<'_>) -> (Serves, Why) {
    match (situation.admin, situation.primary) {
        (Admin::Primary, _) => (Serves::Primary, Why::Operator),
        (Admin::Disabled | Admin::Drain, _) => match situation.backup() {
            Some(backup) => (backup, Why::Operator),
            None => situation.without_backup(Why::DisabledWithoutBackup),
        },
        (Admin::Auto, Health::Up | Health::Suspect) => match situation.kept() {
            Some(backup) => (backup, Why::FailbackManual),
            None => (Serves::Primary, Why::PrimaryHealthy),
        },
        (Admin::Auto, Health::Unknown) => (situation.now, Why::PrimaryUnknown),
        (Admin::Auto, Health::Recovering) => match (situation.now, situation.backup()) {
            (Serves::Backup(_), Some(backup)) => (backup, Why::PrimaryRecovering),
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
        if let Serves::Backup(n) = self.now
            && self.backups.get(n).is_some_and(|health| is_healthy(*health) || *health == Health::Unknown)
        {
            return Some(self.now);
        }
        let first = |wanted: fn(Health) -> bool| self.backups.iter().position(|health| wanted(*health));
        first(is_healthy).or_else(|| first(|health| health == Health::Recovering)).map(Serves::Backup)
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
    let serving = match serves {
        Serves::Primary => 0,
        Serves::Backup(n) => n as u8 + 1,
        Serves::Nobody => failover_common::value::Availability::NOBODY,
    };
    Place { serving, live }
}

/// What an availability of a target with `backups` backups says.
pub fn serves(serving: u8, backups: usize) -> Serves {
    match usize::from(serving) {
        0 => Serves::Primary,
        n if n <= backups => Serves::Backup(n - 1),
        _ if serving == failover_common::value::Availability::NOBODY => Serves::Nobody,
        _ => Serves::Primary,
    }
}

impl Why {
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
            Self::DisabledWithoutBackup => {
                "disabled by the operator, but no backup is healthy (all_down decides)".into()
            }
        }
    }
}

#[cfg(test)]
mod tests;
