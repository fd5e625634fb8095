//! An IP header of either version, as the stages see it.

use failover_common::reason::Reason;

use super::{Family, eth, ipv4, ipv6};
use crate::{
    classify::Ports,
    discovery::{self, FRESH},
    found::Found,
    packet::{Frame, Packet},
};

/// An address, in words of memory (network order); IPv4 is written IPv4-mapped. Words, because the compiler would keep
/// each byte of an array of bytes in a register or a stack slot of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Address(pub [u32; 4]);

impl Address {
    /// The third word of an IPv4-mapped address.
    const MAPPED: u32 = u32::from_be(0x0000_ffff);

    /// IPv4, from its word of memory.
    #[inline(always)]
    pub const fn v4(word: u32) -> Self {
        Self([0, 0, Self::MAPPED, word])
    }

    /// Whether it is IPv4, IPv4-mapped.
    #[inline(always)]
    pub const fn is_v4(&self) -> bool {
        self.0[0] == 0 && self.0[1] == 0 && self.0[2] == Self::MAPPED
    }

    /// As maps hold it.
    #[inline(always)]
    pub const fn bytes(self) -> [u8; 16] {
        // SAFETY: words without padding, as bytes in the same order.
        unsafe { core::mem::transmute(self.0) }
    }

    /// From a map.
    #[inline(always)]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        // SAFETY: any bytes are words.
        Self(unsafe { core::mem::transmute::<[u8; 16], [u32; 4]>(bytes) })
    }
}

/// What the stages need of the header.
#[allow(clippy::struct_excessive_bools)] // each is a thing of its own that may be true of a packet
pub struct Ip {
    /// The version.
    pub family: Family,
    /// Where the header starts.
    pub offset: usize,
    /// Where what it carries starts, behind all options and extension headers.
    pub payload: usize,
    /// Bytes of what it carries, in this packet.
    pub payload_len: usize,
    /// All bytes, from the header on.
    pub total_len: usize,
    /// What the FIB looks at beside the addresses: the TOS of IPv4; version, traffic class and flow label of IPv6,
    /// in network order.
    pub flow: u32,
    /// TTL, or hop limit.
    pub hop_limit: u8,
    /// Of what it carries.
    pub protocol: u8,
    /// IPv6 or IPv4-mapped.
    pub source: Address,
    /// IPv6 or IPv4-mapped.
    pub destination: Address,
    /// Which part of a datagram it is.
    pub fragment: Fragment,
    /// Whether a router may cut it into fragments.
    pub divisible: bool,
    /// Whether every router on the way has to look into it (RFC 8200 §4.3): it is the kernel that forwards it.
    pub hop_by_hop: bool,
    /// Whether VLAN tags stand before it.
    pub tagged: bool,
    /// Whether it may be a gatekeeper discovery: it came to their group's Ethernet address.
    pub discovery: bool,
    /// Which of the ports are signalling ports, if a glance has told.
    pub ports: Ports,
}

/// Which part of a datagram a packet is.
#[derive(Clone, Copy)]
pub enum Fragment {
    /// All of it.
    Whole,
    /// The beginning, with the ports; its identification.
    First(u32),
    /// Another part, without them; its identification.
    Following(u32),
}

/// Parses what is before an IP header, and the header, into this CPU's own memory: the stack has 512 bytes, and what is parsed
/// is needed until the packet leaves. `ports`: of what it carries, if they are known.
#[inline(always)]
pub fn parse<F: Frame>(packet: &Packet<F>, found: Found, ports: Ports) -> Result<&'static Ip, Reason> {
    let link = eth::link(packet)?;
    let slot = found.new_ip();
    match link.family {
        Family::V4 => ipv4::parse(packet, link.payload, slot)?,
        Family::V6 => ipv6::parse(packet, link.payload, slot)?,
    }
    // SAFETY: either parser has written it whole.
    let ip = unsafe { slot.assume_init_mut() };
    ip.ports = ports;
    ip.tagged = link.tagged;
    ip.discovery = link.discovery;
    if ip.discovery {
        discovery::is_question::<F>(ip)?;
        ip.hop_limit = FRESH;
    }
    Ok(ip)
}

/// The same of a packet that is not plain: a function of its own, because the stack has 512 bytes.
#[inline(never)]
pub fn parse_apart<F: Frame>(packet: &Packet<F>) -> Result<(), Reason> {
    parse(packet, Found::here()?, Ports::UNKNOWN).map(|_| ())
}

impl Ip {
    /// Where its source address stands.
    #[inline(always)]
    pub const fn source_at(&self) -> usize {
        self.offset + if let Family::V4 = self.family { ipv4::SOURCE } else { ipv6::SOURCE }
    }

    /// Where its destination address stands.
    #[inline(always)]
    pub const fn destination_at(&self) -> usize {
        self.offset + if let Family::V4 = self.family { ipv4::DESTINATION } else { ipv6::DESTINATION }
    }

    /// Whether `address` is one of this version.
    #[inline(always)]
    pub fn speaks(&self, address: &Address) -> bool {
        address.is_v4() == (self.family == Family::V4)
    }
}
