//! The main job: the primary dies under a hundred calls per second, and the calls go on.
//!
//! Each test prints what it measured: `cargo test --test under_load -- --nocapture`.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result};
use failover_tests::{
    capture::{Capture, Captured},
    daemon::Daemon,
    kamailio::Kamailio,
    responder::Responder,
    settings::{Settings, Target},
    sipp::{Callees, Calls, Load, Report},
    stream::Stream,
    topology::{BACKUP, CALLEES, CALLERS, DEVICE, Lab, PRIMARY, Weight, add_address},
    verdict::{Verdict, judge},
};

const PARIS: SocketAddrV4 = SocketAddrV4::new(PRIMARY, 5060);

/// The laboratory with everything running in it.
struct Scene {
    // Dropped from the top: the laboratory last.
    daemon: Daemon,
    _callees: Callees,
    _backup: Kamailio,
    primary: Kamailio,
    lab: Lab,
}

impl Scene {
    fn new(settings: impl FnOnce(&Lab) -> Settings) -> Result<Self> {
        let lab = Lab::new(Weight::Heavy)?;
        let primary = Kamailio::primary(&lab)?;
        let backup = Kamailio::backup(&lab)?;
        let callees = Callees::start(&lab)?;
        let daemon = Daemon::start_with_redirect(&lab, &settings(&lab))?;
        Ok(Self { daemon, _callees: callees, _backup: backup, primary, lab })
    }

    fn capture(&self) -> Result<Capture> {
        Capture::start(&self.lab.phones, DEVICE, &self.lab.dir().join("phones.pcapng"))
    }

    /// From `since` to the first event of a kind.
    fn delay(&self, kind: &str, to: Option<&str>, since: SystemTime) -> Result<Duration> {
        let time = self.daemon.event_time(kind, to, since)?.with_context(|| format!("no event {kind}"))?;
        Ok(time.duration_since(since)?)
    }
}

fn paris() -> Target {
    Target::new("paris", PRIMARY, BACKUP)
}

fn at(calls: &mut Calls, second: u64) -> Result<()> {
    calls.wait_until(Duration::from_secs(second))
}

/// One minute of calls; the primary dies at 10 s and is back at 30 s. `failback` is the event that says so.
fn death(
    how: &str,
    (target, failback): (Target, &str),
    dies: impl FnOnce(&mut Scene) -> Result<()>,
    returns: impl FnOnce(&mut Scene) -> Result<()>,
) -> Result<()> {
    let mut scene = Scene::new(|lab| Settings::empty(lab).with(target))?;
    let capture = scene.capture()?;
    let mut calls = Load::new(100, 60).start(&scene.lab)?;
    at(&mut calls, 10)?;
    let death = SystemTime::now();
    dies(&mut scene)?;
    at(&mut calls, 30)?;
    let serving = scene.daemon.target("paris")?;
    assert_eq!(serving["serving"], "backup", "{serving}");
    let back = SystemTime::now();
    returns(&mut scene)?;
    let report = calls.finish()?;
    let captured = capture.stop()?;
    let verdict = judge(&captured, CALLERS, death)?;
    let steered = scene.delay("steering-began", None, death)?;
    let failback = scene.delay(failback, Some("primary"), back)?;
    println!("primary {how}: {report}");
    println!(
        "  first packet steered {steered:.1?} after the death; primary serves {failback:.1?} after its return"
    );
    println!("  {} calls had got 100 Trying and nothing more before the death", verdict.beyond_help.len());
    no_call_lost(&report, &verdict, &captured, 6000)?;
    assert!(report.worst_setup() < Duration::from_millis(1600), "{report}");
    clean(&captured)?;
    assert!(serving["steered_packets"].as_u64() > Some(1000), "{serving}");
    assert!(serving["returned_packets"].as_u64() > Some(1000), "{serving}");
    let after = scene.daemon.target("paris")?;
    assert_eq!((&after["serving"], &after["health"]), (&"primary".into(), &"up".into()), "{after}");
    Ok(())
}

fn no_call_lost(report: &Report, verdict: &Verdict, captured: &Captured, placed: usize) -> Result<()> {
    assert_eq!((report.placed as usize, verdict.placed), (placed, placed), "{report}");
    let lost = verdict.inexcusable();
    if let Some(first) = lost.first() {
        panic!("{} calls lost; {report}; the first of them: {}", lost.len(), captured.story(first)?);
    }
    // sipp may count as failed only what the wire shows to be beyond help.
    assert!(report.failed as usize <= verdict.beyond_help.len(), "{report}; {:?}", verdict.beyond_help);
    Ok(())
}

/// The phones saw no address but the primary's, and no bad checksum.
fn clean(captured: &Captured) -> Result<()> {
    let packets = captured.count("ip")?;
    let (strange, bad) = (captured.with_address(BACKUP)?, captured.bad_checksums()?);
    println!(
        "  {packets} packets on the phones' side: {strange} with the backup's address, {bad} with a bad checksum"
    );
    assert!(packets > 1000);
    assert_eq!((strange, bad), (0, 0));
    Ok(())
}

#[test]
fn the_primary_is_killed_and_returns() -> Result<()> {
    death(
        "killed",
        (paris().default_failback(), "draining"),
        |scene| scene.primary.kill(),
        |scene| scene.primary.restart(),
    )
}

#[test]
fn the_primary_freezes_and_thaws() -> Result<()> {
    death("frozen", (paris(), "serving"), |scene| scene.primary.stop(), |scene| scene.primary.cont())
}

#[test]
fn the_primary_loses_its_link_and_gets_it_back() -> Result<()> {
    let plug = |scene: &mut Scene| scene.lab.plug(&scene.lab.primary, 2);
    death("unplugged", (paris(), "serving"), |scene| scene.lab.unplug(&scene.lab.primary), plug)
}

#[test]
fn an_operator_moves_the_target_ten_times_there_and_back() -> Result<()> {
    let scene = Scene::new(Settings::standard)?;
    let capture = scene.capture()?;
    let mut calls = Load::new(100, 60).start(&scene.lab)?;
    for turn in 0..10 {
        at(&mut calls, 5 + 5 * turn)?;
        scene.daemon.run(&["target", "disable", "paris", "--reason", "test"])?;
        scene.daemon.wait_serving("paris", "backup", Duration::from_secs(1))?;
        calls.wait_until(Duration::from_millis(7500 + 5000 * turn))?;
        scene.daemon.run(&["target", "auto", "paris"])?;
        scene.daemon.wait_serving("paris", "primary", Duration::from_secs(1))?;
    }
    let report = calls.finish()?;
    let captured = capture.stop()?;
    println!("ten times disabled and auto: {report}");
    // Nobody died: no call is beyond help.
    let verdict = judge(&captured, CALLERS, SystemTime::UNIX_EPOCH)?;
    no_call_lost(&report, &verdict, &captured, 6000)?;
    clean(&captured)
}

#[test]
fn the_daemon_is_killed_and_returns_while_the_backup_serves() -> Result<()> {
    const LYON: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 77, 2, 11), 5060);
    const LYON_BACKUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 77, 3, 11), 5060);
    let lyon = Target::new("lyon", *LYON.ip(), *LYON_BACKUP.ip()).udp_only();
    let lab = Lab::new(Weight::Heavy)?;
    add_address(&lab.primary, *LYON.ip())?;
    add_address(&lab.backup, *LYON_BACKUP.ip())?;
    let _lyon = Responder::start(&lab.primary, LYON, "lyon")?;
    let _lyon_backup = Responder::start(&lab.backup, LYON_BACKUP, "lyon-backup")?;
    let mut primary = Kamailio::primary(&lab)?;
    let _backup = Kamailio::backup(&lab)?;
    let _callees = Callees::start(&lab)?;
    let mut daemon = Daemon::start_with_redirect(&lab, &Settings::standard(&lab).with(lyon))?;

    let capture = Capture::start(&lab.phones, DEVICE, &lab.dir().join("phones.pcapng"))?;
    let mut calls = Load::new(100, 30).start(&lab)?;
    at(&mut calls, 3)?;
    daemon.run(&["target", "disable", "lyon"])?;
    let death = SystemTime::now();
    primary.kill()?;
    daemon.wait_serving("paris", "backup", Duration::from_secs(2))?;
    // Two numbered streams, to a Kamailio and to an echo, from before the daemon's death until after its return.
    let to_paris = Stream::start(&lab.phones, SocketAddrV4::new(CALLERS, 5062), PARIS, 200)?;
    let to_lyon = Stream::start(&lab.phones, SocketAddrV4::new(CALLERS, 5064), LYON, 200)?;
    at(&mut calls, 10)?;
    daemon.kill9()?;
    at(&mut calls, 13)?;
    let dead = daemon.status()?;
    assert_eq!((&dead["router"]["stale"], &dead["router"]["pid"]), (&true.into(), &().into()), "{dead}");
    at(&mut calls, 16)?;
    daemon.restart()?;
    for target in ["paris", "lyon"] {
        let status = daemon.target(target)?;
        assert_eq!(status["serving"], "backup", "{status}");
    }
    assert!(daemon.events()?.iter().any(|e| e["kind"] == "adopted"), "{:?}", daemon.events()?);
    at(&mut calls, 25)?;
    let status = daemon.target("paris")?;
    assert_eq!((&status["serving"], &status["health"]), (&"backup".into(), &"down".into()), "{status}");
    assert!(status["steered_packets"].as_u64() > Some(5000), "counters are kept: {status}");
    assert_eq!(daemon.target("lyon")?["admin"], "disabled");

    let report = calls.finish()?;
    println!("daemon killed and restarted while the backup serves: {report}");
    for (name, stream, server, to) in
        [("paris", to_paris, "backup", PARIS), ("lyon", to_lyon, "lyon-backup", LYON)]
    {
        let answers = stream.finish()?;
        println!(
            "  {name}: {} numbered requests, {} lost, {} doubled",
            answers.sent,
            answers.lost().len(),
            answers.doubled()
        );
        assert!(answers.sent > 3000);
        assert_eq!((answers.lost(), answers.doubled()), (vec![], 0));
        assert_eq!(answers.servers().into_iter().collect::<Vec<_>>(), [server]);
        assert_eq!(answers.sources().into_iter().collect::<Vec<_>>(), [SocketAddr::from(to)]);
    }
    let captured = capture.stop()?;
    no_call_lost(&report, &judge(&captured, CALLERS, death)?, &captured, 3000)
}

/// What the phones see of a backup that may serve others too: its packets are known by what the phones asked before.
#[test]
fn phones_and_a_backup_that_is_not_dedicated() -> Result<()> {
    let shared = |lab: &Lab| Settings::empty(lab).with(paris().shared());
    let mut scene = Scene::new(shared)?;
    let capture = scene.capture()?;
    let mut calls = Load::new(100, 20).start(&scene.lab)?;
    at(&mut calls, 5)?;
    let death = SystemTime::now();
    scene.primary.kill()?;
    let report = calls.finish()?;
    let captured = capture.stop()?;
    let verdict = judge(&captured, CALLERS, death)?;
    println!("backup not dedicated: {report}");
    println!("  {} calls had got 100 Trying and nothing more before the death", verdict.beyond_help.len());
    for (who, filter) in [("callers", CALLERS), ("callees", CALLEES)] {
        let of =
            |direction: &str| captured.count(&format!("ip.addr == {filter} && ip.{direction} == {BACKUP}"));
        println!(
            "  the {who} got {} packets from the backup's own address, and sent {} to it",
            of("src")?,
            of("dst")?
        );
    }
    no_call_lost(&report, &verdict, &captured, 2000)?;
    assert_eq!(captured.bad_checksums()?, 0);
    // The callers asked the primary's address, and were answered from there.
    assert_eq!(captured.count(&format!("ip.addr == {BACKUP} && ip.addr == {CALLERS}"))?, 0);
    Ok(())
}
