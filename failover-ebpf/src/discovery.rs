//! A phone that asks the group of all gatekeepers for one (H.225.0 §7.8, GRQ to 224.0.1.41:1718): the question goes to the
//! backup of the first target in the order of the configuration that its primary does not serve, and the answer comes
//! from that target, as if it were there.
//!
//! A question that no backup is to answer passes, and the kernel does with it what it does with any group's packet.

use failover_common::{
    key,
    names::{DISCOVERY, MOST_DISCOVERIES},
    reason::Reason,
    value::Availability,
};

use crate::{
    forward,
    maps::{self, availability},
    packet::Packet,
    parse::{
        Family,
        eth::Link,
        ip::{Address, Fragment, Ip},
        ipv4, l4,
        l4::L4,
    },
    plan::{End, Wish},
    record, rewrite, steer, trace,
};

const GROUP: Address = Address::v4(u32::from_ne_bytes(DISCOVERY.0));
const PORT: u16 = DISCOVERY.1;
/// A question is sent to the neighbourhood alone, with a TTL of 1 (RFC 1112 §6.1); a backup is further away.
const FRESH: u8 = 64;

/// Steers a question. A function of its own, because the stack has 512 bytes.
#[inline(never)]
pub fn steer(packet: &mut Packet, link: &Link) -> End {
    End::of(steer_question(packet, link))
}

#[inline(always)]
fn steer_question(packet: &mut Packet, link: &Link) -> Result<End, End> {
    if link.family != Family::V4 {
        return Err(Reason::LinkBroadcast.into());
    }
    let place = maps::place(&maps::IP).ok_or(Reason::Truncated)?;
    ipv4::parse(packet, link.payload, place)?;
    // SAFETY: the parser has written it whole.
    let ip = unsafe { place.assume_init_mut() };
    ip.hop_limit = FRESH;
    let ip: &'static Ip = ip;
    let l4 = question(packet, ip)?;
    trace::segment(ip, &l4);
    decide(ip, &l4)?;
    // SAFETY: `decide` succeeds only when it has kept one.
    let wish = unsafe { Wish::kept() }?;
    let plan = forward::plan(packet, link, ip, (l4.source, l4.destination), wish)?;
    let station = if plan.hop.is_some() { [0; 3] } else { own_station(packet, wish.target)? };
    steer::remember(ip, &l4, wish)?;
    rewrite::discovery(packet, &plan, &l4, station).map_err(|_| plan.spoilt())?;
    record::announce(ip, &l4, wish.target, wish.generation);
    Ok(plan.done())
}

/// The address to which the kernel forwards; the daemon names none where the kernel has made up its mind before it asks us.
#[inline(always)]
fn own_station(packet: &Packet, target: u32) -> Result<[u16; 3], End> {
    // SAFETY: the element is read before the program ends, and RCU keeps it until then.
    let station = unsafe { maps::STATIONS.get(packet.ingress()) };
    station.map(|station| station.mac).ok_or(End::pass(Reason::NoRoute, target))
}

/// The ports, if it is one: other groups share the Ethernet address.
#[inline(always)]
fn question(packet: &Packet, ip: &Ip) -> Result<L4, Reason> {
    if ip.destination != GROUP || ip.protocol != key::UDP || !matches!(ip.fragment, Fragment::Whole) {
        return Err(Reason::LinkBroadcast);
    }
    let l4 = l4::ports(packet, ip)?;
    if l4.destination == PORT { Ok(l4) } else { Err(Reason::LinkBroadcast) }
}

/// Keeps a wish: to the backup of the first target that one serves. `all_down = "drop"` is about packets to the target, and
/// this is not one. A function of its own, as above.
#[inline(never)]
fn decide(ip: &Ip, l4: &L4) -> Result<(), End> {
    let mut stop = End::from(Reason::LinkBroadcast);
    for n in 0..MOST_DISCOVERIES {
        // SAFETY: the elements are read before the program ends, and RCU keeps them until then.
        let Some(key) = (unsafe { maps::DISCOVERIES.get(n) }) else { break };
        // SAFETY: as above.
        let Some(service) = (unsafe { maps::SERVICES.get(key) }) else { continue };
        match availability(service.target).serving() {
            0 | Availability::NOBODY if n == 0 => stop = End::pass(Reason::PrimaryServes, service.target),
            0 | Availability::NOBODY => {}
            _ => return steer::to_service(ip, l4, service),
        }
    }
    Err(stop)
}
