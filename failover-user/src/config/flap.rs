//! `[target.probe.flap]`: how a server that comes and goes is kept away.

use std::{num::NonZeroU8, time::Duration};

use super::{
    error::Problems,
    scalar,
    section::{Said, Section, Word},
    words::{FLAP, HOLD_DOWN, PROBE},
};

/// Flap damping: each time that a service goes down counts 1, which decays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flap {
    /// What is above it is held back.
    pub limit: NonZeroU8,
    /// In which the count becomes half of itself; zero: nothing is ever held back.
    pub half_life: Duration,
    /// Nothing is held back for longer.
    pub longest: Duration,
}

impl Default for Flap {
    fn default() -> Self {
        let limit = NonZeroU8::MIN.saturating_add(1);
        Self { limit, half_life: Duration::from_mins(1), longest: Duration::from_mins(5) }
    }
}

/// As it is written.
#[derive(Default)]
pub(super) struct RawFlap {
    limit: Said<u32>,
    half_life: Said<Duration>,
    longest: Said<Duration>,
}

/// Reads the table.
pub(super) fn read(word: &Word<'_>, problems: &mut Problems) -> Option<RawFlap> {
    let table = word.table("a table such as { limit = 2, half_life = \"1m\" }", problems)?;
    let section = Section::open(table, word.span.clone(), &FLAP, &[&PROBE], problems);
    let mut time =
        |name| section.read(name, problems, |word, problems| scalar::duration(word, &HOLD_DOWN, problems));
    let (half_life, longest) = (time("half_life"), time("longest"));
    let limit = section.read("limit", problems, |word, problems| word.integer(1..=255, problems));
    Some(RawFlap { limit, half_life, longest })
}

impl RawFlap {
    /// Word by word: what it says, else what `[defaults]` say, else as built in.
    pub fn merged(&self, defaults: &Self) -> Flap {
        let built_in = Flap::default();
        let limit = self.limit.or(&defaults.limit).value();
        Flap {
            limit: limit.and_then(|n| NonZeroU8::new(u8::try_from(*n).ok()?)).unwrap_or(built_in.limit),
            half_life: self.half_life.or(&defaults.half_life).unwrap_or(built_in.half_life),
            longest: self.longest.or(&defaults.longest).unwrap_or(built_in.longest),
        }
    }
}
