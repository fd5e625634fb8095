//! The configuration, valid by construction: what is in here needs no second look anywhere else.
//! Made only by [`super::load`]; the shapes of `raw` and this file differ on purpose.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    path::PathBuf,
    time::Duration,
};

pub use super::{
    addresses::{Addresses, Family},
    flap::Flap,
    policy::{Command, OwnCertificate, Probe, RasRequest, StatusSet, Tls, Way},
    prefix::Prefix,
    ras::RasAlive,
    servers::Server,
};

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The router itself.
    pub router: Router,
    /// In the order of the file. Names and services are unique.
    pub targets: Vec<Target>,
}

/// `[router]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Router {
    /// Where signalling enters and leaves; unique names, at least one.
    pub interfaces: Vec<Interface>,
    /// The control API's Unix socket.
    pub control_socket: PathBuf,
    /// Where admin states live.
    pub state_dir: PathBuf,
    /// Where programs, links and maps are pinned: a folder on a bpffs.
    pub bpffs_dir: PathBuf,
    /// Room in the flow tables.
    pub max_flows: NonZeroU32,
    /// Who forwards what is rewritten.
    pub forward: Forward,
    /// Where metrics are served, if anywhere.
    pub http_listen: Option<SocketAddr>,
    /// What is run on every transition, if anything.
    pub hook: Option<PathBuf>,
    /// Where envelopes of IPv4 come from, if not from the router's own address: /16 to /31.
    pub envelope_source: Option<Prefix>,
}

/// Who forwards a packet that is rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Forward {
    /// XDP, by redirecting it to its device; the kernel, where that cannot be.
    #[default]
    Xdp,
    /// The kernel, whose firewall and address translation see it.
    Kernel,
}

/// One interface of the router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The device's name, 1 to 15 bytes.
    pub name: String,
    /// How the XDP program is attached.
    pub mode: Mode,
}

/// How an XDP program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// Native where the driver can, else generic.
    #[default]
    Auto,
    /// In the driver.
    Native,
    /// In the kernel's network stack, on an sk_buff.
    Generic,
}

/// A primary proxy or gatekeeper whose signalling is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Unique; letters, digits, `-`, `_`, `.`; at most 63 bytes.
    pub name: String,
    /// The primary's addresses.
    pub addresses: Addresses,
    /// At least one; (transport, port) unique.
    pub services: Vec<Service>,
    /// How packets get to a backup.
    pub steer: Steer,
    /// When packets return to the primary.
    pub failback: Failback,
    /// What stays with the server at which it began, whatever `failback` says.
    pub affinity: Affinity,
    /// A client, or a call, of which nothing is heard over UDP for so long is gone.
    pub udp_idle: Duration,
    /// A connection of which nothing is heard for so long is over.
    pub tcp_idle: Duration,
    /// How long draining may take.
    pub drain_limit: Duration,
    /// What happens when no server is healthy.
    pub all_down: AllDown,
    /// How many of the services decide.
    pub require: Require,
    /// Whether requests to the primary that have had no answer are sent to the backup at a switch (SIP over UDP).
    pub replay: bool,
    /// How the target's servers are probed.
    pub probe: Probe,
    /// In order of preference; at least one, at most [`failover_common::names::MAX_BACKUPS`].
    pub backups: Vec<Backup>,
}

impl Target {
    /// Whether the data plane knows who was sent to a backup: the answers of one that carries the target's address do not
    /// pass it.
    pub fn remembers(&self) -> bool {
        self.steer == Steer::Nat
    }

    /// Whether what its clients and its primary say to each other is watched.
    pub fn is_watched(&self) -> bool {
        self.replay && self.services.iter().any(Service::is_sip_over_udp)
    }

    /// Whether something that began at a backup may be left there when the primary returns.
    pub fn keeps(&self) -> bool {
        self.keeps_connections() || self.keeps_calls()
    }

    /// The same of TCP connections.
    pub fn keeps_connections(&self) -> bool {
        self.failback == Failback::Drain && self.remembers()
    }

    /// The same of calls and subscriptions (SIP over UDP).
    pub fn keeps_calls(&self) -> bool {
        let kept = self.failback == Failback::Drain || self.affinity == Affinity::Call;
        kept && self.remembers() && self.services.iter().any(Service::is_sip_over_udp)
    }
}

/// One (transport, port) of a target, and the protocol that is spoken there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Service {
    /// The protocol.
    pub kind: ServiceKind,
    /// UDP or TCP.
    pub transport: Transport,
    /// The target's port.
    pub port: u16,
}

impl Service {
    /// Whether its messages are datagrams with a Call-ID.
    pub fn is_sip_over_udp(&self) -> bool {
        self.kind == ServiceKind::Sip && self.transport == Transport::Udp
    }
}

/// The signalling protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServiceKind {
    /// RFC 3261 over UDP and TCP, port 5060.
    Sip,
    /// RFC 3261 over TLS, TCP port 5061.
    Sips,
    /// H.225.0 RAS, UDP port 1719.
    Ras,
    /// H.225.0 call signalling, TCP port 1720.
    H225,
    /// RFC 3435, UDP port 2427.
    Mgcp,
    /// H.248.1 text encoding, UDP and TCP port 2944.
    Megaco,
}

/// The transports that carry signalling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// RFC 768.
    Udp,
    /// RFC 9293.
    Tcp,
}

/// A server that can stand in for a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Unique within its target.
    pub name: String,
    /// Its own addresses, none of them the target's. At least one of them can serve an address of the target
    /// ([`Steer::address`]); one that cannot serves nobody.
    pub addresses: Addresses,
    /// Where it serves each of the target's services: as long as [`Target::services`], in the same order.
    pub ports: Vec<u16>,
    /// The address serves this target alone.
    pub dedicated: bool,
}

/// How a target's packets get to a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Steer {
    /// Addresses and ports are rewritten, and put back in the answers.
    #[default]
    Nat,
    /// By the backup's MAC address: it is a direct neighbour, and carries the target's address itself.
    L2,
    /// In an envelope: the backup carries the target's address itself, wherever it is.
    Ipip,
}

impl Steer {
    /// The address of a backup to which packets for an address of `family` go: of the same family; an envelope around
    /// IPv4 may be IPv6.
    pub const fn address(self, backup: Addresses, family: Family) -> Option<IpAddr> {
        match (self, backup.of(family), family) {
            (Self::Ipip, None, Family::V4) => backup.of(Family::V6),
            (_, address, _) => address,
        }
    }
}

impl fmt::Display for Steer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nat => "nat",
            Self::L2 => "l2",
            Self::Ipip => "ipip",
        })
    }
}

/// What is kept together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Affinity {
    /// What comes from one address and port.
    #[default]
    Flow,
    /// Over UDP, what has one Call-ID.
    Call,
}

/// When a target's signalling returns to a primary that is healthy again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Failback {
    /// At once, but for TCP connections that began at the backup: they end there.
    #[default]
    Drain,
    /// At once.
    Immediate,
    /// When the operator says so: `failover target auto NAME`.
    Manual,
}

/// What happens to a target's signalling when none of its servers is healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AllDown {
    /// It goes to the primary, as if `failover` were not here.
    #[default]
    Primary,
    /// It goes to the first backup.
    Backup,
    /// It is dropped.
    Drop,
}

/// How many of a server's services must answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Require {
    /// Every one that was ever seen alive.
    #[default]
    All,
    /// One is enough.
    Any,
}

impl Transport {
    /// The protocol number of an IP header.
    pub const fn protocol(self) -> u8 {
        match self {
            Self::Udp => failover_common::key::UDP,
            Self::Tcp => failover_common::key::TCP,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        })
    }
}

impl ServiceKind {
    /// The word in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sip => "sip",
            Self::Sips => "sips",
            Self::Ras => "ras",
            Self::H225 => "h225",
            Self::Mgcp => "mgcp",
            Self::Megaco => "megaco",
        }
    }

    /// The registered port.
    pub const fn port(self) -> u16 {
        match self {
            Self::Sip => 5060,
            Self::Sips => 5061,
            Self::Ras => 1719,
            Self::H225 => 1720,
            Self::Mgcp => 2427,
            Self::Megaco => 2944,
        }
    }

    /// The transports that the bare word stands for.
    pub const fn transports(self) -> &'static [Transport] {
        match self {
            Self::Sip | Self::Megaco => &[Transport::Udp, Transport::Tcp],
            Self::Sips | Self::H225 => &[Transport::Tcp],
            Self::Ras | Self::Mgcp => &[Transport::Udp],
        }
    }
}

impl fmt::Display for Service {
    /// `sip/udp`, or `sip/udp:5080` where the port is not the registered one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.name(), self.transport)?;
        if self.port == self.kind.port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

impl Mode {
    /// Whether a program that runs in mode `now` is what was asked for.
    pub fn is_met_by(self, now: Self) -> bool {
        self == Self::Auto || self == now
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Native => "native",
            Self::Generic => "generic",
        })
    }
}
