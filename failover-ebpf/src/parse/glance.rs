//! A first look at the plainest packets: IP without anything before or between, and UDP or TCP in it.
//!
//! Most of what a router forwards is none of ours, and its ports say so at once. Whatever else may be wrong with such a
//! packet is not for us to find out.

use failover_common::key;

use crate::packet::{Frame, Packet};

const ETHERTYPE: usize = 6;
const IPV4: u16 = 0x0800_u16.to_be();
const IPV6: u16 = 0x86dd_u16.to_be();
/// IPv4: more fragments, and where this one belongs.
const FRAGMENT: u16 = 0x3fff_u16.to_be();

/// Protocol, source and destination port (host order); `None`: it needs a closer look.
#[inline(always)]
pub fn ports(packet: &Packet<impl Frame>) -> Option<(u8, u16, u16)> {
    // In words, from the beginning of the frame.
    let frame: [u16; 19] = packet.read(0).ok()?;
    match frame[ETHERTYPE] {
        IPV4 => {
            let ([version_ihl, _], [_, protocol]) = (frame[7].to_ne_bytes(), frame[11].to_ne_bytes());
            if version_ihl != 0x45 || frame[10] & FRAGMENT != 0 {
                return None;
            }
            plain(protocol, frame[17], frame[18])
        }
        IPV6 => {
            let [next_header, _] = frame[10].to_ne_bytes();
            let [source, destination] = packet.read(54).ok()?;
            plain(next_header, source, destination)
        }
        _ => None,
    }
}

#[inline(always)]
const fn plain(protocol: u8, source: u16, destination: u16) -> Option<(u8, u16, u16)> {
    match protocol {
        key::UDP | key::TCP => Some((protocol, u16::from_be(source), u16::from_be(destination))),
        _ => None,
    }
}
