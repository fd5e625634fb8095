//! Is a packet ours, and what is to be done with it? Until `rewrite`, whatever stops here passes untouched; the
//! memory of flows and fragments is the only thing written on the way.

use failover_common::{
    key::{self, EndpointKey},
    names::SIGNALLING,
    reason::Reason,
    trace::Trace,
};

use crate::{
    discovery, forward, fragment, icmp, maps,
    packet::Packet,
    parse::{
        eth,
        eth::Link,
        glance, ip,
        ip::{Fragment, Ip},
        l4,
        l4::L4,
    },
    plan::{End, Side, Wish},
    record, rewrite, steer, trace,
};

/// A packet's visit: three kinds of packets, of which the first two are rare.
#[inline(always)]
pub fn visit(packet: &mut Packet) -> Result<End, End> {
    if let Some((protocol, source, destination)) = glance::ports(packet) {
        signalling(protocol, destination, source)?;
    }
    let link = eth::link(packet)?;
    if link.discovery {
        return Ok(discovery::steer(packet, &link));
    }
    let ip = ip::ip(packet, &link)?;
    if let Fragment::Following(identification) = ip.fragment {
        return Ok(fragment::follow(packet, &link, ip, identification));
    }
    if ip.protocol == key::ICMP || ip.protocol == key::ICMPV6 {
        return Ok(icmp::translate(packet, &link, ip));
    }
    Ok(segment(packet, &link, ip))
}

/// UDP or TCP, with its ports. A function of its own, as those of the rare kinds: the stack has 512 bytes.
#[inline(never)]
fn segment(packet: &mut Packet, link: &Link, ip: &'static Ip) -> End {
    match steer_segment(packet, link, ip) {
        Ok(end) => end,
        Err(stop) => {
            if let Fragment::First(identification) = ip.fragment {
                fragment::forget(ip, identification);
            }
            stop
        }
    }
}

#[inline(always)]
fn steer_segment(packet: &mut Packet, link: &Link, ip: &'static Ip) -> Result<End, End> {
    let l4 = l4::ports(packet, ip).inspect_err(|_| trace::ip(ip))?;
    trace::segment(ip, &l4);
    classify(ip, &l4)?;
    // SAFETY: `classify` succeeds only when it has kept one.
    let wish = unsafe { Wish::kept() }?;
    let plan = forward::plan(packet, link, ip, (l4.source, l4.destination), wish)?;
    let towards = matches!(wish.change.side, Side::Destination);
    if towards {
        steer::remember(ip, &l4, wish)?;
    }
    if let Fragment::First(identification) = ip.fragment {
        fragment::remember(ip, identification, wish)?;
    }
    rewrite::segment(packet, &plan, &l4).map_err(|_| plan.spoilt())?;
    if towards {
        record::announce(ip, &l4, wish.target, wish.generation);
    }
    Ok(plan.done())
}

/// To a service, or from a backup? Keeps a wish. A function of its own, as above.
#[inline(never)]
fn classify(ip: &Ip, l4: &L4) -> Result<(), End> {
    let (to, from) = signalling(ip.protocol, l4.destination, l4.source)?;
    let mut stop = End::from(Reason::NotOurs);
    if to {
        let key = EndpointKey::new(ip.destination.bytes(), l4.destination, ip.protocol);
        // SAFETY: the element is read before the program ends, and RCU keeps it until then.
        if let Some(service) = unsafe { maps::SERVICES.get(key) } {
            match steer::to_service(ip, l4, service) {
                // One target may be another one's client: then this may be a backup's answer to it.
                Err(passed) if from && passed.reason() == Reason::PrimaryServes as u32 => stop = passed,
                decided => return decided,
            }
        }
    }
    if from {
        let key = EndpointKey::new(ip.source.bytes(), l4.source, ip.protocol);
        // SAFETY: as above.
        if let Some(endpoint) = unsafe { maps::BACKUPS.get(key) } {
            trace::note(|trace| {
                trace.known |= Trace::BACKUP;
                trace.endpoint = endpoint.id;
            });
            return steer::from_backup(ip, l4, endpoint);
        }
    }
    Err(stop)
}

/// Whether the ports (host order) are signalling ports of `protocol`: one of them at least, or the visit ends here.
#[inline(always)]
pub fn signalling(protocol: u8, destination: u16, source: u16) -> Result<(bool, bool), Reason> {
    let is = |port| maps::has_port(SIGNALLING, port, protocol);
    match (is(destination), is(source)) {
        (false, false) => Err(Reason::NotSignalling),
        ports => Ok(ports),
    }
}
