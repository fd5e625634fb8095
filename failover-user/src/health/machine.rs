//! The health of one probed service: fall and rise thresholds, fast probing while suspect, hold-down.
//!
//! ```text
//!              Alive             Failed                    Failed, not yet fall
//!   unknown ──────────▶ up ──────────────────▶ suspect ──────────────────────▶ suspect
//!      │                │  ◀────────────────── │
//!      │                │          Alive        │
//!      │ Failed × fall  │ Failed, fall = 1      │ Failed × fall
//!      │                ▼                       │
//!      └───────────────▶down◀───────────────────┘
//!                       │ ▲
//!                 Alive │ │ Failed
//!                       ▼ │           Alive × rise, and hold_down is over
//!                   recovering ──────────────────────────────────────────────▶ up
//! ```
//!
//! From `down` it is `up` at once where the first answer already fulfils both conditions: `rise` = 1, `hold_down` = 0.
//!
//! What always holds:
//! - Thresholds count *consecutive* outcomes: one answer forgets every failure before it, and the other way round.
//! - Nothing but `fall` consecutive failures leads from `unknown`, `up` or `suspect` to `down`. A service that is
//!   `recovering` has not earned that patience yet: its first failure sends it back.
//! - `hold_down` is the least time in `recovering`. It never delays going down.
//!
//! No clock is read here: `now` comes with each observation.

use std::time::{Duration, Instant};

use super::Health;
use crate::config::model::Probe;

/// What one probe found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Observation {
    /// An answer that counts as life, in time.
    Alive,
    /// Anything else.
    Failed,
}

/// A change of health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Transition {
    /// Before.
    pub from: Health,
    /// After; never the same as before.
    pub to: Health,
}

/// The state machine; the module's head has its diagram.
#[derive(Clone, Debug)]
pub struct Machine {
    fall: u32,
    rise: u32,
    hold_down: Duration,
    interval: Duration,
    fast_interval: Duration,
    health: Health,
    failures: u32,
    answers: u32,
    recovering_since: Option<Instant>,
    ever_alive: bool,
}

impl Machine {
    /// A machine that knows nothing yet.
    pub fn new(policy: &Probe) -> Self {
        Self {
            fall: policy.fall.get().into(),
            rise: policy.rise.get().into(),
            hold_down: policy.hold_down,
            interval: policy.interval,
            fast_interval: policy.fast_interval,
            health: Health::Unknown,
            failures: 0,
            answers: 0,
            recovering_since: None,
            ever_alive: false,
        }
    }

    /// Takes in the outcome of one probe, known at `now`. `now` must not run backwards; where it does, no time has
    /// passed.
    pub fn observe(&mut self, outcome: Observation, now: Instant) -> Option<Transition> {
        let from = self.health;
        let to = match outcome {
            Observation::Alive => {
                self.failures = 0;
                self.answers = self.answers.saturating_add(1);
                self.ever_alive = true;
                self.after_answer(now)
            }
            Observation::Failed => {
                self.answers = 0;
                self.failures = self.failures.saturating_add(1);
                self.after_failure()
            }
        };
        if to != Health::Recovering {
            self.recovering_since = None;
        }
        self.health = to;
        (from != to).then_some(Transition { from, to })
    }

    fn after_answer(&mut self, now: Instant) -> Health {
        match self.health {
            Health::Unknown | Health::Up | Health::Suspect => Health::Up,
            Health::Down | Health::Recovering => {
                let since = *self.recovering_since.get_or_insert(now);
                let held = now.saturating_duration_since(since) >= self.hold_down;
                if held && self.answers >= self.rise { Health::Up } else { Health::Recovering }
            }
        }
    }

    fn after_failure(&self) -> Health {
        match self.health {
            Health::Down | Health::Recovering => Health::Down,
            _ if self.failures >= self.fall => Health::Down,
            Health::Unknown => Health::Unknown,
            Health::Up | Health::Suspect => Health::Suspect,
        }
    }

    /// What is known now.
    pub fn health(&self) -> Health {
        self.health
    }

    /// Consecutive failures, up to now.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// From the last probe's start to the next one's, before jitter: the fast interval while the next outcome may
    /// decide (`suspect`, and `unknown` until the first verdict).
    pub fn next_interval(&self) -> Duration {
        match self.health {
            Health::Suspect | Health::Unknown => self.fast_interval,
            Health::Up | Health::Down | Health::Recovering => self.interval,
        }
    }

    /// Whether it was ever seen alive.
    pub fn ever_alive(&self) -> bool {
        self.ever_alive
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
