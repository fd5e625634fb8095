//! What a switch leaves behind: requests that had no answer, and connections with nobody.

use std::{
    net::{SocketAddrV4, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use failover_tests::{
    daemon::{Daemon, accept_redirects},
    kamailio::Kamailio,
    process,
    responder::Responder,
    settings::{QUICK_PROBE, Settings, Target},
    sip,
    stream::phone,
    tcp_client::{Outcome, TcpClient},
    topology::{BACKUP, CALLERS, DEVICE, Lab, PRIMARY, Weight},
};

const PARIS: SocketAddrV4 = SocketAddrV4::new(PRIMARY, 5060);
const BACKUP_SIP: SocketAddrV4 = SocketAddrV4::new(BACKUP, 5060);
const PHONE: SocketAddrV4 = SocketAddrV4::new(CALLERS, 5062);
const SWITCH: Duration = Duration::from_secs(3);

/// A primary that can be frozen: its host hears everything, and says nothing.
struct Scene {
    daemon: Daemon,
    _backup: Responder,
    _primary: Responder,
    lab: Lab,
}

impl Scene {
    fn new(settings: impl FnOnce(Settings) -> Settings, mtu: u32) -> Result<Self> {
        let lab = Lab::new(Weight::Quick)?;
        for (host, device) in [(&lab.phones, DEVICE), (&lab.primary, DEVICE), (&lab.backup, DEVICE)] {
            host.ip(&format!("link set {device} mtu {mtu}"))?;
        }
        for device in lab.interfaces() {
            lab.router.ip(&format!("link set {device} mtu {mtu}"))?;
        }
        let primary = Responder::start(&lab.primary, PARIS, "primary")?;
        let backup = Responder::start(&lab.backup, BACKUP_SIP, "backup")?;
        let target = Target::new("paris", PRIMARY, BACKUP).udp_only();
        accept_redirects(&lab)?;
        let daemon = Daemon::start(&lab, &settings(Settings::empty(&lab).with(target).probe(QUICK_PROBE)))?;
        daemon.wait_all_up(SWITCH)?;
        Ok(Self { daemon, _backup: backup, _primary: primary, lab })
    }

    fn freeze(&self) -> Result<()> {
        let rules = "table ip frozen { chain input { type filter hook input priority 0; drop; }; }";
        self.lab.primary.run(&["nft", rules]).map(drop)
    }

    /// What the switch is said to have left behind.
    fn event(&self) -> Result<String> {
        process::wait_for("an event of what was left behind", SWITCH, || {
            let events = self.daemon.events()?;
            let reason =
                events.iter().find(|event| event["kind"] == "aftermath").map(|e| e["reason"].clone());
            Ok(reason.and_then(|reason| reason.as_str().map(ToOwned::to_owned)))
        })
    }
}

/// An OPTIONS of at least `length` bytes.
fn request(number: u32, length: usize) -> String {
    let text = sip::options_request("UDP", PHONE.into(), PARIS, number);
    let padding = "x".repeat(length.saturating_sub(text.len()));
    text.replace("Content-Length", &format!("X-Padding: {padding}\r\nContent-Length"))
}

/// Sends it once, and says who answers, if anybody does.
fn ask_once(socket: &UdpSocket, request: &str, limit: Duration) -> Result<Option<String>> {
    socket.send_to(request.as_bytes(), PARIS).context("send to paris")?;
    hear(socket, sip::sequence(request), limit)
}

/// Who answers the request of this number within `limit`; nobody else's answer may come.
fn hear(socket: &UdpSocket, number: Option<u32>, limit: Duration) -> Result<Option<String>> {
    let end = Instant::now() + limit;
    let mut buffer = vec![0; 1 << 16];
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        socket.set_read_timeout(Some(left)).context("set a time-out")?;
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        let answer = String::from_utf8_lossy(&buffer[..length]);
        assert_eq!((from, sip::sequence(&answer)), (PARIS.into(), number), "{answer}");
        return Ok(sip::header(&answer, "Server").map(ToOwned::to_owned));
    }
    Ok(None)
}

/// A phone sends one request to a primary that is frozen, and never again.
fn one_request(length: usize, mtu: u32) -> Result<()> {
    let scene = Scene::new(|settings| settings, mtu)?;
    let socket = phone(&scene.lab.phones, PHONE)?;
    let answered = request(1, length);
    assert_eq!(ask_once(&socket, &answered, SWITCH)?.as_deref(), Some("primary"), "{length} bytes");
    scene.freeze()?;
    let asked = Instant::now();
    let server = ask_once(&socket, &request(2, length), SWITCH)?;
    println!("{length} bytes, MTU {mtu}: {server:?} answered after {:.1?}", asked.elapsed());
    assert_eq!(server.as_deref(), Some("backup"), "{}\n{}", scene.event()?, scene.daemon.log());
    assert_eq!(scene.event()?, "requests sent again: 1; connections reset: 0");
    assert_eq!(hear(&socket, Some(2), Duration::from_millis(300))?, None, "once, and not what was answered");
    Ok(())
}

#[test]
fn a_request_without_an_answer_is_answered_by_the_backup_though_nobody_sends_it_again() -> Result<()> {
    one_request(0, 1500)
}

#[test]
fn so_is_one_in_fragments() -> Result<()> {
    one_request(3000, 1500)
}

#[test]
fn so_is_one_in_a_frame_larger_than_a_page() -> Result<()> {
    one_request(5000, 9000)
}

#[test]
fn without_replay_the_phone_has_to_ask_again() -> Result<()> {
    let scene = Scene::new(Settings::without_replay, 1500)?;
    let socket = phone(&scene.lab.phones, PHONE)?;
    assert_eq!(ask_once(&socket, &request(1, 0), SWITCH)?.as_deref(), Some("primary"));
    scene.freeze()?;
    socket.send_to(request(2, 0).as_bytes(), PARIS).context("send to paris")?;
    scene.daemon.wait_serving("paris", "backup", SWITCH)?;
    assert_eq!(hear(&socket, Some(2), Duration::from_millis(500))?, None);
    assert_eq!(ask_once(&socket, &request(2, 0), SWITCH)?.as_deref(), Some("backup"));
    Ok(())
}

#[test]
fn silence_towards_phones_has_the_primary_asked_before_its_next_probe_is_due() -> Result<()> {
    const SLOW: &str = r#"{ interval = "10s", timeout = "300ms", hold_down = "1s" }"#;
    let scene = Scene::new(|settings| settings.probe(SLOW), 1500)?;
    let socket = phone(&scene.lab.phones, PHONE)?;
    for number in 1..20 {
        assert_eq!(ask_once(&socket, &request(number, 0), SWITCH)?.as_deref(), Some("primary"));
    }
    scene.freeze()?;
    let asked = Instant::now();
    let server = ask_once(&socket, &request(20, 0), SWITCH)?;
    assert_eq!(server.as_deref(), Some("backup"));
    println!("answered after {:.1?}, with probes every 10 s", asked.elapsed());
    Ok(())
}

#[test]
fn a_phone_that_says_nothing_over_tcp_is_told_at_the_switch() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let primary = Kamailio::primary(&lab)?;
    let _backup = Kamailio::backup(&lab)?;
    let daemon = Daemon::start_with_redirect(&lab, &Settings::standard(&lab).probe(QUICK_PROBE))?;
    daemon.wait_all_up(SWITCH)?;
    let connect = || TcpClient::connect(&lab.phones, CALLERS, PARIS, SWITCH);
    let mut phones = [connect()?, connect()?, connect()?];
    for phone in &mut phones {
        assert_eq!(phone.server(SWITCH)?, "primary");
    }
    let [mut quiet, mut other, gone] = phones;
    drop(gone);
    // Its end has to be over, too.
    thread::sleep(Duration::from_millis(50));
    primary.stop()?;
    daemon.wait_serving("paris", "backup", SWITCH)?;
    let told = Instant::now();
    for phone in [&mut quiet, &mut other] {
        assert_eq!(phone.wait(SWITCH)?, Outcome::Reset);
    }
    println!("told {:.1?} after the switch was seen", told.elapsed());
    let event = process::wait_for("an event of what was left behind", SWITCH, || {
        let events = daemon.events()?;
        Ok(events.iter().find(|event| event["kind"] == "aftermath").map(|event| event["reason"].clone()))
    })?;
    assert!(event.as_str().is_some_and(|reason| reason.ends_with("connections reset: 2")), "{event}");
    assert_eq!(connect()?.server(SWITCH)?, "backup");
    primary.cont()?;
    Ok(())
}
