//! What a network makes of a frame: tags around it, pieces of it, and errors about it.

use std::net::Ipv4Addr;

use etherparse::PacketBuilder;
use failover_tests::frames::seal_ipv4;

use crate::{
    frame::{Frame, IP, L4, Raw},
    network::{mac, router_mac, subnet},
};

/// ICMP destination unreachable, port unreachable (RFC 792).
pub const PORT_UNREACHABLE: (u8, u8) = (3, 3);
/// ICMP destination unreachable, fragmentation needed, with the next hop's MTU (RFC 1191).
pub const FRAGMENTATION_NEEDED: (u8, u8) = (3, 4);
/// ICMP time exceeded in transit (RFC 792).
pub const TIME_EXCEEDED: (u8, u8) = (11, 0);
/// ICMP echo request: no error.
pub const ECHO: (u8, u8) = (8, 0);

/// The VLANs of a trunk, the outermost first: the last tag is a customer's (802.1Q), those before it a provider's
/// (802.1ad).
pub fn in_vlans(frame: &Frame, vlans: &[u16]) -> Raw {
    let tags = vlans.iter().enumerate().flat_map(|(n, vlan)| {
        let ethertype: u16 = if n + 1 == vlans.len() { 0x8100 } else { 0x88a8 };
        [ethertype.to_be_bytes(), vlan.to_be_bytes()].concat()
    });
    frame.tagged(&tags.collect::<Vec<u8>>())
}

/// The frame's datagram in two fragments, cut `at` bytes behind the IP header (a multiple of 8).
pub fn pieces(frame: &Frame, at: usize) -> [Raw; 2] {
    let whole = frame.bytes();
    let piece = |payload: &[u8], flags_and_offset: u16| {
        let mut bytes = [&whole[..L4], payload].concat();
        let length = (bytes.len() - IP) as u16;
        bytes[IP + 2..IP + 4].copy_from_slice(&length.to_be_bytes());
        bytes[IP + 6..IP + 8].copy_from_slice(&flags_and_offset.to_be_bytes());
        seal_ipv4(&mut bytes[IP..]);
        Raw { bytes, ingress: frame.ingress() }
    };
    [piece(&whole[L4..L4 + at], 0x2000), piece(&whole[L4 + at..], (at / 8) as u16)]
}

/// What `sender` tells the sender of `about`, as the router receives it by `ingress`; the quote is cut to `quoted` bytes.
pub fn error(sender: Ipv4Addr, ingress: u8, kind: (u8, u8), about: &Frame, quoted: usize) -> Raw {
    message(sender, 64, (router_mac(ingress), mac(sender)), kind, about, quoted)
}

/// The same as it leaves the router, towards `about`'s sender.
pub fn error_leaving(sender: Ipv4Addr, kind: (u8, u8), about: &Frame, quoted: usize) -> Vec<u8> {
    let to = *about.from.ip();
    message(sender, 63, (mac(to), router_mac(subnet(to))), kind, about, quoted).bytes
}

fn message(
    sender: Ipv4Addr,
    ttl: u8,
    (to_mac, from_mac): ([u8; 6], [u8; 6]),
    (kind, code): (u8, u8),
    about: &Frame,
    quoted: usize,
) -> Raw {
    let quote = &about.bytes()[IP..];
    let builder = PacketBuilder::ethernet2(from_mac, to_mac)
        .ipv4(sender.octets(), about.from.ip().octets(), ttl)
        .icmpv4_raw(kind, code, [0, 0, 0x02, 0x58]);
    let mut bytes = Vec::new();
    builder.write(&mut bytes, &quote[..quoted.min(quote.len())]).unwrap();
    Raw { bytes, ingress: to_mac[4] }
}
