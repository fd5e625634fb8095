//! How long an answer may be waited for: the smoothed round trip and its variation, as RFC 6298 keeps them for TCP.
//!
//! The time-out is `srtt + 4 × rttvar`, never below a floor that the caller chooses (a transport may have a
//! retransmission of its own inside the answer), never above a ceiling, and doubled for each failure in a row: a server that
//! merely became slower is found alive by the longer wait, and its answer moves the average. Pure: durations in, durations
//! out.

use std::time::Duration;

/// The least time-out for a datagram and its answer: below it a probe would measure two machines' scheduling.
pub const FLOOR: Duration = Duration::from_millis(20);

/// Round trips, smoothed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rtt {
    /// The average and the variation; none before the first answer.
    known: Option<(Duration, Duration)>,
}

impl Rtt {
    /// Takes in one round trip (RFC 6298 §2.2 and §2.3, with its α = 1/8 and β = 1/4).
    pub fn sample(&mut self, rtt: Duration) {
        self.known = Some(match self.known {
            None => (rtt, rtt / 2),
            Some((srtt, rttvar)) => {
                let (srtt_ns, rtt_ns) = (srtt.as_nanos(), rtt.as_nanos());
                let rttvar_ns = (rttvar.as_nanos() * 3 + srtt_ns.abs_diff(rtt_ns)) / 4;
                (nanos((srtt_ns * 7 + rtt_ns) / 8), nanos(rttvar_ns))
            }
        });
    }

    /// The smoothed round trip; none before the first answer.
    pub fn smoothed(&self) -> Option<Duration> {
        self.known.map(|(srtt, _)| srtt)
    }

    /// The time-out after `failures` in a row: from `floor` to `ceiling`, which wins where it is the lower one. The ceiling
    /// before the first answer.
    pub fn timeout(&self, failures: u32, floor: Duration, ceiling: Duration) -> Duration {
        let Some((srtt, rttvar)) = self.known else { return ceiling };
        let calm = srtt.saturating_add(rttvar.saturating_mul(4)).max(floor);
        calm.saturating_mul(1 << failures.min(16)).min(ceiling)
    }
}

fn nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn after(samples: &[u64]) -> Rtt {
        let mut rtt = Rtt::default();
        for sample in samples {
            rtt.sample(MS(*sample));
        }
        rtt
    }

    #[test]
    fn the_numbers_of_the_rfc() {
        assert_eq!(after(&[]).timeout(0, FLOOR, MS(300)), MS(300), "nothing known: the whole patience");
        let one = after(&[40]);
        assert_eq!((one.smoothed(), one.timeout(0, FLOOR, MS(300))), (Some(MS(40)), MS(40 + 4 * 20)));
        // rttvar = 3/4 × 20 + 1/4 × |40 − 80| = 25, srtt = 7/8 × 40 + 1/8 × 80 = 45
        let two = after(&[40, 80]);
        assert_eq!((two.smoothed(), two.timeout(0, FLOOR, MS(300))), (Some(MS(45)), MS(45 + 4 * 25)));
    }

    #[test]
    fn each_failure_doubles_it_up_to_the_ceiling() {
        let quick = after(&[1; 50]);
        let waits: Vec<_> = (0..6).map(|failures| quick.timeout(failures, FLOOR, MS(300))).collect();
        assert_eq!(waits, [20, 40, 80, 160, 300, 300].map(MS));
        assert_eq!(quick.timeout(u32::MAX, FLOOR, MS(300)), MS(300));
        assert_eq!(quick.timeout(0, FLOOR, MS(10)), MS(10), "the ceiling wins over the floor");
    }

    proptest! {
        #[test]
        fn it_is_always_between_floor_and_ceiling_and_above_what_is_usual(
            samples in prop::collection::vec(0_u64..5_000_000, 1..200),
            failures in 0_u32..40,
        ) {
            let mut rtt = Rtt::default();
            for micros in &samples {
                rtt.sample(Duration::from_micros(*micros));
            }
            let ceiling = MS(300);
            let timeout = rtt.timeout(failures, FLOOR, ceiling);
            prop_assert!((FLOOR..=ceiling).contains(&timeout));
            prop_assert!(timeout >= rtt.smoothed().unwrap().min(ceiling));
            prop_assert!(rtt.timeout(failures + 1, FLOOR, ceiling) >= timeout);
            let (least, most) = (samples.iter().min().unwrap(), samples.iter().max().unwrap());
            let between = Duration::from_micros(least.saturating_sub(1))..=Duration::from_micros(*most);
            prop_assert!(between.contains(&rtt.smoothed().unwrap()));
        }
    }
}
