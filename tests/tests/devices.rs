//! What devices are, and do to frames: each works, or is refused with a sentence.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddrV4, TcpListener, TcpStream, UdpSocket},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use failover_tests::{
    daemon::{Commands, Daemon, accept_redirects},
    netns::Namespace,
    process,
    responder::Responder,
    settings::{QUICK_PROBE, Settings, Target},
    sip,
    topology::{BACKUP, CALLERS, DEVICE, LAN, Lab, PRIMARY, TO_BACKUP, TO_PRIMARY, Weight},
};

const SIP: u16 = 5060;
const SWITCH: Duration = Duration::from_secs(3);
const STRIPPING: [&str; 2] = ["rx-vlan-offload", "rx-vlan-stag-hw-parse"];

fn settings(lab: &Lab) -> Settings {
    Settings::empty(lab).with(Target::new("paris", PRIMARY, BACKUP)).probe(QUICK_PROBE)
}

/// The kinds of VLAN tags that one of the router's devices takes off.
fn strips(lab: &Lab, device: &str) -> Result<Vec<&'static str>> {
    let features = lab.router.run(&["ethtool", "-k", device])?;
    let on = |name: &&str| features.lines().any(|line| line.trim().starts_with(&format!("{name}: on")));
    Ok(STRIPPING.into_iter().filter(on).collect())
}

#[test]
fn vlan_tags_are_left_in_frames_while_the_program_is_attached() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    lab.router.run(&["ethtool", "-K", TO_BACKUP, "rxvlan", "off"])?;
    assert_eq!(strips(&lab, LAN)?, STRIPPING, "a veth does, from its birth");
    assert_eq!(strips(&lab, TO_BACKUP)?, STRIPPING[1..]);
    let none: [&str; 0] = [];

    let mut daemon = Daemon::start(&lab, &settings(&lab))?;
    for device in [LAN, TO_PRIMARY, TO_BACKUP] {
        assert_eq!(strips(&lab, device)?, none, "{device}");
    }
    daemon.run(&["detach", LAN])?;
    assert_eq!(strips(&lab, LAN)?, STRIPPING);
    daemon.run(&["attach", LAN])?;
    assert_eq!(strips(&lab, LAN)?, none);

    // The next daemon knows what a dead one has turned off; and what was turned on meanwhile, it turns off again.
    daemon.kill9()?;
    lab.router.run(&["ethtool", "-K", TO_PRIMARY, "rxvlan", "on"])?;
    daemon.restart()?;
    assert_eq!(strips(&lab, TO_PRIMARY)?, none);
    daemon.kill9()?;
    daemon.run(&["detach", LAN])?;
    assert_eq!(strips(&lab, LAN)?, STRIPPING);
    assert_eq!(strips(&lab, TO_PRIMARY)?, none);
    daemon.run(&["detach"])?;
    assert_eq!(strips(&lab, TO_PRIMARY)?, STRIPPING);
    assert_eq!(strips(&lab, TO_BACKUP)?, STRIPPING[1..], "it was off before");
    Ok(())
}

#[test]
fn a_device_without_ethernet_is_refused_and_nothing_else_changes() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    lab.router.ip("tuntap add tun7 mode tun")?;
    for mode in ["auto", "native", "generic"] {
        let mut settings = Settings { mode, ..settings(&lab) };
        settings.interfaces.push("tun7".to_owned());
        let said = Commands::new(&lab, &settings)?.output(&["run"])?;
        assert_eq!(said.code, 1, "{said:?}");
        for word in ["tun7", "no Ethernet frames", "leave tun7 out"] {
            assert!(said.stderr.contains(word), "{mode}: no {word:?} in: {}", said.stderr);
        }
        let links = lab.router.ip("-o link show")?;
        assert!(!links.contains("xdp"), "{links}");
        assert_eq!(strips(&lab, LAN)?, STRIPPING);
        let pins = lab.bpffs_dir();
        assert!(!pins.exists(), "{} is left", pins.display());
    }
    Ok(())
}

/// Every device takes frames of 9,000 bytes.
fn jumbo(lab: &Lab) -> Result<()> {
    for device in lab.interfaces() {
        lab.router.ip(&format!("link set {device} mtu 9000"))?;
    }
    for host in [&lab.phones, &lab.primary, &lab.backup] {
        host.ip(&format!("link set {DEVICE} mtu 9000"))?;
    }
    Ok(())
}

/// An OPTIONS of 6,000 bytes, in one datagram, and its answer.
fn ask_large(host: &Namespace, port: u16) -> Result<String> {
    const SUBJECT: &str = "Subject: \r\n";
    let (from, to) = (SocketAddrV4::new(CALLERS, port), SocketAddrV4::new(PRIMARY, SIP));
    let socket = host.enter(|| Ok(UdpSocket::bind(from)?))?;
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    let request = sip::options_request("UDP", from.into(), to, 1);
    let padding = "x".repeat(6_000 - request.len() - SUBJECT.len());
    let request = request.replacen("Max-Forwards:", &format!("Subject: {padding}\r\nMax-Forwards:"), 1);
    ensure!(request.len() == 6_000, "{} bytes", request.len());
    socket.send_to(request.as_bytes(), to).context("send 6,000 bytes")?;
    let mut buffer = vec![0; 1 << 16];
    let (length, source) = socket.recv_from(&mut buffer).context("no answer to 6,000 bytes")?;
    ensure!(source == to.into() && length > 6_000, "{length} bytes from {source}");
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

/// Gives back whatever comes, connection after connection.
fn echo(host: &Namespace, address: SocketAddrV4) -> Result<()> {
    let listener = host.enter(|| Ok(TcpListener::bind(address)?))?;
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut back = stream.try_clone()?;
                std::io::copy(&mut stream, &mut back)
            });
        }
    });
    Ok(())
}

/// Sends a mebibyte to the target over TCP, and gets it back.
fn exchange(host: &Namespace) -> Result<()> {
    const SIZE: usize = 1 << 20;
    let stream = host.enter(|| {
        TcpStream::connect_timeout(&SocketAddrV4::new(PRIMARY, SIP).into(), SWITCH).context("connect")
    })?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let sent: Vec<u8> = (0..SIZE).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    let writer = thread::spawn({
        let (mut stream, sent) = (stream.try_clone()?, sent.clone());
        move || stream.write_all(&sent).and_then(|()| stream.shutdown(Shutdown::Write))
    });
    let mut got = Vec::new();
    (&stream).read_to_end(&mut got).context("read what comes back")?;
    writer.join().ok().context("the writer has ended")??;
    ensure!(got == sent, "{} of {SIZE} bytes came back, or others", got.len());
    Ok(())
}

/// What makes the far end of a veth take redirected frames.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Far {
    /// Nothing does.
    Deaf,
    /// A program that passes everything.
    Program,
    /// It merges what it receives.
    Gro,
}

/// Devices with an MTU of 9,000 whose receive offloads are on, and a target that its backup serves.
fn large_frames(mode: &'static str, far: Far) -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    jumbo(&lab)?;
    for device in lab.interfaces() {
        lab.router.run(&["ethtool", "-K", device, "gro", "on", "rx", "on", "gso", "on"])?;
    }
    for host in [&lab.phones, &lab.primary, &lab.backup] {
        let gro = if far == Far::Gro { "on" } else { "off" };
        host.run(&["ethtool", "-K", DEVICE, "gso", "on", "gro", gro, "rx", "on"])?;
    }
    let _primary = Responder::start(&lab.primary, SocketAddrV4::new(PRIMARY, SIP), "primary")?;
    let _backup = Responder::start(&lab.backup, SocketAddrV4::new(BACKUP, SIP), "backup")?;
    echo(&lab.backup, SocketAddrV4::new(BACKUP, SIP))?;
    if far == Far::Program {
        accept_redirects(&lab)?;
    }
    let daemon = Daemon::start(&lab, &Settings { mode, ..settings(&lab) })?;
    let attached = if mode == "generic" { "generic" } else { "native" };
    for interface in daemon.status()?["router"]["interfaces"].as_array().context("no interfaces")? {
        assert_eq!(interface["mode"], attached, "{interface}");
    }
    assert_eq!(sip::header(&ask_large(&lab.phones, 5061)?, "Server"), Some("primary"));
    daemon.run(&["target", "disable", "paris"])?;
    daemon.wait_serving("paris", "backup", SWITCH)?;
    steered_in_one_piece(&daemon, &lab, far != Far::Deaf)?;
    exchange(&lab.phones)
}

/// A large question to the backup is one packet, and so is its answer.
fn steered_in_one_piece(daemon: &Daemon, lab: &Lab, redirect: bool) -> Result<()> {
    let count = || -> Result<Vec<u64>> {
        ["steered", "steered-by-kernel", "returned", "returned-by-kernel", "fragment"]
            .iter()
            .map(|reason| daemon.counted(reason))
            .collect()
    };
    let before = count()?;
    let answer = ask_large(&lab.phones, 5062)?;
    assert_eq!(sip::header(&answer, "Server"), Some("backup"));
    assert_eq!(sip::header(&answer, "X-Length"), Some("6000"));
    let moved: Vec<u64> = count()?.iter().zip(before).map(|(after, before)| after - before).collect();
    let expected = if redirect { [1, 0, 1, 0, 0] } else { [0, 1, 0, 1, 0] };
    assert_eq!(moved, expected, "{}", daemon.json(&["stats"])?);
    Ok(())
}

#[test]
fn large_frames_are_redirected() -> Result<()> {
    large_frames("native", Far::Program)
}

#[test]
fn large_frames_are_forwarded_by_the_kernel_where_the_far_end_takes_none() -> Result<()> {
    large_frames("auto", Far::Deaf)
}

#[test]
fn large_frames_are_redirected_to_a_far_end_that_merges() -> Result<()> {
    large_frames("native", Far::Gro)
}

#[test]
fn large_frames_are_redirected_in_generic_mode() -> Result<()> {
    large_frames("generic", Far::Gro)
}

#[test]
fn large_frames_are_forwarded_by_the_kernel_in_generic_mode() -> Result<()> {
    large_frames("generic", Far::Deaf)
}

#[test]
fn the_mtu_may_grow_while_the_program_is_attached() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let _primary = Responder::start(&lab.primary, SocketAddrV4::new(PRIMARY, SIP), "primary")?;
    let _backup = Responder::start(&lab.backup, SocketAddrV4::new(BACKUP, SIP), "backup")?;
    let daemon = Daemon::start(&lab, &settings(&lab))?;
    daemon.run(&["target", "disable", "paris"])?;
    daemon.wait_serving("paris", "backup", SWITCH)?;
    jumbo(&lab)?;
    let answer =
        process::wait_for("an answer to a large frame", SWITCH, || Ok(ask_large(&lab.phones, 5062).ok()))?;
    assert_eq!(sip::header(&answer, "Server"), Some("backup"));
    Ok(())
}
