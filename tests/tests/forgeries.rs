//! What a stranger sends in the name of others: it costs a few probes, and decides nothing.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use failover_tests::{
    capture::Capture,
    daemon::{Daemon, accept_redirects},
    frames,
    gatekeeper::{Gatekeeper, RAS},
    netns::Namespace,
    responder::Responder,
    settings::{Settings, Target},
    sip,
    stream::Stream,
    topology::{BACKUP, CALLERS, DEVICE, Lab, PRIMARY, Weight, add_address},
};
use serde_json::Value;

const SERVER: SocketAddrV4 = SocketAddrV4::new(PRIMARY, sip::PORT);
const PHONE: SocketAddrV4 = SocketAddrV4::new(CALLERS, 5062);
const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 77, 4, 10);
/// Where the daemon's probes come from.
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 77, 2, 1);
/// The defaults.
const PROBE: &str = "{}";
const PATIENCE: Duration = Duration::from_secs(8);
const SECONDS: u64 = 5;
/// What is forged in a second: ICMP errors, and of either protocol answers.
const ERRORS: u64 = 1000;
const ANSWERS: u64 = 500;
/// What all of it may cost: probes of one service in a second.
const EXTRA: u64 = 20;

/// How many of a kind are sent in a second, and what makes the n-th.
type Kind<'a> = (u64, &'a dyn Fn(u64) -> Vec<u8>);

/// A stranger's host behind the router.
struct Stranger {
    host: Namespace,
    header: [[u8; 6]; 2],
}

impl Stranger {
    fn new(lab: &mut Lab) -> Result<Self> {
        let host = lab.add_host("stranger", 4)?;
        add_address(&host, STRANGER)?;
        let header = [frames::mac(&lab.router, "srv4")?, frames::mac(&host, DEVICE)?];
        Ok(Self { host, header })
    }

    /// Sends packets as they are.
    fn send(&self, packets: impl Iterator<Item = Vec<u8>>) -> Result<()> {
        let [to, from] = self.header;
        let frames: Vec<_> = packets.map(|it| frames::ethernet(to, from, frames::IPV4, &it)).collect();
        frames::inject(&self.host, DEVICE, &frames)
    }

    /// Sends in each of `seconds` so many of each kind.
    fn flood(&self, seconds: u64, kinds: &[Kind<'_>]) -> Result<()> {
        const TICKS: u64 = 50;
        let start = Instant::now();
        for tick in 0..seconds * TICKS {
            let of_kind = |(rate, forge): &Kind<'_>| {
                let each = rate / TICKS;
                (tick * each..(tick + 1) * each).map(forge).collect::<Vec<_>>()
            };
            self.send(kinds.iter().flat_map(of_kind))?;
            sleep((Duration::from_secs(1) / 50 * u32::try_from(tick)?).saturating_sub(start.elapsed()));
        }
        Ok(())
    }
}

/// "Nobody listens at that port", in the primary's name, about a packet from `from` to `to`.
fn icmp_error(from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> Vec<u8> {
    let quote = frames::ipv4(*from.ip(), *to.ip(), 17, &[], &frames::udp(from.port(), to.port(), payload));
    let mut error = [&[3, 3, 0, 0, 0, 0, 0, 0][..], &quote].concat();
    error.resize(error.len().next_multiple_of(2), 0);
    let sum = frames::checksum(&error);
    error[2..4].copy_from_slice(&sum.to_be_bytes());
    frames::ipv4(PRIMARY, *from.ip(), 1, &[], &error)
}

/// An answer to an OPTIONS as the daemon sends it, but for what nobody off the path can know.
fn answer(from: SocketAddrV4, to: SocketAddrV4, status: &str, number: u64) -> Vec<u8> {
    let request = sip::options_request("UDP", to.into(), SocketAddr::from(SERVER), number as u32);
    let answer = sip::response(&request, status, "").unwrap_or_default();
    frames::ipv4(*from.ip(), *to.ip(), 17, &[], &frames::udp(from.port(), to.port(), answer.as_bytes()))
}

/// LRJ, resourceUnavailable, to a port and with a number that may be right by chance.
fn ras_reject(from: SocketAddrV4, number: u64) -> Vec<u8> {
    const RESOURCE_UNAVAILABLE: [u8; 19] =
        [0x52, 0, 0, 0x83, 1, 0, 1, 0x0b, 0, 1, 0, 0x0a, 0x63, 0, 0x0b, 0x06, 0xb7, 0x81, 0x80];
    let mut reject = RESOURCE_UNAVAILABLE;
    reject[1..3].copy_from_slice(&(number as u16).to_be_bytes());
    let port = 32_768 + (number * 7919 % 28_232) as u16;
    frames::ipv4(*from.ip(), ROUTER, 17, &[], &frames::udp(from.port(), port, &reject))
}

/// The port that the daemon asks the primary from: worse than any stranger could guess.
fn probe_port(daemon: &Daemon) -> Result<u16> {
    let table = std::fs::read_to_string(format!("/proc/{}/net/udp", daemon.pid()?))?;
    let server = format!("{:08X}:{:04X}", u32::from_ne_bytes(PRIMARY.octets()), sip::PORT);
    let ours = format!("{:08X}", u32::from_ne_bytes(ROUTER.octets()));
    let port = table.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, remote) = (fields.next()?, fields.next()?);
        let (address, port) = local.split_once(':')?;
        (remote == server && address == ours).then(|| u16::from_str_radix(port, 16).ok())?
    });
    port.context("the daemon asks from no port")
}

/// What the daemon tells of servers that it takes for dead, and of who serves. A server that is `suspect` for as long as a busy
/// machine keeps its answer back is neither.
fn changes(daemon: &Daemon) -> Result<Vec<Value>> {
    let matters = |event: &Value| match event["kind"].as_str() {
        Some("health") => event["to"] == "down" || event["from"] == "down",
        kind => matches!(kind, Some("serving" | "draining")),
    };
    Ok(daemon.events()?.into_iter().filter(matters).collect())
}

#[test]
fn forged_errors_answers_and_rejects_cost_a_few_probes_and_decide_nothing() -> Result<()> {
    let mut lab = Lab::new(Weight::Quick)?;
    let stranger = Stranger::new(&mut lab)?;
    let _primary = (
        Responder::start(&lab.primary, SERVER, "primary")?,
        Gatekeeper::start(&lab.primary, PRIMARY, "primary")?,
    );
    let _backup = (
        Responder::start(&lab.backup, SocketAddrV4::new(BACKUP, sip::PORT), "backup")?,
        Gatekeeper::start(&lab.backup, BACKUP, "backup")?,
    );
    accept_redirects(&lab)?;
    let target =
        Target { services: r#"["sip/udp:5060", "ras"]"#.to_owned(), ..Target::new("paris", PRIMARY, BACKUP) };
    let daemon = Daemon::start(&lab, &Settings::empty(&lab).with(target).probe(PROBE))?;
    daemon.wait_all_up(PATIENCE)?;
    let before = changes(&daemon)?;
    let us = SocketAddrV4::new(ROUTER, probe_port(&daemon)?);

    let capture = Capture::start(&lab.primary, DEVICE, &lab.dir().join("primary.pcapng"))?;
    let phone = Stream::start(&lab.phones, PHONE, SERVER, 100)?;
    let request = sip::options_request("UDP", PHONE.into(), SocketAddr::from(SERVER), 1);
    let stranger_s = SocketAddrV4::new(STRANGER, sip::PORT);
    stranger.flood(
        SECONDS,
        &[
            (ERRORS / 2, &|_| icmp_error(PHONE, SERVER, request.as_bytes())),
            (ERRORS / 2, &|n| icmp_error(us, SERVER, format!("OPTIONS {n}").as_bytes())),
            (ANSWERS / 2, &|n| answer(SERVER, us, "503 Service Unavailable", n)),
            (ANSWERS / 4, &|n| answer(SERVER, us, "200 OK", n)),
            (ANSWERS / 4, &|n| answer(stranger_s, us, "503 Service Unavailable", n)),
            (ANSWERS / 2, &|n| ras_reject(SocketAddrV4::new(PRIMARY, RAS), n)),
            (ANSWERS / 2, &|n| ras_reject(SocketAddrV4::new(STRANGER, RAS), n)),
        ],
    )?;
    let answers = phone.finish()?;
    let captured = capture.stop()?;
    assert_eq!(changes(&daemon)?, before);
    assert_eq!(answers.lost(), [0_u32; 0]);
    assert_eq!(answers.servers().into_iter().collect::<Vec<_>>(), ["primary"]);
    for port in [sip::PORT, RAS] {
        let asked = captured.count(&format!("ip.src == {ROUTER} && udp.dstport == {port} && !icmp"))? as u64;
        // The phone's stream ends two seconds after the flood, at the most three; regular probes are a second apart.
        let regular = SECONDS + 4;
        println!("port {port}: {asked} probes in {SECONDS} s of forgeries");
        assert!(asked >= SECONDS && asked <= regular + EXTRA * SECONDS, "{asked} probes of port {port}");
    }
    Ok(())
}

#[test]
fn a_dead_primary_does_not_come_to_life_by_answers_in_its_name() -> Result<()> {
    let mut lab = Lab::new(Weight::Quick)?;
    let stranger = Stranger::new(&mut lab)?;
    let primary = Responder::start(&lab.primary, SERVER, "primary")?;
    let _backup = Responder::start(&lab.backup, SocketAddrV4::new(BACKUP, sip::PORT), "backup")?;
    accept_redirects(&lab)?;
    let settings = Settings::empty(&lab).with(Target::new("paris", PRIMARY, BACKUP).udp_only());
    let daemon = Daemon::start(&lab, &settings.probe(PROBE))?;
    daemon.wait_all_up(PATIENCE)?;
    drop(primary);
    daemon.wait_serving("paris", "backup", PATIENCE)?;
    let before = changes(&daemon)?;
    let us = SocketAddrV4::new(ROUTER, probe_port(&daemon)?);
    stranger.flood(3, &[(ANSWERS, &|n| answer(SERVER, us, "200 OK", n))])?;
    let target = daemon.target("paris")?;
    assert_eq!((&target["health"], &target["serving"]), (&"down".into(), &"backup".into()), "{target}");
    assert_eq!(changes(&daemon)?, before);
    Ok(())
}
