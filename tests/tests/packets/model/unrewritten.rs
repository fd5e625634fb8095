//! `l2` and `ipip`: packets that reach their backup as they are, by its MAC address or in an envelope; and what their sender
//! is told where they are too large.

use std::net::{IpAddr, Ipv4Addr};

use etherparse::{
    Icmpv4Header, Icmpv4Type, Icmpv6Header, Icmpv6Type, Ipv4Header, Ipv6Header, icmpv4::DestUnreachableHeader,
};
use failover_common::{entropy::flow_label, reason::Reason};
use failover_user::config::model::Steer;

use super::{
    Answer, Model, Stop,
    decide::Wish,
    parse::{Parsed, Part, word},
    rewrite::Rewritten,
    route::{Way, is_forwarded, takes},
};
use crate::{
    fixture::Action,
    frame::Raw,
    network::{self, Hop},
};

impl Model {
    pub(super) fn deliver(&self, packet: &Raw, parsed: &Parsed, wish: &Wish) -> Result<Answer, Stop> {
        let stop = |reason| Stop { reason, target: Some(wish.target) };
        let to = wish.end.ip();
        if parsed.hops <= 1 {
            return Err(stop(Reason::TtlExpired));
        }
        if !network::forwards(packet.ingress, to) || !is_forwarded(parsed.source) {
            return Err(stop(Reason::NoRoute));
        }
        let (egress, mac) = match network::hop(to) {
            Hop::Forbidden => return Err(stop(Reason::NoRoute)),
            Hop::Unknown => return Err(stop(Reason::NotRedirectable)),
            Hop::Link { subnet, mac } => (subnet, mac),
        };
        let l2 = wish.steer == Steer::L2;
        let envelope = if l2 { 0 } else { header_length(to) };
        if parsed.total() + envelope > network::mtu(egress) {
            return self.tell(packet, parsed, wish, network::mtu(egress) - envelope);
        }
        if l2 && !network::on_link(to) {
            return Err(stop(Reason::NotOnLink));
        }
        let way = redirect(packet, parsed, egress, mac).filter(|_| !parsed.hop_by_hop);
        let way = way.ok_or(stop(Reason::NotRedirectable))?;
        let mut new = Rewritten::new(&packet.bytes);
        new.hop(parsed, way);
        if !l2 {
            let from = self.source_of(label(&packet.bytes, parsed)).filter(|_| to.is_ipv4());
            let from = from.unwrap_or_else(|| network::router(egress, to.is_ipv4()));
            new.bytes = in_envelope(&new.bytes, parsed, from, to);
            new.loose.iter_mut().for_each(|at| *at += envelope);
        }
        Ok(self.answer(new, Reason::Steered, wish.target, way))
    }

    /// Where envelopes of IPv4 come from that carry the flow with this label, if it is not the router's own address: the
    /// prefix's addresses in turn, as the label counts.
    fn source_of(&self, label: u32) -> Option<IpAddr> {
        let prefix = self.source?;
        let host = u64::from(label) % prefix.size();
        Some(Ipv4Addr::from_bits(prefix.network().to_bits() + host as u32).into())
    }

    /// ICMP "fragmentation needed", or ICMPv6 "packet too big" (RFC 1191, RFC 4443 §3.2), from the address that was asked.
    fn tell(&self, packet: &Raw, parsed: &Parsed, wish: &Wish, mtu: usize) -> Result<Answer, Stop> {
        let v4 = parsed.source.is_ipv4();
        let (least, quoted) = if v4 { (68, 576 - 28) } else { (1280, 1280 - 48) };
        let silent = parsed.is_icmp() || matches!(parsed.part, Part::Later(_));
        let hop = network::hop(parsed.source);
        let narrow = matches!(hop, Hop::Link { subnet, .. } if network::mtu(subnet) < 576);
        let unknown = hop == Hop::Forbidden || narrow || !network::forwards(packet.ingress, parsed.source);
        if silent || mtu < least || parsed.total() < quoted || unknown {
            return Err(Stop { reason: Reason::TooBig, target: Some(wish.target) });
        }
        let way = match hop {
            Hop::Link { subnet, mac } => redirect(packet, parsed, subnet, mac),
            _ => None,
        };
        let link = &packet.bytes[..parsed.ip];
        let mut bytes = link.to_vec();
        if let Some(Way::Redirect { to, from }) = way {
            bytes[..12].copy_from_slice(&[to, from].concat());
        }
        let quote = &packet.bytes[parsed.ip..parsed.ip + quoted];
        bytes.extend(error(parsed, mtu, quote));
        let action = if way.is_some() { Action::Redirect } else { Action::Pass };
        let (reason, target) = (Reason::SenderTold, Some(self.name(wish.target)));
        Ok(Answer { action, reason, target, bytes, loose: Vec::new() })
    }
}

fn header_length(address: IpAddr) -> usize {
    if address.is_ipv4() { 20 } else { 40 }
}

fn redirect(packet: &Raw, parsed: &Parsed, egress: u8, mac: Option<[u8; 6]>) -> Option<Way> {
    let retagged = parsed.tagged && egress != packet.ingress;
    mac.filter(|_| !retagged && takes(parsed, egress))
        .map(|to| Way::Redirect { to, from: network::router_mac(egress) })
}

/// The frame with a header more, from the router to the backup.
fn in_envelope(frame: &[u8], parsed: &Parsed, from: IpAddr, to: IpAddr) -> Vec<u8> {
    let (link, inner) = frame.split_at(parsed.ip);
    let mut bytes = link.to_vec();
    bytes[parsed.ip - 2..].copy_from_slice(if to.is_ipv4() { &[0x08, 0x00] } else { &[0x86, 0xdd] });
    // DSCP alone (RFC 6040 §4.3).
    let class = match parsed.source {
        IpAddr::V4(_) => inner[1],
        IpAddr::V6(_) => inner[0] << 4 | inner[1] >> 4,
    } & 0xfc;
    let protocol = if parsed.source.is_ipv4() { 4 } else { 41 };
    bytes.extend(header(from, to, class, parsed.total(), protocol, label(frame, parsed)));
    bytes.extend(inner);
    bytes
}

/// A header of the router's own.
fn header(from: IpAddr, to: IpAddr, class: u8, length: usize, protocol: u8, label: u32) -> Vec<u8> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let (from, to) = (from.octets(), to.octets());
            let mut ip = Ipv4Header::new(length as u16, 64, protocol.into(), from, to).unwrap();
            ip.dscp = (class >> 2).try_into().unwrap();
            ip.dont_fragment = true;
            ip.header_checksum = ip.calc_header_checksum();
            ip.to_bytes().to_vec()
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let ip = Ipv6Header {
                traffic_class: class,
                flow_label: label.try_into().unwrap(),
                payload_length: length as u16,
                next_header: protocol.into(),
                hop_limit: 64,
                source: from.octets(),
                destination: to.octets(),
            };
            ip.to_bytes().to_vec()
        }
        _ => panic!("both are of one family"),
    }
}

/// One for each flow; for the fragments of a datagram the same.
fn label(frame: &[u8], parsed: &Parsed) -> u32 {
    let words = |address: IpAddr| -> [u32; 4] {
        let bytes = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        std::array::from_fn(|n| u32::from_ne_bytes(bytes[4 * n..4 * n + 4].try_into().unwrap()))
    };
    let port = |at| u32::from(word(frame, at).unwrap_or_default().to_be());
    let ports = match parsed.part {
        Part::Whole => port(parsed.payload) << 16 | port(parsed.payload + 2),
        _ => 0,
    };
    let ([a, b, c, d], [.., last]) = (words(parsed.source), words(parsed.destination));
    flow_label(&[a ^ b, c, d, last, ports, u32::from(parsed.protocol)])
}

/// The error's packet.
fn error(parsed: &Parsed, mtu: usize, quote: &[u8]) -> Vec<u8> {
    let (from, to) = (parsed.destination, parsed.source);
    let (icmp, protocol, class) = if let (IpAddr::V6(from), IpAddr::V6(to)) = (from, to) {
        let kind = Icmpv6Type::PacketTooBig { mtu: mtu as u32 };
        let icmp = Icmpv6Header::with_checksum(kind, from.octets(), to.octets(), quote).unwrap();
        (icmp.to_bytes().to_vec(), 58, 0)
    } else {
        let needed = DestUnreachableHeader::FragmentationNeeded { next_hop_mtu: mtu as u16 };
        let icmp = Icmpv4Header::with_checksum(Icmpv4Type::DestinationUnreachable(needed), quote);
        (icmp.to_bytes().to_vec(), 1, 0xc0)
    };
    let ip = header(from, to, class, icmp.len() + quote.len(), protocol, 0);
    [&ip[..], &icmp, quote].concat()
}
