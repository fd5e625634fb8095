//! A phone asks any gatekeeper for its address, by multicast: the backup answers while the target is away.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result};
use failover_tests::{
    daemon::{Daemon, accept_redirects},
    netns::Namespace,
    process,
    responder::Responder,
    settings::{QUICK_PROBE, Settings, Target},
    topology::{BACKUP, CALLERS, LAN, Lab, PRIMARY, TO_BACKUP, Weight},
};

const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(224, 0, 1, 41), 1718);
const RAS: u16 = 1719;
const SIP: u16 = 5060;
const SWITCH: Duration = Duration::from_secs(3);
/// Long enough for an answer in a laboratory.
const WHILE: Duration = Duration::from_secs(1);
/// Where requestSeqNum stands in both messages.
const SEQUENCE: std::ops::Range<usize> = 2..4;

/// One message of `tests/data/discovery.tsv`.
fn message(name: &str) -> Result<Vec<u8>> {
    let all = include_str!("../data/discovery.tsv");
    let hex = |line: &'static str| line.strip_prefix(name)?.strip_prefix('\t');
    let hex = all.lines().find_map(hex).context("no such message")?;
    (0..hex.len() / 2).map(|n| Ok(u8::from_str_radix(&hex[2 * n..2 * n + 2], 16)?)).collect()
}

/// A gatekeeper that answers every GRQ with a GCF, from its RAS port.
struct Gatekeeper {
    asked: Arc<AtomicU64>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Gatekeeper {
    fn start(host: &Namespace, address: Ipv4Addr) -> Result<Self> {
        let socket = host.enter(|| Ok(UdpSocket::bind((address, RAS))?))?;
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        let (asked, end) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let confirm = message("GCF")?;
        let thread = thread::spawn({
            let (asked, end) = (Arc::clone(&asked), Arc::clone(&end));
            move || confirm_all(&socket, &confirm, &asked, &end)
        });
        Ok(Self { asked, end, thread: Some(thread) })
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

fn confirm_all(socket: &UdpSocket, confirm: &[u8], asked: &AtomicU64, end: &AtomicBool) {
    let mut buffer = [0; 2048];
    while !end.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        if length < SEQUENCE.end {
            continue;
        }
        // GRQ is RAS's first alternative. The daemon asks by LRQ, and gets an LRJ.
        if buffer[0] & 0xfc != 0 {
            let [high, low] = [buffer[SEQUENCE.start], buffer[SEQUENCE.start + 1]];
            let _ = socket.send_to(&[0x50, high, low, 0x60], from);
            continue;
        }
        asked.fetch_add(1, Ordering::Relaxed);
        let mut answer = confirm.to_vec();
        answer[SEQUENCE].copy_from_slice(&buffer[SEQUENCE]);
        // A phone that is gone gets no answer.
        let _ = socket.send_to(&answer, from);
    }
}

impl Drop for Gatekeeper {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Asks the group, as a phone does: with a TTL of 1. The answer, and who it is from.
fn discover(lab: &Lab, port: u16) -> Result<Option<(SocketAddr, Vec<u8>)>> {
    let question = message("GRQ")?;
    let socket = lab.phones.enter(|| {
        use socket2::{Domain, Socket, Type};
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        socket.set_multicast_if_v4(&CALLERS)?;
        socket.bind(&SocketAddrV4::new(CALLERS, port).into())?;
        Ok(UdpSocket::from(socket))
    })?;
    socket.set_read_timeout(Some(WHILE))?;
    socket.send_to(&question, GROUP).context("ask the group")?;
    let mut buffer = [0; 2048];
    Ok(socket.recv_from(&mut buffer).ok().map(|(length, from)| (from, buffer[..length].to_vec())))
}

/// A gatekeeper on the router's own network would hear this.
fn listen_at_router(lab: &Lab) -> Result<UdpSocket> {
    let socket = lab.router.enter(|| {
        let socket = UdpSocket::bind(GROUP).context("listen to the group")?;
        socket.join_multicast_v4(GROUP.ip(), &Ipv4Addr::new(10, 77, 1, 1)).context("join the group")?;
        Ok(socket)
    })?;
    socket.set_read_timeout(Some(WHILE))?;
    Ok(socket)
}

/// The question of `port` passes to whom it concerns, byte for byte.
fn hear(neighbour: &UdpSocket, port: u16) -> Result<()> {
    let mut buffer = [0; 2048];
    let (length, from) = neighbour.recv_from(&mut buffer).context("the question does not pass")?;
    assert_eq!((&buffer[..length], from), (&message("GRQ")?[..], (CALLERS, port).into()));
    Ok(())
}

fn settings(lab: &Lab, target: Target) -> Settings {
    let services = format!(r#"["sip/udp:{SIP}", "ras"]"#);
    Settings::empty(lab).with(Target { services, ..target }).probe(QUICK_PROBE)
}

fn paris() -> Target {
    Target::new("paris", PRIMARY, BACKUP)
}

/// The backup answers in the name of the target, from its death until its return.
fn death_and_return(target: Target, mode: &'static str) -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let primary = Responder::start(&lab.primary, SocketAddrV4::new(PRIMARY, SIP), "primary")?;
    let _backup = Responder::start(&lab.backup, SocketAddrV4::new(BACKUP, SIP), "backup")?;
    let gatekeeper = Gatekeeper::start(&lab.backup, BACKUP)?;
    let _own = Gatekeeper::start(&lab.primary, PRIMARY)?;
    let redirect = mode == "native";
    if redirect {
        accept_redirects(&lab)?;
    }
    let daemon = Daemon::start(&lab, &Settings { mode, ..settings(&lab, target) })?;
    daemon.wait_all_up(SWITCH)?;
    let neighbour = listen_at_router(&lab)?;

    assert_eq!(discover(&lab, 40_001)?, None, "the primary is up, and is not in this group");
    hear(&neighbour, 40_001)?;
    assert_eq!(gatekeeper.asked(), 0);

    drop(primary);
    daemon.wait_serving("paris", "backup", SWITCH)?;
    for port in [40_001, 40_002] {
        let (from, answer) = discover(&lab, port)?.context("no answer from the backup")?;
        assert_eq!(from, (PRIMARY, RAS).into(), "it comes from the target");
        assert_eq!(answer, message("GCF")?);
    }
    assert_eq!(gatekeeper.asked(), 2);
    let steered = if redirect { "steered" } else { "steered-by-kernel" };
    assert_eq!(daemon.counted(steered)?, 2, "{}", daemon.json(&["stats"])?);

    let _primary = Responder::start(&lab.primary, SocketAddrV4::new(PRIMARY, SIP), "primary")?;
    daemon.wait_serving("paris", "primary", SWITCH)?;
    assert_eq!(discover(&lab, 40_003)?, None);
    hear(&neighbour, 40_003)?;
    assert_eq!(gatekeeper.asked(), 2);
    Ok(())
}

#[test]
fn a_dedicated_backup_is_discovered_by_redirected_packets() -> Result<()> {
    death_and_return(paris(), "native")
}

#[test]
fn a_shared_backup_is_discovered_by_packets_that_the_kernel_forwards() -> Result<()> {
    death_and_return(paris().shared(), "generic")
}

/// A question has to be rewritten for whom it goes to, and nothing is where the backup carries the target's address.
#[test]
fn a_question_passes_where_packets_go_by_mac_address_or_in_envelopes() -> Result<()> {
    for steer in ["l2", "ipip"] {
        let lab = Lab::new(Weight::Quick)?;
        let _primary = Responder::start(&lab.primary, SocketAddrV4::new(PRIMARY, SIP), "primary")?;
        let _backup = Responder::start(&lab.backup, SocketAddrV4::new(BACKUP, SIP), "backup")?;
        let gatekeeper = Gatekeeper::start(&lab.backup, BACKUP)?;
        let _own = Gatekeeper::start(&lab.primary, PRIMARY)?;
        let daemon = Daemon::start_with_redirect(&lab, &settings(&lab, paris().steered_by(steer)))?;
        daemon.run(&["target", "disable", "paris"])?;
        daemon.wait_serving("paris", "backup", SWITCH)?;
        let neighbour = listen_at_router(&lab)?;
        assert_eq!(discover(&lab, 40_001)?, None);
        hear(&neighbour, 40_001)?;
        assert_eq!((gatekeeper.asked(), daemon.counted("not-redirectable")?), (0, 1), "{steer}");
    }
    Ok(())
}

/// A veth in native mode, and a way on that takes no redirected frames.
#[test]
fn a_question_that_the_kernel_would_not_forward_passes() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let _primary = Responder::start(&lab.primary, SocketAddrV4::new(PRIMARY, SIP), "primary")?;
    let _backup = Responder::start(&lab.backup, SocketAddrV4::new(BACKUP, SIP), "backup")?;
    let gatekeeper = Gatekeeper::start(&lab.backup, BACKUP)?;
    let _own = Gatekeeper::start(&lab.primary, PRIMARY)?;
    let daemon = Daemon::start(&lab, &settings(&lab, paris()))?;
    daemon.run(&["target", "disable", "paris"])?;
    daemon.wait_serving("paris", "backup", SWITCH)?;
    let neighbour = listen_at_router(&lab)?;
    assert_eq!(discover(&lab, 40_001)?, None);
    hear(&neighbour, 40_001)?;
    assert_eq!((gatekeeper.asked(), daemon.counted("no-route")?), (0, 1));
    Ok(())
}

/// Whether the router hears the group at its device.
fn hears(lab: &Lab, device: &str) -> Result<bool> {
    Ok(lab.router.ip(&format!("maddress show dev {device}"))?.contains(&GROUP.ip().to_string()))
}

#[test]
fn the_group_is_joined_where_the_program_is_attached_and_a_target_has_ras() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let _backup = Responder::start(&lab.backup, SocketAddrV4::new(BACKUP, SIP), "backup")?;
    let with_ras = settings(&lab, paris());
    let mut daemon = Daemon::start(&lab, &with_ras)?;
    assert!(hears(&lab, LAN)? && hears(&lab, TO_BACKUP)?);
    daemon.run(&["detach", LAN])?;
    assert!(!hears(&lab, LAN)? && hears(&lab, TO_BACKUP)?);
    daemon.run(&["attach", LAN])?;
    assert!(hears(&lab, LAN)?);

    let without = Settings::empty(&lab).with(paris().udp_only()).probe(QUICK_PROBE);
    std::fs::write(daemon.config(), without.to_string())?;
    daemon.run(&["reload"])?;
    assert!(!hears(&lab, LAN)?);
    std::fs::write(daemon.config(), with_ras.to_string())?;
    daemon.run(&["reload"])?;
    assert!(hears(&lab, LAN)?);

    // A device that comes back is another one.
    lab.router.ip(&format!("link delete {TO_BACKUP}"))?;
    lab.router.ip(&format!("link add {TO_BACKUP} type veth peer name far"))?;
    lab.router.ip(&format!("link set {TO_BACKUP} up"))?;
    process::wait_for("the group joined at the new device", SWITCH, || {
        Ok(hears(&lab, TO_BACKUP)?.then_some(()))
    })?;
    daemon.kill9()?;
    process::wait_for("the group left by the dead", SWITCH, || Ok((!hears(&lab, LAN)?).then_some(())))
}
