//! IPv6 (RFC 8200) and its extension headers, a few of them.

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

/// Offset of the next header's number; the hop limit is behind it.
pub const NEXT_HEADER: usize = 6;
/// Offset of the source address.
pub const SOURCE: usize = 8;
/// Offset of the destination address.
pub const DESTINATION: usize = 24;
/// Bytes of the header.
pub const LEN: usize = 40;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION_OPTIONS: u8 = 60;
/// RFC 8200 §4.1 names six headers before the upper layer's, of which two are not for us to read.
const MOST_EXTENSIONS: usize = 5;

const MORE_FRAGMENTS: u16 = 0x0001;
const FRAGMENT_OFFSET: u16 = 0xfff8;

/// What the extension headers say.
struct Walk {
    /// Where what they announce starts.
    payload: usize,
    protocol: u8,
    fragment: Fragment,
    hop_by_hop: bool,
}

/// Parses the header at `offset`, and its extension headers; a UDP, TCP or ICMPv6 packet goes `into` its place. A
/// function of its own, because the stack has 512 bytes.
#[inline(never)]
pub fn parse(packet: &Packet<impl Frame>, offset: usize, into: &mut MaybeUninit<Ip>) -> Result<(), Reason> {
    let header: [u16; 20] = packet.read(offset).map_err(|OutOfBounds| Reason::Truncated)?;
    let [version, _] = header[0].to_ne_bytes();
    if version >> 4 != 6 {
        return Err(Reason::MalformedIp);
    }
    let total_len = LEN + u16::from_be(header[2]) as usize;
    if !packet.holds(offset + total_len) {
        return Err(Reason::Truncated);
    }
    let (source, destination) = (address(&header, SOURCE / 2), address(&header, DESTINATION / 2));
    if source.is_v4() || destination.is_v4() {
        // RFC 4291 §2.5.5.2: IPv4-mapped is how addresses are written, here in the maps; no packet has such.
        return Err(Reason::MalformedIp);
    }
    let [protocol, hop_limit] = header[3].to_ne_bytes();
    let mut walk = Walk { payload: offset + LEN, protocol, fragment: Fragment::Whole, hop_by_hop: false };
    if is_extension(protocol) {
        extensions(packet, &mut walk)?;
    }
    // Behind a later fragment's header stands what the whole datagram goes on with (RFC 8200 §4.5): a header, maybe.
    let follows = matches!(walk.fragment, Fragment::Following(_)) && is_extension(walk.protocol);
    if !follows && walk.protocol != key::UDP && walk.protocol != key::TCP && walk.protocol != key::ICMPV6 {
        return Err(Reason::NotUdpTcp);
    }
    let end = offset + total_len;
    if walk.payload > end {
        return Err(Reason::MalformedIp);
    }
    let ([a, b], [c, d]) = (header[0].to_ne_bytes(), header[1].to_ne_bytes());
    into.write(Ip {
        family: Family::V6,
        offset,
        payload: walk.payload,
        payload_len: end - walk.payload,
        total_len,
        flow: u32::from_ne_bytes([a, b, c, d]),
        hop_limit,
        protocol: walk.protocol,
        source,
        destination,
        fragment: walk.fragment,
        divisible: false,
        hop_by_hop: walk.hop_by_hop,
        tagged: false,
        discovery: false,
        ports: Ports::UNKNOWN,
    });
    Ok(())
}

#[inline(always)]
const fn is_extension(header: u8) -> bool {
    matches!(header, HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION_OPTIONS)
}

/// Goes on to what the extension headers announce. A function of its own, because the stack has 512 bytes.
#[inline(never)]
fn extensions(packet: &Packet<impl Frame>, walk: &mut Walk) -> Result<(), Reason> {
    for _ in 0..MOST_EXTENSIONS {
        match walk.protocol {
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS => {
                let [next, length, _, segments_left]: [u8; 4] =
                    packet.read(walk.payload).map_err(|OutOfBounds| Reason::Truncated)?;
                if walk.protocol == ROUTING && segments_left != 0 {
                    // The destination address is that of a stage on the way.
                    return Err(Reason::IpOptions);
                }
                walk.hop_by_hop |= walk.protocol == HOP_BY_HOP;
                walk.protocol = next;
                walk.payload += (length as usize + 1) * 8;
            }
            FRAGMENT => {
                let [next, place, high, low]: [u16; 4] =
                    packet.read(walk.payload).map_err(|OutOfBounds| Reason::Truncated)?;
                let identification = u32::from(high) << 16 | u32::from(low);
                let place = u16::from_be(place);
                [walk.protocol, _] = next.to_ne_bytes();
                walk.payload += 8;
                walk.fragment = match (place & FRAGMENT_OFFSET, place & MORE_FRAGMENTS) {
                    (0, 0) => Fragment::Whole,
                    (0, _) => Fragment::First(identification),
                    _ => {
                        walk.fragment = Fragment::Following(identification);
                        return Ok(());
                    }
                };
            }
            _ => return Ok(()),
        }
    }
    if is_extension(walk.protocol) { Err(Reason::IpOptions) } else { Ok(()) }
}

/// The address at word `at` of a header.
#[inline(always)]
pub fn address(header: &[u16; 20], at: usize) -> Address {
    let word = |n: usize| {
        let ([a, b], [c, d]) = (header[at + n].to_ne_bytes(), header[at + n + 1].to_ne_bytes());
        u32::from_ne_bytes([a, b, c, d])
    };
    Address([word(0), word(2), word(4), word(6)])
}
