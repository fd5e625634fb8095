//! IPv4 (RFC 791), without options.

use core::mem::MaybeUninit;

use failover_common::{key, reason::Reason};

use super::{
    Family,
    ip::{Address, Fragment, Ip},
};
use crate::{
    classify::Ports,
    packet::{Frame, OutOfBounds, Packet},
};

/// Offset of the time to live; the protocol is behind it.
pub const TTL: usize = 8;
/// Offset of the header checksum.
pub const CHECKSUM: usize = 10;
/// Offset of the source address.
pub const SOURCE: usize = 12;
/// Offset of the destination address.
pub const DESTINATION: usize = 16;
/// Bytes of a header without options.
pub const LEN: usize = 20;

const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
const FRAGMENT_OFFSET: u16 = 0x1fff;

/// Parses the header at `offset`; a UDP, TCP or ICMP packet without options goes `into` its place.
#[inline(always)]
pub fn parse(packet: &Packet<impl Frame>, offset: usize, into: &mut MaybeUninit<Ip>) -> Result<(), Reason> {
    let header: [u16; 10] = packet.read(offset).map_err(|OutOfBounds| Reason::Truncated)?;
    let [version_ihl, tos] = header[0].to_ne_bytes();
    let [ttl, protocol] = header[4].to_ne_bytes();
    let total_len = u16::from_be(header[1]) as usize;
    match version_ihl {
        0x45 => {}
        0x46..=0x4f => return Err(Reason::IpOptions),
        _ => return Err(Reason::MalformedIp),
    }
    if total_len < LEN {
        return Err(Reason::MalformedIp);
    }
    if !packet.holds(offset + total_len) {
        return Err(Reason::Truncated);
    }
    if protocol != key::UDP && protocol != key::TCP && protocol != key::ICMP {
        return Err(Reason::NotUdpTcp);
    }
    let flags = u16::from_be(header[3]);
    let identification = u32::from(header[2]);
    let fragment = match (flags & FRAGMENT_OFFSET, flags & MORE_FRAGMENTS) {
        (0, 0) => Fragment::Whole,
        (0, _) => Fragment::First(identification),
        _ => Fragment::Following(identification),
    };
    into.write(Ip {
        family: Family::V4,
        offset,
        payload: offset + LEN,
        payload_len: total_len - LEN,
        total_len,
        flow: u32::from(tos),
        hop_limit: ttl,
        protocol,
        source: address(header[6], header[7]),
        destination: address(header[8], header[9]),
        fragment,
        divisible: flags & DONT_FRAGMENT == 0,
        hop_by_hop: false,
        tagged: false,
        discovery: false,
        ports: Ports::UNKNOWN,
    });
    Ok(())
}

/// Two words of a packet as an address.
#[inline(always)]
pub fn address(a: u16, b: u16) -> Address {
    let ([a, b], [c, d]) = (a.to_ne_bytes(), b.to_ne_bytes());
    Address::v4(u32::from_ne_bytes([a, b, c, d]))
}
