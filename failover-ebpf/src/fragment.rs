//! Fragments: the first one, which has the ports, decides; the others follow it.
//!
//! One whose first was not seen before it passes: the primary, if it is alive, can make nothing of a part.

use failover_common::{
    key::{EndpointKey, FragmentKey},
    reason::Reason,
    trace::Trace,
    value::{FragmentWay, Server, Service},
    watch::Copied,
};

use aya_ebpf::bindings::BPF_ANY;

use crate::{
    flows::now_seconds,
    forward,
    found::Found,
    maps,
    packet::{Frame, Packet},
    parse::{
        Family,
        ip::{Address, Fragment, Ip},
    },
    plan::{Change, End, Side, Wish},
    rewrite,
    trace::{self, dry_run},
    watch,
};

/// Seconds for which a receiver waits for the rest of a datagram (Linux: 30). After that the identification may be
/// another datagram's.
const LIFETIME: u32 = 30;

/// Remembers what was decided about the first fragment.
#[inline(never)]
pub fn remember<F: Frame>(ip: &Ip, identification: u32, wish: &Wish) -> Result<(), End> {
    if dry_run() {
        return Ok(());
    }
    let way = FragmentWay {
        address: wish.change.address.bytes(),
        target: wish.target,
        side: match wish.change.side {
            _ if wish.steer == u32::from(Server::L2) => FragmentWay::L2,
            _ if wish.steer != 0 => FragmentWay::IPIP,
            Side::Destination => FragmentWay::DESTINATION,
            Side::Source => FragmentWay::SOURCE,
        },
        seen: now_seconds(),
        generation: wish.generation,
    };
    maps::FRAGMENTS
        .insert(key::<F>(ip, identification), way, BPF_ANY.into())
        .map_err(|_| End::pass(Reason::FlowTableFull, wish.target))
}

/// The first one passes. What was remembered of its identification was another datagram's; the others of what goes to the primary
/// of a service that is watched are copied, as it was.
#[inline(never)]
pub fn passes<F: Frame>(found: Found, ip: &Ip, identification: u32, stop: End) {
    if dry_run() {
        return;
    }
    let key = key::<F>(ip, identification);
    if !F::EGRESS && stop.reason() == Reason::PrimaryServes as u32 && is_watched(found, ip) {
        let (target, side, seen) = (stop.target(), FragmentWay::WATCHED, now_seconds());
        let way = FragmentWay { address: [0; 16], target, side, seen, generation: 0 };
        // Without room, the rest is not copied, and the client sends it again itself.
        let _ = maps::FRAGMENTS.insert(key, way, BPF_ANY.into());
    } else {
        // One that is not there is the usual case.
        let _ = maps::FRAGMENTS.remove(key);
    }
}

#[inline(always)]
fn is_watched(found: Found, ip: &Ip) -> bool {
    // SAFETY: a packet that is about a target has ports, which have been parsed.
    let port = unsafe { found.l4() }.destination;
    let key = EndpointKey::new(ip.destination.bytes(), port, ip.protocol);
    // SAFETY: the element is read before the program ends, and RCU keeps it until then.
    unsafe { maps::SERVICES.get(key) }.is_some_and(|service| service.flags & Service::WATCHED != 0)
}

/// A fragment without ports goes where its first one went.
#[inline(always)]
pub fn follow<F: Frame>(packet: &mut Packet<F>) -> End {
    End::of(follow_first(packet))
}

#[inline(always)]
fn follow_first<F: Frame>(packet: &mut Packet<F>) -> Result<End, End> {
    let found = Found::here()?;
    // SAFETY: the visit has parsed one.
    let ip = unsafe { found.ip() };
    let Fragment::Following(identification) = ip.fragment else { return Err(Reason::Fragment.into()) };
    trace::ip(ip);
    trace::known(Trace::FRAGMENT);
    recall(packet, found, ip, identification)?;
    // SAFETY: `recall` succeeds only when it has kept one.
    let wish = unsafe { found.wish() };
    if wish.steer != 0 {
        return Ok(End::DELIVER);
    }
    let plan = forward::plan(packet, ip, (0, 0), wish)?;
    rewrite::fragment(packet, &plan).map_err(|_| plan.spoilt())?;
    Ok(plan.done())
}

/// Keeps the wish of this one's first fragment.
#[inline(always)]
fn recall<F: Frame>(packet: &Packet<F>, found: Found, ip: &Ip, identification: u32) -> Result<(), End> {
    // SAFETY: the element is read before the program ends, and RCU keeps it until then.
    let way = unsafe { maps::FRAGMENTS.get(key::<F>(ip, identification)) }.ok_or(Reason::Fragment)?;
    if now_seconds().wrapping_sub(way.seen) > LIFETIME {
        return Err(Reason::Fragment.into());
    }
    if way.side == FragmentWay::WATCHED {
        watch::copy(packet, way.target, Copied::FRAGMENT);
        return Err(Reason::Fragment.into());
    }
    let side = if way.side == FragmentWay::SOURCE { Side::Source } else { Side::Destination };
    let change = Change { side, address: Address::from_bytes(way.address), port: [0; 2] };
    let steer = match way.side {
        FragmentWay::L2 => Server::L2,
        FragmentWay::IPIP => Server::IPIP,
        _ => 0,
    };
    found.keep_wish(Wish { steer: u32::from(steer), ..Wish::forgetful(way.target, way.generation, change) });
    Ok(())
}

#[inline(always)]
fn key<F: Frame>(ip: &Ip, identification: u32) -> FragmentKey {
    FragmentKey {
        source: ip.source.bytes(),
        destination: ip.destination.bytes(),
        identification,
        // RFC 8200 §4.5 tells datagrams apart without it: the fragments name the header that each begins with.
        protocol: if ip.family == Family::V4 { ip.protocol } else { 0 },
        egress: F::EGRESS.into(),
        reserved: [0; 2],
    }
}
