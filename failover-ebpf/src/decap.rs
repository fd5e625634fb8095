//! The far end of `ipip` steering, on the backup's host: takes packets out of their envelope and hands them to the kernel,
//! as if they had come in so.
//!
//! Whoever can have envelopes opened speaks in anyone's name behind every filter of the network. So only what comes from
//! a router that was named, for a target that was named, is opened; everything else passes as it is.

use failover_common::{
    key::{self, TunnelKey},
    reason::Reason,
};

use crate::{
    maps,
    packet::{OutOfBounds, Packet},
    parse::{Family, eth, ip::Address, ipv4, ipv6},
};

/// An IPv4 fragment: more of them, or not the first.
const FRAGMENT: u16 = 0x3fff;

/// Where the EtherType stands, without tags, with one, and with two.
const FIRST: usize = eth::ETHERTYPE;
const SECOND: usize = FIRST + eth::TAG_LEN;
const THIRD: usize = SECOND + eth::TAG_LEN;

/// An envelope that is to be opened.
struct Envelope {
    /// Where it starts.
    at: usize,
    /// Its length.
    length: usize,
    /// The version of what is in it.
    inner: Family,
}

/// Opens the frame's envelope, if it has one and may. An error means that half of it is written.
#[inline(always)]
pub fn open(packet: &mut Packet) -> Result<(), OutOfBounds> {
    let Ok(envelope) = envelope(packet) else { return Ok(()) };
    let Envelope { at, length, inner } = envelope;
    // To the end of the envelope, so that it is right once the front is gone; from the back, because the two overlap.
    let ethertype = if let Family::V4 = inner { eth::IPV4 } else { eth::IPV6 }.to_be();
    if at < SECOND + 2 {
        packet.write(length + FIRST, [ethertype])?;
    } else if at < THIRD + 2 {
        packet.write(length + SECOND, [ethertype])?;
        tag(packet, FIRST, length)?;
    } else {
        packet.write(length + THIRD, [ethertype])?;
        tag(packet, SECOND, length)?;
        tag(packet, FIRST, length)?;
    }
    for at in [eth::SOURCE, eth::DESTINATION] {
        let mac: [u16; 3] = packet.read(at)?;
        packet.write(length + at, mac)?;
    }
    packet.shrink(length)
}

/// Moves the VLAN tag at `at`.
#[inline(always)]
fn tag(packet: &mut Packet, at: usize, length: usize) -> Result<(), OutOfBounds> {
    let tag: [u16; 2] = packet.read(at)?;
    packet.write(length + at, tag)
}

#[inline(always)]
fn envelope(packet: &Packet) -> Result<Envelope, Reason> {
    let link = eth::link(packet)?;
    let at = link.payload;
    let (length, protocol, router) = match link.family {
        Family::V4 => outer_v4(packet, at)?,
        Family::V6 => outer_v6(packet, at)?,
    };
    let (inner, target) = match protocol {
        key::IPIP => {
            let header: [u16; 10] = packet.read(at + length).map_err(|OutOfBounds| Reason::Truncated)?;
            (Family::V4, ipv4::address(header[8], header[9]))
        }
        key::IPV6 => {
            let header: [u16; 20] = packet.read(at + length).map_err(|OutOfBounds| Reason::Truncated)?;
            (Family::V6, ipv6::address(&header, ipv6::DESTINATION / 2))
        }
        _ => return Err(Reason::NotOurs),
    };
    let [version, _]: [u8; 2] = packet.read(at + length).map_err(|OutOfBounds| Reason::Truncated)?;
    if version >> 4 != if let Family::V4 = inner { 4 } else { 6 } {
        return Err(Reason::MalformedIp);
    }
    let tunnel = TunnelKey { router: router.bytes(), target: target.bytes() };
    // SAFETY: only its presence is looked at.
    unsafe { maps::TUNNELS.get(tunnel) }.ok_or(Reason::NotOurs)?;
    Ok(Envelope { at, length, inner })
}

/// The header's length, the protocol in it, and its source.
#[inline(always)]
fn outer_v4(packet: &Packet, at: usize) -> Result<(usize, u8, Address), Reason> {
    let header: [u16; 10] = packet.read(at).map_err(|OutOfBounds| Reason::Truncated)?;
    let [version_ihl, _] = header[0].to_ne_bytes();
    if version_ihl != 0x45 || u16::from_be(header[3]) & FRAGMENT != 0 {
        return Err(Reason::NotOurs);
    }
    let [_, protocol] = header[4].to_ne_bytes();
    Ok((ipv4::LEN, protocol, ipv4::address(header[6], header[7])))
}

/// The same.
#[inline(always)]
fn outer_v6(packet: &Packet, at: usize) -> Result<(usize, u8, Address), Reason> {
    let header: [u16; 20] = packet.read(at).map_err(|OutOfBounds| Reason::Truncated)?;
    let [version, _] = header[0].to_ne_bytes();
    if version >> 4 != 6 {
        return Err(Reason::NotOurs);
    }
    let [protocol, _] = header[3].to_ne_bytes();
    Ok((ipv6::LEN, protocol, ipv6::address(&header, ipv6::SOURCE / 2)))
}
