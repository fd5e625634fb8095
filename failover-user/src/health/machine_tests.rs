//! The whole transition table, and the machine against a model that looks at the whole history each time.

use std::num::NonZeroU8;

use proptest::prelude::*;

use super::*;
use crate::{config::model::Flap, health::rtt::FLOOR};
use Health::{Down, Recovering, Suspect, Unknown, Up};
use Observation::{Alive, Silent as Failed};

fn policy(fall: u8, rise: u8, hold_down_ms: u64) -> Probe {
    Probe {
        interval: Duration::from_secs(1),
        fast_interval: Duration::from_millis(50),
        timeout: Duration::from_millis(300),
        fall: NonZeroU8::new(fall).unwrap(),
        rise: NonZeroU8::new(rise).unwrap(),
        hold_down: Duration::from_millis(hold_down_ms),
        silence: Duration::ZERO,
        warm_up: Duration::ZERO,
        flap: Flap { half_life: Duration::ZERO, ..Flap::default() },
        ..Probe::default()
    }
}

fn new(policy: &Probe) -> Machine {
    Machine::new(policy, FLOOR)
}

/// An outcome that is known as soon as the question is asked.
fn at_once(machine: &mut Machine, outcome: Observation, at: Instant) -> Option<Transition> {
    machine.observe(outcome, at, at)
}

/// `fall`, `rise`, `hold_down` in ms; outcomes, each with its time in ms; the health before and after the last one.
type Row = ((u8, u8, u64), &'static [(Observation, u64)], Health, Health);

const TABLE: &[Row] = &[
    // unknown
    ((1, 1, 0), &[(Alive, 0)], Unknown, Up),
    ((9, 9, 999), &[(Alive, 0)], Unknown, Up),
    ((1, 1, 0), &[(Failed, 0)], Unknown, Down),
    ((2, 1, 0), &[(Failed, 0)], Unknown, Unknown),
    ((2, 1, 0), &[(Failed, 0), (Failed, 1)], Unknown, Down),
    ((2, 1, 0), &[(Failed, 0), (Alive, 1)], Unknown, Up),
    ((3, 1, 0), &[(Failed, 0), (Failed, 1)], Unknown, Unknown),
    // up
    ((1, 1, 0), &[(Alive, 0), (Alive, 1)], Up, Up),
    ((1, 1, 0), &[(Alive, 0), (Failed, 1)], Up, Down),
    ((2, 1, 0), &[(Alive, 0), (Failed, 1)], Up, Suspect),
    // suspect
    ((2, 1, 0), &[(Alive, 0), (Failed, 1), (Alive, 2)], Suspect, Up),
    ((2, 1, 0), &[(Alive, 0), (Failed, 1), (Failed, 2)], Suspect, Down),
    ((3, 1, 0), &[(Alive, 0), (Failed, 1), (Failed, 2)], Suspect, Suspect),
    ((3, 1, 0), &[(Alive, 0), (Failed, 1), (Failed, 2), (Failed, 3)], Suspect, Down),
    ((3, 1, 0), &[(Alive, 0), (Failed, 1), (Failed, 2), (Alive, 3)], Suspect, Up),
    // failures count in a row, not in sum
    ((2, 1, 0), &[(Failed, 0), (Alive, 1), (Failed, 2)], Up, Suspect),
    ((2, 1, 0), &[(Alive, 0), (Failed, 1), (Alive, 2), (Failed, 3)], Up, Suspect),
    // down
    ((1, 1, 0), &[(Failed, 0), (Failed, 1)], Down, Down),
    ((1, 1, 0), &[(Failed, 0), (Alive, 1)], Down, Up),
    ((1, 2, 0), &[(Failed, 0), (Alive, 1)], Down, Recovering),
    ((1, 1, 1), &[(Failed, 0), (Alive, 1)], Down, Recovering),
    // recovering: rise
    ((1, 2, 0), &[(Failed, 0), (Alive, 1), (Alive, 1)], Recovering, Up),
    ((1, 3, 0), &[(Failed, 0), (Alive, 1), (Alive, 2)], Recovering, Recovering),
    ((1, 3, 0), &[(Failed, 0), (Alive, 1), (Alive, 2), (Alive, 3)], Recovering, Up),
    // recovering: hold_down, from the entry on
    ((1, 1, 10), &[(Failed, 0), (Alive, 5), (Alive, 14)], Recovering, Recovering),
    ((1, 1, 10), &[(Failed, 0), (Alive, 5), (Alive, 15)], Recovering, Up),
    // recovering: both
    ((1, 3, 10), &[(Failed, 0), (Alive, 5), (Alive, 15)], Recovering, Recovering),
    ((1, 3, 10), &[(Failed, 0), (Alive, 5), (Alive, 6), (Alive, 7)], Recovering, Recovering),
    ((1, 3, 10), &[(Failed, 0), (Alive, 5), (Alive, 6), (Alive, 15)], Recovering, Up),
    // recovering: one failure is enough, whatever fall says and however long it held
    ((3, 9, 0), &[(Failed, 0), (Failed, 1), (Failed, 2), (Alive, 3), (Failed, 4)], Recovering, Down),
    ((1, 9, 10), &[(Failed, 0), (Alive, 5), (Alive, 99), (Failed, 100)], Recovering, Down),
    // recovering: rise and hold_down begin anew
    ((1, 2, 0), &[(Failed, 0), (Alive, 1), (Failed, 2), (Alive, 3)], Down, Recovering),
    ((1, 1, 10), &[(Failed, 0), (Alive, 5), (Failed, 9), (Alive, 20), (Alive, 29)], Recovering, Recovering),
    ((1, 1, 10), &[(Failed, 0), (Alive, 5), (Failed, 9), (Alive, 20), (Alive, 30)], Recovering, Up),
    // up again: fall is in force again
    ((2, 1, 0), &[(Failed, 0), (Failed, 1), (Alive, 2), (Failed, 3)], Up, Suspect),
    // a clock that runs backwards lets no time pass
    ((1, 1, 10), &[(Failed, 100), (Alive, 50), (Alive, 40)], Recovering, Recovering),
];

#[test]
fn transition_table() {
    let start = Instant::now();
    for ((fall, rise, hold_down), script, before, after) in TABLE {
        let mut machine = new(&policy(*fall, *rise, *hold_down));
        let mut last = None;
        let mut from = machine.health();
        for (outcome, at) in *script {
            from = machine.health();
            last = at_once(&mut machine, *outcome, start + Duration::from_millis(*at));
        }
        let row = format!("fall {fall}, rise {rise}, hold_down {hold_down}: {script:?}");
        assert_eq!((from, machine.health()), (*before, *after), "{row}");
        let change = (before != after).then_some((*before, *after));
        assert_eq!(last.map(|change| (change.from, change.to)), change, "{row}");
    }
}

#[test]
fn every_state_and_outcome_is_in_the_table() {
    for state in [Unknown, Up, Suspect, Down, Recovering] {
        for outcome in [Alive, Failed] {
            let is_there = |(_, script, before, _): &Row| {
                *before == state && script.last().is_some_and(|(last, _)| *last == outcome)
            };
            assert!(TABLE.iter().any(is_there), "{state:?} and {outcome:?}");
        }
    }
}

#[test]
fn probes_come_fast_while_the_next_outcome_may_decide() {
    let policy = policy(2, 2, 0);
    let mut machine = new(&policy);
    let mut seen = vec![(machine.health(), machine.next_interval())];
    for outcome in [Alive, Failed, Failed, Alive] {
        at_once(&mut machine, outcome, Instant::now());
        seen.push((machine.health(), machine.next_interval()));
    }
    let (slow, fast) = (policy.interval, policy.fast_interval);
    assert_eq!(seen, [(Unknown, fast), (Up, slow), (Suspect, fast), (Down, slow), (Recovering, slow)]);
}

/// The health after `history` (outcome, ms), by what the words mean: no state is carried along.
fn by_definition(fall: usize, rise: usize, hold_down: u64, history: &[(Observation, u64)]) -> Health {
    let alive = |i: usize| history[i].0 == Alive;
    let last = history.last().map(|(outcome, _)| *outcome);
    let mut begin = 0;
    loop {
        let falls = |end: usize| end + 1 >= begin + fall && (end + 1 - fall..=end).all(|i| !alive(i));
        let Some(down) = (begin..history.len()).find(|end| falls(*end)) else {
            return match last {
                Some(Alive) => Up,
                Some(Failed) if history.iter().any(|(outcome, _)| *outcome == Alive) => Suspect,
                _ => Unknown,
            };
        };
        let run = |end: usize| (down + 1..=end).rev().take_while(|i| alive(*i)).count();
        let rises = |end: usize| {
            let length = run(end);
            length >= rise && length > 0 && history[end].1 - history[end + 1 - length].1 >= hold_down
        };
        let Some(up) = (down + 1..history.len()).find(|end| rises(*end)) else {
            return if last == Some(Alive) { Recovering } else { Down };
        };
        begin = up + 1;
    }
}

proptest! {
    #[test]
    fn agrees_with_the_definition(
        fall in 1_u8..5,
        rise in 1_u8..5,
        hold_down in prop_oneof![Just(0), 1_u64..40],
        steps in prop::collection::vec((any::<bool>(), 0_u64..12), 0..60),
    ) {
        let start = Instant::now();
        let mut machine = new(&policy(fall, rise, hold_down));
        let mut history = Vec::new();
        let mut now = 0;
        let mut entered = 0;
        for (alive, pause) in steps {
            now += pause;
            let outcome = if alive { Alive } else { Failed };
            history.push((outcome, now));
            let before = machine.health();
            let change = at_once(&mut machine, outcome, start + Duration::from_millis(now));
            let after = machine.health();

            prop_assert_eq!(after, by_definition(fall.into(), rise.into(), hold_down, &history));
            prop_assert_eq!(change.map(|it| (it.from, it.to)), (before != after).then_some((before, after)));
            let failures = history.iter().rev().take_while(|(outcome, _)| *outcome == Failed).count();
            prop_assert_eq!(machine.failures() as usize, failures);
            prop_assert_eq!(machine.ever_alive(), history.iter().any(|(outcome, _)| *outcome == Alive));
            match (before, after) {
                (Unknown | Up | Suspect, Down) => prop_assert!(failures >= fall.into()),
                (Down, Recovering) => entered = now,
                (Recovering, Up) => prop_assert!(now - entered >= hold_down),
                _ => {}
            }
        }
    }
}
