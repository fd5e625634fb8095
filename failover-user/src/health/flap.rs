//! Flap damping: a penalty for each time that a service goes down, which decays with time, after the manner of RFC 2439.
//!
//! While the penalty is above the policy's limit, a service that answers again is held in `recovering` until it would have
//! decayed to that limit. Going down is never delayed. One loss while recovering costs an eighth of a going down: a link that
//! loses a packet now and then must not keep its server away for ever, one that comes and goes must.
//!
//! Pure: `now` comes with each call, and where it runs backwards no time has passed.

use std::time::{Duration, Instant};

use crate::config::model::Flap;

/// What going down costs.
const DOWN: f64 = 1.0;
/// What a failure while recovering costs.
const RELAPSE: f64 = 0.125;

/// One service's penalty.
#[derive(Clone, Debug)]
pub struct Penalty {
    policy: Flap,
    /// As it was when it was last changed.
    last: Option<(f64, Instant)>,
}

impl Penalty {
    /// None yet.
    pub const fn new(policy: Flap) -> Self {
        Self { policy, last: None }
    }

    /// The service went down.
    pub fn went_down(&mut self, now: Instant) {
        self.add(DOWN, now);
    }

    /// The service failed while it was recovering.
    pub fn relapsed(&mut self, now: Instant) {
        self.add(RELAPSE, now);
    }

    /// What is left of it, in goings down.
    pub fn at(&self, now: Instant) -> f64 {
        let Some((penalty, since)) = self.last else { return 0.0 };
        let half_life = self.policy.half_life.as_secs_f64();
        if half_life == 0.0 {
            return 0.0;
        }
        penalty * (-now.saturating_duration_since(since).as_secs_f64() / half_life).exp2()
    }

    /// How long the service must still be held back; zero: not at all. At most the policy's `longest`.
    pub fn holds(&self, now: Instant) -> Duration {
        let above = self.at(now) / f64::from(self.policy.limit.get());
        if above <= 1.0 {
            return Duration::ZERO;
        }
        self.policy.half_life.mul_f64(above.log2()).min(self.policy.longest)
    }

    fn add(&mut self, cost: f64, now: Instant) {
        let most = f64::from(self.policy.limit.get()) * self.most_above();
        let since = self.last.map_or(now, |(_, since)| since.max(now));
        self.last = Some(((self.at(now) + cost).min(most), since));
    }

    /// How far above the limit it may get, so that it decays to the limit within `longest`.
    fn most_above(&self) -> f64 {
        let half_life = self.policy.half_life.as_secs_f64();
        if half_life == 0.0 { 1.0 } else { (self.policy.longest.as_secs_f64() / half_life).exp2() }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU8;

    use proptest::prelude::*;

    use super::*;

    const SEC: fn(u64) -> Duration = Duration::from_secs;

    fn policy(limit: u8, half_life: u64, longest: u64) -> Flap {
        Flap { limit: NonZeroU8::new(limit).unwrap(), half_life: SEC(half_life), longest: SEC(longest) }
    }

    #[test]
    fn what_is_within_the_limit_costs_nothing_and_what_is_above_decays() {
        let start = Instant::now();
        let mut penalty = Penalty::new(policy(2, 60, 300));
        penalty.went_down(start);
        penalty.went_down(start);
        assert_eq!(penalty.holds(start), Duration::ZERO);
        penalty.went_down(start);
        penalty.went_down(start);
        assert_eq!(penalty.holds(start).as_secs(), 60, "twice the limit: one half-life");
        assert_eq!(penalty.holds(start + SEC(45)).as_secs(), 15);
        assert_eq!(penalty.holds(start + SEC(61)), Duration::ZERO);
    }

    #[test]
    fn a_half_life_of_nothing_damps_nothing() {
        let mut penalty = Penalty::new(policy(1, 0, 300));
        (0..9).for_each(|_| penalty.went_down(Instant::now()));
        assert_eq!(penalty.holds(Instant::now()), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn never_longer_than_the_longest_and_never_growing_by_itself(
            limit in 1_u8..5,
            half_life in 0_u64..100,
            longest in 0_u64..400,
            steps in prop::collection::vec((any::<bool>(), 0_u64..50), 1..60),
        ) {
            let policy = policy(limit, half_life, longest);
            let mut penalty = Penalty::new(policy);
            let mut now = Instant::now();
            for (down, pause) in steps {
                now += SEC(pause);
                if down { penalty.went_down(now) } else { penalty.relapsed(now) }
                let holds = penalty.holds(now);
                prop_assert!(holds <= policy.longest);
                let later = penalty.holds(now + SEC(10));
                prop_assert!(later <= holds);
                prop_assert!(penalty.holds(now + policy.longest + SEC(1)).is_zero());
                prop_assert!(penalty.at(now) >= 0.0);
            }
        }
    }
}
