//! Map values.

/// Who serves a target: 8 bytes, written in one aligned store and read in one load, so that no packet ever sees
/// half a decision.
///
/// ```text
/// bits  0..8   serving: who gets what is new: 0 the primary, n the n-th backup (from 1), 255 nobody (drop)
/// bits  8..16  keeper: 0 none; else another server, which keeps what began there: 1 the primary, n + 1 the n-th backup
/// bits 16..32  live servers: bit 0 the primary, bit n the n-th backup
/// bits 32..64  generation: one more at every change of `serving`
/// ```
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Availability(pub u64);

impl Availability {
    /// `serving` when nobody may serve (`all_down = "drop"`).
    pub const NOBODY: u8 = 255;

    /// Composes a value.
    pub const fn new(serving: u8, live: u16, generation: u32) -> Self {
        Self(serving as u64 | (live as u64) << 16 | (generation as u64) << 32)
    }

    /// The same while another server keeps what began there; see [`Self::keeper`].
    #[must_use]
    pub const fn kept_by(self, keeper: u8) -> Self {
        Self(self.0 & !0xff00 | (keeper as u64) << 8)
    }

    /// 0 the primary, n the n-th backup, [`Self::NOBODY`].
    #[inline(always)]
    pub const fn serving(self) -> u8 {
        self.0 as u8
    }

    /// 0 none: the target is not draining; 1 the primary, n + 1 the n-th backup.
    #[inline(always)]
    pub const fn keeper(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// Bit 0 the primary, bit n the n-th backup.
    #[inline(always)]
    pub const fn live(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// One more at every change of [`Self::serving`].
    #[inline(always)]
    pub const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// A signalling service.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Service {
    /// Target id, from 1.
    pub target: u32,
    /// Service id, from 0: the row of `SERVERS`.
    pub service: u32,
    /// Where the service is also some other target's backup endpoint: that endpoint's id; else 0.
    pub endpoint: u32,
    /// The bits below.
    pub flags: u32,
    /// The target's own hosts.
    pub hosts: Hosts,
    /// Everyone's backups.
    pub backups: Hosts,
}

impl Service {
    /// Failback leaves connections that began at a backup there.
    pub const PIN_FLOWS: u32 = 2;
    /// Its datagrams are SIP's, and its servers answer by way of this router.
    pub const SIP: u32 = 4;
    /// With [`Self::SIP`]: failback leaves dialogs that began at a backup there.
    pub const PIN_CALLS: u32 = 8;
    /// What its clients and its primary say to each other is copied ([`crate::watch`]).
    pub const WATCHED: u32 = 16;
}

/// 2^32 divided by the golden ratio: neighbours' addresses get far apart.
const GOLDEN: u32 = 0x9e37_79b1;

/// A set of hosts that may hold more than it should: whoever is not in it is not one of them, and `HOSTS` is asked about
/// who is.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Hosts(pub u32);

impl Hosts {
    /// With this host, too: IPv6 or IPv4-mapped, network order, in words of memory.
    #[inline(always)]
    #[must_use]
    pub const fn and(self, host: [u32; 4]) -> Self {
        Self(self.0 | Self::bit(host))
    }

    /// With all of theirs.
    #[must_use]
    pub const fn and_all(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether this host may be one of them.
    #[inline(always)]
    pub const fn may_hold(self, host: [u32; 4]) -> bool {
        self.may_hold_mixed(Self::mixed(host))
    }

    /// The same of a host that was [`Self::mixed`] already.
    #[inline(always)]
    pub const fn may_hold_mixed(self, host: u32) -> bool {
        self.0 & 1 << (host.wrapping_mul(GOLDEN) >> 27) != 0
    }

    /// What is asked of a host.
    #[inline(always)]
    pub const fn mixed(host: [u32; 4]) -> u32 {
        let [a, b, c, d] = host;
        a ^ b ^ c ^ d
    }

    #[inline(always)]
    const fn bit(host: [u32; 4]) -> u32 {
        1 << (Self::mixed(host).wrapping_mul(GOLDEN) >> 27)
    }
}

/// Whose hosts a packet may be of.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Filters {
    /// Everyone's services.
    pub services: Hosts,
    /// Everyone's backups.
    pub backups: Hosts,
    /// The services of targets that are not with their primaries alone: a hint, because it is written beside that decision.
    pub away: Hosts,
}

/// Where a backup serves one service. An all-zero value is an empty place.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Server {
    /// IPv6 or IPv4-mapped, network order.
    pub address: [u8; 16],
    /// Network order.
    pub port: [u8; 2],
    /// [`Self::DEDICATED`], [`Self::EXCLUSIVE`], [`Self::L2`] or [`Self::IPIP`], or 0.
    pub flags: u16,
    /// Endpoint id, from 1; 0 is an empty place, and [`Self::ITSELF`] one from which nothing has a way back here.
    pub endpoint: u32,
}

impl Server {
    /// The way back needs no table.
    pub const DEDICATED: u16 = 1;
    /// As [`Endpoint::EXCLUSIVE`].
    pub const EXCLUSIVE: u16 = 8;
    /// The server carries the target's address itself: the packet goes to its MAC address.
    pub const L2: u16 = 2;
    /// The server carries the target's address itself: the packet goes there in another one.
    pub const IPIP: u16 = 4;
    /// [`Self::endpoint`] of a server that answers as the target itself: under [`Self::L2`] and [`Self::IPIP`].
    pub const ITSELF: u32 = u32::MAX;
}

/// The address that a backup's packet must come from in the client's eyes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Origin {
    /// The target's address: IPv6 or IPv4-mapped, network order.
    pub address: [u8; 16],
    /// The service's port, network order.
    pub port: [u8; 2],
    /// Zero.
    pub reserved: [u8; 2],
    /// Target id.
    pub target: u32,
}

/// A backup's endpoint.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Endpoint {
    /// Endpoint id, from 1.
    pub id: u32,
    /// [`Self::DEDICATED`], [`Self::EXCLUSIVE`], or 0.
    pub flags: u32,
    /// Whom it stands in for, where that is one alone; else zero.
    pub origin: Origin,
    /// The own hosts of every target that it stands in for.
    pub hosts: Hosts,
}

impl Endpoint {
    /// The host serves [`Endpoint::origin`] alone: whatever it sends from here comes from there.
    pub const DEDICATED: u32 = 1;
    /// No other service is served here than [`Endpoint::origin`]: but only to who was sent here.
    pub const EXCLUSIVE: u32 = 2;
    /// A service that is served here has [`Service::PIN_FLOWS`].
    pub const PIN_FLOWS: u32 = 16;
    /// A service that is served here has [`Service::PIN_CALLS`].
    pub const PIN_CALLS: u32 = 32;
}

/// A SIP dialog.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Call {
    /// When it was last heard of, in seconds of the monotonic clock.
    pub seen: u32,
    /// The bits below.
    pub flags: u32,
}

impl Call {
    /// One side has said BYE.
    pub const ENDED: u32 = 1;
    /// The backup asked for it, and a client has to answer.
    pub const BACKUP_ASKED: u32 = 2;
}

/// A client that was sent to a backup endpoint: a flow of it, or its host.
///
/// Two services that share one backup endpoint may both send the same client there. The later one is in
/// [`Flow::service`]; [`Flow::rival_seen`] tells when they last took turns.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Flow {
    /// What the client asked: a service id, the row of `ORIGINS`.
    pub service: u32,
    /// When a packet was last sent there, in seconds of the monotonic clock.
    pub seen: u32,
    /// When the service last changed while the one before was in use; 0: never.
    pub rival_seen: u32,
    /// What was seen of a TCP connection's end; each byte 0 or 1. Both directions may say so at once, and each has a
    /// byte of its own.
    pub ended: Ended,
}

/// How far a TCP connection has come to its end.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Ended {
    /// The client has sent its FIN.
    pub client: u8,
    /// The server has sent its FIN.
    pub server: u8,
    /// One of them has sent RST.
    pub reset: u8,
    /// Zero.
    pub reserved: u8,
}

impl Flow {
    /// Whether the connection is over.
    pub const fn is_over(&self) -> bool {
        self.ended.reset != 0 || (self.ended.client != 0 && self.ended.server != 0)
    }
}

/// Seconds for which two services that took turns on one flow stay indistinguishable on the way back: an answer
/// may come as late as this (RFC 3261 §16.6, Timer C).
pub const RIVAL_SECONDS: u32 = 180;

/// What was decided about the first fragment of a datagram.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FragmentWay {
    /// The new address, IPv6 or IPv4-mapped, network order.
    pub address: [u8; 16],
    /// Target id.
    pub target: u32,
    /// Which address is replaced: [`Self::DESTINATION`] or [`Self::SOURCE`]; none under [`Self::L2`] and [`Self::IPIP`].
    pub side: u32,
    /// When, in seconds of the monotonic clock.
    pub seen: u32,
    /// The availability's generation; 0 on the way back.
    pub generation: u32,
}

impl FragmentWay {
    /// Towards a backup.
    pub const DESTINATION: u32 = 0;
    /// Back from one.
    pub const SOURCE: u32 = 1;
    /// Towards a backup, by its MAC address.
    pub const L2: u32 = 2;
    /// Towards a backup, in another packet.
    pub const IPIP: u32 = 3;
    /// Towards the primary of a service that is watched.
    pub const WATCHED: u32 = 4;
}

/// The Ethernet address of one of the router's devices.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Station {
    /// As words of a frame.
    pub mac: [u16; 3],
    /// Zero.
    pub reserved: u16,
}

/// Packets and bytes (bytes of the whole frame).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counter {
    /// Packets.
    pub packets: u64,
    /// Bytes, from the Ethernet header on, of the frame as the program left it.
    pub bytes: u64,
}

/// Signalling ports, one bit each: 65,536 bits for UDP, then 65,536 for TCP.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortBitmap(pub [u64; PortBitmap::WORDS]);

impl PortBitmap {
    /// Words in the bitmap.
    pub const WORDS: usize = 2 * 1024;

    /// The word and the bit in it of a port (host order).
    #[inline(always)]
    pub const fn place(port: u16, tcp: bool) -> (usize, u64) {
        ((port as usize >> 6) | ((tcp as usize) << 10), 1 << (port & 63))
    }
}

const _: () = assert!(size_of::<Service>() == 24);
const _: () = assert!(size_of::<Server>() == 24);
const _: () = assert!(size_of::<Origin>() == 24);
const _: () = assert!(size_of::<Endpoint>() == 36);
const _: () = assert!(size_of::<Flow>() == 16);
const _: () = assert!(size_of::<Call>() == 8);
const _: () = assert!(size_of::<Filters>() == 12);
const _: () = assert!(size_of::<FragmentWay>() == 32);
const _: () = assert!(size_of::<Station>() == 8);
const _: () = assert!(size_of::<Counter>() == 16);

#[cfg(feature = "user")]
mod pod {
    // SAFETY: `repr(transparent)` over an integer: any bytes are valid.
    unsafe impl aya::Pod for super::Availability {}
    // SAFETY: `repr(C)`, integers and byte arrays only, no padding (sizes asserted above): any bytes are valid.
    unsafe impl aya::Pod for super::Service {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::Server {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::Origin {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::Endpoint {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::Flow {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::Call {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::Filters {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::FragmentWay {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::Station {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::Counter {}
    // SAFETY: `repr(transparent)` over an array of integers: any bytes are valid.
    unsafe impl aya::Pod for super::PortBitmap {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn availability_keeps_its_parts_apart() {
        let a = Availability::new(3, 0b1001, u32::MAX);
        assert_eq!((a.serving(), a.keeper(), a.live(), a.generation()), (3, 0, 0b1001, u32::MAX));
        let kept = a.kept_by(1);
        assert_eq!((kept.serving(), kept.keeper(), kept.live(), kept.generation()), (3, 1, 0b1001, u32::MAX));
        assert_eq!(kept.kept_by(0), a);
    }

    #[test]
    fn every_port_has_a_place_of_its_own() {
        let mut seen = std::collections::HashSet::new();
        for port in 0..=u16::MAX {
            for tcp in [false, true] {
                let (word, bit) = PortBitmap::place(port, tcp);
                assert!(word < PortBitmap::WORDS && seen.insert((word, bit)));
            }
        }
    }
}
