//! The operator is told: by a hook, and by metrics.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddrV4, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use failover_tests::{
    daemon::Daemon,
    responder::Responder,
    settings::{QUICK_PROBE, Settings, Target},
    topology::{BACKUP, Lab, PRIMARY, Weight},
};

const SWITCH: Duration = Duration::from_secs(5);

fn until<T>(what: &str, look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    until_within(SWITCH, what, look)
}

fn until_within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        ensure!(Instant::now() < end, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn scrape(lab: &Lab) -> Result<String> {
    get(lab, "/metrics")
}

fn get(lab: &Lab, path: &str) -> Result<String> {
    lab.router.enter(|| {
        let mut stream = TcpStream::connect("127.0.0.1:9469").context("connect to the metrics")?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: router\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    })
}

#[test]
fn a_death_and_an_order_reach_the_hook_and_the_metrics() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    lab.router.ip("link set lo up")?;
    let (hook, told) = (lab.dir().join("hook"), lab.dir().join("told"));
    let line = "$FAILOVER_EVENT $FAILOVER_TARGET $FAILOVER_FROM $FAILOVER_TO: $FAILOVER_REASON";
    fs::write(&hook, format!("#!/bin/sh\necho \"{line}\" >> {}\n", told.display()))?;
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755))?;
    let primary = Responder::start(&lab.primary, SocketAddrV4::new(PRIMARY, 5060), "primary")?;
    let _backup = Responder::start(&lab.backup, SocketAddrV4::new(BACKUP, 5060), "backup")?;
    let mut settings =
        Settings::empty(&lab).with(Target::new("paris", PRIMARY, BACKUP).udp_only()).probe(QUICK_PROBE);
    settings.router = format!("hook = \"{}\"\nhttp_listen = \"127.0.0.1:9469\"", hook.display());
    let daemon = Daemon::start(&lab, &settings)?;
    daemon.wait_all_up(SWITCH)?;
    let before = daemon.run(&["events", "-o", "jsonl"])?.lines().count();

    drop(primary);
    daemon.wait_serving("paris", "backup", SWITCH)?;
    daemon.run(&["target", "disable", "paris", "--reason", "kernel update"])?;
    let heard = until("the hook hears of the order", || {
        let heard = fs::read_to_string(&told).unwrap_or_default();
        Ok(heard.contains("admin paris auto disabled: kernel update\n").then_some(heard))
    })?;
    let serving = heard.lines().find(|line| line.starts_with("serving paris primary paris-backup: sip/udp:"));
    ensure!(serving.is_some(), "{heard}");

    let text = until("the metrics tell of both", || {
        let text = scrape(&lab)?;
        Ok(text.contains("failover_target_admin{target=\"paris\",admin=\"disabled\"} 1.0\n").then_some(text))
    })?;
    for line in [
        "HTTP/1.1 200 OK\r\n",
        "failover_target_serving{target=\"paris\",serving=\"backup\"} 1.0\n",
        "failover_server_health{target=\"paris\",server=\"primary\",health=\"down\"} 1.0\n",
        "failover_server_health{target=\"paris\",server=\"paris-backup\",health=\"up\"} 1.0\n",
        "failover_serving_transitions_total{target=\"paris\",to=\"backup\",reason=\"primary-down\"} 1\n",
        "failover_probes_total{service=\"sip/udp\",outcome=\"alive\"} ",
        "failover_last_reload_successful 1.0\n",
    ] {
        ensure!(text.contains(line), "{line} in {text}");
    }
    ensure!(text.ends_with("# EOF\n"), "{text}");
    let page = get(&lab, "/")?;
    for part in ["<td>paris<td class=\"bad\">down<td", ">paris-backup<td>", "<td>disabled: kernel update<td>"]
    {
        ensure!(page.contains(part), "{part} in {page}");
    }

    let lately = daemon.run(&["events", "--since", "1h", "-o", "jsonl"])?;
    ensure!(lately.lines().count() > before, "{lately}");
    ensure!(daemon.run(&["events", "--since", "2999-01-01T00:00:00Z", "-o", "jsonl"])?.is_empty());
    let detail = daemon.json(&["target", "show", "paris"])?;
    let primary = &detail["transcripts"][0];
    let last = primary["exchanges"].as_array().and_then(|all| all.last()).context("an exchange")?;
    ensure!(primary["server"] == "primary" && last["outcome"] != "alive", "{primary}");
    ensure!(last["sent"].as_str().is_some_and(|sent| sent.starts_with("OPTIONS sip:")), "{last}");
    Ok(())
}

fn program(path: &Path, text: &str) -> Result<()> {
    fs::write(path, format!("#!/bin/sh\n{text}\n"))?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

fn warned(daemon: &Daemon, words: &str) -> Result<Option<()>> {
    let events = daemon.events()?;
    let mut reasons = events.iter().filter(|event| event["kind"] == "warning").map(|event| &event["reason"]);
    Ok(reasons.any(|reason| reason.as_str().is_some_and(|reason| reason.contains(words))).then_some(()))
}

/// Neither keeps phones, operators or the next hook waiting.
#[test]
fn a_hook_that_hangs_or_floods_holds_nothing_up() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let (hangs, floods, told) = (lab.dir().join("hangs"), lab.dir().join("floods"), lab.dir().join("told"));
    program(&hangs, "exec sleep 1000")?;
    program(&floods, &format!("echo $FAILOVER_EVENT >> {}; exec yes", told.display()))?;
    let primary = Responder::start(&lab.primary, SocketAddrV4::new(PRIMARY, 5060), "primary")?;
    let _backup = Responder::start(&lab.backup, SocketAddrV4::new(BACKUP, 5060), "backup")?;
    let mut settings =
        Settings::empty(&lab).with(Target::new("paris", PRIMARY, BACKUP).udp_only()).probe(QUICK_PROBE);
    settings.router = format!("hook = \"{}\"", hangs.display());
    let daemon = Daemon::start(&lab, &settings)?;
    daemon.wait_all_up(SWITCH)?;

    daemon.run(&["target", "drain", "paris"])?;
    daemon.run(&["target", "auto", "paris"])?;
    drop(primary);
    daemon.wait_serving("paris", "backup", SWITCH)?;
    settings.router = format!("hook = \"{}\"", floods.display());
    fs::write(daemon.config(), settings.to_string())?;
    daemon.run(&["reload"])?;

    // Ten seconds is what a hook may take.
    let long = Duration::from_secs(25);
    until_within(long, "the hook that hangs is ended", || warned(&daemon, "took longer than 10s"))?;
    until_within(long, "the hook that floods is ended", || warned(&daemon, "wrote more than 16384 bytes"))?;
    until_within(long, "the new hook hears what waited", || {
        let heard = fs::read_to_string(&told).unwrap_or_default();
        Ok(heard.contains("reloaded\n").then_some(()))
    })
}
