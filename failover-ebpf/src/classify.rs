//! Is a packet ours, and what is to be done with it? Until `rewrite`, whatever stops here passes untouched; the
//! memory of flows and fragments is the only thing written on the way.

use failover_common::{
    key::{self, EndpointKey},
    names::SIGNALLING,
    reason::Reason,
    trace::Trace,
};

use crate::{
    forward, fragment,
    hook::{self, May},
    icmp, maps,
    packet::{Frame, Packet},
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
pub fn visit(packet: &mut Packet<impl Frame>) -> Result<End, End> {
    let mut ports = Ports::UNKNOWN;
    if let Some((protocol, source, destination)) = glance::ports(packet) {
        ports = signalling(protocol, destination, source)?;
    }
    let link = eth::link(packet)?;
    let ip = ip::ip(packet, &link, ports)?;
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
fn segment<F: Frame>(packet: &mut Packet<F>, link: &Link, ip: &'static Ip) -> End {
    match steer_segment(packet, link, ip) {
        Ok(end) => end,
        Err(stop) => {
            if let Fragment::First(identification) = ip.fragment {
                fragment::forget::<F>(ip, identification);
            }
            stop
        }
    }
}

#[inline(always)]
fn steer_segment<F: Frame>(packet: &mut Packet<F>, link: &Link, ip: &'static Ip) -> Result<End, End> {
    let l4 = l4::ports(packet, ip).inspect_err(|_| trace::ip(ip))?;
    trace::segment(ip, &l4);
    classify(packet, ip, &l4)?;
    // SAFETY: `classify` succeeds only when it has kept one.
    let wish = unsafe { Wish::kept() }?;
    if !F::EGRESS && hook::is_unfinished(packet, ip, &l4) {
        trace::change(&wish.change);
        return Err(End::pass(Reason::LeftToEgress, wish.target));
    }
    let plan = forward::plan(packet, link, ip, (l4.source, l4.destination), wish)?;
    let towards = matches!(wish.change.side, Side::Destination);
    if towards {
        steer::remember::<F>(ip, &l4, wish)?;
    }
    if let Fragment::First(identification) = ip.fragment {
        fragment::remember::<F>(ip, identification, wish)?;
    }
    let written = if F::EGRESS {
        rewrite::segment_apart(packet, &plan, &l4)
    } else {
        rewrite::segment(packet, &plan, &l4)
    };
    written.map_err(|_| plan.spoilt())?;
    if towards {
        record::announce(ip, &l4, wish.target, wish.generation);
    }
    Ok(plan.done())
}

/// To a service, or from a backup? Keeps a wish. A function of its own, as above.
#[inline(never)]
fn classify<F: Frame>(packet: &Packet<F>, ip: &Ip, l4: &L4) -> Result<(), End> {
    let ports = match ip.ports {
        Ports::UNKNOWN => signalling(ip.protocol, l4.destination, l4.source)?,
        ports => ports,
    };
    let may = May::with_segment(packet, ip, l4);
    let mut stop = End::from(Reason::NotOurs);
    if ports.to() && may.steer {
        let key = EndpointKey::new(ip.destination.bytes(), l4.destination, ip.protocol);
        // SAFETY: the element is read before the program ends, and RCU keeps it until then.
        if let Some(service) = unsafe { maps::SERVICES.get(key) } {
            match steer::to_service::<F>(ip, l4, service) {
                // One target may be another one's client: then this may be a backup's answer to it.
                Err(passed)
                    if ports.from()
                        && passed.reason() == Reason::PrimaryServes as u32
                        && service.backups.may_hold(ip.source.0) =>
                {
                    stop = passed;
                }
                decided => return decided,
            }
        }
    }
    if ports.from() && may.give_back {
        let key = EndpointKey::new(ip.source.bytes(), l4.source, ip.protocol);
        // SAFETY: as above.
        if let Some(endpoint) = unsafe { maps::BACKUPS.get(key) } {
            trace::note(|trace| {
                trace.known |= Trace::BACKUP;
                trace.endpoint = endpoint.id;
            });
            return steer::from_backup::<F>(ip, l4, endpoint);
        }
    }
    Err(stop)
}

/// Which of a packet's two ports are signalling ports.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ports(u32);

impl Ports {
    /// Nobody has looked yet.
    pub const UNKNOWN: Self = Self(0);
    const TO: u32 = 1;
    const FROM: u32 = 2;

    /// The destination's is.
    #[inline(always)]
    pub const fn to(self) -> bool {
        self.0 & Self::TO != 0
    }

    /// The source's is.
    #[inline(always)]
    pub const fn from(self) -> bool {
        self.0 & Self::FROM != 0
    }
}

/// Whether the ports (host order) are signalling ports of `protocol`: one of them at least, or the visit ends here.
#[inline(always)]
pub fn signalling(protocol: u8, destination: u16, source: u16) -> Result<Ports, Reason> {
    let is = |port| maps::has_port(SIGNALLING, port, protocol);
    let mut ports = 0;
    if is(destination) {
        ports |= Ports::TO;
    }
    if is(source) {
        ports |= Ports::FROM;
    }
    if ports == 0 { Err(Reason::NotSignalling) } else { Ok(Ports(ports)) }
}
