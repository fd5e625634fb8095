//! A gatekeeper: asked over RAS and over call signalling, and stood in for by the backup when either says so.

use std::time::Duration;

use anyhow::Result;
use failover_tests::{
    capture::Capture,
    daemon::{Daemon, accept_redirects},
    gatekeeper::{Gatekeeper, H225, Mood, RAS, ask_call_signalling, ask_ras},
    settings::{Settings, Target},
    topology::{BACKUP, DEVICE, Lab, PRIMARY, Weight},
};

const SWITCH: Duration = Duration::from_secs(5);
/// Longer than the laboratory's own: a connection takes two threads of a busy machine.
const PROBE: &str = r#"{ interval = "100ms", timeout = "200ms", fall = 3, rise = 3, hold_down = "200ms" }"#;

struct Scene {
    daemon: Daemon,
    primary: Gatekeeper,
    _backup: Gatekeeper,
    lab: Lab,
}

impl Scene {
    fn new(services: &str) -> Result<Self> {
        let lab = Lab::new(Weight::Quick)?;
        let primary = Gatekeeper::start(&lab.primary, PRIMARY, "primary")?;
        let backup = Gatekeeper::start(&lab.backup, BACKUP, "backup")?;
        accept_redirects(&lab)?;
        let target = Target { services: services.to_owned(), ..Target::new("paris", PRIMARY, BACKUP) };
        let daemon = Daemon::start(&lab, &Settings::empty(&lab).with(target).probe(PROBE))?;
        daemon.wait_all_up(SWITCH)?;
        Ok(Self { daemon, primary, _backup: backup, lab })
    }

    /// Who answers a phone over RAS, and over call signalling.
    fn servers(&self) -> Result<[String; 2]> {
        self.lab
            .phones
            .enter(|| Ok([ask_ras(PRIMARY, SWITCH)?.to_owned(), ask_call_signalling(PRIMARY, SWITCH)?]))
    }

    /// Waits for the switch to the backup, for a reason that has `said` in it.
    fn wait_backup(&self, said: &str) -> Result<()> {
        let target = self.daemon.wait_serving("paris", "backup", SWITCH)?;
        let reason = target["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(said), "{said}: {target}");
        Ok(())
    }
}

fn both(label: &str) -> [String; 2] {
    [label.to_owned(), label.to_owned()]
}

#[test]
fn a_gatekeeper_that_hangs_or_wants_no_calls_is_stood_in_for() -> Result<()> {
    let scene = Scene::new(r#"["ras", "h225"]"#)?;
    assert_eq!(scene.servers()?, both("primary"));
    let probes = scene.daemon.target("paris")?["probes"].to_string();
    for said in ["LRJ undefinedReason", "ReleaseComplete"] {
        assert!(probes.contains(said), "{said}: {probes}");
    }

    // Connections are still accepted, and nothing is said on them.
    scene.primary.set(Mood::Hung);
    scene.wait_backup(": no answer in ")?;
    let capture = Capture::start(&scene.lab.phones, DEVICE, &scene.lab.dir().join("phones.pcapng"))?;
    assert_eq!(scene.servers()?, both("backup"));
    let captured = capture.stop()?;
    assert!(
        captured
            .count(&format!("ip.src == {PRIMARY} and (udp.srcport == {RAS} or tcp.srcport == {H225})"))?
            >= 4
    );
    assert_eq!(captured.count(&format!("ip.addr == {BACKUP}"))?, 0);

    scene.primary.set(Mood::Well);
    scene.daemon.wait_serving("paris", "primary", SWITCH)?;
    assert_eq!(scene.servers()?, both("primary"));

    scene.primary.set(Mood::Maintenance);
    scene.wait_backup("ras/udp: LRJ resourceUnavailable: alive, wants no calls")?;
    assert_eq!(scene.servers()?, both("backup"));
    Ok(())
}

#[test]
fn call_signalling_alone_tells_of_a_server_that_hangs() -> Result<()> {
    let scene = Scene::new(r#"["h225"]"#)?;
    scene.primary.set(Mood::Hung);
    scene.wait_backup("h225/tcp: no answer in 200ms (connected)")?;
    let asked = || ask_call_signalling(PRIMARY, SWITCH);
    assert_eq!(scene.lab.phones.enter(asked)?, "backup");
    scene.primary.set(Mood::Well);
    scene.daemon.wait_serving("paris", "primary", SWITCH)?;
    assert_eq!(scene.lab.phones.enter(asked)?, "primary");
    Ok(())
}
