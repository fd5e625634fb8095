//! The health of one probed service: fall and rise thresholds, fast probing while suspect, warm-up, hold-down, flap damping,
//! and how long an answer is waited for.
//!
//! ```text
//!              Alive             a failure                 a failure, and not yet enough
//!   unknown ──────────▶ up ──────────────────▶ suspect ──────────────────────▶ suspect
//!      │                │  ◀────────────────── │
//!      │                │          Alive        │
//!      │ enough, and    │ enough                │ enough: fall failures in a row, all of them refusals
//!      │ warm_up is over▼                       │         or for silence and longer
//!      └───────────────▶down◀───────────────────┘
//!                       │ ▲
//!                 Alive │ │ a failure
//!                       ▼ │           Alive × rise, hold_down is over, and no penalty holds
//!                   recovering ──────────────────────────────────────────────▶ up
//! ```
//!
//! From `down` it is `up` at once where the first answer already fulfils all conditions: `rise` = 1, `hold_down` = 0.
//!
//! What always holds:
//! - Thresholds count *consecutive* outcomes: one answer forgets every failure before it, and the other way round.
//! - Nothing but `fall` consecutive failures leads from `unknown`, `up` or `suspect` to `down`. A service that is
//!   `recovering` has not earned that patience yet: its first failure sends it back.
//! - Where any of the last `fall` failures was mere silence, nothing at all was heard for `silence`, counted from the first
//!   question without an answer: quick time-outs notice a death early, and a stall that is shorter is none.
//! - What never answered is not called down before `warm_up`: after a start it may be this router that is not ready.
//! - `hold_down` is the least time in `recovering`, and so is what the [`Penalty`] asks for. Neither delays going down.
//!
//! No clock is read here: `now` comes with each observation.

use std::time::{Duration, Instant};

use super::{Health, flap::Penalty, rtt::Rtt};
use crate::config::model::Probe;

/// What one probe found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Observation {
    /// An answer that counts as life, in time.
    Alive,
    /// Nothing that counts as an answer.
    Silent,
    /// An answer, or an error of the network that quotes the question, that says no.
    Refused,
}

/// A change of health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Transition {
    /// Before.
    pub from: Health,
    /// After; never the same as before.
    pub to: Health,
    /// Why.
    pub why: Why,
}

/// Why health changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Why {
    /// It answered, and is trusted at once: it never was down, as far as is known.
    Answered,
    /// It did not answer, which is not enough yet.
    Missed,
    /// Silence, for long enough.
    Silence,
    /// It, or its host, said no, often enough.
    Refused,
    /// It answers again.
    Returned,
    /// It failed while it was recovering.
    Relapsed,
    /// It has answered for long enough.
    Recovered,
}

impl Why {
    /// The word in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Missed => "missed",
            Self::Silence => "silence",
            Self::Refused => "refused",
            Self::Returned => "returned",
            Self::Relapsed => "relapsed",
            Self::Recovered => "recovered",
        }
    }
}

/// The state machine; the module's head has its diagram.
#[derive(Clone, Debug)]
pub struct Machine {
    fall: u32,
    rise: u32,
    hold_down: Duration,
    silence: Duration,
    warm_up: Duration,
    interval: Duration,
    fast_interval: Duration,
    /// The shortest and the longest wait for an answer.
    waits: (Duration, Duration),
    health: Health,
    failures: u32,
    /// Those of the last failures, without a gap, that were refusals.
    refusals: u32,
    answers: u32,
    /// When the first question was asked.
    begun: Option<Instant>,
    /// When the first question was asked that has had no answer since.
    unanswered_since: Option<Instant>,
    recovering_since: Option<Instant>,
    ever_alive: bool,
    rtt: Rtt,
    penalty: Penalty,
}

impl Machine {
    /// A machine that knows nothing yet. `floor` is the least time that an answer is waited for.
    pub fn new(policy: &Probe, floor: Duration) -> Self {
        Self {
            fall: policy.fall.get().into(),
            rise: policy.rise.get().into(),
            hold_down: policy.hold_down,
            silence: policy.silence,
            warm_up: policy.warm_up,
            interval: policy.interval,
            fast_interval: policy.fast_interval,
            waits: (floor, policy.timeout),
            health: Health::Unknown,
            failures: 0,
            refusals: 0,
            answers: 0,
            begun: None,
            unanswered_since: None,
            recovering_since: None,
            ever_alive: false,
            rtt: Rtt::default(),
            penalty: Penalty::new(policy.flap),
        }
    }

    /// Takes in the outcome, known at `now`, of a question that was asked at `asked`. `now` must not run backwards; where
    /// it does, no time has passed.
    pub fn observe(&mut self, outcome: Observation, asked: Instant, now: Instant) -> Option<Transition> {
        let from = self.health;
        self.begun.get_or_insert(asked);
        let to = if outcome == Observation::Alive {
            self.count_answer(asked, now);
            self.after_answer(now)
        } else {
            self.count_failure(outcome, asked);
            self.after_failure(now)
        };
        if to != Health::Recovering {
            self.recovering_since = None;
        }
        match (from, to) {
            (Health::Recovering, Health::Down) => self.penalty.relapsed(now),
            (Health::Up | Health::Suspect, Health::Down) => self.penalty.went_down(now),
            _ => {}
        }
        self.health = to;
        (from != to).then(|| Transition { from, to, why: self.why(from, to) })
    }

    fn count_answer(&mut self, asked: Instant, now: Instant) {
        self.rtt.sample(now.saturating_duration_since(asked));
        (self.failures, self.refusals, self.unanswered_since) = (0, 0, None);
        self.answers = self.answers.saturating_add(1);
        self.ever_alive = true;
    }

    fn count_failure(&mut self, outcome: Observation, asked: Instant) {
        self.answers = 0;
        self.failures = self.failures.saturating_add(1);
        self.refusals = if outcome == Observation::Refused { self.refusals.saturating_add(1) } else { 0 };
        self.unanswered_since.get_or_insert(asked);
    }

    fn after_answer(&mut self, now: Instant) -> Health {
        match self.health {
            Health::Unknown | Health::Up | Health::Suspect => Health::Up,
            Health::Down | Health::Recovering => {
                self.recovering_since.get_or_insert(now);
                let earned = self.answers >= self.rise && self.held(now).is_zero();
                if earned { Health::Up } else { Health::Recovering }
            }
        }
    }

    fn after_failure(&self, now: Instant) -> Health {
        let passed = |since: Option<Instant>, least: Duration| {
            since.is_none_or(|since| now.saturating_duration_since(since) >= least)
        };
        let enough = self.failures >= self.fall
            && (self.refusals >= self.fall || passed(self.unanswered_since, self.silence));
        match self.health {
            Health::Down | Health::Recovering => Health::Down,
            Health::Unknown if enough && passed(self.begun, self.warm_up) => Health::Down,
            Health::Unknown => Health::Unknown,
            Health::Up | Health::Suspect if enough => Health::Down,
            Health::Up | Health::Suspect => Health::Suspect,
        }
    }

    fn why(&self, from: Health, to: Health) -> Why {
        match (from, to) {
            (Health::Recovering, Health::Down) => Why::Relapsed,
            (_, Health::Down) if self.refusals >= self.fall => Why::Refused,
            (_, Health::Down) => Why::Silence,
            (_, Health::Suspect) => Why::Missed,
            (_, Health::Recovering) => Why::Returned,
            (Health::Down | Health::Recovering, _) => Why::Recovered,
            _ => Why::Answered,
        }
    }

    /// How long a service that is recovering is still held back, however well it answers; zero in any other state.
    pub fn held(&self, now: Instant) -> Duration {
        let Some(since) = self.recovering_since else { return Duration::ZERO };
        let hold_down = self.hold_down.saturating_sub(now.saturating_duration_since(since));
        hold_down.max(self.penalty.holds(now))
    }

    /// Whether it is flapping that holds it back.
    pub fn is_damped(&self, now: Instant) -> bool {
        !self.penalty.holds(now).is_zero()
    }

    /// What is known now.
    pub fn health(&self) -> Health {
        self.health
    }

    /// Consecutive failures, up to now.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The smoothed round trip; none before the first answer.
    pub fn smoothed_rtt(&self) -> Option<Duration> {
        self.rtt.smoothed()
    }

    /// From the last probe's start to the next one's, before jitter: the fast interval while the next outcome may
    /// decide (`suspect`, and `unknown` until the first verdict), and no time at all while refusals come in: they are no
    /// accident.
    pub fn next_interval(&self) -> Duration {
        match self.health {
            Health::Suspect | Health::Unknown if (1..self.fall).contains(&self.refusals) => Duration::ZERO,
            Health::Suspect | Health::Unknown => self.fast_interval,
            Health::Up | Health::Down | Health::Recovering => self.interval,
        }
    }

    /// How long the next answer is waited for: by what is usual, doubled by each failure, up to the policy's time-out. What
    /// is down, or was, gets the whole of that.
    pub fn patience(&self) -> Duration {
        let (floor, ceiling) = self.waits;
        match self.health {
            Health::Down | Health::Recovering => ceiling,
            _ => self.rtt.timeout(self.failures, floor, ceiling),
        }
    }

    /// The same where an answer still counts after the next question is out: while suspect, no longer than until that is
    /// due. A slower server is found alive by its late answers.
    pub fn pace(&self) -> Duration {
        let (floor, ceiling) = self.waits;
        match self.health {
            Health::Up | Health::Suspect => {
                let usual = self.rtt.timeout(0, floor, ceiling);
                self.patience().min(usual.max(self.fast_interval)).min(ceiling)
            }
            _ => self.patience(),
        }
    }

    /// After how much of `wait` the same question is sent once more, over a transport that may lose it: half way between when
    /// the answer usually is there and when it is given up. A loss is then no failure, nor do a few make a death. What is down
    /// already, or never was up, is not asked twice.
    pub fn repeat(&self, wait: Duration) -> Option<Duration> {
        let usual = self.rtt.smoothed()?.min(wait);
        matches!(self.health, Health::Up | Health::Suspect).then(|| usual + wait.saturating_sub(usual) / 2)
    }

    /// Whether it was ever seen alive.
    pub fn ever_alive(&self) -> bool {
        self.ever_alive
    }
}

#[cfg(test)]
#[path = "machine_lives.rs"]
mod lives;
#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
