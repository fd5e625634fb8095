//! The router's own packets, and those that the kernel forwards after XDP has rewritten them, between real stacks. Receivers check
//! every checksum: wherever a test turns checksum offload on, the packets cross a device without it before they arrive.

mod kernel;

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4},
    time::Duration,
};

use anyhow::Result;
use failover_tests::{
    capture::Capture,
    daemon::Daemon,
    kamailio::{Kamailio, Role},
    netns::Namespace,
    process,
    responder::Responder,
    settings::{QUICK_PROBE, Settings, Target},
    sip,
    stream::phone,
    tcp_client::{Outcome, TcpClient},
    topology::{
        BACKUP, BACKUP6, CALLERS, CALLERS6, DEVICE, Lab, PRIMARY, PRIMARY6, TO_PRIMARY, Weight, add_address,
    },
};

const PARIS: SocketAddrV4 = SocketAddrV4::new(PRIMARY, 5060);
const SWITCH: Duration = Duration::from_secs(3);
/// The router, as its peers see it.
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 77, 2, 1);
/// The same over IPv6.
const ROUTER6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 2, 0, 0, 0, 1);

const fn sip_at(address: Ipv4Addr) -> SocketAddrV4 {
    SocketAddrV4::new(address, 5060)
}

/// A Kamailio that speaks for the primary.
fn stand_in(lab: &Lab, host: &Namespace, address: Ipv4Addr) -> Result<Kamailio> {
    let role = Role { name: "backup", address: sip_at(address).into(), advertise: Some(PARIS.into()) };
    Kamailio::start(lab, host, role)
}

/// Leaves checksums to the device, as containers and virtual machines do.
fn offload(host: &Namespace, device: &str) -> Result<()> {
    host.run(&["ethtool", "-K", device, "tx", "on"]).map(drop)
}

/// Who answers over UDP.
fn over_udp(host: &Namespace) -> Result<String> {
    host.enter(|| sip::server(PARIS, Duration::from_secs(1)))
}

/// Who answers over TCP.
fn over_tcp(host: &Namespace, from: Ipv4Addr) -> Result<String> {
    TcpClient::connect(host, from, PARIS, SWITCH)?.server(SWITCH)
}

/// Sends a request of `length` bytes and more, which its answer repeats; who answered.
fn large_over_udp(host: &Namespace, from: SocketAddrV4, length: usize) -> Result<String> {
    let socket = phone(host, from)?;
    let call_id = "z".repeat(length);
    let request = sip::options_request("UDP", from.into(), PARIS, 1)
        .replace("Call-ID: lab-", &format!("Call-ID: {call_id}-"));
    socket.send_to(request.as_bytes(), PARIS)?;
    let mut buffer = [0; 8192];
    let (length, from) = process::wait_for("answer", SWITCH, || Ok(socket.recv_from(&mut buffer).ok()))?;
    let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
    assert_eq!(from, PARIS.into());
    assert!(sip::header(&answer, "Call-ID").is_some_and(|value| value.starts_with(&call_id)), "{answer}");
    Ok(sip::header(&answer, "Server").unwrap_or_default().to_owned())
}

/// The same over TCP, in as many segments as it takes.
fn large_over_tcp(host: &Namespace, from: Ipv4Addr, length: usize) -> Result<String> {
    TcpClient::connect(host, from, PARIS, SWITCH)?.large(length, SWITCH)
}

fn disable(daemon: &Daemon) -> Result<()> {
    daemon.wait_all_up(SWITCH)?;
    daemon.run(&["target", "disable", "paris"])?;
    daemon.wait_serving("paris", "backup", SWITCH).map(drop)
}

/// A client on the router itself, whose routes lead to the primary and nowhere else.
#[test]
fn the_routers_own_clients_reach_the_backup_while_the_primary_is_down() -> Result<()> {
    for (target, kernel) in [(true, false), (false, false), (true, true), (false, true)] {
        let lab = Lab::new(Weight::Quick)?;
        let mut primary = Kamailio::primary(&lab)?;
        let _backup = Kamailio::backup(&lab)?;
        // What leaves towards the primary is summed by no one before it is sent to the backup's device.
        offload(&lab.router, TO_PRIMARY)?;
        let target = Target { dedicated: target, ..Target::new("paris", PRIMARY, BACKUP) };
        let settings = Settings { kernel_forwards: kernel, ..Settings::empty(&lab) };
        let mut daemon = Daemon::start(&lab, &settings.with(target).probe(QUICK_PROBE))?;
        daemon.wait_all_up(SWITCH)?;
        assert_eq!(
            (over_udp(&lab.router)?, over_tcp(&lab.router, ROUTER)?),
            ("primary".into(), "primary".into())
        );

        primary.kill()?;
        daemon.wait_serving("paris", "backup", SWITCH)?;
        let capture = Capture::start(&lab.backup, DEVICE, &lab.dir().join("backup.pcapng"))?;
        for _ in 0..3 {
            assert_eq!(
                (over_udp(&lab.router)?, over_tcp(&lab.router, ROUTER)?),
                ("backup".into(), "backup".into())
            );
        }
        assert_eq!(large_over_udp(&lab.router, SocketAddrV4::new(ROUTER, 5090), 3000)?, "backup");
        assert_eq!(large_over_tcp(&lab.router, ROUTER, 3000)?, "backup");
        let captured = capture.stop()?;
        assert!(captured.count(&format!("ip.src == {ROUTER} && ip.dst == {BACKUP}"))? >= 20);
        assert_eq!(captured.bad_checksums()?, 0);

        // It is the kernel that steers, with the links that were pinned.
        daemon.kill9()?;
        assert_eq!(
            (over_udp(&lab.router)?, over_tcp(&lab.router, ROUTER)?),
            ("backup".into(), "backup".into())
        );
        daemon.restart()?;
        assert_eq!(
            (over_udp(&lab.router)?, over_tcp(&lab.router, ROUTER)?),
            ("backup".into(), "backup".into())
        );
        primary.restart()?;
        daemon.wait_serving("paris", "primary", SWITCH)?;
        assert_eq!(
            (over_udp(&lab.router)?, over_tcp(&lab.router, ROUTER)?),
            ("primary".into(), "primary".into())
        );
    }
    Ok(())
}

/// The same over IPv6, and with a phone behind the router.
#[test]
fn ipv6_is_steered_and_given_back_where_it_leaves() -> Result<()> {
    for kernel in [false, true] {
        let lab = Lab::new(Weight::Quick)?;
        lab.speak_ipv6()?;
        offload(&lab.router, TO_PRIMARY)?;
        let _servers = [Kamailio::primary(&lab)?, Kamailio::backup(&lab)?];
        let mut primary = Kamailio::start(&lab, &lab.primary, Role::PRIMARY6)?;
        let _backup = Kamailio::start(&lab, &lab.backup, Role::BACKUP6)?;
        let target = Target::new("paris", PRIMARY, BACKUP).dual_stack(PRIMARY6, BACKUP6);
        let settings = Settings { kernel_forwards: kernel, ..Settings::empty(&lab) };
        let daemon = Daemon::start(&lab, &settings.with(target).probe(QUICK_PROBE))?;
        daemon.wait_all_up(SWITCH)?;
        primary.kill()?;
        daemon.wait_serving("paris", "backup", SWITCH)?;
        let at_backup = Capture::start(&lab.backup, DEVICE, &lab.dir().join("backup.pcapng"))?;
        let at_phones = Capture::start(&lab.phones, DEVICE, &lab.dir().join("phones.pcapng"))?;
        let six = SocketAddr::from((PRIMARY6, 5060));
        for (host, from) in [(&lab.router, ROUTER6), (&lab.phones, CALLERS6)] {
            let answer = host.enter(|| sip::options(six, Duration::from_secs(1)))?;
            assert_eq!(sip::header(&answer, "Server"), Some("backup"));
            let answer = TcpClient::connect(host, from, six, SWITCH)?.options(SWITCH)?;
            assert!(
                matches!(answer, Outcome::Answered(text) if sip::header(&text, "Server") == Some("backup"))
            );
        }
        let (at_backup, at_phones) = (at_backup.stop()?, at_phones.stop()?);
        assert!(at_backup.count(&format!("ipv6.src == {ROUTER6}"))? >= 4);
        assert_eq!((at_backup.bad_checksums()?, at_phones.bad_checksums()?), (0, 0));
        assert_eq!(at_phones.count(&format!("ipv6.addr == {BACKUP6}"))?, 0);
    }
    Ok(())
}

/// Both behind one device, so that a steered packet leaves where it would have left, once.
#[test]
fn a_backup_beside_the_primary_is_reached_by_the_device_that_leads_to_both() -> Result<()> {
    let beside = Ipv4Addr::new(10, 77, 2, 11);
    let lab = Lab::new(Weight::Quick)?;
    add_address(&lab.primary, beside)?;
    let primary = Responder::start(&lab.primary, PARIS, "primary")?;
    let backup = Responder::start(&lab.primary, sip_at(beside), "backup")?;
    // Each stands in for the other: what was steered once is not steered back.
    let other = Target::new("lyon", beside, PRIMARY).udp_only().shared();
    let settings =
        Settings::empty(&lab).with(Target::new("paris", PRIMARY, beside).udp_only().shared()).with(other);
    let daemon = Daemon::start(&lab, &settings.probe(QUICK_PROBE))?;
    disable(&daemon)?;
    daemon.run(&["target", "disable", "lyon"])?;
    daemon.wait_serving("lyon", "backup", SWITCH)?;
    let (asked, answered) = (primary.answered(), backup.answered());
    assert_eq!(over_udp(&lab.router)?, "backup");
    assert!(backup.answered() > answered && primary.answered() >= asked);
    assert_eq!(daemon.counted("steered")?, 1, "{}", daemon.json(&["stats"])?);
    Ok(())
}

#[test]
fn probes_find_the_primary_whoever_serves() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let _primary = Kamailio::primary(&lab)?;
    let _backup = Kamailio::backup(&lab)?;
    let daemon = Daemon::start(&lab, &Settings::standard(&lab).probe(QUICK_PROBE))?;
    disable(&daemon)?;
    assert_eq!((over_udp(&lab.router)?, over_tcp(&lab.router, ROUTER)?), ("backup".into(), "backup".into()));
    // What the primary alone says for itself.
    lab.backup.ip(&format!("link set {DEVICE} down"))?;
    process::wait_for("a backup that is down", SWITCH, || {
        Ok((daemon.target("paris")?["backups"][0]["health"] == "down").then_some(()))
    })?;
    let target = daemon.json(&["target", "probe", "paris"])?;
    assert_eq!(daemon.target("paris")?["health"], "up", "{target}");
    Ok(())
}

#[test]
fn a_backup_on_the_router_answers_under_the_targets_address() -> Result<()> {
    let own = Ipv4Addr::new(10, 77, 77, 1);
    for kernel in [false, true] {
        let mut lab = Lab::new(Weight::Quick)?;
        // Behind another router, which finishes what the router's device leaves undone.
        let far = lab.add_far_host(1500)?;
        offload(&lab.router, "srv4")?;
        lab.router.ip(&format!("address add {own}/32 dev lo"))?;
        let _primary = Kamailio::primary(&lab)?;
        let _backup = stand_in(&lab, &lab.router, own)?;
        let mut settings = Settings { kernel_forwards: kernel, ..Settings::empty(&lab) };
        settings.interfaces.push("srv4".to_owned());
        let settings = settings.with(Target::new("paris", PRIMARY, own)).probe(QUICK_PROBE);
        let daemon = Daemon::start(&lab, &settings)?;
        disable(&daemon)?;
        let capture = Capture::start(&lab.phones, DEVICE, &lab.dir().join("phones.pcapng"))?;
        for (host, address) in [(&lab.phones, CALLERS), (&far, Ipv4Addr::new(10, 77, 9, 10))] {
            assert_eq!((over_udp(host)?, over_tcp(host, address)?), ("backup".into(), "backup".into()));
            assert_eq!(large_over_udp(host, SocketAddrV4::new(address, 5090), 3000)?, "backup");
            assert_eq!(large_over_tcp(host, address, 3000)?, "backup");
        }
        let captured = capture.stop()?;
        assert!(captured.count(&format!("ip.src == {PRIMARY}"))? >= 8);
        assert_eq!((captured.with_address(own)?, captured.bad_checksums()?), (0, 0));
        assert!(daemon.counted("returned-by-kernel")? >= 16, "{}", daemon.json(&["stats"])?);
    }
    Ok(())
}

/// A container leaves checksums to its veth, which leaves them to whatever device comes last.
#[test]
fn a_container_as_backup_answers_under_the_targets_address() -> Result<()> {
    let inside = Ipv4Addr::new(10, 77, 4, 10);
    for (generic, kernel) in [(false, false), (true, false), (false, true)] {
        let mut lab = Lab::new(Weight::Quick)?;
        let container = lab.add_host("container", 4)?;
        add_address(&container, inside)?;
        for (host, device) in [(&container, DEVICE), (&lab.router, "srv4")] {
            host.run(&["ethtool", "-K", device, "tx", "on", "tso", "on", "gso", "on", "gro", "on"])?;
        }
        let _primary = Kamailio::primary(&lab)?;
        let _backup = stand_in(&lab, &container, inside)?;
        let mut settings = Settings { kernel_forwards: kernel, ..Settings::empty(&lab) };
        settings.interfaces.push("srv4".to_owned());
        settings.generic.extend(generic.then(|| "srv4".to_owned()));
        let settings = settings.with(Target::new("paris", PRIMARY, inside)).probe(QUICK_PROBE);
        let daemon = Daemon::start(&lab, &settings)?;
        disable(&daemon)?;
        let capture = Capture::start(&lab.phones, DEVICE, &lab.dir().join("phones.pcapng"))?;
        assert_eq!(
            (over_udp(&lab.phones)?, over_tcp(&lab.phones, CALLERS)?),
            ("backup".into(), "backup".into())
        );
        assert_eq!(large_over_udp(&lab.phones, SocketAddrV4::new(CALLERS, 5090), 3000)?, "backup");
        assert_eq!(large_over_tcp(&lab.phones, CALLERS, 3000)?, "backup");
        let captured = capture.stop()?;
        assert_eq!((captured.with_address(inside)?, captured.bad_checksums()?), (0, 0));
        assert!(daemon.counted("left-to-egress")? >= 1, "{}", daemon.json(&["stats"])?);
    }
    Ok(())
}

#[test]
fn a_container_as_client_is_steered_where_its_packets_leave() -> Result<()> {
    let inside = Ipv4Addr::new(10, 77, 4, 10);
    let mut lab = Lab::new(Weight::Quick)?;
    let container = lab.add_host("container", 4)?;
    add_address(&container, inside)?;
    offload(&container, DEVICE)?;
    offload(&lab.router, TO_PRIMARY)?;
    let _primary = Kamailio::primary(&lab)?;
    let _backup = Kamailio::backup(&lab)?;
    let mut settings = Settings::standard(&lab).probe(QUICK_PROBE);
    settings.interfaces.push("srv4".to_owned());
    let daemon = Daemon::start(&lab, &settings)?;
    disable(&daemon)?;
    let capture = Capture::start(&lab.backup, DEVICE, &lab.dir().join("backup.pcapng"))?;
    assert_eq!((over_udp(&container)?, over_tcp(&container, inside)?), ("backup".into(), "backup".into()));
    assert_eq!(large_over_tcp(&container, inside, 3000)?, "backup");
    assert_eq!(capture.stop()?.bad_checksums()?, 0);
    assert!(daemon.counted("left-to-egress")? >= 1, "{}", daemon.json(&["stats"])?);
    Ok(())
}

/// The way to the backup is narrower than the way to the primary, and it is the router that says so.
#[test]
fn path_mtu_discovery_works_where_the_router_itself_is_the_narrow_place() -> Result<()> {
    for kernel in [false, true] {
        let lab = Lab::new(Weight::Quick)?;
        for (host, device) in [(&lab.router, "srv1"), (&lab.backup, DEVICE)] {
            host.ip(&format!("link set {device} mtu 700"))?;
        }
        let _primary = Kamailio::primary(&lab)?;
        let _backup = Kamailio::backup(&lab)?;
        let settings = Settings { kernel_forwards: kernel, ..Settings::standard(&lab) };
        let daemon = Daemon::start(&lab, &settings.probe(QUICK_PROBE))?;
        disable(&daemon)?;
        // Too long for the way, and not to be cut by others: Linux asks so of every router, until one says no.
        let socket = phone(&lab.phones, SocketAddrV4::new(CALLERS, 5062))?;
        let call_id = "z".repeat(800);
        let request = sip::options_request("UDP", socket.local_addr()?, PARIS, 1)
            .replace("Call-ID: lab-", &format!("Call-ID: {call_id}-"));
        let mut buffer = [0; 8192];
        let (length, from) = process::wait_for("answer", SWITCH, || {
            socket.send_to(request.as_bytes(), PARIS)?;
            Ok(socket.recv_from(&mut buffer).ok())
        })?;
        let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
        assert_eq!((from, sip::header(&answer, "Server")), (PARIS.into(), Some("backup")));
        assert_eq!(daemon.counted("icmp-translated")?, 1, "{}", daemon.json(&["stats"])?);
    }
    Ok(())
}
