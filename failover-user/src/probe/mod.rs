//! Probers: one task for each probed service of a server. I/O only; what an outcome means is decided by
//! [`crate::health::machine`], which every prober owns one of.
//!
//! ```text
//!  again ──▶ run: wait ─▶ probe ─▶ observe ─▶ report ──▶ reports
//!                 ▲  └──────▶ exemptions      │
//!                 └───────────────────────────┘
//! ```
//!
//! Invariants:
//! - No packet leaves a probe socket before the data plane has confirmed that it will not touch the answers
//!   ([`Exemption`]): a `dedicated` backup's answers would otherwise be rewritten, and never match the socket.
//! - Only an answer on the connected socket counts that repeats the random token of a probe (a Via branch and a Call-ID, a
//!   transaction identifier) which is younger than the policy's timeout: a server that answers each probe later than that has
//!   failed each of them, however steadily its answers come in.
//! - What a probe socket sends is marked, so that the data plane leaves it alone where it leaves the router.
//! - What a stranger can forge (datagrams, ICMP errors) neither fails a probe, nor makes it succeed, nor keeps a
//!   CPU busy.
//! - A probe ends within its policy's timeout from its first packet on, and usually much sooner ([`Machine::patience`]).
//!
//! Nothing here waits for anything but its channels and its own socket. Whoever drains `reports` and answers
//! `exemptions` must not itself wait for a prober: that would be a deadlock.

mod ask;
mod command;
mod exempt;
mod h225;
mod icmp;
mod megaco;
mod mgcp;
mod pace;
mod prober;
mod random;
mod ras;
mod sip;
mod tcp;
mod tls;
mod udp;

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use failover_common::names::MARK;
use socket2::SockRef;
use tokio::sync::{mpsc, oneshot};

pub use self::exempt::{Exemption, Ledger};
use self::{
    pace::{fraction, jittered, least_patience, pending, random_u32, turn},
    prober::Prober,
};
use crate::{
    config::model::{Probe, Service},
    health::{
        Health,
        machine::{Machine, Observation, Transition},
    },
};

/// Least time from one probe's start to the next one's, however often a probe is asked for.
const LEAST_GAP: Duration = Duration::from_millis(1);
/// The most that a first probe is put off, so that many probers do not start in step.
const LONGEST_FIRST_DELAY: Duration = Duration::from_millis(100);

/// What is probed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The server's own address and port for the service.
    pub server: SocketAddr,
    /// Protocol and transport. Its port is the target's, and not used here.
    pub service: Service,
    /// Timings, thresholds, and what counts as alive.
    pub policy: Probe,
}

/// How one probe ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer that counts as life.
    Alive {
        /// From the request (TCP: from the SYN) to the answer.
        rtt: Duration,
        /// The answer, in words: `200 OK`.
        said: String,
    },
    /// Anything else.
    Failed {
        /// What happened, in words: `no answer in 300ms`.
        said: String,
    },
    /// A clear no, which is not silence: an answer that does not count, a refused or reset connection, an ICMP error that
    /// quotes the question.
    Refused {
        /// What happened, in words: `503 Service Unavailable`, `connection refused`.
        said: String,
    },
    /// This machine could not ask (no descriptors, no ports, its own firewall, …): that says nothing about the server,
    /// and leaves its health as it is.
    Unable {
        /// What happened, in words: `cannot open a UDP socket to 192.0.2.10:5060: too many open files`.
        said: String,
    },
}

impl Outcome {
    fn unable(said: impl Into<String>) -> Self {
        Self::Unable { said: said.into() }
    }

    /// An error before anything was sent: this machine's own, or that there is no way to the server.
    fn unsent(said: String, error: &io::Error) -> Self {
        if is_own_fault(error) { Self::Unable { said } } else { Self::Failed { said } }
    }

    /// In words.
    pub fn said(&self) -> &str {
        let (Self::Alive { said, .. }
        | Self::Failed { said }
        | Self::Refused { said }
        | Self::Unable { said }) = self;
        said
    }

    const fn observation(&self) -> Option<Observation> {
        match self {
            Self::Alive { .. } => Some(Observation::Alive),
            Self::Failed { .. } => Some(Observation::Silent),
            Self::Refused { .. } => Some(Observation::Refused),
            Self::Unable { .. } => None,
        }
    }
}

/// One probe's outcome, and what is known of the service since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whose report: [`run`]'s `id`.
    pub id: u32,
    /// When the outcome was known.
    pub at: Instant,
    /// How much later than planned it was asked.
    pub late: Duration,
    /// What was asked, in words: `OPTIONS sip:192.0.2.10:5060, CSeq 7`.
    pub question: String,
    /// How the probe ended.
    pub outcome: Outcome,
    /// The service's health, this outcome included.
    pub health: Health,
    /// Whether the service was ever seen alive.
    pub ever_alive: bool,
    /// The change of health that this outcome made.
    pub transition: Option<Transition>,
    /// Consecutive failures.
    pub failures: u32,
    /// The policy's threshold.
    pub fall: u8,
    /// What the outcome is not enough for, in words.
    pub pending: Option<String>,
}

impl Report {
    /// Has the machine take in an outcome, known now, of a question that was asked at `asked`.
    fn of(prober: &mut Prober, outcome: Outcome, machine: &mut Machine, asked: Instant) -> Self {
        let at = tokio::time::Instant::now().into_std();
        let asked = match outcome {
            // It may have been an earlier question.
            Outcome::Alive { rtt, .. } => at.checked_sub(rtt).unwrap_or(asked),
            _ => asked,
        };
        let transition =
            outcome.observation().and_then(|observation| machine.observe(observation, asked, at));
        Self {
            id: prober.id,
            at,
            late: prober.late,
            question: std::mem::take(&mut prober.question),
            outcome,
            health: machine.health(),
            ever_alive: machine.ever_alive(),
            transition,
            failures: machine.failures(),
            fall: prober.subject.policy.fall.get(),
            pending: pending(machine, at),
        }
    }
}

/// Probes `subject` for ever: until `reports` is closed, or the task is aborted.
///
/// The first probe starts after a random part of the interval, at most 100 ms, and a fifth of a millisecond for each prober
/// before this one (by `id`). The next one starts an interval
/// (±10 %) after the last one's start, or as soon as that one is done and reported. A message on `again` has it start at
/// once, and is answered when that probe is done and reported; messages that arrive during a probe ask for another.
/// A full `reports` holds probing up, so that no report is lost.
///
/// Cancel safety: it may be aborted at any point. Sockets close, and exemptions are taken back by [`Exemption`]s
/// that nobody waits for; where that channel is full they stay behind, which is logged, and does no harm but to
/// keep an entry: packets to an address and port of this router that nobody uses are not touched. Requests of `again`
/// that were not answered see their channel closed.
pub async fn run(
    id: u32,
    subject: Subject,
    exemptions: mpsc::Sender<Exemption>,
    mut again: mpsc::Receiver<oneshot::Sender<()>>,
    reports: mpsc::Sender<Report>,
) {
    let mut machine = Machine::new(&subject.policy, least_patience(subject.service.transport));
    let interval = subject.policy.interval;
    let first = interval.min(LONGEST_FIRST_DELAY).mul_f64(fraction(random_u32())) + turn(id);
    let mut prober = Prober::new(id, subject, exemptions);
    let mut next = tokio::time::Instant::now() + first;
    let mut earliest = tokio::time::Instant::now();
    loop {
        let asked = tokio::select! {
            asked = wait(next, earliest, &mut again) => asked,
            () = reports.closed() => return,
        };
        let started = tokio::time::Instant::now();
        // One that was asked for before its time is not late.
        prober.late = started.saturating_duration_since(next.max(earliest));
        prober.wait = prober.patience(&machine);
        prober.repeat = machine.repeat(prober.wait);
        let outcome = prober.probe().await;
        let report = Report::of(&mut prober, outcome, &mut machine, started.into_std());
        let unable = matches!(report.outcome, Outcome::Unable { .. });
        if reports.send(report).await.is_err() {
            return;
        }
        for done in asked {
            // Whoever asked may have left.
            let _ = done.send(());
        }
        earliest = started + LEAST_GAP;
        // This machine's own want is not mended by asking for more.
        let pause = if unable { interval.max(machine.next_interval()) } else { machine.next_interval() };
        next = started + jittered(pause, random_u32());
    }
}

/// Until `next`, or until somebody asks for a probe, but not before `earliest`. Gives back everybody who asks by
/// then.
async fn wait(
    next: tokio::time::Instant,
    earliest: tokio::time::Instant,
    again: &mut mpsc::Receiver<oneshot::Sender<()>>,
) -> Vec<oneshot::Sender<()>> {
    let mut asked = Vec::new();
    tokio::select! {
        () = tokio::time::sleep_until(next) => {}
        // A closed channel disables this branch.
        Some(done) = again.recv() => asked.push(done),
    }
    if tokio::time::Instant::now() < earliest {
        tokio::time::sleep_until(earliest).await;
    }
    while let Ok(done) = again.try_recv() {
        asked.push(done);
    }
    asked
}

/// Whether an error of a socket call is about this machine's means or rules, and not about the way to the server.
fn is_own_fault(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let own = [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOMEM,
        Errno::NOBUFS,
        Errno::ADDRINUSE,
        Errno::ADDRNOTAVAIL,
        Errno::PERM,
        Errno::ACCESS,
    ];
    Errno::from_io_error(error).is_some_and(|errno| own.contains(&errno))
}

/// An I/O error without its number: `connection refused`.
fn words(error: &io::Error) -> String {
    match error.kind().to_string() {
        vague if vague.contains("error") => error.to_string(),
        clear => clear,
    }
}

/// The unspecified address of `server`'s family, any port.
fn any_local(server: SocketAddr) -> SocketAddr {
    match server {
        SocketAddr::V4(_) => (std::net::Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

/// The local address that packets to `server` leave with, port 0, as the routes are now. Sends nothing.
fn local_towards(server: SocketAddr) -> io::Result<SocketAddr> {
    let scratch = std::net::UdpSocket::bind(any_local(server))?;
    scratch.connect(server)?;
    let mut local = scratch.local_addr()?;
    local.set_port(0);
    Ok(local)
}

/// Has the data plane leave alone what a socket sends. Who may not do that has no data plane on this machine either.
fn leave_alone<'a, S>(socket: &'a S) -> io::Result<()>
where
    SockRef<'a>: From<&'a S>,
{
    match SockRef::from(socket).set_mark(MARK) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        marked => marked,
    }
}

#[cfg(test)]
mod tests;
