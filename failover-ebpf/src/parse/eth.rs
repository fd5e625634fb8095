//! Ethernet II, with up to two VLAN tags (IEEE 802.1Q, 802.1ad).

use failover_common::reason::Reason;

use super::Family;
use crate::packet::{Frame, Packet};

/// Where the destination MAC address stands.
pub const DESTINATION: usize = 0;
/// Where the source MAC address stands.
pub const SOURCE: usize = 6;

/// Where the EtherType stands, or the first VLAN tag.
pub const ETHERTYPE: usize = 12;
/// Bytes of a VLAN tag.
pub const TAG_LEN: usize = 4;
/// A trunk in a trunk (QinQ); three tags are nobody's network.
const MOST_TAGS: usize = 2;
/// In the first byte of a destination address: a group of stations, broadcast included (IEEE 802).
const GROUP: u8 = 0x01;

/// Of 224.0.1.41, where a phone asks for any gatekeeper (RFC 1112 §6.4).
const DISCOVERY: [u8; 6] = [0x01, 0x00, 0x5e, 0x00, 0x01, 0x29];

/// The EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// The EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;
const VLAN: u16 = 0x8100;
const SERVICE_VLAN: u16 = 0x88a8;
const PPPOE_DISCOVERY: u16 = 0x8863;
const PPPOE_SESSION: u16 = 0x8864;

/// What the stages need of the link layer.
pub struct Link {
    /// Where the IP header starts.
    pub payload: usize,
    /// What it is.
    pub family: Family,
    /// Whether there are VLAN tags before it.
    pub tagged: bool,
    /// Whether it goes to the group in which phones ask for any gatekeeper, or to another that shares its address.
    pub discovery: bool,
}

/// A frame to one station, or to those that answer a discovery, with IP in it.
#[inline(always)]
pub fn link(packet: &Packet<impl Frame>) -> Result<Link, Reason> {
    let mut at = ETHERTYPE;
    let mut ethertype = word(packet, at)?;
    for _ in 0..MOST_TAGS {
        if ethertype != VLAN && ethertype != SERVICE_VLAN {
            break;
        }
        at += TAG_LEN;
        ethertype = word(packet, at)?;
    }
    let family = match ethertype {
        IPV4 => Family::V4,
        IPV6 => Family::V6,
        PPPOE_DISCOVERY | PPPOE_SESSION => return Err(Reason::Pppoe),
        _ => return Err(Reason::NotIp),
    };
    let [first, _]: [u8; 2] = packet.read(DESTINATION).map_err(|_| Reason::Truncated)?;
    let discovery = first & GROUP != 0;
    if discovery && (family == Family::V6 || !is_discovery(packet)) {
        return Err(Reason::LinkBroadcast);
    }
    Ok(Link { payload: at + 2, family, tagged: at != ETHERTYPE, discovery })
}

#[inline(always)]
fn is_discovery(packet: &Packet<impl Frame>) -> bool {
    packet.read::<[u8; 6]>(DESTINATION).is_ok_and(|to| to == DISCOVERY)
}

#[inline(always)]
fn word(packet: &Packet<impl Frame>, at: usize) -> Result<u16, Reason> {
    packet.read(at).map(u16::from_be_bytes).map_err(|_| Reason::Truncated)
}
