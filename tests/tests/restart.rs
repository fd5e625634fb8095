//! The daemon ends, gently or not, and comes back: the data plane stays, and so does what the operator said.

use std::{net::SocketAddrV4, path::Path, thread, time::Duration};

use anyhow::Result;
use failover_tests::{
    daemon::Daemon,
    kamailio::Kamailio,
    process,
    responder::Responder,
    settings::{QUICK_PROBE, Settings, Target},
    sip,
    stream::Stream,
    topology::{BACKUP, CALLERS, Lab, PRIMARY, Weight},
};

const PARIS: SocketAddrV4 = SocketAddrV4::new(PRIMARY, 5060);
const SWITCH: Duration = Duration::from_secs(3);

/// A laboratory with a primary, a backup, and a daemon that has seen both.
struct Scene {
    daemon: Daemon,
    primary: Option<Responder>,
    _backup: Responder,
    lab: Lab,
}

impl Scene {
    fn new(words: &[&str]) -> Result<Self> {
        let lab = Lab::new(Weight::Quick)?;
        let primary = Responder::start(&lab.primary, PARIS, "primary")?;
        let backup = Responder::start(&lab.backup, SocketAddrV4::new(BACKUP, 5060), "backup")?;
        let paris = Target::new("paris", PRIMARY, BACKUP).udp_only();
        let settings = Settings::empty(&lab).with(paris).probe(QUICK_PROBE);
        let daemon = Daemon::start_with(&lab, &settings, words)?;
        daemon.wait_all_up(SWITCH)?;
        Ok(Self { daemon, primary: Some(primary), _backup: backup, lab })
    }

    /// The name of the server that answers a phone now.
    fn answers(&self) -> Result<String> {
        let answer = self.lab.phones.enter(|| sip::options(PARIS, Duration::from_secs(1)))?;
        Ok(sip::header(&answer, "Server").unwrap_or_default().to_owned())
    }

    /// Names of the router's devices that have an XDP program, by the kernel's own account.
    fn attached(&self) -> Result<Vec<String>> {
        let links = self.lab.router.ip("-o link show")?;
        let with_program = links.lines().filter(|line| line.contains("xdp"));
        Ok(with_program
            .filter_map(|line| line.split([':', '@']).nth(1))
            .map(|name| name.trim().to_owned())
            .collect())
    }
}

#[test]
fn a_graceful_stop_leaves_the_data_plane_running_and_the_next_daemon_adopts_it() -> Result<()> {
    let mut scene = Scene::new(&[])?;
    let before = scene.attached()?;
    assert_eq!(before.len(), 3, "{before:?}");
    scene.daemon.run(&["target", "disable", "paris", "--reason", "maintenance of the primary"])?;
    scene.daemon.wait_serving("paris", "backup", SWITCH)?;
    let stream = Stream::start(&scene.lab.phones, SocketAddrV4::new(CALLERS, 5062), PARIS, 200)?;
    thread::sleep(Duration::from_millis(500));
    scene.daemon.terminate()?;
    assert_eq!(scene.attached()?, before);
    assert_eq!(scene.answers()?, "backup");
    thread::sleep(Duration::from_millis(500));
    scene.daemon.restart()?;
    let target = scene.daemon.target("paris")?;
    assert_eq!((&target["admin"], &target["serving"]), (&"disabled".into(), &"backup".into()), "{target}");
    assert_eq!(
        target["admin_reason"], "maintenance of the primary",
        "admin states survive, with their reasons"
    );
    assert!(scene.daemon.events()?.iter().any(|event| event["kind"] == "adopted"));
    thread::sleep(Duration::from_millis(500));
    let answers = stream.finish()?;
    assert_eq!((answers.lost(), answers.doubled()), (vec![], 0));
    assert_eq!(answers.servers().into_iter().collect::<Vec<_>>(), ["backup"]);
    Ok(())
}

#[test]
fn pins_are_for_their_owner_alone() -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::new(&[])?;
    let mode = |path: &Path| -> Result<u32> { Ok(std::fs::metadata(path)?.permissions().mode() & 0o777) };
    assert_eq!(mode(&scene.lab.bpffs_dir())?, 0o700);
    assert_eq!(mode(&scene.lab.dir().join("control.sock"))?, 0o660);
    let found = scene.lab.router.run(&[
        "find",
        &scene.lab.bpffs_dir().display().to_string(),
        "-type",
        "f",
        "-perm",
        "/077",
    ])?;
    assert_eq!(found, "", "no pin is open to others");
    Ok(())
}

#[test]
fn with_the_daemon_dead_the_command_line_works_on_the_pinned_maps() -> Result<()> {
    let mut scene = Scene::new(&[])?;
    scene.primary = None;
    scene.daemon.wait_serving("paris", "backup", SWITCH)?;
    assert_eq!(scene.answers()?, "backup");
    scene.daemon.kill9()?;

    let status = scene.daemon.output(&["-o", "json", "status"])?;
    assert_eq!(status.code, 0, "{status:?}");
    assert!(status.stderr.contains("daemon is not running"), "it says so: {status:?}");
    let json: serde_json::Value = serde_json::from_str(&status.stdout)?;
    assert_eq!((&json["router"]["stale"], &json["router"]["pid"]), (&true.into(), &().into()), "{json}");
    assert_eq!(json["targets"][0]["serving"], "backup", "{json}");
    assert_eq!(json["targets"][0]["backup"], "paris-backup", "{json}");
    assert!(scene.daemon.output(&["status"])?.stdout.contains("STALE"));
    assert_eq!(scene.daemon.output(&["status", "--check"])?.code, 1, "stale");
    let said = scene.daemon.output(&["stats"])?;
    assert!(said.code == 0 && said.stderr.contains("daemon is not running"), "{said:?}");
    assert!(scene.daemon.counted("steered-by-kernel")? >= 1);

    // `auto` means the primary, until a daemon returns.
    scene.primary = Some(Responder::start(&scene.lab.primary, PARIS, "primary")?);
    for (word, server) in
        [("auto", "primary"), ("disable", "backup"), ("auto", "primary"), ("disable", "backup")]
    {
        let said = scene.daemon.output(&["target", word, "paris"])?;
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.stderr.contains("daemon is not running"), "it says so: {said:?}");
        assert_eq!(scene.answers()?, server, "after `target {word}`");
    }
    assert_eq!(scene.daemon.output(&["target", "disable", "lyon"])?.code, 7, "no such target");

    // The next daemon finds what was said meanwhile.
    scene.daemon.restart()?;
    let target = scene.daemon.target("paris")?;
    assert_eq!((&target["admin"], &target["serving"]), (&"disabled".into(), &"backup".into()), "{target}");
    scene.daemon.run(&["target", "auto", "paris"])?;
    scene.daemon.wait_serving("paris", "primary", SWITCH)?;
    assert_eq!(scene.answers()?, "primary");
    Ok(())
}

#[test]
fn a_disabled_target_returns_to_auto_after_its_time_also_across_a_restart() -> Result<()> {
    let mut scene = Scene::new(&[])?;
    scene.daemon.run(&["target", "disable", "paris", "--for", "3s"])?;
    scene.daemon.wait_serving("paris", "backup", SWITCH)?;
    scene.daemon.kill9()?;
    scene.daemon.restart()?;
    let target = scene.daemon.target("paris")?;
    assert!(target["admin"] == "disabled" && target["admin_until"].is_string(), "{target}");
    let target = scene.daemon.wait_serving("paris", "primary", Duration::from_secs(5))?;
    assert_eq!((&target["admin"], &target["admin_until"]), (&"auto".into(), &().into()), "{target}");
    Ok(())
}

#[test]
fn detach_on_exit_takes_the_data_plane_away() -> Result<()> {
    let mut scene = Scene::new(&["--detach-on-exit"])?;
    scene.daemon.run(&["target", "disable", "paris"])?;
    scene.daemon.wait_serving("paris", "backup", SWITCH)?;
    assert_eq!(scene.answers()?, "backup");
    scene.daemon.terminate()?;
    nothing_is_left(&scene)
}

#[test]
fn an_interface_that_was_detached_stays_so_until_it_is_attached_again() -> Result<()> {
    let scene = Scene::new(&[])?;
    scene.daemon.run(&["detach", "srv1"])?;
    // The daemon hears of the change, and of an unrelated one.
    scene.lab.router.ip("link add other0 type veth peer name other1")?;
    thread::sleep(Duration::from_secs(1));
    assert!(!scene.attached()?.contains(&"srv1".to_owned()), "{:?}", scene.attached()?);
    scene.daemon.run(&["attach", "srv1"])?;
    assert!(scene.attached()?.contains(&"srv1".to_owned()), "{:?}", scene.attached()?);
    Ok(())
}

#[test]
fn detach_takes_away_what_a_daemon_left() -> Result<()> {
    let mut scene = Scene::new(&[])?;
    scene.daemon.run(&["target", "disable", "paris"])?;
    scene.daemon.wait_serving("paris", "backup", SWITCH)?;
    // One interface of a running daemon, and back.
    scene.daemon.run(&["detach", "srv1"])?;
    // A change of any device has the daemon look at all of them; it must not know better than the operator.
    scene.lab.router.ip("link set lan0 alias phones")?;
    thread::sleep(Duration::from_millis(500));
    assert!(!scene.attached()?.contains(&"srv1".to_owned()), "{:?}", scene.attached()?);
    scene.daemon.run(&["attach", "srv1"])?;
    assert_eq!(scene.attached()?.len(), 3);
    assert_eq!(scene.answers()?, "backup");
    // All of a dead one.
    scene.daemon.kill9()?;
    let said = scene.daemon.output(&["detach"])?;
    assert_eq!(said.code, 0, "{said:?}");
    nothing_is_left(&scene)
}

fn nothing_is_left(scene: &Scene) -> Result<()> {
    assert_eq!(scene.attached()?, Vec::<String>::new());
    assert_eq!(scene.answers()?, "primary");
    process::wait_for("clean pin folder", Duration::from_secs(1), || {
        let dir = scene.lab.bpffs_dir();
        let gone = !dir.exists()
            || scene.lab.router.run(&["find", &dir.display().to_string(), "-type", "f"])?.is_empty();
        Ok(gone.then_some(()))
    })
}

/// One of the primary's services is dead while the other lives. The next daemon never saw it alive, and must not take
/// it for one that the primary does not offer.
#[test]
fn a_service_that_died_before_a_restart_keeps_its_say() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let _primary = Kamailio::primary(&lab)?;
    let _backup = Kamailio::backup(&lab)?;
    let mut daemon = Daemon::start(&lab, &Settings::standard(&lab).probe(QUICK_PROBE))?;
    daemon.wait_all_up(SWITCH)?;
    let drop_tcp = "table ip deaf { chain in { type filter hook input priority 0; tcp dport 5060 drop; }; }";
    let rules = lab.dir().join("deaf.nft");
    std::fs::write(&rules, drop_tcp)?;
    lab.primary.run(&["nft", "-f", &rules.display().to_string()])?;
    daemon.wait_serving("paris", "backup", SWITCH)?;

    daemon.terminate()?;
    daemon.restart()?;
    let target = process::wait_for("verdict on TCP", SWITCH, || {
        let target = daemon.target("paris")?;
        Ok((target["health"] == "down").then_some(target))
    })?;
    assert_eq!(target["serving"], "backup", "{target}");
    let served: Vec<_> = daemon.events()?.into_iter().filter(|event| event["kind"] == "serving").collect();
    assert!(served.is_empty(), "nothing moved: {served:?}");
    Ok(())
}
