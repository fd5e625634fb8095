//! What one prober asked lately, and what came back: for the operator who does not believe it.

use std::{collections::VecDeque, time::Instant};

use jiff::{SignedDuration, Timestamp};

use crate::{
    control::{
        journal::timestamp,
        message::{Exchange, Exchanged},
    },
    probe::Outcome,
};

/// Exchanges that are kept.
pub const KEPT: usize = 16;
/// The longest text that is kept of either side, in bytes.
const LONGEST: usize = 256;

/// The last exchanges, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Transcript(VecDeque<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    /// When its outcome was known.
    at: Timestamp,
    question: String,
    outcome: Outcome,
}

impl Transcript {
    /// Takes note of an exchange whose outcome was known at `at`.
    pub fn note(&mut self, at: Instant, mut question: String, outcome: Outcome) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        question.truncate(question.floor_char_boundary(LONGEST));
        let ago = SignedDuration::try_from(at.elapsed()).unwrap_or_default();
        let at = Timestamp::now().checked_sub(ago).unwrap_or_default();
        self.0.push_back(Entry { at, question, outcome });
    }

    /// The last outcome.
    pub fn last(&self) -> Option<&Outcome> {
        self.0.back().map(|entry| &entry.outcome)
    }

    /// As the control API tells it.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.0.iter().map(Entry::told).collect()
    }
}

impl Entry {
    fn told(&self) -> Exchange {
        let mut received = self.outcome.said().to_owned();
        received.truncate(received.floor_char_boundary(LONGEST));
        let (outcome, rtt) = match &self.outcome {
            Outcome::Alive { rtt, .. } => (Exchanged::Alive, Some(*rtt)),
            Outcome::Failed { .. } => (Exchanged::Silent, None),
            Outcome::Refused { .. } => (Exchanged::Refused, None),
            Outcome::Unable { .. } => (Exchanged::Unable, None),
        };
        Exchange {
            time: timestamp(self.at),
            sent: self.question.clone(),
            received,
            outcome,
            rtt_us: rtt.map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_last_ones_are_kept_in_order_and_none_is_long() {
        let mut transcript = Transcript::default();
        for n in 0..100 {
            let outcome = match n % 4 {
                0 => Outcome::Alive { rtt: Duration::from_micros(131), said: "200 OK".into() },
                1 => Outcome::Failed { said: "no answer in 20ms".into() },
                2 => Outcome::Refused { said: "é".repeat(1000) },
                _ => Outcome::Unable { said: "too many open files".into() },
            };
            transcript.note(Instant::now(), format!("OPTIONS {n}"), outcome);
        }
        let told = transcript.exchanges();
        let numbers: Vec<_> = told.iter().map(|one| one.sent.clone()).collect();
        assert_eq!(numbers, (100 - KEPT..100).map(|n| format!("OPTIONS {n}")).collect::<Vec<_>>());
        assert!(told.iter().all(|one| one.received.len() <= LONGEST));
        assert!(told.windows(2).all(|two| two[0].time <= two[1].time));
        let last: Vec<_> = told[12..].iter().map(|one| (one.outcome, one.rtt_us)).collect();
        assert_eq!(
            last,
            [
                (Exchanged::Alive, Some(131)),
                (Exchanged::Silent, None),
                (Exchanged::Refused, None),
                (Exchanged::Unable, None)
            ]
        );
    }
}
