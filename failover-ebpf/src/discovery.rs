//! A phone that asks the group of all gatekeepers for one (H.225.0 §7.8, GRQ to 224.0.1.41:1718): the question goes to the
//! backup of the first target in the order of the configuration that its primary does not serve, and the answer comes
//! from that target, as if it were there.
//!
//! A question that no backup is to answer passes, and the kernel does with it what it does with any group's packet.

use failover_common::{
    checksum::Difference,
    key::{self, EndpointKey},
    names::{DISCOVERY, MOST_DISCOVERIES},
    reason::Reason,
    value::Availability,
};

use crate::{
    maps::{self, availability},
    packet::{Frame, OutOfBounds, Packet},
    parse::{
        eth,
        ip::{Address, Fragment, Ip},
        ipv4,
        l4::L4,
    },
    plan::{End, Plan},
};

const GROUP: Address = Address::v4(u32::from_ne_bytes(DISCOVERY.0));
const PORT: u16 = DISCOVERY.1;
/// A question is sent to the neighbourhood alone, with a TTL of 1 (RFC 1112 §6.1); a backup is further away.
pub const FRESH: u8 = 64;

/// Whether a packet to the group's Ethernet address may be one: other groups share it.
#[inline(always)]
pub fn is_question<F: Frame>(ip: &Ip) -> Result<(), Reason> {
    let whole = matches!(ip.fragment, Fragment::Whole);
    if !F::EGRESS && ip.destination == GROUP && ip.protocol == key::UDP && whole {
        Ok(())
    } else {
        Err(Reason::LinkBroadcast)
    }
}

/// Where the kernel is to forward it, it must have named the address at which it does so.
#[inline(always)]
pub fn may_leave(packet: &Packet<impl Frame>, plan: &Plan) -> Result<(), End> {
    if plan.hop.is_some() || own_station(packet).is_some() {
        Ok(())
    } else {
        Err(End::pass(Reason::NoRoute, plan.wish.target))
    }
}

/// The address to which the kernel forwards; the daemon names none where the kernel has made up its mind before it asks us.
#[inline(always)]
fn own_station(packet: &Packet<impl Frame>) -> Option<[u16; 3]> {
    // SAFETY: the element is read before the program ends, and RCU keeps it until then.
    unsafe { maps::STATIONS.get(packet.ingress()) }.map(|station| station.mac)
}

/// Writes the hop limit of `plan.ip`, which is a fresh one, and the address at which the kernel forwards; elsewhere that is
/// written over. A function of its own, because the stack has 512 bytes.
#[inline(never)]
pub fn refresh(packet: &mut Packet<impl Frame>, plan: &Plan) -> Result<(), OutOfBounds> {
    let (ip, at) = (plan.ip, plan.ip.offset + ipv4::TTL);
    // With the protocol, and the checksum behind it.
    let [old, sum] = packet.read::<[u16; 2]>(at)?;
    let new = u16::from_ne_bytes([ip.hop_limit, ip.protocol]);
    packet.write(at, [new, Difference::none().word(old, new).apply(sum)])?;
    match own_station(packet) {
        Some(station) => packet.write(eth::DESTINATION, station),
        None => Ok(()),
    }
}

/// Finds whom to ask: the first target that a backup serves. `all_down = "drop"` is about packets to the target, and this
/// is not one. A function of its own, as above.
#[inline(never)]
pub fn choose(l4: &L4, asked: &mut EndpointKey) -> Result<(), End> {
    let mut stop = End::from(Reason::LinkBroadcast);
    if l4.destination != PORT {
        return Err(stop);
    }
    for n in 0..MOST_DISCOVERIES {
        // SAFETY: the elements are read before the program ends, and RCU keeps them until then.
        let Some(key) = (unsafe { maps::DISCOVERIES.get(n) }) else { break };
        // SAFETY: as above.
        let Some(service) = (unsafe { maps::SERVICES.get(key) }) else { continue };
        match availability(service.target).serving() {
            0 | Availability::NOBODY if n == 0 => stop = End::pass(Reason::PrimaryServes, service.target),
            0 | Availability::NOBODY => {}
            _ => {
                *asked = *key;
                return Ok(());
            }
        }
    }
    Err(stop)
}
