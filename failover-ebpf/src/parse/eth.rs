//! Ethernet II.

use failover_common::reason::Reason;

use crate::packet::Packet;

/// Where the destination MAC address stands.
pub const DESTINATION: usize = 0;
/// Where the source MAC address stands.
pub const SOURCE: usize = 6;
/// Bytes of the header.
pub const LEN: usize = 14;

const ETHERTYPE: usize = 12;
const IPV4: [u8; 2] = [0x08, 0x00];
/// In the first byte of a destination address: a group of stations, broadcast included (IEEE 802).
const GROUP: u8 = 0x01;

/// The offset of the IPv4 header, in a frame to one station.
#[inline(always)]
pub fn ipv4(packet: &Packet) -> Result<usize, Reason> {
    let ethertype: [u8; 2] = packet.read(ETHERTYPE).map_err(|_| Reason::Truncated)?;
    if ethertype != IPV4 {
        return Err(Reason::NotIpv4);
    }
    let first: u8 = packet.read(DESTINATION).map_err(|_| Reason::Truncated)?;
    if first & GROUP == 0 { Ok(LEN) } else { Err(Reason::LinkBroadcast) }
}
