//! Is a packet ours, and what is to be done with it? Until `rewrite`, whatever stops here passes untouched; the
//! memory of flows and fragments is the only thing written on the way.

use failover_common::{
    key::{self, EndpointKey},
    names::SIGNALLING,
    reason::Reason,
    trace::Trace,
};

use crate::{
    apart::Apart,
    discovery, forward,
    found::Found,
    fragment,
    hook::{self, May},
    maps,
    packet::{Frame, Packet},
    parse::{
        glance::{self, Plain},
        ip,
        ip::{Fragment, Ip},
        l4,
        l4::L4,
    },
    plan::{End, Side, Wish},
    record, rewrite, steer, trace, watch,
};

/// A packet's visit: a plain one, or one of three kinds, of which the first two are rare.
#[inline(always)]
pub fn visit<F: Apart>(packet: &mut Packet<F>) -> Result<End, End> {
    let end = match glance::plain(packet) {
        Some(plain) => {
            let mut ports = signalling(plain.protocol, plain.destination_port, plain.source_port)?;
            if !F::EGRESS {
                ports = look(packet, &plain, ports)?;
            }
            F::segment(packet, ports)
        }
        None => closer(packet)?,
    };
    Ok(if end.delivers() { F::deliver(packet) } else { end })
}

/// What is not plain.
#[inline(always)]
fn closer<F: Apart>(packet: &mut Packet<F>) -> Result<End, End> {
    ip::parse_apart(packet)?;
    // SAFETY: it has been parsed.
    let ip = unsafe { Found::here()?.ip() };
    Ok(if let Fragment::Following(_) = ip.fragment {
        F::follow(packet)
    } else if ip.protocol == key::ICMP || ip.protocol == key::ICMPV6 {
        F::translate(packet)
    } else {
        F::segment(packet, Ports::UNKNOWN)
    })
}

/// What a plain packet's addresses say, of which one port at least is a signalling port: it may be for nobody, or for a target whose primary
/// serves, and then passes at once. Else, which of its two ends may be a service, or a backup.
#[inline(always)]
fn look(packet: &Packet<impl Frame>, plain: &Plain, ports: Ports) -> Result<Ports, End> {
    let (Some(filters), Some((source, destination))) = (maps::FILTERS.get(0), plain.ends(packet)) else {
        return Ok(ports);
    };
    let to = ports.to() && filters.services.may_hold_mixed(destination);
    let from = ports.from() && filters.backups.may_hold_mixed(source);
    if ports.from() && !from && filters.services.may_hold_mixed(source) {
        watch::plain(packet, plain);
    }
    if !to && !from {
        trace::plain(packet, plain);
        return Err(Reason::NotOurs.into());
    }
    if !from && !filters.away.may_hold_mixed(destination) {
        primary_serves(packet, plain)?;
    }
    Ok(Ports(if to { Ports::TO } else { 0 } | if from { Ports::FROM } else { 0 }))
}

/// An error: its primary serves, and nobody else has to do with it. A function of its own, because the stack has 512 bytes.
#[inline(never)]
fn primary_serves(packet: &Packet<impl Frame>, plain: &Plain) -> Result<(), End> {
    let Some((_, destination)) = plain.addresses(packet) else { return Ok(()) };
    let key = EndpointKey::new(destination.bytes(), plain.destination_port, plain.protocol);
    // SAFETY: the element is read before the program ends, and RCU keeps it until then.
    let Some(service) = (unsafe { maps::SERVICES.get(key) }) else { return Ok(()) };
    let now = maps::availability(service.target);
    if service.endpoint != 0 || now.serving() != 0 || now.keeper() != 0 {
        return Ok(());
    }
    watch::asked(packet, service);
    trace::plain(packet, plain);
    trace::service(service.target, now);
    Err(End::pass(Reason::PrimaryServes, service.target))
}

/// UDP or TCP, with its ports: a plain one is parsed here.
#[inline(always)]
pub fn segment<F: Apart>(packet: &mut Packet<F>, ports: Ports) -> End {
    let (found, ip) = match parsed(packet, ports) {
        Ok(parsed) => parsed,
        Err(reason) => return reason.into(),
    };
    match steer_segment(packet, found, ip) {
        Ok(end) => end,
        Err(stop) => {
            if let Fragment::First(identification) = ip.fragment {
                fragment::passes::<F>(found, ip, identification, stop);
            }
            stop
        }
    }
}

/// Its IP header.
#[inline(always)]
fn parsed(packet: &Packet<impl Frame>, ports: Ports) -> Result<(Found, &'static Ip), Reason> {
    let found = Found::here()?;
    if ports != Ports::UNKNOWN {
        return Ok((found, ip::parse(packet, found, ports)?));
    }
    // SAFETY: the visit has parsed one.
    Ok((found, unsafe { found.ip() }))
}

#[inline(always)]
fn steer_segment<F: Apart>(packet: &mut Packet<F>, found: Found, ip: &'static Ip) -> Result<End, End> {
    let l4 = l4::ports(packet, found, ip).inspect_err(|_| trace::ip(ip))?;
    trace::segment(ip, l4);
    classify(packet, ip, l4)?;
    // SAFETY: `classify` succeeds only when it has kept one.
    let wish = unsafe { found.wish() };
    if wish.steer != 0 {
        return unrewritten::<F>(ip, wish);
    }
    if !F::EGRESS && hook::is_unfinished(packet, ip, l4) {
        trace::change(&wish.change);
        return Err(End::pass(Reason::LeftToEgress, wish.target));
    }
    let plan = forward::plan(packet, ip, (l4.source, l4.destination), wish)?;
    let towards = matches!(wish.change.side, Side::Destination);
    if ip.discovery {
        discovery::may_leave(packet, &plan)?;
    }
    if towards {
        steer::remember(packet, l4, &plan)?;
    }
    if let Fragment::First(identification) = ip.fragment {
        fragment::remember::<F>(ip, identification, wish)?;
    }
    if ip.discovery {
        discovery::refresh(packet, &plan).map_err(|_| plan.spoilt())?;
    }
    let written = if F::EGRESS {
        rewrite::segment_apart(packet, &plan, l4)
    } else {
        rewrite::segment(packet, &plan, l4)
    };
    written.map_err(|_| plan.spoilt())?;
    if towards {
        record::announce(ip, l4.source, wish.target, wish.generation);
    }
    Ok(plan.done())
}

/// A segment that goes to its backup as it is, whether its checksum is worked out or not.
#[inline(always)]
fn unrewritten<F: Frame>(ip: &Ip, wish: &Wish) -> Result<End, End> {
    if ip.discovery {
        // It is the group's, and the backup answers only as the target.
        trace::unrewritten(wish);
        return Err(End::pass(Reason::NotRedirectable, wish.target));
    }
    if let Fragment::First(identification) = ip.fragment {
        fragment::remember::<F>(ip, identification, wish)?;
    }
    Ok(End::DELIVER)
}

/// To a service, or from a backup? Keeps a wish.
#[inline(always)]
fn classify<F: Apart>(packet: &Packet<F>, ip: &Ip, l4: &L4) -> Result<(), End> {
    if ip.discovery {
        return F::to_service(packet);
    }
    let ports = match ip.ports {
        Ports::UNKNOWN => signalling(ip.protocol, l4.destination, l4.source)?,
        ports => ports,
    };
    let may = May::with_segment(packet, ip, l4);
    let from = ports.from() && may.give_back;
    let mut stop = End::from(Reason::NotOurs);
    if ports.to() && may.steer {
        match F::to_service(packet) {
            Err(passed) if from && passed.may_be_another_ones() => stop = passed.of_nobody_else(),
            decided => return decided,
        }
    }
    let decided = if from { F::from_backup(packet, stop) } else { Err(stop) };
    if decided.is_err() && ports.from() {
        watch::segment(packet, ip, l4);
    }
    decided
}

/// To the service that has the segment's destination.
#[inline(always)]
pub fn to_service<F: Apart>(packet: &Packet<F>) -> Result<(), End> {
    let found = Found::here()?;
    // SAFETY: the visit has parsed both.
    let (ip, l4) = unsafe { (found.ip(), found.l4()) };
    let mut key = EndpointKey::new(ip.destination.bytes(), l4.destination, ip.protocol);
    if ip.discovery {
        discovery::choose(l4, &mut key)?;
    }
    // SAFETY: the element is read before the program ends, and RCU keeps it until then.
    let service = unsafe { maps::SERVICES.get(key) }.ok_or(End::from(Reason::NotOurs).or_another_ones())?;
    steer::to_service(packet, found, ip, l4, service).map_err(|stop| {
        let primary = stop.reason() == Reason::PrimaryServes as u32;
        // One target may be another one's client: then this may be a backup's answer to it.
        if primary && service.backups.may_hold(ip.source.0) { stop.or_another_ones() } else { stop }
    })
}

/// From the backup that has the segment's source; else it ends as `stop` says.
#[inline(always)]
pub fn from_backup<F: Apart>(packet: &Packet<F>, stop: End) -> Result<(), End> {
    let found = Found::here()?;
    // SAFETY: as above.
    let (ip, l4) = unsafe { (found.ip(), found.l4()) };
    let key = EndpointKey::new(ip.source.bytes(), l4.source, ip.protocol);
    // SAFETY: as above.
    let endpoint = unsafe { maps::BACKUPS.get(key) }.ok_or(stop)?;
    trace::note(|trace| {
        trace.known |= Trace::BACKUP;
        trace.endpoint = endpoint.id;
    });
    steer::from_backup(packet, found, ip, l4, endpoint)
}

/// Which of a packet's two ports are signalling ports.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ports(u32);

impl Ports {
    /// From [`Self::bits`].
    #[inline(always)]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// In a register.
    #[inline(always)]
    pub const fn bits(self) -> u32 {
        self.0
    }

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
    let bitmap = maps::PORTS.get(SIGNALLING).ok_or(Reason::NotSignalling)?;
    let is = |port| maps::has_port(bitmap, port, protocol);
    let mut ports = 0;
    if is(destination) {
        ports |= Ports::TO;
    }
    if is(source) {
        ports |= Ports::FROM;
    }
    if ports == 0 { Err(Reason::NotSignalling) } else { Ok(Ports(ports)) }
}
