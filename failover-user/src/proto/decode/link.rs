//! From what a device sees to what IP carries: Ethernet with up to three VLAN tags, Linux's cooked captures, bare IP.

use std::net::IpAddr;

use etherparse::{EtherType, Ipv6ExtensionSlice, LaxIpv4Slice, LaxIpv6Slice, LaxNetSlice, LaxSlicedPacket};

use super::super::capture::{Linktype, Packet};

/// Protocol numbers.
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;

/// BSD's loopback device, before an address family in the byte order of its machine or the network's.
const LOOP: i32 = 108;
/// Linux's cooked captures, version 2.
const SLL2: i32 = 276;
/// Bare IP under its older numbers.
const RAW_BSD: [i32; 2] = [12, 14];

/// What IP carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ip<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// Behind IPv6's extension headers, if there are any.
    pub(super) protocol: u8,
    /// Where this is a part of a datagram.
    pub(super) fragment: Option<Fragment>,
    pub(super) payload: &'a [u8],
}

/// Which part of which datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fragment {
    pub(super) id: u32,
    /// In bytes.
    pub(super) offset: usize,
    pub(super) more: bool,
}

/// A link type that is not read.
pub(super) struct UnknownLink;

/// What IP carries in a packet; none where it is no IP, or not even its header is whole.
pub(super) fn ip<'a>(packet: &Packet<'a>) -> Result<Option<Ip<'a>>, UnknownLink> {
    let data = packet.data;
    let behind = |length: usize| data.get(length..).unwrap_or_default();
    let ether_type = |at: usize| {
        data.get(at..at + 2).and_then(|two| two.try_into().ok()).map(|two| EtherType(u16::from_be_bytes(two)))
    };
    let sliced = match packet.link {
        Linktype::ETHERNET => LaxSlicedPacket::from_ethernet(data).ok(),
        Linktype::LINUX_SLL => ether_type(14).map(|kind| LaxSlicedPacket::from_ether_type(kind, behind(16))),
        Linktype(SLL2) => ether_type(0).map(|kind| LaxSlicedPacket::from_ether_type(kind, behind(20))),
        Linktype::NULL | Linktype(LOOP) => LaxSlicedPacket::from_ip(behind(4)).ok(),
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 => LaxSlicedPacket::from_ip(data).ok(),
        Linktype(other) if RAW_BSD.contains(&other) => LaxSlicedPacket::from_ip(data).ok(),
        _ => return Err(UnknownLink),
    };
    Ok(sliced.and_then(|sliced| sliced.net).and_then(|net| match net {
        LaxNetSlice::Ipv4(net) => Some(v4(&net)),
        LaxNetSlice::Ipv6(net) => v6(&net),
        LaxNetSlice::Arp(_) => None,
    }))
}

fn v4<'a>(net: &LaxIpv4Slice<'a>) -> Ip<'a> {
    let (header, payload) = (net.header(), net.payload());
    let fragment = header.is_fragmenting_payload().then(|| Fragment {
        id: header.identification().into(),
        offset: usize::from(header.fragments_offset().value()) * 8,
        more: header.more_fragments(),
    });
    Ip {
        source: header.source_addr().into(),
        destination: header.destination_addr().into(),
        protocol: payload.ip_number.0,
        fragment,
        payload: payload.payload,
    }
}

fn v6<'a>(net: &LaxIpv6Slice<'a>) -> Option<Ip<'a>> {
    let (header, payload) = (net.header(), net.payload());
    let part = net.extensions().clone().into_iter().find_map(|extension| match extension {
        Ipv6ExtensionSlice::Fragment(fragment) => Some(fragment),
        _ => None,
    });
    let fragment = part.filter(etherparse::Ipv6FragmentHeaderSlice::is_fragmenting_payload);
    if payload.fragmented && fragment.is_none() {
        return None;
    }
    Some(Ip {
        source: header.source_addr().into(),
        destination: header.destination_addr().into(),
        protocol: payload.ip_number.0,
        fragment: fragment.map(|part| Fragment {
            id: part.identification(),
            offset: usize::from(part.fragment_offset().value()) * 8,
            more: part.more_fragments(),
        }),
        payload: payload.payload,
    })
}
