//! What a packet looks like afterwards. Sums are worked out from nothing, before and after: one that was right is right,
//! and one that was wrong is wrong by the same amount (RFC 1624), so that the receiver throws it away as it would have.

use std::net::IpAddr;

use etherparse::checksum::Sum16BitWords;

use super::{
    parse::{Parsed, Quoted, UDP, word},
    route::Way,
};

/// A packet that is being rewritten.
pub struct Rewritten<'a> {
    before: &'a [u8],
    pub bytes: Vec<u8>,
    pub loose: Vec<usize>,
}

/// Which end of a packet changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Source,
    Destination,
}

impl Side {
    pub fn other(self) -> Self {
        match self {
            Self::Source => Self::Destination,
            Self::Destination => Self::Source,
        }
    }
}

impl<'a> Rewritten<'a> {
    pub fn new(before: &'a [u8]) -> Self {
        Self { before, bytes: before.to_vec(), loose: Vec::new() }
    }

    /// An address of the IP header at `ip`.
    pub fn address(&mut self, ip: usize, side: Side, new: IpAddr) {
        let (at, length) = address_at(ip, side, new.is_ipv4());
        match new {
            IpAddr::V4(new) => self.bytes[at..at + length].copy_from_slice(&new.octets()),
            IpAddr::V6(new) => self.bytes[at..at + length].copy_from_slice(&new.octets()),
        }
    }

    /// A port of the UDP or TCP header at `l4`.
    pub fn port(&mut self, l4: usize, side: Side, new: u16) {
        let at = if side == Side::Source { l4 } else { l4 + 2 };
        self.bytes[at..at + 2].copy_from_slice(&new.to_be_bytes());
    }

    /// A question to a group, as one to `station` that may go far.
    pub fn freshen(&mut self, ip: usize, hops: u8, station: [u8; 6]) {
        self.bytes[..6].copy_from_slice(&station);
        self.bytes[ip + 8] = hops;
    }

    /// A hop further, where it is the program that forwards; and IPv4's sum.
    pub fn hop(&mut self, parsed: &Parsed, way: Way) {
        let v4 = parsed.source.is_ipv4();
        if let Way::Redirect { to, from } = way {
            self.bytes[..6].copy_from_slice(&to);
            self.bytes[6..12].copy_from_slice(&from);
            self.bytes[parsed.ip + if v4 { 8 } else { 7 }] -= 1;
        }
        if v4 {
            self.header_sum(parsed.ip);
        }
    }

    /// Of the IPv4 header at `ip`.
    pub fn header_sum(&mut self, ip: usize) {
        self.settle(ip + 10, false, |bytes| sum(bytes, &[(ip, ip + 10), (ip + 12, ip + 20)], &[]));
    }

    /// Of the UDP or TCP segment between `l4` and `end`.
    pub fn segment_sum(&mut self, ip: usize, l4: usize, end: usize, protocol: u8, v4: bool) {
        let (at, length) = if protocol == UDP {
            (l4 + 6, usize::from(word(self.before, l4 + 4).unwrap()))
        } else {
            (l4 + 16, end - l4)
        };
        if at + 2 > end {
            return; // cut off
        }
        let end = end.min(l4 + length.max(8));
        let tail = pseudo(protocol, length);
        let (source, size) = address_at(ip, Side::Source, v4);
        let parts = [(source, source + 2 * size), (l4, at), (at + 2, end.max(at + 2))];
        self.settle(at, protocol == UDP, |bytes| sum(bytes, &parts, &tail));
    }

    /// Of the quoted segment, whose data may be cut off; its header says how long it was.
    pub fn quoted_sum(&mut self, quoted: &Quoted, end: usize) {
        let v4 = quoted.source.is_ipv4();
        if v4 {
            self.header_sum(quoted.ip);
        }
        self.segment_sum(quoted.ip, quoted.l4, end, quoted.protocol, v4);
    }

    /// Of an ICMP message; ICMPv6 sums the addresses, too.
    pub fn icmp_sum(&mut self, parsed: &Parsed) {
        let (start, end) = (parsed.payload, parsed.end);
        let mut parts = vec![(start, start + 2), (start + 4, end)];
        let mut tail = Vec::new();
        if parsed.source.is_ipv6() {
            parts.push((parsed.ip + 8, parsed.ip + 40));
            tail.extend(pseudo(parsed.protocol, end - start));
        }
        self.settle(start + 2, false, |bytes| sum(bytes, &parts, &tail));
    }

    /// Puts the sum at `at` right, or as wrong as it was.
    fn settle(&mut self, at: usize, udp: bool, right: impl Fn(&[u8]) -> u16) {
        let old = word(self.before, at).unwrap();
        if udp && old == 0 {
            return; // RFC 768: none was made
        }
        let written = |sum: u16| if udp && sum == 0 { u16::MAX } else { sum };
        let (before, after) = (written(right(self.before)), written(right(&self.bytes)));
        let new = if old == before {
            after
        } else {
            self.loose.extend((!udp).then_some(at));
            written(add(add(old, !before), after))
        };
        self.bytes[at..at + 2].copy_from_slice(&new.to_be_bytes());
    }
}

/// Whether a checksum's field holds the sum of the pseudo-header, and no more: it is left to a device to finish.
pub fn is_unfinished(bytes: &[u8], parsed: &Parsed) -> bool {
    let at = parsed.payload + if parsed.protocol == UDP { 6 } else { 16 };
    let (source, size) = address_at(parsed.ip, Side::Source, parsed.source.is_ipv4());
    let tail = pseudo(parsed.protocol, parsed.end - parsed.payload);
    word(bytes, at) == Some(!sum(bytes, &[(source, source + 2 * size)], &tail))
}

fn address_at(ip: usize, side: Side, v4: bool) -> (usize, usize) {
    let (first, length) = if v4 { (12, 4) } else { (8, 16) };
    (ip + first + if side == Side::Source { 0 } else { length }, length)
}

/// What is summed beside the addresses: length and protocol (RFC 768, RFC 8200 §8.1; in either layout the same sum).
fn pseudo(protocol: u8, length: usize) -> [u8; 4] {
    let [high, low] = (length as u16).to_be_bytes();
    [high, low, 0, protocol]
}

fn sum(bytes: &[u8], parts: &[(usize, usize)], tail: &[u8]) -> u16 {
    let mut sum = Sum16BitWords::new().add_slice(tail);
    for (start, end) in parts {
        sum = sum.add_slice(&bytes[*start..*end]);
    }
    sum.ones_complement().to_be()
}

/// In ones' complement.
fn add(a: u16, b: u16) -> u16 {
    let (sum, carry) = a.overflowing_add(b);
    sum + u16::from(carry)
}
