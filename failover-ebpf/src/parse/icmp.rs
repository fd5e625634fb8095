//! ICMP (RFC 792) and ICMPv6 (RFC 4443) errors, and the packet that they quote.

use failover_common::{key, reason::Reason};

use super::{
    Family,
    ip::{Address, Fragment, Ip},
    ipv4, ipv6, l4,
};
use crate::{
    found::Found,
    packet::{Frame, OutOfBounds, Packet},
    plan::End,
};

/// Offset of the checksum, in both versions.
pub const CHECKSUM: usize = 2;
/// Bytes before the quoted packet.
const LEN: usize = 8;
/// RFC 792: of what the quoted packet carries, at least this much follows its header.
const LEAST_QUOTED: usize = 8;

/// The packet inside an error.
pub struct Quote {
    /// Where its IP header starts.
    pub offset: usize,
    /// Where its UDP or TCP header starts.
    pub l4: usize,
    /// Where its UDP or TCP checksum stands; `None`: it was cut off before.
    pub checksum: Option<usize>,
    /// [`key::UDP`] or [`key::TCP`].
    pub protocol: u8,
    /// IPv6 or IPv4-mapped.
    pub source: Address,
    /// IPv6 or IPv4-mapped.
    pub destination: Address,
    /// Host order.
    pub source_port: u16,
    /// Host order.
    pub destination_port: u16,
}

/// Writes down the packet that the error behind `ip` is about; an ICMP message that is no error is not ours. A function of its own,
/// because the stack has 512 bytes.
#[inline(never)]
pub fn quote(packet: &Packet<impl Frame>, found: Found, ip: &Ip) -> Result<(), End> {
    let Fragment::Whole = ip.fragment else { return Err(Reason::Fragment.into()) };
    let [kind, _]: [u8; 2] = packet.read(ip.payload).map_err(|OutOfBounds| Reason::Truncated)?;
    if !is_error(ip.family, kind) {
        return Err(Reason::NotUdpTcp.into());
    }
    let offset = ip.payload + LEN;
    let end = ip.payload + ip.payload_len;
    let (header, protocol, source, destination) = match ip.family {
        Family::V4 => v4(packet, offset)?,
        Family::V6 => v6(packet, offset)?,
    };
    if protocol != key::UDP && protocol != key::TCP {
        return Err(Reason::NotUdpTcp.into());
    }
    let l4 = offset + header;
    if l4 + LEAST_QUOTED > end {
        return Err(Reason::MalformedIp.into());
    }
    let [source_port, destination_port]: [u16; 2] =
        packet.read(l4).map_err(|OutOfBounds| Reason::Truncated)?;
    let checksum = l4 + if protocol == key::UDP { l4::UDP_CHECKSUM } else { l4::TCP_CHECKSUM };
    let quote = Quote {
        offset,
        l4,
        checksum: if checksum + 2 <= end { Some(checksum) } else { None },
        protocol,
        source,
        destination,
        source_port: u16::from_be(source_port),
        destination_port: u16::from_be(destination_port),
    };
    found.keep_quote(quote);
    Ok(())
}

/// Destination unreachable, packet too big, time exceeded, parameter problem.
#[inline(always)]
const fn is_error(family: Family, kind: u8) -> bool {
    match family {
        Family::V4 => matches!(kind, 3 | 11 | 12),
        Family::V6 => matches!(kind, 1..=4),
    }
}

/// The header's length, the protocol, source and destination. One with options, or of a later fragment, has no ports
/// at a known place.
#[inline(always)]
fn v4(packet: &Packet<impl Frame>, offset: usize) -> Result<(usize, u8, Address, Address), Reason> {
    let header: [u16; 10] = packet.read(offset).map_err(|OutOfBounds| Reason::Truncated)?;
    let [version_ihl, _] = header[0].to_ne_bytes();
    if version_ihl != 0x45 || u16::from_be(header[3]) & 0x1fff != 0 {
        return Err(Reason::NotOurs);
    }
    let [_, protocol] = header[4].to_ne_bytes();
    let source = ipv4::address(header[6], header[7]);
    Ok((ipv4::LEN, protocol, source, ipv4::address(header[8], header[9])))
}

/// The same; one with extension headers is none of ours.
#[inline(always)]
fn v6(packet: &Packet<impl Frame>, offset: usize) -> Result<(usize, u8, Address, Address), Reason> {
    let header: [u16; 20] = packet.read(offset).map_err(|OutOfBounds| Reason::Truncated)?;
    let [version, _] = header[0].to_ne_bytes();
    if version >> 4 != 6 {
        return Err(Reason::NotOurs);
    }
    let [next, _] = header[3].to_ne_bytes();
    let source = ipv6::address(&header, ipv6::SOURCE / 2);
    Ok((ipv6::LEN, next, source, ipv6::address(&header, ipv6::DESTINATION / 2)))
}
