//! The UDP datagram in a frame, or the part of it that a fragment has.

use std::{borrow::Cow, net::IpAddr};

use etherparse::{LaxNetSlice, LaxSlicedPacket};

/// Bytes of a UDP header (RFC 768).
const HEADER: usize = 8;

/// A datagram, as far as its frame goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Datagram<'a> {
    source: IpAddr,
    destination: IpAddr,
    /// Of a fragment: the datagram's identification, and whether this is its first one.
    fragment: Option<(u32, bool)>,
    /// Behind the UDP header; of a first fragment, its whole lines, as if there were no more; of a later one, nothing.
    pub payload: Cow<'a, [u8]>,
}

impl<'a> Datagram<'a> {
    /// None: there is none in this frame.
    pub fn read(frame: &'a [u8]) -> Option<Self> {
        let packet = LaxSlicedPacket::from_ethernet(frame).ok()?;
        let (source, destination, payload, fragment): (IpAddr, IpAddr, _, _) = match packet.net? {
            LaxNetSlice::Ipv4(ip) => {
                let header = ip.header();
                let offset = header.fragments_offset().value();
                let cut = header.more_fragments() || offset != 0;
                let fragment = cut.then(|| (u32::from(header.identification()), offset == 0));
                (
                    header.source_addr().into(),
                    header.destination_addr().into(),
                    ip.payload().payload,
                    fragment,
                )
            }
            LaxNetSlice::Ipv6(ip) => {
                let header = ip.header();
                (
                    header.source_addr().into(),
                    header.destination_addr().into(),
                    ip.payload().payload,
                    six(&ip),
                )
            }
            LaxNetSlice::Arp(_) => return None,
        };
        let payload = match fragment {
            None => payload.get(HEADER..)?.into(),
            Some((_, true)) => whole_lines(payload.get(HEADER..)?),
            Some((_, false)) => Cow::default(),
        };
        Some(Self { source, destination, fragment, payload })
    }

    /// What its fragments have in common; none where it is whole.
    pub fn key(&self) -> Option<(IpAddr, IpAddr, u32)> {
        self.fragment.map(|(identification, _)| (self.source, self.destination, identification))
    }

    /// The same, of the first of its fragments.
    pub fn first_of(&self) -> Option<(IpAddr, IpAddr, u32)> {
        self.key().filter(|_| self.fragment.is_some_and(|(_, first)| first))
    }
}

/// A fragment may end in the middle of its headers, of which the first ones are enough.
fn whole_lines(part: &[u8]) -> Cow<'_, [u8]> {
    if part.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        return part.into();
    }
    let end = part.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    [&part[..end], b"\r\n"].concat().into()
}

/// Of an IPv6 packet: its fragment header's identification, and whether it is the first.
fn six(ip: &etherparse::LaxIpv6Slice<'_>) -> Option<(u32, bool)> {
    ip.extensions().clone().into_iter().find_map(|extension| match extension {
        etherparse::Ipv6ExtensionSlice::Fragment(header) => header
            .is_fragmenting_payload()
            .then(|| (header.identification(), header.fragment_offset().value() == 0)),
        _ => None,
    })
}
