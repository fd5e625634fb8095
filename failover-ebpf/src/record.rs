//! What is written down about a packet: counters, always; an event, when a target's first packet is steered.

use aya_ebpf::{helpers::generated::bpf_ktime_get_ns, maps::PerCpuArray};
use failover_common::{
    event::{Event, Kind},
    names::{REASON_SLOTS, ROLE_OBSERVER, ROLE_TWIN},
    value::Counter,
};

use crate::{
    flows::now_seconds,
    maps, observe,
    packet::{Frame, Packet},
    parse::ip::{Address, Ip},
    plan::End,
    trace::{self, dry_run},
};

/// 2²⁴ ns are about 16 ms.
const SUSPICION_TICK: u32 = 24;

/// Counts the packet under its reason: at its interface, and, where it is about a target, under that.
#[inline(always)]
pub fn close(packet: &Packet<impl Frame>, end: End) {
    match trace::role() {
        ROLE_TWIN => return trace::end(end),
        ROLE_OBSERVER => observe::show(packet, end),
        _ => {}
    }
    let (target, reason) = (end.target(), end.reason());
    let slot = maps::INTERFACES.get(packet.device()).copied().unwrap_or(0);
    let about = u32::from(target != 0);
    count(packet, &maps::INTERFACE_COUNTERS, (slot * 2 + about) * REASON_SLOTS + reason);
    if target != 0 {
        count(packet, &maps::COUNTERS, target * REASON_SLOTS + reason);
    }
    #[cfg(feature = "packet-log")]
    if target != 0 {
        aya_log_ebpf::debug!(packet.frame(), "target {} reason {}", target, reason);
    }
}

#[inline(always)]
fn count(packet: &Packet<impl Frame>, counters: &PerCpuArray<Counter>, row: u32) {
    if let Some(counter) = counters.get_ptr_mut(row) {
        // SAFETY: this CPU's own element; XDP does not interrupt itself on one CPU.
        unsafe {
            (*counter).packets += 1;
            (*counter).bytes += packet.len() as u64;
        }
    }
}

/// Announces a target's first steered packet of a generation. The event is made in a function of its own, because the
/// stack has 512 bytes.
#[inline(always)]
pub fn announce(ip: &Ip, port: u16, target: u32, generation: u32) {
    let Some(announced) = maps::ANNOUNCED.get_ptr_mut(target) else { return };
    // SAFETY: a live array element of 4 aligned bytes; see `maps::ANNOUNCED` for two CPUs at once.
    unsafe {
        if *announced == generation || dry_run() {
            return;
        }
        *announced = generation;
    }
    steering_began(ip, port, target, generation);
}

/// Says that somebody who was answered can no longer be kept, once in a second. A function of its own,
/// because the stack has 512 bytes.
#[inline(never)]
pub fn table_full() {
    // No target has this number.
    let Some(announced) = maps::ANNOUNCED.get_ptr_mut(0) else { return };
    let now = now_seconds();
    // SAFETY: as in `announce`.
    unsafe {
        if *announced == now {
            return;
        }
        *announced = now;
    }
    let event = Event {
        // SAFETY: as below.
        time_ns: unsafe { bpf_ktime_get_ns() },
        kind: Kind::FlowTableFull as u32,
        target: 0,
        generation: 0,
        client_port: [0; 2],
        protocol: 0,
        reserved: 0,
        client: [0; 16],
    };
    let _ = maps::EVENTS.output::<Event>(&event, 0);
}

/// Says that something was said to `client` about a target's primary, if that serves, as nobody says of a server that lives;
/// no more often than once in 16 ms. What is said to the daemon's probes, they hear themselves. A function of its own, because
/// it is rare.
#[inline(never)]
pub fn suspicion(target: u32, client: &Address, port: u16, protocol: u8) {
    if maps::availability(target).serving() != 0 || maps::is_probe(*client, port, protocol) {
        return;
    }
    let Some(suspected) = maps::SUSPECTED.get_ptr_mut(target) else { return };
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    let tick = (now >> SUSPICION_TICK) as u32;
    // SAFETY: as in `announce`.
    unsafe {
        if *suspected == tick || dry_run() {
            return;
        }
        *suspected = tick;
    }
    let event = Event {
        time_ns: now,
        kind: Kind::Suspicion as u32,
        target,
        generation: 0,
        client_port: port.to_be_bytes(),
        protocol,
        reserved: 0,
        client: client.bytes(),
    };
    // A full ring loses it; the probes go on all the same.
    let _ = maps::EVENTS.output::<Event>(&event, 0);
}

#[inline(never)]
fn steering_began(ip: &Ip, port: u16, target: u32, generation: u32) {
    let event = Event {
        // SAFETY: a helper without arguments.
        time_ns: unsafe { bpf_ktime_get_ns() },
        kind: Kind::SteeringBegan as u32,
        target,
        generation,
        client_port: port.to_be_bytes(),
        protocol: ip.protocol,
        reserved: 0,
        client: ip.source.bytes(),
    };
    // A full ring loses the announcement, never the packet; the counters tell of it all the same.
    let _ = maps::EVENTS.output::<Event>(&event, 0);
}
