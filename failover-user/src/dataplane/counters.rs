//! Reading the counters.

use failover_common::{
    names::{self, REASON_SLOTS},
    reason::Reason,
    value::Counter,
};

use super::{
    error::Error,
    load::Dataplane,
    maps::{Maps, fails},
};
use crate::{config::model::Target, control::message::Count};

/// The counters of one target (or of no target), by reason; only reasons that were counted.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Counts(pub Vec<(Reason, Counter)>);

/// The sums that a target's status shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TargetCounters {
    /// Sent to a backup.
    pub steered: Counter,
    /// Came back under the target's address.
    pub returned: Counter,
}

impl Counts {
    /// What was steered, and what came back.
    pub fn sums(&self) -> TargetCounters {
        let mut sums = TargetCounters::default();
        for (reason, counter) in &self.0 {
            if reason.is_steered() {
                add(&mut sums.steered, counter);
            } else if reason.is_returned() {
                add(&mut sums.returned, counter);
            }
        }
        sums
    }
}

impl Counts {
    /// As `stats` says them.
    pub fn rows(&self) -> Vec<Count> {
        let row = |(reason, counter): &(Reason, Counter)| Count {
            number: *reason as u32,
            reason: reason.name().to_owned(),
            packets: counter.packets,
            bytes: counter.bytes,
        };
        self.0.iter().map(row).collect()
    }
}

impl Maps {
    /// The counters of target `id`; 0 is "no target".
    pub fn counts(&self, id: u32) -> Result<Counts, Error> {
        let mut counts = Vec::new();
        for &reason in Reason::ALL {
            let index = id * REASON_SLOTS + reason as u32;
            let values = self.counters.get(&index, 0).map_err(fails(names::COUNTERS, "read"))?;
            let mut sum = Counter::default();
            values.iter().for_each(|cpu| add(&mut sum, cpu));
            if sum.packets != 0 {
                counts.push((reason, sum));
            }
        }
        Ok(Counts(counts))
    }
}

impl Dataplane {
    /// The counters of packets about no target.
    pub fn router_counts(&self) -> Result<Counts, Error> {
        self.maps.counts(0)
    }

    /// The counters of `target`.
    pub fn counts(&self, target: &Target) -> Result<Counts, Error> {
        self.maps.counts(self.ids.target(target))
    }
}

fn add(sum: &mut Counter, more: &Counter) {
    sum.packets += more.packets;
    sum.bytes += more.bytes;
}
