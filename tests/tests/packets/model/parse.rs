//! What a packet is, from the outside in.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use etherparse::{Ethernet2HeaderSlice, Ipv4HeaderSlice, Ipv6HeaderSlice, SingleVlanHeaderSlice};
use failover_common::reason::Reason;

use crate::network::DISCOVERY_MAC;

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
/// Extension headers that are read, and the most of them (see the reasons): hop-by-hop, routing, fragment, destination.
const EXTENSIONS: [u8; 4] = [0, 43, 44, 60];
const MOST_EXTENSIONS: usize = 5;

/// A packet of UDP, TCP or ICMP, or a part of one.
#[allow(clippy::struct_excessive_bools)] // facts, which are independent of each other
#[derive(Clone, Debug)]
pub struct Parsed {
    pub tagged: bool,
    /// Sent to the Ethernet address of the group in which phones ask for any gatekeeper.
    pub to_group: bool,
    /// Where the IP header starts.
    pub ip: usize,
    /// Where what it carries starts, and ends.
    pub payload: usize,
    pub end: usize,
    pub hops: u8,
    pub protocol: u8,
    pub source: IpAddr,
    pub destination: IpAddr,
    pub part: Part,
    pub may_be_cut: bool,
    pub hop_by_hop: bool,
}

/// Of a datagram; with its identification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Whole,
    First(u32),
    Later(u32),
}

/// The packet that an ICMP error is about.
#[derive(Clone, Debug)]
pub struct Quoted {
    pub ip: usize,
    pub l4: usize,
    pub protocol: u8,
    pub source: SocketAddr,
    pub destination: SocketAddr,
}

impl Parsed {
    pub fn is_icmp(&self) -> bool {
        self.protocol == if self.source.is_ipv4() { ICMP } else { ICMPV6 }
    }

    pub fn total(&self) -> usize {
        self.end - self.ip
    }
}

pub fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

/// What the plainest packets say at a glance, before anything else of them is looked at.
pub struct Glance {
    /// To one station.
    pub unicast: bool,
    /// Between addresses that there may be.
    pub proper: bool,
    pub protocol: u8,
    pub source: SocketAddr,
    pub destination: SocketAddr,
}

pub fn glance(bytes: &[u8]) -> Option<Glance> {
    if bytes.len() < 38 {
        return None;
    }
    let v4 = |at: usize| IpAddr::from(<[u8; 4]>::try_from(&bytes[at..at + 4]).expect("four bytes"));
    let v6 = |at: usize| IpAddr::from(<[u8; 16]>::try_from(&bytes[at..at + 16]).expect("sixteen bytes"));
    let (protocol, ports, addresses) = match (word(bytes, 12)?, bytes[14]) {
        // Neither is there more of it, nor something before it.
        (0x0800, 0x45) if word(bytes, 20)?.trailing_zeros() >= 14 => (bytes[23], 34, (v4(26), v4(30))),
        (0x86dd, _) if bytes.len() >= 58 => (bytes[20], 54, (v6(22), v6(38))),
        _ => return None,
    };
    let (source, destination) = (word(bytes, ports)?, word(bytes, ports + 2)?);
    let mapped = |address: IpAddr| matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
    [UDP, TCP].contains(&protocol).then_some(Glance {
        unicast: bytes[0] & 1 == 0,
        proper: !mapped(addresses.0) && !mapped(addresses.1),
        protocol,
        source: SocketAddr::new(addresses.0, source),
        destination: SocketAddr::new(addresses.1, destination),
    })
}

/// Everything below UDP, TCP and ICMP.
pub fn parse(bytes: &[u8]) -> Result<Parsed, Reason> {
    let ethernet = Ethernet2HeaderSlice::from_slice(bytes).map_err(|_| Reason::Truncated)?;
    let (mut ether_type, mut at) = (ethernet.ether_type().0, 14);
    while at < 22 && matches!(ether_type, 0x8100 | 0x88a8) {
        let tag = SingleVlanHeaderSlice::from_slice(&bytes[at..]).map_err(|_| Reason::Truncated)?;
        (ether_type, at) = (tag.ether_type().0, at + 4);
    }
    match ether_type {
        0x0800 if ethernet.destination() == DISCOVERY_MAC => {
            ipv4(bytes, at).map(|parsed| Parsed { to_group: true, ..parsed })
        }
        0x0800 | 0x86dd if ethernet.destination()[0] & 1 != 0 => Err(Reason::LinkBroadcast),
        0x0800 => ipv4(bytes, at),
        0x86dd => ipv6(bytes, at),
        0x8863 | 0x8864 => Err(Reason::Pppoe),
        _ => Err(Reason::NotIp),
    }
}

fn ipv4(bytes: &[u8], at: usize) -> Result<Parsed, Reason> {
    let header = bytes.get(at..at + 20).ok_or(Reason::Truncated)?;
    match header[0] {
        0x45 => {}
        0x46..=0x4f => return Err(Reason::IpOptions),
        _ => return Err(Reason::MalformedIp),
    }
    let ip = Ipv4HeaderSlice::from_slice(header).map_err(|_| Reason::MalformedIp)?;
    let end = at + usize::from(ip.total_len());
    if end < at + 20 {
        return Err(Reason::MalformedIp);
    }
    if end > bytes.len() {
        return Err(Reason::Truncated);
    }
    if ![UDP, TCP, ICMP].contains(&ip.protocol().0) {
        return Err(Reason::NotUdpTcp);
    }
    let identification = u32::from(ip.identification());
    let part = match (ip.fragments_offset().value(), ip.more_fragments()) {
        (0, false) => Part::Whole,
        (0, true) => Part::First(identification),
        _ => Part::Later(identification),
    };
    Ok(Parsed {
        tagged: at != 14,
        to_group: false,
        ip: at,
        payload: at + 20,
        end,
        hops: ip.ttl(),
        protocol: ip.protocol().0,
        source: ip.source_addr().into(),
        destination: ip.destination_addr().into(),
        part,
        may_be_cut: !ip.dont_fragment(),
        hop_by_hop: false,
    })
}

fn ipv6(bytes: &[u8], at: usize) -> Result<Parsed, Reason> {
    let header = bytes.get(at..at + 40).ok_or(Reason::Truncated)?;
    let ip = Ipv6HeaderSlice::from_slice(header).map_err(|_| Reason::MalformedIp)?;
    let end = at + 40 + usize::from(ip.payload_length());
    if end > bytes.len() {
        return Err(Reason::Truncated);
    }
    // RFC 4291 §2.5.5.2: a way to write IPv4 addresses, and none to send them.
    let mapped = |address: Ipv6Addr| address.to_ipv4_mapped().is_some();
    if mapped(ip.source_addr()) || mapped(ip.destination_addr()) {
        return Err(Reason::MalformedIp);
    }
    let mut parsed = Parsed {
        tagged: at != 14,
        to_group: false,
        ip: at,
        payload: at + 40,
        end,
        hops: ip.hop_limit(),
        protocol: ip.next_header().0,
        source: ip.source_addr().into(),
        destination: ip.destination_addr().into(),
        part: Part::Whole,
        may_be_cut: false,
        hop_by_hop: false,
    };
    extensions(bytes, &mut parsed)?;
    let follows = matches!(parsed.part, Part::Later(_)) && EXTENSIONS.contains(&parsed.protocol);
    if !follows && ![UDP, TCP, ICMPV6].contains(&parsed.protocol) {
        return Err(Reason::NotUdpTcp);
    }
    if parsed.payload > end { Err(Reason::MalformedIp) } else { Ok(parsed) }
}

fn extensions(bytes: &[u8], parsed: &mut Parsed) -> Result<(), Reason> {
    for _ in 0..MOST_EXTENSIONS {
        if !EXTENSIONS.contains(&parsed.protocol) {
            return Ok(());
        }
        let at = parsed.payload;
        let least = if parsed.protocol == 44 { 8 } else { 4 };
        let header = bytes.get(at..at + least).ok_or(Reason::Truncated)?;
        let kind = std::mem::replace(&mut parsed.protocol, header[0]);
        parsed.payload += if kind == 44 { 8 } else { (usize::from(header[1]) + 1) * 8 };
        match kind {
            0 => parsed.hop_by_hop = true,
            43 if header[3] != 0 => return Err(Reason::IpOptions),
            44 => {
                let identification = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
                let place = u16::from_be_bytes([header[2], header[3]]);
                parsed.part = match (place >> 3, place & 1) {
                    (0, 0) => Part::Whole,
                    (0, _) => Part::First(identification),
                    _ => Part::Later(identification),
                };
                if let Part::Later(_) = parsed.part {
                    return Ok(());
                }
            }
            _ => {}
        }
    }
    if EXTENSIONS.contains(&parsed.protocol) { Err(Reason::IpOptions) } else { Ok(()) }
}

/// The ends of a UDP or TCP packet.
pub fn ports(bytes: &[u8], parsed: &Parsed) -> Result<(SocketAddr, SocketAddr), Reason> {
    let at = parsed.payload;
    let here = parsed.end - at;
    let header = bytes.get(at..at + 8).ok_or(Reason::Truncated)?;
    if parsed.protocol == UDP {
        let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let beyond = length > here && !matches!(parsed.part, Part::First(_));
        let unsummed = parsed.source.is_ipv6() && header[6..8] == [0, 0];
        if length < 8 || here < 8 || beyond || unsummed {
            return Err(Reason::MalformedL4);
        }
    } else {
        let offset = bytes.get(at + 12..at + 14).ok_or(Reason::Truncated)?[0] >> 4;
        if offset < 5 || usize::from(offset) * 4 > here {
            return Err(Reason::MalformedL4);
        }
    }
    let port = |n: usize| u16::from_be_bytes([header[n], header[n + 1]]);
    Ok((SocketAddr::new(parsed.source, port(0)), SocketAddr::new(parsed.destination, port(2))))
}

/// What an ICMP error is about.
pub fn quoted(bytes: &[u8], parsed: &Parsed) -> Result<Quoted, Reason> {
    if parsed.part != Part::Whole {
        return Err(Reason::Fragment);
    }
    let kind = bytes.get(parsed.payload..parsed.payload + 2).ok_or(Reason::Truncated)?[0];
    let v4 = parsed.source.is_ipv4();
    if !(if v4 { matches!(kind, 3 | 11 | 12) } else { matches!(kind, 1..=4) }) {
        return Err(Reason::NotUdpTcp);
    }
    let ip = parsed.payload + 8;
    let length = if v4 { 20 } else { 40 };
    let header = bytes.get(ip..ip + length).ok_or(Reason::Truncated)?;
    let later = u16::from_be_bytes([header[6], header[7]]) & 0x1fff != 0;
    if if v4 { header[0] != 0x45 || later } else { header[0] >> 4 != 6 } {
        return Err(Reason::NotOurs);
    }
    let protocol = header[if v4 { 9 } else { 6 }];
    if ![UDP, TCP].contains(&protocol) {
        return Err(Reason::NotUdpTcp);
    }
    let l4 = ip + length;
    if l4 + 8 > parsed.end {
        return Err(Reason::MalformedIp);
    }
    let (source, destination) = ends(header);
    let port = |at| word(bytes, at).ok_or(Reason::Truncated);
    Ok(Quoted {
        ip,
        l4,
        protocol,
        source: SocketAddr::new(source, port(l4)?),
        destination: SocketAddr::new(destination, port(l4 + 2)?),
    })
}

fn ends(header: &[u8]) -> (IpAddr, IpAddr) {
    let v4 = |at: usize| IpAddr::from(<[u8; 4]>::try_from(&header[at..at + 4]).unwrap());
    let v6 = |at: usize| IpAddr::from(<[u8; 16]>::try_from(&header[at..at + 16]).unwrap());
    if header.len() == 20 { (v4(12), v4(16)) } else { (v6(8), v6(24)) }
}
