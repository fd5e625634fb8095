//! What does not fit into one plain packet, between real stacks: large requests in fragments, ICMP errors, and a TCP
//! path that is narrower than both of its ends believe.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    time::Duration,
};

use anyhow::Result;
use failover_tests::{
    capture::Capture,
    daemon::{Daemon, accept_redirects},
    kamailio::Kamailio,
    process,
    responder::Responder,
    settings::{Settings, Target},
    sip,
    stream::phone,
    tcp_client::TcpClient,
    topology::{BACKUP, CALLERS, DEVICE, Lab, PRIMARY, Weight},
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

/// The backup's segments are too large for the way to the phone; what the hop says about them must reach it, in terms
/// of the connection that it has.
#[test]
fn path_mtu_discovery_works_through_a_steered_connection() -> Result<()> {
    let mut lab = Lab::new(Weight::Quick)?;
    // Which neither the phone nor the backup knows of.
    let far = lab.add_far_host(600)?;
    let _primary = Kamailio::primary(&lab)?;
    let _backup = Kamailio::backup(&lab)?;
    let mut settings = Settings::standard(&lab).probe(ONCE);
    settings.interfaces.push("srv4".to_owned());
    let daemon = Daemon::start_with_redirect(&lab, &settings)?;
    daemon.run(&["target", "disable", "paris"])?;
    daemon.wait_serving("paris", "backup", SWITCH)?;

    let mut phone = TcpClient::connect(&far, Ipv4Addr::new(10, 77, 9, 10), PARIS, SWITCH)?;
    assert_eq!(phone.large(3000, SWITCH)?, "backup");
    assert!(daemon.counted("icmp-translated")? >= 1, "{}", daemon.json(&["stats"])?);
    Ok(())
}
