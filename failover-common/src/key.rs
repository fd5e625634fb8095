//! Map keys. All addresses are 16 bytes in network order; IPv4 is written IPv4-mapped (`::ffff:a.b.c.d`). Keys are
//! aligned to 4 bytes, so that the data plane fills and copies them in words.

/// IPPROTO_ICMP, the number in an IPv4 header.
pub const ICMP: u8 = 1;
/// IPPROTO_ICMPV6, the next header's number in an IPv6 header.
pub const ICMPV6: u8 = 58;
/// IPPROTO_IPIP: an IPv4 packet in another one (RFC 2003, RFC 2473).
pub const IPIP: u8 = 4;
/// IPPROTO_IPV6: an IPv6 packet in another one (RFC 2473).
pub const IPV6: u8 = 41;
/// IPPROTO_TCP, the number in an IP header.
pub const TCP: u8 = 6;
/// IPPROTO_UDP, the number in an IP header.
pub const UDP: u8 = 17;

/// An IPv4 address (network order) as an IPv4-mapped IPv6 address, RFC 4291 §2.5.5.2.
#[inline(always)]
pub const fn mapped(v4: [u8; 4]) -> [u8; 16] {
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, v4[0], v4[1], v4[2], v4[3]]
}

/// The IPv4 address (network order) in an IPv4-mapped one, if it is one.
#[inline(always)]
pub const fn unmapped(address: [u8; 16]) -> Option<[u8; 4]> {
    match address {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, v4 @ ..] => Some(v4),
        _ => None,
    }
}

/// One (address, port, protocol): a target's service, a backup's side of it, or a probe socket.
#[repr(C, align(4))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointKey {
    /// IPv6 or IPv4-mapped, network order.
    pub address: [u8; 16],
    /// Network order.
    pub port: [u8; 2],
    /// [`TCP`] or [`UDP`].
    pub protocol: u8,
    /// Zero.
    pub reserved: u8,
}

impl EndpointKey {
    /// `port` in host order.
    #[inline(always)]
    pub const fn new(address: [u8; 16], port: u16, protocol: u8) -> Self {
        Self { address, port: port.to_be_bytes(), protocol, reserved: 0 }
    }
}

/// One client's flow with one backup endpoint; or, with port and protocol 0, the client's host as that endpoint knows it.
#[repr(C, align(4))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey {
    /// IPv6 or IPv4-mapped, network order.
    pub client: [u8; 16],
    /// The client's port, network order; of a host, 0.
    pub port: [u8; 2],
    /// [`TCP`] or [`UDP`]; of a host, 0.
    pub protocol: u8,
    /// 1 where the kernel forwards (`forward = "kernel"`) and the flow was steered where it left the router, so that it
    /// is turned back where it comes in; else 0.
    pub inbound: u8,
    /// Id of the backup endpoint ([`crate::value::Endpoint::id`]).
    pub endpoint: u32,
}

impl FlowKey {
    /// From now on it is that of the flow's client's host.
    #[inline(always)]
    pub const fn become_host(&mut self) {
        (self.port, self.protocol) = ([0; 2], 0);
    }

    /// Whether it is a host's.
    #[inline(always)]
    pub const fn is_host(&self) -> bool {
        self.protocol == 0
    }
}

/// A client's TCP connection with a target's primary.
#[repr(C, align(4))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionKey {
    /// IPv6 or IPv4-mapped, network order.
    pub client: [u8; 16],
    /// The client's port, network order.
    pub port: [u8; 2],
    /// Zero.
    pub reserved: [u8; 2],
    /// Service id: the row of `ORIGINS`.
    pub service: u32,
}

/// A SIP dialog that began at a backup's endpoint.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallKey {
    /// A hash of its Call-ID that nobody else can work out.
    pub call: u64,
    /// Id of the backup endpoint.
    pub endpoint: u32,
    /// Target id.
    pub target: u32,
}

/// A host that belongs to a target: its own address, or one of its backups'.
#[repr(C, align(4))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostKey {
    /// IPv6 or IPv4-mapped, network order.
    pub address: [u8; 16],
    /// Target id.
    pub target: u32,
}

/// The fragments of one datagram, RFC 791 §3.2 and RFC 8200 §4.5.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FragmentKey {
    /// IPv6 or IPv4-mapped, network order.
    pub source: [u8; 16],
    /// IPv6 or IPv4-mapped, network order.
    pub destination: [u8; 16],
    /// As it is read from the packet: only compared.
    pub identification: u32,
    /// [`TCP`] or [`UDP`]; of IPv6, 0.
    pub protocol: u8,
    /// 1 where the fragment leaves the router, 0 where it comes in.
    pub egress: u8,
    /// Zero.
    pub reserved: [u8; 2],
}

/// What the decapsulating program takes out of its envelope.
#[repr(C, align(4))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TunnelKey {
    /// Who sends: the outer source. IPv6 or IPv4-mapped, network order.
    pub router: [u8; 16],
    /// For whom: the inner destination. IPv6 or IPv4-mapped, network order.
    pub target: [u8; 16],
}

const _: () = assert!(size_of::<TunnelKey>() == 32);
const _: () = assert!(size_of::<EndpointKey>() == 20);
const _: () = assert!(size_of::<FlowKey>() == 24);
const _: () = assert!(size_of::<ConnectionKey>() == 24);
const _: () = assert!(size_of::<CallKey>() == 16);
const _: () = assert!(size_of::<HostKey>() == 20);
const _: () = assert!(size_of::<FragmentKey>() == 40);

#[cfg(feature = "user")]
mod pod {
    // SAFETY: `repr(C)`, integers and byte arrays only, no padding (sizes asserted above): any bytes are valid.
    unsafe impl aya::Pod for super::EndpointKey {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::FlowKey {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::CallKey {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::ConnectionKey {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::HostKey {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::FragmentKey {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::TunnelKey {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_addresses_come_back_and_others_do_not() {
        assert_eq!(unmapped(mapped([192, 0, 2, 10])), Some([192, 0, 2, 10]));
        assert_eq!(unmapped([0x20; 16]), None);
    }
}
