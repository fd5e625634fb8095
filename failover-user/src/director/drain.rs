//! Draining: one server gets what is new, and another one keeps what began there.

use std::time::Duration;

use super::{Serves, Situation, To, Why, is_healthy};

/// How far draining has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Drain {
    /// Since it began.
    pub age: Duration,
    /// Flows and calls that were found at the backup since; `None`: nobody has looked yet.
    pub pins: Option<u64>,
}

impl Situation<'_> {
    /// The primary is healthy, and has its packets back: all of them at once, or first what is new.
    pub(super) fn fail_back(&self) -> (Serves, Why) {
        let at_once = (Serves::Primary, Why::PrimaryHealthy);
        let Some(backup) = self.serving_well().filter(|_| self.keeps) else { return at_once };
        let goes_on = (Serves::Draining { backup, to: To::Primary }, Why::FailbackDrain);
        match self.now {
            Serves::Draining { to: To::Primary, .. } if self.drain.pins == Some(0) => {
                (Serves::Primary, Why::Drained)
            }
            Serves::Draining { to: To::Primary, .. } if self.is_over() => (Serves::Primary, Why::DrainLimit),
            _ => goes_on,
        }
    }

    /// The operator wants the primary empty, and it is not dead. What the backup has already, it keeps.
    pub(super) fn drain(&self) -> (Serves, Why) {
        let healthy = || self.backups.iter().position(|health| is_healthy(*health));
        let Some(backup) = self.serving_well().or_else(healthy) else {
            return (Serves::Primary, Why::DrainWithoutBackup);
        };
        match self.now {
            Serves::Backup(_) => (Serves::Backup(backup), Why::Operator),
            Serves::Draining { to: To::Backup, .. } if self.is_over() => {
                (Serves::Backup(backup), Why::DrainLimit)
            }
            _ => (Serves::Draining { backup, to: To::Backup }, Why::Operator),
        }
    }

    fn is_over(&self) -> bool {
        self.drain.age >= self.drain_limit
    }
}
