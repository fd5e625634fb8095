//! How a target's servers are probed: timings, thresholds, the way they are asked, and what counts as life.

use std::{fmt, num::NonZeroU8, path::PathBuf, sync::Arc, time::Duration};

use super::{flap::Flap, ras::RasAlive};

/// How servers are probed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Probe {
    /// From one probe's start to the next one's.
    pub interval: Duration,
    /// The same, while the server is suspect.
    pub fast_interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Consecutive failures until `down`.
    pub fall: NonZeroU8,
    /// Consecutive answers until `up`.
    pub rise: NonZeroU8,
    /// The least time in `recovering`; it never delays going down.
    pub hold_down: Duration,
    /// How long nothing at all must be heard before silence alone means `down`.
    pub silence: Duration,
    /// How long what never answered is not called down, after a start.
    pub warm_up: Duration,
    /// How a server that comes and goes is kept away.
    pub flap: Flap,
    /// What is done.
    pub way: Way,
    /// SIP status codes that count as alive.
    pub sip_alive: StatusSet,
    /// How TLS is spoken with `sips`.
    pub tls: Tls,
    /// What is asked over RAS.
    pub ras: RasRequest,
    /// Answers of RAS that count as alive.
    pub ras_alive: RasAlive,
    /// MGCP response codes that count as alive.
    pub mgcp_alive: StatusSet,
    /// MEGACO error codes that count as alive; a reply without an error always does.
    pub megaco_alive: StatusSet,
}

impl Default for Probe {
    /// The built-in values.
    fn default() -> Self {
        const THREE: NonZeroU8 = NonZeroU8::MIN.saturating_add(2);
        Self {
            interval: Duration::from_secs(1),
            fast_interval: Duration::from_millis(50),
            timeout: Duration::from_millis(300),
            fall: THREE,
            rise: THREE,
            hold_down: Duration::from_secs(10),
            silence: Duration::from_millis(200),
            warm_up: Duration::from_secs(2),
            flap: Flap::default(),
            way: Way::Protocol,
            sip_alive: StatusSet::sip(),
            tls: Tls::default(),
            ras: RasRequest::default(),
            ras_alive: RasAlive::default(),
            mgcp_alive: StatusSet::mgcp(),
            megaco_alive: StatusSet::megaco(),
        }
    }
}

/// What is asked over RAS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RasRequest {
    /// LRQ for the alias by which GnuGk is probed.
    #[default]
    Lrq,
    /// GRQ without a gatekeeper's identifier.
    Grq,
}

impl RasRequest {
    /// The word in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lrq => "lrq",
            Self::Grq => "grq",
        }
    }
}

/// What a probe does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Way {
    /// It asks as the service's protocol has it.
    #[default]
    Protocol,
    /// The same over UDP; over TCP a connection that is accepted is enough.
    Connect,
    /// It runs a program.
    Command(Command),
}

/// A program that probes, and the target in whose name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Command {
    /// An absolute path.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The target's name.
    pub target: String,
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.program.display())?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {}", argument.escape_debug()))
    }
}

/// How TLS is spoken with a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tls {
    /// The host's name that its certificate has to be for; none: its address.
    pub server_name: Option<String>,
    /// A PEM file of the authorities that count; none: the system's.
    pub ca: Option<PathBuf>,
    /// Whether its certificate is looked at.
    pub verify: bool,
    /// What is shown to a server that asks who we are.
    pub own: Option<OwnCertificate>,
}

/// A certificate of the router's own, in PEM files.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OwnCertificate {
    /// The certificate, and those of authorities between it and one that servers know.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Default for Tls {
    fn default() -> Self {
        Self { server_name: None, ca: None, verify: true, own: None }
    }
}

/// A set of codes of three digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StatusSet {
    /// Inclusive ranges.
    pub ranges: Arc<[(u16, u16)]>,
}

impl StatusSet {
    /// Whether `status` is in the set.
    pub fn contains(&self, status: u16) -> bool {
        self.ranges.iter().any(|&(low, high)| (low..=high).contains(&status))
    }

    /// Any answer but a 5xx: the words of the design's default, `["1xx", "2xx", "3xx", "4xx", "6xx"]`. A 503 is the
    /// answer of a living server that wants no calls.
    pub fn sip() -> Self {
        Self { ranges: [(100, 499), (600, 699)].into() }
    }

    /// Any response: who refuses a question about endpoints may well serve those that he has.
    pub fn mgcp() -> Self {
        Self { ranges: [(100, 299), (400, 599), (800, 899)].into() }
    }

    /// Any error: who refuses to be audited is there.
    pub fn megaco() -> Self {
        Self { ranges: [(400, 599)].into() }
    }
}

impl fmt::Display for StatusSet {
    /// `100–499, 600–699`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (low, high)) in self.ranges.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            if low == high { write!(f, "{comma}{low}")? } else { write!(f, "{comma}{low}–{high}")? }
        }
        Ok(())
    }
}
