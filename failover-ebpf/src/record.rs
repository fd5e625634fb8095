//! What is written down about a packet: counters, always; an event, when a target's first packet is steered.

use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use failover_common::{
    event::{Event, Kind},
    key::mapped,
    names::REASON_SLOTS,
    reason::Reason,
};

use crate::{
    maps,
    packet::Packet,
    plan::{Plan, Route, Side},
};

/// Counts the packet under `target` and `reason`.
#[inline(always)]
pub fn count(packet: &Packet, target: u32, reason: Reason) {
    if let Some(counter) = maps::COUNTERS.get_ptr_mut(target * REASON_SLOTS + reason as u32) {
        // SAFETY: this CPU's own element; XDP does not interrupt itself on one CPU.
        unsafe {
            (*counter).packets += 1;
            (*counter).bytes += packet.len() as u64;
        }
    }
    #[cfg(feature = "packet-log")]
    if target != 0 {
        aya_log_ebpf::debug!(packet.xdp(), "target {} reason {}", target, reason as u32);
    }
}

/// Counts a packet that was rewritten, and announces the first one of a generation.
#[inline(always)]
pub fn done(packet: &Packet, plan: &Plan) {
    let reason = match (plan.change.side, &plan.route) {
        (Side::Destination, Route::Redirect { .. }) => Reason::Steered,
        (Side::Destination, Route::Kernel) => Reason::SteeredByKernel,
        (Side::Source, Route::Redirect { .. }) => Reason::Returned,
        (Side::Source, Route::Kernel) => Reason::ReturnedByKernel,
    };
    count(packet, plan.target, reason);
    if let Side::Destination = plan.change.side {
        announce(plan);
    }
}

#[inline(always)]
fn announce(plan: &Plan) {
    let Some(announced) = maps::ANNOUNCED.get_ptr_mut(plan.target) else { return };
    // SAFETY: a live array element of 4 aligned bytes; see `maps::ANNOUNCED` for two CPUs at once.
    unsafe {
        if *announced == plan.generation {
            return;
        }
        *announced = plan.generation;
    }
    let event = Event {
        // SAFETY: a helper without arguments.
        time_ns: unsafe { bpf_ktime_get_ns() },
        kind: Kind::SteeringBegan as u32,
        target: plan.target,
        generation: plan.generation,
        client_port: plan.l4.source.to_be_bytes(),
        protocol: plan.ip.protocol,
        reserved: 0,
        client: mapped(plan.ip.source),
    };
    // A full ring loses the announcement, never the packet; the counters tell of it all the same.
    let _ = maps::EVENTS.output::<Event>(&event, 0);
}
