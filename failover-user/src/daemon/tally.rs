//! What has been counted since the daemon started, for the metrics.
//!
//! Bounded by the configuration: services, targets and their servers, and words from short lists.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    config::model::{Service, Target, Transport},
    control::metrics::{Aftermath, Flow, Histogram, Turn},
    health::Health,
    probe::Outcome,
};

/// A service, without its port.
type Kind = (&'static str, Transport);

/// The counts.
#[derive(Debug, Default)]
pub struct Tally {
    probes: BTreeMap<(Kind, &'static str), u64>,
    round_trips: BTreeMap<Kind, Histogram>,
    /// How much later than planned probes were asked.
    pub lateness: Histogram,
    turns: BTreeMap<String, BTreeMap<Turn, u64>>,
    aftermath: BTreeMap<String, Aftermath>,
    /// When the configuration was last read, in seconds since 1970, and whether it was taken.
    pub reload: Option<(f64, bool)>,
}

impl Tally {
    /// A probe has ended.
    pub fn probe(&mut self, service: Service, outcome: &Outcome) {
        let kind = (service.kind.name(), service.transport);
        let word = match outcome {
            Outcome::Alive { .. } => "alive",
            Outcome::Failed { .. } => "silent",
            Outcome::Refused { .. } => "refused",
            Outcome::Unable { .. } => "unable",
        };
        *self.probes.entry((kind, word)).or_default() += 1;
        if let Outcome::Alive { rtt, .. } = outcome {
            self.round_trips.entry(kind).or_default().observe(*rtt);
        }
    }

    /// A probe was asked so much later than planned.
    pub fn late(&mut self, late: std::time::Duration) {
        self.lateness.observe(late);
    }

    /// A server's health has changed.
    pub fn health(&mut self, target: &str, server: &str, to: Health, reason: &'static str) {
        self.turn(target, Turn::Health { server: server.to_owned(), to: to.name(), reason });
    }

    /// Somebody else serves.
    pub fn serving(&mut self, target: &str, to: &'static str, reason: &'static str) {
        self.turn(target, Turn::Serving(Flow { to, reason }));
    }

    /// What a switch of `target` left behind has been seen to.
    pub fn aftermath(&mut self, target: &str, replayed: u64, reset: u64) {
        let sum = self.aftermath.entry(target.to_owned()).or_default();
        sum.replayed += replayed;
        sum.reset += reset;
    }

    /// What switches of `target` left behind, all together.
    pub fn aftermath_of(&self, target: &str) -> Aftermath {
        self.aftermath.get(target).copied().unwrap_or_default()
    }

    fn turn(&mut self, target: &str, turn: Turn) {
        *self.turns.entry(target.to_owned()).or_default().entry(turn).or_default() += 1;
    }

    /// The configuration was read.
    pub fn reloaded(&mut self, taken: bool) {
        self.reload = Some((jiff::Timestamp::now().as_duration().as_secs_f64(), taken));
    }

    /// Forgets targets, and servers of targets, that are no longer there.
    pub fn keep_only(&mut self, targets: &[Target]) {
        let servers: BTreeMap<&str, BTreeSet<&str>> = targets
            .iter()
            .map(|target| (target.name.as_str(), target.servers().map(|server| server.name).collect()))
            .collect();
        self.aftermath.retain(|target, _| servers.contains_key(target.as_str()));
        self.turns.retain(|target, _| servers.contains_key(target.as_str()));
        for (target, turns) in &mut self.turns {
            turns.retain(|turn, _| match turn {
                Turn::Health { server, .. } => servers[target.as_str()].contains(server.as_str()),
                Turn::Serving(_) => true,
            });
        }
    }

    /// What was counted of one target.
    pub fn turns(&self, target: &str) -> BTreeMap<Turn, u64> {
        self.turns.get(target).cloned().unwrap_or_default()
    }

    /// Probes by service and outcome.
    pub fn probes(&self) -> BTreeMap<(String, &'static str), u64> {
        self.probes.iter().map(|((kind, word), count)| ((label(*kind), *word), *count)).collect()
    }

    /// Round trips by service.
    pub fn round_trips(&self) -> BTreeMap<String, Histogram> {
        self.round_trips.iter().map(|(kind, trips)| (label(*kind), trips.clone())).collect()
    }
}

fn label((kind, transport): Kind) -> String {
    format!("{kind}/{transport}")
}
