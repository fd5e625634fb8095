//! The names and sizes under which kernel and userspace meet.

/// Version of every layout in this crate. Pinned maps live in a folder of this number, so that a daemon never
/// reads another layout's bytes.
pub const ABI_VERSION: u32 = 6;

/// The XDP program of the router's interfaces.
pub const PROGRAM_XDP: &str = "failover_xdp";
/// The TCX program of the same interfaces' way out.
pub const PROGRAM_EGRESS: &str = "failover_egress";
/// The XDP program that passes everything: for the far end of a veth pair, which can only receive redirected
/// frames while it has an XDP program of its own.
pub const PROGRAM_PASS: &str = "failover_pass";
/// The XDP program of a backup's host that has no tunnel device: takes packets out of the router's envelopes.
pub const PROGRAM_DECAP: &str = "failover_decap";

/// Two [`crate::value::PortBitmap`]s: [`SIGNALLING`] ports, and those of the daemon's own [`PROBING`] sockets.
pub const PORTS: &str = "PORTS";
/// One [`crate::value::Filters`]: tells most packets that are for nobody from the others.
pub const FILTERS: &str = "FILTERS";
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
/// Service id → [`crate::value::Origin`]: the address and port under which clients know the service.
pub const ORIGINS: &str = "ORIGINS";
/// [`crate::key::FlowKey`] → [`crate::value::Flow`]: who was sent to a backup, and was not answered yet. The least recently
/// used makes room.
pub const UNANSWERED: &str = "UNANSWERED";
/// The same of who was answered: nobody makes room here but the daemon, for what is idle or over.
pub const ANSWERED: &str = "ANSWERED";
/// [`crate::key::CallKey`] → [`crate::value::Call`]: SIP dialogs that somebody has asked a backup for, and that are not
/// answered yet. The least recently used makes room.
pub const UNANSWERED_CALLS: &str = "UNANSWERED_CALLS";
/// The same of those that were answered: nobody makes room here but the daemon, for what is idle or over.
pub const ANSWERED_CALLS: &str = "ANSWERED_CALLS";
/// One u64: what makes the hashes of Call-IDs nobody else's.
pub const CALL_SEED: &str = "CALL_SEED";
/// [`crate::key::FragmentKey`] → [`crate::value::FragmentWay`]: what the first fragment of a datagram decided.
pub const FRAGMENTS: &str = "FRAGMENTS";
/// [`crate::key::EndpointKey`] of the daemon's own probe sockets: never touched.
pub const PROBES: &str = "PROBES";
/// The devices that can take a redirected frame, by interface index; and again by index | [`SCATTERED`], where they take
/// frames in several buffers.
pub const DEVICES: &str = "DEVICES";
/// One u32: another number whenever the router's routes, rules, neighbours or devices have changed, so that next hops
/// which were kept are looked up again; 0: none may be kept.
pub const EPOCH: &str = "EPOCH";
/// Index of an interface on which the program is attached → [`crate::value::Station`].
pub const STATIONS: &str = "STATIONS";
/// Place in the order of the configuration → [`crate::key::EndpointKey`] of the RAS service of a target that a phone may find
/// when it asks for any gatekeeper.
pub const DISCOVERIES: &str = "DISCOVERIES";
/// `target id × REASON_SLOTS + reason` → [`crate::value::Counter`], per CPU, of packets about a target.
pub const COUNTERS: &str = "COUNTERS";
/// Interface index → its slot in the two that follow, from 1; 0: it has none, as those beyond [`INTERFACES_END`].
pub const INTERFACES: &str = "INTERFACES";
/// Slot → the interface's name, filled up with zeros: one that comes back with another index keeps its slot.
pub const INTERFACE_NAMES: &str = "INTERFACE_NAMES";
/// `(slot × 2 + about) × REASON_SLOTS + reason` → [`crate::value::Counter`], per CPU: `about` is 1 for packets about a
/// target, and 0 for all others, which are counted here alone.
pub const INTERFACE_COUNTERS: &str = "INTERFACE_COUNTERS";
/// Target id → the generation whose first steered packet was announced.
pub const ANNOUNCED: &str = "ANNOUNCED";
/// When a target's primary was last said not to live, by target id: in 2²⁴ ns of the monotonic clock.
pub const SUSPECTED: &str = "SUSPECTED";
/// Ring buffer of [`crate::event::Event`].
pub const EVENTS: &str = "EVENTS";
/// Ring buffer of [`crate::watch::Copied`], each with its frame behind it.
pub const COPIES: &str = "COPIES";
/// One u64 per CPU: frames that there was no room for in [`COPIES`], since the map was made.
pub const COPIES_LOST: &str = "COPIES_LOST";
/// [`crate::key::ConnectionKey`] → when it began, in seconds of the monotonic clock: TCP connections that a primary has
/// accepted. The least recently begun makes room.
pub const CONNECTIONS: &str = "CONNECTIONS";

/// A set of [`crate::key::TunnelKey`], never pinned: what [`PROGRAM_DECAP`] takes out of its envelope. The program's own;
/// the router's does not know it.
pub const TUNNELS: &str = "TUNNELS";
/// The most members of [`TUNNELS`].
pub const TUNNEL_SLOTS: u32 = 1024;

/// One [`crate::trace::Trace`] per CPU, never pinned: what the twin of `failover explain` leaves.
pub const TRACE: &str = "TRACE";
/// The read-only global that says what a loaded object is for: a `ROLE_…`.
pub const ROLE: &str = "ROLE";
/// [`ROLE`] of the program that is attached.
pub const ROLE_ATTACHED: u8 = 0;
/// [`ROLE`] of the twin of `failover explain`.
pub const ROLE_TWIN: u8 = 1;
/// [`ROLE`] of the program that takes the attached one's place while somebody observes.
pub const ROLE_OBSERVER: u8 = 2;

/// One [`crate::observe::Interest`], never pinned, as the two that follow.
pub const INTEREST: &str = "INTEREST";
/// Ring buffer of [`crate::observe::Sighting`], each with its bytes behind it.
pub const SIGHTINGS: &str = "SIGHTINGS";
/// One [`crate::observe::Missed`] per CPU.
pub const MISSED: &str = "MISSED";

/// The bitmap of signalling ports in [`PORTS`].
pub const SIGNALLING: u32 = 0;
/// The bitmap of the ports of probe sockets in [`PORTS`].
pub const PROBING: u32 = 1;
/// Next hops that are kept, so many slots for each CPU, never pinned.
pub const NEXT_HOPS: &str = "NEXT_HOPS";
/// The read-only global that is one less than there are of them for each CPU.
pub const NEXT_HOP_MASK: &str = "NEXT_HOP_MASK";
/// Bytes of such a slot.
pub const NEXT_HOP_BYTES: usize = 64;
/// The least slots that there may be: a power of two.
pub const LEAST_NEXT_HOPS: u32 = 1024;
/// The most, for as long as no CPU is short of memory.
pub const MOST_NEXT_HOPS: u32 = 65_536;
/// The read-only global that says who forwards: 1 the kernel, whatever was rewritten (`forward = "kernel"`), 0 XDP.
pub const KERNEL_FORWARDS: &str = "KERNEL_FORWARDS";
/// The read-only global [`crate::entropy::Sources`]: where envelopes of IPv4 come from.
pub const ENVELOPE_SOURCES: &str = "ENVELOPE_SOURCES";
/// The bit of a packet's mark (`SO_MARK`) with which it is never steered on its way out: a probe of the daemon's, or a
/// packet that was steered there already. It is taken away on the way out.
pub const MARK: u32 = 0x0800_0000;

/// The most backups that one target may have.
pub const MAX_BACKUPS: u32 = 8;
/// Counter slots per target; a [`crate::reason::Reason`] is below this.
pub const REASON_SLOTS: u32 = 64;
/// Where a phone asks for any gatekeeper: the group, and the UDP port (H.225.0 §7.8).
pub const DISCOVERY: ([u8; 4], u16) = ([224, 0, 1, 41], 1718);
/// The most targets whose backups answer phones that look for any gatekeeper.
pub const MOST_DISCOVERIES: u32 = 8;
/// In a key of [`DEVICES`]; no interface index has it, since those are positive `int`s.
pub const SCATTERED: u32 = 1 << 31;
/// Datagrams in fragments that are known at a time; the least recently used makes room.
pub const FRAGMENT_SLOTS: u32 = 4096;
/// TCP connections with primaries that are known at a time.
pub const CONNECTION_SLOTS: u32 = 65_536;
/// Slots of interfaces, with that of those that have none.
pub const INTERFACE_SLOTS: u32 = 64;
/// Interface indices from here on have no slot.
pub const INTERFACES_END: u32 = 65_536;
