//! The walk through the flow tables: counts who is there, and makes room where nobody is any more.
//!
//! A full table takes a good part of a second: not for a task that has packets to turn.

use std::{collections::BTreeMap, time::Duration};

use aya::{
    Pod,
    maps::{Array, HashMap, Map, MapData},
};
use failover_common::{
    key::{FlowKey, TCP},
    names,
    value::{Flow, Origin},
};

use super::{
    error::Error,
    load::Dataplane,
    maps::{entries, fails, pinned_room},
    pins::Pins,
};
use crate::config::model::Target;

/// What a walk found.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Flows {
    /// Who is remembered, flows and hosts, by target id.
    pub of: BTreeMap<u32, u64>,
    /// TCP connections among them that are not over, by target id.
    pub connections: BTreeMap<u32, u64>,
    /// Entries of those who were answered.
    pub answered: u64,
    /// The most there may be.
    pub room: u64,
}

impl Flows {
    /// Whether there is next to no room left.
    pub const fn is_crowded(&self) -> bool {
        self.answered * 10 >= self.room * 9
    }
}

/// For how long nothing may be heard of a client until it is forgotten.
const IDLE: Duration = Duration::from_hours(2);
/// For how long the last words of a connection that is over may take.
const LAST_WORDS: Duration = Duration::from_mins(1);

/// Walks beside the task that owns the data plane.
#[derive(Clone, Debug)]
pub struct Sweeper {
    pins: Pins,
    /// By target id: seconds after which a connection is idle.
    idle: BTreeMap<u32, u64>,
}

impl Dataplane {
    /// Something that walks the flow tables.
    pub fn sweeper(&self, configured: &[Target]) -> Sweeper {
        let idle = configured.iter().map(|target| (self.ids.target(target), target.tcp_idle.as_secs()));
        Sweeper { pins: self.pins.clone(), idle: idle.collect() }
    }
}

impl Sweeper {
    /// Walks the tables, and removes who is idle or over.
    pub fn sweep(&self) -> Result<Flows, Error> {
        let origins = Array::<_, Origin>::try_from(self.open(names::ORIGINS)?)
            .map_err(fails(names::ORIGINS, "open"))?;
        let targets: Vec<u32> =
            origins.iter().map(|origin| origin.map_or(0, |origin| origin.target)).collect();
        let mut answered: HashMap<_, FlowKey, Flow> = self.table(names::ANSWERED)?;
        let now = now();
        let room = pinned_room(&self.pins, names::ANSWERED).unwrap_or_default();
        let mut flows = Flows { room: u64::from(room), ..Flows::default() };
        let mut over = Vec::new();
        for entry in entries(&answered, names::ANSWERED) {
            let (key, flow) = entry?;
            let quiet = now.saturating_sub(u64::from(flow.seen));
            let patience =
                if flow.is_over() { LAST_WORDS.as_secs() } else { self.idle(&key, &flow, &targets) };
            if quiet > patience {
                over.push(key);
            } else {
                flows.answered += 1;
                count(&mut flows.of, &targets, &flow);
                if key.protocol == TCP && !flow.is_over() {
                    count(&mut flows.connections, &targets, &flow);
                }
            }
        }
        for key in &over {
            // A packet that comes now is the first of a new entry.
            let _ = answered.remove(key);
        }
        for entry in entries(&self.table::<FlowKey, Flow>(names::UNANSWERED)?, names::UNANSWERED) {
            let (key, flow) = entry?;
            count(&mut flows.of, &targets, &flow);
            // Of a connection that its server does not know there is nothing to come.
            let fresh = now.saturating_sub(u64::from(flow.seen)) <= LAST_WORDS.as_secs();
            if key.protocol == TCP && fresh && !flow.is_over() {
                count(&mut flows.connections, &targets, &flow);
            }
        }
        Ok(flows)
    }

    /// Seconds; of a host, the longest that anybody stays.
    fn idle(&self, key: &FlowKey, flow: &Flow, targets: &[u32]) -> u64 {
        let own = targets.get(flow.service as usize).and_then(|target| self.idle.get(target));
        let longest = || self.idle.values().copied().max();
        let said =
            if key.protocol == TCP { own.copied() } else { longest().map(|most| most.max(IDLE.as_secs())) };
        said.unwrap_or(IDLE.as_secs())
    }

    fn open(&self, name: &'static str) -> Result<Map, Error> {
        MapData::from_pin(self.pins.maps().join(name))
            .and_then(Map::from_map_data)
            .map_err(fails(name, "open"))
    }

    fn table<K: Pod + std::hash::Hash, V: Pod>(
        &self,
        name: &'static str,
    ) -> Result<HashMap<MapData, K, V>, Error> {
        HashMap::try_from(self.open(name)?).map_err(fails(name, "open"))
    }
}

fn count(of: &mut BTreeMap<u32, u64>, targets: &[u32], flow: &Flow) {
    if let Some(&target) = targets.get(flow.service as usize).filter(|target| **target != 0) {
        *of.entry(target).or_default() += 1;
    }
}

/// Seconds of the clock by which the data plane writes down when it saw whom.
fn now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or_default()
}
