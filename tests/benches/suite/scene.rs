//! The laboratory with everything running in it, for benches that have a primary die.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use failover_tests::{
    arrivals::{Arrivals, parts},
    daemon::{Daemon, parse_time},
    kamailio::Kamailio,
    settings::{Settings, Target},
    sipp::Callees,
    topology::{BACKUP, CALLEES, CALLERS, Lab, PRIMARY, Weight},
};
use serde_json::Value;

/// Two Kamailios, a hundred phones that pick up, and the daemon.
pub struct Scene {
    // Dropped from the top: the laboratory last.
    pub daemon: Daemon,
    /// What was steered: requests and answers of phones, at the backup.
    pub steered: Arrivals,
    /// What the primary's host says of packets that nobody there wants.
    pub refused: Arrivals,
    pub primary: Kamailio,
    _callees: Callees,
    _backup: Kamailio,
    pub lab: Lab,
}

impl Scene {
    /// Starts it all, with `probe` as `[defaults] probe`; returns once all is up.
    pub fn new(probe: &str) -> Result<Self> {
        let lab = Lab::new(Weight::Heavy)?;
        let primary = Kamailio::primary(&lab)?;
        let backup = Kamailio::backup(&lab)?;
        let callees = Callees::start(&lab)?;
        let settings = Settings::empty(&lab).with(Target::new("paris", PRIMARY, BACKUP)).probe(probe);
        let daemon = Daemon::start_with_redirect(&lab, &settings)?;
        let steered = Arrivals::watch(&lab.backup, is_steered)?;
        let refused = Arrivals::watch(&lab.phones, is_refusal)?;
        Ok(Self { daemon, steered, refused, primary, _callees: callees, _backup: backup, lab })
    }

    /// How often somebody else began to serve, or what began elsewhere was drained.
    pub fn transitions(&self) -> Result<Vec<String>> {
        let events = self.daemon.events()?;
        let of = |event: &Value| {
            let word = |name: &str| event[name].as_str().unwrap_or("-").to_owned();
            let serves = matches!(event["kind"].as_str(), Some("serving" | "draining"));
            serves.then(|| format!("{} {} → {}: {}", word("time"), word("from"), word("to"), word("reason")))
        };
        Ok(events.iter().filter_map(of).collect())
    }

    /// When the backup began to serve, since `since`.
    pub fn switched(&self, since: SystemTime) -> Result<SystemTime> {
        let events = self.daemon.events()?;
        for event in events.iter().rev().filter(|e| e["kind"] == "serving" && e["to"] == "paris-backup") {
            let time = parse_time(event["time"].as_str().context("an event without time")?)?;
            if time >= since {
                return Ok(time);
            }
        }
        anyhow::bail!("no event says that the backup serves: {events:?}")
    }

    /// The primary serves again, and everybody is well.
    pub fn wait_calm(&self, limit: Duration) -> Result<()> {
        self.daemon.wait_serving("paris", "primary", limit)?;
        self.daemon.wait_all_up(limit)
    }
}

fn is_phone(address: std::net::Ipv4Addr) -> bool {
    [CALLERS, CALLEES].contains(&address)
}

fn is_steered(packet: &[u8]) -> bool {
    parts(packet).is_some_and(|(from, to, protocol, _)| is_phone(from) && to == BACKUP && protocol == 17)
}

fn is_refusal(packet: &[u8]) -> bool {
    const UNREACHABLE: u8 = 3;
    parts(packet).is_some_and(|(from, to, protocol, rest)| {
        from == PRIMARY && is_phone(to) && protocol == 1 && rest.first() == Some(&UNREACHABLE)
    })
}
