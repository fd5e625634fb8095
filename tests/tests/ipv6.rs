//! The same for phones that speak IPv6, with real Kamailios: a target with an address of each family.

use std::{
    io::ErrorKind,
    net::{SocketAddr, SocketAddrV6, UdpSocket},
    time::Duration,
};

use anyhow::{Result, bail};
use failover_tests::{
    capture::Capture,
    daemon::{Daemon, accept_redirects},
    kamailio::{Kamailio, Role},
    process,
    settings::{QUICK_PROBE, Settings, Target},
    sip,
    tcp_client::{Outcome, TcpClient},
    topology::{BACKUP, BACKUP6, CALLERS6, DEVICE, Lab, PRIMARY, PRIMARY6, Weight},
};

const PARIS6: SocketAddrV6 = SocketAddrV6::new(PRIMARY6, 5060, 0, 0);
const PARIS: (std::net::Ipv4Addr, u16) = (PRIMARY, 5060);
const SWITCH: Duration = Duration::from_secs(3);

/// Everyone speaks both; the daemon has seen every server alive.
struct Scene {
    daemon: Daemon,
    primary6: Kamailio,
    _others: [Kamailio; 3],
    lab: Lab,
}

impl Scene {
    fn new(redirect: bool) -> Result<Self> {
        let lab = Lab::new(Weight::Quick)?;
        lab.speak_ipv6()?;
        let primary6 = Kamailio::start(&lab, &lab.primary, Role::PRIMARY6)?;
        let others = [
            Kamailio::start(&lab, &lab.backup, Role::BACKUP6)?,
            Kamailio::primary(&lab)?,
            Kamailio::backup(&lab)?,
        ];
        if redirect {
            accept_redirects(&lab)?;
        }
        let target = Target::new("paris", PRIMARY, BACKUP).dual_stack(PRIMARY6, BACKUP6);
        let daemon = Daemon::start(&lab, &Settings::empty(&lab).with(target).probe(QUICK_PROBE))?;
        daemon.wait_all_up(SWITCH)?;
        Ok(Self { daemon, primary6, _others: others, lab })
    }

    /// The server that answers a phone over UDP.
    fn server(&self, target: SocketAddr) -> Result<String> {
        let answer = self.lab.phones.enter(|| sip::options(target, Duration::from_secs(1)))?;
        Ok(sip::header(&answer, "Server").unwrap_or_default().to_owned())
    }

    fn server_over_tcp(&self) -> Result<String> {
        let mut client = TcpClient::connect(&self.lab.phones, CALLERS6, PARIS6, SWITCH)?;
        match client.options(SWITCH)? {
            Outcome::Answered(answer) => Ok(sip::header(&answer, "Server").unwrap_or_default().to_owned()),
            other => bail!("no answer but {other:?}"),
        }
    }
}

fn death_and_return(redirect: bool) -> Result<()> {
    let mut scene = Scene::new(redirect)?;
    assert_eq!(
        (scene.server(PARIS6.into())?, scene.server_over_tcp()?),
        ("primary".into(), "primary".into())
    );

    // Only its IPv6 side dies; a target switches as one.
    scene.primary6.kill()?;
    let target = scene.daemon.wait_serving("paris", "backup", SWITCH)?;
    assert!(
        target["reason"].as_str().is_some_and(|reason| reason.contains(&PRIMARY6.to_string())),
        "{target}"
    );
    let capture = Capture::start(&scene.lab.phones, DEVICE, &scene.lab.dir().join("phones.pcapng"))?;
    for _ in 0..5 {
        assert_eq!(scene.server(PARIS6.into())?, "backup");
        assert_eq!(scene.server_over_tcp()?, "backup");
        assert_eq!(scene.server(PARIS.into())?, "backup");
    }
    let (there, back) =
        if redirect { ("steered", "returned") } else { ("steered-by-kernel", "returned-by-kernel") };
    assert!(scene.daemon.counted(there)? >= 30, "{}", scene.daemon.json(&["stats"])?);
    assert!(scene.daemon.counted(back)? >= 30, "{}", scene.daemon.json(&["stats"])?);
    let captured = capture.stop()?;
    assert!(captured.count(&format!("ipv6.src == {PRIMARY6}"))? >= 20);
    assert_eq!(captured.count(&format!("ipv6.addr == {BACKUP6} or ip.addr == {BACKUP}"))?, 0);
    assert_eq!(captured.bad_checksums()?, 0);

    scene.primary6.restart()?;
    scene.daemon.wait_serving("paris", "primary", SWITCH)?;
    assert_eq!(scene.server(PARIS6.into())?, "primary");
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

#[test]
fn a_large_invite_in_fragments_arrives_whole_and_so_does_its_answer() -> Result<()> {
    let scene = Scene::new(true)?;
    scene.daemon.run(&["target", "disable", "paris"])?;
    scene.daemon.wait_serving("paris", "backup", SWITCH)?;
    let socket = scene.lab.phones.enter(|| Ok(UdpSocket::bind((CALLERS6, 5062))?))?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let call_id = "z".repeat(3000);
    let request = sip::options_request("UDP", socket.local_addr()?, PARIS6, 1)
        .replace("Call-ID: lab-", &format!("Call-ID: {call_id}-"));
    socket.send_to(request.as_bytes(), PARIS6)?;
    let mut buffer = [0; 8192];
    let (length, from) = process::wait_for("answer", SWITCH, || Ok(socket.recv_from(&mut buffer).ok()))?;
    let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
    assert_eq!(from, PARIS6.into());
    assert!(sip::header(&answer, "Call-ID").is_some_and(|value| value.starts_with(&call_id)), "{answer}");
    assert_eq!(sip::header(&answer, "Server"), Some("backup"));
    assert_eq!(scene.daemon.counted("fragment")?, 0);
    Ok(())
}

/// ICMPv6 port unreachable, about a packet whose address the phone never wrote.
#[test]
fn a_phone_is_told_that_nobody_listens_at_the_backup() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    lab.speak_ipv6()?;
    let _servers = [Kamailio::start(&lab, &lab.primary, Role::PRIMARY6)?, Kamailio::primary(&lab)?];
    let mut backups = [Kamailio::start(&lab, &lab.backup, Role::BACKUP6)?, Kamailio::backup(&lab)?];
    let target = Target::new("paris", PRIMARY, BACKUP).dual_stack(PRIMARY6, BACKUP6);
    let once = r#"{ interval = "60s", timeout = "300ms", fall = 3, rise = 3 }"#;
    let daemon = Daemon::start_with_redirect(&lab, &Settings::empty(&lab).with(target).probe(once))?;
    daemon.run(&["target", "disable", "paris"])?;
    daemon.wait_serving("paris", "backup", SWITCH)?;
    backups[0].kill()?;
    // Its workers share the socket, and are not all gone when the first one is.
    let beside = lab.backup.enter(|| Ok(UdpSocket::bind((BACKUP6, 0))?))?;
    beside.connect((BACKUP6, 5060))?;
    beside.set_read_timeout(Some(Duration::from_millis(50)))?;
    process::wait_for("closed port", SWITCH, || {
        let told = beside.send(b"x").and_then(|_| beside.recv(&mut [0; 100]));
        Ok(told.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused).then_some(()))
    })?;
    let socket = lab.phones.enter(|| Ok(UdpSocket::bind((CALLERS6, 5062))?))?;
    socket.connect(PARIS6)?;
    socket.set_read_timeout(Some(SWITCH))?;
    socket.send(b"OPTIONS sip:paris SIP/2.0\r\n\r\n")?;
    let told = socket.recv(&mut [0; 100]).map_err(|error| error.kind());
    assert_eq!(told, Err(ErrorKind::ConnectionRefused), "{}", daemon.json(&["stats"])?);
    assert_eq!(daemon.counted("icmp-translated")?, 1);
    Ok(())
}
