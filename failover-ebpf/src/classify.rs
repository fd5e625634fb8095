//! Is a packet ours, and what is to be done with it? Reads only: whatever stops here passes untouched.

use failover_common::{
    key::{self, EndpointKey, HostKey},
    reason::Reason,
    value::{Availability, PortBitmap},
};

use crate::{
    forward::{self, Route},
    maps,
    packet::Packet,
    parse::{eth, ip, ip::Ipv4, l4, l4::L4},
    steer,
};

/// A packet's visit ends before anything was written.
pub struct Stop {
    /// Why.
    pub reason: Reason,
    /// Target id; 0 where no target is concerned.
    pub target: u32,
    /// The policy says drop (`all_down = "drop"`); else it passes.
    pub drop: bool,
}

impl From<Reason> for Stop {
    #[inline(always)]
    fn from(reason: Reason) -> Self {
        Self { reason, target: 0, drop: false }
    }
}

impl Stop {
    /// A packet about `target` passes.
    #[inline(always)]
    pub const fn pass(reason: Reason, target: u32) -> Self {
        Self { reason, target, drop: false }
    }
}

/// Which end of the packet gets another address.
#[derive(Clone, Copy)]
pub enum Side {
    /// The destination: towards a backup.
    Destination,
    /// The source: back from a backup.
    Source,
}

/// The other address and port.
#[derive(Clone, Copy)]
pub struct Change {
    /// Which end.
    pub side: Side,
    /// The new address, network order.
    pub address: [u8; 4],
    /// The new port, network order.
    pub port: [u8; 2],
}

/// Everything that is to be done, decided; nothing is written yet.
pub struct Plan {
    /// Target id.
    pub target: u32,
    /// The availability's generation; 0 on the way back.
    pub generation: u32,
    /// Parsed headers.
    pub ip: Ipv4,
    /// Parsed headers.
    pub l4: L4,
    /// What is rewritten.
    pub change: Change,
    /// Where the packet leaves.
    pub route: Route,
}

/// What a stage wants done with a packet.
pub struct Wish {
    /// Target id.
    pub target: u32,
    /// As in [`Plan`].
    pub generation: u32,
    /// What is rewritten.
    pub change: Change,
    /// The backup endpoint under which the way back is remembered; 0: it needs no memory.
    pub flow: u32,
}

/// Decides; the flow's memory is the only thing written on the way.
#[inline(always)]
pub fn inspect(packet: &Packet) -> Result<Plan, Stop> {
    let ip = ip::ipv4(packet, eth::ipv4(packet)?)?;
    let l4 = l4::ports(packet, &ip)?;
    let wish = classify(&ip, &l4)?;
    if ip.ttl <= 1 {
        return Err(Stop::pass(Reason::TtlExpired, wish.target));
    }
    let route =
        forward::route(packet, &ip, &l4, &wish.change).map_err(|reason| Stop::pass(reason, wish.target))?;
    if let Side::Destination = wish.change.side {
        steer::remember(&ip, &l4, &wish)?;
    }
    Ok(Plan { target: wish.target, generation: wish.generation, ip, l4, change: wish.change, route })
}

#[inline(always)]
fn classify(ip: &Ipv4, l4: &L4) -> Result<Wish, Stop> {
    let bitmap = maps::PORTS.get(0).ok_or(Reason::NotSignalling)?;
    let tcp = ip.protocol == key::TCP;
    let (to, from) = (signalling(bitmap, l4.destination, tcp), signalling(bitmap, l4.source, tcp));
    if !to && !from {
        return Err(Reason::NotSignalling.into());
    }
    let mut stop = Stop::from(Reason::NotOurs);
    if to {
        let key = EndpointKey::new(key::mapped(ip.destination), l4.destination, ip.protocol);
        // SAFETY: the element is read before the program ends, and RCU keeps it until then.
        if let Some(service) = unsafe { maps::SERVICES.get(key) } {
            match steer::to_service(ip, l4, service) {
                // One target may be another one's client: then this may be a backup's answer to it.
                Err(passed) if from && passed.reason as u32 == Reason::PrimaryServes as u32 => stop = passed,
                decided => return decided,
            }
        }
    }
    if from {
        let key = EndpointKey::new(key::mapped(ip.source), l4.source, ip.protocol);
        // SAFETY: as above.
        if let Some(endpoint) = unsafe { maps::BACKUPS.get(key) } {
            return steer::from_backup(ip, l4, endpoint);
        }
    }
    Err(stop)
}

#[inline(always)]
fn signalling(bitmap: &PortBitmap, port: u16, tcp: bool) -> bool {
    let (word, bit) = PortBitmap::place(port, tcp);
    bitmap.0.get(word).is_some_and(|word| word & bit != 0)
}

/// Who serves `target`; the primary where the map has no such row.
#[inline(always)]
pub fn availability(target: u32) -> Availability {
    match maps::AVAILABILITY.get_ptr(target) {
        // SAFETY: the pointer is to a live array element; a volatile load of 8 aligned bytes is one load, so the
        // daemon's store is seen whole or not at all.
        Some(value) => unsafe { core::ptr::read_volatile(value) },
        None => Availability::default(),
    }
}

/// Whether the IPv4 host belongs to `target`.
#[inline(always)]
pub fn is_own_host(host: [u8; 4], target: u32) -> bool {
    let key = HostKey { address: key::mapped(host), target };
    // SAFETY: only its presence is looked at.
    unsafe { maps::HOSTS.get(key) }.is_some()
}
