//! The walk through the flow tables: counts who is there, and makes room where nobody is any more.
//!
//! A full table takes a good part of a second: not for a task that has packets to turn.

use std::{collections::BTreeMap, time::Duration};

use aya::{
    Pod,
    maps::{Array, HashMap, Map, MapData},
};
use failover_common::{
    key::{CallKey, FlowKey, TCP},
    names,
    value::{Call, Flow, Origin},
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
    /// Calls that began at a backup and are not over, by target id.
    pub calls: BTreeMap<u32, u64>,
    /// Entries of calls that were answered.
    pub answered_calls: u64,
    /// Entries of those who were answered.
    pub answered: u64,
    /// The most there may be, of each of the two.
    pub room: u64,
}

impl Flows {
    /// Entries of the fuller one of the two tables of those who were answered.
    pub const fn fullest(&self) -> u64 {
        if self.answered > self.answered_calls { self.answered } else { self.answered_calls }
    }

    /// Whether there is next to no room left.
    pub const fn is_crowded(&self) -> bool {
        self.fullest() * 10 >= self.room * 9
    }
}

/// Where nothing is configured any more.
const IDLE: Duration = Duration::from_hours(2);
/// For how long the last words of a connection that is over may take.
const LAST_WORDS: Duration = Duration::from_mins(1);
/// For how long a call may ring (RFC 3261 §16.6, Timer C).
const RINGING: Duration = Duration::from_mins(3);

/// Seconds after which something is idle.
#[derive(Clone, Copy, Debug)]
struct Idle {
    tcp: u64,
    udp: u64,
}

/// Walks beside the task that owns the data plane.
#[derive(Clone, Debug)]
pub struct Sweeper {
    pins: Pins,
    /// By target id.
    idle: BTreeMap<u32, Idle>,
}

impl Dataplane {
    /// Something that walks the flow tables.
    pub fn sweeper(&self, configured: &[Target]) -> Sweeper {
        let seconds =
            |target: &Target| Idle { tcp: target.tcp_idle.as_secs(), udp: target.udp_idle.as_secs() };
        let idle = configured.iter().map(|target| (self.ids.target(target), seconds(target)));
        Sweeper { pins: self.pins.clone(), idle: idle.collect() }
    }
}

impl Sweeper {
    /// Walks the tables, and removes who is idle or over.
    pub fn sweep(&self) -> Result<Flows, Error> {
        let origins = Array::<_, Origin>::try_from(self.open(names::ORIGINS)?)
            .map_err(fails(names::ORIGINS, "open"))?;
        let targets = entries(&origins, names::ORIGINS).map(|entry| Ok(entry?.1.target));
        let targets = targets.collect::<Result<Vec<u32>, Error>>()?;
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
        self.sweep_calls(&mut flows, now)?;
        Ok(flows)
    }

    fn sweep_calls(&self, flows: &mut Flows, now: u64) -> Result<(), Error> {
        let quiet = |call: &Call| now.saturating_sub(u64::from(call.seen));
        let mut answered: HashMap<_, CallKey, Call> = self.table(names::ANSWERED_CALLS)?;
        let mut over = Vec::new();
        for entry in entries(&answered, names::ANSWERED_CALLS) {
            let (key, call) = entry?;
            let ended = call.flags & Call::ENDED != 0;
            let idle = || self.idle.get(&key.target).map_or(IDLE.as_secs(), |idle| idle.udp);
            if quiet(&call) > if ended { LAST_WORDS.as_secs() } else { idle() } {
                over.push(key);
            } else {
                flows.answered_calls += 1;
                *flows.calls.entry(key.target).or_default() += u64::from(!ended);
            }
        }
        for key in &over {
            // One that is heard of now goes with what is new.
            let _ = answered.remove(key);
        }
        let unanswered = self.table::<CallKey, Call>(names::UNANSWERED_CALLS)?;
        for entry in entries(&unanswered, names::UNANSWERED_CALLS) {
            let (key, call) = entry?;
            let rings = quiet(&call) <= RINGING.as_secs() && call.flags & Call::ENDED == 0;
            *flows.calls.entry(key.target).or_default() += u64::from(rings);
        }
        Ok(())
    }

    /// Seconds; of a host, the longest that anybody stays.
    fn idle(&self, key: &FlowKey, flow: &Flow, targets: &[u32]) -> u64 {
        let own = targets.get(flow.service as usize).and_then(|target| self.idle.get(target));
        let said = if key.is_host() {
            self.idle.values().map(|idle| idle.tcp.max(idle.udp)).max()
        } else {
            own.map(|idle| if key.protocol == TCP { idle.tcp } else { idle.udp })
        };
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
