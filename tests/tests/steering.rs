//! Who is answered by whom, under whose address: few packets, every one of them looked at.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result};
use failover_tests::{
    daemon::{Commands, Daemon, accept_redirects},
    kamailio::Kamailio,
    process,
    responder::Responder,
    settings::{QUICK_PROBE, Settings, Target},
    sip,
    stream::{Answers, Stream, ask, listen, phone},
    tcp_client::{Outcome, TcpClient},
    topology::{BACKUP, CALLEES, CALLERS, Lab, PRIMARY, Weight, add_address},
};

const PARIS: SocketAddrV4 = SocketAddrV4::new(PRIMARY, 5060);
const LYON: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 77, 2, 11), 5060);
const BACKUP_SIP: SocketAddrV4 = SocketAddrV4::new(BACKUP, 5060);
const SWITCH: Duration = Duration::from_secs(3);

fn caller(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(CALLERS, port)
}

/// Asks once, and listens for a moment.
fn ask_once(socket: &UdpSocket, to: SocketAddrV4, number: u32) -> Result<Answers> {
    ask(socket, to, number)?;
    Ok(listen(socket, Duration::from_millis(200)))
}

/// Every answer came from `source` and was made by `server`.
fn all_from(answers: &Answers, source: SocketAddrV4, server: &str) {
    assert!(!answers.all.is_empty(), "no answer at all");
    assert_eq!(answers.sources().into_iter().collect::<Vec<_>>(), [SocketAddr::from(source)], "{answers:?}");
    assert_eq!(answers.servers().into_iter().collect::<Vec<_>>(), [server], "{answers:?}");
}

/// The primary dies and returns; every phone is answered under the primary's address all the time.
fn death_and_return(redirect: bool) -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let primary = Responder::start(&lab.primary, PARIS, "primary")?;
    let _backup = Responder::start(&lab.backup, BACKUP_SIP, "backup")?;
    let settings =
        Settings::empty(&lab).with(Target::new("paris", PRIMARY, BACKUP).udp_only()).probe(QUICK_PROBE);
    if redirect {
        accept_redirects(&lab)?;
    }
    let daemon = Daemon::start(&lab, &settings)?;
    daemon.wait_all_up(SWITCH)?;
    let socket = phone(&lab.phones, caller(5062))?;
    all_from(&ask_once(&socket, PARIS, 1)?, PARIS, "primary");

    let death = SystemTime::now();
    drop(primary);
    let target = daemon.wait_serving("paris", "backup", SWITCH)?;
    assert_eq!((&target["health"], &target["backup"]), (&"down".into(), &"paris-backup".into()), "{target}");
    assert!(target["reason"].as_str().is_some_and(|reason| reason.contains("sip")), "{target}");
    for number in 2..20 {
        all_from(&ask_once(&socket, PARIS, number)?, PARIS, "backup");
    }
    process::wait_for("event steering-began", SWITCH, || daemon.event_time("steering-began", None, death))?;
    let (steered, returned) =
        if redirect { ("steered", "returned") } else { ("steered-by-kernel", "returned-by-kernel") };
    assert!(daemon.counted(steered)? >= 15, "{}", daemon.json(&["stats"])?);
    assert!(daemon.counted(returned)? >= 15, "{}", daemon.json(&["stats"])?);

    let _primary = Responder::start(&lab.primary, PARIS, "primary")?;
    daemon.wait_serving("paris", "primary", SWITCH)?;
    all_from(&ask_once(&socket, PARIS, 20)?, PARIS, "primary");
    Ok(())
}

#[test]
fn a_dead_primary_is_replaced_by_redirected_packets() -> Result<()> {
    death_and_return(true)
}

#[test]
fn a_dead_primary_is_replaced_by_packets_that_the_kernel_forwards() -> Result<()> {
    death_and_return(false)
}

/// A laboratory whose target `paris` is served by its backup, by the operator's word.
struct Disabled {
    daemon: Daemon,
    backup: Responder,
    _primary: Responder,
    lab: Lab,
}

impl Disabled {
    fn new(target: Target) -> Result<Self> {
        let lab = Lab::new(Weight::Quick)?;
        let primary = Responder::start(&lab.primary, PARIS, "primary")?;
        let backup = Responder::start(&lab.backup, BACKUP_SIP, "backup")?;
        let settings = Settings::empty(&lab).with(target).probe(QUICK_PROBE);
        let daemon = Daemon::start_with_redirect(&lab, &settings)?;
        daemon.run(&["target", "disable", "paris"])?;
        daemon.wait_serving("paris", "backup", SWITCH)?;
        Ok(Self { daemon, backup, _primary: primary, lab })
    }
}

fn paris() -> Target {
    Target::new("paris", PRIMARY, BACKUP).udp_only()
}

#[test]
fn two_phones_behind_one_address_get_each_their_own_answers() -> Result<()> {
    for target in [paris(), paris().shared()] {
        let scene = Disabled::new(target)?;
        let streams = [5062, 5064].map(|port| {
            Stream::start(&scene.lab.phones, caller(port), PARIS, 100).map(|stream| (port, stream))
        });
        thread::sleep(Duration::from_secs(1));
        for stream in streams {
            let (port, stream) = stream?;
            let answers = stream.finish()?;
            assert_eq!((answers.lost(), answers.doubled()), (vec![], 0));
            all_from(&answers, PARIS, "backup");
            assert_eq!(answers.seen_from().into_iter().collect::<Vec<_>>(), [caller(port).to_string()]);
        }
    }
    Ok(())
}

#[test]
fn a_backup_calls_a_phone_from_the_primarys_address() -> Result<()> {
    for target in [paris(), paris().shared()] {
        let scene = Disabled::new(target)?;
        let registered = phone(&scene.lab.phones, caller(5062))?;
        all_from(&ask_once(&registered, PARIS, 1)?, PARIS, "backup");
        // To a port of that host from which no request ever came.
        let other = phone(&scene.lab.phones, caller(5099))?;
        scene.backup.send(b"INVITE sip:phone SIP/2.0\r\n\r\n", caller(5099).into())?;
        let mut buffer = [0; 100];
        let (length, from) =
            process::wait_for("call from the backup", SWITCH, || Ok(other.recv_from(&mut buffer).ok()))?;
        assert_eq!((from, &buffer[..length]), (PARIS.into(), &b"INVITE sip:phone SIP/2.0\r\n\r\n"[..]));
    }
    Ok(())
}

#[test]
fn servers_reach_each_other_whoever_serves() -> Result<()> {
    let scene = Disabled::new(paris())?;
    let answer = scene.lab.backup.enter(|| sip::options(PARIS, Duration::from_secs(1)))?;
    assert_eq!(sip::header(&answer, "Server"), Some("primary"));
    assert!(scene.daemon.counted("between-servers")? >= 1);
    Ok(())
}

#[test]
fn with_manual_failback_the_backup_serves_until_the_operator_says_auto() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let primary = Responder::start(&lab.primary, PARIS, "primary")?;
    let _backup = Responder::start(&lab.backup, BACKUP_SIP, "backup")?;
    let settings = Settings::empty(&lab).with(paris().manual_failback()).probe(QUICK_PROBE);
    let daemon = Daemon::start_with_redirect(&lab, &settings)?;
    drop(primary);
    daemon.wait_serving("paris", "backup", SWITCH)?;
    let _primary = Responder::start(&lab.primary, PARIS, "primary")?;
    let target = process::wait_for("a primary that is up", SWITCH, || {
        let target = daemon.target("paris")?;
        Ok((target["health"] == "up").then_some(target))
    })?;
    assert_eq!((&target["serving"], &target["admin"]), (&"backup".into(), &"auto".into()), "{target}");
    assert!(target["reason"].as_str().is_some_and(|reason| reason.contains("target auto")), "{target}");
    daemon.run(&["target", "auto", "paris"])?;
    daemon.wait_serving("paris", "primary", SWITCH)?;
    Ok(())
}

/// Two targets, one backup host; `ports` tell them apart, or do not.
#[test]
fn a_target_that_asks_another_one_is_answered_by_its_backup_from_the_address_it_asked() -> Result<()> {
    for target in [paris(), paris().shared()] {
        let lab = Lab::new(Weight::Quick)?;
        let _primary = Responder::start(&lab.primary, PARIS, "primary")?;
        let _backup = Responder::start(&lab.backup, BACKUP_SIP, "backup")?;
        let metz = Target::new("metz", CALLEES, PRIMARY).udp_only().shared();
        let settings = Settings::empty(&lab).probe(QUICK_PROBE).with(target).with(metz);
        let daemon = Daemon::start(&lab, &settings)?;
        // Its port answers no probe; its own service passes all the same.
        daemon.run(&["target", "primary", "metz"])?;
        let proxy = phone(&lab.phones, SocketAddrV4::new(CALLEES, 5060))?;
        daemon.run(&["target", "disable", "paris"])?;
        daemon.wait_serving("paris", "backup", SWITCH)?;
        all_from(&ask_once(&proxy, PARIS, 1)?, PARIS, "backup");
    }
    Ok(())
}

fn two_targets(lab: &Lab, ports: bool) -> Result<(Settings, Vec<Responder>)> {
    add_address(&lab.primary, *LYON.ip())?;
    let lyon = Target::new("lyon", *LYON.ip(), BACKUP).udp_only().shared();
    let mut responders = vec![
        Responder::start(&lab.primary, PARIS, "paris")?,
        Responder::start(&lab.primary, LYON, "lyon")?,
        Responder::start(&lab.backup, BACKUP_SIP, "backup")?,
    ];
    let settings = Settings::empty(lab).probe(QUICK_PROBE).with(paris().shared());
    if !ports {
        return Ok((settings.with(lyon), responders));
    }
    responders.push(Responder::start(&lab.backup, SocketAddrV4::new(BACKUP, 15060), "backup-15060")?);
    Ok((settings.with(lyon.backup_port(15060)), responders))
}

fn disable_both(daemon: &Daemon) -> Result<()> {
    for target in ["paris", "lyon"] {
        daemon.run(&["target", "disable", target])?;
        daemon.wait_serving(target, "backup", SWITCH)?;
    }
    Ok(())
}

#[test]
fn two_targets_on_one_backup_are_told_apart_by_its_ports() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let (settings, _responders) = two_targets(&lab, true)?;
    let daemon = Daemon::start_with_redirect(&lab, &settings)?;
    disable_both(&daemon)?;
    // Two phones with one address, each asking both targets from one port.
    for port in [5062, 5064] {
        let socket = phone(&lab.phones, caller(port))?;
        for number in 1..=40 {
            ask(&socket, if number % 2 == 0 { PARIS } else { LYON }, number)?;
        }
        let answers = Answers { sent: 40, ..listen(&socket, Duration::from_millis(500)) };
        assert_eq!((answers.lost(), answers.doubled()), (vec![], 0));
        for answer in &answers.all {
            let (source, server) =
                if answer.number % 2 == 0 { (PARIS, "backup") } else { (LYON, "backup-15060") };
            assert_eq!((answer.source, answer.server.as_str()), (source.into(), server), "{answer:?}");
            assert_eq!(answer.seen_from, caller(port).to_string());
        }
    }
    assert_eq!(daemon.counted("ambiguous-return")?, 0);
    Ok(())
}

#[test]
fn two_targets_on_one_backup_port_are_told_apart_by_the_phones_ports() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let (settings, _responders) = two_targets(&lab, false)?;
    let daemon = Daemon::start_with_redirect(&lab, &settings)?;
    disable_both(&daemon)?;
    let sockets = [phone(&lab.phones, caller(5062))?, phone(&lab.phones, caller(5064))?];
    for number in 1..10 {
        all_from(&ask_once(&sockets[0], PARIS, number)?, PARIS, "backup");
        all_from(&ask_once(&sockets[1], LYON, number)?, LYON, "backup");
    }
    assert_eq!(daemon.counted("ambiguous-return")?, 0);
    Ok(())
}

#[test]
fn an_answer_that_could_be_either_targets_is_warned_of_and_counted() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let (settings, _responders) = two_targets(&lab, false)?;
    let check = Commands::new(&lab, &settings)?.output(&["check"])?;
    let said = check.stdout + &check.stderr;
    assert_eq!(check.code, 0, "{said}");
    assert!(said.contains("paris") && said.contains("lyon") && said.contains("ports"), "{said}");
    assert!(said.contains(&BACKUP.to_string()), "{said}");

    let daemon = Daemon::start_with_redirect(&lab, &settings)?;
    disable_both(&daemon)?;
    let socket = phone(&lab.phones, caller(5062))?;
    all_from(&ask_once(&socket, PARIS, 1)?, PARIS, "backup");
    let answers = ask_once(&socket, LYON, 2)?;
    assert_eq!(answers.all.len(), 1, "it is passed, not dropped");
    assert_eq!(answers.all[0].source, BACKUP_SIP.into(), "and nobody guesses whose it is");
    assert_eq!(daemon.counted("ambiguous-return")?, 1);
    Ok(())
}

/// A phone on TCP whose server is gone learns it from the first bytes that it sends.
fn tcp_phone(
    dies: impl FnOnce(&Lab, &mut Kamailio) -> Result<()>,
    returns: impl FnOnce(&Lab, &mut Kamailio) -> Result<()>,
) -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let mut primary = Kamailio::primary(&lab)?;
    let _backup = Kamailio::backup(&lab)?;
    let daemon = Daemon::start_with_redirect(&lab, &Settings::standard(&lab).probe(QUICK_PROBE))?;
    let connect = || TcpClient::connect(&lab.phones, CALLERS, PARIS, SWITCH);
    let mut client = connect()?;
    assert_eq!(client.server(SWITCH)?, "primary");
    assert_eq!(client.server(SWITCH)?, "primary", "the connection is kept");

    let death = SystemTime::now();
    dies(&lab, &mut primary)?;
    daemon.wait_serving("paris", "backup", SWITCH)?;
    let sent = Instant::now();
    assert_eq!(client.options(SWITCH)?, Outcome::Reset);
    let switch =
        daemon.event_time("serving", Some("paris-backup"), death)?.context("no event about the switch")?;
    let reset = SystemTime::now().duration_since(switch)?;
    println!("RST {:.1?} after the bytes, {reset:.1?} after the switch", sent.elapsed());
    assert!(reset < Duration::from_secs(1), "{reset:?}");
    // Connected to the primary's address, and to no other.
    let mut client = connect()?;
    assert_eq!(client.server(SWITCH)?, "backup");

    returns(&lab, &mut primary)?;
    daemon.wait_serving("paris", "primary", Duration::from_secs(10))?;
    assert_eq!(client.options(SWITCH)?, Outcome::Reset, "failback is immediate");
    assert_eq!(connect()?.server(SWITCH)?, "primary");
    Ok(())
}

#[test]
fn a_tcp_phone_reconnects_when_the_primary_is_unplugged() -> Result<()> {
    tcp_phone(|lab, _| lab.unplug(&lab.primary), |lab, _| lab.plug(&lab.primary, 2))
}

#[test]
fn a_tcp_phone_reconnects_when_the_primary_freezes() -> Result<()> {
    tcp_phone(|_, primary| primary.stop(), |_, primary| primary.restart())
}

#[test]
fn a_tcp_phone_is_told_at_once_when_the_primary_is_killed() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let mut primary = Kamailio::primary(&lab)?;
    let _backup = Kamailio::backup(&lab)?;
    let daemon = Daemon::start_with_redirect(&lab, &Settings::standard(&lab).probe(QUICK_PROBE))?;
    let mut client = TcpClient::connect(&lab.phones, CALLERS, PARIS, SWITCH)?;
    assert!(matches!(client.options(SWITCH)?, Outcome::Answered(_)));
    primary.kill()?;
    daemon.wait_serving("paris", "backup", SWITCH)?;
    // The dying host's kernel closed the connection; what is still sent on it meets a stranger.
    let told = client.options(SWITCH)?;
    assert!(matches!(told, Outcome::Closed | Outcome::Reset), "{told:?}");
    let mut client = TcpClient::connect(&lab.phones, CALLERS, PARIS, SWITCH)?;
    assert!(matches!(client.options(SWITCH)?, Outcome::Answered(text) if text.contains("Server: backup")));
    Ok(())
}

#[test]
fn sipsak_is_answered_whoever_serves() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let mut primary = Kamailio::primary(&lab)?;
    let _backup = Kamailio::backup(&lab)?;
    let daemon = Daemon::start_with_redirect(&lab, &Settings::standard(&lab).probe(QUICK_PROBE))?;
    let own = CALLERS.to_string();
    let sipsak = || lab.phones.output(&["sipsak", "-vv", "-H", &own, "-s", &format!("sip:{PARIS}")]);
    let answer = sipsak()?;
    assert!(answer.code == 0 && answer.stdout.contains("Server: primary"), "{answer:?}");
    primary.kill()?;
    daemon.wait_serving("paris", "backup", SWITCH)?;
    let answer = sipsak()?;
    assert!(answer.code == 0 && answer.stdout.contains("Server: backup"), "{answer:?}");
    assert!(!answer.stdout.contains(&BACKUP.to_string()), "{answer:?}");
    Ok(())
}

#[test]
fn with_no_server_left_packets_go_to_the_primary() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let primary = Responder::start(&lab.primary, PARIS, "primary")?;
    let backup = Responder::start(&lab.backup, BACKUP_SIP, "backup")?;
    let daemon = Daemon::start_with_redirect(&lab, &Settings::empty(&lab).with(paris()).probe(QUICK_PROBE))?;
    drop(backup);
    process::wait_for("a backup that is down", SWITCH, || {
        Ok((daemon.target("paris")?["backups"][0]["health"] == "down").then_some(()))
    })?;
    drop(primary);
    process::wait_for("a primary that is down", SWITCH, || {
        Ok((daemon.target("paris")?["health"] == "down").then_some(()))
    })?;
    let target = daemon.target("paris")?;
    assert_eq!((&target["serving"], &target["steered_packets"]), (&"primary".into(), &0.into()), "{target}");
    assert_eq!(daemon.output(&["status", "--check"])?.code, 2);
    let _backup = Responder::start(&lab.backup, BACKUP_SIP, "backup")?;
    daemon.wait_serving("paris", "backup", SWITCH)?;
    // It serves from its first answer on, for want of a better one; only hold_down later does it count as healthy.
    process::wait_for("a backup that is up", SWITCH, || {
        Ok((daemon.target("paris")?["backups"][0]["health"] == "up").then_some(()))
    })?;
    assert_eq!(daemon.output(&["status", "--check"])?.code, 1);
    Ok(())
}
