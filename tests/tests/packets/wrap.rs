//! What a hostile network puts around a segment: IP headers, options, extension headers, fragments, tags, wrong bytes.

use std::net::IpAddr;

use etherparse::{Ipv4Header, Ipv6FlowLabel, Ipv6Header};
use failover_tests::frames::seal_ipv4;

use crate::{dice::Dice, frame::Raw, network::*};

/// A header from one to the other.
pub fn ipv6(from: IpAddr, to: IpAddr, next: u8, length: usize) -> Ipv6Header {
    let (IpAddr::V6(from), IpAddr::V6(to)) = (from, to) else { panic!("both are of one family") };
    Ipv6Header {
        traffic_class: 0x2e,
        flow_label: Ipv6FlowLabel::try_new(0x1_2345).unwrap(),
        payload_length: length as u16,
        next_header: next.into(),
        hop_limit: 64,
        source: from.octets(),
        destination: to.octets(),
    }
}

/// In one packet, or in fragments.
pub fn in_ip(dice: &mut Dice, from: IpAddr, to: IpAddr, protocol: u8, carried: &[u8]) -> Vec<Vec<u8>> {
    let hops = dice.pick(&[64, 64, 64, 64, 64, 64, 255, 2, 1, 0]);
    let id = dice.next() as u32 & 0x0003_0003;
    let cut = (carried.len() > 16 && dice.chance(15)).then(|| 8 * (1 + dice.below(carried.len() / 8 - 1)));
    let pieces = match cut {
        Some(at) => vec![(0, true, &carried[..at]), (at, false, &carried[at..])],
        None => vec![(0, false, carried)],
    };
    let before = if from.is_ipv6() && dice.chance(20) { chain(dice) } else { Vec::new() };
    let inside = if from.is_ipv6() && dice.chance(5) { vec![(60, vec![0; 8])] } else { Vec::new() };
    let flags = dice.pick(&[0, 0, 0x4000]);
    let one = |(at, more, piece): (usize, bool, &[u8])| match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut ip =
                Ipv4Header::new(piece.len() as u16, hops, protocol.into(), from.octets(), to.octets())
                    .unwrap();
            ip.identification = id as u16;
            let mut bytes = [&ip.to_bytes()[..], piece].concat();
            let place = (at / 8) as u16 | if more { 0x2000 } else { 0 };
            bytes[6..8].copy_from_slice(&(place | if cut.is_some() { 0 } else { flags }).to_be_bytes());
            seal_ipv4(&mut bytes);
            bytes
        }
        _ => in_ipv6((from, to), hops, (protocol, piece), &before, &inside, cut.map(|_| (at, more, id))),
    };
    let mut packets: Vec<_> = pieces.into_iter().map(one).collect();
    if from.is_ipv4() && dice.chance(2) {
        let ip = &mut packets[0];
        drop(ip.splice(20..20, [1, 1, 1, 1]));
        ip[0] = 0x46;
        let length = ip.len() as u16;
        ip[2..4].copy_from_slice(&length.to_be_bytes());
        seal_ipv4(ip);
    }
    packets
}

/// Extension headers: numbers and bytes; the first byte of each is the next one's number.
type Chain = Vec<(u8, Vec<u8>)>;

fn chain(dice: &mut Dice) -> Chain {
    let most = if dice.chance(10) { 7 } else { 3 };
    (0..dice.below(most))
        .map(|_| {
            let kind = dice.pick(&[0, 43, 60, 60, 44, 51]);
            let words = if kind == 44 { 0 } else { dice.pick(&[0, 0, 1, 3]) };
            let mut bytes = vec![0; 8 * (words + 1)];
            bytes[1] = words as u8;
            if kind == 43 && dice.chance(30) {
                bytes[3] = 1;
            }
            (kind, bytes)
        })
        .collect()
}

fn in_ipv6(
    (from, to): (IpAddr, IpAddr),
    hops: u8,
    (protocol, piece): (u8, &[u8]),
    before: &Chain,
    inside: &Chain,
    fragment: Option<(usize, bool, u32)>,
) -> Vec<u8> {
    let mut headers = before.clone();
    if let Some((at, more, id)) = fragment {
        let place = at as u16 | u16::from(more);
        let [a, b] = place.to_be_bytes();
        headers.push((44, [&[0, 0, a, b][..], &id.to_be_bytes()].concat()));
    }
    let later = matches!(fragment, Some((at, ..)) if at != 0);
    let last = inside.first().map_or(protocol, |(kind, _)| *kind);
    if !later {
        headers.extend(inside.iter().cloned());
    }
    let numbers: Vec<u8> = headers.iter().map(|(kind, _)| *kind).collect();
    let end = if later { last } else { protocol };
    for (n, (_, bytes)) in headers.iter_mut().enumerate() {
        bytes[0] = numbers.get(n + 1).copied().unwrap_or(end);
    }
    let extensions: Vec<u8> = headers.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    let next = numbers.first().copied().unwrap_or(end);
    let mut ip = ipv6(from, to, next, extensions.len() + piece.len());
    ip.hop_limit = hops;
    [&ip.to_bytes()[..], &extensions, piece].concat()
}

/// In Ethernet, and then whatever a hostile network does to it.
pub fn frame(dice: &mut Dice, from: IpAddr, packet: Vec<u8>) -> Raw {
    let usual = match hop(from) {
        Hop::Link { subnet, .. } => subnet,
        _ => PHONES,
    };
    let ingress = if dice.chance(10) { dice.pick(&subnets().collect::<Vec<_>>()) } else { usual };
    let mut bytes = [router_mac(ingress), [2, 0, 0, 0, ingress, 77]].concat();
    if dice.chance(1) {
        bytes[0] |= 1;
    }
    if dice.chance(15) {
        for _ in 0..=dice.below(3) {
            bytes.extend(dice.pick(&[[0x81, 0, 0, 7], [0x88, 0xa8, 0, 9], [0x81, 0, 0x20, 100]]));
        }
    }
    let ether_type: [u8; 2] = if from.is_ipv4() { [8, 0] } else { [0x86, 0xdd] };
    match dice.below(200) {
        0 => bytes.extend([0x88, 0x64, 0x11, 0, 0, 1, 0, 100, 0, 0x21]),
        1 => bytes.extend([0x88, 0x47]),
        _ => bytes.extend(ether_type),
    }
    let ip = bytes.len();
    bytes.extend(packet);
    if dice.chance(10) {
        bytes.extend((0..dice.below(40)).map(|n| 0xa0 + n as u8));
    }
    if dice.chance(15) {
        bend(dice, &mut bytes, ip);
    }
    bytes.truncate(3000);
    Raw { bytes, ingress }
}

/// A few bytes of the headers change, a frame is cut off.
fn bend(dice: &mut Dice, bytes: &mut Vec<u8>, ip: usize) {
    let headers = bytes.len().min(ip + 100);
    for _ in 0..dice.below(3) {
        let at = if dice.chance(80) { ip + dice.below(headers - ip) } else { dice.below(bytes.len()) };
        bytes[at] = dice.pick(&[0, 1, 0xff, bytes[at] ^ 1, bytes[at] ^ 0x80, 5, 6, 17, 44, 58, 60]);
    }
    let header = usize::from(bytes[ip] & 0x0f) * 4;
    if bytes[12..14] == [8, 0] && header >= 20 && bytes.len() >= ip + header && dice.chance(70) {
        seal_ipv4(&mut bytes[ip..]);
    }
    if dice.chance(30) {
        bytes.truncate(14 + dice.below(bytes.len() - 13));
    }
}
