//! `steer = "l2"` and `"ipip"` between real stacks: the backup carries the target's address on its loopback, and answers a
//! phone with it, past the router's tables.

use std::{
    collections::BTreeSet,
    net::{SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket},
    time::Duration,
};

use anyhow::Result;
use failover_tests::{
    capture::Capture,
    carrier::{Carrier, both_families, open_envelopes},
    daemon::{accept_redirects_at, binary},
    process,
    settings::Target,
    sip,
    topology::{BACKUP, BACKUP6, CALLERS, CALLERS6, DEVICE, Lab, PRIMARY, PRIMARY6, Weight},
};

const PARIS: SocketAddrV4 = SocketAddrV4::new(PRIMARY, 5060);
const PARIS6: SocketAddrV6 = SocketAddrV6::new(PRIMARY6, 5060, 0, 0);
const SWITCH: Duration = Duration::from_secs(3);

fn death_and_return(steer: &str) -> Result<()> {
    let mut scene = Carrier::new(both_families(steer))?;
    assert_eq!((scene.server(PARIS)?, scene.server_over_tcp(PARIS6)?), ("primary".into(), "primary".into()));
    scene.primary_dies()?;
    let capture = Capture::start(&scene.lab.phones, DEVICE, &scene.lab.dir().join("phones.pcapng"))?;
    for _ in 0..3 {
        assert_eq!(scene.server(PARIS)?, "backup");
        assert_eq!(scene.server(PARIS6)?, "backup");
        assert_eq!(scene.server_over_tcp(PARIS)?, "backup");
        assert_eq!(scene.server_over_tcp(PARIS6)?, "backup");
    }
    let stats = scene.daemon.json(&["stats"])?;
    assert!(scene.daemon.counted("steered")? >= 20, "{stats}");
    for none in ["returned", "returned-by-kernel", "steered-by-kernel", "not-redirectable", "not-on-link"] {
        assert_eq!(scene.daemon.counted(none)?, 0, "{none}: {stats}");
    }
    let captured = capture.stop()?;
    assert!(captured.count(&format!("ip.src == {PRIMARY} or ipv6.src == {PRIMARY6}"))? >= 20);
    assert_eq!(captured.count(&format!("ipv6.addr == {BACKUP6} or ip.addr == {BACKUP}"))?, 0);
    assert_eq!(captured.bad_checksums()?, 0);

    scene.primary_returns()?;
    scene.daemon.wait_serving("paris", "primary", SWITCH)?;
    assert_eq!((scene.server(PARIS)?, scene.server(PARIS6)?), ("primary".into(), "primary".into()));
    Ok(())
}

#[test]
fn a_backup_that_is_reached_by_its_mac_address_answers_as_the_target() -> Result<()> {
    death_and_return("l2")
}

#[test]
fn a_backup_that_is_reached_in_an_envelope_answers_as_the_target() -> Result<()> {
    death_and_return("ipip")
}

#[test]
fn ipv4_reaches_a_backup_that_has_ipv6_alone() -> Result<()> {
    let target = Target::new("paris", PRIMARY, BACKUP).backup_alone_at(BACKUP6).steered_by("ipip");
    let mut scene = Carrier::new(target)?;
    scene.primary_dies()?;
    let capture = Capture::start(&scene.lab.backup, DEVICE, &scene.lab.dir().join("backup.pcapng"))?;
    for _ in 0..3 {
        assert_eq!((scene.server(PARIS)?, scene.server_over_tcp(PARIS)?), ("backup".into(), "backup".into()));
    }
    assert!(scene.daemon.counted("steered")? >= 10, "{}", scene.daemon.json(&["stats"])?);
    // What the host's own stack sees is out of its envelope.
    let captured = capture.stop()?;
    assert!(captured.count(&format!("ip.dst == {PRIMARY}"))? >= 10);
    assert_eq!((captured.count("ipv6 && ip")?, captured.bad_checksums()?), (0, 0));
    Ok(())
}

#[test]
fn a_tcp_sender_learns_how_much_an_envelope_carries() -> Result<()> {
    let mut scene = Carrier::new(both_families("ipip"))?;
    scene.primary_dies()?;
    // What no envelope has room for in one packet.
    assert_eq!(scene.connect(PARIS)?.large(3000, SWITCH)?, "backup");
    let told = scene.daemon.counted("sender-told")?;
    assert!(told >= 1, "{}", scene.daemon.json(&["stats"])?);
    assert_eq!(scene.connect(PARIS6)?.large(3000, SWITCH)?, "backup");
    assert!(scene.daemon.counted("sender-told")? > told, "{}", scene.daemon.json(&["stats"])?);
    Ok(())
}

/// 3,000 bytes over UDP: fragments that fill the phone's own MTU, until it hears that they are too large.
fn fragments(steer: &str) -> Result<()> {
    let mut scene = Carrier::new(both_families(steer))?;
    scene.primary_dies()?;
    for (own, target) in [
        (SocketAddr::from((CALLERS, 5062)), SocketAddr::from(PARIS)),
        ((CALLERS6, 5062).into(), PARIS6.into()),
    ] {
        let socket = scene.lab.phones.enter(|| Ok(UdpSocket::bind(own)?))?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let call_id = "z".repeat(3000);
        let request = sip::options_request("UDP", own, target, 1)
            .replace("Call-ID: lab-", &format!("Call-ID: {call_id}-"));
        let mut buffer = [0; 8192];
        // Again, as a phone does (RFC 3261 §17.1.2.2).
        let (length, from) = process::wait_for("answer", SWITCH, || {
            socket.send_to(request.as_bytes(), target)?;
            Ok(socket.recv_from(&mut buffer).ok())
        })?;
        let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
        assert_eq!(from, target);
        assert!(sip::header(&answer, "Call-ID").is_some_and(|value| value.starts_with(&call_id)), "{answer}");
        assert_eq!(sip::header(&answer, "Server"), Some("backup"));
    }
    let told = scene.daemon.counted("sender-told")?;
    assert_eq!(told > 0, steer == "ipip", "{}", scene.daemon.json(&["stats"])?);
    Ok(())
}

#[test]
fn a_large_request_in_fragments_arrives_whole_by_mac_address() -> Result<()> {
    fragments("l2")
}

#[test]
fn a_large_request_in_fragments_arrives_whole_in_envelopes() -> Result<()> {
    fragments("ipip")
}

/// Takes the program that opens envelopes off the backup's device.
fn open_no_more(lab: &Lab) -> Result<String> {
    let mut command = lab.backup.command(binary()?);
    command.args(["detach", "--decap", DEVICE, "--bpffs-dir"]).arg(lab.pin_dir(lab.backup.name()));
    process::run(command)
}

/// A request of each of sixteen ports; nobody waits for an answer.
fn ask_from_sixteen_ports(lab: &Lab) -> Result<()> {
    lab.phones.enter(|| {
        for port in 20_000..20_016 {
            let own = SocketAddr::from((CALLERS, port));
            UdpSocket::bind(own)?.send_to(sip::options_request("UDP", own, PARIS, 1).as_bytes(), PARIS)?;
        }
        Ok(())
    })
}

#[test]
fn envelopes_that_come_from_a_prefix_tell_flows_apart() -> Result<()> {
    const SOURCE: &str = "198.18.7.16/28";
    let mut scene = Carrier::with_envelopes_from(Some(SOURCE), both_families("ipip"))?;
    scene.primary_dies()?;
    // Whatever came from elsewhere would not be opened, and not be answered.
    for _ in 0..8 {
        assert_eq!((scene.server(PARIS)?, scene.server_over_tcp(PARIS)?), ("backup".into(), "backup".into()));
        assert_eq!(scene.server(PARIS6)?, "backup");
    }
    // The host's own stack sees envelopes that nobody opens before it.
    open_no_more(&scene.lab)?;
    accept_redirects_at(&scene.lab, &scene.lab.backup)?;
    let steered = || scene.daemon.counted("steered");
    let before = steered()?;
    process::wait_for("redirected packet", SWITCH, || {
        ask_from_sixteen_ports(&scene.lab)?;
        Ok((steered()? > before).then_some(()))
    })?;
    let capture = Capture::start(&scene.lab.backup, DEVICE, &scene.lab.dir().join("envelopes.pcapng"))?;
    let before = steered()?;
    ask_from_sixteen_ports(&scene.lab)?;
    process::wait_for("all of them steered", SWITCH, || Ok((steered()? >= before + 16).then_some(())))?;
    let captured = capture.stop()?;
    // The host says by ICMP that it opens none, and quotes them.
    let rows = captured.fields(&format!("ip.proto == 4 && ip.dst == {BACKUP} && !icmp"), &["ip.src"])?;
    let inside = captured.count(&format!("ip.src == {SOURCE} && !icmp"))?;
    assert_eq!((rows.len(), inside), (16, 16), "{rows:?}");
    assert!(rows.iter().collect::<BTreeSet<_>>().len() > 4, "{rows:?}");
    assert_eq!(captured.bad_checksums()?, 0);
    Ok(())
}

#[test]
fn the_program_that_opens_envelopes_comes_off_again() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    open_envelopes(&lab, None)?;
    let detach = || open_no_more(&lab);
    assert!(lab.backup.ip(&format!("link show {DEVICE}"))?.contains("prog/xdp"));
    assert_eq!(detach()?, format!("{DEVICE}: detached\n"));
    assert!(!lab.backup.ip(&format!("link show {DEVICE}"))?.contains("prog/xdp"));
    assert_eq!(detach()?, "nothing was attached\n");
    Ok(())
}
