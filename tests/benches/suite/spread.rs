//! How far the same thing, measured a few times, lies apart.

use std::{fmt, time::Duration};

use serde_json::{Value, json};

/// The middle and the ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// How often it was measured.
    pub count: usize,
    /// The least.
    pub best: Duration,
    /// What half of them did not exceed.
    pub median: Duration,
    /// The most.
    pub worst: Duration,
}

impl Spread {
    /// Of what was measured; none where nothing was.
    pub fn of(all: impl Iterator<Item = Duration>) -> Option<Self> {
        let mut all: Vec<Duration> = all.collect();
        all.sort_unstable();
        let (best, worst) = (*all.first()?, *all.last()?);
        Some(Self { count: all.len(), best, median: all[(all.len() - 1) / 2], worst })
    }

    /// In milliseconds.
    pub fn json(self) -> Value {
        let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
        json!({"count": self.count, "best": ms(self.best), "median": ms(self.median), "worst": ms(self.worst)})
    }
}

impl fmt::Display for Spread {
    /// `12.3 ms (9.8–31.0)`: the median, and from the best to the worst.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
        write!(f, "{:.1} ms ({:.1}–{:.1})", ms(self.median), ms(self.best), ms(self.worst))
    }
}
