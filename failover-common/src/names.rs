//! The names and sizes under which kernel and userspace meet.

/// Version of every layout in this crate. Pinned maps live in a folder of this number, so that a daemon never
/// reads another layout's bytes.
pub const ABI_VERSION: u32 = 2;

/// The XDP program of the router's interfaces.
pub const PROGRAM_XDP: &str = "failover_xdp";
/// The XDP program that passes everything: for the far end of a veth pair, which can only receive redirected
/// frames while it has an XDP program of its own.
pub const PROGRAM_PASS: &str = "failover_pass";

/// Bitmap of signalling ports; one [`crate::value::PortBitmap`].
pub const PORTS: &str = "PORTS";
/// [`crate::key::EndpointKey`] of a target's service → [`crate::value::Service`].
pub const SERVICES: &str = "SERVICES";
/// Target id → [`crate::value::Availability`] (mapped into the daemon, one store).
pub const AVAILABILITY: &str = "AVAILABILITY";
/// `service id × MAX_BACKUPS + n` → [`crate::value::Server`]: backup n's endpoint for that service.
pub const SERVERS: &str = "SERVERS";
/// [`crate::key::EndpointKey`] of a backup → [`crate::value::Endpoint`].
pub const BACKUPS: &str = "BACKUPS";
/// [`crate::key::HostKey`]: the hosts that belong to a target (its backups and itself).
pub const HOSTS: &str = "HOSTS";
/// [`crate::key::FlowKey`] → [`crate::value::Return`]: the exact way back of one steered flow.
pub const RETURNS: &str = "RETURNS";
/// [`crate::key::ClientKey`] → [`crate::value::Return`]: the way to a client host that was steered before.
pub const CLIENTS: &str = "CLIENTS";
/// [`crate::key::FragmentKey`] → [`crate::value::FragmentWay`]: what the first fragment of a datagram decided.
pub const FRAGMENTS: &str = "FRAGMENTS";
/// [`crate::key::EndpointKey`] of the daemon's own probe sockets: never touched.
pub const PROBES: &str = "PROBES";
/// The devices that can take a redirected frame, by interface index.
pub const DEVICES: &str = "DEVICES";
/// `target id × REASON_SLOTS + reason` → [`crate::value::Counter`], per CPU. Target id 0 is "no target".
pub const COUNTERS: &str = "COUNTERS";
/// Target id → the generation whose first steered packet was announced.
pub const ANNOUNCED: &str = "ANNOUNCED";
/// Ring buffer of [`crate::event::Event`].
pub const EVENTS: &str = "EVENTS";

/// One [`crate::trace::Trace`] per CPU, never pinned: what the twin of `failover explain` leaves.
pub const TRACE: &str = "TRACE";
/// The read-only global that makes a loaded object the twin: 1 there, 0 in the program that is attached.
pub const DRY_RUN: &str = "DRY_RUN";

/// The most backups that one target may have.
pub const MAX_BACKUPS: u32 = 8;
/// Counter slots per target; a [`crate::reason::Reason`] is below this.
pub const REASON_SLOTS: u32 = 64;
/// Datagrams in fragments that are known at a time; the least recently used makes room.
pub const FRAGMENT_SLOTS: u32 = 4096;
