//! The failback that a target has of which nothing is said, and the operator's `drain`: what began somewhere ends there,
//! and what is new goes elsewhere.

use std::{
    net::SocketAddrV4,
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result};
use failover_tests::{
    carrier::{Carrier, both_families},
    daemon::Daemon,
    kamailio::Kamailio,
    process,
    settings::{QUICK_PROBE, Settings, Target},
    sip,
    tcp_client::{Outcome, TcpClient},
    topology::{BACKUP, CALLERS, Lab, PRIMARY, Weight},
};
use serde_json::Value;

const PARIS: SocketAddrV4 = SocketAddrV4::new(PRIMARY, 5060);
const SWITCH: Duration = Duration::from_secs(3);
/// The daemon counts what is left every five seconds: here it has done so, and acted on it.
const COUNTED: Duration = Duration::from_secs(12);
/// A minute is more than any of this takes.
const NO_LIMIT: &str = "1m";
const SHORT: &str = "2s";

fn paris() -> Target {
    Target::new("paris", PRIMARY, BACKUP).default_failback()
}

/// A target with both of its servers, and the phones.
struct Scene {
    daemon: Daemon,
    primary: Kamailio,
    _backup: Kamailio,
    lab: Lab,
}

impl Scene {
    fn new(target: Target) -> Result<Self> {
        let lab = Lab::new(Weight::Quick)?;
        let (primary, backup) = (Kamailio::primary(&lab)?, Kamailio::backup(&lab)?);
        let settings = Settings::empty(&lab).with(target).probe(QUICK_PROBE);
        let daemon = Daemon::start_with_redirect(&lab, &settings)?;
        Ok(Self { daemon, primary, _backup: backup, lab })
    }

    /// A new phone on TCP.
    fn connect(&self) -> Result<TcpClient> {
        TcpClient::connect(&self.lab.phones, CALLERS, PARIS, SWITCH)
    }

    /// Who answers over UDP.
    fn server(&self) -> Result<String> {
        self.lab.phones.enter(|| sip::server(PARIS, SWITCH))
    }

    /// The primary dies, a phone connects to the backup, and the primary returns; when that was.
    fn away_and_back(&mut self) -> Result<(TcpClient, SystemTime)> {
        self.primary.kill()?;
        self.daemon.wait_serving("paris", "backup", SWITCH)?;
        let mut old = self.connect()?;
        assert_eq!((old.server(SWITCH)?, self.server()?), ("backup".into(), "backup".into()));
        let back = SystemTime::now();
        self.primary.restart()?;
        let target = self.daemon.wait_serving("paris", "draining", SWITCH)?;
        assert_eq!(target["draining_to"], "primary", "{target}");
        Ok((old, back))
    }

    /// The operator drains the primary.
    fn drain(&self) -> Result<()> {
        self.daemon.run(&["target", "drain", "paris"])?;
        let target = self.daemon.wait_serving("paris", "draining", SWITCH)?;
        assert_eq!(
            (&target["draining_to"], &target["admin"]),
            (&"backup".into(), &"drain".into()),
            "{target}"
        );
        Ok(())
    }

    /// Draining is over, and `serving` serves; the event says so, and why.
    fn drained(&self, serving: &str, to: &str, since: SystemTime, why: &str) -> Result<SystemTime> {
        let target = self.daemon.wait_serving("paris", serving, COUNTED)?;
        assert_eq!(target["draining_to"], Value::Null, "{target}");
        assert!(target["reason"].as_str().is_some_and(|reason| reason.contains(why)), "{target}");
        self.daemon.event_time("drained", Some(to), since)?.context("no event that draining is over")
    }

    /// What `explain` says of one stage of a packet to the target.
    fn explained(&self, proto: &str, stage: &str) -> Result<String> {
        let (from, to) = (format!("{CALLERS}:5099"), PARIS.to_string());
        let json = self.daemon.json(&["explain", "--from", &from, "--to", &to, "--proto", proto])?;
        let stages = json["packets"][0]["stages"].as_array().context("no stages")?;
        let found = stages.iter().find(|found| found["stage"] == stage);
        Ok(found.and_then(|found| found["finding"].as_str()).unwrap_or_default().to_owned())
    }
}

#[test]
fn a_connection_that_began_at_the_backup_ends_there_and_all_else_goes_to_the_primary_at_once() -> Result<()> {
    for target in [paris(), paris().shared()] {
        let mut scene = Scene::new(target)?;
        let (mut old, back) = scene.away_and_back()?;
        assert_eq!((old.server(SWITCH)?, scene.server()?), ("backup".into(), "primary".into()));
        let mut new = scene.connect()?;
        // For as long as somebody might think that nothing is left.
        let watched = Instant::now();
        while watched.elapsed() < COUNTED / 2 {
            assert_eq!((old.server(SWITCH)?, new.server(SWITCH)?), ("backup".into(), "primary".into()));
            thread::sleep(Duration::from_millis(200));
        }
        let decision = scene.explained("tcp", "decision")?;
        for part in ["draining: the primary serves", "backup paris-backup keeps", "this is a new connection"]
        {
            assert!(decision.contains(part), "{decision}");
        }
        let target = scene.daemon.target("paris")?;
        assert_eq!(target["serving"], "draining", "{target}");
        assert!(target["pins"].as_u64() > Some(0), "{target}");

        drop(old);
        scene.drained("primary", "primary", back, "nothing that began at the backup is left")?;
        assert_eq!((new.server(SWITCH)?, scene.server()?), ("primary".into(), "primary".into()));
        assert_eq!(scene.explained("tcp", "decision")?.split(" (").next(), Some("the primary serves"));
    }
    Ok(())
}

#[test]
fn a_connection_that_never_ends_is_let_go_after_the_drain_limit() -> Result<()> {
    let mut scene = Scene::new(paris().drain_limit(SHORT))?;
    let (mut old, back) = scene.away_and_back()?;
    assert_eq!(old.server(SWITCH)?, "backup");
    let over = scene.drained("primary", "primary", back, "drain_limit is over")?;
    let began =
        scene.daemon.event_time("draining", Some("primary"), back)?.context("no event of its beginning")?;
    assert!(over.duration_since(began)? >= Duration::from_secs(2), "{over:?} {began:?}");
    assert_eq!(old.options(SWITCH)?, Outcome::Reset, "the primary does not know it");
    assert_eq!(scene.connect()?.server(SWITCH)?, "primary");
    Ok(())
}

#[test]
fn what_an_operator_drains_gets_no_new_connection_and_keeps_the_others() -> Result<()> {
    let scene = Scene::new(paris().drain_limit(NO_LIMIT))?;
    let mut old = scene.connect()?;
    assert_eq!(old.server(SWITCH)?, "primary");
    scene.drain()?;
    let mut new = scene.connect()?;
    assert_eq!((old.server(SWITCH)?, new.server(SWITCH)?), ("primary".into(), "backup".into()));
    assert_eq!(scene.server()?, "backup", "a request outside of any call");
    let decision = scene.explained("tcp", "decision")?;
    assert!(decision.contains("draining: backup paris-backup gets what is new"), "{decision}");
    assert_eq!(scene.explained("tcp", "rewrite")?, format!("destination becomes {BACKUP}:5060"));
    let decision = scene.explained("udp", "decision")?;
    assert!(decision.contains("this is a request for something new"), "{decision}");

    let ended = SystemTime::now();
    scene.daemon.run(&["target", "auto", "paris"])?;
    let target = process::wait_for("the way back", SWITCH, || {
        let target = scene.daemon.target("paris")?;
        Ok((target["draining_to"] != "backup").then_some(target))
    })?;
    assert_eq!(
        (&target["serving"], &target["draining_to"]),
        (&"draining".into(), &"primary".into()),
        "{target}"
    );
    assert_eq!((old.server(SWITCH)?, new.server(SWITCH)?), ("primary".into(), "backup".into()));
    assert_eq!((scene.connect()?.server(SWITCH)?, scene.server()?), ("primary".into(), "primary".into()));
    drop(new);
    scene.drained("primary", "primary", ended, "nothing that began at the backup is left")?;
    assert_eq!(old.server(SWITCH)?, "primary");
    Ok(())
}

#[test]
fn what_an_operator_drains_is_empty_after_the_drain_limit() -> Result<()> {
    let scene = Scene::new(paris().drain_limit(SHORT))?;
    let mut old = scene.connect()?;
    assert_eq!(old.server(SWITCH)?, "primary");
    let told = SystemTime::now();
    scene.drain()?;
    let mut new = scene.connect()?;
    assert_eq!((old.server(SWITCH)?, new.server(SWITCH)?), ("primary".into(), "backup".into()));
    scene.drained("backup", "paris-backup", told, "drain_limit is over")?;
    assert_eq!(old.options(SWITCH)?, Outcome::Reset, "the backup does not know it");
    assert_eq!((new.server(SWITCH)?, scene.server()?), ("backup".into(), "backup".into()));
    Ok(())
}

/// Where the router remembers nothing, there is nothing to be told apart.
fn without_memory(steer: &str) -> Result<()> {
    let mut scene = Carrier::new(both_families(steer).default_failback())?;
    scene.primary_dies()?;
    let mut old = scene.connect(PARIS)?;
    assert_eq!(old.server(SWITCH)?, "backup");
    scene.primary_returns()?;
    scene.daemon.wait_serving("paris", "primary", SWITCH)?;
    assert_eq!(old.options(SWITCH)?, Outcome::Reset, "the primary does not know it");
    assert_eq!((scene.server(PARIS)?, scene.server_over_tcp(PARIS)?), ("primary".into(), "primary".into()));

    let mut old = scene.connect(PARIS)?;
    assert_eq!(old.server(SWITCH)?, "primary");
    scene.daemon.run(&["target", "drain", "paris"])?;
    let target = scene.daemon.wait_serving("paris", "backup", SWITCH)?;
    assert_eq!((&target["admin"], &target["draining_to"]), (&"drain".into(), &Value::Null), "{target}");
    assert_eq!(old.options(SWITCH)?, Outcome::Reset, "the backup does not know it");
    assert_eq!((scene.server(PARIS)?, scene.server_over_tcp(PARIS)?), ("backup".into(), "backup".into()));
    scene.daemon.run(&["target", "auto", "paris"])?;
    scene.daemon.wait_serving("paris", "primary", SWITCH)?;
    let drained = |event: &Value| event["kind"] == "draining" || event["kind"] == "drained";
    assert!(!scene.daemon.events()?.iter().any(drained), "{:?}", scene.daemon.events()?);
    Ok(())
}

#[test]
fn a_target_that_is_steered_by_mac_address_returns_at_once() -> Result<()> {
    without_memory("l2")
}

#[test]
fn a_target_that_is_steered_in_envelopes_returns_at_once() -> Result<()> {
    without_memory("ipip")
}
