//! UDP (RFC 768) and TCP (RFC 9293): ports, and where the checksum stands.

use failover_common::{key, reason::Reason};

use super::{
    Family,
    ip::{Fragment, Ip},
};
use crate::{
    found::Found,
    packet::{Frame, OutOfBounds, Packet},
};

/// Offset of the source port, in both headers.
pub const SOURCE: usize = 0;
/// Offset of the destination port, in both headers.
pub const DESTINATION: usize = 2;
/// Offset of UDP's checksum.
pub const UDP_CHECKSUM: usize = 6;
/// Offset of TCP's checksum.
pub const TCP_CHECKSUM: usize = 16;

/// Bytes of UDP's header.
pub const UDP_LEN: usize = 8;
const TCP_LEN: usize = 20;
/// Offset of the word of the data offset and the flags of TCP.
pub const TCP_DATA_OFFSET: usize = 12;

/// What the stages need of the header.
pub struct L4 {
    /// Where the header starts.
    pub offset: usize,
    /// Where the checksum stands, from the start of the frame.
    pub checksum: usize,
    /// Host order.
    pub source: u16,
    /// Host order.
    pub destination: u16,
    /// Of TCP; else 0.
    pub flags: u8,
}

impl L4 {
    /// The sender has no more to say.
    pub const FIN: u8 = 0x01;
    /// A connection begins.
    pub const SYN: u8 = 0x02;
    /// There is none, or no longer.
    pub const RST: u8 = 0x04;
    /// The acknowledgment number counts: of a SYN, it is the answer to another one.
    pub const ACK: u8 = 0x10;

    /// Whether it changes what a connection has come to.
    #[inline(always)]
    pub const fn begins_or_ends(&self) -> bool {
        self.flags & (Self::FIN | Self::SYN | Self::RST) != 0
    }

    /// Of a server: whether it says no more than that there may be a connection, or that there is none.
    #[inline(always)]
    pub const fn is_offer_or_refusal(&self) -> bool {
        self.flags & (Self::SYN | Self::RST) != 0
    }
}

/// Parses the ports of the UDP or TCP header behind `ip` into this CPU's own memory, and sees that the header is whole.
#[inline(always)]
pub fn ports(packet: &Packet<impl Frame>, found: Found, ip: &Ip) -> Result<&'static L4, Reason> {
    let offset = ip.payload;
    let [source, destination, third, fourth] =
        packet.read::<[u16; 4]>(offset).map_err(|OutOfBounds| Reason::Truncated)?;
    let mut flags = 0;
    let checksum = if ip.protocol == key::UDP {
        let length = u16::from_be(third) as usize;
        // The length is that of the whole datagram.
        let room = if let Fragment::First(_) = ip.fragment { usize::MAX } else { ip.payload_len };
        if length < UDP_LEN || length > room || ip.payload_len < UDP_LEN {
            return Err(Reason::MalformedL4);
        }
        if ip.family == Family::V6 && fourth == 0 {
            // RFC 8200 §8.1: a receiver must throw it away; a sum out of nothing would bring it to life.
            return Err(Reason::MalformedL4);
        }
        UDP_CHECKSUM
    } else {
        let [data_offset, said]: [u8; 2] =
            packet.read(offset + TCP_DATA_OFFSET).map_err(|OutOfBounds| Reason::Truncated)?;
        flags = said;
        let length = (data_offset >> 4) as usize * 4;
        if length < TCP_LEN || length > ip.payload_len {
            return Err(Reason::MalformedL4);
        }
        TCP_CHECKSUM
    };
    Ok(found.keep_l4(L4 {
        offset,
        checksum: offset + checksum,
        source: u16::from_be(source),
        destination: u16::from_be(destination),
        flags,
    }))
}
