//! What does not fit into one plain packet, between real stacks: large requests in fragments, ICMP errors, and a TCP
//! path that is narrower than both of its ends believe.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use failover_tests::{
    capture::Capture,
    daemon::{Daemon, accept_redirects},
    kamailio::Kamailio,
    netns::Namespace,
    process,
    responder::Responder,
    settings::{Settings, Target},
    sip,
    stream::phone,
    tcp_client::TcpClient,
    topology::{BACKUP, CALLERS, DEVICE, Lab, PRIMARY, Weight, add_address},
};

const PARIS: SocketAddrV4 = SocketAddrV4::new(PRIMARY, 5060);
const BACKUP_SIP: SocketAddrV4 = SocketAddrV4::new(BACKUP, 5060);
const SWITCH: Duration = Duration::from_secs(3);
/// Servers are found alive at the start, and then left alone for longer than a test takes.
const ONCE: &str = r#"{ interval = "60s", timeout = "300ms", fall = 3, rise = 3 }"#;

/// An INVITE whose Call-ID makes it `length` bytes long, and which every answer has to repeat.
fn large_invite(from: SocketAddr, length: usize) -> (String, String) {
    let request = |call_id: &str| {
        format!(
            "INVITE sip:nobody@{PARIS} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK-large;rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:lab@{from}>;tag=large\r\nTo: <sip:nobody@{PARIS}>\r\n\
             Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\nContact: <sip:lab@{from}>\r\nContent-Length: 0\r\n\r\n"
        )
    };
    let call_id = "x".repeat(length - request("").len());
    (request(&call_id), call_id)
}

/// Asks with a request of 3,000 bytes, which no frame holds, and hears an answer that is as large.
fn fragments(redirect: bool) -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let _primary = Kamailio::primary(&lab)?;
    let _backup = Kamailio::backup(&lab)?;
    if redirect {
        accept_redirects(&lab)?;
    }
    let daemon = Daemon::start(&lab, &Settings::standard(&lab).probe(ONCE))?;
    daemon.wait_all_up(SWITCH)?;
    daemon.run(&["target", "disable", "paris"])?;
    let target = daemon.wait_serving("paris", "backup", SWITCH)?;
    assert_eq!(target["steered_packets"], 0, "{target}");

    let capture = Capture::start(&lab.phones, DEVICE, &lab.dir().join("phones.pcapng"))?;
    let socket = phone(&lab.phones, SocketAddrV4::new(CALLERS, 5062))?;
    let (request, call_id) = large_invite(socket.local_addr()?, 3000);
    assert_eq!(socket.send_to(request.as_bytes(), PARIS)?, 3000);
    let mut buffer = [0; 8192];
    let (length, from) = process::wait_for("answer", SWITCH, || Ok(socket.recv_from(&mut buffer).ok()))?;
    let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
    assert_eq!(from, PARIS.into());
    assert_eq!(sip::header(&answer, "Call-ID"), Some(call_id.as_str()), "whole, there and back");
    assert_eq!(sip::header(&answer, "Server"), Some("backup"));

    // Each way three fragments, of which two have no ports.
    let (there, back) =
        if redirect { ("steered", "returned") } else { ("steered-by-kernel", "returned-by-kernel") };
    assert!(daemon.counted(there)? >= 3 && daemon.counted(back)? >= 3, "{}", daemon.json(&["stats"])?);
    assert_eq!(daemon.counted("fragment")?, 0);
    let captured = capture.stop()?;
    assert!(captured.count(&format!("ip.src == {PRIMARY} && ip.frag_offset > 0"))? >= 2);
    assert_eq!((captured.with_address(BACKUP)?, captured.bad_checksums()?), (0, 0));
    Ok(())
}

#[test]
fn a_large_invite_in_redirected_fragments_arrives_whole_and_so_does_its_answer() -> Result<()> {
    fragments(true)
}

#[test]
fn a_large_invite_in_fragments_that_the_kernel_forwards_arrives_whole() -> Result<()> {
    fragments(false)
}

/// A phone with a connected socket hears of a port where nobody listens, although it never knew that address.
#[test]
fn a_phone_is_told_that_nobody_listens_at_the_backup() -> Result<()> {
    for target in [Target::new("paris", PRIMARY, BACKUP), Target::new("paris", PRIMARY, BACKUP).shared()] {
        let lab = Lab::new(Weight::Quick)?;
        let _primary = Responder::start(&lab.primary, PARIS, "primary")?;
        let backup = Responder::start(&lab.backup, BACKUP_SIP, "backup")?;
        let settings = Settings::empty(&lab).with(target.udp_only()).probe(ONCE);
        let daemon = Daemon::start_with_redirect(&lab, &settings)?;
        daemon.run(&["target", "disable", "paris"])?;
        daemon.wait_serving("paris", "backup", SWITCH)?;
        drop(backup);

        let socket = lab.phones.enter(|| Ok(UdpSocket::bind((CALLERS, 5062))?))?;
        socket.connect(PARIS)?;
        socket.set_read_timeout(Some(SWITCH))?;
        socket.send(b"OPTIONS sip:paris SIP/2.0\r\n\r\n")?;
        let told = socket.recv(&mut [0; 100]).map_err(|error| error.kind());
        assert_eq!(told, Err(std::io::ErrorKind::ConnectionRefused));
        assert_eq!(daemon.counted("icmp-translated")?, 1);
    }
    Ok(())
}

/// A phone behind a link of 600 bytes, which neither it nor the backup knows of.
fn behind_a_narrow_link(lab: &mut Lab) -> Result<Namespace> {
    let hop = lab.add_host("hop", 4)?;
    let far = lab.add_host("far", 5)?;
    add_address(&hop, Ipv4Addr::new(10, 77, 4, 10))?;
    hop.sysctl("ipv4/ip_forward", "1")?;
    hop.ip(&format!("link add narrow mtu 600 type veth peer name narrow mtu 600 netns {}", far.name()))?;
    for (host, own) in [(&hop, "10.77.9.1"), (&far, "10.77.9.10")] {
        host.ip(&format!("address add {own}/24 dev narrow"))?;
        host.ip("link set narrow up")?;
        host.run(&["ethtool", "-K", "narrow", "tx", "off", "tso", "off", "gso", "off", "gro", "off"])?;
    }
    far.ip("route replace default via 10.77.9.1 dev narrow advmss 1460")?;
    lab.router.ip("route add 10.77.9.0/24 via 10.77.4.10")?;
    Ok(far)
}

/// The backup's segments are too large for the way to the phone; what the hop says about them must reach it, in terms
/// of the connection that it has.
#[test]
fn path_mtu_discovery_works_through_a_steered_connection() -> Result<()> {
    const LONG: usize = 3000;
    let mut lab = Lab::new(Weight::Quick)?;
    let far = behind_a_narrow_link(&mut lab)?;
    let _primary = Kamailio::primary(&lab)?;
    let _backup = Kamailio::backup(&lab)?;
    let mut settings = Settings::standard(&lab).probe(ONCE);
    settings.interfaces.push("srv4".to_owned());
    let daemon = Daemon::start_with_redirect(&lab, &settings)?;
    daemon.run(&["target", "disable", "paris"])?;
    daemon.wait_serving("paris", "backup", SWITCH)?;

    let mut stream = TcpClient::connect(&far, Ipv4Addr::new(10, 77, 9, 10), PARIS, SWITCH)?.into_stream();
    stream.set_read_timeout(Some(SWITCH))?;
    let call_id = "y".repeat(LONG);
    let request = sip::options_request("TCP", stream.local_addr()?, PARIS, 1)
        .replace("Call-ID: lab-", &format!("Call-ID: {call_id}-"));
    stream.write_all(request.as_bytes())?;
    let (mut answer, end) = (Vec::new(), Instant::now() + SWITCH);
    while !answer.ends_with(b"\r\n\r\n") && Instant::now() < end {
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).context("the answer's next segment")?;
        answer.extend_from_slice(&buffer[..length]);
    }
    let answer = String::from_utf8_lossy(&answer);
    assert!(sip::header(&answer, "Call-ID").is_some_and(|value| value.starts_with(&call_id)), "{answer}");
    assert_eq!(sip::header(&answer, "Server"), Some("backup"));
    assert!(daemon.counted("icmp-translated")? >= 1, "{}", daemon.json(&["stats"])?);
    Ok(())
}
