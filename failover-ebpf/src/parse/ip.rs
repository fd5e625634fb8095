//! IPv4 (RFC 791), without options.

use failover_common::{key, reason::Reason};

use crate::packet::{OutOfBounds, Packet};

/// Offsets in the header.
pub const TTL: usize = 8;
/// The header checksum.
pub const CHECKSUM: usize = 10;
/// The source address.
pub const SOURCE: usize = 12;
/// The destination address.
pub const DESTINATION: usize = 16;
/// Bytes of a header without options.
pub const LEN: usize = 20;

const MORE_FRAGMENTS_AND_OFFSET: u16 = 0x3fff;

/// What the stages need of the header.
pub struct Ipv4 {
    /// Where the header starts.
    pub offset: usize,
    /// DSCP and ECN.
    pub tos: u8,
    /// Header and payload, in bytes.
    pub total_len: u16,
    /// Time to live.
    pub ttl: u8,
    /// [`key::UDP`] or [`key::TCP`].
    pub protocol: u8,
    /// Network order.
    pub source: [u8; 4],
    /// Network order.
    pub destination: [u8; 4],
}

impl Ipv4 {
    /// Where the UDP or TCP header starts.
    #[inline(always)]
    pub const fn payload(&self) -> usize {
        self.offset + LEN
    }

    /// Bytes of the UDP or TCP segment.
    #[inline(always)]
    pub const fn payload_len(&self) -> usize {
        self.total_len as usize - LEN
    }
}

/// Parses the header at `offset`; an unfragmented UDP or TCP packet without options comes back.
#[inline(always)]
pub fn ipv4(packet: &Packet, offset: usize) -> Result<Ipv4, Reason> {
    let header: [u16; 10] = packet.read(offset).map_err(|OutOfBounds| Reason::Truncated)?;
    let [version_ihl, tos] = header[0].to_ne_bytes();
    let [ttl, protocol] = header[4].to_ne_bytes();
    let total_len = u16::from_be(header[1]);
    match version_ihl {
        0x45 => {}
        0x46..=0x4f => return Err(Reason::IpOptions),
        _ => return Err(Reason::MalformedIp),
    }
    if (total_len as usize) < LEN {
        return Err(Reason::MalformedIp);
    }
    if offset + total_len as usize > packet.len() {
        return Err(Reason::Truncated);
    }
    if u16::from_be(header[3]) & MORE_FRAGMENTS_AND_OFFSET != 0 {
        return Err(Reason::Fragment);
    }
    if protocol != key::UDP && protocol != key::TCP {
        return Err(Reason::NotUdpTcp);
    }
    Ok(Ipv4 {
        offset,
        tos,
        total_len,
        ttl,
        protocol,
        source: bytes(header[6], header[7]),
        destination: bytes(header[8], header[9]),
    })
}

#[inline(always)]
fn bytes(a: u16, b: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (a.to_ne_bytes(), b.to_ne_bytes());
    [a, b, c, d]
}
