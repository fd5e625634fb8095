//! The two ways: to a service whose primary is away, and back from the backup.

use failover_common::{
    key::{TCP, UDP},
    names::MAX_BACKUPS,
    reason::Reason,
    trace::Trace,
    value::{Availability, Endpoint, Origin, Server, Service},
};

use crate::{
    apart::Apart,
    dialog, drain,
    flows::{self, Terms, now_seconds},
    found::Found,
    hook,
    maps::{self, availability, is_own_host},
    packet::Packet,
    parse::{
        ip::{Address, Ip},
        l4::L4,
    },
    plan::{Calls, Change, End, Plan, Side, Wish},
    trace, watch,
};

/// As [`Availability::NOBODY`].
const NOBODY: u32 = Availability::NOBODY as u32;

/// A packet to a target's service: to the backup, where one serves.
#[inline(always)]
pub fn to_service<F: Apart>(
    packet: &Packet<F>,
    found: Found,
    ip: &Ip,
    l4: &L4,
    service: &Service,
) -> Result<(), End> {
    // Of the daemon's own sockets, the kernel says things without their mark: a reset, once the socket is closed.
    if F::EGRESS && packet.ingress() == 0 && maps::is_probe(ip.source, l4.source, ip.protocol) {
        return Err(Reason::OwnProbe.into());
    }
    let (server, now) = match server(ip, service, |now| drain::server(packet, ip, l4, service, now)) {
        Err(stop) if stop.reason() == Reason::PrimaryServes as u32 => {
            remember_own(ip, l4, service)?;
            watch::asked(packet, service);
            return Err(stop);
        }
        found => found?,
    };
    let dedicated = server.flags & Server::DEDICATED != 0;
    // The way back of a dedicated backup needs no memory, but failback does.
    let pinned = ip.protocol == TCP && (service.flags & Service::PIN_FLOWS != 0 || now.keeper() != 0);
    let steer = unrewritten(server);
    let wish = Wish {
        target: service.target,
        generation: now.generation(),
        change: Change {
            side: Side::Destination,
            address: Address::from_bytes(server.address),
            port: server.port,
        },
        // A dedicated server needs no way back, and one that carries the target's address gets none.
        endpoint: if steer == 0 && (!dedicated || pinned || hook::inbound::<F>(Side::Destination)) {
            server.endpoint
        } else {
            0
        },
        service: service.service,
        exclusive: server.flags & Server::EXCLUSIVE != 0,
        call: calls(ip, service, server, now),
        steer,
    };
    found.keep_wish(wish);
    Ok(())
}

/// Which dialogs the packet is looked at for.
#[inline(always)]
fn calls(ip: &Ip, service: &Service, server: &Server, now: Availability) -> Calls {
    let draining = now.keeper() != 0 && service.flags & Service::SIP != 0;
    if ip.protocol == UDP && (draining || service.flags & Service::PIN_CALLS != 0) {
        Calls { endpoint: server.endpoint, read: draining }
    } else {
        Calls::NONE
    }
}

/// How a packet goes to a server that carries the target's address itself; 0: it is rewritten.
#[inline(always)]
pub fn unrewritten(server: &Server) -> u32 {
    u32::from(server.flags & (Server::L2 | Server::IPIP))
}

/// The backup that serves `service` now, for a packet that goes there, and the availability; `drained` says which server
/// it is while the target drains.
#[inline(always)]
pub fn server(
    ip: &Ip,
    service: &Service,
    drained: impl FnOnce(Availability) -> u32,
) -> Result<(&'static Server, Availability), End> {
    let pass = |reason| End::pass(reason, service.target);
    let now = availability(service.target);
    trace::service(service.target, now);
    let serving = if now.keeper() == 0 {
        u32::from(now.serving())
    } else {
        trace::known(Trace::DRAINS);
        drained(now)
    };
    match serving {
        0 => return Err(pass(Reason::PrimaryServes)),
        NOBODY => return Err(End::drop(Reason::NobodyServes, service.target)),
        _ => {}
    }
    if is_own_host(ip.source, service.target, service.hosts) {
        return Err(pass(Reason::BetweenServers));
    }
    let row = service.service.wrapping_mul(MAX_BACKUPS) + serving.wrapping_sub(1);
    let server = maps::SERVERS.get(row).filter(|server| server.endpoint != 0);
    // A backup without an address of this IP version has an empty place; only an envelope may be of the other one.
    let server = server
        .filter(|server| ip.speaks(&Address::from_bytes(server.address)) || server.flags & Server::IPIP != 0)
        .ok_or(pass(Reason::NoEndpoint))?;
    Ok((server, now))
}

/// A packet from a backup: under the target's address, where one was asked.
#[inline(always)]
pub fn from_backup<F: Apart>(
    packet: &Packet<F>,
    found: Found,
    ip: &Ip,
    l4: &L4,
    endpoint: &'static Endpoint,
) -> Result<(), End> {
    if maps::is_probe(ip.destination, l4.destination, ip.protocol) {
        return Err(Reason::OwnProbe.into());
    }
    let inbound = hook::inbound::<F>(Side::Source);
    let origin = match alone(endpoint, inbound) {
        Some(origin) => {
            if ip.protocol == TCP && endpoint.flags & Endpoint::PIN_FLOWS != 0 {
                // What was answered is kept.
                let _ = flows::answered(ip, l4, endpoint, inbound);
            }
            origin
        }
        None => flows::answered(ip, l4, endpoint, inbound)?,
    };
    as_target(found, ip, ip.source, endpoint, origin)?;
    dialog::came_back(packet, ip, l4, endpoint, origin.target);
    Ok(())
}

/// Whom a dedicated endpoint's host stands in for; `inbound`, only flows that are known are turned back.
#[inline(always)]
pub fn alone(endpoint: &'static Endpoint, inbound: bool) -> Option<&'static Origin> {
    if inbound || endpoint.flags & Endpoint::DEDICATED == 0 {
        return None;
    }
    trace::known(Trace::DEDICATED);
    Some(&endpoint.origin)
}

/// What the host of `endpoint`, which has the address `backup`, has to do with the packet's receiver is said in the
/// name of `origin`. Keeps a wish.
#[inline(always)]
pub fn as_target(
    found: Found,
    ip: &Ip,
    backup: Address,
    endpoint: &Endpoint,
    origin: &Origin,
) -> Result<(), End> {
    let (target, address) = (origin.target, Address::from_bytes(origin.address));
    if is_own_host(ip.destination, target, endpoint.hosts) {
        return Err(End::pass(Reason::BetweenServers, target));
    }
    if address == backup {
        return Err(End::pass(Reason::OwnService, target));
    }
    if !ip.speaks(&address) {
        return Err(End::pass(Reason::NoReturn, target));
    }
    found.keep_wish(Wish::forgetful(target, 0, Change { side: Side::Source, address, port: origin.port }));
    Ok(())
}

/// Remembers the way back of a packet that is about to be steered.
#[inline(always)]
pub fn remember<F: Apart>(packet: &Packet<F>, l4: &L4, plan: &Plan) -> Result<(), End> {
    let wish = plan.wish;
    if wish.call.endpoint != 0 {
        dialog::sent(packet, l4, wish);
    }
    if wish.endpoint == 0 {
        return Ok(());
    }
    let full = |flows::Full| End::pass(Reason::FlowTableFull, wish.target);
    let terms = Terms { exclusive: wish.exclusive, inbound: hook::inbound::<F>(Side::Destination) };
    flows::remember(plan.ip, l4, (wish.endpoint, wish.service), terms, plan.now).map_err(full)
}

/// A target that is also another target's backup: its own clients' flows are noted as its own, or an answer to them
/// could be taken for one of the other target.
#[inline(always)]
fn remember_own(ip: &Ip, l4: &L4, service: &Service) -> Result<(), End> {
    if service.endpoint == 0 {
        return Ok(());
    }
    let full = |flows::Full| End::pass(Reason::FlowTableFull, service.target);
    let terms = Terms { exclusive: false, inbound: false };
    flows::remember(ip, l4, (service.endpoint, service.service), terms, now_seconds()).map_err(full)
}
