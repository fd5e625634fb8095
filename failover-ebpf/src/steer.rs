//! The two ways: to a service whose primary is away, and back from the backup.

use failover_common::{
    key::{ClientKey, EndpointKey, FlowKey, mapped, unmapped},
    names::MAX_BACKUPS,
    reason::Reason,
    value::{Availability, Endpoint, Origin, RIVAL_SECONDS, Return, Server, Service},
};

use aya_ebpf::{bindings::BPF_ANY, helpers::generated::bpf_ktime_get_coarse_ns, maps::LruHashMap};

use crate::{
    maps::{self, availability, is_own_host},
    parse::{ip::Ipv4, l4::L4},
    plan::{Change, Side, Stop, Wish},
};

/// A packet to a target's service: to the backup, where one serves.
#[inline(always)]
pub fn to_service(ip: &Ipv4, l4: &L4, service: &Service) -> Result<Wish, Stop> {
    let target = service.target;
    let pass = |reason| Stop::pass(reason, target);
    let now = availability(target);
    match now.serving() {
        0 => {
            remember_own(ip, l4, service)?;
            return Err(pass(Reason::PrimaryServes));
        }
        Availability::NOBODY => return Err(Stop { drop: true, ..pass(Reason::NobodyServes) }),
        _ => {}
    }
    if is_own_host(ip.source, target) {
        return Err(pass(Reason::BetweenServers));
    }
    let row = service.service.wrapping_mul(MAX_BACKUPS) + u32::from(now.serving()) - 1;
    let server = maps::SERVERS.get(row).filter(|s| s.endpoint != 0).ok_or(pass(Reason::NoEndpoint))?;
    let address = unmapped(server.address).ok_or(pass(Reason::NoEndpoint))?;
    Ok(Wish {
        target,
        generation: now.generation(),
        change: Change { side: Side::Destination, address, port: server.port },
        flow: if server.flags & Server::DEDICATED == 0 { server.endpoint } else { 0 },
    })
}

/// A packet from a backup: under the target's address, where one was asked.
#[inline(always)]
pub fn from_backup(ip: &Ipv4, l4: &L4, endpoint: &Endpoint) -> Result<Wish, Stop> {
    let probe = EndpointKey::new(mapped(ip.destination), l4.destination, ip.protocol);
    // SAFETY: only its presence is looked at.
    if unsafe { maps::PROBES.get(probe) }.is_some() {
        return Err(Reason::OwnProbe.into());
    }
    let origin = if endpoint.flags & Endpoint::DEDICATED != 0 {
        endpoint.origin
    } else {
        recall(ip, l4, endpoint.id)?
    };
    let target = origin.target;
    if is_own_host(ip.destination, target) {
        return Err(Stop::pass(Reason::BetweenServers, target));
    }
    if origin.address == mapped(ip.source) {
        return Err(Stop::pass(Reason::OwnService, target));
    }
    let address = unmapped(origin.address).ok_or(Stop::pass(Reason::NoReturn, target))?;
    Ok(Wish {
        target,
        generation: 0,
        change: Change { side: Side::Source, address, port: origin.port },
        flow: 0,
    })
}

/// Whom the client asked when it was sent to this endpoint: by exact flow, else by host.
#[inline(always)]
fn recall(ip: &Ipv4, l4: &L4, endpoint: u32) -> Result<Origin, Stop> {
    let (flow, client) = keys(ip.destination, l4.destination, ip.protocol, endpoint);
    // SAFETY: the element is read before the program ends, and RCU keeps it until then.
    let way = unsafe { maps::RETURNS.get(flow).or_else(|| maps::CLIENTS.get(client)) };
    let way = way.ok_or(Stop::from(Reason::NoReturn))?;
    if way.rival_seen != 0 && now_seconds().wrapping_sub(way.rival_seen) < RIVAL_SECONDS {
        return Err(Stop::pass(Reason::AmbiguousReturn, way.origin.target));
    }
    Ok(way.origin)
}

/// Remembers the way back of a packet that is about to be steered.
#[inline(always)]
pub fn remember(ip: &Ipv4, l4: &L4, wish: &Wish) -> Result<(), Stop> {
    if wish.flow == 0 {
        return Ok(());
    }
    remember_way(ip, l4, wish.flow, wish.target)
}

/// A target that is also another target's backup: its own clients' flows are noted as its own, or an answer to them
/// could be taken for one of the other target.
#[inline(always)]
fn remember_own(ip: &Ipv4, l4: &L4, service: &Service) -> Result<(), Stop> {
    if service.endpoint == 0 {
        return Ok(());
    }
    remember_way(ip, l4, service.endpoint, service.target)
}

#[inline(always)]
fn remember_way(ip: &Ipv4, l4: &L4, endpoint: u32, target: u32) -> Result<(), Stop> {
    let (flow, client) = keys(ip.source, l4.source, ip.protocol, endpoint);
    let origin = Origin {
        address: mapped(ip.destination),
        port: l4.destination.to_be_bytes(),
        reserved: [0; 2],
        target,
    };
    let now = now_seconds();
    note(&maps::RETURNS, &flow, &origin, now)
        .and_then(|()| note(&maps::CLIENTS, &client, &origin, now))
        .map_err(|_| Stop::pass(Reason::FlowTableFull, target))
}

#[inline(always)]
fn note<K>(map: &LruHashMap<K, Return>, key: &K, origin: &Origin, now: u32) -> Result<(), i32> {
    let mut rival_seen = 0;
    if let Some(way) = map.get_ptr_mut(key) {
        // SAFETY: a live element (RCU); `seen` is the only field stored in place, and it is 4 aligned bytes.
        let way = unsafe { &mut *way };
        if way.origin == *origin {
            if way.seen != now {
                way.seen = now;
            }
            return Ok(());
        }
        if now.wrapping_sub(way.seen) < RIVAL_SECONDS {
            rival_seen = now;
        }
    }
    map.insert(key, Return { origin: *origin, seen: now, rival_seen }, BPF_ANY.into())
}

#[inline(always)]
fn keys(client: [u8; 4], port: u16, protocol: u8, endpoint: u32) -> (FlowKey, ClientKey) {
    let client = mapped(client);
    (
        FlowKey { client, port: port.to_be_bytes(), protocol, reserved: 0, endpoint },
        ClientKey { client, endpoint },
    )
}

/// Seconds of the monotonic clock; never 0 after the first second of the machine's life.
#[inline(always)]
fn now_seconds() -> u32 {
    // SAFETY: a helper without arguments.
    (unsafe { bpf_ktime_get_coarse_ns() } / 1_000_000_000) as u32
}
