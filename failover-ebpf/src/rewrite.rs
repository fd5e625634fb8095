//! The writes. Addresses and ports never change without their checksums: the difference is gathered first, and the
//! sums of all layers are patched with it (RFC 1624). Words are summed as they stand in memory.

use failover_common::checksum::Difference;

use crate::{
    packet::{Frame, OutOfBounds, Packet},
    parse::{
        Family, eth,
        icmp::{self, Quote},
        ip::Address,
        ipv4, ipv6,
        l4::{self, L4},
    },
    plan::{Change, Plan, Side},
};

/// A UDP or TCP packet: an address, a port, their sums. An error after the first write means that the packet must not
/// leave; so for all three.
#[inline(always)]
pub fn segment(packet: &mut Packet<impl Frame>, plan: &Plan, l4: &L4) -> Result<(), OutOfBounds> {
    let addresses = outer(packet, plan)?;
    let ports = (l4.source, l4.destination);
    let port = port(packet, l4.offset, ports, &plan.wish.change)?;
    packet.transport_sum(l4.checksum, plan.ip.protocol, addresses, port)?;
    hop(packet, plan, addresses)
}

/// The same, as a function of its own, because the stack has 512 bytes, and helpers want values in it.
#[inline(never)]
pub fn segment_apart(packet: &mut Packet<impl Frame>, plan: &Plan, l4: &L4) -> Result<(), OutOfBounds> {
    segment(packet, plan, l4)
}

/// A fragment without ports: an address. The first fragment's checksum is that of the whole datagram.
#[inline(always)]
pub fn fragment(packet: &mut Packet<impl Frame>, plan: &Plan) -> Result<(), OutOfBounds> {
    let addresses = outer(packet, plan)?;
    hop(packet, plan, addresses)
}

/// An ICMP error: an address, and that of the other end in the packet that it quotes. A function of its own, because
/// the stack has 512 bytes.
#[inline(never)]
pub fn error(packet: &mut Packet<impl Frame>, plan: &Plan, quote: &Quote) -> Result<(), OutOfBounds> {
    let (ip, change) = (plan.ip, &plan.wish.change);
    // A router on the way speaks for itself, and keeps its address.
    let speaks_for_itself = matches!(change.side, Side::Source) && ip.source != quote.destination;
    let addresses = if speaks_for_itself { Difference::none() } else { outer(packet, plan)? };
    // ICMPv6 sums a pseudo-header, ICMP does not.
    let pseudo_header = if ip.family == Family::V6 { addresses } else { Difference::none() };
    let side = match change.side {
        Side::Destination => Side::Source,
        Side::Source => Side::Destination,
    };
    let all = quoted(packet, ip.family, quote, &Change { side, ..*change }, pseudo_header)?;
    patch(packet, ip.payload + icmp::CHECKSUM, |sum| all.apply(sum))?;
    hop(packet, plan, addresses)
}

/// The address in the IP header.
#[inline(always)]
fn outer(packet: &mut Packet<impl Frame>, plan: &Plan) -> Result<Difference, OutOfBounds> {
    let (ip, change) = (plan.ip, &plan.wish.change);
    let (at, old) = match change.side {
        Side::Destination => (ip.destination_at(), ip.destination),
        Side::Source => (ip.source_at(), ip.source),
    };
    address(packet, ip.family, at, old, change.address)
}

/// The packet inside an error; `all` and everything that has changed in it.
#[inline(always)]
fn quoted(
    packet: &mut Packet<impl Frame>,
    family: Family,
    quote: &Quote,
    inner: &Change,
    all: Difference,
) -> Result<Difference, OutOfBounds> {
    let (source, destination) = match family {
        Family::V4 => (ipv4::SOURCE, ipv4::DESTINATION),
        Family::V6 => (ipv6::SOURCE, ipv6::DESTINATION),
    };
    let (at, old) = match inner.side {
        Side::Destination => (quote.offset + destination, quote.destination),
        Side::Source => (quote.offset + source, quote.source),
    };
    let addresses = address(packet, family, at, old, inner.address)?;
    let ports = (quote.source_port, quote.destination_port);
    let segment = addresses.and(port(packet, quote.l4, ports, inner)?);
    let mut all = all.and(segment);
    if let Family::V4 = family {
        let (old, new) = patch(packet, quote.offset + ipv4::CHECKSUM, |sum| addresses.apply(sum))?;
        all = all.word(old, new);
    }
    if let Some(at) = quote.checksum {
        let (old, new) = patch(packet, at, |sum| segment.apply_transport(quote.protocol, sum))?;
        all = all.word(old, new);
    }
    Ok(all)
}

/// One hop further: hop limit and MAC addresses, where it is not the kernel that forwards, and IPv4's checksum.
#[inline(always)]
fn hop(packet: &mut Packet<impl Frame>, plan: &Plan, addresses: Difference) -> Result<(), OutOfBounds> {
    let ip = plan.ip;
    let mut header = addresses;
    if let Some(hop) = plan.hop {
        packet.write(eth::DESTINATION, hop.macs())?;
        if let Family::V6 = ip.family {
            let [next, _]: [u8; 2] = packet.read(ip.offset + ipv6::NEXT_HEADER)?;
            return packet.write(ip.offset + ipv6::NEXT_HEADER, [next, ip.hop_limit - 1]);
        }
        let (old, new) = ([ip.hop_limit, ip.protocol], [ip.hop_limit - 1, ip.protocol]);
        packet.write(ip.offset + ipv4::TTL, new)?;
        header = header.word(u16::from_ne_bytes(old), u16::from_ne_bytes(new));
    }
    if let Family::V4 = ip.family {
        packet.header_sum(ip.offset + ipv4::CHECKSUM, header)?;
    }
    Ok(())
}

/// Writes an address.
#[inline(always)]
fn address(
    packet: &mut Packet<impl Frame>,
    family: Family,
    at: usize,
    old: Address,
    new: Address,
) -> Result<Difference, OutOfBounds> {
    let (old, new) = (old.0, new.0);
    let last = Difference::none().pair(old[3], new[3]);
    match family {
        Family::V4 => {
            packet.write(at, halves(new[3]))?;
            Ok(last)
        }
        Family::V6 => {
            packet.write(at, new.map(halves))?;
            Ok(last.pair(old[0], new[0]).pair(old[1], new[1]).pair(old[2], new[2]))
        }
    }
}

/// A word of memory as the two that a packet is written in.
#[inline(always)]
pub fn halves(word: u32) -> [u16; 2] {
    let [a, b, c, d] = word.to_ne_bytes();
    [u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d])]
}

/// Writes a port of the header at `at`, whose ports (source, destination) are `old`.
#[inline(always)]
fn port(
    packet: &mut Packet<impl Frame>,
    at: usize,
    old: (u16, u16),
    change: &Change,
) -> Result<Difference, OutOfBounds> {
    let (offset, old) = match change.side {
        Side::Destination => (l4::DESTINATION, old.1),
        Side::Source => (l4::SOURCE, old.0),
    };
    packet.write(at + offset, change.port)?;
    Ok(Difference::none().word(old.to_be(), u16::from_ne_bytes(change.port)))
}

/// Changes a checksum in a quote, or of ICMP, at `at`; what it was and is.
#[inline(always)]
fn patch(
    packet: &mut Packet<impl Frame>,
    at: usize,
    change: impl FnOnce(u16) -> u16,
) -> Result<(u16, u16), OutOfBounds> {
    let [old] = packet.read::<[u16; 1]>(at)?;
    let new = change(old);
    packet.write(at, [new])?;
    Ok((old, new))
}
