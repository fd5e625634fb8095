//! Calls over UDP while a target drains, between real phones and real proxies: each ends at the server at which it began, and
//! what is new goes to the other one.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use anyhow::Result;
use failover_tests::{
    capture::{Capture, Captured},
    daemon::Daemon,
    kamailio::Kamailio,
    netns::Namespace,
    settings::{QUICK_PROBE, Settings, Target},
    sipp::{Callees, Load, Report},
    topology::{BACKUP, DEVICE, Lab, PRIMARY, Weight},
};
use serde_json::Value;

const SWITCH: Duration = Duration::from_secs(3);
/// The daemon counts what is left every five seconds: here it has done so, and acted on it.
const COUNTED: Duration = Duration::from_secs(12);
/// Longer than it takes until the target drains, so that every call from before ends while it does.
const LOAD: Load = Load { rate: 20, calls: 160, talk: Duration::from_secs(8) };
const NEXT: Duration = Duration::from_secs(3);

/// A target with both of its servers, and the phones.
struct Scene {
    daemon: Daemon,
    _callees: Callees,
    primary: Kamailio,
    _backup: Kamailio,
    lab: Lab,
}

/// The calls of which a server has got these requests.
struct Seen {
    begun: BTreeSet<String>,
    acknowledged: BTreeSet<String>,
    ended: BTreeSet<String>,
}

impl Scene {
    fn new(target: Target) -> Result<Self> {
        let lab = Lab::new(Weight::Quick)?;
        let (primary, backup) = (Kamailio::primary(&lab)?, Kamailio::backup(&lab)?);
        let callees = Callees::start(&lab)?;
        let settings = Settings::empty(&lab).with(target).probe(QUICK_PROBE);
        let daemon = Daemon::start_with_redirect(&lab, &settings)?;
        daemon.wait_all_up(SWITCH)?;
        Ok(Self { daemon, _callees: callees, primary, _backup: backup, lab })
    }

    fn capture(&self, host: &Namespace, name: &str) -> Result<Capture> {
        Capture::start(host, DEVICE, &self.lab.dir().join(format!("{name}.pcapng")))
    }

    /// Calls are placed all the while; after some time `turn` makes the target drain. What each server got.
    fn calls(&mut self, turn: impl FnOnce(&mut Self) -> Result<()>) -> Result<(Report, Seen, Seen)> {
        let at_primary = self.capture(&self.lab.primary, "primary")?;
        let at_backup = self.capture(&self.lab.backup, "backup")?;
        let mut calls = LOAD.start(&self.lab)?;
        calls.wait_until(NEXT)?;
        turn(self)?;
        let target = self.daemon.wait_serving("paris", "draining", SWITCH)?;
        assert!(calls.elapsed() < LOAD.talk, "calls have ended before the target drained: {target}");
        let report = calls.finish()?;
        Ok((report, seen(&at_primary.stop()?, PRIMARY)?, seen(&at_backup.stop()?, BACKUP)?))
    }

    fn drained(&self, serving: &str) -> Result<()> {
        let target = self.daemon.wait_serving("paris", serving, COUNTED)?;
        assert_eq!(target["draining_to"], Value::Null, "{target}");
        Ok(())
    }
}

fn seen(captured: &Captured, server: Ipv4Addr) -> Result<Seen> {
    assert_eq!(captured.bad_checksums()?, 0);
    let requests = |method: &str| {
        let filter = format!("ip.dst == {} && sip.Method == \"{method}\"", IpAddr::V4(server));
        let rows = captured.fields(&filter, &["sip.Call-ID"])?;
        Ok::<_, anyhow::Error>(rows.into_iter().flatten().collect())
    };
    Ok(Seen { begun: requests("INVITE")?, acknowledged: requests("ACK")?, ended: requests("BYE")? })
}

/// Every call ended where it began; some began at `before`, and some at `after`.
fn each_at_its_own(report: &Report, before: &Seen, after: &Seen) {
    assert_eq!((report.placed, report.failed), (LOAD.calls, 0), "{report}");
    let soonest = LOAD.rate as usize * NEXT.as_secs() as usize / 2;
    println!("{report}; {} began at one server, {} at the other one", before.begun.len(), after.begun.len());
    assert!(before.begun.len() >= soonest && after.begun.len() >= soonest);
    assert!(before.begun.is_disjoint(&after.begun));
    assert_eq!(before.begun.len() + after.begun.len(), LOAD.calls as usize);
    for server in [before, after] {
        assert_eq!(server.acknowledged, server.begun);
        assert_eq!(server.ended, server.begun);
    }
}

fn comes_back(target: Target) -> Result<()> {
    let mut scene = Scene::new(target)?;
    scene.primary.kill()?;
    scene.daemon.wait_serving("paris", "backup", SWITCH)?;
    let (report, at_primary, at_backup) = scene.calls(|scene| scene.primary.restart())?;
    each_at_its_own(&report, &at_backup, &at_primary);
    scene.drained("primary")
}

#[test]
fn a_call_that_began_at_the_backup_ends_there_when_the_primary_returns() -> Result<()> {
    comes_back(Target::new("paris", PRIMARY, BACKUP).default_failback())
}

#[test]
fn so_it_does_at_a_backup_that_others_share_by_its_call_id_though_failback_is_immediate() -> Result<()> {
    comes_back(Target::new("paris", PRIMARY, BACKUP).shared().by_call())
}

#[test]
fn a_call_that_began_at_the_primary_ends_there_when_the_operator_drains_it() -> Result<()> {
    let mut scene = Scene::new(Target::new("paris", PRIMARY, BACKUP).default_failback())?;
    let (report, at_primary, at_backup) =
        scene.calls(|scene| scene.daemon.run(&["target", "drain", "paris"]).map(drop))?;
    each_at_its_own(&report, &at_primary, &at_backup);
    Ok(())
}
