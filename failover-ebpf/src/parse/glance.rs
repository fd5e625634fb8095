//! A first look at the plainest packets: IP without anything before or between, and UDP or TCP in it.
//!
//! Most of what a router forwards is none of ours, and its ports say so at once. Whatever else may be wrong with such a
//! packet is not for us to find out.

use failover_common::{key, value::Hosts};

use super::{Family, ip::Address, ipv4, ipv6, l4};
use crate::packet::{Frame, Packet};

/// The word of the frame.
const ETHERTYPE: usize = 6;
const PAYLOAD_V4: usize = Plain::IP + 20;
const PAYLOAD_V6: usize = Plain::IP + ipv6::LEN;
const IPV4: u16 = 0x0800_u16.to_be();
const IPV6: u16 = 0x86dd_u16.to_be();
/// In the first byte of a destination address: a group of stations, broadcast included (IEEE 802).
const GROUP: u8 = 0x01;
/// IPv4: more fragments, and where this one belongs.
const FRAGMENT: u16 = 0x3fff_u16.to_be();

/// Such a packet.
pub struct Plain {
    /// Its version.
    pub family: Family,
    /// UDP or TCP.
    pub protocol: u8,
    /// Host order.
    pub source_port: u16,
    /// Host order.
    pub destination_port: u16,
}

/// Looks; `None`: the packet needs a closer look.
#[inline(always)]
pub fn plain(packet: &Packet<impl Frame>) -> Option<Plain> {
    // In words, from the beginning of the frame.
    let frame: [u16; 19] = packet.read(0).ok()?;
    match frame[ETHERTYPE] {
        IPV4 => {
            let ([version_ihl, _], [_, protocol]) = (frame[7].to_ne_bytes(), frame[11].to_ne_bytes());
            if version_ihl != 0x45 || frame[10] & FRAGMENT != 0 {
                return None;
            }
            found(Family::V4, protocol, frame[17], frame[18])
        }
        IPV6 => {
            let [next_header, _] = frame[10].to_ne_bytes();
            let [source, destination] = packet.read(PAYLOAD_V6).ok()?;
            found(Family::V6, next_header, source, destination)
        }
        _ => None,
    }
}

#[inline(always)]
const fn found(family: Family, protocol: u8, source: u16, destination: u16) -> Option<Plain> {
    match protocol {
        key::UDP | key::TCP => Some(Plain {
            family,
            protocol,
            source_port: u16::from_be(source),
            destination_port: u16::from_be(destination),
        }),
        _ => None,
    }
}

impl Plain {
    /// Where the IP header starts.
    pub const IP: usize = 14;

    /// Where its payload starts.
    #[inline(always)]
    pub const fn payload(&self) -> usize {
        if let Family::V4 = self.family { PAYLOAD_V4 } else { PAYLOAD_V6 }
    }

    /// Of TCP, the flags. Each family by itself: the verifier takes no frame's start to which one of two numbers is added.
    #[inline(always)]
    pub fn tcp_flags(&self, packet: &Packet<impl Frame>) -> Option<u8> {
        let word: Result<[u8; 2], _> = match self.family {
            Family::V4 => packet.read(PAYLOAD_V4 + l4::TCP_DATA_OFFSET),
            Family::V6 => packet.read(PAYLOAD_V6 + l4::TCP_DATA_OFFSET),
        };
        word.ok().map(|[_, flags]| flags)
    }

    /// Source and destination, as filters ask for them ([`Hosts::mixed`]); none where the frame goes to a group of stations.
    #[inline(always)]
    pub fn ends(&self, packet: &Packet<impl Frame>) -> Option<(u32, u32)> {
        let [first, _]: [u8; 2] = packet.read(0).ok()?;
        if first & GROUP != 0 {
            return None;
        }
        let (source, destination) = self.written(packet)?;
        Some((Hosts::mixed(source.0), Hosts::mixed(destination.0)))
    }

    /// Source and destination; none where they are such as no packet has (RFC 4291 §2.5.5.2).
    #[inline(always)]
    pub fn addresses(&self, packet: &Packet<impl Frame>) -> Option<(Address, Address)> {
        let (source, destination) = self.written(packet)?;
        let mapped = matches!(self.family, Family::V6) && (source.is_v4() || destination.is_v4());
        if mapped { None } else { Some((source, destination)) }
    }

    /// As they are written.
    #[inline(always)]
    fn written(&self, packet: &Packet<impl Frame>) -> Option<(Address, Address)> {
        if let Family::V4 = self.family {
            let [a, b, c, d]: [u16; 4] = packet.read(Self::IP + ipv4::SOURCE).ok()?;
            return Some((ipv4::address(a, b), ipv4::address(c, d)));
        }
        let header: [u16; 20] = packet.read(Self::IP).ok()?;
        Some((ipv6::address(&header, ipv6::SOURCE / 2), ipv6::address(&header, ipv6::DESTINATION / 2)))
    }
}
