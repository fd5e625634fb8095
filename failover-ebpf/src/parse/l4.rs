//! UDP (RFC 768) and TCP (RFC 9293): ports, and where the checksum stands.

use failover_common::{key, reason::Reason};

use super::{
    Family,
    ip::{Fragment, Ip},
};
use crate::packet::{OutOfBounds, Packet};

/// Offset of the source port, in both headers.
pub const SOURCE: usize = 0;
/// Offset of the destination port, in both headers.
pub const DESTINATION: usize = 2;
/// Offset of UDP's checksum.
pub const UDP_CHECKSUM: usize = 6;
/// Offset of TCP's checksum.
pub const TCP_CHECKSUM: usize = 16;

const UDP_LEN: usize = 8;
const TCP_LEN: usize = 20;
const TCP_DATA_OFFSET: usize = 12;

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
}

/// Parses the ports of the UDP or TCP header behind `ip`, and sees that the header is whole.
#[inline(always)]
pub fn ports(packet: &Packet, ip: &Ip) -> Result<L4, Reason> {
    let offset = ip.payload;
    let [source, destination, third, fourth] =
        packet.read::<[u16; 4]>(offset).map_err(|OutOfBounds| Reason::Truncated)?;
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
        let [data_offset, _]: [u8; 2] =
            packet.read(offset + TCP_DATA_OFFSET).map_err(|OutOfBounds| Reason::Truncated)?;
        let length = (data_offset >> 4) as usize * 4;
        if length < TCP_LEN || length > ip.payload_len {
            return Err(Reason::MalformedL4);
        }
        TCP_CHECKSUM
    };
    Ok(L4 {
        offset,
        checksum: offset + checksum,
        source: u16::from_be(source),
        destination: u16::from_be(destination),
    })
}
