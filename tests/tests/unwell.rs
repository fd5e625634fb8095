//! Primaries that are neither well nor dead: one that comes and goes, one that is slow and loses packets, and some whose
//! answers are not what they should be.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle, sleep},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use failover_tests::{
    daemon::{Daemon, accept_redirects},
    kamailio::Kamailio,
    netns::Namespace,
    responder::Responder,
    settings::{Settings, Target},
    sip,
    stream::Stream,
    topology::{BACKUP, CALLERS, Lab, PRIMARY, Weight, add_address, lose_datagrams},
};

const SERVER: SocketAddrV4 = SocketAddrV4::new(PRIMARY, sip::PORT);
const PHONE: SocketAddrV4 = SocketAddrV4::new(CALLERS, 5062);
/// The defaults.
const PROBE: &str = "{}";
const PATIENCE: Duration = Duration::from_secs(8);

/// How often somebody else began to serve.
fn transitions(daemon: &Daemon) -> Result<Vec<String>> {
    let events = daemon.events()?;
    let serving =
        events.iter().filter(|event| matches!(event["kind"].as_str(), Some("serving" | "draining")));
    Ok(serving.map(ToString::to_string).collect())
}

#[test]
fn a_primary_that_comes_and_goes_is_left_alone_soon() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let mut primary = Some(Responder::start(&lab.primary, SERVER, "primary")?);
    let _backup = Responder::start(&lab.backup, SocketAddrV4::new(BACKUP, sip::PORT), "backup")?;
    accept_redirects(&lab)?;
    let settings = Settings::empty(&lab).with(Target::new("paris", PRIMARY, BACKUP).udp_only());
    let daemon = Daemon::start(&lab, &settings.probe(PROBE))?;
    daemon.wait_all_up(PATIENCE)?;
    let phone = Stream::start(&lab.phones, PHONE, SERVER, 50)?;
    for _ in 0..10 {
        sleep(Duration::from_secs(1));
        drop(primary.take());
        sleep(Duration::from_secs(1));
        primary = Some(Responder::start(&lab.primary, SERVER, "primary")?);
    }
    let answers = phone.finish()?;
    let transitions = transitions(&daemon)?;
    println!("{} transitions, {} of {} requests lost", transitions.len(), answers.lost().len(), answers.sent);
    assert!((1..=4).contains(&transitions.len()), "{transitions:?}");
    // One gap at most is the phones' own loss, and shorter than the second for which the primary was gone.
    assert!(answers.lost().len() <= 50, "{:?}", answers.lost());
    assert!(answers.servers().contains("backup"));
    Ok(())
}

/// Alone on the machine: how long the primary stands still is for the test to say, and not for the machine.
#[test]
fn a_primary_that_is_slow_and_loses_packets_is_not_called_dead() -> Result<()> {
    let lab = Lab::new(Weight::Heavy)?;
    let primary = Kamailio::primary(&lab)?;
    let _backup = Kamailio::backup(&lab)?;
    let daemon = Daemon::start_with_redirect(&lab, &Settings::standard(&lab).probe(PROBE))?;
    lose_datagrams(&lab.primary, 2)?;
    let phone = Stream::start(&lab.phones, PHONE, SERVER, 50)?;
    for _ in 0..5 {
        sleep(Duration::from_secs(2));
        primary.stop()?;
        sleep(Duration::from_millis(150));
        primary.cont()?;
    }
    let answers = phone.finish()?;
    println!("{} of {} requests lost", answers.lost().len(), answers.sent);
    assert_eq!(transitions(&daemon)?, [""; 0]);
    assert!(!answers.lost().is_empty(), "packets are lost");
    Ok(())
}

/// How a server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Half of the answer.
    Truncated,
    /// As much text that nobody asked for as a datagram holds.
    Oversized,
    /// From another port of its own.
    OtherPort,
    /// From another address of its own.
    OtherAddress,
    /// With what is no SIP at all.
    Garbage,
    /// It wants no calls, whatever it is asked.
    Unwilling,
    /// With its first answer, always.
    Stale,
    /// Each answer three times.
    Thrice,
    /// An eighth of a second late.
    Late,
}

impl Manner {
    const ALL: [Self; 9] = [
        Self::Truncated,
        Self::Oversized,
        Self::OtherPort,
        Self::OtherAddress,
        Self::Garbage,
        Self::Unwilling,
        Self::Stale,
        Self::Thrice,
        Self::Late,
    ];

    /// What the daemon says of it; none where it is well.
    fn said(self) -> Option<&'static str> {
        match self {
            Self::Truncated | Self::OtherPort | Self::OtherAddress | Self::Garbage | Self::Stale => {
                Some("no answer in ")
            }
            Self::Unwilling => Some("503 Service Unavailable"),
            Self::Oversized | Self::Thrice | Self::Late => None,
        }
    }

    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// A server that answers well, and then in its own manner. Dropping it ends it.
struct Oddity {
    manner: Manner,
    odd: Arc<AtomicBool>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Where a server answers, and from where it had better not.
struct Sockets {
    right: UdpSocket,
    other_port: UdpSocket,
    other_address: UdpSocket,
}

impl Oddity {
    fn address(n: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 2, 20 + n)
    }

    fn start(host: &Namespace, manner: Manner, n: u8) -> Result<Self> {
        let address = Self::address(n);
        add_address(host, address)?;
        let bind =
            |to: SocketAddrV4| host.enter(|| UdpSocket::bind(to).with_context(|| format!("bind {to}")));
        let sockets = Sockets {
            right: bind(SocketAddrV4::new(address, sip::PORT))?,
            other_port: bind(SocketAddrV4::new(address, sip::PORT + 1))?,
            other_address: bind(SocketAddrV4::new(PRIMARY, 6000 + u16::from(n)))?,
        };
        sockets.right.set_read_timeout(Some(Duration::from_millis(20)))?;
        let (odd, end) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let thread = thread::spawn({
            let (odd, end) = (Arc::clone(&odd), Arc::clone(&end));
            move || serve(&sockets, manner, &odd, &end)
        });
        Ok(Self { manner, odd, end, thread: Some(thread) })
    }
}

impl Drop for Oddity {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(sockets: &Sockets, manner: Manner, odd: &AtomicBool, end: &AtomicBool) {
    let mut buffer = vec![0; 1 << 16];
    let mut first = None;
    while !end.load(Ordering::Relaxed) {
        let Ok((length, from)) = sockets.right.recv_from(&mut buffer) else { continue };
        let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let Some(well) = sip::response(&request, "200 OK", "") else { continue };
        let first = first.get_or_insert_with(|| well.clone());
        if odd.load(Ordering::Relaxed) {
            answer_oddly(sockets, manner, &request, &well, first, from);
        } else {
            let _ = sockets.right.send_to(well.as_bytes(), from);
        }
    }
}

fn answer_oddly(sockets: &Sockets, manner: Manner, request: &str, well: &str, first: &str, from: SocketAddr) {
    let send = |socket: &UdpSocket, text: &str| drop(socket.send_to(text.as_bytes(), from));
    let with = |status: &str, extra: &str| sip::response(request, status, extra).unwrap_or_default();
    let right = &sockets.right;
    match manner {
        Manner::Truncated => send(right, &well[..well.len() / 2]),
        Manner::Oversized => send(right, &with("200 OK", &format!("X-Padding: {}\r\n", "x".repeat(60_000)))),
        Manner::OtherPort => send(&sockets.other_port, well),
        Manner::OtherAddress => send(&sockets.other_address, well),
        Manner::Garbage => {
            for garbage in ["\0\0\0\0", "SIP/2.0 200", &"\u{fffd}".repeat(20_000), "\r\n\r\n"] {
                send(right, garbage);
            }
        }
        Manner::Unwilling => send(right, &with("503 Service Unavailable", "Retry-After: 3600\r\n")),
        Manner::Stale => send(right, first),
        Manner::Thrice => (0..3).for_each(|_| send(right, well)),
        Manner::Late => {
            sleep(Duration::from_millis(125));
            send(right, well);
        }
    }
}

#[test]
fn answers_that_are_not_what_they_should_be() -> Result<()> {
    const WATCHED: Duration = Duration::from_secs(3);
    let lab = Lab::new(Weight::Quick)?;
    let _backup = Responder::start(&lab.backup, SocketAddrV4::new(BACKUP, sip::PORT), "backup")?;
    let mut settings = Settings::empty(&lab).probe(PROBE);
    let mut servers = Vec::new();
    for (manner, n) in Manner::ALL.into_iter().zip(0..) {
        servers.push(Oddity::start(&lab.primary, manner, n)?);
        settings = settings.with(Target::new(&manner.name(), Oddity::address(n), BACKUP).udp_only().shared());
    }
    accept_redirects(&lab)?;
    let daemon = Daemon::start(&lab, &settings)?;
    daemon.wait_all_up(PATIENCE)?;
    for server in &servers {
        server.odd.store(true, Ordering::Relaxed);
    }
    let began = Instant::now();
    for server in &servers {
        let Some(said) = server.manner.said() else { continue };
        let target = daemon.wait_serving(&server.manner.name(), "backup", PATIENCE)?;
        let reason = target["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(said), "{:?}: {target}", server.manner);
    }
    sleep(WATCHED.saturating_sub(began.elapsed()));
    for server in servers.iter().filter(|server| server.manner.said().is_none()) {
        let target = daemon.target(&server.manner.name())?;
        assert_eq!(target["serving"], "primary", "{:?}: {target}", server.manner);
    }
    let log = daemon.log();
    assert!(!log.contains("panicked"), "{log}");
    Ok(())
}
