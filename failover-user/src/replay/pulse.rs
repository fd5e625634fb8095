//! Whether a primary that is asked says anything at all: by what passes, without a probe.

use std::time::Duration;

use crate::health::rtt::{FLOOR, Rtt};

/// The longest that is waited for the first word.
const CEILING: Duration = Duration::from_millis(200);
/// After so long, silence is no news.
const OLD: Duration = Duration::from_secs(2);

/// What a primary's answers say about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pulse {
    /// When it was first asked, of what it has said nothing about since.
    asked: Option<Duration>,
    /// From a question to the first word after it, of whatever kind.
    gap: Rtt,
    answers: bool,
}

impl Pulse {
    pub fn asked(&mut self, at: Duration) {
        self.asked.get_or_insert(at);
    }

    pub fn heard(&mut self, at: Duration) {
        self.answers = true;
        if let Some(asked) = self.asked.take() {
            self.gap.sample(at.saturating_sub(asked));
        }
    }

    /// What it was asked is not known any more.
    pub fn calm(&mut self) {
        self.asked = None;
    }

    /// Whether anything was ever heard of it.
    pub const fn answers(&self) -> bool {
        self.answers
    }

    /// Whether it is silent for longer than it usually is.
    pub fn is_suspect(&self, now: Duration) -> bool {
        let patience = self.gap.timeout(0, FLOOR, CEILING);
        self.answers && self.asked.is_some_and(|asked| (patience..OLD).contains(&now.saturating_sub(asked)))
    }
}
