//! The two ways: to a service whose primary is away, and back from the backup.

use failover_common::{
    key::{ClientKey, EndpointKey, FlowKey},
    names::MAX_BACKUPS,
    reason::Reason,
    trace::Trace,
    value::{Availability, Endpoint, Origin, RIVAL_SECONDS, Return, Server, Service},
};

use aya_ebpf::{bindings::BPF_ANY, helpers::generated::bpf_ktime_get_coarse_ns, maps::LruHashMap};

use crate::{
    maps::{self, availability, is_own_host},
    parse::{
        ip::{Address, Ip},
        l4::L4,
    },
    plan::{Change, End, Side, Wish},
    trace::{self, dry_run},
};

/// A packet to a target's service: to the backup, where one serves.
#[inline(always)]
pub fn to_service(ip: &Ip, l4: &L4, service: &Service) -> Result<(), End> {
    let (server, generation) = match server(ip, service) {
        Err(stop) if stop.reason() == Reason::PrimaryServes as u32 => {
            remember_own(ip, l4, service)?;
            return Err(stop);
        }
        found => found?,
    };
    let wish = Wish {
        target: service.target,
        generation,
        change: Change {
            side: Side::Destination,
            address: Address::from_bytes(server.address),
            port: server.port,
        },
        flow: if server.flags & Server::DEDICATED == 0 { server.endpoint } else { 0 },
    };
    wish.keep()
}

/// The backup that serves `service` now, for a packet that goes there, and the availability's generation.
#[inline(always)]
pub fn server(ip: &Ip, service: &Service) -> Result<(&'static Server, u32), End> {
    let pass = |reason| End::pass(reason, service.target);
    let now = availability(service.target);
    trace::note(|trace| {
        trace.known |= Trace::SERVICE | Trace::AVAILABILITY;
        trace.service_target = service.target;
        trace.availability = now.0;
    });
    match now.serving() {
        0 => return Err(pass(Reason::PrimaryServes)),
        Availability::NOBODY => return Err(End::drop(Reason::NobodyServes, service.target)),
        _ => {}
    }
    if is_own_host(ip.source, service.target) {
        return Err(pass(Reason::BetweenServers));
    }
    let row = service.service.wrapping_mul(MAX_BACKUPS) + u32::from(now.serving()) - 1;
    let server = maps::SERVERS.get(row).filter(|server| server.endpoint != 0);
    // A backup without an address of this IP version has an empty place.
    let server = server
        .filter(|server| ip.speaks(&Address::from_bytes(server.address)))
        .ok_or(pass(Reason::NoEndpoint))?;
    Ok((server, now.generation()))
}

/// A packet from a backup: under the target's address, where one was asked.
#[inline(always)]
pub fn from_backup(ip: &Ip, l4: &L4, endpoint: &Endpoint) -> Result<(), End> {
    let probe = EndpointKey::new(ip.destination.bytes(), l4.destination, ip.protocol);
    // SAFETY: only its presence is looked at.
    if unsafe { maps::PROBES.get(probe) }.is_some() {
        return Err(Reason::OwnProbe.into());
    }
    let origin = if endpoint.flags & Endpoint::DEDICATED != 0 {
        trace::known(Trace::DEDICATED);
        endpoint.origin
    } else {
        recall(ip, l4, endpoint.id)?
    };
    let (target, address) = (origin.target, Address::from_bytes(origin.address));
    if is_own_host(ip.destination, target) {
        return Err(End::pass(Reason::BetweenServers, target));
    }
    if address == ip.source {
        return Err(End::pass(Reason::OwnService, target));
    }
    if !ip.speaks(&address) {
        return Err(End::pass(Reason::NoReturn, target));
    }
    let wish = Wish {
        target,
        generation: 0,
        change: Change { side: Side::Source, address, port: origin.port },
        flow: 0,
    };
    wish.keep()
}

/// Whom the client asked when it was sent to this endpoint: by exact flow, else by host.
#[inline(always)]
fn recall(ip: &Ip, l4: &L4, endpoint: u32) -> Result<Origin, End> {
    let (flow, client) = keys(ip.destination, l4.destination, ip.protocol, endpoint);
    // SAFETY: the element is read before the program ends, and RCU keeps it until then.
    known(unsafe { maps::RETURNS.get(flow).or_else(|| maps::CLIENTS.get(client)) })
}

/// Whom the client asked from this very port.
#[inline(always)]
pub fn recall_flow(client: Address, port: u16, protocol: u8, endpoint: u32) -> Result<Origin, End> {
    let (flow, _) = keys(client, port, protocol, endpoint);
    // SAFETY: as above.
    known(unsafe { maps::RETURNS.get(flow) })
}

#[inline(always)]
fn known(way: Option<&Return>) -> Result<Origin, End> {
    trace::known(Trace::WAY_ASKED);
    let way = way.ok_or(End::from(Reason::NoReturn))?;
    trace::known(Trace::WAY_FOUND);
    if way.rival_seen != 0 && now_seconds().wrapping_sub(way.rival_seen) < RIVAL_SECONDS {
        return Err(End::pass(Reason::AmbiguousReturn, way.origin.target));
    }
    Ok(way.origin)
}

/// Remembers the way back of a packet that is about to be steered.
#[inline(always)]
pub fn remember(ip: &Ip, l4: &L4, wish: &Wish) -> Result<(), End> {
    if wish.flow == 0 {
        return Ok(());
    }
    remember_way(ip, l4, wish.flow, wish.target)
}

/// A target that is also another target's backup: its own clients' flows are noted as its own, or an answer to them
/// could be taken for one of the other target.
#[inline(always)]
fn remember_own(ip: &Ip, l4: &L4, service: &Service) -> Result<(), End> {
    if service.endpoint == 0 {
        return Ok(());
    }
    remember_way(ip, l4, service.endpoint, service.target)
}

/// A function of its own, because the stack has 512 bytes.
#[inline(never)]
fn remember_way(ip: &Ip, l4: &L4, endpoint: u32, target: u32) -> Result<(), End> {
    let (flow, client) = keys(ip.source, l4.source, ip.protocol, endpoint);
    let origin = Origin {
        address: ip.destination.bytes(),
        port: l4.destination.to_be_bytes(),
        reserved: [0; 2],
        target,
    };
    let now = now_seconds();
    note(&maps::RETURNS, &flow, &origin, now)
        .and_then(|()| note(&maps::CLIENTS, &client, &origin, now))
        .map_err(|_| End::pass(Reason::FlowTableFull, target))
}

#[inline(always)]
fn note<K>(map: &LruHashMap<K, Return>, key: &K, origin: &Origin, now: u32) -> Result<(), i32> {
    let mut rival_seen = 0;
    if let Some(way) = map.get_ptr_mut(key) {
        // SAFETY: a live element (RCU); `seen` is the only field stored in place, and it is 4 aligned bytes.
        let way = unsafe { &mut *way };
        if way.origin == *origin {
            if way.seen != now && !dry_run() {
                way.seen = now;
            }
            return Ok(());
        }
        if now.wrapping_sub(way.seen) < RIVAL_SECONDS {
            rival_seen = now;
        }
    }
    if dry_run() {
        return Ok(());
    }
    map.insert(key, Return { origin: *origin, seen: now, rival_seen }, BPF_ANY.into())
}

#[inline(always)]
fn keys(client: Address, port: u16, protocol: u8, endpoint: u32) -> (FlowKey, ClientKey) {
    let client = client.bytes();
    (
        FlowKey { client, port: port.to_be_bytes(), protocol, reserved: 0, endpoint },
        ClientKey { client, endpoint },
    )
}

/// Seconds of the monotonic clock; never 0 after the first second of the machine's life.
#[inline(always)]
pub fn now_seconds() -> u32 {
    // SAFETY: a helper without arguments.
    (unsafe { bpf_ktime_get_coarse_ns() } / 1_000_000_000) as u32
}
