//! Is a packet ours, and what is to be done with it? Reads only: whatever stops here passes untouched.

use failover_common::{
    key::{self, EndpointKey},
    reason::Reason,
    value::PortBitmap,
};

use crate::{
    forward, maps,
    packet::Packet,
    parse::{eth, ip, ip::Ipv4, l4, l4::L4},
    plan::{Plan, Side, Stop, Wish},
    steer,
};

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
