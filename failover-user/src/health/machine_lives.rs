//! Whole lives of a server, with a clock of their own: what must hold whatever happens, and what the bars ask for.

use std::num::NonZeroU8;

use proptest::prelude::*;

use super::*;
use crate::{config::model::Flap, health::rtt::FLOOR};

const MS: fn(u64) -> Duration = Duration::from_millis;
/// The least time from one probe to the next.
const LEAST_GAP: Duration = Duration::from_millis(10);

fn defaults() -> Probe {
    let three = NonZeroU8::new(3).unwrap();
    Probe {
        interval: MS(1000),
        fast_interval: MS(50),
        timeout: MS(300),
        fall: three,
        rise: three,
        hold_down: MS(10_000),
        silence: MS(200),
        warm_up: MS(2000),
        flap: Flap::default(),
        ..Probe::default()
    }
}

/// How a server takes one question that is asked at a time after the start.
#[derive(Clone, Copy)]
enum Fate {
    /// It is answered after so long.
    Answers(Duration),
    /// Its host says that nobody is there, at once.
    Refuses,
    /// It, or its answer, is lost.
    Lost,
}

/// A machine that probes as the prober over UDP does, answers to earlier questions included.
struct Life {
    machine: Machine,
    timeout: Duration,
    start: Instant,
    now: Duration,
    /// Of unanswered questions: when they were asked, and when their answer comes.
    open: Vec<(Duration, Duration)>,
    changes: Vec<(Duration, Transition)>,
}

impl Life {
    fn new(policy: &Probe) -> Self {
        let machine = Machine::new(policy, FLOOR);
        let (start, now) = (Instant::now(), Duration::ZERO);
        Self { machine, timeout: policy.timeout, start, now, open: Vec::new(), changes: Vec::new() }
    }

    /// One probe, and the wait until the next one is due, `jitter` tenths of thousandths of the interval.
    fn probe(&mut self, fate: impl Fn(Duration) -> Fate, jitter: u32) {
        let (asked, wait) = (self.now, self.machine.pace());
        self.open.retain(|(at, _)| asked.saturating_sub(*at) < self.timeout);
        let mut refused = self.send(asked, asked, &fate);
        if let Some(again) = self.machine.repeat(wait).map(|after| asked + after)
            && refused.is_none()
            && self.first_by(again).is_none()
        {
            refused = self.send(asked, again, &fate);
        }
        let (outcome, from, known) = match (self.first_by(asked + wait), refused) {
            (Some((at, comes)), _) => (Observation::Alive, at, comes.max(asked)),
            (None, Some(at)) => (Observation::Refused, asked, at),
            _ => (Observation::Silent, asked, asked + wait),
        };
        if outcome == Observation::Alive {
            self.open.clear();
        }
        let change = self.machine.observe(outcome, self.start + from, self.start + known);
        self.changes.extend(change.map(|change| (known, change)));
        let next = asked + self.machine.next_interval().mul_f64(0.9 + f64::from(jitter) / 5_000.0);
        self.now = next.max(known).max(asked + LEAST_GAP);
    }

    /// Sends the question of `asked`, at `at`: when it was refused, if so.
    fn send(&mut self, asked: Duration, at: Duration, fate: impl Fn(Duration) -> Fate) -> Option<Duration> {
        match fate(at) {
            Fate::Answers(after) => {
                self.open.push((asked, at + after));
                None
            }
            Fate::Refuses => Some(at),
            Fate::Lost => None,
        }
    }

    /// The first answer that comes by then, and is no older than the policy lets it be.
    fn first_by(&self, end: Duration) -> Option<(Duration, Duration)> {
        let in_time =
            |(at, comes): &&(Duration, Duration)| *comes <= end && comes.saturating_sub(*at) < self.timeout;
        self.open.iter().filter(in_time).min_by_key(|(_, comes)| *comes).copied()
    }

    fn live(&mut self, until: Duration, fate: impl Fn(Duration) -> Fate, mut jitter: impl FnMut() -> u32) {
        while self.now < until {
            self.probe(&fate, jitter());
        }
    }

    /// When it went down, and came up again after that.
    fn switches(&self) -> Vec<(Duration, Health)> {
        let matters = |(_, change): &&(Duration, Transition)| {
            change.to == Health::Down && matches!(change.from, Health::Up | Health::Suspect)
                || change.to == Health::Up && matches!(change.from, Health::Down | Health::Recovering)
        };
        self.changes.iter().filter(matters).map(|(at, change)| (*at, change.to)).collect()
    }
}

/// The same numbers each time: xorshift.
fn dice(seed: u64) -> impl FnMut() -> u32 {
    let mut state = seed | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        u32::try_from(state % 1_000).unwrap()
    }
}

const QUICK: Fate = Fate::Answers(Duration::from_micros(200));

/// Five minutes with a stall of 150 ms every 10 s, in which questions wait, and 2 % of packets lost each way, 500 times.
/// Eight losses in a row look like a death, and no stall makes fewer than half of them enough.
#[test]
fn a_slow_server_is_not_called_dead() {
    let mut deaths = 0;
    for seed in 1..=500 {
        let lost = std::cell::RefCell::new(dice(seed * 7919));
        let fate = |at: Duration| {
            let mut throw = lost.borrow_mut();
            if throw() < 20 || throw() < 20 {
                return Fate::Lost;
            }
            let into = u64::try_from(at.as_millis()).unwrap() % 10_000;
            if into < 150 { Fate::Answers(MS(150 - into)) } else { QUICK }
        };
        let mut life = Life::new(&defaults());
        life.live(Duration::from_mins(5), fate, dice(seed));
        deaths += life.switches().len() / 2;
    }
    assert_eq!(deaths, 0, "in 500 lives, which are 41 hours");
}

#[test]
fn a_server_whose_answers_take_longer_from_now_on_is_never_called_dead() {
    for slow in [30, 60, 100, 150, 190] {
        let mut life = Life::new(&defaults());
        life.live(MS(60_000), |_| QUICK, dice(3));
        life.live(MS(120_000), |_| Fate::Answers(MS(slow)), dice(4));
        assert_eq!(life.switches(), [], "{slow} ms");
        assert!(life.machine.patience() >= MS(slow));
    }
}

/// From the first question that nobody hears: 200 ms, and what the last time-out takes longer than that.
#[test]
fn a_silent_death_is_noticed_soon_and_a_refusing_host_sooner() {
    for seed in 1..100 {
        let mut life = Life::new(&defaults());
        life.live(MS(60_000), |_| QUICK, dice(seed));
        let death = life.now;
        life.live(death + MS(2000), |_| Fate::Lost, dice(seed));
        let [(at, Health::Down)] = life.switches()[..] else { panic!("{:?}", life.changes) };
        let took = at.saturating_sub(death);
        assert!((MS(200)..=MS(265)).contains(&took), "{took:?}");

        let mut life = Life::new(&defaults());
        life.live(MS(60_000), |_| QUICK, dice(seed));
        let death = life.now;
        life.live(death + MS(2000), |_| Fate::Refuses, dice(seed));
        let [(at, Health::Down)] = life.switches()[..] else { panic!("{:?}", life.changes) };
        assert_eq!(at.saturating_sub(death), MS(20), "three refusals, 10 ms apart");
    }
}

/// One second up, one second down, two minutes; then well for ten.
fn flapping(policy: &Probe, seed: u64) -> Life {
    let mut life = Life::new(policy);
    life.live(MS(10_000), |_| QUICK, dice(seed));
    let fate = |at: Duration| if at.as_secs().is_multiple_of(2) { QUICK } else { Fate::Refuses };
    life.live(MS(130_000), fate, dice(seed + 1));
    life.live(MS(730_000), |_| QUICK, dice(seed + 2));
    life
}

#[test]
fn a_flapping_server_switches_four_times_at_most() {
    for seed in 1..100 {
        let life = flapping(&defaults(), seed);
        let switches = life.switches();
        assert!((2..=4).contains(&switches.len()), "{switches:?}");
        assert_eq!(switches.last().unwrap().1, Health::Up);
        // Damping alone does it, too.
        let flap = Flap { limit: NonZeroU8::MIN, ..Flap::default() };
        let eager = Probe { hold_down: Duration::ZERO, rise: NonZeroU8::MIN, flap, ..defaults() };
        let life = flapping(&eager, seed);
        let switches = life.switches();
        assert!((2..=4).contains(&switches.len()), "{switches:?}");
        let (last, health) = switches[switches.len() - 1];
        assert!(health == Health::Up && last > MS(130_000), "held while it flaps: {switches:?}");
        assert!(last <= MS(130_000) + eager.flap.longest + MS(2000), "and no longer than that: {switches:?}");
    }
}

#[test]
fn what_never_answered_is_not_called_down_before_the_warm_up_is_over() {
    let mut life = Life::new(&defaults());
    life.live(MS(10_000), |_| Fate::Refuses, dice(1));
    let [(at, change)] = life.changes[..] else { panic!("{:?}", life.changes) };
    assert!((MS(2000)..MS(2200)).contains(&at), "{at:?}");
    assert_eq!((change.from, change.to, change.why), (Health::Unknown, Health::Down, Why::Refused));
}

prop_compose! {
    fn policies()(
        fall in 1_u8..5, rise in 1_u8..5, hold_down in 0_u64..5_000, silence in 0_u64..1000, warm_up in 0_u64..3000,
        limit in 1_u8..4, half_life in 0_u64..60_000, longest in 0_u64..120_000, timeout in 10_u64..500,
    ) -> Probe {
        let limit = NonZeroU8::new(limit).unwrap();
        Probe {
            timeout: MS(timeout),
            fall: NonZeroU8::new(fall).unwrap(),
            rise: NonZeroU8::new(rise).unwrap(),
            hold_down: MS(hold_down),
            silence: MS(silence),
            warm_up: MS(warm_up),
            flap: Flap { limit, half_life: MS(half_life), longest: MS(longest) },
            ..defaults()
        }
    }
}

proptest! {
    #[test]
    fn what_must_always_hold(
        policy in policies(),
        fates in prop::collection::vec((0_u8..4, 1_usize..40), 1..30),
        seed in any::<u64>(),
    ) {
        let mut life = Life::new(&policy);
        let mut throw = dice(seed);
        let (mut refused, mut unanswered) = (0_u32, None::<Duration>);
        for (fate, times) in fates {
            for _ in 0..times {
                let (asked, before) = (life.now, life.changes.len());
                let fate = match fate {
                    0 => QUICK,
                    1 => Fate::Refuses,
                    2 => Fate::Answers(MS(u64::from(throw()) / 2)),
                    _ => Fate::Lost,
                };
                let wait = life.machine.pace();
                prop_assert!(wait <= policy.timeout && wait >= FLOOR.min(policy.timeout));
                prop_assert!(life.machine.patience() >= wait && life.machine.patience() <= policy.timeout);
                life.probe(|_| fate, throw());
                let failures = life.machine.failures();
                (refused, unanswered) = match (failures, fate) {
                    (0, _) => (0, None),
                    (_, Fate::Refuses) => (refused + 1, unanswered.or(Some(asked))),
                    _ => (0, unanswered.or(Some(asked))),
                };
                for (at, change) in &life.changes[before..] {
                    prop_assert_ne!(change.from, change.to);
                    if change.to == Health::Down && change.from != Health::Recovering {
                        prop_assert!(failures >= u32::from(policy.fall.get()));
                        let silent = at.saturating_sub(unanswered.unwrap_or(*at));
                        prop_assert!(refused >= policy.fall.get().into() || silent >= policy.silence);
                        prop_assert!(change.from != Health::Unknown || *at >= policy.warm_up);
                    }
                    if change.to == Health::Up {
                        prop_assert_eq!(failures, 0);
                    }
                    if let (Health::Recovering, Health::Up) = (change.from, change.to) {
                        let since = life.changes[..before].last().map_or(Duration::ZERO, |(at, _)| *at);
                        prop_assert!(at.saturating_sub(since) >= policy.hold_down);
                    }
                }
                prop_assert!(life.machine.held(life.start + life.now) <= policy.hold_down.max(policy.flap.longest));
            }
        }
        // Whatever it did, it is up once it has behaved for long enough.
        let well = policy.hold_down + policy.flap.longest + MS(10_000);
        life.live(life.now + well, |_| QUICK, throw);
        prop_assert_eq!(life.machine.health(), if policy.timeout > Duration::ZERO { Health::Up } else { Health::Down });
    }
}
