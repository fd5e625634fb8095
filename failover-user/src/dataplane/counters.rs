//! Reading the counters.

use std::{collections::BTreeMap, path::PathBuf};

use aya::maps::{HashMap, Map, MapData};
use failover_common::{
    key::FlowKey,
    names::{self, REASON_SLOTS},
    reason::Reason,
    value::{Counter, Return},
};

use super::{
    error::Error,
    load::Dataplane,
    maps::{Maps, entries, fails},
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

    /// Counts flows beside the task that owns the data plane.
    pub fn flow_counter(&self) -> FlowCounter {
        FlowCounter { path: self.pins.maps().join(names::RETURNS) }
    }
}

/// Counts the flows whose way back is remembered. A full table takes a good part of a second: not for a task that
/// has packets to turn.
#[derive(Clone, Debug)]
pub struct FlowCounter {
    path: PathBuf,
}

impl FlowCounter {
    /// Walks the table: flows by target id.
    pub fn count(&self) -> Result<BTreeMap<u32, u64>, Error> {
        let map = MapData::from_pin(&self.path).and_then(Map::from_map_data);
        let map =
            map.and_then(HashMap::<_, FlowKey, Return>::try_from).map_err(fails(names::RETURNS, "open"))?;
        let mut flows = BTreeMap::new();
        for entry in entries(&map, names::RETURNS) {
            *flows.entry(entry?.1.origin.target).or_default() += 1;
        }
        Ok(flows)
    }
}

fn add(sum: &mut Counter, more: &Counter) {
    sum.packets += more.packets;
    sum.bytes += more.bytes;
}
